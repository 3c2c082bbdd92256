/* Pretraining: shards to a model. */
#include "train/pretrain.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/num.h"
#include "base/signals.h"
#include "infer/modeldir.h"
#include "io/out.h"
#include "train/sources.h"

const char *const pretrain_order_words[] = {"shuffle", "stream", NULL};

static bool is_share(const char *val)
{
    return *val && val[strlen(val) - 1] == '%';
}

/* ---- the parts of a fresh run ---- */

/* The tokenizer.json beside the model to start from; *t stays NULL where there is none. */
static int init_tokenizer(const struct pretrain *p, struct tokenizer **t, struct buf *path,
                          struct err *e)
{
    if (modeldir_find(p->init, path, e) < 0 || buf_puts(path, "/tokenizer.json", e) < 0)
        return -1;
    if (access(path->s, F_OK) != 0)
        return 0;
    return (*t = tokenizer_open(path->s, e)) ? 0 : -1;
}

/* -t, else what the shard carries, else that of --init, else none. name: where it came from, for
 * messages and for what lies beside it. */
static int open_tokenizer(const struct pretrain *p, const struct sources *d, struct tokenizer **t,
                          struct buf *name, struct err *e)
{
    size_t n;
    char *json;

    if (p->tokenizer)
        return buf_puts(name, p->tokenizer, e) == 0 && (*t = tokenizer_open(p->tokenizer, e)) ? 0
                                                                                              : -1;
    if (!d->head.tokenizer_len)
        return p->init ? init_tokenizer(p, t, name, e) : 0;
    if (buf_puts(name, shard_name(d->in[0]), e) < 0 ||
        !(json = shard_tokenizer(&d->head, shard_name(d->in[0]), &n, e)))
        return -1;
    *t = tokenizer_parse(json, n, name->s, e);
    free(json);
    return *t ? 0 : -1;
}

static int find_tokenizer(const struct pretrain *p, const struct sources *d, struct session *s,
                          struct buf *name, struct err *e)
{
    struct tokenizer *t = NULL;
    struct shard_head mine = {.provenance = ""};

    if (open_tokenizer(p, d, &t, name, e) < 0)
        return -1;
    session_tokenizer(s, t);
    if (!t) {
        if (shard_has_fingerprint(&d->head))
            prog_note(s->prog, "the data's tokenizer is not at hand (-t names it): the model will "
                               "have none");
        return 0;
    }
    return tokenizer_fingerprint(t, mine.fingerprint, e) < 0
               ? -1
               : shard_same_tokenizer(&d->head, shard_name(d->in[0]), &mine, name->s, e);
}

/* An option's token, else the shard's id. */
static int find_special(const struct session *s, const char *option, const char *token, int64_t *id,
                        struct err *e)
{
    if (!token)
        return 0;
    if (strcmp(token, "none") == 0) {
        *id = -1;
        return 0;
    }
    if (!s->tok)
        return err_usage(e, "--%s %s: the data has no tokenizer; -t names one", option, token);
    *id = tokenizer_id(s->tok, token, strlen(token));
    return *id < 0 ? err_usage(e, "--%s %s: the tokenizer has no such token", option, token) : 0;
}

/* tokenizer: the path that it was found at, for the files beside it. */
static int find_specials(const struct pretrain *p, const struct sources *d, struct session *s,
                         const char *tokenizer, struct err *e)
{
    s->ids = (struct special_ids){.bos = d->head.bos, .eos = d->head.eos, .pad = d->head.pad};
    if (s->tok && !shard_has_fingerprint(&d->head) &&
        tokenizer_specials(s->tok, tokenizer, NULL, NULL, NULL, &s->ids, e) < 0)
        return -1;
    return find_special(s, "bos", p->bos, &s->ids.bos, e) < 0 ||
                   find_special(s, "eos", p->eos, &s->ids.eos, e) < 0 ||
                   find_special(s, "pad", p->pad, &s->ids.pad, e) < 0
               ? -1
               : 0;
}

/* -c: a preset gives way to the data's vocabulary and to --context. */
static int load_config(const struct pretrain *p, uint64_t vocab_size, const struct session *s,
                       struct config *c, struct err *e)
{
    struct buf path = BUF_INIT;
    bool preset = false;
    int rc = config_find(p->config, &path, &preset, e);

