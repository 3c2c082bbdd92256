/* generate: text from a model. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>
#include "base/compiler.h"
#include "base/num.h"
#include "base/prog.h"
#include "base/signals.h"
#include "base/sys.h"
#include "infer/prompts.h"
#include "io/apart.h"

static struct generate_options o = {
    .sampler = {.temperature = 0.8,
                .top_k = 40,
                .top_p = 0.95,
                .min_p = 0.05,
                .repeat_penalty = 1,
                .seed = 1},
    .n_max = 256,
};
static struct docs_opt docs = DOCS_OPT_INIT;
static const char *model, *prompt;
static struct opt_list stops;
static int64_t n_threads;
static int gemm, dtype, verbose;
static bool chat, quiet;

/* clang-format off */
static struct opt opts[] = {
    {.kind = OPT_STR, .letter = 'm', .name = "model", .dst = &model, .arg = "DIR",
     .help = "the model's directory, or a run's"},
    {.kind = OPT_STR, .letter = 'p', .name = "prompt", .dst = &prompt, .arg = "TEXT", .utf8 = true,
     .help = "the prompt (default: those in FILE or on standard input)"},
    {.kind = OPT_INT, .letter = 'n', .name = "tokens", .dst = &o.n_max, .arg = "N", .min = -1, .max = INT64_MAX,
     .help = "tokens of a completion at the most; -1: no limit (default {})"},
    {.kind = OPT_FLAG, .name = "chat", .dst = &chat,
     .help = "the prompt is what a user says; answer as the assistant"},
    {.kind = OPT_FLAG, .name = "ids", .dst = &o.ids_only,
     .help = "prompt and output are token ids; needs no tokenizer"},
    {.kind = OPT_LIST, .name = "stop", .dst = &stops, .arg = "TEXT", .utf8 = true,
     .help = "end before TEXT; may be given several times"},
    {.kind = OPT_FLAG, .name = "ignore-eos", .dst = &o.ignore_eos,
     .help = "never choose a token that ends the text"},
    {.kind = OPT_TITLE, .help = "Choosing tokens"},
    {.kind = OPT_REAL, .name = "temperature", .dst = &o.sampler.temperature, .arg = "X", .rmin = 0, .rmax = 1e3,
     .help = "divide logits by X; 0: always the likeliest token (default {})"},
    {.kind = OPT_INT, .name = "top-k", .dst = &o.sampler.top_k, .arg = "N", .min = 0, .max = INT64_MAX,
     .help = "among the N likeliest; 0: all (default {})"},
    {.kind = OPT_REAL, .name = "top-p", .dst = &o.sampler.top_p, .arg = "X", .rmin = 0, .rmax = 1,
     .help = "among the fewest that hold probability X (default {})"},
    {.kind = OPT_REAL, .name = "min-p", .dst = &o.sampler.min_p, .arg = "X", .rmin = 0, .rmax = 1,
     .help = "among those at least X times as likely as the likeliest (default {})"},
    {.kind = OPT_REAL, .name = "repeat-penalty", .dst = &o.sampler.repeat_penalty, .arg = "X", .rmin = 0.01, .rmax = 100,
     .help = "make tokens that have occurred less likely (default {}: no)"},
    OPT_SEED(&o.sampler.seed),
    {.kind = OPT_TITLE, .help = "Input and computation"},
    DOCS_OPTIONS(&docs),
    {.kind = OPT_FLAG, .name = "no-kv-cache", .dst = &o.no_cache,
     .help = "compute the whole text again for every token"},
    {.kind = OPT_CHOICE, .name = "dtype", .dst = &dtype, .arg = "f32|bf16", .choices = gemm_dtype_words,
     .help = "inputs of the matrix products (default {})"},
    {.kind = OPT_CHOICE, .name = "gemm", .dst = &gemm, .arg = "own|openblas|ref", .choices = gemm_backend_words,
     .help = "matrix products by (default {})"},
    OPT_THREADS(&n_threads), OPT_QUIET(&quiet), OPT_VERBOSE(&verbose),
    OPT_END,
};
/* clang-format on */

