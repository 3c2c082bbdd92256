/* Reads a BPE model: its merges become a table of ids. */
#include <stdlib.h>
#include <string.h>

#include "base/pool.h"
#include "base/sys.h"
#include "token/bpe_model.h"
#include "token/bytelevel.h"

/* Of large files a thread looks up BATCH merges while the next ones are read. */
enum { BATCH = 2048, LARGE = 4 << 20, MOST_THREADS = 2 };

struct merge_batch {
    struct vocab_query side[2 * BATCH]; /* left and right of each */
    uint32_t pairs[BATCH][2], new_of[BATCH];
    size_t n, rank; /* rank: of the first */
};

struct merge_reader {
    struct tokenizer *t;
    struct bpe *b;
    struct jscan *j;
    size_t cap_pairs, cap_new, n_read;
    bool ended, pairs_only;
    struct buf joined[MOST_THREADS];
};

static int no_token(size_t rank, const char *s, size_t n, struct err *e)
{
    return err_set(e, "merge %zu needs the token '%.*s', which the vocabulary lacks", rank,
                   (int)(n < 60 ? n : 60), s);
}

static bool is_joined(const struct tokenizer *t, uint32_t id, const struct vocab_query *a,
                      const struct vocab_query *b)
{
    const struct token *k = vocab_token(&t->vocab, id);
    return k && k->len == a->n + b->n && memcmp(k->s, a->s, a->n) == 0 &&
           memcmp(k->s + a->n, b->s, b->n) == 0;
}

/* The id of the two strings joined; -2: no memory. Most files have them in order: the token of the
 * merge before, guess, or the one after that, is tried first. */
static int64_t joined_id(const struct tokenizer *t, uint32_t guess, const struct vocab_query *a,
                         const struct vocab_query *b, struct buf *joined, struct err *e)
{
    for (uint32_t id = guess; id <= guess + 1; id++)
        if (is_joined(t, id, a, b))
            return id;
    buf_clear(joined);
    if (buf_reserve(joined, a->n + b->n + 16, e) < 0)
        return -2;
    memcpy(joined->s, a->s, a->n);
    memcpy(joined->s + a->n, b->s, b->n);
    return vocab_id(&t->vocab, joined->s, a->n + b->n);
}

/* In any thread. */
static int resolve(void *user, void *batch, int thread, struct err *e)
{
    struct merge_reader *r = user;
    struct merge_batch *b = batch;
    const struct tokenizer *t = r->t;
    const size_t prefix = t->settings.prefix.len;
    uint32_t guess = 0;
    vocab_find_many(&t->vocab, b->side, 2 * b->n);
    for (size_t i = 0; i < b->n; i++) {
        struct vocab_query *s = b->side + 2 * i;
        for (int k = 0; k < 2; k++) {
            if (s[k].id < 0)
                return no_token(b->rank + i, s[k].s, s[k].n, e);
            b->pairs[i][k] = (uint32_t)s[k].id;
        }
        if (r->pairs_only)
            continue;
        struct vocab_query right = s[1]; /* without what marks it as not the first */
        if (prefix && right.n >= prefix) {
            right.s += prefix;
            right.n -= prefix;
        }
        int64_t id = joined_id(t, guess, &s[0], &right, &r->joined[thread], e);
        if (id < 0)
            return id == -2 ? -1 : no_token(b->rank + i, r->joined[thread].s, s[0].n + right.n, e);
        b->new_of[i] = guess = (uint32_t)id;
    }
    return 0;
}

static int keep(void *user, void *batch, struct err *e)
{
    struct merge_reader *r = user;
    const struct merge_batch *m = batch;
    struct bpe *b = r->b;
    if (b->n_merges + m->n > BPE_MAX_MERGES)
        return err_set(e, "more than %d merges", (int)BPE_MAX_MERGES);
    if (mem_grow(&b->pairs, &r->cap_pairs, b->n_merges + m->n, sizeof *b->pairs, e) < 0 ||
        mem_grow(&b->new_of, &r->cap_new, b->n_merges + m->n, sizeof *b->new_of, e) < 0)
        return -1;
    memcpy(b->pairs + b->n_merges, m->pairs, m->n * sizeof *m->pairs);
    memcpy(b->new_of + b->n_merges, m->new_of, m->n * sizeof *m->new_of);
    b->n_merges += m->n;
    return 0;
}

/* A line of merges.txt that is no merge; the library leaves such strings out, too. */
static bool is_version(const struct jscan *j, enum jscan_type type)
{
    return type == JSCAN_STRING && j->len >= 8 && memcmp(j->str, "#version", 8) == 0;
}

