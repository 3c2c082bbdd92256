/* A model's parameters: made, read, written. */
#include "model/model.h"
#include <math.h>
#include <string.h>
#include "base/bug.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/rng.h"
#include "base/sys.h"
#include "io/jtree.h"
#include "model/model_int.h"

/* Normal numbers drawn at a time; an element is two words of its tensor's stream, so that a block
 * starts anywhere. */
enum { INIT_BLOCK = 1 << 16 };

/* Everything but the weights' memory. c's `extra` is shared. */
static struct model *without_weights(const struct config *c, struct graph *g, struct err *e)
{
    struct graph_opt o = {0};
    struct model *m = mem_new(1, sizeof *m, e);

    *g = (struct graph){0};
    if (!m)
        return NULL;
    m->config = *c;
    json_incref(m->config.extra);
    if (graph_build(g, &m->config, &o, e) < 0)
        goto fail;
    m->map = map_new(g, &m->n_map, e);
    if (!m->map)
        goto fail;
    m->params = g->params;
    m->n_params = g->n_params;
    m->n_elem = g->n_elem;
    g->params = NULL;
    return m;
fail:
    graph_release(g);
    model_free(m);
    return NULL;
}

static int new_weights(struct model *m, struct err *e)
{
    size_t n_bytes;

    if (size_mul(m->n_elem, sizeof(float), &n_bytes, "the parameters", e) < 0)
        return -1;
    m->weights = sys_pages(n_bytes, e);
    return m->weights ? 0 : err_prefix(e, "the parameters: ");
}

void model_free(struct model *m)
{
    if (!m)
        return;
    if (m->weights)
        sys_pages_free(m->weights, m->n_elem * sizeof(float));
    st_close(m->file);
    for (int i = 0; m->rows_there && i < m->n_params; i++)
        free(m->rows_there[i]);
    free(m->rows_there);
    free(m->parts);
    free(m->tensors);
    free(m->there);
    free(m->first);
    free(m->params);
    free(m->map);
    config_release(&m->config);
    free(m);
}

/* ---- fresh weights */

struct init_job {
    struct model *m;
    const unsigned char *inits;
    uint64_t seed;
    int *param;   /* of each block */
    size_t *from; /* its first element */
};

static int init_block(void *user, size_t i, int thread, struct err *e)
{
    const struct init_job *j = user;
    int tensor = j->param[i];
    const struct param *p = &j->m->params[tensor];
    const struct config *c = &j->m->config;
    size_t from = j->from[i], to = p->n - from < INIT_BLOCK ? p->n : from + INIT_BLOCK;
    enum param_init kind = j->inits[tensor];
    float *w = j->m->weights + p->at, std = c->init_std;
    struct rng r;

    (void)thread;
    (void)e;
    if (kind == INIT_ZERO) /* the pages are zero */
        return 0;
    if (kind == INIT_ONE) {
        for (size_t k = from; k < to; k++)
            w[k] = 1;
        return 0;
    }
    if (kind == INIT_RESIDUAL)
        std = (float)(c->init_std / sqrt(2.0 * c->n_layer));
    rng_init(&r, j->seed, RNG_INIT, (uint64_t)tensor);
    r.counter[0] = (uint32_t)(from / 2); /* four words a count */
    r.counter[1] = (uint32_t)((uint64_t)from / 2 >> 32);
    for (size_t k = from; k < to; k++)
        w[k] = std * rng_normal(&r);
    return 0;
}

static int init_weights(struct model *m, const unsigned char *inits, uint64_t seed, struct err *e)
{
    struct init_job j = {.m = m, .inits = inits, .seed = seed};
    size_t n = 0, at = 0;
    int rc = -1;

    for (int i = 0; i < m->n_params; i++)
        n += (m->params[i].n + INIT_BLOCK - 1) / INIT_BLOCK;
    j.param = mem_new(n, sizeof *j.param, e);
    j.from = mem_new(n, sizeof *j.from, e);
    if (!j.param || !j.from)
        goto done;
    for (int i = 0; i < m->n_params; i++)
        for (size_t from = 0; from < m->params[i].n; from += INIT_BLOCK) {
            j.param[at] = i;
            j.from[at++] = from;
        }
    rc = pool_for(sys_n_cpu(), n, init_block, &j, e);
done:
    free(j.param);
    free(j.from);
    return rc;
}

