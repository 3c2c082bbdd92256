/* What every training command does around the loop. */
#include "train/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/bug.h"
#include "base/compiler.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/signals.h"
#include "base/sys.h"
#include "infer/modeldir.h"
#include "io/apart.h"
#include "io/jtree.h"

/* The directory's absolute path and the name behind it. */
static char *absolute(const char *path, struct err *e)
{
    struct buf b = BUF_INIT;
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char *dir = NULL, *full = NULL;

    if (access(path, F_OK) == 0)
        return sys_realpath(path, e);
    if (buf_add(&b, path, (size_t)(name - path), e) == 0 &&
        (dir = sys_realpath(slash ? b.s : ".", e))) {
        buf_clear(&b);
        if (buf_printf(&b, e, "%s/%s", dir, name) == 0)
            full = buf_take(&b, e);
    }
    free(dir);
    buf_release(&b);
    return full;
}

int session_path(struct session *s, const char *option, struct err *e)
{
    const char **value = opt_find(s->table, option)->dst, *v = *value;
    size_t n = v ? strlen(v) : 0;

    if (n == 0 || strcmp(v, "-") == 0 || v[n - 1] == '%')
        return 0;
    if (s->n_paths == (int)ARRAY_LEN(s->paths))
        BUG("more than %d options that name files", s->n_paths);
    if (!(s->paths[s->n_paths] = absolute(v, e)))
        return -1;
    snprintf(s->path_option[s->n_paths], sizeof s->path_option[0], "--%s", option);
    *value = s->paths[s->n_paths++];
    return 0;
}

/* The log and the rejects against what is read, before the directory is made. */
static int check_inputs(const struct session *s, struct err *e)
{
    struct file_use use[ARRAY_LEN(s->paths) + 2];
    const struct prog *p = s->prog;
    size_t n = 0;

    for (int i = 0; i < s->n_paths; i++)
        if (s->paths[i] != s->o->log)
            use[n++] = (struct file_use){FILE_KEEP, s->path_option[i], s->paths[i]};
    use[n++] = (struct file_use){FILE_OUT, "--log", s->o->log};
    use[n++] = (struct file_use){FILE_OUT, "--rejected", s->rejected};
    /* a run that goes on reads its input again only where it must, and not from stdin */
    bool reads = p->n_operands > 0 || !s->o->resume;
    if (files_apart(reads ? p->operands : NULL, p->n_operands, use, n, e) < 0)
        return -1;
    return s->o->log ? metrics_check(s->o->log, e) : 0;
}

/* And against what the run writes, once there is a directory. */
static int check_outputs(const struct session *s, struct err *e)
{
    static const char *const own[] = {
        "run.json",          "tokenizer.json",        "config.json", "generation_config.json",
        "model.safetensors", "tokenizer_config.json", "lock",        "log.tsv"};
    struct file_use use[ARRAY_LEN(own) + 2] = {{FILE_OUT, "--log", s->o->log},
                                               {FILE_OUT, "--rejected", s->rejected}};
    char *path[ARRAY_LEN(own)] = {0};
    size_t n = ARRAY_LEN(own) - (s->o->log != NULL); /* --log RUN/log.tsv is as good as none */
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = (path[i] = run_path(&s->run, own[i], e)) ? 0 : -1;
        use[i + 2] = (struct file_use){FILE_OUT, "-o", path[i]};
    }
    if (rc == 0)
        rc = files_apart(NULL, 0, use, n + 2, e);
    for (size_t i = 0; i < n; i++)
        free(path[i]);
    return rc;
}

int session_open(struct session *s, struct err *e)
{
    s->begun_s = sys_time();
    s->run.lock = -1;
    if (!s->o->out)
        return err_usage(e, "-o RUN is missing: the directory to train in");
    if (s->o->n_threads == 0)
        s->o->n_threads = sys_n_cpu();
    if (session_path(s, "log", e) < 0 || check_inputs(s, e) < 0)
        return -1;
    if (run_open(&s->run, s->o->out, s->o->resume, e) < 0 || check_outputs(s, e) < 0)
        return -1;
    if (!s->o->resume)
        return 0;
    s->finished = run_finished(&s->run);
    return run_get_options(s->run.doc, s->table, e);
}

