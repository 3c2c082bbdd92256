/* Adding merges to a tokenizer: see bpe_extend.h. */
#include "token/bpe_extend.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/jscan.h"
#include "text/normalize.h"
#include "token/bytelevel.h"
#include "token/names.h"
#include "token/token_int.h"

struct bpe_extend {
    const struct tokenizer *t;
    int n_threads;
    struct cutter **cutter; /* by thread */
    struct buf *form;       /* by thread: text in form C */
    struct piece_scratch *scratch;
    struct ids ids;
    struct names names; /* new tokens, as bytes; the first has the id n_base */
    uint32_t n_base;
    uint8_t *in_words; /* by old id: it stands in a word, or a new merge has made it */
    uint32_t max_token_bytes;
    struct buf text;
    struct err *e; /* of split_word(), which cannot say so */
    int rc;
};

struct bpe_extend *bpe_extend_new(const struct tokenizer *t, int n_threads, struct err *e)
{
    struct bpe_extend *x;
    if (t->general || strcmp(t->ops->type, "BPE") != 0 || t->settings.unk >= 0) {
        err_set(e, "only byte-level BPE can be extended");
        return NULL;
    }
    x = mem_new(1, sizeof *x, e);
    if (!x)
        return NULL;
    x->t = t;
    x->n_threads = n_threads;
    x->n_base = t->n_ids;
    x->text = (struct buf)BUF_INIT;
    x->cutter = mem_new((size_t)n_threads, sizeof(struct cutter *), e);
    x->form = mem_new((size_t)n_threads, sizeof *x->form, e);
    x->in_words = mem_new(t->n_ids, 1, e);
    for (int i = 0; x->form && i < n_threads; i++)
        x->form[i] = (struct buf)BUF_INIT;
    if (!x->cutter || !x->form || !x->in_words || !(x->scratch = t->ops->scratch_new(t->model, e)))
        goto fail;
    for (int i = 0; i < n_threads; i++)
        if (!(x->cutter[i] = cutter_new(t->split, e)))
            goto fail;
    return x;
fail:
    bpe_extend_free(x);
    return NULL;
}

void bpe_extend_free(struct bpe_extend *x)
{
    if (!x)
        return;
    for (int i = 0; i < x->n_threads; i++) {
        if (x->cutter)
            cutter_free(x->cutter[i]);
        if (x->form)
            buf_release(&x->form[i]);
    }
    if (x->scratch)
        x->t->ops->scratch_free(x->scratch);
    free(x->cutter);
    free(x->form);
    free(x->in_words);
    names_release(&x->names);
    ids_release(&x->ids);
    buf_release(&x->text);
    free(x);
}

int bpe_extend_count(struct bpe_extend *x, int thread, struct bpe_counts *c, const char *text,
                     size_t n, struct err *e)
{
    if (x->t->nfc && nfc_check(text, n) < n) {
        struct buf *form = &x->form[thread];
        buf_clear(form);
        if (nfc_append(form, text, n, e) < 0 || buf_reserve(form, 64, e) < 0)
            return -1;
        text = form->s;
        n = form->len;
    }
    return bpe_count_text(c, thread, x->cutter[thread], text, n, e);
}

/* ---- training */

static size_t split_word(void *user, const char *s, size_t n, uint32_t *ids)
{
    struct bpe_extend *x = user;
    uint64_t lost = 0;
    x->ids.n = 0;
    if (x->rc < 0 ||
        x->t->ops->encode(x->t->model, x->scratch, s, n, false, &x->ids, &lost, x->e) < 0) {
        x->rc = -1;
        return 0;
    }
    for (size_t i = 0; i < x->ids.n; i++) {
        ids[i] = x->ids.v[i];
        x->in_words[ids[i]] = 1;
    }
    return x->ids.n;
}

static int add_token(struct bpe_extend *x, uint32_t id, struct err *e)
{
    size_t n;
    const char *s =
        id < x->n_base ? tokenizer_bytes(x->t, id, &n) : names_get(&x->names, id - x->n_base, &n);
    return buf_add(&x->text, s, n, e);
}

/* The id of a token of the vocabulary, by its bytes; -1: none. */
static int64_t known(const struct bpe_extend *x, struct err *e)
{
    struct buf spelled = BUF_INIT;
    int64_t id = -1;
    if (buf_reserve(&spelled, 2 * x->text.len + 16, e) == 0)
        id = vocab_id(&x->t->vocab, spelled.s, bytelevel_spell(spelled.s, x->text.s, x->text.len));
    buf_release(&spelled);
    return id;
}

static int64_t make_token(void *user, uint32_t left, uint32_t right, uint32_t id, struct err *e)
{
    struct bpe_extend *x = user;
    buf_clear(&x->text);
    if (add_token(x, left, e) < 0 || add_token(x, right, e) < 0)
        return -1;
    if (x->max_token_bytes && x->text.len > x->max_token_bytes)
        return BPE_NO_TOKEN;
    int64_t old = known(x, e);
    if (old >= 0) {
        if (x->in_words[old])
            return BPE_NO_TOKEN;
        x->in_words[old] = 1;
        return old;
    }
    size_t before = x->names.n;
    if (names_add(&x->names, x->text.s, x->text.len, e) < 0)
        return -1;
    return x->names.n > before ? (int64_t)id : BPE_NO_TOKEN;
}

/* ---- the document: the old one, with new entries at the ends of vocab and merges */

