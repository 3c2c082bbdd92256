/*
 * Models against values that another program computed in double precision: every directory of
 * ../shared/golden/models, and the small ones of tests/files/golden. Tolerances are those of the
 * README beside them.
 */
#include <dirent.h>
#include <sys/stat.h>
#include "base/buf.h"
#include "io/in.h"
#include "io/safetensors.h"
#include "kern/ops.h"
#include "model_test.h"

enum { N_SEQ = 2, N_TOK = 80, N_ALL = N_SEQ * N_TOK, N_STEPS = 10, N_PROMPT = 8, EOS = 2 };

struct golden {
    const char *dir, *name;
    struct model *m;
    enum gemm_backend gemm;
};

/* NULL where the file is absent. */
static void *whole_file(const char *dir, const char *name, size_t n_bytes)
{
    struct err e = {0};
    struct in *in =
        access(tap_path(dir, name), R_OK) ? NULL : in_open(tap_path(dir, name), IN_RAW, &e);
    size_t len = 0;
    void *p = in ? in_all(in, 1 << 24, &len, &e) : NULL;

    in_close(in);
    if (p && n_bytes && len != n_bytes)
        bail_out("a golden file has another size");
    return p;
}

static struct exec *new_exec(const struct golden *g, enum gemm_dtype dtype)
{
    struct exec_opt o = {.max_tok = N_ALL,
                         .max_seq = N_SEQ,
                         .n_slot = 1,
                         .slot_tok = N_TOK,
                         .train = true,
                         .gemm = g->gemm,
                         .dtype = dtype,
                         .n_threads = 2};
    return test_exec(g->m, o);
}

static void new_batch(struct test_batch *t, const uint32_t *ids)
{
    int len[N_SEQ] = {N_TOK, N_TOK};
    test_batch_new(t, len, N_SEQ, ids, 0, 0);
}

/* nll[N_ALL] or NULL */
static bool train_pass(struct exec *x, const uint32_t *ids, double *loss, float *nll)
{
    struct err e = {0};
    struct test_batch t;
    struct exec_loss l;
    uint32_t target[N_ALL];
    float weight[N_ALL];
    int rc;

    new_batch(&t, ids);
    test_targets(&t.b, target, weight);
    exec_zero_grads(x);
    rc = exec_train(x, &t.b, target, weight, 1.f / (N_ALL - N_SEQ), 0, &l, nll, &e);
    if (rc < 0)
        diag("%s", e.msg);
    *loss = l.loss_sum / l.weight_sum;
    test_batch_free(&t);
    return rc == 0;
}

static void check_logits(const struct golden *g, struct exec *x, const uint32_t *ids)
{
    size_t n = (size_t)N_ALL * (size_t)model_config(g->m)->vocab_size;
    float *want = whole_file(g->dir, "logits.f32", n * sizeof(float));
    float *got = calloc(n, sizeof *got);
    int32_t rows[N_ALL];
    struct test_batch t;
    struct err e = {0};

    for (int i = 0; i < N_ALL; i++)
        rows[i] = i;
    new_batch(&t, ids);
    if (!want)
        skip(1, "no logits");
    else if (exec_logits(x, &t.b, rows, N_ALL, got, &e) < 0)
        fail("%s: %s", g->name, e.msg);
    else {
        double d = max_diff(got, want, n) / max_abs(want, n);
        ok(d <= 1e-5, "%s: logits differ by %.2g of the largest", g->name, d);
    }
    test_batch_free(&t);
    free(want);
    free(got);
}

static void check_loss(const struct golden *g, struct exec *x, const uint32_t *ids)
{
    char *text = whole_file(g->dir, "loss.txt", 0);
    double loss = 0, want = text ? strtod(text, NULL) : 0;

    if (train_pass(x, ids, &loss, NULL))
        ok(fabs(loss - want) <= 1e-6 * want, "%s: the loss is %.9g, wanted %.9g", g->name, loss,
           want);
    else
        fail("%s: loss", g->name);
    free(text);
}

