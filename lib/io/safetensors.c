/* Reading safetensors files: see safetensors.h. */
#include "io/safetensors.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bug.h"
#include "base/compiler.h"
#include "base/half.h"
#include "base/le.h"
#include "base/mem.h"
#include "base/sys.h"
#include "base/utf8.h"
#include "io/in.h"
#include "io/jscan.h"

static const uint64_t max_header = 100u << 20; /* the reference implementation's limit */

const char *const st_dtype_name[ST_N] = {"F32", "F16", "BF16", "F64", "I64", "I32", "I16",
                                         "I8",  "U8",  "BOOL", "U64", "U32", "U16"};

size_t st_dtype_bytes(enum st_dtype t)
{
    static const unsigned char bytes[ST_N] = {4, 2, 2, 8, 8, 4, 2, 1, 1, 1, 8, 4, 2};
    return bytes[t];
}

struct st {
    struct sys_map *maps;
    size_t n_map, cap_map;
    struct st_tensor *tensors;
    size_t n, cap;
    const struct st_tensor **by_name;
    struct arena names;
};

/* What is being read: one file's header. */
struct reader {
    struct st *st;
    const char *path;
    struct jscan j;
    struct buf scratch;
    const unsigned char *data; /* behind the header */
    uint64_t n_data;
};

static int header_error(const struct reader *r, const char *why, struct err *e)
{
    /* positions are those in the file, where 8 bytes stand before the header */
    return err_set(e, "%s: at byte %zu: %s", r->path, r->j.pos + 8, why);
}

static int next(struct reader *r, enum jscan_type wanted, const char *why, struct err *e)
{
    enum jscan_type t = jscan_next(&r->j);
    if (t == JSCAN_ERROR)
        return header_error(r, r->j.error, e);
    return t == wanted ? 0 : header_error(r, why, e);
}

/* The last string or key as a C string in scratch. */
static int take_string(struct reader *r, struct err *e)
{
    buf_clear(&r->scratch);
    if (jscan_string(&r->j, false, &r->scratch, e) < 0)
        return -1;
    if (memchr(r->scratch.s, 0, r->scratch.len))
        return header_error(r, "a NUL in a name", e);
    return 0;
}

/* An array of at most max whole numbers. */
static int take_numbers(struct reader *r, uint64_t *v, int max, int *n, struct err *e)
{
    enum jscan_type t;
    *n = 0;
    if (next(r, JSCAN_ARRAY, "an array is missing", e) < 0)
        return -1;
    while ((t = jscan_next(&r->j)) == JSCAN_NUMBER) {
        int64_t x;
        if (*n == max)
            return header_error(r, "the array is too long", e);
        if (jscan_int(&r->j, &x) < 0 || x < 0)
            return header_error(r, "the number is not a whole one that fits 63 bits", e);
        v[(*n)++] = (uint64_t)x;
    }
    if (t != JSCAN_END)
        return header_error(r, t < 0 ? r->j.error : "a number is missing", e);
    return 0;
}

static int take_dtype(struct reader *r, struct st_tensor *t, struct err *e)
{
    if (next(r, JSCAN_STRING, "the dtype is not a string", e) < 0 || take_string(r, e) < 0)
        return -1;
    for (int i = 0; i < ST_N; i++) {
        if (!strcmp(r->scratch.s, st_dtype_name[i])) {
            t->dtype = (enum st_dtype)i;
            return 0;
        }
    }
    return err_set(e, "%s: tensor '%s': dtype %s is not supported", r->path, t->name, r->scratch.s);
}