struct model *model_new(const struct config *c, uint64_t seed, struct err *e)
{
    struct graph g;
    struct model *m = without_weights(c, &g, e);

    if (m && (new_weights(m, e) < 0 || init_weights(m, g.inits, seed, e) < 0)) {
        model_free(m);
        m = NULL;
    }
    graph_release(&g);
    return m;
}

struct model *model_shape(const struct config *c, struct err *e)
{
    struct graph g;
    struct model *m = without_weights(c, &g, e);

    graph_release(&g);
    return m;
}

/* ---- files */

static int by_place(const void *a, const void *b)
{
    const struct map_entry *x = a, *y = b;
    return (x->at > y->at) - (x->at < y->at);
}

/* Entries by parameter, with their tensors, of types that can be read. */
static int index_file(struct model *m, struct err *e)
{
    int k = 0;

    m->parts = mem_new((size_t)m->n_map, sizeof *m->parts, e);
    m->tensors = mem_new((size_t)m->n_map, sizeof *m->tensors, e);
    m->there = mem_new((size_t)m->n_params, sizeof *m->there, e);
    m->rows_there = mem_new((size_t)m->n_params, sizeof *m->rows_there, e);
    m->first = mem_new((size_t)m->n_params + 1, sizeof *m->first, e);
    if (!m->parts || !m->tensors || !m->there || !m->rows_there || !m->first)
        return -1;
    memcpy(m->parts, m->map, (size_t)m->n_map * sizeof *m->parts);
    qsort(m->parts, (size_t)m->n_map, sizeof *m->parts, by_place);
    for (int i = 0; i < m->n_params; i++) {
        m->first[i] = k;
        while (k < m->n_map && m->parts[k].at < m->params[i].at + m->params[i].n)
            k++;
    }
    m->first[m->n_params] = k;
    for (int i = 0; i < m->n_map; i++) {
        float one;
        m->tensors[i] = map_tensor(&m->parts[i], m->file);
        if (m->tensors[i]->n_elem > 0 && st_get_f32(m->tensors[i], 0, 1, &one, e) < 0)
            return -1;
    }
    return 0;
}

static struct model *open_mapped(const char *dir, struct err *e)
{
    struct config c = {0};
    struct graph g = {0};
    struct model *m = NULL;
    int rc = -1;

    if (config_load(&c, dir, e) < 0)
        goto done;
    m = without_weights(&c, &g, e);
    if (!m || !(m->file = st_open_dir(dir, e)))
        goto done;
    if (map_check(m->map, m->n_map, &m->config, m->file, "", e) < 0 || index_file(m, e) < 0 ||
        new_weights(m, e) < 0) {
        err_prefix(e, "%s: ", dir);
        goto done;
    }
    rc = 0;
done:
    graph_release(&g);
    config_release(&c);
    if (rc < 0) {
        model_free(m);
        m = NULL;
    }
    return m;
}

struct model *model_map(const char *dir, struct err *e)
{
    struct model *m = open_mapped(dir, e);

    if (m) /* rows of the embedding and norms lie far from each other */
        sys_pages_sparse(m->weights, m->n_elem * sizeof(float));
    return m;
}

struct model *model_open(const char *dir, struct err *e)
{
    struct model *m = open_mapped(dir, e);

    if (!m)
        return NULL;
    if (map_read(m->map, m->n_map, m->file, "", m->weights, e) < 0) {
        err_prefix(e, "%s: ", dir);
        model_free(m);
        return NULL;
    }
    st_close(m->file);
    m->file = NULL;
    return m;
}

int model_need(struct model *m, int i, struct err *e)
{
    if (!m->file || m->there[i])
        return 0;
    if (map_read(m->parts + m->first[i], m->first[i + 1] - m->first[i], m->file, "", m->weights,
                 e) < 0)
        return -1;
    m->there[i] = true;
    return 0;
}

