/* What the general path is made of, and which tokenizers need it: see general.h. */
#include "token/general.h"

#include <stdlib.h>
#include <string.h>

#include "io/jtree.h"
#include "token/part_read.h"

int part_load(const struct tokenizer *t, struct value v, const char *name, json_t **o,
              struct err *e)
{
    *o = NULL;
    if (v.n == 0)
        return 0;
    *o = jtree_parse(t->json + v.at, v.n, name, e);
    if (!*o)
        return -1;
    if (json_is_null(*o)) {
        json_decref(*o);
        *o = NULL;
    } else if (!json_is_object(*o)) {
        json_decref(*o);
        *o = NULL;
        return err_set(e, "%s is not an object", name);
    }
    return 0;
}

/* ---- what runs over bytes */

/* Each returns 1 to stop: the part is beyond it. */
static int not_nfc(void *user, const json_t *o, struct err *e)
{
    (void)user;
    (void)e;
    return part_is(o, "NFC") ? 0 : 1;
}

static int not_byte_level(void *user, const json_t *o, struct err *e)
{
    (void)user;
    (void)e;
    return part_is(o, "ByteLevel") ? 0 : 1;
}

struct chain {
    bool ended; /* ByteLevel was there */
    int n;
};

static int not_cutting(void *user, const json_t *o, struct err *e)
{
    struct chain *c = user;
    const char *behavior = json_string_value(json_object_get(o, "behavior"));
    (void)e;
    if (c->ended)
        return 1;
    c->n++;
    if (part_is(o, "ByteLevel")) {
        c->ended = true;
        return c->n > 1 && !json_is_false(json_object_get(o, "add_prefix_space"));
    }
    if (part_is(o, "Digits"))
        return 0;
    return !part_is(o, "Split") || !behavior || strcmp(behavior, "Isolated") != 0;
}

/* As part_each, but fn's 1 ends it. */
static int any(const json_t *o, const char *list,
               int (*fn)(void *user, const json_t *o, struct err *e), void *user)
{
    const json_t *v = json_object_get(o, list);
    if (!part_is(o, "Sequence"))
        return fn(user, o, NULL);
    for (size_t i = 0; i < json_array_size(v); i++)
        if (any(json_array_get(v, i), list, fn, user))
            return 1;
    return 0;
}

int general_wanted(const struct tokenizer *t, struct err *e)
{
    struct chain chain = {0};
    json_t *norm = NULL, *pre = NULL, *dec = NULL;
    int rc = -1;
    if (part_load(t, t->normalizer, "normalizer", &norm, e) == 0 &&
        part_load(t, t->pre_tokenizer, "pre_tokenizer", &pre, e) == 0 &&
        part_load(t, t->decoder, "decoder", &dec, e) == 0)
        rc = !t->ops || t->settings.prefix.len || t->settings.suffix.len ||
             ((const struct bpe *)t->model)->lacks_bytes ||
             (norm && any(norm, "normalizers", not_nfc, NULL)) || !pre ||
             any(pre, "pretokenizers", not_cutting, &chain) || !chain.ended ||
             (dec && any(dec, "decoders", not_byte_level, NULL));
    json_decref(norm);
    json_decref(pre);
    json_decref(dec);
    return rc;
}

/* ---- the parts */

/* ByteLevel's and Roberta's post-processors take spaces off the offsets. */
static int add_trim(void *user, const json_t *o, struct err *e)
{
    struct general *g = user;
    bool trim, prefix;
    if (!part_is(o, "ByteLevel") && !part_is(o, "RobertaProcessing"))
        return 0;
    if (part_bool("post_processor", o, "trim_offsets", 1, &trim, e) < 0 ||
        part_bool("post_processor", o, "add_prefix_space", 1, &prefix, e) < 0)
        return -1;
    if (!trim)
        return 0;
    bool *v = realloc(g->trim, (g->n_trims + 1) * sizeof *v);
    if (!v)
        return err_nomem(e, "post_processor", g->n_trims + 1);
    g->trim = v;
    v[g->n_trims++] = prefix;
    return 0;
}

static int read_parts(struct general *g, struct err *e)
{
    const struct tokenizer *t = g->t;
    json_t *norm = NULL, *pre = NULL, *dec = NULL, *post = NULL;
    int rc = -1;
    if (part_load(t, t->normalizer, "normalizer", &norm, e) == 0 &&
        part_load(t, t->pre_tokenizer, "pre_tokenizer", &pre, e) == 0 &&
        part_load(t, t->decoder, "decoder", &dec, e) == 0 &&
        part_load(t, t->post_processor, "post_processor", &post, e) == 0 &&
        normalizer_read(&g->normalizer, norm, e) == 0 && pretok_read(&g->pretok, pre, e) == 0 &&
        decoders_read(&g->decoders, dec, e) == 0 &&
        (!post || part_each("post_processor", post, "processors", add_trim, g, e) == 0))
        rc = 0;
    json_decref(norm);
    json_decref(pre);
    json_decref(dec);
    json_decref(post);
    return rc;
}

struct general *general_new(const struct tokenizer *t, struct err *e)
{
    struct general *g = mem_new(1, sizeof *g, e);
    if (!g)
        return NULL;
    g->t = t;
    if (read_parts(g, e) < 0) {
        general_free(g);
        return NULL;
    }
    if (strcmp(t->type, "BPE") == 0)
        g->model = word_model_bpe(t, t->model, e);
    else if (strcmp(t->type, "Unigram") == 0)
        g->model = word_model_unigram(t, g->normalizer.sentencepiece, e);
    else if (strcmp(t->type, "WordPiece") == 0)
        g->model = word_model_wordpiece(t, e);
    else
        g->model = word_model_wordlevel(t, e);
    const bool by_place = t->settings.prefix.len || t->settings.suffix.len ||
                          t->settings.ignore_merges; /* first, last or whole pieces are special */
    if (!g->model || (t->ops && !by_place && !(g->seams = seams_new(&t->vocab, e)))) {
        general_free(g);
        return NULL;
    }
    return g;
}

void general_free(struct general *g)
{
    if (!g)
        return;
    normalizer_release(&g->normalizer);
    pretok_release(&g->pretok);
    decoders_release(&g->decoders);
    word_model_free(g->model);
    seams_free(g->seams);
    free(g->trim);
    free(g);
}

int general_describe(const struct general *g, struct buf *out, struct err *e)
{
    const struct tokenizer *t = g->t;
    if (buf_printf(out, e, "%s, %lu ids, ", t->type, (unsigned long)t->n_ids) < 0 ||
        (t->ops && buf_printf(out, e, "%zu merges, ", t->n_merges) < 0) ||
        buf_printf(out, e, "%zu added tokens, %zu steps of normalisation; split: ", t->added.n,
                   g->normalizer.n) < 0)
        return -1;
    return pretok_describe(&g->pretok, out, e);
}
