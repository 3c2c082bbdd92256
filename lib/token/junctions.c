/* Where byte-level BPE can never merge: see junctions.h. */
#include "token/junctions.h"

#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/le.h"
#include "base/mem.h"

struct junctions *junctions_new(struct err *e)
{
    struct junctions *j = mem_new(1, sizeof(struct junctions), e);
    if (!j)
        return NULL;
    j->between = junctions_between;
#if defined(__x86_64__)
    if (cpu_uses_vbmi2())
        j->between = junctions_between_avx512vbmi;
#endif
    return j;
}

void junctions_free(struct junctions *j)
{
    free(j);
}

static bool goes_on(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

/* All characters of three bytes whose last (left) or first (right) n bytes are those at known. */
static size_t completions(const unsigned char *known, size_t n, bool left, uint32_t *all)
{
    size_t k = 0, n_first = left && n < 3 ? 16 : 1;
    size_t n_second = n == 1 ? 64 : 1, n_third = !left && n < 3 ? 64 : 1;
    for (size_t a = 0; a < n_first; a++)
        for (size_t b = 0; b < n_second; b++)
            for (size_t c = 0; c < n_third; c++) {
                unsigned char s[3] = {(unsigned char)(0xe0 | a), (unsigned char)(0x80 | b),
                                      (unsigned char)(0x80 | c)};
                memcpy(left ? s + 3 - n : s, known, n);
                all[k++] = (uint32_t)s[0] | (uint32_t)s[1] << 8 | (uint32_t)s[2] << 16;
            }
    return k;
}

static void set(uint64_t *bits, uint32_t i)
{
    bits[i >> 6] |= UINT64_C(1) << (i & 63);
}

/* n_left bytes before the place and n_right behind it are known of the characters there. */
static void add_place(struct junctions *j, const unsigned char *p, size_t n_left, size_t n_right)
{
    enum { MOST = 1024 };
    uint32_t left[MOST], right[MOST];
    if (n_left == 3 && n_right == 3) {
        unsigned char both[8] = {0}; /* nothing may be read behind the token */
        memcpy(both, p - 3, 6);
        set(j->pair, junction_hash(le64_get(both)));
        return;
    }
    /* 1 known byte leaves 1024 characters on the left, 4096 on the right; 2 leave 16 and 64 */
    size_t n = (n_left == 1   ? 1024
                : n_left == 2 ? 16
                              : 1) *
               (n_right == 1   ? 4096
                : n_right == 2 ? 64
                               : 1);
    if (n > MOST) {
        set(j->edge, (uint32_t)p[-1] | (uint32_t)p[0] << 8);
        return;
    }
    n_left = completions(p - n_left, n_left, true, left);
    n_right = completions(p, n_right, false, right);
    for (size_t i = 0; i < n_left; i++)
        for (size_t k = 0; k < n_right; k++)
            set(j->pair, junction_hash((uint64_t)left[i] | (uint64_t)right[k] << 24));
}

void junctions_add(struct junctions *j, const char *s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s;
    for (size_t i = 1; i < n; i++) {
        size_t left = 1, right = 1;
        if ((p[i] & 0xf0) != 0xe0 || !goes_on(p[i - 1]))
            continue;
        while (left < 2 && left < i && goes_on(p[i - left - 1]))
            left++;
        /* before the bytes that go on: the token's beginning, or the first byte of the character,
         * which must be one of three bytes */
        if (left < i) {
            if (left < 2 || (p[i - 3] & 0xf0) != 0xe0)
                continue;
            left = 3;
        }
        while (right < 3 && i + right < n && goes_on(p[i + right]))
            right++;
        add_place(j, p + i, left, right);
    }
}

/* Whether a token spans the place between the characters at p and p + 3; 8 bytes are readable. */
static ALWAYS_INLINE uint64_t junction_spanned(const struct junctions *j, const unsigned char *p)
{
    uint64_t x = le64_get(p);
    uint32_t i = junction_hash(x), edge = (uint32_t)(x >> 16) & 0xffff;
    return ((j->pair[i >> 6] >> (i & 63)) | (j->edge[edge >> 6] >> (edge & 63))) & 1;
}

uint64_t junctions_between(const struct junctions *j, const unsigned char *s, uint64_t places)
{
    uint64_t cuts = 0;
    for (; places; places &= places - 1) {
        const unsigned at = (unsigned)CTZ64(places);
        cuts |= (~junction_spanned(j, s + at) & 1) << at;
    }
    return cuts;
}

bool junctions_mark(const struct junctions *j, const char *s, struct cut_window *w, size_t n)
{
    uint64_t any = 0;
    for (size_t i = 0; i < n; i++) {
        const uint64_t places = w[i].wide & w[i].wide >> 3;
        const uint64_t cuts =
            places ? j->between(j, (const unsigned char *)s + w[i].at, places) : 0;
        w[i].wide = cuts << 3 & ~w[i].ends;
        w[i].ends |= w[i].wide;
        any |= w[i].wide;
    }
    return any != 0;
}
