/*
 * Vocabularies of GGUF files (versions 2 and 3, little-endian). The front of a file is
 *
 *     "GGUF", version (4 bytes), number of tensors (8), number of entries (8)
 *     per entry: its key (a string), the type of its value (4), the value
 *
 * with strings as their length (8) and bytes, arrays as the type of their elements (4), their
 * number (8) and the elements. Tensors follow and are not read. What the entries tokenizer.ggml.*
 * mean is said by llama.cpp (src/llama-vocab.cpp).
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "base/mem.h"
#include "token/import_gguf_int.h"
#include "token/vocab.h"

enum { MAX_ENTRIES = 1 << 20, MAX_TOKEN_BYTES = 4095 };
enum { OK, MORE = 1 }; /* besides -1 */
enum gguf_type {
    GGUF_U8,
    GGUF_I8,
    GGUF_U16,
    GGUF_I16,
    GGUF_U32,
    GGUF_I32,
    GGUF_F32,
    GGUF_BOOL,
    GGUF_STRING,
    GGUF_ARRAY,
    GGUF_U64,
    GGUF_I64,
    GGUF_F64,
    N_GGUF_TYPES
};
static const unsigned char size_of[N_GGUF_TYPES] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

struct reader {
    const unsigned char *p;
    size_t n, at;
    struct err *e;
};
struct text {
    const char *s;
    size_t n;
};

/* n more bytes: whether they are there. */
static int need(struct reader *r, uint64_t n)
{
    if (n <= r->n - r->at)
        return OK;
    err_set(r->e, "cut short at byte %zu, %" PRIu64 " bytes before the end of what is read", r->n,
            n - (r->n - r->at));
    return MORE;
}

static int read_u32(struct reader *r, uint32_t *v)
{
    if (need(r, 4))
        return MORE;
    *v = le32_get(r->p + r->at);
    r->at += 4;
    return OK;
}

static int read_u64(struct reader *r, uint64_t *v)
{
    if (need(r, 8))
        return MORE;
    *v = le64_get(r->p + r->at);
    r->at += 8;
    return OK;
}

static int read_text(struct reader *r, struct text *t)
{
    uint64_t n;
    if (read_u64(r, &n))
        return MORE;
    if (n >> 30)
        return err_set(r->e, "at byte %zu: a string of %" PRIu64 " bytes", r->at - 8, n);
    if (need(r, n))
        return MORE;
    *t = (struct text){(const char *)r->p + r->at, (size_t)n};
    r->at += (size_t)n;
    return OK;
}

static int read_type(struct reader *r, uint32_t *type)
{
    if (read_u32(r, type))
        return MORE;
    return *type < N_GGUF_TYPES
               ? OK
               : err_set(r->e, "at byte %zu: a value of type %" PRIu32, r->at - 4, *type);
}

static int read_array(struct reader *r, uint32_t *type, uint64_t *n)
{
    int rc = read_type(r, type);
    if (rc || (rc = read_u64(r, n)))
        return rc;
    if (*type == GGUF_ARRAY)
        return err_set(r->e, "at byte %zu: an array of arrays", r->at);
    if (*n >> 30)
        return err_set(r->e, "at byte %zu: an array of %" PRIu64 " elements", r->at - 8, *n);
    return OK;
}

static int skip_value(struct reader *r, uint32_t type)
{
    struct text t;
    uint64_t n = 1;
    int rc;
    if (type == GGUF_STRING)
        return read_text(r, &t);
    if (type == GGUF_ARRAY && (rc = read_array(r, &type, &n)))
        return rc;
    if (type == GGUF_STRING) {
        for (uint64_t i = 0; i < n; i++)
            if ((rc = read_text(r, &t)))
                return rc;
        return OK;
    }
    if (need(r, n * size_of[type]))
        return MORE;
    r->at += (size_t)(n * size_of[type]);
    return OK;
}

/* ---- entries */

static int wrong_type(struct reader *r, const char *what)
{
    return err_set(r->e, "at byte %zu: tokenizer.ggml.%s is of another type", r->at, what);
}

