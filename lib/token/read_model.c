/* Reads the "model" of a tokenizer.json in one pass over its text. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "token/bpe_model.h"

struct model_reader {
    struct tokenizer *t;
    struct jscan *j;
    struct buf type, unk;
    bool has_vocab, has_unk, has_prefix, vocab_is_array;
    int64_t unk_id; /* Unigram's; -1: none */
    bool has_max_chars;
    struct value merges; /* where they come before the vocabulary; read once that is there */
    bool has_merges;
    struct bpe *bpe;
    struct err *e;
};

static int wrong(struct model_reader *r, const char *key, const char *wanted)
{
    return r->j->error ? jscan_err(r->j, r->e) : err_set(r->e, "model.%s is not %s", key, wanted);
}

static int read_bool(struct model_reader *r, enum jscan_type type, const char *key, bool *out)
{
    if (type != JSCAN_TRUE && type != JSCAN_FALSE && type != JSCAN_NULL)
        return wrong(r, key, "true or false");
    *out = type == JSCAN_TRUE;
    return 0;
}

/* A string; null is the empty one. */
static int read_string(struct model_reader *r, enum jscan_type type, const char *key,
                       struct buf *out)
{
    buf_clear(out);
    if (type == JSCAN_NULL)
        return 0;
    return type == JSCAN_STRING ? jscan_string(r->j, false, out, r->e) : wrong(r, key, "a string");
}

static double power_of_ten(int64_t n)
{
    char s[16];
    snprintf(s, sizeof s, "1e%d", (int)n);
    return strtod(s, NULL);
}

/* A JSON number as the reference reads it: as many of its digits as fit 64 bits, as a double, times
 * or by a power of ten. It may be the double beside the nearest, and ties of scores hang on that.
 */
static double read_score(const char *s, size_t n)
{
    uint64_t digits = 0;
    int64_t exponent = 0;
    bool negative = n && s[0] == '-', full = false, behind = false;
    size_t i = negative;
    for (; i < n && s[i] != 'e' && s[i] != 'E'; i++) {
        if (s[i] == '.') {
            behind = true;
            continue;
        }
        const unsigned digit = (unsigned)(s[i] - '0');
        full = full || digits > (UINT64_MAX - digit) / 10;
        if (!full)
            digits = 10 * digits + digit;
        exponent += (full && !behind) - (!full && behind);
    }
    if (i < n) {
        const bool down = s[i + 1] == '-';
        int64_t more = 0;
        for (i += s[i + 1] == '-' || s[i + 1] == '+' ? 2 : 1; i < n && more < 100000; i++)
            more = 10 * more + (s[i] - '0');
        exponent += down ? -more : more;
    }
    double v = (double)digits;
    for (; v != 0 && exponent < -308; exponent += 308)
        v /= 1e308;
    if (v != 0)
        v = exponent < 0 ? v / power_of_ten(-exponent) : v * power_of_ten(exponent);
    return negative ? -v : v;
}

/* Unigram's: pairs of token and score. */
static int read_scored(struct model_reader *r)
{
    struct tokenizer *t = r->t;
    struct jscan *j = r->j;
    enum jscan_type type;
    size_t cap = 0;
    r->vocab_is_array = true;
    while ((type = jscan_next(j)) == JSCAN_ARRAY) {
        const char *s;
        size_t n, id = t->vocab.n;
        if (jscan_next(j) != JSCAN_STRING || scan_text(t, j, &s, &n, r->e) < 0)
            return j->error ? jscan_err(j, r->e)
                            : err_set(r->e, "model.vocab: entry %zu is no token and score", id);
        if (mem_grow(&t->score, &cap, id + 1, sizeof *t->score, r->e) < 0)
            return -1;
        if (jscan_next(j) != JSCAN_NUMBER || jscan_real(j, &t->score[id]) < 0)
            return j->error ? jscan_err(j, r->e)
                            : err_set(r->e, "model.vocab: the score of entry %zu is no number", id);
        t->score[id] = read_score(j->str, j->len);
        if (jscan_next(j) != JSCAN_END)
            return j->error ? jscan_err(j, r->e)
                            : err_set(r->e, "model.vocab: entry %zu is no token and score", id);
        if (vocab_add(&t->vocab, s, n, (int64_t)id, r->e) < 0)
            return err_prefix(r->e, "model.vocab: ");
    }
    if (type != JSCAN_END)
        return j->error ? jscan_err(j, r->e) : err_set(r->e, "model.vocab is not a list of pairs");
    if (t->vocab.n == 0)
        return err_set(r->e, "model.vocab is empty");
    if (vocab_index(&t->vocab, r->e) < 0)
        return -1;
    for (size_t i = 0; i < t->vocab.n; i++) /* also of equal strings each id has its token */
        t->vocab.by_id[i] = (uint32_t)i + 1;
    return 0;
}

