/* The JSON scanner: it judges and reads as a slow reading of the grammar does (unit/json_ref.h),
 * and strings that it unescapes, escaped again, stay the same. */
#include "fuzz.h"
#include "../unit/json_ref.h"

static void check_string(const struct jscan *j)
{
    struct buf text = BUF_INIT, again = BUF_INIT, back = BUF_INIT;
    struct jscan k;
    if (jscan_string(j, true, &text, NULL) == 0) {
        assert(buf_json_string(&again, text.s, text.len, NULL) == 0);
        jscan_init(&k, again.s, again.len);
        assert(jscan_next(&k) == JSCAN_STRING);
        assert(jscan_string(&k, false, &back, NULL) == 0);
        assert(back.len == text.len && memcmp(back.s, text.s, text.len) == 0);
        assert(jscan_next(&k) == JSCAN_EOF);
    }
    buf_release(&text);
    buf_release(&again);
    buf_release(&back);
}

/* Skipping every top-level value and reading every token must agree on whether all is well. */
static int fuzz_skip(const uint8_t *p, size_t n)
{
    struct jscan j;
    enum jscan_type t;
    jscan_init(&j, (const char *)p, n);
    while ((t = jscan_next(&j)) > JSCAN_EOF) {
        if (jscan_skip(&j) < 0)
            return -1;
        assert(j.start <= j.pos && j.pos <= n);
    }
    return t;
}

static void compare(const char *p, size_t n)
{
    struct buf want = BUF_INIT, got = BUF_INIT;
    int a = json_ref(p, n, &want), b = json_walk(p, n, &got);
    assert(a == b);
    assert(a < 0 || (want.len == got.len && memcmp(want.s, got.s, want.len) == 0));
    buf_release(&want);
    buf_release(&got);
}

int fuzz_one(const uint8_t *p, size_t n)
{
    struct jscan j;
    enum jscan_type t;
    struct err e = {0};
    jscan_init(&j, (const char *)p, n);
    while ((t = jscan_next(&j)) > JSCAN_EOF) {
        assert(j.pos <= n && j.start <= n);
        int64_t i;
        double d;
        if (t == JSCAN_STRING || t == JSCAN_KEY)
            check_string(&j);
        if (t == JSCAN_NUMBER) {
            (void)jscan_int(&j, &i);
            (void)jscan_real(&j, &d);
        }
    }
    if (t == JSCAN_ERROR)
        assert(j.error && jscan_err(&j, &e) == -1 && e.msg[0]);
    compare((const char *)p, n);
    assert((fuzz_skip(p, n) < 0) == (t == JSCAN_ERROR));
    return 0;
}
