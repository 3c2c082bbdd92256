/*
 * tiktoken's rank files. There, of the adjacent parts of a piece those are joined first whose whole
 * has the lowest rank, leftmost first, and a piece that is a token is taken as it is.
 *
 * As merges this is one for each token: the two parts that are left of the token's own bytes when
 * all but the last step is done. No other pair of parts can ever come together to give the token:
 * until it is made nothing reaches across its ends, so inside them the same steps are taken as on
 * the token alone, whatever stands around it.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/compiler.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "text/split.h"
#include "token/bytelevel.h"
#include "token/import_int.h"
#include "token/vocab.h"

enum { MAX_TOKEN_BYTES = 1024 };

struct ranks {
    const char *p;
    size_t n, at;
    size_t line; /* from 1 */
    char *bytes; /* of all tokens */
    struct vocab vocab;
    struct buf *json;
    struct err *e;
};

/* ---- reading */

/* A rank without bytes: no text gives it. Whisper's files have one, as "= 50256". */
static bool is_empty_token(const char *s, size_t n)
{
    return n > 1 && s[0] == '=' && s[1] == ' ';
}

/* "IQ== 0": the token goes to *to, which moves on. */
static int read_line(struct ranks *r, const char *s, size_t n, char **to)
{
    const char *space = memchr(s, ' ', n);
    size_t n_digits = space ? (size_t)(s + n - space) - 1 : 0;
    if (!space || n_digits == 0 || n_digits > 7)
        return err_set(r->e, "line %zu: not a token in base64, a space and a rank", r->line);
    if (space - s > (MAX_TOKEN_BYTES + 2) / 3 * 4)
        return err_set(r->e, "line %zu: a token of more than %d bytes", r->line, MAX_TOKEN_BYTES);
    long len = base64_decode(*to, s, (size_t)(space - s));
    if (len > MAX_TOKEN_BYTES) /* without padding more fit into as many digits */
        return err_set(r->e, "line %zu: a token of more than %d bytes", r->line, MAX_TOKEN_BYTES);
    if (len < 1 && !is_empty_token(s, n))
        return err_set(r->e, "line %zu: the token is not in base64", r->line);
    int64_t rank = 0;
    for (size_t i = 0; i < n_digits; i++) {
        if (space[1 + i] < '0' || space[1 + i] > '9')
            return err_set(r->e, "line %zu: the rank is no whole number", r->line);
        rank = rank * 10 + space[1 + i] - '0';
    }
    if (rank > TOKEN_MAX_ID)
        return err_set(r->e, "line %zu: the rank %" PRId64 " is over %d", r->line, rank,
                       (int)TOKEN_MAX_ID);
    if (len < 1)
        return 0;
    if (vocab_add(&r->vocab, *to, (size_t)len, rank, r->e) < 0)
        return -1;
    *to += len;
    return 0;
}

/* The next line without its end; false: there is none. */
static bool next_line(struct ranks *r, const char **s, size_t *n)
{
    if (r->at >= r->n)
        return false;
    *s = r->p + r->at;
    const char *end = memchr(*s, '\n', r->n - r->at);
    *n = end ? (size_t)(end - *s) : r->n - r->at;
    r->at += *n + 1;
    r->line++;
    if (*n && (*s)[*n - 1] == '\r')
        --*n;
    return true;
}

/* The line of the k-th token. */
static size_t line_of(struct ranks *r, size_t k)
{
    const char *s;
    size_t n;
    r->at = r->line = 0;
    while (next_line(r, &s, &n) && (n == 0 || is_empty_token(s, n) || k--))
        ;
    return r->line;
}

/* Each token and each rank once. */
static int check_twice(struct ranks *r)
{
    const struct vocab *v = &r->vocab;
    for (size_t i = 0; i < v->n; i++) {
        const struct token *t = &v->v[i], *last = vocab_token(v, t->id);
        if (last == t)
            continue;
        size_t place = (size_t)vocab_place(v, t->s, t->len);
        bool token = place != i;
        size_t again = line_of(r, token ? place : (size_t)(last - v->v));
        return err_set(r->e, "line %zu: the %s is there twice, first in line %zu", again,
                       token ? "token" : "rank", line_of(r, i));
    }
    return 0;
}

static int read_all(struct ranks *r)
{
    const char *s;
    size_t n;
    r->bytes = mem_new(r->n / 4 * 3 + 64, 1, r->e);
    if (!r->bytes)
        return -1;
    for (char *to = r->bytes; next_line(r, &s, &n);)
        if (n && read_line(r, s, n, &to) < 0)
            return -1;
    if (vocab_index(&r->vocab, r->e) < 0 || check_twice(r) < 0)
        return -1;
    for (int c = 0; c < 256; c++) {
        char byte[16] = {(char)c};
        if (vocab_id(&r->vocab, byte, 1) < 0)
            return err_set(r->e, "the byte 0x%02x has no rank; is the file complete?", c);
    }
    return 0;
}

/* ---- merges */

