/* vec_portable_int.h for NEON of AArch64: four lanes. */
#ifndef VEC_NEON_INT_H
#define VEC_NEON_INT_H

#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>
#include "base/compiler.h"

#define VL          4
#define VEC(name)   name##_neon
#define VEC_NAME    "neon"
#define VEC_HAS_FMA 1

typedef float32x4_t vf;
typedef uint32x4_t vi;
typedef uint32x4_t vm;

static ALWAYS_INLINE vf v_load(const float *p)
{
    return vld1q_f32(p);
}

static ALWAYS_INLINE void v_store(float *p, vf v)
{
    vst1q_f32(p, v);
}

static ALWAYS_INLINE void v_stream(float *p, vf v)
{
    v_store(p, v);
}

static ALWAYS_INLINE void v_stream_end(void)
{
}

static ALWAYS_INLINE vi vi_iota(void)
{
    static const uint32_t lanes[4] = {0, 1, 2, 3};
    return vld1q_u32(lanes);
}

static ALWAYS_INLINE vf v_load_n(const float *p, size_t n)
{
    float lanes[4] = {0};
    for (size_t i = 0; i < n; i++)
        lanes[i] = p[i];
    return vld1q_f32(lanes);
}

static ALWAYS_INLINE void v_store_n(float *p, vf v, size_t n)
{
    float lanes[4];
    vst1q_f32(lanes, v);
    for (size_t i = 0; i < n; i++)
        p[i] = lanes[i];
}

static ALWAYS_INLINE vf v_set(float x)
{
    return vdupq_n_f32(x);
}

static ALWAYS_INLINE vi vi_set(uint32_t x)
{
    return vdupq_n_u32(x);
}

static ALWAYS_INLINE vf v_add(vf a, vf b)
{
    return vaddq_f32(a, b);
}

static ALWAYS_INLINE vf v_sub(vf a, vf b)
{
    return vsubq_f32(a, b);
}

static ALWAYS_INLINE vf v_mul(vf a, vf b)
{
    return vmulq_f32(a, b);
}

static ALWAYS_INLINE vf v_div(vf a, vf b)
{
    return vdivq_f32(a, b);
}

static ALWAYS_INLINE vf v_fma(vf a, vf b, vf c)
{
    return vfmaq_f32(c, a, b);
}

static ALWAYS_INLINE vf v_fnma(vf a, vf b, vf c)
{
    return vfmsq_f32(c, a, b);
}

static ALWAYS_INLINE vf v_sqrt(vf a)
{
    return vsqrtq_f32(a);
}

static ALWAYS_INLINE vi v_bits(vf a)
{
    return vreinterpretq_u32_f32(a);
}

static ALWAYS_INLINE vf v_float(vi a)
{
    return vreinterpretq_f32_u32(a);
}

static ALWAYS_INLINE vm v_lt(vf a, vf b)
{
    return vcltq_f32(a, b);
}

static ALWAYS_INLINE vm v_is_nan(vf a)
{
    return vmvnq_u32(vceqq_f32(a, a));
}

static ALWAYS_INLINE vf v_select(vm m, vf a, vf b)
{
    return vbslq_f32(m, a, b);
}

/* By comparison, so that b comes where one is no number, as on other processors. */
static ALWAYS_INLINE vf v_max(vf a, vf b)
{
    return vbslq_f32(vcgtq_f32(a, b), a, b);
}

static ALWAYS_INLINE vf v_min(vf a, vf b)
{
    return vbslq_f32(vcltq_f32(a, b), a, b);
}

static ALWAYS_INLINE vf v_keep_n(vf v, size_t n)
{
    vm m = vcltq_u32(vi_iota(), vdupq_n_u32((uint32_t)n));
    return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(v), m));
}

static ALWAYS_INLINE vi vm_bit_of_lane(void)
{
    static const uint32_t bits[4] = {1, 2, 4, 8};
    return vld1q_u32(bits);
}

