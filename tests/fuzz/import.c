/* Tokenizers of other formats: what is accepted becomes JSON, which is read or refused by name. */
#include "fuzz.h"
#include "base/buf.h"
#include "io/jscan.h"
#include "quern/tokenizer.h"
#include "token/import.h"

int fuzz_one(const uint8_t *p, size_t n)
{
    static const char *const splits[] = {"r50k", "cl100k", "o200k"};
    struct err e = {0};
    struct buf json = BUF_INIT;
    struct import_opt opt = {.split = splits[n % 3], .lowercase = -1};
    char *padded = calloc(n + 64, 1);
    assert(padded);
    memcpy(padded, p, n);
    enum import_kind kind = import_recognise(padded, n);
    int rc = kind == IMPORT_NONE ? -1 : import_document(kind, padded, n, &opt, &json, &e);
    if (rc == 0) {
        struct jscan j;
        jscan_init(&j, json.s, json.len);
        assert(jscan_next(&j) == JSCAN_OBJECT);
        while (jscan_next(&j) == JSCAN_KEY)
            assert(jscan_next(&j) != JSCAN_ERROR && jscan_skip(&j) == 0);
        assert(!j.error && jscan_next(&j) == JSCAN_EOF);
        struct tokenizer *t = tokenizer_parse(json.s, json.len, "fuzz", &e);
        assert(t || e.msg[0]);
        tokenizer_close(t);
    } else if (kind != IMPORT_NONE) {
        assert(e.msg[0]);
    }
    buf_release(&json);
    free(padded);
    return 0;
}
