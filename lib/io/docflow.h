/*
 * Documents through threads: records are read one block after the other, parsed and worked on by
 * n_threads threads, and handed on in the order of the input, so that what is written does not
 * depend on the number of threads. Bad records are counted and rejected as docs.h says, in the same
 * order.
 *
 *     struct docflow f = {.work = ..., .put = ..., .result_size = sizeof(struct my_result)};
 *     rc = docflow_run(&f, user, docs, &opt, n_threads, e);
 *
 * work(user, doc, thread, result, e): in any thread, before the document's number is known; thread
 * in [0, n_threads) picks scratch; result is result_size zeroed bytes of this document. May be
 * NULL. put(user, doc, result, e): in order, one at a time, in any thread. May be NULL. Of the
 * document it may use raw (with what --on-error replace repaired), file, line, number, and text
 * only where there is no raw, that is of plain text. What these point to stays until the next done;
 * a newline stands behind what is as it was in the input, if one stood there.
 * ready(user, result, stride, n, e): before the puts of the n documents whose results lie stride
 * bytes apart, in order and one at a time like these, for what is better done for many at once. The
 * results of records that are skipped, which no put will see, are zeroed bytes. May be NULL.
 * settle: as ready, but in a stage of its own, which another thread may run while one puts the
 * documents before. May be NULL.
 * done(user, e): after some puts, and after the last that was successful, in the thread of those
 * puts, for progress. May be NULL. All return 0, or -1, which ends the run.
 *
 * What ready, put and done touch needs no lock, unless work touches it too. What they write and
 * what work reads should not lie in one line of the cache (128 bytes apart is enough), nor what two
 * threads write: each record would cost a wait.
 *
 * What is of no fixed size goes to docflow_more(result), a buffer that the results of a batch
 * share: work appends to it and notes in its result where, put reads it there.
 */
#ifndef IO_DOCFLOW_H
#define IO_DOCFLOW_H

#include <stddef.h>
#include "io/docs.h"

struct docflow {
    int (*work)(void *user, const struct doc *doc, int thread, void *result, struct err *e);
    int (*put)(void *user, const struct doc *doc, const void *result, struct err *e);
    int (*ready)(void *user, void *result, size_t stride, size_t n, struct err *e);
    int (*settle)(void *user, void *result, size_t stride, size_t n, struct err *e);
    int (*done)(void *user, struct err *e);
    size_t result_size;
};
struct buf *docflow_more(const void *result);
int docflow_run(const struct docflow *f, void *user, struct docs *d, const struct docs_opt *o,
                int n_threads, struct err *e);

#endif
