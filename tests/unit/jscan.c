/* The JSON scanner against a list of cases and against a slow reading of the grammar. */
#include "tap.h"
#include "json_ref.h"

#include "base/cpu.h"
#include "io/jscan_int.h"

#define Q(s) s, sizeof(s) - 1

struct sample {
    const char *s;
    size_t n;
};

static const struct sample good[] = {
    {Q("{}")},
    {Q("[]")},
    {Q("\"\"")},
    {Q("0")},
    {Q("-0")},
    {Q("true")},
    {Q("false")},
    {Q("null")},
    {Q(" \t\r\n[ \t\r\n] \t\r\n")},
    {Q("\xef\xbb\xbf{}")},
    {Q("[1,2,3]")},
    {Q("[[],{},[[]],{\"\":{}}]")},
    {Q("{\"a\":1,\"a\":2,\"a\":{\"a\":3}}")},
    {Q("{\"\":0}")},
    {Q("{\"a\" : [ 1 , -2.5e+10 , 3E-2, 0.0, 1e9, 0e0, -0.0 ] , \"b\" : null }")},
    {Q("123456789012345678901234567890.1234567890123456789e-1234567")},
    {Q("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"")},
    {Q("\"\\u0041\\u00e9\\u20ac\\uD83D\\uDE00\\ud83d\\ude00\\u0000\"")},
    {Q("\"\\ud800\"")},
    {Q("\"\\udfff\"")},
    {Q("\"\\ud800\\ud800\\udc00\"")},
    {Q("\"\\ud800\\u0041\"")},
    {Q("\"\\ud800\\n\"")},
    {Q("\"\\udc00\\ud800\"")},
    {Q("\"\\ud83dx\\ude00\"")},
    {Q("\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xef\xbb\xbf \x7f \xf4\x8f\xbf\xbf\"")},
    {Q("{\"\\u006bey\":\"\xe6\x96\x87\"}")},
    {Q("[\"a\",\"b\\\\\",\"\\\\\\\"\",\"c\"]")},
};

static const struct sample bad[] = {
    {Q("")},
    {Q(" ")},
    {Q("\n")},
    {Q("\xef\xbb\xbf")},
    {Q("\xef\xbb{}")},
    {Q(" \xef\xbb\xbf{}")},
    {Q("\xef\xbb\xbf\xef\xbb\xbf{}")},
    {Q("\0")},
    {Q("{}\0")},
    {Q("[")},
    {Q("]")},
    {Q("{")},
    {Q("}")},
    {Q("[}")},
    {Q("{]")},
    {Q("[,]")},
    {Q("[1,]")},
    {Q("[,1]")},
    {Q("[1,,2]")},
    {Q("[1 2]")},
    {Q("[1:2]")},
    {Q("[\"a\":1]")},
    {Q("{,}")},
    {Q("{\"a\"}")},
    {Q("{\"a\":}")},
    {Q("{\"a\",1}")},
    {Q("{\"a\":1,}")},
    {Q("{\"a\":1 \"b\":2}")},
    {Q("{\"a\"::1}")},
    {Q("{:1}")},
    {Q("{a:1}")},
    {Q("{'a':1}")},
    {Q("{1:1}")},
    {Q("{null:1}")},
    {Q("{[]:1}")},
    {Q("{}{}")},
    {Q("{} x")},
    {Q("1 2")},
    {Q("[1]]")},
    {Q("{\"a\":1}}")},
    {Q("nul")},
    {Q("nulll")},
    {Q("True")},
    {Q("tru e")},
    {Q("NaN")},
    {Q("[Infinity]")},
    {Q("[-Infinity]")},
    {Q("+1")},
    {Q("-")},
    {Q("--1")},
    {Q("01")},
    {Q("-01")},
    {Q("00")},
    {Q("1.")},
    {Q(".5")},
    {Q("-.5")},
    {Q("1.e5")},
    {Q("1e")},
    {Q("1e+")},
    {Q("1E-")},
    {Q("1e1.5")},
    {Q("0x10")},
    {Q("1_000")},
    {Q("1a")},
    {Q("\xef\xbc\x91")},
    {Q("\"")},
    {Q("\"a")},
    {Q("\"\\")},
    {Q("\"\\\"")},
    {Q("\"\\u")},
    {Q("\"\\u12")},
    {Q("\"\\u123\"")},
    {Q("\"\\u123g\"")},
    {Q("\"\\u+123\"")},
    {Q("\"\\u 123\"")},
    {Q("\"\\x41\"")},
    {Q("\"\\a\"")},
    {Q("\"\\'\"")},
    {Q("\"\\\0\"")},
    {Q("\"\\U0041\"")},
    {Q("\"\\ud800\\u\"")},
    {Q("\"\\ud800\\udc0\"")},
    {Q("\"a\nb\"")},
    {Q("\"a\tb\"")},
    {Q("\"\0\"")},
    {Q("\"\x1f\"")},
    {Q("'a'")},
    {Q("\"\x80\"")},
    {Q("\"\xc0\x80\"")},
    {Q("\"\xc1\xbf\"")},
    {Q("\"\xe0\x9f\xbf\"")},
    {Q("\"\xed\xa0\x80\"")},
    {Q("\"\xf0\x8f\xbf\xbf\"")},
    {Q("\"\xf4\x90\x80\x80\"")},
    {Q("\"\xf5\x80\x80\x80\"")},
    {Q("\"\xff\"")},
    {Q("\"\xe2\x82\"")},
    {Q("\"\xc3\\u00a9\"")},
    {Q("[\"a\", // no\n1]")},
    {Q("/* no */ 1")},
    {Q("[1]\x0c")},
    {Q("[\x0b 1]")},
    {Q("[\xc2\xa0]")},
    {Q("\xff\xfe{\0}\0")},
};

static struct buf a_out = BUF_INIT, b_out = BUF_INIT;

/* Both readings of the text agree. The text is copied so that sanitizers see a read beyond it. */
static bool agree(const char *s, size_t n, int *verdict)
{
    char *p = malloc(n ? n : 1);
    memcpy(p, s, n);
    int a = json_ref(p, n, &a_out), b = json_walk(p, n, &b_out);
    free(p);
    *verdict = b;
    return a == b && (a < 0 || (a_out.len == b_out.len && !memcmp(a_out.s, b_out.s, a_out.len)));
}

static void test_lists(void)
{
    int v;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        bool same = agree(good[i].s, good[i].n, &v);
        ok(same && v == 0, "taken: %.*s", (int)good[i].n, i == 8 ? "spaces" : good[i].s);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        bool same = agree(bad[i].s, bad[i].n, &v);
        ok(same && v < 0, "refused: case %zu", i);
    }
}

static uint64_t seed = 88172645463325252u;

static uint64_t draw(uint64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % n;
}

/* Every prefix of every good sample, and good samples with bytes changed, taken out or doubled. */
static void test_mutations(void)
{
    static const char dice[] = "{}[]:,\"\\u0129-+.eEtfn \n\x80\xc3\xa9\xed\xff\x1f";
    int v, n_good = 0, n_off = 0;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        for (size_t n = 0; n <= good[i].n; n++)
            n_off += !agree(good[i].s, n, &v);
    }
    is_int(n_off, 0, "every prefix of the good samples is judged alike");
    for (int round = 0; round < 60000; round++) {
        char s[256];
        const struct sample *from = &good[draw(ARRAY_LEN(good))];
        size_t n = from->n;
        memcpy(s, from->s, n);
        for (uint64_t k = 1 + draw(3); k > 0 && n > 0; k--) {
            size_t at = draw(n);
            switch (draw(3)) {
            case 0:
                s[at] = dice[draw(sizeof dice - 1)];
                break;
            case 1:
                memmove(s + at, s + at + 1, --n - at);
                break;
            default:
                memmove(s + at + 1, s + at, n++ - at);
                s[at] = dice[draw(sizeof dice - 1)];
            }
        }
        if (!agree(s, n, &v) && n_off++ < 5)
            diag("judged differently: %.*s", (int)n, s);
        n_good += v == 0;
    }
    is_int(n_off, 0, "60000 changed samples are judged alike");
    ok(n_good > 3000 && n_good < 57000, "some of them (%d) are good, some are not", n_good);
}

