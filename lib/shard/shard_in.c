/*
 * Reading shards: see quern/shard.h and shard(5).
 *
 * A stream is read structure by structure: next_block() takes a block header and verifies it,
 * shard_in_load_docs() a block of documents, finish_segment() an end block, begin_segment() a
 * header. Nothing is believed before its CRC, and nothing allocated before its size is.
 */
#include "quern/shard.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/le.h"
#include "base/mem.h"
#include "shard/shard_in_int.h"

enum { STEP_BYTES = 1 << 20 }; /* what is taken at once of a block whose length may be a lie */

int shard_in_at(struct shard_in *s, uint64_t offset, struct err *e)
{
    return err_prefix(e, "%s: at byte %llu: ", in_name(s->in), shard_ull(offset));
}

int shard_in_truncated(struct shard_in *s, const char *within, struct err *e)
{
    return err_set(e, "%s: at byte %llu: the shard ends within %s: it is truncated", in_name(s->in),
                   shard_ull(in_offset(s->in)), within);
}

int shard_in_read(struct shard_in *s, void *p, size_t n, const char *within, struct err *e)
{
    long r = in_read_full(s->in, p, n, e);
    if (r < 0)
        return -1;
    return (size_t)r < n ? shard_in_truncated(s, within, e) : 0;
}

int shard_in_check_payload(struct shard_in *s, uint32_t crc, struct err *e)
{
    if (crc == s->block.crc)
        return 0;
    return err_set(e, "%s: at byte %llu: the CRC of the block's payload differs: it is damaged",
                   in_name(s->in), shard_ull(s->block_offset));
}

static void own_strings_free(struct shard_head *h)
{
    free((char *)h->provenance);
    free((unsigned char *)h->tokenizer_z);
    h->provenance = NULL;
    h->tokenizer_z = NULL;
    h->tokenizer_z_len = h->tokenizer_len = 0;
}

/* ---- headers */

static int take_head(struct shard_in *s, const unsigned char first[16], size_t len, struct err *e)
{
    const char *provenance;
    size_t n;
    struct shard_head h;
    unsigned char *p = mem_new(len, 1, e);
    int rc = -1;
    if (!p)
        return -1;
    memcpy(p, first, 16);
    if (shard_in_read(s, p + 16, len - 16, "a header", e) < 0)
        goto done;
    if (shard_head_get(p, len, &h, &s->features, &provenance, &n, e) < 0) {
        shard_in_at(s, s->segment_start, e);
        goto done;
    }
    h.provenance = mem_dup(provenance, n, e);
    if (!h.provenance)
        goto done;
    *s->segment = h;
    rc = 0;
done:
    free(p);
    return rc;
}

/* A payload of unknown truthfulness, in steps, so that memory grows only as bytes arrive. */
static int read_growing(struct shard_in *s, unsigned char **p, size_t *cap, size_t n,
                        const char *within, struct err *e)
{
    for (size_t have = 0; have < n;) {
        size_t now = n - have < STEP_BYTES ? n - have : STEP_BYTES;
        if (mem_grow(p, cap, have + now, 1, e) < 0)
            return -1;
        if (shard_in_read(s, *p + have, now, within, e) < 0)
            return -1;
        have += now;
    }
    return 0;
}

static int skip_payload(struct shard_in *s, struct err *e)
{
    unsigned char some[16384];
    uint32_t crc = 0;
    for (uint64_t left = shard_pad(s->block.stored); left > 0;) {
        size_t now = left < sizeof some ? (size_t)left : sizeof some;
        if (shard_in_read(s, some, now, "a block", e) < 0)
            return -1;
        crc = crc32_of(crc, some, now);
        left -= now;
    }
    return shard_in_check_payload(s, crc, e);
}

static int take_tokenizer(struct shard_in *s, struct err *e)
{
    unsigned char *p = NULL;
    size_t cap = 0, n = (size_t)shard_pad(s->block.stored);
    if (read_growing(s, &p, &cap, n, "the tokenizer", e) < 0 ||
        shard_in_check_payload(s, crc32_of(0, p, n), e) < 0) {
        free(p);
        return -1;
    }
    s->segment->tokenizer_z = p;
    s->segment->tokenizer_z_len = s->block.stored;
    s->segment->tokenizer_len = s->block.raw;
    s->segment->tokenizer_raw = s->block.codec == SHARD_CODEC_RAW;
    return 0;
}