/* "left right" or ["left", "right"]. */
static int read_merge(struct merge_reader *r, struct vocab_query side[2], enum jscan_type type,
                      size_t rank, struct err *e)
{
    struct jscan *j = r->j;
    if (type == JSCAN_STRING) {
        const char *s;
        size_t n;
        if (scan_text(r->t, j, &s, &n, e) < 0)
            return -1;
        const char *space = memchr(s, ' ', n), *end = s + n;
        if (!space || memchr(space + 1, ' ', (size_t)(end - space - 1)))
            return err_set(e, "merge %zu is not two tokens with a space between them", rank);
        side[0] = (struct vocab_query){.s = s, .n = (size_t)(space - s)};
        side[1] = (struct vocab_query){.s = space + 1, .n = (size_t)(end - space - 1)};
        return 0;
    }
    if (type != JSCAN_ARRAY)
        return err_set(e, "merge %zu is not a string or a pair", rank);
    for (int k = 0; k < 2; k++)
        if (jscan_next(j) != JSCAN_STRING || scan_text(r->t, j, &side[k].s, &side[k].n, e) < 0)
            return j->error ? jscan_err(j, e) : err_set(e, "merge %zu is not two strings", rank);
    if (jscan_next(j) != JSCAN_END)
        return j->error ? jscan_err(j, e) : err_set(e, "merge %zu is more than two strings", rank);
    return 0;
}

static int read_batch(void *user, void *batch, struct err *e)
{
    struct merge_reader *r = user;
    struct merge_batch *b = batch;
    b->n = 0;
    b->rank = r->n_read;
    while (!r->ended && b->n < BATCH) {
        enum jscan_type type = jscan_next(r->j);
        if (type == JSCAN_ERROR)
            return jscan_err(r->j, e);
        if (type == JSCAN_END)
            r->ended = true;
        else if (is_version(r->j, type))
            continue;
        else if (read_merge(r, b->side + 2 * b->n, type, r->n_read, e) < 0)
            return -1;
        else
            b->n++, r->n_read++;
    }
    return b->n > 0;
}

int bpe_read_merges(struct tokenizer *t, struct bpe *b, struct jscan *j, bool pairs_only,
                    struct err *e)
{
    static const struct pool_ops ops = {.read = read_batch, .work = resolve, .write = keep};
    struct merge_reader r = {
        .t = t, .b = b, .j = j, .pairs_only = pairs_only, .joined = {BUF_INIT, BUF_INIT}};
    int n_threads = t->json_len >= LARGE && sys_n_cpu() > 1 ? MOST_THREADS : 1;
    int rc = pool_run(&ops, &r, n_threads, 0, sizeof(struct merge_batch), e);
    for (int i = 0; i < MOST_THREADS; i++)
        buf_release(&r.joined[i]);
    t->merges = (const uint32_t(*)[2])b->pairs;
    t->n_merges = b->n_merges;
    return rc < 0 ? err_prefix(e, "model.merges: ") : 0;
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
        size_t i = bpe_cell(b, key), n = 1;
        while (b->cells[i] != BPE_EMPTY && b->cells[i] >> 24 != key)
            i = bpe_next_cell(b, i, n++);
        b->cells[i] = key << 24 | rank; /* of a pair that is there twice the last rank counts */
    }
    return 0;
}

static void find_bytes(struct tokenizer *t, struct bpe *b)
{
    b->has_bytes = true;
    for (unsigned c = 0; c < 256; c++) {
        char byte = (char)c, s[16];
        int64_t id = vocab_id(&t->vocab, s, bytelevel_spell(s, &byte, 1));
        b->byte_id[c] = id < 0 ? BPE_NONE : (uint32_t)id;
        b->has_bytes &= id >= 0;
        if (id < 0 && t->settings.byte_fallback && (c < 0xc0 || (c > 0xc1 && c < 0xf5)))
            b->lacks_bytes = true;
    }
}

static int fill_byte_pairs(struct bpe *b, struct err *e)
{
    b->byte_rank = mem_new(65536, sizeof *b->byte_rank, e);
    if (!b->byte_rank)
        return -1;
    for (unsigned p = 0; p < 65536; p++) {
        uint32_t left = b->byte_id[p >> 8], right = b->byte_id[p & 255];
        b->byte_rank[p] =
            left == BPE_NONE || right == BPE_NONE ? BPE_NONE : bpe_rank(b, left, right);
    }
    return 0;
}

void bpe_finish(struct tokenizer *t, struct bpe *b)
{
    b->vocab = &t->vocab;
    b->unk = t->settings.unk;
    b->fuse_unk = t->settings.fuse_unk;
    b->ignore_merges = t->settings.ignore_merges;
    find_bytes(t, b);
}

int bpe_fill_tables(struct bpe *b, struct err *e)
{
    return fill_cells(b, e) < 0 || fill_byte_pairs(b, e) < 0 ? -1 : 0;
}

/* ---- without encoding */

static struct piece_scratch *refuse(const void *model, struct err *e)
{
    (void)model;
    err_set(e, "the tokenizer was opened for decoding alone");
    return NULL;
}

static void free_model(void *model)
{
    bpe_ops.free(model);
}

const struct model_ops bpe_decode_ops = {.type = "BPE", .scratch_new = refuse, .free = free_model};
