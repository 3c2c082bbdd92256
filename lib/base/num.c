/* Numbers from text and to text. */
#include "base/num.h"

#include <float.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"

/* A decimal number as it stands: (-1)^negative * mant * 10^exp10 * 2^exp2. */
struct decimal {
    bool negative, too_long; /* too_long: digits beyond what mant holds */
    uint64_t mant;
    int64_t exp10;
    int exp2;
    size_t len; /* bytes that were read */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void take_digit(struct decimal *d, char c, bool after_point)
{
    uint64_t v;
    if (CKD_MUL(&v, d->mant, UINT64_C(10)) || CKD_ADD(&v, v, (uint64_t)(c - '0'))) {
        d->too_long = d->too_long || c != '0';
        d->exp10 += !after_point;
        return;
    }
    if (d->exp10 > 0 && !after_point) /* a digit was dropped before this one */
        d->too_long = true;
    d->mant = v;
    d->exp10 -= after_point;
}

/* Sign, digits, point, exponent; false where there is no number at s. */
static bool read_decimal(const char *s, struct decimal *d)
{
    const char *p = s;
    *d = (struct decimal){0};
    if (*p == '-' || *p == '+')
        d->negative = *p++ == '-';
    int n_digits = 0;
    for (; is_digit(*p); p++, n_digits++)
        take_digit(d, *p, false);
    if (*p == '.')
        for (p++; is_digit(*p); p++, n_digits++)
            take_digit(d, *p, true);
    if (n_digits == 0)
        return false;
    const char *q = p;
    if (*q == 'e' || *q == 'E') {
        q++;
        bool minus = *q == '-';
        if (*q == '-' || *q == '+')
            q++;
        if (is_digit(*q)) {
            int64_t x = 0;
            for (; is_digit(*q); q++)
                if (x < 1000000)
                    x = x * 10 + (*q - '0');
            d->exp10 += minus ? -x : x;
            p = q;
        }
    }
    d->len = (size_t)(p - s);
    return true;
}

enum whole { WHOLE_OK, WHOLE_FRACTION, WHOLE_TOO_BIG };

/* Exact: 10 = 2 * 5, so divisions by 10 are taken apart and may cancel a suffix's 2^k. */
static enum whole to_whole(struct decimal d, uint64_t *out)
{
    if (d.too_long)
        return WHOLE_TOO_BIG;
    for (; d.mant != 0 && d.exp10 < 0; d.exp10++, d.exp2--) {
        if (d.mant % 5 != 0)
            return WHOLE_FRACTION;
        d.mant /= 5;
    }
    for (; d.mant != 0 && d.exp2 < 0; d.exp2++) {
        if (d.mant % 2 != 0)
            return WHOLE_FRACTION;
        d.mant /= 2;
    }
    for (; d.mant != 0 && d.exp10 > 0; d.exp10--)
        if (CKD_MUL(&d.mant, d.mant, UINT64_C(10)))
            return WHOLE_TOO_BIG;
    for (; d.mant != 0 && d.exp2 > 0; d.exp2--)
        if (CKD_MUL(&d.mant, d.mant, UINT64_C(2)))
            return WHOLE_TOO_BIG;
    *out = d.mant;
    return WHOLE_OK;
}

/* 0 for no letter, 1..4 for K M G T, -1 for another. */
static int power_of(char c)
{
    static const char letters[] = "KMGT";
    if (c == '\0')
        return 0;
    const char *p = strchr(letters, c == 'k' ? 'K' : c);
    return p ? (int)(p - letters) + 1 : -1;
}

static bool int_suffix(struct decimal *d, const char *s)
{
    int k = power_of(s[0]);
    if (k < 0)
        return false;
    if (k > 0 && s[1] == 'i') {
        d->exp2 = 10 * k;
        return s[2] == '\0';
    }
    d->exp10 += 3 * k;
    return k == 0 || s[1] == '\0';
}

static bool bytes_suffix(struct decimal *d, const char *s)
{
    if (s[0] == 'B')
        return s[1] == '\0';
    int k = power_of(s[0]);
    if (k < 0)
        return false;
    if (k > 0 && s[1] == 'B') {
        d->exp10 += 3 * k;
        return s[2] == '\0';
    }
    d->exp2 = 10 * k;
    if (k > 0 && s[1] == 'i')
        return s[2] == '\0' || (s[2] == 'B' && s[3] == '\0');
    return k == 0 || s[1] == '\0';
}

static int out_of_range_int(const char *s, bool below, int64_t min, int64_t max, struct err *e)
{
    if (below && max == INT64_MAX)
        return err_usage(e, "'%s' is out of range: %" PRId64 " or more", s, min);
    return err_usage(e, "'%s' is out of range: %" PRId64 " to %" PRId64, s, min, max);
}

int num_int(const char *s, int64_t min, int64_t max, int64_t *out, struct err *e)
{
    struct decimal d;
    uint64_t v = 0;
    if (!read_decimal(s, &d) || !int_suffix(&d, s + d.len))
        return err_usage(e, "'%s' is not a whole number (such as 12, 64K, 2Gi, 1.5M, 1e6)", s);
    enum whole w = to_whole(d, &v);
    if (w == WHOLE_FRACTION)
        return err_usage(e, "'%s' is not a whole number", s);
    if (w == WHOLE_TOO_BIG || v > (uint64_t)INT64_MAX + d.negative)
        return out_of_range_int(s, d.negative, min, max, e);
    int64_t x = !d.negative ? (int64_t)v : v ? -(int64_t)(v - 1) - 1 : 0;
    if (x < min || x > max)
        return out_of_range_int(s, x < min, min, max, e);
    *out = x;
    return 0;
}

int num_bytes(const char *s, uint64_t min, uint64_t max, uint64_t *out, struct err *e)
{
    struct decimal d;
    uint64_t v = 0;
    if (!read_decimal(s, &d) || !bytes_suffix(&d, s + d.len))
        return err_usage(e, "'%s' is not a number of bytes (such as 4096, 64K, 1.5G, 200MB)", s);
    enum whole w = to_whole(d, &v);
    if (w == WHOLE_FRACTION)
        return err_usage(e, "'%s' is not a whole number of bytes", s);
    if (w == WHOLE_TOO_BIG || (d.negative && v > 0) || v < min || v > max) {
        if (max == UINT64_MAX && w == WHOLE_OK)
            return err_usage(e, "'%s' is out of range: %" PRIu64 " bytes or more", s, min);
        return err_usage(e, "'%s' is out of range: %" PRIu64 " to %" PRIu64 " bytes", s, min, max);
    }
    *out = v;
    return 0;
}

/* strtod with a point whatever locale the calling program has set. */
static double c_strtod(const char *s, char **end)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t was = c ? uselocale(c) : (locale_t)0;
    double v = strtod(s, end);
    if (c) {
        uselocale(was);
        freelocale(c);
    }
    return v;
}

