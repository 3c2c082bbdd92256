/* Functions over rows of struct ops; see ops.h. Compiled once per instruction set. */
#ifndef ROWS_IMPL_INT_H
#define ROWS_IMPL_INT_H

#include "kern/math_impl_int.h"

/* ---- embedding */

static void gather(float *y, int ldy, const float *table, int ldt, const uint32_t *index, int d,
                   float by, bool add_to, int n_rows)
{
    const vf s = v_set(by);
    for (int r = 0; r < n_rows; r++) {
        const float *t = table + (size_t)index[r] * (size_t)ldt;
        float *o = y + (size_t)r * (size_t)ldy;
        if (add_to)
            EACH((size_t)d, { v_st(o + i, v_fma(s, v_ld(t + i, m), v_ld(o + i, m)), m); });
        else
            EACH((size_t)d, { v_st(o + i, v_mul(s, v_ld(t + i, m)), m); });
    }
}

/* ---- norms */

static ALWAYS_INLINE vf norm_factor(const struct norm *s, const float *w, size_t i, size_t m)
{
    vf f = w ? v_ld(w + i, m) : v_set(s->plus_one ? 0 : 1);
    return s->plus_one ? v_add(f, v_set(1)) : f;
}

/* To floats or to bf16: the other one is NULL. */
static ALWAYS_INLINE void norm_vector(const struct norm *s, float *y, uint16_t *half,
                                      const float *x, const float *w, const float *b, float *mean,
                                      float *rstd)
{
    size_t d = (size_t)s->d;
    float mu = s->rms ? 0 : row_sum(x, d) / (float)s->d;
    float var = (s->rms ? row_dot(x, x, d) : row_variance(x, mu, d)) / (float)s->d;
    float rs = 1 / sqrtf(var + s->eps);
    const vf vmu = v_set(mu), vrs = v_set(rs);
    EACH(d, {
        vf h = v_mul(v_sub(v_ld(x + i, m), vmu), vrs);
        vf f = norm_factor(s, w, i, m);
        h = b ? v_fma(h, f, v_ld(b + i, m)) : v_mul(h, f);
        if (y)
            v_st(y + i, h, m);
        else
            v_st_bf16(half + i, h, m);
    });
    if (mean)
        *mean = mu;
    if (rstd)
        *rstd = rs;
}

static ALWAYS_INLINE void norm_rows(const struct norm *s, float *y, uint16_t *half, int ldy,
                                    const float *x, int ldx, const float *w, const float *b,
                                    float *mean, float *rstd, int n_rows)
{
    for (int r = 0; r < n_rows; r++)
        for (int h = 0; h < s->n_head; h++) {
            size_t at = (size_t)h * (size_t)s->d, k = (size_t)r * (size_t)s->n_head + (size_t)h;
            size_t to = (size_t)r * (size_t)ldy + at;
            norm_vector(s, y ? y + to : NULL, half ? half + to : NULL,
                        x + (size_t)r * (size_t)ldx + at, w, b, mean && !s->rms ? mean + k : NULL,
                        rstd ? rstd + k : NULL);
        }
}

static void norm(const struct norm *s, float *y, int ldy, const float *x, int ldx, const float *w,
                 const float *b, float *mean, float *rstd, int n_rows)
{
    norm_rows(s, y, NULL, ldy, x, ldx, w, b, mean, rstd, n_rows);
}

static void norm_bf16(const struct norm *s, uint16_t *y, int ldy, const float *x, int ldx,
                      const float *w, const float *b, float *mean, float *rstd, int n_rows)
{
    norm_rows(s, NULL, y, ldy, x, ldx, w, b, mean, rstd, n_rows);
}

/* With h = (x - mean)·rstd and g = dy·w: dx = rstd·(g - mean(g) - h·mean(g·h)); RMSNorm has no
 * mean(g). dw += dy·h, db += dy. */