/* An arena as the family's file, so that tensors are compared by their own names. */
static struct st *as_file(const struct golden *g, const float *arena)
{
    struct err e = {0};
    const char *path = scratch_path("arena.safetensors");
    struct st_writer *w = st_create(path, &e);

    if (!w || model_plan_save(g->m, w, "", ST_F32, &e) < 0 || st_begin(w, &e) < 0 ||
        model_write(g->m, arena, w, &e) < 0 || st_commit(w, &e) < 0)
        bail_out(e.msg);
    struct st *s = st_open(path, &e);
    if (!s)
        bail_out(e.msg);
    return s;
}

static float *floats(const struct st_tensor *t)
{
    struct err e = {0};
    float *v = calloc((size_t)t->n_elem, sizeof *v);

    if (st_get_f32(t, 0, t->n_elem, v, &e) < 0)
        bail_out(e.msg);
    return v;
}

static void check_grads(const struct golden *g, const struct exec *x)
{
    struct err e = {0};
    struct st *want = access(tap_path(g->dir, "grads.safetensors"), R_OK)
                          ? NULL
                          : st_open(tap_path(g->dir, "grads.safetensors"), &e);
    struct st *got;
    double worst = 0;
    size_t n = 0;

    if (!want) {
        skip(1, "no gradients");
        return;
    }
    got = as_file(g, exec_grads((struct exec *)x));
    for (size_t i = 0; i < st_count(want); i++) {
        const struct st_tensor *a = st_at(want, i), *b = st_find(got, a->name);
        if (!b || b->n_elem != a->n_elem) {
            fail("%s: no gradient of %s", g->name, a->name);
            continue;
        }
        float *va = floats(a), *vb = floats(b);
        double d = max_diff(va, vb, (size_t)a->n_elem) / max_abs(va, (size_t)a->n_elem);
        if (d > 3e-5)
            fail("%s: the gradient of %s differs by %.2g", g->name, a->name, d);
        if (d > worst)
            worst = d;
        n++;
        free(va);
        free(vb);
    }
    ok(n == st_count(got) && worst <= 3e-5, "%s: %zu gradients differ by %.2g at most", g->name, n,
       worst);
    st_close(want);
    st_close(got);
}

/* One step with a clipped gradient; returns the norm before. */
static double adamw_step(const struct golden *g, struct exec *x, float *mv, int t)
{
    const struct ops *k = ops_get();
    size_t n_elem = model_n_elem(g->m);
    const float *grad = exec_grads(x);
    double norm = 0, scale;

    for (size_t i = 0; i < n_elem; i++)
        norm += (double)grad[i] * (double)grad[i];
    norm = sqrt(norm);
    scale = 1 / (norm + 1e-6);
    for (int i = 0; i < model_n_params(g->m); i++) {
        const struct param *p = model_param(g->m, i);
        struct adamw a;
        adamw_init(&a, 1e-3, .9, .95, 1e-8, p->decay ? .1 : 0, (uint64_t)t, scale < 1 ? scale : 1);
        k->adamw(&a, model_weights(g->m) + p->at, mv + p->at, mv + n_elem + p->at, grad + p->at,
                 p->n);
    }
    exec_weights_changed(x);
    return norm;
}

/* ‖Δ − Δref‖ / ‖Δref‖ of one tensor; the key third of GPT-2's bias has no gradient in theory. */
static double change_error(const struct st_tensor *before, const struct st_tensor *after,
                           const struct st_tensor *got)
{
    float *b = floats(before), *a = floats(after), *g = floats(got);
    bool key_bias = strstr(before->name, "attn.c_attn.bias");
    double num = 0, den = 0;

    for (uint64_t i = 0; i < before->n_elem; i++) {
        if (key_bias && i * 3 / before->n_elem == 1)
            continue;
        double want = (double)a[i] - (double)b[i], have = (double)g[i] - (double)b[i];
        num += (have - want) * (have - want);
        den += want * want;
    }
    free(b);
    free(a);
    free(g);
    return sqrt(num / den);
}

