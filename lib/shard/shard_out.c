/* Writing shards: see quern/shard.h and shard(5). */
#include "quern/shard.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/hash.h"
#include "base/le.h"
#include "base/mem.h"
#include "io/out.h"
#include "shard/shard_int.h"

enum { MAX_COLUMNS = 3, DEFLATE_LEVEL = 6 };

struct shard_out {
    struct out *out;
    int width;
    bool weighted, deflate;
    uint32_t id_limit; /* ids are below it */
    /* The block being filled: columns as they will stand in the file, each with room to pad. */
    unsigned char *lens, *ids, *weights, *packed;
    uint32_t n_docs, n_tokens;
    bool continues;  /* its first entry goes on with a document of the block before */
    bool entry_open; /* its last entry is the document being written */
    bool doc_open;
    /* What came before this block, and the whole. */
    uint64_t tokens_before, docs_before;
    uint64_t docs_ended;
    uint32_t top; /* largest id */
    bool any_token;
    struct shard_sum sum;
    struct buf index;
    uint32_t n_index;
    z_stream z;
    bool z_on;
    struct err failed; /* the first error; it stays */
};

struct column {
    const unsigned char *p;
    size_t n;
};

static int write_block(struct shard_out *o, struct shard_block *b, const struct column *col, int n,
                       struct err *e)
{
    static const unsigned char zeros[SHARD_ALIGN];
    unsigned char head[SHARD_BLOCK_HEAD];
    size_t sum = 0;
    b->crc = 0;
    for (int i = 0; i < n; i++) {
        b->crc = crc32_of(b->crc, col[i].p, col[i].n);
        sum += col[i].n;
    }
    size_t pad = (size_t)shard_pad(sum) - sum;
    b->crc = crc32_of(b->crc, zeros, pad);
    shard_block_put(head, b);
    if (out_write(o->out, head, sizeof head, e) < 0)
        return -1;
    for (int i = 0; i < n; i++) {
        if (out_write(o->out, col[i].p, col[i].n, e) < 0)
            return -1;
    }
    return out_write(o->out, zeros, pad, e);
}

/* Deflates the columns into packed; 0 where that does not make them smaller. */
static size_t pack(struct shard_out *o, const struct column *col, int n, size_t raw)
{
    deflateReset(&o->z);
    o->z.next_out = o->packed;
    o->z.avail_out = (uInt)raw - 1;
    for (int i = 0; i < n; i++) {
        o->z.next_in = (unsigned char *)col[i].p;
        o->z.avail_in = (uInt)col[i].n;
        int rc = deflate(&o->z, i == n - 1 ? Z_FINISH : Z_NO_FLUSH);
        if (i == n - 1 ? rc != Z_STREAM_END : o->z.avail_in > 0)
            return 0;
    }
    return (size_t)(o->z.next_out - o->packed);
}

static struct column padded(unsigned char *p, size_t n)
{
    size_t all = (size_t)shard_pad(n);
    memset(p + n, 0, all - n);
    return (struct column){p, all};
}

static int flush_block(struct shard_out *o, bool goes_on, struct err *e)
{
    if (o->n_docs == 0)
        return 0;
    struct column col[MAX_COLUMNS] = {
        padded(o->lens, (size_t)o->n_docs * 4),
        padded(o->ids, (size_t)o->n_tokens * (size_t)o->width),
    };
    int n = 2;
    if (o->weighted)
        col[n++] = padded(o->weights, o->n_tokens);
    struct shard_block b = {
        .type = SHARD_DOCS,
        .flags = (uint8_t)((o->continues ? SHARD_CONTINUES : 0) | (goes_on ? SHARD_GOES_ON : 0)),
        .n_docs = o->n_docs,
        .n_tokens = o->n_tokens,
        .tokens_before = o->tokens_before,
        .docs_before = o->docs_before,
    };
    for (int i = 0; i < n; i++)
        b.raw += (uint32_t)col[i].n;
    b.stored = b.raw;
    size_t packed = o->deflate ? pack(o, col, n, b.raw) : 0;
    if (packed > 0) {
        b.codec = SHARD_CODEC_DEFLATE;
        b.stored = (uint32_t)packed;
        col[0] = (struct column){o->packed, packed};
        n = 1;
    }
    unsigned char entry[SHARD_INDEX_ENTRY];
    shard_index_put(entry, out_offset(o->out), b.tokens_before, b.docs_before);
    if (buf_add(&o->index, entry, sizeof entry, e) < 0 || write_block(o, &b, col, n, e) < 0)
        return -1;
    o->n_index++;
    o->tokens_before += o->n_tokens;
    o->docs_before = o->docs_ended;
    o->n_docs = o->n_tokens = 0;
    o->continues = goes_on;
    o->entry_open = false;
    return 0;
}

