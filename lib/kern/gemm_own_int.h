/*
 * The suite's own products: what gemm_own.c asks of an instruction set, and what it gives to
 * gemm.c. After BLIS (Van Zee & van de Geijn 2015) with Goto's packing (Goto & van de Geijn 2008).
 *
 *
 *     c[m, n] = a · b    a in panels of about equal width, at most mr; b in panels of width nr,
 *                        zeros behind the last vector
 *
 * Packed operands are made of words of 32 bits: a float, or a pair of bf16 that follow each other
 * along k (the second of an odd k's last pair is zero). A panel of b holds, for each word along k
 * in turn, the words of its nr vectors: panel[i * nr + r] is word i of vector r. How a panel of a
 * holds its rows is the kernel's business, and it depends on how they were packed (across or along
 * memory); words [i, ..) begin at panel[i * width], width being rows rounded up to row_unit and i a
 * multiple of word_unit.
 */
#ifndef GEMM_OWN_INT_H
#define GEMM_OWN_INT_H

#include "base/compiler.h"
#include "base/cpu.h"
#include "kern/gemm_int.h"

/* What a tile fetches into the second-level cache while it multiplies, since it is wanted soon: a
 * line for each two words along k, so many for each word_unit of them, `turn` times step bytes
 * apart, and so on from next bytes behind where the turn began. */
struct own_ahead {
    const char *at;
    ptrdiff_t step, next;
    int turn;
};
enum { OWN_LINE = 64 };

/* c[rows, nr] = (or +=) Σ over n_words of the panels a and b. */
struct own_operands {
    int rows, n_words; /* rows ≤ mr */
    const float *a;
    bool across; /* as a was packed */
    bool cold;   /* b comes from behind the second-level cache, or the tile is short: fetch more */
    size_t lda;  /* 0, or a is rows of bf16 as they stand, so many bytes apart */
    const float *b;
    float *c;
    size_t ldc;
    bool add;
    struct own_ahead ahead;
};

struct own_kernels {
    int mr, nr;    /* rows and columns of the register tile */
    int per_word;  /* elements along k in a word */
    int row_unit;  /* panels of a are this many rows or multiples, zeros behind the last */
    bool fetches;  /* tiles fetch what own_operands tell */
    bool in_place; /* tiles read rows of bf16 as they stand, whole row_units of them */
    int word_unit; /* panels are this many words long or multiples, zeros behind the last */
    /* At most so much is worked on at a time. */
    int kc_tile;      /* words along k of a register tile, for the first-level cache */
    int kc, kc_dgrad; /* words along k of a job's blocks of a and b, for the second */
    int kc_team;      /* words along k that the team packs at a time */
    int kc_put;       /* of so few, a block of each at most, c may go past the caches */
    int job_a, job_b; /* panels of a and b in a job, or */
    int row_b;        /* panels of b in a job that packs its panels of a itself */
    /* What the calling thread needs before and after its tiles, or NULL. */
    void (*begin)(void);
    void (*end)(void);
    /* Each element of c is one chain in ascending k, whatever rows is. Writes whole row_units. */
    void (*tile)(const struct own_operands *o);
    /* Copies rows of nr floats, of which n are wanted, past the caches; put_end() before another
     * thread reads them. NULL where kc_put is 0. */
    void (*put)(float *c, size_t ldc, const float *tile, int rows, int n);
    void (*put_end)(void);
    /* A panel of vectors that lie along memory, x[r·ldx + i], or across it, x[i·ldx + r], k
     * elements each: of a, rows of them, of b, n ≤ nr, or for strips all n, their panels `panel`
     * floats apart. By the type of x where there are two; that of bf16 is NULL without pairs. */
    void (*pack_a_along[2])(float *to, int rows, const void *x, size_t ldx, int k);
    void (*pack_a_across[2])(float *to, int rows, const void *x, size_t ldx, int k);
    void (*pack_b_along)(float *to, int n, const void *x, size_t ldx, int k);
    void (*pack_b_strip[2])(float *to, size_t panel, const void *x, size_t ldx, int n, int k);
    /* The same, past the caches: weights of which none would be there when it is needed. `to` is
     * whole cache lines from 0 on. */
    void (*pack_w_along)(float *to, int n, const void *x, size_t ldx, int k);
    void (*pack_w_strip)(float *to, size_t panel, const void *x, size_t ldx, int n, int k);
};

/* What packing reads: floats, floats to be rounded to bf16, or bf16. */
enum own_source { OWN_PLAIN, OWN_ROUND, OWN_HALF };

/* Its element i. */
static ALWAYS_INLINE const void *own_at(const void *x, size_t i, enum own_source s)
{
    return s == OWN_HALF ? (const void *)((const uint16_t *)x + i) : (const float *)x + i;
}

enum { OWN_MAX_TILE = 1024, OWN_MAX_NR = 64 }; /* mr * nr, and nr, at most */

/* By enum gemm_dtype; without an instruction for pairs, bf16 is floats that were rounded. */
extern const struct own_kernels gemm_own_portable[2];
#if defined(__x86_64__)
extern const struct own_kernels gemm_own_avx2[2], gemm_own_avx512[2], gemm_own_avx512bf16,
    gemm_own_amx;
#elif defined(__aarch64__)
extern const struct own_kernels gemm_own_neon[2];
#endif

bool gemm_own_reads_bf16(void);
/* Whether the input gradient reads a packed layout of its own, or the matrix in place. */
bool gemm_own_keeps_both(enum gemm_dtype t);
/* Floats of a packed [n, k] weight: for the forward product, and behind it for the gradient where
 * that has its own. */
size_t gemm_own_weight_floats(int n, int k, enum gemm_dtype t, bool with_dgrad);
/* Packing in jobs that any thread may do, of so many rows each. */
int gemm_own_pack_rows(enum gemm_dtype t, bool with_dgrad);
int64_t gemm_own_pack_jobs(int n, enum gemm_dtype t, bool with_dgrad);
/* far: too much to stay in a cache. */
void gemm_own_pack(float *to, const float *w, int n, int k, enum gemm_dtype t, bool with_dgrad,
                   bool far, int64_t job);
void gemm_own_pack_from(float *to, const struct gemm_source *s, int n, int k, enum gemm_dtype t,
                        bool far, int64_t job);

/* Register tiles of c[m, n], each of which leaves a sum where the epilogue asks for squares. */
size_t gemm_own_tiles(enum gemm_dtype t, int m, int n);
size_t gemm_own_scratch_floats(enum gemm_dtype t, int m, int n, int k);

/* As gemm_int.h's tile, but collective and of the whole c, with a barrier at its end. b is the
 * weight as packed, or the matrix for GEMM_TN and for a GEMM_NN that has no layout of its own. */
void gemm_own_product(struct worker *wk, enum gemm_dtype t, enum gemm_kind kind, int m, int n,
                      int k, struct gemm_rows a, struct gemm_rows b, float *c, int ldc, bool add,
                      const struct gemm_epilogue *ep, float *scratch);

#endif
