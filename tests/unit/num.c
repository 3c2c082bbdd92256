/* Numbers: what is taken, what is refused and how that is said, and printing that reads back. */
#include "tap.h"

#include <float.h>
#include <locale.h>

#include "base/num.h"
#include "base/rng.h"

static void test_int(void)
{
    static const struct {
        const char *s;
        int64_t v;
    } good[] = {
        {"0", 0},
        {"-0", 0},
        {"+7", 7},
        {"007", 7},
        {"12", 12},
        {"-12", -12},
        {"1K", 1000},
        {"1k", 1000},
        {"3M", 3000000},
        {"2G", 2000000000},
        {"1T", 1000000000000},
        {"1Ki", 1024},
        {"2Mi", 2097152},
        {"2Gi", 2147483648},
        {"1Ti", 1099511627776},
        {"1.5M", 1500000},
        {"1.5Ki", 1536},
        {"0.5Ki", 512},
        {".5K", 500},
        {"5.", 5},
        {"1e6", 1000000},
        {"1E6", 1000000},
        {"1.5e3", 1500},
        {"10e-1", 1},
        {"1e3K", 1000000},
        {"1e+2", 100},
        {"0e999", 0},
        {"0.000001M", 1},
        {"1.0000000000000000000000", 1},
        {"100000000000000000000e-20", 1},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
        {"-8388608Ti", INT64_MIN},
    };
    static const char *const bad[] = {"",    "-",   "+",     ".",   "e5",  "K",    "1e",
                                      "1e+", " 1",  "1 ",    "1x",  "1KK", "1Kb",  "0x1",
                                      "1,5", "--1", "1P",    "1i",  "1.5", "1e-1", "0.1K2",
                                      "nan", "inf", "1.2.3", "1Kii"};
    static const char *const far[] = {
        "9223372036854775808", "-9223372036854775809", "1e19",           "9e18K",
        "8388608Ti",           "99999999999999999999", "1e999999999999", "1e100T"};
    struct err e = {0};
    int64_t v;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        v = 42;
        ok(num_int(good[i].s, INT64_MIN, INT64_MAX, &v, &e) == 0 && v == good[i].v,
           "'%s' is %" PRId64, good[i].s, good[i].v);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        v = 42;
        ok(num_int(bad[i], INT64_MIN, INT64_MAX, &v, &e) < 0 && v == 42 && e.kind == ERR_USAGE &&
               strstr(e.msg, "not a whole number"),
           "'%s' is no whole number", bad[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(far); i++) {
        v = 42;
        ok(num_int(far[i], INT64_MIN, INT64_MAX, &v, &e) < 0 && v == 42 &&
               strstr(e.msg, "out of range"),
           "'%s' is too far", far[i]);
    }
    num_int("11", 2, 10, &v, &e);
    is_str(e.msg, "'11' is out of range: 2 to 10", "the range is named");
    num_int("1", 2, INT64_MAX, &v, &e);
    is_str(e.msg, "'1' is out of range: 2 or more", "a range without end, too");
    ok(num_int("10", 2, 10, &v, NULL) == 0 && num_int("2", 2, 10, &v, NULL) == 0,
       "the ends belong to the range");
}

static void test_bytes(void)
{
    static const struct {
        const char *s;
        uint64_t v;
    } good[] = {
        {"0", 0},
        {"512", 512},
        {"512B", 512},
        {"1K", 1024},
        {"1k", 1024},
        {"1KiB", 1024},
        {"1Ki", 1024},
        {"1KB", 1000},
        {"1.5G", 1610612736},
        {"200MB", 200000000},
        {"1T", UINT64_C(1) << 40},
        {"2TB", UINT64_C(2000000000000)},
        {"18446744073709551615", UINT64_MAX},
        {"0.5K", 512},
        {"1e3", 1000},
    };
    static const char *const bad[] = {
        "",          "B",  "1BB", "1KBB", "1KiBB", "0.3", "x", "1.0001K", "18446744073709551616",
        "16777216T", "-1", "-1K"};
    struct err e = {0};
    uint64_t v;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        ok(num_bytes(good[i].s, 0, UINT64_MAX, &v, &e) == 0 && v == good[i].v,
           "'%s' is %" PRIu64 " bytes", good[i].s, good[i].v);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        ok(num_bytes(bad[i], 0, UINT64_MAX, &v, &e) < 0 && e.kind == ERR_USAGE, "'%s' is refused",
           bad[i]);
    ok(num_bytes("1K", 2000, 3000, &v, &e) < 0 && num_bytes("4K", 2000, 3000, &v, &e) < 0 &&
           num_bytes("2K", 2000, 3000, &v, &e) == 0,
       "the range holds");
}

static void test_real(void)
{
    static const char *const bad[] = {"",     "nan", "inf", "-inf",     "0x1p3", "1e",
                                      "1.5x", " 1",  "1,5", "infinity", "1K",    "."};
    struct err e = {0};
    double v;
    ok(num_real("3e-4", 0, 1, &v, &e) == 0 && v == 3e-4, "3e-4");
    ok(num_real("-.5", -1, 1, &v, &e) == 0 && v == -.5, "-.5");
    ok(num_real("1e-400", 0, 1, &v, &e) == 0 && v == 0, "less than the least is zero");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        ok(num_real(bad[i], -HUGE_VAL, HUGE_VAL, &v, &e) < 0 && strstr(e.msg, "not a number"),
           "'%s' is no number", bad[i]);
    ok(num_real("1e400", -HUGE_VAL, HUGE_VAL, &v, &e) < 0, "1e400 does not fit");
    num_real("1.5", 0, 1, &v, &e);
    is_str(e.msg, "'1.5' is out of range: 0 to 1", "the range is named");
    num_real("-1", 0, HUGE_VAL, &v, &e);
    is_str(e.msg, "'-1' is out of range: 0 or more", "a range without end");
    if (setlocale(LC_ALL, "de_DE.UTF-8"))
        ok(num_real("1.5", 0, 2, &v, &e) == 0 && v == 1.5, "the locale does not matter");
    setlocale(LC_ALL, "C");
}

static void test_duration(void)
{
    static const struct {
        const char *s;
        double v;
    } good[] = {{"90", 90},      {"90s", 90},         {"15m", 900},   {"2h", 7200}, {"1d", 86400},
                {"1h30m", 5400}, {"1d1h1m1s", 90061}, {"1.5h", 5400}, {"0", 0},     {"0.5", 0.5}};
    static const char *const bad[] = {"",     "h",  "-5",  "1h30",  "1m1h",
                                      "1h1h", "5x", "1hm", "1h-5m", "1e999"};
    struct err e = {0};
    double v;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        ok(num_duration(good[i].s, &v, &e) == 0 && v == good[i].v, "%s is %g seconds", good[i].s,
           good[i].v);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        ok(num_duration(bad[i], &v, &e) < 0 && e.kind == ERR_USAGE, "'%s' is no time", bad[i]);
}

static void test_show_known(void)
{
    static const struct {
        double v;
        const char *s;
    } f64[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {-1.5, "-1.5"},
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {100, "100"},
        {123456, "123456"},
        {1e15, "1000000000000000"},
        {1e16, "1e16"},
        {1e22, "1e22"},
        {1e23, "1e23"},
        {0.0001, "0.0001"},
        {0.00001, "1e-5"},
        {0.00012345, "0.00012345"},
        {1.5e-7, "1.5e-7"},
        {9007199254740993.0, "9007199254740992"},
        {5e-324, "5e-324"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {DBL_MAX, "1.7976931348623157e308"},
        {0x1p-44, "5.684341886080802e-14"},
        {9.5367431640625e-07, "9.5367431640625e-7"},
        {12.5, "12.5"},
        {HUGE_VAL, "inf"},
        {-HUGE_VAL, "-inf"},
    };
    static const struct {
        float v;
        const char *s;
    } f32[] = {{0.1f, "0.1"},     {16777216, "16777216"},     {FLT_MAX, "3.4028235e38"},
               {1e-45f, "1e-45"}, {FLT_MIN, "1.1754944e-38"}, {1.0f / 3, "0.33333334"},
               {3e-4f, "0.0003"}};
    char out[32];
    for (size_t i = 0; i < ARRAY_LEN(f64); i++)
        is_str(num_show_f64(out, f64[i].v), f64[i].s, "f64 %s", f64[i].s);
    for (size_t i = 0; i < ARRAY_LEN(f32); i++)
        is_str(num_show_f32(out, f32[i].v), f32[i].s, "f32 %s", f32[i].s);
    is_str(num_show_f64(out, NAN), "nan", "nan");
}

static int n_digits(const char *s)
{
    int n = 0, n_zeros = 0;
    bool leading = true;
    for (; *s && *s != 'e'; s++) {
        if (*s < '0' || *s > '9' || (leading && *s == '0'))
            continue;
        leading = false;
        n++;
        n_zeros = *s == '0' ? n_zeros + 1 : 0;
    }
    return n - n_zeros;
}

static void test_show_random(void)
{
    struct rng r;
    int n_back = 0, n_short = 0, n = 0;
    rng_init(&r, 3, RNG_TEST, 0);
    for (int i = 0; i < 20000; i++) {
        uint64_t u = rng_u64(&r);
        double v;
        char out[32], less[40];
        memcpy(&v, &u, 8);
        if (isnan(v) || isinf(v))
            continue;
        n++;
        n_back += strtod(num_show_f64(out, v), NULL) == v;
        int k = n_digits(out);
        snprintf(less, sizeof less, "%.*e", k >= 2 ? k - 2 : 0, v);
        n_short += k < 2 || strtod(less, NULL) != v;
    }
    is_int(n_back, n, "random doubles read back");
    is_int(n_short, n, "one digit fewer does not");
    n = n_back = n_short = 0;
    for (int i = 0; i < 20000; i++) {
        uint32_t u = rng_u32(&r);
        float v;
        char out[32], less[40];
        memcpy(&v, &u, 4);
        if (isnan(v) || isinf(v))
            continue;
        n++;
        n_back += strtof(num_show_f32(out, v), NULL) == v;
        int k = n_digits(out);
        snprintf(less, sizeof less, "%.*e", k >= 2 ? k - 2 : 0, (double)v);
        n_short += k < 2 || strtof(less, NULL) != v;
    }
    is_int(n_back, n, "random floats read back");
    is_int(n_short, n, "one digit fewer does not");
}

static void test_human(void)
{
    static const struct {
        double v;
        const char *plain, *bytes, *time;
    } want[] = {
        {0, "0", "0 B", "0 s"},
        {0.5, "0.5", "0.5 B", "0.5 s"},
        {12.3456, "12.3", "12.3 B", "12.3 s"},
        {59.97, "60.0", "60.0 B", "1m00s"},
        {999, "999", "999 B", "16m39s"},
        {1000, "1.00k", "1000 B", "16m40s"},
        {1024, "1.02k", "1.00 KiB", "17m04s"},
        {3599.7, "3.60k", "3.52 KiB", "1h00m"},
        {3725, "3.73k", "3.64 KiB", "1h02m"},
        {172800, "173k", "169 KiB", "2d00h"},
        {999499, "999k", "976 KiB", "11d13h"},
        {999500, "1.00M", "976 KiB", "11d13h"},
        {1234567, "1.23M", "1.18 MiB", "14d06h"},
        {1e9, "1.00G", "954 MiB", "11574d01h"},
        {-1234567, "-1.23M", "-1.18 MiB", NULL},
        {1e300, "1e+282E", NULL, "forever"},
        {HUGE_VAL, NULL, NULL, "forever"},
        {NAN, NULL, NULL, "?"},
    };
    char out[32];
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        if (want[i].plain)
            is_str(num_human(out, want[i].v), want[i].plain, "%g for people", want[i].v);
        if (want[i].bytes)
            is_str(num_human_bytes(out, want[i].v), want[i].bytes, "%g bytes", want[i].v);
        if (want[i].time)
            is_str(num_human_time(out, want[i].v), want[i].time, "%g seconds", want[i].v);
    }
}

int main(void)
{
    test_int();
    test_bytes();
    test_real();
    test_duration();
    test_show_known();
    test_show_random();
    test_human();
    return done_testing();
}
