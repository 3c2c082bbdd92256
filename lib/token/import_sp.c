/*
 * SentencePiece models: a protobuf message (sentencepiece_model.proto), of which the fields that
 * bear on encoding are read, the rest is skipped. A message is a row of fields: a number with the
 * field's number and the kind of its value (0 number, 1 eight bytes, 2 bytes with their count
 * before them, 5 four bytes), then the value.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "base/mem.h"
#include "token/import_int.h"
#include "token/vocab.h"

enum { MAX_TOKEN_BYTES = 4095 };

/* Where a message is being read; the positions of messages are those in the file. */
struct proto {
    const unsigned char *p; /* the file */
    size_t at, end;
    /* the present field */
    uint32_t number;
    int kind;
    uint64_t value; /* a number, or the bits of kinds 1 and 5 */
    size_t bytes, n_bytes;
    struct err *e;
};

static int cut_short(struct proto *m)
{
    return err_set(m->e, "at byte %zu: cut short, or damaged", m->at);
}

static int read_varint(struct proto *m, uint64_t *v)
{
    *v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (m->at == m->end)
            return cut_short(m);
        unsigned char c = m->p[m->at++];
        *v |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80)
            return 0;
    }
    return err_set(m->e, "at byte %zu: a number of more than 64 bits", m->at);
}

/* 1: a field; 0: the message has ended; -1. */
static int next_field(struct proto *m)
{
    uint64_t tag;
    if (m->at == m->end)
        return 0;
    if (read_varint(m, &tag) < 0)
        return -1;
    m->number = (uint32_t)(tag >> 3);
    m->kind = (int)(tag & 7);
    if (tag >> 32 || m->number == 0)
        return err_set(m->e, "at byte %zu: damaged (a field without a number)", m->at);
    switch (m->kind) {
    case 0:
        return read_varint(m, &m->value) < 0 ? -1 : 1;
    case 1:
    case 5: {
        size_t n = m->kind == 1 ? 8 : 4;
        if (m->end - m->at < n)
            return cut_short(m);
        m->value = n == 8 ? le64_get(m->p + m->at) : le32_get(m->p + m->at);
        m->at += n;
        return 1;
    }
    case 2:
        if (read_varint(m, &m->value) < 0)
            return -1;
        if (m->value > m->end - m->at)
            return cut_short(m);
        m->bytes = m->at;
        m->n_bytes = (size_t)m->value;
        m->at += m->n_bytes;
        return 1;
    default:
        return err_set(m->e, "at byte %zu: damaged (a field of kind %d)", m->at, m->kind);
    }
}

/* The message in the present field. */
static struct proto inner(const struct proto *m)
{
    return (struct proto){.p = m->p, .at = m->bytes, .end = m->bytes + m->n_bytes, .e = m->e};
}

static int read_piece(struct proto *outer, struct sp_model *model)
{
    struct import_vocab *v = &model->vocab;
    struct import_token t = {.s = "", .type = TOKEN_NORMAL};
    struct proto m = inner(outer);
    uint64_t type = TOKEN_NORMAL;
    int r;
    while ((r = next_field(&m)) > 0) {
        if (m.number == 1 && m.kind == 2) {
            if (m.n_bytes > MAX_TOKEN_BYTES)
                return err_set(m.e, "at byte %zu: a piece of more than %d bytes", m.bytes,
                               (int)MAX_TOKEN_BYTES);
            t.s = (const char *)m.p + m.bytes;
            t.len = (uint32_t)m.n_bytes;
        } else if (m.number == 2 && m.kind == 5) {
            uint32_t bits = (uint32_t)m.value;
            memcpy(&t.score, &bits, 4);
        } else if (m.number == 3 && m.kind == 0) {
            type = m.value;
        }
    }
    if (r < 0)
        return -1;
    if (type < TOKEN_NORMAL || type > TOKEN_BYTE)
        return err_set(m.e, "at byte %zu: a piece of type %" PRIu64, outer->bytes, type);
    t.type = (uint8_t)type;
    if (t.len == 0)
        return err_set(m.e, "at byte %zu: an empty piece", outer->bytes);
    if (!isfinite(t.score))
        return err_set(m.e, "at byte %zu: the score of piece %zu is no number", outer->bytes, v->n);
    if (v->n > TOKEN_MAX_ID)
        return err_set(m.e, "at byte %zu: more than %d pieces", outer->bytes,
                       (int)TOKEN_MAX_ID + 1);
    if (import_check_token(&t, v->n, m.e) < 0 ||
        (v->n == v->cap && mem_grow(&v->v, &v->cap, v->n + 1, sizeof *v->v, m.e) < 0))
        return -1;
    v->v[v->n++] = t;
    return 0;
}

