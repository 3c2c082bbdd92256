/* The executor: memory of a pass, and the pass itself. */
#include "model/exec.h"
#include <math.h>
#include <string.h>
#include "base/bug.h"
#include "base/mem.h"
#include "base/sys.h"
#include "model/exec_int.h"
#include "model/plan_int.h"
#include "model/rope_int.h"

enum { MAX_TOK = 1 << 24 };

const char *const recompute_words[] = {"none", "block", NULL};

/* ---- planning */

/* The graph, its plan, and what that takes. */
static int plan(struct graph *g, const struct config *c, const struct param *params,
                struct exec_opt *o, size_t *n_floats, struct err *e)
{
    struct graph_opt go = {.train = o->train, .dropout = o->dropout && o->train, .dtype = o->dtype};
    go.half = o->train && gemm_reads_bf16(o->gemm, o->dtype);
    struct pass p = {.graph = g, .opt = o, .n_tok = o->max_tok};

    if (o->n_threads <= 0)
        o->n_threads = sys_n_cpu();
    if (o->max_seq <= 0)
        o->max_seq = 1;
    if (o->max_tok < 1 || o->max_tok > MAX_TOK || o->max_seq > MAX_TOK || o->n_slot < 0 ||
        o->slot_tok < 0)
        return err_set(e, "a batch of %d tokens in %d sequences cannot be planned", o->max_tok,
                       o->max_seq);
    if (gemm_backend_check(o->gemm, o->dtype, e) < 0 || graph_build(g, c, &go, e) < 0)
        return -1;
    for (int i = 0; params && i < g->n_params; i++)
        g->params[i].requires_grad = params[i].requires_grad;
    if (plan_make(g, &p, n_floats, e) < 0) {
        graph_release(g);
        return -1;
    }
    return 0;
}

/* Whether a product's weight is also needed transposed. */
static bool with_dgrad(const struct graph *g, int param)
{
    for (int i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].ops->product && g->nodes[i].param[0] == param && g->nodes[i].in_grad[0])
            return true;
    return false;
}

static bool is_of_product(const struct graph *g, int param)
{
    for (int i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].ops->product && g->nodes[i].param[0] == param)
            return true;
    return false;
}

/* Sums of squares that a product leaves of a parameter's gradient; 0: others write it, too. */
static size_t n_squares(const struct graph *g, const struct exec_opt *o, int param)
{
    const struct param *p = &g->params[param];
    int n_products = 0, n_others = 0;

    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i].n_param; k++)
            if (g->nodes[i].param[k] == param && g->nodes[i].param_grad[k])
                *(g->nodes[i].ops->product && k == 0 ? &n_products : &n_others) += 1;
    return n_products == 1 && !n_others ? gemm_wgrad_squares(o->gemm, o->dtype, p->rows, p->cols)
                                        : 0;
}

static size_t copy_bytes(const struct graph *g, const struct exec_opt *o, int param)
{
    const struct param *p = &g->params[param];
    size_t n = gemm_weight_bytes(p->rows, p->cols, o->gemm, o->dtype, with_dgrad(g, param));

    return (n + 63) & ~(size_t)63;
}

static const struct attn *first_attn(const struct graph *g)
{
    for (int i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].is_attn)
            return &g->nodes[i].u.attn.a;
    return NULL;
}

static size_t slot_floats(const struct graph *g, const struct exec_opt *o)
{
    return o->n_slot ? attn_store_floats(first_attn(g), o->slot_tok) : 0;
}

int exec_plan_bytes(const struct config *c, const struct exec_opt *opt, struct exec_bytes *b,
                    struct err *e)
{
    struct exec_opt o = *opt;
    struct graph g;
    size_t n_floats = 0;

    *b = (struct exec_bytes){0};
    if (plan(&g, c, NULL, &o, &n_floats, e) < 0)
        return -1;
    b->activations = n_floats * sizeof(float);
    b->gradients = o.train ? g.n_elem * sizeof(float) : 0;
    for (int i = 0; o.train && i < g.n_params; i++)
        b->activations += n_squares(&g, &o, i) * sizeof(double);
    b->cache = (uint64_t)slot_floats(&g, &o) * (uint64_t)o.n_slot * (uint64_t)g.n_attn * 4;
    for (int i = 0; i < g.n_params; i++)
        if (is_of_product(&g, i)) {
            size_t n = copy_bytes(&g, &o, i);
            b->packed += n;
            b->read += n ? n : g.params[i].n * sizeof(float);
        }
    b->total = b->activations + b->gradients + b->cache + b->packed;
    graph_release(&g);
    return 0;
}

