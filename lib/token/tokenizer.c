/* Tokenizers as a whole: opening, and what is asked of them besides encoding and decoding. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/sys.h"
#include "base/utf8.h"
#include "token/bpe_model.h"
#include "token/bytelevel.h"
#include "token/general.h"
#include "token/import.h"
#include "token/junctions.h"

enum { SLACK = 64 };

void offsets_release(struct offsets *o)
{
    free(o->v);
    *o = (struct offsets){0};
}

void ids_release(struct ids *ids)
{
    free(ids->v);
    *ids = (struct ids){0};
}

/* ---- reading */

void value_scan(const struct tokenizer *t, struct value v, struct jscan *j)
{
    jscan_init(j, t->json, v.at + v.n);
    j->pos = v.at;
}

int scan_text(struct tokenizer *t, const struct jscan *j, const char **s, size_t *n, struct err *e)
{
    size_t good = t->json_valid ? j->len : utf8_valid(j->str, j->len);
    if (good != j->len)
        return err_set(e, "at byte %zu: invalid UTF-8", (size_t)(j->str - j->p) + good);
    *s = j->str;
    *n = j->len;
    if (!j->escaped)
        return 0;
    struct buf b = BUF_INIT;
    char *copy = NULL;
    if (jscan_string(j, false, &b, e) == 0 &&
        (copy = arena_new(&t->strings, b.len + 16, 1, e)) != NULL) {
        memcpy(copy, b.s, b.len);
        *s = copy;
        *n = b.len;
    }
    buf_release(&b);
    return copy ? 0 : -1;
}

static int note_value(struct tokenizer *t, struct jscan *j, struct value *v, struct err *e)
{
    (void)t;
    if (jscan_next(j) == JSCAN_ERROR)
        return jscan_err(j, e);
    v->at = j->start;
    if (jscan_skip(j) < 0)
        return jscan_err(j, e);
    v->n = j->pos - v->at;
    return 0;
}

/* An object without a model: by one of its keys, what it may be instead. */
struct other_file {
    const char *key, *what;
};
static const struct other_file other_files[] = {
    {"config", "Mistral's tekken.json is not supported"},
    {"tokenizer_class", "this is a tokenizer_config.json"},
    {"model_max_length", "this is a tokenizer_config.json"},
    {"model_type", "this is a config.json, of a model"},
    {"architectures", "this is a config.json, of a model"},
    {"merges", "this is the model of a tokenizer.json, without what stands around it"},
    {"<unk>", "this is a vocab.json, which does not say how text is split"},
    {"[UNK]", "this is a vocab.json, which does not say how text is split"},
    {"!", "this is a vocab.json, which does not say how text is split"},
};

static int no_model(const struct other_file *other, struct err *e)
{
    return err_set(e, "not a tokenizer.json: it has no 'model'%s%s%s", other ? "; " : "",
                   other ? other->what : "", other ? "; name the tokenizer.json beside it" : "");
}

static int read_top(struct tokenizer *t, struct err *e)
{
    const struct other_file *other = NULL;
    struct jscan j;
    enum jscan_type type;
    bool has_model = false;
    struct value ignored;
    const struct {
        const char *key;
        struct value *v;
    } parts[] = {
        {"normalizer", &t->normalizer},         {"pre_tokenizer", &t->pre_tokenizer},
        {"post_processor", &t->post_processor}, {"decoder", &t->decoder},
        {"added_tokens", &t->added_tokens},
    };
    jscan_init(&j, t->json, t->json_len);
    type = jscan_next(&j);
    if (type == JSCAN_ERROR) {
        jscan_err(&j, e);
        return err_prefix(e, "not a tokenizer.json: ");
    }
    if (type != JSCAN_OBJECT)
        return err_set(e, "not a tokenizer.json: no JSON object");
    while ((type = jscan_next(&j)) == JSCAN_KEY) {
        if (jscan_key_is(&j, "model")) {
            if (has_model)
                return err_set(e, "'model' is there twice");
            has_model = true;
            struct jscan ahead = j;
            if (other && jscan_next(&ahead) != JSCAN_OBJECT) /* GPT-2 has a token "model" */
                return no_model(other, e);
            if (read_model(t, &j, e) < 0)
                return -1;
            continue;
        }
        for (size_t i = 0; i < ARRAY_LEN(other_files) && !other; i++)
            if (jscan_key_is(&j, other_files[i].key))
                other = &other_files[i];
        struct value *v = &ignored;
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
            if (jscan_key_is(&j, parts[i].key))
                v = parts[i].v;
        if (note_value(t, &j, v, e) < 0)
            return -1;
    }
    if (type == JSCAN_END)
        type = jscan_next(&j);
    if (type != JSCAN_EOF)
        return jscan_err(&j, e);
    return has_model ? 0 : no_model(other, e);
}

