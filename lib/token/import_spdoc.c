/*
 * A model of SentencePiece's kind as a tokenizer.json.
 *
 * Control symbols and the unknown one become special added tokens, as they do in the tokenizer.json
 * files that are published for such models; SentencePiece itself takes their text as ordinary text.
 *
 * A user-defined symbol is one token in SentencePiece: of Unigram by the score that it has. In BPE
 * a pre-tokenizer cuts it out, unless it is one character that no other piece has, and
 * ignore_merges makes it one token: all other pieces of text that are tokens must be what merging
 * gives for them. One that the normalisation would change becomes an added token: text behind it
 * then begins like a text of its own.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "token/charsmap.h"
#include "token/import_int.h"
#include "token/vocab.h"

#define SPACE "\xe2\x96\x81" /* U+2581 */
enum { SPACE_LEN = 3 };

/* ---- merges */

struct split_pair {
    uint32_t whole, left_len; /* bytes */
    uint32_t n_left, n_right; /* characters */
    uint32_t left, right;     /* ids */
};
struct splits {
    const struct import_vocab *vocab;
    struct split_pair *v;
    size_t n, cap;
};

/* What transformers sorts by (generate_merges): the score, then the lengths, all falling; then in
 * the order of the pieces, and for one piece by the ids of the parts. SentencePiece takes the
 * leftmost of equal scores: long parts first come to the same for runs of white space, which are
 * the usual case of equal scores. */
struct sort_key {
    float score;
    uint32_t n_left, n_right, whole, left, right;
    size_t at;
};

static int by_rank(const void *a, const void *b)
{
    const struct sort_key *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    if (x->n_left != y->n_left)
        return x->n_left > y->n_left ? -1 : 1;
    if (x->n_right != y->n_right)
        return x->n_right > y->n_right ? -1 : 1;
    if (x->whole != y->whole)
        return x->whole < y->whole ? -1 : 1;
    if (x->left != y->left)
        return x->left < y->left ? -1 : 1;
    return (x->right > y->right) - (x->right < y->right);
}

static uint32_t n_chars(const char *s, size_t n)
{
    uint32_t k = 0;
    for (size_t i = 0; i < n; i++)
        k += ((unsigned char)s[i] & 0xc0) != 0x80;
    return k;
}

/* Every way to make one piece of two. */
static int add_splits(struct splits *s, const struct vocab *index, uint32_t id, struct err *e)
{
    const struct import_token *t = &s->vocab->v[id];
    uint32_t n = n_chars(t->s, t->len), k = 0;
    for (uint32_t i = 1; i < t->len; i++) {
        if (((unsigned char)t->s[i] & 0xc0) == 0x80)
            continue;
        k++;
        int64_t left = vocab_id(index, t->s, i), right = vocab_id(index, t->s + i, t->len - i);
        if (left < 0 || right < 0)
            continue;
        if (s->n == s->cap && mem_grow(&s->v, &s->cap, s->n + 1, sizeof *s->v, e) < 0)
            return -1;
        s->v[s->n++] = (struct split_pair){id, i, k, n - k, (uint32_t)left, (uint32_t)right};
    }
    return 0;
}

static int put_sorted(const struct splits *s, struct buf *json, struct err *e)
{
    struct sort_key *keys = mem_new(s->n, sizeof *keys, e);
    int rc = keys ? 0 : -1;
    for (size_t i = 0; keys && i < s->n; i++) {
        const struct split_pair *p = &s->v[i];
        keys[i] = (struct sort_key){.score = s->vocab->v[p->whole].score,
                                    .n_left = p->n_left,
                                    .n_right = p->n_right,
                                    .whole = p->whole,
                                    .left = p->left,
                                    .right = p->right,
                                    .at = i};
    }
    if (keys)
        qsort(keys, s->n, sizeof *keys, by_rank);
    for (size_t i = 0; rc == 0 && i < s->n; i++) {
        const struct split_pair *p = &s->v[keys[i].at];
        const struct import_token *t = &s->vocab->v[p->whole];
        if (buf_puts(json, i ? ",\n[" : "[", e) < 0 ||
            buf_json_string(json, t->s, p->left_len, e) < 0 || buf_putc(json, ',', e) < 0 ||
            buf_json_string(json, t->s + p->left_len, t->len - p->left_len, e) < 0 ||
            buf_putc(json, ']', e) < 0)
            rc = -1;
    }
    free(keys);
    return rc;
}

int import_sp_merges(const struct import_vocab *v, struct buf *json, struct err *e)
{
    struct splits s = {.vocab = v};
    struct vocab index = {0};
    int rc = 0;
    for (size_t i = 0; i < v->n && rc == 0; i++)
        if (v->v[i].type == TOKEN_NORMAL)
            rc = vocab_add(&index, v->v[i].s, v->v[i].len, (int64_t)i, e);
    if (rc == 0)
        rc = vocab_index(&index, e);
    for (size_t i = 0; i < v->n && rc == 0; i++)
        if (v->v[i].type == TOKEN_NORMAL)
            rc = add_splits(&s, &index, (uint32_t)i, e);
    if (rc == 0 && index.n_dropped)
        rc = err_set(e, "%zu pieces are there twice", index.n_dropped);
    if (rc == 0)
        rc =
            buf_putc(json, '[', e) < 0 || put_sorted(&s, json, e) < 0 ? -1 : buf_putc(json, ']', e);
    vocab_release(&index);
    free(s.v);
    return rc;
}

