/* The executor beyond the golden values: chunks of the head, masks of rows, frozen parameters,
 * gradients that add up, no value read before it is written, and what is refused. */
#include "model/exec_int.h"
#include "model_test.h"

static const int three[3] = {30, 1, 41};
enum { N_TOK = 72 };

/* A head whose logits take two chunks at least. */
static const char wide[] =
    "{\"model_type\":\"llama\",\"vocab_size\":300001,\"hidden_size\":8,\"num_hidden_layers\":1,"
    "\"num_attention_heads\":1,\"intermediate_size\":8,\"tie_word_embeddings\":true}";

static float *copy(const float *v, size_t n)
{
    float *c = calloc(n, sizeof *c);
    memcpy(c, v, n * sizeof *c);
    return c;
}

static double train(struct exec *x, const struct batch *b, const float *weight)
{
    struct err e = {0};
    struct exec_loss l;
    uint32_t target[N_TOK];

    for (int i = 0; i < b->n_tok; i++)
        target[i] = b->ids[i] / 2;
    if (exec_train(x, b, target, weight, .02f, 0, &l, NULL, &e) < 0)
        bail_out(e.msg);
    return l.loss_sum;
}

/* Each row's loss against log-softmax of its logits in double. */
static void test_chunks(void)
{
    struct err e = {0};
    struct model *m = test_model(wide, 1);
    struct exec_opt o = {.max_tok = N_TOK, .max_seq = 3, .n_threads = 2, .train = true};
    struct test_batch t;
    size_t n = (size_t)model_config(m)->vocab_size;
    float *logits = calloc(n, sizeof *logits), logp[N_TOK], half[N_TOK], weight[N_TOK];
    uint32_t target[N_TOK], some[N_TOK];
    double worst = 0;

    o.gemm = gemm_backend_default();
    struct exec *x = test_exec(m, o);
    test_batch_new(&t, three, 3, NULL, (uint32_t)n, 5);
    for (int i = 0; i < N_TOK; i++) {
        target[i] = t.ids[i] / 3;
        some[i] = i % 3 ? UINT32_MAX : target[i];
        logp[i] = half[i] = 7;
    }
    if (exec_logp(x, &t.b, target, logp, &e) < 0 || exec_logp(x, &t.b, some, half, &e) < 0)
        bail_out(e.msg);
    for (int32_t i = 0; i < N_TOK; i += 11) {
        if (exec_logits(x, &t.b, &i, 1, logits, &e) < 0)
            bail_out(e.msg);
        double sum = 0, top = max_abs(logits, n);
        for (size_t k = 0; k < n; k++)
            sum += exp((double)logits[k] - top);
        worst = fmax(worst, fabs(logits[target[i]] - top - log(sum) - logp[i]));
    }
    ok(worst < 1e-5, "log-probabilities in chunks differ by %.2g from double", worst);
    bool left = true;
    worst = 0;
    for (int i = 0; i < N_TOK; i++) {
        left = left && (i % 3 == 0 || half[i] == 7);
        worst = fmax(worst, i % 3 ? 0 : fabs((double)half[i] - (double)logp[i]));
    }
    ok(left && worst < 1e-5, "chosen targets alone give the same, others stay as they were");

    /* The gradient is linear in the weights: parts of the weights make the whole. */
    size_t n_elem = model_n_elem(m);
    double whole = train(x, &t.b, NULL), part = 0;
    float *want = copy(exec_grads(x), n_elem);
    exec_zero_grads(x);
    ok(max_abs(exec_grads(x), n_elem) == 0, "gradients are zeroed");
    train(x, &t.b, NULL);
    exec_zero_grads(x);
    train(x, &t.b, NULL);
    is_mem(exec_grads(x), want, n_elem * sizeof *want, "a pass after that begins anew");
    exec_zero_grads(x);
    for (int side = 0; side < 2; side++) {
        for (int i = 0; i < N_TOK; i++)
            weight[i] = i % 3 ? (side ? .25f : .75f) : (float)side;
        part += train(x, &t.b, weight);
    }
    worst = max_diff(want, exec_grads(x), n_elem) / max_abs(want, n_elem);
    ok(fabs(whole - part) < 1e-6 * whole && worst < 2e-6,
       "chunks of chosen rows: gradients differ by %.2g", worst);
    memset(weight, 0, sizeof weight);
    exec_zero_grads(x);
    ok(train(x, &t.b, weight) == 0 && max_abs(exec_grads(x), n_elem) == 0,
       "without a scored token: no loss, no gradient");
    free(want);
    free(logits);
    test_batch_free(&t);
    exec_free(x);
    model_free(m);
}

