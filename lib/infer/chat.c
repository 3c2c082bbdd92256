/* Conversations: read, rendered, encoded. */
#include "infer/chat.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "io/in.h"
#include "io/jtree.h"

const char chat_template[] =
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + "
    "message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

static const char im_start[] = "<|im_start|>", im_end[] = "<|im_end|>";

void chat_clear(struct chat *c)
{
    c->n = 0;
    buf_clear(&c->text);
}

void chat_release(struct chat *c)
{
    buf_release(&c->text);
    buf_release(&c->rendered);
    free(c->m);
    free(c->literal);
    ids_release(&c->header);
    *c = (struct chat)CHAT_INIT;
}

int chat_add(struct chat *c, const char *role, size_t n_role, const char *content, size_t n_content,
             struct err *e)
{
    if (n_role == 0 || memchr(role, '\n', n_role) || memchr(role, '<', n_role))
        return err_set(e, "a role that is empty or holds a newline or <");
    if (mem_grow(&c->m, &c->cap, c->n + 1, sizeof *c->m, e) < 0)
        return -1;
    struct chat_message m = {.role = c->text.len, .n_role = n_role, .n_content = n_content};
    if (buf_add(&c->text, role, n_role, e) < 0)
        return -1;
    m.content = c->text.len;
    if (buf_add(&c->text, content, n_content, e) < 0)
        return -1;
    c->m[c->n++] = m;
    return 0;
}

/* ---- records ---- */

static int add_json(struct chat *c, const char *role, const json_t *content, const char *key,
                    struct err *e)
{
    if (!json_is_string(content))
        return err_set(e, "\"%s\" is %s", key, content ? "no string" : "missing");
    return chat_add(c, role, strlen(role), json_string_value(content), json_string_length(content),
                    e);
}

/* Names of roles in other people's files. */
static const char *usual_role(const char *role)
{
    if (strcmp(role, "human") == 0)
        return "user";
    return strcmp(role, "gpt") == 0 ? "assistant" : role;
}

static int parse_messages(struct chat *c, const json_t *list, const char *role_key,
                          const char *content_key, struct err *e)
{
    if (!json_is_array(list))
        return err_set(e, "the messages are no array");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *m = json_array_get(list, i);
        const char *role = json_string_value(json_object_get(m, role_key));
        if (!role)
            return err_set(e, "message %zu has no \"%s\"", i + 1, role_key);
        if (add_json(c, usual_role(role), json_object_get(m, content_key), content_key, e) < 0)
            return err_prefix(e, "message %zu: ", i + 1);
    }
    return 0;
}

static int parse_alpaca(struct chat *c, const json_t *r, struct err *e)
{
    const json_t *instruction = json_object_get(r, "instruction"),
                 *in = json_object_get(r, "input");
    struct buf b = BUF_INIT;
    int rc = -1;

    if (!json_is_string(in) || json_string_length(in) == 0)
        rc = add_json(c, "user", instruction, "instruction", e);
    else if (!json_is_string(instruction))
        err_set(e, "\"instruction\" is no string");
    else if (buf_printf(&b, e, "%s\n\n", json_string_value(instruction)) == 0 &&
             buf_add(&b, json_string_value(in), json_string_length(in), e) == 0)
        rc = chat_add(c, "user", 4, b.s, b.len, e);
    buf_release(&b);
    return rc < 0 ? -1 : add_json(c, "assistant", json_object_get(r, "output"), "output", e);
}

int chat_parse(struct chat *c, const json_t *record, struct err *e)
{
    const json_t *v;

    if ((v = json_object_get(record, "messages")))
        return parse_messages(c, v, "role", "content", e);
    if ((v = json_object_get(record, "conversations")))
        return parse_messages(c, v, "from", "value", e);
    if (json_object_get(record, "instruction"))
        return parse_alpaca(c, record, e);
    if ((v = json_object_get(record, "prompt")))
        return add_json(c, "user", v, "prompt", e) < 0
                   ? -1
                   : add_json(c, "assistant", json_object_get(record, "completion"), "completion",
                              e);
    return err_set(e, "no conversation: neither \"messages\", \"instruction\" with \"output\", nor "
                      "\"prompt\" with \"completion\"");
}

/* ---- the template ---- */

static int find_mark(const struct tokenizer *t, const char *mark, uint32_t *id, struct err *e)
{
    int64_t found = tokenizer_id(t, mark, strlen(mark));

    if (found < 0 || !tokenizer_is_special(t, (uint32_t)found))
        return err_set(e,
                       "the tokenizer has no special token %s, which the chat template needs; "
                       "bpe-train adds it unless told otherwise",
                       mark);
    *id = (uint32_t)found;
    return 0;
}

int chat_format_find(struct chat_format *f, const struct tokenizer *t, struct err *e)
{
    return find_mark(t, im_start, &f->im_start, e) < 0 ? -1 : find_mark(t, im_end, &f->im_end, e);
}

static int is_foreign(const char *file, const char *what, struct err *e)
{
    return err_set(e, "%s: %sonly the ChatML template that sft writes is understood", file, what);
}

