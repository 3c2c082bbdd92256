/* Writing safetensors files as a stream: see safetensors.h. */
#include "io/safetensors.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/bug.h"
#include "base/compiler.h"
#include "base/half.h"
#include "base/le.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "io/out.h"

enum { CHUNK = 4096 }; /* elements converted at once */

struct st_writer {
    struct out *o;
    struct st_tensor *v; /* the plan; data is not used */
    size_t n, cap, at;   /* at: the tensor being written */
    uint64_t left_bytes; /* of that tensor */
    uint64_t n_data;
    bool begun;
    struct arena names;
};

struct st_writer *st_create(const char *path, struct err *e)
{
    struct st_writer *w = mem_new(1, sizeof *w, e);
    if (!w)
        return NULL;
    arena_init(&w->names, 0);
    w->o = out_open(path, OUT_BINARY, e);
    if (!w->o) {
        st_abort(w);
        return NULL;
    }
    return w;
}

int st_plan(struct st_writer *w, const char *name, enum st_dtype t, int n_dim,
            const uint64_t *shape, struct err *e)
{
    struct st_tensor *p;
    size_t len = strlen(name);
    if (w->begun || n_dim < 0 || n_dim > ST_MAX_DIM || (int)t < 0 || t >= ST_N)
        BUG("plan of tensor %s", name);
    if (utf8_valid(name, len) < len)
        return err_set(e, "%s: tensor '%s': its name is not valid UTF-8", out_name(w->o), name);
    if (mem_grow(&w->v, &w->cap, w->n + 1, sizeof *w->v, e) < 0)
        return -1;
    p = &w->v[w->n];
    *p = (struct st_tensor){.dtype = t, .n_dim = n_dim, .n_elem = 1};
    p->name = arena_dup(&w->names, name, len, e);
    if (!p->name)
        return -1;
    for (int i = 0; i < n_dim; i++) {
        p->shape[i] = shape[i];
        if (CKD_MUL(&p->n_elem, p->n_elem, shape[i]))
            return err_set(e, "%s: tensor '%s' is too large", out_name(w->o), name);
    }
    if (CKD_MUL(&p->n_bytes, p->n_elem, st_dtype_bytes(t)))
        return err_set(e, "%s: tensor '%s' is too large", out_name(w->o), name);
    w->n++;
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

static int check_names(const struct st_writer *w, struct err *e)
{
    const char **names = mem_new(w->n, sizeof *names, e);
    int rc = names ? 0 : -1;
    if (!names)
        return -1;
    for (size_t i = 0; i < w->n; i++)
        names[i] = w->v[i].name;
    qsort(names, w->n, sizeof *names, compare_names);
    for (size_t i = 1; i < w->n && rc == 0; i++) {
        if (!strcmp(names[i], names[i - 1]))
            rc = err_set(e, "%s: tensor '%s' is planned twice", out_name(w->o), names[i]);
    }
    free(names);
    return rc;
}

static int put_header(struct st_writer *w, struct buf *h, struct err *e)
{
    if (buf_puts(h, "{\"__metadata__\":{\"format\":\"pt\"}", e) < 0)
        return -1;
    for (size_t i = 0; i < w->n; i++) {
        const struct st_tensor *t = &w->v[i];
        uint64_t from = w->n_data;
        if (CKD_ADD(&w->n_data, from, (uint64_t)t->n_bytes))
            return err_set(e, "%s: the tensors are too large", out_name(w->o));
        if (buf_putc(h, ',', e) < 0 || buf_json_string(h, t->name, strlen(t->name), e) < 0 ||
            buf_printf(h, e, ":{\"dtype\":\"%s\",\"shape\":[", st_dtype_name[t->dtype]) < 0)
            return -1;
        for (int k = 0; k < t->n_dim; k++) {
            if (buf_printf(h, e, "%s%" PRIu64, k > 0 ? "," : "", t->shape[k]) < 0)
                return -1;
        }
        if (buf_printf(h, e, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", from, w->n_data) < 0)
            return -1;
    }
    if (buf_putc(h, '}', e) < 0)
        return -1;
    while (h->len % 8 != 0) { /* so that the data begins aligned, as the reference writer does */
        if (buf_putc(h, ' ', e) < 0)
            return -1;
    }
    return 0;
}

/* Passes over tensors that are complete, those without elements among them. */
static void settle(struct st_writer *w)
{
    while (w->left_bytes == 0 && w->at < w->n) {
        w->at++;
        if (w->at < w->n)
            w->left_bytes = w->v[w->at].n_bytes;
    }
}

int st_begin(struct st_writer *w, struct err *e)
{
    unsigned char length[8];
    struct buf h = BUF_INIT;
    if (w->begun)
        BUG("st_begin twice");
    if (check_names(w, e) < 0 || put_header(w, &h, e) < 0) {
        buf_release(&h);
        return -1;
    }
    le64_put(length, h.len);
    int rc = out_write(w->o, length, 8, e);
    if (rc == 0)
        rc = out_write(w->o, h.s, h.len, e);
    buf_release(&h);
    w->begun = true;
    w->left_bytes = w->n > 0 ? w->v[0].n_bytes : 0;
    settle(w);
    return rc;
}

int st_write_raw(struct st_writer *w, const void *p, size_t n_bytes, struct err *e)
{
    if (!w->begun || n_bytes > w->left_bytes)
        BUG("more written than planned for tensor %s", w->at < w->n ? w->v[w->at].name : "(none)");
    if (out_write(w->o, p, n_bytes, e) < 0)
        return -1;
    w->left_bytes -= n_bytes;
    settle(w);
    return 0;
}

static void convert(enum st_dtype t, const float *v, size_t n, unsigned char *to)
{
    size_t size = st_dtype_bytes(t);
    for (size_t i = 0; i < n; i++, to += size) {
        uint32_t u;
        uint64_t u64;
        double d = v[i];
        switch (t) {
        case ST_F32:
            memcpy(&u, &v[i], 4);
            le32_put(to, u);
            break;
        case ST_BF16:
            le16_put(to, bf16_from_f32(v[i]));
            break;
        case ST_F16:
            le16_put(to, f16_from_f32(v[i]));
            break;
        case ST_F64:
            memcpy(&u64, &d, 8);
            le64_put(to, u64);
            break;
        default:
            BUG("f32 written to a tensor of dtype %s", st_dtype_name[t]);
        }
    }
}

int st_write_f32(struct st_writer *w, const float *v, uint64_t n, struct err *e)
{
    unsigned char chunk[CHUNK * 8];
    if (n == 0)
        return 0;
    if (w->at == w->n)
        BUG("more written than planned");
    enum st_dtype t = w->v[w->at].dtype;
    if (n > w->left_bytes / st_dtype_bytes(t))
        BUG("more written than planned for tensor %s", w->v[w->at].name);
    while (n > 0) {
        size_t k = n < CHUNK ? (size_t)n : CHUNK;
        convert(t, v, k, chunk);
        if (st_write_raw(w, chunk, k * st_dtype_bytes(t), e) < 0)
            return -1;
        v += k;
        n -= k;
    }
    return 0;
}

int st_commit(struct st_writer *w, struct err *e)
{
    int rc = -1;
    if (!w->begun || w->at < w->n) {
        err_set(e, "%s: tensor '%s' was not written in full", out_name(w->o),
                w->at < w->n ? w->v[w->at].name : "");
    } else {
        rc = out_commit(w->o, e);
        w->o = NULL;
    }
    st_abort(w);
    return rc;
}

void st_abort(struct st_writer *w)
{
    if (!w)
        return;
    out_abort(w->o);
    free(w->v);
    arena_release(&w->names);
    free(w);
}