static void test_frozen(const char *json)
{
    struct model *m = test_model(json, 3);
    struct exec_opt o = {.max_tok = N_TOK, .max_seq = 3, .n_threads = 2, .train = true};
    struct test_batch t;
    int n = model_n_params(m), wrong = 0;

    o.gemm = GEMM_REF;
    test_batch_new(&t, three, 3, NULL, (uint32_t)model_config(m)->vocab_size, 5);
    struct exec *all = test_exec(m, o);
    train(all, &t.b, NULL);
    for (int keep = 0; keep < n; keep++) { /* one trainable tensor at a time */
        for (int i = 0; i < n; i++)
            model_param(m, i)->requires_grad = i == keep;
        struct exec *x = test_exec(m, o);
        train(x, &t.b, NULL);
        for (int i = 0; i < n; i++) {
            const struct param *p = model_param(m, i);
            const float *g = exec_grads(x) + p->at, *want = exec_grads(all) + p->at;
            if (i == keep ? memcmp(g, want, p->n * sizeof *g) != 0 : max_abs(g, p->n) != 0) {
                diag("%s with %s trained", p->name, model_param(m, keep)->name);
                wrong++;
            }
        }
        exec_free(x);
    }
    is_int(wrong, 0, "%s: each of %d tensors trained alone", model_config(m)->model_type, n);
    exec_free(all);
    test_batch_free(&t);
    model_free(m);
}

/* The arena is filled with NaN between passes: what is read was written in the same pass. */
static void test_poison(const char *json, enum recompute recompute)
{
    struct err e = {0};
    struct model *m = test_model(json, 4);
    struct exec_opt o = {.max_tok = N_TOK + 30, .max_seq = 5, .n_threads = 2, .train = true};
    struct test_batch t;
    size_t n_elem = model_n_elem(m), n_vocab = (size_t)model_config(m)->vocab_size;
    float *logits = calloc(n_vocab * 2, sizeof *logits);
    int32_t row = N_TOK - 1;

    o.gemm = GEMM_REF;
    o.recompute = recompute;
    struct exec *x = test_exec(m, o);
    test_batch_new(&t, three, 3, NULL, (uint32_t)n_vocab, 5);
    double first = train(x, &t.b, NULL);
    float *want = copy(exec_grads(x), n_elem);
    if (exec_logits(x, &t.b, &row, 1, logits, &e) < 0)
        bail_out(e.msg);
    exec_zero_grads(x);
    for (size_t i = 0; i < x->arena_bytes / sizeof(float); i++)
        x->arena[i] = NAN;
    double again = train(x, &t.b, NULL);
    ok(first == again && !memcmp(want, exec_grads(x), n_elem * sizeof *want),
       "%s: nothing in memory is read before it is written", model_config(m)->model_type);
    train(x, &t.b, NULL);
    double d = 0;
    for (size_t i = 0; i < n_elem; i++)
        d = fmax(d, fabs((double)exec_grads(x)[i] - 2.0 * (double)want[i]));
    ok(d <= 1e-6 * max_abs(want, n_elem), "gradients of two passes add up");
    if (exec_logits(x, &t.b, &row, 1, logits + n_vocab, &e) < 0)
        bail_out(e.msg);
    is_mem(logits, logits + n_vocab, n_vocab * sizeof *logits,
           "a plan for training gives logits too");
    free(want);
    free(logits);
    test_batch_free(&t);
    exec_free(x);
    model_free(m);
}

/* The difference quotient of the loss along a random direction, of one tensor or (NULL) all,
 * against the gradient. */
static void check_slope(struct model *m, struct exec *x, const struct batch *b, const char *tensor,
                        const char *name)
{
    size_t n_elem = model_n_elem(m);
    float *w = model_weights(m), *was = copy(w, n_elem), *dir = calloc(n_elem, sizeof *dir);
    double slope = 0, squares = 0, loss[2];
    struct rng r;

    exec_zero_grads(x);
    train(x, b, NULL);
    rng_init(&r, 9, RNG_TEST, 0);
    for (int i = 0; i < model_n_params(m); i++)
        for (size_t k = 0; k < model_param(m, i)->n; k++) {
            size_t at = model_param(m, i)->at + k;
            if (tensor && strcmp(model_param(m, i)->name, tensor) != 0)
                continue;
            dir[at] = rng_normal(&r);
            slope += (double)dir[at] * (double)exec_grads(x)[at] / .02;
            squares += pow((double)exec_grads(x)[at] / .02, 2);
        }
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < n_elem; i++)
            w[i] = was[i] + (side ? 3e-4f : -3e-4f) * dir[i];
        exec_weights_changed(x);
        loss[side] = train(x, b, NULL);
    }
    memcpy(w, was, n_elem * sizeof *w);
    exec_weights_changed(x);
    double quotient = (loss[1] - loss[0]) / 6e-4;
    ok(fabs(quotient - slope) < 5e-3 * sqrt(squares),
       "%s: along a direction of %s the loss changes by %g, by its gradient %g", name,
       tensor ? tensor : "all", quotient, slope);
    free(was);
    free(dir);
}

