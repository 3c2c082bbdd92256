/*
 * BPE of one piece. Merges are made in order of rank and, of equal rank, from left to right: while
 * there are few symbols by looking for the smallest rank each time, else with a heap of places, so
 * that time is n log n on a megabyte of one letter too.
 */
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "token/bpe_model.h"
#include "token/bytelevel.h"
#include "token/heap4_int.h"

/* FEW: up to here it is quicker to look at all ranks for each merge than to keep a heap. */
enum { FEW = 4 * BPE_FEW, KEEP = 1 << 16 };

struct piece_scratch {
    struct symbol {
        uint32_t id, rank;   /* rank: of the pair with the next one */
        uint32_t prev, next; /* places; UINT32_MAX: none */
    } * v;
    uint64_t *heap; /* rank << 40 | place */
    size_t n_heap, cap_v, cap_heap;
    struct buf spelled;
};

static struct piece_scratch *scratch_new(const void *model, struct err *e)
{
    (void)model;
    struct piece_scratch *x = mem_new(1, sizeof *x, e);
    if (x)
        x->spelled = (struct buf)BUF_INIT;
    return x;
}

static void scratch_free(struct piece_scratch *x)
{
    if (!x)
        return;
    free(x->v);
    free(x->heap);
    buf_release(&x->spelled);
    free(x);
}

/* All bytes are in the vocabulary, n <= FEW. Writes at most n ids, returns how many. */
static size_t merge_few(const struct bpe *b, const unsigned char *s, size_t n, uint32_t *id)
{
    uint32_t rank[FEW];
    for (size_t i = 0; i < n; i++)
        id[i] = b->byte_id[s[i]];
    for (size_t i = 0; i + 1 < n; i++)
        rank[i] = b->byte_rank[s[i] << 8 | s[i + 1]];
    while (n > 1) {
        size_t k = 0;
        for (size_t i = 1; i + 1 < n; i++)
            if (rank[i] < rank[k])
                k = i;
        if (rank[k] == BPE_NONE)
            break;
        id[k] = b->new_of[rank[k]];
        n--;
        for (size_t i = k + 1; i < n; i++) {
            id[i] = id[i + 1];
            rank[i - 1] = rank[i];
        }
        if (k > 0)
            rank[k - 1] = bpe_rank(b, id[k - 1], id[k]);
        if (k + 1 < n)
            rank[k] = bpe_rank(b, id[k], id[k + 1]);
    }
    return n;
}

/* ---- many symbols: a heap of places, smallest rank first, then leftmost */

static void set_rank(const struct bpe *b, struct piece_scratch *x, uint32_t i)
{
    struct symbol *v = x->v;
    v[i].rank = v[i].next == UINT32_MAX ? BPE_NONE : bpe_rank(b, v[i].id, v[v[i].next].id);
    if (v[i].rank != BPE_NONE)
        heap4_push(x->heap, &x->n_heap, (uint64_t)v[i].rank << 40 | i);
}

static void merge_many(const struct bpe *b, struct piece_scratch *x, size_t n)
{
    struct symbol *v = x->v;
    x->n_heap = 0;
    for (size_t i = 0; i < n; i++) {
        v[i].prev = i ? (uint32_t)(i - 1) : UINT32_MAX;
        v[i].next = i + 1 < n ? (uint32_t)(i + 1) : UINT32_MAX;
        v[i].rank = i + 1 < n ? bpe_rank(b, v[i].id, v[i + 1].id) : BPE_NONE;
        if (v[i].rank != BPE_NONE)
            x->heap[x->n_heap++] = (uint64_t)v[i].rank << 40 | i;
    }
    heap4_make(x->heap, x->n_heap);
    while (x->n_heap) {
        uint64_t top = heap4_pop(x->heap, &x->n_heap);
        uint32_t i = (uint32_t)top, rank = (uint32_t)(top >> 40);
        if (v[i].rank != rank)
            continue; /* merged or changed since */
        uint32_t k = v[i].next;
        v[i].id = b->new_of[rank];
        v[i].next = v[k].next;
        v[k].rank = BPE_NONE;
        if (v[k].next != UINT32_MAX)
            v[v[k].next].prev = i;
        set_rank(b, x, i);
        if (v[i].prev != UINT32_MAX)
            set_rank(b, x, v[i].prev);
    }
}

/* First symbols: a byte each, and what stands for those that the vocabulary lacks. */
static size_t first_symbols(const struct bpe *b, struct symbol *v, const unsigned char *s, size_t n,
                            uint64_t *n_lost)
{
    size_t k = 0;
    bool after_unk = false;
    for (size_t i = 0; i < n; i++) {
        uint32_t id = b->byte_id[s[i]];
        if (id != BPE_NONE) {
            v[k++].id = id;
            after_unk = false;
        } else if (b->unk < 0) {
            ++*n_lost;
        } else if (!(after_unk && b->fuse_unk)) {
            v[k++].id = (uint32_t)b->unk;
            after_unk = true;
        }
    }
    return k;
}

