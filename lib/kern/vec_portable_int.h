/*
 * Vectors of VL floats for sources that are compiled once per instruction set (*_impl_int.h), here
 * in the compiler's own vector type: any processor. vec_avx2_int.h and vec_avx512_int.h have the
 * same names; this one documents them.
 *
 *     vf, vi, vm      VL floats, VL 32-bit integers, VL truth values
 *     v_load_n(p, n)  the first n < VL lanes from p, zeros behind; v_store_n writes n lanes only
 *     v_fma(a, b, c)  a*b + c, rounded once where the processor can, else twice
 *     v_fnma(a, b, c) c - a*b
 *     v_select(m, a, b)  a where m, else b
 *     v_sum(v), v_hmax(v)  over the lanes, pairwise: the same order everywhere
 *     v_bits, v_float  the bit patterns as they are
 */
#ifndef VEC_PORTABLE_INT_H
#define VEC_PORTABLE_INT_H

#include <math.h>
#include <stdint.h>
#include <string.h>
#include "base/compiler.h"

#define VL          4
#define VEC(name)   name##_portable
#define VEC_NAME    "portable"
#define VEC_HAS_FMA 0

typedef VECTOR(float, 16) vf;
typedef VECTOR(int32_t, 16) vi;
typedef vi vm;

static ALWAYS_INLINE vf v_load(const float *p)
{
    vf v;
    memcpy(&v, p, sizeof v);
    return v;
}

static ALWAYS_INLINE void v_store(float *p, vf v)
{
    memcpy(p, &v, sizeof v);
}

/* Past the caches, where the processor can: p whole vectors from 0 on, seen by other threads after
 * v_stream_end(). */
static ALWAYS_INLINE void v_stream(float *p, vf v)
{
    v_store(p, v);
}

static ALWAYS_INLINE void v_stream_end(void)
{
}

static ALWAYS_INLINE vf v_load_n(const float *p, size_t n)
{
    vf v = {0};
    for (size_t i = 0; i < n; i++)
        v[i] = p[i];
    return v;
}

static ALWAYS_INLINE void v_store_n(float *p, vf v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = v[i];
}

static ALWAYS_INLINE vf v_set(float x)
{
    return (vf){x, x, x, x};
}

static ALWAYS_INLINE vi vi_set(uint32_t x)
{
    int32_t i = (int32_t)x;
    return (vi){i, i, i, i};
}

static ALWAYS_INLINE vi vi_iota(void)
{
    return (vi){0, 1, 2, 3};
}

static ALWAYS_INLINE vf v_add(vf a, vf b)
{
    return a + b;
}

static ALWAYS_INLINE vf v_sub(vf a, vf b)
{
    return a - b;
}

static ALWAYS_INLINE vf v_mul(vf a, vf b)
{
    return a * b;
}

static ALWAYS_INLINE vf v_div(vf a, vf b)
{
    return a / b;
}

static ALWAYS_INLINE vf v_fma(vf a, vf b, vf c)
{
    return a * b + c;
}

static ALWAYS_INLINE vf v_fnma(vf a, vf b, vf c)
{
    return c - a * b;
}

static ALWAYS_INLINE vf v_sqrt(vf a)
{
    for (int i = 0; i < VL; i++)
        a[i] = sqrtf(a[i]);
    return a;
}

static ALWAYS_INLINE vi v_bits(vf a)
{
    return (vi)a;
}

static ALWAYS_INLINE vf v_float(vi a)
{
    return (vf)a;
}

static ALWAYS_INLINE vm v_lt(vf a, vf b)
{
    return a < b;
}

static ALWAYS_INLINE vm v_is_nan(vf a)
{
    return a != a;
}

static ALWAYS_INLINE vf v_select(vm m, vf a, vf b)
{
    return (vf)((m & (vi)a) | (~m & (vi)b));
}

static ALWAYS_INLINE vf v_max(vf a, vf b)
{
    return v_select(a > b, a, b);
}

static ALWAYS_INLINE vf v_min(vf a, vf b)
{
    return v_select(a < b, a, b);
}

/* The first n lanes, zeros behind. */
static ALWAYS_INLINE vf v_keep_n(vf v, size_t n)
{
    for (size_t i = n; i < VL; i++)
        v[i] = 0;
    return v;
}

