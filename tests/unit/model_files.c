/* Models made, written and read: same weights for any machine's threads, names and layouts of each
 * family, and files that do not fit. */
#include <sys/stat.h>
#include "io/out.h"
#include "model_test.h"

static struct config tiny(int i)
{
    struct config c;
    struct err e = {0};
    json_t *tree = json_loads(test_configs[i], 0, NULL);

    if (config_parse(&c, tree, "test", &e) < 0)
        bail_out(e.msg);
    json_decref(tree);
    return c;
}

static const struct param *find(const struct model *m, const char *name)
{
    for (int i = 0; i < model_n_params(m); i++)
        if (!strcmp(model_param(m, i)->name, name))
            return model_param(m, i);
    bail_out(name);
    return NULL;
}

static double spread(const struct model *m, const char *name)
{
    const struct param *p = find(m, name);
    const float *w = model_weights(m) + p->at;
    double sum = 0, squares = 0;

    for (size_t i = 0; i < p->n; i++) {
        sum += (double)w[i];
        squares += (double)w[i] * (double)w[i];
    }
    sum /= (double)p->n;
    return sqrt(squares / (double)p->n - sum * sum);
}

static void test_new(void)
{
    struct err e = {0};
    struct config c;

    if (config_load(&c, "char-baby", &e) < 0)
        bail_out(e.msg);
    struct model *m = model_new(&c, 1, &e), *again = model_new(&c, 1, &e);
    struct model *other = model_new(&c, 2, &e);
    size_t n = model_n_elem(m) * sizeof(float);

    is_mem(model_weights(m), model_weights(again), n, "equal seeds give equal weights");
    ok(memcmp(model_weights(m), model_weights(other), n) != 0, "others give others");
    is_near(spread(m, "embed.weight"), 0.02, 3e-4, "matrices are spread by 0.02");
    is_near(spread(m, "layers.3.attn.qkv.weight"), 0.02, 3e-4, "... all of them");
    is_near(spread(m, "layers.3.mlp.down.weight"), 0.02 / sqrt(12), 3e-4 / sqrt(12),
            "projections into the residual by that over the root of 2 n_layer");
    is_near(spread(m, "layers.5.attn.o.weight"), 0.02 / sqrt(12), 3e-4 / sqrt(12), "... both");
    ok(model_weights(m)[find(m, "norm.weight")->at] == 1 &&
           model_weights(m)[find(m, "layers.0.attn.qkv.bias")->at + 5] == 0,
       "norms begin with 1, biases with 0");
    is_int(model_n_weights(m), 384 * (256 + 256) + 6 * (12 * 384 * 384 + 13 * 384) + 2 * 384,
           "parameters as people count them");
    /* A tensor's stream does not depend on how it is cut: the first element by hand. */
    struct rng r;
    rng_init(&r, 1, RNG_INIT, 0);
    bool same = true;
    for (size_t i = 0; i < 70000; i++)
        same = same && model_weights(m)[find(m, "embed.weight")->at + i] == 0.02f * rng_normal(&r);
    ok(same, "a tensor's weights are its stream's numbers in order");
    config_release(&c);
    model_free(m);
    model_free(again);
    model_free(other);

    c = tiny(4);
    m = model_new(&c, 0, &e);
    ok(model_weights(m)[find(m, "norm.weight")->at] == 0, "Gemma's norms begin with 1 + 0");
    config_release(&c);
    model_free(m);
}

static float *logits_of(struct model *m, enum gemm_backend b, size_t *n)
{
    static const int len[2] = {9, 3};
    static const int32_t rows[3] = {0, 8, 11};
    struct err e = {0};
    struct exec_opt o = {.max_tok = 12, .max_seq = 2, .n_threads = 2, .gemm = b};
    struct exec *x = test_exec(m, o);
    struct test_batch t;

    *n = 3 * (size_t)model_config(m)->vocab_size;
    float *logits = calloc(*n, sizeof *logits);
    test_batch_new(&t, len, 2, NULL, (uint32_t)model_config(m)->vocab_size, 11);
    for (int pass = 0; pass < 2; pass++)
        if (exec_logits(x, &t.b, rows, 3, logits, &e) < 0)
            bail_out(e.msg);
    test_batch_free(&t);
    exec_free(x);
    return logits;
}