static int encode_many(const struct bpe *b, struct piece_scratch *x, const unsigned char *s,
                       size_t n, struct ids *out, uint64_t *n_lost, struct err *e)
{
    /* a merge takes one pair away and makes at most two */
    if (mem_grow(&x->v, &x->cap_v, n, sizeof *x->v, e) < 0 ||
        mem_grow(&x->heap, &x->cap_heap, 3 * n, sizeof *x->heap, e) < 0)
        return -1;
    uint64_t lost = *n_lost;
    n = first_symbols(b, x->v, s, n, n_lost);
    if (b->unk_missing && *n_lost > lost)
        return err_set(e, "the vocabulary lacks a byte of the text, and the unknown token too");
    if (n == 0)
        return 0;
    merge_many(b, x, n);
    for (uint32_t i = 0; i != UINT32_MAX; i = x->v[i].next) {
        if (ids_reserve(out, 1, e) < 0)
            return -1;
        out->v[out->n++] = x->v[i].id;
    }
    if (x->cap_v > KEEP) { /* what one long piece needed is not kept */
        free(x->v);
        free(x->heap);
        x->v = NULL;
        x->heap = NULL;
        x->cap_v = x->cap_heap = 0;
    }
    return 0;
}

static int encode(const void *model, struct piece_scratch *x, const char *s, size_t n, bool part,
                  struct ids *out, uint64_t *n_lost, struct err *e)
{
    const struct bpe *b = model;
    const unsigned char *p = (const unsigned char *)s;
    if (b->ignore_merges && !part && n <= KEEP) {
        buf_clear(&x->spelled);
        if (buf_reserve(&x->spelled, 2 * n + 16, e) < 0)
            return -1;
        size_t len = bytelevel_spell(x->spelled.s, s, n);
        int64_t id = vocab_id(b->vocab, x->spelled.s, len);
        if (id >= 0) {
            if (ids_reserve(out, 1, e) < 0)
                return -1;
            out->v[out->n++] = (uint32_t)id;
            return 0;
        }
    }
    if (n > FEW)
        return encode_many(b, x, p, n, out, n_lost, e);
    for (size_t i = 0; i < n; i++)
        if (b->byte_id[p[i]] == BPE_NONE)
            return encode_many(b, x, p, n, out, n_lost, e);
    if (ids_reserve(out, n, e) < 0)
        return -1;
    out->n += merge_few(b, p, n, out->v + out->n);
    return 0;
}

static bool has_all_bytes(const struct bpe *b, const char *s, size_t n)
{
    bool all = true;
    for (size_t i = 0; i < n; i++)
        all &= b->byte_id[(unsigned char)s[i]] != BPE_NONE;
    return all;
}

/* Pieces that are tokens, where those go before merges. */
static int find_whole(const struct bpe *b, struct piece_scratch *x, struct piece_job *jobs,
                      size_t n_jobs, struct err *e)
{
    enum { SOME = 32, ROOM = 2 * BPE_FEW + 16 };
    struct vocab_query q[SOME];
    buf_clear(&x->spelled);
    if (buf_reserve(&x->spelled, SOME * ROOM, e) < 0)
        return -1;
    for (size_t k = 0; k < n_jobs; k += SOME) {
        const size_t n = n_jobs - k < SOME ? n_jobs - k : SOME;
        for (size_t i = 0; i < n; i++) {
            char *s = x->spelled.s + i * ROOM;
            q[i].s = s;
            q[i].n = bytelevel_spell(s, jobs[k + i].s, jobs[k + i].n);
        }
        vocab_find_many(b->vocab, q, n);
        for (size_t i = 0; i < n; i++) {
            jobs[k + i].n_ids = q[i].id >= 0;
            jobs[k + i].ids[0] = (uint32_t)q[i].id;
        }
    }
    return 0;
}

/* Each part of a cut piece holds a character of three bytes. */
static bool may_be_part(const char *s, size_t n)
{
    bool any = false;
    for (size_t i = 0; i < n; i++)
        any |= ((unsigned char)s[i] & 0xf0) == 0xe0;
    return any;
}

/* Short pieces in lanes; for all others n_ids stays 0. */
static int encode_jobs(const void *model, struct piece_scratch *x, struct piece_job *jobs,
                       size_t n_jobs, struct err *e)
{
    const struct bpe *b = model;
    size_t n = 0;
    for (size_t i = 0; i < n_jobs; i++)
        if (jobs[i].n <= BPE_FEW && (b->has_bytes || has_all_bytes(b, jobs[i].s, jobs[i].n))) {
            struct piece_job job = jobs[i];
            jobs[i] = jobs[n];
            jobs[n++] = job;
        }
    if (!b->ignore_merges) {
        bpe_merge_lanes(b, jobs, n);
        return 0;
    }
    size_t n_short = n;
    if (find_whole(b, x, jobs, n, e) < 0)
        return -1;
    n = 0;
    for (size_t i = 0; i < n_short; i++)
        if (jobs[i].n_ids == 0 || may_be_part(jobs[i].s, jobs[i].n)) {
            struct piece_job job = jobs[i];
            job.whole = job.n_ids ? job.ids[0] : BPE_NONE;
            jobs[i] = jobs[n];
            jobs[n++] = job;
        }
    bpe_merge_lanes(b, jobs, n);
    for (size_t i = 0; i < n;
         i++) /* a token that merges do not make is one only as a whole piece */
        if (jobs[i].whole != BPE_NONE && (jobs[i].n_ids != 1 || jobs[i].ids[0] != jobs[i].whole))
            jobs[i].n_ids = 0;
    return 0;
}

static void bpe_free(void *model)
{
    struct bpe *b = model;
    if (!b)
        return;
    free(b->pairs);
    free(b->new_of);
    free(b->byte_rank);
    sys_pages_free(b->cells, b->n_cells * sizeof *b->cells);
    free(b);
}

const struct model_ops bpe_ops = {
    .type = "BPE",
    .encode = encode,
    .encode_jobs = encode_jobs,
    .scratch_new = scratch_new,
    .scratch_free = scratch_free,
    .free = bpe_free,
};
