/* Heads of shards: tokenizers compared and unpacked, what may follow what. */
#include "quern/shard.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/hash.h"
#include "base/le.h"
#include "base/mem.h"
#include "shard/shard_int.h"

bool shard_has_fingerprint(const struct shard_head *h)
{
    for (size_t i = 0; i < sizeof h->fingerprint; i++) {
        if (h->fingerprint[i])
            return true;
    }
    return false;
}

void shard_fingerprint_hex(char out[33], const unsigned char fingerprint[16])
{
    hash128_hex(out,
                (struct hash128){.lo = le64_get(fingerprint), .hi = le64_get(fingerprint + 8)});
}

int shard_same_tokenizer(const struct shard_head *a, const char *name_a, const struct shard_head *b,
                         const char *name_b, struct err *e)
{
    char hex_a[33], hex_b[33];
    if (!shard_has_fingerprint(a) || !shard_has_fingerprint(b) ||
        !memcmp(a->fingerprint, b->fingerprint, sizeof a->fingerprint))
        return 0;
    shard_fingerprint_hex(hex_a, a->fingerprint);
    shard_fingerprint_hex(hex_b, b->fingerprint);
    return err_set(e, "%s and %s were made with different tokenizers (fingerprints %s and %s)",
                   name_a, name_b, hex_a, hex_b);
}

int shard_may_follow(const struct shard_head *first, const struct shard_head *h, struct err *e)
{
    if (shard_same_tokenizer(first, "the segments before", h, "the one that begins here", e) < 0)
        return -1;
    if (shard_has_fingerprint(h) && !shard_has_fingerprint(first))
        return err_set(e, "a segment made with a tokenizer behind one made without; join them with "
                          "'shard cat', or the other way round");
    if (h->has_weights && !first->has_weights)
        return err_set(e, "a segment with weights behind one without; join them with 'shard cat', "
                          "or the other way round");
    return 0;
}

char *shard_tokenizer(const struct shard_head *h, const char *name, size_t *len, struct err *e)
{
    if (h->tokenizer)
        return *len = h->tokenizer_len, mem_dup(h->tokenizer, h->tokenizer_len, e);
    if (h->tokenizer_len == 0) {
        err_set(e, "%s: no tokenizer is embedded; name one with -t", name);
        return NULL;
    }
    /* zlib's best is 1032:1, so what claims more is a lie and gets no memory. */
    if (!h->tokenizer_raw && h->tokenizer_len / 1032 > h->tokenizer_z_len) {
        err_set(e, "%s: the embedded tokenizer is corrupt", name);
        return NULL;
    }
    if (h->tokenizer_raw)
        return *len = h->tokenizer_len, mem_dup(h->tokenizer_z, h->tokenizer_len, e);
    char *json = mem_new(h->tokenizer_len + 1, 1, e);
    if (!json)
        return NULL;
    uLongf n = (uLongf)h->tokenizer_len;
    uLong n_z = (uLong)h->tokenizer_z_len;
    if (uncompress2((unsigned char *)json, &n, h->tokenizer_z, &n_z) != Z_OK ||
        n != h->tokenizer_len || n_z != h->tokenizer_z_len) {
        err_set(e, "%s: the embedded tokenizer is corrupt", name);
        free(json);
        return NULL;
    }
    *len = h->tokenizer_len;
    return json;
}

void shard_head_release(struct shard_head *h)
{
    free((char *)h->provenance);
    free((unsigned char *)h->tokenizer_z);
    *h = (struct shard_head){.provenance = NULL};
}