struct places {
    size_t vocab, merges; /* of the closing brackets */
    bool strings;         /* merges are "left right" */
    bool none;            /* there is none yet */
};

static int find_places(const struct tokenizer *t, struct places *p, struct err *e)
{
    struct jscan j;
    bool model = false;
    *p = (struct places){.none = true};
    jscan_init(&j, t->json, t->json_len);
    jscan_next(&j);
    while (jscan_next(&j) == JSCAN_KEY) {
        if (!model && jscan_key_is(&j, "model")) {
            model = true;
            jscan_next(&j);
            continue; /* its keys come next; what follows it is not looked at */
        }
        bool vocab = model && jscan_key_is(&j, "vocab");
        bool merges = model && jscan_key_is(&j, "merges");
        enum jscan_type type = jscan_next(&j);
        if (merges && type == JSCAN_ARRAY) {
            while ((type = jscan_next(&j)) == JSCAN_STRING || type == JSCAN_ARRAY) {
                p->none = false;
                p->strings = type == JSCAN_STRING;
                if (jscan_skip(&j) < 0)
                    return jscan_err(&j, e);
            }
            p->merges = j.pos - 1;
        } else if (jscan_skip(&j) < 0) {
            return jscan_err(&j, e);
        } else if (vocab) {
            p->vocab = j.pos - 1;
        }
    }
    if (!p->vocab || !p->merges)
        return err_set(e, "the tokenizer has no vocab or no merges");
    return 0;
}

/* The token as tokenizer.json spells it. */
static int spell(struct bpe_extend *x, uint32_t id, struct buf *out, struct err *e)
{
    buf_clear(&x->text);
    if (add_token(x, id, e) < 0 || buf_reserve(out, 2 * x->text.len + 1, e) < 0)
        return -1;
    out->len += bytelevel_spell(out->s + out->len, x->text.s, x->text.len);
    out->s[out->len] = '\0';
    return 0;
}

static int put_merge(struct bpe_extend *x, const struct bpe_merge *m, bool strings,
                     struct buf *json, struct err *e)
{
    struct buf pair = BUF_INIT;
    int rc = spell(x, m->left, &pair, e);
    if (rc == 0 && strings) {
        rc = buf_putc(&pair, ' ', e) < 0 || spell(x, m->right, &pair, e) < 0
                 ? -1
                 : buf_json_string(json, pair.s, pair.len, e);
    } else if (rc == 0) {
        size_t n = pair.len;
        rc = spell(x, m->right, &pair, e) < 0 || buf_putc(json, '[', e) < 0 ||
                     buf_json_string(json, pair.s, n, e) < 0 || buf_putc(json, ',', e) < 0 ||
                     buf_json_string(json, pair.s + n, pair.len - n, e) < 0
                 ? -1
                 : buf_putc(json, ']', e);
    }
    buf_release(&pair);
    return rc;
}

static int put_document(struct bpe_extend *x, const struct bpe_vocab *v, struct buf *json,
                        struct err *e)
{
    const struct tokenizer *t = x->t;
    struct buf pair = BUF_INIT;
    struct places p;
    if (find_places(t, &p, e) < 0)
        return -1;
    for (int part = 0; part < 2; part++) {
        bool vocab = (part == 0) == (p.vocab < p.merges);
        size_t from = part ? (p.vocab < p.merges ? p.vocab : p.merges) : 0;
        size_t to = vocab ? p.vocab : p.merges;
        if (buf_add(json, t->json + from, to - from, e) < 0)
            return -1;
        for (uint32_t i = 0; vocab && i < x->names.n; i++) {
            buf_clear(&pair);
            if (spell(x, x->n_base + i, &pair, e) < 0 ||
                buf_puts(json, t->vocab.n || i ? ",\n" : "\n", e) < 0 ||
                buf_json_string(json, pair.s, pair.len, e) < 0 ||
                buf_printf(json, e, ": %" PRIu32, x->n_base + i) < 0)
                goto fail;
        }
        for (size_t i = 0; !vocab && i < v->n_merges; i++)
            if (buf_puts(json, p.none && i == 0 ? "\n" : ",\n", e) < 0 ||
                put_merge(x, &v->merge[i], p.strings, json, e) < 0)
                goto fail;
    }
    buf_release(&pair);
    size_t last = p.vocab > p.merges ? p.vocab : p.merges;
    return buf_add(json, t->json + last, t->json_len - last, e);
fail:
    buf_release(&pair);
    return -1;
}

int bpe_extend_train(struct bpe_extend *x, struct bpe_counts *c, const struct bpe_train_opt *opt,
                     struct buf *json, size_t *n_merges, size_t *n_ids, struct err *e)
{
    const struct bpe_base base = {x->n_base, split_word, make_token, x};
    struct bpe_train_opt train = *opt;
    train.base = &base;
    x->max_token_bytes = opt->max_token_bytes;
    x->e = e;
    if (opt->vocab_size < x->n_base)
        return err_usage(
            e, "a vocabulary of %" PRIu32 " ids is asked for, and there are %" PRIu32 " already",
            opt->vocab_size, x->n_base);
    struct bpe_vocab *v = bpe_train(c, &train, e);
    int rc = v && x->rc == 0 ? put_document(x, v, json, e) : -1;
    *n_merges = v ? v->n_merges : 0;
    *n_ids = x->n_base + x->names.n;
    bpe_vocab_free(v);
    return rc;
}