    if (rc == 0)
        rc = config_load(c, p->config, e);
    buf_release(&path);
    if (rc < 0 || !preset)
        return rc;
    if (vocab_size > 0 && vocab_size <= INT32_MAX)
        c->vocab_size = (int)vocab_size;
    if (s->o->n_ctx > 0)
        c->n_ctx = (int)s->o->n_ctx;
    return 0;
}

/* --init: its config, which -c must agree with where both are given. */
static int load_init(const struct pretrain *p, const struct session *s, struct config *c,
                     struct err *e)
{
    struct buf path = BUF_INIT;
    struct config given = {0};
    int rc = modeldir_find(p->init, &path, e);

    if (rc == 0)
        rc = config_load(c, path.s, e);
    if (rc == 0 && p->config) {
        rc = load_config(p, (uint64_t)c->vocab_size, s, &given, e);
        if (rc == 0 && config_same(&given, c, e) < 0)
            rc = err_prefix(e, "-c %s and --init %s: ", p->config, p->init);
        config_release(&given);
    }
    buf_release(&path);
    return rc;
}

static int find_config(const struct pretrain *p, const struct sources *d, struct session *s,
                       struct err *e)
{
    const struct config *c = &s->config;
    uint64_t vocab_size = d->vocab_size;

    if (s->tok && tokenizer_vocab_size(s->tok) > vocab_size)
        vocab_size = tokenizer_vocab_size(s->tok);
    if ((p->init ? load_init(p, s, &s->config, e) : load_config(p, vocab_size, s, &s->config, e)) <
        0)
        return -1;
    if (vocab_size > (uint64_t)c->vocab_size)
        return err_set(e, "%s: %d ids are too few for the data's vocabulary of %" PRIu64,
                       p->init ? p->init : p->config, c->vocab_size, vocab_size);
    return 0;
}

/* The model that a run goes on from must speak of the data's ids. */
static int check_init(const struct pretrain *p, const struct sources *d, struct err *e)
{
    struct modeldir m;
    int rc;

    if (!p->init)
        return 0;
    if (modeldir_open(&m, p->init, 0, e) < 0)
        return -1;
    rc = modeldir_accepts(&m, &d->head, shard_name(d->in[0]), e);
    modeldir_close(&m);
    return rc;
}

/* What can be told before anything is read. */
static int check_options(const struct pretrain *p, const struct session *s, struct err *e)
{
    if (s->o->resume)
        return 0;
    if (!p->config && !p->init)
        return err_usage(e, "-c CONFIG or --init DIR is missing: the model to train");
    if (p->stream && opt_find(s->table, "order")->given && p->order == 0)
        return err_usage(e, "--order shuffle needs the spool that --stream does without");
    if (!p->val && s->o->keep_best)
        return err_usage(e, "--keep-best needs --val");
    if (!p->val && s->o->eval_every)
        return err_usage(e, "--eval-every needs --val");
    return 0;
}

static int begin_fresh(const struct pretrain *p, struct sources *d, struct session *s,
                       char **operands, int n, struct err *e)
{
    struct buf name = BUF_INIT;
    const char *val = p->val && !is_share(p->val) ? p->val : NULL;
    int rc = -1;

    if (val && access(val, R_OK) != 0)
        return err_sys(e, "%s", val);
    s->keep_eos = p->init && !(p->eos && strcmp(p->eos, "none") == 0);
    if (sources_open(d, operands, n, p->stream, e) == 0 && find_tokenizer(p, d, s, &name, e) == 0 &&
        find_specials(p, d, s, name.s, e) == 0 && find_config(p, d, s, e) == 0 &&
        check_init(p, d, e) == 0 && session_settle(s, p->stream, e) == 0)
        rc = session_store(s, sources_describe(d, val, e), e);
    buf_release(&name);
    return rc;
}

static int begin_resumed(const struct pretrain *p, struct sources *d, struct session *s,
                         const struct source_dirs *dirs, char **operands, int n, struct err *e)
{
    const char *val = p->val && !is_share(p->val) ? p->val : NULL;
    json_t *inputs;

    if (session_restore(s, &inputs, e) < 0 ||
        sources_reopen(d, inputs, operands, n, val, dirs, e) < 0)
        return -1;
    return session_settle(s, d->kind == SOURCE_STREAM, e);
}