/* Which token an entry of an array is about; they come before, with or after the tokens. */
static int room_for(struct reader *r, struct gguf_vocab *g, uint64_t n)
{
    struct import_vocab *v = &g->vocab;
    if (n > TOKEN_MAX_ID + 1)
        return err_set(r->e, "at byte %zu: more than %d tokens", r->at, (int)TOKEN_MAX_ID + 1);
    if (v->n && v->n != n)
        return err_set(r->e, "at byte %zu: %" PRIu64 " entries for %zu tokens", r->at, n, v->n);
    if (v->n)
        return OK;
    if (mem_grow(&v->v, &v->cap, (size_t)n + 1, sizeof *v->v, r->e) < 0)
        return -1;
    for (; v->n < n; v->n++)
        v->v[v->n] = (struct import_token){.s = "", .type = TOKEN_NORMAL};
    return OK;
}

static int read_tokens(struct reader *r, struct gguf_vocab *g)
{
    uint32_t type;
    uint64_t n;
    struct text t;
    int rc = read_array(r, &type, &n);
    if (rc)
        return rc;
    if (type != GGUF_STRING)
        return wrong_type(r, "tokens");
    if (need(r, n * 8))
        return MORE;
    if ((rc = room_for(r, g, n)))
        return rc;
    g->has_tokens = true;
    for (size_t i = 0; i < n; i++) {
        if ((rc = read_text(r, &t)))
            return rc;
        if (t.n > MAX_TOKEN_BYTES)
            return err_set(r->e, "at byte %zu: a token of %zu bytes", r->at, t.n);
        g->vocab.v[i].s = t.s;
        g->vocab.v[i].len = (uint32_t)t.n;
        if (import_check_token(&g->vocab.v[i], i, r->e) < 0)
            return -1;
    }
    return OK;
}

static int read_scores(struct reader *r, struct gguf_vocab *g)
{
    uint32_t type;
    uint64_t n;
    int rc = read_array(r, &type, &n);
    if (rc)
        return rc;
    if (type != GGUF_F32)
        return wrong_type(r, "scores");
    if (need(r, n * 4))
        return MORE;
    if ((rc = room_for(r, g, n)))
        return rc;
    for (size_t i = 0; i < n; i++, r->at += 4) {
        uint32_t bits = le32_get(r->p + r->at);
        memcpy(&g->vocab.v[i].score, &bits, 4);
        if (!isfinite(g->vocab.v[i].score))
            return err_set(r->e, "at byte %zu: the score of token %zu is no number", r->at, i);
    }
    g->has_scores = true;
    return OK;
}

static bool is_whole(uint32_t type)
{
    return type <= GGUF_I32 || type == GGUF_BOOL || type == GGUF_U64 || type == GGUF_I64;
}

/* A whole number or a truth value; one over INT64_MAX becomes that. */
static int64_t whole_at(const unsigned char *p, uint32_t type)
{
    switch (type) {
    case GGUF_I8:
        return (int8_t)*p;
    case GGUF_U16:
        return le16_get(p);
    case GGUF_I16:
        return (int16_t)le16_get(p);
    case GGUF_U32:
        return le32_get(p);
    case GGUF_I32:
        return (int32_t)le32_get(p);
    case GGUF_I64:
        return (int64_t)le64_get(p);
    case GGUF_U64:
        return le64_get(p) > INT64_MAX ? INT64_MAX : (int64_t)le64_get(p);
    default:
        return *p;
    }
}

static int read_types(struct reader *r, struct gguf_vocab *g)
{
    uint32_t type;
    uint64_t n;
    int rc = read_array(r, &type, &n);
    if (rc)
        return rc;
    if (!is_whole(type))
        return wrong_type(r, "token_type");
    if (need(r, n * size_of[type]))
        return MORE;
    if ((rc = room_for(r, g, n)))
        return rc;
    for (size_t i = 0; i < n; i++, r->at += size_of[type]) {
        int64_t x = whole_at(r->p + r->at, type);
        if (x < 0 || x > TOKEN_BYTE)
            return err_set(r->e, "at byte %zu: a token of type %" PRId64, r->at, x);
        g->vocab.v[i].type = x ? (uint8_t)x : TOKEN_NORMAL;
    }
    return OK;
}

static int read_merges(struct reader *r, struct gguf_vocab *g)
{
    uint32_t type;
    struct text t;
    int rc = read_array(r, &type, &g->n_merges);
    if (rc)
        return rc;
    if (type != GGUF_STRING)
        return wrong_type(r, "merges");
    g->merges_at = r->at;
    for (uint64_t i = 0; i < g->n_merges; i++)
        if ((rc = read_text(r, &t)))
            return rc;
    return OK;
}

