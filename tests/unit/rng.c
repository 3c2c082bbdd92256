/* Random numbers: published answers, laws of the distributions, permutations. */
#include "tap.h"

#include "base/rng.h"

/* Known answers of the Random123 distribution (kat_vectors, philox4x32 10). */
static void test_known(void)
{
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } kat[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < ARRAY_LEN(kat); i++) {
        uint32_t out[4];
        rng_philox(kat[i].counter, kat[i].key, out);
        is_mem(out, kat[i].out, sizeof out, "known answer %zu", i);
        memcpy(out, kat[i].counter, sizeof out);
        rng_philox(out, kat[i].key, out);
        is_mem(out, kat[i].out, sizeof out, "in place, too");
    }
}

/* Equal on every machine and for ever: models and shuffles are remade from their seeds. */
static void test_stable(void)
{
    struct rng r;
    rng_init(&r, 42, RNG_TEST, 7);
    uint32_t a = rng_u32(&r), b = rng_u32(&r);
    ok(a == 0x136bf817u && b == 0xcceb0181u, "first words of seed 42 (%#x %#x)", a, b);
    rng_init(&r, 42, RNG_INIT, 0);
    float x = rng_normal(&r), y = rng_normal(&r);
    ok(x == -0x1.c07632p+0f && y == 0x1.e5b43ep-1f, "first normal numbers of seed 42 (%a %a)",
       (double)x, (double)y);
    uint64_t p = rng_permute(42, RNG_SHUFFLE, 1, 1000, 0),
             q = rng_permute(42, RNG_SHUFFLE, 1, UINT64_C(1) << 40, 1);
    ok(p == 147 && q == 664693537966, "first places of a permutation (%" PRIu64 " %" PRIu64 ")", p,
       q);
}

static void test_streams(void)
{
    struct rng r, s;
    int n_equal = 0;
    static const struct {
        uint64_t seed;
        enum rng_purpose purpose;
        uint64_t stream;
    } other[] = {{2, RNG_TEST, 0},
                 {UINT64_C(1) << 32 | 1, RNG_TEST, 0},
                 {1, RNG_INIT, 0},
                 {1, RNG_TEST, 1},
                 {1, RNG_TEST, UINT64_C(1) << 32}};
    for (size_t k = 0; k < ARRAY_LEN(other); k++) {
        rng_init(&r, 1, RNG_TEST, 0);
        rng_init(&s, other[k].seed, other[k].purpose, other[k].stream);
        for (int i = 0; i < 1000; i++)
            n_equal += rng_u32(&r) == rng_u32(&s);
    }
    is_int(n_equal, 0, "seeds, purposes and streams have nothing in common");
    rng_init(&r, 1, RNG_TEST, 0);
    r.counter[0] = UINT32_MAX;
    for (int i = 0; i < 8; i++)
        rng_u32(&r);
    ok(r.counter[0] == 1 && r.counter[1] == 1 && r.counter[2] == 0, "the counter carries");
}

static void test_uniform(void)
{
    enum { N = 400000 };
    struct rng r;
    double sum = 0, sum_sq = 0, lo = 1, hi = 0;
    rng_init(&r, 5, RNG_TEST, 0);
    for (int i = 0; i < N; i++) {
        double v = i & 1 ? (double)rng_f32(&r) : rng_f64(&r);
        sum += v;
        sum_sq += v * v;
        lo = v < lo ? v : lo;
        hi = v > hi ? v : hi;
    }
    ok(lo >= 0 && lo < 1e-4 && hi < 1 && hi > 1 - 1e-4, "uniform numbers fill [0, 1)");
    is_near(sum / N, 0.5, 4 * sqrt(1.0 / 12 / N), "their mean");
    is_near(sum_sq / N, 1.0 / 3, 4 * sqrt(4.0 / 45 / N), "their mean square");
    static const uint64_t limits[] = {1, 2, 3, 10, 1000, UINT64_C(3) << 62, UINT64_MAX};
    for (size_t k = 0; k < ARRAY_LEN(limits); k++) {
        uint64_t n = limits[k], most = 0;
        double mean = 0;
        for (int i = 0; i < 20000; i++) {
            uint64_t v = rng_below(&r, n);
            most = v > most ? v : most;
            mean += (double)v / 20000;
        }
        double half = ((double)n - 1) / 2;
        ok(most < n && fabs(mean - half) <= 4 * (double)n / sqrt(12 * 20000.0),
           "numbers below %" PRIu64 ": mean %g", n, mean);
    }
}