/* 1, 0 if there is no chat_template.jinja, -1. transformers writes the template there. */
static int check_jinja(const char *dir, struct err *e)
{
    struct buf path = BUF_INIT;
    struct in *in = NULL;
    char *text = NULL;
    size_t n;
    int rc = buf_printf(&path, e, "%s/chat_template.jinja", dir);

    if (rc == 0 && access(path.s, F_OK) == 0) {
        rc = -1;
        if ((in = in_open(path.s, 0, e)) && (text = in_all(in, (size_t)1 << 24, &n, e))) {
            while (n > 0 && text[n - 1] == '\n')
                n--;
            if (n == sizeof chat_template - 1 && memcmp(text, chat_template, n) == 0)
                rc = 1;
            else
                is_foreign(path.s, "", e);
        }
        in_close(in);
    }
    free(text);
    buf_release(&path);
    return rc;
}

int chat_format_check(const char *dir, struct err *e)
{
    struct buf path = BUF_INIT;
    json_t *tree = NULL;
    int rc = check_jinja(dir, e);

    if (rc != 0)
        return rc;
    if (buf_printf(&path, e, "%s/tokenizer_config.json", dir) < 0) {
        rc = -1;
    } else if (access(path.s, F_OK) == 0) {
        const json_t *t = NULL;
        if (!(tree = jtree_load(path.s, e)))
            rc = -1;
        else
            t = json_object_get(tree, "chat_template");
        if (t && !json_is_null(t)) {
            const char *text = json_string_value(t);
            rc = text && strcmp(text, chat_template) == 0
                     ? 1
                     : is_foreign(path.s, "chat_template: ", e);
        }
    }
    json_decref(tree);
    buf_release(&path);
    return rc;
}

static int render(const struct chat *c, bool ask, struct buf *out, struct text_span *literal,
                  struct err *e)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct chat_message *m = &c->m[i];
        if (buf_puts(out, im_start, e) < 0 || buf_add(out, c->text.s + m->role, m->n_role, e) < 0 ||
            buf_putc(out, '\n', e) < 0)
            return -1;
        if (literal)
            literal[i] = (struct text_span){out->len, out->len + m->n_content};
        if (buf_add(out, c->text.s + m->content, m->n_content, e) < 0 ||
            buf_puts(out, im_end, e) < 0 || buf_putc(out, '\n', e) < 0)
            return -1;
    }
    return ask ? buf_printf(out, e, "%sassistant\n", im_start) : 0;
}

int chat_render(const struct chat *c, bool ask, struct buf *out, struct err *e)
{
    return render(c, ask, out, NULL, e);
}

static bool is_assistant(const struct chat *c, size_t i)
{
    return c->m[i].n_role == 9 && memcmp(c->text.s + c->m[i].role, "assistant", 9) == 0;
}

/*
 * Marks what assistants say. Between <|im_start|> and <|im_end|> stand the ids of "ROLE\n" and of
 * the content; where the newline has merged with white space that the content begins with, the
 * first id that differs from the header's is taken as the first that was said.
 */
static void mark_answers(const struct chat *c, const struct chat_format *f, const uint32_t *v,
                         size_t n, char *weights)
{
    size_t at = 0;

    memset(weights, 0, n);
    for (size_t i = 0; i < c->n && at < n; i++) {
        const struct ids *h = &c->header; /* its first id is <|im_start|> */
        while (at < n && v[at] != f->im_start)
            at++;
        size_t from = ++at;
        while (at < n && v[at] != f->im_end)
            at++;
        if (!is_assistant(c, i))
            continue;
        for (size_t k = 1; k < h->n && from < at && v[from] == h->v[k]; k++)
            from++;
        if (at < n)
            memset(weights + from, 255, at + 1 - from);
    }
}

int chat_encode(struct chat *c, const struct chat_format *f, struct encoder *x, bool ask,
                struct ids *ids, struct buf *weights, struct err *e)
{
    static const char header[] = "assistant\n";
    size_t before = ids->n;

    buf_clear(&c->rendered);
    if (mem_grow(&c->literal, &c->cap_literal, c->n, sizeof *c->literal, e) < 0 ||
        render(c, ask, &c->rendered, c->literal, e) < 0 || buf_reserve(&c->rendered, 64, e) < 0 ||
        encoder_run(x, c->rendered.s, c->rendered.len, 0, c->literal, c->n, ids, e) < 0)
        return -1;
    if (!weights)
        return 0;
    buf_clear(&c->rendered);
    c->header.n = 0;
    if (buf_puts(&c->rendered, im_start, e) < 0 || buf_puts(&c->rendered, header, e) < 0 ||
        buf_reserve(&c->rendered, 64, e) < 0 ||
        encoder_run(x, c->rendered.s, c->rendered.len, 0, NULL, 0, &c->header, e) < 0 ||
        buf_reserve(weights, ids->n - before, e) < 0)
        return -1;
    mark_answers(c, f, ids->v + before, ids->n - before, weights->s + weights->len);
    weights->len += ids->n - before;
    return 0;
}
