/* Supervised fine-tuning. */
#include "train/sft.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/num.h"
#include "base/signals.h"
#include "base/sys.h"
#include "infer/chat.h"
#include "infer/modeldir.h"
#include "io/jtree.h"
#include "io/out.h"
#include "train/pack.h"
#include "train/spool.h"

/* ---- conversations to a spool ---- */

struct reader {
    const struct sft *f;
    struct session *s;
    struct chat chat;
    struct chat_format format;
    struct encoder *x;
    struct ids ids;
    struct buf weights;
    struct spool *spool;
    uint64_t n_read, n_supervised, n_truncated;
    struct err first; /* why the first record was left out */
};

static bool any_weight(const struct buf *w)
{
    for (size_t i = 0; i < w->len; i++)
        if (w->s[i])
            return true;
    return false;
}

/* A record's ids and weights; 1, or 0 and a reason in e where the record is unusable. */
static int encode_record(struct reader *r, const char *raw, size_t n, struct err *e)
{
    json_error_t why;
    json_t *tree = json_loadb(raw, n, JSON_REJECT_DUPLICATES, &why);
    size_t most = (size_t)r->s->o->n_ctx + 1;
    int rc = 0;

    chat_clear(&r->chat);
    r->ids.n = 0;
    buf_clear(&r->weights);
    if (!tree)
        err_set(e, "not a JSON object: %s", why.text);
    else if (chat_parse(&r->chat, tree, e) == 0)
        rc = 1;
    json_decref(tree);
    if (rc == 0)
        return 0;
    if (chat_encode(&r->chat, &r->format, r->x, false, &r->ids, &r->weights, e) < 0)
        return -1;
    if (r->ids.n > most && !r->f->truncate) {
        err_set(e,
                "%zu tokens do not fit a context of %" PRId64
                "; --truncate shortens such conversations, --on-error skip leaves them out",
                r->ids.n, r->s->o->n_ctx);
        return 0;
    }
    r->n_truncated += r->ids.n > most;
    if (r->ids.n > most)
        r->ids.n = r->weights.len = most;
    if (!any_weight(&r->weights)) {
        err_set(e, "no token to learn from: no assistant speaks in it");
        return 0;
    }
    return 1;
}

static int read_records(struct reader *r, struct docs *d, struct err *e)
{
    struct doc rec;
    int got;

    while ((got = docs_next_raw(d, &rec, e)) > 0) {
        struct err why = {0};
        if (doc_check_kind(&rec, e) < 0)
            return -1;
        int rc =
            encode_record(r, rec.raw ? rec.raw : rec.text, rec.raw ? rec.raw_len : rec.len, &why);
        if (rc > 0) {
            struct shard_doc doc = {.ids = r->ids.v,
                                    .weights = (const uint8_t *)r->weights.s,
                                    .n = r->ids.n,
                                    .first = true,
                                    .last = true};
            if (spool_piece(r->spool, &doc, e) < 0)
                return -1;
            r->n_read++;
        } else if (rc < 0 || r->f->docs.on_error == ON_ERROR_STOP) {
            return err_set(e, "%s:%" PRIu64 ": %s", rec.file, rec.line, why.msg);
        } else {
            if (r->first.kind == ERR_NONE)
                err_set(&r->first, "%s:%" PRIu64 ": %s", rec.file, rec.line, why.msg);
            if (docs_reject(d, &rec, e) < 0)
                return -1;
        }
        if (sig_pending()) {
            err_set(e, "stopped while reading the conversations");
            if (e)
                e->kind = ERR_SIGNAL;
            return -1;
        }
    }
    return got;
}

/* Every conversation of the operands, encoded, to a spool at dir. Records that are left out go to
 * `rejected`, unless it is NULL. */
static int spool_conversations(const struct sft *f, struct session *s, char *const *operands, int n,
                               const char *rejected, const char *dir, struct err *e)
{
    struct reader r = {.f = f, .s = s, .chat = CHAT_INIT, .weights = BUF_INIT};
    struct docs_opt o = f->docs;
    struct docs_counts counts = {0};
    struct docs *d = NULL;
    int rc = -1;

    o.jsonl = true;
    o.rejected = rejected;
    if (chat_format_find(&r.format, s->tok, e) == 0 && (r.x = encoder_new(s->tok, e)) &&
        (d = docs_open(operands, n, &o, e)) && (r.spool = spool_create(dir, 4, true, e)))
        rc = read_records(&r, d, e);
    if (rc == 0)
        rc = docs_close(d, &counts, e);
    else
        docs_close(d, NULL, NULL);
    if (rc == 0 && r.n_read == 0)
        rc = counts.n_skipped ? err_set(e,
                                        "no conversation to learn from: all %" PRIu64
                                        " records were left out, the first because %s",
                                        counts.n_skipped, r.first.msg)
                              : err_set(e, "no conversation to learn from: there is no record");
    if (rc == 0) {
        rc = spool_commit(r.spool, e);
        r.spool = NULL;
    }
    if (rc == 0 && (counts.n_skipped || r.n_truncated))
        prog_note(s->prog, "%" PRIu64 " conversations left out, %" PRIu64 " shortened",
                  counts.n_skipped, r.n_truncated);
    spool_abort(r.spool);
    encoder_free(r.x);
    chat_release(&r.chat);
    ids_release(&r.ids);
    buf_release(&r.weights);
    return rc;
}

