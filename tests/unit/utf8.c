/* UTF-8 against a slow reference: the rows of table 3-7 of the Unicode Standard, written out. */
#include "tap.h"

#include "base/utf8.h"
#include "base/utf8_int.h"

static const struct row {
    int len;
    unsigned char range[4][2];
} rows[] = {
    {1, {{0x00, 0x7f}}},
    {2, {{0xc2, 0xdf}, {0x80, 0xbf}}},
    {3, {{0xe0, 0xe0}, {0xa0, 0xbf}, {0x80, 0xbf}}},
    {3, {{0xe1, 0xec}, {0x80, 0xbf}, {0x80, 0xbf}}},
    {3, {{0xed, 0xed}, {0x80, 0x9f}, {0x80, 0xbf}}},
    {3, {{0xee, 0xef}, {0x80, 0xbf}, {0x80, 0xbf}}},
    {4, {{0xf0, 0xf0}, {0x90, 0xbf}, {0x80, 0xbf}, {0x80, 0xbf}}},
    {4, {{0xf1, 0xf3}, {0x80, 0xbf}, {0x80, 0xbf}, {0x80, 0xbf}}},
    {4, {{0xf4, 0xf4}, {0x80, 0x8f}, {0x80, 0xbf}, {0x80, 0xbf}}},
};

/* How many bytes of s agree with a row; whether the row is complete. */
static int ref_step(const unsigned char *s, size_t n, bool *whole)
{
    int longest = 0;
    *whole = false;
    for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
        int k = 0;
        while (k < rows[r].len && (size_t)k < n && s[k] >= rows[r].range[k][0] &&
               s[k] <= rows[r].range[k][1])
            k++;
        if (k > longest) {
            longest = k;
            *whole = k == rows[r].len;
        }
    }
    return longest ? longest : 1;
}