/* The last two parts of a token: how long the first of them is; 0: they do not come together. */
static size_t last_parts(const struct vocab *v, const struct token *t)
{
    uint32_t from[MAX_TOKEN_BYTES + 1]; /* where each part begins, and the end */
    int64_t joined[MAX_TOKEN_BYTES];    /* rank of a part with the next one; -1: no token */
    size_t n = t->len;
    for (size_t i = 0; i <= n; i++)
        from[i] = (uint32_t)i;
    for (size_t i = 0; i + 1 < n; i++)
        joined[i] = vocab_id(v, t->s + i, 2);
    while (n > 2) {
        size_t best = n;
        for (size_t i = 0; i + 1 < n; i++)
            if (joined[i] >= 0 && (best == n || joined[i] < joined[best]))
                best = i;
        if (best == n)
            return 0;
        memmove(&from[best + 1], &from[best + 2], (n - best - 1) * sizeof *from);
        memmove(&joined[best], &joined[best + 1], (n - best - 2) * sizeof *joined);
        n--;
        for (size_t i = best ? best - 1 : 0; i <= best && i + 1 < n; i++)
            joined[i] = vocab_id(v, t->s + from[i], from[i + 2] - from[i]);
    }
    return n == 2 ? from[1] : 0;
}

static int put_token(struct ranks *r, const char *s, size_t n)
{
    char spelled[2 * MAX_TOKEN_BYTES];
    return buf_json_string(r->json, spelled, bytelevel_spell(spelled, s, n), r->e);
}

static int put_vocab(struct ranks *r)
{
    bool first = true;
    for (uint32_t id = 0; id < r->vocab.id_bound; id++) {
        const struct token *t = vocab_token(&r->vocab, id);
        if (!t)
            continue;
        if (buf_puts(r->json, first ? "" : ",\n", r->e) < 0 || put_token(r, t->s, t->len) < 0 ||
            buf_printf(r->json, r->e, ":%" PRIu32, id) < 0)
            return -1;
        first = false;
    }
    return 0;
}

static int put_merges(struct ranks *r)
{
    bool first = true;
    for (uint32_t id = 0; id < r->vocab.id_bound; id++) {
        const struct token *t = vocab_token(&r->vocab, id);
        size_t k = t ? last_parts(&r->vocab, t) : 0;
        if (!k)
            continue;
        if (buf_puts(r->json, first ? "[" : ",\n[", r->e) < 0 || put_token(r, t->s, k) < 0 ||
            buf_putc(r->json, ',', r->e) < 0 || put_token(r, t->s + k, t->len - k) < 0 ||
            buf_putc(r->json, ']', r->e) < 0)
            return -1;
        first = false;
    }
    return 0;
}

static int put_document(struct ranks *r, const char *pattern)
{
    struct buf *j = r->json;
    struct err *e = r->e;
    if (buf_puts(j,
                 IMPORT_HEAD "],\n\"normalizer\":null,\n\"pre_tokenizer\":{\"type\":\"Sequence\","
                             "\"pretokenizers\":[",
                 e) < 0 ||
        import_put_split(j, pattern, strlen(pattern), "Isolated", e) < 0 ||
        buf_puts(j,
                 "," IMPORT_BYTE_LEVEL
                 "]},\n\"post_processor\":null,\n\"decoder\":" IMPORT_BYTE_LEVEL
                 ",\n\"model\":{\"type\":\"BPE\",\"dropout\":null,"
                 "\"unk_token\":null,\"continuing_subword_prefix\":null,"
                 "\"end_of_word_suffix\":null,\"fuse_unk\":false,\"byte_fallback\":false,"
                 "\"ignore_merges\":true,\n\"vocab\":{",
                 e) < 0)
        return -1;
    if (put_vocab(r) < 0 || buf_puts(j, "},\n\"merges\":[", e) < 0 || put_merges(r) < 0)
        return -1;
    return buf_puts(j, "]}}\n", e);
}

#define SPLITS "r50k, cl100k, o200k, llama3, qwen2"

static const struct {
    const char *name, *pattern; /* pattern: by split.h's name */
} splits[] = {
    {"r50k", "r50k_base"},          {"r50k_base", "r50k_base"}, {"p50k", "r50k_base"},
    {"p50k_base", "r50k_base"},     {"gpt2", "r50k_base"},      {"cl100k", "cl100k_base"},
    {"cl100k_base", "cl100k_base"}, {"o200k", "o200k"},         {"o200k_base", "o200k"},
    {"llama3", "cl100k"},           {"qwen2", "qwen2"},
};

/* The pattern that is asked for; NULL: none that may be. */
static const char *choose_pattern(const char *split, const char *regex, struct err *e)
{
    if (split && regex)
        err_usage(e, "--split and --split-regex do not go together");
    else if (regex && utf8_valid(regex, strlen(regex)) != strlen(regex))
        err_usage(e, "--split-regex is not UTF-8");
    else if (regex && !*regex)
        err_usage(e, "--split-regex is empty");
    else if (regex)
        return regex;
    else if (!split)
        err_set(e, "a rank file does not say how text is split; use tokenize --split NAME (" SPLITS
                   ") or --split-regex, with --convert for other programs");
    else {
        for (size_t i = 0; i < ARRAY_LEN(splits); i++)
            if (strcmp(splits[i].name, split) == 0)
                return split_pattern(splits[i].pattern);
        err_usage(e, "--split: there is no split '%s' (" SPLITS ")", split);
    }
    return NULL;
}

int import_ranks(const char *p, size_t n, const char *split, const char *regex, struct buf *json,
                 struct err *e)
{
    struct ranks r = {.p = p, .n = n, .json = json, .e = e};
    const char *pattern = choose_pattern(split, regex, e);
    if (!pattern)
        return -1;
    int rc = read_all(&r) < 0 ? -1 : put_document(&r, pattern);
    vocab_release(&r.vocab);
    free(r.bytes);
    return rc;
}
