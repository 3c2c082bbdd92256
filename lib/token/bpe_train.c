/*
 * BPE training: the words' cells and the loop of merges; first pairs are in bpe_first.c.
 *
 * A merge (a, b) -> n looks at every place of the pair once. What it changes is gathered by
 * neighbour: for a left neighbour x the pair (x, a) loses the weight that (x, n) gains, for a right
 * neighbour y the pair (b, y) loses what (n, y) gains. So there is one look-up per distinct
 * neighbour, and the places of each new pair are one list of known length.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/sys.h"
#include "token/bpe_int.h"
#include "token/bytelevel.h"

/* ---- specials and bytes */

static int add_special(struct bpe_vocab *v, const char *token, struct err *e)
{
    for (uint32_t i = 0; i < v->n_special; i++) {
        if (!strcmp(v->special[i], token))
            return 0;
    }
    v->special[v->n_special] = mem_strdup(token, e);
    if (!v->special[v->n_special])
        return -1;
    v->n_special++;
    return 0;
}

/* The id of the special token that reads like s, or -1. */
static int64_t special_of(const struct bpe_vocab *v, const char *s, size_t n)
{
    for (uint32_t i = 0; i < v->n_special; i++) {
        if (strlen(v->special[i]) == n && !memcmp(v->special[i], s, n))
            return i;
    }
    return -1;
}

static int first_ids(struct bpe_vocab *v, const struct bpe_train_opt *opt, struct err *e)
{
    v->special = mem_new(opt->n_special, sizeof *v->special, e);
    if (!v->special)
        return -1;
    for (size_t i = 0; i < opt->n_special; i++) {
        if (add_special(v, opt->special[i], e) < 0)
            return -1;
    }
    v->n_ids = v->n_special;
    v->first_byte = mem_new((size_t)v->n_special + 256, 1, e);
    if (!v->first_byte)
        return -1;

    uint8_t order[256];
    bpe_alphabet(order);
    for (int i = 0; i < 256; i++) {
        char text[2];
        int64_t id = special_of(v, text, bytelevel_spell(text, (const char *)&order[i], 1));
        v->byte_id[order[i]] = id < 0 ? v->n_ids++ : (uint32_t)id;
        if (id < 0)
            v->first_byte[v->byte_id[order[i]]] = order[i];
    }
    v->n_first = v->n_ids;
    if (v->n_ids > opt->vocab_size)
        return err_usage(e,
                         "a vocabulary of %u is too small for 256 bytes and %u special tokens: "
                         "%u is the least",
                         opt->vocab_size, v->n_special, v->n_ids);
    return 0;
}

int bpe_train_check(const struct bpe_train_opt *opt, struct err *e)
{
    struct bpe_vocab *v = mem_new(1, sizeof *v, e);
    int rc = v ? first_ids(v, opt, e) : -1;
    bpe_vocab_free(v);
    return rc;
}

/* ---- words */

static int words_init(struct words *w, uint64_t n_words, uint64_t n_bytes, bool wide, struct err *e)
{
    uint64_t n_cells = n_words + n_bytes + 1;
    if (n_cells >= UINT32_MAX)
        return err_set(e,
                       "the text has %llu distinct pieces of %llu bytes, more than the 4 GiB that "
                       "can be trained on; take a part of it, or a split with shorter pieces",
                       (unsigned long long)n_words, (unsigned long long)n_bytes);
    w->wide = wide;
    w->n_bytes = (size_t)n_cells * (wide ? 4 : 2);
    w->cell = sys_pages(w->n_bytes, e);
    if (!w->cell)
        return -1;
    w->cls_at = mem_new((size_t)(n_cells >> CLASS_SHIFT) + 1, sizeof *w->cls_at, e);
    return w->cls_at ? 0 : -1;
}

static void words_release(struct words *w)
{
    if (w->cell)
        sys_pages_free(w->cell, w->n_bytes);
    free(w->cls);
    free(w->cls_at);
}

struct filling {
    struct words *w;
    const uint32_t *byte_id;
    const struct bpe_base *base;
    uint32_t *ids; /* of a piece */
    size_t ids_cap;
    struct err *e;
    int rc;
};

static void set_cell(struct words *w, size_t i, uint32_t v)
{
    if (w->wide)
        ((uint32_t *)w->cell)[i] = v;
    else
        ((uint16_t *)w->cell)[i] = (uint16_t)v;
}