static int read_vocab(struct model_reader *r, enum jscan_type type)
{
    struct tokenizer *t = r->t;
    struct jscan *j = r->j;
    if (r->has_vocab)
        return err_set(r->e, "model.vocab is there twice");
    r->has_vocab = true;
    if (type == JSCAN_ARRAY)
        return read_scored(r);
    if (type != JSCAN_OBJECT)
        return wrong(r, "vocab", "an object");
    while ((type = jscan_next(j)) == JSCAN_KEY) {
        const char *s;
        size_t n;
        int64_t id;
        if (scan_text(t, j, &s, &n, r->e) < 0)
            return -1;
        if (jscan_next(j) != JSCAN_NUMBER || jscan_int(j, &id) < 0)
            return wrong(r, "vocab", "an object of whole numbers");
        if (vocab_add(&t->vocab, s, n, id, r->e) < 0)
            return err_prefix(r->e, "model.vocab: ");
    }
    if (type != JSCAN_END)
        return jscan_err(j, r->e);
    if (t->vocab.n == 0)
        return err_set(r->e, "model.vocab is empty");
    return vocab_index(&t->vocab, r->e);
}

static int read_merges(struct model_reader *r, struct jscan *j)
{
    if (!r->bpe && !(r->bpe = mem_new(1, sizeof *r->bpe, r->e)))
        return -1;
    return bpe_read_merges(r->t, r->bpe, j, false, r->e);
}

/* Now, or noted for later where the vocabulary is still to come. */
static int see_merges(struct model_reader *r, enum jscan_type type)
{
    if (type != JSCAN_ARRAY)
        return wrong(r, "merges", "an array");
    if (r->has_merges)
        return err_set(r->e, "model.merges is there twice");
    r->has_merges = true;
    if (r->has_vocab && !r->vocab_is_array && r->has_prefix && r->t->uses & TOKENIZER_ENCODES)
        return read_merges(r, r->j);
    r->merges.at = r->j->start;
    if (jscan_skip(r->j) < 0)
        return jscan_err(r->j, r->e);
    r->merges.n = r->j->pos - r->merges.at;
    return 0;
}

static int read_dropout(struct model_reader *r, enum jscan_type type)
{
    double p = 0;
    if (type != JSCAN_NULL && (type != JSCAN_NUMBER || jscan_real(r->j, &p) < 0))
        return wrong(r, "dropout", "a number");
    if (p != 0)
        return err_set(r->e, "model.dropout of %g is not supported: ids would be random", p);
    return 0;
}

static int read_max_chars(struct model_reader *r, enum jscan_type type)
{
    int64_t n;
    if (type != JSCAN_NUMBER || jscan_int(r->j, &n) < 0 || n < 0)
        return wrong(r, "max_input_chars_per_word", "a whole number");
    r->has_max_chars = true;
    r->t->settings.max_chars = (uint64_t)n;
    return 0;
}

static int read_member(struct model_reader *r)
{
    struct model_settings *s = &r->t->settings;
    struct jscan key = *r->j;
    enum jscan_type type = jscan_next(r->j);
    if (type == JSCAN_ERROR)
        return jscan_err(r->j, r->e);
    if (jscan_key_is(&key, "type"))
        return read_string(r, type, "type", &r->type);
    if (jscan_key_is(&key, "vocab"))
        return read_vocab(r, type);
    if (jscan_key_is(&key, "merges"))
        return see_merges(r, type);
    if (jscan_key_is(&key, "dropout"))
        return read_dropout(r, type);
    if (jscan_key_is(&key, "unk_token")) {
        r->has_unk = type != JSCAN_NULL;
        return read_string(r, type, "unk_token", &r->unk);
    }
    if (jscan_key_is(&key, "unk_id")) {
        if (type != JSCAN_NULL &&
            (type != JSCAN_NUMBER || jscan_int(r->j, &r->unk_id) < 0 || r->unk_id < 0))
            return wrong(r, "unk_id", "a whole number");
        return 0;
    }
    r->has_prefix |= jscan_key_is(&key, "continuing_subword_prefix");
    if (jscan_key_is(&key, "continuing_subword_prefix"))
        return read_string(r, type, "continuing_subword_prefix", &s->prefix);
    if (jscan_key_is(&key, "end_of_word_suffix"))
        return read_string(r, type, "end_of_word_suffix", &s->suffix);
    if (jscan_key_is(&key, "fuse_unk"))
        return read_bool(r, type, "fuse_unk", &s->fuse_unk);
    if (jscan_key_is(&key, "byte_fallback"))
        return read_bool(r, type, "byte_fallback", &s->byte_fallback);
    if (jscan_key_is(&key, "ignore_merges"))
        return read_bool(r, type, "ignore_merges", &s->ignore_merges);
    if (jscan_key_is(&key, "max_input_chars_per_word"))
        return read_max_chars(r, type);
    return jscan_skip(r->j) < 0 ? jscan_err(r->j, r->e) : 0;
}