/* A number or a truth value. */
static int read_number(struct reader *r, uint32_t type, const char *name, int64_t *v)
{
    if (!is_whole(type))
        return wrong_type(r, name);
    if (need(r, size_of[type]))
        return MORE;
    *v = whole_at(r->p + r->at, type);
    r->at += size_of[type];
    return OK;
}

static int read_entry(struct reader *r, const char *name, uint32_t type, struct gguf_vocab *g)
{
    const struct {
        const char *name;
        int (*read)(struct reader *r, struct gguf_vocab *g);
    } arrays[] = {{"tokens", read_tokens},
                  {"scores", read_scores},
                  {"token_type", read_types},
                  {"merges", read_merges}};
    const struct {
        const char *name;
        const char **s;
        size_t *n;
    } texts[] = {{"model", &g->model, &g->model_len}, {"pre", &g->pre, &g->pre_len}};
    const struct {
        const char *name;
        int64_t *v;
    } numbers[] = {
        {"bos_token_id", &g->bos},
        {"eos_token_id", &g->eos},
        {"unknown_token_id", &g->unk},
        {"cls_token_id", &g->cls},
        {"seperator_token_id", &g->sep},
        {"add_bos_token", &g->add_bos},
        {"add_eos_token", &g->add_eos},
        {"add_space_prefix", &g->space_prefix},
        {"remove_extra_whitespaces", &g->remove_extra_whitespaces},
        {"normalizer.lowercase", &g->lowercase},
    };
    struct text t;
    int rc;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        if (strcmp(name, arrays[i].name) == 0)
            return type == GGUF_ARRAY ? arrays[i].read(r, g) : wrong_type(r, name);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(name, texts[i].name) == 0) {
            if (type != GGUF_STRING)
                return wrong_type(r, name);
            if ((rc = read_text(r, &t)))
                return rc;
            *texts[i].s = t.s;
            *texts[i].n = t.n;
            return OK;
        }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strcmp(name, numbers[i].name) == 0)
            return read_number(r, type, name, numbers[i].v);
    if (strcmp(name, "precompiled_charsmap") == 0) {
        uint64_t n;
        if (type != GGUF_ARRAY)
            return wrong_type(r, name);
        if ((rc = read_array(r, &type, &n)))
            return rc;
        if (type > GGUF_I8)
            return wrong_type(r, name);
        if (need(r, n))
            return MORE;
        g->charsmap = (const char *)r->p + r->at;
        g->charsmap_len = (size_t)n;
        r->at += (size_t)n;
        return OK;
    }
    return skip_value(r, type);
}

/* A string outside of the vocabulary. */
static int read_general(struct reader *r, const struct text *key, struct gguf_vocab *g)
{
    static const char name[] = "general.name", architecture[] = "general.architecture";
    struct text t;
    int rc = read_text(r, &t);
    if (rc)
        return rc;
    if (key->n == sizeof name - 1 && memcmp(key->s, name, key->n) == 0) {
        g->name = t.s;
        g->name_len = t.n;
    } else if (key->n == sizeof architecture - 1 && memcmp(key->s, architecture, key->n) == 0) {
        g->architecture = t.s;
        g->architecture_len = t.n;
    }
    return OK;
}

static int read_front(struct reader *r, struct gguf_vocab *g)
{
    static const char prefix[] = "tokenizer.ggml.";
    enum { PREFIX = sizeof prefix - 1 };
    uint32_t magic, version, type;
    uint64_t n_tensors, n_entries;
    struct text key;
    char name[64];
    int rc;
    if (read_u32(r, &magic) || read_u32(r, &version))
        return MORE;
    if (version < 2 || version > 3)
        return err_set(r->e, "GGUF of version %" PRIu32 "; 2 and 3 are supported%s", version,
                       version & 0xff ? "" : " (is it big-endian?)");
    if (read_u64(r, &n_tensors) || read_u64(r, &n_entries))
        return MORE;
    if (n_entries > MAX_ENTRIES)
        return err_set(r->e, "at byte 16: %" PRIu64 " entries", n_entries);
    for (uint64_t i = 0; i < n_entries; i++) {
        if ((rc = read_text(r, &key)) || (rc = read_type(r, &type)))
            return rc;
        if (key.n > PREFIX && key.n - PREFIX < sizeof name && memcmp(key.s, prefix, PREFIX) == 0) {
            memcpy(name, key.s + PREFIX, key.n - PREFIX);
            name[key.n - PREFIX] = '\0';
            rc = read_entry(r, name, type, g);
        } else {
            rc = type == GGUF_STRING ? read_general(r, &key, g) : skip_value(r, type);
        }
        if (rc)
            return rc;
    }
    return OK;
}