static void add_word(void *user, const struct bpe_piece *piece)
{
    struct filling *f = user;
    struct words *w = f->w;
    if (!w->n_cls || w->cls[w->n_cls - 1].count != piece->count) {
        if (mem_grow(&w->cls, &w->cls_cap, w->n_cls + 2, sizeof *w->cls, f->e) < 0) {
            f->rc = -1;
            return;
        }
        w->cls[w->n_cls++] = (struct weight_class){(uint32_t)w->n_cells, piece->count};
    }
    if (f->rc < 0)
        return;
    if (f->base) {
        if (mem_grow(&f->ids, &f->ids_cap, piece->len, sizeof *f->ids, f->e) < 0) {
            f->rc = -1;
            return;
        }
        size_t n = f->base->split(f->base->user, piece->s, piece->len, f->ids);
        for (size_t i = 0; i < n; i++)
            set_cell(w, w->n_cells++, f->ids[i]);
    } else {
        for (size_t i = 0; i < piece->len; i++)
            set_cell(w, w->n_cells++, f->byte_id[(unsigned char)piece->s[i]]);
    }
    set_cell(w, w->n_cells++, UINT32_MAX);
}

static int words_fill(struct words *w, const struct bpe_counts *c, const uint32_t *byte_id,
                      const struct bpe_base *base, struct err *e)
{
    struct filling f = {.w = w, .byte_id = byte_id, .base = base, .e = e};
    set_cell(w, 0, UINT32_MAX);
    w->n_cells = 1;
    int rc = bpe_counts_each(c, add_word, &f, e);
    free(f.ids);
    if (rc < 0 || f.rc < 0 || mem_grow(&w->cls, &w->cls_cap, w->n_cls + 1, sizeof *w->cls, e) < 0)
        return -1;
    w->cls[w->n_cls] = (struct weight_class){UINT32_MAX, 0};
    size_t k = 0;
    for (size_t i = 0; i <= w->n_cells >> CLASS_SHIFT; i++) {
        while (k + 1 < w->n_cls && i << CLASS_SHIFT >= w->cls[k + 1].from)
            k++;
        w->cls_at[i] = (uint32_t)k;
    }
    return 0;
}

/* ---- one merge */

static void side_release(struct side *s)
{
    free(s->weight);
    free(s->count);
    free(s->fill);
    free(s->id);
    free(s->item_id);
    free(s->item_at);
}

static int side_init(struct side *s, size_t n_ids, struct err *e)
{
    s->weight = mem_new(n_ids, sizeof *s->weight, e);
    s->count = mem_new(n_ids, sizeof *s->count, e);
    s->fill = mem_new(n_ids, sizeof *s->fill, e);
    s->id = mem_new(n_ids, sizeof *s->id, e);
    return s->weight && s->count && s->fill && s->id ? 0 : -1;
}

static int side_room(struct side *s, size_t n, struct err *e)
{
    free(s->item_id);
    free(s->item_at);
    s->item_id = mem_new(n, sizeof *s->item_id, e);
    s->item_at = mem_new(n, sizeof *s->item_at, e);
    return s->item_id && s->item_at ? 0 : -1;
}

static int scan_room(struct scan *s, size_t n, struct err *e)
{
    if (n <= s->cap_items)
        return 0;
    s->cap_items = n + n / 4;
    return side_room(&s->left, s->cap_items, e) < 0 || side_room(&s->right, s->cap_items, e) < 0
               ? -1
               : 0;
}

static void lower(struct trainer *t, uint64_t key, uint64_t by)
{
    struct pair *p = pairs_find(&t->pairs, key);
    if (!p)
        return; /* too rare already */
    p->count -= by;
    if (p->count < t->min_count)
        pairs_drop(&t->pairs, p);
}

static int create(struct trainer *t, uint64_t key, uint64_t count, uint32_t n, uint32_t **fill,
                  struct err *e)
{
    *fill = NULL;
    if (count < t->min_count || !n)
        return 0;
    struct pair *p = pairs_add(&t->pairs, key, count, n, e);
    if (!p || heap_add(&t->heap, count, key, e) < 0)
        return -1;
    *fill = p->places->at;
    return 0;
}

static void fill_places(struct side *s)
{
    for (size_t i = 0; i < s->n_items; i++) {
        uint32_t **to = &s->fill[s->item_id[i]];
        if (*to)
            *(*to)++ = s->item_at[i];
    }
}

static void side_clear(struct side *s)
{
    for (size_t i = 0; i < s->n_ids; i++)
        s->count[s->id[i]] = 0, s->weight[s->id[i]] = 0;
    s->n_ids = s->n_items = 0;
}

static void prefetch_both(const struct pairs *p, uint64_t old_key, uint64_t new_key)
{
    pairs_prefetch(p, old_key);
    pairs_prefetch(p, new_key);
}