int num_real(const char *s, double min, double max, double *out, struct err *e)
{
    struct decimal d;
    char *end, lo[32], hi[32];
    if (!read_decimal(s, &d) || s[d.len] != '\0')
        return err_usage(e, "'%s' is not a number", s);
    double v = c_strtod(s, &end);
    if (*end != '\0')
        return err_usage(e, "'%s' is not a number", s);
    if (isinf(v) || v < min || v > max) {
        if (max >= HUGE_VAL && !isinf(v))
            return err_usage(e, "'%s' is out of range: %s or more", s, num_show_f64(lo, min));
        if (min <= -HUGE_VAL && !isinf(v))
            return err_usage(e, "'%s' is out of range: %s or less", s, num_show_f64(hi, max));
        return err_usage(e, "'%s' is out of range: %s to %s", s, num_show_f64(lo, min),
                         num_show_f64(hi, max));
    }
    *out = v;
    return 0;
}

int num_duration(const char *s, double *out_s, struct err *e)
{
    static const struct {
        char letter;
        double time_s;
    } units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};
    const char *p = s;
    double sum = 0;
    size_t next = 0; /* units must come from large to small, each once */
    do {
        struct decimal d;
        if (!read_decimal(p, &d) || *p == '-' || *p == '+')
            goto bad;
        double v = c_strtod(p, &(char *){NULL});
        p += d.len;
        if (*p == '\0' && next == 0) { /* a bare number is seconds */
            sum = v;
            break;
        }
        while (next < ARRAY_LEN(units) && units[next].letter != *p)
            next++;
        if (next == ARRAY_LEN(units))
            goto bad;
        sum += v * units[next++].time_s;
        p++;
    } while (*p != '\0');
    if (isinf(sum))
        goto bad;
    *out_s = sum;
    return 0;
bad:
    return err_usage(e, "'%s' is not a time (such as 90, 90s, 15m, 2h, 1d, 1h30m)", s);
}

/* n digits of v >= 0 (its exponent of ten in *exp10), rounded to nearest. */
static void digits_of(char *out, double v, int n, int *exp10)
{
    char text[40];
    snprintf(text, sizeof text, "%.*e", n - 1, v);
    char *ex = strchr(text, 'e');
    int k = 0;
    for (const char *p = text; p < ex; p++)
        if (is_digit(*p))
            out[k++] = *p;
    out[k] = '\0';
    *exp10 = (int)strtol(ex + 1, NULL, 10);
}

/* One more in the last place. */
static void next_up(char *digits, int *exp10)
{
    int i = (int)strlen(digits) - 1;
    while (i >= 0 && digits[i] == '9')
        digits[i--] = '0';
    if (i >= 0) {
        digits[i]++;
        return;
    }
    digits[0] = '1'; /* 99 -> 100: one zero fewer and ten times as much */
    ++*exp10;
}

