/* Text on its way to a trainer: see train_text.h. */
#include "token/train_text.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "io/jtree.h"
#include "token/bpe_train.h"
#include "token/normalizer.h"
#include "token/pretok.h"

struct train_text {
    struct normalizer normalizer;
    struct pretok pretok;
};

struct train_text_run {
    const struct train_text *x;
    struct normalizer_run norm;
    struct pretok_run pre;
    struct text in;
};

static json_t *parse(const char *json, const char *what, struct err *e)
{
    return jtree_parse(json, strlen(json), what, e);
}

struct train_text *train_text_new(const char *normalizer, const char *pre_tokenizer, struct err *e)
{
    struct train_text *x = mem_new(1, sizeof *x, e);
    json_t *o = NULL;
    int rc = x ? 0 : -1;
    if (rc == 0 && normalizer) {
        o = parse(normalizer, "normalizer", e);
        rc = o ? normalizer_read(&x->normalizer, o, e) : -1;
        json_decref(o);
    }
    if (rc == 0 && pre_tokenizer) {
        o = parse(pre_tokenizer, "pre_tokenizer", e);
        rc = o ? pretok_read(&x->pretok, o, e) : -1;
        json_decref(o);
    }
    if (rc == 0)
        return x;
    train_text_free(x);
    return NULL;
}

void train_text_free(struct train_text *x)
{
    if (!x)
        return;
    normalizer_release(&x->normalizer);
    pretok_release(&x->pretok);
    free(x);
}

struct train_text_run *train_text_run_new(const struct train_text *x, struct err *e)
{
    struct train_text_run *r = mem_new(1, sizeof *r, e);
    if (r)
        r->x = x;
    return r;
}

void train_text_run_free(struct train_text_run *r)
{
    if (!r)
        return;
    normalizer_run_release(&r->norm);
    pretok_run_release(&r->pre);
    text_release(&r->in);
    free(r);
}

const char *train_text_form(struct train_text_run *r, const char *text, size_t n, size_t *n_out,
                            struct err *e)
{
    if (text_set(&r->in, text, n, 0, false, e) < 0)
        return NULL;
    const struct text *t = normalizer_apply(&r->x->normalizer, &r->norm, &r->in, e);
    if (!t)
        return NULL;
    *n_out = t->n;
    return t->s ? t->s : text;
}

int train_text_normalizer(const char *names, struct buf *json, struct err *e)
{
    static const struct {
        const char *name, *type;
    } known[] = {{"nfc", "NFC"},
                 {"nfd", "NFD"},
                 {"nfkc", "NFKC"},
                 {"nfkd", "NFKD"},
                 {"lowercase", "Lowercase"},
                 {"strip-accents", "StripAccents"}};
    if (buf_puts(json, "{\"type\": \"Sequence\", \"normalizers\": [", e) < 0)
        return -1;
    for (const char *s = names; s; s = strchr(s, ',') ? strchr(s, ',') + 1 : NULL) {
        size_t n = strcspn(s, ","), i = 0;
        while (i < ARRAY_LEN(known) &&
               (strlen(known[i].name) != n || memcmp(known[i].name, s, n) != 0))
            i++;
        if (i == ARRAY_LEN(known))
            return err_usage(e,
                             "--normalize: '%.*s' is none of nfc, nfd, nfkc, nfkd, lowercase, "
                             "strip-accents",
                             (int)n, s);
        if (buf_printf(json, e, "%s{\"type\": \"%s\"}", s == names ? "" : ", ", known[i].type) < 0)
            return -1;
    }
    return buf_puts(json, "]}", e);
}

int train_text_count(struct train_text_run *r, struct bpe_counts *c, int thread, const char *text,
                     size_t n, struct err *e)
{
    if (text_set(&r->in, text, n, 0, r->x->pretok.needs_origin, e) < 0)
        return -1;
    const struct text *t = normalizer_apply(&r->x->normalizer, &r->norm, &r->in, e);
    if (!t || pretok_apply(&r->x->pretok, &r->pre, t, e) < 0)
        return -1;
    for (size_t i = 0; i < r->pre.now.n; i++) {
        struct span32 s = r->pre.now.v[i];
        if (s.to > s.from &&
            bpe_count_piece(c, thread, r->pre.text->s + s.from, s.to - s.from, 1, e) < 0)
            return -1;
    }
    return 0;
}
