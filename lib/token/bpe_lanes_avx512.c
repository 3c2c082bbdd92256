/* Lanes that look for a pair in all cells of its line at once; those of up to 16 symbols are a
 * vector of ids and one of ranks each. */
#if defined(__x86_64__)
#    include <immintrin.h>

#    include "token/bpe_model.h"

static ALWAYS_INLINE uint32_t rank_of(const struct bpe *b, uint32_t left, uint32_t right)
{
    const uint64_t key = (uint64_t)left << 20 | right;
    const __m512i line = _mm512_load_si512(b->cells + (bpe_cell(b, key) & ~(size_t)(BPE_LINE - 1)));
    const __mmask8 same =
        _mm512_cmpeq_epi64_mask(_mm512_srli_epi64(line, 24), _mm512_set1_epi64((int64_t)key));
    const __mmask8 empty = _mm512_cmpeq_epi64_mask(line, _mm512_set1_epi64((int64_t)BPE_EMPTY));
    if (UNLIKELY(!(same | empty)))
        return bpe_rank(b, left, right); /* it may stand in the next line */
    const __m128i cell = _mm512_castsi512_si128(_mm512_maskz_compress_epi64(same, line));
    const uint32_t rank = (uint32_t)_mm_cvtsi128_si32(cell) & 0xffffff;
    return same ? rank : BPE_NONE;
}

#    include "token/bpe_lanes_impl_int.h"

enum { SHORT = 16 };

/* As struct lane. What is beside a lane's ids is read, too, and fetched for, and of no effect. */
struct short_lane {
    ALIGNED(64) uint32_t word[3 * SHORT]; /* ids in the middle */
    ALIGNED(64) int32_t rank[SHORT];
    uint32_t n, at, least;
    struct piece_job *job;
};

static ALWAYS_INLINE __m512i no_ranks(void)
{
    return _mm512_set1_epi32(NO_RANK);
}

static ALWAYS_INLINE void begin_short(const struct bpe *b, struct short_lane *l,
                                      struct piece_job *job)
{
    const uint32_t n = (uint32_t)job->n;
    const __m512i zero = _mm512_setzero_si512();
    const __m512i first = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)job->s));
    const __m512i second = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(job->s + 1)));
    const __m512i pair = _mm512_or_si512(_mm512_slli_epi32(first, 8), second);
    const __mmask16 all = (__mmask16)((1u << n) - 1), pairs = all >> 1;
    const __m512i ids = _mm512_mask_i32gather_epi32(zero, all, first, b->byte_id, 4);
    const __m512i ranks =
        _mm512_mask_i32gather_epi32(_mm512_set1_epi32(-1), pairs, pair, b->byte_rank, 4);
    const __mmask16 some = _mm512_cmpneq_epi32_mask(ranks, _mm512_set1_epi32((int)BPE_NONE));
    _mm512_store_si512(l->word + SHORT, ids);
    _mm512_store_si512(l->rank, _mm512_mask_slli_epi32(no_ranks(), some, ranks, 6));
    l->n = n;
    l->at = UINT32_MAX;
    l->job = job;
}

static ALWAYS_INLINE bool choose_short(const struct bpe *b, struct short_lane *l)
{
    const __m512i places = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const uint32_t k = l->at, *id = l->word + SHORT + k;
    __m512i ranks = _mm512_load_si512(l->rank);
    if (LIKELY(k != UINT32_MAX)) {
        const int32_t left = shifted(rank_of(b, id[-1], id[0]));
        const int32_t right = shifted(rank_of(b, id[0], id[1]));
        const __mmask16 at = (__mmask16)(1u << k);
        ranks = _mm512_mask_set1_epi32(ranks, at >> 1, left);
        ranks = _mm512_mask_set1_epi32(ranks, at, k + 1 < l->n ? right : NO_RANK);
        _mm512_store_si512(l->rank, ranks);
    }
    const int32_t least = _mm512_reduce_min_epi32(_mm512_or_si512(ranks, places));
    l->at = (uint32_t)least & 63;
    l->least = (uint32_t)least >> 6;
    return least < NO_RANK;
}

static ALWAYS_INLINE void merge_short(const struct bpe *b, struct short_lane *l)
{
    const uint32_t k = l->at, *id = l->word + SHORT + k;
    const __mmask16 at = (__mmask16)(1u << k), next = (__mmask16)(2u << k);
    const __m512i ids =
        _mm512_mask_set1_epi32(_mm512_load_si512(l->word + SHORT), at, (int)b->new_of[l->least]);
    _mm512_store_si512(l->word + SHORT, _mm512_maskz_compress_epi32((__mmask16)~next, ids));
    _mm512_store_si512(l->rank, _mm512_mask_compress_epi32(no_ranks(), (__mmask16)~at,
                                                           _mm512_load_si512(l->rank)));
    l->n--;
    fetch(b, id[-1], id[0]);
    fetch(b, id[0], id[1]);
}

static void merge_short_lanes(const struct bpe *b, struct piece_job *jobs, size_t n_jobs)
{
    struct short_lane lanes[LANES], *lane[LANES];
    size_t next = 0, n = 0;
    memset(lanes, 0, sizeof lanes);
    for (; n < LANES && next < n_jobs; n++) {
        lane[n] = &lanes[n];
        begin_short(b, lane[n], &jobs[next++]);
    }
    while (n > 0) {
        for (size_t i = 0; i < n;) {
            struct short_lane *l = lane[i];
            if (LIKELY(choose_short(b, l))) {
                PREFETCH(&b->new_of[l->least]);
                i++;
                continue;
            }
            _mm512_mask_storeu_epi32(l->job->ids, (__mmask16)((1u << l->n) - 1),
                                     _mm512_load_si512(l->word + SHORT));
            l->job->n_ids = l->n;
            if (next < n_jobs)
                begin_short(b, l, &jobs[next++]);
            else
                lane[i] = lane[--n];
        }
        for (size_t i = 0; i < n; i++)
            merge_short(b, lane[i]);
    }
}

void bpe_merge_lanes_avx512(const struct bpe *b, struct piece_job *jobs, size_t n_jobs)
{
    size_t n_short = 0;
    for (size_t i = 0; i < n_jobs; i++)
        if (jobs[i].n <= SHORT) {
            const struct piece_job job = jobs[i];
            jobs[i] = jobs[n_short];
            jobs[n_short++] = job;
        }
    merge_short_lanes(b, jobs, n_short);
    merge_lanes(b, jobs + n_short, n_jobs - n_short);
}
#else
typedef int no_lanes_of_another_processor;
#endif
