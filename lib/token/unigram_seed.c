/*
 * Seed pieces of Unigram: SentencePiece takes the inner nodes of the words' suffix tree, that is
 * the substrings that are followed by different characters, by how often they occur times their
 * length. No piece is longer than max_piece_chars, so it is enough to sort the suffixes by one
 * character more; a word's end differs from all else, also from another end.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "text/unicode.h"
#include "token/unigram_int.h"

enum { MARK = 0x2581, SMALL = 12, END = 0 };

struct seeds {
    struct unigram *u;
    uint32_t *text;  /* code points of all words, an END behind each */
    uint32_t *at;    /* of each code point, its place in bytes */
    uint32_t *word;  /* and its word */
    uint32_t *order; /* suffixes */
    size_t n;
    uint32_t depth;
    struct candidate {
        uint64_t weight;
        uint32_t at, n_chars;
    } * found;
    size_t n_found, cap;
};

/* ---- what may be a piece */

/* Scripts, by their blocks; 0: none of its own, as digits, signs and marks. */
static uint32_t script_of(uint32_t cp)
{
    static const struct {
        uint32_t from, to, script;
    } blocks[] = {
        {0x41, 0x24f, 1},    {0x1e00, 0x1eff, 1},   {0x2c60, 0x2c7f, 1},   {0xa720, 0xa7ff, 1},
        {0xab30, 0xab64, 1}, {0xff21, 0xff5a, 1},   {0x370, 0x3ff, 2},     {0x1f00, 0x1fff, 2},
        {0x400, 0x52f, 3},   {0x1c80, 0x1c8f, 3},   {0x2de0, 0x2dff, 3},   {0xa640, 0xa69f, 3},
        {0x590, 0x5ff, 4},   {0x600, 0x6ff, 5},     {0x750, 0x77f, 5},     {0x8a0, 0x8ff, 5},
        {0xfb50, 0xfdff, 5}, {0xfe70, 0xfeff, 5},   {0x1100, 0x11ff, 6},   {0x3130, 0x318f, 6},
        {0xac00, 0xd7ff, 6}, {0x2e80, 0x2fdf, 7},   {0x3005, 0x3007, 7},   {0x3040, 0x30ff, 7},
        {0x31f0, 0x31ff, 7}, {0x3400, 0x4dbf, 7},   {0x4e00, 0x9fff, 7},   {0xf900, 0xfaff, 7},
        {0xff66, 0xff9f, 7}, {0x1b000, 0x1b16f, 7}, {0x20000, 0x3ffff, 7},
    };
    if (!(uni_bit(cp) & UNI_LETTERS))
        return 0;
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        if (cp >= blocks[i].from && cp <= blocks[i].to)
            return blocks[i].script;
    return 0x100 + (cp >> 7);
}

/* SentencePiece: a space only first; letters of one script, and not together with others. Marks
 * go with what they stand on. */
static bool is_piece(const uint32_t *s, uint32_t n, bool split_digits)
{
    uint32_t script = UINT32_MAX;
    for (uint32_t i = 0; i < n; i++) {
        if (split_digits && uni_bit(s[i]) & UNI_NUMBERS)
            return false;
        if (s[i] == MARK) {
            if (i)
                return false;
            continue;
        }
        uint32_t now = uni_bit(s[i]) & UNI_MARKS && script != UINT32_MAX ? script : script_of(s[i]);
        if (script != UINT32_MAX && now != script)
            return false;
        script = now;
    }
    return true;
}

/* ---- sorting */

static uint32_t char_at(const struct seeds *s, uint32_t suffix, uint32_t depth)
{
    return s->text[suffix + depth];
}

static int compare(const struct seeds *s, uint32_t a, uint32_t b, uint32_t depth)
{
    for (; depth < s->depth; depth++) {
        uint32_t x = char_at(s, a, depth), y = char_at(s, b, depth);
        if (x != y)
            return x < y ? -1 : 1;
        if (x == END)
            break;
    }
    return (a > b) - (a < b);
}

