/* The same bytes for any number of threads, with every backend, in f32 and bf16. */
#include "model_test.h"

enum { N_SEQ = 4 };
static const int lengths[N_SEQ] = {37, 1, 70, 5};

struct result {
    size_t n_bytes;
    char *p;
};

static void append(struct result *r, const void *p, size_t n)
{
    r->p = realloc(r->p, r->n_bytes + n);
    memcpy(r->p + r->n_bytes, p, n);
    r->n_bytes += n;
}

static void train(struct model *m, struct exec_opt o, struct result *r)
{
    struct err e = {0};
    struct test_batch t;
    struct exec_loss l;
    uint32_t target[128];
    float weight[128], nll[128];
    o.train = o.embed_grad = o.dropout = true;
    struct exec *x = test_exec(m, o);

    test_batch_new(&t, lengths, N_SEQ, NULL, (uint32_t)model_config(m)->vocab_size, 3);
    test_targets(&t.b, target, weight);
    for (uint64_t step = 0; step < 2; step++) {
        if (exec_train(x, &t.b, target, weight, .01f, step, &l, nll, &e) < 0)
            bail_out(e.msg);
        append(r, &l.loss_sum, sizeof l.loss_sum);
        append(r, nll, sizeof *nll * (size_t)t.b.n_tok);
    }
    append(r, exec_grads(x), sizeof(float) * model_n_elem(m));
    append(r, exec_embed_grad(x),
           sizeof(float) * (size_t)t.b.n_tok * (size_t)model_config(m)->d_model);
    test_batch_free(&t);
    exec_free(x);
}

static void infer(struct model *m, struct exec_opt o, struct result *r)
{
    static const int32_t slots[N_SEQ] = {2, 0, 3, 1};
    static const int ones[N_SEQ] = {1, 1, 1, 1}, zeros[N_SEQ];
    struct err e = {0};
    struct test_batch t;
    size_t n_vocab = (size_t)model_config(m)->vocab_size;
    float *logits = calloc(N_SEQ * n_vocab, sizeof *logits);
    int32_t rows[N_SEQ];
    o.n_slot = N_SEQ;
    o.slot_tok = 80;
    struct exec *x = test_exec(m, o);

    for (int step = 0; step < 3; step++) {
        test_batch_new(&t, step ? ones : lengths, N_SEQ, NULL, (uint32_t)n_vocab, (uint64_t)step);
        int past[N_SEQ];
        for (int s = 0; s < N_SEQ; s++) {
            past[s] = exec_slot_len(x, slots[s]);
            rows[s] = t.cu[s + 1] - 1;
        }
        test_batch_slots(&t, slots, step ? past : zeros);
        if (exec_logits(x, &t.b, rows, N_SEQ, logits, &e) < 0)
            bail_out(e.msg);
        append(r, logits, sizeof *logits * N_SEQ * n_vocab);
        test_batch_free(&t);
    }
    free(logits);
    exec_free(x);
}

int main(void)
{
    static const int threads[] = {1, 2, 3, 5};

    for (size_t c = 0; c < ARRAY_LEN(test_configs); c++)
        for (int k = 0; k < (GEMM_OWN + 1) * 2; k++) {
            struct err e = {0};
            struct exec_opt o = {.max_tok = 128, .max_seq = N_SEQ, .seed = 7};
            o.gemm = (enum gemm_backend)(k / 2);
            o.dtype = (enum gemm_dtype)(k % 2);
            if (gemm_backend_check(o.gemm, o.dtype, &e) < 0)
                continue;
            struct model *m = test_model(test_configs[c], c);
            /* Dropout everywhere the family has it. */
            struct config *drop = (struct config *)model_config(m);
            drop->dropout_attn = drop->dropout_embd = drop->dropout_resid = .1;
            struct result r[ARRAY_LEN(threads)] = {0};
            bool same = true;
            for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
                o.n_threads = threads[i];
                o.recompute = i % 2 ? RECOMPUTE_BLOCK : RECOMPUTE_NONE;
                train(m, o, &r[i]);
                infer(m, o, &r[i]);
                same =
                    same && r[i].n_bytes == r[0].n_bytes && !memcmp(r[i].p, r[0].p, r[0].n_bytes);
            }
            ok(same && isfinite(max_abs((float *)(void *)(r[0].p + 8), 100)),
               "%s, %s %s: the same %zu bytes on 1, 2, 3 and 5 threads, whether "
               "or not layers are run again",
               drop->model_type, gemm_backend_words[o.gemm], gemm_dtype_words[o.dtype],
               r[0].n_bytes);
            for (size_t i = 0; i < ARRAY_LEN(threads); i++)
                free(r[i].p);
            model_free(m);
        }
    return done_testing();
}
