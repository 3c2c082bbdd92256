/* Decoding: ids to bytes, and bytes to whole characters. */
#include <string.h>

#include "base/compiler.h"
#include "base/utf8.h"
#include "token/general.h"

void decoder_init(struct decoder *d, const struct tokenizer *t, int flags)
{
    *d = (struct decoder){.t = t, .flags = flags};
}

/* Valid characters as they are, ill-formed subparts as U+FFFD; what may still become a character
 * is held back. */
static int add_bytes(struct decoder *d, const char *s, size_t n, struct buf *out, struct err *e)
{
    struct buf joined = BUF_INIT;
    int rc = -1;
    if (d->n_held) {
        if (buf_add(&joined, d->held, (size_t)d->n_held, e) < 0 || buf_add(&joined, s, n, e) < 0)
            goto end;
        s = joined.s;
        n = joined.len;
    }
    size_t tail = (size_t)utf8_partial_tail(s, n);
    long n_replaced = utf8_replace(out, s, n - tail, e);
    if (n_replaced < 0)
        goto end;
    d->n_replaced += (uint64_t)n_replaced;
    memcpy(d->held, s + n - tail, tail);
    d->n_held = (int)tail;
    rc = 0;
end:
    buf_release(&joined);
    return rc;
}

/* Other decoders than ByteLevel's. */
static int add_general(struct decoder *d, uint32_t id, struct buf *out, struct err *e)
{
    size_t n;
    const char *s = tokenizer_spelled(d->t, id, &n);
    if (!d->run && !(d->run = decode_run_new(&d->t->general->decoders, d->flags & DECODE_BYTES, e)))
        return -1;
    return decode_run_add(d->run, s, n, out, e);
}

void decoder_release(struct decoder *d)
{
    decode_run_free(d->run);
    d->run = NULL;
}

int decoder_add(struct decoder *d, uint32_t id, struct buf *out, struct err *e)
{
    size_t n;
    const char *s = tokenizer_bytes(d->t, id, &n);
    if (!s)
        return err_set(e, "the id %lu is no token of the tokenizer", (unsigned long)id);
    if (d->flags & DECODE_SKIP_SPECIAL && tokenizer_is_special(d->t, id))
        return 0;
    if (d->t->general)
        return add_general(d, id, out, e);
    if (d->flags & DECODE_BYTES)
        return buf_add(out, s, n, e);
    if (d->n_held == 0 && n > 0 && (unsigned char)s[n - 1] < 0x80 && utf8_valid(s, n) == n)
        return buf_add(out, s, n, e);
    return add_bytes(d, s, n, out, e);
}

/* A token that is long or special, or none. */
static NO_INLINE int add_long(const struct decoder *d, uint32_t id, struct buf *out, struct err *e)
{
    const struct id_bytes k = id < d->t->n_ids ? d->t->bytes[id] : (struct id_bytes){0};
    if (!k.s)
        return err_set(e, "the id %lu is no token of the tokenizer", (unsigned long)id);
    return d->flags & DECODE_SKIP_SPECIAL && k.special ? 0 : buf_add(out, k.s, k.len, e);
}

/* The bytes of ids that go out as they are: short tokens, nearly all, by one copy of fixed length.
 */
static int add_plain(const struct decoder *d, const uint32_t *ids, size_t n, struct buf *out,
                     struct err *e)
{
    enum { SHORT = 16, MANY = 512 };
    const struct short_bytes *table = d->t->shorts;
    const uint32_t n_ids = d->t->n_ids; /* of which the table has one more, which is none */
    for (size_t from = 0, to; from < n; from = to) {
        to = n - from < MANY ? n : from + MANY;
        if (buf_reserve(out, (to - from) * SHORT, e) < 0)
            return -1;
        char *p = out->s + out->len;
        for (size_t i = from; i < to; i++) {
            const struct short_bytes *k = &table[ids[i] < n_ids ? ids[i] : n_ids];
            if (UNLIKELY(k->len == SHORT_NONE)) {
                out->len = (size_t)(p - out->s);
                if (add_long(d, ids[i], out, e) < 0 || buf_reserve(out, (to - i) * SHORT, e) < 0)
                    return -1;
                p = out->s + out->len;
                continue;
            }
            memcpy(p, k, SHORT); /* the length with it, which the next token overwrites */
            p += k->len;
        }
        out->len = (size_t)(p - out->s);
        out->s[out->len] = '\0';
    }
    return 0;
}

int decoder_add_many(struct decoder *d, const uint32_t *ids, size_t n, struct buf *out,
                     struct err *e)
{
    if (d->t->general) {
        for (size_t i = 0; i < n; i++)
            if (decoder_add(d, ids[i], out, e) < 0)
                return -1;
        return 0;
    }
    if (d->flags & DECODE_BYTES)
        return add_plain(d, ids, n, out, e);
    struct buf bytes = BUF_INIT;
    int rc = add_plain(d, ids, n, &bytes, e);
    if (rc == 0)
        rc = add_bytes(d, bytes.s, bytes.len, out, e);
    buf_release(&bytes);
    return rc;
}

int decoder_end(struct decoder *d, struct buf *out, struct err *e)
{
    long n = d->n_held ? utf8_replace(out, d->held, (size_t)d->n_held, e) : 0;
    d->n_held = 0;
    if (d->run) {
        n = decode_run_end(d->run, out, e) < 0 ? -1 : (long)decode_run_replaced(d->run);
        decoder_release(d);
    }
    if (n < 0)
        return -1;
    d->n_replaced += (uint64_t)n;
    return 0;
}