/* What each id gives when decoded: the bytes that its characters stand for, or, where one of them
 * stands for none, the token as it is; of added tokens always that. */
static int fill_bytes(struct tokenizer *t, struct err *e)
{
    size_t total = 16;
    t->n_ids = t->vocab.id_bound;
    for (size_t i = 0; i < t->added.n; i++)
        if (t->n_ids <= t->added.v[i].id)
            t->n_ids = t->added.v[i].id + 1;
    for (size_t i = 0; i < t->vocab.n; i++)
        total += t->vocab.v[i].len;
    char *p = arena_new(&t->strings, total, 1, e);
    t->bytes = mem_new(t->n_ids, sizeof *t->bytes, e);
    if (!p || !t->bytes)
        return -1;
    for (size_t i = 0; i < t->vocab.n; i++) {
        const struct token *k = &t->vocab.v[i];
        long n = bytelevel_bytes(p, k->s, k->len);
        /* all tokens, also those that another of the same id hides: a merge's token has the bytes
         * of its two sides, so they say where merges may be */
        if (t->junctions && n > 1)
            junctions_add(t->junctions, p, (size_t)n);
        if (vocab_token(&t->vocab, k->id) != k)
            continue;
        t->bytes[k->id] =
            (struct id_bytes){n < 0 ? k->s : p, n < 0 ? k->len : (uint32_t)n, false, 0};
        p += n < 0 ? 0 : n;
    }
    for (size_t i = 0; i < t->added.n; i++) {
        const struct added_token *a = &t->added.v[i];
        t->bytes[a->id] = (struct id_bytes){a->s, (uint32_t)a->len, a->special, (uint32_t)i + 1};
        if (a->normalized) {
            t->bytes[a->id].s = a->form;
            t->bytes[a->id].len = (uint32_t)a->form_len;
        }
    }
    return 0;
}

/* The same by the decoder of the general path: what an id gives amid others. */
static int fill_decoded(struct tokenizer *t, struct err *e)
{
    struct decode_run *r = decode_run_new(&t->general->decoders, true, e);
    struct buf b = BUF_INIT;
    size_t n;
    int rc = r ? 0 : -1;
    for (uint32_t id = 0; id < t->n_ids && rc == 0; id++) {
        struct id_bytes *k = &t->bytes[id];
        const char *s = tokenizer_spelled(t, id, &n);
        if (!s)
            continue;
        buf_clear(&b);
        rc = decode_run_one(r, s, n, &b, e);
        if (rc == 0 && (b.len != n || memcmp(b.s, s, n) != 0) &&
            !(s = arena_dup(&t->strings, b.s, b.len, e)))
            rc = -1;
        k->s = s;
        k->len = (uint32_t)b.len;
    }
    buf_release(&b);
    decode_run_free(r);
    return rc;
}

/* Of a tokenizer that does not encode: what the general path, which is one for all uses, needs, or
 * what the fingerprint needs. */
static int read_late(struct tokenizer *t, bool general, struct err *e)
{
    struct jscan j;
    struct bpe *b = t->model;
    if (t->uses & TOKENIZER_ENCODES || !t->ops || !(general || t->uses & TOKENIZER_FINGERPRINTS))
        return 0;
    if (t->merges_at.n) {
        value_scan(t, t->merges_at, &j);
        jscan_next(&j);
        if (bpe_read_merges(t, b, &j, !general, e) < 0)
            return -1;
    }
    if (!general)
        return 0;
    t->ops = &bpe_ops;
    return bpe_fill_tables(b, e);
}

