/* Functions over elements against double precision, for every length up to two vectors and more. */
#include "kern/ops.h"
#include "kern_test.h"

static const struct ops *k;
static const size_t sizes[] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10,  11,  12,  13,  14,
                               15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,  26,  27,  28,  29,
                               30, 31, 32, 33, 47, 48, 49, 63, 64, 65, 127, 128, 129, 1000};
#define MAX 1000

static double phi(double x)
{
    return 0.5 * erfc(-x / sqrt(2));
}

static double act_ref(enum act_kind a, double x)
{
    const double c = sqrt(2 / acos(-1));
    switch (a) {
    case ACT_RELU:
        return x > 0 ? x : 0;
    case ACT_GELU:
        return x * phi(x);
    case ACT_GELU_TANH:
        return x / (1 + exp(-2 * c * (x + 0.044715 * x * x * x)));
    case ACT_SILU:
        return x / (1 + exp(-x));
    case ACT_NONE:
        break;
    }
    return x;
}

/* by central differences in double */
static double slope_ref(enum act_kind a, double x)
{
    const double h = 1e-5;
    if (a == ACT_RELU)
        return x > 0;
    return (act_ref(a, x + h) - act_ref(a, x - h)) / (2 * h);
}

static float x[MAX + 1], u[MAX + 1], dy[MAX + 1], y[MAX + 1], z[MAX + 1];

static const float canary = 12345.5f;

static bool untouched(size_t n)
{
    return y[n] == canary && z[n] == canary;
}

static void reset(size_t n)
{
    for (size_t i = 0; i <= n; i++)
        y[i] = z[i] = canary;
}

static void simple(void)
{
    bool good = true;
    for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
        size_t n = sizes[s];
        reset(n);
        k->add(y, x, u, n);
        for (size_t i = 0; i < n; i++)
            good &= y[i] == x[i] + u[i];
        k->scale(z, 3, x, n);
        for (size_t i = 0; i < n; i++)
            good &= z[i] == 3 * x[i];
        k->add_scaled(y, 0.5f, x, n);
        for (size_t i = 0; i < n; i++)
            good &= y[i] == x[i] + u[i] + 0.5f * x[i] ||
                    ulps(y[i], 1.5 * (double)x[i] + (double)u[i]) < 1e7 * FLT_EPSILON;
        k->clamp(z, x, 0.25f, n);
        for (size_t i = 0; i < n; i++)
            good &= z[i] == (x[i] > 0.25f ? 0.25f : x[i] < -0.25f ? -0.25f : x[i]);
        good &= untouched(n);
        double squares = 0;
        float max = -INFINITY;
        for (size_t i = 0; i < n; i++) {
            squares += (double)x[i] * x[i];
            max = x[i] > max ? x[i] : max;
        }
        good &= fabs(k->sum_squares(x, n) - squares) <= 1e-12 * squares && k->max(x, n) == max;
    }
    ok(good, "add, scale, add_scaled, clamp, sum_squares, max");
    good = true;
    reset(MAX);
    for (int n_col = 1; n_col <= 40; n_col++)
        for (int n_rows = 0; n_rows <= 17; n_rows++) {
            double squares = 0;
            for (int i = 0; i < n_rows * n_col; i++)
                squares += pow((double)x[i / n_col * 43 + i % n_col], 2);
            good &= fabs(k->sum_squares_rows(x, 43, n_col, n_rows) - squares) <= 1e-6 * squares;
        }
    ok(good, "sum_squares_rows");
    float odd[3] = {1, INFINITY, 2};
    ok(isinf(k->sum_squares(odd, 3)) && isinf(k->sum_squares_rows(odd, 1, 1, 3)),
       "an infinity shows in the sum of squares");
    odd[1] = NAN;
    ok(isnan(k->sum_squares(odd, 3)) && isnan(k->sum_squares_rows(odd, 1, 1, 3)) &&
           isnan(k->sum_squares_rows(odd, 3, 3, 1)),
       "a NaN shows in the sum of squares");
    k->clamp(y, odd, 1, 3);
    ok(isnan(y[1]) && y[2] == 1, "clamp leaves a NaN alone");
}