/* A model whose weights stay in the file computes what one in memory does. */
static void test_mapped(struct model *opened, const char *dir)
{
    for (int b = GEMM_REF; b <= GEMM_OWN; b++) {
        struct err e = {0};
        struct model *m = model_map(dir, &e);
        size_t n;
        if (gemm_backend_check((enum gemm_backend)b, GEMM_F32, &e) < 0)
            continue;
        if (!m)
            bail_out(e.msg);
        float *want = logits_of(opened, (enum gemm_backend)b, &n);
        float *got = logits_of(m, (enum gemm_backend)b, &n);
        is_mem(got, want, n * sizeof *got, "%s, %s: mapped or read, the same",
               model_config(m)->model_type, gemm_backend_words[b]);
        free(got);
        free(want);
        model_free(m);
    }
}

/* Writes m, reads it back; the files' names stand in the family's own order. */
static void test_round_trip(int i, const char *a_name, uint64_t rows, uint64_t cols)
{
    struct err e = {0};
    struct model *m = test_model(test_configs[i], 5);
    const char *dir = scratch_path("model");

    mkdir(dir, 0777);
    if (model_save(m, dir, ST_F32, &e) < 0)
        bail_out(e.msg);
    struct model *back = model_open(dir, &e);
    if (!back)
        bail_out(e.msg);
    is_mem(model_weights(back), model_weights(m), model_n_elem(m) * sizeof(float),
           "%s: what was written is read", model_config(m)->model_type);
    struct st *s = st_open_dir(dir, &e);
    const struct st_tensor *t = s ? st_find(s, a_name) : NULL;
    ok(t && t->shape[0] == rows && t->shape[1] == cols, "%s: %s is [%d, %d]",
       model_config(m)->model_type, a_name, (int)rows, (int)cols);
    st_close(s);
    model_free(back);

    if (model_save(m, dir, ST_BF16, &e) < 0 || !(back = model_open(dir, &e)))
        bail_out(e.msg);
    test_mapped(back, dir);
    double d = 0;
    for (size_t k = 0; k < model_n_elem(m); k++)
        d = fmax(d, fabs((double)(model_weights(m)[k] - model_weights(back)[k])) /
                        (fabs((double)model_weights(m)[k]) + 1e-30));
    ok(d > 1e-4 && d <= 1. / 256, "%s: bf16 is near, %g", model_config(m)->model_type, d);
    model_free(back);
    model_free(m);
}

/* ---- files that do not fit: the tensors of a tiny GPT-2, one of them changed */

enum change {
    CH_NONE,
    CH_BARE,    /* without "transformer." */
    CH_TIED,    /* lm_head.weight beside */
    CH_MASK,    /* old buffers beside */
    CH_MISSING, /* the last norm's bias */
    CH_SHAPE,   /* the same, one shorter */
    CH_EXTRA,
};

static void write_changed(const char *dir, const struct model *m, enum change ch)
{
    struct err e = {0};
    struct st *s = st_open(tap_path(dir, "model.safetensors"), &e);
    struct st_writer *w = st_create(tap_path(dir, "new.safetensors"), &e);
    float zeros[77 * 48] = {0};
    uint64_t n_more = 0, more[2] = {77, 48};
    const char *name = ch == CH_TIED   ? "lm_head.weight"
                       : ch == CH_MASK ? "transformer.h.0.attn.bias"
                                       : "transformer.h.2.ln_1.weight";

    (void)m;
    for (size_t i = 0; i < st_count(s); i++) {
        const struct st_tensor *t = st_at(s, i);
        uint64_t shape[2] = {t->shape[0], t->shape[1]};
        bool last = !strcmp(t->name, "transformer.ln_f.bias");
        if (last && ch == CH_MISSING)
            continue;
        if (last && ch == CH_SHAPE)
            shape[0]--;
        if (st_plan(w, ch == CH_BARE ? t->name + 12 : t->name, ST_F32, t->n_dim, shape, &e) < 0)
            bail_out(e.msg);
    }
    if (ch >= CH_TIED && ch != CH_MISSING && ch != CH_SHAPE) {
        n_more = ch == CH_TIED ? 77 * 48 : 77;
        st_plan(w, name, ST_F32, ch == CH_TIED ? 2 : 1, more, &e);
    }
    if (st_begin(w, &e) < 0)
        bail_out(e.msg);
    for (size_t i = 0; i < st_count(s); i++) {
        const struct st_tensor *t = st_at(s, i);
        bool last = !strcmp(t->name, "transformer.ln_f.bias");
        if (!(last && ch == CH_MISSING))
            st_write_raw(w, t->data, t->n_bytes - (last && ch == CH_SHAPE ? 4 : 0), &e);
    }
    st_write_f32(w, zeros, n_more, &e);
    st_close(s);
    if (st_commit(w, &e) < 0)
        bail_out(e.msg);
    rename(tap_path(dir, "new.safetensors"), tap_path(dir, "model.safetensors"));
}