/* What a merge changed, from the scan into the table. */
static int apply(struct trainer *t, struct scan *s, uint32_t a, uint32_t b, uint32_t n,
                 struct err *e)
{
    struct side *l = &s->left, *r = &s->right;
    for (size_t i = 0; i < l->n_ids; i++)
        prefetch_both(&t->pairs, pair_key(l->id[i], a), pair_key(l->id[i], n));
    for (size_t i = 0; i < l->n_ids; i++) {
        uint32_t x = l->id[i];
        lower(t, pair_key(x, a), l->weight[x]);
        if (create(t, pair_key(x, n), l->weight[x], l->count[x], &l->fill[x], e) < 0)
            return -1;
    }
    for (size_t i = 0; i < r->n_ids; i++)
        prefetch_both(&t->pairs, pair_key(b, r->id[i]), pair_key(n, r->id[i]));
    for (size_t i = 0; i < r->n_ids; i++) {
        uint32_t y = r->id[i];
        lower(t, pair_key(b, y), r->weight[y]);
        uint64_t weight = r->weight[y];
        uint32_t count = r->count[y];
        if (y == a) { /* (n, a) that became (n, n) */
            weight -= s->self_weight;
            count -= s->self_count;
        }
        if (create(t, pair_key(n, y), weight, count, &r->fill[y], e) < 0)
            return -1;
    }
    if (create(t, pair_key(n, n), s->self_weight, s->self_count, &r->fill[n], e) < 0)
        return -1;
    fill_places(l);
    fill_places(r);
    side_clear(l);
    side_clear(r);
    s->self_weight = s->self_count = 0;
    return 0;
}

static int merge(struct trainer *t, uint32_t a, uint32_t b, uint32_t id, struct err *e)
{
    struct pair *p = pairs_find(&t->pairs, pair_key(a, b));
    struct places *pl = pairs_remove(&t->pairs, p);
    struct scan *s = &t->scan[0];
    if (scan_room(s, pl->n, e) < 0)
        return -1;
    (t->words.wide ? bpe_merge32 : bpe_merge16)(t, s, a, b, id, pl, 0, pl->n);
    places_drop(&t->pairs, pl);
    return apply(t, s, a, b, id, e);
}

/* ---- the loop */

/* Notes the merge of a and b, which makes id. */
static void add_merge(struct trainer *t, uint32_t a, uint32_t b, uint32_t id)
{
    struct bpe_vocab *v = t->v;
    t->len[id] = t->len[a] + t->len[b];
    v->merge_of[id] = (uint32_t)v->n_merges;
    v->merge[v->n_merges++] = (struct bpe_merge){a, b, id};
}

/* The id of what a and b make: that of a special token that reads the same, or a new one. 1: the
 * pair is to make none. */
static int new_id(struct trainer *t, uint32_t a, uint32_t b, uint32_t *id, struct err *e)
{
    const struct bpe_base *base = t->opt->base;
    if (base) {
        if (t->v->n_merges == t->opt->vocab_size)
            return 1;
        int64_t given = base->make(base->user, a, b, t->v->n_ids, e);
        if (given < 0)
            return given == BPE_NO_TOKEN ? 1 : -1;
        t->v->n_ids += given == t->v->n_ids;
        *id = (uint32_t)given;
        add_merge(t, a, b, *id);
        return 0;
    }
    if (t->opt->max_token_bytes && t->len[a] + t->len[b] > t->opt->max_token_bytes)
        return 1;
    struct bpe_vocab *v = t->v;
    size_t longest = 0;
    uint32_t len = t->len[a] + t->len[b];
    int64_t found = -1;
    for (uint32_t i = 0; i < v->n_special; i++)
        longest = strlen(v->special[i]) > longest ? strlen(v->special[i]) : longest;
    if (len <= longest) { /* a byte's visible character has one byte or two */
        struct buf text = BUF_INIT;
        int rc = bpe_token_visible(v, a, &text, e) < 0 ? -1 : bpe_token_visible(v, b, &text, e);
        if (rc == 0)
            found = special_of(v, text.s, text.len);
        buf_release(&text);
        if (rc < 0)
            return -1;
    }
    *id = found < 0 ? v->n_ids++ : (uint32_t)found;
    add_merge(t, a, b, *id);
    return 0;
}

