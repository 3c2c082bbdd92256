/* A GGUF vocabulary as a tokenizer.json, by its kind (tokenizer.ggml.model). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "token/import_gguf_int.h"

#define SPACE "\xe2\x96\x81" /* U+2581 */
enum { SPACE_LEN = 3 };
enum { MAX_SHOWN = 40 }; /* bytes of a name in a message */

static bool is(const char *s, size_t n, const char *word)
{
    return n == strlen(word) && memcmp(s, word, n) == 0;
}

static bool or_default(int64_t v, bool otherwise)
{
    return v < 0 ? otherwise : v != 0;
}

/* ---- gpt2: byte-level BPE */

static int put_step(struct buf *json, const char *step, struct err *e)
{
    return strcmp(step, "#") == 0
               ? buf_puts(json, "{\"type\":\"Digits\",\"individual_digits\":true}", e)
               : import_put_split(json, step, strlen(step), "Isolated", e);
}

static int put_pre_tokenizer(const struct gguf_split *s, struct buf *json, struct err *e)
{
    if (buf_puts(json, "{\"type\":\"Sequence\",\"pretokenizers\":[", e) < 0)
        return -1;
    for (size_t i = 0; i < sizeof s->steps / sizeof *s->steps && s->steps[i]; i++)
        if (put_step(json, s->steps[i], e) < 0 || buf_puts(json, ",\n", e) < 0)
            return -1;
    return buf_printf(json, e,
                      "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,"
                      "\"use_regex\":%s}]}",
                      s->gpt2 ? "true" : "false");
}

static int put_merge(void *user, const char *s, size_t n, uint64_t i, struct err *e)
{
    struct buf *json = user;
    /* a space after the first byte: a token may be a space only in files that do not spell bytes */
    const char *space = n > 1 ? memchr(s + 1, ' ', n - 1) : NULL;
    if (n >> 20 || !space || space == s + n - 1)
        return err_set(e, "the merge %" PRIu64 " is not two tokens with a space between them", i);
    size_t good = utf8_valid(s, n);
    if (good != n)
        return err_set(e, "the merge %" PRIu64 ": invalid UTF-8 at its byte %zu", i, good);
    if (buf_puts(json, i ? ",\n[" : "[", e) < 0 ||
        buf_json_string(json, s, (size_t)(space - s), e) < 0 || buf_putc(json, ',', e) < 0 ||
        buf_json_string(json, space + 1, (size_t)(s + n - space) - 1, e) < 0)
        return -1;
    return buf_putc(json, ']', e);
}

static int put_added(const struct import_vocab *v, struct buf *json, struct err *e)
{
    for (size_t i = 0; i < v->n; i++) {
        const struct import_token *t = &v->v[i];
        bool special = t->type == TOKEN_CONTROL || t->type == TOKEN_UNKNOWN;
        if ((special || t->type == TOKEN_USER) && t->len &&
            import_put_added(json, i, t, special, false, e) < 0)
            return -1;
    }
    return 0;
}

static int put_gpt2(struct gguf_vocab *g, const char *p, struct buf *json, struct err *e)
{
    const char *name = g->pre ? g->pre : "default";
    size_t len = g->pre ? g->pre_len : strlen(name);
    const struct gguf_split *split = gguf_split_of(name, len);
    if (!split)
        return err_set(e, "the splitting '%.*s'%s (tokenizer.ggml.pre) is not supported",
                       (int)(len < MAX_SHOWN ? len : MAX_SHOWN), name,
                       len > MAX_SHOWN ? "..." : "");
    if (buf_puts(json, IMPORT_HEAD, e) < 0 || put_added(&g->vocab, json, e) < 0 ||
        buf_printf(json, e, "],\n\"normalizer\":%s,\n\"pre_tokenizer\":",
                   split->nfc ? "{\"type\":\"NFC\"}" : "null") < 0 ||
        put_pre_tokenizer(split, json, e) < 0 || buf_puts(json, ",\n\"post_processor\":", e) < 0 ||
        import_put_template(json, &g->vocab, or_default(g->add_bos, split->bos) ? g->bos : -1,
                            or_default(g->add_eos, false) ? g->eos : -1, e) < 0 ||
        buf_printf(json, e,
                   ",\n\"decoder\":" IMPORT_BYTE_LEVEL ",\n\"model\":{\"type\":\"BPE\","
                   "\"dropout\":null,\"unk_token\":null,\"continuing_subword_prefix\":null,"
                   "\"end_of_word_suffix\":null,\"fuse_unk\":false,\"byte_fallback\":false,"
                   "\"ignore_merges\":%s,\n\"vocab\":",
                   split->ignore_merges ? "true" : "false") < 0 ||
        import_put_vocab(json, &g->vocab, e) < 0 || buf_puts(json, ",\n\"merges\":[", e) < 0 ||
        gguf_each_merge(g, p, put_merge, json, e) < 0)
        return -1;
    return buf_puts(json, "]}}\n", e);
}

