/*
 * Pretraining: shards to a model. See pretrain(1) for what each option means.
 *     struct pretrain p = {...options...};  pretrain_run(&p, operands, n, &session, e)
 */
#ifndef TRAIN_PRETRAIN_H
#define TRAIN_PRETRAIN_H

#include "train/session.h"

struct pretrain {
    const char *config, *init, *tokenizer, *val;
    const char *bos, *eos, *pad; /* NULL: not given */
    int order;                   /* 0 shuffle, 1 stream */
    bool stream;
};
extern const char *const pretrain_order_words[];

int pretrain_run(const struct pretrain *p, char **operands, int n_operands, struct session *s,
                 struct err *e);

#endif
