/* Prompts through a generator. */
#include "infer/prompts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/num.h"
#include "infer/chat.h"

struct work {
    struct prompts *p;
    struct encoder *x;
    struct chat chat;
    struct chat_format format;
    struct ids ids;
    struct buf text, padded; /* completion of a record; a prompt with readable bytes behind it */
    bool collect;
};

static int work_init(struct work *w, struct prompts *p, struct err *e)
{
    *w = (struct work){.p = p, .chat = CHAT_INIT, .text = BUF_INIT, .padded = BUF_INIT};
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
}

/* ---- prompts to ids ---- */

static int push_id(struct ids *ids, uint32_t id, struct err *e)
{
    if (mem_grow(&ids->v, &ids->cap, ids->n + 1, sizeof *ids->v, e) < 0)
        return -1;
    ids->v[ids->n++] = id;
    return 0;
}

static int parse_ids(struct work *w, const char *text, size_t n, struct err *e)
{
    size_t at = 0;

    while (at < n) {
        char word[16];
        size_t len = 0;
        int64_t id;
        while (at < n && strchr(" \t\r\n,", text[at]))
            at++;
        while (at < n && !strchr(" \t\r\n,", text[at])) {
            if (len + 1 == sizeof word)
                return err_set(e, "--ids: a prompt is ids in decimal, separated by spaces");
            word[len++] = text[at++];
        }
        word[len] = '\0';
        if (len == 0)
            break;
        if (num_int(word, 0, UINT32_MAX - 1, &id, e) < 0)
            return err_prefix(e, "--ids: ");
        if (push_id(&w->ids, (uint32_t)id, e) < 0)
            return -1;
    }
    return 0;
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

static int encode_chat(struct work *w, const struct doc *doc, const char *text, size_t n,
                       struct err *e)
{
    json_error_t why;
    json_t *tree = doc && doc->raw ? json_loadb(doc->raw, doc->raw_len, 0, &why) : NULL;
    int rc;

    chat_clear(&w->chat);
    if (tree && (json_object_get(tree, "messages") || json_object_get(tree, "conversations")))
        rc = chat_parse(&w->chat, tree, e);
    else
        rc = chat_add(&w->chat, "user", 4, text, n, e);
    json_decref(tree);
    return rc < 0 ? -1 : chat_encode(&w->chat, &w->format, w->x, true, &w->ids, NULL, e);
}

/* ---- completions ---- */

static int put(void *user, const char *text, size_t n, const uint32_t *id, struct err *e)
{
    struct work *w = user;
    char word[16];

    if (id) {
        n = (size_t)snprintf(word, sizeof word, "%s%" PRIu32, w->text.len ? " " : "", *id);
        text = word;
    }
    if (w->collect || id) {
        if (buf_add(&w->text, text, n, e) < 0)
            return -1;
        if (w->collect)
            return 0;
    }
    if (out_write(w->p->out, text, n, e) < 0)
        return -1;
    return w->p->flush ? out_flush(w->p->out, e) : 0;
}

static int run(struct work *w, const struct doc *doc, const char *text, size_t n, struct err *e)
{
    struct prompts *p = w->p;
    struct generated g;
    int rc;

    w->ids.n = 0;
    buf_clear(&w->text);
    if (p->ids)
        rc = parse_ids(w, text, n, e);
    else if (p->chat)
        rc = encode_chat(w, doc, text, n, e);
    else
        rc = encode_text(w, text, n, e);
    if (rc < 0 || generator_run(p->g, w->ids.v, w->ids.n, p->n, put, w, &g, e) < 0)
        return -1;
    p->n++;
    p->n_tokens_in += g.n_prompt;
    p->n_tokens_out += g.n_new;
    p->n_dropped += g.n_dropped;
    p->prompt_s += g.prompt_s;
    p->new_s += g.new_s;
    return 0;
}

int prompts_text(struct prompts *p, const char *text, size_t n, struct err *e)
{
    struct work w;
    int rc = work_init(&w, p, e) < 0 || run(&w, NULL, text, n, e) < 0 ? -1 : 0;

    if (rc == 0)
        rc = out_write(p->out, "\n", 1, e);
    work_release(&w);
    return rc;
}

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
        buf_json_string(&b, w->text.s, w->text.len, e) == 0 && buf_puts(&b, "}\n", e) == 0)
        rc = out_write(w->p->out, b.s, b.len, e);
    buf_release(&b);
    return rc;
}

int prompts_docs(struct prompts *p, char *const *operands, int n, const struct docs_opt *o,
                 struct err *e)
{
    struct work w;
    struct doc doc;
    struct docs *d = NULL;
    int r = -1;

    if (work_init(&w, p, e) == 0 && (d = docs_open(operands, n, o, e)))
        while ((r = docs_next(d, &doc, e)) > 0) {
            w.collect = doc.raw != NULL;
            if (run(&w, &doc, doc.text, doc.len, e) < 0) {
                err_prefix(e, "%s:%" PRIu64 ": ", doc.file, doc.line);
                r = -1;
                break;
            }
            if ((doc.raw ? put_record(&w, &doc, e) : out_write(p->out, "\n", 1, e)) < 0) {
                r = -1;
                break;
            }
        }
    int rc = docs_close(d, NULL, r < 0 ? NULL : e);
    work_release(&w);
    return r < 0 ? -1 : rc;
}
