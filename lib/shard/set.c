/* Several shards as one stream: see set.h. */
#include "shard/set.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "io/in.h"
#include "io/tmp.h"
#include "shard/shard_int.h"

struct operand {
    const char *name;       /* for messages: as given, or "stdin" */
    const char *path;       /* what is opened: as given, or the temporary file */
    bool regular;           /* can be opened again */
    struct shard_in *early; /* opened for its head, not yet read */
    struct tmp tmp;
};

struct shard_set {
    struct operand *op;
    int n, at; /* operands; the next one to open */
    struct shard_in *now;
    struct shard_head head;
    struct buf provenance;
    double done_bytes, total_bytes; /* of operands read to their end; of all, 0: not known */
};

/* Whether `line`s, a whole provenance, stand in prov already. */
static bool has_provenance(const struct buf *prov, const char *lines)
{
    const char *found = prov->s;
    while ((found = strstr(found, lines)) != NULL) {
        if (found == prov->s || found[-1] == '\n')
            return true;
        found++;
    }
    return false;
}

static int join_tokenizer(struct shard_head *to, const struct shard_head *h, struct err *e)
{
    if (to->tokenizer_len > 0 || h->tokenizer_len == 0)
        return 0;
    to->tokenizer_z = (unsigned char *)mem_dup(h->tokenizer_z, h->tokenizer_z_len, e);
    if (!to->tokenizer_z)
        return -1;
    to->tokenizer_z_len = h->tokenizer_z_len;
    to->tokenizer_len = h->tokenizer_len;
    to->tokenizer_raw = h->tokenizer_raw;
    return 0;
}

int shard_head_join(struct shard_head *to, struct buf *prov, const char *name_to,
                    const struct shard_head *h, const char *name, struct err *e)
{
    bool first = to->width == 0;
    bool had = shard_has_fingerprint(to), has = shard_has_fingerprint(h);
    if (!first && shard_same_tokenizer(to, name_to, h, name, e) < 0)
        return -1;
    if (first || (has && !had)) {
        to->bos = h->bos;
        to->eos = h->eos;
        to->pad = h->pad;
        to->vocab_size = h->vocab_size;
        memcpy(to->fingerprint, h->fingerprint, sizeof to->fingerprint);
    } else if (!had) {
        bool unknown = to->vocab_size == 0 || h->vocab_size == 0;
        to->vocab_size = unknown                          ? 0
                         : h->vocab_size > to->vocab_size ? h->vocab_size
                                                          : to->vocab_size;
    }
    if (h->width > to->width)
        to->width = h->width;
    to->has_weights = to->has_weights || h->has_weights;
    if (!has_provenance(prov, h->provenance) && buf_puts(prov, h->provenance, e) < 0)
        return -1;
    return join_tokenizer(to, h, e);
}

bool shard_is_regular(const char *path)
{
    struct stat st;
    return strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* Copies an operand that can be read only once to a temporary file. */
static int spool(struct operand *op, struct err *e)
{
    enum { STEP = 1 << 20 };
    int rc = -1;
    long n;
    struct in *in = NULL;
    char *some = mem_new(STEP, 1, e);
    if (!some || tmp_open(&op->tmp, TMP_NAMED, e) < 0)
        goto done;
    in = in_open(op->path, IN_RAW, e);
    if (!in)
        goto done;
    while ((n = in_read_full(in, some, STEP, e)) > 0) {
        if (tmp_write(&op->tmp, some, (size_t)n, e) < 0)
            goto done;
    }
    if (n < 0)
        goto done;
    op->path = op->tmp.path;
    op->regular = true;
    rc = 0;
done:
    in_close(in);
    free(some);
    return rc;
}

/* A message about the temporary file is about the operand. */
static void name_operand(const struct operand *op, struct err *e)
{
    size_t n = op->tmp.path ? strlen(op->tmp.path) : 0;
    if (!e || n == 0 || strncmp(e->msg, op->tmp.path, n) != 0)
        return;
    memmove(e->msg, e->msg + n, strlen(e->msg + n) + 1);
    err_prefix(e, "%s", op->name);
}

static struct shard_in *open_operand(const struct operand *op, struct err *e)
{
    struct shard_in *s = shard_open(op->path, e);
    if (!s)
        name_operand(op, e);
    return s;
}

static int take_operand(struct shard_set *s, struct operand *op, bool counted, struct err *e)
{
    op->name = strcmp(op->path, "-") ? op->path : "stdin";
    op->regular = shard_is_regular(op->path);
    if (!op->regular && counted && spool(op, e) < 0)
        return -1;
    struct shard_in *in = open_operand(op, e);
    if (!in)
        return -1;
    int rc = shard_head_join(&s->head, &s->provenance, s->op[0].name, shard_head(in), op->name, e);
    uint64_t done, total;
    shard_progress(in, &done, &total);
    s->total_bytes = total && s->total_bytes >= 0 ? s->total_bytes + (double)total : -1;
    if (op->regular)
        shard_close(in);
    else
        op->early = in;
    return rc;
}

struct shard_set *shard_set_open(char *const *paths, int n, int flags, struct err *e)
{
    static char dash[] = "-";
    char *const only[] = {dash};
    if (n == 0) {
        paths = only;
        n = 1;
    }
    struct shard_set *s = mem_new(1, sizeof *s, e);
    if (!s)
        return NULL;
    s->provenance = (struct buf)BUF_INIT;
    s->op = mem_new((size_t)n, sizeof *s->op, e);
    if (!s->op)
        goto fail;
    for (int i = 0; i < n; i++)
        s->op[i] = (struct operand){.path = paths[i], .tmp = {.fd = -1, .slot = -1}};
    s->n = n;
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < i && !strcmp(paths[i], "-"); k++) {
            if (!strcmp(paths[k], "-")) {
                err_usage(e, "stdin is named twice");
                goto fail;
            }
        }
        if (take_operand(s, &s->op[i], flags & SHARD_SET_COUNTED, e) < 0)
            goto fail;
    }
    if (s->total_bytes < 0)
        s->total_bytes = 0;
    return s;
