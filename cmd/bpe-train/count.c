/* Reading the texts of bpe-train: their pieces are counted, in bounded memory where --mem asks. */
#include <inttypes.h>

#include "io/docflow.h"
#include "train.h"

/* Keeps the counts in a quarter of --mem and, once all is read, the merging in the whole of it: the
 * rarest pieces go. */
static int make_room(struct train *t, bool all, struct err *e)
{
    for (;;) {
        uint64_t n_pieces, n_bytes;
        bpe_counts_stat(t->counts, &n_pieces, &n_bytes);
        bool fits = all ? bpe_counts_need(t->counts, t->opt.vocab_size) <= (uint64_t)t->mem_bytes
                        : n_bytes <= (uint64_t)t->mem_bytes / 4;
        if (fits)
            return 0;
        if (t->drop_below > (uint64_t)1 << 40)
            return err_set(e, "--mem: the vocabulary alone needs more; give more, or a smaller -s");
        t->drop_below = t->drop_below ? t->drop_below + (t->drop_below + 3) / 4 : 2;
        if (bpe_counts_drop(t->counts, t->drop_below, &t->n_dropped, e) < 0)
            return -1;
    }
}

static int count_doc(void *user, const struct doc *doc, int thread, void *result, struct err *e)
{
    struct train *t = user;
    (void)result;
    if (t->kind->count(t, doc, thread, e) == 0)
        return t->mem_bytes ? make_room(t, false, e) : 0;
    return doc->line ? err_prefix(e, "%s:%" PRIu64 ": ", doc->file, doc->line)
                     : err_prefix(e, "%s: ", doc->file);
}

static int show_reading(void *user, struct err *e)
{
    struct train *t = user;
    double done;
    (void)e;
    docs_progress(t->docs, &done, &t->bar.total);
    progress_at(&t->bar, done, "");
    return 0;
}

int train_read_all(struct train *t, struct err *e)
{
    struct docflow flow = {.work = count_doc, .done = show_reading};
    t->docs = docs_open(t->prog->operands, t->prog->n_operands, &t->docs_opt, e);
    if (!t->docs)
        return -1;
    progress_start(&t->bar, "bpe-train: counting", "B", 0, t->progress, t->quiet);
    int rc = docflow_run(&flow, t, t->docs, &t->docs_opt, t->mem_bytes ? 1 : (int)t->n_threads, e);
    progress_finish(&t->bar);
    if (rc < 0 || (t->mem_bytes && make_room(t, true, e) < 0))
        return -1;
    if (t->n_dropped)
        prog_warn(t->prog,
                  "--mem: the counts are not exact: pieces that had been seen less than %" PRIu64
                  " times were forgotten, %" PRIu64 " places in all",
                  t->drop_below, t->n_dropped);
    struct docs *docs = t->docs;
    t->docs = NULL;
    return docs_close(docs, &t->docs_counts, e);
}

void train_tell_skipped(const struct train *t)
{
    if (t->docs_counts.n_skipped || t->docs_counts.n_replaced)
        prog_note(t->prog,
                  "%" PRIu64 " bad records skipped, %" PRIu64 " repaired (invalid UTF-8 replaced)",
                  t->docs_counts.n_skipped, t->docs_counts.n_replaced);
}