static ALWAYS_INLINE vm vm_from_bits(uint32_t bits)
{
    return vtstq_u32(vdupq_n_u32(bits), vm_bit_of_lane());
}

static ALWAYS_INLINE uint32_t vm_to_bits(vm m)
{
    return vaddvq_u32(vandq_u32(m, vm_bit_of_lane()));
}

static ALWAYS_INLINE vi vi_add(vi a, vi b)
{
    return vaddq_u32(a, b);
}

static ALWAYS_INLINE vi vi_xor(vi a, vi b)
{
    return veorq_u32(a, b);
}

static ALWAYS_INLINE vi vi_and(vi a, vi b)
{
    return vandq_u32(a, b);
}

static ALWAYS_INLINE vi vi_shl23(vi a)
{
    return vshlq_n_u32(a, 23);
}

static ALWAYS_INLINE vi vi_shr16(vi a)
{
    return vshrq_n_u32(a, 16);
}

static ALWAYS_INLINE vm vi_ult(vi a, vi b)
{
    return vcltq_u32(a, b);
}

static ALWAYS_INLINE void vi_mul_wide(vi a, vi b, vi *hi, vi *lo)
{
    uint64x2_t low = vmull_u32(vget_low_u32(a), vget_low_u32(b));
    uint64x2_t high = vmull_high_u32(a, b);
    *lo = vuzp1q_u32(vreinterpretq_u32_u64(low), vreinterpretq_u32_u64(high));
    *hi = vuzp2q_u32(vreinterpretq_u32_u64(low), vreinterpretq_u32_u64(high));
}

static ALWAYS_INLINE void vi_store(uint32_t *p, vi v)
{
    vst1q_u32(p, v);
}

static ALWAYS_INLINE vf v_load_bf16(const uint16_t *p)
{
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16));
}

static ALWAYS_INLINE void v_store_high(uint16_t *p, vi v)
{
    vst1_u16(p, vshrn_n_u32(v, 16));
}

static ALWAYS_INLINE float v_sum(vf v)
{
    float32x2_t a = vadd_f32(vget_low_f32(v), vget_high_f32(v));
    return vget_lane_f32(a, 0) + vget_lane_f32(a, 1);
}

static ALWAYS_INLINE float v_hmax(vf v)
{
    return vmaxvq_f32(v);
}

static ALWAYS_INLINE void v_transpose(float *to, size_t ldto, const float *x, size_t ldx)
{
    float32x4_t a = vld1q_f32(x), b = vld1q_f32(x + ldx);
    float32x4_t c = vld1q_f32(x + 2 * ldx), d = vld1q_f32(x + 3 * ldx);
    float32x4x2_t ab = vtrnq_f32(a, b), cd = vtrnq_f32(c, d);
    for (size_t i = 0; i < 2; i++) {
        vst1q_f32(to + i * ldto, vcombine_f32(vget_low_f32(ab.val[i]), vget_low_f32(cd.val[i])));
        vst1q_f32(to + (i + 2) * ldto,
                  vcombine_f32(vget_high_f32(ab.val[i]), vget_high_f32(cd.val[i])));
    }
}

typedef struct {
    float64x2_t a, b;
} vd;

static ALWAYS_INLINE vd vd_zero(void)
{
    return (vd){vdupq_n_f64(0), vdupq_n_f64(0)};
}

static ALWAYS_INLINE void vd_add(vd *s, vf x)
{
    s->a = vaddq_f64(s->a, vcvt_f64_f32(vget_low_f32(x)));
    s->b = vaddq_f64(s->b, vcvt_high_f64_f32(x));
}

static ALWAYS_INLINE void vd_add_square(vd *s, vf x)
{
    float64x2_t a = vcvt_f64_f32(vget_low_f32(x)), b = vcvt_high_f64_f32(x);
    s->a = vfmaq_f64(s->a, a, a);
    s->b = vfmaq_f64(s->b, b, b);
}

static ALWAYS_INLINE double vd_sum(vd s)
{
    return vaddvq_f64(vaddq_f64(s.a, s.b));
}

#endif
