/* model info: parameters, cost and memory, before a model runs. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/cpu.h"
#include "base/num.h"
#include "base/opt.h"
#include "base/prog.h"
#include "base/sys.h"
#include "io/jtree.h"
#include "model/info.h"
#include "subcommand.h"
#include "train/speed.h"

struct request {
    struct prog *prog;
    struct config config;
    const char *path;
    int64_t n_seq, n_ctx, n_threads;
    int dtype, gemm, recompute;
    double tok_per_s; /* 0: not given */
    bool measure, json, quiet;
    int verbose;
    struct info info;
    struct speed speed;
};

static char *count(char out[32], double v)
{
    return num_human(out, v);
}

static char *bytes(char out[32], uint64_t v)
{
    return num_human_bytes(out, (double)v);
}

static void print_config(const struct request *r)
{
    const struct config *c = &r->config;

    printf("%s: %s, %d layers of width %d, ", r->path, c->model_type, c->n_layer, c->d_model);
    printf("%d heads of %d", c->n_head, c->head_dim);
    if (c->n_kv_head != c->n_head)
        printf(" on %d of keys and values", c->n_kv_head);
    printf(", vocabulary %d, context %d", c->vocab_size, c->n_ctx);
    if (c->window)
        printf(", window %d", c->window);
    putchar('\n');
}

static void print_params(const struct request *r)
{
    static const char *const names[INFO_N] = {
        "token embedding", "position embedding", "attention", "feed-forward", "norms", "head"};
    const struct info *i = &r->info;
    char a[32];

    printf("\nparameters            %10s  %" PRIu64 "\n", count(a, (double)i->params), i->params);
    for (int k = 0; k < INFO_N; k++)
        if (i->params_by[k])
            printf("  %-19s %10s  %4.1f %%%s\n", names[k], count(a, (double)i->params_by[k]),
                   100.0 * (double)i->params_by[k] / (double)i->params,
                   k == INFO_EMBED && r->config.tied ? "  (and the head)" : "");
}

/* -v: each tensor as it is held here, with its shape. */
static int list_params(const struct request *r, struct err *e)
{
    struct model *m = model_shape(&r->config, e);

    if (!m)
        return -1;
    for (int i = 0; i < model_n_params(m); i++) {
        const struct param *p = model_param(m, i);
        char name[sizeof p->name + 2];
        snprintf(name, sizeof name, "  %s", p->name);
        if (p->decay)
            printf("%-34s [%d, %d]\n", name, p->rows, p->cols);
        else
            printf("%-34s [%d]\n", name, p->cols);
    }
    model_free(m);
    return 0;
}

static void print_memory(const struct request *r)
{
    const struct info *i = &r->info;
    const struct {
        const char *name;
        uint64_t n_bytes;
    } rows[] = {
        {"weights", i->weights},           {"gradients", i->gradients},
        {"AdamW's moments", i->optimizer}, {"packed weights", i->packed},
        {"activations", i->activations},
    };
    char a[32], b[32];

    printf("\nFLOPs a token, context %" PRId64 "\n", r->n_ctx);
    printf("  %-19s %10s\n", "training", count(a, i->train_flops));
    printf("  %-19s %10s\n", "decoding", count(a, i->decode_flops));
    printf("\nmemory to train, %" PRId64 " x %" PRId64 " in %s%s\n", r->n_seq, r->n_ctx,
           gemm_dtype_words[r->dtype], r->recompute ? ", layers run again" : "");
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
        if (rows[k].n_bytes)
            printf("  %-19s %10s\n", rows[k].name, bytes(a, rows[k].n_bytes));
    printf("  %-19s %10s\n", "together", bytes(a, i->training));
    printf("\ncache of keys and values\n  %-19s %10s\n", "a token", bytes(a, i->cache_per_tok));
    printf("  %-19s %10s\n", "a context", bytes(b, i->cache_per_tok * (uint64_t)r->n_ctx));
}