static void test_slopes(const char *json)
{
    struct model *m = test_model(json, 6);
    struct exec_opt o = {.max_tok = N_TOK, .max_seq = 3, .n_threads = 2, .train = true};
    struct test_batch t;

    o.gemm = GEMM_REF;
    struct exec *x = test_exec(m, o);
    test_batch_new(&t, three, 3, NULL, (uint32_t)model_config(m)->vocab_size, 5);
    check_slope(m, x, &t.b, NULL, model_config(m)->model_type);
    check_slope(m, x, &t.b, "embed.weight", model_config(m)->model_type);
    test_batch_free(&t);
    exec_free(x);
    model_free(m);
}

static void test_dropout(void)
{
    struct model *m = test_model(test_configs[0], 6);
    struct config *c = (struct config *)model_config(m);
    struct exec_opt o = {.max_tok = N_TOK, .max_seq = 3, .n_threads = 2, .train = true};
    struct test_batch t;

    c->dropout_attn = c->dropout_embd = c->dropout_resid = .2;
    o.gemm = GEMM_REF;
    struct exec *plain = test_exec(m, o);
    o.dropout = true;
    struct exec *x = test_exec(m, o);
    test_batch_new(&t, three, 3, NULL, (uint32_t)c->vocab_size, 5);
    double with = train(x, &t.b, NULL), without = train(plain, &t.b, NULL);
    ok(fabs(with - without) > 1e-3 * without, "dropout changes the loss, %g and %g", with, without);
    check_slope(m, x, &t.b, NULL, "with dropout");
    test_batch_free(&t);
    exec_free(x);
    exec_free(plain);
    model_free(m);
}

/* Two layers with a window of 9: what a token says reaches 16 tokens further, and no more. */
static void test_window(void)
{
    struct err e = {0};
    struct model *m = test_model(test_configs[2], 6);
    struct exec_opt o = {.max_tok = N_TOK, .max_seq = 1, .n_threads = 2};
    struct test_batch t;
    float was[77], is[77];
    int n = 30;

    o.gemm = GEMM_REF;
    struct exec *x = test_exec(m, o);
    test_batch_new(&t, &n, 1, NULL, 77, 5);
    for (int32_t row = 18; row <= 19; row++) {
        for (int k = 0; k < 2; k++) {
            t.ids[2] = k ? 5 : 6;
            if (exec_logits(x, &t.b, &row, 1, k ? was : is, &e) < 0)
                bail_out(e.msg);
        }
        ok((memcmp(was, is, sizeof is) == 0) == (row == 19), "a window of 9: %d tokens further on",
           (int)row - 2);
    }
    test_batch_free(&t);
    exec_free(x);
    model_free(m);
}

static void refused(struct exec *x, const struct batch *b, const char *part, const char *name)
{
    struct err e = {0};
    float logits[77];
    int32_t row = 0;
    int rc = exec_logits(x, b, &row, 1, logits, &e);

    ok(rc < 0, "%s is refused", name);
    is_like(e.msg, part, "... with the reason: %s", e.msg);
}

