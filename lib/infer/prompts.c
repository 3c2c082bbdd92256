/* Prompts through a generator. */
#include "infer/prompts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/utf8.h"
#include "infer/chat.h"
#include "io/jscan.h"

struct work {
    struct prompts *p;
    struct encoder *x;
    struct chat chat;
    struct chat_format format;
    struct ids ids;
    struct buf text, padded; /* completion of a record; a prompt with readable bytes behind it */
    struct buf repaired;     /* a record's text, or the record with its bytes replaced */
    bool collect, any;       /* any: ids have gone out */
};

static int work_init(struct work *w, struct prompts *p, struct err *e)
{
    *w = (struct work){
        .p = p, .chat = CHAT_INIT, .text = BUF_INIT, .padded = BUF_INIT, .repaired = BUF_INIT};
    if (p->ids)
        return 0;
    if (p->chat) {
        int known = chat_format_check(p->d->path, e);
        if (known < 0)
            return -1;
        if (known == 0)
            return err_set(e, "%s: no chat template: sft makes a model that one can talk to",
                           p->d->path);
        if (chat_format_find(&w->format, p->d->tok, e) < 0)
            return -1;
    }
    return (w->x = encoder_new(p->d->tok, e)) ? 0 : -1;
}

static void work_release(struct work *w)
{
    encoder_free(w->x);
    chat_release(&w->chat);
    ids_release(&w->ids);
    buf_release(&w->text);
    buf_release(&w->padded);
    buf_release(&w->repaired);
}

/* ---- prompts to ids ---- */

static int push_id(struct ids *ids, uint32_t id, struct err *e)
{
    if (mem_grow(&ids->v, &ids->cap, ids->n + 1, sizeof *ids->v, e) < 0)
        return -1;
    ids->v[ids->n++] = id;
    return 0;
}

static bool is_gap(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',';
}

static int parse_ids(struct work *w, const char *text, size_t n, struct err *e)
{
    size_t at = 0;

    for (;;) {
        while (at < n && is_gap(text[at]))
            at++;
        if (at == n)
            return 0;
        uint64_t id = 0;
        size_t from = at;
        for (; at < n && text[at] >= '0' && text[at] <= '9' && id < UINT32_MAX; at++)
            id = id * 10 + (uint64_t)(text[at] - '0');
        if (at < n && !is_gap(text[at])) {
            while (at < n && at - from < 20 && !is_gap(text[at]))
                at++;
            return err_set(e, "'%.*s' is no token id; --ids takes numbers separated by spaces",
                           (int)(at - from), text + from);
        }
        if (id >= UINT32_MAX)
            id = UINT32_MAX - 1; /* beyond any vocabulary */
        if (push_id(&w->ids, (uint32_t)id, e) < 0)
            return -1;
    }
}

/* A text with what the tokenizer's post-processor puts before it; a model without one begins an
 * empty text with BOS or EOS. */
static int encode_text(struct work *w, const char *text, size_t n, struct err *e)
{
    const uint32_t *before, *after;
    size_t n_before, n_after;
    const struct modeldir *d = w->p->d;

    tokenizer_around(d->tok, &before, &n_before, &after, &n_after);
    for (size_t i = 0; i < n_before; i++)
        if (push_id(&w->ids, before[i], e) < 0)
            return -1;
    int64_t first = d->ids.bos >= 0 ? d->ids.bos : d->ids.eos;
    if (n == 0 && n_before == 0 && first >= 0)
        return push_id(&w->ids, (uint32_t)first, e);
    buf_clear(&w->padded);
    if (buf_add(&w->padded, text, n, e) < 0 || buf_reserve(&w->padded, 64, e) < 0)
        return -1;
    return encoder_run(w->x, w->padded.s, n, 0, NULL, 0, &w->ids, e);
}

static int encode_chat(struct work *w, const char *text, size_t n, struct err *e)
{
    if (!text) /* a record's messages, which are there already */
        return chat_encode(&w->chat, &w->format, w->x, true, &w->ids, NULL, e);
    chat_clear(&w->chat);
    return chat_add(&w->chat, "user", 4, text, n, e) < 0
               ? -1
               : chat_encode(&w->chat, &w->format, w->x, true, &w->ids, NULL, e);
}

static int encode(struct work *w, const char *text, size_t n, struct err *e)
{
    w->ids.n = 0;
    if (w->p->ids && parse_ids(w, text, n, e) < 0)
        return -1;
    if (w->p->ids && w->ids.n == 0)
        return err_set(e, "an empty prompt: nothing is put before ids, so at least one is needed");
    if (w->p->ids)
        return 0;
    return w->p->chat ? encode_chat(w, text, n, e) : encode_text(w, text, n, e);
}

/* ---- completions ---- */

static int put(void *user, const char *text, size_t n, const uint32_t *id, struct err *e)
{
    struct work *w = user;
    char word[16];

    if (id) {
        n = (size_t)snprintf(word, sizeof word, "%s%" PRIu32, w->any ? " " : "", *id);
        text = word;
        w->any = true;
    }
    if (w->collect)
        return buf_add(&w->text, text, n, e);
    if (out_write(w->p->out, text, n, e) < 0)
        return -1;
    return w->p->flush ? out_flush(w->p->out, e) : 0;
}

/* Completes the prompt w->ids. */
static int run(struct work *w, struct err *e)
{
    struct prompts *p = w->p;
    struct generated g;

    buf_clear(&w->text);
    w->any = false;
    if (generator_run(p->g, w->ids.v, w->ids.n, p->n, put, w, &g, e) < 0)
        return -1;
    if (g.end == GENERATE_SIGNAL) {
        if (!w->collect)
            out_flush(p->out, NULL);
        err_set(e, "stopped by a signal");
        e->kind = ERR_SIGNAL;
        return -1;
    }
    p->n++;
    p->n_tokens_in += g.n_prompt;
    p->n_tokens_out += g.n_new;
    p->n_dropped += g.n_dropped;
    p->prompt_s += g.prompt_s;
    p->new_s += g.new_s;
    return 0;
}