/* The next block's header, those of no interest passed over. */
static int next_block(struct shard_in *s, bool behind_header, struct err *e)
{
    unsigned char p[SHARD_BLOCK_HEAD];
    for (;; behind_header = false) {
        s->block_offset = in_offset(s->in);
        long n = in_read_full(s->in, p, sizeof p, e);
        if (n < 0)
            return -1;
        if (n == 0)
            return err_set(e,
                           "%s: at byte %llu: the shard ends without its end block: it is "
                           "truncated",
                           in_name(s->in), shard_ull(s->block_offset));
        if ((size_t)n < sizeof p)
            return shard_in_truncated(s, "a block's header", e);
        if (shard_block_get(p, s->segment->width, s->features, &s->block, e) < 0)
            return shard_in_at(s, s->block_offset, e);
        if (s->block.type == SHARD_DOCS || s->block.type == SHARD_ENDS)
            return 0;
        if (s->block.type == SHARD_TOKJ && !behind_header)
            return err_set(e,
                           "%s: at byte %llu: a tokenizer that is not directly behind the header",
                           in_name(s->in), shard_ull(s->block_offset));
        bool wanted = s->block.type == SHARD_TOKJ && (s->before.n_segments == 0 || s->each);
        if ((wanted ? take_tokenizer(s, e) : skip_payload(s, e)) < 0)
            return -1;
    }
}

static int begin_segment(struct shard_in *s, const unsigned char first[16], struct err *e)
{
    bool is_first = s->before.n_segments == 0;
    size_t len;
    s->n_docs = s->n_tokens = s->id_bound = 0;
    s->n_blocks = 0;
    hash_free(s->index_hash);
    s->index_hash = hash_new();
    if (!s->index_hash)
        return err_nomem(e, "a checksum", 0);
    if (shard_sum_init(&s->sum, e) < 0)
        return -1;
    s->segment = is_first ? &s->head : &s->later;
    own_strings_free(s->segment);
    if (shard_magic_get(first, &len, e) < 0) {
        if (!is_first)
            err_prefix(e, "behind the end block: ");
        return shard_in_at(s, s->segment_start, e);
    }
    if (take_head(s, first, len, e) < 0)
        return -1;
    if (!is_first && shard_may_follow(&s->head, s->segment, e) < 0)
        return shard_in_at(s, s->segment_start, e);
    if (next_block(s, true, e) < 0)
        return -1;
    uint64_t limit = s->segment->vocab_size ? s->segment->vocab_size : UINT32_MAX;
    if (s->head.vocab_size && s->head.vocab_size < limit)
        limit = s->head.vocab_size;
    s->id_limit = (uint32_t)limit;
    s->in_segment = s->block_waits = true;
    return s->each && !is_first ? s->each(s->each_user, s->segment, e) : 0;
}

/* At a segment's border: 1 = another one has begun, 0 = the end. */
static int next_segment(struct shard_in *s, struct err *e)
{
    unsigned char first[16];
    s->segment_start = in_offset(s->in);
    long n = in_read_full(s->in, first, sizeof first, e);
    if (n < 0)
        return -1;
    if (n == 0 && s->before.n_segments > 0)
        return 0;
    if (n == 0)
        return err_set(e,
                       "%s: is empty: not a token shard (even one without documents has a "
                       "header)",
                       in_name(s->in));
    if ((size_t)n < sizeof first) {
        if (!memcmp(first, "\x89TOK\r\n\x1a\n", (size_t)n < 8 ? (size_t)n : 8))
            return shard_in_truncated(s, "a header", e);
        shard_not_one(first, (size_t)n, e);
        return err_prefix(e, "%s: at byte %llu: %s", in_name(s->in), shard_ull(s->segment_start),
                          s->before.n_segments ? "behind the end block: " : "");
    }
    return begin_segment(s, first, e) < 0 ? -1 : 1;
}

/* ---- the end of a segment */