/* Shape, dtype and offsets fit each other and the file. */
static int check_tensor(const struct reader *r, struct st_tensor *t, const uint64_t range[2],
                        struct err *e)
{
    uint64_t n = 1, n_bytes;
    bool empty = false;
    for (int i = 0; i < t->n_dim; i++)
        empty |= t->shape[i] == 0;
    for (int i = 0; i < t->n_dim && !empty; i++) {
        if (CKD_MUL(&n, n, t->shape[i]))
            return err_set(e, "%s: tensor '%s': its shape is too large", r->path, t->name);
    }
    t->n_elem = empty ? 0 : n;
    if (CKD_MUL(&n_bytes, t->n_elem, (uint64_t)st_dtype_bytes(t->dtype)))
        return err_set(e, "%s: tensor '%s': its shape is too large", r->path, t->name);
    if (range[0] > range[1] || range[1] > r->n_data)
        return err_set(e,
                       "%s: tensor '%s': offsets %" PRIu64 " to %" PRIu64
                       " do not lie within the file's %" PRIu64 " bytes of data%s",
                       r->path, t->name, range[0], range[1], r->n_data,
                       range[0] <= range[1] ? "; is it truncated?" : "");
    if (range[1] - range[0] != n_bytes)
        return err_set(
            e, "%s: tensor '%s': dtype and shape make %" PRIu64 " bytes, its offsets %" PRIu64,
            r->path, t->name, n_bytes, range[1] - range[0]);
    t->n_bytes = (size_t)n_bytes;
    t->data = r->data + range[0];
    return 0;
}

static int take_tensor(struct reader *r, struct err *e)
{
    struct st *s = r->st;
    struct st_tensor t = {.n_dim = 0};
    uint64_t range[2];
    int n_range = 0;
    enum jscan_type k;
    enum { DTYPE = 1, SHAPE = 2, OFFSETS = 4, ALL = 7 };
    unsigned seen = 0;
    t.name = arena_dup(&s->names, r->scratch.s, r->scratch.len, e);
    if (!t.name || next(r, JSCAN_OBJECT, "the tensor's entry is not an object", e) < 0)
        return -1;
    while ((k = jscan_next(&r->j)) == JSCAN_KEY) {
        unsigned field = jscan_key_is(&r->j, "dtype")          ? DTYPE
                         : jscan_key_is(&r->j, "shape")        ? SHAPE
                         : jscan_key_is(&r->j, "data_offsets") ? OFFSETS
                                                               : 0;
        int rc = field == DTYPE          ? take_dtype(r, &t, e)
                 : field == SHAPE        ? take_numbers(r, t.shape, ST_MAX_DIM, &t.n_dim, e)
                 : field == OFFSETS      ? take_numbers(r, range, 2, &n_range, e)
                 : jscan_skip(&r->j) < 0 ? header_error(r, r->j.error, e)
                                         : 0;
        if (rc < 0)
            return -1;
        if (seen & field)
            return header_error(r, "the same field twice", e);
        seen |= field;
    }
    if (k != JSCAN_END)
        return header_error(r, r->j.error, e);
    if (seen != ALL || n_range != 2)
        return err_set(e, "%s: tensor '%s' lacks dtype, shape or data_offsets", r->path, t.name);
    if (check_tensor(r, &t, range, e) < 0 ||
        mem_grow(&s->tensors, &s->cap, s->n + 1, sizeof *s->tensors, e) < 0)
        return -1;
    s->tensors[s->n++] = t;
    return 0;
}

/* Only strings to strings. */
static int pass_metadata(struct reader *r, struct err *e)
{
    enum jscan_type t;
    if (next(r, JSCAN_OBJECT, "__metadata__ is not an object", e) < 0)
        return -1;
    while ((t = jscan_next(&r->j)) == JSCAN_KEY) {
        if (next(r, JSCAN_STRING, "a value in __metadata__ is not a string", e) < 0)
            return -1;
    }
    return t == JSCAN_END ? 0 : header_error(r, r->j.error, e);
}

static int by_place(const void *a, const void *b)
{
    const struct st_tensor *x = a, *y = b;
    if (x->data != y->data)
        return x->data < y->data ? -1 : 1;
    return (x->n_bytes > y->n_bytes) - (x->n_bytes < y->n_bytes);
}