/* Lane j is true if bit j is set. */
static ALWAYS_INLINE vm vm_from_bits(uint32_t bits)
{
    const vi bit = {1, 2, 4, 8};
    return (vi_set(bits) & bit) != 0;
}

static ALWAYS_INLINE uint32_t vm_to_bits(vm m)
{
    return (m[0] & 1u) | (m[1] & 2u) | (m[2] & 4u) | (m[3] & 8u);
}

static ALWAYS_INLINE vi vi_add(vi a, vi b)
{
    VECTOR(uint32_t, 16) x = (VECTOR(uint32_t, 16))a, y = (VECTOR(uint32_t, 16))b;
    return (vi)(x + y);
}

static ALWAYS_INLINE vi vi_xor(vi a, vi b)
{
    return a ^ b;
}

static ALWAYS_INLINE vi vi_and(vi a, vi b)
{
    return a & b;
}

static ALWAYS_INLINE vi vi_shl23(vi a)
{
    VECTOR(uint32_t, 16) x = (VECTOR(uint32_t, 16))a;
    return (vi)(x << 23);
}

static ALWAYS_INLINE vi vi_shr16(vi a) /* logical */
{
    VECTOR(uint32_t, 16) x = (VECTOR(uint32_t, 16))a;
    return (vi)(x >> 16);
}

static ALWAYS_INLINE vm vi_ult(vi a, vi b) /* unsigned a < b */
{
    VECTOR(uint32_t, 16) x = (VECTOR(uint32_t, 16))a, y = (VECTOR(uint32_t, 16))b;
    return x < y;
}

/* The 64-bit products of unsigned lanes: their high and low halves. */
static ALWAYS_INLINE void vi_mul_wide(vi a, vi b, vi *hi, vi *lo)
{
    for (int i = 0; i < VL; i++) {
        uint64_t p = (uint64_t)(uint32_t)a[i] * (uint32_t)b[i];
        (*hi)[i] = (int32_t)(p >> 32);
        (*lo)[i] = (int32_t)p;
    }
}

static ALWAYS_INLINE void vi_store(uint32_t *p, vi v)
{
    memcpy(p, &v, sizeof v);
}

/* VL bf16 to the lanes, and the high halves of the lanes to VL bf16. */
static ALWAYS_INLINE vf v_load_bf16(const uint16_t *p)
{
    vi v;
    for (int i = 0; i < VL; i++)
        v[i] = (int32_t)((uint32_t)p[i] << 16);
    return (vf)v;
}

static ALWAYS_INLINE void v_store_high(uint16_t *p, vi v)
{
    for (int i = 0; i < VL; i++)
        p[i] = (uint16_t)((uint32_t)v[i] >> 16);
}

static ALWAYS_INLINE float v_sum(vf v)
{
    return (v[0] + v[2]) + (v[1] + v[3]);
}

static ALWAYS_INLINE float v_hmax(vf v)
{
    float a = v[0] > v[2] ? v[0] : v[2], b = v[1] > v[3] ? v[1] : v[3];
    return a > b ? a : b;
}

/* to[c][r] = x[r][c] for VL rows and columns. */
static ALWAYS_INLINE void v_transpose(float *to, size_t ldto, const float *x, size_t ldx)
{
    for (size_t c = 0; c < VL; c++)
        for (size_t r = 0; r < VL; r++)
            to[c * ldto + r] = x[r * ldx + c];
}

/* Sums of squares in double. */
typedef struct {
    double v[VL];
} vd;

static ALWAYS_INLINE vd vd_zero(void)
{
    return (vd){{0}};
}

static ALWAYS_INLINE void vd_add(vd *s, vf x)
{
    for (int i = 0; i < VL; i++)
        s->v[i] += (double)x[i];
}

static ALWAYS_INLINE void vd_add_square(vd *s, vf x)
{
    for (int i = 0; i < VL; i++)
        s->v[i] += (double)x[i] * x[i];
}

static ALWAYS_INLINE double vd_sum(vd a)
{
    return (a.v[0] + a.v[2]) + (a.v[1] + a.v[3]);
}

#endif
