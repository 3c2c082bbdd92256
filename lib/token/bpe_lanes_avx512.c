/* Lanes by AVX-512: a lane is one to four vectors of ids and as many of ranks, and a pair is looked
 * for in all cells of its line at once. What cannot be foretold is no branch. */
#if defined(__x86_64__)
#    include <immintrin.h>

#    include "token/bpe_lanes_int.h"

enum {
    LANES = 16,
    WIDE = 16, /* symbols in a vector */
    MOST_VECTORS = BPE_FEW / WIDE,
    NO_RANK = 0xffffff << 6, /* no merge has that rank */
};

struct lane {
    ALIGNED(64) uint32_t word[WIDE + BPE_FEW + WIDE]; /* ids; beside them what is read in vain */
    ALIGNED(64) int32_t rank[BPE_FEW];                /* of the pair with the next one, times 64 */
    uint64_t left, right; /* the pairs that the last merge made, as keys */
    const uint64_t *left_line, *right_line;
    uint32_t n, at; /* at: the symbol that a merge makes or has just made */
    uint32_t least; /* rank of that merge */
    struct piece_job *job;
};

static ALWAYS_INLINE const uint64_t *fetch_line(const struct bpe *b, uint64_t key)
{
    const uint64_t *line = b->cells + (bpe_cell(b, key) & ~(size_t)(BPE_LINE - 1));
    PREFETCH(line);
    return line;
}

/* Of the pair in the line, in the lowest word, as lanes have it. */
static ALWAYS_INLINE __m128i rank_in(const struct bpe *b, uint64_t key, const uint64_t *line)
{
    const __m512i cells = _mm512_load_si512(line);
    const __mmask8 same =
        _mm512_cmpeq_epi64_mask(_mm512_srli_epi64(cells, 24), _mm512_set1_epi64((int64_t)key));
    const __mmask8 empty = _mm512_cmpeq_epi64_mask(cells, _mm512_set1_epi64((int64_t)BPE_EMPTY));
    const __m512i none = _mm512_set1_epi64(0xffffff);
    __m128i cell = _mm512_castsi512_si128(_mm512_mask_compress_epi64(none, same, cells));
    if (UNLIKELY(!(same | empty))) /* it may stand in the next line */
        cell = _mm_cvtsi32_si128((int)bpe_rank(b, (uint32_t)(key >> 20), key & 0xfffff));
    return _mm_srli_epi32(_mm_slli_epi32(cell, 8), 2);
}

/* The places of vector j. */
static ALWAYS_INLINE __m512i places(size_t j)
{
    const __m512i first = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm512_add_epi32(first, _mm512_set1_epi32((int)(j * WIDE)));
}

/* The bits of 64 that are vector j's. */
static ALWAYS_INLINE __mmask16 bits_of(uint64_t bits, size_t j)
{
    return (__mmask16)(bits >> j * WIDE);
}

/* The next merge, where ranks are as they are now; false: there is none left. */
static ALWAYS_INLINE bool take_least(const struct bpe *b, struct lane *l, const __m512i *ranks,
                                     size_t n_vectors)
{
    __m512i all = _mm512_or_si512(ranks[0], places(0));
    for (size_t j = 0; j < n_vectors; j++) {
        _mm512_store_si512(l->rank + j * WIDE, ranks[j]);
        all = _mm512_min_epi32(all, _mm512_or_si512(ranks[j], places(j)));
    }
    const int32_t least = _mm512_reduce_min_epi32(all);
    l->at = (uint32_t)least & 63;
    l->least = (uint32_t)least >> 6;
    if (UNLIKELY(least >= NO_RANK))
        return false;
    PREFETCH(&b->new_of[l->least]);
    return true;
}

static ALWAYS_INLINE bool begin(const struct bpe *b, struct lane *l, struct piece_job *job,
                                size_t n_vectors)
{
    const uint64_t all = UINT64_MAX >> (64 - job->n), pairs = all >> 1;
    __m512i ranks[MOST_VECTORS];
    for (size_t j = 0; j < n_vectors; j++) {
        const __m128i *s = (const __m128i *)(job->s + j * WIDE);
        const __m128i *next = (const __m128i *)(job->s + j * WIDE + 1);
        const __m512i first = _mm512_cvtepu8_epi32(_mm_loadu_si128(s));
        const __m512i second = _mm512_cvtepu8_epi32(_mm_loadu_si128(next));
        const __m512i pair = _mm512_or_si512(_mm512_slli_epi32(first, 8), second);
        const __m512i ids = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), bits_of(all, j),
                                                        first, b->byte_id, 4);
        const __m512i rank = _mm512_mask_i32gather_epi32(_mm512_set1_epi32((int)BPE_NONE),
                                                         bits_of(pairs, j), pair, b->byte_rank, 4);
        _mm512_store_si512(l->word + WIDE + j * WIDE, ids);
        ranks[j] = _mm512_srli_epi32(_mm512_slli_epi32(rank, 8), 2);
    }
    l->n = (uint32_t)job->n;
    l->job = job;
    return take_least(b, l, ranks, n_vectors);
}