static void exponential(void)
{
    double most = 0;
    for (double from = -87.3; from < 88.7; from += 0.37 * MAX / 1e4) {
        for (int i = 0; i < MAX; i++)
            x[i] = (float)(from + 0.037 * i / 1e3);
        k->exp(y, x, MAX);
        for (int i = 0; i < MAX; i++) {
            double err = ulps(y[i], exp((double)x[i]));
            most = err > most ? err : most;
        }
    }
    ok(most < 2, "exp is within 2 units of the last place (%.2f)", most);
    const float in[] = {0,      -0.0f, -INFINITY, INFINITY, NAN,   -1000,
                        -3e38f, 3e38f, 88.73f,    -87.4f,   88.72f};
    float out[ARRAY_LEN(in)];
    k->exp(out, in, ARRAY_LEN(in));
    ok(out[0] == 1 && out[1] == 1, "exp(0) is 1");
    ok(out[2] == 0 && out[5] == 0 && out[6] == 0 && out[9] == 0, "exp of small numbers is 0");
    ok(isinf(out[3]) && isinf(out[7]) && isinf(out[8]), "exp of large numbers is infinite");
    ok(isnan(out[4]), "exp(NaN) is NaN");
    ok(isfinite(out[10]), "exp just below the limit is finite");
}

static void caps(void)
{
    double most = 0, worst_slope = 0;
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < MAX; i++)
            x[i] = (float)((round - 20) * 10 + 0.01 * i);
        k->softcap(y, x, 30, MAX);
        k->softcap_grad(z, y, dy, 30, MAX);
        for (int i = 0; i < MAX; i++) {
            double t = tanh((double)x[i] / 30);
            double err = ulps(y[i], 30 * t),
                   slope = fabs((double)z[i] - (double)dy[i] * (1 - t * t));
            most = err > most ? err : most;
            worst_slope = slope > worst_slope ? slope : worst_slope;
        }
    }
    ok(most < 4, "softcap is within 4 units of the last place (%.2f)", most);
    ok(worst_slope < 1e-6, "its gradient is right (%.2g)", worst_slope);
}

static const char *const act_names[] = {"none", "relu", "gelu", "gelu_tanh", "silu"};

static void activation(enum act_kind a)
{
    double value = 0, slope = 0, gate = 0;
    for (int i = 0; i < MAX; i++)
        x[i] = (float)((i - MAX / 2) * 0.03 + 0.001);
    for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
        size_t n = sizes[s];
        reset(n);
        k->act(a, y, x, n);
        k->act_grad(a, z, x, dy, n);
        bool clean = untouched(n);
        for (size_t i = 0; i < n; i++) {
            double e = fabs((double)y[i] - act_ref(a, x[i])) / (fabs((double)x[i]) + 0.1);
            double f = fabs((double)z[i] - (double)dy[i] * slope_ref(a, x[i]));
            value = e > value ? e : value;
            slope = f > slope ? f : slope;
        }
        k->glu(a, y, x, u, n);
        for (size_t i = 0; i < n; i++) {
            double e =
                fabs((double)y[i] - act_ref(a, x[i]) * (double)u[i]) / (fabs((double)x[i]) + 0.1);
            gate = e > gate ? e : gate;
        }
        float *dg = y, *du = z;
        memcpy(dg, x, n * sizeof *x);
        memcpy(du, u, n * sizeof *u);
        k->glu_grad(a, dg, du, dg, du, dy, n); /* in place */
        for (size_t i = 0; i < n; i++) {
            double e = fabs((double)dg[i] - (double)dy[i] * (double)u[i] * slope_ref(a, x[i]));
            double f =
                fabs((double)du[i] - (double)dy[i] * act_ref(a, x[i])) / (fabs((double)x[i]) + 0.1);
            gate = e > gate ? e : gate;
            gate = f > gate ? f : gate;
        }
        if (!clean || !untouched(n))
            fail("%s writes past %zu elements", act_names[a], n);
    }
    ok(value < 4e-7, "%s (%.2g)", act_names[a], value);
    ok(slope < 1e-6, "gradient of %s (%.2g)", act_names[a], slope);
    ok(gate < 1e-6, "gate with %s and its gradients (%.2g)", act_names[a], gate);
}

