/* Functions over elements of struct ops; see ops.h. Compiled once per instruction set. */
#ifndef ELEM_IMPL_INT_H
#define ELEM_IMPL_INT_H

#include "kern/math_impl_int.h"

static void add(float *y, const float *a, const float *b, size_t n)
{
    EACH(n, { v_st(y + i, v_add(v_ld(a + i, m), v_ld(b + i, m)), m); });
}

static void add_scaled(float *y, float a, const float *x, size_t n)
{
    EACH(n, { v_st(y + i, v_fma(v_set(a), v_ld(x + i, m), v_ld(y + i, m)), m); });
}

static void scale(float *y, float a, const float *x, size_t n)
{
    EACH(n, { v_st(y + i, v_mul(v_set(a), v_ld(x + i, m)), m); });
}

static void clamp(float *y, const float *x, float limit, size_t n)
{
    vf hi = v_set(limit), lo = v_set(-limit);
    EACH(n, {
        vf v = v_ld(x + i, m);
        v = v_select(v_lt(hi, v), hi, v); /* a NaN stays */
        v_st(y + i, v_select(v_lt(v, lo), lo, v), m);
    });
}

static void exp_n(float *y, const float *x, size_t n)
{
    EACH(n, { v_st(y + i, v_exp(v_ld(x + i, m)), m); });
}

static void softcap(float *y, const float *x, float cap, size_t n)
{
    vf c = v_set(cap), inv = v_set(1 / cap);
    EACH(n, { v_st(y + i, v_mul(c, v_tanh(v_mul(v_ld(x + i, m), inv))), m); });
}

static void softcap_grad(float *dx, const float *y, const float *dy, float cap, size_t n)
{
    vf inv = v_set(1 / cap), one = v_set(1);
    EACH(n, {
        vf t = v_mul(v_ld(y + i, m), inv);
        v_st(dx + i, v_mul(v_ld(dy + i, m), v_fnma(t, t, one)), m);
    });
}

/* ---- activations: the value, and value and derivative together */

static ALWAYS_INLINE vf gauss(vf x) /* exp(-x²/2) */
{
    return v_exp(v_mul(v_set(-0.5f), v_mul(x, x)));
}

/* gelu_tanh(x) = x·σ(2u), u = √(2/π) (x + 0.044715 x³), since (1 + tanh u)/2 = σ(2u) */
#define TWO_SQRT_2_PI 0x1.988454p0f /* 2 √(2/π) */

static ALWAYS_INLINE vf two_u(vf x)
{
    vf t = v_fma(v_mul(x, x), v_set(0.044715f), v_set(1));
    return v_mul(v_mul(x, t), v_set(TWO_SQRT_2_PI));
}

static ALWAYS_INLINE vf act_value(enum act_kind a, vf x)
{
    switch (a) {
    case ACT_RELU:
        return v_select(v_lt(x, v_set(0)), v_set(0), x);
    case ACT_GELU:
        return v_mul(x, v_phi(x, gauss(x)));
    case ACT_GELU_TANH:
        return v_mul(x, v_sigmoid(two_u(x)));
    case ACT_SILU:
        return v_mul(x, v_sigmoid(x));
    case ACT_NONE:
        break;
    }
    return x;
}

/* x·σ(z) and its derivative σ(z) + x·σ(z)σ(-z)·z'; e^-|z| keeps the small one of σ(±z) exact. */
static ALWAYS_INLINE vf sigmoid_gate(vf x, vf z, vf dz, vf *slope)
{
    vf e = v_exp(v_neg(v_abs(z))), big = v_div(v_set(1), v_add(v_set(1), e));
    vf small = v_mul(e, big), s = v_select(v_lt(z, v_set(0)), small, big);
    *slope = v_fma(v_mul(v_mul(x, dz), small), big, s);
    return v_mul(x, s);
}

