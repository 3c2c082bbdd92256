/*
 * The executor: a model's graph, planned for a largest batch, and the memory of a pass. Several
 * may share one model (its parameters are read only during a pass; gradients belong to the
 * executor).
 *
 *     struct exec_opt o = {.max_tok = 1024, ...};
 *     struct exec *x = exec_new(model, &o, e);
 *     exec_weights_changed(x);                    after every change of the parameters
 *     exec_train(x, &batch, targets, weights, scale, step, &loss, nll, e);   adds to gradients
 *     exec_logits(x, &batch, rows, n_rows, logits, e);
 *     exec_logp(x, &batch, targets, logp, e);
 *     exec_free(x);
 *
 * A batch is a flat list of tokens of any number of sequences, each sequence's tokens adjacent and
 * in order. Without slots attention sees the batch only; with slots (a KV cache) also what earlier
 * passes put there, and positions go on from it.
 */
#ifndef MODEL_EXEC_H
#define MODEL_EXEC_H

#include <stdbool.h>
#include <stdint.h>
#include "kern/gemm.h"
#include "model/model.h"

struct batch {
    int n_tok;
    const uint32_t *ids; /* [n_tok], below vocab_size */
    const int32_t *pos;  /* [n_tok] position in its sequence, from 0 */
    const int32_t *seq;  /* [n_tok] index of its sequence in this batch */
    int n_seq;
    const int32_t *cu_seqlens; /* [n_seq + 1] first token of each sequence, and n_tok */
    const int32_t *slot;       /* [n_seq] cache slot of each sequence, or NULL: no cache */
};

/* What of a training pass is kept for backward: all but norms and activations, which are quickly
 * made anew, or of each layer its input and what attention makes (o and its log-sum-exps, whose
 * work grows as the square of the context), from which backward computes the rest anew. The results
 * are the same bit for bit. */
enum recompute { RECOMPUTE_NONE, RECOMPUTE_BLOCK };
extern const char *const recompute_words[]; /* "none", "block", NULL */

struct exec_opt {
    int max_tok, max_seq;  /* largest batch */
    int n_slot, slot_tok;  /* KV cache: slots and tokens in each; 0: none */
    bool train;            /* plan a backward pass and gradients */
    bool embed_grad;       /* keep dL/d(embedding output) of the last backward */
    enum gemm_dtype dtype; /* inputs of the matmuls */
    enum gemm_backend gemm;
    enum recompute recompute; /* if train */
    int n_threads;
    bool dropout;  /* apply the config's rates in exec_train */
    uint64_t seed; /* of dropout */
    bool profile;  /* see exec_profile() */
};
struct exec;
struct exec *exec_new(struct model *m, const struct exec_opt *o, struct err *e);
void exec_free(struct exec *x);
/* Bytes that exec_new would take, without taking them; activations with what else is as long-lived.
 */
struct exec_bytes {
    uint64_t activations, gradients, packed, cache, total;
    uint64_t read; /* of weights, by the products of a pass */
};
int exec_plan_bytes(const struct config *c, const struct exec_opt *o, struct exec_bytes *b,
                    struct err *e);
void exec_weights_changed(struct exec *x); /* packed copies are made anew by the next pass */
/* The packed copies of parameter i, for gemm_weight_pack_job(): whoever packs all that it has
 * changed need not say so. NULL: it is of no product. */
const struct gemm_weight *exec_packed(const struct exec *x, int i);
double exec_packing_s(const struct exec *x); /* how long that took the last time; 0: not yet */

/* Forward and backward. target[i]: the id that should follow token i; weight[i] its weight, 0: not
 * scored (NULL: all 1). Adds d/dθ Σ weight[i]·nll[i]·scale to the gradients. loss gets Σ weight·nll
 * and Σ weight in double, summed in order of tokens; nll (may be NULL) gets each token's. step
 * keys the dropout: a number of its own for each pass, also for those whose gradients add up. */
struct exec_loss {
    double loss_sum, weight_sum;
    bool finite;
};
int exec_train(struct exec *x, const struct batch *b, const uint32_t *target, const float *weight,
               float scale, uint64_t step, struct exec_loss *loss, float *nll, struct err *e);
/* Laid out as model_weights(). Ask for it after the passes that it is to hold: exec_zero_grads only
 * notes that the next pass begins anew. */
float *exec_grads(struct exec *x);
void exec_zero_grads(struct exec *x);
/* The next pass is the last that adds to the gradients: of those that products write it is to sum
 * the squares at once. exec_squares(): the sums (*n of them, their order is no parameter's), which
 * hold until another pass, exec_zero_grads(), or the caller changes gradients; NULL: there are
 * none. exec_has_squares(): whether parameter i's gradient is among them. */
void exec_want_squares(struct exec *x);
const double *exec_squares(const struct exec *x, size_t *n);
bool exec_has_squares(const struct exec *x, int i);
const float *exec_embed_grad(const struct exec *x); /* [n_tok, d_model] */

/* Inference. logits: [n_rows, vocab_size] of the given token rows. logp: log p(target[i] | ...) of
 * every token i with target[i] != UINT32_MAX; the logits of all tokens are never held at once. */
int exec_logits(struct exec *x, const struct batch *b, const int32_t *rows, int n_rows,
                float *logits, struct err *e);
int exec_logp(struct exec *x, const struct batch *b, const uint32_t *target, float *logp,
              struct err *e);

/* Sequence state: what the slots hold. reserve clears a slot; fork copies one; truncate forgets
 * all from position n_tok on. A node that cannot (a ring that has wrapped) says why. */
int exec_slot_reserve(struct exec *x, int slot, struct err *e);
int exec_slot_fork(struct exec *x, int from, int to, struct err *e);
int exec_slot_truncate(struct exec *x, int slot, int n_tok, struct err *e);
int exec_slot_len(const struct exec *x, int slot);

/* Where the time of all passes so far went (where x trains: of training passes), by kind of node,
 * in the graph's order; the first row is the packing of weights. Operations as exec_cost() counts
 * them; bytes are those that must be moved at least. [0] is forward, [1] backward; what a kind does
 * in one (the head) stands in forward. */
enum { EXEC_PROFILE_ROWS = 16 };
struct exec_profile_row {
    const char *kind;
    bool fused; /* backward is done in forward */
    double time_s[2], flops[2], bytes[2];
};
int exec_profile(const struct exec *x, const struct exec_profile_row **rows); /* 0: not asked for */
void exec_profile_clear(struct exec *x);                                      /* begins anew */

/* Cost of the graph from the nodes' own rules, for a batch of n_seq sequences of n_tok tokens each
 * (attention counted as causal). */
struct exec_cost {
    double flops_forward, flops_backward;
};
int exec_cost(const struct config *c, int n_seq, int n_tok, struct exec_cost *out, struct err *e);

#endif