static void test_changed(enum change ch, const char *part, const char *name)
{
    struct err e = {0};
    struct model *m = test_model(test_configs[0], 5), *back;
    const char *dir = scratch_path("changed");

    mkdir(dir, 0777);
    if (model_save(m, dir, ST_F32, &e) < 0)
        bail_out(e.msg);
    write_changed(dir, m, ch);
    back = model_open(dir, &e);
    if (part) {
        ok(!back, "%s is refused", name);
        is_like(e.msg, part, "... %s", e.msg);
    } else {
        ok(back && !memcmp(model_weights(back), model_weights(m), model_n_elem(m) * sizeof(float)),
           "%s is read %s", name, e.msg);
    }
    model_free(back);
    model_free(m);
}

static void test_missing(void)
{
    struct err e = {0};
    struct model *m = test_model(test_configs[1], 5);
    const char *dir = scratch_path("cut");
    char *file;

    ok(!model_open(scratch_path("nothing"), &e), "a missing directory: %s", e.msg);
    mkdir(dir, 0777);
    if (model_save(m, dir, ST_F32, &e) < 0)
        bail_out(e.msg);
    file = strdup(tap_path(dir, "model.safetensors"));
    if (truncate(file, 2000) < 0)
        bail_out("truncate");
    ok(!model_open(dir, &e) && strstr(e.msg, "model.safetensors"), "a file cut short: %s", e.msg);
    unlink(file);
    ok(!model_open(dir, &e) && strstr(e.msg, "model.safetensors"), "no weights: %s", e.msg);
    ok(model_save(m, scratch_path("not/there"), ST_F32, &e) < 0, "nowhere to write: %s", e.msg);
    free(file);
    model_free(m);

    struct config c = tiny(1);
    c.vocab_size = 1 << 24;
    c.d_model = 1 << 20;
    ok(!model_new(&c, 0, &e), "memory that cannot be had: %s", e.msg);
    struct model *shape = model_shape(&c, &e);
    ok(shape && !model_weights(shape) && model_n_weights(shape) > (uint64_t)1 << 44,
       "... but it can be reckoned");
    model_free(shape);
    config_release(&c);
}

int main(void)
{
    test_new();
    test_round_trip(0, "transformer.h.1.attn.c_attn.weight", 48, 144);
    test_round_trip(1, "model.layers.1.self_attn.k_proj.weight", 24, 40);
    test_round_trip(2, "model.layers.0.mlp.up_proj.weight", 52, 48);
    test_round_trip(3, "model.layers.0.self_attn.o_proj.weight", 40, 64);
    test_round_trip(4, "model.embed_tokens.weight", 77, 40);
    test_changed(CH_NONE, NULL, "a plain file");
    test_changed(CH_BARE, NULL, "a file of the base model, with bare names,");
    test_changed(CH_TIED, NULL, "a tied head beside the embedding");
    test_changed(CH_MASK, NULL, "an old file with its masks");
    test_changed(CH_MISSING, "the tensor \"transformer.ln_f.bias\" is missing", "a missing tensor");
    test_changed(CH_SHAPE, "\"transformer.ln_f.bias\" has shape [47], and [48] is expected",
                 "a wrong shape");
    test_changed(CH_EXTRA, "\"transformer.h.2.ln_1.weight\" is no part of a model",
                 "a tensor too many");
    test_missing();
    return done_testing();
}