typedef size_t scan_fn(const char *s, size_t n, bool *escaped);

static void scan_with(scan_fn *scan, const char *name)
{
    enum { N = 200 };
    int n_off = 0;
    bool any = false;
    char s[N];
    for (size_t n = 0; n <= N; n++) {
        memset(s, 'x', sizeof s);
        n_off += scan(s, n, &any) != n;
        for (size_t at = 0; at < n; at++) {
            static const char stops[] = {'"', '\\', 0, 0x1f, '\n'}; /* x is no escape */
            s[at] = stops[(at + n) % sizeof stops];
            if (at + 9 < n)
                s[at + 9] = '"'; /* a second one behind must not matter */
            n_off += scan(s, n, &any) != at;
            s[at] = 'x';
            if (at + 9 < n)
                s[at + 9] = 'x';
        }
    }
    is_int(n_off, 0, "%s: a stop is found at every place of every length", name);
    for (int c = 0; c < 256; c++) {
        bool stop = c == '"' || c == '\\' || c < 0x20;
        memset(s, c, sizeof s);
        for (size_t n = 1; n <= N; n += 13)
            n_off += scan(s, n, &any) != (stop ? 0 : n) && c != '\\';
    }
    is_int(n_off, 0, "%s: exactly quotes and controls stop, and backslashes may", name);
}

