/* Pretraining: shards to a model. */
#include "train/pretrain.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/num.h"
#include "base/signals.h"
#include "infer/modeldir.h"
#include "io/in.h"
#include "io/out.h"
#include "train/sources.h"

const char *const pretrain_order_words[] = {"shuffle", "stream", NULL};

enum { TOKENIZER_MAX = 1 << 30 };

/* ---- the parts of a fresh run ---- */

/* -t, else what the shard carries, else none. */
static int find_tokenizer(const struct pretrain *p, struct sources *d, struct session *s,
                          struct err *e)
{
    char *json = NULL;
    size_t n = 0;

    if (p->tokenizer) {
        struct in *in = in_open(p->tokenizer, 0, e);
        json = in ? in_all(in, TOKENIZER_MAX, &n, e) : NULL;
        in_close(in);
        if (!json)
            return -1;
    } else if (d->head.tokenizer_len) {
        if (!(json = shard_tokenizer(&d->head, shard_name(d->in[0]), &n, e)))
            return -1;
    } else {
        return 0;
    }
    if (session_tokenizer(s, json, n, p->tokenizer ? p->tokenizer : shard_name(d->in[0]), e) < 0)
        return -1;
    struct shard_head mine = {.provenance = ""};
    if (tokenizer_fingerprint(s->tok, mine.fingerprint, e) < 0)
        return -1;
    if (shard_same_tokenizer(&d->head, shard_name(d->in[0]), &mine, p->tokenizer, e) < 0)
        return -1;
    if (tokenizer_vocab_size(s->tok) > d->vocab_size)
        d->vocab_size = tokenizer_vocab_size(s->tok);
    return 0;
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

static int find_specials(const struct pretrain *p, const struct sources *d, struct session *s,
                         struct err *e)
{
    s->ids = (struct special_ids){.bos = d->head.bos, .eos = d->head.eos, .pad = d->head.pad};
    if (s->tok && !shard_has_fingerprint(&d->head) &&
        tokenizer_specials(s->tok, p->tokenizer, NULL, NULL, NULL, &s->ids, e) < 0)
        return -1;
    return find_special(s, "bos", p->bos, &s->ids.bos, e) < 0 ||
                   find_special(s, "eos", p->eos, &s->ids.eos, e) < 0 ||
                   find_special(s, "pad", p->pad, &s->ids.pad, e) < 0
               ? -1
               : 0;
}

static int find_config(const struct pretrain *p, const struct sources *d, struct session *s,
                       struct err *e)
{
    struct buf path = BUF_INIT;
    struct config *c = &s->config;
    bool preset = false;
    int rc = -1;

    if (!p->config == !p->init)
        return err_usage(e, "give one of -c CONFIG|PRESET and --init DIR");
    if ((p->init ? modeldir_find(p->init, &path, e) : config_find(p->config, &path, &preset, e)) <
            0 ||
        config_load(c, p->init ? path.s : p->config, e) < 0)
        goto out;
    if (preset && d->vocab_size > 0 && d->vocab_size <= INT32_MAX)
        c->vocab_size = (int)d->vocab_size;
    if (d->vocab_size > (uint64_t)c->vocab_size) {
        err_set(e, "%s: %d ids are too few for the data's vocabulary of %" PRIu64, path.s,
                c->vocab_size, d->vocab_size);
        goto out;
    }
    if (preset && s->o->n_ctx > 0)
        c->n_ctx = (int)s->o->n_ctx;
    rc = 0;
out:
    buf_release(&path);
    return rc;
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

static int begin_fresh(const struct pretrain *p, struct sources *d, struct session *s,
                       char **operands, int n, struct err *e)
{
    if (sources_open(d, operands, n, p->stream, e) < 0 || find_tokenizer(p, d, s, e) < 0 ||
        find_specials(p, d, s, e) < 0 || find_config(p, d, s, e) < 0 || check_init(p, d, e) < 0 ||
        session_settle(s, p->stream, e) < 0)
        return -1;
    return session_store(s, sources_describe(d, e), e);
}

static int begin_resumed(struct sources *d, struct session *s, const char *spool, char **operands,
                         int n, struct err *e)
{
    json_t *inputs;

    if (session_restore(s, &inputs, e) < 0 || sources_reopen(d, inputs, operands, n, spool, e) < 0)
        return -1;
    return session_settle(s, d->kind == SOURCE_STREAM, e);
}

/* ---- running ---- */

static int parse_val(const struct pretrain *p, struct sources_plan *plan, struct err *e)
{
    size_t n = p->val ? strlen(p->val) : 0;
    struct buf number = BUF_INIT;
    int rc = -1;

    if (n == 0 || p->val[n - 1] != '%') {
        plan->val_path = p->val;
        return 0;
    }
    if (buf_add(&number, p->val, n - 1, e) == 0 &&
        num_real(number.s, 0, 50, &plan->val_share, e) == 0) {
        plan->val_share /= 100;
        rc = 0;
    } else {
        err_prefix(e, "--val %s: ", p->val);
    }
    buf_release(&number);
    return rc;
}

static int stop_wanted(void *user, uint64_t n_tok)
{
    (void)user;
    (void)n_tok;
    return sig_pending();
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

static int load_and_train(const struct pretrain *p, struct sources *d, struct session *s,
                          const char *spool, struct err *e)
{
    struct sources_plan plan = {.n_ctx = (int)s->o->n_ctx,
                                .bos = s->ids.bos,
                                .eos = s->ids.eos,
                                .seed = (uint64_t)s->o->seed,
                                .spool = spool,
                                .tick = stop_wanted};

    sig_catch();
    if (parse_val(p, &plan, e) < 0 || sources_load(d, &plan, e) < 0 ||
        session_model(s, p->init, e) < 0)
        return -1;
    describe(s, d);
    if (session_train(s, d->train, d->val, p->order == 0, e) < 0)
        return -1;
    return run_finished(&s->run) ? out_rmtree(spool, e) : 0;
}

int pretrain_run(const struct pretrain *p, char **operands, int n_operands, struct session *s,
                 struct err *e)
{
    struct sources d = {0};
    char *spool = NULL;
    int rc = -1;

    if (session_open(s, e) < 0)
        goto out;
    if (s->finished) {
        prog_note(s->prog, "%s: the run is finished", s->run.dir);
        rc = 0;
        goto out;
    }
    if (!(spool = run_path(&s->run, "spool", e)))
        goto out;
    rc = s->o->resume ? begin_resumed(&d, s, spool, operands, n_operands, e)
                      : begin_fresh(p, &d, s, operands, n_operands, e);
    if (rc == 0)
        rc = load_and_train(p, &d, s, spool, e);
out:
    free(spool);
    sources_close(&d);
    session_close(s);
    return rc;
}
