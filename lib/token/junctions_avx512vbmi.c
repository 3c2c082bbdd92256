/* Junctions, eight at a time. */
#if defined(__x86_64__)
#    include "token/count_up_avx512_int.h"
#    include "token/junctions.h"

/* The bits of a table of bits, in the lowest place, whose numbers are those of i. */
static ALWAYS_INLINE __m512i bits_of(const uint64_t *table, __m512i i)
{
    const __m512i words = _mm512_i64gather_epi64(_mm512_srli_epi64(i, 6), table, 8);
    return _mm512_srlv_epi64(words, _mm512_and_si512(i, _mm512_set1_epi64(63)));
}

/* junction_spanned() of eight places whose bytes are the lanes of x, as bits. */
static ALWAYS_INLINE unsigned spanned(const struct junctions *j, __m512i x)
{
    const __m512i six = _mm512_slli_epi64(x, 16);
    const __m512i hash = _mm512_srli_epi64(
        _mm512_mullo_epi64(six, _mm512_set1_epi64((int64_t)JUNCTION_MIX)), 64 - JUNCTION_BITS);
    const __m512i edge = _mm512_and_si512(_mm512_srli_epi64(x, 16), _mm512_set1_epi64(0xffff));
    const __m512i bits = _mm512_or_si512(bits_of(j->pair, hash), bits_of(j->edge, edge));
    return _mm512_test_epi64_mask(bits, _mm512_set1_epi64(1));
}

uint64_t junctions_between_avx512vbmi(const struct junctions *j, const unsigned char *s,
                                      uint64_t places)
{
    const __m512i window = _mm512_loadu_si512(s), behind = _mm512_maskz_loadu_epi8(3, s + 64);
    const __m512i place = _mm512_maskz_compress_epi8(places, count_up());
    const __m512i in_lane = _mm512_and_si512(count_up(), _mm512_set1_epi8(7));
    const unsigned n = (unsigned)POPCOUNT64(places);
    uint64_t whole = 0;
    __m512i lane = _mm512_srli_epi16(_mm512_and_si512(count_up(), _mm512_set1_epi8(56)), 3);
    for (unsigned i = 0; i < n; i += 8) {
        const __m512i at = _mm512_add_epi8(_mm512_permutexvar_epi8(lane, place), in_lane);
        const __m512i bytes = _mm512_permutex2var_epi8(window, at, behind);
        whole |= (uint64_t)spanned(j, bytes) << i;
        lane = _mm512_add_epi8(lane, _mm512_set1_epi8(8));
    }
    return _pdep_u64(~whole, places);
}
#else
typedef int no_junctions_of_another_processor;
#endif