static int read_trainer(struct proto *outer, struct sp_model *model)
{
    enum { MODEL_TYPE = 3, SUFFIX = 24, BYTE_FALLBACK = 35, DELIMITER = 53 };
    static const char *const types[] = {"WORD", "CHAR"};
    struct proto m = inner(outer);
    int r;
    while ((r = next_field(&m)) > 0) {
        if (m.number == MODEL_TYPE && m.kind == 0) {
            if (m.value < 1 || m.value > 4)
                return err_set(m.e, "at byte %zu: a model of type %" PRIu64, m.at, m.value);
            if (m.value > 2)
                return err_set(m.e, "a model of type %s is not supported", types[m.value - 3]);
            model->unigram = m.value == 1;
        } else if (m.number == SUFFIX && m.kind == 0) {
            model->suffix = m.value != 0;
        } else if (m.number == BYTE_FALLBACK && m.kind == 0) {
            model->byte_fallback = m.value != 0;
        }
    }
    return r;
}

static int read_normalizer(struct proto *outer, struct sp_model *model)
{
    struct proto m = inner(outer);
    int r;
    while ((r = next_field(&m)) > 0) {
        if (m.number == 2 && m.kind == 2) {
            model->charsmap = (const char *)m.p + m.bytes;
            model->charsmap_len = m.n_bytes;
        } else if (m.number == 3 && m.kind == 0) {
            model->dummy_prefix = m.value != 0;
        } else if (m.number == 4 && m.kind == 0) {
            model->remove_extra_whitespaces = m.value != 0;
        } else if (m.number == 5 && m.kind == 0) {
            model->escape_whitespaces = m.value != 0;
        }
    }
    return r;
}

static int check(struct sp_model *m, struct err *e)
{
    size_t n_bytes = 0;
    for (size_t i = 0; i < m->vocab.n; i++) {
        const struct import_token *t = &m->vocab.v[i];
        n_bytes += t->type == TOKEN_BYTE;
        if (t->type == TOKEN_UNUSED)
            return err_set(e,
                           "the piece %zu ('%.*s') is marked as unused; no tokenizer.json can "
                           "say that",
                           i, (int)t->len, t->s);
        if (t->type != TOKEN_UNKNOWN)
            continue;
        if (m->unk >= 0)
            return err_set(e, "two pieces for what is unknown, %" PRId64 " and %zu", m->unk, i);
        m->unk = (int64_t)i;
    }
    if (m->unk < 0)
        return err_set(e, "no piece for what is unknown; is the file cut short?");
    if (m->byte_fallback && n_bytes != 256)
        return err_set(e, "byte fallback with %zu pieces for bytes, not 256", n_bytes);
    return 0;
}

int import_sp(const char *p, size_t n, struct buf *json, struct err *e)
{
    struct sp_model model = {.unigram = true,
                             .single = true,
                             .dummy_prefix = true,
                             .remove_extra_whitespaces = true,
                             .escape_whitespaces = true,
                             .unk = -1,
                             .bos = -1,
                             .eos = -1};
    struct proto m = {.p = (const unsigned char *)p, .end = n, .e = e};
    enum { PIECE = 1, TRAINER = 2, NORMALIZER = 3 };
    int r;
    while ((r = next_field(&m)) > 0)
        if (m.kind == 2 && ((m.number == PIECE && read_piece(&m, &model) < 0) ||
                            (m.number == TRAINER && read_trainer(&m, &model) < 0) ||
                            (m.number == NORMALIZER && read_normalizer(&m, &model) < 0))) {
            r = -1;
            break;
        }
    if (r == 0)
        r = check(&model, e) < 0 ? -1 : import_sp_document(&model, json, e);
    free(model.vocab.v);
    return r;
}