static int merge_all(struct trainer *t, struct err *e)
{
    struct bpe_vocab *v = t->v;
    while (v->n_ids < t->opt->vocab_size && t->heap.n > 0) {
        struct candidate top = t->heap.v[0];
        struct pair *p = pairs_find(&t->pairs, top.key);
        if (!p) {
            heap_pop(&t->heap);
            continue;
        }
        if (p->count != top.count) {
            heap_lower_top(&t->heap, p->count);
            continue;
        }
        heap_pop(&t->heap);
        uint32_t a = (uint32_t)(top.key >> 32), b = (uint32_t)top.key, id;
        int rc = new_id(t, a, b, &id, e);
        if (rc == 1)
            continue;
        if (rc < 0 || merge(t, a, b, id, e) < 0)
            return -1;
        v->last_count = top.count;
        if (t->opt->progress && v->n_merges % 256 == 0 &&
            t->opt->progress(t->opt->user, v->n_ids, e) < 0)
            return -1;
    }
    return 0;
}

/* Refuses what cannot fit, before the pages are touched. */
static int check_memory(uint64_t n_words, uint64_t n_bytes, uint32_t vocab_size, bool wide,
                        struct err *e)
{
    uint64_t cells = n_words + n_bytes;
    uint64_t need = cells * (wide ? 4 : 2) + cells * 4 * 2 + (uint64_t)vocab_size * 80;
    uint64_t have = sys_mem_available();
    char need_text[32], have_text[32];
    if (need <= have)
        return 0;
    return err_set(e,
                   "training on %llu distinct pieces of %llu bytes needs about %s of memory, and "
                   "there are %s; take a part of the text",
                   (unsigned long long)n_words, (unsigned long long)n_bytes,
                   num_human_bytes(need_text, (double)need),
                   num_human_bytes(have_text, (double)have));
}

static void trainer_release(struct trainer *t)
{
    words_release(&t->words);
    pairs_release(&t->pairs);
    free(t->heap.v);
    free(t->len);
    for (int i = 0; t->scan && i < t->n_scans; i++) {
        side_release(&t->scan[i].left);
        side_release(&t->scan[i].right);
    }
    free(t->scan);
}

static int trainer_init(struct trainer *t, struct bpe_counts *c, struct err *e)
{
    struct bpe_vocab *v = t->v;
    size_t n_ids = t->opt->vocab_size;
    bool wide = n_ids > BPE_MAX_NARROW;
    uint64_t n_words, unused;

    t->min_count = t->opt->min_frequency > 1 ? t->opt->min_frequency : 1;
    bpe_counts_stat(c, &v->n_pieces, &unused);
    if (bpe_counts_fold(c, t->opt->n_threads, e) < 0)
        return -1;
    bpe_counts_size(c, &n_words, &v->n_distinct_bytes);
    v->n_distinct = n_words;
    if (check_memory(n_words, v->n_distinct_bytes, t->opt->vocab_size, wide, e) < 0 ||
        words_init(&t->words, n_words, v->n_distinct_bytes, wide, e) < 0 ||
        words_fill(&t->words, c, v->byte_id, t->opt->base, e) < 0)
        return -1;
    bpe_counts_empty(c);

    t->len = mem_new(n_ids, sizeof *t->len, e);
    t->n_scans = 1;
    t->scan = mem_new((size_t)t->n_scans, sizeof *t->scan, e);
    v->merge = mem_new(n_ids, sizeof *v->merge, e);
    v->merge_of = mem_new(n_ids, sizeof *v->merge_of, e);
    if (!t->len || !t->scan || !v->merge || !v->merge_of)
        return -1;
    for (int i = 0; i < t->n_scans; i++) {
        if (side_init(&t->scan[i].left, n_ids, e) < 0 || side_init(&t->scan[i].right, n_ids, e) < 0)
            return -1;
    }
    for (uint32_t i = 0; t->opt->base && i < t->opt->base->n_ids; i++)
        t->len[i] = 1;
    for (int i = 0; !t->opt->base && i < 256; i++)
        t->len[v->byte_id[i]] = 1;
    if (pairs_init(&t->pairs, e) < 0)
        return -1;
    return bpe_first_pairs(t, e);
}

struct bpe_vocab *bpe_train(struct bpe_counts *c, const struct bpe_train_opt *opt, struct err *e)
{
    struct bpe_vocab *v = mem_new(1, sizeof *v, e);
    struct trainer t = {.opt = opt, .v = v};
    if (!v)
        return NULL;
    if (opt->base)
        v->n_ids = v->n_first = opt->base->n_ids;
    if ((!opt->base && first_ids(v, opt, e) < 0) || trainer_init(&t, c, e) < 0 ||
        merge_all(&t, e) < 0) {
        bpe_vocab_free(v);
        v = NULL;
    } else {
        v->mem_bytes = t.words.n_bytes + t.pairs.peak_bytes + t.heap.cap * sizeof *t.heap.v;
    }
    trainer_release(&t);
    return v;
}
