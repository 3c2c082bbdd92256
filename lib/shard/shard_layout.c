/* Headers, blocks, index and footer of shard(5) to bytes and back. */
#include "shard/shard_int.h"

#include <string.h>

#include "base/compiler.h"
#include "base/hash.h"
#include "base/le.h"
#include "base/mem.h"
#include "base/utf8.h"

static const unsigned char magic[8] = {0x89, 'T', 'O', 'K', '\r', '\n', 0x1a, '\n'};
static const unsigned char end_magic[8] = {'\n', 0x1a, '\n', '\r', 'K', 'O', 'T', 0x89};

static bool all_zero(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i])
            return false;
    }
    return true;
}

int shard_not_one(const unsigned char *p, size_t n, struct err *e)
{
    size_t i = 0;
    while (i < n &&
           (p[i] >= 0x80 || (p[i] >= ' ' && p[i] < 0x7f) || (p[i] >= '\t' && p[i] <= '\r')))
        i++;
    if (i < n || utf8_valid((const char *)p, n) + 3 < n)
        return err_set(e, "this is not a token shard");
    return err_set(e, "this is text, not a token shard; tokenize makes a shard of it");
}

int shard_magic_get(const unsigned char p[16], size_t *len, struct err *e)
{
    static const unsigned char texted[] = {0x89, 'T', 'O', 'K', '\n', 0x1a, '\n'};
    if (memcmp(p, magic, sizeof magic) != 0) {
        if (!memcmp(p, texted, sizeof texted) || !memcmp(p, "\x89TOK", 4) ||
            !memcmp(p, "\xc2\x89TOK", 5))
            return err_set(e, "the shard was changed by a copy in text mode");
        if (p[0] == 0x1f && p[1] == 0x8b)
            return err_set(e, "this is gzip data, not a token shard; use a pipe: gzip -dc FILE "
                              "| ... (shard cat -z packs a shard within)");
        if (!memcmp(p, "\x28\xb5\x2f\xfd", 4))
            return err_set(e, "this is zstd data, not a token shard; use a pipe: zstd -dc FILE "
                              "| ...");
        return shard_not_one(p, 16, e);
    }
    if (le16_get(p + 8) != SHARD_VERSION)
        return err_set(e, "shard format version %u is not known here (version %d is)",
                       le16_get(p + 8), SHARD_VERSION);
    *len = le32_get(p + 12);
    if (*len < SHARD_HEAD_MIN || *len > SHARD_HEAD_MAX || *len % SHARD_ALIGN)
        return err_set(e, "header length %zu is impossible", *len);
    return 0;
}

static int check_ids(const struct shard_head *h, struct err *e)
{
    const int64_t id[3] = {h->bos, h->eos, h->pad};
    static const char *const name[3] = {"BOS", "EOS", "PAD"};
    uint64_t bound = h->vocab_size ? h->vocab_size : UINT32_MAX;
    for (int i = 0; i < 3; i++) {
        if (id[i] < -1)
            return err_set(e, "%s id %lld is impossible", name[i], (long long)id[i]);
        if (id[i] >= 0 && (uint64_t)id[i] >= bound)
            return err_set(e, "%s id %lld is not below the vocabulary size %llu", name[i],
                           (long long)id[i], (unsigned long long)bound);
    }
    return 0;
}

/* What the header's fields promise, whether read or about to be written. */
static int check_head(const struct shard_head *h, struct err *e)
{
    if (h->width != 2 && h->width != 4)
        return err_set(e, "ids of %d bytes are impossible", h->width);
    if (h->vocab_size > (h->width == 2 ? 65536 : UINT32_MAX))
        return err_set(e, "vocabulary size %llu is impossible with ids of %d bytes",
                       (unsigned long long)h->vocab_size, h->width);
    return check_ids(h, e);
}

