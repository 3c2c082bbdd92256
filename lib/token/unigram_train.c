/* Training of Unigram: words and alphabet, then the parts of unigram_int.h, then the document. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "token/bpe_train.h"
#include "token/import_int.h"
#include "token/names.h"
#include "token/unigram_int.h"

enum { N_CODE_POINTS = 0x110000 };
#define SPACE "\xe2\x96\x81" /* U+2581 */

const char unigram_pre_tokenizer[] = "{\"type\":\"Metaspace\",\"replacement\":\"" SPACE
                                     "\",\"prepend_scheme\":\"never\",\"split\":true}";

/* ---- alphabet and words */

struct by_count {
    uint64_t count;
    uint32_t cp;
};

static int most_first(const void *a, const void *b)
{
    const struct by_count *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return x->cp < y->cp ? -1 : 1;
}

/* Forgets the rarest characters, which make up less than 1 - coverage of the text. */
static int cover(struct unigram *u, struct vocab_stat *stat)
{
    size_t n = 0;
    double total = 0, sum = 0;
    for (uint32_t cp = 0; cp < N_CODE_POINTS; cp++) {
        n += u->count[cp] != 0;
        total += (double)u->count[cp];
    }
    struct by_count *v = mem_new(n, sizeof *v, u->e);
    if (!v)
        return -1;
    n = 0;
    for (uint32_t cp = 0; cp < N_CODE_POINTS; cp++)
        if (u->count[cp])
            v[n++] = (struct by_count){u->count[cp], cp};
    if (n)
        qsort(v, n, sizeof *v, most_first);
    for (size_t i = 0; i < n; i++) {
        if (sum >= u->opt->character_coverage * total)
            u->count[v[i].cp] = 0;
        else
            stat->n_chars++;
        sum += (double)v[i].count;
    }
    free(v);
    return 0;
}

static int add_word(struct unigram *u, const char *s, size_t n, uint64_t count)
{
    struct uni_words *w = &u->words;
    if (w->n == w->cap && mem_grow(&w->v, &w->cap, w->n + 1, sizeof *w->v, u->e) < 0)
        return -1;
    memcpy(w->bytes + w->n_bytes, s, n);
    w->v[w->n++] = (struct uni_word){w->bytes + w->n_bytes, (uint32_t)n, count};
    w->n_bytes += n;
    w->total += count;
    return 0;
}

/* A piece, without the characters that are not in the alphabet: they cut it. */
static int take_word(void *user, const char *s, size_t n, uint64_t count)
{
    struct unigram *u = user;
    size_t from = 0;
    int len;
    for (size_t i = 0; i < n; i += (size_t)len) {
        int32_t cp = utf8_get(s + i, n - i, &len);
        if (cp >= 0 && u->count[cp])
            continue;
        if (i > from && add_word(u, s + from, i - from, count) < 0)
            return -1;
        from = i + (size_t)len;
    }
    return n > from ? add_word(u, s + from, n - from, count) : 0;
}

static int add_bytes(void *user, const char *s, size_t n, uint64_t count)
{
    (void)s;
    (void)count;
    *(uint64_t *)user += n;
    return 0;
}

static int in_order(const void *a, const void *b)
{
    const struct uni_word *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    int c = memcmp(x->s, y->s, x->len < y->len ? x->len : y->len);
    return c ? c : (x->len > y->len) - (x->len < y->len);
}

static int make_words(struct unigram *u, struct bpe_counts *c, struct vocab_stat *stat)
{
    uint64_t n_bytes = 0, unused;
    u->count = mem_new(N_CODE_POINTS, sizeof *u->count, u->e);
    bpe_counts_stat(c, &stat->n_pieces, &unused);
    if (!u->count || bpe_counts_fold(c, u->opt->n_threads, u->e) < 0 ||
        alphabet_count(c, u->count, NULL) < 0 || cover(u, stat) < 0 ||
        bpe_counts_scan(c, add_bytes, &n_bytes) < 0)
        return -1;
    if (n_bytes >= UINT32_MAX)
        return err_set(u->e, "the text's distinct words have more than 4 GiB; take a part of it");
    u->words.bytes = mem_new((size_t)n_bytes + 64, 1, u->e);
    if (!u->words.bytes || bpe_counts_scan(c, take_word, u) < 0)
        return -1;
    bpe_counts_empty(c);
    if (u->words.n)
        qsort(u->words.v, u->words.n, sizeof *u->words.v, in_order);
    stat->n_distinct = u->words.n;
    return 0;
}

/* ---- the vocabulary */

struct chosen {
    const char *s;
    uint32_t len;
    double score;
};

static int best_first(const void *a, const void *b)
{
    const struct chosen *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    int c = memcmp(x->s, y->s, x->len < y->len ? x->len : y->len);
    return c ? c : (x->len > y->len) - (x->len < y->len);
}

/* The alphabet with its scores, a character that was pruned with one under the least, each by a
 * ten-thousandth lower than the one before; then the best pieces. v: room for room of them. */
static size_t choose(const struct unigram *u, const struct uni_pieces *seed, struct chosen *all,
                     struct chosen *v, size_t room)
{
    const struct uni_pieces *p = &u->pieces;
    double least = 0, penalty = 0;
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++) {
        all[i] = (struct chosen){u->words.bytes + p->v[i].at, p->v[i].len, p->v[i].score};
        least = least < p->v[i].score ? least : p->v[i].score;
    }
    for (size_t i = 0; i < seed->n && seed->v[i].n_chars == 1 && n < room; i++) {
        const char *s = u->words.bytes + seed->v[i].at;
        v[n] = (struct chosen){s, seed->v[i].len, 1};
        for (size_t k = 0; k < p->n; k++) /* characters come first and keep their order */
            if (p->v[k].n_chars == 1 && p->v[k].at == seed->v[i].at)
                v[n].score = p->v[k].score;
            else if (p->v[k].n_chars != 1)
                break;
        if (v[n].score > 0) {
            v[n].score = least + penalty;
            penalty -= 0.0001;
        }
        n++;
    }
    qsort(all, p->n, sizeof *all, best_first);
    for (size_t i = 0; i < p->n && n < room; i++) {
        int len;
        utf8_get(all[i].s, all[i].len, &len);
        if ((uint32_t)len != all[i].len)
            v[n++] = all[i];
    }
    qsort(v, n, sizeof *v, best_first);
    return n;
}

