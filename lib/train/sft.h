/*
 * Supervised fine-tuning: conversations to a model that answers. See sft(1).
 *     struct sft f = {...options...};  sft_run(&f, operands, n, &session, e)
 */
#ifndef TRAIN_SFT_H
#define TRAIN_SFT_H

#include "io/docs.h"
#include "train/session.h"

struct sft {
    const char *model; /* directory */
    const char *val;   /* P% or a file of conversations; NULL: none */
    struct docs_opt docs;
    bool truncate;
};
int sft_run(const struct sft *f, char **operands, int n_operands, struct session *s, struct err *e);

#endif
