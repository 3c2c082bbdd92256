/* Text from a model, token by token. */
#include "infer/generate.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/signals.h"
#include "base/sys.h"
#include "model/batchbuf.h"

enum { PREFILL = 512 }; /* tokens of a prompt in one pass */

struct generator {
    struct generate_options o;
    const struct config *c;
    const struct tokenizer *tok;
    struct exec *x;
    struct sampler sampler;
    struct decoder decoder;
    struct buf held; /* text that may be the beginning of a stop string */
    int64_t eos[MODELDIR_MAX_EOS];
    int n_eos;
    uint32_t *ids; /* what the model sees, and one that may come too much: [n_ctx + 1] */
    size_t n_ids, n_cached;
    int32_t *pos, *seq;
    float *logits;
};

/* ---- set-up ---- */

struct generator *generator_new(struct modeldir *d, const struct generate_options *o, struct err *e)
{
    struct generator *g = mem_new(1, sizeof *g, e);
    const struct config *c = model_config(d->m);
    int n_ctx = c->n_ctx, max_tok = o->no_cache || n_ctx < PREFILL ? n_ctx : PREFILL;
    struct exec_opt x = {.max_tok = max_tok,
                         .max_seq = 1,
                         .n_slot = o->no_cache ? 0 : 1,
                         .slot_tok = o->no_cache ? 0 : n_ctx,
                         .dtype = o->dtype,
                         .gemm = o->gemm,
                         .n_threads = o->n_threads};

    if (!g)
        return NULL;
    *g = (struct generator){.o = *o, .c = c, .tok = d->tok, .held = BUF_INIT};
    if ((g->n_eos = modeldir_eos(d, g->eos, e)) < 0 || !(g->x = exec_new(d->m, &x, e)) ||
        sampler_init(&g->sampler, &o->sampler, (uint32_t)c->vocab_size, e) < 0 ||
        !(g->ids = mem_new((size_t)n_ctx + 1, sizeof *g->ids, e)) ||
        !(g->pos = mem_new((size_t)max_tok, sizeof *g->pos, e)) ||
        !(g->seq = mem_new((size_t)max_tok, sizeof *g->seq, e)) ||
        !(g->logits = mem_new((size_t)c->vocab_size, sizeof *g->logits, e))) {
        generator_free(g);
        return NULL;
    }
    for (int i = 0; o->ignore_eos && i < g->n_eos; i++)
        sampler_bar(&g->sampler, (uint32_t)g->eos[i]);
    /* a head may have rows beyond the tokenizer's ids */
    for (uint32_t id = 0; g->tok && !o->ids_only && id < (uint32_t)c->vocab_size; id++) {
        size_t len;
        if (!tokenizer_bytes(g->tok, id, &len))
            sampler_bar(&g->sampler, id);
    }
    return g;
}

double generator_packing_s(const struct generator *g)
{
    return exec_packing_s(g->x);
}

void generator_free(struct generator *g)
{
    if (!g)
        return;
    exec_free(g->x);
    sampler_release(&g->sampler);
    buf_release(&g->held);
    decoder_release(&g->decoder);
    free(g->ids);
    free(g->pos);
    free(g->seq);
    free(g->logits);
    free(g);
}

/* ---- passes ---- */

/* One pass over ids[from, from + n) ; logits of the last where wanted. */
static int run_pass(struct generator *g, size_t from, int n, bool want, struct err *e)
{
    static const int32_t slot[1] = {0};
    int32_t cu[2] = {0, n}, last = n - 1;
    struct batch b = {.n_tok = n,
                      .ids = g->ids + from,
                      .pos = g->pos,
                      .seq = g->seq,
                      .n_seq = 1,
                      .cu_seqlens = cu,
                      .slot = g->o.no_cache ? NULL : slot};

    for (int i = 0; i < n; i++)
        g->pos[i] = (int32_t)from + i;
    return exec_logits(g->x, &b, &last, want ? 1 : 0, g->logits, e);
}

/* Makes room in a full context. */
static int drop_oldest(struct generator *g, struct generated *out, struct err *e)
{
    size_t keep = (size_t)g->c->n_ctx / 2 + 1;

    memmove(g->ids, g->ids + g->n_ids - keep, keep * sizeof *g->ids);
    g->n_ids = keep;
    g->n_cached = 0;
    out->n_dropped++;
    return g->o.no_cache ? 0 : exec_slot_reserve(g->x, 0, e);
}

/* Logits behind the last id: of all ids again, or of those that the cache has not seen. */
static int next_logits(struct generator *g, struct generated *out, struct err *e)
{
    if (g->n_ids > (size_t)g->c->n_ctx && drop_oldest(g, out, e) < 0)
        return -1;
    if (g->o.no_cache)
        return run_pass(g, 0, (int)g->n_ids, true, e);
    while (g->n_cached < g->n_ids) {
        size_t n = g->n_ids - g->n_cached < PREFILL ? g->n_ids - g->n_cached : PREFILL;
        if (run_pass(g, g->n_cached, (int)n, g->n_cached + n == g->n_ids, e) < 0)
            return -1;
        g->n_cached += n;
    }
    return 0;
}