static void insertion(const struct seeds *s, uint32_t *v, size_t n, uint32_t depth)
{
    for (size_t i = 1; i < n; i++) {
        uint32_t x = v[i];
        size_t k = i;
        for (; k && compare(s, x, v[k - 1], depth) < 0; k--)
            v[k] = v[k - 1];
        v[k] = x;
    }
}

static uint32_t median(uint32_t a, uint32_t b, uint32_t c)
{
    return a < b ? (b < c ? b : a < c ? c : a) : (a < c ? a : b < c ? c : b);
}

/* Multikey quicksort (Bentley and Sedgewick 1997). The depth of the recursion is bounded by that of
 * the text and, as the largest third is done by the loop, the logarithm of n. */
static void sort(const struct seeds *s, uint32_t *v, size_t n, uint32_t depth)
{
    while (n > SMALL && depth < s->depth) {
        uint32_t p = median(char_at(s, v[0], depth), char_at(s, v[n / 2], depth),
                            char_at(s, v[n - 1], depth));
        size_t lo = 0, i = 0, hi = n;
        while (i < hi) {
            uint32_t c = char_at(s, v[i], depth), x = v[i];
            if (c < p) {
                v[i++] = v[lo];
                v[lo++] = x;
            } else if (c > p) {
                v[i] = v[--hi];
                v[hi] = x;
            } else {
                i++;
            }
        }
        size_t n_lo = lo, n_mid = hi - lo, n_hi = n - hi;
        if (n_mid >= n_lo && n_mid >= n_hi) {
            sort(s, v, n_lo, depth);
            sort(s, v + hi, n_hi, depth);
            v += lo;
            n = n_mid;
            if (p == END)
                return;
            depth++;
            continue;
        }
        if (p != END)
            sort(s, v + lo, n_mid, depth + 1);
        if (n_lo > n_hi) {
            sort(s, v + hi, n_hi, depth);
            n = n_lo;
        } else {
            sort(s, v, n_lo, depth);
            v += hi;
            n = n_hi;
        }
    }
    if (n <= SMALL)
        insertion(s, v, n, depth);
}

/* How many characters two suffixes share, at most s->depth; an end is shared with nothing. */
static uint32_t common(const struct seeds *s, uint32_t a, uint32_t b)
{
    uint32_t k = 0;
    while (k < s->depth && char_at(s, a, k) == char_at(s, b, k) && char_at(s, a, k) != END)
        k++;
    return k;
}

/* ---- substrings */

static int add(struct seeds *s, uint32_t suffix, uint32_t n_chars, uint64_t freq)
{
    if (n_chars < 2 || n_chars >= s->depth ||
        !is_piece(s->text + suffix, n_chars, s->u->opt->split_digits))
        return 0;
    if (s->n_found == s->cap &&
        mem_grow(&s->found, &s->cap, s->n_found + 1, sizeof *s->found, s->u->e) < 0)
        return -1;
    s->found[s->n_found++] = (struct candidate){freq * n_chars, suffix, n_chars};
    return 0;
}

/* Characters to the word's end, at most s->depth. */
static uint32_t length(const struct seeds *s, uint32_t a)
{
    uint32_t k = 0;
    while (k < s->depth && char_at(s, a, k) != END)
        k++;
    return k;
}

/* The intervals of suffixes with a common beginning, as a walk over the common lengths gives them.
 */
static int walk(struct seeds *s)
{
    struct open {
        uint32_t depth;
        size_t from;
        uint64_t before; /* counts of all suffixes before it */
    } *stack = mem_new((size_t)s->depth + 2, sizeof *stack, s->u->e);
    size_t n = 0;
    uint64_t before = 0; /* of the suffix i - 1 */
    uint32_t last = 0;
    int rc = stack ? 0 : -1;
    if (rc == 0)
        stack[n++] = (struct open){0, 0, 0};
    for (size_t i = 1; rc == 0 && i <= s->n; i++) {
        uint32_t suffix = s->order[i - 1];
        uint64_t count = s->u->words.v[s->word[suffix]].count;
        uint32_t k = i < s->n ? common(s, suffix, s->order[i]) : 0, len = length(s, suffix);
        struct open o = {k, i - 1, before};
        if (len > k && len > last && count > 1)
            rc = add(s, suffix, len, count);
        before += count;
        last = k;
        while (rc == 0 && stack[n - 1].depth > k) {
            o = stack[--n];
            rc = add(s, s->order[o.from], o.depth, before - o.before);
        }
        if (stack[n - 1].depth < k)
            stack[n++] = (struct open){k, o.from, o.before};
    }
    free(stack);
    return rc;
}