/* Whatever else: a byte-level BPE with what runs over bytes, or the general path. */
static int choose_path(struct tokenizer *t, struct err *e)
{
    int general = general_wanted(t, e);
    if (general < 0 || read_late(t, general, e) < 0)
        return -1;
    if (general)
        return (t->general = general_new(t, e)) ? 0 : -1;
    return read_normalizer(t, e) < 0 || read_pre_tokenizer(t, e) < 0 || read_decoder(t, e) < 0 ? -1
                                                                                               : 0;
}

static int fill_shorts(struct tokenizer *t, struct err *e)
{
    t->shorts = sys_pages((t->n_ids + 1) * sizeof *t->shorts, e);
    if (!t->shorts)
        return -1;
    for (uint32_t id = 0; id < t->n_ids; id++) {
        const struct id_bytes *k = &t->bytes[id];
        struct short_bytes *to = &t->shorts[id];
        to->len = SHORT_NONE;
        if (k->s && k->len <= sizeof to->s && !k->special) {
            memcpy(to->s, k->s, k->len);
            to->len = (uint8_t)k->len;
        }
    }
    t->shorts[t->n_ids].len = SHORT_NONE;
    return 0;
}

static int describe(struct tokenizer *t, struct err *e)
{
    struct buf b = BUF_INIT;
    if (t->general) {
        int rc = general_describe(t->general, &b, e);
        t->describe = rc < 0 ? NULL : buf_take(&b, e);
        buf_release(&b);
        return t->describe ? 0 : -1;
    }
    char merges[40] = "";
    if (t->uses) /* else nobody has counted them */
        snprintf(merges, sizeof merges, "%zu merges, ", t->n_merges);
    if (buf_printf(&b, e, "byte-level %s, %" PRIu32 " ids, %s%zu added tokens%s%s; split: ",
                   t->type, t->n_ids, merges, t->added.n, t->nfc ? ", NFC" : "",
                   t->settings.ignore_merges ? ", whole pieces before merges" : "") < 0 ||
        split_describe(t->split, &b, e) < 0) {
        buf_release(&b);
        return -1;
    }
    t->describe = buf_take(&b, e);
    return t->describe ? 0 : -1;
}

/* Takes json, which has SLACK bytes behind it. */
static struct tokenizer *parse(char *json, size_t n, const char *name, int uses, struct err *e)
{
    struct tokenizer *t = mem_new(1, sizeof *t, e);
    if (!t) {
        free(json);
        return NULL;
    }
    t->uses = uses;
    t->json = json;
    t->json_len = n;
    t->json_valid = utf8_valid(json, n) == n;
    t->settings.prefix = t->settings.suffix = (struct buf)BUF_INIT;
    arena_init(&t->strings, 0);
    added_init(&t->added);
    t->name = mem_strdup(name, e);
    if (!t->name)
        goto fail;
    if (read_top(t, e) < 0 || choose_path(t, e) < 0 || read_post_processor(t, e) < 0 ||
        read_added_tokens(t, e) < 0 || index_added_tokens(t, e) < 0 ||
        (!t->general && uses & TOKENIZER_ENCODES && !(t->junctions = junctions_new(e))) ||
        fill_bytes(t, e) < 0 || (t->general ? fill_decoded(t, e) : fill_shorts(t, e)) < 0 ||
        describe(t, e) < 0) {
        err_prefix(e, "%s: ", name);
        goto fail;
    }
    return t;
fail:
    tokenizer_close(t);
    return NULL;
}

struct tokenizer *tokenizer_parse_for(int uses, const char *json, size_t n, const char *name,
                                      struct err *e)
{
    char *copy = mem_new(n + SLACK, 1, e);
    if (!copy)
        return NULL;
    memcpy(copy, json, n);
    return parse(copy, n, name, uses, e);
}

struct tokenizer *tokenizer_parse(const char *json, size_t n, const char *name, struct err *e)
{
    return tokenizer_parse_for(TOKENIZER_ENCODES | TOKENIZER_FINGERPRINTS, json, n, name, e);
}