static int check_footer(struct shard_in *s, const unsigned char *p, struct err *e)
{
    struct shard_footer f;
    if (shard_footer_get(p, &f, e) < 0)
        return -1;
    const struct {
        const char *name;
        uint64_t said, is;
    } part[] = {
        {"number of documents", f.n_docs, s->n_docs},
        {"number of tokens", f.n_tokens, s->n_tokens},
        {"largest id", f.id_bound, s->id_bound},
        {"length of the segment", f.segment_bytes, in_offset(s->in) - s->segment_start},
        {"offset of the end block", f.end_offset, s->block_offset - s->segment_start},
        {"number of blocks", f.n_index, s->n_blocks},
        {"running number of tokens", s->block.tokens_before, s->n_tokens},
        {"running number of documents", s->block.docs_before, s->n_docs},
    };
    for (size_t i = 0; i < ARRAY_LEN(part); i++) {
        if (part[i].said != part[i].is)
            return err_set(e, "the end block's %s is %llu, but %llu was read", part[i].name,
                           shard_ull(part[i].said), shard_ull(part[i].is));
    }
    if (f.checksum != shard_sum_get(&s->sum))
        return err_set(e, "the end block's checksum is %016llx, but the tokens' is %016llx",
                       shard_ull(f.checksum), shard_ull(shard_sum_get(&s->sum)));
    return 0;
}

static int finish_segment(struct shard_in *s, struct err *e)
{
    unsigned char some[16384], *foot = some;
    uint64_t n_index = (uint64_t)s->n_blocks * SHARD_INDEX_ENTRY, left = shard_pad(n_index);
    uint32_t crc = 0;
    s->block_waits = false;
    if (s->open_doc)
        return err_set(e, "%s: at byte %llu: the segment ends within a document", in_name(s->in),
                       shard_ull(s->block_offset));
    if (s->block.raw != left + SHARD_FOOTER)
        return err_set(e, "%s: at byte %llu: an index of %lu bytes for %lu blocks", in_name(s->in),
                       shard_ull(s->block_offset), (unsigned long)s->block.raw - SHARD_FOOTER,
                       (unsigned long)s->n_blocks);
    struct hash_state *index = hash_new();
    if (!index)
        return err_nomem(e, "hashing", 0);
    for (uint64_t done = 0; left > 0;) {
        size_t now = left < sizeof some ? (size_t)left : sizeof some;
        if (shard_in_read(s, some, now, "the end block", e) < 0) {
            hash_free(index);
            return -1;
        }
        crc = crc32_of(crc, some, now);
        hash_add(index, some, n_index - done < now ? (size_t)(n_index - done) : now);
        done += now;
        left -= now;
    }
    bool same = hash_get64(index) == hash_get64(s->index_hash);
    hash_free(index);
    if (shard_in_read(s, foot, SHARD_FOOTER, "the end block", e) < 0)
        return -1;
    if (shard_in_check_payload(s, crc32_of(crc, foot, SHARD_FOOTER), e) < 0)
        return -1;
    if (!same)
        err_set(e, "the index does not fit the blocks");
    if (!same || check_footer(s, foot, e) < 0)
        return shard_in_at(s, s->block_offset, e);
    shard_fold_add(&s->fold, s->n_docs, shard_sum_get(&s->sum));
    s->before.n_docs += s->n_docs;
    s->before.n_tokens += s->n_tokens;
    if (s->id_bound > s->before.id_bound)
        s->before.id_bound = s->id_bound;
    s->before.n_segments++;
    s->n_docs = s->n_tokens = 0;
    s->in_segment = false;
    return 0;
}

/* ---- documents */

/* 1 = a block of documents is loaded, 0 = end of the stream. */
static int next_docs(struct shard_in *s, struct err *e)
{
    for (;;) {
        if (!s->in_segment) {
            int r = next_segment(s, e);
            if (r <= 0)
                return r;
        } else if (!s->block_waits) {
            if (next_block(s, false, e) < 0)
                return -1;
            s->block_waits = true;
        }
        if (s->block.type == SHARD_DOCS)
            return shard_in_load_docs(s, e) < 0 ? -1 : 1;
        if (finish_segment(s, e) < 0)
            return -1;
    }
}

static bool block_used_up(const struct shard_in *s)
{
    return !s->in_segment || s->block_waits || s->at_doc == s->block.n_docs;
}

static void take_piece(struct shard_in *s, struct shard_doc *d)
{
    const struct shard_block *b = &s->block;
    uint32_t i = s->at_doc++;
    d->n = shard_in_doc_len(s, i);
    d->ids = s->block_ids + s->at_token;
    d->weights = s->block_weights ? s->block_weights + s->at_token : NULL;
    d->first = i > 0 || !(b->flags & SHARD_CONTINUES);
    d->last = i < b->n_docs - 1 || !(b->flags & SHARD_GOES_ON);
    s->at_token += (uint32_t)d->n;
    s->n_docs += d->last;
}

