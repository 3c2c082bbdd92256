/*
 * Reads normalizer, pre_tokenizer, post_processor and decoder of a tokenizer.json: small values,
 * read as trees. Each kind that is not supported is refused by its name.
 */
#include <stdlib.h>
#include <string.h>

#include "io/jtree.h"
#include "token/general.h"
#include "token/part_read.h"
#include "token/token_int.h"

/* ---- normalizer */

static int one_normalizer(void *user, const json_t *o, struct err *e)
{
    struct tokenizer *t = user;
    if (!part_is(o, "NFC"))
        return part_unsupported("normalizer", o, e);
    t->nfc = true;
    return 0;
}

int read_normalizer(struct tokenizer *t, struct err *e)
{
    json_t *o;
    if (part_load(t, t->normalizer, "normalizer", &o, e) < 0)
        return -1;
    int rc = o ? part_each("normalizer", o, "normalizers", one_normalizer, t, e) : 0;
    json_decref(o);
    return rc;
}

/* ---- pre_tokenizer */

struct pre_state {
    bool byte_level; /* seen: what follows would work on its alphabet */
    int n_rules;
};

static int add_byte_level(struct tokenizer *t, const json_t *o, struct pre_state *s, struct err *e)
{
    bool prefix = true, regex = true;
    if (jtree_bool(o, "add_prefix_space", &prefix, e) < 0 ||
        jtree_bool(o, "use_regex", &regex, e) < 0)
        return err_prefix(e, "pre_tokenizer: ByteLevel: ");
    if (prefix && s->n_rules)
        return err_set(e, "pre_tokenizer: ByteLevel with add_prefix_space behind another is not "
                          "supported");
    t->prefix_space = prefix;
    s->byte_level = true;
    if (!regex)
        return 0;
    s->n_rules++;
    return split_add_name(t->split, "gpt2", e);
}

/* A literal string as a pattern. */
static int add_literal(struct tokenizer *t, const char *s, struct err *e)
{
    struct buf re = BUF_INIT;
    int rc = 0;
    for (; *s && rc == 0; s++)
        rc = strchr("\\^$.|?*+()[]{}-&#~", *s) ? buf_printf(&re, e, "\\%c", *s)
                                               : buf_putc(&re, *s, e);
    if (rc == 0)
        rc = split_add_regex(t->split, re.s, re.len, e);
    buf_release(&re);
    return rc;
}

static int add_split(struct tokenizer *t, const json_t *o, struct pre_state *s, struct err *e)
{
    const json_t *pattern = json_object_get(o, "pattern");
    const char *behavior = json_string_value(json_object_get(o, "behavior"));
    const json_t *re = json_object_get(pattern, "Regex"), *str = json_object_get(pattern, "String");
    if (!behavior || strcmp(behavior, "Isolated") != 0)
        return err_set(e, "pre_tokenizer: Split with behavior %.40s is not supported",
                       behavior ? behavior : "(none)");
    s->n_rules++; /* invert changes nothing where both kinds of pieces stay */
    if (json_is_string(re))
        return split_add_regex(t->split, json_string_value(re), json_string_length(re), e);
    if (json_is_string(str) && json_string_length(str) &&
        strlen(json_string_value(str)) == json_string_length(str))
        return add_literal(t, json_string_value(str), e);
    return err_set(e, "pre_tokenizer: Split without a pattern");
}

static int add_digits(struct tokenizer *t, const json_t *o, struct pre_state *s, struct err *e)
{
    bool single = false;
    if (jtree_bool(o, "individual_digits", &single, e) < 0)
        return err_prefix(e, "pre_tokenizer: Digits: ");
    s->n_rules++;
    struct split_rule r = {.kind = SPLIT_DIGITS, .digits = single};
    return split_add_rule(t->split, &r, e);
}

static int add_pre(struct tokenizer *t, const json_t *o, struct pre_state *s, struct err *e)
{
    if (s->byte_level)
        return err_set(e, "pre_tokenizer: %.60s behind ByteLevel is not supported", part_type(o));
    if (part_is(o, "ByteLevel"))
        return add_byte_level(t, o, s, e);
    if (part_is(o, "Split"))
        return add_split(t, o, s, e);
    if (part_is(o, "Digits"))
        return add_digits(t, o, s, e);
    if (!part_is(o, "Sequence"))
        return part_unsupported("pre_tokenizer", o, e);
    const json_t *v = json_object_get(o, "pretokenizers");
    if (!json_is_array(v))
        return err_set(e, "pre_tokenizer: a Sequence without 'pretokenizers'");
    for (size_t i = 0; i < json_array_size(v); i++)
        if (add_pre(t, json_array_get(v, i), s, e) < 0)
            return -1;
    return 0;
}

int read_pre_tokenizer(struct tokenizer *t, struct err *e)
{
    struct pre_state s = {0};
    json_t *o;
    if (part_load(t, t->pre_tokenizer, "pre_tokenizer", &o, e) < 0)
        return -1;
    int rc = -1;
    t->split = split_new(e);
    if (!t->split || (o && add_pre(t, o, &s, e) < 0))
        goto end;
    if (!s.byte_level) {
        err_set(e, "BPE without the pre_tokenizer ByteLevel is not supported");
        goto end;
    }
    rc = s.n_rules ? 0 : split_add_rule(t->split, &(struct split_rule){.kind = SPLIT_WHOLE}, e);
end:
    json_decref(o);
    return rc;
}

