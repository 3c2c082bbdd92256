/* Sums over a graph's parameters, nodes and plan. */
#include "model/info.h"
#include <string.h>
#include "base/compiler.h"
#include "kern/mask.h"

const char *const info_part_words[INFO_N] = {"embedding",    "position", "attention",
                                             "feed_forward", "norm",     "head"};

/* By the internal names of build.c; norms of queries and keys are norms. */
static enum info_part part_of(const char *name)
{
    static const struct {
        const char *text;
        enum info_part part;
    } rules[] = {
        {"norm", INFO_NORM},        {"embed.", INFO_EMBED}, {"pos.", INFO_POS},
        {".attn.", INFO_ATTENTION}, {".mlp.", INFO_MLP},
    };

    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        if (strstr(name, rules[i].text))
            return rules[i].part;
    return INFO_HEAD;
}

static int count_params(struct info *i, const struct config *c, struct err *e)
{
    struct model *m = model_shape(c, e);

    if (!m)
        return -1;
    for (int k = 0; k < model_n_params(m); k++) {
        const struct param *p = model_param(m, k);
        i->params_by[part_of(p->name)] += p->n;
        i->params += p->n;
    }
    i->weights = model_n_elem(m) * sizeof(float);
    i->optimizer = 2 * i->weights;
    model_free(m);
    return 0;
}

static int count_flops(struct info *i, const struct config *c, int n_ctx, struct err *e)
{
    struct exec_cost cost, before = {0};

    if (exec_cost(c, 1, n_ctx, &cost, e) < 0 ||
        (n_ctx > 1 && exec_cost(c, 1, n_ctx - 1, &before, e) < 0))
        return -1;
    i->train_flops = (cost.flops_forward + cost.flops_backward) / n_ctx;
    i->decode_flops = cost.flops_forward - before.flops_forward;
    return 0;
}

int info_make(struct info *i, const struct config *c, const struct exec_opt *opt, int n_seq,
              int n_ctx, struct err *e)
{
    struct exec_opt train = *opt, cache = *opt;
    struct exec_bytes bytes;
    int64_t n_tok = (int64_t)n_seq * n_ctx;

    *i = (struct info){0};
    if (n_tok > INT32_MAX)
        return err_set(e, "a batch of %d sequences of %d tokens is too large", n_seq, n_ctx);
    if (count_params(i, c, e) < 0 || count_flops(i, c, n_ctx, e) < 0)
        return -1;
    train.train = true;
    train.max_tok = (int)n_tok;
    train.max_seq = n_seq;
    if (exec_plan_bytes(c, &train, &bytes, e) < 0)
        return -1;
    i->gradients = bytes.gradients;
    i->packed = bytes.packed;
    i->activations = bytes.activations;
    i->training = i->weights + i->optimizer + bytes.total;
    cache.train = false;
    cache.max_tok = cache.max_seq = cache.n_slot = 1;
    cache.slot_tok = MASK_BLOCK;
    if (exec_plan_bytes(c, &cache, &bytes, e) < 0)
        return -1;
    i->cache_per_tok = bytes.cache / MASK_BLOCK;
    i->optimal_tok = 20.0 * (double)i->params;
    i->optimal_flops = i->train_flops * i->optimal_tok;
    return 0;
}
