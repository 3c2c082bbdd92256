/* Options: parsing, setting and showing by the table. The help text is made in opthelp.c. */
#include "base/opt.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/bug.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/utf8.h"

static bool is_end(const struct opt *o)
{
    return !o->name && !o->letter && !o->help;
}

static bool takes_value(const struct opt *o)
{
    return o->kind != OPT_FLAG && o->kind != OPT_COUNT;
}

struct opt *opt_find(struct opt *opts, const char *name)
{
    for (struct opt *o = opts; !is_end(o); o++)
        if (o->kind != OPT_TITLE && o->name && strcmp(o->name, name) == 0)
            return o;
    BUG("no option --%s in the table", name);
}

static int set_flag(struct opt *o, const char *value, struct err *e)
{
    bool yes = *value == '\0' || strcmp(value, "true") == 0;
    if (!yes && strcmp(value, "false") != 0)
        return err_usage(e, "'%s' is neither true nor false", value);
    *(bool *)o->dst = yes;
    return 0;
}

static int set_count(struct opt *o, const char *value, struct err *e)
{
    int *n = o->dst;
    int64_t v = *n < INT_MAX ? *n + 1 : *n;
    if (*value && num_int(value, 0, INT_MAX, &v, e) < 0)
        return -1;
    *n = (int)v;
    return 0;
}

static int set_list(struct opt *o, const char *value, struct err *e)
{
    struct opt_list *l = o->dst;
    if (mem_grow(&l->v, &l->cap, l->n + 1, sizeof *l->v, e) < 0)
        return -1;
    l->v[l->n++] = value;
    return 0;
}

static int set_choice(struct opt *o, const char *value, struct err *e)
{
    struct buf words = BUF_INIT;
    for (int i = 0; o->choices[i]; i++) {
        if (strcmp(o->choices[i], value) == 0) {
            *(int *)o->dst = i;
            buf_release(&words);
            return 0;
        }
        if (buf_printf(&words, e, "%s%s", i ? ", " : "", o->choices[i]) < 0)
            break;
    }
    err_usage(e, "'%s' is none of %s", value, words.s);
    buf_release(&words);
    return -1;
}

static int set_int(struct opt *o, const char *value, struct err *e)
{
    bool open = o->min == 0 && o->max == 0;
    int64_t max = open || o->max < o->min ? INT64_MAX : o->max;
    return num_int(value, open ? INT64_MIN : o->min, max, o->dst, e);
}

static int set_bytes(struct opt *o, const char *value, struct err *e)
{
    uint64_t min = (uint64_t)o->min, max = (uint64_t)o->max;
    return num_bytes(value, min, max == 0 || max < min ? UINT64_MAX : max, o->dst, e);
}

static int set_real(struct opt *o, const char *value, struct err *e)
{
    bool open = o->rmin == 0 && o->rmax == 0;
    double max = open || o->rmax < o->rmin ? HUGE_VAL : o->rmax;
    return num_real(value, open ? -HUGE_VAL : o->rmin, max, o->dst, e);
}

static int check_utf8(const char *value, struct err *e)
{
    size_t n = strlen(value), good = utf8_valid(value, n);
    return good < n ? err_usage(e, "invalid UTF-8 at byte %zu", good) : 0;
}

int opt_set(struct opt *o, const char *value, struct err *e)
{
    if (o->utf8 && check_utf8(value, e) < 0)
        return -1;
    switch (o->kind) {
    case OPT_FLAG:
        return set_flag(o, value, e);
    case OPT_COUNT:
        return set_count(o, value, e);
    case OPT_STR:
        *(const char **)o->dst = value;
        return 0;
    case OPT_LIST:
        return set_list(o, value, e);
    case OPT_INT:
        return set_int(o, value, e);
    case OPT_BYTES:
        return set_bytes(o, value, e);
    case OPT_REAL:
        return set_real(o, value, e);
    case OPT_TIME:
        return num_duration(value, o->dst, e);
    case OPT_CHOICE:
        return set_choice(o, value, e);
    case OPT_TITLE:
        break;
    }
    BUG("a heading of the options cannot be set");
}

/* "512M" rather than 536870912. */
static void show_bytes(char out[32], uint64_t v)
{
    static const char letters[] = "\0KMGT";
    int k = 0;
    while (k < 4 && v != 0 && v % 1024 == 0) {
        v /= 1024;
        k++;
    }
    snprintf(out, 32, "%" PRIu64 "%.1s", v, letters + k);
}

bool opt_show(const struct opt *o, struct buf *out)
{
    char num[32];
    const char *s = num;
    switch (o->kind) {
    case OPT_FLAG:
        s = *(const bool *)o->dst ? "true" : "false";
        break;
    case OPT_COUNT:
        snprintf(num, sizeof num, "%d", *(const int *)o->dst);
        break;
    case OPT_STR:
        s = *(const char *const *)o->dst;
        break;
    case OPT_INT:
        snprintf(num, sizeof num, "%" PRId64, *(const int64_t *)o->dst);
        break;
    case OPT_BYTES:
        show_bytes(num, *(const uint64_t *)o->dst);
        break;
    case OPT_REAL:
    case OPT_TIME:
        num_show_f64(num, *(const double *)o->dst);
        break;
    case OPT_CHOICE:
        s = o->choices[*(const int *)o->dst];
        break;
    case OPT_LIST:
    case OPT_TITLE:
        return false;
    }
    return s && buf_puts(out, s, NULL) == 0;
}

