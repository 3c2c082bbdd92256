/*
 * BPE over characters: a piece's characters, each with what marks it as not the first or as the
 * last, are its first symbols; what the vocabulary lacks becomes bytes or the unknown token. Then
 * merges in order of rank, and of equal rank from left to right.
 */
#include <stdlib.h>
#include <string.h>

#include "text/unicode.h"
#include "token/word_model.h"
#include "token/heap4_int.h"

enum { FEW = 32, KEEP = 1 << 16 };

/* ---- first symbols */

struct pending { /* an unknown token that the next may join */
    bool any;
    uint32_t len;
};

static void add_symbol(struct word_scratch *x, size_t *k, uint32_t id, uint32_t len)
{
    x->v[*k].id = id;
    x->v[*k].len = len;
    ++*k;
}

/* The id of s[0..n) with its marks, or -1; *with, *n_with: the string with them. */
static int64_t marked_id(const struct word_model *m, struct word_scratch *x, const char *s,
                         unsigned n, bool first, bool last, struct err *e)
{
    const struct model_settings *set = &m->t->settings;
    buf_clear(&x->s);
    if ((!first && buf_add(&x->s, set->prefix.s, set->prefix.len, e) < 0) ||
        buf_add(&x->s, s, n, e) < 0 ||
        (last && buf_add(&x->s, set->suffix.s, set->suffix.len, e) < 0) ||
        buf_reserve(&x->s, 16, e) < 0)
        return -2;
    return vocab_id(&m->t->vocab, x->s.s, x->s.len);
}

/* Each byte of s as a token of its own: false where one of them is none. */
static bool add_bytes(const struct word_model *m, struct word_scratch *x, size_t *k, const char *s,
                      size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (m->fallback[(unsigned char)s[i]] == BPE_NONE)
            return false;
    for (size_t i = 0; i < n; i++)
        add_symbol(x, k, m->fallback[(unsigned char)s[i]], 1);
    return true;
}

/* Fills x->v; returns how many, -1 = err. */
static long first_symbols(const struct word_model *m, struct word_scratch *x, const char *s,
                          size_t n, uint64_t *n_lost, struct err *e)
{
    const struct model_settings *set = &m->t->settings;
    const bool prefix = set->prefix.len, suffix = set->suffix.len;
    struct pending unk = {0};
    unsigned len;
    size_t k = 0;
    for (size_t p = 0; p < n; p += len) {
        bool first = p == 0, last;
        const char *with = s + p;
        int64_t id;
        uni_decode((const unsigned char *)s + p, &len);
        size_t n_with = len;
        last = p + len == n;
        if ((prefix && !first) || (suffix && last)) {
            if ((id = marked_id(m, x, s + p, len, first, last, e)) == -2)
                return -1;
            with = x->s.s;
            n_with = x->s.len;
        } else if (len == 1) {
            uint32_t v = m->ascii[(unsigned char)s[p]];
            id = v == BPE_NONE ? -1 : (int64_t)v;
        } else {
            id = vocab_id(&m->t->vocab, s + p, len);
        }
        if (mem_grow(&x->v, &x->cap_v, k + 2 + n_with, sizeof *x->v, e) < 0)
            return -1;
        if (id >= 0) {
            if (unk.any)
                add_symbol(x, &k, (uint32_t)set->unk, unk.len);
            unk.any = false;
            add_symbol(x, &k, (uint32_t)id, len);
        } else if (set->byte_fallback && add_bytes(m, x, &k, with, n_with)) {
            /* an unknown token that waits comes behind these, in the reference too */
        } else if (m->unk_missing) {
            return err_set(e, "the vocabulary lacks a character of the text, and the unknown "
                              "token too");
        } else if (set->unk < 0) {
            *n_lost += len;
        } else if (unk.any && set->fuse_unk) {
            unk.len += len;
        } else {
            if (unk.any)
                add_symbol(x, &k, (uint32_t)set->unk, unk.len);
            unk = (struct pending){true, len};
        }
    }
    if (unk.any)
        add_symbol(x, &k, (uint32_t)set->unk, unk.len);
    return (long)k;
}

/* ---- merging: few symbols by looking for the smallest rank, many with a heap of places */