static int32_t ref_value(const unsigned char *s, int len)
{
    static const int first[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    int32_t v = s[0] & first[len];
    for (int i = 1; i < len; i++)
        v = v * 64 + (s[i] - 0x80);
    return v;
}

/* Everything of utf8.h about one string. */
static bool agrees(const unsigned char *s, size_t n)
{
    static struct buf out = BUF_INIT;
    char want[64];
    size_t first_bad = n, n_want = 0;
    long n_bad = 0;
    int tail = 0;
    for (size_t i = 0; i < n;) {
        bool whole;
        int len, ref_len = ref_step(s + i, n - i, &whole);
        int32_t cp = utf8_get((const char *)s + i, n - i, &len);
        if (len != ref_len || cp != (whole ? ref_value(s + i, ref_len) : -1))
            return false;
        if (whole) {
            memcpy(want + n_want, s + i, (size_t)len);
            n_want += (size_t)len;
        } else {
            memcpy(want + n_want, "\xef\xbf\xbd", 3);
            n_want += 3;
            if (first_bad == n)
                first_bad = i;
            n_bad++;
            unsigned char more[4] = {0}; /* completable: some continuation makes it longer */
            for (int c = 0x80; c < 0xc0 && i + (size_t)len == n && len < 4; c++) {
                bool w;
                memcpy(more, s + i, (size_t)len);
                more[len] = (unsigned char)c;
                if (ref_step(more, (size_t)len + 1, &w) > len)
                    tail = len;
            }
        }
        i += (size_t)len;
    }
    buf_clear(&out);
    return utf8_valid((const char *)s, n) == first_bad &&
           utf8_replace(&out, (const char *)s, n, NULL) == n_bad && out.len == n_want &&
           memcmp(out.s, want, n_want) == 0 && utf8_partial_tail((const char *)s, n) == tail;
}

static void test_classes(void)
{
    /* both ends of every class of bytes that the table tells apart */
    static const unsigned char byte[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf,
                                         0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee,
                                         0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff};
    enum { N = ARRAY_LEN(byte) };
    for (int len = 0; len <= 4; len++) {
        long total = 1, n_good = 0;
        for (int i = 0; i < len; i++)
            total *= N;
        for (long k = 0; k < total; k++) {
            unsigned char s[4] = {0};
            long rest = k;
            for (int i = 0; i < len; i++, rest /= N)
                s[i] = byte[rest % N];
            n_good += agrees(s, (size_t)len);
        }
        is_int(n_good, total, "all strings of %d boundary bytes", len);
    }
    long n_good = 0;
    for (int a = 0; a < 256; a++)
        for (int b = 0; b < 256; b++)
            n_good += agrees((unsigned char[]){(unsigned char)a, (unsigned char)b}, 2);
    is_int(n_good, 65536, "all strings of two bytes");
}

static void test_code_points(void)
{
    long n_good = 0, n = 0;
    for (uint32_t cp = 0; cp <= 0x10ffff; cp++) {
        char s[4];
        int len;
        if (cp >= 0xd800 && cp < 0xe000)
            continue;
        int put = utf8_put(s, cp);
        n++;
        n_good += utf8_valid(s, (size_t)put) == (size_t)put &&
                  utf8_get(s, (size_t)put, &len) == (int32_t)cp && len == put;
    }
    is_int(n_good, n, "every scalar value is written and read back");
}

static void test_positions(void)
{
    char s[202];
    int n_good = 0, n = 0;
    for (size_t len = 0; len <= 200; len++)
        for (size_t at = 0; at < len; at++) {
            memset(s, 'a', sizeof s);
            s[at] = (char)0xff;
            n_good += utf8_valid(s, len) == at;
            memcpy(s + at, "\xc3\xa9", 2);
            n_good += utf8_valid(s, len) == (at + 2 <= len ? len : at);
            s[at + 1] = 'a'; /* a lead alone, which an ASCII block may follow */
            n_good += utf8_valid(s, len) == at;
            n += 3;
        }
    is_int(n_good, n,
           "a bad byte, a lead without more, or a cut letter at any place in ASCII is found");
}

/* The first ill-formed byte by the table alone. */
static size_t ref_valid(const unsigned char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        bool whole;
        int len = ref_step(s + i, n - i, &whole);
        if (!whole)
            return i;
        i += (size_t)len;
    }
    return n;
}

/* Runs of characters, every one of their bytes changed to every value in turn: longer than the
 * blocks in which strings are looked at, so with and without vectors. */
static void test_runs(void)
{
    static const char *const runs[] = {
        "\xe4\xb8\xad",
        "\xe0\xa0\x80",
        "\xed\x9f\xbf",
        "\xef\xbf\xbd",
        "\xe1\x80\x80",
        "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf",
        "\xc3\xa9",
        "ab\xc2\x80\xe4\xb8\xad\xf1\x80\x80\x80",
        "word \xe2\x80\x99s and a number of letters \xc3\xa9",
    };
    unsigned char s[150];
    long n_good = 0, n = 0;
    for (size_t r = 0; r < ARRAY_LEN(runs); r++) {
        size_t len = strlen(runs[r]);
        for (size_t i = 0; i < sizeof s; i++)
            s[i] = (unsigned char)runs[r][i % len];
        for (size_t at = 0; at < sizeof s; at++) {
            unsigned char was = s[at];
            for (int c = 0; c < 256; c += 1 + (at > 70 && c % 16 < 13)) {
                s[at] = (unsigned char)c;
                size_t m = sizeof s - (size_t)c % 9, want = ref_valid(s, m);
                n_good += utf8_valid((const char *)s, m) == want;
                n_good += utf8_valid_from(s, 0, m) == want;
                n += 2;
            }
            s[at] = was;
        }
    }
    is_int(n_good, n, "a changed byte at any place in runs of letters is found");
}

int main(void)
{
    test_runs();
    test_classes();
    test_code_points();
    test_positions();
    return done_testing();
}