static int next_piece(struct shard_in *s, struct shard_doc *d, struct err *e)
{
    if (block_used_up(s)) {
        int r = next_docs(s, e);
        if (r <= 0)
            return r;
    }
    take_piece(s, d);
    return 1;
}

static int append(struct shard_in *s, size_t have, const struct shard_doc *d, struct err *e)
{
    size_t n;
    if (size_add(have, d->n, &n, "a document", e) < 0 ||
        mem_grow(&s->whole, &s->whole_cap, n + 1, sizeof *s->whole, e) < 0)
        return -1;
    memcpy(s->whole + have, d->ids, d->n * sizeof *s->whole);
    if (d->weights) {
        if (mem_grow(&s->whole_weights, &s->whole_weights_cap, n + 1, 1, e) < 0)
            return -1;
        memcpy(s->whole_weights + have, d->weights, d->n);
    }
    return 0;
}

static int next_whole(struct shard_in *s, struct shard_doc *d, struct err *e)
{
    size_t n = 0;
    for (;;) {
        int r = next_piece(s, d, e);
        if (r <= 0)
            return r;
        if (n == 0 && d->first && d->last)
            return 1;
        if (append(s, n, d, e) < 0)
            return -1;
        n += d->n;
        if (d->last)
            break;
    }
    *d = (struct shard_doc){
        .ids = s->whole,
        .weights = d->weights ? s->whole_weights : NULL,
        .n = n,
        .first = true,
        .last = true,
    };
    return 1;
}

static int settle(struct shard_in *s, int r, struct err *e)
{
    if (r == 0)
        s->ended = true;
    if (r < 0 && e)
        *e = s->failed;
    return r;
}

int shard_next(struct shard_in *s, struct shard_doc *d, struct err *e)
{
    if (s->failed.kind || s->ended)
        return settle(s, s->failed.kind ? -1 : 0, e);
    return settle(s, next_whole(s, d, &s->failed), e);
}

int shard_next_piece(struct shard_in *s, struct shard_doc *d, struct err *e)
{
    if (s->failed.kind || s->ended)
        return settle(s, s->failed.kind ? -1 : 0, e);
    return settle(s, next_piece(s, d, &s->failed), e);
}

/* ---- the handle */

struct shard_in *shard_open_in(struct in *in, struct err *e)
{
    struct shard_in *s = mem_new(1, sizeof *s, e);
    if (!s) {
        in_close(in);
        return NULL;
    }
    shard_fold_init(&s->fold);
    s->in = in;
    if (next_segment(s, e) < 0) {
        shard_close(s);
        return NULL;
    }
    return s;
}

struct shard_in *shard_open(const char *path, struct err *e)
{
    struct in *in = in_open(path, IN_RAW, e);
    return in ? shard_open_in(in, e) : NULL;
}

const struct shard_head *shard_head(const struct shard_in *s)
{
    return &s->head;
}

void shard_totals(const struct shard_in *s, struct shard_totals *t)
{
    *t = s->before;
    t->n_docs += s->n_docs;
    t->n_tokens += s->n_tokens;
    if (s->id_bound > t->id_bound)
        t->id_bound = s->id_bound;
    t->checksum = s->fold.value;
    t->n_bytes = in_offset(s->in);
}

const char *shard_name(const struct shard_in *s)
{
    return in_name(s->in);
}

void shard_progress(const struct shard_in *s, uint64_t *done_bytes, uint64_t *total_bytes)
{
    *done_bytes = in_raw_offset(s->in);
    *total_bytes = in_raw_size(s->in);
}

int shard_each_segment(struct shard_in *s,
                       int (*fn)(void *user, const struct shard_head *h, struct err *e), void *user,
                       struct err *e)
{
    s->each = fn;
    s->each_user = user;
    return fn(user, &s->head, e);
}

void shard_close(struct shard_in *s)
{
    if (!s)
        return;
    in_close(s->in);
    own_strings_free(&s->head);
    own_strings_free(&s->later);
    shard_sum_release(&s->sum);
    hash_free(s->index_hash);
    if (s->z_on)
        inflateEnd(&s->z);
    free(s->raw);
    free(s->packed);
    free(s->ids);
    free(s->whole);
    free(s->whole_weights);
    free(s);
}
