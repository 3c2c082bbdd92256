/* The encoder against a slow reading of the same: any text, with the project's sample tokenizers.
 */
#include "fuzz.h"
#include "../unit/bpe_ref.h"
#include "base/buf.h"
#include "base/utf8.h"
#include "quern/tokenizer.h"

static const char *const names[] = {"gpt2", "o200k", "ranks", "runs-whole"};
enum { N = sizeof names / sizeof *names, MOST = 128 };

static struct {
    struct tokenizer *t;
    struct encoder *x;
    struct bpe_ref ref;
} sample[N];

static void open_samples(void)
{
    const char *top = getenv("TOP");
    struct err e = {0};
    for (int i = 0; i < N; i++) {
        char path[4096];
        size_t n;
        snprintf(path, sizeof path, "%s/tests/files/good-tokenizer-%s.json", top ? top : ".",
                 names[i]);
        sample[i].t = tokenizer_open(path, &e);
        assert(sample[i].t);
        sample[i].x = encoder_new(sample[i].t, &e);
        assert(sample[i].x);
        const char *json = tokenizer_json(sample[i].t, &n);
        bpe_ref_init(&sample[i].ref, json, n);
    }
}

static void close_samples(void)
{
    for (int i = 0; i < N; i++) {
        bpe_ref_release(&sample[i].ref);
        encoder_free(sample[i].x);
        tokenizer_close(sample[i].t);
    }
}

int fuzz_one(const uint8_t *p, size_t n)
{
    struct err e = {0};
    struct buf text = BUF_INIT;
    struct ids ids = {0};
    if (!sample[0].t) {
        open_samples();
        atexit(close_samples);
    }
    if (n == 0)
        return 0;
    int i = p[0] % N;
    n = n - 1 < MOST ? n - 1 : MOST;
    assert(utf8_replace(&text, (const char *)p + 1, n, &e) >= 0);
    assert(buf_reserve(&text, 64, &e) == 0);
    size_t n_want;
    uint32_t *want = calloc(text.len + 1, sizeof *want);
    assert(want);
    bpe_ref_encode(&sample[i].ref, text.s, text.len, want, &n_want);
    assert(encoder_run(sample[i].x, text.s, text.len, ENCODE_LITERAL, NULL, 0, &ids, &e) == 0);
    assert(ids.n == n_want && (n_want == 0 || memcmp(ids.v, want, n_want * sizeof *want) == 0));
    free(want);
    ids_release(&ids);
    buf_release(&text);
    return 0;
}
