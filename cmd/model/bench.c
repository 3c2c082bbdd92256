/* model bench: speed of whole models beside what the machine could do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/cpu.h"
#include "base/num.h"
#include "base/opt.h"
#include "base/prog.h"
#include "base/sys.h"
#include "io/jtree.h"
#include "subcommand.h"
#include "train/bench.h"

struct bench {
    struct config config;
    struct bench_peaks peaks;
    struct exec_opt o;
    const char *train, *prefill, *decode; /* lists, as given */
    int64_t n_threads;
    int dtype, gemm, recompute;
    bool json, profile, quiet;
};

static void print_row_json(const struct bench *b, const struct bench_row *r)
{
    bool peak = r->kind == BENCH_PEAK;
    json_t *o = json_pack("{s:s, s:s?, s:s?, s:i}", "kind", bench_kind_words[r->kind], "dtype",
                          r->read ? NULL : gemm_dtype_words[b->o.dtype], "gemm",
                          peak ? NULL : gemm_backend_words[b->gemm], "threads", b->o.n_threads);
    const struct {
        const char *key;
        double value; /* 0: null */
        bool whole;
    } more[] = {
        {"batch", r->n_seq, true},
        {"context", r->n_ctx, true},
        {"tok_per_s", r->tok_per_s, false},
        {"flops_per_s", r->flops_per_s, false},
        {"bytes_per_s", r->bytes_per_s, false},
        {"peak_share", peak ? 1 : r->peak_share, false},
        {"step_s", r->step_s, false},
        {"first_s", r->first_s, false},
        {"repeats", r->n_made, true},
        {"max_rss_bytes", (double)r->max_rss, true},
    };

    for (size_t i = 0; o && i < ARRAY_LEN(more); i++)
        json_object_set_new(o, more[i].key,
                            more[i].value <= 0 ? json_null()
                            : more[i].whole    ? json_integer((json_int_t)more[i].value)
                                               : json_real(more[i].value));
    char *line = o ? json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
    if (line)
        puts(line);
    free(line);
    json_decref(o);
}

static void print_row(const struct bench *b, const struct bench_row *r)
{
    char what[48], a[32];

    if (b->json) {
        print_row_json(b, r);
    } else if (r->kind == BENCH_PEAK) {
        snprintf(what, sizeof what, "peak, %s", r->read ? "memory" : gemm_dtype_words[b->o.dtype]);
        printf("%-22s %12s %9.1f %s\n", what, "", (r->read ? r->bytes_per_s : r->flops_per_s) / 1e9,
               r->read ? "GB/s" : "GFLOP/s");
    } else {
        snprintf(what, sizeof what, "%s %dx%d", bench_kind_words[r->kind], r->n_seq, r->n_ctx);
        printf("%-22s %12.1f %9.1f %-8s %3.0f %% %9.3g s %9.3g s %10s\n", what, r->tok_per_s,
               (r->kind == BENCH_DECODE ? r->bytes_per_s : r->flops_per_s) / 1e9,
               r->kind == BENCH_DECODE ? "GB/s" : "GFLOP/s", 100 * r->peak_share, r->step_s,
               r->first_s, num_human_bytes(a, (double)r->max_rss));
    }
    fflush(stdout);
}

/* "4x64,1x1024" where with_batch, else "128,512"; *at moves to the next item, NULL: there is none.
 */
static int next_item(const char *name, const char *list, const char **at, bool with_batch,
                     struct bench_row *r, struct err *e)
{
    char item[32] = "";
    size_t n = strcspn(*at, ",");
    int64_t n_seq = 1, n_ctx = 0;

    if (n < sizeof item)
        memcpy(item, *at, n);
    char *x = with_batch ? strchr(item, 'x') : item;
    if (with_batch && x)
        *x++ = '\0';
    if (!x || (with_batch && num_int(item, 1, 1 << 20, &n_seq, NULL) < 0) ||
        num_int(x, 1, 1 << 24, &n_ctx, NULL) < 0)
        return err_usage(e, "--%s %s: %s are expected, with commas between them", name, list,
                         with_batch ? "batches such as 4x256" : "numbers of tokens");
    *at = (*at)[n] ? *at + n + 1 : NULL;
    r->n_seq = (int)n_seq;
    r->n_ctx = (int)n_ctx;
    return 0;
}

/* Every item of a list, if there is one; the first time only to see that all are well formed. */
static int run_list(const struct bench *b, enum bench_kind kind, const char *list, bool check_only,
                    struct err *e)
{
    for (const char *at = list; at;) {
        struct bench_row r = {.kind = kind};
        if (next_item(bench_kind_words[kind], list, &at, kind == BENCH_TRAIN, &r, e) < 0)
            return -1;
        if (b->config.pos == POS_LEARNED && r.n_ctx > b->config.n_ctx)
            return err_usage(e, "--%s: %d is over the model's context of %d",
                             bench_kind_words[kind], r.n_ctx, b->config.n_ctx);
        if (check_only)
            continue;
        struct buf profile = BUF_INIT;
        int rc = bench_run(&r, &b->config, &b->o, &b->peaks, &profile, e);
        if (rc == 0) {
            print_row(b, &r);
            if (profile.len > 0)
                printf("\n%.*s\n", (int)profile.len, profile.s);
        }
        buf_release(&profile);
        if (rc < 0)
            return -1;
    }
    return 0;
}

