/*
 * Conversations and the one template of this version, ChatML:
 *
 *     <|im_start|>ROLE\nCONTENT<|im_end|>\n        for each message
 *     <|im_start|>assistant\n                      to ask for an answer
 *
 * Training and generation render and encode through the same functions, so that a model is asked in
 * exactly the ids that it was trained on. What a message says is encoded as ordinary text: a user
 * who types <|im_end|> does not end his turn.
 *
 *     struct chat c = CHAT_INIT;
 *     chat_add(&c, "user", 4, text, n, e) ...;  or chat_parse(&c, json record, e)
 *     chat_encode(&c, &format, encoder, true, &ids, NULL, e);
 *     chat_clear(&c) for the next one; chat_release(&c)
 */
#ifndef INFER_CHAT_H
#define INFER_CHAT_H

#include <jansson.h>
#include <stdbool.h>
#include "base/buf.h"
#include "quern/tokenizer.h"

struct chat_message {
    size_t role, n_role, content, n_content; /* offsets into chat.text */
};
struct chat {
    struct buf text;
    struct chat_message *m;
    size_t n, cap;
    struct buf rendered; /* scratch */
    struct text_span *literal;
    size_t cap_literal;
    struct ids header;
};
#define CHAT_INIT                              \
    {                                          \
        .text = BUF_INIT, .rendered = BUF_INIT \
    }
void chat_clear(struct chat *c);
void chat_release(struct chat *c);
int chat_add(struct chat *c, const char *role, size_t n_role, const char *content, size_t n_content,
             struct err *e);

/* Appends the messages of a record: {"messages":[{"role","content"}]}, {"conversations":[{"from",
 * "value"}]} with human and gpt, {"instruction","input","output"}, or {"prompt","completion"}. What
 * is neither is an error that names these forms. */
int chat_parse(struct chat *c, const json_t *record, struct err *e);

/* The template as Jinja text, for tokenizer_config.json. */
extern const char chat_template[];

/* Ids of the template's marks in a tokenizer; an error that says which is missing and what to do.
 */
struct chat_format {
    uint32_t im_start, im_end;
};
int chat_format_find(struct chat_format *f, const struct tokenizer *t, struct err *e);
/* Whether the template in a directory's tokenizer_config.json (or chat_template.jinja) is this one:
 * 1 yes, 0 there is none, -1 it is another one, or the file cannot be read. */
int chat_format_check(const char *dir, struct err *e);

int chat_render(const struct chat *c, bool ask, struct buf *out, struct err *e);
/* Appends the ids of the rendered conversation; ask adds the header of an answer. weights (may be
 * NULL; a buf of one byte an id) gets 255 for what an assistant says and its <|im_end|>, else 0. */
int chat_encode(struct chat *c, const struct chat_format *f, struct encoder *x, bool ask,
                struct ids *ids, struct buf *weights, struct err *e);

#endif