/* Random strings full of backslashes: what is passed over are whole good escapes, up to the place
 * where the slow reading wants to look. */
static void escapes_with(scan_fn *scan, const char *name)
{
    static const char dice[] = "\\\\\\\\\\nxx\"/bfrtu0\n";
    int n_off = 0;
    for (int round = 0; round < 40000; round++) {
        char s[300];
        size_t n = draw(sizeof s), mostly = draw(4), at = 0;
        bool any = false, want_any = false;
        for (size_t i = 0; i < n; i++)
            s[i] = mostly && draw(60) ? (mostly == 1 ? '\\' : 'x') : dice[draw(sizeof dice - 1)];
        size_t got = scan(s, n, &any);
        while (at < got) {
            want_any |= s[at] == '\\';
            at += 1 + (s[at] == '\\');
        }
        n_off += at != got || (any != want_any && !(got < n && s[got] == '\\'));
        for (size_t i = 0; i < got; i++) {
            const bool slash = s[i] == '\\';
            i += slash;
            n_off += slash ? !strchr("\"\\/bfnrt", s[i]) : s[i] == '"' || s[i] == '\n';
        }
        n_off += got < n && s[got] != '"' && s[got] != '\n' && s[got] != '\\';
        if (got + 1 < n && s[got] == '\\') /* it is one that needs a closer look */
            n_off += strchr("\"\\/bfnrt", s[got + 1]) != NULL;
    }
    is_int(n_off, 0, "%s: good escapes alone are passed over", name);
}

static void test_scan(void)
{
    scan_with(jscan_scan_string, "chosen");
    scan_with(jscan_scan_portable, "portable"), escapes_with(jscan_scan_portable, "portable");
#if defined(__x86_64__)
    if (cpu_has(ISA_AVX2))
        scan_with(jscan_scan_avx2, "avx2"), escapes_with(jscan_scan_avx2, "avx2");
    if (cpu_has(ISA_AVX512))
        scan_with(jscan_scan_avx512, "avx512"), escapes_with(jscan_scan_avx512, "avx512");
    if (cpu_uses_vbmi2())
        scan_with(jscan_scan_avx512vbmi, "vbmi"), escapes_with(jscan_scan_avx512vbmi, "vbmi");
#endif
}

