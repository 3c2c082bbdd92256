/* A model's parameters: made, read, written. */
#include "model/model.h"
#include <math.h>
#include <string.h>
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

struct model *model_open(const char *dir, struct err *e)
{
    struct config c = {0};
    struct graph g = {0};
    struct model *m = NULL;
    struct st *s = NULL;
    int rc = -1;

    if (config_load(&c, dir, e) < 0)
        goto done;
    m = without_weights(&c, &g, e);
    if (!m)
        goto done;
    s = st_open_dir(dir, e);
    if (!s)
        goto done;
    if (map_check(m->map, m->n_map, &m->config, s, "", e) < 0) {
        err_prefix(e, "%s: ", dir);
        goto done;
    }
    if (new_weights(m, e) < 0 || map_read(m->map, m->n_map, s, "", m->weights, e) < 0) {
        err_prefix(e, "%s: ", dir);
        goto done;
    }
    rc = 0;
done:
    st_close(s);
    graph_release(&g);
    config_release(&c);
    if (rc < 0) {
        model_free(m);
        m = NULL;
    }
    return m;
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