int exec_cost(const struct config *c, int n_seq, int n_tok, struct exec_cost *out, struct err *e)
{
    struct graph_opt o = {.train = true};
    struct graph g;

    *out = (struct exec_cost){0};
    if (graph_build(&g, c, &o, e) < 0)
        return -1;
    for (int i = 0; i < g.n_nodes; i++) {
        struct node_cost cost = {0};
        if (g.nodes[i].ops->cost)
            g.nodes[i].ops->cost(&g, &g.nodes[i], n_seq, n_tok, &cost);
        out->flops_forward += cost.flops_forward;
        out->flops_backward += cost.flops_backward;
    }
    graph_release(&g);
    return 0;
}

/* ---- memory */

static void fetch(const void *self, int which, size_t at, size_t n, float *to)
{
    model_peek(self, which, at, n, to);
}

/* Parameter k for products. Of one that is in a file alone, packed copies are all there ever is. */
static struct gemm_weight *new_weight(struct exec *x, int k, void *place, struct err *e)
{
    const struct param *p = &x->graph.params[k];
    struct gemm_source s = {fetch, x->model, k};

    if (x->opt.gemm == GEMM_OWN && !x->opt.train && model_mapped(x->model, k))
        return gemm_weight_from(&s, p->rows, p->cols, x->opt.dtype, place, e);
    if (model_need(x->model, k, e) < 0)
        return NULL;
    return gemm_weight_new(x->model->weights + p->at, p->rows, p->cols, x->opt.gemm, x->opt.dtype,
                           with_dgrad(&x->graph, k), place, e);
}

static int new_packed(struct exec *x, struct err *e)
{
    const struct graph *g = &x->graph;
    int *params = mem_new((size_t)g->n_params, sizeof *params, e), rc = -1;
    size_t at = 0;

    x->packed = mem_new((size_t)g->n_params, sizeof(*x->packed), e);
    x->to_pack = mem_new((size_t)g->n_params, sizeof(*x->to_pack), e);
    if (!params || !x->packed || !x->to_pack)
        goto done;
    for (int i = 0; i < g->n_params; i++)
        if (is_of_product(g, i)) {
            params[x->n_pack++] = i;
            x->copies_bytes += copy_bytes(g, &x->opt, i);
        }
    if (x->copies_bytes && !(x->copies = sys_pages(x->copies_bytes, e))) {
        err_prefix(e, "packed weights: ");
        goto done;
    }
    for (int i = 0; i < x->n_pack; i++) {
        int k = params[i];
        x->to_pack[i] = x->packed[k] = new_weight(x, k, x->copies ? x->copies + at : NULL, e);
        if (!x->packed[k])
            goto done;
        at += copy_bytes(g, &x->opt, k);
    }
    x->stale = true;
    rc = 0;
done:
    free(params);
    return rc;
}

static int new_squares(struct exec *x, struct err *e)
{
    const struct graph *g = &x->graph;

    if (!(x->squares_at = mem_new((size_t)g->n_params, sizeof *x->squares_at, e)))
        return -1;
    for (int i = 0; i < g->n_params; i++) {
        size_t n = n_squares(g, &x->opt, i);
        x->squares_at[i] = n ? (int64_t)x->n_squares : -1;
        x->n_squares += n;
    }
    x->squares = mem_new(x->n_squares ? x->n_squares : 1, sizeof *x->squares, e);
    return x->squares ? 0 : -1;
}

/* What nodes read as it is, but the embedding: of that exec_prepare() asks for rows. */
static int need_params(struct exec *x, struct err *e)
{
    for (int i = 0; i < x->graph.n_nodes; i++) {
        const struct node *n = &x->graph.nodes[i];
        for (int k = 0; k < n->n_param; k++)
            if (n->param[k] >= 0 && !(k == 0 && (n->ops->product || i == 0)) &&
                model_need(x->model, n->param[k], e) < 0)
                return -1;
    }
    return 0;
}

