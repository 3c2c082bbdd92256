/* Keys of four pieces at a time: a window is one register, out of which each piece is picked by the
 * places of its bytes, and a cell is looked for in both cells of a line at once. */
#if defined(__x86_64__)
#    include "token/count_up_avx512_int.h"
#    include "token/keys.h"

/* k0 and k1 of four pieces of the window, from the bytes of `start` that lane says on, as many as
 * those of len say; what is longer than CACHE_INLINE comes out wrong. */
static ALWAYS_INLINE __m512i words(__m512i window, __m512i start, __m512i len, __m512i lane)
{
    const __m512i in_lane = _mm512_and_si512(count_up(), _mm512_set1_epi8(15));
    const __m512i from = _mm512_add_epi8(_mm512_permutexvar_epi8(lane, start), in_lane);
    const __m512i n = _mm512_permutexvar_epi8(lane, len);
    const __m512i bytes =
        _mm512_maskz_permutexvar_epi8(_mm512_cmplt_epu8_mask(in_lane, n), from, window);
    return _mm512_mask_mov_epi8(bytes, UINT64_C(0x8000800080008000), n);
}

/* cache_home() of eight pieces, whose words are in a and b. */
static ALWAYS_INLINE __m512i homes(__m512i a, __m512i b, const struct cache *c)
{
    const __m512i even = _mm512_set_epi64(14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i k0 = _mm512_permutex2var_epi64(a, even, b);
    const __m512i k1 =
        _mm512_permutex2var_epi64(a, _mm512_add_epi64(even, _mm512_set1_epi64(1)), b);
    const __m512i hash = _mm512_mullo_epi64(
        _mm512_xor_si512(k0, _mm512_mullo_epi64(k1, _mm512_set1_epi64((int64_t)CACHE_MIX_B))),
        _mm512_set1_epi64((int64_t)CACHE_MIX));
    const __m512i at = _mm512_and_si512(_mm512_srli_epi64(hash, CACHE_HOME_BIT),
                                        _mm512_set1_epi64((int64_t)c->homes));
    return _mm512_add_epi64(at, _mm512_set1_epi64((int64_t)(uintptr_t)c->cells));
}

static NO_INLINE void put_long(struct keys *k, const struct cache *c, size_t j, const char *from,
                               size_t len)
{
    keys_put(k, j, len <= CACHE_LONGEST ? cache_key(c, from, len) : cache_no_key(c, from));
}

/* The pieces that begin and end in the window: from `from` on, and where `ends` says. How many. */
static ALWAYS_INLINE size_t put_window(struct keys *k, const struct cache *c, size_t j,
                                       const char *at, unsigned from, uint64_t ends)
{
    const size_t n = (size_t)POPCOUNT64(ends);
    const __m512i window = _mm512_loadu_si512(at);
    const __m512i end = _mm512_maskz_compress_epi8(ends, count_up());
    const __m512i start = _mm512_maskz_compress_epi8(ends | UINT64_C(1) << from, count_up());
    const __m512i len = _mm512_sub_epi8(end, start);
    uint64_t too_long = _mm512_cmpgt_epu8_mask(len, _mm512_set1_epi8(CACHE_INLINE)) &
                        (n < 64 ? (UINT64_C(1) << n) - 1 : UINT64_MAX);
    ALIGNED(64) unsigned char starts[64], lens[64];
    _mm512_store_si512(starts, start);
    __m512i lane = _mm512_srli_epi16(_mm512_and_si512(count_up(), _mm512_set1_epi8(48)), 4);
    for (size_t i = 0; i < n; i += 8) {
        const __m512i next = _mm512_add_epi8(lane, _mm512_set1_epi8(4));
        const __m512i a = words(window, start, len, lane), b = words(window, start, len, next);
        const __m512i s = _mm512_cvtepu8_epi64(_mm_loadl_epi64((const __m128i *)(starts + i)));
        _mm512_storeu_si512(k->word[j + i], a);
        _mm512_storeu_si512(k->word[j + i + 4], b);
        _mm512_storeu_si512(k->home + j + i, homes(a, b, c));
        _mm512_storeu_si512(k->s + j + i,
                            _mm512_add_epi64(s, _mm512_set1_epi64((int64_t)(uintptr_t)at)));
        lane = _mm512_add_epi8(next, _mm512_set1_epi8(4));
    }
    if (UNLIKELY(too_long != 0)) {
        _mm512_store_si512(lens, len);
        for (; too_long; too_long &= too_long - 1) {
            const unsigned i = (unsigned)CTZ64(too_long);
            put_long(k, c, j + i, at + starts[i], lens[i]);
        }
    }
    return n;
}

static void take(struct keys *k, const struct cache *c, const char *text,
                 const struct cut_window *w, size_t n)
{
    const struct cache cache = *c; /* copies need not be read again after each store */
    const char *from = k->s[k->n];
    size_t j = 0, fetched = 0;
    for (size_t i = 0; i < n; i++) {
        /* those of the windows before: what was just stored could not be read at once */
        for (; fetched + 8 <= j; fetched += 8)
            for (size_t m = 0; m < 8; m++)
                PREFETCH(k->home[fetched + m]);
        const char *at = text + w[i].at;
        uint64_t ends = w[i].ends;
        if (UNLIKELY(from < at && ends)) { /* the piece began before the window */
            const char *to = at + (unsigned)CTZ64(ends);
            put_long(k, &cache, j++, from, (size_t)(to - from));
            from = to;
            ends &= ends - 1;
        }
        if (ends) {
            j += put_window(k, &cache, j, at, (unsigned)(from - at), ends);
            from = at + 63 - (unsigned)CLZ64(ends);
        }
    }
    for (; fetched < j; fetched++)
        PREFETCH(k->home[fetched]);
    k->s[j] = from;
    k->n = j;
}

/* Where in a line of two cells the ids are, by which of its words are the key's: bits 0 and 1 of
 * the first cell, 4 and 5 of the second. 0: it is in neither. */
#    define PLACE(m)     ((m) % 4 == 3 ? 16 : (m) / 16 % 4 == 3 ? 48 : 0)
#    define PLACES_4(m)  PLACE(m), PLACE((m) + 1), PLACE((m) + 2), PLACE((m) + 3)
#    define PLACES_16(m) PLACES_4(m), PLACES_4((m) + 4), PLACES_4((m) + 8), PLACES_4((m) + 12)
#    define PLACES_64(m) PLACES_16(m), PLACES_16((m) + 16), PLACES_16((m) + 32), PLACES_16((m) + 48)
static const uint8_t place_of[256] = {PLACES_64(0), PLACES_64(64), PLACES_64(128), PLACES_64(192)};

static size_t ids(const struct keys *k, size_t i, uint32_t **v)
{
    enum { CELL_IDS = offsetof(struct cache_cell, id01) };
    const size_t first = i, n = k->n;
    uint32_t *out = *v;
    const __m128i *word = (const __m128i *)k->word[i];
    for (; i < n; i++, word++) {
        const char *home = (const char *)k->home[i];
        const __m512i key = _mm512_broadcast_i64x2(_mm_load_si128(word));
        const size_t at = place_of[_mm512_cmpeq_epi64_mask(_mm512_load_si512(home), key)];
        if (UNLIKELY(!at))
            break;
        /* another thread may write the cell: number and ids are loaded in the order opposite to
         * that in which they are stored, and 16 aligned bytes come as one */
        const struct cache_cell *cell = (const struct cache_cell *)(home + at - CELL_IDS);
        const uint32_t count = cache_count(cell);
        _mm_storeu_si128((__m128i *)out, _mm_load_si128((const __m128i *)&cell->id01));
        if (UNLIKELY(count > CACHE_IDS))
            break;
        out += count;
    }
    *v = out;
    return i - first;
}

const struct keys_ops keys_avx512vbmi = {take, ids};
#else
typedef int no_keys_of_another_processor;
#endif
