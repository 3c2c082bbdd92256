/*
 * Tokenizers: text to ids and back, as the tokenizer.json of the model says.
 *
 * A tokenizer is immutable once opened and may be shared by threads; each thread has its own
 * encoder (scratch, and a cache of bounded size, which encoders may share; ids never depend on
 * what was encoded before) and each stream of ids its own decoder.
 *
 *     struct tokenizer *t = tokenizer_open("tok.json", &e);
 *     struct encoder *x = encoder_new(t, &e);
 *     struct ids ids = {0};
 *     encoder_run(x, text, n, 0, NULL, 0, &ids, &e);       appends to ids
 *     struct decoder d; decoder_init(&d, t, 0);
 *     decoder_add(&d, id, &out, &e) ...; decoder_end(&d, &out, &e);
 *     ids_release(&ids); encoder_free(x); tokenizer_close(t);
 */
#ifndef QUERN_TOKENIZER_H
#define QUERN_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "quern/err.h"

struct buf;
struct tokenizer;
struct encoder;

struct ids {
    uint32_t *v;
    size_t n, cap;
};
void ids_release(struct ids *ids);

/* path: a tokenizer.json, a SentencePiece model, a GGUF file or a BERT vocab.txt (each may be
 * gzipped), or a directory that holds a tokenizer.json. What a file asks for and quern does not do
 * is refused by name. */
struct tokenizer *tokenizer_open(const char *path, struct err *e);
/* The same, and tiktoken's rank files, which need a split: "r50k", "cl100k", "o200k", "llama3" or
 * "qwen2", or else (split NULL) a regular expression as of tokenizer.json, whose matches are
 * pieces. Both NULL: not given. */
struct tokenizer *tokenizer_open_split(const char *path, const char *split, const char *regex,
                                       struct err *e);
/* The same from memory; name is for messages. */
struct tokenizer *tokenizer_parse(const char *json, size_t n, const char *name, struct err *e);
/* For less than all: what is not asked for is not read from the file, which is quicker. Decoding
 * and what is asked of ids always go. Without TOKENIZER_ENCODES encoder_new() fails, without
 * TOKENIZER_FINGERPRINTS tokenizer_fingerprint(). */
enum tokenizer_use { TOKENIZER_ENCODES = 1, TOKENIZER_FINGERPRINTS = 2 };
struct tokenizer *tokenizer_open_for(int uses, const char *path, struct err *e);
struct tokenizer *tokenizer_parse_for(int uses, const char *json, size_t n, const char *name,
                                      struct err *e);
void tokenizer_close(struct tokenizer *t);

uint32_t
tokenizer_vocab_size(const struct tokenizer *t); /* largest id + 1, added tokens included */
/* XXH3-128 of the serialisation that shard(5) specifies; 16 bytes, low word first, little-endian.
 * Made anew in each call, in memory of about the size of the vocabulary; -1 where that lacks. */
int tokenizer_fingerprint(const struct tokenizer *t, unsigned char out[16], struct err *e);
/* The tokenizer.json as it was read (uncompressed), or as it was made of a file of another format;
 * valid as long as t. */
const char *tokenizer_json(const struct tokenizer *t, size_t *n);
int64_t tokenizer_id(const struct tokenizer *t, const char *token,
                     size_t n); /* by content; -1 none */
/* The bytes that an id stands for when decoded inside a text; NULL if the id has no token. */
const char *tokenizer_bytes(const struct tokenizer *t, uint32_t id, size_t *n);
bool tokenizer_is_special(const struct tokenizer *t, uint32_t id);
/* One line for -v: model, size, split and whether it runs as a state machine or through pcre2. */
const char *tokenizer_describe(const struct tokenizer *t);
/* Ids that the file's post-processor puts before and after a single text; counts may be 0. */
void tokenizer_around(const struct tokenizer *t, const uint32_t **before, size_t *n_before,
                      const uint32_t **after, size_t *n_after);

/* BOS, EOS and PAD by the rule of tokenize(1): the caller's words (NULL: not given, "none": none)
 * else tokenizer_config.json, else config.json beside the file, else by name among the special
 * added tokens, else none (-1). where[] says where each was found, for -v. */
struct special_ids {
    int64_t bos, eos, pad;
    char where[3][256];
};
int tokenizer_specials(const struct tokenizer *t, const char *path, const char *bos,
                       const char *eos, const char *pad, struct special_ids *out, struct err *e);

enum encode_flags {
    ENCODE_LITERAL = 1, /* added tokens in the text are ordinary text, as tiktoken has it */
    ENCODE_VALID = 2,   /* the caller knows that the text is valid UTF-8: it is not looked at again,
                         * and what happens where it is not is undefined */
};
/* A half-open range of byte offsets. */
struct text_span {
    size_t from, to;
};
struct encoder *encoder_new(const struct tokenizer *t, struct err *e);
/* Another one, for another thread, with the same cache. All are made before any of them is used,
 * and each is freed, in any order, when none is used any more. */
struct encoder *encoder_new_beside(const struct encoder *first, struct err *e);
/* Appends the ids of text[0..n) (64 readable bytes behind it) to out. Text that is not valid UTF-8
 * is an error that names the byte, and so is one whose spans cut a character. In the given
 * spans (ascending, disjoint) added tokens are ordinary text: what a user typed cannot forge the
 * marks of a chat template. */
int encoder_run(struct encoder *x, const char *text, size_t n, int flags,
                const struct text_span *literal, size_t n_literal, struct ids *out, struct err *e);
/* The same with where in the text each id appended stands (off is overwritten): from its first
 * character to behind its last, counted in characters from the beginning of the text, as the
 * `tokenizers` library says it. Ids of one character share its range. Several times as slow. */
struct offsets {
    struct text_span *v;
    size_t n, cap;
};
void offsets_release(struct offsets *o);
int encoder_offsets(struct encoder *x, const char *text, size_t n, int flags,
                    const struct text_span *literal, size_t n_literal, struct ids *out,
                    struct offsets *off, struct err *e);
/* Bytes so far for which the vocabulary has neither a token nor an unknown one: they are left out,
 * as the reference does. 0 for any vocabulary that has all 256 bytes. */
uint64_t encoder_lost(const struct encoder *x);
void encoder_free(struct encoder *x);

enum decode_flags {
    DECODE_SKIP_SPECIAL = 1, /* special added tokens give no text */
    DECODE_BYTES = 2,        /* the bytes of each id at once, as they are */
};
/* Streaming: never gives part of a character; bytes that cannot become valid UTF-8 become U+FFFD,
 * unless DECODE_BYTES asks for them as they are. */
struct decoder {
    const struct tokenizer *t;
    int flags;
    char held[8];
    int n_held;
    uint64_t n_replaced;    /* how many U+FFFD were put for bytes */
    struct decode_run *run; /* of decoders other than ByteLevel */
};
void decoder_init(struct decoder *d, const struct tokenizer *t, int flags);
int decoder_add(struct decoder *d, uint32_t id, struct buf *out, struct err *e);
/* The same for each of n ids, and quicker; after an error what was added is not determined. */
int decoder_add_many(struct decoder *d, const uint32_t *ids, size_t n, struct buf *out,
                     struct err *e);
int decoder_end(struct decoder *d, struct buf *out, struct err *e); /* then init again */
void decoder_release(struct decoder *d); /* one that is not ended; else nothing is to do */

#endif