static int write_tokenizer(struct shard_out *o, const struct shard_head *h, struct err *e)
{
    struct shard_block b = {.type = SHARD_TOKJ, .codec = SHARD_CODEC_DEFLATE};
    struct column col = {h->tokenizer_z, h->tokenizer_z_len};
    unsigned char *z = NULL;
    int rc = -1;
    if (h->tokenizer_len > SHARD_OTHER_MAX)
        return err_set(e, "a tokenizer.json of %zu bytes is too large to embed (limit %d)",
                       h->tokenizer_len, SHARD_OTHER_MAX);
    if (h->tokenizer) {
        uLongf n = compressBound((uLong)h->tokenizer_len);
        z = mem_new(n, 1, e);
        if (!z)
            return -1;
        if (compress2(z, &n, (const unsigned char *)h->tokenizer, (uLong)h->tokenizer_len,
                      DEFLATE_LEVEL) != Z_OK) {
            err_nomem(e, "deflate", n);
            goto done;
        }
        col = (struct column){z, n};
    } else if (h->tokenizer_raw) {
        b.codec = SHARD_CODEC_RAW;
    }
    b.stored = (uint32_t)col.n;
    b.raw = (uint32_t)h->tokenizer_len;
    rc = write_block(o, &b, &col, 1, e);
done:
    free(z);
    return rc;
}

static int begin(struct shard_out *o, const struct shard_head *h, int flags, struct err *e)
{
    struct shard_head full = *h;
    size_t len;
    if (full.width == 0)
        full.width = h->vocab_size > 0 && h->vocab_size <= 65536 ? 2 : 4;
    o->width = full.width;
    o->weighted = h->has_weights;
    o->deflate = flags & SHARD_DEFLATE;
    o->id_limit = h->vocab_size ? (uint32_t)h->vocab_size : o->width == 2 ? 65536 : UINT32_MAX;
    unsigned char *p = shard_head_put(
        &full, (o->weighted ? SHARD_FEATURE_WEIGHTS : 0) | (o->deflate ? SHARD_FEATURE_DEFLATE : 0),
        &len, e);
    if (!p)
        return -1;
    int rc = out_write(o->out, p, len, e);
    free(p);
    if (rc < 0 || (h->tokenizer_len > 0 && write_tokenizer(o, h, e) < 0))
        return -1;
    size_t size = SHARD_DOCS_FULL + SHARD_ALIGN;
    o->lens = mem_new(size, 1, e);
    o->ids = mem_new(size, 1, e);
    o->weights = mem_new(o->weighted ? size : 0, 1, e);
    o->packed = mem_new(o->deflate ? size + MAX_COLUMNS * SHARD_ALIGN : 0, 1, e);
    if (!o->lens || !o->ids || !o->weights || !o->packed)
        return -1;
    if (shard_sum_init(&o->sum, e) < 0)
        return -1;
    if (o->deflate) {
        if (deflateInit(&o->z, DEFLATE_LEVEL) != Z_OK)
            return err_nomem(e, "deflate", 0);
        o->z_on = true;
    }
    return 0;
}

struct shard_out *shard_create(const char *path, const struct shard_head *h, int flags,
                               struct err *e)
{
    struct shard_out *o = mem_new(1, sizeof *o, e);
    if (!o)
        return NULL;
    o->index = (struct buf)BUF_INIT;
    o->out = out_open(path, OUT_BINARY, e);
    if (!o->out || begin(o, h, flags, e) < 0) {
        shard_abort(o);
        return NULL;
    }
    return o;
}

static size_t bytes_per_token(const struct shard_out *o)
{
    return (size_t)o->width + o->weighted;
}

/* Bytes that the columns may still grow by. */
static size_t room(const struct shard_out *o)
{
    return SHARD_DOCS_FULL - (size_t)o->n_docs * 4 - (size_t)o->n_tokens * bytes_per_token(o);
}

static void open_entry(struct shard_out *o)
{
    le32_put(o->lens + (size_t)o->n_docs * 4, 0);
    o->n_docs++;
    o->entry_open = true;
}

static int bad_id(struct shard_out *o, const uint32_t *ids, size_t n, struct err *e)
{
    size_t i = 0;
    while (i < n - 1 && ids[i] < o->id_limit)
        i++;
    return err_set(e, "%s: document %llu: id %lu is not below the vocabulary size %lu",
                   out_name(o->out), (unsigned long long)o->docs_ended + 1, (unsigned long)ids[i],
                   (unsigned long)o->id_limit);
}

/* n tokens that the present block has room for, behind those of the open entry. */
static int add_tokens(struct shard_out *o, const uint32_t *ids, const uint8_t *weights, size_t n,
                      struct err *e)
{
    uint32_t top = shard_ids_put(o->ids + (size_t)o->n_tokens * (size_t)o->width, ids, n, o->width);
    if (UNLIKELY(top >= o->id_limit))
        return bad_id(o, ids, n, e);
    if (weights)
        memcpy(o->weights + o->n_tokens, weights, n);
    else if (o->weighted)
        memset(o->weights + o->n_tokens, 255, n);
    unsigned char *len = o->lens + ((size_t)o->n_docs - 1) * 4;
    le32_put(len, le32_get(len) + (uint32_t)n);
    o->n_tokens += (uint32_t)n;
    o->top = top > o->top ? top : o->top;
    o->any_token = true;
    shard_sum_ids(&o->sum, ids, n);
    return 0;
}