static void print_optimum(const struct request *r)
{
    const struct info *i = &r->info;
    char a[32];

    printf("\ncompute-optimal text (20 tokens a parameter)\n");
    printf("  %-19s %10s\n", "tokens", count(a, i->optimal_tok));
    printf("  %-19s %10.3g\n", "FLOPs", i->optimal_flops);
    if (r->tok_per_s <= 0) {
        printf("  %-19s %10s  (--speed or --measure)\n", "time", "?");
        return;
    }
    printf("  %-19s %10s  at %.4g tokens a second%s\n", "time",
           num_human_time(a, i->optimal_tok / r->tok_per_s), r->tok_per_s,
           r->measure ? ", measured" : "");
}

static int print_json(const struct request *r, struct err *e)
{
    const struct info *i = &r->info;
    json_t *parts = json_object(), *o;
    struct buf text = BUF_INIT;
    int rc = -1;

    for (int k = 0; k < INFO_N; k++)
        json_object_set_new(parts, info_part_words[k], json_integer((json_int_t)i->params_by[k]));
    o = json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:I, s:o}", "model_type", r->config.model_type,
                  "n_layer", r->config.n_layer, "d_model", r->config.d_model, "n_head",
                  r->config.n_head, "vocab_size", r->config.vocab_size, "max_context",
                  r->config.n_ctx, "parameters", (json_int_t)i->params, "parameters_by_part",
                  parts);
    json_t *more = json_pack(
        "{s:I, s:I, s:s, s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f}", "batch",
        (json_int_t)r->n_seq, "context", (json_int_t)r->n_ctx, "dtype", gemm_dtype_words[r->dtype],
        "train_flops_per_token", i->train_flops, "decode_flops_per_token", i->decode_flops,
        "weight_bytes", (json_int_t)i->weights, "gradient_bytes", (json_int_t)i->gradients,
        "optimizer_bytes", (json_int_t)i->optimizer, "packed_bytes", (json_int_t)i->packed,
        "activation_bytes", (json_int_t)i->activations, "train_bytes", (json_int_t)i->training,
        "kv_cache_bytes_per_token", (json_int_t)i->cache_per_tok, "optimal_tokens", i->optimal_tok,
        "optimal_flops", i->optimal_flops);
    if (o && more)
        json_object_update(o, more);
    json_decref(more);
    if (o) {
        bool known = r->tok_per_s > 0;
        json_object_set_new(o, "tok_per_s", known ? json_real(r->tok_per_s) : json_null());
        json_object_set_new(o, "optimal_time_s",
                            known ? json_real(i->optimal_tok / r->tok_per_s) : json_null());
    }
    char *line = o ? json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    if (line && buf_puts(&text, line, e) == 0 && buf_putc(&text, '\n', e) == 0) {
        fwrite(text.s, 1, text.len, stdout);
        rc = 0;
    }
    if (!line)
        err_nomem(e, "JSON", 0);
    free(line);
    json_decref(o);
    buf_release(&text);
    return rc;
}

static int measure(struct request *r, const struct exec_opt *o, struct err *e)
{
    static const struct speed_times times = {3, SPEED_MOST_S};
    uint64_t have = sys_mem_available();
    char a[32], b[32];

    if (r->info.training > have)
        return err_set(e,
                       "--measure: training %s takes %s of memory, and %s are to be had; "
                       "a smaller --batch or --context takes less",
                       r->path, bytes(a, r->info.training), bytes(b, have));
    prog_note(r->prog, "measuring three steps of training");
    if (speed_train(&r->speed, &r->config, o, (int)r->n_seq, (int)r->n_ctx, times, e) < 0)
        return -1;
    r->tok_per_s = r->speed.tok_per_s;
    return 0;
}

