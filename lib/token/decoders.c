/* Decoders: see decoders.h. */
#include "token/decoders.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "text/unicode.h"
#include "token/bytelevel.h"

struct decode_run {
    const struct decoders *d;
    bool raw, amid; /* amid: of a token that is neither the first nor the last */
    uint64_t n_replaced;
    struct buf *out, made;
    struct stage {
        bool any;        /* a token has come */
        size_t stripped; /* characters that Strip took from a flow; SIZE_MAX: it takes no more */
        struct buf held;
        struct pattern_scan *scan;
        struct buf text; /* what it makes of the token at hand */
    } * stage;
};

static int push(struct decode_run *r, size_t i, const char *s, size_t n, struct err *e);

struct decode_run *decode_run_new(const struct decoders *d, bool raw, struct err *e)
{
    struct decode_run *r = mem_new(1, sizeof *r, e);
    if (!r || !(r->stage = mem_new(d->n, sizeof *r->stage, e))) {
        free(r);
        return NULL;
    }
    r->d = d;
    r->raw = raw;
    for (size_t i = 0; i < d->n; i++)
        r->stage[i].held = r->stage[i].text = (struct buf)BUF_INIT;
    for (size_t i = 0; i < d->n; i++)
        if (d->v[i].pattern && !(r->stage[i].scan = pattern_scan_new(d->v[i].pattern, e))) {
            decode_run_free(r);
            return NULL;
        }
    return r;
}

void decode_run_free(struct decode_run *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->d->n; i++) {
        buf_release(&r->stage[i].held);
        buf_release(&r->stage[i].text);
        pattern_scan_free(r->stage[i].scan);
    }
    free(r->stage);
    free(r);
}

uint64_t decode_run_replaced(const struct decode_run *r)
{
    return r->n_replaced;
}

/* ---- single steps: the token s becomes stage->text, or goes on as it is */

/* All `what` in the text become `by`; by is no longer. */
static void replace_all(struct buf *b, const char *what, const char *by)
{
    const size_t n = strlen(what), n_by = strlen(by);
    size_t k = 0;
    for (size_t i = 0; i < b->len;) {
        if (b->len - i >= n && memcmp(b->s + i, what, n) == 0) {
            memmove(b->s + k, by, n_by);
            k += n_by;
            i += n;
        } else {
            b->s[k++] = b->s[i++];
        }
    }
    b->len = k;
    b->s[k] = 0;
}

