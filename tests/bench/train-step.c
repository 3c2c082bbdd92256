/*
 * Whole training steps: random ids, no dropout, clipping at 1.0, AdamW; the median of the steps
 * after the second, and the peak of memory.
 *     train-step [-j N] [CONFIG [BxT[:f32|bf16][:ref|openblas|own][:profile]]...]
 * Without arguments: gpt2-124m 4x64:f32. One shape a run has the memory's peak to itself.
 */
#include <stdio.h>
#include <string.h>
#include "base/sys.h"
#include "train/speed.h"

static void die(const char *what)
{
    fprintf(stderr, "train-step: %s\n", what);
    exit(1);
}

static void run(const char *preset, const char *spec, int n_threads)
{
    struct err e = {0};
    struct config c;
    struct exec_opt o = {.gemm = gemm_backend_default(), .n_threads = n_threads};
    struct speed s;
    char *at, name[128];
    int n_seq = (int)strtol(spec, &at, 10), n_ctx = *at == 'x' ? (int)strtol(at + 1, &at, 10) : 0;

    if (n_seq < 1 || n_ctx < 1)
        die(spec);
    if (config_load(&c, preset, &e) < 0)
        die(e.msg);
    for (int i = 0; gemm_backend_words[i]; i++)
        if (strstr(at, gemm_backend_words[i]))
            o.gemm = (enum gemm_backend)i;
    o.dtype = strstr(at, ":bf16") ? GEMM_BF16 : GEMM_F32;
    o.profile = strstr(at, ":profile");
    if (speed_train(&s, &c, &o, n_seq, n_ctx, n_seq * n_ctx < 1024 ? 10 : 6, &e) < 0)
        die(e.msg);
    snprintf(name, sizeof name, "train-step/%s/%dx%d/%s/%s", preset, n_seq, n_ctx,
             gemm_dtype_words[o.dtype], gemm_backend_words[o.gemm]);
    printf("%s %.1f tok/s\n", name, s.tok_per_s);
    printf("%s/step %.3f s\n", name, s.step_s);
    printf("%s/first-step %.3f s\n", name, s.first_s);
    printf("%s/flops %.1f GFLOP/s\n", name, s.flops_per_s / 1e9);
    printf("%s/max-rss %.2f GiB\n", name, (double)sys_max_rss() / 0x1p30);
    printf("%s", s.profile.s);
    buf_release(&s.profile);
    config_release(&c);
}

int main(int argc, char **argv)
{
    int n_threads = 0, at = 1;

    if (argc > 2 && !strcmp(argv[1], "-j")) {
        n_threads = (int)strtol(argv[2], NULL, 10);
        at = 3;
    }
    const char *preset = at < argc ? argv[at++] : "gpt2-124m";
    if (at >= argc)
        run(preset, "4x64:f32", n_threads);
    for (; at < argc; at++)
        run(preset, argv[at], n_threads);
    return 0;
}