/* ---- what the kinds have in common */

static int check_ids(const struct gguf_vocab *g, struct err *e)
{
    const struct {
        const char *name;
        int64_t id;
    } ids[] = {{"bos", g->bos},
               {"eos", g->eos},
               {"unknown", g->unk},
               {"cls", g->cls},
               {"seperator", g->sep}};
    if (!g->has_tokens || g->vocab.n == 0)
        return err_set(e, "there is no tokenizer.ggml.tokens: the file has no vocabulary");
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        if (ids[i].id >= (int64_t)g->vocab.n || ids[i].id < -1)
            return err_set(e, "tokenizer.ggml.%s_token_id is %" PRId64 ", of %zu tokens",
                           ids[i].name, ids[i].id, g->vocab.n);
    return 0;
}

/* Whether s has one of the words, without regard to case. */
static bool has_word(const char *s, size_t n, const char *const *words)
{
    for (; *words; words++) {
        const size_t len = strlen(*words);
        for (size_t i = 0; s && i + len <= n; i++) {
            size_t k = 0;
            while (k < len &&
                   (s[i + k] >= 'A' && s[i + k] <= 'Z' ? s[i + k] | 0x20 : s[i + k]) == (*words)[k])
                k++;
            if (k == len)
                return true;
        }
    }
    return false;
}

static bool token_is(const struct import_token *t, const char *s)
{
    return t->len == strlen(s) && memcmp(t->s, s, t->len) == 0;
}

/* The format cannot say which tokens take white space beside them: llama.cpp knows it by names. */
static void find_strips(struct gguf_vocab *g)
{
    static const char *const phi[] = {"phi-3", "phi3", NULL}, *const bert[] = {"modern-bert", NULL},
                             *const jina[] = {"jina-v2-de", "jina-v2-es", "jina-v2-code", NULL},
                             *const nomic[] = {"nomic-bert-moe", NULL};
    const bool masks =
        has_word(g->pre, g->pre_len, jina) || has_word(g->architecture, g->architecture_len, nomic);
    const bool is_phi = !masks && has_word(g->name, g->name_len, phi);
    const char *mask = masks                                             ? "<mask>"
                       : has_word(g->name, g->name_len, bert) && !is_phi ? "[MASK]"
                                                                         : NULL;
    for (size_t i = 0; i < g->vocab.n && (is_phi || mask); i++) {
        struct import_token *t = &g->vocab.v[i];
        if (mask && token_is(t, mask))
            t->lstrip = true;
        if (is_phi && (t->type == TOKEN_CONTROL || t->type == TOKEN_USER ||
                       t->type == TOKEN_UNKNOWN || token_is(t, "</s>")))
            t->rstrip =
                !token_is(t, "<unk>") && !token_is(t, "<s>") && !token_is(t, "<|endoftext|>");
    }
}

int gguf_each_merge(const struct gguf_vocab *g, const char *p,
                    int (*f)(void *user, const char *s, size_t n, uint64_t i, struct err *e),
                    void *user, struct err *e)
{
    size_t at = g->merges_at;
    for (uint64_t i = 0; i < g->n_merges; i++) {
        size_t n = (size_t)le64_get((const unsigned char *)p + at);
        if (f(user, p + at + 8, n, i, e) < 0)
            return -1;
        at += 8 + n;
    }
    return 0;
}

int import_gguf(const char *p, size_t n, struct buf *json, struct err *e)
{
    struct reader r = {(const unsigned char *)p, n, 0, e};
    struct gguf_vocab g = {.bos = -1,
                           .eos = -1,
                           .unk = -1,
                           .cls = -1,
                           .sep = -1,
                           .add_bos = -1,
                           .add_eos = -1,
                           .space_prefix = -1,
                           .lowercase = -1,
                           .remove_extra_whitespaces = -1};
    int rc = read_front(&r, &g);
    if (rc == OK)
        find_strips(&g);
    if (rc == OK)
        rc = check_ids(&g, e) < 0 ? -1 : gguf_document(&g, p, json, e);
    free(g.vocab.v);
    return rc;
}