/* The tensors from index first on, sorted by place, cover the data without hole or overlap. */
static int check_cover(const struct reader *r, size_t first, struct err *e)
{
    struct st *s = r->st;
    const unsigned char *at = r->data;
    if (s->n > first)
        qsort(s->tensors + first, s->n - first, sizeof *s->tensors, by_place);
    for (size_t i = first; i < s->n; i++) {
        const struct st_tensor *t = &s->tensors[i];
        if (t->data != at)
            return err_set(e, "%s: tensor '%s' %s", r->path, t->name,
                           t->data < at ? "overlaps another" : "begins behind a hole");
        at += t->n_bytes;
    }
    uint64_t left = r->n_data - (uint64_t)(at - r->data);
    if (left > 0)
        return err_set(e, "%s: %" PRIu64 " bytes follow the last tensor", r->path, left);
    return 0;
}

static int read_header(struct reader *r, struct err *e)
{
    enum jscan_type t;
    size_t first = r->st->n;
    size_t good = utf8_valid(r->j.p, r->j.n);
    r->j.pos = good;
    if (good < r->j.n)
        return header_error(r, "invalid UTF-8 in the header", e);
    jscan_init(&r->j, r->j.p, r->j.n);
    r->j.utf8_ok = true;
    if (r->j.n == 0 || r->j.p[0] != '{')
        return header_error(r, "the header is not a JSON object; is this a safetensors file?", e);
    jscan_next(&r->j);
    while ((t = jscan_next(&r->j)) == JSCAN_KEY) {
        if (take_string(r, e) < 0)
            return -1;
        int rc = !strcmp(r->scratch.s, "__metadata__") ? pass_metadata(r, e) : take_tensor(r, e);
        if (rc < 0)
            return -1;
    }
    if (t != JSCAN_END || jscan_next(&r->j) != JSCAN_EOF)
        return header_error(r, r->j.error, e);
    return check_cover(r, first, e);
}

static int add_file(struct st *s, const char *path, struct err *e)
{
    if (mem_grow(&s->maps, &s->cap_map, s->n_map + 1, sizeof *s->maps, e) < 0)
        return -1;
    struct sys_map *m = &s->maps[s->n_map];
    if (sys_map_file(m, path, e) < 0)
        return -1;
    s->n_map++;
    if (m->len < 8)
        return err_set(e, "%s: %zu bytes are too few for a safetensors file", path, m->len);
    uint64_t n = le64_get(m->p);
    if (n > max_header)
        return err_set(e,
                       "%s: at byte 0: a header of %" PRIu64
                       " bytes is over the limit of 100 MiB; is this a safetensors file?",
                       path, n);
    if (n > m->len - 8)
        return err_set(e,
                       "%s: at byte 0: the header's %" PRIu64
                       " bytes reach beyond the end of the file; is it truncated?",
                       path, n);
    struct reader r = {.st = s, .path = path, .scratch = BUF_INIT};
    jscan_init(&r.j, (const char *)m->p + 8, (size_t)n);
    r.data = m->p + 8 + n;
    r.n_data = m->len - 8 - n;
    int rc = read_header(&r, e);
    buf_release(&r.scratch);
    return rc;
}

