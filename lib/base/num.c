/* Numbers from text. Numbers to text are in numshow.c. */
#include "base/num.h"

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
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