int shard_head_get(const unsigned char *p, size_t len, struct shard_head *h, uint32_t *features,
                   const char **provenance, size_t *n_provenance, struct err *e)
{
    if (crc32_of(0, p, len - 4) != le32_get(p + len - 4))
        return err_set(e, "the header's CRC differs: it is damaged");
    *h = (struct shard_head){
        .width = le16_get(p + 10),
        .vocab_size = le64_get(p + 24),
        .bos = (int64_t)le64_get(p + 32),
        .eos = (int64_t)le64_get(p + 40),
        .pad = (int64_t)le64_get(p + 48),
        .provenance = "",
    };
    *features = le32_get(p + 16);
    memcpy(h->fingerprint, p + 56, sizeof h->fingerprint);
    if (*features & ~(uint32_t)SHARD_FEATURES)
        return err_set(e,
                       "the shard needs features that are not known here (bits %#lx); a newer "
                       "version is needed",
                       (unsigned long)(*features & ~(uint32_t)SHARD_FEATURES));
    h->has_weights = *features & SHARD_FEATURE_WEIGHTS;
    if (check_head(h, e) < 0)
        return -1;
    size_t n = le32_get(p + 72);
    if (n > len - 4 - SHARD_HEAD_FIXED)
        return err_set(e, "provenance of %zu bytes is longer than the header", n);
    *provenance = (const char *)p + SHARD_HEAD_FIXED;
    *n_provenance = n;
    if (!all_zero(p + 76, 4) || !all_zero(p + SHARD_HEAD_FIXED + n, len - 4 - SHARD_HEAD_FIXED - n))
        return err_set(e, "bytes of the header that must be zero are not");
    if (memchr(*provenance, 0, n) || utf8_valid(*provenance, n) != n ||
        (n > 0 && (*provenance)[n - 1] != '\n'))
        return err_set(e, "the provenance is not lines of text");
    return 0;
}

unsigned char *shard_head_put(const struct shard_head *h, uint32_t features, size_t *len,
                              struct err *e)
{
    const size_t room = SHARD_HEAD_MAX - 4 - SHARD_HEAD_FIXED;
    const char *from = h->provenance;
    size_t n = strlen(from);
    if (check_head(h, e) < 0)
        return NULL;
    while (n > room) {
        const char *nl = memchr(from, '\n', n);
        size_t line = nl ? (size_t)(nl - from) + 1 : n;
        from += line;
        n -= line;
    }
    *len = (size_t)shard_pad(SHARD_HEAD_FIXED + n + 4);
    if (*len < SHARD_HEAD_MIN)
        *len = SHARD_HEAD_MIN;
    unsigned char *p = mem_new(*len, 1, e);
    if (!p)
        return NULL;
    memcpy(p, magic, sizeof magic);
    le16_put(p + 8, SHARD_VERSION);
    le16_put(p + 10, (uint16_t)h->width);
    le32_put(p + 12, (uint32_t)*len);
    le32_put(p + 16, features);
    le64_put(p + 24, h->vocab_size);
    le64_put(p + 32, (uint64_t)h->bos);
    le64_put(p + 40, (uint64_t)h->eos);
    le64_put(p + 48, (uint64_t)h->pad);
    memcpy(p + 56, h->fingerprint, sizeof h->fingerprint);
    le32_put(p + 72, (uint32_t)n);
    memcpy(p + SHARD_HEAD_FIXED, from, n);
    le32_put(p + *len - 4, crc32_of(0, p, *len - 4));
    return p;
}

uint64_t shard_docs_bytes(uint64_t n_docs, uint64_t n_tokens, int width, bool weights)
{
    return shard_pad(n_docs * 4) + shard_pad(n_tokens * (uint64_t)width) +
           (weights ? shard_pad(n_tokens) : 0);
}

