/* XXH3 by libxxhash, CRC-32 by zlib or, where the processor can, by products without carries. */
#include "base/hash.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <xxhash.h>
#include <zlib.h>

#include "base/compiler.h"
#include "base/cpu.h"
#include "base/xxh3_impl_int.h"

/* Chooses for this processor, once. */
static const struct xxh3 *xxh3(void)
{
    static const struct xxh3 portable = {all64, all128, new, add, get64, get128, end};
    static const struct xxh3 *_Atomic chosen;
    const struct xxh3 *x = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (LIKELY(x != NULL))
        return x;
    x = &portable;
#if defined(__x86_64__)
    enum isa isa;
    if (cpu_isa(&isa, NULL) == 0 && isa != ISA_PORTABLE)
        x = &xxh3_avx2;
#endif
    atomic_store(&chosen, x);
    return x;
}

/* What is no longer takes no vectors. */
enum { SHORT_BYTES = 240 };

uint64_t hash64(const void *p, size_t n, uint64_t seed)
{
    return n <= SHORT_BYTES ? all64(p, n, seed) : xxh3()->all64(p, n, seed);
}

struct hash128 hash128(const void *p, size_t n)
{
    return n <= SHORT_BYTES ? all128(p, n) : xxh3()->all128(p, n);
}

#if defined(__x86_64__)
/* From how many bytes on which way is taken; looked up once, for asking the processor takes longer
 * than a short checksum. */
struct crc_ways {
    size_t clmul, wide;
};

static const struct crc_ways *crc_ways(void)
{
    static const struct crc_ways ways[] = {{SIZE_MAX, SIZE_MAX}, {64, SIZE_MAX}, {64, 1024}};
    static const struct crc_ways *_Atomic chosen;
    const struct crc_ways *w = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (LIKELY(w != NULL))
        return w;
    enum isa isa;
    bool vectors = cpu_isa(&isa, NULL) == 0 && isa != ISA_PORTABLE && cpu_has_clmul();
    w = &ways[vectors + (vectors && cpu_uses_vbmi2())];
    atomic_store(&chosen, w);
    return w;
}
#endif

uint32_t crc32_of(uint32_t crc, const void *p, size_t n)
{
    const unsigned char *s = p;
#if defined(__x86_64__)
    if (n >= crc_ways()->clmul) {
        crc = n >= crc_ways()->wide ? crc32_avx512vbmi(crc, s, n) : crc32_clmul(crc, s, n);
        s += n / 16 * 16;
        n %= 16;
    }
#endif
    /* a null pointer asks zlib for the initial value, not for the value so far */
    return n == 0 ? crc : (uint32_t)crc32_z(crc, s, n);
}

struct hash_state {
    const struct xxh3 *by;
    void *x; /* over-aligned, so not part of ours */
};

struct hash_state *hash_new(void)
{
    struct hash_state *h = malloc(sizeof *h);
    if (!h)
        return NULL;
    h->by = xxh3();
    h->x = h->by->new ();
    if (!h->x) {
        free(h);
        return NULL;
    }
    return h;
}

void hash_add(struct hash_state *h, const void *p, size_t n)
{
    h->by->add(h->x, p, n);
}

uint64_t hash_get64(const struct hash_state *h)
{
    return h->by->get64(h->x);
}

struct hash128 hash_get128(const struct hash_state *h)
{
    return h->by->get128(h->x);
}

void hash_free(struct hash_state *h)
{
    if (!h)
        return;
    h->by->end(h->x);
    free(h);
}

void hash128_hex(char out[33], struct hash128 h)
{
    static const char hex[] = "0123456789abcdef";
    for (int i = 0; i < 16; i++) {
        out[i] = hex[h.hi >> (60 - 4 * i) & 15];
        out[16 + i] = hex[h.lo >> (60 - 4 * i) & 15];
    }
    out[32] = '\0';
}
