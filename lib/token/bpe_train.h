/*
 * Training of byte-level BPE (Sennrich 2016; Radford 2019): the pieces of a split are counted, then
 * the most frequent pair of neighbours becomes a token, again and again.
 *
 *     struct bpe_counts *c = bpe_counts_new(n_threads, e);
 *     bpe_count_text(c, thread, cutter, text, n, e) ...    each thread has its number and cutter
 *     struct bpe_vocab *v = bpe_train(c, &opt, e);         empties c
 *     bpe_save(v, pattern, out, e);
 *     bpe_vocab_free(v); bpe_counts_free(c);
 *
 * What comes out depends on how often each piece occurs and on nothing else: not on threads, nor
 * on the order of the texts. It is defined as follows.
 *  - Ids: the special tokens in the order given (one given twice counts once), then the 256 bytes
 *    in the order of the characters that stand for them (bytelevel.h), then one id per merge.
 *  - A pair's count is the number of places where it stands, weighted by the pieces' counts; in a
 *    run "aaa" the pair (a, a) stands twice.
 *  - The next merge is the pair with the highest count; of equal ones that with the smaller left
 *    id, then the smaller right id. In each piece its places are merged from the left, without
 *    overlap. Training ends at vocab_size ids, or when the highest count is under min_frequency.
 *  - A special token that reads like a byte or like the result of a merge (in visible characters)
 *    lends it its id. Two merges never give the same bytes: the merges inside a token's borders
 *    run as if it stood alone, so its bytes have one derivation.
 */
#ifndef TOKEN_BPE_TRAIN_H
#define TOKEN_BPE_TRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "quern/err.h"

struct buf;
struct cutter;
struct out;
struct bpe_counts;

struct bpe_counts *bpe_counts_new(int n_threads, struct err *e);
/* Counts the pieces of text[0..n); the rules for text are split.h's. */
int bpe_count_text(struct bpe_counts *c, int thread, struct cutter *cut, const char *text, size_t n,
                   struct err *e);
/* Adds n to the count of one piece, 0 < len < 2^32. As with texts, 64 bytes behind are readable. */
int bpe_count_piece(struct bpe_counts *c, int thread, const char *piece, size_t len, uint64_t n,
                    struct err *e);
/* Pieces counted so far, and bytes that the tables take; by one thread, while no other counts. */
void bpe_counts_stat(const struct bpe_counts *c, uint64_t *n_pieces, uint64_t *n_bytes);
void bpe_counts_free(struct bpe_counts *c);
/* Once all is counted: the threads' counts into one, then every piece, in no order, with 64
 * readable bytes behind it; a value of each() that is not 0 ends the scan and is returned. */
void bpe_counts_empty(struct bpe_counts *c); /* as new */
/* Forgets the pieces that occur less than min_count times, to make room; of one thread's counts
 * only. *n_dropped grows by their counts. */
int bpe_counts_drop(struct bpe_counts *c, uint64_t min_count, uint64_t *n_dropped, struct err *e);
/* About how much memory the merging will take. */
uint64_t bpe_counts_need(const struct bpe_counts *c, uint32_t vocab_size);
int bpe_counts_fold(struct bpe_counts *c, int n_threads, struct err *e);
int bpe_counts_scan(const struct bpe_counts *c,
                    int (*each)(void *user, const char *s, size_t n, uint64_t count), void *user);

/*
 * Words may be made of other tokens than bytes: characters, or what an earlier tokenizer makes of
 * them. The ids below n_ids are these tokens; then the result has neither specials nor bytes.
 */
struct bpe_base {
    uint32_t n_ids;
    /* The piece's tokens, at most n of them, to ids; how many. */
    size_t (*split)(void *user, const char *s, size_t n, uint32_t *ids);
    /* Of the pair (left, right): the id that it makes, which is `id` or, if its text has one, that,
     * which must stand in no word yet; BPE_NO_TOKEN: it is not to be a token; -1 err. */
    int64_t (*make)(void *user, uint32_t left, uint32_t right, uint32_t id, struct err *e);
    void *user;
};
#define BPE_NO_TOKEN (-2)

struct bpe_train_opt {
    const struct bpe_base *base; /* NULL: bytes */
    uint32_t max_token_bytes;    /* longer ones are not made; 0: any length. Of bytes only */
    uint32_t vocab_size;         /* ids in all; at least those of special tokens and bytes */
    uint64_t min_frequency;
    const char *const *special; /* UTF-8, not empty */
    size_t n_special;
    int n_threads;
    /* Called now and then with the ids made so far; -1 ends the training. May be NULL. */
    int (*progress)(void *user, uint32_t n_ids, struct err *e);
    void *user;
};

struct bpe_merge {
    uint32_t left, right, id;
};

struct bpe_vocab {
    uint32_t n_ids;
    /* What bpe_save() writes besides: the caller's, who sets them. */
    const char *normalizer; /* JSON; NULL: null */
    bool split_digits;      /* each digit is a piece */
    char **special;         /* ids 0 .. n_special - 1 */
    uint32_t n_special;
    uint32_t n_first; /* ids below it are special tokens or bytes */
    uint32_t byte_id[256];
    uint8_t *first_byte;     /* by id in n_special .. n_first - 1 */
    struct bpe_merge *merge; /* in the order of their making */
    size_t n_merges;
    uint32_t *merge_of;                              /* by id from n_first on: index in merge */
    uint64_t n_pieces, n_distinct, n_distinct_bytes; /* what was trained on */
    uint64_t last_count;                             /* of the last merge's pair */
    uint64_t mem_bytes;                              /* at the peak of the merging */
};

/* Whether vocab_size has room for special tokens and bytes: to be known before the texts are read.
 * ERR_USAGE if not. */
int bpe_train_check(const struct bpe_train_opt *opt, struct err *e);
struct bpe_vocab *bpe_train(struct bpe_counts *c, const struct bpe_train_opt *opt, struct err *e);
void bpe_vocab_free(struct bpe_vocab *v);

/* The bytes in the order of the characters that stand for them (bytelevel.h). */
void bpe_alphabet(uint8_t order[256]);
/* Appends the token as tokenizer.json spells it: visible characters, a special token as it is. */
int bpe_token_visible(const struct bpe_vocab *v, uint32_t id, struct buf *out, struct err *e);

/* Writes tokenizer.json as the `tokenizers` library reads it: a byte-level BPE model, the special
 * tokens as added tokens, ByteLevel decoder and post-processor, and the pre-tokenizer: ByteLevel
 * with its own pattern (GPT-2's) for pattern NULL, else Split by pattern, then ByteLevel. */
int bpe_save(const struct bpe_vocab *v, const char *pattern, struct out *out, struct err *e);

#endif