/* An element's bits do not depend on its place or the length. */
static void places(void)
{
    fill(x, MAX, 9);
    bool same = true;
    for (int i = 0; i < MAX; i++)
        x[i] *= 8;
    for (int a = ACT_NONE; a <= ACT_SILU; a++) {
        k->act((enum act_kind)a, y, x, MAX);
        k->act_grad((enum act_kind)a, z, x, dy, MAX);
        for (int i = 0; i < MAX; i++) {
            float one, grad;
            k->act((enum act_kind)a, &one, x + i, 1);
            k->act_grad((enum act_kind)a, &grad, x + i, dy + i, 1);
            same &= memcmp(&one, y + i, 4) == 0 && memcmp(&grad, z + i, 4) == 0;
        }
    }
    ok(same, "an element alone has the bits that it has among others");
}

static void halves(void)
{
    uint16_t h[MAX + 1];
    bool good = true;
    fill(x, MAX, 5);
    x[3] = NAN, x[4] = INFINITY, x[5] = -0.0f, x[6] = 1.00390625f, x[7] = 1.01171875f,
    x[8] = 3.4e38f;
    for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
        size_t n = sizes[s];
        reset(n);
        h[n] = 77;
        k->bf16_round(y, x, n);
        k->bf16_from_f32(h, x, n);
        k->f32_from_bf16(z, h, n);
        good &= untouched(n) && h[n] == 77;
        for (size_t i = 0; i < n; i++) {
            uint32_t bits;
            memcpy(&bits, x + i, 4);
            uint16_t want = isnan(x[i]) ? (uint16_t)(bits >> 16 | 64)
                                        : (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
            uint32_t wide = (uint32_t)want << 16;
            good &= h[i] == want && memcmp(&wide, y + i, 4) == 0 && memcmp(&wide, z + i, 4) == 0;
        }
    }
    ok(good, "bf16: to the nearest, ties to even, NaN and infinity kept");
}

/* What writes bf16 gives what is rounded afterwards; the gradient may lie where dy does. */
static void rounded(void)
{
    static uint16_t want[MAX + 1], got[MAX + 1];
    bool good = true;
    for (int a = ACT_NONE; a <= ACT_SILU; a++)
        for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
            size_t n = sizes[s];
            enum act_kind kind = (enum act_kind)a;
            uint16_t *half = (uint16_t *)(void *)y;
            got[n] = 77;
            k->act(kind, y, x, n);
            k->bf16_from_f32(want, y, n);
            k->act_bf16(kind, got, x, n);
            good &= got[n] == 77 && !memcmp(want, got, n * sizeof *got);
            k->glu(kind, y, x, u, n);
            k->bf16_from_f32(want, y, n);
            k->glu_bf16(kind, got, x, u, n);
            good &= got[n] == 77 && !memcmp(want, got, n * sizeof *got);
            k->act_grad(kind, y, x, dy, n);
            k->bf16_from_f32(want, y, n);
            memcpy(got, y, n * sizeof *got); /* the first half of the floats */
            memcpy(y, dy, n * sizeof *y);
            k->act_grad_bf16(kind, half, z, x, y, n);
            good &= !memcmp(want, half, n * sizeof *half) && !memcmp(got, z, n * sizeof *got);
        }
    ok(good, "activations, gates and gradients as bf16: what rounding gives");
}

static void all(void)
{
    k = ops_get();
    fill(x, MAX, 1);
    fill(u, MAX, 2);
    fill(dy, MAX, 3);
    simple();
    exponential();
    caps();
    for (int a = ACT_NONE; a <= ACT_SILU; a++)
        activation((enum act_kind)a);
    places();
    halves();
    fill(x, MAX, 1);
    rounded();
}

int main(void)
{
    each_isa(all);
    return done_testing();
}