static void norm_grad_vector(const struct norm *s, float *dx, bool add_to, const float *dy,
                             const float *x, const float *w, float mu, float rs, float *dw,
                             float *db)
{
    size_t d = (size_t)s->d;
    const vf vmu = v_set(mu), vrs = v_set(rs);
    vf sg = v_set(0), sgh = v_set(0);
    EACH(d, {
        vf t = v_ld(dy + i, m);
        vf h = v_mul(v_keep_n(v_sub(v_ld(x + i, m), vmu), m), vrs);
        vf g = v_mul(t, norm_factor(s, w, i, m));
        sg = v_add(sg, g);
        sgh = v_fma(g, h, sgh);
        if (dw)
            v_st(dw + i, v_fma(t, h, v_ld(dw + i, m)), m);
        if (db)
            v_st(db + i, v_add(t, v_ld(db + i, m)), m);
    });
    const vf mg = v_set(s->rms ? 0 : v_sum(sg) / (float)s->d);
    const vf mgh = v_set(v_sum(sgh) / (float)s->d);
    EACH(d, {
        vf h = v_mul(v_sub(v_ld(x + i, m), vmu), vrs);
        vf g = v_mul(v_ld(dy + i, m), norm_factor(s, w, i, m));
        vf t = v_mul(vrs, v_fnma(h, mgh, v_sub(g, mg)));
        v_st(dx + i, add_to ? v_add(v_ld(dx + i, m), t) : t, m);
    });
}

static void norm_grad(const struct norm *s, float *dx, int lddx, bool add_to, const float *dy,
                      int lddy, const float *x, int ldx, const float *w, const float *mean,
                      const float *rstd, float *dw, float *db, int n_rows)
{
    for (int r = 0; r < n_rows; r++)
        for (int h = 0; h < s->n_head; h++) {
            size_t at = (size_t)h * (size_t)s->d, k = (size_t)r * (size_t)s->n_head + (size_t)h;
            norm_grad_vector(s, dx + (size_t)r * (size_t)lddx + at, add_to,
                             dy + (size_t)r * (size_t)lddy + at, x + (size_t)r * (size_t)ldx + at,
                             w, s->rms ? 0 : mean[k], rstd[k], dw, db);
        }
}

/* ---- sums of rows */

static void sum_rows(float *sum, const float *x, int ldx, int d, int n_rows)
{
    EACH((size_t)d, {
        vf s = v_ld(sum + i, m);
        for (int r = 0; r < n_rows; r++)
            s = v_add(s, v_ld(x + (size_t)r * (size_t)ldx + i, m));
        v_st(sum + i, s, m);
    });
}

/* ---- rotary positions */

static ALWAYS_INLINE void rotate(float *a, float *b, const float *c, const float *s, size_t n,
                                 bool inverse)
{
    EACH(n, {
        vf x = v_ld(a + i, m);
        vf y = v_ld(b + i, m);
        vf co = v_ld(c + i, m);
        vf si = v_ld(s + i, m);
        if (inverse)
            si = v_neg(si);
        v_st(a + i, v_fnma(y, si, v_mul(x, co)), m);
        v_st(b + i, v_fma(x, si, v_mul(y, co)), m);
    });
}

static void rope(float *x, int ldx, int n_head, int head_dim, int n_rot, const float *cos_,
                 const float *sin_, const int32_t *pos, bool inverse, int n_rows)
{
    size_t half = (size_t)n_rot / 2;
    for (int r = 0; r < n_rows; r++) {
        const float *c = cos_ + (size_t)pos[r] * half, *s = sin_ + (size_t)pos[r] * half;
        for (int h = 0; h < n_head; h++) {
            float *v = x + (size_t)r * (size_t)ldx + (size_t)h * (size_t)head_dim;
            rotate(v, v + half, c, s, half, inverse);
        }
    }
}

/* ---- dropout */

