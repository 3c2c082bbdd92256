/*
 * Prompts from the command line, files or stdin through a generator, and what comes of them to
 * stdout. See generate(1).
 */
#ifndef INFER_PROMPTS_H
#define INFER_PROMPTS_H

#include "infer/generate.h"
#include "io/docs.h"
#include "io/out.h"

struct prompts {
    struct modeldir *d;
    struct generator *g;
    struct out *out;
    bool ids;   /* prompts and completions are ids in decimal, separated by spaces */
    bool chat;  /* prompts are what a user says, or records of conversations */
    bool flush; /* after every piece: someone is watching */

    uint64_t n, n_tokens_in, n_tokens_out, n_dropped, n_skipped; /* counts */
    double prompt_s, new_s;
};
/* One prompt as text; the completion and a newline go out. */
int prompts_text(struct prompts *p, const char *text, size_t n, struct err *e);
/* All of an input: JSONL records go out with "completion" added, each as soon as it is done, texts
 * as prompts_text. What cannot be a prompt is treated as o->on_error says; one whose completion a
 * signal broke off is not written. */
int prompts_docs(struct prompts *p, char *const *operands, int n, const struct docs_opt *o,
                 struct err *e);

#endif