static int push(struct generator *g, uint32_t id, struct generated *out, struct err *e)
{
    sampler_see(&g->sampler, id);
    if (g->n_ids > (size_t)g->c->n_ctx && drop_oldest(g, out, e) < 0)
        return -1;
    g->ids[g->n_ids++] = id;
    return 0;
}

int generator_check(const struct generator *g, const uint32_t *prompt, size_t n, struct err *e)
{
    if (n == 0)
        return err_set(e, "an empty prompt, and the model has no token to begin with");
    for (size_t i = 0; i < n; i++)
        if (prompt[i] >= (uint32_t)g->c->vocab_size)
            return err_set(e, "id %" PRIu32 " is not below the vocabulary's size %d", prompt[i],
                           g->c->vocab_size);
    return 0;
}

static int take_prompt(struct generator *g, const uint32_t *prompt, size_t n, struct generated *out,
                       struct err *e)
{
    g->n_ids = g->n_cached = 0;
    if (!g->o.no_cache && exec_slot_reserve(g->x, 0, e) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (push(g, prompt[i], out, e) < 0)
            return -1;
    out->n_prompt = n;
    return 0;
}

/* ---- text ---- */

static bool is_eos(const struct generator *g, uint32_t id)
{
    for (int i = 0; i < g->n_eos; i++)
        if (g->eos[i] == id)
            return true;
    return false;
}

/* Where the first stop string begins in the held text, or where the longest tail begins that could
 * become one; *found says which. */
static size_t find_stop(const struct generator *g, bool *found)
{
    const struct buf *h = &g->held;
    size_t tail = h->len;

    *found = false;
    for (size_t at = 0; at < h->len; at++)
        for (size_t k = 0; k < g->o.n_stop; k++) {
            size_t n = strlen(g->o.stop[k]), left = h->len - at;
            if (memcmp(h->s + at, g->o.stop[k], n < left ? n : left) != 0)
                continue;
            if (n <= left) {
                *found = true;
                return at;
            }
            if (at < tail)
                tail = at;
        }
    return tail;
}

static int send(struct generator *g, size_t n, generate_sink *sink, void *user, struct err *e)
{
    int rc = n ? sink(user, g->held.s, n, NULL, e) : 0;

    memmove(g->held.s, g->held.s + n, g->held.len - n);
    g->held.len -= n;
    return rc;
}

/* 1: the completion ends here; 0: it goes on; -1. */
static int emit(struct generator *g, uint32_t id, generate_sink *sink, void *user,
                struct generated *out, struct err *e)
{
    bool found;
    int rc;

    if (g->o.ids_only) {
        rc = sink(user, NULL, 0, &id, e);
    } else {
        if (decoder_add(&g->decoder, id, &g->held, e) < 0)
            return -1;
        size_t n = find_stop(g, &found);
        rc = send(g, n, sink, user, e);
        if (rc == 0 && found) {
            buf_clear(&g->held);
            out->end = GENERATE_STOP;
            return 1;
        }
    }
    if (rc > 0)
        out->end = GENERATE_SINK;
    return rc;
}

static int finish(struct generator *g, generate_sink *sink, void *user, struct err *e)
{
    if (g->o.ids_only)
        return 0;
    if (decoder_end(&g->decoder, &g->held, e) < 0)
        return -1;
    return send(g, g->held.len, sink, user, e) < 0 ? -1 : 0;
}

static int run_steps(struct generator *g, generate_sink *sink, void *user, struct generated *out,
                     struct err *e)
{
    int rc = 0;

    out->end = GENERATE_LENGTH;
    for (int64_t i = 0; rc == 0 && (g->o.n_max < 0 || i < g->o.n_max); i++) {
        if (sig_pending()) {
            out->end = GENERATE_SIGNAL;
            break;
        }
        double from_s = sys_time();
        uint32_t id;
        if (next_logits(g, out, e) < 0 || sampler_next(&g->sampler, g->logits, &id, e) < 0)
            return -1;
        *(i == 0 ? &out->prompt_s : &out->new_s) += sys_time() - from_s;
        if (!g->o.ignore_eos && is_eos(g, id)) {
            out->end = GENERATE_EOS;
            break;
        }
        out->n_new++;
        if (push(g, id, out, e) < 0)
            return -1;
        rc = emit(g, id, sink, user, out, e);
    }
    return rc;
}

int generator_run(struct generator *g, const uint32_t *prompt, size_t n, uint64_t number,
                  generate_sink *sink, void *user, struct generated *out, struct err *e)
{
    *out = (struct generated){0};
    if (generator_check(g, prompt, n, e) < 0)
        return -1;
    sampler_begin(&g->sampler, number);
    buf_clear(&g->held);
    decoder_release(&g->decoder);
    if (!g->o.ids_only)
        decoder_init(&g->decoder, g->tok, DECODE_SKIP_SPECIAL);
    if (take_prompt(g, prompt, n, out, e) < 0 || run_steps(g, sink, user, out, e) < 0)
        return -1;
    return finish(g, sink, user, e);
}