static void test_refusals(void)
{
    struct err e = {0};
    struct model *m = test_model(test_configs[0], 1);
    struct exec_opt o = {.max_tok = 200, .max_seq = 2, .n_threads = 1, .n_slot = 2, .slot_tok = 40};
    struct exec *x;
    struct test_batch t;
    int n = 3, n_long = 161, too_many = 201, two = 2, zero = 0;
    int32_t slot = 0, pos[3] = {0, 1, 5};

    o.gemm = GEMM_REF;
    x = test_exec(m, o);
    test_batch_new(&t, &n, 1, NULL, 77, 0);
    t.ids[1] = 77;
    refused(x, &t.b, "token id 77 is not below the vocabulary's size 77", "an id out of range");
    t.ids[1] = 0;
    t.b.pos = pos;
    refused(x, &t.b, "position 5", "a gap in the positions");
    t.b.pos = t.pos;
    t.b.n_seq = 3;
    refused(x, &t.b, "3 sequences, and 2 were planned", "a third sequence");
    t.b.n_seq = 1;
    uint32_t target[3] = {1, 2, 99};
    float logp[3];
    ok(exec_logp(x, &t.b, target, logp, &e) < 0, "a target out of range is refused");
    is_like(e.msg, "target 99 of token 2", "... with the reason: %s", e.msg);
    test_batch_free(&t);
    test_batch_new(&t, &too_many, 1, NULL, 77, 0);
    refused(x, &t.b, "201 tokens, and 200 were planned", "a batch over the plan");
    test_batch_free(&t);
    test_batch_new(&t, &n_long, 1, NULL, 77, 0);
    refused(x, &t.b, "161 tokens does not fit the model's context of 160", "a position too many");
    test_batch_slots(&t, &slot, &zero);
    t.slot[0] = 2;
    refused(x, &t.b, "no cache slot 2", "a slot that is not there");
    t.slot[0] = 0;
    test_batch_free(&t);
    n_long = 41;
    test_batch_new(&t, &n_long, 1, NULL, 77, 0);
    test_batch_slots(&t, &slot, &zero);
    refused(x, &t.b, "41 tokens does not fit the cache's 40", "a sequence longer than its slot");
    test_batch_free(&t);
    int pair[2] = {1, 1};
    int32_t twice[2] = {1, 1};
    int none[2] = {0, 0};
    test_batch_new(&t, pair, two, NULL, 77, 0);
    test_batch_slots(&t, twice, none);
    refused(x, &t.b, "slot 1 is used twice", "a slot used twice");
    test_batch_free(&t);
    exec_free(x);

    o.max_tok = 0;
    ok(!exec_new(m, &o, &e), "an empty plan is refused: %s", e.msg);
    o.max_tok = 1 << 24;
    o.train = true;
    struct exec_bytes bytes;
    int rc = exec_plan_bytes(model_config(m), &o, &bytes, &e);
    ok(rc == 0 && bytes.activations > 1e9 && bytes.total < 1e12,
       "a large plan is reckoned without taking its memory: %" PRIu64 " bytes", bytes.total);
    model_free(m);
}

/* Slots: fork, truncate, reserve, each against a sequence fed anew. */
static void test_slots(void)
{
    struct err e = {0};
    struct model *m = test_model(test_configs[1], 1);
    struct exec_opt o = {
        .max_tok = 100, .max_seq = 1, .n_threads = 2, .n_slot = 3, .slot_tok = 100};
    struct test_batch t;
    float got[77], want[77], fork[77];
    uint32_t ids[90];
    int n = 90, past = 0, one = 1;
    int32_t slot = 0, row = 89;
    struct rng r;

    o.gemm = GEMM_REF;
    struct exec *x = test_exec(m, o);
    rng_init(&r, 2, RNG_TEST, 0);
    for (int i = 0; i < n; i++)
        ids[i] = (uint32_t)rng_below(&r, 77);
    test_batch_new(&t, &n, 1, ids, 0, 0);
    test_batch_slots(&t, &slot, &past);
    if (exec_logits(x, &t.b, &row, 1, want, &e) < 0)
        bail_out(e.msg);
    test_batch_free(&t);
    is_int(exec_slot_len(x, 0), 90, "a slot holds what was fed");
    ok(exec_slot_fork(x, 0, 2, &e) == 0 && exec_slot_len(x, 2) == 90, "a fork is as long");
    ok(exec_slot_truncate(x, 0, 91, &e) < 0, "a slot cannot be cut longer: %s", e.msg);
    ok(exec_slot_truncate(x, 0, 70, &e) == 0 && exec_slot_truncate(x, 2, 70, &e) == 0 &&
           exec_slot_len(x, 0) == 70,
       "a slot is cut");
    /* Other tokens in between, in the fork only: the first slot is not touched by them. */
    for (int k = 0; k < 2; k++) {
        int left = 20;
        slot = k ? 0 : 2;
        past = 70;
        row = 19;
        uint32_t other[20];
        for (int i = 0; i < left; i++)
            other[i] = k ? ids[70 + i] : 76 - ids[70 + i];
        test_batch_new(&t, &left, 1, other, 0, 0);
        test_batch_slots(&t, &slot, &past);
        if (exec_logits(x, &t.b, &row, 1, k ? got : fork, &e) < 0)
            bail_out(e.msg);
        test_batch_free(&t);
    }
    is_mem(got, want, sizeof want, "after a cut the same tokens give the same logits");
    ok(memcmp(fork, want, sizeof want) != 0, "the fork has gone another way");
    ok(exec_slot_reserve(x, 0, &e) == 0 && exec_slot_len(x, 0) == 0, "a slot is emptied");
    slot = row = 0;
    past = 0;
    test_batch_new(&t, &one, 1, ids, 0, 0);
    test_batch_slots(&t, &slot, &past);
    if (exec_logits(x, &t.b, &row, 1, got, &e) < 0)
        bail_out(e.msg);
    t.b.slot = NULL;
    if (exec_logits(x, &t.b, &row, 1, want, &e) < 0)
        bail_out(e.msg);
    is_mem(got, want, sizeof want, "an emptied slot is as a new one");
    ok(exec_slot_reserve(x, 3, &e) < 0 && exec_slot_fork(x, 0, -1, &e) < 0 &&
           exec_slot_len(x, 3) == -1,
       "slots that are not there are refused: %s", e.msg);
    test_batch_free(&t);
    exec_free(x);
    model_free(m);
}

