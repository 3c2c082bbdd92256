/* WordPiece, WordLevel and Unigram, and what all models over characters share: see word_model.h. */
#include "token/word_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "text/unicode.h"
#include "token/trie.h"

enum { LEAST_SUM = -100000 };
enum { KEEP = 1 << 16 }; /* larger scratch is given back */

int word_token_add(struct word_tokens *t, uint32_t id, size_t from, size_t to, struct err *e)
{
    if (ids_reserve(t->ids, 1, e) < 0)
        return -1;
    if (t->with_spans) {
        if (mem_grow(&t->span, &t->cap_spans, t->ids->n + 1, sizeof *t->span, e) < 0)
            return -1;
        t->span[t->ids->n] = (struct span32){(uint32_t)from, (uint32_t)to};
    }
    t->ids->v[t->ids->n++] = id;
    return 0;
}

struct word_scratch *word_scratch_new(struct err *e)
{
    struct word_scratch *x = mem_new(1, sizeof *x, e);
    if (x)
        x->s = (struct buf)BUF_INIT;
    return x;
}

void word_scratch_free(struct word_scratch *x)
{
    if (!x)
        return;
    buf_release(&x->s);
    free(x->v);
    free(x->heap);
    free(x->node);
    free(x->ends);
    free(x);
}

struct word_model *word_model_new(const struct tokenizer *t, const char *type, struct err *e)
{
    struct word_model *m = mem_new(1, sizeof *m, e);
    if (m) {
        m->t = t;
        m->type = type;
    }
    return m;
}

void word_model_free(struct word_model *m)
{
    if (!m)
        return;
    trie_free(m->trie);
    free(m);
}

void word_fallback_ids(struct word_model *m)
{
    for (int c = 0; c < 256; c++) {
        char s[32] = {0};
        snprintf(s, sizeof s, "<0x%02X>", c);
        int64_t id = m->t->settings.byte_fallback ? vocab_id(&m->t->vocab, s, 6) : -1;
        m->fallback[c] = id < 0 ? BPE_NONE : (uint32_t)id;
    }
}

/* Text does not become such a token by its name in SentencePiece. */
static bool is_of_byte(const struct word_model *m, uint32_t id)
{
    for (int c = 0; c < 256; c++)
        if (m->fallback[c] == id)
            return true;
    return false;
}

/* All tokens with ids that the vocabulary gives their strings. */
static int fill_trie(struct word_model *m, struct err *e)
{
    const struct vocab *v = &m->t->vocab;
    if (!(m->trie = trie_new(e)))
        return -1;
    for (size_t i = 0; i < v->n; i++)
        if (!(m->single && is_of_byte(m, v->v[i].id)) &&
            trie_add(m->trie, v->v[i].s, v->v[i].len, v->v[i].id, e) < 0)
            return -1;
    return 0;
}

static int no_unk(struct err *e)
{
    return err_set(e, "the vocabulary lacks a part of the text, and the unknown token too");
}

static int add_unk(const struct word_model *m, size_t n, struct word_tokens *out, struct err *e)
{
    int64_t unk = m->t->settings.unk;
    return unk < 0 ? no_unk(e) : word_token_add(out, (uint32_t)unk, 0, n, e);
}

/* ---- WordLevel */

static int wordlevel_encode(const struct word_model *m, struct word_scratch *x, const char *s,
                            size_t n, struct word_tokens *out, uint64_t *n_lost, struct err *e)
{
    int64_t id = vocab_id(&m->t->vocab, s, n);
    (void)x;
    (void)n_lost;
    return id < 0 ? add_unk(m, n, out, e) : word_token_add(out, (uint32_t)id, 0, n, e);
}

struct word_model *word_model_wordlevel(const struct tokenizer *t, struct err *e)
{
    struct word_model *m = word_model_new(t, "WordLevel", e);
    if (m)
        m->encode = wordlevel_encode;
    return m;
}

/* ---- WordPiece: the longest token each time; a word that does not come out even is unknown */

static bool too_long(const char *s, size_t n, uint64_t most)
{
    uint64_t chars = 0;
    if (n <= most)
        return false;
    for (size_t i = 0; i < n && chars <= most; i++)
        chars += ((unsigned char)s[i] & 0xc0) != 0x80;
    return chars > most;
}

static int wordpiece_encode(const struct word_model *m, struct word_scratch *x, const char *s,
                            size_t n, struct word_tokens *out, uint64_t *n_lost, struct err *e)
{
    const struct trie *t = m->trie;
    size_t n_before = out->ids->n;
    (void)x;
    (void)n_lost;
    if (too_long(s, n, m->t->settings.max_chars))
        return add_unk(m, n, out, e);
    for (size_t at = 0, end; at < n; at = end) {
        uint32_t node = at ? m->continuing : 0, id = TRIE_NONE;
        end = at;
        for (size_t p = at; p < n && node != TRIE_NONE; p++) {
            node = trie_child(t, node, (unsigned char)s[p]);
            if (node != TRIE_NONE && t->value[node] != TRIE_NONE) {
                id = t->value[node];
                end = p + 1;
            }
        }
        if (id == TRIE_NONE) {
            out->ids->n = n_before;
            return add_unk(m, n, out, e);
        }
        if (word_token_add(out, id, at, end, e) < 0)
            return -1;
    }
    return 0;
}

struct word_model *word_model_wordpiece(const struct tokenizer *t, struct err *e)
{
    struct word_model *m = word_model_new(t, "WordPiece", e);
    const struct buf *prefix = &t->settings.prefix;
    if (!m || fill_trie(m, e) < 0) {
        word_model_free(m);
        return NULL;
    }
    m->encode = wordpiece_encode;
    for (size_t i = 0; i < prefix->len && m->continuing != TRIE_NONE; i++)
        m->continuing = trie_child(m->trie, m->continuing, (unsigned char)prefix->s[i]);
    return m;
}

