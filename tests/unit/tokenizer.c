/* Loading published tokenizers, and their ids against the references. */
#include "base/buf.h"
#include "io/in.h"
#include "quern/tokenizer.h"
#include "tap.h"

static struct err e;

static char *slurp(const char *path, size_t *n)
{
    struct in *in = in_open(path, 0, &e);
    char *s = in ? in_all(in, 1 << 30, n, &e) : NULL;
    in_close(in);
    if (!s)
        bail_out(e.msg);
    return s;
}

/* All text back from the ids, id by id. */
static void round_trip(const struct tokenizer *t, const struct ids *ids, const char *s, size_t n,
                       const char *name)
{
    struct buf text = BUF_INIT, bytes = BUF_INIT;
    struct decoder d, b;
    decoder_init(&d, t, 0);
    decoder_init(&b, t, DECODE_BYTES);
    for (size_t i = 0; i < ids->n; i++)
        if (decoder_add(&d, ids->v[i], &text, &e) < 0 || decoder_add(&b, ids->v[i], &bytes, &e) < 0)
            break;
    decoder_end(&d, &text, &e);
    decoder_end(&b, &bytes, &e);
    ok(text.len == n && memcmp(text.s, s, n) == 0, "%s: the text comes back", name);
    ok(bytes.len == n && memcmp(bytes.s, s, n) == 0, "%s: and so do its bytes", name);
    buf_release(&text);
    buf_release(&bytes);
}

static void reference(const char *name, bool nfc)
{
    char file[256];
    const char *sample = shared_path("data/tokenizers/vectors/sample.txt");
    snprintf(file, sizeof file, "data/tokenizers/hf/%s.tokenizer.json.gz", name);
    const char *json = shared_path(file);
    snprintf(file, sizeof file, "data/tokenizers/vectors/hf.%s.u32.gz", name);
    const char *want_path = shared_path(file);
    if (!json || !sample || !want_path) {
        skip(5, "no reference");
        return;
    }
    size_t n, n_want;
    char *s = slurp(sample, &n), *want = slurp(want_path, &n_want);
    struct tokenizer *t = tokenizer_open(json, &e);
    if (!ok(t != NULL, "%s: opens", name)) {
        diag("%s", e.msg);
        return;
    }
    note("%s", tokenizer_describe(t));
    struct encoder *x = encoder_new(t, &e);
    struct ids ids = {0};
    for (int round = 0; round < 2; round++) { /* without and with the cache */
        ids.n = 0;
        ok(encoder_run(x, s, n, 0, NULL, 0, &ids, &e) == 0 && ids.n * 4 == n_want &&
               memcmp(ids.v, want, n_want) == 0,
           "%s: the reference's %zu ids, not %zu", name, n_want / 4, ids.n);
    }
    if (nfc)
        skip(2, "not in form C: another text comes back");
    else
        round_trip(t, &ids, s, n, name);
    ids_release(&ids);
    encoder_free(x);
    tokenizer_close(t);
    free(s);
    free(want);
}

int main(void)
{
    reference("gpt2", false);
    reference("qwen3", true);
    reference("gptoss", false);
    reference("gpt-neox", true);
    reference("deepseek_v3", false);
    return done_testing();
}
