/* Reading a block of documents: its payload, checked and unpacked. See shard(5). */
#include <string.h>

#include "base/mem.h"
#include "shard/shard_in_int.h"

static int inflate_block(struct shard_in *s, struct err *e)
{
    if (!s->z_on && inflateInit(&s->z) != Z_OK)
        return err_nomem(e, "inflate", 0);
    s->z_on = true;
    inflateReset(&s->z);
    s->z.next_in = s->packed;
    s->z.avail_in = s->block.stored;
    s->z.next_out = s->raw;
    s->z.avail_out = s->block.raw;
    if (inflate(&s->z, Z_FINISH) != Z_STREAM_END || s->z.avail_in || s->z.avail_out)
        return err_set(e, "the block's deflated data is corrupt");
    return 0;
}

static int read_payload(struct shard_in *s, struct err *e)
{
    bool deflated = s->block.codec == SHARD_CODEC_DEFLATE;
    unsigned char **to = deflated ? &s->packed : &s->raw;
    size_t *cap = deflated ? &s->packed_cap : &s->raw_cap;
    size_t n = (size_t)shard_pad(s->block.stored);
    /* At most SHARD_DOCS_MAX and padding: no need to grow in steps. */
    if (mem_grow(&s->raw, &s->raw_cap, s->block.raw, 1, e) < 0 || mem_grow(to, cap, n, 1, e) < 0 ||
        shard_in_read(s, *to, n, "a block", e) < 0 ||
        shard_in_check_payload(s, crc32_of(0, *to, n), e) < 0)
        return -1;
    if (deflated && inflate_block(s, e) < 0)
        return shard_in_at(s, s->block_offset, e);
    return 0;
}

static int check_order(const struct shard_in *s, struct err *e)
{
    const struct shard_block *b = &s->block;
    if (b->tokens_before != s->n_tokens || b->docs_before != s->n_docs)
        return err_set(e,
                       "the block says that %llu tokens and %llu documents came before it, but "
                       "%llu and %llu did: blocks are missing or out of order",
                       shard_ull(b->tokens_before), shard_ull(b->docs_before),
                       shard_ull(s->n_tokens), shard_ull(s->n_docs));
    if (s->open_doc != (bool)(b->flags & SHARD_CONTINUES))
        return err_set(e, s->open_doc ? "a document that goes on is not continued here"
                                      : "continues a document that has ended");
    return 0;
}

static int bad_padding(struct err *e)
{
    return err_set(e, "padding that must be zero is not");
}

static int check_padding(const unsigned char *p, size_t n, struct err *e)
{
    for (size_t i = n; i < (size_t)shard_pad(n); i++) {
        if (p[i])
            return bad_padding(e);
    }
    return 0;
}

/* Columns to pointers, which are never NULL, ids to 32 bits. */
static int unpack(struct shard_in *s, struct err *e)
{
    const struct shard_block *b = &s->block;
    size_t n_lens = (size_t)b->n_docs * 4, n_ids = (size_t)b->n_tokens * (size_t)s->segment->width;
    const unsigned char *ids = s->raw + shard_pad(n_lens), *weights = ids + shard_pad(n_ids);
    uint64_t sum = 0;
    uint32_t top;
    for (uint32_t i = 0; i < b->n_docs; i++)
        sum += le32_get(s->raw + (size_t)i * 4);
    if (sum != b->n_tokens)
        return err_set(e, "lengths of documents add up to %llu, but there are %lu tokens",
                       shard_ull(sum), (unsigned long)b->n_tokens);
    if (check_padding(s->raw, n_lens, e) < 0 || check_padding(ids, n_ids, e) < 0 ||
        (s->segment->has_weights && check_padding(weights, b->n_tokens, e) < 0))
        return -1;
    if (s->segment->width == 4 && shard_host_is_le()) {
        s->block_ids = (const uint32_t *)(const void *)ids; /* 64-aligned in an allocation */
        top = shard_ids_max(s->block_ids, b->n_tokens);
    } else {
        if (mem_grow(&s->ids, &s->ids_cap, (size_t)b->n_tokens + 1, sizeof *s->ids, e) < 0)
            return -1;
        top = shard_ids_get(s->ids, ids, b->n_tokens, s->segment->width);
        s->block_ids = s->ids;
    }
    if (top >= s->id_limit && b->n_tokens > 0)
        return err_set(e, "id %lu is not below the vocabulary size %lu", (unsigned long)top,
                       (unsigned long)s->id_limit);
    if (b->n_tokens > 0 && top + (uint64_t)1 > s->id_bound)
        s->id_bound = top + (uint64_t)1;
    s->block_weights = s->segment->has_weights ? weights : NULL;
    return 0;
}

static void hash_block(struct shard_in *s)
{
    const uint32_t *ids = s->block_ids;
    bool goes_on = s->block.flags & SHARD_GOES_ON;
    for (uint32_t i = 0; i < s->block.n_docs; i++) {
        shard_sum_ids(&s->sum, ids, shard_in_doc_len(s, i));
        ids += shard_in_doc_len(s, i);
        if (i < s->block.n_docs - 1 || !goes_on)
            shard_sum_end_doc(&s->sum);
    }
}

int shard_in_load_docs(struct shard_in *s, struct err *e)
{
    const struct shard_block *b = &s->block;
    unsigned char entry[SHARD_INDEX_ENTRY];
    s->block_waits = false;
    if (check_order(s, e) < 0)
        return shard_in_at(s, s->block_offset, e);
    if (read_payload(s, e) < 0)
        return -1;
    if (unpack(s, e) < 0)
        return shard_in_at(s, s->block_offset, e);
    hash_block(s);
    shard_index_put(entry, s->block_offset - s->segment_start, b->tokens_before, b->docs_before);
    hash_add(s->index_hash, entry, sizeof entry);
    if (++s->n_blocks == UINT32_MAX)
        return err_set(e, "%s: too many blocks in one segment", in_name(s->in));
    s->n_tokens += b->n_tokens;
    s->open_doc = b->flags & SHARD_GOES_ON;
    s->at_doc = s->at_token = 0;
    return 0;
}
