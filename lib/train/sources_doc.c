/* The data of a pretraining run as run.json describes it, and from there again. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/compiler.h"
#include "base/mem.h"
#include "base/sys.h"
#include "io/jtree.h"
#include "train/sources_int.h"
#include "train/spool.h"

static const char *const kind_words[] = {"files", "spool", "stream"};

/* Path, and where it can be told without reading it whole, the checksum of its end blocks. */
static json_t *describe_file(const char *path, struct err *e)
{
    struct err ignored = {0};
    struct shard_totals t;
    char sum[17];
    json_t *o = json_pack("{s:s}", "path", path);

    if (!o) {
        err_nomem(e, "run.json", 0);
        return NULL;
    }
    if (strcmp(path, "-") == 0 || shard_peek(path, NULL, &t, &ignored) < 0)
        return o;
    snprintf(sum, sizeof sum, "%016" PRIx64, t.checksum);
    json_object_set_new(o, "checksum", json_string(sum));
    json_object_set_new(o, "bytes", json_integer((json_int_t)t.n_bytes));
    return o;
}

json_t *sources_describe(const struct sources *d, const char *val, struct err *e)
{
    json_t *files = json_array(), *o = NULL;
    char hex[33];

    for (int i = 0; files && i < d->n; i++) {
        json_t *f = describe_file(d->path[i], e);
        if (!f || json_array_append_new(files, f) != 0)
            goto out;
    }
    shard_fingerprint_hex(hex, d->head.fingerprint);
    o = json_pack("{s:s,s:I,s:s,s:b,s:O}", "kind", kind_words[d->kind], "vocab_size",
                  (json_int_t)d->vocab_size, "fingerprint", hex, "weights", (int)d->has_weights,
                  "files", files);
    if (!o)
        err_nomem(e, "run.json", 0);
    if (o && val) {
        json_t *f = describe_file(val, e);
        if (!f || json_object_set_new(o, "val", f) != 0) {
            json_decref(o);
            o = NULL;
        }
    }
out:
    json_decref(files);
    return o;
}

/* A named file must have the totals that it had. */
static int same_file(const json_t *f, struct err *e)
{
    const char *path = json_string_value(json_object_get(f, "path"));

    if (!path)
        return err_set(e, "run.json: an input has no path");
    if (strcmp(path, "-") == 0)
        return 0;
    if (access(path, R_OK) != 0) {
        err_sys(e, "%s", path);
        return err_prefix(e, "an input of the run cannot be read again: ");
    }
    json_t *now = describe_file(path, e);
    bool same = now && json_equal(f, now);
    json_decref(now);
    return !now ? -1 : same ? 0 : err_set(e, "%s: has changed since the run began", path);
}

/* The paths that are stored, of files that are what they were; the strings belong to described.
 * None where one is stdin. */
static int stored_paths(const json_t *described, char ***out, int *n, struct err *e)
{
    const json_t *files = json_object_get(described, "files");
    size_t n_files = json_array_size(files);

    *n = 0;
    if (!(*out = mem_new(n_files + 1, sizeof **out, e)))
        return -1;
    for (size_t i = 0; i < n_files; i++) {
        const json_t *f = json_array_get(files, i);
        if (same_file(f, e) < 0)
            return -1;
        (*out)[i] = (char *)(uintptr_t)json_string_value(json_object_get(f, "path"));
        if (strcmp((*out)[i], "-") == 0)
            return 0;
    }
    *n = (int)n_files;
    return 0;
}

static int same_operands(char *const *operands, int n, char *const *stored, int n_stored,
                         struct err *e)
{
    bool same = n == n_stored;

    for (int i = 0; same && i < n; i++) {
        char *full = sys_realpath(operands[i], e);
        if (!full)
            return -1;
        same = strcmp(full, stored[i]) == 0;
        free(full);
    }
    return same ? 0
                : err_usage(e, "the run reads other files than those given; other data is for a "
                               "new run");
}

/* Files stay where they are, by their stored paths. */
static int reopen_files(struct sources *d, const json_t *described, char *const *operands, int n,
                        struct err *e)
{
    char **stored;
    int n_stored, rc = stored_paths(described, &stored, &n_stored, e);

    if (rc == 0 && n > 0)
        rc = same_operands(operands, n, stored, n_stored, e);
    if (rc == 0 && !(d->path = mem_new((size_t)n_stored + 1, sizeof *d->path, e)))
        rc = -1;
    for (int i = 0; rc == 0 && i < n_stored; i++) {
        rc = (d->path[i] = mem_strdup(stored[i], e)) ? 0 : -1;
        d->n += rc == 0;
    }
    free(stored);
    return rc;
}

/* Whether what was opened again is what the run was settled for. */
static int same_kind(const struct sources *now, const struct sources *then, const char *fingerprint,
                     struct err *e)
{
    char hex[33];

    shard_fingerprint_hex(hex, now->head.fingerprint);
    if (fingerprint && strcmp(hex, fingerprint) == 0 && now->vocab_size == then->vocab_size &&
        now->has_weights == then->has_weights)
        return 0;
    return err_set(e,
                   "%s: another tokenizer, vocabulary or weights than in the input that the run "
                   "began with",
                   shard_name(now->in[0]));
}

/* From the operands, else the files that were named then, else stdin. */
static int read_again(struct sources *d, const json_t *described, char *const *operands, int n,
                      struct err *e)
{
    const char *fingerprint = json_string_value(json_object_get(described, "fingerprint"));
    struct sources then = *d;
    char **stored = NULL;
    int n_stored, rc = 0;

    d->vocab_size = 0;
    d->has_weights = false;
    if (n == 0 && (rc = stored_paths(described, &stored, &n_stored, e)) == 0) {
        operands = stored;
        n = n_stored;
    }
    if (rc == 0 && (rc = sources_open_inputs(d, operands, n, e)) < 0)
        err_prefix(e, d->kind == SOURCE_SPOOL
                          ? "the run has no complete copy of its input, give it again: "
                          : "a stream is resumed from its input given again: ");
    if (rc == 0)
        rc = same_kind(d, &then, fingerprint, e);
    free(stored);
    return rc;
}

static int restore_facts(struct sources *d, const json_t *described, struct err *e)
{
    const char *kind = json_string_value(json_object_get(described, "kind"));
    int64_t vocab_size = 0;
    size_t k = 0;

    while (k < ARRAY_LEN(kind_words) && !(kind && strcmp(kind, kind_words[k]) == 0))
        k++;
    if (k == ARRAY_LEN(kind_words))
        return err_set(e, "run.json: the kind of its inputs is not known");
    d->kind = (enum source_kind)k;
    if (jtree_int(described, "vocab_size", 0, INT64_MAX, &vocab_size, e) < 0 ||
        jtree_bool(described, "weights", &d->has_weights, e) < 0)
        return err_prefix(e, "run.json: ");
    d->vocab_size = (uint64_t)vocab_size;
    return 0;
}

int sources_reopen(struct sources *d, const json_t *described, char *const *operands, int n,
                   const char *val, const struct source_dirs *dirs, struct err *e)
{
    if (restore_facts(d, described, e) < 0)
        return -1;
    if (val && !spool_complete(dirs->val_spool) &&
        same_file(json_object_get(described, "val"), e) < 0)
        return -1;
    if (d->kind == SOURCE_FILES)
        return reopen_files(d, described, operands, n, e);
    if (d->kind == SOURCE_SPOOL && spool_complete(dirs->spool))
        return 0;
    return read_again(d, described, operands, n, e);
}
