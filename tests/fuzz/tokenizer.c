/* tokenizer.json: refused with a message, or a tokenizer whose ids turn back into the text. */
#include "fuzz.h"
#include "base/buf.h"
#include "quern/tokenizer.h"

static const char sample[64 + 64] = "It's 12345 \xe4\xbd\xa0\xe5\xa5\xbd\n\n  <|endoftext|> ab";

static void check(const struct tokenizer *t)
{
    struct err e = {0};
    struct ids ids = {0};
    struct buf text = BUF_INIT;
    struct decoder d;
    uint32_t vocab_size = tokenizer_vocab_size(t);
    struct encoder *x = encoder_new(t, &e);
    if (!x || encoder_run(x, sample, strlen(sample), 0, NULL, 0, &ids, &e) < 0) {
        assert(e.msg[0]);
        goto out;
    }
    decoder_init(&d, t, DECODE_BYTES);
    for (size_t i = 0; i < ids.n; i++) {
        assert(ids.v[i] < vocab_size);
        assert(decoder_add(&d, ids.v[i], &text, &e) == 0);
    }
    assert(decoder_end(&d, &text, &e) == 0);
    for (uint32_t id = 0; id < vocab_size && id < 1000; id++) {
        size_t len;
        (void)tokenizer_bytes(t, id, &len);
        (void)tokenizer_is_special(t, id);
    }
    assert(tokenizer_describe(t)[0]);
out:
    buf_release(&text);
    ids_release(&ids);
    encoder_free(x);
}

int fuzz_one(const uint8_t *p, size_t n)
{
    struct err e = {0};
    struct tokenizer *t = tokenizer_parse((const char *)p, n, "sample", &e);
    if (t)
        check(t);
    else
        assert(e.msg[0]);
    tokenizer_close(t);
    return 0;
}
