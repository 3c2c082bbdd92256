/* The JSON scanner: whatever it accepts, its strings unescape and, escaped again, stay the same. */
#include "fuzz.h"
#include "io/json.h"

static void check_string(const struct json *j)
{
    struct buf text = BUF_INIT, again = BUF_INIT, back = BUF_INIT;
    struct json k;
    if (json_string(j, true, &text, NULL) == 0) {
        assert(buf_json_string(&again, text.s, text.len, NULL) == 0);
        json_init(&k, again.s, again.len);
        assert(json_next(&k) == JSON_STRING);
        assert(json_string(&k, false, &back, NULL) == 0);
        assert(back.len == text.len && memcmp(back.s, text.s, text.len) == 0);
        assert(json_next(&k) == JSON_EOF);
    }
    buf_release(&text);
    buf_release(&again);
    buf_release(&back);
}

/* Skipping every top-level value and reading every token must agree on whether all is well. */
static int fuzz_skip(const uint8_t *p, size_t n)
{
    struct json j;
    enum json_type t;
    json_init(&j, (const char *)p, n);
    while ((t = json_next(&j)) > JSON_EOF) {
        if (json_skip(&j) < 0)
            return -1;
        assert(j.start <= j.pos && j.pos <= n);
    }
    return t;
}

int fuzz_one(const uint8_t *p, size_t n)
{
    struct json j;
    enum json_type t;
    struct err e = {0};
    json_init(&j, (const char *)p, n);
    while ((t = json_next(&j)) > JSON_EOF) {
        assert(j.pos <= n && j.start <= n);
        int64_t i;
        double d;
        if (t == JSON_STRING || t == JSON_KEY)
            check_string(&j);
        if (t == JSON_NUMBER) {
            (void)json_int(&j, &i);
            (void)json_real(&j, &d);
        }
    }
    if (t == JSON_ERROR)
        assert(j.error && json_err(&j, &e) == -1 && e.msg[0]);
    assert((fuzz_skip(p, n) < 0) == (t == JSON_ERROR));
    return 0;
}
