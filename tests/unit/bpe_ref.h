/*
 * A slow reading of byte-level BPE, for tests: everything is a string, every merge is found by
 * going through the whole list, and the text is cut by the published patterns through pcre2.
 *
 *     struct bpe_ref r; bpe_ref_init(&r, json, n);      aborts if the file is no sample of ours
 *     bpe_ref_encode(&r, text, n, ids, &n_ids);         ids has room for n
 *     bpe_ref_release(&r);
 */
#ifndef BPE_REF_H
#define BPE_REF_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "io/jtree.h"
#include "text/split.h"

struct bpe_ref {
    json_t *file, *vocab, *merges;
    struct split *split;
    struct cutter *cutter;
    bool ignore_merges;
};

/* The pattern of the sample's pre-tokenizer: of its Split, or of ByteLevel itself. In a group of
 * its own no pattern is known as a published one. */
static inline void bpe_ref_split(struct bpe_ref *r)
{
    const json_t *pre = json_object_get(r->file, "pre_tokenizer");
    const json_t *first = json_array_get(json_object_get(pre, "pretokenizers"), 0);
    const char *re = json_string_value(json_object_get(json_object_get(first, "pattern"), "Regex"));
    char group[2048];
    struct err e = {0};
    snprintf(group, sizeof group, "(?:%s)", re ? re : split_pattern("gpt2"));
    r->split = split_new(&e);
    assert(r->split && split_add_regex(r->split, group, strlen(group), &e) == 0);
    r->cutter = cutter_new(r->split, &e);
    assert(r->cutter);
}

static inline void bpe_ref_init(struct bpe_ref *r, const char *json, size_t n)
{
    struct err e = {0};
    r->file = jtree_parse(json, n, "sample", &e);
    const json_t *model = json_object_get(r->file, "model");
    r->vocab = json_object_get(model, "vocab");
    r->merges = json_object_get(model, "merges");
    r->ignore_merges = json_is_true(json_object_get(model, "ignore_merges"));
    assert(json_is_object(r->vocab) && json_is_array(r->merges));
    bpe_ref_split(r);
}

static inline void bpe_ref_release(struct bpe_ref *r)
{
    cutter_free(r->cutter);
    split_free(r->split);
    json_decref(r->file);
}

/* The character of a byte as GPT-2's table has it: in order, bytes that do not print get the
 * numbers from 256. */
static inline size_t bpe_ref_char(unsigned char byte, char *out)
{
    unsigned cp = byte, next = 256;
    for (unsigned b = 0; b <= byte; b++) {
        bool prints = (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
        if (b == byte)
            cp = prints ? b : next;
        next += !prints;
    }
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    out[0] = (char)(0xc0 | cp >> 6);
    out[1] = (char)(0x80 | (cp & 0x3f));
    return 2;
}

/* Whether the merge is a and b: "a b" or ["a", "b"]. */
static inline bool bpe_ref_is(const json_t *merge, const char *a, const char *b)
{
    if (json_is_array(merge))
        return strcmp(json_string_value(json_array_get(merge, 0)), a) == 0 &&
               strcmp(json_string_value(json_array_get(merge, 1)), b) == 0;
    const char *s = json_string_value(merge);
    size_t n = strlen(a);
    return strncmp(s, a, n) == 0 && s[n] == ' ' && strcmp(s + n + 1, b) == 0;
}

static inline size_t bpe_ref_rank(const struct bpe_ref *r, const char *a, const char *b)
{
    for (size_t i = json_array_size(r->merges); i-- > 0;) /* of two equal ones the last counts */
        if (bpe_ref_is(json_array_get(r->merges, i), a, b))
            return i;
    return SIZE_MAX;
}

static inline void bpe_ref_id(const struct bpe_ref *r, const char *token, uint32_t *ids, size_t *n)
{
    const json_t *id = json_object_get(r->vocab, token);
    if (id)
        ids[(*n)++] = (uint32_t)json_integer_value(id);
}

static inline void bpe_ref_piece(const struct bpe_ref *r, const char *s, size_t n, uint32_t *ids,
                                 size_t *n_ids)
{
    char **sym = calloc(n + 1, sizeof *sym), *whole = calloc(2 * n + 1, 1);
    size_t k = 0, len = 0;
    for (size_t i = 0; i < n; i++) {
        sym[k] = calloc(2 * n + 3, 1);
        size_t c = bpe_ref_char((unsigned char)s[i], sym[k]);
        memcpy(whole + len, sym[k], c);
        len += c;
        if (json_object_get(r->vocab, sym[k]))
            k++;
        else
            free(sym[k]);
    }
    if (r->ignore_merges && json_object_get(r->vocab, whole)) {
        bpe_ref_id(r, whole, ids, n_ids);
    } else {
        for (;;) {
            size_t best = SIZE_MAX, at = 0;
            for (size_t i = 0; i + 1 < k; i++) {
                size_t rank = bpe_ref_rank(r, sym[i], sym[i + 1]);
                if (rank < best) {
                    best = rank;
                    at = i;
                }
            }
            if (best == SIZE_MAX)
                break;
            memcpy(sym[at] + strlen(sym[at]), sym[at + 1], strlen(sym[at + 1]) + 1);
            free(sym[at + 1]);
            memmove(sym + at + 1, sym + at + 2, (k - at - 2) * sizeof *sym);
            k--;
        }
        for (size_t i = 0; i < k; i++)
            bpe_ref_id(r, sym[i], ids, n_ids);
    }
    for (size_t i = 0; i < k; i++)
        free(sym[i]);
    free(sym);
    free(whole);
}

static inline void bpe_ref_encode(struct bpe_ref *r, const char *s, size_t n, uint32_t *ids,
                                  size_t *n_ids)
{
    uint32_t end;
    struct err e = {0};
    *n_ids = 0;
    cut_begin(r->cutter, s, n);
    while (cut_next(r->cutter, &end, 1, &e) > 0)
        bpe_ref_piece(r, s + cut_from(r->cutter), end, ids, n_ids);
}

#endif