/* ---- user-defined symbols */

static int longest_first(const void *a, const void *b)
{
    const struct import_token *const *x = a, *const *y = b;
    if ((*x)->len != (*y)->len)
        return (*x)->len > (*y)->len ? -1 : 1;
    return memcmp((*x)->s, (*y)->s, (*x)->len);
}

/* The symbols as a pattern of alternatives, the longest first. */
static int put_alternatives(const struct import_vocab *v, struct buf *pattern, struct err *e)
{
    const struct import_token **user = mem_new(v->n, sizeof *user, e);
    size_t n = 0;
    int rc = user ? 0 : -1;
    for (size_t i = 0; user && i < v->n; i++)
        if (v->v[i].type == TOKEN_USER)
            user[n++] = &v->v[i];
    if (user)
        qsort(user, n, sizeof *user, longest_first);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (i)
            rc = buf_putc(pattern, '|', e);
        for (size_t k = 0; rc == 0 && k < user[i]->len; k++) {
            if (user[i]->s[k] && strchr("\\^$.|?*+()[]{}", user[i]->s[k]))
                rc = buf_putc(pattern, '\\', e);
            if (rc == 0)
                rc = buf_putc(pattern, user[i]->s[k], e);
        }
    }
    free(user);
    return rc;
}

/* Whether there are any to cut out. */
static bool has_user(const struct sp_model *m)
{
    for (size_t i = 0; i < m->vocab.n; i++)
        if (m->vocab.v[i].type == TOKEN_USER)
            return true;
    return false;
}

/* Whether the map replaces any part of the token by something else. */
static bool is_changed(const struct charsmap *map, const struct import_token *t)
{
    for (uint32_t i = 0; i < t->len; i++) {
        size_t n = 0;
        const char *s = charsmap_find(map, t->s + i, t->len - i, &n);
        if (s && (n > t->len - i || memcmp(s, t->s + i, n) != 0 || n == 0))
            return true;
    }
    return false;
}

/* SentencePiece keeps its normalisation off these symbols; where that matters, and where the
 * caller wants it, they become added tokens. */
static int choose_added(struct sp_model *m, struct err *e)
{
    struct charsmap *map = NULL;
    struct buf text = BUF_INIT;
    int rc = 0;
    if (m->charsmap_len && has_user(m)) {
        rc = base64_encode(&text, m->charsmap, m->charsmap_len, e);
        map = rc == 0 ? charsmap_new(text.s, text.len, e) : NULL;
        rc = map ? 0 : -1;
    }
    for (size_t i = 0; rc == 0 && i < m->vocab.n; i++) {
        struct import_token *t = &m->vocab.v[i];
        if (t->type == TOKEN_USER && (m->user_added || (map && is_changed(map, t))))
            t->type = TOKEN_ADDED;
    }
    charsmap_free(map);
    buf_release(&text);
    return rc;
}

/* ---- the document */

static int put_added(const struct sp_model *m, struct buf *json, struct err *e)
{
    for (size_t i = 0; i < m->vocab.n; i++) {
        const struct import_token *t = &m->vocab.v[i];
        bool special = t->type == TOKEN_CONTROL || t->type == TOKEN_UNKNOWN;
        if ((special || t->type == TOKEN_ADDED) &&
            import_put_added(json, i, t, special, false, e) < 0)
            return -1;
    }
    return 0;
}