/* Neither T x T scores nor all logits are ever held: memory grows with the tokens, and by less than
 * either would take. */
static void test_memory(void)
{
    struct err e = {0};
    struct config c;
    struct exec_bytes b[2];
    struct exec_opt o = {.max_seq = 1, .train = true, .n_threads = 2, .gemm = GEMM_REF};

    if (config_load(&c, "llama-110m", &e) < 0)
        bail_out(e.msg);
    for (int i = 0; i < 2; i++) {
        o.max_tok = 16384 << i;
        if (exec_plan_bytes(&c, &o, &b[i], &e) < 0)
            bail_out(e.msg);
    }
    double ratio = (double)b[1].activations / (double)b[0].activations;
    ok(ratio < 2.02, "twice the context takes %.3f times the memory", ratio);
    /* by its nodes' outputs: 2 norms, qkv, o, 2 sums, gate and up, their product; log-sum-exp */
    double kept = 12. * 4 * (9. * 768 + 3 * 2048 + 12) * 32768;
    ok((double)b[1].activations < 1.25 * kept, "no more than is kept for backward: %.3f of it",
       (double)b[1].activations / kept);
    o.recompute = RECOMPUTE_BLOCK;
    if (exec_plan_bytes(&c, &o, &b[0], &e) < 0)
        bail_out(e.msg);
    /* 12 inputs of layers, the sum after them, what 12 attentions gave, and one layer with
     * gradients of its widest values */
    double held = 13. * 768 + 12 * (768 + 12) + 8 * 768 + 3 * 2048 + 3 * 2048 + 4 * 768;
    held *= 4 * 32768;
    ok((double)b[0].activations < 1.1 * held + (1 << 28),
       "with layers run again their inputs, attention's outputs and one layer are held: %.3f of it",
       (double)b[0].activations / held);
    o.train = false;
    if (exec_plan_bytes(&c, &o, &b[0], &e) < 0)
        bail_out(e.msg);
    ok((double)b[0].activations < .25 * kept, "without backward values make room: %.3f of it",
       (double)b[0].activations / kept);
    config_release(&c);
}

/* A layer that is run again makes queries, keys and values anew, and leaves attention alone. */
static void test_costly(const char *json)
{
    struct model *m = test_model(json, 1);
    struct exec_opt o = {.max_tok = N_TOK, .max_seq = 3, .n_threads = 1, .train = true};
    int n_again = 0, n_attn = 0, n_qkv = 0;

    o.gemm = GEMM_REF;
    o.recompute = RECOMPUTE_BLOCK;
    struct exec *x = test_exec(m, o);
    const struct graph *g = &x->graph;
    for (int t = 0; t < g->n_steps; t++) {
        const struct node *n = &g->nodes[g->steps[t].node];
        if (g->steps[t].kind != STEP_AGAIN)
            continue;
        n_again++;
        n_attn += n->is_attn;
        n_qkv += n->n_param > 0 && strstr(g->params[n->param[0]].name, "attn.qkv.weight");
    }
    ok(n_attn == 0 && n_qkv == model_config(m)->n_layer,
       "%s: of %d nodes run again %d are attention, %d make its inputs",
       model_config(m)->model_type, n_again, n_attn, n_qkv);
    exec_free(x);
    model_free(m);
}

int main(void)
{
    test_memory();
    test_chunks();
    for (size_t i = 0; i < ARRAY_LEN(test_configs); i++) {
        test_frozen(test_configs[i]);
        test_costly(test_configs[i]);
        test_poison(test_configs[i], RECOMPUTE_NONE);
        test_poison(test_configs[i], RECOMPUTE_BLOCK);
        test_slopes(test_configs[i]);
    }
    test_window();
    test_dropout();
    test_refusals();
    test_slots();
    return done_testing();
}
