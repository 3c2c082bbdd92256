/* Tokenizers: whatever is accepted encodes and decodes without a fault, and has one fingerprint. */
#include "fuzz.h"
#include "base/buf.h"
#include "base/utf8.h"
#include "quern/tokenizer.h"

static const char text[] = "The mill's 1234 <|im_end|>  q\344\270\255e\314\201 aaaaaaaaaaaa\n\n";

int fuzz_one(const uint8_t *p, size_t n)
{
    struct err e = {0};
    struct ids ids = {0};
    struct buf out = BUF_INIT;
    struct decoder d = {0};
    unsigned char a[16], b[16];
    char padded[sizeof text + 64] = {0};
    struct tokenizer *t = tokenizer_parse((const char *)p, n, "fuzz", &e);
    if (!t) {
        assert(e.msg[0]);
        return 0;
    }
    memcpy(padded, text, sizeof text);
    struct encoder *x = encoder_new(t, &e);
    assert(x);
    if (encoder_run(x, padded, sizeof text - 1, 0, NULL, 0, &ids, &e) == 0) {
        decoder_init(&d, t, 0);
        for (size_t i = 0; i < ids.n; i++) {
            assert(ids.v[i] < tokenizer_vocab_size(t));
            assert(decoder_add(&d, ids.v[i], &out, &e) == 0 || e.msg[0]);
        }
        assert(decoder_end(&d, &out, &e) == 0 || e.msg[0]);
        assert(utf8_valid(out.s, out.len) == out.len);
    }
    struct offsets off = {0};
    ids.n = 0;
    if (encoder_offsets(x, padded, sizeof text - 1, 0, NULL, 0, &ids, &off, &e) == 0)
        assert(off.n == ids.n);
    offsets_release(&off);
    decoder_release(&d);
    assert(tokenizer_fingerprint(t, a, &e) == 0 && tokenizer_fingerprint(t, b, &e) == 0);
    assert(memcmp(a, b, 16) == 0);
    ids_release(&ids);
    buf_release(&out);
    encoder_free(x);
    tokenizer_close(t);
    return 0;
}
