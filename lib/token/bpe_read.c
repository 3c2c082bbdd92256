/* Reads a BPE model: its merges become a table of ids. */
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "base/sys.h"
#include "token/bpe_model.h"
#include "token/bytelevel.h"

/* Strings of merges are looked up this many at a time, so that the cells are fetched ahead. */
enum { BATCH = 64 };

struct merge_reader {
    struct tokenizer *t;
    struct bpe *b;
    size_t cap_pairs, cap_new;
    struct side {
        const char *s;
        size_t n;
        uint64_t hash;
    } side[BATCH][2];
    size_t n;
    uint32_t guess; /* the token that the last merge made */
    struct buf joined;
    struct err *e;
};

static int no_token(struct merge_reader *r, size_t rank, const char *s, size_t n)
{
    return err_set(r->e, "merge %zu needs the token '%.*s', which the vocabulary lacks", rank,
                   (int)(n < 60 ? n : 60), s);
}

static bool is_joined(const struct tokenizer *t, uint32_t id, const struct side *a,
                      const struct side *b)
{
    const struct token *k = vocab_token(&t->vocab, id);
    return k && k->len == a->n + b->n && memcmp(k->s, a->s, a->n) == 0 &&
           memcmp(k->s + a->n, b->s, b->n) == 0;
}

/* The id of the two strings joined. Most files have them in order: the token of the merge before,
 * or the one after that, is tried first. */
static int64_t joined_id(struct merge_reader *r, const struct side *a, const struct side *b)
{
    for (uint32_t id = r->guess; id <= r->guess + 1; id++)
        if (is_joined(r->t, id, a, b))
            return id;
    buf_clear(&r->joined);
    if (buf_reserve(&r->joined, a->n + b->n + 16, r->e) < 0)
        return -2;
    memcpy(r->joined.s, a->s, a->n);
    memcpy(r->joined.s + a->n, b->s, b->n);
    return vocab_id(&r->t->vocab, r->joined.s, a->n + b->n);
}

static int resolve(struct merge_reader *r)
{
    struct bpe *b = r->b;
    if (b->n_merges + r->n > BPE_MAX_MERGES)
        return err_set(r->e, "more than %d merges", (int)BPE_MAX_MERGES);
    if (mem_grow(&b->pairs, &r->cap_pairs, b->n_merges + r->n, sizeof *b->pairs, r->e) < 0 ||
        mem_grow(&b->new_of, &r->cap_new, b->n_merges + r->n, sizeof *b->new_of, r->e) < 0)
        return -1;
    for (int stage = 1; stage <= 2; stage++)
        for (size_t i = 0; i < 2 * r->n; i++)
            vocab_prefetch(&r->t->vocab, stage, r->side[i / 2][i % 2].hash,
                           r->side[i / 2][i % 2].n);
    for (size_t i = 0; i < r->n; i++) {
        struct side *s = r->side[i];
        size_t rank = b->n_merges++;
        for (int k = 0; k < 2; k++) {
            int64_t id = vocab_find(&r->t->vocab, s[k].hash, s[k].s, s[k].n);
            if (id < 0)
                return no_token(r, rank, s[k].s, s[k].n);
            b->pairs[rank][k] = (uint32_t)id;
        }
        struct side right = s[1]; /* without what marks it as not the first */
        if (r->t->settings.prefix.len && right.n >= r->t->settings.prefix.len) {
            right.s += r->t->settings.prefix.len;
            right.n -= r->t->settings.prefix.len;
        }
        int64_t id = joined_id(r, &s[0], &right);
        if (id < 0)
            return id == -2 ? -1 : no_token(r, rank, r->joined.s, s[0].n + right.n);
        b->new_of[rank] = r->guess = (uint32_t)id;
    }
    r->n = 0;
    return 0;
}

static int add_side(struct merge_reader *r, int k, const char *s, size_t n)
{
    struct side *side = &r->side[r->n][k];
    *side = (struct side){s, n, vocab_hash(s, n)};
    vocab_prefetch(&r->t->vocab, 0, side->hash, n);
    return 0;
}

