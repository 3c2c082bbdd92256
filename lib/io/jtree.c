/* JSON trees over jansson: see jtree.h. */
#include "io/jtree.h"

#include <float.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "io/in.h"
#include "io/out.h"

enum { MAX_FILE = 64 << 20, MAX_DEPTH = 512 };

/* Writes integers that 64 bits may not hold as reals, 1000000000000000019884624838656 as
 * 1000000000000000019884624838656e0: transformers stores such a number for "no limit". */
static int widen(const char *s, size_t n, struct buf *out, struct err *e)
{
    enum { SAFE_DIGITS = 18 };
    size_t done = 0;
    bool in_string = false;
    for (size_t i = 0; i < n; i++) {
        size_t digits = 0;
        if (in_string && s[i] == '\\') {
            i++;
            continue;
        }
        in_string ^= s[i] == '"';
        while (!in_string && i + digits < n && s[i + digits] >= '0' && s[i + digits] <= '9')
            digits++;
        if (digits == 0)
            continue;
        i += digits - 1;
        bool whole = i + 1 == n || (s[i + 1] != '.' && s[i + 1] != 'e' && s[i + 1] != 'E');
        bool is_integer = i + 1 == digits || !strchr(".eE+", s[i - digits]);
        if (digits <= SAFE_DIGITS || !whole || !is_integer)
            continue;
        if (buf_add(out, s + done, i + 1 - done, e) < 0 || buf_puts(out, "e0", e) < 0)
            return -1;
        done = i + 1;
    }
    return buf_add(out, s + done, n - done, e);
}

static json_t *parse_wide(const char *s, size_t n, json_error_t *je)
{
    struct buf wide = BUF_INIT;
    json_t *o = NULL;
    if (widen(s, n, &wide, NULL) == 0)
        o = json_loadb(wide.s, wide.len, JSON_DECODE_ANY, je);
    buf_release(&wide);
    return o;
}

json_t *jtree_parse(const char *s, size_t n, const char *name, struct err *e)
{
    json_error_t je;
    if (n >= 3 && !memcmp(s, "\xef\xbb\xbf", 3)) {
        s += 3;
        n -= 3;
    }
    json_t *o = json_loadb(s, n, JSON_DECODE_ANY, &je);
    if (!o && json_error_code(&je) == json_error_numeric_overflow)
        o = parse_wide(s, n, &je);
    if (!o && n == 0)
        err_set(e, "%s: is empty, not JSON", name);
    else if (!o)
        err_set(e, "%s:%d:%d: not JSON: %s", name, je.line, je.column, je.text);
    return o;
}

json_t *jtree_load(const char *path, struct err *e)
{
    size_t n;
    struct in *in = in_open(path, 0, e);
    char *s = in ? in_all(in, MAX_FILE, &n, e) : NULL;
    json_t *o = s ? jtree_parse(s, n, in_name(in), e) : NULL;
    free(s);
    in_close(in);
    return o;
}

static const char *type_name(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_NULL:
        return "null";
    default:
        return "true or false";
    }
}

static int wrong_type(const char *key, const json_t *v, const char *wanted, struct err *e)
{
    return err_set(e, "\"%s\" is %s, not %s", key, type_name(v), wanted);
}

/* The value, or NULL where the key is missing or null. */
static const json_t *value_of(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    return v && !json_is_null(v) ? v : NULL;
}

int jtree_int(const json_t *o, const char *key, int64_t min, int64_t max, int64_t *out,
              struct err *e)
{
    const json_t *v = value_of(o, key);
    if (!v)
        return 0;
    if (!json_is_integer(v))
        return wrong_type(key, v, "an integer", e);
    int64_t x = json_integer_value(v);
    if (x < min || x > max)
        return err_set(e, "\"%s\" is %" PRId64 ", out of range: %" PRId64 " to %" PRId64, key, x,
                       min, max);
    *out = x;
    return 1;
}

