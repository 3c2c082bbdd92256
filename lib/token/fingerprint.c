/* The fingerprint of a tokenizer, as shard(5) specifies it: XXH3-128 of a serialisation. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/le.h"
#include "token/token_int.h"

static int put32(struct buf *b, uint32_t v, struct err *e)
{
    unsigned char p[4];
    le32_put(p, v);
    return buf_add(b, p, 4, e);
}

static int put64(struct buf *b, uint64_t v, struct err *e)
{
    unsigned char p[8];
    le64_put(p, v);
    return buf_add(b, p, 8, e);
}

static int put_string(struct buf *b, const char *s, size_t n, struct err *e)
{
    return put32(b, (uint32_t)n, e) < 0 ? -1 : buf_add(b, s, n, e);
}

/* A record: tag, length, payload; the payload comes between the two calls. */
static int begin(struct buf *b, const char *tag, size_t *at, struct err *e)
{
    if (buf_add(b, tag, 4, e) < 0 || put64(b, 0, e) < 0)
        return -1;
    *at = b->len;
    return 0;
}

static void end(struct buf *b, size_t at)
{
    le64_put((unsigned char *)b->s + at - 8, b->len - at);
}

/* ---- canonical JSON */

struct member {
    size_t key_at, value_at; /* in the object's buffer, */
    const char *key, *value; /* and where that is when it is complete */
    size_t key_len, value_len, order;
};

static int by_key(const void *x, const void *y)
{
    const struct member *a = x, *b = y;
    size_t n = a->key_len < b->key_len ? a->key_len : b->key_len;
    int c = memcmp(a->key, b->key, n);
    if (c == 0)
        c = (a->key_len > b->key_len) - (a->key_len < b->key_len);
    return c ? c : (a->order > b->order) - (a->order < b->order);
}

static int canon_string(const struct jscan *j, struct buf *out, struct err *e)
{
    struct buf text = BUF_INIT;
    int rc = jscan_string(j, false, &text, e);
    if (rc == 0)
        rc = buf_putc(out, '"', e);
    for (size_t i = 0; i < text.len && rc == 0; i++) {
        unsigned char c = (unsigned char)text.s[i];
        if (c < 0x20)
            rc = buf_printf(out, e, "\\u00%02x", c);
        else if ((c != '"' && c != '\\') || (rc = buf_putc(out, '\\', e)) == 0)
            rc = buf_putc(out, c, e);
    }
    if (rc == 0)
        rc = buf_putc(out, '"', e);
    buf_release(&text);
    return rc;
}

static int canon(struct jscan *j, enum jscan_type type, struct buf *out, struct err *e);

static int canon_array(struct jscan *j, struct buf *out, struct err *e)
{
    enum jscan_type type;
    bool first = true;
    if (buf_putc(out, '[', e) < 0)
        return -1;
    while ((type = jscan_next(j)) != JSCAN_END) {
        if ((!first && buf_putc(out, ',', e) < 0) || canon(j, type, out, e) < 0)
            return -1;
        first = false;
    }
    return buf_putc(out, ']', e);
}

/* Members are written to a buffer of their own, then in order of their keys. */
static int canon_object(struct jscan *j, struct buf *out, struct err *e)
{
    struct buf text = BUF_INIT;
    struct member *v = NULL;
    size_t n = 0, cap = 0;
    enum jscan_type type;
    int rc = -1;
    bool first = true;
    while ((type = jscan_next(j)) == JSCAN_KEY) {
        struct member m = {.key_at = text.len, .order = n};
        if (mem_grow(&v, &cap, n + 1, sizeof *v, e) < 0 || canon_string(j, &text, e) < 0)
            goto end;
        m.key_len = text.len - m.key_at;
        m.value_at = text.len;
        if (canon(j, jscan_next(j), &text, e) < 0)
            goto end;
        m.value_len = text.len - m.value_at;
        v[n++] = m;
    }
    if (type != JSCAN_END) {
        jscan_err(j, e);
        goto end;
    }
    for (size_t i = 0; i < n; i++) {
        v[i].key = text.s + v[i].key_at + 1; /* without its quotes */
        v[i].key_len -= 2;
        v[i].value = text.s + v[i].value_at;
    }
    if (n)
        qsort(v, n, sizeof *v, by_key);
    if (buf_putc(out, '{', e) < 0)
        goto end;
    for (size_t i = 0; i < n; i++) {
        if (i + 1 < n && v[i].key_len == v[i + 1].key_len &&
            memcmp(v[i].key, v[i + 1].key, v[i].key_len) == 0)
            continue;
        if ((!first && buf_putc(out, ',', e) < 0) ||
            buf_add(out, v[i].key - 1, v[i].key_len + 2, e) < 0 || buf_putc(out, ':', e) < 0 ||
            buf_add(out, v[i].value, v[i].value_len, e) < 0)
            goto end;
        first = false;
    }
    rc = buf_putc(out, '}', e);
end:
    free(v);
    buf_release(&text);
    return rc;
}

