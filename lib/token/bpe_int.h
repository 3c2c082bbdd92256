/* Shared by the parts of the trainer: bpe_count.c, bpe_train.c, bpe_first.c, bpe_pairs.c,
 * bpe_merge16/32.c. */
#ifndef TOKEN_BPE_INT_H
#define TOKEN_BPE_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "token/bpe_train.h"

/* ---- counts of distinct pieces */

/* Empties c into a list in the order of falling count; each() gets the pieces in that order. */
struct bpe_piece {
    const char *s; /* valid during each(); 64 bytes behind are readable */
    size_t len;
    uint64_t count;
};
/* Of a folded table: distinct pieces of two bytes and more, and their bytes. */
void bpe_counts_size(const struct bpe_counts *c, uint64_t *n_words, uint64_t *n_bytes);
/* Of a folded table: those pieces in the order of falling count. */
int bpe_counts_each(const struct bpe_counts *c,
                    void (*each)(void *user, const struct bpe_piece *piece), void *user,
                    struct err *e);

/* ---- live pairs: key -> count and places */

/*
 * Where a pair stands: n places in ascending order, as indices of cells. All of a pair's places
 * arise in the merge that makes its newer token (for two bytes: at the start), and from then on
 * its count only falls; so the list is made once, with exactly as many entries, and entries that
 * no longer hold are passed over.
 */
struct places {
    uint32_t n;
    uint32_t at[];
};

struct pair {
    uint64_t key;                   /* left << 32 | right */
    uint64_t large : 1, count : 63; /* large: its places are a list by itself */
    struct places *places;
};

enum { PAIR_PARTS = 64 };
struct pair_part {
    struct pair *slot;
    size_t cap, n; /* cap: a power of two */
};
struct pairs {
    struct pair_part part[PAIR_PARTS]; /* each grows by itself: no second copy of the whole */
    /* places: small lists from blocks, large ones by themselves, to be given back when done with */
    char *block;
    size_t block_left;
    void **blocks;
    size_t n_blocks, blocks_cap;
    struct large *large;
    uint64_t n_bytes, peak_bytes;
};

static inline uint64_t pair_key(uint32_t left, uint32_t right)
{
    return (uint64_t)left << 32 | right;
}

int pairs_init(struct pairs *p, struct err *e);
void pairs_release(struct pairs *p);
void pairs_prefetch(const struct pairs *p, uint64_t key);
struct pair *pairs_find(struct pairs *p, uint64_t key); /* NULL: none */
/* A new one with room for n places (places->n is set); no pair of this key may be there. */
struct pair *pairs_add(struct pairs *p, uint64_t key, uint64_t count, uint32_t n_places,
                       struct err *e);
/* Takes it out. Its places stay valid until places_drop. */
struct places *pairs_remove(struct pairs *p, struct pair *pair);
void places_drop(struct pairs *p, struct places *pl);
/* Both, without a look at places that need no dropping. */
void pairs_drop(struct pairs *p, struct pair *pair);

/* ---- candidates: a heap by falling count, then rising key. Counts in it may be out of date
 * (too high); whoever takes the top compares it with the pair's. */
struct candidate {
    uint64_t count, key;
};
struct heap {
    struct candidate *v;
    size_t n, cap;
};
int heap_add(struct heap *h, uint64_t count, uint64_t key, struct err *e);
void heap_pop(struct heap *h);
void heap_lower_top(struct heap *h, uint64_t count); /* the top's count falls */

/* ---- words and merging */

/*
 * All words lie in one array of cells with separators before, between and behind. A token of
 * len[id] bytes at p has its id in cell[p] and in cell[p + len - 1], so that both neighbours of a
 * place are one look away; cells inside are dead. Words are sorted by falling count, so that a
 * place's weight follows from its position.
 */
struct weight_class {
    uint32_t from; /* the first cell of words with this count */
    uint64_t count;
};
enum { CLASS_SHIFT = 12 };

struct words {
    void *cell; /* uint16_t or uint32_t, by wide */
    bool wide;
    size_t n_cells, n_bytes;
    struct weight_class *cls; /* ends with one whose from is n_cells */
    size_t n_cls, cls_cap;
    uint32_t *cls_at; /* class of the cell i << CLASS_SHIFT */
};

/* The neighbours of merged places on one side, gathered by the neighbour's id. */
struct side {
    uint64_t *weight; /* by id; zero between merges */
    uint32_t *count;  /* by id; zero between merges */
    uint32_t **fill;  /* by id: where the next place goes; NULL: the pair is too rare to be kept */
    uint32_t *id;     /* neighbours in the order of their first place */
    size_t n_ids;
    uint32_t *item_id, *item_at; /* every place: neighbour and position of the new pair */
    size_t n_items;
};

struct scan {
    struct side left, right;
    uint64_t self_weight; /* (new, new) */
    uint32_t self_count;
    size_t cap_items;
};

struct trainer {
    const struct bpe_train_opt *opt;
    struct bpe_vocab *v;
    struct words words;
    struct pairs pairs;
    struct heap heap;
    uint32_t *len;     /* bytes by id */
    struct scan *scan; /* one per thread */
    int n_scans;
    uint64_t min_count;
};

/* Merges (a, b) into id at the places [from, to): rewrites the cells, fills the scan. */
void bpe_merge16(const struct trainer *t, struct scan *s, uint32_t a, uint32_t b, uint32_t id,
                 const struct places *pl, size_t from, size_t to);
void bpe_merge32(const struct trainer *t, struct scan *s, uint32_t a, uint32_t b, uint32_t id,
                 const struct places *pl, size_t from, size_t to);
/* Ids of this and above mark separators and dead cells. */
enum { BPE_MAX_NARROW = 0xfffe };

static inline uint32_t words_get(const struct words *w, size_t i)
{
    if (w->wide)
        return ((uint32_t *)w->cell)[i];
    uint16_t v = ((uint16_t *)w->cell)[i];
    return v >= BPE_MAX_NARROW ? (uint32_t)(int16_t)v : v;
}

/* The pairs of the words' first tokens, with their places, whatever tokens these are. */
int bpe_first_pairs(struct trainer *t, struct err *e);

#endif