/* "left right" or ["left", "right"]. */
static int read_merge(struct merge_reader *r, struct jscan *j, enum jscan_type type)
{
    const char *s[2];
    size_t n[2], rank = r->b->n_merges + r->n;
    if (type == JSCAN_STRING) {
        if (scan_text(r->t, j, &s[0], &n[0], r->e) < 0)
            return -1;
        const char *space = memchr(s[0], ' ', n[0]), *end = s[0] + n[0];
        if (!space || memchr(space + 1, ' ', (size_t)(end - space - 1)))
            return err_set(r->e, "merge %zu is not two tokens with a space between them", rank);
        s[1] = space + 1;
        n[0] = (size_t)(space - s[0]);
        n[1] = (size_t)(end - s[1]);
    } else if (type == JSCAN_ARRAY) {
        for (int k = 0; k < 2; k++)
            if (jscan_next(j) != JSCAN_STRING || scan_text(r->t, j, &s[k], &n[k], r->e) < 0)
                return j->error ? jscan_err(j, r->e)
                                : err_set(r->e, "merge %zu is not two strings", rank);
        if (jscan_next(j) != JSCAN_END)
            return j->error ? jscan_err(j, r->e)
                            : err_set(r->e, "merge %zu is more than two strings", rank);
    } else {
        return err_set(r->e, "merge %zu is not a string or a pair", rank);
    }
    add_side(r, 0, s[0], n[0]);
    add_side(r, 1, s[1], n[1]);
    return ++r->n == BATCH ? resolve(r) : 0;
}

int bpe_read_merges(struct tokenizer *t, struct bpe *b, struct jscan *j, struct err *e)
{
    struct merge_reader r = {.t = t, .b = b, .joined = BUF_INIT, .e = e};
    enum jscan_type type;
    int rc = -1;
    while ((type = jscan_next(j)) != JSCAN_END) {
        if (type == JSCAN_ERROR) {
            jscan_err(j, e);
            goto end;
        }
        if (read_merge(&r, j, type) < 0)
            goto end;
    }
    rc = resolve(&r);
end:
    buf_release(&r.joined);
    return rc;
}

/* ---- tables */

static int fill_cells(struct bpe *b, struct err *e)
{
    enum { AHEAD = 16 };
    int bits = 4;
    while ((size_t)1 << bits < b->n_merges * 2)
        bits++;
    b->n_cells = (size_t)1 << bits;
    b->shift = 64 - bits;
    b->cells = sys_pages(b->n_cells * sizeof *b->cells, e);
    if (!b->cells)
        return -1;
    memset(b->cells, 0xff, b->n_cells * sizeof *b->cells);
    for (size_t r = 0; r < b->n_merges + AHEAD; r++) {
        if (r < b->n_merges)
            PREFETCH(&b->cells[bpe_cell(b, (uint64_t)b->pairs[r][0] << 20 | b->pairs[r][1])]);
        if (r < AHEAD)
            continue;
        size_t rank = r - AHEAD;
        uint64_t key = (uint64_t)b->pairs[rank][0] << 20 | b->pairs[rank][1];
        size_t i = bpe_cell(b, key);
        while (b->cells[i] != BPE_EMPTY && b->cells[i] >> 24 != key)
            i = (i + 1) & (b->n_cells - 1);
        b->cells[i] = key << 24 | rank; /* of a pair that is there twice the last rank counts */
    }
    return 0;
}

static int fill_bytes(struct tokenizer *t, struct bpe *b, struct err *e)
{
    b->byte_rank = mem_new(65536, sizeof *b->byte_rank, e);
    if (!b->byte_rank)
        return -1;
    b->has_bytes = true;
    for (unsigned c = 0; c < 256; c++) {
        char byte = (char)c, s[16];
        int64_t id = vocab_id(&t->vocab, s, bytelevel_spell(s, &byte, 1));
        b->byte_id[c] = id < 0 ? BPE_NONE : (uint32_t)id;
        b->has_bytes &= id >= 0;
    }
    for (unsigned p = 0; p < 65536; p++) {
        uint32_t left = b->byte_id[p >> 8], right = b->byte_id[p & 255];
        b->byte_rank[p] =
            left == BPE_NONE || right == BPE_NONE ? BPE_NONE : bpe_rank(b, left, right);
    }
    return 0;
}

int bpe_finish(struct tokenizer *t, struct bpe *b, struct err *e)
{
    b->vocab = &t->vocab;
    b->unk = t->settings.unk;
    b->fuse_unk = t->settings.fuse_unk;
    b->ignore_merges = t->settings.ignore_merges;
    if (fill_cells(b, e) < 0 || fill_bytes(t, b, e) < 0)
        return -1;
    if (t->settings.byte_fallback)
        for (unsigned c = 0; c < 256; c++)
            if (b->byte_id[c] == BPE_NONE && (c < 0xc0 || (c > 0xc1 && c < 0xf5)))
                b->lacks_bytes = true;
    t->merges = (const uint32_t(*)[2])b->pairs;
    t->n_merges = b->n_merges;
    return 0;
}
