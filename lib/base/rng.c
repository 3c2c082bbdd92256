/* Philox4x32-10 and what is drawn from it. */
#include "base/rng.h"

#include <math.h>
#include <string.h>

static void philox_round(uint32_t c[4], const uint32_t k[2])
{
    uint64_t a = (uint64_t)0xD2511F53u * c[0], b = (uint64_t)0xCD9E8D57u * c[2];
    uint32_t c0 = (uint32_t)(b >> 32) ^ c[1] ^ k[0], c2 = (uint32_t)(a >> 32) ^ c[3] ^ k[1];
    c[1] = (uint32_t)b;
    c[3] = (uint32_t)a;
    c[0] = c0;
    c[2] = c2;
}

/* Salmon et al. 2011, section 3.3 and its constants. */
void rng_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]}, k[2] = {key[0], key[1]};
    for (int i = 0; i < 10; i++) {
        philox_round(c, k);
        k[0] += 0x9E3779B9u;
        k[1] += 0xBB67AE85u;
    }
    memcpy(out, c, sizeof c);
}

/* The key of (seed, purpose) is itself a draw, so that seeds 1 and 2, or two purposes, have
 * nothing in common. */
static void key_of(uint32_t key[2], uint64_t seed, enum rng_purpose purpose)
{
    const uint32_t k[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    const uint32_t c[4] = {(uint32_t)purpose, 0x7175, 0x6572, 0x6e};
    uint32_t out[4];
    rng_philox(c, k, out);
    key[0] = out[0];
    key[1] = out[1];
}

void rng_init(struct rng *r, uint64_t seed, enum rng_purpose purpose, uint64_t stream)
{
    *r = (struct rng){.counter = {0, 0, (uint32_t)stream, (uint32_t)(stream >> 32)}};
    key_of(r->key, seed, purpose);
}

uint32_t rng_u32(struct rng *r)
{
    if (r->left == 0) {
        rng_philox(r->counter, r->key, r->out);
        if (++r->counter[0] == 0)
            r->counter[1]++;
        r->left = 4;
    }
    return r->out[4 - r->left--];
}

uint64_t rng_u64(struct rng *r)
{
    uint64_t lo = rng_u32(r);
    return lo | (uint64_t)rng_u32(r) << 32;
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
    uint64_t least = (0 - n) % n, v; /* 2^64 mod n: what is left is a multiple of n */
    do
        v = rng_u64(r);
    while (v < least);
    return v % n;
}

float rng_f32(struct rng *r)
{
    return (float)(rng_u32(r) >> 8) * 0x1p-24f;
}

double rng_f64(struct rng *r)
{
    return (double)(rng_u64(r) >> 11) * 0x1p-53;
}

/* Natural logarithm of x > 0, normal, to about 1e-15 relative: x = m 2^k with m in
 * [sqrt 1/2, sqrt 2), log m = 2 atanh((m - 1) / (m + 1)). libm's may differ between versions. */
static double log_own(double x)
{
    uint64_t u;
    memcpy(&u, &x, 8);
    int k = (int)(u >> 52) - 1023;
    u = (u & UINT64_C(0xfffffffffffff)) | UINT64_C(0x3ff0000000000000);
    double m;
    memcpy(&m, &u, 8);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        k++;
    }
    double f = (m - 1) / (m + 1), s = f * f, sum = 0;
    for (int i = 19; i >= 1; i -= 2)
        sum = sum * s + 1.0 / i;
    return k * 0.6931471805599453 + 2 * f * sum;
}

/* cos(2 pi t / 2^32): the quadrant is exact, and Taylor's series does for |x| <= pi/4. */
static double cos_turn(uint32_t t)
{
    uint32_t quadrant = (t + 0x20000000u) >> 30;
    double x = (double)(int32_t)(t - (quadrant << 30)) * (6.283185307179586 * 0x1p-32);
    double s = x * x, even = 1, odd = 1;
    for (int i = 16; i >= 2; i -= 2) {
        even = 1 - even * s / (i * (i - 1));
        odd = 1 - odd * s / (i * (i + 1));
    }
    odd *= x;
    switch (quadrant & 3) {
    case 0:
        return even;
    case 1:
        return -odd;
    case 2:
        return -even;
    default:
        return odd;
    }
}

float rng_normal(struct rng *r)
{
    double u = ((double)rng_u32(r) + 1) * 0x1p-32; /* (0, 1] */
    return (float)(sqrt(-2 * log_own(u)) * cos_turn(rng_u32(r)));
}

enum { ROUNDS = 8, MIN_BITS = 6 };

/* A Feistel network on a + b bits: each round swaps the halves, so that after an even number of
 * them the widths are the first ones again. */
static uint64_t feistel(const uint32_t key[2], uint64_t stream, int a, int b, uint64_t x)
{
    uint32_t left = (uint32_t)(x >> b), right = (uint32_t)(x & ((UINT64_C(1) << b) - 1));
    for (int i = 0; i < ROUNDS; i++) {
        const uint32_t c[4] = {right, (uint32_t)i + 1, (uint32_t)stream, (uint32_t)(stream >> 32)};
        uint32_t out[4];
        rng_philox(c, key, out);
        uint32_t mask = (uint32_t)((UINT64_C(1) << (i & 1 ? b : a)) - 1), was = right;
        right = left ^ (out[0] & mask);
        left = was;
    }
    return (uint64_t)left << b | right;
}

/* Black & Rogaway 2002, "Ciphers with arbitrary finite domains": walk the cycle until in range. */
uint64_t rng_permute(uint64_t seed, enum rng_purpose purpose, uint64_t stream, uint64_t n,
                     uint64_t i)
{
    uint32_t key[2];
    int bits = MIN_BITS; /* fewer would leave too few different permutations */
    while (bits < 64 && (n - 1) >> bits != 0)
        bits++;
    key_of(key, seed, purpose);
    do
        i = feistel(key, stream, bits / 2, bits - bits / 2, i);
    while (i >= n);
    return i;
}