/* ---- tokenizer and special ids ---- */

static int name_special(struct session *s, int k, int64_t id, struct err *e)
{
    const char *text;
    size_t n;

    free(s->name[k]);
    s->name[k] = NULL;
    if (id < 0 || !s->tok || !(text = tokenizer_bytes(s->tok, (uint32_t)id, &n)))
        return 0;
    return (s->name[k] = mem_dup(text, n, e)) ? 0 : -1;
}

void session_tokenizer(struct session *s, struct tokenizer *t)
{
    tokenizer_close(s->tok);
    s->tok = t;
}

/* What ends documents comes first in the model's list. The rest of a list that does not belong to
 * the model's own tokens says nothing, unless it names that token itself. */
static int put_eos(struct session *s, struct err *e)
{
    struct config *c = &s->config;
    int64_t eos = s->ids.eos;
    int at = 0;

    while (at < c->n_eos && c->eos[at] != eos)
        at++;
    if (at == c->n_eos && !s->keep_eos)
        at = c->n_eos = 0;
    if (eos < 0)
        return 0;
    if (at == CONFIG_MAX_EOS)
        return err_set(e, "the model has %d EOS ids, and the tokenizer another one", c->n_eos);
    if (at == c->n_eos)
        c->n_eos++;
    memmove(c->eos + 1, c->eos, (size_t)at * sizeof *c->eos);
    c->eos[0] = eos;
    return 0;
}

static int put_specials(struct session *s, struct err *e)
{
    struct config *c = &s->config;
    const int64_t id[3] = {s->ids.bos, s->ids.eos, s->ids.pad};

    for (int k = 0; k < 3; k++) {
        if (id[k] >= c->vocab_size)
            return err_set(e, "special id %" PRId64 " is not below the vocabulary's size %d", id[k],
                           c->vocab_size);
        if (name_special(s, k, id[k], e) < 0)
            return -1;
    }
    c->bos = s->ids.bos;
    c->pad = s->ids.pad;
    return put_eos(s, e);
}

/* ---- settling ---- */

static int check_memory(const struct trainer_need *need, struct err *e)
{
    char a[32], b[32];
    uint64_t mem = sys_mem_available();

    if (need->mem_bytes <= mem)
        return 0;
    return err_set(e,
                   "this run needs about %s of memory and %s are to be had: a smaller --batch or "
                   "--context, or a smaller model, needs less",
                   num_human_bytes(a, (double)need->mem_bytes), num_human_bytes(b, (double)mem));
}

static int check_disk(const struct session *s, const struct trainer_need *need, struct err *e)
{
    char a[32], b[32];
    uint64_t disk = sys_disk_available(s->run.dir), *v;
    size_t n_have;

    if (run_checkpoints(&s->run, &v, &n_have, e) < 0)
        return -1;
    free(v);
    uint64_t n_new = n_have < need->n_checkpoints ? need->n_checkpoints - n_have : 1;
    if (need->checkpoint_bytes * n_new <= disk)
        return 0;
    return err_set(e, "%s: the checkpoints need about %s and %s are free", s->run.dir,
                   num_human_bytes(a, (double)(need->checkpoint_bytes * n_new)),
                   num_human_bytes(b, (double)disk));
}

/* Before the data are known: what cannot fit in any case. */
static int check_need(const struct session *s, struct err *e)
{
    struct trainer_need need;

    return trainer_need(s->o, &s->config, NULL, NULL, &need, e) < 0 || check_memory(&need, e) < 0
               ? -1
               : check_disk(s, &need, e);
}