void opt_release(struct opt *opts)
{
    for (struct opt *o = opts; !is_end(o); o++) {
        if (o->kind != OPT_LIST)
            continue;
        struct opt_list *l = o->dst;
        free(l->v);
        *l = (struct opt_list){0};
    }
}

/* Levenshtein's distance, but no more than 3; names longer than the row are never near. */
static int distance(const char *a, const char *b)
{
    enum { ROW = 48, FAR = 3 };
    int row[ROW];
    size_t n = strlen(a), m = strlen(b);
    if (m + 1 > ROW || n + FAR < m || m + FAR < n)
        return FAR;
    for (size_t j = 0; j <= m; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= n; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            int best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[m] < FAR ? row[m] : FAR;
}

int opt_near(const char *typed, const char *name)
{
    int d = distance(typed, name);
    return strlen(typed) < 4 && d > 1 ? 3 : d;
}

static int unknown_name(const struct opt *opts, const char *name, struct err *e)
{
    const struct opt *near = NULL;
    int least = 3;
    for (const struct opt *o = opts; !is_end(o); o++) {
        int d = o->kind != OPT_TITLE && o->name ? opt_near(name, o->name) : 3;
        if (d < least) {
            least = d;
            near = o;
        }
    }
    if (near)
        return err_usage(e, "there is no option --%s; is --%s meant?", name, near->name);
    return err_usage(e, "there is no option --%s", name);
}

static int ambiguous(const struct opt *opts, const char *name, struct err *e)
{
    struct buf words = BUF_INIT;
    for (const struct opt *o = opts; !is_end(o); o++)
        if (o->kind != OPT_TITLE && o->name && strncmp(o->name, name, strlen(name)) == 0 &&
            buf_printf(&words, e, "%s--%s", words.len ? ", " : "", o->name) < 0)
            break;
    err_usage(e, "--%s may mean %s", name, words.s);
    buf_release(&words);
    return -1;
}

static struct opt *find_long(struct opt *opts, const char *name, struct err *e)
{
    struct opt *found = NULL;
    int n_found = 0;
    size_t len = strlen(name);
    for (struct opt *o = opts; !is_end(o); o++) {
        if (o->kind == OPT_TITLE || !o->name || strncmp(o->name, name, len) != 0)
            continue;
        if (o->name[len] == '\0')
            return o;
        found = o;
        n_found++;
    }
    if (n_found == 1)
        return found;
    if (n_found == 0)
        unknown_name(opts, name, e);
    else
        ambiguous(opts, name, e);
    return NULL;
}

static struct opt *find_letter(struct opt *opts, char letter, const char *arg, struct err *e)
{
    for (struct opt *o = opts; !is_end(o); o++)
        if (o->kind != OPT_TITLE && o->letter == letter)
            return o;
    if (strlen(arg) > 2)
        err_usage(e, "there is no option -%c (in %s)", letter, arg);
    else
        err_usage(e, "there is no option -%c", letter);
    return NULL;
}

/* The arguments, and where the parser stands in them. */
struct args {
    struct opt *opts;
    int n, at;
    char **v;
};

/* label: the option as the user wrote it, for messages. value: NULL where none came with it. */
static int take(struct args *a, struct opt *o, const char *label, const char *value, struct err *e)
{
    if (!takes_value(o)) {
        if (value)
            return err_usage(e, "%s takes no value", label);
        value = "";
    } else if (!value) {
        if (a->at >= a->n)
            return err_usage(e, "%s needs a value: %s %s", label, label, o->arg ? o->arg : "VALUE");
        value = a->v[a->at++];
    }
    if (opt_set(o, value, e) < 0)
        return err_prefix(e, "%s: ", label);
    o->given++;
    return 0;
}

static int parse_long(struct args *a, const char *arg, struct err *e)
{
    char name[64], label[80];
    const char *eq = strchr(arg + 2, '=');
    size_t len = eq ? (size_t)(eq - arg - 2) : strlen(arg + 2);
    if (len == 0 || len >= sizeof name)
        return err_usage(e, "there is no option %s", arg);
    memcpy(name, arg + 2, len);
    name[len] = '\0';
    struct opt *o = find_long(a->opts, name, e);
    if (!o)
        return -1;
    snprintf(label, sizeof label, "--%s", o->name);
    return take(a, o, label, eq ? eq + 1 : NULL, e);
}

static int parse_letters(struct args *a, const char *arg, struct err *e)
{
    for (const char *p = arg + 1; *p; p++) {
        const char label[] = {'-', *p, '\0'};
        struct opt *o = find_letter(a->opts, *p, arg, e);
        if (!o)
            return -1;
        if (takes_value(o))
            return take(a, o, label, p[1] ? p + 1 : NULL, e);
        if (take(a, o, label, NULL, e) < 0)
            return -1;
    }
    return 0;
}

int opt_parse(struct opt *opts, int argc, char **argv, int *n_operands, struct err *e)
{
    struct args a = {.opts = opts, .n = argc, .at = 1, .v = argv};
    int n = 0;
    bool only_operands = false;
    while (a.at < argc) {
        char *arg = argv[a.at++];
        int rc = 0;
        if (only_operands || arg[0] != '-' || arg[1] == '\0')
            argv[1 + n++] = arg; /* never beyond a.at: operands move to the front */
        else if (strcmp(arg, "--") == 0)
            only_operands = true;
        else if (arg[1] == '-')
            rc = parse_long(&a, arg, e);
        else
            rc = parse_letters(&a, arg, e);
        if (rc < 0)
            return -1;
    }
    *n_operands = n;
    if (argc > 0)
        argv[1 + n] = NULL;
    return 0;
}
