/*
 * What attn.c asks of an instruction set: parts of attention that one thread does. Blocks are
 * ATTN_BLOCK queries by ATTN_BLOCK keys, counted from the first token of the sequence (forward's
 * blocks of queries from the first row of the pass: their place does not matter).
 *
 * hd is head_dim, hp is hd rounded up to ATTN_PAD floats: rows of packed vectors stand hp apart,
 * zeros behind; transposed blocks are [hd][ATTN_BLOCK].
 */
#ifndef ATTN_INT_H
#define ATTN_INT_H

#include "kern/attn.h"

#define ATTN_BLOCK MASK_BLOCK
#define ATTN_PAD   16

struct attn_forward {
    const struct attn *a;
    int n_q, pos0, n_key; /* queries (≤ ATTN_BLOCK), position of the first, keys of the sequence */
    uint64_t seq;         /* dropout: sequence and head */
    const float *q;       /* first query of the head, rows ldq apart */
    size_t ldq;
    const float *store;  /* the key head's part of block 0 of the store: keys transposed, values */
    size_t block_floats; /* from a block to the next */
    int n_ring;          /* blocks of the store: block b lies at b % n_ring */
    float *o;
    size_t ldo;
    float *lse; /* the head's, ld_lse apart; or NULL */
    size_t ld_lse;
    float *tmp; /* attn_forward_floats() */
};

/* One query head of one sequence, all its blocks. */
struct attn_backward {
    const struct attn *a;
    int n;
    uint64_t seq;
    const float *q, *d_o;     /* [n][hp] */
    const float *k, *kt, *vt; /* [n][hp], and transposed blocks */
    const float *lse, *delta; /* the head's, ld_lse apart; delta = Σ do·o of a row */
    size_t ld_lse;
    float *dq, *dk, *dv; /* [n][hp], written */
    float *tmp;          /* attn_backward_floats() */
};

struct attn_kernels {
    /* to[i][0..hp) = x[i][0..hd) for n rows, zeros behind; rounded to bf16 if asked */
    void (*pack)(float *to, const float *x, size_t ldx, int n, int hd, bool round);
    /* to[c][col + i] = x[i][c] for n ≤ ATTN_BLOCK - col rows */
    void (*transpose)(float *to, int col, const float *x, size_t ldx, int n, int hd, bool round);
    /* delta[r] = Σ a[r]·b[r] */
    void (*delta)(float *delta, size_t ldd, const float *a, size_t lda, const float *b, size_t ldb,
                  int n, int hd);
    /* to[r] = from[r] of the first head + ... of the last, in order: packed rows hp apart, heads
     * `apart` floats */
    void (*unpack)(float *to, size_t ldto, const float *from, size_t hp, int heads, size_t apart,
                   int n, int hd);
    void (*forward)(const struct attn_forward *f);
    void (*backward)(const struct attn_backward *b);
};

extern const struct attn_kernels attn_portable;
#if defined(__x86_64__)
extern const struct attn_kernels attn_avx2, attn_avx512;
#endif
const struct attn_kernels *attn_kernels_for(enum isa isa);

static inline size_t attn_hp(const struct attn *a)
{
    return ((size_t)a->head_dim + ATTN_PAD - 1) / ATTN_PAD * ATTN_PAD;
}

/* Scores, queries, running sums, and a row's factor, maximum and sum. */
static inline size_t attn_forward_floats(const struct attn *a)
{
    return (size_t)ATTN_BLOCK * ((size_t)ATTN_BLOCK + 2 * attn_hp(a) + 3);
}

/* Probabilities and gradients of scores. */
static inline size_t attn_backward_floats(const struct attn *a)
{
    (void)a;
    return 2 * (size_t)ATTN_BLOCK * (size_t)ATTN_BLOCK;
}

#endif
