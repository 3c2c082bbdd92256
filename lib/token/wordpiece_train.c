/* Training of WordPiece: see vocab_train.h. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "token/bpe_train.h"
#include "token/import_int.h"
#include "token/names.h"
#include "token/vocab_train.h"

enum { N_CODE_POINTS = 0x110000, PREFIX = 2 };
#define NONE UINT32_MAX

const char wordpiece_pre_tokenizer[] = "{\"type\":\"BertPreTokenizer\"}";

const char *wordpiece_normalizer(bool lowercase)
{
    return lowercase ? "{\"type\":\"BertNormalizer\",\"clean_text\":true,"
                       "\"handle_chinese_chars\":true,\"strip_accents\":null,\"lowercase\":true}"
                     : "{\"type\":\"BertNormalizer\",\"clean_text\":true,"
                       "\"handle_chinese_chars\":true,\"strip_accents\":null,\"lowercase\":false}";
}

/* ---- the alphabet */

struct counting {
    uint64_t *count, *inside;
};

static int count_chars(void *user, const char *s, size_t n, uint64_t count)
{
    struct counting *a = user;
    int len;
    for (size_t i = 0; i < n; i += (size_t)len) {
        int32_t cp = utf8_get(s + i, n - i, &len);
        if (cp < 0)
            continue;
        a->count[cp] += count;
        if (i && a->inside)
            a->inside[cp] += count;
    }
    return 0;
}

int alphabet_count(const struct bpe_counts *c, uint64_t *count, uint64_t *inside)
{
    struct counting a = {count, inside};
    return bpe_counts_scan(c, count_chars, &a);
}

struct wordpiece {
    const struct vocab_train_opt *opt;
    struct names names;
    uint32_t (*ids)[2]; /* by code point: at the start of a word, inside */
    uint32_t n_base;
    struct buf text;
    struct err *e;
};

struct ranked {
    uint64_t count;
    uint32_t cp;
};

static int rarest_first(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? -1 : 1;
    return x->cp > y->cp ? -1 : 1;
}

/* Forgets all but the most frequent characters. */
static int limit(uint64_t *count, uint32_t most, struct err *e)
{
    size_t n = 0;
    for (uint32_t cp = 0; cp < N_CODE_POINTS; cp++)
        n += count[cp] != 0;
    if (!most || n <= most)
        return 0;
    struct ranked *v = mem_new(n, sizeof *v, e);
    if (!v)
        return -1;
    n = 0;
    for (uint32_t cp = 0; cp < N_CODE_POINTS; cp++)
        if (count[cp])
            v[n++] = (struct ranked){count[cp], cp};
    qsort(v, n, sizeof *v, rarest_first);
    for (size_t i = 0; i < n - most; i++)
        count[v[i].cp] = 0;
    free(v);
    return 0;
}

/* Ids of the characters, at the start of a word or inside. */
static int add_chars(struct wordpiece *w, const uint64_t *count, const uint64_t *inside, int place)
{
    for (uint32_t cp = 0; cp < N_CODE_POINTS; cp++) {
        char s[PREFIX + 4] = "##";
        w->ids[cp][place] = NONE;
        if (!count[cp] || (place && !inside[cp]))
            continue;
        size_t n = (size_t)utf8_put(s + (place ? PREFIX : 0), cp) + (place ? PREFIX : 0);
        int64_t id = names_add(&w->names, s, n, w->e);
        if (id < 0)
            return -1;
        w->ids[cp][place] = (uint32_t)id;
    }
    return 0;
}

static int make_base(struct wordpiece *w, const struct bpe_counts *c, struct vocab_stat *stat)
{
    uint64_t *count = mem_new(N_CODE_POINTS, sizeof *count, w->e);
    uint64_t *inside = mem_new(N_CODE_POINTS, sizeof *inside, w->e);
    int rc = -1;
    w->ids = mem_new(N_CODE_POINTS, sizeof *w->ids, w->e);
    if (!count || !inside || !w->ids || alphabet_count(c, count, inside) < 0 ||
        limit(count, w->opt->limit_alphabet, w->e) < 0)
        goto end;
    for (size_t i = 0; i < w->opt->n_special; i++)
        if (names_add(&w->names, w->opt->special[i], strlen(w->opt->special[i]), w->e) < 0)
            goto end;
    if (add_chars(w, count, inside, 0) < 0 || add_chars(w, count, inside, 1) < 0)
        goto end;
    w->n_base = (uint32_t)w->names.n;
    for (uint32_t cp = 0; cp < N_CODE_POINTS; cp++)
        stat->n_chars += count[cp] != 0;
    rc = 0;
    if (w->n_base > w->opt->vocab_size)
        rc =
            err_usage(w->e,
                      "a vocabulary of %u is too small for %u special tokens and characters, alone "
                      "and inside of words; --limit-alphabet takes fewer characters",
                      w->opt->vocab_size, w->n_base);
end:
    free(count);
    free(inside);
    return rc;
}