static int canon(struct jscan *j, enum jscan_type type, struct buf *out, struct err *e)
{
    switch (type) {
    case JSCAN_OBJECT:
        return canon_object(j, out, e);
    case JSCAN_ARRAY:
        return canon_array(j, out, e);
    case JSCAN_STRING:
        return canon_string(j, out, e);
    case JSCAN_NUMBER:
        return buf_add(out, j->str, j->len, e);
    case JSCAN_TRUE:
        return buf_puts(out, "true", e);
    case JSCAN_FALSE:
        return buf_puts(out, "false", e);
    case JSCAN_NULL:
        return buf_puts(out, "null", e);
    default:
        return jscan_err(j, e);
    }
}

static int put_json(struct buf *b, const char *tag, const struct tokenizer *t, struct value v,
                    struct err *e)
{
    struct jscan j;
    size_t at;
    if (begin(b, tag, &at, e) < 0)
        return -1;
    if (v.n == 0) {
        if (buf_puts(b, "null", e) < 0)
            return -1;
    } else {
        value_scan(t, v, &j);
        if (canon(&j, jscan_next(&j), b, e) < 0)
            return -1;
    }
    end(b, at);
    return 0;
}

/* ---- the parts */

static int by_id(const void *x, const void *y)
{
    const struct token *a = *(const struct token *const *)x, *b = *(const struct token *const *)y;
    if (a->id != b->id)
        return a->id < b->id ? -1 : 1;
    int c = memcmp(a->s, b->s, a->len < b->len ? a->len : b->len);
    return c ? c : (a->len > b->len) - (a->len < b->len);
}

static int put_token(struct buf *b, const struct token *k, struct err *e)
{
    if (buf_reserve(b, 8 + (size_t)k->len, e) < 0)
        return -1;
    unsigned char *p = (unsigned char *)b->s + b->len;
    le32_put(p, k->id);
    le32_put(p + 4, k->len);
    memcpy(p + 8, k->s, k->len);
    b->len += 8 + (size_t)k->len;
    return 0;
}

/* Where several strings have one id, all are sorted; else the table by ids is the order. */
static int put_vocab(struct buf *b, const struct vocab *v, struct err *e)
{
    size_t n_ids = 0, n = 0, at;
    int rc = 0;
    if (begin(b, "voca", &at, e) < 0)
        return -1;
    for (uint32_t id = 0; id < v->id_bound; id++)
        n_ids += v->by_id[id] != 0;
    if (n_ids == v->n - v->n_dropped) {
        for (uint32_t id = 0; id < v->id_bound && rc == 0; id++)
            if (v->by_id[id])
                rc = put_token(b, vocab_token(v, id), e);
    } else {
        const struct token **all = mem_new(v->n, sizeof *all, e);
        if (!all)
            return -1;
        for (size_t i = 0; i < v->n; i++)
            if (vocab_place(v, v->v[i].s, v->v[i].len) == (int64_t)i)
                all[n++] = &v->v[i];
        qsort(all, n, sizeof *all, by_id);
        for (size_t i = 0; i < n && rc == 0; i++)
            rc = put_token(b, all[i], e);
        free(all);
    }
    end(b, at);
    return rc;
}