typedef size_t take_fn(const char *s, size_t n, char **to, bool *escaped);

/* What all of them do, a byte at a time. */
static size_t take_slowly(const char *s, size_t n, char **to, bool *escaped)
{
    static const char name[] = "\"\\/bfnrt", meaning[] = "\"\\/\b\f\n\r\t";
    size_t i = 0, first = 0;
    while (first < n && s[first] != '"' && s[first] != '\\' && (unsigned char)s[first] >= 0x20)
        first++;
    if (!*escaped && (first == n || s[first] != '\\'))
        return first;
    *escaped = true;
    for (; i < n && s[i] != '"' && (unsigned char)s[i] >= 0x20; i++) {
        if (s[i] != '\\') {
            *(*to)++ = s[i];
            continue;
        }
        const char *known = i + 1 < n && s[i + 1] ? strchr(name, s[i + 1]) : NULL;
        if (!known)
            break;
        *(*to)++ = meaning[known - name];
        i++;
    }
    return i;
}

static bool takes_alike(take_fn *take, const char *s, size_t n, bool escaped)
{
    enum { MOST = 400 };
    char a[MOST + 64], b[MOST + 65], *to_a = a, *to_b = b;
    bool any_a = escaped, any_b = escaped;
    memset(b, '~', sizeof b);
    size_t at = take_slowly(s, n, &to_a, &any_a);
    return take(s, n, &to_b, &any_b) == at && any_b == any_a && to_b - b == to_a - a &&
           !memcmp(a, b, (size_t)(to_a - a)) && b[n + 64] == '~';
}

static void take_with(take_fn *take, const char *name)
{
    static const char dice[] = "\\\\\\\\\\nxx\"/bfrtu0\n";
    enum { N = 330 };
    char s[N + 64];
    int n_off = 0;
    for (int round = 0; round < 100000; round++) {
        size_t n = draw(N), from = draw(64);
        uint64_t mostly = draw(5), every = draw(2) ? 4 : 80;
        memset(s, (int)draw(2) ? '\\' : 'n', sizeof s); /* behind it may stand anything */
        if (from > n)
            from = n;
        for (size_t i = from; i < n; i++)
            s[i] = mostly && draw(every) ? (mostly == 1 ? '\\' : 'x') : dice[draw(sizeof dice - 1)];
        n_off += !takes_alike(take, s + from, n - from, draw(2));
    }
    is_int(n_off, 0, "%s: strings are read and unescaped up to what stops them", name);
    for (int c = 1; c < 256; c++)
        for (size_t at = 0; at < 130; at++) {
            memset(s, 'x', sizeof s);
            s[at] = '\\';
            s[at + 1] = (char)c;
            n_off += !takes_alike(take, s, 200, false) || !takes_alike(take, s, at + 1, true);
        }
    is_int(n_off, 0, "%s: each byte behind a backslash at each place", name);
}

static void test_take(void)
{
    take_with(jscan_take_portable, "portable");
#if defined(__x86_64__)
    if (cpu_has(ISA_AVX2))
        take_with(jscan_take_avx2, "avx2");
    if (cpu_has(ISA_AVX512))
        take_with(jscan_take_avx512, "avx512");
    if (cpu_uses_vbmi2())
        take_with(jscan_take_avx512vbmi, "vbmi");
#endif
}

