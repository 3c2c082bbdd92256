/* Added tokens: see added.h. */
#include "token/added.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "quern/tokenizer.h"
#include "text/unicode.h"

/* A trie; children of a node are a list in no order. Node 0 is the root. */
struct finder_node {
    uint32_t child, sibling; /* 0: none */
    uint32_t value;          /* + 1; 0: no string ends here */
    unsigned char byte;
};

void finder_init(struct finder *f)
{
    memset(f, 0, sizeof *f);
    f->only = -2;
}

void finder_release(struct finder *f)
{
    free(f->nodes);
    finder_init(f);
}

static int new_node(struct finder *f, unsigned char byte, struct err *e)
{
    if (f->n == UINT32_MAX || mem_grow(&f->nodes, &f->cap, f->n + 1, sizeof *f->nodes, e) < 0)
        return -1;
    f->nodes[f->n++] = (struct finder_node){.byte = byte};
    return 0;
}

static uint32_t child_of(const struct finder *f, uint32_t node, unsigned char byte)
{
    uint32_t k = f->nodes[node].child;
    while (k && f->nodes[k].byte != byte)
        k = f->nodes[k].sibling;
    return k;
}

int finder_add(struct finder *f, const char *s, size_t n, uint32_t value, struct err *e)
{
    const unsigned char *p = (const unsigned char *)s;
    uint32_t at = 0;
    if (n == 0)
        return 0;
    if (f->n == 0 && new_node(f, 0, e) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        uint32_t k = child_of(f, at, p[i]);
        if (!k) {
            if (new_node(f, p[i], e) < 0)
                return -1;
            k = (uint32_t)(f->n - 1);
            f->nodes[k].sibling = f->nodes[at].child;
            f->nodes[at].child = k;
        }
        at = k;
    }
    if (f->nodes[at].value)
        return 1;
    f->nodes[at].value = value + 1;
    f->only = f->only == -2 || f->only == p[0] ? p[0] : -1;
    f->first[p[0]] = true;
    for (unsigned b = n > 1 ? p[1] : 0, last = n > 1 ? p[1] : 255; b <= last; b++) {
        unsigned pair = (unsigned)p[0] << 8 | b;
        f->pair[pair >> 6] |= UINT64_C(1) << (pair & 63);
    }
    return 0;
}

/* The longest string at s[i..n), or false. */
static bool longest_at(const struct finder *f, const unsigned char *s, size_t i, size_t n,
                       size_t *len, uint32_t *value)
{
    uint32_t at = 0, found = 0;
    for (size_t k = i; k < n && (at = child_of(f, at, s[k])) != 0; k++)
        if (f->nodes[at].value) {
            found = f->nodes[at].value;
            *len = k + 1 - i;
        }
    *value = found - 1;
    return found != 0;
}

bool finder_next(const struct finder *f, const char *s, size_t from, size_t n, size_t *at,
                 size_t *len, uint32_t *value)
{
    const unsigned char *p = (const unsigned char *)s;
    if (f->only == -2)
        return false;
    for (size_t i = from; i < n; i++) {
        if (f->only >= 0) {
            const unsigned char *q = memchr(p + i, f->only, n - i);
            if (!q)
                return false;
            i = (size_t)(q - p);
        } else {
            while (i < n && !f->first[p[i]])
                i++;
            if (i == n)
                return false;
        }
        unsigned pair = (unsigned)p[i] << 8 | (i + 1 < n ? p[i + 1] : 0);
        if (i + 1 < n && !(f->pair[pair >> 6] >> (pair & 63) & 1))
            continue;
        if (longest_at(f, p, i, n, len, value)) {
            *at = i;
            return true;
        }
    }
    return false;
}

void added_init(struct added *a)
{
    memset(a, 0, sizeof *a);
    finder_init(&a->raw);
    finder_init(&a->normalized);
}

void added_release(struct added *a)
{
    finder_release(&a->raw);
    finder_release(&a->normalized);
    free(a->v);
    a->v = NULL;
    a->n = a->cap = 0;
}

static uint32_t char_before(const char *s, size_t p, size_t *from)
{
    unsigned len;
    do
        p--;
    while (p > 0 && ((unsigned char)s[p] & 0xc0) == 0x80);
    *from = p;
    return uni_decode((const unsigned char *)s + p, &len);
}

static size_t spaces_before(const char *s, size_t p, size_t least)
{
    size_t q;
    while (p > least && uni_bit(char_before(s, p, &q)) & UNI_SPACES)
        p = q;
    return p;
}

static size_t spaces_after(const char *s, size_t p, size_t n)
{
    unsigned len;
    while (p < n && uni_bit(uni_decode((const unsigned char *)s + p, &len)) & UNI_SPACES)
        p += len;
    return p;
}

/* Whether s[from..to) touches the word before or after it. */
static bool within_word(const char *s, size_t n, size_t from, size_t to)
{
    size_t q;
    unsigned len;
    return (from > 0 && uni_props(char_before(s, from, &q)) & UNI_WORD) ||
           (to < n && uni_props(uni_decode((const unsigned char *)s + to, &len)) & UNI_WORD);
}

bool added_next(const struct added *a, const struct finder *f, const char *s, size_t n, size_t *at,
                size_t to, size_t done, struct added_match *m)
{
    size_t from, len;
    uint32_t value;
    while (finder_next(f, s, *at, to, &from, &len, &value)) {
        const struct added_token *t = &a->v[value];
        *at = from + len;
        if (t->single_word && within_word(s, n, from, from + len))
            continue;
        m->token = t;
        /* spaces that the last match took stay with it, so that nothing may be left */
        m->from = !t->lstrip ? from : from > done ? spaces_before(s, from, done) : done;
        m->to = from + len;
        if (t->rstrip) /* what an earlier match took behind it is spaces */
            m->to = spaces_after(s, m->to < done ? done : m->to, n);
        if (m->from >= m->to)
            continue;
        return true;
    }
    return false;
}

bool added_next_outside(const struct added *a, const struct finder *f, const char *s, size_t n,
                        const struct text_span *literal, size_t n_literal, size_t *gap, size_t *at,
                        size_t done, struct added_match *m)
{
    for (;;) {
        while (*gap < n_literal && literal[*gap].to <= *at)
            ++*gap;
        size_t to = n;
        if (*gap < n_literal) {
            if (literal[*gap].from <= *at) {
                *at = literal[*gap].to;
                continue;
            }
            to = literal[*gap].from;
        }
        if (added_next(a, f, s, n, at, to, done, m))
            return true;
        if (to == n)
            return false;
        *at = to;
    }
}