static int by_name(const void *a, const void *b)
{
    const struct st_tensor *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static int sort_names(struct st *s, const char *path, struct err *e)
{
    s->by_name = mem_new(s->n, sizeof *s->by_name, e);
    if (!s->by_name)
        return -1;
    for (size_t i = 0; i < s->n; i++)
        s->by_name[i] = &s->tensors[i];
    qsort(s->by_name, s->n, sizeof *s->by_name, by_name);
    for (size_t i = 1; i < s->n; i++) {
        if (!strcmp(s->by_name[i]->name, s->by_name[i - 1]->name))
            return err_set(e, "%s: tensor '%s' is there twice", path, s->by_name[i]->name);
    }
    return 0;
}

static struct st *st_new(struct err *e)
{
    struct st *s = mem_new(1, sizeof *s, e);
    if (s)
        arena_init(&s->names, 0);
    return s;
}

struct st *st_open(const char *path, struct err *e)
{
    struct st *s = st_new(e);
    if (s && (add_file(s, path, e) < 0 || sort_names(s, path, e) < 0)) {
        st_close(s);
        return NULL;
    }
    return s;
}

/* ---- models in several files */

struct place {
    const char *tensor, *file;
};

struct index {
    const char *path;
    struct place *v; /* in the order of the weight map */
    size_t n, cap;
    struct arena strings;
    struct jscan j;
    struct buf scratch;
};

static int index_error(const struct index *x, const char *why, struct err *e)
{
    return err_set(e, "%s: at byte %zu: %s", x->path, x->j.pos, x->j.error ? x->j.error : why);
}

static char *index_string(struct index *x, struct err *e)
{
    buf_clear(&x->scratch);
    if (jscan_string(&x->j, false, &x->scratch, e) < 0) {
        err_prefix(e, "%s: ", x->path);
        return NULL;
    }
    return arena_dup(&x->strings, x->scratch.s, x->scratch.len, e);
}

static int read_weight_map(struct index *x, struct err *e)
{
    enum jscan_type t;
    if (jscan_next(&x->j) != JSCAN_OBJECT)
        return index_error(x, "weight_map is not an object", e);
    while ((t = jscan_next(&x->j)) == JSCAN_KEY) {
        struct place p = {.tensor = index_string(x, e)};
        if (!p.tensor)
            return -1;
        if (jscan_next(&x->j) != JSCAN_STRING)
            return index_error(x, "a file name is missing", e);
        p.file = index_string(x, e);
        if (!p.file)
            return -1;
        if (!*p.file || *p.file == '.' || strchr(p.file, '/'))
            return index_error(x, "the file name leads out of the directory", e);
        if (mem_grow(&x->v, &x->cap, x->n + 1, sizeof *x->v, e) < 0)
            return -1;
        x->v[x->n++] = p;
    }
    return t == JSCAN_END ? 0 : index_error(x, "not an object", e);
}

static int read_index(struct index *x, const char *text, size_t n, struct err *e)
{
    enum jscan_type t;
    jscan_init(&x->j, text, n);
    if (jscan_next(&x->j) != JSCAN_OBJECT)
        return index_error(x, "not an object", e);
    while ((t = jscan_next(&x->j)) == JSCAN_KEY) {
        x->n = jscan_key_is(&x->j, "weight_map") ? 0 : x->n;
        if (jscan_key_is(&x->j, "weight_map") ? read_weight_map(x, e) < 0
                                              : jscan_skip(&x->j) < 0 && index_error(x, "", e))
            return -1;
    }
    if (t != JSCAN_END || jscan_next(&x->j) != JSCAN_EOF)
        return index_error(x, "text follows the object", e);
    if (x->n == 0)
        return err_set(e, "%s: no weight_map with tensors", x->path);
    return 0;
}

static int by_file(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int c = strcmp(x->file, y->file);
    return c ? c : strcmp(x->tensor, y->tensor);
}

/* Opens each file once, in the order of their names; each entry's tensor is where it should be. */
static int open_shards(struct st *s, struct index *x, const char *dir, struct err *e)
{
    qsort(x->v, x->n, sizeof *x->v, by_file);
    for (size_t i = 0; i < x->n; i++) {
        if (i > 0 && !strcmp(x->v[i].file, x->v[i - 1].file))
            continue;
        buf_clear(&x->scratch);
        if (buf_printf(&x->scratch, e, "%s/%s", dir, x->v[i].file) < 0 ||
            add_file(s, x->scratch.s, e) < 0)
            return -1;
    }
    if (sort_names(s, x->path, e) < 0)
        return -1;
    for (size_t i = 0, map = 0; i < x->n; i++) {
        map += i > 0 && strcmp(x->v[i].file, x->v[i - 1].file) != 0;
        const struct st_tensor *t = st_find(s, x->v[i].tensor);
        if (!t || t->data < s->maps[map].p || t->data > s->maps[map].p + s->maps[map].len)
            return err_set(e, "%s: tensor '%s' is not in %s", x->path, x->v[i].tensor,
                           x->v[i].file);
    }
    return 0;
}

static struct st *open_indexed(const char *path, const char *dir, struct err *e)
{
    struct index x = {.path = path, .scratch = BUF_INIT};
    size_t n;
    arena_init(&x.strings, 0);
    struct st *s = st_new(e);
    struct in *in = in_open(path, 0, e);
    char *text = in ? in_all(in, max_header, &n, e) : NULL;
    if (!s || !text || read_index(&x, text, n, e) < 0 || open_shards(s, &x, dir, e) < 0) {
        st_close(s);
        s = NULL;
    }
    free(text);
    in_close(in);
    free(x.v);
    buf_release(&x.scratch);
    arena_release(&x.strings);
    return s;
}

struct st *st_open_dir(const char *dir, struct err *e)
{
    struct buf one = BUF_INIT, index = BUF_INIT;
    struct st *s = NULL;
    struct stat st;
    if (buf_printf(&one, e, "%s/model.safetensors", dir) < 0 ||
        buf_printf(&index, e, "%s/model.safetensors.index.json", dir) < 0)
        goto done;
    if (stat(one.s, &st) < 0 && stat(index.s, &st) == 0)
        s = open_indexed(index.s, dir, e);
    else
        s = st_open(one.s, e);
done:
    buf_release(&one);
    buf_release(&index);
    return s;
}

/* ---- what has been opened */

size_t st_count(const struct st *s)
{
    return s->n;
}

const struct st_tensor *st_at(const struct st *s, size_t i)
{
    return &s->tensors[i];
}

const struct st_tensor *st_find(const struct st *s, const char *name)
{
    struct st_tensor key = {.name = name};
    const struct st_tensor *k = &key;
    const struct st_tensor **found = bsearch(&k, s->by_name, s->n, sizeof *s->by_name, by_name);
    return found ? *found : NULL;
}

int st_get_f32(const struct st_tensor *t, uint64_t from, uint64_t n, float *out, struct err *e)
{
    if (from > t->n_elem || n > t->n_elem - from)
        BUG("elements %" PRIu64 " + %" PRIu64 " of tensor %s", from, n, t->name);
    const unsigned char *p = t->data + from * st_dtype_bytes(t->dtype);
    switch (t->dtype) {
    case ST_F32:
        for (uint64_t i = 0; i < n; i++) {
            uint32_t u = le32_get(p + 4 * i);
            memcpy(&out[i], &u, 4);
        }
        return 0;
    case ST_BF16:
        for (uint64_t i = 0; i < n; i++)
            out[i] = bf16_to_f32(le16_get(p + 2 * i));
        return 0;
    case ST_F16:
        for (uint64_t i = 0; i < n; i++)
            out[i] = f16_to_f32(le16_get(p + 2 * i));
        return 0;
    case ST_F64:
        for (uint64_t i = 0; i < n; i++) {
            uint64_t u = le64_get(p + 8 * i);
            double v;
            memcpy(&v, &u, 8);
            out[i] = (float)v;
        }
        return 0;
    default:
        return err_set(e, "tensor '%s' is of dtype %s, not of floating point", t->name,
                       st_dtype_name[t->dtype]);
    }
}

void st_close(struct st *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_map; i++)
        sys_unmap(&s->maps[i]);
    free(s->maps);
    free(s->tensors);
    free(s->by_name);
    arena_release(&s->names);
    free(s);
}