static ALWAYS_INLINE vf act_slope(enum act_kind a, vf x, vf *slope)
{
    switch (a) {
    case ACT_RELU:
        *slope = v_select(v_lt(v_set(0), x), v_set(1), v_set(0));
        return v_select(v_lt(x, v_set(0)), v_set(0), x);
    case ACT_GELU: {
        vf e = gauss(x), phi = v_phi(x, e);
        *slope = v_fma(v_mul(x, v_set(0x1.988454p-2f)), e, phi); /* Φ + x·exp(-x²/2)/√(2π) */
        return v_mul(x, phi);
    }
    case ACT_GELU_TANH: {
        vf d = v_fma(v_mul(x, x), v_set(3 * 0.044715f), v_set(1));
        return sigmoid_gate(x, two_u(x), v_mul(d, v_set(TWO_SQRT_2_PI)), slope);
    }
    case ACT_SILU:
        return sigmoid_gate(x, x, v_set(1), slope);
    case ACT_NONE:
        break;
    }
    *slope = v_set(1);
    return x;
}

/* One loop for each activation, so that the choice stands outside. */
#define EACH_ACT(a, BODY)    \
    switch (a) {             \
    case ACT_NONE:           \
        BODY(ACT_NONE);      \
        break;               \
    case ACT_RELU:           \
        BODY(ACT_RELU);      \
        break;               \
    case ACT_GELU:           \
        BODY(ACT_GELU);      \
        break;               \
    case ACT_GELU_TANH:      \
        BODY(ACT_GELU_TANH); \
        break;               \
    case ACT_SILU:           \
        BODY(ACT_SILU);      \
        break;               \
    }

static void act(enum act_kind a, float *y, const float *x, size_t n)
{
#define BODY(kind) EACH(n, { v_st(y + i, act_value(kind, v_ld(x + i, m)), m); })
    EACH_ACT(a, BODY)
#undef BODY
}

static void act_grad(enum act_kind a, float *dx, const float *x, const float *dy, size_t n)
{
#define BODY(kind)                                      \
    EACH(n, {                                           \
        vf slope;                                       \
        act_slope(kind, v_ld(x + i, m), &slope);        \
        v_st(dx + i, v_mul(v_ld(dy + i, m), slope), m); \
    })
    EACH_ACT(a, BODY)
#undef BODY
}

static void glu(enum act_kind a, float *y, const float *g, const float *u, size_t n)
{
#define BODY(kind) \
    EACH(n, { v_st(y + i, v_mul(act_value(kind, v_ld(g + i, m)), v_ld(u + i, m)), m); })
    EACH_ACT(a, BODY)
#undef BODY
}

static void glu_grad(enum act_kind a, float *dg, float *du, const float *g, const float *u,
                     const float *dy, size_t n)
{
#define BODY(kind)                                          \
    EACH(n, {                                               \
        vf slope, d = v_ld(dy + i, m), up = v_ld(u + i, m); \
        vf value = act_slope(kind, v_ld(g + i, m), &slope); \
        v_st(dg + i, v_mul(v_mul(d, up), slope), m);        \
        v_st(du + i, v_mul(d, value), m);                   \
    })
    EACH_ACT(a, BODY)
#undef BODY
}

/* ---- bf16 */

static void act_bf16(enum act_kind a, uint16_t *y, const float *x, size_t n)
{
#define BODY(kind) EACH(n, { v_st_bf16(y + i, act_value(kind, v_ld(x + i, m)), m); })
    EACH_ACT(a, BODY)
#undef BODY
}

static void act_grad_bf16(enum act_kind a, uint16_t *half, float *dx, const float *x,
                          const float *dy, size_t n)
{
#define BODY(kind)                               \
    EACH(n, {                                    \
        vf slope;                                \
        act_slope(kind, v_ld(x + i, m), &slope); \
        vf d = v_mul(v_ld(dy + i, m), slope);    \
        v_st(dx + i, d, m);                      \
        v_st_bf16(half + i, d, m);               \
    })
    EACH_ACT(a, BODY)
#undef BODY
}

static void glu_bf16(enum act_kind a, uint16_t *y, const float *g, const float *u, size_t n)
{
#define BODY(kind) \
    EACH(n, { v_st_bf16(y + i, v_mul(act_value(kind, v_ld(g + i, m)), v_ld(u + i, m)), m); })
    EACH_ACT(a, BODY)
#undef BODY
}

static void bf16_round(float *y, const float *x, size_t n)
{
    EACH(n, { v_st(y + i, v_bf16_round(v_ld(x + i, m)), m); });
}