/* Runs of every length between escapes, unescaped right. */
static void test_runs(void)
{
    struct buf text = BUF_INIT, want = BUF_INIT, got = BUF_INIT;
    for (int run = 0; run < 150; run++) {
        buf_puts(&text, run ? "" : "\"", NULL);
        for (int i = 0; i < run; i++) {
            int c = 'a' + (run + i) % 26;
            buf_putc(&text, c, NULL);
            buf_putc(&want, c, NULL);
        }
        static const char *const escapes[] = {"\\u4e2d\\\\", "\\n", "\\\\\\\\\\\"\\/\\t"};
        static const char *const chars[] = {"\xe4\xb8\xad\\", "\n", "\\\\\"/\t"};
        buf_puts(&text, escapes[run % 10 ? 1 + run % 2 : 0], NULL);
        buf_puts(&want, chars[run % 10 ? 1 + run % 2 : 0], NULL);
    }
    buf_puts(&text, "\"", NULL);
    struct jscan j;
    jscan_init(&j, text.s, text.len);
    is_int(jscan_next(&j), JSCAN_STRING, "a string of runs");
    buf_puts(&got, "before ", NULL);
    is_int(jscan_string(&j, false, &got, NULL), 0, "unescaped");
    ok(got.len == want.len + 7 && !memcmp(got.s, "before ", 7) &&
           !memcmp(got.s + 7, want.s, want.len + 1),
       "its text is appended, with a NUL behind");
    buf_release(&text);
    buf_release(&want);
    buf_release(&got);
}

static void test_depth(void)
{
    char deep[2048];
    int v;
    for (int d = 511; d <= 513; d++) {
        for (int object = 0; object < 2; object++) {
            size_t n = 0;
            for (int i = 0; i < d; i++)
                n += (size_t)snprintf(deep + n, 8, "%s",
                                      object && i % 2 && i < 300 ? "{\"\":" : "[");
            if (deep[n - 1] == ':')
                deep[n++] = '1';
            for (int i = d - 1; i >= 0; i--)
                deep[n++] = object && i % 2 && i < 300 ? '}' : ']';
            bool same = agree(deep, n, &v);
            ok(same && v == (d <= 512 ? 0 : -1), "%d levels are %s", d,
               d <= 512 ? "taken" : "too many");
        }
    }
}

static void test_errors(void)
{
    static const struct {
        const char *s;
        size_t pos;
        const char *why;
    } c[] = {
        {"", 0, "there is no value"},
        {"{\"a\":1,}", 7, "a key in quotes is missing"},
        {"{\"a\" 1}", 5, "':' is missing after a key"},
        {"[1 2]", 3, "',' or ']' is missing"},
        {"{\"a\":1 2}", 7, "',' or '}' is missing"},
        {"[1,", 3, "the text ends within an object or array"},
        {"{\"a\":", 5, "the text ends within an object or array"},
        {"\"abc", 4, "the text ends within a string"},
        {"\"a\tb\"", 2, "control character in a string"},
        {"\"ab\\x\"", 3, "bad escape in a string"},
        {"[1] x", 4, "text follows the value"},
        {"[nil]", 1, "not a JSON value"},
        {"-x", 1, "a digit is missing"},
        {"1.x", 2, "a digit is missing after the point"},
        {"1ex", 2, "a digit is missing in the exponent"},
    };
    for (size_t i = 0; i < ARRAY_LEN(c); i++) {
        struct jscan j;
        struct err e = {0};
        char want[128];
        enum jscan_type t;
        jscan_init(&j, c[i].s, strlen(c[i].s));
        do {
            t = jscan_next(&j);
        } while (t > 0);
        snprintf(want, sizeof want, "at byte %zu: %s", c[i].pos, c[i].why);
        is_int(jscan_err(&j, &e), -1, "an error");
        is_str(e.msg, want, "%s", want);
        is_int(jscan_next(&j), JSCAN_ERROR, "and it stays");
    }
}

static void test_utf8(void)
{
    struct jscan j;
    struct err e = {0};
    struct buf b = BUF_INIT;
    const char bad_utf8[] = "[\"ab\\n\xc3(\xe2\x82\\u00e9\"]";
    jscan_init(&j, bad_utf8, sizeof bad_utf8 - 1);
    jscan_next(&j);
    is_int(jscan_next(&j), JSCAN_STRING, "the scanner passes over bad UTF-8");
    is_int(jscan_string(&j, false, &b, &e), -1, "taking it is an error");
    is_str(e.msg, "at byte 6: invalid UTF-8", "with its position");
    is_int(jscan_string(&j, true, &b, &e), 0, "replacing is not");
    is_str(b.s, "ab\n\xef\xbf\xbd(\xef\xbf\xbd\xc3\xa9", "one U+FFFD for each broken sequence");
    buf_release(&b);
}

