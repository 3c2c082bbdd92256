/*
 * UTF-8 in blocks of 32 bytes: J. Keiser and D. Lemire, "Validating UTF-8 In Less Than One
 * Instruction Per Byte", 2020. Three tables, indexed by the two halves of the byte before and by
 * the upper half of the byte itself, each give the errors that this half would allow; what all
 * three agree on is one. Then third and fourth bytes must stand where a lead byte asks for them.
 */
#if defined(__x86_64__)
#    include <immintrin.h>
#    include <stdint.h>

#    include "base/utf8_int.h"

enum {
    SHORT = 1 << 0,     /* a lead byte or ASCII where a continuation is due */
    LONG = 1 << 1,      /* a continuation behind ASCII */
    OVER_3 = 1 << 2,    /* E0 80..9F */
    LARGE = 1 << 3,     /* F4 90 and up */
    SURROGATE = 1 << 4, /* ED A0..BF */
    OVER_2 = 1 << 5,    /* C0, C1 */
    LARGE_F5 = 1 << 6,  /* F5 and up, with 80..8F */
    OVER_4 = 1 << 6,    /* F0 80..8F */
    TWO = 1 << 7,       /* two continuations: right only in third and fourth place */
    ANY = SHORT | LONG | TWO,
    HIGH = ANY | LARGE | LARGE_F5,
};

static inline __m256i table(const uint8_t t[16])
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)t));
}

static inline __m256i upper_half(__m256i x)
{
    return _mm256_and_si256(_mm256_srli_epi16(x, 4), _mm256_set1_epi8(0x0f));
}

/* The bytes that stand n places before those of now. */
#    define BEFORE(n) _mm256_alignr_epi8(now, joint, 16 - (n))

static inline __m256i errors(__m256i now, __m256i last)
{
    static const uint8_t before_upper[16] = {LONG,
                                             LONG,
                                             LONG,
                                             LONG,
                                             LONG,
                                             LONG,
                                             LONG,
                                             LONG,
                                             TWO,
                                             TWO,
                                             TWO,
                                             TWO,
                                             SHORT | OVER_2,
                                             SHORT,
                                             SHORT | OVER_3 | SURROGATE,
                                             SHORT | LARGE | LARGE_F5 | OVER_4};
    static const uint8_t before_lower[16] = {ANY | OVER_3 | OVER_2 | OVER_4,
                                             ANY | OVER_2,
                                             ANY,
                                             ANY,
                                             ANY | LARGE,
                                             HIGH,
                                             HIGH,
                                             HIGH,
                                             HIGH,
                                             HIGH,
                                             HIGH,
                                             HIGH,
                                             HIGH,
                                             HIGH | SURROGATE,
                                             HIGH,
                                             HIGH};
    static const uint8_t upper[16] = {SHORT,
                                      SHORT,
                                      SHORT,
                                      SHORT,
                                      SHORT,
                                      SHORT,
                                      SHORT,
                                      SHORT,
                                      LONG | OVER_2 | TWO | OVER_3 | LARGE_F5 | OVER_4,
                                      LONG | OVER_2 | TWO | OVER_3 | LARGE,
                                      LONG | OVER_2 | TWO | SURROGATE | LARGE,
                                      LONG | OVER_2 | TWO | SURROGATE | LARGE,
                                      SHORT,
                                      SHORT,
                                      SHORT,
                                      SHORT};
    const __m256i joint = _mm256_permute2x128_si256(last, now, 0x21);
    const __m256i before = BEFORE(1);
    __m256i e = _mm256_shuffle_epi8(table(before_upper), upper_half(before));
    e = _mm256_and_si256(e, _mm256_shuffle_epi8(table(before_lower),
                                                _mm256_and_si256(before, _mm256_set1_epi8(0x0f))));
    e = _mm256_and_si256(e, _mm256_shuffle_epi8(table(upper), upper_half(now)));
    /* 80 and more where a lead byte two places before is E0.., or three before F0.. */
    __m256i third = _mm256_subs_epu8(BEFORE(2), _mm256_set1_epi8((char)(0xe0 - 0x80)));
    __m256i fourth = _mm256_subs_epu8(BEFORE(3), _mm256_set1_epi8((char)(0xf0 - 0x80)));
    __m256i due = _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8((char)0x80));
    return _mm256_xor_si256(due, e);
}

size_t utf8_skip_avx2(const unsigned char *p, size_t n)
{
    __m256i last = _mm256_setzero_si256();
    size_t i = 0;
    for (; n - i >= 64; i += 64) {
        __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)(p + i));
        __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(p + i + 32));
        __m256i wrong;
        if (_mm256_movemask_epi8(_mm256_or_si256(a, b)) == 0 &&
            _mm256_movemask_epi8(last) >> 29 == 0)
            wrong = _mm256_setzero_si256(); /* ASCII, with nothing due from before */
        else
            wrong = _mm256_or_si256(errors(a, last), errors(b, a));
        if (!_mm256_testz_si256(wrong, wrong))
            break;
        last = b;
    }
    /* a character that begins in the last three bytes may go on behind them */
    for (size_t k = 1; k <= 3 && k <= i; k++) {
        if (p[i - k] >= 0xc0)
            return i - k;
        if (p[i - k] < 0x80)
            break;
    }
    return i;
}
#else
typedef int no_utf8_of_another_processor;
#endif