/* ---- the run ---- */

/* The end-of-turn token ends generation too. */
static int add_end_of_turn(struct session *s, struct err *e)
{
    struct config *c = &s->config;
    struct chat_format f;

    if (chat_format_find(&f, s->tok, e) < 0)
        return -1;
    for (int i = 0; i < c->n_eos; i++)
        if (c->eos[i] == f.im_end)
            return 0;
    if (c->n_eos == CONFIG_MAX_EOS)
        return err_set(e, "the model has %d EOS ids already", c->n_eos);
    c->eos[c->n_eos++] = f.im_end;
    return 0;
}

/* Also those that only generation_config.json has, which the run writes anew. */
static int take_eos(const struct modeldir *m, struct config *c, struct err *e)
{
    int64_t v[MODELDIR_MAX_EOS];
    int n = modeldir_eos(m, v, e);

    if (n > CONFIG_MAX_EOS)
        return err_set(e, "%s: has %d EOS ids, more than %d", m->path, n, CONFIG_MAX_EOS);
    for (int i = 0; i < n; i++)
        c->eos[i] = v[i];
    c->n_eos = n < 0 ? 0 : n;
    return n < 0 ? -1 : 0;
}

static int take_model(const struct sft *f, struct session *s, struct err *e)
{
    struct modeldir m;
    int rc = -1;

    if (!f->model)
        return err_usage(e, "-m DIR is missing: the model to fine-tune");
    if (modeldir_open(&m, f->model, MODELDIR_TOKENIZER, e) < 0)
        return -1;
    if (chat_format_check(m.path, e) >= 0 && config_load(&s->config, m.path, e) == 0 &&
        take_eos(&m, &s->config, e) == 0) {
        session_tokenizer(s, m.tok);
        m.tok = NULL;
        s->ids = m.ids;
        s->keep_eos = true;
        rc = 0;
    }
    modeldir_close(&m);
    return rc;
}

/* What fine-tuning wants otherwise than pretraining where the user does not say. */
static void sft_defaults(struct train_options *o, const struct config *c)
{
    if (o->lr < 0)
        o->lr = 1e-4 * sqrt(768.0 / c->d_model);
    if (o->epochs == 0 && o->n_steps == 0 && o->n_tokens == 0)
        o->epochs = 3;
    int64_t n_ctx = o->n_ctx ? o->n_ctx : c->n_ctx;
    if (o->n_batch == 0) /* conversations are few and short, and steps must be some */
        o->n_batch = n_ctx < 1024 ? 1024 / n_ctx : 1;
}

static json_t *describe_inputs(char *const *operands, int n, struct err *e)
{
    json_t *files = json_array();
    struct err ignored = {0};

    for (int i = 0; files && i < n; i++) {
        char *full = strcmp(operands[i], "-") == 0 ? mem_strdup("-", e)
                                                   : sys_realpath(operands[i], &ignored);
        json_array_append_new(files, json_string(full ? full : operands[i]));
        free(full);
    }
    return json_pack("{s:o}", "files", files);
}

static int begin_fresh(const struct sft *f, struct session *s, char **operands, int n,
                       struct err *e)
{
    if (take_model(f, s, e) < 0)
        return -1;
    sft_defaults(s->o, &s->config);
    return session_settle(s, false, e) < 0 || add_end_of_turn(s, e) < 0
               ? -1
               : session_store(s, describe_inputs(operands, n, e), e);
}

static int begin_resumed(struct session *s, struct err *e)
{
    json_t *inputs;

    if (session_restore(s, &inputs, e) < 0)
        return -1;
    sft_defaults(s->o, &s->config);
    return session_settle(s, false, e) < 0 ? -1 : add_end_of_turn(s, e);
}

/* The names of the files that the run was begun with; the strings are the run's. */
static int stored_files(const struct session *s, char ***out, int *n, struct err *e)
{
    const json_t *files = json_object_get(json_object_get(s->run.doc, "inputs"), "files");
    size_t n_files = json_array_size(files);

    if (!(*out = mem_new(n_files + 1, sizeof **out, e)))
        return -1;
    *n = 0;
    for (size_t i = 0; i < n_files; i++) {
        const char *path = json_string_value(json_array_get(files, i));
        if (!path || strcmp(path, "-") == 0)
            break;
        (*out)[(*n)++] = (char *)(uintptr_t)path;
    }
    if (*n == 0)
        return err_set(e,
                       "%s: the conversations came through a pipe that broke off; give them "
                       "again",
                       s->run.dir);
    return 0;
}

