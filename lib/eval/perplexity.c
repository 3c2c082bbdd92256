/* How well a model predicts documents. */
#include "eval/perplexity.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/prog.h"

enum { N_DOCS = 256, PASS_TOK = 2048 };

struct ppl {
    struct ppl_options o;
    struct modeldir *d;
    struct scorer *s;
    struct encoder *x; /* NULL: no tokenizer */
    int64_t first;     /* put before a document; -1: nothing */
    struct ids ids;
    struct buf text;
    struct ppl_doc docs[N_DOCS]; /* whose passes have not all run */
    int n_docs;
    struct ppl_sum sum;
};

struct ppl *ppl_new(struct modeldir *d, const struct ppl_options *o, struct err *e)
{
    struct ppl *p = mem_new(1, sizeof *p, e);
    const struct config *c = model_config(d->m);

    if (!p)
        return NULL;
    *p = (struct ppl){.o = *o, .d = d, .text = BUF_INIT, .sum.has_text = true};
    if (p->o.n_ctx == 0)
        p->o.n_ctx = c->n_ctx;
    if (p->o.stride == 0)
        p->o.stride = (p->o.n_ctx + 1) / 2;
    p->first = o->no_bos ? -1 : d->ids.bos >= 0 ? d->ids.bos : d->ids.eos;
    struct scorer_options so = {.n_ctx = p->o.n_ctx,
                                .stride = p->o.stride,
                                .max_tok = p->o.n_ctx > PASS_TOK ? p->o.n_ctx : PASS_TOK,
                                .n_threads = o->n_threads,
                                .dtype = o->dtype,
                                .gemm = o->gemm};
    if (p->o.n_ctx > c->n_ctx)
        err_usage(e, "--context %d is more than the model's %d", p->o.n_ctx, c->n_ctx);
    else if (p->o.stride > p->o.n_ctx)
        err_usage(e, "--stride %d is more than the context of %d", p->o.stride, p->o.n_ctx);
    else if ((!d->tok || (p->x = encoder_new(d->tok, e))) && (p->s = scorer_new(d->m, &so, e)))
        return p;
    ppl_free(p);
    return NULL;
}

void ppl_free(struct ppl *p)
{
    if (!p)
        return;
    scorer_free(p->s);
    encoder_free(p->x);
    ids_release(&p->ids);
    buf_release(&p->text);
    free(p);
}

/* Runs what is waiting and hands the documents on. */
static int flush(struct ppl *p, struct err *e)
{
    if (scorer_flush(p->s, e) < 0)
        return -1;
    for (int i = 0; i < p->n_docs; i++) {
        const struct ppl_doc *d = &p->docs[i];
        p->sum.n_tokens += d->n_tokens;
        p->sum.n_bytes += d->n_bytes;
        p->sum.n_words += d->n_words;
        p->sum.nats += d->nats;
        p->sum.has_text &= d->has_text;
        if (p->o.per_doc && p->o.per_doc(p->o.user, d, e) < 0)
            return -1;
    }
    p->n_docs = 0;
    return 0;
}

/* Scores p->ids, in which room was left for the token in front. */
static int put(struct ppl *p, struct ppl_doc doc, struct err *e)
{
    size_t skip = p->first < 0;

    if (p->n_docs == N_DOCS && flush(p, e) < 0)
        return -1;
    p->ids.v[0] = (uint32_t)p->first;
    doc.number = p->sum.n_docs++;
    doc.n_tokens = p->ids.n > 1 + skip ? p->ids.n - 1 - skip : 0;
    p->docs[p->n_docs] = doc;
    return scorer_put(p->s, p->ids.v + skip, p->ids.n - skip, &p->docs[p->n_docs++].nats, e);
}

static uint64_t count_words(const char *s, size_t n)
{
    uint64_t words = 0;
    bool in_word = false;

    for (size_t i = 0; i < n; i++) {
        bool space = s[i] == ' ' || (s[i] >= '\t' && s[i] <= '\r');
        words += !space && !in_word;
        in_word = !space;
    }
    return words;
}

static int begin_ids(struct ppl *p, size_t n, struct err *e)
{
    p->ids.n = 1;
    return mem_grow(&p->ids.v, &p->ids.cap, n + 1, sizeof *p->ids.v, e);
}

int ppl_text(struct ppl *p, const char *text, size_t n, struct err *e)
{
    struct ppl_doc doc = {.n_bytes = n, .n_words = count_words(text, n), .has_text = true};

    if (!p->x)
        return err_set(e, "%s: has no tokenizer.json, which text needs", p->d->path);
    if (begin_ids(p, 0, e) < 0 || encoder_run(p->x, text, n, 0, NULL, 0, &p->ids, e) < 0)
        return -1;
    return put(p, doc, e);
}

/* Bytes and words of a document given as ids. */
static int measure(struct ppl *p, struct ppl_doc *doc, struct err *e)
{
    if (!p->d->tok)
        return 0;
    buf_clear(&p->text);
    for (size_t i = 1; i < p->ids.n; i++) {
        size_t n;
        const char *bytes = tokenizer_bytes(p->d->tok, p->ids.v[i], &n);
        if (bytes && buf_add(&p->text, bytes, n, e) < 0)
            return -1;
    }
    doc->n_bytes = p->text.len;
    doc->n_words = count_words(p->text.s, p->text.len);
    doc->has_text = true;
    return 0;
}

int ppl_shard(struct ppl *p, struct shard_in *s, struct err *e)
{
    uint32_t n_vocab = (uint32_t)model_config(p->d->m)->vocab_size;
    struct shard_doc d;
    int r;

    if (modeldir_accepts(p->d, shard_head(s), shard_name(s), e) < 0)
        return -1;
    while ((r = shard_next(s, &d, e)) > 0) {
        struct ppl_doc doc = {0};
        r = -1;
        if (begin_ids(p, d.n, e) < 0)
            break;
        for (size_t i = 0; i < d.n; i++)
            if (d.ids[i] >= n_vocab)
                return err_set(e,
                               "%s: id %" PRIu32 " is not below the model's vocabulary of %" PRIu32,
                               shard_name(s), d.ids[i], n_vocab);
        if (d.n)
            memcpy(p->ids.v + 1, d.ids, d.n * sizeof *d.ids);
        p->ids.n = d.n + 1;
        if ((shard_has_fingerprint(shard_head(s)) && measure(p, &doc, e) < 0) || put(p, doc, e) < 0)
            break;
    }
    return r;
}

int ppl_finish(struct ppl *p, struct ppl_sum *sum, struct err *e)
{
    if (flush(p, e) < 0)
        return -1;
    *sum = p->sum;
    return 0;
}

int ppl_signature(const struct ppl *p, struct buf *out, struct err *e)
{
    char hex[33] = "none";
    unsigned char fingerprint[16];

    if (p->d->tok) {
        if (tokenizer_fingerprint(p->d->tok, fingerprint, e) < 0)
            return -1;
        shard_fingerprint_hex(hex, fingerprint);
    }
    return buf_printf(out, e, "quern-%s|tok:%s|ctx:%d|stride:%d|bos:%s|dtype:%s", prog_version(),
                      hex, p->o.n_ctx, p->o.stride,
                      p->first < 0                ? "none"
                      : p->first == p->d->ids.bos ? "bos"
                                                  : "eos",
                      gemm_dtype_words[p->o.dtype]);
}