int session_settle(struct session *s, bool stream, struct err *e)
{
    enum isa isa;
    struct config *c = &s->config;
    struct train_options *o = s->o;

    if (cpu_isa(&isa, e) < 0 ||
        gemm_backend_check((enum gemm_backend)o->gemm, (enum gemm_dtype)o->dtype, e) < 0 ||
        put_specials(s, e) < 0 || train_options_settle(o, c, stream, e) < 0)
        return -1;
    if (o->n_ctx > c->n_ctx)
        return err_usage(e, "--context %" PRId64 " is more than the model's %d", o->n_ctx,
                         c->n_ctx);
    if (o->dropout >= 0)
        c->dropout_embd = c->dropout_attn = c->dropout_resid = o->dropout;
    if (o->n_batch * o->n_ctx > INT32_MAX / 4)
        return err_usage(e,
                         "--batch %" PRId64 " of %" PRId64 " tokens is too large; --accum makes "
                         "large steps of small batches",
                         o->n_batch, o->n_ctx);
    return check_need(s, e);
}

/* ---- storing ---- */

static json_t *pack_ids(const struct session *s)
{
    return json_pack("{s:I,s:I,s:I}", "bos", (json_int_t)s->ids.bos, "eos", (json_int_t)s->ids.eos,
                     "pad", (json_int_t)s->ids.pad);
}

int session_store(struct session *s, json_t *inputs, struct err *e)
{
    json_t *config = inputs ? config_tree(&s->config, "float32", e) : NULL, *doc = NULL;
    size_t n = 0;
    const char *tokenizer = s->tok ? tokenizer_json(s->tok, &n) : NULL;

    if (!inputs || !config)
        goto fail;
    doc = json_pack("{s:s,s:s,s:b,s:o}", "program", s->prog->name, "version", prog_version(),
                    "tokenizer", s->tok != NULL, "special_ids", pack_ids(s));
    if (!doc || run_put_options(doc, s->table, e) < 0 ||
        json_object_set(doc, "config", config) != 0 || json_object_set(doc, "inputs", inputs) != 0)
        goto fail;
    json_decref(config);
    json_decref(inputs);
    return run_store(&s->run, doc, tokenizer, n, e);
fail:
    if (e && e->kind == ERR_NONE)
        err_nomem(e, "run.json", 0);
    json_decref(doc);
    json_decref(config);
    json_decref(inputs);
    return -1;
}

static int restore_tokenizer(struct session *s, struct err *e)
{
    char *path = run_path(&s->run, "tokenizer.json", e);
    struct tokenizer *t = path ? tokenizer_open(path, e) : NULL;

    free(path);
    session_tokenizer(s, t);
    return t ? 0 : -1;
}

int session_restore(struct session *s, json_t **inputs, struct err *e)
{
    const json_t *doc = s->run.doc, *ids = json_object_get(doc, "special_ids");
    const char *program = json_string_value(json_object_get(doc, "program"));
    bool tok = false;

    if (program && strcmp(program, s->prog->name) != 0)
        return err_set(e, "%s: a run of %s, not of %s", s->run.dir, program, s->prog->name);
    *inputs = json_object_get(doc, "inputs");
    s->keep_eos = true;
    if (!*inputs || !ids ||
        config_parse(&s->config, json_object_get(doc, "config"), "run.json", e) < 0 ||
        jtree_int(ids, "bos", -1, INT32_MAX, &s->ids.bos, e) < 0 ||
        jtree_int(ids, "eos", -1, INT32_MAX, &s->ids.eos, e) < 0 ||
        jtree_int(ids, "pad", -1, INT32_MAX, &s->ids.pad, e) < 0 ||
        jtree_bool(doc, "tokenizer", &tok, e) < 0) {
        if (e && e->kind == ERR_NONE)
            err_set(e, "%s/run.json: not whole", s->run.dir);
        return -1;
    }
    return tok ? restore_tokenizer(s, e) : 0;
}

