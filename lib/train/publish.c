/* The files beside the weights. */
#include "train/publish.h"

#include <inttypes.h>
#include <string.h>
#include "io/jscan.h"
#include "io/jtree.h"
#include "io/out.h"
#include "text/split.h"

/* TemplateProcessing with the token in front, as the tokenizers library writes it. */
static int template(struct buf *b, const char *token, int64_t id, struct err *e)
{
    struct buf name = BUF_INIT;
    int rc = -1;

    if (buf_json_string(&name, token, strlen(token), e) < 0)
        goto out;
    const char *t = name.s;
    rc = buf_printf(
        b, e,
        "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":%s,"
        "\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],\"pair\":[{"
        "\"SpecialToken\":{\"id\":%s,\"type_id\":0}},{\"Sequence\":{\"id\":\"A\","
        "\"type_id\":0}},{\"SpecialToken\":{\"id\":%s,\"type_id\":1}},{\"Sequence\":{"
        "\"id\":\"B\",\"type_id\":1}}],\"special_tokens\":{%s:{\"id\":%s,\"ids\":[%" PRId64
        "],\"tokens\":[%s]}}}",
        t, t, t, t, t, id, t);
out:
    buf_release(&name);
    return rc;
}

/* Bytes [*from, *to) of the top level's value of a key; 0 if there is none. */
static int find_value(const char *json, size_t n, const char *key, size_t *from, size_t *to,
                      struct err *e)
{
    struct jscan j;
    enum jscan_type t;
    int found = 0;

    jscan_init(&j, json, n);
    if (jscan_next(&j) != JSCAN_OBJECT)
        return err_set(e, "tokenizer.json: not a JSON object");
    while ((t = jscan_next(&j)) == JSCAN_KEY) {
        bool mine = jscan_key_is(&j, key);
        if (jscan_next(&j) == JSCAN_ERROR)
            return jscan_err(&j, e);
        size_t start = j.start;
        if (jscan_skip(&j) < 0)
            return jscan_err(&j, e);
        if (mine) {
            *from = start;
            *to = j.pos;
            found = 1;
        }
    }
    return t == JSCAN_END ? found : jscan_err(&j, e);
}

int publish_tokenizer(const char *json, size_t n, const char *token, int64_t id, struct buf *out,
                      struct err *e)
{
    size_t from = 0, to = 0;
    int found = find_value(json, n, "post_processor", &from, &to, e);

    if (found < 0)
        return -1;
    if (found)
        return buf_add(out, json, from, e) < 0 || template(out, token, id, e) < 0 ||
                       buf_add(out, json + to, n - to, e) < 0
                   ? -1
                   : 0;
    from = (size_t)((const char *)memchr(json, '{', n) - json) + 1;
    return buf_add(out, json, from, e) < 0 || buf_puts(out, "\"post_processor\":", e) < 0 ||
                   template(out, token, id, e) < 0 || buf_puts(out, ",", e) < 0 ||
                   buf_add(out, json + from, n - from, e) < 0
               ? -1
               : 0;
}

static int save_tokenizer(const struct publish *p, const char *path, struct err *e)
{
    struct buf b = BUF_INIT;
    const struct config *c = p->config;
    const char *first = p->bos ? p->bos : p->eos;
    int64_t id = p->bos ? c->bos : c->n_eos ? c->eos[0] : -1;
    int rc;

    if (!first)
        return out_file(path, p->tokenizer, p->tokenizer_len, e);
    rc = publish_tokenizer(p->tokenizer, p->tokenizer_len, first, id, &b, e);
    if (rc == 0)
        rc = out_file(path, b.s, b.len, e);
    buf_release(&b);
    return rc;
}

static void put_str(json_t *o, const char *key, const char *v)
{
    json_object_set_new(o, key, v ? json_string(v) : json_null());
}

/* transformers 5 puts Qwen2's split in the place of any other where the model is a qwen2, whatever
 * tokenizer_class says, unless the file speaks of code beside it. That there is none keeps the
 * tokenizer as it is. */
static int keep_split(const struct publish *p, json_t *o)
{
    const char *pattern = split_pattern("qwen2");
    struct buf spelled = BUF_INIT;
    int rc = 0;

    if (strcmp(p->config->model_type, "qwen2") != 0)
        return 0;
    if (buf_json_string(&spelled, pattern, strlen(pattern), NULL) < 0)
        rc = -1;
    else if (!strstr(p->tokenizer, spelled.s))
        rc = json_object_set_new(o, "auto_map", json_pack("{s:[n,n]}", "AutoTokenizer"));
    buf_release(&spelled);
    return rc;
}

static json_t *tokenizer_config(const struct publish *p)
{
    json_t *o = json_object();

    if (!o)
        return NULL;
    put_str(o, "tokenizer_class", "PreTrainedTokenizerFast");
    put_str(o, "bos_token", p->bos);
    put_str(o, "eos_token", p->eos);
    put_str(o, "pad_token", p->pad);
    json_object_set_new(o, "model_max_length", json_integer(p->config->n_ctx));
    json_object_set_new(o, "clean_up_tokenization_spaces", json_false());
    if (p->chat_template)
        put_str(o, "chat_template", p->chat_template);
    if (keep_split(p, o) != 0) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static json_t *generation_config(const struct config *c)
{
    json_t *o = json_object(), *eos = NULL;

    if (!o)
        return NULL;
    if (c->bos >= 0)
        json_object_set_new(o, "bos_token_id", json_integer(c->bos));
    if (c->n_eos > 1) {
        eos = json_array();
        for (int i = 0; eos && i < c->n_eos; i++)
            json_array_append_new(eos, json_integer(c->eos[i]));
    } else if (c->n_eos == 1) {
        eos = json_integer(c->eos[0]);
    }
    if (eos)
        json_object_set_new(o, "eos_token_id", eos);
    if (c->pad >= 0)
        json_object_set_new(o, "pad_token_id", json_integer(c->pad));
    return o;
}

static int save_tree(json_t *o, const char *dir, const char *name, struct err *e)
{
    struct buf b = BUF_INIT;
    int rc = o ? buf_printf(&b, e, "%s/%s", dir, name) : err_nomem(e, name, 0);

    if (rc == 0)
        rc = jtree_save(o, b.s, e);
    json_decref(o);
    buf_release(&b);
    return rc;
}

int publish_save(const struct publish *p, const char *dir, struct err *e)
{
    struct buf b = BUF_INIT;
    int rc = 0;

    if (p->tokenizer) {
        rc = buf_printf(&b, e, "%s/tokenizer.json", dir);
        if (rc == 0)
            rc = save_tokenizer(p, b.s, e);
        if (rc == 0)
            rc = save_tree(tokenizer_config(p), dir, "tokenizer_config.json", e);
    }
    if (rc == 0)
        rc = save_tree(generation_config(p->config), dir, "generation_config.json", e);
    buf_release(&b);
    return rc;
}