fail:
    shard_set_close(s);
    return NULL;
}

struct shard_head *shard_set_head(struct shard_set *s)
{
    s->head.provenance = s->provenance.s;
    if (s->head.vocab_size)
        s->head.width = s->head.vocab_size <= 65536 ? 2 : 4;
    return &s->head;
}

struct buf *shard_set_provenance(struct shard_set *s)
{
    return &s->provenance;
}

static int open_next(struct shard_set *s, struct err *e)
{
    struct operand *op = &s->op[s->at];
    s->now = op->early ? op->early : open_operand(op, e);
    op->early = NULL;
    if (!s->now)
        return -1;
    s->at++;
    return shard_same_tokenizer(&s->head, s->op[0].name, shard_head(s->now), op->name, e);
}

static int next_of(struct shard_set *s, struct shard_doc *d,
                   int (*next)(struct shard_in *, struct shard_doc *, struct err *), struct err *e)
{
    for (;;) {
        if (!s->now) {
            if (s->at == s->n)
                return 0;
            if (open_next(s, e) < 0)
                return -1;
        }
        int r = next(s->now, d, e);
        if (r > 0)
            return r;
        if (r < 0) {
            name_operand(&s->op[s->at - 1], e);
            return r;
        }
        struct shard_totals t;
        shard_totals(s->now, &t);
        s->done_bytes += (double)t.n_bytes;
        shard_close(s->now);
        s->now = NULL;
    }
}

int shard_set_next(struct shard_set *s, struct shard_doc *d, struct err *e)
{
    return next_of(s, d, shard_next, e);
}

int shard_set_next_piece(struct shard_set *s, struct shard_doc *d, struct err *e)
{
    return next_of(s, d, shard_next_piece, e);
}

int shard_set_rewind(struct shard_set *s, struct err *e)
{
    for (int i = 0; i < s->n; i++) {
        if (!s->op[i].regular)
            return err_set(e, "%s: cannot be read twice", s->op[i].name);
    }
    shard_close(s->now);
    s->now = NULL;
    s->at = 0;
    s->done_bytes = 0;
    return 0;
}

int shard_set_totals(struct shard_set *s, struct shard_totals *t, struct err *e)
{
    *t = (struct shard_totals){0};
    for (int i = 0; i < s->n; i++) {
        struct shard_totals one;
        if (!s->op[i].regular)
            return 0;
        if (shard_peek(s->op[i].path, NULL, &one, e) < 0) {
            name_operand(&s->op[i], e);
            return -1;
        }
        t->n_docs += one.n_docs;
        t->n_tokens += one.n_tokens;
        t->n_segments += one.n_segments;
        t->n_bytes += one.n_bytes;
        t->id_bound = one.id_bound > t->id_bound ? one.id_bound : t->id_bound;
    }
    return 1;
}

void shard_set_progress(const struct shard_set *s, double *done_bytes, double *total_bytes)
{
    uint64_t done = 0, total;
    if (s->now)
        shard_progress(s->now, &done, &total);
    *done_bytes = s->done_bytes + (double)done;
    *total_bytes = s->total_bytes;
}

void shard_set_close(struct shard_set *s)
{
    if (!s)
        return;
    for (int i = 0; i < s->n; i++) {
        shard_close(s->op[i].early);
        tmp_close(&s->op[i].tmp);
    }
    shard_close(s->now);
    s->head.provenance = NULL; /* the buffer's */
    shard_head_release(&s->head);
    buf_release(&s->provenance);
    free(s->op);
    free(s);
}
