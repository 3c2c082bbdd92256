/*
 * What every training command does around the loop: the run's directory, the model with its
 * tokenizer and special ids, what must be known to resume, and the check that memory and disk
 * suffice.
 *
 *     struct session s = {.o = &options, .table = opts, .prog = &p};
 *     session_path(&s, "init", e) ...          options that name files, made absolute
 *     session_open(&s, e)                      locks the directory; with --resume restores options;
 *                                              before, looks that no file is lost to another's name
 *     fresh:   fill s.config, s.ids, session_tokenizer(); session_settle(); session_store()
 *     resumed: session_restore(); session_settle()
 *     session_model(&s, init, e)               makes or opens the model
 *     session_train(&s, train, val, shuffle, e)
 *     session_give_up(&s, e)                   after an error
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
    const char *rejected; /* what the command writes besides, or NULL */

    struct run run;
    bool finished; /* session_open: the run has nothing left to do */
    struct config config;
    struct model *m;
    struct tokenizer *tok; /* NULL: none */
    struct special_ids ids;
    bool keep_eos; /* the config's EOS ids are the model's own: they stay, behind ids.eos */
    char *name[3]; /* texts of bos, eos and pad; NULL: none or not known */
    const char *chat_template;
    struct trainer t;
    double begun_s;
    char *paths[8];          /* of session_path() */
    char path_option[8][16]; /* "--val" */
    int n_paths;
};
/* Makes the value of an option that names a file absolute, as run.json keeps it: a relative one
 * would mean something else from elsewhere. Left alone: none, "-", P%. The file need not exist. */
int session_path(struct session *s, const char *option, struct err *e);
int session_open(struct session *s, struct err *e);
/* Takes t: it is closed by session_close. */
void session_tokenizer(struct session *s, struct tokenizer *t);
/* The config gets the special ids; the options what they leave open; memory and disk are checked.
 */
int session_settle(struct session *s, bool stream, struct err *e);
/* run.json and tokenizer.json; inputs (taken) is the command's own account of its data. */
int session_store(struct session *s, json_t *inputs, struct err *e);
/* The reverse; *inputs is borrowed from the run. */
int session_restore(struct session *s, json_t **inputs, struct err *e);
/* The newest checkpoint's weights where there is one; else those of the model in the directory
 * init, which must be what they were when the run began; else (NULL) random ones. */
int session_model(struct session *s, const char *init, struct err *e);
int session_train(struct session *s, struct feed train, struct feed val, bool shuffle,
                  struct err *e);
/* After an error: a run that has not made a step yet can be started anew by the same command. */
void session_give_up(struct session *s, const struct err *e);
void session_close(struct session *s);

#endif