static int put_merges(struct buf *b, const struct tokenizer *t, struct err *e)
{
    size_t at;
    if (begin(b, "merg", &at, e) < 0 || buf_reserve(b, t->n_merges * 8, e) < 0)
        return -1;
    unsigned char *p = (unsigned char *)b->s + b->len;
    for (size_t i = 0; i < t->n_merges; i++, p += 8) {
        le32_put(p, t->merges[i][0]);
        le32_put(p + 4, t->merges[i][1]);
    }
    b->len += t->n_merges * 8;
    end(b, at);
    return 0;
}

static int put_scores(struct buf *b, const struct tokenizer *t, struct err *e)
{
    size_t at;
    if (begin(b, "scor", &at, e) < 0)
        return -1;
    for (size_t i = 0; t->score && i < t->vocab.n; i++) {
        uint64_t bits;
        memcpy(&bits, &t->score[i], sizeof bits);
        if (put64(b, bits, e) < 0)
            return -1;
    }
    end(b, at);
    return 0;
}

static int put_settings(struct buf *b, const struct model_settings *s, struct err *e)
{
    size_t at;
    uint32_t bits =
        (uint32_t)s->byte_fallback | (uint32_t)s->fuse_unk << 1 | (uint32_t)s->ignore_merges << 2;
    if (begin(b, "sett", &at, e) < 0 || put64(b, (uint64_t)s->unk, e) < 0 ||
        put32(b, bits, e) < 0 || put32(b, 0, e) < 0 || put64(b, s->max_chars, e) < 0 ||
        put_string(b, s->prefix.s, s->prefix.len, e) < 0 ||
        put_string(b, s->suffix.s, s->suffix.len, e) < 0)
        return -1;
    end(b, at);
    return 0;
}

static int added_by_id(const void *x, const void *y)
{
    const struct added_token *a = *(const struct added_token *const *)x,
                             *b = *(const struct added_token *const *)y;
    return a->id != b->id ? (a->id < b->id ? -1 : 1) : a < b ? -1 : a > b;
}

static int put_added(struct buf *b, const struct added *added, struct err *e)
{
    size_t at;
    const struct added_token **all = mem_new(added->n, sizeof *all, e);
    int rc = all ? begin(b, "addt", &at, e) : -1;
    if (rc < 0)
        goto end;
    for (size_t i = 0; i < added->n; i++)
        all[i] = &added->v[i];
    if (added->n)
        qsort(all, added->n, sizeof *all, added_by_id);
    for (size_t i = 0; i < added->n && rc == 0; i++) {
        const struct added_token *a = all[i];
        uint32_t bits = (uint32_t)a->special | (uint32_t)a->lstrip << 1 | (uint32_t)a->rstrip << 2 |
                        (uint32_t)a->normalized << 3 | (uint32_t)a->single_word << 4;
        rc = put32(b, a->id, e) < 0 || put32(b, bits, e) < 0 ? -1 : put_string(b, a->s, a->len, e);
    }
    end(b, at);
end:
    free(all);
    return rc;
}

static int serialise(const struct tokenizer *t, struct buf *b, struct err *e)
{
    size_t at;
    if (begin(b, "vers", &at, e) < 0 || put32(b, 1, e) < 0)
        return -1;
    end(b, at);
    if (begin(b, "modl", &at, e) < 0 || buf_puts(b, t->type, e) < 0)
        return -1;
    end(b, at);
    if (put_vocab(b, &t->vocab, e) < 0 || put_merges(b, t, e) < 0 || put_scores(b, t, e) < 0 ||
        put_settings(b, &t->settings, e) < 0)
        return -1;
    if (put_json(b, "norm", t, t->normalizer, e) < 0 ||
        put_json(b, "spli", t, t->pre_tokenizer, e) < 0 ||
        put_json(b, "deco", t, t->decoder, e) < 0)
        return -1;
    return put_added(b, &t->added, e);
}

int tokenizer_fingerprint(const struct tokenizer *t, unsigned char out[16], struct err *e)
{
    struct buf b = BUF_INIT;
    if (!(t->uses & TOKENIZER_FINGERPRINTS))
        return err_set(e, "%s: the tokenizer was opened without what a fingerprint needs", t->name);
    int rc = serialise(t, &b, e);
    if (rc == 0) {
        struct hash128 h = hash128(b.s, b.len);
        le64_put(out, h.lo);
        le64_put(out + 8, h.hi);
    }
    buf_release(&b);
    return rc;
}
