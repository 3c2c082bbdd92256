/* bpe-train: WordPiece and Unigram. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "token/vocab_train.h"
#include "train.h"

int train_prepare_text(struct train *t, struct err *e)
{
    struct buf normalizer = BUF_INIT;
    if (t->model == MODEL_WORDPIECE)
        t->text = train_text_new(wordpiece_normalizer(!t->cased), wordpiece_pre_tokenizer, e);
    else if (t->model == MODEL_BPE)
        t->text = train_text_new(t->normalizer.s, NULL, e);
    else if (unigram_normalizer(t->normalize ? t->normalizer.s : NULL, &normalizer, e) == 0)
        t->text = train_text_new(normalizer.s, unigram_pre_tokenizer, e);
    buf_release(&normalizer);
    t->text_run = mem_new((size_t)t->n_threads, sizeof(struct train_text_run *), e);
    if (!t->text || !t->text_run)
        return -1;
    for (int64_t i = 0; i < t->n_threads; i++)
        if (!(t->text_run[i] = train_text_run_new(t->text, e)))
            return -1;
    return 0;
}

static int count(struct train *t, const struct doc *doc, int thread, struct err *e)
{
    return train_text_count(t->text_run[thread], t->counts, thread, doc->text, doc->len, e);
}

static int show_training(void *user, double done, struct err *e)
{
    struct train *t = user;
    (void)e;
    progress_at(&t->bar, done * t->bar.total, "");
    return 0;
}

/* Both models other than BPE: what is counted goes in, a document comes out. */
static int train(struct train *t, double read_s, struct err *e)
{
    const struct vocab_train_opt opt = {
        .vocab_size = (uint32_t)t->vocab_size,
        .special = t->opt.special,
        .n_special = t->opt.n_special,
        .n_threads = (int)t->n_threads,
        .progress = show_training,
        .user = t,
        .min_frequency = (uint64_t)t->min_frequency,
        .limit_alphabet = (uint32_t)t->limit_alphabet,
        .max_token_chars = (uint32_t)t->max_token_length,
        .lowercase = !t->cased,
        .normalizer = t->normalize ? t->normalizer.s : NULL,
        .split_digits = t->split_digits,
        .byte_fallback = t->byte_fallback,
        .character_coverage = t->character_coverage,
        .seed_size = (uint32_t)t->seed_size,
        .max_piece_chars = (uint32_t)t->max_piece_chars,
        .shrinking_factor = t->shrinking_factor,
        .n_sub_iterations = (int)t->n_sub_iterations,
    };
    struct vocab_stat stat;
    struct buf json = BUF_INIT;
    int rc;
    (void)read_s;
    progress_start(&t->bar, "bpe-train: training", "ids", (double)t->vocab_size, t->progress,
                   t->quiet);
    rc = (t->model == MODEL_UNIGRAM ? unigram_train : wordpiece_train)(t->counts, &opt, &json,
                                                                       &stat, e);
    progress_finish(&t->bar);
    if (rc == 0)
        rc = out_write(t->out, json.s, json.len, e);
    buf_release(&json);
    if (rc < 0)
        return -1;
    if (!stat.n_pieces)
        prog_warn(t->prog, "there is no text: the vocabulary has special tokens only");
    prog_note(t->prog,
              "%" PRIu32 " ids: %zu special tokens, %" PRIu32 " characters; from %" PRIu64
              " documents, %" PRIu64 " bytes, %" PRIu64 " pieces (%" PRIu64 " distinct)",
              stat.n_ids, t->opt.n_special, stat.n_chars, t->docs_counts.n_docs,
              t->docs_counts.n_bytes, stat.n_pieces, stat.n_distinct);
    train_tell_skipped(t);
    return 0;
}

const struct train_kind train_other = {train_prepare_text, count, train, NULL};
