/* Hashes, half precision, little-endian stores. */
#include "tap.h"

#include <xxhash.h>
#include "base/half.h"
#include "base/hash.h"
#include "base/le.h"
#include "base/rng.h"

/* Against the definition, bit by bit. */
static uint32_t crc_slow(uint32_t crc, const unsigned char *p, size_t n)
{
    for (crc = ~crc; n > 0; p++, n--)
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ ((crc ^ (uint32_t)*p >> bit) & 1 ? 0xedb88320u : 0);
    return ~crc;
}

static void crc_lengths(void)
{
    unsigned char s[2400];
    bool same = true;
    for (size_t i = 0; i < sizeof s; i++)
        s[i] = (unsigned char)(i * i * 31 + i / 7);
    for (size_t n = 0; n < 380 && same; n++)
        for (size_t at = 0; at < 20 && same; at++)
            same =
                crc32_of((uint32_t)(n * 77), s + at, n) == crc_slow((uint32_t)(n * 77), s + at, n);
    for (size_t n = 900; n < 2300 && same; n += 3)
        same = crc32_of((uint32_t)n, s + n % 70, n) == crc_slow((uint32_t)n, s + n % 70, n);
    ok(same, "CRC-32 of every length, at every place of 16");
}

static void test_known(void)
{
    char hex[33];
    ok(hash64("", 0, 0) == UINT64_C(0x2d06800538d394c2), "XXH3-64 of nothing");
    ok(hash64("a", 1, 0) == UINT64_C(0xe6c632b61e964e1f), "XXH3-64 of a");
    ok(hash64("a", 1, 1) != hash64("a", 1, 0), "the seed matters");
    hash128_hex(hex, hash128("", 0));
    is_str(hex, "99aa06d3014798d86001c324468d497f", "XXH3-128 of nothing");
    hash128_hex(hex, hash128("a", 1));
    is_str(hex, "a96faf705af16834e6c632b61e964e1f", "XXH3-128 of a");
    ok(crc32_of(0, "123456789", 9) == 0xcbf43926u, "CRC-32's check value");
    ok(crc32_of(crc32_of(0, "1234", 4), "56789", 5) == 0xcbf43926u, "in two parts");
    crc_lengths();
    ok(crc32_of(7, NULL, 0) == 7, "nothing changes nothing");
}

static void test_parts(void)
{
    static unsigned char data[5000];
    struct rng r;
    int n_good = 0, n = 0;
    rng_init(&r, 1, RNG_TEST, 0);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)rng_u32(&r);
    for (size_t len = 0; len <= sizeof data; len += len < 300 ? 1 : 367) {
        struct hash_state *h = hash_new();
        for (size_t i = 0; h && i < len;) {
            size_t k = rng_below(&r, 700);
            k = k < len - i ? k : len - i;
            hash_add(h, data + i, k);
            i += k;
        }
        struct hash128 a = hash128(data, len), b = h ? hash_get128(h) : a;
        n += 3;
        n_good += a.lo == XXH3_128bits(data, len).low64 && a.hi == XXH3_128bits(data, len).high64 &&
                  hash64(data, len, len) == XXH3_64bits_withSeed(data, len, len);
        n_good += h && a.lo == b.lo && a.hi == b.hi;
        n_good += h && hash_get64(h) == hash64(data, len, 0);
        hash_free(h);
    }
    is_int(n_good, n, "the library's XXH3; in parts as at once, 64 and 128 bits from one state");
    hash_free(NULL);
}

/* From the definition: sign, exponent, fraction. */
static double f16_slow(uint16_t v)
{
    int exp = v >> 10 & 31, m = v & 1023;
    double a = exp == 31 ? (m ? NAN : HUGE_VAL) : exp ? ldexp(1024 + m, exp - 25) : ldexp(m, -24);
    return v & 0x8000 ? -a : a;
}

