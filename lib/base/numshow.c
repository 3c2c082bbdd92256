/* Numbers to text: for machines with the fewest digits, for people with three. */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/num.h"

/* n digits of v >= 0 (its exponent of ten in *exp10), rounded to nearest. */
static void digits_of(char *out, double v, int n, int *exp10)
{
    char text[40];
    snprintf(text, sizeof text, "%.*e", n - 1, v);
    char *ex = strchr(text, 'e');
    int k = 0;
    for (const char *p = text; p < ex; p++)
        if (*p >= '0' && *p <= '9')
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