static int new_cache(struct exec *x, struct err *e)
{
    size_t n;

    if (!x->opt.n_slot)
        return 0;
    x->slot_floats = slot_floats(&x->graph, &x->opt);
    x->slot_len = mem_new((size_t)x->opt.n_slot, sizeof *x->slot_len, e);
    if (!x->slot_len || size_mul(x->slot_floats, (size_t)x->opt.n_slot, &n, "the cache", e) < 0 ||
        size_mul(n, (size_t)x->graph.n_attn * sizeof(float), &x->cache_bytes, "the cache", e) < 0)
        return -1;
    x->cache = sys_pages(x->cache_bytes, e);
    return x->cache ? 0 : err_prefix(e, "the cache of keys and values: ");
}

static int new_memory(struct exec *x, size_t n_floats, struct err *e)
{
    size_t n_tok = (size_t)x->opt.max_tok, n_seqs = (size_t)x->opt.max_seq;

    if (size_mul(n_floats ? n_floats : 1, sizeof(float), &x->arena_bytes, "activations", e) < 0)
        return -1;
    x->arena = sys_pages(x->arena_bytes, e);
    if (!x->arena)
        return err_prefix(e, "activations: ");
    if (x->opt.train) {
        x->grads = sys_pages(x->graph.n_elem * sizeof(float), e);
        if (!x->grads)
            return err_prefix(e, "gradients: ");
        if (new_squares(x, e) < 0)
            return -1;
    }
    if (x->opt.n_slot)
        n_seqs *= (size_t)x->graph.n_attn;
    x->seqs = mem_new(n_seqs, sizeof *x->seqs, e);
    x->rows = mem_new(n_tok, sizeof *x->rows, e);
    x->row_target = mem_new(n_tok, sizeof *x->row_target, e);
    x->row_weight = mem_new(n_tok, sizeof *x->row_weight, e);
    x->row_nll = mem_new(n_tok, sizeof *x->row_nll, e);
    if (!x->seqs || !x->rows || !x->row_target || !x->row_weight || !x->row_nll)
        return -1;
    return new_cache(x, e);
}

static void touch_pass(struct worker *w, void *arg)
{
    const struct exec *x = arg;

    team_touch(w, x->arena, x->arena_bytes);
    team_touch(w, x->grads, x->graph.n_elem * sizeof(float));
    team_touch(w, x->copies, x->copies_bytes);
}

static int new_rope(struct exec *x, struct err *e)
{
    const struct config *c = &x->model->config;

    if (c->pos != POS_ROPE)
        return 0;
    x->n_rot = (int)((double)c->head_dim * c->rope_partial);
    x->rope_freq = mem_new((size_t)x->n_rot, sizeof(float), e);
    if (!x->rope_freq)
        return -1;
    rope_freqs(c, x->n_rot, x->rope_freq);
    return 0;
}

struct exec *exec_new(struct model *m, const struct exec_opt *o, struct err *e)
{
    struct exec *x = mem_new(1, sizeof *x, e);
    size_t n_floats = 0;

    if (!x)
        return NULL;
    if (o->train && m->file)
        BUG("a model that is mapped cannot be trained");
    x->model = m;
    x->opt = *o;
    if (plan(&x->graph, &m->config, m->params, &x->opt, &n_floats, e) < 0) {
        free(x);
        return NULL;
    }
    if (new_memory(x, n_floats, e) < 0 || new_packed(x, e) < 0 || need_params(x, e) < 0 ||
        new_rope(x, e) < 0 || (x->opt.profile && profile_init(&x->profile, &x->graph, e) < 0)) {
        exec_free(x);
        return NULL;
    }
    if (x->opt.train) /* all of it will be used, step after step */
        team_run(x->opt.n_threads, touch_pass, x);
    return x;
}

