/* What a batch brings: checked, and turned into what the nodes read; and the slots of the cache. */
#include <string.h>
#include "base/bug.h"
#include "base/mem.h"
#include "model/exec_int.h"

static int check_seq(const struct exec *x, const struct batch *b, int s, int past, struct err *e)
{
    const struct config *c = &x->model->config;
    int from = b->cu_seqlens[s], to = b->cu_seqlens[s + 1], n = to - from;

    if (n < 0 || to > b->n_tok)
        return err_set(e, "sequence %d of the batch: %d tokens from %d on", s, n, from);
    for (int i = 0; i < n; i++)
        if (b->pos[from + i] != past + i || b->seq[from + i] != s)
            return err_set(e,
                           "token %d of the batch: position %d of sequence %d, where %d of %d "
                           "was expected",
                           from + i, (int)b->pos[from + i], (int)b->seq[from + i], past + i, s);
    if (c->pos == POS_LEARNED && past + n > c->n_ctx)
        return err_set(e, "a sequence of %d tokens does not fit the model's context of %d",
                       past + n, c->n_ctx);
    if (b->slot && past + n > x->opt.slot_tok)
        return err_set(e, "a sequence of %d tokens does not fit the cache's %d", past + n,
                       x->opt.slot_tok);
    return 0;
}

static int slot_of(const struct exec *x, const struct batch *b, int s, struct err *e)
{
    int slot = b->slot[s];

    if (slot < 0 || slot >= x->opt.n_slot)
        return err_set(e, "there is no cache slot %d (%d were planned)", slot, x->opt.n_slot);
    for (int i = 0; i < s; i++)
        if (b->slot[i] == slot)
            return err_set(e, "cache slot %d is used twice in a batch", slot);
    return slot;
}

/* An attn_seq for each sequence that has tokens, for each attention node if there is a cache. */
static int fill_seqs(struct exec *x, struct pass *p, const struct batch *b, struct err *e)
{
    int n_nodes = b->slot ? x->graph.n_attn : 1, max_pos = 0;

    p->n_seq = 0;
    for (int s = 0; s < b->n_seq; s++) {
        int slot = b->slot ? slot_of(x, b, s, e) : 0, past = 0;
        int n = b->cu_seqlens[s + 1] - b->cu_seqlens[s];
        if (slot < 0)
            return -1;
        if (b->slot)
            past = x->slot_len[slot];
        if (check_seq(x, b, s, past, e) < 0)
            return -1;
        if (n == 0)
            continue;
        for (int k = 0; k < n_nodes; k++)
            x->seqs[(size_t)k * (size_t)x->opt.max_seq + (size_t)p->n_seq] =
                (struct attn_seq){.row = b->cu_seqlens[s],
                                  .n = n,
                                  .past = past,
                                  .store = b->slot ? exec_store(x, k, slot) : NULL,
                                  .id = (uint64_t)s};
        p->n_seq++;
        if (past + n > max_pos)
            max_pos = past + n;
    }
    p->seqs = x->seqs;
    p->seq_stride = b->slot ? x->opt.max_seq : 0;
    return max_pos;
}

/* The tables of angles grow to the longest sequence that was seen. */
static int grow_rope(struct exec *x, int n_pos, struct err *e)
{
    size_t n_freq = (size_t)x->n_rot / 2, cap_cos = 0, cap_sin = 0;
    int n = x->n_rope ? x->n_rope : 64;

    if (!x->n_rot || n_pos <= x->n_rope)
        return 0;
    while (n < n_pos)
        n *= 2;
    if (mem_grow(&x->rope_cos, &cap_cos, (size_t)n * n_freq, sizeof(float), e) < 0 ||
        mem_grow(&x->rope_sin, &cap_sin, (size_t)n * n_freq, sizeof(float), e) < 0)
        return -1;
    rope_table(x->rope_cos + (size_t)x->n_rope * n_freq, x->rope_sin + (size_t)x->n_rope * n_freq,
               x->rope_freq, (int)n_freq, x->n_rope, n - x->n_rope, 1);
    x->n_rope = n;
    return 0;
}

int exec_prepare(struct exec *x, struct pass *p, const struct batch *b, struct err *e)
{
    uint32_t n_vocab = (uint32_t)x->model->config.vocab_size;
    int n_pos;

    if (b->n_tok < 1 || b->n_tok > x->opt.max_tok)
        return err_set(e, "a batch of %d tokens, and %d were planned for", b->n_tok,
                       x->opt.max_tok);
    if (b->n_seq < 1 || b->n_seq > x->opt.max_seq)
        return err_set(e, "a batch of %d sequences, and %d were planned for", b->n_seq,
                       x->opt.max_seq);
    if (b->cu_seqlens[0] != 0 || b->cu_seqlens[b->n_seq] != b->n_tok)
        return err_set(e, "the sequences of the batch do not make up its %d tokens", b->n_tok);
    for (int i = 0; i < b->n_tok; i++)
        if (b->ids[i] >= n_vocab)
            return err_set(e, "the token id %u is not below the vocabulary's size %u",
                           (unsigned)b->ids[i], (unsigned)n_vocab);
    n_pos = fill_seqs(x, p, b, e);
    if (n_pos < 0 || grow_rope(x, n_pos, e) < 0 ||
        model_need_rows(x->model, x->graph.nodes[0].param[0], b->ids, b->n_tok, e) < 0)
        return -1;
    p->batch = b;
    p->n_tok = b->n_tok;
    p->rope_cos = x->rope_cos;
    p->rope_sin = x->rope_sin;
    return 0;
}

/* ---- slots */

static int check_slot(const struct exec *x, int slot, struct err *e)
{
    if (slot >= 0 && slot < x->opt.n_slot)
        return 0;
    return err_set(e, "there is no cache slot %d (%d were planned)", slot, x->opt.n_slot);
}

int exec_slot_reserve(struct exec *x, int slot, struct err *e)
{
    if (check_slot(x, slot, e) < 0)
        return -1;
    x->slot_len[slot] = 0;
    return 0;
}

int exec_slot_fork(struct exec *x, int from, int to, struct err *e)
{
    if (check_slot(x, from, e) < 0 || check_slot(x, to, e) < 0)
        return -1;
    if (from == to)
        return 0;
    for (int i = 0; i < x->graph.n_nodes; i++) {
        const struct node *n = &x->graph.nodes[i];
        if (n->is_attn && x->slot_len[from])
            memcpy(exec_store(x, n->u.attn.index, to), exec_store(x, n->u.attn.index, from),
                   sizeof(float) * attn_store_floats(&n->u.attn.a, x->slot_len[from]));
    }
    x->slot_len[to] = x->slot_len[from];
    return 0;
}

int exec_slot_truncate(struct exec *x, int slot, int n_tok, struct err *e)
{
    if (check_slot(x, slot, e) < 0)
        return -1;
    if (n_tok < 0 || n_tok > x->slot_len[slot])
        return err_set(e, "cache slot %d holds %d tokens, so it cannot be cut to %d", slot,
                       x->slot_len[slot], n_tok);
    x->slot_len[slot] = n_tok;
    return 0;
}

int exec_slot_len(const struct exec *x, int slot)
{
    return slot >= 0 && slot < x->opt.n_slot ? x->slot_len[slot] : -1;
}