static int part(struct shard_out *o, const uint32_t *ids, const uint8_t *weights, size_t n,
                struct err *e)
{
    size_t unit = bytes_per_token(o);
    if (weights && !o->weighted)
        return err_set(e, "%s: weights for a shard without weights", out_name(o->out));
    while (n > 0) {
        if (room(o) < (o->entry_open ? unit : unit + 4) && flush_block(o, o->entry_open, e) < 0)
            return -1;
        if (!o->entry_open)
            open_entry(o);
        size_t now = room(o) / unit;
        if (now > n)
            now = n;
        if (add_tokens(o, ids, weights, now, e) < 0)
            return -1;
        ids += now;
        n -= now;
        weights = weights ? weights + now : NULL;
    }
    return 0;
}

static int part_end(struct shard_out *o, struct err *e)
{
    if (!o->entry_open) {
        if (room(o) < 4 && flush_block(o, false, e) < 0)
            return -1;
        open_entry(o);
    }
    shard_sum_end_doc(&o->sum);
    o->entry_open = o->doc_open = false;
    o->docs_ended++;
    return 0;
}

/* Remembers the first failure, so that later calls do not write behind a hole. */
static int settle(struct shard_out *o, int rc, const struct err *local, struct err *e)
{
    if (LIKELY(rc == 0))
        return 0;
    if (!o->failed.kind)
        o->failed = *local;
    if (e)
        *e = o->failed;
    return -1;
}

int shard_part(struct shard_out *o, const uint32_t *ids, const uint8_t *weights, size_t n,
               struct err *e)
{
    struct err local;
    if (UNLIKELY(o->failed.kind))
        return settle(o, -1, NULL, e);
    o->doc_open = true;
    err_clear(&local);
    return settle(o, part(o, ids, weights, n, &local), &local, e);
}

int shard_part_end(struct shard_out *o, struct err *e)
{
    struct err local;
    if (UNLIKELY(o->failed.kind))
        return settle(o, -1, NULL, e);
    err_clear(&local);
    return settle(o, part_end(o, &local), &local, e);
}

int shard_put(struct shard_out *o, const uint32_t *ids, const uint8_t *weights, size_t n,
              struct err *e)
{
    if (shard_part(o, ids, weights, n, e) < 0)
        return -1;
    return shard_part_end(o, e);
}

void shard_out_totals(struct shard_out *o, struct shard_totals *t)
{
    *t = (struct shard_totals){
        .n_docs = o->docs_ended,
        .n_tokens = o->tokens_before + o->n_tokens,
        .checksum = shard_sum_get(&o->sum),
        .id_bound = o->any_token ? (uint64_t)o->top + 1 : 0,
        .n_bytes = out_offset(o->out),
    };
}

static int write_end(struct shard_out *o, struct shard_totals *t, struct err *e)
{
    if (flush_block(o, false, e) < 0)
        return -1;
    shard_out_totals(o, t);
    uint64_t raw = shard_pad(o->index.len) + SHARD_FOOTER;
    if (raw > UINT32_MAX)
        return err_set(e, "%s: too many blocks for one segment", out_name(o->out));
    unsigned char footer[SHARD_FOOTER];
    struct shard_footer f = {
        .segment_bytes = out_offset(o->out) + SHARD_BLOCK_HEAD + raw,
        .end_offset = out_offset(o->out),
        .n_docs = t->n_docs,
        .n_tokens = t->n_tokens,
        .checksum = t->checksum,
        .id_bound = t->id_bound,
        .n_index = o->n_index,
    };
    shard_footer_put(footer, &f);
    if (buf_reserve(&o->index, SHARD_ALIGN, e) < 0)
        return -1;
    struct column col[2] = {padded((unsigned char *)o->index.s, o->index.len),
                            {footer, sizeof footer}};
    struct shard_block b = {
        .type = SHARD_ENDS,
        .stored = (uint32_t)raw,
        .raw = (uint32_t)raw,
        .tokens_before = t->n_tokens,
        .docs_before = t->n_docs,
    };
    if (write_block(o, &b, col, 2, e) < 0)
        return -1;
    t->n_segments = 1;
    t->n_bytes = out_offset(o->out);
    return 0;
}

int shard_commit(struct shard_out *o, struct shard_totals *t, struct err *e)
{
    struct shard_totals own;
    int rc = -1;
    if (o->doc_open && !o->failed.kind)
        err_set(&o->failed, "%s: the last document is not complete", out_name(o->out));
    if (o->failed.kind) {
        settle(o, -1, NULL, e);
    } else if (write_end(o, t ? t : &own, e) == 0) {
        struct out *out = o->out;
        o->out = NULL;
        rc = out_commit(out, e);
    }
    shard_abort(o);
    return rc;
}

void shard_abort(struct shard_out *o)
{
    if (!o)
        return;
    if (o->z_on)
        deflateEnd(&o->z);
    out_abort(o->out);
    shard_sum_release(&o->sum);
    buf_release(&o->index);
    free(o->lens);
    free(o->ids);
    free(o->weights);
    free(o->packed);
    free(o);
}