static void check_after(const struct golden *g)
{
    struct err e = {0};
    struct st *before = st_open(tap_path(g->dir, "model.safetensors"), &e);
    struct st *after = st_open(tap_path(g->dir, "after.safetensors"), &e);
    struct st *got = as_file(g, model_weights(g->m));
    double worst = 0;

    if (!before || !after)
        bail_out(e.msg);
    for (size_t i = 0; i < st_count(after); i++) {
        const struct st_tensor *a = st_at(after, i);
        const struct st_tensor *b = st_find(before, a->name), *c = st_find(got, a->name);
        double d = b && c ? change_error(b, a, c) : 1;
        if (!(d <= 2e-3))
            fail("%s: the change of %s differs by %.2g", g->name, a->name, d);
        if (!(d <= worst))
            worst = d;
    }
    ok(worst <= 2e-3, "%s: the changes of ten steps differ by %.2g at most", g->name, worst);
    st_close(before);
    st_close(after);
    st_close(got);
}

/* Leaves the model's weights changed. */
static void check_adamw(const struct golden *g, struct exec *x)
{
    uint32_t *ids = whole_file(g->dir, "train.u32", sizeof(uint32_t) * N_STEPS * N_ALL);
    char *tsv = whole_file(g->dir, "adamw.tsv", 0), *at = tsv;
    float *mv = calloc(2 * model_n_elem(g->m), sizeof *mv);
    double worst = 0, worst_norm = 0;

    if (!ids || !tsv) {
        skip(2, "no training steps");
    } else {
        for (int s = 0; s < N_STEPS; s++) {
            double loss = 0, want, want_norm, norm;
            at = strchr(at, '\n') + 1;
            strtol(at, &at, 10);
            want = strtod(at, &at);
            want_norm = strtod(at, &at);
            if (!train_pass(x, ids + (size_t)s * N_ALL, &loss, NULL))
                bail_out("a training step failed");
            norm = adamw_step(g, x, mv, s + 1);
            worst = fmax(worst, fabs(loss - want));
            worst_norm = fmax(worst_norm, fabs(norm - want_norm) / want_norm);
        }
        ok(worst <= 3e-5 && worst_norm <= 1e-4,
           "%s: ten steps' losses differ by %.2g, gradient norms by %.2g", g->name, worst,
           worst_norm);
        check_after(g);
    }
    free(ids);
    free(tsv);
    free(mv);
}

static void check_greedy(const struct golden *g, struct exec *x)
{
    enum { N_NEW = 32 };
    int n_vocab = model_config(g->m)->vocab_size, one = 1, prompt = N_PROMPT, past = 0;
    uint32_t *ids = whole_file(g->dir, "greedy.u32", sizeof(uint32_t) * (N_PROMPT + N_NEW));
    size_t n_row = (size_t)n_vocab;
    float *want = whole_file(g->dir, "greedy-logits.f32", sizeof(float) * N_NEW * n_row);
    float *got = calloc(n_row, sizeof *got);
    struct err e = {0};
    double worst = 0, largest = want ? max_abs(want, N_NEW * n_row) : 0;
    int n_equal = 0, n_cached = 0;
    int32_t slot = 0, row;

    if (!ids || !want) {
        skip(1, "no greedy ids");
        goto done;
    }
    exec_slot_reserve(x, 0, &e);
    for (int i = 0; i < N_NEW; i++) {
        struct test_batch t;
        test_batch_new(&t, i ? &one : &prompt, 1, ids + (i ? N_PROMPT + i - 1 : 0), 0, 0);
        past = exec_slot_len(x, 0);
        test_batch_slots(&t, &slot, &past);
        row = t.b.n_tok - 1;
        int rc = exec_logits(x, &t.b, &row, 1, got, &e);
        test_batch_free(&t);
        if (rc < 0)
            bail_out(e.msg);
        n_cached += t.b.n_tok;
        uint32_t best = UINT32_MAX;
        for (uint32_t k = 0; k < (uint32_t)n_vocab; k++)
            if (k != EOS && (best == UINT32_MAX || got[k] > got[best]))
                best = k;
        n_equal += best == ids[N_PROMPT + i];
        worst = fmax(worst, max_diff(got, want + (size_t)i * n_row, n_row));
    }
    ok(n_equal == N_NEW && worst <= 1e-5 * largest && exec_slot_len(x, 0) == n_cached,
       "%s: %d of %d greedy ids, logits differ by %.2g", g->name, n_equal, N_NEW, worst / largest);
done:
    free(ids);
    free(want);
    free(got);
}