/* ---- running ---- */

static int parse_val(const struct pretrain *p, struct sources_plan *plan, struct err *e)
{
    struct buf number = BUF_INIT;
    int rc = 0;

    if (!p->val || !is_share(p->val)) {
        plan->val_path = p->val;
        return 0;
    }
    if (buf_add(&number, p->val, strlen(p->val) - 1, e) < 0 ||
        num_real(number.s, 0, 50, &plan->val_share, e) < 0 || plan->val_share == 0) {
        rc = plan->val_share == 0 && e->kind == ERR_NONE ? err_usage(e, "nothing is held out") : -1;
        err_prefix(e, "--val %s: ", p->val);
    }
    plan->val_share /= 100;
    buf_release(&number);
    return rc;
}

/* Progress of reading the input through; nonzero: stop. */
static int reading(void *user, uint64_t n_tok)
{
    progress_at(user, (double)n_tok, NULL);
    return sig_pending();
}

static int load(const struct pretrain *p, struct sources *d, struct session *s,
                const struct source_dirs *dirs, struct err *e)
{
    struct progress progress;
    struct sources_plan plan = {.n_ctx = (int)s->o->n_ctx,
                                .vocab_size = (uint64_t)s->config.vocab_size,
                                .bos = s->ids.bos,
                                .eos = s->ids.eos,
                                .seed = (uint64_t)s->o->seed,
                                .dirs = *dirs,
                                .tick = reading,
                                .user = &progress};

    progress_start(&progress, "reading", "tok", 0, s->o->progress, s->o->quiet);
    int rc = parse_val(p, &plan, e) < 0 ? -1 : sources_load(d, &plan, e);
    progress_finish(&progress);
    return rc;
}

static void describe(const struct session *s, const struct sources *d)
{
    char a[32], b[32];

    if (d->note[0])
        prog_note(s->prog, "%s", d->note);
    if (d->kind != SOURCE_STREAM)
        prog_note(s->prog, "%s weights, %s training tokens in %" PRIu64 " windows of %" PRId64,
                  num_human(a, (double)model_n_weights(s->m)),
                  num_human(b, (double)d->train.n_pairs), d->train.n_windows, s->o->n_ctx);
}

static int run(const struct pretrain *p, struct sources *d, struct session *s,
               const struct source_dirs *dirs, char **operands, int n, struct err *e)
{
    sig_catch();
    if (s->o->resume ? begin_resumed(p, d, s, dirs, operands, n, e) < 0
                     : begin_fresh(p, d, s, operands, n, e) < 0)
        return -1;
    if (load(p, d, s, dirs, e) < 0 || session_model(s, p->init, e) < 0)
        return -1;
    describe(s, d);
    return session_train(s, d->train, d->val, p->order == 0, e);
}

int pretrain_run(const struct pretrain *p, char **operands, int n_operands, struct session *s,
                 struct err *e)
{
    struct sources d = {0};
    struct source_dirs dirs = {0};
    char *spool = NULL, *val_spool = NULL;
    int rc = -1;

    if (check_options(p, s, e) < 0 || session_path(s, "init", e) < 0 ||
        session_path(s, "val", e) < 0 || session_path(s, "tokenizer", e) < 0 ||
        session_open(s, e) < 0)
        goto out;
    dirs.spool = spool = run_path(&s->run, "spool", e);
    dirs.val_spool = val_spool = run_path(&s->run, "spool-val", e);
    if (!spool || !val_spool)
        goto out;
    if (s->finished)
        prog_note(s->prog, "%s: the run is finished", s->run.dir);
    rc = s->finished ? 0 : run(p, &d, s, &dirs, operands, n_operands, e);
    if (rc == 0 && run_finished(&s->run) &&
        (out_rmtree(spool, e) < 0 || out_rmtree(val_spool, e) < 0))
        rc = -1;
out:
    if (rc < 0)
        session_give_up(s, e);
    sources_close(&d);
    session_close(s);
    free(spool);
    free(val_spool);
    return rc;
}
