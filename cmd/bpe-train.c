/* bpe-train: trains a tokenizer: byte-level BPE, WordPiece or Unigram. See bpe-train(1). */
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/signals.h"
#include "base/sys.h"
#include "bpe-train/train.h"
#include "io/apart.h"

static int check_files(const struct train *t, struct err *e)
{
    struct buf roles = BUF_INIT;
    if (train_has_roles(t) && train_roles_path(t, &roles, e) < 0)
        return -1;
    const struct file_use use[] = {{FILE_IN, "--extend", t->extend_path},
                                   {FILE_REPLACE, "-o", t->out_path ? t->out_path : "-"},
                                   {FILE_OUT, "--rejected", t->docs_opt.rejected},
                                   {FILE_OUT, "--bos, --eos or --pad", roles.len ? roles.s : NULL}};
    int rc = files_apart(t->prog->operands, t->prog->n_operands, use, ARRAY_LEN(use), e);
    buf_release(&roles);
    return rc;
}

static int run(struct train *t, struct err *e)
{
    t->kind = t->extend_path ? &train_extend : t->model == MODEL_BPE ? &train_bpe : &train_other;
    if (train_choose_specials(t, e) < 0)
        return -1;
    t->opt.vocab_size = (uint32_t)t->vocab_size;
    t->opt.min_frequency = (uint64_t)t->min_frequency;
    t->opt.max_token_bytes = (uint32_t)t->max_token_length;
    t->opt.n_threads = (int)t->n_threads;
    if (train_has_roles(t) && (!t->out_path || !strcmp(t->out_path, "-")))
        return err_usage(e, "--bos, --eos and --pad go to the tokenizer_config.json beside the "
                            "file of -o, and there is none");
    if (check_files(t, e) < 0)
        return -1;
    if (t->normalize && train_text_normalizer(t->normalize, &t->normalizer, e) < 0)
        return -1;
    if (t->kind->prepare(t, e) < 0)
        return -1;
    t->counts = bpe_counts_new(t->mem_bytes ? 1 : (int)t->n_threads, e);
    t->out = t->counts ? out_open(t->out_path, 0, e) : NULL;
    if (!t->out)
        return -1;
    const double start_s = sys_time();
    if (train_read_all(t, e) < 0 || t->kind->train(t, sys_time() - start_s, e) < 0)
        return -1;
    struct out *out = t->out;
    t->out = NULL;
    if (out_commit(out, e) < 0 || (train_has_roles(t) && train_save_roles(t, e) < 0))
        return -1;
    if (t->kind->tell)
        t->kind->tell(t);
    return 0;
}

static void release(struct train *t)
{
    out_abort(t->out);
    docs_abort(t->docs);
    for (int64_t i = 0; t->cutter && i < t->n_threads; i++)
        cutter_free(t->cutter[i]);
    free(t->cutter);
    for (int64_t i = 0; t->text_run && i < t->n_threads; i++)
        train_text_run_free(t->text_run[i]);
    free(t->text_run);
    train_text_free(t->text);
    buf_release(&t->normalizer);
    bpe_extend_free(t->extend);
    tokenizer_close(t->old);
    split_free(t->split);
    bpe_counts_free(t->counts);
    bpe_vocab_free(t->vocab);
    free((void *)t->opt.special);
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct train t;
    train_defaults(&t);
    struct prog p = {.name = "bpe-train",
                     .purpose = "train a tokenizer: byte-level BPE, WordPiece or Unigram",
                     .synopsis = "[-s N] [--split gpt2|cl100k|o200k | --split-regex RE] "
                                 "[--special TOKEN]... -o tok.json [FILE...]\n"
                                 "--extend old.json -s N -o tok.json [FILE...]\n"
                                 "--model wordpiece [--cased] [-s N] -o tok.json [FILE...]\n"
                                 "--model unigram [--byte-fallback] [-s N] -o tok.json [FILE...]\n",
                     .opts = t.opts};
    int rc = -1;
    t.prog = &p;
    if (prog_begin(&p, argc, argv, &e)) {
        p.quiet = t.quiet;
        p.verbose = t.verbose;
        sig_cleanup();
        if (t.n_threads == 0)
            t.n_threads = sys_n_cpu();
        rc = train_check(&t, &e) < 0 ? -1 : run(&t, &e);
    }
    release(&t);
    opt_release(t.opts);
    return prog_end(&p, rc, &e);
}