static void dropout(const struct dropout *d, float *y, int ldy, const float *x, int ldx, int n_col,
                    uint64_t seq, uint32_t row0, int n_rows)
{
    const vf zero = v_set(0), s = v_set(d->scale);
    for (int r = 0; r < n_rows; r++)
        for (size_t c = 0; c < (size_t)n_col; c += 64) {
            const float *in = x + (size_t)r * (size_t)ldx + c;
            float *out = y + (size_t)r * (size_t)ldy + c;
            size_t n = (size_t)n_col - c < 64 ? (size_t)n_col - c : 64;
            uint64_t keep = dropout_bits(d, seq, row0 + (uint32_t)r, (uint32_t)(c / 64));
            EACH(n, {
                vm on = vm_from_bits((uint32_t)(keep >> i) & ((1u << VL) - 1));
                v_st(out + i, v_select(on, v_mul(s, v_ld(in + i, m)), zero), m);
            });
        }
}

/* ---- softmax and cross-entropy */

/* Σ exp(x - max): floats over stretches of 1024, these in double. */
static double sum_exp(const float *x, size_t n, float max)
{
    const vf top = v_set(max);
    double sum = 0;
    for (size_t from = 0; from < n; from += 1024) {
        const float *p = x + from;
        size_t len = n - from < 1024 ? n - from : 1024;
        vf s = v_set(0);
        EACH(len, { s = v_add(s, v_keep_n(v_exp(v_sub(v_ld(p + i, m), top)), m)); });
        sum += v_sum(s);
    }
    return sum;
}

static void xent(float *loss, float *lse, const float *x, int ldx, int n, const uint32_t *target,
                 int n_rows)
{
    for (int r = 0; r < n_rows; r++) {
        const float *row = x + (size_t)r * (size_t)ldx;
        float max = row_max(row, (size_t)n);
        double all = (double)max + log(sum_exp(row, (size_t)n, max));
        if (lse)
            lse[r] = (float)all;
        loss[r] = target[r] < (uint32_t)n ? (float)(all - (double)row[target[r]]) : 0;
    }
}

static void xent_grad(float *dx, int lddx, const float *x, int ldx, int n, const float *lse,
                      const uint32_t *target, const float *weight, int n_rows)
{
    for (int r = 0; r < n_rows; r++) {
        const float *row = x + (size_t)r * (size_t)ldx;
        float *out = dx + (size_t)r * (size_t)lddx;
        if (target[r] >= (uint32_t)n) {
            memset(out, 0, (size_t)n * sizeof *out);
            continue;
        }
        const vf w = v_set(weight[r]), all = v_set(lse[r]);
        EACH((size_t)n, { v_st(out + i, v_mul(w, v_exp(v_sub(v_ld(row + i, m), all))), m); });
        out[target[r]] -= weight[r];
    }
}

/* An element is written where those lie that were read before it. */
static void xent_grad_bf16(uint16_t *dx, const float *x, int n, float lse, uint32_t target,
                           float weight)
{
    if (target >= (uint32_t)n) {
        memset(dx, 0, (size_t)n * sizeof *dx);
        return;
    }
    const vf w = v_set(weight), all = v_set(lse);
    float own = x[target];
    EACH((size_t)n, { v_st_bf16(dx + i, v_mul(w, v_exp(v_sub(v_ld(x + i, m), all))), m); });
    v_st(&own, v_mul(w, v_exp(v_sub(v_set(own), all))), 1);
    v_st_bf16(dx + target, v_set(own - weight), 1);
}

static void softmax(float *y, int ldy, const float *x, int ldx, int n, int n_rows)
{
    for (int r = 0; r < n_rows; r++) {
        const float *row = x + (size_t)r * (size_t)ldx;
        float *out = y + (size_t)r * (size_t)ldy;
        float max = row_max(row, (size_t)n);
        const vf top = v_set(max), inv = v_set((float)(1 / sum_exp(row, (size_t)n, max)));
        EACH((size_t)n, { v_st(out + i, v_mul(inv, v_exp(v_sub(v_ld(row + i, m), top))), m); });
    }
}

#endif