/* ---- decoder */

static int one_decoder(void *user, const json_t *o, struct err *e)
{
    struct tokenizer *t = user;
    (void)t;
    return part_is(o, "ByteLevel") ? 0 : part_unsupported("decoder", o, e);
}

int read_decoder(struct tokenizer *t, struct err *e)
{
    json_t *o;
    if (part_load(t, t->decoder, "decoder", &o, e) < 0)
        return -1;
    int rc = o ? part_each("decoder", o, "decoders", one_decoder, t, e) : 0;
    json_decref(o);
    return rc;
}

/* ---- post_processor */

static int put_id(uint32_t **v, size_t *n, int64_t id, bool front, struct err *e)
{
    if (id < 0 || id > TOKEN_MAX_ID)
        return err_set(e, "post_processor: the id %lld is out of range", (long long)id);
    uint32_t *p = realloc(*v, (*n + 1) * sizeof **v);
    if (!p)
        return err_nomem(e, "ids", (*n + 1) * sizeof **v);
    *v = p;
    if (front)
        memmove(p + 1, p, *n * sizeof *p);
    p[front ? 0 : *n] = (uint32_t)id;
    ++*n;
    return 0;
}

/* ["[SEP]", 102] */
static int pair_id(const json_t *o, const char *key, int64_t *id, struct err *e)
{
    const json_t *v = json_array_get(json_object_get(o, key), 1);
    if (!json_is_integer(v))
        return err_set(e, "post_processor: '%s' is not a token and its id", key);
    *id = json_integer_value(v);
    return 0;
}

/* The ids of one special token of a template, appended to v. */
static int template_ids(const json_t *o, const char *name, uint32_t **v, size_t *n, struct err *e)
{
    const json_t *ids =
        json_object_get(json_object_get(json_object_get(o, "special_tokens"), name), "ids");
    if (!json_is_array(ids))
        return err_set(e, "post_processor: the template's token '%.60s' is not described", name);
    for (size_t i = 0; i < json_array_size(ids); i++)
        if (!json_is_integer(json_array_get(ids, i)) ||
            put_id(v, n, json_integer_value(json_array_get(ids, i)), false, e) < 0)
            return err_set(e, "post_processor: the ids of '%.60s' are not ids", name);
    return 0;
}

static int one_template(struct tokenizer *t, const json_t *o, struct err *e)
{
    const json_t *single = json_object_get(o, "single");
    uint32_t *v[2] = {NULL, NULL};
    size_t n[2] = {0, 0}, side = 0;
    int rc = -1;
    if (!json_is_array(single))
        return err_set(e, "post_processor: a TemplateProcessing without 'single'");
    for (size_t i = 0; i < json_array_size(single); i++) {
        const json_t *part = json_array_get(single, i),
                     *special = json_object_get(part, "SpecialToken");
        const char *name = json_string_value(json_object_get(special, "id"));
        if (json_object_get(part, "Sequence") && side == 0) {
            side = 1;
        } else if (!name) {
            err_set(e, "post_processor: part %zu of the template is neither a token nor the text",
                    i);
            goto end;
        } else if (template_ids(o, name, &v[side], &n[side], e) < 0) {
            goto end;
        }
    }
    if (side == 0) {
        err_set(e, "post_processor: a template without the text");
        goto end;
    }
    rc = 0;
    for (size_t i = n[0]; i-- > 0 && rc == 0;) /* around what an earlier one put there */
        rc = put_id(&t->before, &t->n_before, v[0][i], true, e);
    for (size_t i = 0; i < n[1] && rc == 0; i++)
        rc = put_id(&t->after, &t->n_after, v[1][i], false, e);
end:
    free(v[0]);
    free(v[1]);
    return rc;
}

static int one_processor(void *user, const json_t *o, struct err *e)
{
    struct tokenizer *t = user;
    int64_t cls = -1, sep = -1;
    if (part_is(o, "ByteLevel"))
        return 0;
    if (part_is(o, "TemplateProcessing"))
        return one_template(t, o, e);
    if (!part_is(o, "BertProcessing") && !part_is(o, "RobertaProcessing"))
        return part_unsupported("post_processor", o, e);
    if (pair_id(o, "cls", &cls, e) < 0 || pair_id(o, "sep", &sep, e) < 0 ||
        put_id(&t->before, &t->n_before, cls, true, e) < 0)
        return -1;
    return put_id(&t->after, &t->n_after, sep, false, e);
}

int read_post_processor(struct tokenizer *t, struct err *e)
{
    json_t *o;
    if (part_load(t, t->post_processor, "post_processor", &o, e) < 0)
        return -1;
    int rc = o ? part_each("post_processor", o, "processors", one_processor, t, e) : 0;
    json_decref(o);
    return rc;
}