/* ---- merging */

static size_t split_word(void *user, const char *s, size_t n, uint32_t *ids)
{
    const struct wordpiece *w = user;
    size_t k = 0;
    int len;
    for (size_t i = 0; i < n; i += (size_t)len) {
        int32_t cp = utf8_get(s + i, n - i, &len);
        if (cp >= 0 && w->ids[cp][i != 0] != NONE)
            ids[k++] = w->ids[cp][i != 0];
    }
    return k;
}

static size_t n_chars(const char *s, size_t n)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        k += ((unsigned char)s[i] & 0xc0) != 0x80;
    return k;
}

static int64_t make_token(void *user, uint32_t left, uint32_t right, uint32_t id, struct err *e)
{
    struct wordpiece *w = user;
    size_t n;
    buf_clear(&w->text);
    const char *s = names_get(&w->names, left, &n);
    if (buf_add(&w->text, s, n, e) < 0)
        return -1;
    s = names_get(&w->names, right, &n);
    if (n >= PREFIX && memcmp(s, "##", PREFIX) == 0) {
        s += PREFIX;
        n -= PREFIX;
    }
    if (buf_add(&w->text, s, n, e) < 0)
        return -1;
    if (w->opt->max_token_chars && n_chars(w->text.s, w->text.len) > w->opt->max_token_chars)
        return BPE_NO_TOKEN;
    int64_t known = names_find(&w->names, w->text.s, w->text.len);
    if (known >= 0) /* a special token lends its id; what stands in words already must not */
        return known < (int64_t)w->opt->n_special ? known : BPE_NO_TOKEN;
    return names_add(&w->names, w->text.s, w->text.len, e) < 0 ? -1 : (int64_t)id;
}

/* ---- the document */

static int put_document(const struct wordpiece *w, struct buf *json)
{
    struct import_vocab v = {.n = w->names.n};
    int64_t roles[3] = {-1, -1, -1};
    static const char *const role[3] = {"[UNK]", "[CLS]", "[SEP]"};
    v.v = mem_new(v.n, sizeof *v.v, w->e);
    if (!v.v)
        return -1;
    for (uint32_t i = 0; i < v.n; i++) {
        size_t n;
        v.v[i].s = names_get(&w->names, i, &n);
        v.v[i].len = (uint32_t)n;
        v.v[i].type = TOKEN_NORMAL;
    }
    for (size_t i = 0; i < w->opt->n_special; i++) {
        int64_t id = names_find(&w->names, w->opt->special[i], strlen(w->opt->special[i]));
        v.v[id].type = TOKEN_ADDED;
        for (int k = 0; k < 3; k++)
            if (strcmp(w->opt->special[i], role[k]) == 0)
                roles[k] = id;
    }
    int rc =
        import_wordpiece_document(&v, w->opt->lowercase, roles[0], roles[1], roles[2], json, w->e);
    free(v.v);
    return rc;
}

static int show(void *user, uint32_t n_ids, struct err *e)
{
    const struct vocab_train_opt *opt = user;
    return opt->progress ? opt->progress(opt->user, (double)n_ids / opt->vocab_size, e) : 0;
}

int wordpiece_train(struct bpe_counts *c, const struct vocab_train_opt *opt, struct buf *json,
                    struct vocab_stat *stat, struct err *e)
{
    struct wordpiece w = {.opt = opt, .text = BUF_INIT, .e = e};
    struct bpe_vocab *v = NULL;
    int rc = -1;
    *stat = (struct vocab_stat){0};
    if (bpe_counts_fold(c, opt->n_threads, e) < 0 || make_base(&w, c, stat) < 0)
        goto end;
    const struct bpe_base base = {w.n_base, split_word, make_token, &w};
    const struct bpe_train_opt train = {
        .base = &base,
        .vocab_size = opt->vocab_size,
        .min_frequency = opt->min_frequency,
        .n_threads = opt->n_threads,
        .progress = show,
        .user = (void *)opt,
    };
    v = bpe_train(c, &train, e);
    if (!v)
        goto end;
    stat->n_ids = (uint32_t)w.names.n;
    stat->n_pieces = v->n_pieces;
    stat->n_distinct = v->n_distinct;
    rc = put_document(&w, json);
end:
    bpe_vocab_free(v);
    names_release(&w.names);
    buf_release(&w.text);
    free(w.ids);
    return rc;
}