void exec_free(struct exec *x)
{
    if (!x)
        return;
    if (x->arena)
        sys_pages_free(x->arena, x->arena_bytes);
    if (x->grads)
        sys_pages_free(x->grads, x->graph.n_elem * sizeof(float));
    if (x->cache)
        sys_pages_free(x->cache, x->cache_bytes);
    for (int i = 0; i < x->n_pack; i++)
        gemm_weight_free(x->to_pack[i]);
    if (x->copies)
        sys_pages_free(x->copies, x->copies_bytes);
    free(x->packed);
    free(x->to_pack);
    free(x->squares);
    free(x->squares_at);
    free(x->slot_len);
    free(x->rope_freq);
    free(x->rope_cos);
    free(x->rope_sin);
    free(x->seqs);
    free(x->rows);
    free(x->row_target);
    free(x->row_weight);
    free(x->row_nll);
    profile_release(&x->profile);
    graph_release(&x->graph);
    free(x);
}

void exec_profile_clear(struct exec *x)
{
    profile_clear(&x->profile);
}

int exec_profile(const struct exec *x, const struct exec_profile_row **rows)
{
    *rows = x->profile.rows;
    return x->profile.n_rows;
}

void exec_weights_changed(struct exec *x)
{
    x->stale = true;
}

const struct gemm_weight *exec_packed(const struct exec *x, int i)
{
    return x->packed[i];
}

double exec_packing_s(const struct exec *x)
{
    return x->packing_s;
}

static void zero_pass(struct worker *w, void *arg)
{
    struct exec *x = arg;
    pass_zero(w, x->grads, x->graph.n_elem);
}

float *exec_grads(struct exec *x)
{
    if (x->fresh)
        team_run(x->opt.n_threads, zero_pass, x);
    x->fresh = false;
    return x->grads;
}

/* Nothing is written: the next pass stores where it would add. */
void exec_zero_grads(struct exec *x)
{
    x->fresh = x->grads != NULL;
    x->wanted = x->squared = false;
}

void exec_want_squares(struct exec *x)
{
    x->wanted = true;
}

const double *exec_squares(const struct exec *x, size_t *n)
{
    *n = x->squared ? x->n_squares : 0;
    return x->squared ? x->squares : NULL;
}

bool exec_has_squares(const struct exec *x, int i)
{
    return x->squares_at[i] >= 0;
}

/* ---- a pass */

struct run {
    struct exec *x;
    const struct pass *p;
};

/* Notes the time since *at_s. */
static void clock_node(const struct exec *x, const struct worker *w, double *at_s, double *spent_s)
{
    if (!x->opt.profile || w->tid != 0)
        return;
    double now_s = sys_time();
    *spent_s = now_s - *at_s;
    *at_s = now_s;
}

static void run_pass(struct worker *w, void *arg)
{
    const struct run *r = arg;
    const struct graph *g = r->p->graph;

    double *spent_s = r->x->profile.spent_s, at_s = w->tid == 0 ? sys_time() : 0;

    if (r->x->stale) {
        gemm_weight_pack(w, r->x->to_pack, r->x->n_pack);
        if (w->tid == 0)
            r->x->packing_s = sys_time() - at_s;
        clock_node(r->x, w, &at_s, &r->x->profile.packing_s);
    }
    struct pass again = *r->p;
    again.again = true;
    int n_steps = r->p->mode == PASS_TRAIN ? g->n_steps : g->n_nodes;
    for (int t = 0; t < n_steps; t++) {
        const struct node *n = &g->nodes[g->steps[t].node];
        if (g->steps[t].kind == STEP_BACKWARD)
            n->ops->backward(w, &again, n);
        else if (g->steps[t].kind == STEP_REMAKE)
            n->ops->remake(w, &again, n);
        else
            n->ops->forward(w, t < g->n_nodes ? r->p : &again, n);
        clock_node(r->x, w, &at_s, spent_s ? spent_s + t : NULL);
    }
}

static void run(struct exec *x, const struct pass *p)
{
    struct run r = {x, p};

    team_run(x->opt.n_threads, run_pass, &r);
    x->stale = false;
    if (x->opt.profile && (p->mode == PASS_TRAIN || !x->opt.train))
        profile_add(&x->profile, p);
    else
        x->profile.packing_s = 0; /* it was packed for a pass that is not counted */
    for (int i = 0; p->batch->slot && i < p->batch->n_seq; i++)
        x->slot_len[p->batch->slot[i]] += p->batch->cu_seqlens[i + 1] - p->batch->cu_seqlens[i];
}