static void test_walk(void)
{
    const char *s = " {\"a\\u0062\\n\": [1, {\"x\": \"}]\"}, \"\\\"\"], \"n\": -12, \"r\": 2.5e1, "
                    "\"big\": 9223372036854775808, \"t\": true} ";
    struct jscan j;
    int64_t i = 0;
    double x = 0;
    jscan_init(&j, s, strlen(s));
    is_int(jscan_next(&j), JSCAN_OBJECT, "object");
    is_int(j.start, 1, "its place");
    is_int(jscan_next(&j), JSCAN_KEY, "key");
    ok(jscan_key_is(&j, "ab\n"), "its name, unescaped");
    ok(!jscan_key_is(&j, "ab"), "a shorter name is another");
    ok(!jscan_key_is(&j, "ab\n "), "a longer one too");
    ok(!jscan_key_is(&j, ""), "and the empty one");
    is_int(jscan_next(&j), JSCAN_ARRAY, "array");
    is_int(jscan_skip(&j), 0, "is passed over");
    ok(j.pos - j.start <= 2 && s[j.pos - 1] == ']' && s[j.pos] == ',', "to its end");
    jscan_next(&j);
    ok(jscan_key_is(&j, "n") && !jscan_key_is(&j, "m") && !jscan_key_is(&j, "nn"), "plain key");
    jscan_next(&j);
    ok(jscan_int(&j, &i) == 0 && i == -12, "integer");
    jscan_next(&j);
    jscan_next(&j);
    ok(jscan_int(&j, &i) < 0 && jscan_real(&j, &x) == 0 && x == 25, "real");
    is_int(jscan_skip(&j), 0, "passing over a scalar does nothing");
    jscan_next(&j);
    jscan_next(&j);
    ok(jscan_int(&j, &i) < 0 && jscan_real(&j, &x) == 0 && x == 9223372036854775808.0,
       "2^63 is no int64");
    jscan_next(&j);
    is_int(jscan_skip(&j), 0, "passing over the value after a key");
    is_int(jscan_next(&j), JSCAN_END, "end");
    is_int(jscan_next(&j), JSCAN_EOF, "end of the text");
    is_int(jscan_next(&j), JSCAN_EOF, "again");
    jscan_init(&j, "[[1,2", 5);
    jscan_next(&j);
    is_int(jscan_skip(&j), -1, "passing over a truncated value is an error");
}

static void test_numbers(void)
{
    static const struct {
        const char *s;
        int rc;
        int64_t v;
    } c[] = {
        {"0", 0, 0},
        {"-0", 0, 0},
        {"9223372036854775807", 0, INT64_MAX},
        {"-9223372036854775808", 0, INT64_MIN},
        {"-9223372036854775809", -1, 0},
        {"18446744073709551616", -1, 0},
        {"99999999999999999999999999", -1, 0},
        {"1.0", -1, 0},
        {"1e2", -1, 0},
    };
    struct jscan j;
    double x;
    for (size_t i = 0; i < ARRAY_LEN(c); i++) {
        int64_t v = 0;
        jscan_init(&j, c[i].s, strlen(c[i].s));
        jscan_next(&j);
        ok(jscan_int(&j, &v) == c[i].rc && v == c[i].v, "integer %s", c[i].s);
    }
    jscan_init(&j, "1e400", 5);
    jscan_next(&j);
    is_int(jscan_real(&j, &x), -1, "1e400 is not finite");
    jscan_init(&j, "1e-400", 6);
    jscan_next(&j);
    ok(jscan_real(&j, &x) == 0 && x == 0, "1e-400 is zero");
    jscan_init(&j, "0.1", 3);
    jscan_next(&j);
    ok(jscan_real(&j, &x) == 0 && x == 0.1, "0.1");
}

