/* Formats of others: what a file is, and the parts of the documents made of them. See import.h. */
#include "token/import.h"

#include <inttypes.h>
#include <string.h>

#include "base/utf8.h"
#include "token/import_int.h"

/* ---- recognising */

/* A line of base64, a space, digits. */
static bool is_rank_line(const char *p, size_t n)
{
    size_t i = 0, k;
    while (i < n && ((p[i] >= 'A' && p[i] <= 'Z') || (p[i] >= 'a' && p[i] <= 'z') ||
                     (p[i] >= '0' && p[i] <= '9') || p[i] == '+' || p[i] == '/' || p[i] == '='))
        i++;
    if (i < 4 || i % 4 || i == n || p[i] != ' ')
        return false;
    for (k = ++i; i < n && p[i] >= '0' && p[i] <= '9';)
        i++;
    return i > k && (i == n || p[i] == '\n' || p[i] == '\r');
}

/* A message whose first field is a message whose first field is a string: pieces of a model. */
static bool is_sentencepiece(const unsigned char *p, size_t n)
{
    size_t i = 1;
    while (i < n && p[i] & 0x80)
        i++;
    return n >= 4 && p[0] == 0x0a && p[i] > 1 && i + 1 < n && p[i + 1] == 0x0a;
}

/* Lines, one of which is [UNK]. */
static bool is_bert_vocab(const char *p, size_t n)
{
    if (memchr(p, '\0', n))
        return false;
    for (size_t i = 0; i < n;) {
        const char *end = memchr(p + i, '\n', n - i);
        size_t len = end ? (size_t)(end - p) - i : n - i;
        if (memcmp(p + i, "[UNK]", len < 5 ? len : 5) == 0 &&
            (len == 5 || (len == 6 && p[i + 5] == '\r')))
            return true;
        i += len + 1;
    }
    return false;
}

enum import_kind import_recognise(const char *p, size_t n)
{
    if (n >= 4 && memcmp(p, "GGUF", 4) == 0)
        return IMPORT_GGUF;
    for (size_t i = 0; i < n && p[i] && strchr("{ \t\r\n", p[i]); i++)
        if (p[i] == '{')
            return IMPORT_NONE;
    if (is_sentencepiece((const unsigned char *)p, n))
        return IMPORT_SP;
    if (is_rank_line(p, n))
        return IMPORT_RANKS;
    return is_bert_vocab(p, n) ? IMPORT_BERT : IMPORT_NONE;
}

const char *import_unsupported(const char *p, size_t n)
{
    static const struct {
        const char *begins, *what;
    } others[] = {
        {"#version", "a merges.txt, which has no vocabulary"},
        {"\"bpe_simple_vocab", "CLIP's merges, without a vocabulary"},
        {"1 '\\x00' 1", "a vocabulary of RWKV, whose trie is not supported"},
        {"<unk>\t0\n", "a .vocab of SentencePiece, not its .model"},
        {"PK\3\4", "a zip archive, or PyTorch's"},
    };
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        size_t len = strlen(others[i].begins);
        if (n >= len && memcmp(p, others[i].begins, len) == 0)
            return others[i].what;
    }
    return NULL;
}

const char *import_name(enum import_kind k)
{
    static const char *const names[] = {"a tokenizer.json", "ranks of tiktoken",
                                        "a SentencePiece model", "a GGUF vocabulary",
                                        "a BERT vocab.txt"};
    return names[k];
}

int import_document(enum import_kind k, const char *p, size_t n, const struct import_opt *opt,
                    struct buf *json, struct err *e)
{
    switch (k) {
    case IMPORT_RANKS:
        return import_ranks(p, n, opt->split, opt->split_regex, json, e);
    case IMPORT_SP:
        return import_sp(p, n, json, e);
    case IMPORT_GGUF:
        return import_gguf(p, n, json, e);
    case IMPORT_BERT:
        return import_bert(p, n, opt->lowercase, json, e);
    case IMPORT_NONE:
        break;
    }
    return err_set(e, "neither a tokenizer.json nor another known tokenizer");
}

/* ---- parts of documents */

int import_check_token(const struct import_token *t, size_t at, struct err *e)
{
    size_t good = utf8_valid(t->s, t->len);
    if (good != t->len)
        return err_set(e, "token %zu: invalid UTF-8 at its byte %zu", at, good);
    return 0;
}