static void report(const struct prog *p, const struct prompts *w)
{
    char a[32];

    if (w->n_dropped)
        prog_note(p, "the context was full: its oldest half was dropped %" PRIu64 " time%s",
                  w->n_dropped, w->n_dropped == 1 ? "" : "s");
    if (w->n_skipped)
        prog_note(p, "%" PRIu64 " record%s left out", w->n_skipped, w->n_skipped == 1 ? "" : "s");
    prog_talk(p, "%" PRIu64 " prompt tokens and the first new one of each in %s", w->n_tokens_in,
              num_human_time(a, w->prompt_s));
    if (w->n_tokens_out > w->n && w->new_s > 0)
        prog_talk(p, "%" PRIu64 " new tokens, %.1f a second", w->n_tokens_out,
                  (double)(w->n_tokens_out - w->n) / w->new_s);
}

static int check(const struct prog *p, struct err *e)
{
    if (!model)
        return err_usage(e, "-m DIR is missing: the model");
    if (prompt && p->n_operands)
        return err_usage(e, "-p and FILE exclude each other");
    const char *given = prompt ? docs_given(opts) : NULL;
    if (given)
        return err_usage(e, "--%s is for prompts in files, and -p gives the prompt", given);
    if (docs_check_key(opts, &docs, e) < 0)
        return -1;
    if (chat && o.ids_only)
        return err_usage(e, "--chat and --ids exclude each other");
    if (o.ids_only && stops.n)
        return err_usage(e, "--stop and --ids exclude each other");
    for (size_t i = 0; i < stops.n; i++)
        if (stops.v[i][0] == '\0')
            return err_usage(e, "--stop: an empty text");
    const struct file_use use[] = {{FILE_KEEP, "-m", model},
                                   {FILE_OUT, "the text", "-"},
                                   {FILE_OUT, "--rejected", docs.rejected}};
    return files_apart(prompt ? NULL : p->operands, p->n_operands, use, ARRAY_LEN(use), e);
}

static int run(struct prog *p, struct err *e)
{
    struct modeldir d = {0};
    struct prompts w = {.d = &d, .ids = o.ids_only, .chat = chat, .flush = prompt || isatty(1)};
    double begun_s = sys_time();
    enum isa isa;
    int rc = -1;

    if (check(p, e) < 0)
        return -1;
    if (cpu_isa(&isa, e) < 0 || gemm_backend_check(o.gemm, o.dtype, e) < 0 ||
        modeldir_open(&d, model, o.ids_only ? 0 : MODELDIR_TOKENIZER, e) < 0)
        return -1;
    sig_cleanup();
    w.g = generator_new(&d, &o, e);
    double opened_s = sys_time() - begun_s;
    if (w.g && (w.out = out_open("-", 0, e))) {
        rc = prompt ? prompts_text(&w, prompt, strlen(prompt), e)
                    : prompts_docs(&w, p->operands, p->n_operands, &docs, e);
        if (rc == 0)
            rc = out_commit(w.out, e);
        else
            out_abort(w.out);
    }
    if (rc == 0) {
        prog_talk(p, "the model was opened in %.3f s, its weights packed in %.3f s", opened_s,
                  generator_packing_s(w.g));
        report(p, &w);
    }
    generator_free(w.g);
    modeldir_close(&d);
    return rc;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct prog p = {.name = "generate",
                     .purpose = "continue prompts with a language model",
                     .synopsis = "-m DIR [options] -p TEXT\n"
                                 "-m DIR [options] [FILE...]\n",
                     .opts = opts};

    gemm = gemm_backend_default();
    if (!prog_begin(&p, argc, argv, &e))
        return prog_end(&p, -1, &e);
    p.quiet = quiet;
    p.verbose = verbose;
    o.gemm = (enum gemm_backend)gemm;
    o.dtype = (enum gemm_dtype)dtype;
    o.n_threads = n_threads ? (int)n_threads : sys_n_cpu();
    o.stop = stops.v;
    o.n_stop = stops.n;
    int rc = run(&p, &e);
    opt_release(opts);
    return prog_end(&p, rc, &e);
}