static int check_docs(const struct shard_block *b, int width, uint32_t features, struct err *e)
{
    if (b->raw > SHARD_DOCS_MAX)
        return err_set(e, "a block of %lu bytes is over the limit of %d", (unsigned long)b->raw,
                       SHARD_DOCS_MAX);
    if (b->stored > b->raw)
        return err_set(e, "stored length %lu is over the raw length %lu", (unsigned long)b->stored,
                       (unsigned long)b->raw);
    if (b->codec != SHARD_CODEC_RAW && !(features & SHARD_FEATURE_DEFLATE))
        return err_set(e, "the block is deflated, but the header does not say so");
    if (b->n_docs == 0)
        return err_set(e, "a block without documents");
    if (shard_docs_bytes(b->n_docs, b->n_tokens, width, features & SHARD_FEATURE_WEIGHTS) != b->raw)
        return err_set(e, "raw length %lu does not fit %lu documents and %lu tokens",
                       (unsigned long)b->raw, (unsigned long)b->n_docs, (unsigned long)b->n_tokens);
    if (b->flags & ~(SHARD_CONTINUES | SHARD_GOES_ON))
        return err_set(e, "flags %#x are not known here", b->flags);
    return 0;
}

int shard_block_get(const unsigned char p[64], int width, uint32_t features, struct shard_block *b,
                    struct err *e)
{
    if (crc32_of(0, p, 60) != le32_get(p + 60))
        return err_set(e, "the block header's CRC differs: it is damaged");
    *b = (struct shard_block){
        .type = le32_get(p),
        .codec = p[4],
        .flags = p[5],
        .stored = le32_get(p + 8),
        .raw = le32_get(p + 12),
        .n_docs = le32_get(p + 16),
        .n_tokens = le32_get(p + 20),
        .tokens_before = le64_get(p + 24),
        .docs_before = le64_get(p + 32),
        .crc = le32_get(p + 56),
    };
    bool known = b->type == SHARD_DOCS || b->type == SHARD_TOKJ || b->type == SHARD_ENDS;
    if (!known && !(b->type & SHARD_OPTIONAL_TYPE))
        return err_set(e, "block type '%.4s' is not known here; a newer version is needed",
                       (const char *)p);
    if (b->type != SHARD_ENDS && b->type != SHARD_DOCS && b->stored > SHARD_OTHER_MAX)
        return err_set(e, "a block of %lu bytes is over the limit of %d", (unsigned long)b->stored,
                       SHARD_OTHER_MAX);
    if (!known)
        return 0;
    if (b->codec > SHARD_CODEC_DEFLATE || (b->type == SHARD_ENDS && b->codec != SHARD_CODEC_RAW))
        return err_set(e, "codec %u is not known here", b->codec);
    if (b->codec == SHARD_CODEC_RAW && b->stored != b->raw)
        return err_set(e, "stored length %lu differs from the raw length %lu",
                       (unsigned long)b->stored, (unsigned long)b->raw);
    if (!all_zero(p + 6, 2) || !all_zero(p + 40, 16))
        return err_set(e, "bytes of the block header that must be zero are not");
    if (b->type == SHARD_DOCS)
        return check_docs(b, width, features, e);
    if (b->flags || b->n_docs || b->n_tokens)
        return err_set(e, "a block of type '%.4s' holds documents", (const char *)p);
    if (b->type == SHARD_TOKJ && b->raw > SHARD_OTHER_MAX)
        return err_set(e, "a tokenizer of %lu bytes is over the limit of %d", (unsigned long)b->raw,
                       SHARD_OTHER_MAX);
    return 0;
}

void shard_block_put(unsigned char p[64], const struct shard_block *b)
{
    memset(p, 0, SHARD_BLOCK_HEAD);
    le32_put(p, b->type);
    p[4] = b->codec;
    p[5] = b->flags;
    le32_put(p + 8, b->stored);
    le32_put(p + 12, b->raw);
    le32_put(p + 16, b->n_docs);
    le32_put(p + 20, b->n_tokens);
    le64_put(p + 24, b->tokens_before);
    le64_put(p + 32, b->docs_before);
    le32_put(p + 56, b->crc);
    le32_put(p + 60, crc32_of(0, p, 60));
}

