/* bpe-train: byte-level BPE. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "base/sys.h"
#include "train.h"

static int prepare_split(struct train *t, struct err *e)
{
    t->split = split_new(e);
    if (!t->split)
        return -1;
    if (t->regex) {
        if (t->split_digits &&
            split_add_rule(t->split, &(struct split_rule){.kind = SPLIT_DIGITS, .digits = 1}, e) <
                0)
            return -1;
        if (split_add_regex(t->split, t->regex, strlen(t->regex), e) < 0) {
            e->kind = e->kind == ERR_FAIL ? ERR_USAGE : e->kind;
            return err_prefix(e, "--split-regex: ");
        }
    } else if ((t->split_digits &&
                split_add_rule(t->split, &(struct split_rule){.kind = SPLIT_DIGITS, .digits = 1},
                               e) < 0) ||
               split_add_name(t->split, train_split_name(t), e) < 0) {
        return -1;
    }
    t->cutter = mem_new((size_t)t->n_threads, sizeof(struct cutter *), e);
    for (int64_t i = 0; t->cutter && i < t->n_threads; i++) {
        t->cutter[i] = cutter_new(t->split, e);
        if (!t->cutter[i])
            return -1;
    }
    return t->cutter ? 0 : -1;
}

int train_show_merging(void *user, uint32_t n_ids, struct err *e)
{
    struct train *t = user;
    (void)e;
    progress_at(&t->bar, n_ids, "");
    return 0;
}

static int prepare(struct train *t, struct err *e)
{
    struct buf text = BUF_INIT;
    t->opt.progress = train_show_merging;
    t->opt.user = t;
    if (bpe_train_check(&t->opt, e) < 0 || prepare_split(t, e) < 0 ||
        (t->normalize && train_prepare_text(t, e) < 0))
        return -1;
    if (split_describe(t->split, &text, e) == 0)
        prog_talk(t->prog, "splitting by %s", text.s);
    buf_release(&text);
    return 0;
}

static int count(struct train *t, const struct doc *doc, int thread, struct err *e)
{
    const char *s = doc->text;
    size_t n = doc->len;
    if (t->text && !(s = train_text_form(t->text_run[thread], doc->text, doc->len, &n, e)))
        return -1;
    return bpe_count_text(t->counts, thread, t->cutter[thread], s, n, e);
}

/* NULL: GPT-2's, which ByteLevel has itself. */
static const char *pattern_of(const struct train *t)
{
    const char *name = train_split_name(t);
    if (t->regex)
        return t->regex;
    return strcmp(name, "gpt2") == 0 ? NULL : split_pattern(name);
}

static int train(struct train *t, double read_s, struct err *e)
{
    const double start_s = sys_time();
    progress_start(&t->bar, "bpe-train: merging", "ids", (double)t->vocab_size, t->progress,
                   t->quiet);
    t->vocab = bpe_train(t->counts, &t->opt, e);
    progress_finish(&t->bar);
    if (!t->vocab)
        return -1;
    t->vocab->normalizer = t->normalize ? t->normalizer.s : NULL;
    t->vocab->split_digits = t->split_digits;
    t->read_s = read_s;
    if (bpe_save(t->vocab, pattern_of(t), t->out, e) < 0)
        return -1;
    t->train_s = sys_time() - start_s;
    return 0;
}

static void tell(const struct train *t)
{
    const struct bpe_vocab *v = t->vocab;
    char mem[32];
    if (!v->n_pieces)
        prog_warn(t->prog, "there is no text: the vocabulary has bytes and special tokens only");
    prog_note(t->prog,
              "%" PRIu32 " ids: %" PRIu32 " special tokens, 256 bytes, %zu merges; from %" PRIu64
              " documents, %" PRIu64 " bytes, %" PRIu64 " pieces (%" PRIu64 " distinct)",
              v->n_ids, v->n_special, v->n_merges, t->docs_counts.n_docs, t->docs_counts.n_bytes,
              v->n_pieces, v->n_distinct);
    if (v->n_ids < t->opt.vocab_size && v->n_pieces)
        prog_note(t->prog,
                  "fewer than the %" PRIu32 " that were wanted: no other pair occurs %" PRIu64
                  " times",
                  t->opt.vocab_size, t->opt.min_frequency);
    train_tell_skipped(t);
    prog_talk(t->prog,
              "counting took %.2f s, merging %.2f s and %s; the last pair occurred %" PRIu64
              " times",
              t->read_s, t->train_s, num_human_bytes(mem, (double)v->mem_bytes), v->last_count);
}

const struct train_kind train_bpe = {prepare, count, train, tell};