static int run_lists(const struct bench *b, bool check_only, struct err *e)
{
    return run_list(b, BENCH_TRAIN, b->train, check_only, e) < 0 ||
                   run_list(b, BENCH_PREFILL, b->prefill, check_only, e) < 0 ||
                   run_list(b, BENCH_DECODE, b->decode, check_only, e) < 0
               ? -1
               : 0;
}

/* The processor's peak for both types, and the memory's. */
static int run_peaks(struct bench *b, struct err *e)
{
    for (int t = GEMM_F32; t <= GEMM_BF16; t++) {
        struct bench_row r = {.kind = BENCH_PEAK};
        b->o.dtype = (enum gemm_dtype)t;
        if (bench_run(&r, NULL, &b->o, NULL, NULL, e) < 0)
            return -1;
        print_row(b, &r);
        if (t == b->dtype)
            b->peaks.flops_per_s = r.flops_per_s;
    }
    struct bench_row r = {.kind = BENCH_PEAK, .read = true};
    if (bench_run(&r, NULL, &b->o, NULL, NULL, e) < 0)
        return -1;
    print_row(b, &r);
    b->peaks.bytes_per_s = r.bytes_per_s;
    b->o.dtype = (enum gemm_dtype)b->dtype;
    return 0;
}

static int bench(struct bench *b, const char *path, struct err *e)
{
    char train[32], prefill[32], decode[32];
    enum isa isa;

    b->o = (struct exec_opt){.dtype = (enum gemm_dtype)b->dtype,
                             .gemm = (enum gemm_backend)b->gemm,
                             .recompute = (enum recompute)b->recompute,
                             .profile = b->profile,
                             .n_threads = b->n_threads ? (int)b->n_threads : sys_n_cpu()};
    if (b->profile && b->json)
        return err_usage(e, "--profile prints a table: not with --json");
    if (cpu_isa(&isa, e) < 0 || gemm_backend_check(b->o.gemm, b->o.dtype, e) < 0 ||
        model_load_config(path, &b->config, e) < 0)
        return -1;
    if (!b->train && !b->prefill && !b->decode) {
        int n = b->config.n_ctx;
        snprintf(train, sizeof train, "1x%d", n < 1024 ? n : 1024);
        snprintf(prefill, sizeof prefill, "%d", n < 512 ? n : 512);
        snprintf(decode, sizeof decode, "%d", n < 128 ? n : 128);
        b->train = train;
        b->prefill = prefill;
        b->decode = decode;
    }
    if (run_lists(b, true, e) < 0)
        return -1;
    if (!b->json)
        printf("%s, %s, products by %s, %d threads, %s\n\n%-22s %12s %9s %-8s %5s %11s %11s %10s\n",
               path, gemm_dtype_words[b->dtype], gemm_backend_words[b->gemm], b->o.n_threads,
               cpu_isa_name(isa), "", "tokens/s", "", "", "peak", "time", "first", "memory");
    if (run_peaks(b, e) < 0)
        return -1;
    return run_lists(b, false, e);
}

int model_bench(int argc, char **argv)
{
    struct err e = {0};
    struct bench b = {.gemm = gemm_backend_default()};
    struct opt opts[] = {
        {.kind = OPT_STR,
         .name = "train",
         .dst = &b.train,
         .arg = "BxT,...",
         .help = "whole training steps on B sequences of T tokens"},
        {.kind = OPT_STR,
         .name = "prefill",
         .dst = &b.prefill,
         .arg = "N,...",
         .help = "prompts of N tokens"},
        {.kind = OPT_STR,
         .name = "decode",
         .dst = &b.decode,
         .arg = "N,...",
         .help = "N tokens written one by one"},
        {.kind = OPT_CHOICE,
         .name = "dtype",
         .dst = &b.dtype,
         .arg = "f32|bf16",
         .choices = gemm_dtype_words,
         .help = "inputs of the matrix products (default {})"},
        {.kind = OPT_CHOICE,
         .name = "gemm",
         .dst = &b.gemm,
         .arg = "own|openblas|ref",
         .choices = gemm_backend_words,
         .help = "who computes the matrix products (default {})"},
        {.kind = OPT_CHOICE,
         .name = "recompute",
         .dst = &b.recompute,
         .arg = "none|block",
         .choices = recompute_words,
         .help = "what training keeps: all, or each layer's input and attention (default {})"},
        {.kind = OPT_FLAG,
         .name = "profile",
         .dst = &b.profile,
         .help = "show where the time of training steps goes"},
        OPT_JSON(&b.json),
        OPT_THREADS(&b.n_threads),
        OPT_QUIET(&b.quiet),
        OPT_END,
    };
    struct prog p = {.name = "model bench",
                     .purpose = "measure how fast a model trains, reads and writes here",
                     .synopsis = "[--train BxT,...] [--prefill N,...] [--decode N,...] [--json] "
                                 "DIR|CONFIG|PRESET\n",
                     .opts = opts};

    if (!prog_begin(&p, argc, argv, &e))
        return prog_end(&p, -1, &e);
    p.quiet = b.quiet;
    int rc =
        p.n_operands == 1
            ? bench(&b, p.operands[0], &e)
            : err_usage(&e, "one model is needed: a directory, a config.json or a preset's name");
    config_release(&b.config);
    return prog_end(&p, rc, &e);
}
