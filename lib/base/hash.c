/* XXH3 by libxxhash, CRC-32 by zlib or, where the processor can, by products without carries. */
#include "base/hash.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <xxhash.h>
#include <zlib.h>

#include "base/bug.h"
#include "base/cpu.h"
#include "base/hash_int.h"

uint64_t hash64(const void *p, size_t n, uint64_t seed)
{
    return XXH3_64bits_withSeed(p, n, seed);
}

struct hash128 hash128(const void *p, size_t n)
{
    XXH128_hash_t h = XXH3_128bits(p, n);
    return (struct hash128){.lo = h.low64, .hi = h.high64};
}

#if defined(__x86_64__)
/* Looked up once: asking the processor takes longer than a short checksum. */
static bool has_clmul(void)
{
    static atomic_int known = -1;
    int has = atomic_load_explicit(&known, memory_order_relaxed);
    if (has < 0) {
        enum isa isa;
        has = cpu_isa(&isa, NULL) == 0 && isa != ISA_PORTABLE && cpu_has_clmul();
        atomic_store(&known, has);
    }
    return has;
}
#endif

uint32_t crc32_of(uint32_t crc, const void *p, size_t n)
{
    const unsigned char *s = p;
#if defined(__x86_64__)
    if (n >= 64 && has_clmul()) {
        crc = crc32_clmul(crc, s, n);
        s += n / 16 * 16;
        n %= 16;
    }
#endif
    /* a null pointer asks zlib for the initial value, not for the value so far */
    return n == 0 ? crc : (uint32_t)crc32_z(crc, s, n);
}

/* XXH3's streaming state is the same for 64 and 128 bits; they differ in the digest alone. */
struct hash_state {
    XXH3_state_t *x;
};

struct hash_state *hash_new(void)
{
    struct hash_state *h = malloc(sizeof *h);
    if (!h)
        return NULL;
    h->x = XXH3_createState(); /* over-aligned, so not part of ours */
    if (!h->x || XXH3_128bits_reset(h->x) != XXH_OK) {
        hash_free(h);
        return NULL;
    }
    return h;
}

void hash_add(struct hash_state *h, const void *p, size_t n)
{
    if (n > 0 && XXH3_128bits_update(h->x, p, n) != XXH_OK)
        BUG("XXH3 refused %zu bytes", n);
}

uint64_t hash_get64(const struct hash_state *h)
{
    return XXH3_64bits_digest(h->x);
}

struct hash128 hash_get128(const struct hash_state *h)
{
    XXH128_hash_t d = XXH3_128bits_digest(h->x);
    return (struct hash128){.lo = d.low64, .hi = d.high64};
}

void hash_free(struct hash_state *h)
{
    if (!h)
        return;
    XXH3_freeState(h->x);
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