static struct tokenizer *open_file(int uses, const char *path, const char *split, const char *regex,
                                   struct err *e)
{
    const struct import_opt opt = {.split = split, .split_regex = regex, .lowercase = -1};
    struct buf file = BUF_INIT;
    struct tokenizer *t = NULL;
    struct stat st;
    size_t n;
    bool dir = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    if (buf_printf(&file, e, "%s%s", path, dir ? "/tokenizer.json" : "") == 0) {
        char *json = import_load(file.s, &opt, &n, e);
        if (json)
            t = parse(json, n, file.s, uses, e);
    }
    buf_release(&file);
    return t;
}

struct tokenizer *tokenizer_open_split(const char *path, const char *split, const char *regex,
                                       struct err *e)
{
    return open_file(TOKENIZER_ENCODES | TOKENIZER_FINGERPRINTS, path, split, regex, e);
}

struct tokenizer *tokenizer_open(const char *path, struct err *e)
{
    return tokenizer_open_split(path, NULL, NULL, e);
}

struct tokenizer *tokenizer_open_for(int uses, const char *path, struct err *e)
{
    return open_file(uses, path, NULL, NULL, e);
}

void tokenizer_close(struct tokenizer *t)
{
    if (!t)
        return;
    if (t->ops)
        t->ops->free(t->model);
    vocab_release(&t->vocab);
    buf_release(&t->settings.prefix);
    buf_release(&t->settings.suffix);
    added_release(&t->added);
    junctions_free(t->junctions);
    split_free(t->split);
    general_free(t->general);
    free(t->score);
    arena_release(&t->strings);
    free(t->before);
    free(t->after);
    free(t->bytes);
    sys_pages_free(t->shorts, (t->n_ids + 1) * sizeof *t->shorts);
    free(t->describe);
    free(t->json);
    free(t->name);
    free(t);
}

/* ---- asking */

uint32_t tokenizer_vocab_size(const struct tokenizer *t)
{
    return t->n_ids;
}

const char *tokenizer_json(const struct tokenizer *t, size_t *n)
{
    *n = t->json_len;
    return t->json;
}

int64_t tokenizer_id(const struct tokenizer *t, const char *token, size_t n)
{
    for (size_t i = 0; i < t->added.n; i++)
        if (t->added.v[i].len == n && memcmp(t->added.v[i].s, token, n) == 0)
            return t->added.v[i].id;
    struct buf padded = BUF_INIT;
    int64_t id = -1;
    if (buf_reserve(&padded, n + 16, NULL) == 0) {
        memcpy(padded.s, token, n);
        id = vocab_id(&t->vocab, padded.s, n);
    }
    buf_release(&padded);
    return id;
}

const char *tokenizer_spelled(const struct tokenizer *t, uint32_t id, size_t *n)
{
    if (id >= t->n_ids)
        return NULL;
    const uint32_t at = t->bytes[id].added;
    const struct token *k = vocab_token(&t->vocab, id);
    if (!at) {
        *n = k ? k->len : 0;
        return k ? k->s : NULL;
    }
    const struct added_token *a = &t->added.v[at - 1];
    *n = a->normalized ? a->form_len : a->len;
    return a->normalized ? a->form : a->s;
}

const char *tokenizer_bytes(const struct tokenizer *t, uint32_t id, size_t *n)
{
    if (id >= t->n_ids || !t->bytes[id].s) {
        *n = 0;
        return NULL;
    }
    *n = t->bytes[id].len;
    return t->bytes[id].s;
}

bool tokenizer_is_special(const struct tokenizer *t, uint32_t id)
{
    return id < t->n_ids && t->bytes[id].special;
}

const char *tokenizer_describe(const struct tokenizer *t)
{
    return t->describe;
}

void tokenizer_around(const struct tokenizer *t, const uint32_t **before, size_t *n_before,
                      const uint32_t **after, size_t *n_after)
{
    *before = t->before;
    *n_before = t->n_before;
    *after = t->after;
    *n_after = t->n_after;
}