static void bf16_from_f32(uint16_t *y, const float *x, size_t n)
{
    size_t i = 0;
    for (; i + VL <= n; i += VL)
        v_store_high(y + i, v_bits(v_bf16_round(v_load(x + i))));
    if (i < n) {
        uint16_t last[VL];
        v_store_high(last, v_bits(v_bf16_round(v_load_n(x + i, n - i))));
        memcpy(y + i, last, (n - i) * sizeof *y);
    }
}

static void f32_from_bf16(float *y, const uint16_t *x, size_t n)
{
    size_t i = 0;
    for (; i + VL <= n; i += VL)
        v_store(y + i, v_load_bf16(x + i));
    if (i < n) {
        uint16_t last[VL] = {0};
        memcpy(last, x + i, (n - i) * sizeof *x);
        v_store_n(y + i, v_load_bf16(last), n - i);
    }
}

/* ---- sums and parameters */

static double sum_squares(const float *x, size_t n)
{
    vd s[2] = {vd_zero(), vd_zero()};
    size_t i = 0;
    for (; i + 2 * VL <= n; i += 2 * VL) {
        vd_add_square(&s[0], v_load(x + i));
        vd_add_square(&s[1], v_load(x + i + VL));
    }
    for (; i + VL <= n; i += VL)
        vd_add_square(&s[0], v_load(x + i));
    if (i < n)
        vd_add_square(&s[1], v_load_n(x + i, n - i));
    return vd_sum(s[0]) + vd_sum(s[1]);
}

/* A few rows at a time in floats, which is several times faster. */
static double sum_squares_rows(const float *x, int ldx, int n_col, int n_rows)
{
    enum { ROWS = 8 };
    vd s = vd_zero();
    for (int c = 0; c < n_col; c += VL)
        for (int r0 = 0; r0 < n_rows; r0 += ROWS) {
            int left = n_col - c, end = n_rows - r0 < ROWS ? n_rows : r0 + ROWS;
            vf few = v_set(0);
            for (int r = r0; r < end; r++) {
                const float *p = x + (size_t)r * (size_t)ldx + c;
                vf v = left < VL ? v_load_n(p, (size_t)left) : v_load(p);
                few = v_fma(v, v, few);
            }
            vd_add(&s, few);
        }
    return vd_sum(s);
}

static float max_n(const float *x, size_t n)
{
    return row_max(x, n);
}

static void adamw(const struct adamw *a, float *w, float *mom, float *v, const float *g, size_t n)
{
    const vf scale_g = v_set(a->g_scale), decay = v_set(a->decay), eps = v_set(a->eps);
    const vf b1 = v_set(1 - a->beta1), b2 = v_set(a->beta2), c2 = v_set(1 - a->beta2);
    const vf step = v_set(a->step_size), v_scale = v_set(a->v_scale);
    EACH(n, {
        vf gi = v_mul(v_ld(g + i, m), scale_g);
        vf mi = v_ld(mom + i, m);
        mi = v_fma(b1, v_sub(gi, mi), mi);
        vf vi_ = v_fma(v_mul(c2, gi), gi, v_mul(b2, v_ld(v + i, m)));
        vf root = v_fma(v_sqrt(vi_), v_scale, eps);
        vf wi = v_mul(v_ld(w + i, m), decay);
        v_st(w + i, v_fnma(step, v_div(mi, root), wi), m);
        v_st(mom + i, mi, m);
        v_st(v + i, vi_, m);
    });
}

/* Ten chains hide a latency of five cycles at two a cycle, and fit any file of registers. */
static double fma_burst(size_t n, float *sink)
{
    enum { CHAINS = 10 };
    vf s[CHAINS], a = v_set(0.999f), b = v_set(*sink);
    for (int j = 0; j < CHAINS; j++)
        s[j] = v_set((float)j);
    for (size_t i = 0; i < n; i++)
        for (int j = 0; j < CHAINS; j++)
            s[j] = v_fma(s[j], a, b);
    for (int j = 0; j < CHAINS; j++)
        *sink += v_sum(s[j]);
    return 2.0 * CHAINS * VL * (double)n;
}

#endif
