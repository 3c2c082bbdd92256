/* Shards: a stream is refused with a message, or its totals fit what was given out, whole and in
 * pieces, and the footers agree. Each input runs twice: as it is, and with the CRCs put right, so
 * that what lies behind them is reached. */
#include "fuzz.h"
#include "base/hash.h"
#include "base/le.h"
#include "quern/shard.h"

static size_t padded(size_t n)
{
    return (n + 63) / 64 * 64;
}

/* Walks the structures as far as they make sense. */
static void mend(uint8_t *p, size_t n)
{
    for (size_t at = 0; n - at >= 128;) {
        size_t len = le32_get(p + at + 12);
        if (len < 128 || len > n - at || len % 64)
            return;
        le32_put(p + at + len - 4, crc32_of(0, p + at, len - 4));
        for (at += len; n - at >= 64;) {
            uint8_t *b = p + at;
            size_t stored = padded(le32_get(b + 8));
            int is_end = le32_get(b) == 0x53444e45u;
            if (stored > n - at - 64)
                stored = n - at - 64;
            if (is_end && stored >= 64)
                le32_put(b + stored + 52, crc32_of(0, b + stored, 52));
            le32_put(b + 56, crc32_of(0, b + 64, stored));
            le32_put(b + 60, crc32_of(0, b, 60));
            at += 64 + stored;
            if (is_end)
                break;
        }
    }
}

static int read_all(const char *path,
                    int (*next)(struct shard_in *, struct shard_doc *, struct err *),
                    struct shard_totals *t)
{
    struct err e = {0};
    struct shard_doc d;
    uint64_t n_docs = 0, n_tokens = 0;
    unsigned sum = 0;
    int r;
    struct shard_in *s = shard_open(path, &e);
    if (!s) {
        assert(e.msg[0]);
        return -1;
    }
    uint64_t limit = shard_head(s)->vocab_size ? shard_head(s)->vocab_size : UINT32_MAX;
    if (shard_head(s)->tokenizer_len) {
        size_t len;
        free(shard_tokenizer(shard_head(s), path, &len, &e));
    }
    while ((r = next(s, &d, &e)) > 0) {
        for (size_t i = 0; i < d.n; i++) {
            assert(d.ids[i] < limit);
            sum += d.weights ? d.weights[i] : 0;
        }
        n_docs += d.last;
        n_tokens += d.n;
    }
    assert(sum <= 255 * n_tokens);
    assert(r == 0 || e.msg[0]);
    shard_totals(s, t);
    assert(t->n_docs == n_docs && (r < 0 || t->n_tokens == n_tokens));
    shard_close(s);
    return r;
}

static void check(const uint8_t *p, size_t n)
{
    struct shard_totals whole = {0}, pieces = {0}, footers = {0};
    struct shard_head h;
    struct err e = {0};
    const char *path = fuzz_file(p, n);
    int r = read_all(path, shard_next, &whole);
    assert(read_all(path, shard_next_piece, &pieces) == r);
    if (r == 0)
        assert(!memcmp(&whole, &pieces, sizeof whole));
    int peeked = shard_peek(path, &h, &footers, &e);
    assert(peeked == 0 || e.msg[0]);
    if (peeked == 0)
        shard_head_release(&h);
    if (r == 0)
        assert(peeked == 0 && !memcmp(&whole, &footers, sizeof whole));
}

int fuzz_one(const uint8_t *p, size_t n)
{
    check(p, n);
    uint8_t *copy = malloc(n ? n : 1);
    assert(copy);
    memcpy(copy, p, n);
    mend(copy, n);
    check(copy, n);
    free(copy);
    return 0;
}