int model_need_rows(struct model *m, int i, const uint32_t *row, int n, struct err *e)
{
    if (!m->file || m->there[i])
        return 0;
    if (!model_mapped(m, i))
        return model_need(m, i, e);
    const struct param *p = &m->params[i];
    if (!m->rows_there[i] && !(m->rows_there[i] = mem_new((size_t)p->rows, 1, e)))
        return -1;
    for (int k = 0; k < n; k++) {
        size_t from = (size_t)row[k] * (size_t)p->cols;
        if (m->rows_there[i][row[k]])
            continue;
        model_peek(m, i, from, (size_t)p->cols, m->weights + p->at + from);
        m->rows_there[i][row[k]] = true;
    }
    return 0;
}

bool model_mapped(const struct model *m, int i)
{
    if (!m->file)
        return false;
    for (int k = m->first[i]; k < m->first[i + 1]; k++)
        if (m->parts[k].transposed)
            return false;
    return true;
}

void model_peek(const struct model *m, int i, size_t from, size_t n, float *to)
{
    struct err e = {0};
    int k = m->first[i];

    if (map_peek(m->parts + k, m->tensors + k, m->first[i + 1] - k, m->params[i].at + from, n, to,
                 &e) < 0) /* types were checked */
        BUG("%s", e.msg);
}

int model_plan_save(const struct model *m, struct st_writer *w, const char *prefix,
                    enum st_dtype dtype, struct err *e)
{
    return map_plan(m->map, m->n_map, w, prefix, dtype, e);
}

int model_write(const struct model *m, const float *arena, struct st_writer *w, struct err *e)
{
    return map_write(m->map, m->n_map, arena, w, e);
}

int model_read(const struct model *m, const struct st *s, const char *prefix, float *arena,
               struct err *e)
{
    if (map_check(m->map, m->n_map, &m->config, s, prefix, e) < 0)
        return -1;
    return map_read(m->map, m->n_map, s, prefix, arena, e);
}

static int save_weights(const struct model *m, const char *path, enum st_dtype dtype, struct err *e)
{
    struct st_writer *w = st_create(path, e);

    if (!w)
        return -1;
    if (model_plan_save(m, w, "", dtype, e) < 0 || st_begin(w, e) < 0 ||
        model_write(m, m->weights, w, e) < 0) {
        st_abort(w);
        return -1;
    }
    return st_commit(w, e);
}

int model_save(const struct model *m, const char *dir, enum st_dtype dtype, struct err *e)
{
    const char *word = dtype == ST_BF16 ? "bfloat16" : dtype == ST_F16 ? "float16" : "float32";
    struct buf path = BUF_INIT;
    json_t *tree = config_tree(&m->config, word, e);
    int rc = -1;

    if (m->file)
        BUG("a model that is mapped cannot be saved: it may not be in memory");

    if (!tree || buf_printf(&path, e, "%s/config.json", dir) < 0 || jtree_save(tree, path.s, e) < 0)
        goto done;
    buf_clear(&path);
    if (buf_printf(&path, e, "%s/model.safetensors", dir) < 0)
        goto done;
    rc = save_weights(m, path.s, dtype, e);
done:
    json_decref(tree);
    buf_release(&path);
    return rc;
}

/* ---- what there is */

const struct config *model_config(const struct model *m)
{
    return &m->config;
}

void model_adopt(struct model *m, const struct config *c)
{
    m->config.bos = c->bos;
    m->config.pad = c->pad;
    m->config.n_eos = c->n_eos;
    memcpy(m->config.eos, c->eos, sizeof c->eos);
    m->config.dropout_embd = c->dropout_embd;
    m->config.dropout_attn = c->dropout_attn;
    m->config.dropout_resid = c->dropout_resid;
}

int model_n_params(const struct model *m)
{
    return m->n_params;
}

struct param *model_param(const struct model *m, int i)
{
    return &m->params[i];
}

size_t model_n_elem(const struct model *m)
{
    return m->n_elem;
}

uint64_t model_n_weights(const struct model *m)
{
    uint64_t n = 0;

    for (int i = 0; i < m->n_params; i++)
        n += m->params[i].n;
    return n;
}

float *model_weights(const struct model *m)
{
    return m->weights;
}