static void clean_up(struct buf *b)
{
    static const char *const rules[][2] = {
        {" .", "."},   {" ?", "?"},     {" !", "!"},     {" ,", ","},
        {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},   {" do not", " don't"},
        {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        replace_all(b, rules[i][0], rules[i][1]);
}

static int wordpiece(const struct decode_step *d, struct stage *st, const char *s, size_t n,
                     struct err *e)
{
    if (st->any) {
        if (n >= d->n && memcmp(s, d->s, d->n) == 0) {
            s += d->n;
            n -= d->n;
        } else if (buf_putc(&st->text, ' ', e) < 0) {
            return -1;
        }
    }
    if (buf_add(&st->text, s, n, e) < 0)
        return -1;
    if (d->cleanup && st->text.len)
        clean_up(&st->text);
    return 0;
}

/* All of `what` in s become by. */
static int put_replaced(struct buf *out, const char *s, size_t n, const char *what, size_t n_what,
                        const char *by, struct err *e)
{
    size_t done = 0;
    for (size_t i = 0; n_what && n - i >= n_what && i < n;) {
        if (memcmp(s + i, what, n_what) != 0) {
            i++;
            continue;
        }
        if (buf_add(out, s + done, i - done, e) < 0 || buf_puts(out, by, e) < 0)
            return -1;
        done = i += n_what;
    }
    return buf_add(out, s + done, n - done, e);
}

static int replace(const struct decode_step *d, struct stage *st, const char *s, size_t n,
                   struct err *e)
{
    size_t done = 0, from, to;
    int r;
    if (utf8_valid(s, n) != n) /* bytes as they are: nothing is to be found in them */
        return buf_add(&st->text, s, n, e);
    if (pattern_begin(st->scan, s, n, e) < 0)
        return -1;
    while ((r = pattern_next(st->scan, &from, &to, e)) > 0) {
        if (buf_add(&st->text, s + done, from - done, e) < 0 ||
            buf_add(&st->text, d->s, d->n, e) < 0)
            return -1;
        done = to;
    }
    return r < 0 ? -1 : buf_add(&st->text, s + done, n - done, e);
}

static bool begins(const struct decode_step *d, const char *s, size_t n)
{
    return n >= d->n && memcmp(s, d->s, d->n) == 0;
}

/* The reference stops at the first other character. */
static int strip(const struct decode_step *d, struct stage *st, const char *s, size_t n,
                 struct err *e)
{
    size_t k = d->flows ? st->stripped : 0;
    for (; k < d->start && begins(d, s, n); k++) {
        s += d->n;
        n -= d->n;
    }
    st->stripped = n ? SIZE_MAX : k;
    for (k = 0; k < d->stop && n >= d->n && begins(d, s + n - d->n, d->n); k++)
        n -= d->n;
    return buf_add(&st->text, s, n, e);
}

/* Of equal tokens beside each other one goes on, without the padding. */
static int ctc(struct decode_run *r, size_t i, const char *s, size_t n, struct err *e)
{
    const struct decode_step *d = &r->d->v[i];
    struct stage *st = &r->stage[i];
    struct buf *last = &st->held;
    if (st->any && last->len == n && memcmp(last->s, s, n) == 0)
        return 0;
    buf_clear(last);
    if (buf_add(last, s, n, e) < 0 || put_replaced(&st->text, s, n, d->s, d->n, "", e) < 0)
        return -1;
    st->any = true;
    if (d->cleanup && st->text.len) {
        clean_up(&st->text);
        const size_t n_clean = st->text.len; /* what it becomes is put behind it first */
        if (buf_reserve(&st->text, n_clean, e) < 0 ||
            put_replaced(&st->text, st->text.s, n_clean, d->word, d->n_word, " ", e) < 0)
            return -1;
        st->text.len -= n_clean;
        memmove(st->text.s, st->text.s + n_clean, st->text.len);
    }
    return st->text.len ? push(r, i + 1, st->text.s, st->text.len, e) : 0;
}

/* ---- steps that hold back */

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 87 : -1;
}

/* The byte of <0x0A>, -1 for any other token; u8::from_str_radix takes a sign too. */
static int byte_of(const char *s, size_t n)
{
    if (n != 6 || memcmp(s, "<0x", 3) != 0 || s[5] != '>' || hex(s[4]) < 0)
        return -1;
    if (s[3] == '+')
        return hex(s[4]);
    return hex(s[3]) < 0 ? -1 : 16 * hex(s[3]) + hex(s[4]);
}

/* Bytes that are not characters as a whole are U+FFFD each. */
static int flush_bytes(struct decode_run *r, size_t i, struct err *e)
{
    struct buf *held = &r->stage[i].held;
    const size_t n = held->len;
    int rc = 0;
    if (n == 0)
        return 0;
    if (utf8_valid(held->s, n) == n) {
        rc = push(r, i + 1, held->s, n, e);
    } else {
        r->n_replaced += n;
        for (size_t k = 0; k < n && rc == 0; k++)
            rc = push(r, i + 1, "\xef\xbf\xbd", 3, e);
    }
    buf_clear(held);
    return rc;
}

static int byte_fallback(struct decode_run *r, size_t i, const char *s, size_t n, struct err *e)
{
    const int byte = byte_of(s, n);
    if (byte < 0)
        return flush_bytes(r, i, e) < 0 ? -1 : push(r, i + 1, s, n, e);
    if (!r->raw)
        return buf_putc(&r->stage[i].held, byte, e);
    const char c = (char)byte;
    return push(r, i + 1, &c, 1, e);
}

/* The bytes that a token's characters stand for; as it is where one stands for none. */
static int byte_level(struct decode_run *r, size_t i, const char *s, size_t n, struct err *e)
{
    const struct decode_step *d = &r->d->v[i];
    struct stage *st = &r->stage[i];
    struct buf *to = r->raw && !d->holds ? &st->text : &st->held;
    if (buf_reserve(to, n, e) < 0)
        return -1;
    const long k = utf8_valid(s, n) == n ? bytelevel_bytes(to->s + to->len, s, n) : -1;
    if (k < 0)
        memcpy(to->s + to->len, s, n);
    to->len += k < 0 ? n : (size_t)k;
    if (to == &st->text)
        return push(r, i + 1, to->s, to->len, e);
    if (d->holds)
        return 0;
    const size_t tail = (size_t)utf8_partial_tail(to->s, to->len);
    const long n_replaced = utf8_replace(&st->text, to->s, to->len - tail, e);
    if (n_replaced < 0)
        return -1;
    r->n_replaced += (uint64_t)n_replaced;
    memmove(to->s, to->s + to->len - tail, tail);
    to->len = tail;
    return push(r, i + 1, st->text.s, st->text.len, e);
}

static int end_byte_level(struct decode_run *r, size_t i, struct err *e)
{
    struct stage *st = &r->stage[i];
    buf_clear(&st->text);
    if (r->raw)
        return st->held.len ? push(r, i + 1, st->held.s, st->held.len, e) : 0;
    const long n = utf8_replace(&st->text, st->held.s, st->held.len, e);
    if (n < 0)
        return -1;
    r->n_replaced += (uint64_t)n;
    buf_clear(&st->held);
    return st->text.len || r->d->v[i].holds ? push(r, i + 1, st->text.s, st->text.len, e) : 0;
}

/* A token waits for the next one: the last one's suffix gives nothing. */
static int put_bpe(struct decode_run *r, size_t i, const char *by, struct err *e)
{
    const struct decode_step *d = &r->d->v[i];
    struct stage *st = &r->stage[i];
    buf_clear(&st->text);
    if (put_replaced(&st->text, st->held.s, st->held.len, d->s, d->n, by, e) < 0)
        return -1;
    return push(r, i + 1, st->text.s, st->text.len, e);
}

static int bpe(struct decode_run *r, size_t i, const char *s, size_t n, struct err *e)
{
    struct stage *st = &r->stage[i];
    if (st->any && put_bpe(r, i, " ", e) < 0)
        return -1;
    buf_clear(&st->held);
    return buf_add(&st->held, s, n, e);
}

/* ---- the chain */

static int push(struct decode_run *r, size_t i, const char *s, size_t n, struct err *e)
{
    if (i == r->d->n)
        return buf_add(r->out, s, n, e);
    const struct decode_step *d = &r->d->v[i];
    struct stage *st = &r->stage[i];
    int rc = 0;
    buf_clear(&st->text);
    switch (d->kind) {
    case DEC_BYTE_LEVEL:
        return byte_level(r, i, s, n, e);
    case DEC_BYTE_FALLBACK:
        return byte_fallback(r, i, s, n, e);
    case DEC_FUSE:
        return d->holds ? buf_add(&st->held, s, n, e) : push(r, i + 1, s, n, e);
    case DEC_BPE:
        rc = bpe(r, i, s, n, e);
        st->any = true;
        return rc;
    case DEC_CTC:
        return ctc(r, i, s, n, e);
    case DEC_WORDPIECE:
        rc = wordpiece(d, st, s, n, e);
        break;
    case DEC_METASPACE:
        rc = put_replaced(&st->text, s, n, d->s, d->n, st->any || !d->prepends ? " " : "", e);
        break;
    case DEC_STRIP:
        rc = strip(d, st, s, n, e);
        break;
    case DEC_REPLACE:
        rc = replace(d, st, s, n, e);
        break;
    case DEC_JOIN:
        if (st->any)
            rc = buf_putc(&st->text, ' ', e);
        rc = rc < 0 ? rc : buf_add(&st->text, s, n, e);
    }
    st->any = true;
    return rc < 0 ? -1 : push(r, i + 1, st->text.s, st->text.len, e);
}

int decode_run_add(struct decode_run *r, const char *s, size_t n, struct buf *out, struct err *e)
{
    r->out = out;
    return push(r, 0, s, n, e);
}

int decode_run_end(struct decode_run *r, struct buf *out, struct err *e)
{
    r->out = out;
    for (size_t i = 0; i < r->d->n; i++) {
        const struct decode_step *d = &r->d->v[i];
        struct stage *st = &r->stage[i];
        int rc = 0;
        if (d->kind == DEC_BYTE_FALLBACK)
            rc = flush_bytes(r, i, e);
        else if (d->kind == DEC_BYTE_LEVEL)
            rc = end_byte_level(r, i, e);
        else if (d->kind == DEC_FUSE && d->holds)
            rc = push(r, i + 1, st->held.s, st->held.len, e);
        else if (d->kind == DEC_BPE && st->any)
            rc = put_bpe(r, i, r->amid ? " " : "", e);
        if (rc < 0)
            return -1;
    }
    return 0;
}

int decode_run_one(struct decode_run *r, const char *s, size_t n, struct buf *out, struct err *e)
{
    r->amid = true;
    for (size_t i = 0; i < r->d->n; i++) {
        buf_clear(&r->stage[i].held);
        r->stage[i].any = r->d->v[i].kind != DEC_BPE;
        r->stage[i].stripped = SIZE_MAX;
    }
    return decode_run_add(r, s, n, out, e) < 0 ? -1 : decode_run_end(r, out, e);
}
