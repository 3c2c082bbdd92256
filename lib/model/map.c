/* The weight map between the arena of parameters and a family's safetensors file. */
#include "model/map_int.h"
#include <stdio.h>
#include <string.h>
#include "base/bug.h"
#include "base/compiler.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/sys.h"
#include "model/family_int.h"

/* Rows of the file that are transposed at a time. */
enum { BLOCK_ROWS = 32 };

static void part_range(const struct config *c, enum map_part part, int all, int *from, int *n)
{
    int nq = c->n_head * c->head_dim, nk = c->n_kv_head * c->head_dim;

    *from = 0;
    *n = all;
    switch (part) {
    case PART_ALL:
        break;
    case PART_Q:
        *n = nq;
        break;
    case PART_K:
    case PART_V:
        *from = part == PART_K ? nq : nq + nk;
        *n = nk;
        break;
    case PART_GATE:
    case PART_UP:
        *from = part == PART_UP ? c->d_ff : 0;
        *n = c->d_ff;
        break;
    }
}

static void entry_of(struct map_entry *m, const struct config *c, const struct name_map *names,
                     const struct param *p)
{
    int from, n;

    if (p->decay) { /* a matrix: parts are rows */
        part_range(c, names->part, p->rows, &from, &n);
        m->at = p->at + (size_t)from * (size_t)p->cols;
        m->rows = n;
        m->cols = p->cols;
        m->n_dim = 2;
    } else {
        part_range(c, names->part, p->cols, &from, &n);
        m->at = p->at + (size_t)from;
        m->rows = 1;
        m->cols = n;
        m->n_dim = 1;
    }
    m->transposed = names->transposed;
}

/* A table's name has one %d at most, for the layer. */
static void layer_name(char *out, size_t size, const char *fmt, int layer)
{
    const char *at = strstr(fmt, "%d");
    int n = at ? snprintf(out, size, "%.*s%d%s", (int)(at - fmt), fmt, layer, at + 2)
               : snprintf(out, size, "%s", fmt);

    if (n < 0 || (size_t)n >= size)
        BUG("the name %s is too long", fmt);
}

/* Searches from where the last one was found: tables and graph have nearly the same order. */
static int find_param(const struct graph *g, const char *name, int *hint)
{
    for (int k = 0; k < g->n_params; k++) {
        int i = (*hint + k) % g->n_params;
        if (!strcmp(g->params[i].name, name))
            return *hint = i;
    }
    return -1;
}

static int add_entries(struct map_entry *m, int *n, const struct graph *g, const struct name_map *t,
                       int layer, int *hint)
{
    char name[96];

    layer_name(name, sizeof name, t->internal, layer);
    int i = find_param(g, name, hint);
    if (i < 0)
        return -1;
    layer_name(m[*n].name, sizeof m[*n].name, t->file, layer);
    entry_of(&m[(*n)++], g->config, t, &g->params[i]);
    return 0;
}

struct map_entry *map_new(const struct graph *g, int *n, struct err *e)
{
    const struct family *f = family_find(g->config->model_type);
    size_t n_table = 0, covered = 0, all = 0;
    struct map_entry *m;
    int hint = 0;

    while (f->names[n_table].file)
        n_table++;
    m = mem_new(n_table * (size_t)(g->config->n_layer + 1), sizeof *m, e);
    *n = 0;
    if (!m)
        return NULL;
    for (size_t i = 0; i < n_table; i++)
        if (!strstr(f->names[i].internal, "%d"))
            add_entries(m, n, g, &f->names[i], 0, &hint);
    for (int layer = 0; layer < g->config->n_layer; layer++)
        for (size_t i = 0; i < n_table; i++)
            if (strstr(f->names[i].internal, "%d"))
                add_entries(m, n, g, &f->names[i], layer, &hint);
    for (int i = 0; i < *n; i++)
        covered += (size_t)m[i].rows * (size_t)m[i].cols;
    for (int i = 0; i < g->n_params; i++)
        all += g->params[i].n;
    if (covered != all)
        BUG("the names of %s cover %zu of %zu parameters", f->type, covered, all);
    return m;
}

/* "model.layers.0..." may also stand in the file without its first word, as base models are
 * saved. */