static void test_f16(void)
{
    int n_value = 0, n_back = 0, n_round = 0, n = 0;
    for (int i = 0; i < 65536; i++) {
        uint16_t h = (uint16_t)i;
        float f = f16_to_f32(h);
        double want = f16_slow(h);
        n_value += isnan(want) ? isnan(f) : (double)f == want && !signbit(f) == !signbit(want);
        n_back += isnan(want) ? isnan(f16_to_f32(f16_from_f32(f))) : f16_from_f32(f) == h;
    }
    is_int(n_value, 65536, "every binary16 has its value");
    is_int(n_back, 65536, "and comes back");
    for (int sign = 0; sign < 2; sign++)
        for (int i = 0; i < 0x7c00; i++) { /* between i and i + 1; 0x7c00 stands for 65536 there */
            uint16_t s = sign ? 0x8000 : 0, lo = (uint16_t)i, hi = (uint16_t)(i + 1);
            double b = hi == 0x7c00 ? 65536 : f16_slow(hi);
            float mid = (float)((f16_slow(lo) + b) / 2), flip = sign ? -1.0f : 1.0f;
            n += 3;
            n_round += f16_from_f32(flip * mid) == (s | (lo & 1 ? hi : lo));
            n_round += f16_from_f32(flip * nextafterf(mid, 0)) == (s | lo);
            n_round += f16_from_f32(flip * nextafterf(mid, 1e9f)) == (s | hi);
        }
    is_int(n_round, n, "halfway goes to even, either side to the nearer");
    ok(f16_from_f32(1e30f) == 0x7c00 && f16_from_f32(-HUGE_VALF) == 0xfc00, "infinities");
    ok(f16_from_f32(1e-30f) == 0 && f16_from_f32(-1e-45f) == 0x8000, "zeros keep their sign");
}

static void test_bf16(void)
{
    int n_back = 0, n_round = 0, n = 0;
    for (int i = 0; i < 65536; i++) {
        uint16_t v = (uint16_t)i;
        float f = bf16_to_f32(v);
        n_back += isnan(f) ? isnan(bf16_to_f32(bf16_from_f32(f))) : bf16_from_f32(f) == v;
    }
    is_int(n_back, 65536, "every bf16 comes back");
    for (int i = 0; i < 0x7f80; i++) {
        uint32_t u = (uint32_t)i << 16;
        for (uint32_t low = 0x7fff; low <= 0x8001; low++) {
            uint32_t x = u | low;
            float f;
            memcpy(&f, &x, 4);
            uint16_t want = (uint16_t)(i + (low > 0x8000 || (low == 0x8000 && (i & 1))));
            n++;
            n_round += bf16_from_f32(f) == want && bf16_from_f32(-f) == (want | 0x8000);
        }
    }
    is_int(n_round, n, "halfway goes to even, either side to the nearer");
    uint32_t quiet = 0x7f800001;
    float f;
    memcpy(&f, &quiet, 4);
    ok(isnan(bf16_to_f32(bf16_from_f32(f))), "a NaN whose bits lie low stays one");
}

static void test_le(void)
{
    unsigned char p[17] = {0};
    static const unsigned char want[] = {0x02, 0x01, 0x06, 0x05, 0x04, 0x03, 0x0e,
                                         0x0d, 0x0c, 0x0b, 0x0a, 0x09, 0x08, 0x07};
    le16_put(p + 1, 0x0102);
    le32_put(p + 3, 0x03040506);
    le64_put(p + 7, UINT64_C(0x0708090a0b0c0d0e));
    is_mem(p + 1, want, sizeof want, "least byte first");
    ok(le16_get(p + 1) == 0x0102 && le32_get(p + 3) == 0x03040506 &&
           le64_get(p + 7) == UINT64_C(0x0708090a0b0c0d0e),
       "and back");
    memset(p, 0xff, sizeof p);
    ok(le16_get(p) == UINT16_MAX && le32_get(p) == UINT32_MAX && le64_get(p) == UINT64_MAX,
       "no sign creeps in");
}

int main(void)
{
    test_known();
    test_parts();
    test_f16();
    test_bf16();
    test_le();
    return done_testing();
}