int import_put_added(struct buf *json, size_t id, const struct import_token *t, bool special,
                     bool normalized, struct err *e)
{
    bool first = json->s[json->len - 1] == '[';
    if (buf_printf(json, e, "%s{\"id\":%zu,\"content\":", first ? "\n" : ",\n", id) < 0 ||
        buf_json_string(json, t->s, t->len, e) < 0)
        return -1;
    return buf_printf(json, e,
                      ",\"single_word\":false,\"lstrip\":%s,\"rstrip\":%s,"
                      "\"normalized\":%s,\"special\":%s}",
                      t->lstrip ? "true" : "false", t->rstrip ? "true" : "false",
                      normalized ? "true" : "false", special ? "true" : "false");
}

int import_put_vocab(struct buf *json, const struct import_vocab *v, struct err *e)
{
    for (size_t i = 0; i < v->n; i++)
        if (buf_puts(json, i ? ",\n" : "{", e) < 0 ||
            buf_json_string(json, v->v[i].s, v->v[i].len, e) < 0 ||
            buf_printf(json, e, ":%zu", i) < 0)
            return -1;
    return buf_puts(json, v->n ? "}" : "{}", e);
}

static int put_special(struct buf *json, const struct import_vocab *v, int64_t id, struct err *e)
{
    if (buf_puts(json, "{\"SpecialToken\":{\"id\":", e) < 0 ||
        buf_json_string(json, v->v[id].s, v->v[id].len, e) < 0)
        return -1;
    return buf_puts(json, ",\"type_id\":0}}", e);
}

/* [before] A [after], and for a pair B [after] behind it. */
static int put_sequence(struct buf *json, const struct import_vocab *v, int64_t before,
                        int64_t after, bool pair, struct err *e)
{
    if (buf_putc(json, '[', e) < 0 ||
        (before >= 0 && (put_special(json, v, before, e) < 0 || buf_putc(json, ',', e) < 0)))
        return -1;
    for (int i = 0; i < 1 + pair; i++)
        if (buf_printf(json, e, "%s{\"Sequence\":{\"id\":\"%c\",\"type_id\":%d}}", i ? "," : "",
                       'A' + i, i) < 0 ||
            (after >= 0 && (buf_putc(json, ',', e) < 0 || put_special(json, v, after, e) < 0)))
            return -1;
    return buf_putc(json, ']', e);
}

int import_put_template(struct buf *json, const struct import_vocab *v, int64_t before,
                        int64_t after, struct err *e)
{
    const int64_t ids[2] = {before, after == before ? -1 : after};
    if (before < 0 && after < 0)
        return buf_puts(json, "null", e);
    if (buf_puts(json, "{\"type\":\"TemplateProcessing\",\"single\":", e) < 0 ||
        put_sequence(json, v, before, after, false, e) < 0 || buf_puts(json, ",\"pair\":", e) < 0 ||
        put_sequence(json, v, before, after, true, e) < 0 ||
        buf_puts(json, ",\"special_tokens\":{", e) < 0)
        return -1;
    for (int i = 0; i < 2; i++) {
        if (ids[i] < 0)
            continue;
        const struct import_token *t = &v->v[ids[i]];
        if (buf_puts(json, i && ids[0] >= 0 ? "," : "", e) < 0 ||
            buf_json_string(json, t->s, t->len, e) < 0 || buf_puts(json, ":{\"id\":", e) < 0 ||
            buf_json_string(json, t->s, t->len, e) < 0 ||
            buf_printf(json, e, ",\"ids\":[%" PRId64 "],\"tokens\":[", ids[i]) < 0 ||
            buf_json_string(json, t->s, t->len, e) < 0 || buf_puts(json, "]}", e) < 0)
            return -1;
    }
    return buf_puts(json, "}}", e);
}

int import_put_split(struct buf *json, const char *pattern, size_t n, const char *behavior,
                     struct err *e)
{
    if (buf_puts(json, "{\"type\":\"Split\",\"pattern\":{\"Regex\":", e) < 0 ||
        buf_json_string(json, pattern, n, e) < 0)
        return -1;
    return buf_printf(json, e, "},\"behavior\":\"%s\",\"invert\":false}", behavior);
}
