/* BERT's vocab.txt, and WordPiece vocabularies as documents. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "token/import_int.h"
#include "token/vocab.h"

static bool has_capital(const struct import_vocab *v)
{
    for (size_t i = 0; i < v->n; i++)
        if (v->v[i].type == TOKEN_NORMAL)
            for (size_t k = 0; k < v->v[i].len; k++)
                if (v->v[i].s[k] >= 'A' && v->v[i].s[k] <= 'Z')
                    return true;
    return false;
}

static int read_lines(struct import_vocab *v, const char *p, size_t n, struct err *e)
{
    for (size_t at = 0; at < n;) {
        const char *s = p + at, *end = memchr(s, '\n', n - at);
        size_t len = end ? (size_t)(end - s) : n - at;
        at += len + 1;
        if (v->n > TOKEN_MAX_ID)
            return err_set(e, "line %zu: more than %d tokens", v->n + 1, (int)TOKEN_MAX_ID + 1);
        if (len && s[len - 1] == '\r')
            len--;
        size_t good = utf8_valid(s, len);
        if (good != len)
            return err_set(e, "line %zu: invalid UTF-8 at byte %zu", v->n + 1, good);
        if (v->n == v->cap && mem_grow(&v->v, &v->cap, v->n + 1, sizeof *v->v, e) < 0)
            return -1;
        bool bracketed = len > 2 && s[0] == '[' && s[len - 1] == ']';
        v->v[v->n++] = (struct import_token){
            .s = s, .len = (uint32_t)len, .type = bracketed ? TOKEN_CONTROL : TOKEN_NORMAL};
    }
    return 0;
}

/* The five that BERT knows. */
enum { N_SPECIAL = 5, NOT_SPECIAL = N_SPECIAL };
static const char *const special[N_SPECIAL] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};

static int special_of(const struct import_token *t)
{
    int k = 0;
    while (k < N_SPECIAL &&
           !(t->len == strlen(special[k]) && memcmp(t->s, special[k], t->len) == 0))
        k++;
    return k;
}

/* The id of a token, the last one of this content, as for other programs; -1: none. */
static int64_t find(const struct import_vocab *v, const char *s)
{
    size_t len = strlen(s);
    for (size_t i = v->n; i-- > 0;)
        if (v->v[i].len == len && memcmp(v->v[i].s, s, len) == 0)
            return (int64_t)i;
    return -1;
}

/* The five, of equal ones the last, and what is said to be special. */
static int put_specials(const struct import_vocab *v, struct buf *json, struct err *e)
{
    int64_t last[N_SPECIAL];
    for (int k = 0; k < N_SPECIAL; k++)
        last[k] = find(v, special[k]);
    for (size_t i = 0; i < v->n; i++) {
        int k = special_of(&v->v[i]);
        if ((k == NOT_SPECIAL ? v->v[i].type == TOKEN_ADDED : last[k] == (int64_t)i) &&
            import_put_added(json, i, &v->v[i], true, false, e) < 0)
            return -1;
    }
    return 0;
}

int import_wordpiece_document(const struct import_vocab *v, bool lowercase, int64_t unk,
                              int64_t cls, int64_t sep, struct buf *json, struct err *e)
{
    if (unk < 0)
        return err_set(e, "there is no token [UNK]");
    if (buf_puts(json, IMPORT_HEAD, e) < 0 || put_specials(v, json, e) < 0 ||
        buf_printf(json, e,
                   "],\n\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,"
                   "\"handle_chinese_chars\":true,\"strip_accents\":null,\"lowercase\":%s},\n"
                   "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\n\"post_processor\":",
                   lowercase ? "true" : "false") < 0 ||
        import_put_template(json, v, cls, sep, e) < 0 ||
        buf_puts(json,
                 ",\n\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true},\n"
                 "\"model\":{\"type\":\"WordPiece\",\"unk_token\":",
                 e) < 0 ||
        buf_json_string(json, v->v[unk].s, v->v[unk].len, e) < 0 ||
        buf_puts(json,
                 ",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":100,\n"
                 "\"vocab\":",
                 e) < 0 ||
        import_put_vocab(json, v, e) < 0)
        return -1;
    return buf_puts(json, "}}\n", e);
}

int import_bert(const char *p, size_t n, int lowercase, struct buf *json, struct err *e)
{
    struct import_vocab v = {0};
    int rc = read_lines(&v, p, n, e);
    if (rc == 0)
        rc = import_wordpiece_document(&v, lowercase < 0 ? !has_capital(&v) : lowercase,
                                       find(&v, "[UNK]"), find(&v, "[CLS]"), find(&v, "[SEP]"),
                                       json, e);
    free(v.v);
    return rc;
}