static int load(struct seeds *s)
{
    const struct uni_words *w = &s->u->words;
    struct err *e = s->u->e;
    size_t n_chars = 0, k = 0;
    int len;
    for (size_t i = 0; i < w->n_bytes; i++)
        n_chars += ((unsigned char)w->bytes[i] & 0xc0) != 0x80;
    if (n_chars + w->n >= UINT32_MAX)
        return err_set(e, "the text's distinct words have more than 4 Gi characters");
    s->text = mem_new(n_chars + w->n + 1, sizeof *s->text, e);
    s->at = mem_new(n_chars + w->n + 1, sizeof *s->at, e);
    s->word = mem_new(n_chars + w->n + 1, sizeof *s->word, e);
    s->order = mem_new(n_chars + 1, sizeof *s->order, e);
    if (!s->text || !s->at || !s->word || !s->order)
        return -1;
    for (size_t i = 0; i < w->n; i++) {
        const char *p = w->v[i].s;
        uint32_t at = (uint32_t)(p - w->bytes);
        for (uint32_t b = 0; b < w->v[i].len; b += (uint32_t)len) {
            s->order[s->n++] = (uint32_t)k;
            s->at[k] = at + b;
            s->word[k] = (uint32_t)i;
            s->text[k++] = (uint32_t)utf8_get(p + b, w->v[i].len - b, &len);
        }
        s->at[k] = at + w->v[i].len;
        s->text[k++] = END;
    }
    return 0;
}

static int heaviest_first(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

static int add_piece(struct unigram *u, uint32_t at, uint32_t len, uint32_t n_chars, double weight)
{
    struct uni_pieces *p = &u->pieces;
    if (p->n == p->cap && mem_grow(&p->v, &p->cap, p->n + 1, sizeof *p->v, u->e) < 0)
        return -1;
    p->v[p->n++] = (struct uni_piece){at, len, n_chars, weight};
    return 0;
}

/* One piece for each character, at the first place where it stands. */
static int add_alphabet(struct seeds *s)
{
    uint8_t *done = mem_new(0x110000, 1, s->u->e);
    int rc = done ? 0 : -1;
    for (size_t i = 0; rc == 0 && i < s->n; i++) {
        uint32_t k = s->order[i], cp = s->text[k];
        if (done[cp])
            continue;
        done[cp] = 1;
        rc = add_piece(s->u, s->at[k], s->at[k + 1] - s->at[k], 1, (double)s->u->count[cp]);
    }
    free(done);
    return rc;
}

int unigram_seed(struct unigram *u)
{
    struct seeds s = {.u = u, .depth = u->opt->max_piece_chars + 1};
    int rc = load(&s);
    if (rc == 0)
        rc = add_alphabet(&s); /* before sorting: first places */
    if (rc == 0) {
        sort(&s, s.order, s.n, 0);
        rc = walk(&s);
    }
    if (rc == 0 && s.n_found)
        qsort(s.found, s.n_found, sizeof *s.found, heaviest_first);
    for (size_t i = 0; rc == 0 && i < s.n_found && i < u->opt->seed_size; i++) {
        const struct candidate *c = &s.found[i];
        rc = add_piece(u, s.at[c->at], s.at[c->at + c->n_chars] - s.at[c->at], c->n_chars,
                       (double)c->weight);
    }
    free(s.text);
    free(s.at);
    free(s.word);
    free(s.order);
    free(s.found);
    return rc;
}
