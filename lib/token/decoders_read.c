/* Reads the decoder of a tokenizer.json. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "token/decoders.h"
#include "token/part_read.h"

static const char PART[] = "decoder";

static struct decode_step *add(struct decoders *d, enum decode_kind kind, struct err *e)
{
    if (mem_grow(&d->v, &d->cap, d->n + 1, sizeof *d->v, e) < 0)
        return NULL;
    d->v[d->n] = (struct decode_step){.kind = kind};
    return &d->v[d->n++];
}

static struct decode_step *add_string(struct decoders *d, enum decode_kind kind, const char *s,
                                      size_t n, struct err *e)
{
    struct decode_step *step = add(d, kind, e);
    if (!step || !(step->s = mem_dup(s, n, e)))
        return NULL;
    step->n = n;
    return step;
}

static int add_one(void *user, const json_t *o, struct err *e)
{
    struct decoders *d = user;
    struct decode_step *s;
    const char *text;
    size_t n;
    if (part_is(o, "ByteLevel"))
        return add(d, DEC_BYTE_LEVEL, e) ? 0 : -1;
    if (part_is(o, "ByteFallback"))
        return add(d, DEC_BYTE_FALLBACK, e) ? 0 : -1;
    if (part_is(o, "Fuse"))
        return add(d, DEC_FUSE, e) ? 0 : -1;
    if (part_is(o, "WordPiece")) {
        if (part_string(PART, o, "prefix", &text, &n, e) < 0 ||
            !(s = add_string(d, DEC_WORDPIECE, text, n, e)))
            return -1;
        return part_bool(PART, o, "cleanup", -1, &s->cleanup, e);
    }
    if (part_is(o, "Metaspace")) {
        struct metaspace m;
        if (part_metaspace(PART, o, &m, e) < 0 ||
            !(s = add_string(d, DEC_METASPACE, m.mark, m.n_mark, e)))
            return -1;
        s->prepends = m.prepend != 1;
        return 0;
    }
    if (part_is(o, "BPEDecoder"))
        return part_string(PART, o, "suffix", &text, &n, e) < 0 ||
                       !add_string(d, DEC_BPE, text, n, e)
                   ? -1
                   : 0;
    if (part_is(o, "Strip")) {
        if (part_char(PART, o, "content", &text, &n, e) < 0 ||
            !(s = add_string(d, DEC_STRIP, text, n, e)) ||
            part_size(PART, o, "start", -1, &s->start, e) < 0)
            return -1;
        return part_size(PART, o, "stop", -1, &s->stop, e);
    }
    if (part_is(o, "Replace")) {
        if (part_string(PART, o, "content", &text, &n, e) < 0 ||
            !(s = add_string(d, DEC_REPLACE, text, n, e)))
            return -1;
        s->pattern = part_pattern(PART, o, e);
        return s->pattern ? 0 : err_prefix(e, "decoder: ");
    }
    if (part_is(o, "CTC")) {
        if (part_string(PART, o, "pad_token", &text, &n, e) < 0 ||
            !(s = add_string(d, DEC_CTC, text, n, e)) ||
            part_string(PART, o, "word_delimiter_token", &text, &n, e) < 0 ||
            !(s->word = mem_dup(text, n, e)))
            return -1;
        s->n_word = n;
        return part_bool(PART, o, "cleanup", -1, &s->cleanup, e);
    }
    return part_unsupported(PART, o, e);
}

/* Behind Fuse and ByteLevel all is one token: it can go on in parts where no later step has to see
 * the whole. */
static void find_flows(struct decoders *d)
{
    for (size_t i = 0; i < d->n; i++) {
        if (d->v[i].kind != DEC_FUSE && d->v[i].kind != DEC_BYTE_LEVEL)
            continue;
        size_t k = i + 1;
        while (k < d->n &&
               (d->v[k].kind == DEC_FUSE || (d->v[k].kind == DEC_STRIP && !d->v[k].stop)))
            k++;
        d->v[i].holds = k < d->n;
        for (k = i + 1; k < d->n && !d->v[i].holds; k++)
            d->v[k].flows = true;
    }
}

int decoders_read(struct decoders *d, const json_t *o, struct err *e)
{
    if (!o)
        return add(d, DEC_JOIN, e) ? 0 : -1;
    if (part_each(PART, o, "decoders", add_one, d, e) < 0)
        return -1;
    find_flows(d);
    return 0;
}

void decoders_release(struct decoders *d)
{
    for (size_t i = 0; i < d->n; i++) {
        pattern_free(d->v[i].pattern);
        free(d->v[i].s);
        free(d->v[i].word);
    }
    free(d->v);
    *d = (struct decoders){0};
}
