/*
 * What belongs beside the weights of a trained model, so that from_pretrained() and every command
 * of this suite open it: tokenizer.json, tokenizer_config.json, generation_config.json.
 */
#ifndef TRAIN_PUBLISH_H
#define TRAIN_PUBLISH_H

#include <stddef.h>
#include "base/buf.h"
#include "model/config.h"

struct publish {
    const char *tokenizer; /* tokenizer.json, or NULL: the model has none */
    size_t tokenizer_len;
    const struct config *config; /* its bos, eos and pad, its n_ctx */
    const char *bos, *eos, *pad; /* the tokens' texts; NULL: none */
    const char *chat_template;   /* NULL: none */
};
int publish_save(const struct publish *p, const char *dir, struct err *e);

/* The tokenizer.json with a post-processor that puts one token before a text; everything else stays
 * byte for byte. */
int publish_tokenizer(const char *json, size_t n, const char *token, int64_t id, struct buf *out,
                      struct err *e);

#endif