static void test_normal(void)
{
    enum { N = 1000000 };
    struct rng r, raw;
    double m1 = 0, m2 = 0, m3 = 0, m4 = 0, worst = 0;
    int beyond_2 = 0, beyond_4 = 0;
    rng_init(&r, 6, RNG_TEST, 0);
    rng_init(&raw, 6, RNG_TEST, 0);
    for (int i = 0; i < N; i++) {
        double z = (double)rng_normal(&r);
        m1 += z;
        m2 += z * z;
        m3 += z * z * z;
        m4 += z * z * z * z;
        beyond_2 += fabs(z) > 2;
        beyond_4 += fabs(z) > 4;
        if (i < 100000) { /* the same by libm's functions in double precision */
            double u = ((double)rng_u32(&raw) + 1) / 4294967296.0;
            double t = (double)rng_u32(&raw) / 4294967296.0;
            double want = sqrt(-2 * log(u)) * cos(2 * acos(-1) * t);
            worst = fmax(worst, fabs(z - want) / (fabs(want) + 1e-6));
        }
    }
    ok(worst < 1e-7, "equal to libm's within a float's rounding: %g", worst);
    is_near(m1 / N, 0, 4 * sqrt(1.0 / N), "mean");
    is_near(m2 / N, 1, 4 * sqrt(2.0 / N), "variance");
    is_near(m3 / N, 0, 4 * sqrt(15.0 / N), "third moment");
    is_near(m4 / N, 3, 4 * sqrt(96.0 / N), "fourth moment");
    is_near(beyond_2 / (double)N, 0.0455003, 4 * sqrt(0.0455 / N), "share beyond two sigma");
    is_near(beyond_4, 63.34, 4 * sqrt(63.34), "number beyond four sigma");
}

static bool bijection(uint64_t n, uint64_t seed, unsigned char *seen)
{
    memset(seen, 0, n);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t v = rng_permute(seed, RNG_SHUFFLE, 3, n, i);
        if (v >= n || seen[v]++)
            return false;
    }
    return true;
}

static void test_permute(void)
{
    static unsigned char seen[300000];
    static const uint64_t more[] = {511,  512,   513,   1000,  4095,  4096,
                                    4097, 65535, 65536, 65537, 300000};
    int n_good = 0;
    for (uint64_t n = 1; n <= 260; n++)
        n_good += bijection(n, n, seen);
    is_int(n_good, 260, "permutations of 1 to 260 are bijections");
    for (size_t k = 0; k < ARRAY_LEN(more); k++)
        ok(bijection(more[k], 9, seen), "of %" PRIu64, more[k]);
    /* far beyond what can be tabled: in range, and no two alike */
    static const uint64_t huge[] = {(UINT64_C(1) << 40) + 1, UINT64_C(1) << 63, UINT64_MAX};
    static uint64_t v[2000];
    for (size_t k = 0; k < ARRAY_LEN(huge); k++) {
        int n_bad = 0;
        for (size_t i = 0; i < ARRAY_LEN(v); i++) {
            v[i] = rng_permute(1, RNG_SHUFFLE, 0, huge[k], huge[k] - 1 - i);
            n_bad += v[i] >= huge[k];
            for (size_t j = 0; j < i; j++)
                n_bad += v[i] == v[j];
        }
        is_int(n_bad, 0, "of %" PRIu64, huge[k]);
    }
    /* all 24 orders of four, over many streams, about equally often: chi-square, 23 degrees */
    enum { TRIES = 24000 };
    int count[256] = {0};
    double chi = 0;
    for (uint64_t s = 0; s < TRIES; s++) {
        unsigned order = 0;
        for (uint64_t i = 0; i < 4; i++)
            order = order << 2 | (unsigned)rng_permute(11, RNG_SHUFFLE, s, 4, i);
        count[order]++;
    }
    int n_orders = 0;
    for (int i = 0; i < 256; i++)
        if (count[i]) {
            n_orders++;
            chi += pow(count[i] - TRIES / 24.0, 2) / (TRIES / 24.0);
        }
    is_int(n_orders, 24, "every order of four occurs");
    ok(chi < 53, "about equally often: chi-square %g", chi);
    /* orders of sixteen may be odd, though a Feistel network on four bits is always even */
    int n_odd = 0;
    for (uint64_t s = 0; s < 1000; s++) {
        uint64_t at[16];
        int n_swapped = 0;
        for (uint64_t i = 0; i < 16; i++) {
            at[i] = rng_permute(11, RNG_SHUFFLE, s, 16, i);
            for (uint64_t j = 0; j < i; j++)
                n_swapped += at[j] > at[i];
        }
        n_odd += n_swapped & 1;
    }
    ok(n_odd > 430 && n_odd < 570, "half the orders of sixteen are odd: %d of 1000", n_odd);
    /* where one index goes, over many streams, with halves of unequal width: 127 degrees */
    int place[128] = {0};
    chi = 0;
    for (uint64_t s = 0; s < 128 * 100; s++)
        place[rng_permute(12, RNG_SHUFFLE, s, 128, 5)]++;
    for (int i = 0; i < 128; i++)
        chi += pow(place[i] - 100, 2) / 100;
    ok(chi > 65 && chi < 200, "all places are equally likely: chi-square %g", chi);
}

int main(void)
{
    test_known();
    test_stable();
    test_streams();
    test_uniform();
    test_normal();
    test_permute();
    return done_testing();
}
