/*
 * What every training command does around the loop: the run's directory, the model with its
 * tokenizer and special ids, what must be known to resume, and the check that memory and disk
 * suffice.
 *
 *     struct session s = {.o = &options, .table = opts, .prog = &p};
 *     session_open(&s, e)                      locks the directory; restores the options on
 * --resume fresh:   fill s.config, s.ids, session_tokenizer(); session_settle(); session_store()
 *     resumed: session_restore(); session_settle()
 *     session_model(&s, init, e)               makes or opens the model
 *     session_train(&s, train, val, shuffle, e)
 *     session_close(&s)
 */
#ifndef TRAIN_SESSION_H
#define TRAIN_SESSION_H

#include "base/prog.h"
#include "quern/tokenizer.h"
#include "train/publish.h"
#include "train/trainer.h"

struct session {
    struct train_options *o;
    struct opt *table;
    struct prog *prog;

    struct run run;
    bool finished; /* session_open: the run has nothing left to do */
    struct config config;
    struct model *m;
    struct tokenizer *tok; /* NULL: none */
    char *tok_json;
    size_t tok_json_len;
    struct special_ids ids;
    char *name[3]; /* texts of bos, eos and pad; NULL: none or not known */
    const char *chat_template;
    struct trainer t;
};
int session_open(struct session *s, struct err *e);
/* Takes a tokenizer.json (json becomes the session's, freed by session_close). */
int session_tokenizer(struct session *s, char *json, size_t n, const char *name, struct err *e);
/* The config gets the special ids; the options what they leave open; memory and disk are checked.
 */
int session_settle(struct session *s, bool stream, struct err *e);
/* run.json and tokenizer.json; inputs (taken) is the command's own account of its data. */
int session_store(struct session *s, json_t *inputs, struct err *e);
/* The reverse; *inputs is borrowed from the run. */
int session_restore(struct session *s, json_t **inputs, struct err *e);
/* init: directory of a model to start from, or NULL. */
int session_model(struct session *s, const char *init, struct err *e);
int session_train(struct session *s, struct feed train, struct feed val, bool shuffle,
                  struct err *e);
void session_close(struct session *s);

#endif
