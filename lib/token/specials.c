/* BOS, EOS and PAD of a tokenizer: from options, the files beside it, or by name. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/jtree.h"
#include "token/token_int.h"

static const struct {
    const char *option, *token_key, *id_key;
    const char *names[8]; /* tokenize(1) lists them */
} kinds[3] = {
    {"--bos",
     "bos_token",
     "bos_token_id",
     {"<s>", "<bos>", "<|bos|>", "<|begin_of_text|>", "<|startoftext|>",
      "<\uff5cbegin\u2581of\u2581sentence\uff5c>"}},
    {"--eos",
     "eos_token",
     "eos_token_id",
     {"</s>", "<eos>", "<|eos|>", "<|endoftext|>", "<|end_of_text|>",
      "<\uff5cend\u2581of\u2581sentence\uff5c>"}},
    {"--pad",
     "pad_token",
     "pad_token_id",
     {"<pad>", "[PAD]", "<|pad|>", "<|padding|>", "<\uff5c\u2581pad\u2581\uff5c>"}},
};

struct finding {
    const struct tokenizer *t;
    int64_t id[3];
    bool found[3]; /* also where what was found says that there is none */
    char (*where)[256];
    struct err *e;
};

static void take(struct finding *f, int k, int64_t id, const char *where)
{
    f->id[k] = id;
    f->found[k] = true;
    snprintf(f->where[k], sizeof f->where[k], "%s", where);
}

static int from_option(struct finding *f, int k, const char *token)
{
    if (!token)
        return 0;
    int64_t id = strcmp(token, "none") == 0 ? -1 : tokenizer_id(f->t, token, strlen(token));
    if (id < 0 && strcmp(token, "none") != 0)
        return err_usage(f->e, "%s: '%s' is no token of the tokenizer", kinds[k].option, token);
    take(f, k, id, kinds[k].option);
    return 0;
}

/* The file beside the tokenizer, as a tree; *o is NULL where there is none. */
static int load_beside(const char *path, const char *name, json_t **o, struct buf *file,
                       struct err *e)
{
    struct stat st;
    bool dir = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    const char *slash = strrchr(path, '/');
    size_t n = dir ? strlen(path) : slash ? (size_t)(slash - path) : 0;
    *o = NULL;
    buf_clear(file);
    if (buf_printf(file, e, "%.*s%s%s", (int)n, path, dir || slash ? "/" : "", name) < 0)
        return -1;
    if (access(file->s, F_OK) < 0)
        return 0;
    *o = jtree_load(file->s, e);
    return *o ? 0 : -1;
}

/* "bos_token": a string, an object with its content, or null: none. */
static int from_tokens(struct finding *f, const json_t *o, const char *file)
{
    for (int k = 0; k < 3; k++) {
        const json_t *v = json_object_get(o, kinds[k].token_key);
        if (!v || f->found[k])
            continue;
        if (json_is_null(v)) {
            take(f, k, -1, "tokenizer_config.json");
            continue;
        }
        if (json_is_object(v))
            v = json_object_get(v, "content");
        if (!json_is_string(v))
            return err_set(f->e, "%s: '%s' is no token", file, kinds[k].token_key);
        int64_t id = tokenizer_id(f->t, json_string_value(v), json_string_length(v));
        if (id < 0)
            return err_set(f->e, "%s: the %s '%s' is no token of the tokenizer; use %s", file,
                           kinds[k].token_key, json_string_value(v), kinds[k].option);
        take(f, k, id, "tokenizer_config.json");
    }
    return 0;
}

/* "eos_token_id": an id, or several, of which the first is taken. */
static int from_ids(struct finding *f, const json_t *o, const char *file)
{
    for (int k = 0; k < 3; k++) {
        const json_t *v = json_object_get(o, kinds[k].id_key);
        if (json_is_array(v))
            v = json_array_get(v, 0);
        if (!v || json_is_null(v) || f->found[k])
            continue;
        json_int_t id = json_integer_value(v);
        size_t n;
        if (!json_is_integer(v) || id < 0 || id > UINT32_MAX ||
            !tokenizer_bytes(f->t, (uint32_t)id, &n))
            return err_set(f->e, "%s: %s is no id of the tokenizer; use %s", file, kinds[k].id_key,
                           kinds[k].option);
        take(f, k, id, "config.json");
    }
    return 0;
}

static int from_files(struct finding *f, const char *path)
{
    static const struct {
        const char *name;
        int (*read)(struct finding *f, const json_t *o, const char *file);
    } files[] = {{"tokenizer_config.json", from_tokens}, {"config.json", from_ids}};
    struct buf file = BUF_INIT;
    int rc = 0;
    for (size_t i = 0; i < 2 && rc == 0; i++) {
        json_t *o;
        rc = load_beside(path, files[i].name, &o, &file, f->e);
        if (rc == 0 && o)
            rc = files[i].read(f, o, file.s);
        json_decref(o);
    }
    buf_release(&file);
    return rc;
}

static void from_names(struct finding *f, int k)
{
    for (int i = 0; i < 8 && kinds[k].names[i] && !f->found[k]; i++) {
        const char *name = kinds[k].names[i];
        int64_t id = tokenizer_id(f->t, name, strlen(name));
        char where[64];
        if (id < 0 || !tokenizer_is_special(f->t, (uint32_t)id))
            continue;
        snprintf(where, sizeof where, "the name %s", name);
        take(f, k, id, where);
    }
}

int tokenizer_specials(const struct tokenizer *t, const char *path, const char *bos,
                       const char *eos, const char *pad, struct special_ids *out, struct err *e)
{
    const char *given[3] = {bos, eos, pad};
    struct finding f = {.t = t, .where = out->where, .e = e};
    for (int k = 0; k < 3; k++) {
        take(&f, k, -1, "nothing says so");
        f.found[k] = false;
        if (from_option(&f, k, given[k]) < 0)
            return -1;
    }
    if (path && from_files(&f, path) < 0)
        return -1;
    for (int k = 0; k < 3; k++)
        from_names(&f, k);
    out->bos = f.id[0];
    out->eos = f.id[1];
    out->pad = f.id[2];
    return 0;
}