static ALWAYS_INLINE bool choose(const struct bpe *b, struct lane *l, size_t n_vectors)
{
    const uint64_t at = UINT64_C(1) << l->at, pairs = (UINT64_C(1) << (l->n - 1)) - 1;
    const __m128i left = rank_in(b, l->left, l->left_line);
    const __m128i right = rank_in(b, l->right, l->right_line);
    __m512i ranks[MOST_VECTORS];
    for (size_t j = 0; j < n_vectors; j++) {
        const __m512i old = _mm512_load_si512(l->rank + j * WIDE);
        ranks[j] = _mm512_mask_broadcastd_epi32(old, bits_of(at >> 1, j), left);
        ranks[j] = _mm512_mask_broadcastd_epi32(ranks[j], bits_of(at & pairs, j), right);
    }
    return take_least(b, l, ranks, n_vectors);
}

/* A vector, with the one behind it, where what stands at `from` comes from one place further. */
static ALWAYS_INLINE __m512i close_up(__m512i v, __m512i behind, __mmask16 from)
{
    const __m512i i = _mm512_mask_add_epi32(places(0), from, places(0), _mm512_set1_epi32(1));
    return _mm512_permutex2var_epi32(v, i, behind);
}

static ALWAYS_INLINE void merge(const struct bpe *b, struct lane *l, size_t n_vectors)
{
    const uint32_t k = l->at, *id = l->word + WIDE + k;
    const uint32_t before = id[-1], behind = id[2], made = b->new_of[l->least];
    const uint64_t from = UINT64_MAX << k;
    l->left =
        k > 0 ? (uint64_t)before << 20 | made : 0; /* beside the ends is always the same one */
    l->right = k + 2 < l->n ? (uint64_t)made << 20 | behind : 0;
    l->left_line = fetch_line(b, l->left);
    l->right_line = fetch_line(b, l->right);
    __m512i ids = _mm512_load_si512(l->word + WIDE), ranks = _mm512_load_si512(l->rank);
    for (size_t j = 0; j < n_vectors; j++) {
        const bool last = j + 1 == n_vectors;
        uint32_t *word = l->word + WIDE + j * WIDE;
        int32_t *rank = l->rank + j * WIDE;
        const __m512i next_ids = last ? ids : _mm512_load_si512(word + WIDE);
        const __m512i next_ranks =
            last ? _mm512_set1_epi32(NO_RANK) : _mm512_load_si512(rank + WIDE);
        const __m512i closed = close_up(ids, next_ids, bits_of(from, j));
        _mm512_store_si512(word,
                           _mm512_mask_set1_epi32(closed, bits_of(from & -from, j), (int)made));
        _mm512_store_si512(rank, close_up(ranks, next_ranks, bits_of(from, j)));
        ids = next_ids;
        ranks = next_ranks;
    }
    l->n--;
}

static ALWAYS_INLINE void end(const struct lane *l, size_t n_vectors)
{
    const uint64_t all = UINT64_MAX >> (64 - l->n);
    for (size_t j = 0; j < n_vectors; j++)
        _mm512_mask_storeu_epi32(l->job->ids + j * WIDE, bits_of(all, j),
                                 _mm512_load_si512(l->word + WIDE + j * WIDE));
    l->job->n_ids = l->n;
}

/* Begins the next job that has a merge; false: there is none. */
static ALWAYS_INLINE bool begin_next(const struct bpe *b, struct lane *l, struct piece_job **job,
                                     const struct piece_job *behind, size_t n_vectors)
{
    while (*job < behind) {
        if (LIKELY(begin(b, l, (*job)++, n_vectors)))
            return true;
        end(l, n_vectors);
    }
    return false;
}

static ALWAYS_INLINE void merge_lanes(const struct bpe *b, struct piece_job *job, size_t n_jobs,
                                      size_t n_vectors)
{
    struct lane lanes[LANES], *lane[LANES];
    const struct piece_job *behind = job + n_jobs;
    size_t n = 0;
    for (size_t i = 0; i < LANES; i++)
        lanes[i].word[WIDE - 1] = lanes[i].word[WIDE + n_vectors * WIDE] = 0;
    while (n < LANES && begin_next(b, &lanes[n], &job, behind, n_vectors)) {
        lane[n] = &lanes[n];
        n++;
    }
    while (n > 0) {
        for (size_t i = 0; i < n; i++)
            merge(b, lane[i], n_vectors);
        for (size_t i = 0; i < n;) {
            if (LIKELY(choose(b, lane[i], n_vectors))) {
                i++;
                continue;
            }
            end(lane[i], n_vectors);
            if (begin_next(b, lane[i], &job, behind, n_vectors))
                i++;
            else
                lane[i] = lane[--n];
        }
    }
}

/* Those of at most so many bytes first: how many. */
static size_t short_first(struct piece_job *jobs, size_t n_jobs, size_t most)
{
    size_t n = 0;
    for (size_t i = 0; i < n_jobs; i++)
        if (jobs[i].n <= most) {
            const struct piece_job job = jobs[i];
            jobs[i] = jobs[n];
            jobs[n++] = job;
        }
    return n;
}

void bpe_merge_lanes_avx512(const struct bpe *b, struct piece_job *jobs, size_t n_jobs)
{
    size_t n = short_first(jobs, n_jobs, WIDE);
    merge_lanes(b, jobs, n, 1);
    jobs += n;
    n_jobs -= n;
    n = short_first(jobs, n_jobs, 2 * WIDE);
    merge_lanes(b, jobs, n, 2);
    merge_lanes(b, jobs + n, n_jobs - n, MOST_VECTORS);
}
#else
typedef int no_lanes_of_another_processor;
#endif
