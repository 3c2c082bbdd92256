/* A tokenizer's file, whatever its format, as a tokenizer.json in memory: see import.h. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/in.h"
#include "io/jtree.h"
#include "token/import_int.h"

enum { MAX_FILE = 1 << 30, SLACK = 64, FRONT = 1 << 22 };

/* The front of a GGUF file, as much of it as the vocabulary needs. */
static int load_gguf(struct in *in, struct buf *json, struct err *e)
{
    struct buf front = BUF_INIT;
    int rc = 1;
    for (size_t want = FRONT; rc == 1 && want <= MAX_FILE; want *= 2) {
        if (buf_reserve(&front, want - front.len + SLACK, e) < 0) {
            rc = -1;
            break;
        }
        long k = in_read_full(in, front.s + front.len, want - front.len, e);
        if (k < 0) {
            rc = -1;
            break;
        }
        front.len += (size_t)k;
        memset(front.s + front.len, 0, SLACK);
        rc = import_gguf(front.s, front.len, json, e);
        if (front.len < want && rc == 1)
            rc = -1; /* cut short; the message says where */
    }
    buf_release(&front);
    return rc ? -1 : 0;
}

/* do_lower_case of the tokenizer_config.json beside the file: 1, 0, or -1: it is silent. */
static int config_lowercase(const char *path, int *lowercase, struct err *e)
{
    struct buf file = BUF_INIT;
    const char *slash = strrchr(path, '/');
    int rc = -1;
    if (buf_printf(&file, e, "%.*stokenizer_config.json", slash ? (int)(slash - path) + 1 : 0,
                   path) == 0) {
        json_t *o = access(file.s, F_OK) == 0 ? jtree_load(file.s, e) : NULL;
        rc = o || access(file.s, F_OK) < 0 ? 0 : -1;
        const json_t *v = o ? json_object_get(o, "do_lower_case") : NULL;
        if (json_is_boolean(v))
            *lowercase = json_is_true(v);
        json_decref(o);
    }
    buf_release(&file);
    return rc;
}

/* Only ranks are told how to split. */
static int check_split(const struct import_opt *opt, const char *path, enum import_kind kind,
                       struct err *e)
{
    const char *option = opt->split ? "--split" : opt->split_regex ? "--split-regex" : NULL;
    if (!option)
        return 0;
    if (kind == IMPORT_NONE)
        return err_usage(e, "%s is for rank files; %s is none", option, path);
    return err_usage(e, "%s is for rank files; %s is %s", option, path, import_name(kind));
}

/* The document, which has room for it, with what its readers want behind it. */
static char *whole(const struct buf *json, size_t *n)
{
    memset(json->s + json->len, 0, SLACK);
    *n = json->len;
    return json->s;
}

static char *convert_gguf(struct in *in, const char *path, const struct import_opt *opt, size_t *n,
                          struct err *e)
{
    struct buf json = BUF_INIT;
    if (check_split(opt, path, IMPORT_GGUF, e) < 0)
        return NULL;
    if (load_gguf(in, &json, e) == 0 && buf_reserve(&json, SLACK, e) == 0)
        return whole(&json, n);
    err_prefix(e, "%s: %s: ", path, import_name(IMPORT_GGUF));
    buf_release(&json);
    return NULL;
}

/* A file that is read as a whole. Takes text. */
static char *convert(char *text, size_t len, const char *path, const struct import_opt *given,
                     size_t *n, struct err *e)
{
    struct import_opt opt = *given;
    struct buf json = BUF_INIT;
    enum import_kind kind = import_recognise(text, len);
    *n = len;
    const char *other = kind == IMPORT_NONE ? import_unsupported(text, len) : NULL;
    if (other) {
        err_set(e, "%s: %s; name a tokenizer.json", path, other);
        goto fail;
    }
    if (kind != IMPORT_RANKS && check_split(&opt, path, kind, e) < 0)
        goto fail;
    if (kind == IMPORT_NONE)
        return text;
    if (kind == IMPORT_BERT && opt.lowercase < 0 && config_lowercase(path, &opt.lowercase, e) < 0)
        goto fail;
    if (import_document(kind, text, len, &opt, &json, e) < 0 || buf_reserve(&json, SLACK, e) < 0) {
        if (e->kind != ERR_USAGE)
            err_prefix(e, "%s: %s: ", path, import_name(kind));
        buf_release(&json);
        goto fail;
    }
    free(text);
    return whole(&json, n);
fail:
    free(text);
    return NULL;
}

char *import_load(const char *path, const struct import_opt *opt, size_t *n, struct err *e)
{
    const unsigned char *magic;
    char *text = NULL;
    struct in *in = in_open(path, 0, e);
    if (!in)
        return NULL;
    long k = in_peek(in, &magic, 4, e);
    if (k == 4 && memcmp(magic, "GGUF", 4) == 0) {
        text = convert_gguf(in, path, opt, n, e);
    } else if (k >= 0) {
        text = in_all(in, MAX_FILE, n, e);
        if (text)
            text = convert(text, *n, path, opt, n, e);
    }
    in_close(in);
    return text;
}