/* What a run starts from must not have changed while it has no checkpoint. */
static int same_start(struct session *s, const char *init, struct err *e)
{
    char hex[33];
    const char *then = json_string_value(json_object_get(s->run.doc, "init_hash"));

    hash128_hex(hex, hash128(model_weights(s->m), model_n_elem(s->m) * sizeof(float)));
    if (then)
        return strcmp(then, hex) == 0
                   ? 0
                   : err_set(e, "%s: its weights have changed since the run began", init);
    json_object_set_new(s->run.doc, "init_hash", json_string(hex));
    return run_update(&s->run, e);
}

static int open_start(struct session *s, const char *init, struct err *e)
{
    struct buf dir = BUF_INIT;

    if (modeldir_find(init, &dir, e) == 0)
        s->m = model_open(dir.s, e);
    buf_release(&dir);
    return !s->m || config_same(&s->config, model_config(s->m), e) < 0 ? -1
                                                                       : same_start(s, init, e);
}

int session_model(struct session *s, const char *init, struct err *e)
{
    char *newest = NULL;
    int rc = s->o->resume ? run_newest(&s->run, &newest, e) : 0;

    if (rc > 0)
        rc = (s->m = model_open(newest, e)) ? 0 : -1;
    else if (rc == 0 && init)
        rc = open_start(s, init, e);
    else if (rc == 0)
        rc = (s->m = model_new(&s->config, (uint64_t)s->o->seed, e)) ? 0 : -1;
    free(newest);
    if (rc == 0)
        model_adopt(s->m, &s->config);
    return rc;
}

/* ---- training ---- */

static int publish_model(void *user, const char *dir, struct err *e)
{
    const struct session *s = user;
    size_t n = 0;
    const char *json = s->tok ? tokenizer_json(s->tok, &n) : NULL;
    struct publish p = {.tokenizer = json,
                        .tokenizer_len = n,
                        .config = &s->config,
                        .bos = s->name[0],
                        .eos = s->name[1],
                        .pad = s->name[2],
                        .chat_template = s->chat_template};

    return publish_save(&p, dir, e);
}

static void note_line(void *user, const char *text)
{
    const struct session *s = user;

    prog_note(s->prog, "%s", text);
}

int session_train(struct session *s, struct feed train, struct feed val, bool shuffle,
                  struct err *e)
{
    s->t = (struct trainer){.o = s->o,
                            .run = &s->run,
                            .m = s->m,
                            .train = train,
                            .val = val,
                            .shuffle = shuffle,
                            .publish = publish_model,
                            .user = s,
                            .note = note_line,
                            .begun_s = s->begun_s,
                            .log = METRICS_INIT};
    struct trainer_need need;
    char a[32], b[32];
    int rc = trainer_need(s->o, &s->config, &train, &val, &need, e);

    if (rc == 0) {
        prog_talk(s->prog, "memory: about %s; a checkpoint: %s",
                  num_human_bytes(a, (double)need.mem_bytes),
                  num_human_bytes(b, (double)need.checkpoint_bytes));
        need.mem_bytes -= need.mem_bytes < model_n_elem(s->m) * sizeof(float)
                              ? need.mem_bytes
                              : model_n_elem(s->m) * sizeof(float); /* there already */
        rc = check_memory(&need, e);
    }
    if (rc == 0)
        rc = trainer_begin(&s->t, e);
    if (rc == 0)
        rc = trainer_run(&s->t, e);
    trainer_release(&s->t);
    return rc;
}

void session_give_up(struct session *s, const struct err *e)
{
    if (e->kind != ERR_SIGNAL && s->t.st.step == 0)
        run_give_up(&s->run);
}

void session_close(struct session *s)
{
    model_free(s->m);
    config_release(&s->config);
    tokenizer_close(s->tok);
    for (int k = 0; k < 3; k++)
        free(s->name[k]);
    if (s->run.dir) /* it was opened */
        run_close(&s->run);
    while (s->n_paths > 0)
        free(s->paths[--s->n_paths]);
}