static int end_text(struct prompts *p, struct err *e)
{
    return out_write(p->out, "\n", 1, e) < 0 ? -1 : out_flush(p->out, e);
}

int prompts_text(struct prompts *p, const char *text, size_t n, struct err *e)
{
    struct work w;
    int rc = work_init(&w, p, e) < 0 || encode(&w, text, n, e) < 0 || run(&w, e) < 0 ||
                     end_text(p, e) < 0
                 ? -1
                 : 0;

    work_release(&w);
    return rc;
}

/* ---- records ---- */

/* The record as it was, with "completion" as its last member. */
static int put_record(struct work *w, const struct doc *doc, struct err *e)
{
    struct buf b = BUF_INIT;
    size_t n = doc->raw_len;
    int rc = -1;

    while (n > 0 && doc->raw[n - 1] != '}')
        n--;
    n -= n > 0;
    size_t m = n;
    while (m > 0 && strchr(" \t\r\n", doc->raw[m - 1]))
        m--;
    bool first = m > 0 && doc->raw[m - 1] == '{';
    if (buf_add(&b, doc->raw, n, e) == 0 &&
        buf_puts(&b, first ? "\"completion\": " : ", \"completion\": ", e) == 0 &&
        buf_json_string(&b, w->text.s, w->text.len, e) == 0 && buf_puts(&b, "}\n", e) == 0 &&
        out_write(w->p->out, b.s, b.len, e) == 0)
        rc = out_flush(w->p->out, e);
    buf_release(&b);
    return rc;
}

/* A second member of that name would hide one of them from whoever reads the record. */
static int check_completion(const struct doc *doc, struct err *e)
{
    struct jscan j;
    bool taken = false;

    jscan_init(&j, doc->raw, doc->raw_len);
    if (jscan_next(&j) == JSCAN_OBJECT)
        while (jscan_next(&j) == JSCAN_KEY) {
            taken |= jscan_key_is(&j, "completion");
            if (jscan_next(&j) < 0 || jscan_skip(&j) < 0)
                break;
        }
    return taken ? err_set(e, "the record has a \"completion\" already; rename or remove it") : 0;
}

/* The messages of a record to w->chat: 1, 0 if it holds none, -1 and what is wrong with them. */
static int find_messages(struct work *w, const struct doc *rec, struct err *e)
{
    json_error_t why;
    json_t *tree = json_loadb(rec->raw, rec->raw_len, 0, &why);
    int rc = 0;

    chat_clear(&w->chat);
    if (json_object_get(tree, "messages") || json_object_get(tree, "conversations"))
        rc = chat_parse(&w->chat, tree, e) < 0 ? -1 : 1;
    json_decref(tree);
    return rc;
}

/* The prompt of a record to w->ids; -1 and why in e if it cannot be one. *doc becomes its text, or
 * with bytes replaced the repaired record. */
static int take_record(struct work *w, struct doc *doc, const struct docs_opt *o, bool *replaced,
                       struct err *e)
{
    int messages = 0;

    if (w->p->chat && doc->raw) {
        if (o->on_error == ON_ERROR_REPLACE && utf8_valid(doc->raw, doc->raw_len) < doc->raw_len) {
            if (utf8_replace(&w->repaired, doc->raw, doc->raw_len, e) < 0)
                return -1;
            *replaced = true;
            doc->raw = w->repaired.s;
            doc->raw_len = w->repaired.len;
        }
        messages = find_messages(w, doc, e);
        if (messages < 0)
            return err_prefix(e, "%s:%" PRIu64 ": ", doc->file, doc->line);
    }
    if (messages == 0 && doc_parse(o, doc, &w->repaired, replaced, e) <= 0)
        return -1;
    if ((doc->raw && check_completion(doc, e) < 0) ||
        encode(w, messages ? NULL : doc->text, messages ? 0 : doc->len, e) < 0 ||
        generator_check(w->p->g, w->ids.v, w->ids.n, e) < 0)
        return doc->line ? err_prefix(e, "%s:%" PRIu64 ": ", doc->file, doc->line)
                         : err_prefix(e, "%s: ", doc->file);
    return 0;
}

static int do_record(struct work *w, struct docs *d, const struct docs_opt *o, struct doc *doc,
                     struct err *e)
{
    struct doc before = *doc;
    struct err why = {0};
    bool replaced = false;

    if (take_record(w, doc, o, &replaced, &why) < 0) {
        if (o->on_error == ON_ERROR_STOP || why.kind != ERR_FAIL) {
            *e = why;
            return -1;
        }
        return docs_reject(d, &before, e);
    }
    docs_accept(d, doc, replaced);
    w->collect = doc->raw != NULL;
    if (run(w, e) < 0)
        return -1;
    return doc->raw ? put_record(w, doc, e) : end_text(w->p, e);
}

int prompts_docs(struct prompts *p, char *const *operands, int n, const struct docs_opt *o,
                 struct err *e)
{
    struct work w;
    struct doc doc;
    struct docs *d = NULL;
    struct docs_counts counts;
    int r = -1;

    if (work_init(&w, p, e) == 0 && (d = docs_open(operands, n, o, e)))
        while ((r = docs_next_raw(d, &doc, e)) > 0)
            if ((r = do_record(&w, d, o, &doc, e)) < 0)
                break;
    if (r < 0)
        docs_abort(d);
    else if ((r = docs_close(d, &counts, e)) == 0)
        p->n_skipped = counts.n_skipped;
    work_release(&w);
    return r;
}