int import_sp_normalizer(const struct sp_model *m, struct buf *json, struct err *e)
{
    if (buf_puts(json, "{\"type\":\"Sequence\",\"normalizers\":[", e) < 0 ||
        (m->normalizer && buf_printf(json, e, "\n%s,", m->normalizer) < 0))
        return -1;
    if (m->charsmap_len &&
        (buf_puts(json, "\n{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"", e) < 0 ||
         base64_encode(json, m->charsmap, m->charsmap_len, e) < 0 ||
         buf_puts(json, "\",\"longest\":true},", e) < 0))
        return -1;
    if (m->remove_extra_whitespaces &&
        buf_puts(json,
                 "\n{\"type\":\"Replace\",\"pattern\":{\"Regex\":"
                 "\"\\\\A +|[ " SPACE "]+\\\\z|(?<= ) +\"},\"content\":\"\"},",
                 e) < 0)
        return -1;
    if (m->dummy_prefix &&
        buf_puts(json, "\n{\"type\":\"Prepend\",\"prepend\":\"" SPACE "\"},", e) < 0)
        return -1;
    return buf_printf(json, e,
                      "\n{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},"
                      "\"content\":\"" SPACE "\"}]%s}",
                      m->single && m->unigram ? ",\"sentencepiece\":true" : "");
}

/* Whether a piece has a space elsewhere than at its start. */
static bool spans_words(const struct import_vocab *v)
{
    for (size_t i = 0; i < v->n; i++) {
        const struct import_token *t = &v->v[i];
        for (uint32_t k = 1; k + SPACE_LEN <= t->len; k++)
            if (memcmp(t->s + k, SPACE, SPACE_LEN) == 0)
                return true;
    }
    return false;
}

static int put_pre_tokenizer(const struct sp_model *m, struct buf *json, struct err *e)
{
    struct buf pattern = BUF_INIT;
    int rc;
    if (m->unigram)
        return buf_puts(json,
                        spans_words(&m->vocab) ? "null"
                                               : "{\"type\":\"Metaspace\",\"replacement\":\"" SPACE
                                                 "\",\"prepend_scheme\":\"never\",\"split\":true}",
                        e);
    if (!has_user(m))
        return buf_puts(json, "null", e);
    rc = put_alternatives(&m->vocab, &pattern, e) < 0 ||
                 import_put_split(json, pattern.s, pattern.len, "Isolated", e) < 0
             ? -1
             : 0;
    buf_release(&pattern);
    return rc;
}

static int put_decoder(const struct sp_model *m, struct buf *json, struct err *e)
{
    return buf_printf(
        json, e,
        "{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":"
        "{\"String\":\"" SPACE "\"},\"content\":\" \"},%s{\"type\":\"Fuse\"}%s]}",
        m->byte_fallback ? "{\"type\":\"ByteFallback\"}," : "",
        m->dummy_prefix ? ",{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}" : "");
}

static int put_bpe(const struct sp_model *m, struct buf *json, struct err *e)
{
    const struct import_token *unk = &m->vocab.v[m->unk];
    if (buf_puts(json, "{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":", e) < 0 ||
        buf_json_string(json, unk->s, unk->len, e) < 0 ||
        buf_printf(json, e,
                   ",\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,"
                   "\"fuse_unk\":true,\"byte_fallback\":%s,\"ignore_merges\":%s,\n\"vocab\":",
                   m->byte_fallback ? "true" : "false", has_user(m) ? "true" : "false") < 0 ||
        import_put_vocab(json, &m->vocab, e) < 0 || buf_puts(json, ",\n\"merges\":", e) < 0 ||
        import_sp_merges(&m->vocab, json, e) < 0)
        return -1;
    return buf_puts(json, "}", e);
}

static int put_unigram(const struct sp_model *m, struct buf *json, struct err *e)
{
    const struct import_vocab *v = &m->vocab;
    float least = 0;
    bool any = false;
    for (size_t i = 0; i < v->n; i++) {
        float x = v->v[i].score;
        if (v->v[i].type != TOKEN_NORMAL)
            continue;
        least = any && least < x ? least : x;
        any = true;
    }
    if (buf_printf(json, e,
                   "{\"type\":\"Unigram\",\"unk_id\":%" PRId64
                   ",\"byte_fallback\":%s,\n\"vocab\":[",
                   m->unk, m->byte_fallback ? "true" : "false") < 0)
        return -1;
    for (size_t i = 0; i < v->n; i++) {
        const struct import_token *t = &v->v[i];
        /* the scores of others must not lower the least one, which the unknown's hangs on */
        double score = t->type == TOKEN_NORMAL || (t->type == TOKEN_USER && t->score > least)
                           ? (double)t->score
                       : t->type == TOKEN_USER || t->type == TOKEN_UNUSED ? (double)least
                                                                          : 0.0;
        if (buf_puts(json, i ? ",\n[" : "[", e) < 0 || buf_json_string(json, t->s, t->len, e) < 0 ||
            buf_printf(json, e, ",%.17g]", score) < 0)
            return -1;
    }
    return buf_puts(json, "]}", e);
}

int import_sp_document(struct sp_model *m, struct buf *json, struct err *e)
{
    if (m->suffix || !m->escape_whitespaces)
        return err_set(e, "%s is not supported",
                       m->suffix ? "treat_whitespace_as_suffix" : "escape_whitespaces false");
    if (choose_added(m, e) < 0 || buf_puts(json, IMPORT_HEAD, e) < 0 || put_added(m, json, e) < 0 ||
        buf_puts(json, "],\n\"normalizer\":", e) < 0 || import_sp_normalizer(m, json, e) < 0 ||
        buf_puts(json, ",\n\"pre_tokenizer\":", e) < 0 || put_pre_tokenizer(m, json, e) < 0 ||
        buf_puts(json, ",\n\"post_processor\":", e) < 0 ||
        import_put_template(json, &m->vocab, m->put_bos ? m->bos : -1, m->put_eos ? m->eos : -1,
                            e) < 0 ||
        buf_puts(json, ",\n\"decoder\":", e) < 0 || put_decoder(m, json, e) < 0 ||
        buf_puts(json, ",\n\"model\":", e) < 0 ||
        (m->unigram ? put_unigram : put_bpe)(m, json, e) < 0)
        return -1;
    return buf_puts(json, "}\n", e);
}
