/* Reads the added tokens of a tokenizer.json and makes them searchable. */
#include <string.h>

#include "text/normalize.h"
#include "token/general.h"

static int read_added_member(struct tokenizer *t, struct jscan *j, struct added_token *a,
                             bool *normalized_given, int64_t *id, struct err *e)
{
    struct {
        const char *key;
        bool *to;
    } bits[] = {{"special", &a->special},
                {"lstrip", &a->lstrip},
                {"rstrip", &a->rstrip},
                {"single_word", &a->single_word},
                {"normalized", &a->normalized}};
    struct jscan key = *j;
    enum jscan_type type = jscan_next(j);
    if (type == JSCAN_ERROR)
        return jscan_err(j, e);
    if (jscan_key_is(&key, "id"))
        return type == JSCAN_NUMBER && jscan_int(j, id) == 0
                   ? 0
                   : err_set(e, "added_tokens: an id that is no whole number");
    if (jscan_key_is(&key, "content"))
        return type == JSCAN_STRING ? scan_text(t, j, &a->s, &a->len, e)
                                    : err_set(e, "added_tokens: a content that is no string");
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
        if (jscan_key_is(&key, bits[i].key)) {
            if (type != JSCAN_TRUE && type != JSCAN_FALSE)
                return err_set(e, "added_tokens: '%s' is not true or false", bits[i].key);
            *bits[i].to = type == JSCAN_TRUE;
            *normalized_given |= bits[i].to == &a->normalized;
            return 0;
        }
    return jscan_skip(j) < 0 ? jscan_err(j, e) : 0;
}

static int read_added_token(struct tokenizer *t, struct jscan *j, struct finder *seen,
                            struct err *e)
{
    struct added_token a = {0};
    bool normalized_given = false;
    int64_t given = -1;
    enum jscan_type type;
    while ((type = jscan_next(j)) == JSCAN_KEY)
        if (read_added_member(t, j, &a, &normalized_given, &given, e) < 0)
            return -1;
    if (type != JSCAN_END)
        return jscan_err(j, e);
    if (!a.s)
        return err_set(e, "added_tokens: a token without content");
    if (a.len == 0)
        return 0;
    if (!normalized_given)
        a.normalized = !a.special;
    int dup = finder_add(seen, a.s, a.len, 0, e);
    if (dup)
        return dup < 0 ? -1 : 0;
    /* The reference goes by the vocabulary, else by the order of the file: it does not heed "id" */
    int64_t id = vocab_id(&t->vocab, a.s, a.len);
    if (id < 0)
        id = t->next_id;
    if (id > TOKEN_MAX_ID)
        return err_set(e, "added_tokens: ids beyond %d", (int)TOKEN_MAX_ID);
    if (t->next_id <= id)
        t->next_id = id + 1;
    a.id = (uint32_t)id;
    t->n_renumbered += id != given;
    if (mem_grow(&t->added.v, &t->added.cap, t->added.n + 1, sizeof a, e) < 0)
        return -1;
    t->added.v[t->added.n++] = a;
    return 0;
}

int read_added_tokens(struct tokenizer *t, struct err *e)
{
    struct jscan j;
    enum jscan_type type;
    struct finder seen;
    int rc = 0;
    if (t->added_tokens.n == 0)
        return 0;
    value_scan(t, t->added_tokens, &j);
    type = jscan_next(&j);
    if (type == JSCAN_NULL)
        return 0;
    if (type != JSCAN_ARRAY)
        return err_set(e, "added_tokens is not an array");
    finder_init(&seen);
    t->next_id = (int64_t)(t->vocab.n - (t->score ? 0 : t->vocab.n_dropped));
    while (rc == 0 && (type = jscan_next(&j)) == JSCAN_OBJECT)
        rc = read_added_token(t, &j, &seen, e);
    finder_release(&seen);
    if (rc < 0)
        return -1;
    if (type != JSCAN_END)
        return type == JSCAN_ERROR ? jscan_err(&j, e)
                                   : err_set(e, "added_tokens: an entry that is no object");
    return 0;
}

static int normalised(const struct general *g, struct normalizer_run *run,
                      const struct added_token *a, struct buf *form, struct err *e)
{
    struct text in = {0};
    const struct text *out = NULL;
    int rc = -1;
    if (text_set(&in, a->s, a->len, 0, false, e) == 0 &&
        (out = normalizer_apply(&g->normalizer, run, &in, e)))
        rc = buf_add(form, out->s, out->n, e);
    text_release(&in);
    return rc;
}

/* A token that is sought in the normalised text is decoded as it stands there. */
static int keep_form(struct tokenizer *t, size_t i, const struct buf *form, struct err *e)
{
    struct added_token *a = &t->added.v[i];
    a->form = a->s;
    a->form_len = a->len;
    if (form->len == a->len && memcmp(form->s, a->s, a->len) == 0)
        return 0;
    a->form = arena_dup(&t->strings, form->s, form->len, e);
    a->form_len = form->len;
    return a->form ? 0 : -1;
}

/* What is searched for in the text, and what in the normalised text, special ones first as they
 * are the ones that count where two are equal. */
int index_added_tokens(struct tokenizer *t, struct err *e)
{
    struct buf form = BUF_INIT;
    struct normalizer_run run = {0};
    int rc = 0;
    for (int special = 1; special >= 0; special--)
        for (size_t i = 0; i < t->added.n && rc == 0; i++) {
            const struct added_token *a = &t->added.v[i];
            if (a->special != special)
                continue;
            buf_clear(&form);
            if (a->normalized && t->general)
                rc = normalised(t->general, &run, a, &form, e);
            else
                rc = a->normalized && t->nfc ? nfc_append(&form, a->s, a->len, e)
                                             : buf_add(&form, a->s, a->len, e);
            if (rc == 0 && form.len == 0)
                rc = err_set(e, "added_tokens: the normalizer leaves nothing of '%.*s'",
                             (int)(a->len < 60 ? a->len : 60), a->s);
            if (rc == 0 && a->normalized && keep_form(t, i, &form, e) < 0)
                rc = -1;
            if (rc == 0 && finder_add(a->normalized ? &t->added.normalized : &t->added.raw, form.s,
                                      form.len, (uint32_t)i, e) < 0)
                rc = -1;
        }
    buf_release(&form);
    normalizer_run_release(&run);
    return rc;
}