static struct pass new_pass(struct exec *x, enum pass_mode mode)
{
    return (struct pass){.graph = &x->graph,
                         .opt = &x->opt,
                         .ops = ops_get(),
                         .mode = mode,
                         .arena = x->arena,
                         .weights = x->model->weights,
                         .grads = x->grads,
                         .packed = x->packed,
                         .row_target = x->row_target,
                         .row_weight = x->row_weight,
                         .row_nll = x->row_nll};
}

/* The rows that are scored: those with a target and, in training, a weight. */
static int choose_rows(struct exec *x, struct pass *p, const uint32_t *target, const float *weight,
                       float scale, struct err *e)
{
    uint32_t n_vocab = (uint32_t)x->model->config.vocab_size;
    int n = 0;

    for (int i = 0; i < p->n_tok; i++) {
        float wi = weight ? weight[i] : 1;
        if (p->mode == PASS_TRAIN ? wi == 0 : target[i] == UINT32_MAX)
            continue;
        if (target[i] >= n_vocab)
            return err_set(e, "the target %u of token %d is not below the vocabulary's size %u",
                           (unsigned)target[i], i, (unsigned)n_vocab);
        x->rows[n] = i;
        x->row_target[n] = target[i];
        x->row_weight[n++] = wi * scale;
    }
    p->n_rows = n;
    p->rows = n == p->n_tok ? NULL : x->rows;
    return 0;
}

int exec_train(struct exec *x, const struct batch *b, const uint32_t *target, const float *weight,
               float scale, uint64_t step, struct exec_loss *loss, float *nll, struct err *e)
{
    struct pass p = new_pass(x, PASS_TRAIN);

    if (!x->opt.train || b->slot)
        BUG("training needs a plan for it and knows no cache");
    p.step = step;
    *loss = (struct exec_loss){0};
    if (exec_prepare(x, &p, b, e) < 0 || choose_rows(x, &p, target, weight, scale, e) < 0)
        return -1;
    p.fresh = x->fresh;
    x->squared = x->wanted && p.n_rows > 0; /* without rows the head leaves its gradient alone */
    p.squares = x->squared ? x->squares : NULL;
    p.squares_at = x->squares_at;
    x->fresh = x->wanted = false;
    run(x, &p);
    for (int i = 0; nll && i < b->n_tok; i++)
        nll[i] = 0;
    for (int i = 0; i < p.n_rows; i++) {
        double wi = weight ? (double)weight[x->rows[i]] : 1;
        loss->loss_sum += wi * (double)x->row_nll[i];
        loss->weight_sum += wi;
        if (nll)
            nll[x->rows[i]] = x->row_nll[i];
    }
    loss->finite = isfinite(loss->loss_sum);
    return 0;
}

int exec_logp(struct exec *x, const struct batch *b, const uint32_t *target, float *logp,
              struct err *e)
{
    struct pass p = new_pass(x, PASS_LOGP);

    if (exec_prepare(x, &p, b, e) < 0 || choose_rows(x, &p, target, NULL, 1, e) < 0)
        return -1;
    run(x, &p);
    for (int i = 0; i < p.n_rows; i++)
        logp[x->rows[i]] = -x->row_nll[i];
    return 0;
}

int exec_logits(struct exec *x, const struct batch *b, const int32_t *rows, int n_rows,
                float *logits, struct err *e)
{
    struct pass p = new_pass(x, PASS_LOGITS);

    if (exec_prepare(x, &p, b, e) < 0)
        return -1;
    for (int i = 0; i < n_rows; i++)
        if (rows[i] < 0 || rows[i] >= b->n_tok)
            BUG("row %d of %d tokens", (int)rows[i], b->n_tok);
    p.rows = rows;
    p.n_rows = n_rows;
    p.logits = logits;
    run(x, &p);
    return 0;
}

const float *exec_embed_grad(const struct exec *x)
{
    struct pass p = {.graph = &x->graph, .arena = x->arena};
    int ld;

    return pass_grad(&p, x->graph.embedded, &ld);
}