static int info(struct request *r, struct err *e)
{
    struct exec_opt o = {.dtype = (enum gemm_dtype)r->dtype,
                         .gemm = (enum gemm_backend)r->gemm,
                         .recompute = (enum recompute)r->recompute,
                         .n_threads = (int)r->n_threads};
    enum isa isa;

    if (r->measure && r->tok_per_s > 0)
        return err_usage(e, "--speed and --measure exclude each other");
    if (cpu_isa(&isa, e) < 0 || model_load_config(r->path, &r->config, e) < 0)
        return -1;
    if (!r->n_ctx)
        r->n_ctx = r->config.n_ctx;
    if (r->config.pos == POS_LEARNED && r->n_ctx > r->config.n_ctx)
        return err_usage(e, "--context %" PRId64 " is over the model's %d", r->n_ctx,
                         r->config.n_ctx);
    if (info_make(&r->info, &r->config, &o, (int)r->n_seq, (int)r->n_ctx, e) < 0 ||
        (r->measure && measure(r, &o, e) < 0))
        return -1;
    if (r->json)
        return print_json(r, e);
    print_config(r);
    print_params(r);
    if (r->verbose && list_params(r, e) < 0)
        return -1;
    print_memory(r);
    print_optimum(r);
    return 0;
}

int model_info(int argc, char **argv)
{
    struct err e = {0};
    struct request r = {.n_seq = 1, .gemm = gemm_backend_default()};
    struct opt opts[] = {
        {.kind = OPT_INT,
         .name = "batch",
         .dst = &r.n_seq,
         .arg = "N",
         .min = 1,
         .max = 1 << 20,
         .help = "sequences of a training batch (default {})"},
        {.kind = OPT_INT,
         .name = "context",
         .dst = &r.n_ctx,
         .arg = "N",
         .min = 0,
         .max = 1 << 24,
         .help = "tokens of each; 0: the model's context (default {})"},
        {.kind = OPT_CHOICE,
         .name = "dtype",
         .dst = &r.dtype,
         .arg = "f32|bf16",
         .choices = gemm_dtype_words,
         .help = "inputs of the matrix products (default {})"},
        {.kind = OPT_CHOICE,
         .name = "gemm",
         .dst = &r.gemm,
         .arg = "own|openblas|ref",
         .choices = gemm_backend_words,
         .help = "who computes the matrix products (default {})"},
        {.kind = OPT_CHOICE,
         .name = "recompute",
         .dst = &r.recompute,
         .arg = "none|block",
         .choices = recompute_words,
         .help = "what training keeps: all, or each layer's input and attention (default {})"},
        {.kind = OPT_REAL,
         .name = "speed",
         .dst = &r.tok_per_s,
         .arg = "X",
         .rmin = 1e-9,
         .rmax = 1e18,
         .help = "tokens a second, for the time that training takes"},
        {.kind = OPT_FLAG,
         .name = "measure",
         .dst = &r.measure,
         .help = "measure that speed by three steps of training here"},
        OPT_JSON(&r.json),
        OPT_THREADS(&r.n_threads),
        OPT_QUIET(&r.quiet),
        {.kind = OPT_COUNT,
         .letter = 'v',
         .name = "verbose",
         .dst = &r.verbose,
         .help = "list the tensors, too"},
        OPT_END,
    };
    struct prog p = {.name = "model info",
                     .purpose = "say what a model is made of and what it costs",
                     .synopsis = "[--batch N] [--context N] [--json] DIR|CONFIG|PRESET\n",
                     .opts = opts};

    if (!prog_begin(&p, argc, argv, &e))
        return prog_end(&p, -1, &e);
    p.quiet = r.quiet;
    p.verbose = r.verbose;
    r.prog = &p;
    int rc = -1;
    if (p.n_operands != 1) {
        err_usage(&e, "one model is needed: a directory, a config.json or a preset's name");
    } else {
        r.path = p.operands[0];
        rc = info(&r, &e);
    }
    config_release(&r.config);
    return prog_end(&p, rc, &e);
}
