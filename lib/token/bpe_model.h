/*
 * Byte-level BPE as a model: merges as one hash table of 8-byte cells, left 20 bits, right 20 bits,
 * rank 24 bits, and the new token of each rank beside it. Pairs of single bytes are looked up
 * directly.
 */
#ifndef TOKEN_BPE_MODEL_H
#define TOKEN_BPE_MODEL_H

#include "base/compiler.h"
#include "token/token_int.h"

#define BPE_NONE  UINT32_MAX /* no id, no rank */
#define BPE_EMPTY UINT64_MAX
enum { BPE_MAX_MERGES = (1 << 24) - 2 };
enum { BPE_FEW = 64 }; /* symbols among which the smallest rank is found by looking at all */

struct bpe {
    const struct vocab *vocab; /* of the tokenizer; for ignore_merges */
    uint32_t (*pairs)[2];      /* by rank: left, right */
    uint32_t *new_of;          /* by rank */
    size_t n_merges;
    uint64_t *cells;
    size_t n_cells;
    int shift;             /* 64 - log2(n_cells) */
    bool has_bytes;        /* all 256 */
    uint32_t byte_id[256]; /* BPE_NONE: the vocabulary lacks it */
    uint32_t *byte_rank;   /* of the pair of bytes a << 8 | b */
    int64_t unk;           /* what stands for a lacking byte; -1: nothing does */
    bool unk_missing; /* there should be one, but it is no token: an error where it is needed */
    bool fuse_unk, ignore_merges;
    bool lacks_bytes; /* byte_fallback would have something to do */
};

/* Cells stand in lines of the processor's cache, whose cells vectors compare at once. A pair is
 * looked for from its cell on, around the line, up to an empty cell, then in the next line. */
enum { BPE_LINE = 8 };

static ALWAYS_INLINE size_t bpe_cell(const struct bpe *b, uint64_t key)
{
    return (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> b->shift);
}

/* The cell to look at behind cell i, the n-th (from 1) that was looked at. */
static ALWAYS_INLINE size_t bpe_next_cell(const struct bpe *b, size_t i, size_t n)
{
    return n % BPE_LINE ? (i & ~(size_t)(BPE_LINE - 1)) | ((i + 1) & (BPE_LINE - 1))
                        : (i + BPE_LINE) & (b->n_cells - 1);
}

/* The rank of the merge of two tokens, BPE_NONE if there is none. */
static ALWAYS_INLINE uint32_t bpe_rank(const struct bpe *b, uint32_t left, uint32_t right)
{
    uint64_t key = (uint64_t)left << 20 | right;
    for (size_t i = bpe_cell(b, key), n = 1;; i = bpe_next_cell(b, i, n++)) {
        uint64_t v = b->cells[i];
        if (v >> 24 == key)
            return (uint32_t)v & 0xffffff;
        if (v == BPE_EMPTY)
            return BPE_NONE;
    }
}

extern const struct model_ops bpe_ops, bpe_decode_ops; /* the latter refuses to encode */

/* Pieces of 1 to BPE_FEW bytes, all of them in the vocabulary, with 32 readable bytes behind. */
void bpe_merge_lanes(const struct bpe *b, struct piece_job *jobs, size_t n_jobs);

/* The array of merges, whose opening bracket was just scanned, against the tokenizer's vocabulary;
 * pairs_only: not what they make, which only encoding needs. Then what the vocabulary says, when
 * all settings are known, and the tables to encode with. */
int bpe_read_merges(struct tokenizer *t, struct bpe *b, struct jscan *j, bool pairs_only,
                    struct err *e);
void bpe_finish(struct tokenizer *t, struct bpe *b);
int bpe_fill_tables(struct bpe *b, struct err *e);

#endif