/* Reads the conversations unless an earlier process has. */
static int fill_spool(const struct sft *f, struct session *s, char **operands, int n,
                      const char *dir, struct err *e)
{
    char **stored = NULL;
    int rc = 0;

    if (spool_complete(dir))
        return 0;
    if (s->o->resume && n == 0) {
        rc = stored_files(s, &stored, &n, e);
        operands = stored;
    }
    if (rc == 0)
        rc = spool_conversations(f, s, operands, n, f->docs.rejected, dir, e);
    free(stored);
    return rc;
}

static int parse_share(const struct sft *f, double *share, struct err *e)
{
    size_t n = f->val ? strlen(f->val) : 0;
    struct buf number = BUF_INIT;
    int rc = 0;

    *share = 0;
    if (n > 0 && f->val[n - 1] == '%') {
        rc = buf_add(&number, f->val, n - 1, e) < 0 ? -1 : num_real(number.s, 0, 50, share, e);
        if (rc < 0)
            err_prefix(e, "--val %s: ", f->val);
        *share /= 100;
    }
    buf_release(&number);
    return rc;
}

struct sft_data {
    struct corpus train, val;
    struct pack train_pack, val_pack;
};

static int load_data(const struct sft *f, struct session *s, char **operands, int n,
                     const char *spool, const char *val_spool, struct sft_data *d, struct err *e)
{
    int n_ctx = (int)s->o->n_ctx;
    uint64_t seed = (uint64_t)s->o->seed;
    double share;

    if (parse_share(f, &share, e) < 0 || fill_spool(f, s, operands, n, spool, e) < 0 ||
        spool_open(&d->train, spool, e) < 0 ||
        pack_init(&d->train_pack, &d->train, n_ctx, share, false, seed, e) < 0)
        return -1;
    if (share > 0)
        return pack_init(&d->val_pack, &d->train, n_ctx, share, true, seed, e);
    if (!f->val)
        return 0;
    char *file[] = {(char *)(uintptr_t)f->val};
    if (!spool_complete(val_spool) && spool_conversations(f, s, file, 1, NULL, val_spool, e) < 0)
        return -1;
    return spool_open(&d->val, val_spool, e) < 0
               ? -1
               : pack_init(&d->val_pack, &d->val, n_ctx, 0, false, seed, e);
}

static int load_and_train(const struct sft *f, struct session *s, char **operands, int n,
                          struct err *e)
{
    char *spool = run_path(&s->run, "spool", e), *val_spool = run_path(&s->run, "spool-val", e);
    struct sft_data d = {0};
    char a[32];
    int rc = -1;

    sig_catch();
    if (spool && val_spool && load_data(f, s, operands, n, spool, val_spool, &d, e) == 0 &&
        session_model(s, f->model, e) == 0) {
        struct feed val = {0};
        if (d.val_pack.n_windows)
            val = pack_feed(&d.val_pack);
        prog_note(s->prog,
                  "%zu conversations, %s tokens packed into %" PRIu64 " windows of %" PRId64,
                  d.train.n_docs, num_human(a, (double)d.train_pack.n_pairs),
                  d.train_pack.n_windows, s->o->n_ctx);
        s->chat_template = chat_template;
        rc = session_train(s, pack_feed(&d.train_pack), val, true, e);
    }
    if (rc == 0 && run_finished(&s->run) &&
        (out_rmtree(spool, e) < 0 || out_rmtree(val_spool, e) < 0))
        rc = -1;
    pack_release(&d.train_pack);
    pack_release(&d.val_pack);
    corpus_release(&d.train);
    corpus_release(&d.val);
    free(spool);
    free(val_spool);
    return rc;
}

int sft_run(const struct sft *f, char **operands, int n_operands, struct session *s, struct err *e)
{
    s->rejected = f->docs.rejected;
    int rc =
        session_path(s, "model", e) < 0 || session_path(s, "val", e) < 0 ? -1 : session_open(s, e);

    if (rc == 0 && s->finished) {
        prog_note(s->prog, "%s: the run is finished", s->run.dir);
    } else if (rc == 0) {
        rc = s->o->resume ? begin_resumed(s, e) : begin_fresh(f, s, operands, n_operands, e);
        if (rc == 0)
            rc = load_and_train(f, s, operands, n_operands, e);
    }
    if (rc < 0)
        session_give_up(s, e);
    session_close(s);
    return rc;
}