static int add_token(struct import_vocab *v, struct names *seen, const char *s, size_t n,
                     double score, int type, struct err *e)
{
    size_t before = seen->n;
    if (names_add(seen, s, n, e) < 0)
        return -1;
    if (seen->n == before)
        return 0; /* there already, as a special token */
    v->v[v->n++] = (struct import_token){
        .s = s, .len = (uint32_t)n, .score = (float)score, .type = (uint8_t)type};
    return 0;
}

static int put_document(struct unigram *u, const struct uni_pieces *seed, struct buf *json,
                        struct vocab_stat *stat)
{
    const struct vocab_train_opt *opt = u->opt;
    const size_t n_bytes = opt->byte_fallback ? 256 : 0;
    const size_t room = opt->vocab_size - opt->n_special - n_bytes;
    struct sp_model m = {.unigram = true,
                         .byte_fallback = opt->byte_fallback,
                         .dummy_prefix = true,
                         .remove_extra_whitespaces = true,
                         .escape_whitespaces = true,
                         .unk = -1,
                         .bos = -1,
                         .eos = -1,
                         .normalizer = opt->normalizer};
    struct names seen = {0};
    struct chosen *v = mem_new(room, sizeof *v, u->e);
    struct chosen *all = mem_new(u->pieces.n, sizeof *all, u->e);
    char(*byte)[8] = mem_new(256, sizeof *byte, u->e);
    int rc = -1;
    m.vocab.v = mem_new(opt->vocab_size, sizeof *m.vocab.v, u->e);
    if (!v || !all || !byte || !m.vocab.v)
        goto end;
    for (size_t i = 0; i < opt->n_special; i++) {
        bool unk = strcmp(opt->special[i], "<unk>") == 0;
        if (unk)
            m.unk = (int64_t)m.vocab.n;
        if (add_token(&m.vocab, &seen, opt->special[i], strlen(opt->special[i]), 0,
                      unk ? TOKEN_UNKNOWN : TOKEN_CONTROL, u->e) < 0)
            goto end;
    }
    for (size_t i = 0; i < n_bytes; i++) {
        snprintf(byte[i], sizeof *byte, "<0x%02X>", (unsigned)i);
        if (add_token(&m.vocab, &seen, byte[i], 6, 0, TOKEN_BYTE, u->e) < 0)
            goto end;
    }
    size_t n = choose(u, seed, all, v, room);
    for (size_t i = 0; i < n; i++)
        if (add_token(&m.vocab, &seen, v[i].s, v[i].len, v[i].score, TOKEN_NORMAL, u->e) < 0)
            goto end;
    stat->n_ids = (uint32_t)m.vocab.n;
    rc = import_sp_document(&m, json, u->e);
end:
    names_release(&seen);
    free(m.vocab.v);
    free(byte);
    free(all);
    free(v);
    return rc;
}

int unigram_normalizer(const char *first, struct buf *json, struct err *e)
{
    const struct sp_model m = {
        .dummy_prefix = true, .remove_extra_whitespaces = true, .normalizer = first};
    return import_sp_normalizer(&m, json, e);
}

static int check(const struct vocab_train_opt *opt, uint32_t n_chars, struct err *e)
{
    uint64_t least = opt->n_special + (opt->byte_fallback ? 256u : 0u) + n_chars;
    bool unk = false;
    for (size_t i = 0; i < opt->n_special; i++)
        unk |= strcmp(opt->special[i], "<unk>") == 0;
    if (!unk)
        return err_usage(e, "--special: <unk> must be one of them");
    if (opt->vocab_size < least)
        return err_usage(e,
                         "a vocabulary of %u is too small for %zu special tokens%s and %u "
                         "characters: %llu is the least",
                         opt->vocab_size, opt->n_special, opt->byte_fallback ? ", 256 bytes" : "",
                         n_chars, (unsigned long long)least);
    return 0;
}

int unigram_train(struct bpe_counts *c, const struct vocab_train_opt *opt, struct buf *json,
                  struct vocab_stat *stat, struct err *e)
{
    struct unigram u = {.opt = opt, .e = e};
    struct uni_pieces seed = {0};
    int rc = -1;
    *stat = (struct vocab_stat){0};
    if (check(opt, 0, e) < 0 || make_words(&u, c, stat) < 0 || check(opt, stat->n_chars, e) < 0 ||
        unigram_seed(&u) < 0)
        goto end;
    /* the alphabet, which stands first, for the end */
    seed.n = u.pieces.n < stat->n_chars ? u.pieces.n : stat->n_chars;
    seed.v = mem_new(seed.n, sizeof *seed.v, e);
    if (!seed.v)
        goto end;
    if (seed.n)
        memcpy(seed.v, u.pieces.v, seed.n * sizeof *seed.v);
    if (unigram_em(&u) == 0)
        rc = put_document(&u, &seed, json, stat);
end:
    free(seed.v);
    free(u.pieces.v);
    free(u.words.v);
    free(u.words.bytes);
    free(u.count);
    return rc;
}