int jtree_real(const json_t *o, const char *key, double min, double max, double *out, struct err *e)
{
    const json_t *v = value_of(o, key);
    char shown[3][32];
    if (!v)
        return 0;
    if (!json_is_number(v))
        return wrong_type(key, v, "a number", e);
    double x = json_number_value(v);
    if (!(x >= min && x <= max))
        return err_set(e, "\"%s\" is %s, out of range: %s to %s", key, num_show_f64(shown[0], x),
                       num_show_f64(shown[1], min), num_show_f64(shown[2], max));
    *out = x;
    return 1;
}

int jtree_bool(const json_t *o, const char *key, bool *out, struct err *e)
{
    const json_t *v = value_of(o, key);
    if (!v)
        return 0;
    if (!json_is_boolean(v))
        return wrong_type(key, v, "true or false", e);
    *out = json_is_true(v);
    return 1;
}

int jtree_str(const json_t *o, const char *key, const char **out, struct err *e)
{
    const json_t *v = value_of(o, key);
    if (!v)
        return 0;
    if (!json_is_string(v))
        return wrong_type(key, v, "a string", e);
    *out = json_string_value(v);
    return 1;
}

static int dump(const json_t *v, int depth, struct buf *out, struct err *e);

static int new_line(struct buf *out, int depth, struct err *e)
{
    return buf_printf(out, e, "\n%*s", 2 * depth, "");
}

static int dump_array(const json_t *v, int depth, struct buf *out, struct err *e)
{
    size_t n = json_array_size(v);
    if (buf_putc(out, '[', e) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if ((i > 0 && buf_putc(out, ',', e) < 0) || new_line(out, depth + 1, e) < 0 ||
            dump(json_array_get(v, i), depth + 1, out, e) < 0)
            return -1;
    }
    if (n > 0 && new_line(out, depth, e) < 0)
        return -1;
    return buf_putc(out, ']', e);
}

/* jansson hands out the keys in the order of insertion; its iterator wants a tree it may write. */
static int dump_object(const json_t *v, int depth, struct buf *out, struct err *e)
{
    json_t *o = (json_t *)v;
    if (buf_putc(out, '{', e) < 0)
        return -1;
    for (void *it = json_object_iter(o), *first = it; it; it = json_object_iter_next(o, it)) {
        const char *key = json_object_iter_key(it);
        if ((it != first && buf_putc(out, ',', e) < 0) || new_line(out, depth + 1, e) < 0 ||
            buf_json_string(out, key, strlen(key), e) < 0 || buf_puts(out, ": ", e) < 0 ||
            dump(json_object_iter_value(it), depth + 1, out, e) < 0)
            return -1;
    }
    if (json_object_size(v) > 0 && new_line(out, depth, e) < 0)
        return -1;
    return buf_putc(out, '}', e);
}

/* A real stays one when read back, also where it is whole. */
static int dump_real(double x, struct buf *out, struct err *e)
{
    char s[32];
    num_show_f64(s, x);
    if (buf_puts(out, s, e) < 0)
        return -1;
    return strpbrk(s, ".eE") ? 0 : buf_puts(out, ".0", e);
}

static int dump(const json_t *v, int depth, struct buf *out, struct err *e)
{
    if (depth > MAX_DEPTH)
        return err_set(e, "JSON nested deeper than %d levels", MAX_DEPTH);
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return dump_object(v, depth, out, e);
    case JSON_ARRAY:
        return dump_array(v, depth, out, e);
    case JSON_STRING:
        return buf_json_string(out, json_string_value(v), json_string_length(v), e);
    case JSON_INTEGER:
        return buf_printf(out, e, "%" PRId64, (int64_t)json_integer_value(v));
    case JSON_REAL:
        return dump_real(json_real_value(v), out, e);
    case JSON_TRUE:
        return buf_puts(out, "true", e);
    case JSON_FALSE:
        return buf_puts(out, "false", e);
    default:
        return buf_puts(out, "null", e);
    }
}

int jtree_dump(const json_t *o, struct buf *out, struct err *e)
{
    if (dump(o, 0, out, e) < 0)
        return -1;
    return buf_putc(out, '\n', e);
}

int jtree_save(const json_t *o, const char *path, struct err *e)
{
    struct buf b = BUF_INIT;
    int rc = jtree_dump(o, &b, e);
    if (rc == 0)
        rc = out_file(path, b.s, b.len, e);
    buf_release(&b);
    return rc;
}