/* ---- Unigram (Kudo 2018): the tokens of the largest sum of scores. A character that is no token
 * scores the least score less 10; unknown ones beside each other are one token, or bytes. */

static void reach(struct word_node *to, double score, size_t from, uint32_t id)
{
    if (to->from == UINT32_MAX || score > to->score)
        *to = (struct word_node){score, (uint32_t)from, id};
}

/* As SentencePiece adds. */
static void reach_single(struct word_node *to, double score, size_t from, uint32_t id)
{
    reach(to, (double)(float)score, from, id);
}

/* Sums from here on as if the text began here: SentencePiece (0.2.3) does so below LEAST_SUM,
 * before single precision gets too coarse. */
static void begin_anew(struct word_node *node, size_t at, size_t n)
{
    const float here = (float)node[at].score;
    for (size_t i = at; i <= n; i++)
        if (node[i].from != UINT32_MAX || i == at)
            node[i].score = (double)((float)node[i].score - here);
}

static int best_path(const struct word_model *m, struct word_scratch *x, const char *s, size_t n,
                     struct err *e)
{
    struct word_node *node = x->node;
    void (*put)(struct word_node *, double, size_t, uint32_t) = m->single ? reach_single : reach;
    const struct trie *t = m->trie;
    const int64_t unk = m->t->settings.unk;
    unsigned len;
    for (size_t i = 0; i <= n; i++)
        node[i].from = UINT32_MAX;
    node[0].score = m->single ? (double)x->so_far : 0;
    for (size_t at = 0; at < n; at += len) {
        if (m->single && node[at].score < LEAST_SUM)
            begin_anew(node, at, n);
        const double here = node[at].score;
        bool single = false;
        uint32_t k = 0;
        uni_decode((const unsigned char *)s + at, &len);
        for (size_t p = at; p < n; p++) {
            k = trie_child(t, k, (unsigned char)s[p]);
            if (k == TRIE_NONE)
                break;
            if (t->value[k] == TRIE_NONE)
                continue;
            put(&node[p + 1], m->t->score[t->value[k]] + here, at, t->value[k]);
            single |= p + 1 == at + len;
        }
        if (single)
            continue;
        struct word_node *to = &node[at + len];
        double unknown = m->unk_score + here;
        if (m->single)
            unknown = (double)(float)unknown;
        if (to->from != UINT32_MAX && !(unknown > to->score))
            continue;
        if (unk < 0)
            return no_unk(e);
        put(to, unknown, at, (uint32_t)unk);
    }
    return 0;
}

/* A token of the path, or unknown ones put together. */
static int add_string(const struct word_model *m, const char *s, size_t from, size_t to,
                      struct word_tokens *out, struct err *e)
{
    int64_t id = vocab_id(&m->t->vocab, s + from, to - from);
    if (id >= 0)
        return word_token_add(out, (uint32_t)id, from, to, e);
    bool bytes = m->t->settings.byte_fallback;
    for (size_t i = from; i < to && bytes; i++)
        bytes = m->fallback[(unsigned char)s[i]] != BPE_NONE;
    if (!bytes)
        return m->t->settings.unk < 0
                   ? no_unk(e)
                   : word_token_add(out, (uint32_t)m->t->settings.unk, from, to, e);
    for (size_t i = from; i < to; i++)
        if (word_token_add(out, m->fallback[(unsigned char)s[i]], from, to, e) < 0)
            return -1;
    return 0;
}

static int unigram_encode(const struct word_model *m, struct word_scratch *x, const char *s,
                          size_t n, struct word_tokens *out, uint64_t *n_lost, struct err *e)
{
    const int64_t unk = m->t->settings.unk;
    size_t n_ends = 0, from = 0;
    int rc = -1;
    (void)n_lost;
    if (mem_grow(&x->node, &x->cap_node, n + 1, sizeof *x->node, e) < 0 ||
        mem_grow(&x->ends, &x->cap_ends, n + 1, sizeof *x->ends, e) < 0 ||
        best_path(m, x, s, n, e) < 0)
        return -1;
    x->so_far = (float)x->node[n].score;
    for (size_t end = n; end > 0; end = x->node[end].from)
        x->ends[n_ends++] = (uint32_t)end;
    while (n_ends) {
        size_t end = x->ends[--n_ends];
        uint32_t id = x->node[end].id;
        if (unk >= 0 && id == (uint32_t)unk) {
            while (n_ends && x->node[x->ends[n_ends - 1]].id == (uint32_t)unk)
                end = x->ends[--n_ends];
            if (add_string(m, s, from, end, out, e) < 0)
                goto end;
        } else if (word_token_add(out, id, from, end, e) < 0) {
            goto end;
        }
        from = end;
    }
    rc = 0;
end:
    if (x->cap_node > KEEP) {
        free(x->node);
        free(x->ends);
        x->node = NULL;
        x->ends = NULL;
        x->cap_node = x->cap_ends = 0;
    }
    return rc;
}

struct word_model *word_model_unigram(const struct tokenizer *t, bool single, struct err *e)
{
    struct word_model *m = word_model_new(t, "Unigram", e);
    if (!m)
        return NULL;
    m->single = single;
    word_fallback_ids(m);
    if (fill_trie(m, e) < 0) {
        word_model_free(m);
        return NULL;
    }
    m->encode = unigram_encode;
    m->unk_score = HUGE_VAL;
    for (size_t i = 0; i < t->vocab.n; i++)
        m->unk_score = t->score[i] < m->unk_score ? t->score[i] : m->unk_score;
    m->unk_score -= 10;
    if (single)
        m->unk_score = (double)(float)m->unk_score;
    return m;
}