static const struct st_tensor *find_tensor(const struct st *s, const char *prefix, const char *name)
{
    static const char *const optional[] = {"transformer.", "model."};
    char full[160];
    const struct st_tensor *t;

    snprintf(full, sizeof full, "%s%s", prefix, name);
    t = st_find(s, full);
    for (size_t i = 0; !t && i < ARRAY_LEN(optional); i++) {
        size_t len = strlen(optional[i]);
        if (strncmp(name, optional[i], len))
            continue;
        snprintf(full, sizeof full, "%s%s", prefix, name + len);
        t = st_find(s, full);
    }
    return t;
}

static bool harmless(const struct config *c, const char *name)
{
    static const char *const suffixes[] = {"rotary_emb.inv_freq", ".attn.bias",
                                           ".attn.masked_bias"};
    size_t len = strlen(name);

    if (c->tied && !strcmp(name, "lm_head.weight"))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        size_t n = strlen(suffixes[i]);
        if (len >= n && !strcmp(name + len - n, suffixes[i]))
            return true;
    }
    return false;
}

static void show_shape(char out[64], int n_dim, const uint64_t *shape)
{
    size_t n = (size_t)snprintf(out, 64, "[");

    for (int i = 0; i < n_dim && n < 64; i++)
        n += (size_t)snprintf(out + n, 64 - n, i ? ", %llu" : "%llu", (unsigned long long)shape[i]);
    if (n < 63)
        memcpy(out + n, "]", 2);
}

static int check_shape(const struct map_entry *m, const struct st_tensor *t, struct err *e)
{
    uint64_t r = (uint64_t)m->rows, c = (uint64_t)m->cols;
    uint64_t want[2] = {m->n_dim == 1 ? c : m->transposed ? c : r, m->transposed ? r : c};
    char found[64], expected[64];

    if (t->n_dim == m->n_dim && t->shape[0] == want[0] && (m->n_dim == 1 || t->shape[1] == want[1]))
        return 0;
    show_shape(found, t->n_dim, t->shape);
    show_shape(expected, m->n_dim, want);
    return err_set(e, "the tensor \"%s\" has shape %s, and %s is expected from config.json",
                   t->name, found, expected);
}

static int by_address(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    return (x > y) - (x < y);
}

int map_check(const struct map_entry *m, int n, const struct config *c, const struct st *s,
              const char *prefix, struct err *e)
{
    size_t prefix_len = strlen(prefix);
    const struct st_tensor **used = mem_new((size_t)n, sizeof(*used), e);
    int rc = -1;

    if (!used)
        return -1;
    for (int i = 0; i < n; i++) {
        used[i] = find_tensor(s, prefix, m[i].name);
        if (!used[i]) {
            err_set(e, "the tensor \"%s%s\" is missing", prefix, m[i].name);
            goto done;
        }
        if (check_shape(&m[i], used[i], e) < 0)
            goto done;
    }
    qsort(used, (size_t)n, sizeof(*used), by_address);
    for (size_t i = 0; i < st_count(s); i++) {
        const struct st_tensor *t = st_at(s, i);
        if (strncmp(t->name, prefix, prefix_len) || harmless(c, t->name + prefix_len) ||
            bsearch(&t, used, (size_t)n, sizeof(*used), by_address))
            continue;
        err_set(e, "the tensor \"%s\" is no part of a model as config.json describes it", t->name);
        goto done;
    }
    rc = 0;
done:
    free(used);
    return rc;
}

/* ---- reading */

/* What one thread reads at a time: columns [from, to) of a transposed part, else elements. */
struct read_job {
    const struct map_entry *m;
    const struct st_tensor *t;
    size_t from, to;
};

struct reading {
    struct read_job *jobs;
    float *arena;
};

/* Elements of a job, about. */
enum { READ_ELEMS = 1 << 20 };

static int read_transposed(const struct read_job *j, float *to, struct err *e)
{
    size_t n_row = (size_t)j->m->rows, n_col = (size_t)j->m->cols;
    float *block = mem_new(BLOCK_ROWS * n_row, sizeof *block, e);
    int rc = block ? 0 : -1;

    for (size_t i = j->from; rc == 0 && i < j->to; i += BLOCK_ROWS) {
        size_t n = j->to - i < BLOCK_ROWS ? j->to - i : BLOCK_ROWS;
        rc = st_get_f32(j->t, i * n_row, n * n_row, block, e);
        for (size_t r = 0; rc == 0 && r < n_row; r++)
            for (size_t k = 0; k < n; k++)
                to[r * n_col + i + k] = block[k * n_row + r];
    }
    free(block);
    return rc;
}

