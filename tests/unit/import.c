/* Tokenizers in the formats of others: ids as the programs give them to which the formats belong.
 */
#include "base/buf.h"
#include "io/in.h"
#include "io/jtree.h"
#include "quern/tokenizer.h"
#include "token/import.h"
#include "tap.h"

static struct err e;

/* "FILE" or "FILE:SPLIT" of tests/files. */
static struct tokenizer *open_named(const char *name)
{
    char file[256];
    snprintf(file, sizeof file, "tests/files/%s", name);
    char *split = strchr(file, ':');
    if (split)
        *split++ = '\0';
    return tokenizer_open_split(top_path(file), split, &e);
}

static void same_ids(struct encoder *x, const char *text, size_t n, const json_t *want,
                     const char *name, int nth)
{
    struct ids ids = {0};
    char *padded = calloc(n + 64, 1);
    memcpy(padded, text, n);
    bool same =
        encoder_run(x, padded, n, 0, NULL, 0, &ids, &e) == 0 && ids.n == json_array_size(want);
    for (size_t i = 0; same && i < ids.n; i++)
        same = ids.v[i] == (uint32_t)json_integer_value(json_array_get(want, i));
    ok(same, "%s: text %d", name, nth);
    free(padded);
    ids_release(&ids);
}

/* tests/files/import-cases.jsonl: "tokenizer", "text", "ids" as make-import.py wrote them. */
static void cases(void)
{
    struct in *in = in_open(top_path("tests/files/import-cases.jsonl"), 0, &e);
    struct tokenizer *t = NULL;
    struct encoder *x = NULL;
    char now[256] = "";
    int nth = 0;
    const char *line;
    size_t n;
    if (!in)
        bail_out(e.msg);
    while (in_line(in, &line, &n, 1 << 20, &e) > 0) {
        json_t *o = json_loadb(line, n, 0, NULL);
        const char *name = json_string_value(json_object_get(o, "tokenizer"));
        const json_t *text = json_object_get(o, "text");
        if (strcmp(now, name) != 0) {
            encoder_free(x);
            tokenizer_close(t);
            snprintf(now, sizeof now, "%s", name);
            nth = 0;
            t = open_named(name);
            if (!t && strstr(e.msg, "not supported"))
                skip(1, e.msg);
            else if (!ok(t != NULL, "%s opens", name))
                diag("%s", e.msg);
            x = t ? encoder_new(t, &e) : NULL;
        }
        if (x)
            same_ids(x, json_string_value(text), json_string_length(text),
                     json_object_get(o, "ids"), name, ++nth);
        json_decref(o);
    }
    encoder_free(x);
    tokenizer_close(t);
    in_close(in);
}

int main(void)
{
    cases();
    return done_testing();
}