/* ---- llama, t5: SentencePiece */

static int put_sp(struct gguf_vocab *g, bool unigram, struct buf *json, struct err *e)
{
    struct sp_model m = {
        .vocab = g->vocab,
        .unigram = unigram,
        .dummy_prefix = or_default(g->space_prefix, true),
        .remove_extra_whitespaces = or_default(g->remove_extra_whitespaces, unigram),
        .escape_whitespaces = true,
        .user_added = true,
        .unk = g->unk,
        .bos = g->bos,
        .eos = g->eos,
        .put_bos = or_default(g->add_bos, !unigram),
        .put_eos = or_default(g->add_eos, unigram),
        .charsmap = g->charsmap,
        .charsmap_len = g->charsmap_len,
    };
    size_t n_bytes = 0;
    if (!g->has_scores)
        return err_set(e, "there are no scores of tokens (tokenizer.ggml.scores)");
    for (size_t i = 0; i < m.vocab.n; i++) {
        struct import_token *t = &m.vocab.v[i];
        n_bytes += t->type == TOKEN_BYTE;
        if (m.unk < 0 && t->type == TOKEN_UNKNOWN)
            m.unk = (int64_t)i;
        if (t->type == TOKEN_UNKNOWN && m.unk != (int64_t)i)
            t->type = TOKEN_UNUSED; /* what fills up the embedding's rows */
        if (t->len == 0)
            return err_set(e, "the token %zu is empty", i);
    }
    if (m.unk < 0)
        return err_set(e, "there is no token for what is unknown");
    m.byte_fallback = n_bytes == 256;
    return import_sp_document(&m, json, e);
}

/* ---- bert: WordPiece, with U+2581 before what begins a word instead of ## before the rest */

static int put_bert(struct gguf_vocab *g, struct buf *json, struct err *e)
{
    struct import_vocab *v = &g->vocab;
    size_t total = 16;
    for (size_t i = 0; i < v->n; i++)
        total += v->v[i].len + 2u;
    char *bytes = mem_new(total, 1, e), *to = bytes;
    if (!bytes)
        return -1;
    for (size_t i = 0; i < v->n; i++) {
        struct import_token *t = &v->v[i];
        if (t->len > SPACE_LEN && memcmp(t->s, SPACE, SPACE_LEN) == 0) {
            t->s += SPACE_LEN;
            t->len -= SPACE_LEN;
        } else if (t->type == TOKEN_NORMAL &&
                   !(t->len > 1 && t->s[0] == '[' && t->s[t->len - 1] == ']')) {
            memcpy(to, "##", 2);
            memcpy(to + 2, t->s, t->len);
            t->s = to;
            t->len += 2;
            to += t->len;
        }
    }
    int rc = import_wordpiece_document(v, or_default(g->lowercase, true), g->unk,
                                       g->cls >= 0 ? g->cls : g->bos, g->sep >= 0 ? g->sep : g->eos,
                                       json, e);
    free(bytes);
    return rc;
}

int gguf_document(struct gguf_vocab *g, const char *p, struct buf *json, struct err *e)
{
    if (!g->model)
        return err_set(e, "there is no tokenizer.ggml.model: the file has no vocabulary");
    if (is(g->model, g->model_len, "gpt2"))
        return put_gpt2(g, p, json, e);
    if (is(g->model, g->model_len, "llama") || is(g->model, g->model_len, "t5"))
        return put_sp(g, is(g->model, g->model_len, "t5"), json, e);
    if (is(g->model, g->model_len, "bert"))
        return put_bert(g, json, e);
    return err_set(e, "a vocabulary of the kind '%.*s' is not supported",
                   (int)(g->model_len < MAX_SHOWN ? g->model_len : MAX_SHOWN), g->model);
}