static int run_job(void *user, size_t i, int thread, struct err *e)
{
    const struct reading *r = user;
    const struct read_job *j = &r->jobs[i];
    float *to = r->arena + j->m->at;

    (void)thread;
    if (j->m->transposed)
        return read_transposed(j, to, e);
    return st_get_f32(j->t, j->from, j->to - j->from, to + j->from, e);
}

int map_read(const struct map_entry *m, int n, const struct st *s, const char *prefix, float *arena,
             struct err *e)
{
    struct reading r = {NULL, arena};
    size_t n_jobs = 0, cap = 0;
    int rc = 0;

    for (int i = 0; rc == 0 && i < n; i++) {
        const struct st_tensor *t = find_tensor(s, prefix, m[i].name);
        size_t n_row = (size_t)m[i].rows, n_col = (size_t)m[i].cols;
        size_t all = m[i].transposed ? n_col : n_row * n_col;
        size_t step = m[i].transposed ? READ_ELEMS / n_row / BLOCK_ROWS * BLOCK_ROWS : READ_ELEMS;
        step = step ? step : BLOCK_ROWS;
        for (size_t from = 0; rc == 0 && from < all; from += step) {
            size_t to = all - from < step ? all : from + step;
            rc = mem_grow(&r.jobs, &cap, n_jobs + 1, sizeof *r.jobs, e);
            if (rc == 0)
                r.jobs[n_jobs++] = (struct read_job){&m[i], t, from, to};
        }
    }
    if (rc == 0)
        rc = pool_for(sys_n_cpu(), n_jobs, run_job, &r, e);
    free(r.jobs);
    return rc;
}

const struct st_tensor *map_tensor(const struct map_entry *m, const struct st *s)
{
    return find_tensor(s, "", m->name);
}

int map_peek(const struct map_entry *m, const struct st_tensor *const *t, int n_entries, size_t at,
             size_t n, float *to, struct err *e)
{
    for (int i = 0; i < n_entries; i++) {
        size_t begin = m[i].at, end = begin + (size_t)m[i].rows * (size_t)m[i].cols;
        size_t from = at > begin ? at : begin, until = at + n < end ? at + n : end;
        if (from < until && st_get_f32(t[i], from - begin, until - from, to + (from - at), e) < 0)
            return -1;
    }
    return 0;
}

/* ---- writing */

int map_plan(const struct map_entry *m, int n, struct st_writer *w, const char *prefix,
             enum st_dtype dtype, struct err *e)
{
    for (int i = 0; i < n; i++) {
        uint64_t r = (uint64_t)m[i].rows, c = (uint64_t)m[i].cols;
        uint64_t shape[2] = {m[i].n_dim == 1 || m[i].transposed ? c : r, m[i].transposed ? r : c};
        char name[160];
        snprintf(name, sizeof name, "%s%s", prefix, m[i].name);
        if (st_plan(w, name, dtype, m[i].n_dim, shape, e) < 0)
            return -1;
    }
    return 0;
}

static int write_transposed(const struct map_entry *m, const float *from, struct st_writer *w,
                            struct err *e)
{
    size_t n_file_col = (size_t)m->rows;
    float *block = mem_new(BLOCK_ROWS * n_file_col, sizeof *block, e);
    int rc = block ? 0 : -1;

    for (int i = 0; rc == 0 && i < m->cols; i += BLOCK_ROWS) {
        int n = m->cols - i < BLOCK_ROWS ? m->cols - i : BLOCK_ROWS;
        for (int r = 0; r < m->rows; r++)
            for (int k = 0; k < n; k++)
                block[(size_t)k * n_file_col + (size_t)r] =
                    from[(size_t)r * (size_t)m->cols + (size_t)(i + k)];
        rc = st_write_f32(w, block, (uint64_t)n * n_file_col, e);
    }
    free(block);
    return rc;
}

int map_write(const struct map_entry *m, int n, const float *arena, struct st_writer *w,
              struct err *e)
{
    for (int i = 0; i < n; i++) {
        const float *from = arena + m[i].at;
        int rc = m[i].transposed
                     ? write_transposed(&m[i], from, w, e)
                     : st_write_f32(w, from, (uint64_t)m[i].rows * (uint64_t)m[i].cols, e);
        if (rc < 0)
            return -1;
    }
    return 0;
}