void shard_index_put(unsigned char p[24], uint64_t offset, uint64_t tokens_before,
                     uint64_t docs_before)
{
    le64_put(p, offset);
    le64_put(p + 8, tokens_before);
    le64_put(p + 16, docs_before);
}

int shard_footer_get(const unsigned char p[64], struct shard_footer *f, struct err *e)
{
    if (memcmp(p + 56, end_magic, sizeof end_magic) != 0)
        return err_set(e, "there is no footer: the shard is truncated or something follows it");
    if (crc32_of(0, p, 52) != le32_get(p + 52))
        return err_set(e, "the footer's CRC differs: it is damaged");
    *f = (struct shard_footer){
        .segment_bytes = le64_get(p),
        .end_offset = le64_get(p + 8),
        .n_docs = le64_get(p + 16),
        .n_tokens = le64_get(p + 24),
        .checksum = le64_get(p + 32),
        .id_bound = le64_get(p + 40),
        .n_index = le32_get(p + 48),
    };
    return 0;
}

void shard_footer_put(unsigned char p[64], const struct shard_footer *f)
{
    le64_put(p, f->segment_bytes);
    le64_put(p + 8, f->end_offset);
    le64_put(p + 16, f->n_docs);
    le64_put(p + 24, f->n_tokens);
    le64_put(p + 32, f->checksum);
    le64_put(p + 40, f->id_bound);
    le32_put(p + 48, f->n_index);
    le32_put(p + 52, crc32_of(0, p, 52));
    memcpy(p + 56, end_magic, sizeof end_magic);
}

void shard_fold_init(struct shard_fold *f)
{
    *f = (struct shard_fold){.value = hash64("", 0, 0)};
}

void shard_fold_add(struct shard_fold *f, uint64_t n_docs, uint64_t checksum)
{
    if (n_docs == 0)
        return;
    if (f->any) {
        unsigned char both[16];
        le64_put(both, f->value);
        le64_put(both + 8, checksum);
        checksum = hash64(both, sizeof both, 0);
    }
    f->value = checksum;
    f->any = true;
}

int shard_sum_init(struct shard_sum *c, struct err *e)
{
    hash_free(c->hash);
    c->n = 0;
    c->hash = hash_new();
    return c->hash ? 0 : err_nomem(e, "a checksum", 0);
}

static void hash_ids(struct hash_state *h, const uint32_t *ids, size_t n)
{
    unsigned char bytes[1024];
    if (shard_host_is_le()) {
        hash_add(h, ids, n * 4);
        return;
    }
    while (n > 0) {
        size_t now = n < sizeof bytes / 4 ? n : sizeof bytes / 4;
        shard_ids_put(bytes, ids, now, 4);
        hash_add(h, bytes, now * 4);
        ids += now;
        n -= now;
    }
}

static void sum_flush(struct shard_sum *c)
{
    hash_ids(c->hash, c->some, c->n);
    c->n = 0;
}

void shard_sum_ids(struct shard_sum *c, const uint32_t *ids, size_t n)
{
    if (n == 0)
        return;
    if (n >= ARRAY_LEN(c->some) - c->n)
        sum_flush(c);
    if (n >= ARRAY_LEN(c->some)) {
        hash_ids(c->hash, ids, n);
        return;
    }
    memcpy(c->some + c->n, ids, n * 4);
    c->n += (uint32_t)n;
}

void shard_sum_end_doc(struct shard_sum *c)
{
    static const uint32_t mark = SHARD_NO_ID;
    shard_sum_ids(c, &mark, 1);
}

uint64_t shard_sum_get(struct shard_sum *c)
{
    sum_flush(c);
    return hash_get64(c->hash);
}

void shard_sum_release(struct shard_sum *c)
{
    hash_free(c->hash);
    c->hash = NULL;
}
