/* Reads the pre_tokenizer of a tokenizer.json. */
#include <stdlib.h>
#include <string.h>

#include "token/part_read.h"
#include "token/pretok.h"

static const char PART[] = "pre_tokenizer";

static struct pretok_step *add(struct pretok *p, enum pretok_kind kind, struct err *e)
{
    if (mem_grow(&p->v, &p->cap, p->n + 1, sizeof *p->v, e) < 0)
        return NULL;
    p->v[p->n] = (struct pretok_step){.kind = kind};
    return &p->v[p->n++];
}

static int read_behavior(const json_t *o, int fallback, enum pretok_behavior *out, struct err *e)
{
    static const char *const names[] = {"Removed", "Isolated", "MergedWithPrevious",
                                        "MergedWithNext", "Contiguous"};
    const char *s;
    size_t n;
    *out = (enum pretok_behavior)fallback;
    if (fallback >= 0 && !json_object_get(o, "behavior"))
        return 0;
    if (part_string(PART, o, "behavior", &s, &n, e) < 0)
        return -1;
    for (int i = 0; i < 5; i++)
        if (strcmp(s, names[i]) == 0) {
            *out = (enum pretok_behavior)i;
            return 0;
        }
    return err_set(e, "%s: %.60s with behavior %.40s is not supported", PART, part_type(o), s);
}

static int add_byte_level(struct pretok *p, const json_t *o, struct err *e)
{
    bool prefix, regex, trim;
    struct pretok_step *s;
    if (part_bool(PART, o, "add_prefix_space", -1, &prefix, e) < 0 ||
        part_bool(PART, o, "trim_offsets", -1, &trim, e) < 0 ||
        part_bool(PART, o, "use_regex", 1, &regex, e) < 0 ||
        (prefix && !add(p, PRE_PREFIX_SPACE, e)))
        return -1;
    if (regex && (!(s = add(p, PRE_CUT, e)) || !(s->split = split_new(e)) ||
                  split_add_name(s->split, "gpt2", e) < 0))
        return -1;
    return add(p, PRE_SPELL, e) ? 0 : -1;
}

static int add_split(struct pretok *p, const json_t *o, struct err *e)
{
    const json_t *re = json_object_get(json_object_get(o, "pattern"), "Regex");
    enum pretok_behavior behavior;
    bool invert;
    struct pretok_step *s;
    if (read_behavior(o, -1, &behavior, e) < 0 || part_bool(PART, o, "invert", -1, &invert, e) < 0)
        return -1;
    if (behavior == SPLIT_ISOLATED && json_is_string(re)) {
        if (!(s = add(p, PRE_CUT, e)) || !(s->split = split_new(e)))
            return -1;
        return split_add_regex(s->split, json_string_value(re), json_string_length(re), e);
    }
    if (!(s = add(p, PRE_PATTERN, e)))
        return -1;
    s->behavior = behavior;
    s->invert = invert;
    s->pattern = part_pattern(PART, o, e);
    return s->pattern ? 0 : -1;
}

static int add_class(struct pretok *p, enum pretok_kind kind, enum pretok_behavior behavior,
                     struct err *e)
{
    struct pretok_step *s = add(p, kind, e);
    if (!s)
        return -1;
    s->behavior = behavior;
    return 0;
}

static int add_mark(struct pretok *p, enum pretok_kind kind, const json_t *o, const char *key,
                    struct err *e)
{
    const char *mark;
    size_t n;
    struct pretok_step *s;
    if (part_char(PART, o, key, &mark, &n, e) < 0 || !(s = add(p, kind, e)))
        return -1;
    memcpy(s->mark, mark, n);
    s->n_mark = n;
    return 0;
}

static int add_metaspace(struct pretok *p, const json_t *o, struct err *e)
{
    struct metaspace m;
    struct pretok_step *s;
    if (part_metaspace(PART, o, &m, e) < 0 || add_mark(p, PRE_METASPACE, o, "replacement", e) < 0)
        return -1;
    s = &p->v[p->n - 1];
    s->prepend = (enum pretok_prepend)m.prepend;
    s->cuts = m.split;
    p->needs_origin |= s->prepend == PREPEND_FIRST;
    return 0;
}

static int add_one(void *user, const json_t *o, struct err *e)
{
    struct pretok *p = user;
    bool single;
    enum pretok_behavior behavior;
    struct pretok_step *s;
    if (part_is(o, "ByteLevel"))
        return add_byte_level(p, o, e);
    if (part_is(o, "Split"))
        return add_split(p, o, e) < 0 ? err_prefix(e, "pre_tokenizer: ") : 0;
    if (part_is(o, "Metaspace"))
        return add_metaspace(p, o, e);
    if (part_is(o, "BertPreTokenizer"))
        return add_class(p, PRE_BERT, SPLIT_ISOLATED, e);
    if (part_is(o, "Whitespace"))
        return add_class(p, PRE_WORDS, SPLIT_REMOVED, e);
    if (part_is(o, "WhitespaceSplit"))
        return add_class(p, PRE_SPACE, SPLIT_REMOVED, e);
    if (part_is(o, "CharDelimiterSplit"))
        return add_mark(p, PRE_CHAR, o, "delimiter", e);
    if (part_is(o, "Punctuation"))
        return read_behavior(o, SPLIT_ISOLATED, &behavior, e) < 0
                   ? -1
                   : add_class(p, PRE_PUNCT, behavior, e);
    if (part_is(o, "Digits"))
        return part_bool(PART, o, "individual_digits", -1, &single, e) < 0
                   ? -1
                   : add_class(p, PRE_NUMBER, single ? SPLIT_ISOLATED : SPLIT_CONTIGUOUS, e);
    if (part_is(o, "FixedLength")) {
        if (!(s = add(p, PRE_FIXED, e)) || part_size(PART, o, "length", 5, &s->length, e) < 0)
            return -1;
        return s->length ? 0 : err_set(e, "pre_tokenizer: FixedLength: a 'length' of 0");
    }
    return part_unsupported(PART, o, e);
}

int pretok_read(struct pretok *p, const json_t *o, struct err *e)
{
    return o ? part_each(PART, o, "pretokenizers", add_one, p, e) : 0;
}

void pretok_release(struct pretok *p)
{
    for (size_t i = 0; i < p->n; i++) {
        split_free(p->v[i].split);
        pattern_free(p->v[i].pattern);
    }
    free(p->v);
    *p = (struct pretok){0};
}

int pretok_describe(const struct pretok *p, struct buf *out, struct err *e)
{
    static const char *const names[] = {
        [PRE_PATTERN] = "pattern",     [PRE_BERT] = "white space and punctuation",
        [PRE_WORDS] = "words",         [PRE_SPACE] = "white space",
        [PRE_PUNCT] = "punctuation",   [PRE_NUMBER] = "digits",
        [PRE_CHAR] = "delimiter",      [PRE_FIXED] = "fixed length",
        [PRE_METASPACE] = "metaspace", [PRE_PREFIX_SPACE] = "prefix space",
        [PRE_SPELL] = "bytes",
    };
    if (p->n == 0)
        return buf_puts(out, "no splitting", e);
    for (size_t i = 0; i < p->n; i++) {
        const struct pretok_step *s = &p->v[i];
        if (i && buf_puts(out, " + ", e) < 0)
            return -1;
        if (s->kind == PRE_CUT ? split_describe(s->split, out, e) < 0
                               : buf_puts(out, names[s->kind], e) < 0)
            return -1;
        if (s->pattern && pattern_is_regex(s->pattern) && buf_puts(out, " (pcre2)", e) < 0)
            return -1;
    }
    return 0;
}
