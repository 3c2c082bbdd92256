/* Members of the objects in a tokenizer.json: see part_read.h. */
#include "token/part_read.h"

#include <string.h>

#include "base/utf8.h"
#include "text/pattern.h"

const char *part_type(const json_t *o)
{
    const char *s = json_string_value(json_object_get(o, "type"));
    return s ? s : "(none)";
}

bool part_is(const json_t *o, const char *type)
{
    return strcmp(part_type(o), type) == 0;
}

int part_unsupported(const char *part, const json_t *o, struct err *e)
{
    return err_set(e, "%s of type %.60s is not supported", part, part_type(o));
}

static int wrong(const char *part, const json_t *o, const char *key, const char *wanted,
                 struct err *e)
{
    return err_set(e, "%s: %.60s: '%s' is %s", part, part_type(o), key,
                   json_object_get(o, key) ? wanted : "missing");
}

int part_bool(const char *part, const json_t *o, const char *key, int fallback, bool *out,
              struct err *e)
{
    const json_t *v = json_object_get(o, key);
    if (fallback >= 0 && (!v || json_is_null(v))) {
        *out = fallback;
        return 0;
    }
    if (!json_is_boolean(v))
        return wrong(part, o, key, "not true or false", e);
    *out = json_is_true(v);
    return 0;
}

int part_size(const char *part, const json_t *o, const char *key, int64_t fallback, size_t *out,
              struct err *e)
{
    const json_t *v = json_object_get(o, key);
    if (fallback >= 0 && !v) {
        *out = (size_t)fallback;
        return 0;
    }
    if (!json_is_integer(v) || json_integer_value(v) < 0)
        return wrong(part, o, key, "not a whole number", e);
    *out = (size_t)json_integer_value(v);
    return 0;
}

int part_string(const char *part, const json_t *o, const char *key, const char **s, size_t *n,
                struct err *e)
{
    const json_t *v = json_object_get(o, key);
    if (!json_is_string(v))
        return wrong(part, o, key, "not a string", e);
    *s = json_string_value(v);
    *n = json_string_length(v);
    return 0;
}

int part_char(const char *part, const json_t *o, const char *key, const char **s, size_t *n,
              struct err *e)
{
    int len = 0;
    if (part_string(part, o, key, s, n, e) < 0)
        return -1;
    if (*n == 0 || utf8_get(*s, *n, &len) < 0 || (size_t)len != *n)
        return wrong(part, o, key, "not one character", e);
    return 0;
}

int part_metaspace(const char *part, const json_t *o, struct metaspace *m, struct err *e)
{
    static const char *const schemes[] = {"always", "never", "first"};
    const char *s;
    size_t n;
    bool space = true;
    m->prepend = 0;
    if (part_char(part, o, "replacement", &m->mark, &m->n_mark, e) < 0 ||
        part_bool(part, o, "split", 1, &m->split, e) < 0 ||
        part_bool(part, o, "add_prefix_space", 1, &space, e) < 0)
        return -1;
    if (json_object_get(o, "prepend_scheme")) {
        if (part_string(part, o, "prepend_scheme", &s, &n, e) < 0)
            return -1;
        for (m->prepend = 0; m->prepend < 3 && strcmp(s, schemes[m->prepend]) != 0;)
            m->prepend++;
        if (m->prepend == 3)
            return err_set(e, "%s: Metaspace with prepend_scheme %.40s is not supported", part, s);
    }
    if (!space && m->prepend != 1)
        return err_set(e, "%s: Metaspace: add_prefix_space and prepend_scheme contradict", part);
    return 0;
}

struct pattern *part_pattern(const char *part, const json_t *o, struct err *e)
{
    const json_t *v = json_object_get(o, "pattern");
    const json_t *re = json_object_get(v, "Regex"), *s = json_object_get(v, "String");
    if (json_is_string(re))
        return pattern_new(json_string_value(re), json_string_length(re), true, e);
    if (json_is_string(s))
        return pattern_new(json_string_value(s), json_string_length(s), false, e);
    wrong(part, o, "pattern", "neither a String nor a Regex", e);
    return NULL;
}

int part_each(const char *part, const json_t *o, const char *list,
              int (*fn)(void *user, const json_t *o, struct err *e), void *user, struct err *e)
{
    if (!part_is(o, "Sequence"))
        return fn(user, o, e);
    const json_t *v = json_object_get(o, list);
    if (!json_is_array(v))
        return err_set(e, "%s: a Sequence without '%s'", part, list);
    for (size_t i = 0; i < json_array_size(v); i++)
        if (part_each(part, json_array_get(v, i), list, fn, user, e) < 0)
            return -1;
    return 0;
}