static size_t merge_few(const struct bpe *b, struct word_symbol *v, size_t n)
{
    for (size_t i = 0; i + 1 < n; i++)
        v[i].rank = bpe_rank(b, v[i].id, v[i + 1].id);
    while (n > 1) {
        size_t k = 0;
        for (size_t i = 1; i + 1 < n; i++)
            if (v[i].rank < v[k].rank)
                k = i;
        if (v[k].rank == BPE_NONE)
            break;
        v[k].id = b->new_of[v[k].rank];
        v[k].len += v[k + 1].len;
        memmove(v + k + 1, v + k + 2, (n - k - 2) * sizeof *v);
        n--;
        if (k > 0)
            v[k - 1].rank = bpe_rank(b, v[k - 1].id, v[k].id);
        if (k + 1 < n)
            v[k].rank = bpe_rank(b, v[k].id, v[k + 1].id);
    }
    return n;
}

static void set_rank(const struct bpe *b, struct word_scratch *x, uint32_t at)
{
    struct word_symbol *s = &x->v[at];
    s->rank = s->next == UINT32_MAX ? BPE_NONE : bpe_rank(b, s->id, x->v[s->next].id);
    if (s->rank == BPE_NONE)
        return;
    heap4_push(x->heap, &x->n_heap, (uint64_t)s->rank << 40 | at);
}

static size_t merge_many(const struct bpe *b, struct word_scratch *x, size_t n)
{
    struct word_symbol *v = x->v;
    size_t k = 0;
    x->n_heap = 0;
    for (size_t i = 0; i < n; i++) {
        v[i].prev = (uint32_t)i - 1; /* of the first one UINT32_MAX */
        v[i].next = i + 1 < n ? (uint32_t)i + 1 : UINT32_MAX;
        v[i].rank = i + 1 < n ? bpe_rank(b, v[i].id, v[i + 1].id) : BPE_NONE;
        if (v[i].rank != BPE_NONE)
            x->heap[x->n_heap++] = (uint64_t)v[i].rank << 40 | i;
    }
    heap4_make(x->heap, x->n_heap);
    while (x->n_heap) {
        const uint64_t top = heap4_pop(x->heap, &x->n_heap);
        const uint32_t i = (uint32_t)top, rank = (uint32_t)(top >> 40);
        if (v[i].rank != rank)
            continue; /* merged or changed since */
        const uint32_t gone = v[i].next;
        v[i].id = b->new_of[rank];
        v[i].len += v[gone].len;
        v[i].next = v[gone].next;
        v[gone].rank = BPE_NONE;
        if (v[i].next != UINT32_MAX)
            v[v[i].next].prev = i;
        set_rank(b, x, i);
        if (v[i].prev != UINT32_MAX)
            set_rank(b, x, v[i].prev);
    }
    for (uint32_t i = 0; i != UINT32_MAX;) { /* what is left moves to the front */
        const uint32_t next = v[i].next;
        v[k++] = v[i];
        i = next;
    }
    return k;
}

int word_bpe_encode(const struct word_model *m, struct word_scratch *x, const char *s, size_t n,
                    struct word_tokens *out, uint64_t *n_lost, struct err *e)
{
    if (m->t->settings.ignore_merges) {
        int64_t id = vocab_id(&m->t->vocab, s, n);
        if (id >= 0)
            return word_token_add(out, (uint32_t)id, 0, n, e);
    }
    long n_first = first_symbols(m, x, s, n, n_lost, e);
    if (n_first < 0)
        return -1;
    size_t k = (size_t)n_first, at = 0;
    if (k > FEW) { /* a merge takes one pair away and makes at most two */
        if (mem_grow(&x->heap, &x->cap_heap, 3 * k, sizeof *x->heap, e) < 0)
            return -1;
        k = merge_many(m->bpe, x, k);
    } else {
        k = merge_few(m->bpe, x->v, k);
    }
    for (size_t i = 0; i < k; at += x->v[i++].len)
        if (word_token_add(out, x->v[i].id, at, at + x->v[i].len, e) < 0)
            return -1;
    if (x->cap_v > KEEP) { /* what one long piece needed is not kept */
        free(x->v);
        free(x->heap);
        x->v = NULL;
        x->heap = NULL;
        x->cap_v = x->cap_heap = 0;
    }
    return 0;
}

struct word_model *word_model_bpe(const struct tokenizer *t, const struct bpe *b, struct err *e)
{
    struct word_model *m = word_model_new(t, "BPE", e);
    if (!m)
        return NULL;
    m->bpe = b;
    m->encode = word_bpe_encode;
    m->unk_missing = b->unk_missing;
    word_fallback_ids(m);
    for (int c = 0; c < 128; c++) {
        char s[32] = {(char)c};
        int64_t id = vocab_id(&t->vocab, s, 1);
        m->ascii[c] = id < 0 ? BPE_NONE : (uint32_t)id;
    }
    return m;
}
