/* A trained vocabulary as tokenizer.json. */
#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "io/out.h"
#include "token/bpe_train.h"

enum { FLUSH_BYTES = 64 << 10 };

struct saver {
    const struct bpe_vocab *v;
    struct out *out;
    struct buf text, token;
    struct err *e;
};

static int flush(struct saver *s, size_t least)
{
    if (s->text.len < least)
        return 0;
    if (out_write(s->out, s->text.s, s->text.len, s->e) < 0)
        return -1;
    buf_clear(&s->text);
    return 0;
}

static int put(struct saver *s, const char *text)
{
    return buf_puts(&s->text, text, s->e);
}

static int put_string(struct saver *s, const char *text)
{
    return buf_json_string(&s->text, text, strlen(text), s->e);
}

static int put_token(struct saver *s, uint32_t id)
{
    buf_clear(&s->token);
    if (bpe_token_visible(s->v, id, &s->token, s->e) < 0)
        return -1;
    return buf_json_string(&s->text, s->token.s, s->token.len, s->e);
}

static int put_added(struct saver *s)
{
    for (uint32_t i = 0; i < s->v->n_special; i++) {
        if (buf_printf(&s->text, s->e, "%s\n    {\"id\": %" PRIu32 ", \"content\": ", i ? "," : "",
                       i) < 0 ||
            put_string(s, s->v->special[i]) < 0 ||
            put(s, ", \"single_word\": false, \"lstrip\": false, \"rstrip\": false, "
                   "\"normalized\": false, \"special\": true}") < 0)
            return -1;
    }
    return s->v->n_special ? put(s, "\n  ") : 0;
}

static int put_pre_tokenizer(struct saver *s, const char *pattern)
{
    static const char digits[] = "{\"type\": \"Digits\", \"individual_digits\": true}";
    static const char byte_level[] = "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, "
                                     "\"trim_offsets\": true, \"use_regex\": ";
    if (!pattern && !s->v->split_digits)
        return put(s, byte_level) < 0 ? -1 : put(s, "true}");
    if (put(s, "{\"type\": \"Sequence\", \"pretokenizers\": [\n    ") < 0 ||
        (s->v->split_digits && (put(s, digits) < 0 || put(s, ",\n    ") < 0)))
        return -1;
    if (!pattern)
        return put(s, byte_level) < 0 ? -1 : put(s, "true}\n  ]}");
    if (put(s, "{\"type\": \"Split\", \"pattern\": {\"Regex\": ") < 0 ||
        put_string(s, pattern) < 0 ||
        put(s, "}, \"behavior\": \"Isolated\", \"invert\": false},\n    ") < 0 ||
        put(s, byte_level) < 0)
        return -1;
    return put(s, "false}\n  ]}");
}

static int put_vocab(struct saver *s)
{
    for (uint32_t id = 0; id < s->v->n_ids; id++) {
        if (put(s, id ? ",\n      " : "\n      ") < 0 || put_token(s, id) < 0 ||
            buf_printf(&s->text, s->e, ": %" PRIu32, id) < 0 || flush(s, FLUSH_BYTES) < 0)
            return -1;
    }
    return 0;
}

static int put_merges(struct saver *s)
{
    for (size_t i = 0; i < s->v->n_merges; i++) {
        const struct bpe_merge *m = &s->v->merge[i];
        if (put(s, i ? ",\n      [" : "\n      [") < 0 || put_token(s, m->left) < 0 ||
            put(s, ", ") < 0 || put_token(s, m->right) < 0 || put(s, "]") < 0 ||
            flush(s, FLUSH_BYTES) < 0)
            return -1;
    }
    return s->v->n_merges ? put(s, "\n    ") : 0;
}

static int put_all(struct saver *s, const char *pattern)
{
    if (put(s, "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n"
               "  \"added_tokens\": [") < 0 ||
        put_added(s) < 0 || put(s, "],\n  \"normalizer\": ") < 0 ||
        put(s, s->v->normalizer ? s->v->normalizer : "null") < 0 ||
        put(s, ",\n  \"pre_tokenizer\": ") < 0 || put_pre_tokenizer(s, pattern) < 0 ||
        put(s, ",\n  \"post_processor\": {\"type\": \"ByteLevel\", \"add_prefix_space\": true, "
               "\"trim_offsets\": false, \"use_regex\": true},\n"
               "  \"decoder\": {\"type\": \"ByteLevel\", \"add_prefix_space\": true, "
               "\"trim_offsets\": true, \"use_regex\": true},\n"
               "  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n"
               "    \"unk_token\": null,\n    \"continuing_subword_prefix\": null,\n"
               "    \"end_of_word_suffix\": null,\n    \"fuse_unk\": false,\n"
               "    \"byte_fallback\": false,\n    \"ignore_merges\": false,\n"
               "    \"vocab\": {") < 0 ||
        put_vocab(s) < 0 || put(s, "\n    },\n    \"merges\": [") < 0 || put_merges(s) < 0 ||
        put(s, "]\n  }\n}\n") < 0)
        return -1;
    return flush(s, 0);
}

int bpe_save(const struct bpe_vocab *v, const char *pattern, struct out *out, struct err *e)
{
    struct saver s = {v, out, BUF_INIT, BUF_INIT, e};
    int rc = put_all(&s, pattern);
    buf_release(&s.text);
    buf_release(&s.token);
    return rc;
}
