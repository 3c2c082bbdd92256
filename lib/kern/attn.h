/*
 * Attention: o = softmax(mask(stage(q·kᵀ)))·v per query head, blocked over keys with a running
 * maximum (Milakov & Gimelshein 2018; FlashAttention, Dao 2022, 2023). Scores of a whole sequence
 * are never stored; forward keeps the log-sum-exp of each row and head, backward recomputes.
 *
 * The stage before the mask: s·scale, then softcap·tanh(s / softcap) if softcap > 0. After the
 * softmax: dropout of probabilities.
 *
 * Query head h reads key head h / (n_head / n_kv_head) (MHA, GQA, MQA). Heads lie one behind the
 * other in a row: query (t, h) is at q + t*ldq + h*head_dim.
 *
 * Keys and values are first put into a store: blocks of MASK_BLOCK tokens, counted from the first
 * token of the sequence, each with all key heads, packed for the products of the instruction set
 * and dtype (so that a store serves no other). The store of a sequence is either scratch or a cache
 * slot that outlives the pass; decoding appends to it. An output row's bits depend on its own query
 * and the keys and values it sees alone: not on the other rows of the pass, nor on which of its
 * keys came with an earlier pass. Likewise each row of dq, dk, dv.
 *
 *     struct attn a = {.n_head = 12, ...};
 *     struct attn_seq s[] = {{.row = 0, .n = 64}, ...};
 *     struct attn_io io = {.q = ..., .seq = s, .n_seq = 4, .scratch = ...};
 *     attn_forward(worker, &a, &io);      collective, ends with a barrier
 *     attn_backward(worker, &a, &io);
 */
#ifndef KERN_ATTN_H
#define KERN_ATTN_H

#include <stddef.h>
#include "base/team.h"
#include "kern/gemm.h"
#include "kern/mask.h"
#include "kern/ops.h"

struct attn {
    int n_head, n_kv_head, head_dim; /* n_head a multiple of n_kv_head; head_dim 1..256 */
    struct mask mask;
    float scale, softcap;  /* softcap 0: none */
    enum gemm_dtype dtype; /* BF16: q, k, v, probabilities and gradients are rounded to bf16 before
                              they are multiplied; sums are f32 */
    const struct dropout *dropout; /* NULL: none. Row and column are query and key position, seq
                                      is attn_seq.id * n_head + h */
};

/* One sequence of the pass: n tokens in rows row... of q, k, v, o, with `past` tokens before them
 * in its store. Backward needs past = 0. */
struct attn_seq {
    int row, n, past;
    float *store;  /* attn_store_floats(); NULL: in scratch (past = 0) */
    int store_tok; /* tokens that the store holds, a multiple of MASK_BLOCK: position p lies at
                      p % store_tok (a ring). 0: no ring, the store is large enough. A ring must
                      hold window + n tokens, rounded up to a block, and one block more. */
    uint64_t id;   /* keys the dropout */
};

struct attn_io {
    const struct attn_seq *seq;
    int n_seq;
    const float *q, *k, *v;
    int ldq, ldk, ldv;
    float *o; /* [n_tok, n_head*head_dim] */
    int ldo;
    float *lse;       /* [n_tok, n_head] log Σ exp of the staged scores; NULL: not kept */
    const float *d_o; /* dL/do, backward only; as the three below. dq, dk, dv are written */
    int ldd_o;
    float *dq, *dk, *dv;
    int lddq, lddk, lddv;
    void *scratch; /* attn_scratch_bytes(), 64-byte aligned, shared by the team */
};

/* Floats of a store for n_tok tokens (rounded up to a block). Block b of all key heads lies at
 * b * attn_store_floats(a, MASK_BLOCK), so a store grows at its end, and its first blocks are the
 * store of the first tokens: forget by lowering `past`, fork by copying. It need not be cleared. */
size_t attn_store_floats(const struct attn *a, int n_tok);
/* For at most n_tok tokens in n_seq sequences on n_threads, forward or both. */
size_t attn_scratch_bytes(const struct attn *a, int n_tok, int n_seq, int n_threads, bool backward);

void attn_forward(struct worker *w, const struct attn *a, const struct attn_io *io);
void attn_backward(struct worker *w, const struct attn *a, const struct attn_io *io);

#endif