/* Inputs of the products rounded to bf16: other losses, though their mean is nearly the same. */
static void check_bf16(const struct golden *g, struct exec *f32, const uint32_t *ids)
{
    float nll[N_ALL], nll_f32[N_ALL];
    char *text = whole_file(g->dir, "loss.txt", 0);
    double loss = 0, want = text ? strtod(text, NULL) : 0;
    struct exec *x = new_exec(g, GEMM_BF16);

    if (train_pass(f32, ids, &loss, nll_f32) && train_pass(x, ids, &loss, nll))
        ok(fabs(loss - want) < 5e-3 * want && max_diff(nll, nll_f32, N_ALL) > 1e-4,
           "%s: in bf16 the loss is %.9g, near %.9g", g->name, loss, want);
    else
        fail("%s: loss in bf16", g->name);
    free(text);
    exec_free(x);
}

static void check_model(const char *dir, const char *name, enum gemm_backend gemm)
{
    struct err e = {0};
    char title[300];
    struct golden g = {.dir = dir, .name = title, .gemm = gemm};
    uint32_t *ids;
    struct exec *x;

    snprintf(title, sizeof title, "%s, %s", name, gemm_backend_words[gemm]);
    g.m = model_open(dir, &e);
    if (!g.m) {
        fail("%s: %s", title, e.msg);
        return;
    }
    ids = whole_file(dir, "input.u32", sizeof(uint32_t) * N_ALL);
    x = new_exec(&g, GEMM_F32);
    check_logits(&g, x, ids);
    check_loss(&g, x, ids);
    check_grads(&g, x);
    check_greedy(&g, x);
    check_bf16(&g, x, ids);
    check_adamw(&g, x);
    free(ids);
    exec_free(x);
    model_free(g.m);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void check_all(const char *top)
{
    char dir[4096], *names[64], *here = strdup(top); /* a path is valid for a few calls only */
    int n = 0;
    DIR *d = opendir(here);
    struct dirent *ent;
    struct err e;

    while (d && n < 64 && (ent = readdir(d)))
        if (ent->d_name[0] != '.')
            names[n++] = strdup(ent->d_name);
    if (d)
        closedir(d);
    ok(n > 0, "%d models in %s", n, here);
    qsort(names, (size_t)n, sizeof *names, by_name);
    for (int i = 0; i < n; i++) {
        snprintf(dir, sizeof dir, "%s/%s", here, names[i]);
        for (int b = GEMM_REF; b <= GEMM_OWN; b++)
            if (gemm_backend_check((enum gemm_backend)b, GEMM_F32, &e) == 0)
                check_model(dir, names[i], (enum gemm_backend)b);
        free(names[i]);
    }
    free(here);
}

int main(void)
{
    check_all(top_path("tests/files/golden"));
    if (shared_path("golden/models"))
        check_all(shared_path("golden/models"));
    else
        skip(1, "no ../shared/golden/models");
    return done_testing();
}
