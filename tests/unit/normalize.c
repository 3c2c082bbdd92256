/* Form C by stretches against libutf8proc on the whole text, and what is newer than Unicode 9.0. */
#include <utf8proc.h>
#include "base/rng.h"
#include "base/sys.h"
#include "base/utf8.h"
#include "tap.h"
#include "text/normalize.h"
#include "text/unicode.h"

static struct err e;

/* The text in form C as nfc_append makes it; where nfc_check says that it is, it must stay. */
static const char *form_c(const char *s)
{
    static struct buf out;
    static char padded[1024];
    size_t n = strlen(s), at;
    if (!out.s)
        out = (struct buf)BUF_INIT;
    memset(padded, 0, sizeof padded);
    memcpy(padded, s, n);
    buf_clear(&out);
    at = nfc_check(padded, n);
    nfc_append(&out, padded, n, &e);
    if (memcmp(out.s, s, at) != 0 || (at == n && out.len != n))
        return "(the check contradicts)";
    return out.s;
}

static bool same_as_library(const char *s)
{
    utf8proc_uint8_t *want = utf8proc_NFC((const utf8proc_uint8_t *)s);
    const char *got = form_c(s);
    bool same = want && strcmp((char *)want, got) == 0;
    if (!same)
        diag("of '%s' became '%s'", s, got);
    free(want);
    return same;
}

/* Every code point of Unicode 9.0, alone and in company. */
static void each_code_point(void)
{
    static const char *const around[][2] = {
        {"", ""}, {"a", "\314\243\314\201"}, {"", "\314\207"}, {"\315\205", "\314\264"}};
    bool same = true;
    for (uint32_t cp = 1; cp < 0x30000 && same; cp++) {
        if ((cp >= 0xd800 && cp < 0xe000) || uni_props(cp) & UNI_NEWER)
            continue;
        for (size_t i = 0; i < 4 && same; i++) {
            char s[32], c[5] = {0};
            utf8_put(c, cp);
            snprintf(s, sizeof s, "%s%s%s", around[i][0], c, around[i][1]);
            same = same_as_library(s);
        }
    }
    ok(same, "every code point of Unicode 9.0");
}

static void random_texts(void)
{
    static const char *const parts[] = {"a",
                                        "E",
                                        "o",
                                        " ",
                                        "\314\201",
                                        "\314\243",
                                        "\314\247",
                                        "\314\233",
                                        "\315\205",
                                        "\341\204\200",
                                        "\341\205\241",
                                        "\341\206\250",
                                        "\352\260\200",
                                        "\340\244\225",
                                        "\340\244\274",
                                        "\340\247\207",
                                        "\340\246\276",
                                        "\342\204\253",
                                        "\303\205",
                                        "\344\270\255",
                                        "\340\275\261",
                                        "\340\275\262",
                                        "\363\240\204\200",
                                        "\342\253\235",
                                        "\314\270",
                                        "\303\251"};
    struct rng r;
    bool same = true;
    rng_init(&r, 1, RNG_TEST, 0);
    for (int round = 0; round < 50000 && same; round++) {
        char s[128] = "";
        size_t n = 0, count = rng_below(&r, 16);
        for (size_t i = 0; i < count; i++) {
            const char *p = parts[rng_below(&r, sizeof parts / sizeof *parts)];
            memcpy(s + n, p, strlen(p) + 1);
            n += strlen(p);
        }
        same = same_as_library(s);
    }
    ok(same, "random texts");
}

/* A megabyte of marks in the wrong order, of which each passes all before it. */
static void many_marks(void)
{
    struct buf s = BUF_INIT, out = BUF_INIT;
    for (int i = 0; i < 1 << 18; i++)
        buf_puts(&s, "\314\201\314\243", &e); /* above, below */
    buf_reserve(&s, 64, &e);
    double start_s = sys_time();
    ok(nfc_append(&out, s.s, s.len, &e) == 0 && out.len == s.len, "a megabyte of marks");
    ok(memcmp(out.s, "\314\243\314\243\314\243\314\243", 8) == 0 &&
           memcmp(out.s + out.len - 4, "\314\201\314\201", 4) == 0,
       "in their order");
    ok(sys_time() - start_s < 5, "in linear time");
    buf_release(&s);
    buf_release(&out);
}

int main(void)
{
    is_str(form_c("e\314\201"), "\303\251", "composition");
    is_str(form_c("\303\251"), "\303\251", "already composed");
    is_str(form_c(""), "", "nothing");
    is_str(form_c("\360\220\227\222\314\207"), "\360\220\227\222\314\207",
           "U+105D2 U+0307, which Unicode 16 composes, stay");
    is_str(form_c("\360\221\244\265\360\221\244\260"), "\360\221\244\265\360\221\244\260",
           "U+11935 U+11930, which Unicode 13 composes, stay");
    is_str(form_c("a\341\253\201\314\243"), "a\341\253\201\314\243",
           "U+1AC1, of Unicode 13, is not moved");
    each_code_point();
    random_texts();
    many_marks();
    return done_testing();
}
