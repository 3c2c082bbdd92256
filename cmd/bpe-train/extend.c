/* bpe-train --extend: merges for a new domain, behind those of a tokenizer. */
#include <inttypes.h>

#include "train.h"

static int prepare(struct train *t, struct err *e)
{
    t->opt.progress = train_show_merging;
    t->opt.user = t;
    t->old = tokenizer_open(t->extend_path, e);
    if (!t->old)
        return -1;
    t->extend = bpe_extend_new(t->old, (int)t->n_threads, e);
    return t->extend ? 0 : err_prefix(e, "%s: ", t->extend_path);
}

static int count(struct train *t, const struct doc *doc, int thread, struct err *e)
{
    return bpe_extend_count(t->extend, thread, t->counts, doc->text, doc->len, e);
}

static int train(struct train *t, double read_s, struct err *e)
{
    struct buf json = BUF_INIT;
    size_t n_merges, n_ids;
    (void)read_s;
    progress_start(&t->bar, "bpe-train: merging", "ids", (double)t->vocab_size, t->progress,
                   t->quiet);
    int rc = bpe_extend_train(t->extend, t->counts, &t->opt, &json, &n_merges, &n_ids, e);
    progress_finish(&t->bar);
    if (rc == 0)
        rc = out_write(t->out, json.s, json.len, e);
    buf_release(&json);
    if (rc == 0) {
        prog_note(t->prog,
                  "%zu ids, %" PRIu32 " of them as before; %zu new merges; from %" PRIu64
                  " documents, %" PRIu64 " bytes",
                  n_ids, tokenizer_vocab_size(t->old), n_merges, t->docs_counts.n_docs,
                  t->docs_counts.n_bytes);
        train_tell_skipped(t);
    }
    return rc;
}

const struct train_kind train_extend = {prepare, count, train, NULL};