/* Files of old leave the type to be told by what is there. */
static const char *type_of(const struct model_reader *r)
{
    if (r->type.len)
        return r->type.s;
    return r->has_merges       ? "BPE"
           : r->vocab_is_array ? "Unigram"
           : r->has_max_chars  ? "WordPiece"
                               : "WordLevel";
}

static int finish_bpe(struct model_reader *r)
{
    struct tokenizer *t = r->t;
    if (!r->has_vocab || r->vocab_is_array)
        return err_set(r->e, "model.vocab is missing or no object");
    const bool encodes = t->uses & TOKENIZER_ENCODES;
    t->merges_at = r->merges;
    if (encodes && r->merges.n) {
        struct jscan j;
        value_scan(t, r->merges, &j);
        jscan_next(&j);
        if (read_merges(r, &j) < 0)
            return -1;
    }
    if (!r->bpe && !(r->bpe = mem_new(1, sizeof *r->bpe, r->e)))
        return -1;
    t->settings.max_chars = 0;
    if (r->has_unk && buf_reserve(&r->unk, 16, r->e) < 0)
        return -1;
    if (r->has_unk)
        t->settings.unk = vocab_id(&t->vocab, r->unk.s, r->unk.len);
    r->bpe->unk_missing = r->has_unk && t->settings.unk < 0;
    bpe_finish(t, r->bpe);
    if (encodes && bpe_fill_tables(r->bpe, r->e) < 0)
        return -1;
    t->type = "BPE";
    t->ops = encodes ? &bpe_ops : &bpe_decode_ops;
    t->model = r->bpe;
    r->bpe = NULL;
    return 0;
}

/* What only BPE has says nothing in the others. */
static void forget_bpe(struct model_settings *s, bool keep_prefix)
{
    s->fuse_unk = s->ignore_merges = false;
    buf_clear(&s->suffix);
    if (!keep_prefix)
        buf_clear(&s->prefix);
}

static int finish_words(struct model_reader *r, bool pieces)
{
    struct tokenizer *t = r->t;
    struct model_settings *s = &t->settings;
    if (!r->has_vocab || r->vocab_is_array)
        return err_set(r->e, "model.vocab is missing or no object");
    if (!r->has_unk)
        return err_set(r->e, "model.unk_token is missing");
    if ((pieces && !r->has_prefix && buf_puts(&s->prefix, "##", r->e) < 0) ||
        buf_reserve(&r->unk, 16, r->e) < 0)
        return -1;
    s->unk = vocab_id(&t->vocab, r->unk.s, r->unk.len);
    s->byte_fallback = false;
    forget_bpe(s, pieces);
    if (!pieces || !r->has_max_chars)
        s->max_chars = pieces ? 100 : 0;
    t->type = pieces ? "WordPiece" : "WordLevel";
    return 0;
}

static int finish_unigram(struct model_reader *r)
{
    struct tokenizer *t = r->t;
    if (!r->has_vocab || !r->vocab_is_array)
        return err_set(r->e, "model.vocab is missing or no list of tokens with their scores");
    if (r->unk_id >= (int64_t)t->vocab.n)
        return err_set(r->e, "model.unk_id is beyond the vocabulary");
    t->settings.unk = r->unk_id;
    t->settings.max_chars = 0;
    forget_bpe(&t->settings, false);
    t->type = "Unigram";
    return 0;
}

static int read_members(struct model_reader *r)
{
    enum jscan_type type = jscan_next(r->j);
    if (type != JSCAN_OBJECT)
        return r->j->error ? jscan_err(r->j, r->e) : err_set(r->e, "model is not an object");
    while ((type = jscan_next(r->j)) == JSCAN_KEY)
        if (read_member(r) < 0)
            return -1;
    if (type != JSCAN_END)
        return jscan_err(r->j, r->e);
    const char *name = type_of(r);
    if (strcmp(name, "BPE") == 0)
        return finish_bpe(r);
    if (strcmp(name, "Unigram") == 0)
        return finish_unigram(r);
    if (strcmp(name, "WordPiece") == 0 || strcmp(name, "WordLevel") == 0)
        return finish_words(r, name[4] == 'P');
    return err_set(r->e, "a model of type %.40s is not supported", name);
}

int read_model(struct tokenizer *t, struct jscan *j, struct err *e)
{
    struct model_reader r = {
        .t = t, .j = j, .type = BUF_INIT, .unk = BUF_INIT, .unk_id = -1, .e = e};
    t->settings.unk = -1;
    int rc = read_members(&r);
    buf_release(&r.type);
    buf_release(&r.unk);
    if (r.bpe)
        bpe_ops.free(r.bpe);
    return rc;
}