/* The text of key by the scanner, unescaped: 1, or 0 where there is none or the whole is wrong. */
static int field_slowly(const char *p, size_t n, const char *key, struct buf *text)
{
    struct jscan j;
    int found = 0;
    jscan_init(&j, p, n);
    if (jscan_next(&j) != JSCAN_OBJECT)
        return 0;
    while (jscan_next(&j) == JSCAN_KEY) {
        bool wanted = jscan_key_is(&j, key);
        enum jscan_type t = jscan_next(&j);
        if (wanted) {
            buf_clear(text);
            found = t == JSCAN_STRING && jscan_string(&j, false, text, NULL) == 0;
        }
        if (t < 0 || jscan_skip(&j) < 0)
            return 0;
    }
    return found && !j.error && jscan_next(&j) == JSCAN_EOF;
}

/* The short way gives what the long one gives, or gives up: on records and on damaged ones, whose
 * texts are made longer by some bytes at their starts. */
static void test_plain_field(void)
{
    static const char *const records[] = {
        "{\"text\": \"abc\"}",
        "{\"id\": 12, \"text\": \"more than eight bytes, and none of them special\"}",
        "{ \"text\" :\"\" , \"id\":0,\"text\":\"the last counts\"} ",
        "{\"text\":\"more than eight bytes\\nand escapes \\\"\\\\\", \"z\":\"and more\\none\"}",
        "{\"long name of a key\":\"\u00e9\",\"text\":\"12345678\",\"z\":\"\"}\r",
        "{\"text\":\"\\u4e2d\\u6587 \\ud83d\\ude00\\ude00\\u0041\\n\\ud83d\"}",
        "{\"text\":\"a\\u00e9\",\"z\":1,\"text\":\"b\\u00e9\\\\\\u00e9\"}",
    };
    static const char change[] = "{}\":, \\tex0129.\n\x01[]-u\\d8";
    enum { MOST = 512 };
    size_t n_bad = 0, n_found = 0;
    struct buf want = BUF_INIT;
    for (size_t k = 0; k < 300000; k++) {
        char p[MOST + 64], to[MOST + 65];
        const char *record = records[k % ARRAY_LEN(records)],
                   *value = strchr(strrchr(record, ':'), '"');
        size_t head = (size_t)(value + 1 - record), more = k % 3 ? 0 : draw(200),
               n = strlen(record);
        struct jscan_text text;
        memset(p, (int)draw(2) ? '"' : '\n', sizeof p); /* behind it may stand anything */
        memcpy(p, record, head);
        for (size_t i = 0; i < more; i++)
            p[head + i] = (char)('a' + i % 26);
        memcpy(p + head + more, record + head, n - head);
        n += more;
        for (uint64_t i = k < ARRAY_LEN(records) ? 0 : draw(3); i > 0; i--)
            p[draw(n)] = change[draw(sizeof change - 1)];
        if (k >= ARRAY_LEN(records) && draw(4) == 0)
            n = draw(n + 1);
        memset(to, '~', sizeof to);
        if (!jscan_plain_field(p, n, "text", to, &text)) {
            n_bad += k < ARRAY_LEN(records);
            continue;
        }
        n_found++;
        n_bad += !field_slowly(p, n, "text", &want) || text.len != want.len ||
                 memcmp(text.s, want.s, want.len) != 0 || to[n + 64] != '~' ||
                 (text.s != to && (text.s < p || text.s > p + n));
    }
    is_int(n_bad, 0, "the short way through a record agrees with the long one");
    ok(n_found > 10000 && n_found < 200000, "and is taken by some (%zu)", n_found);
    buf_release(&want);
}

int main(void)
{
    test_lists();
    test_mutations();
    test_scan();
    test_take();
    test_runs();
    test_depth();
    test_errors();
    test_utf8();
    test_walk();
    test_numbers();
    test_plain_field();
    buf_release(&a_out);
    buf_release(&b_out);
    return done_testing();
}
