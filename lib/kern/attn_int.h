/*
 * What attn.c asks of an instruction set and type: parts of attention that one thread does. Blocks
 * are ATTN_BLOCK queries by ATTN_BLOCK keys, counted from the first token of the sequence
 * (forward's blocks of queries from the first row of the pass: their place does not matter). How
 * vectors are packed is the kernels' own business: attn.c knows the sizes.
 *
 * hd is head_dim, hp is hd rounded up to ATTN_PAD floats. Gradients of keys and values are gathered
 * in blocks [ATTN_BLOCK][hp] of f32, those of queries in blocks as large.
 */
#ifndef ATTN_INT_H
#define ATTN_INT_H

#include <stdatomic.h>
#include "kern/attn.h"

#define ATTN_BLOCK   MASK_BLOCK
#define ATTN_PAD     16
#define ATTN_MAX_DIM 256

/* In floats, multiples of 16. */
struct attn_sizes {
    size_t store;                     /* keys and values of a head of a block in the store */
    size_t q, k;                      /* backward: a block of a query head, of a key head */
    size_t forward_tmp, backward_tmp; /* of a thread */
};

struct attn_forward {
    const struct attn *a;
    int n_q, pos0, n_key; /* queries (≤ ATTN_BLOCK), position of the first, keys of the sequence */
    uint64_t seq;         /* dropout: sequence and head */
    const float *q;       /* first query of the head, rows ldq apart */
    size_t ldq;
    const float *store;  /* the key head's part of block 0 of the store */
    size_t block_floats; /* from a block to the next */
    int n_ring;          /* blocks of the store: block b lies at b % n_ring */
    float *o;
    size_t ldo;
    float *lse; /* the head's, ld_lse apart; or NULL */
    size_t ld_lse;
    float *tmp;
};

/* The head's part of a block of the store. */
static inline const float *attn_stored(const struct attn_forward *f, int block)
{
    return f->store + (size_t)(block % f->n_ring) * f->block_floats;
}

/* A query head's rows of a block, n of them. */
struct attn_pack_q {
    int n;
    const float *q, *d_o, *o, *lse;
    size_t ldq, ldd_o, ldo, ld_lse;
};

/* A block of keys of one query head of one sequence, by all its queries. Gradients of queries are
 * added to by the blocks of keys in order: each block of queries once the keys before have. */
struct attn_backward {
    const struct attn *a;
    int n, block;
    uint64_t seq;
    const float *q, *k; /* packed: block 0 of the queries, the block of keys */
    size_t q_apart;     /* from a block of queries to the next */
    float *dq;          /* block 0; zeroed by the first block of keys */
    float *dk, *dv;     /* of the block */
    float *tmp;
    const atomic_int *before; /* blocks of queries that the keys before are done with; NULL: none */
    atomic_int *done;         /* and this block of keys */
};

struct attn_kernels {
    struct attn_sizes (*sizes)(const struct attn *a);
    /* Keys and values of n tokens into a head's part of a block of the store, from its token `at`
     * on, n ≤ ATTN_BLOCK - at; the tokens before stand there, those behind are not yet there. */
    void (*put)(const struct attn *a, float *to, int at, const float *k, size_t ldk, const float *v,
                size_t ldv, int n);
    /* For backward: queries, gradients, log-sum-exps and δ = Σ do·o of a block; keys and values. */
    void (*pack_q)(const struct attn *a, float *to, const struct attn_pack_q *p);
    void (*pack_k)(const struct attn *a, float *to, const float *k, size_t ldk, const float *v,
                   size_t ldv, int n);
    /* The gradients of a block of queries to n rows. */
    void (*unpack_q)(const struct attn *a, float *to, size_t ldto, const float *from, int n);
    /* to[r] = from[r] of the first head + ... of the last, in order: rows hp apart, heads `apart`
     * floats */
    void (*unpack)(float *to, size_t ldto, const float *from, size_t hp, int heads, size_t apart,
                   int n, int hd);
    void (*forward)(const struct attn_forward *f);
    void (*backward)(const struct attn_backward *b);
    void (*begin)(void), (*end)(void); /* around what a thread does; NULL: nothing */
};

extern const struct attn_kernels attn_portable;
#if defined(__x86_64__)
extern const struct attn_kernels attn_avx2, attn_avx512, attn_avx512bf16, attn_amx;
#elif defined(__aarch64__)
extern const struct attn_kernels attn_neon;
#endif
const struct attn_kernels *attn_kernels_for(enum isa isa, enum gemm_dtype dtype);

static inline size_t attn_hp(const struct attn *a)
{
    return ((size_t)a->head_dim + ATTN_PAD - 1) / ATTN_PAD * ATTN_PAD;
}

#endif