static bool reads_back(const char *digits, int exp10, double v, bool single)
{
    char text[64]; /* no point in it, so no locale matters */
    snprintf(text, sizeof text, "%se%d", digits, exp10 - (int)strlen(digits) + 1);
    return single ? strtof(text, NULL) == (float)v : strtod(text, NULL) == v;
}

/* The fewest digits that read back. Up to DBL_DIG (FLT_DIG) of them are told apart by every normal
 * value, so there the shortest is the nearest with its zeros cut off; beyond, and for subnormals,
 * each length is tried. Below a power of two neighbours are closer than above, so where the
 * nearest n digits fail there the next number up may still do. */
static void shortest(char *digits, double v, bool single, int *exp10)
{
    bool normal = v >= (single ? (double)FLT_MIN : DBL_MIN);
    int most = single ? 9 : 17;
    for (int n = !normal ? 1 : single ? FLT_DIG : DBL_DIG;; n++) {
        digits_of(digits, v, n, exp10);
        if (n >= most || reads_back(digits, *exp10, v, single))
            return;
        char up[40];
        int up_exp = *exp10;
        memcpy(up, digits, (size_t)n + 1);
        next_up(up, &up_exp);
        if (reads_back(up, up_exp, v, single)) {
            memcpy(digits, up, (size_t)n + 1);
            *exp10 = up_exp;
            return;
        }
    }
}

static char *show(char out[32], double v, bool single)
{
    char digits[40];
    int x, o = 0;
    if (isnan(v) || isinf(v)) {
        snprintf(out, 32, "%s", isnan(v) ? "nan" : v > 0 ? "inf" : "-inf");
        return out;
    }
    if (signbit(v))
        out[o++] = '-';
    if (v == 0) {
        snprintf(out + o, 32 - (size_t)o, "0");
        return out;
    }
    shortest(digits, fabs(v), single, &x);
    int n = (int)strlen(digits);
    while (n > 1 && digits[n - 1] == '0')
        n--;
    if (x < -4 || x >= 16) {
        out[o++] = digits[0];
        if (n > 1)
            out[o++] = '.';
        for (int i = 1; i < n; i++)
            out[o++] = digits[i];
        snprintf(out + o, 32 - (size_t)o, "e%d", x);
        return out;
    }
    if (x < 0)
        out[o++] = '0';
    for (int i = x < 0 ? x : 0; i < n || i <= x; i++) {
        if (i == (x < 0 ? x : x + 1))
            out[o++] = '.';
        if (x < 0 && i == x)
            continue;
        out[o++] = i < 0 ? '0' : i < n ? digits[i] : '0';
    }
    out[o] = '\0';
    return out;
}

char *num_show_f32(char out[32], float v)
{
    return show(out, (double)v, true);
}

char *num_show_f64(char out[32], double v)
{
    return show(out, v, false);
}

/* At least three significant digits, then the unit. */
static void three(char out[32], double v, const char *unit)
{
    double a = fabs(v);
    int n_after = a < 9.995 ? 2 : a < 99.95 ? 1 : 0;
    snprintf(out, 32, "%.*f%s", n_after, v, unit);
}

static char *scaled(char out[32], double v, double step, const char *const *units, int n_units)
{
    int k = 0;
    while (k + 1 < n_units && fabs(v) >= (k == 0 ? step : step - 0.5)) {
        v /= step;
        k++;
    }
    if (k == 0 && v == floor(v))
        snprintf(out, 32, "%.0f%s", v, units[0]);
    else if ((k == 0 && fabs(v) < 1) || fabs(v) >= 1e6)
        snprintf(out, 32, "%.3g%s", v, units[k]);
    else
        three(out, v, units[k]);
    return out;
}

char *num_human(char out[32], double v)
{
    static const char *const units[] = {"", "k", "M", "G", "T", "P", "E"};
    return scaled(out, v, 1000, units, ARRAY_LEN(units));
}

char *num_human_bytes(char out[32], double n_bytes)
{
    static const char *const units[] = {" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"};
    return scaled(out, n_bytes, 1024, units, ARRAY_LEN(units));
}

char *num_human_time(char out[32], double time_s)
{
    if (!(time_s < 1e11)) {
        snprintf(out, 32, "%s", isnan(time_s) ? "?" : "forever");
    } else if (time_s < 59.95) {
        if (time_s < 1)
            snprintf(out, 32, "%.3g s", time_s);
        else
            snprintf(out, 32, "%.1f s", time_s);
    } else if (time_s < 3599.5) {
        int t = (int)(time_s + 0.5);
        snprintf(out, 32, "%dm%02ds", t / 60, t % 60);
    } else {
        int64_t t = (int64_t)(time_s / 60 + 0.5);
        if (t < 48 * 60)
            snprintf(out, 32, "%" PRId64 "h%02" PRId64 "m", t / 60, t % 60);
        else
            snprintf(out, 32, "%" PRId64 "d%02" PRId64 "h", t / 1440, t % 1440 / 60);
    }
    return out;
}
