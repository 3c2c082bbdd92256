/* Reads the normalizer of a tokenizer.json. */
#include <stdlib.h>
#include <string.h>

#include "text/normalize.h"
#include "token/charsmap.h"
#include "token/normalizer.h"
#include "token/part_read.h"

static struct normalizer_step *add(struct normalizer *z, enum normalizer_kind kind, struct err *e)
{
    if (mem_grow(&z->v, &z->cap, z->n + 1, sizeof *z->v, e) < 0)
        return NULL;
    z->v[z->n] = (struct normalizer_step){.kind = kind};
    return &z->v[z->n++];
}

static int add_form(struct normalizer *z, enum norm_form f, struct err *e)
{
    struct normalizer_step *s = add(z, NORM_FORM, e);
    if (!s)
        return -1;
    s->form = f;
    return 0;
}

/* Clean, spaces around Chinese, accents, lower case: in this order. */
static int add_bert(struct normalizer *z, const json_t *o, struct err *e)
{
    bool clean, chinese, lower, strip;
    if (part_bool("normalizer", o, "clean_text", -1, &clean, e) < 0 ||
        part_bool("normalizer", o, "handle_chinese_chars", -1, &chinese, e) < 0 ||
        part_bool("normalizer", o, "lowercase", -1, &lower, e) < 0 ||
        part_bool("normalizer", o, "strip_accents", lower, &strip, e) < 0)
        return -1;
    if ((clean && !add(z, NORM_BERT_CLEAN, e)) || (chinese && !add(z, NORM_BERT_CHINESE, e)) ||
        (strip && (add_form(z, NORM_NFD, e) < 0 || !add(z, NORM_BERT_MARKS, e))) ||
        (lower && !add(z, NORM_LOWERCASE, e)))
        return -1;
    return 0;
}

static int add_string(struct normalizer *z, enum normalizer_kind kind, const json_t *o,
                      const char *key, struct err *e)
{
    const char *s;
    size_t n;
    struct normalizer_step *step;
    if (part_string("normalizer", o, key, &s, &n, e) < 0 || !(step = add(z, kind, e)) ||
        !(step->s = mem_dup(s, n, e)))
        return -1;
    step->n = n;
    return 0;
}

static int add_one(void *user, const json_t *o, struct err *e)
{
    static const struct {
        const char *type;
        enum normalizer_kind kind;
        enum norm_form form;
    } plain[] = {
        {"NFC", NORM_FORM, NORM_NFC},
        {"NFD", NORM_FORM, NORM_NFD},
        {"NFKC", NORM_FORM, NORM_NFKC},
        {"NFKD", NORM_FORM, NORM_NFKD},
        {"Lowercase", NORM_LOWERCASE, 0},
        {"StripAccents", NORM_STRIP_ACCENTS, 0},
        {"Nmt", NORM_NMT, 0},
        {"ByteLevel", NORM_BYTE_LEVEL, 0},
    };
    struct normalizer *z = user;
    struct normalizer_step *s;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (part_is(o, plain[i].type)) {
            if (!(s = add(z, plain[i].kind, e)))
                return -1;
            s->form = (int)plain[i].form;
            return 0;
        }
    if (part_is(o, "BertNormalizer"))
        return add_bert(z, o, e);
    if (part_is(o, "Prepend"))
        return add_string(z, NORM_PREPEND, o, "prepend", e);
    if (part_is(o, "Replace")) {
        if (add_string(z, NORM_REPLACE, o, "content", e) < 0)
            return -1;
        z->v[z->n - 1].pattern = part_pattern("normalizer", o, e);
        return z->v[z->n - 1].pattern ? 0 : err_prefix(e, "normalizer: ");
    }
    if (part_is(o, "Strip")) {
        if (!(s = add(z, NORM_STRIP, e)) ||
            part_bool("normalizer", o, "strip_left", -1, &s->left, e) < 0)
            return -1;
        return part_bool("normalizer", o, "strip_right", -1, &s->right, e);
    }
    if (part_is(o, "Precompiled")) {
        const char *map;
        size_t n;
        if (part_string("normalizer", o, "precompiled_charsmap", &map, &n, e) < 0 ||
            !(s = add(z, NORM_PRECOMPILED, e)) ||
            part_bool("normalizer", o, "longest", false, &s->longest, e) < 0)
            return -1;
        s->map = charsmap_new(map, n, e);
        return s->map ? 0 : err_prefix(e, "normalizer: ");
    }
    return part_unsupported("normalizer", o, e);
}

int normalizer_read(struct normalizer *z, const json_t *o, struct err *e)
{
    if (!o)
        return 0;
    if (part_is(o, "Sequence") &&
        part_bool("normalizer", o, "sentencepiece", false, &z->sentencepiece, e) < 0)
        return -1;
    return part_each("normalizer", o, "normalizers", add_one, z, e);
}

void normalizer_release(struct normalizer *z)
{
    for (size_t i = 0; i < z->n; i++) {
        pattern_free(z->v[i].pattern);
        charsmap_free(z->v[i].map);
        free(z->v[i].s);
    }
    free(z->v);
    *z = (struct normalizer){0};
}
