/* Reports on shards: see report.h. */
#include "shard/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "base/num.h"
#include "base/utf8.h"
#include "shard/shard_int.h"

/* Every function here ends in a buffer that may be out of memory; the first failure counts. */
#define TRY(call)       \
    do {                \
        if ((call) < 0) \
            return -1;  \
    } while (0)

/* A file's name as a message has it: on one line. */
static const char *shown(struct err *line, const char *name)
{
    err_set(line, "%s", name);
    return line->msg;
}

int report_json_string(struct buf *out, const char *s, size_t n, struct err *e)
{
    struct buf valid = BUF_INIT;
    int rc = utf8_replace(&valid, s, n, e) < 0 ? -1 : buf_json_string(out, valid.s, valid.len, e);
    buf_release(&valid);
    return rc;
}

static int json_id(struct buf *out, const char *key, int64_t id, struct err *e)
{
    if (id < 0)
        return buf_printf(out, e, ",\"%s\":null", key);
    return buf_printf(out, e, ",\"%s\":%" PRId64, key, id);
}

/* The provenance as an array of its lines. */
static int json_lines(struct buf *out, const char *lines, struct err *e)
{
    const char *comma = "";
    TRY(buf_puts(out, "[", e));
    while (*lines) {
        size_t n = strcspn(lines, "\n");
        TRY(buf_puts(out, comma, e));
        TRY(report_json_string(out, lines, n, e));
        comma = ",";
        lines += n + (lines[n] == '\n');
    }
    return buf_puts(out, "]", e);
}

static int info_json(struct buf *out, const char *name, const struct shard_head *h,
                     const struct shard_totals *t, struct err *e)
{
    char hex[33];
    shard_fingerprint_hex(hex, h->fingerprint);
    TRY(buf_puts(out, "{\"file\":", e));
    TRY(report_json_string(out, name, strlen(name), e));
    TRY(buf_printf(out, e,
                   ",\"version\":%d,\"n_docs\":%" PRIu64 ",\"n_tokens\":%" PRIu64
                   ",\"n_bytes\":%" PRIu64 ",\"n_segments\":%" PRIu64 ",\"width\":%d",
                   SHARD_VERSION, t->n_docs, t->n_tokens, t->n_bytes, t->n_segments, h->width));
    TRY(json_id(out, "vocab_size", h->vocab_size ? (int64_t)h->vocab_size : -1, e));
    TRY(buf_printf(out, e, ",\"id_bound\":%" PRIu64, t->id_bound));
    TRY(json_id(out, "bos", h->bos, e));
    TRY(json_id(out, "eos", h->eos, e));
    TRY(json_id(out, "pad", h->pad, e));
    if (shard_has_fingerprint(h))
        TRY(buf_printf(out, e, ",\"fingerprint\":\"%s\"", hex));
    else
        TRY(buf_puts(out, ",\"fingerprint\":null", e));
    TRY(buf_printf(out, e,
                   ",\"tokenizer_bytes\":%zu,\"has_weights\":%s,\"checksum\":\"%016" PRIx64
                   "\",\"provenance\":",
                   h->tokenizer_len, h->has_weights ? "true" : "false", t->checksum));
    TRY(json_lines(out, h->provenance, e));
    return buf_puts(out, "}\n", e);
}

static int special(struct buf *out, const char *name, int64_t id, struct err *e)
{
    if (id < 0)
        return buf_printf(out, e, " %s none", name);
    return buf_printf(out, e, " %s %" PRId64, name, id);
}

static int info_text(struct buf *out, const char *name, const struct shard_head *h,
                     const struct shard_totals *t, struct err *e)
{
    char hex[33], bytes[32];
    struct err line;
    TRY(buf_printf(out, e, "%s\n", shown(&line, name)));
    TRY(buf_printf(out, e, "  documents    %" PRIu64 "\n", t->n_docs));
    TRY(buf_printf(out, e, "  tokens       %" PRIu64 "\n", t->n_tokens));
    TRY(buf_printf(out, e, "  bytes        %" PRIu64, t->n_bytes));
    if (t->n_tokens)
        TRY(buf_printf(out, e, " (%.2f a token)", (double)t->n_bytes / (double)t->n_tokens));
    TRY(buf_printf(out, e, "\n  format       version %d, %d bytes an id, %" PRIu64 " segment%s\n",
                   SHARD_VERSION, h->width, t->n_segments, t->n_segments == 1 ? "" : "s"));
    if (h->vocab_size)
        TRY(buf_printf(out, e, "  vocabulary   %" PRIu64, h->vocab_size));
    else
        TRY(buf_puts(out, "  vocabulary   not known", e));
    if (t->id_bound)
        TRY(buf_printf(out, e, " (largest id %" PRIu64 ")", t->id_bound - 1));
    TRY(buf_puts(out, "\n  special ids ", e));
    TRY(special(out, "BOS", h->bos, e));
    TRY(special(out, "EOS", h->eos, e));
    TRY(special(out, "PAD", h->pad, e));
    shard_fingerprint_hex(hex, h->fingerprint);
    TRY(buf_printf(out, e, "\n  tokenizer    %s",
                   shard_has_fingerprint(h) ? hex : "none: made without one"));
    if (h->tokenizer_len)
        TRY(buf_printf(out, e, ", embedded (%s)",
                       num_human_bytes(bytes, (double)h->tokenizer_len)));
    TRY(buf_printf(out, e, "\n  weights      %s\n", h->has_weights ? "yes" : "no"));
    TRY(buf_printf(out, e, "  checksum     %016" PRIx64 "\n", t->checksum));
    const char *label = "provenance";
    for (const char *p = h->provenance; *p;) {
        size_t n = strcspn(p, "\n");
        TRY(buf_printf(out, e, "  %-12s %.*s\n", label, (int)n, p));
        label = "";
        p += n + (p[n] == '\n');
    }
    return 0;
}

int report_info(struct buf *out, const char *name, const struct shard_head *h,
                const struct shard_totals *t, bool json, struct err *e)
{
    return json ? info_json(out, name, h, t, e) : info_text(out, name, h, t, e);
}

static const struct {
    const char *name;
    double q;
} quantiles[] = {{"p10", 0.1}, {"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}};

static double mean_len(const struct shardstat *s)
{
    return s->n_docs ? (double)s->n_tokens / (double)s->n_docs : 0;
}

static int stat_json(struct buf *out, const struct shardstat *s, const struct report_tokens *k,
                     struct err *e)
{
    char num[32];
    TRY(buf_printf(out, e,
                   "{\"n_docs\":%" PRIu64 ",\"n_tokens\":%" PRIu64 ",\"n_empty\":%" PRIu64
                   ",\"n_masked\":%" PRIu64 ",\"min_len\":%" PRIu64 ",\"max_len\":%" PRIu64
                   ",\"mean_len\":%s",
                   s->n_docs, s->n_tokens, s->n_empty, s->n_masked, s->min_len, s->max_len,
                   num_show_f64(num, mean_len(s))));
    for (size_t i = 0; i < ARRAY_LEN(quantiles); i++)
        TRY(buf_printf(out, e, ",\"%s_len\":%" PRIu64, quantiles[i].name,
                       shardstat_quantile(s, quantiles[i].q)));
    TRY(buf_puts(out, ",\"len_bits\":[", e));
    int last = 64;
    while (last > 0 && s->pow2[last] == 0)
        last--;
    for (int i = 0; i <= last; i++)
        TRY(buf_printf(out, e, "%s%" PRIu64, i ? "," : "", s->pow2[i]));
    TRY(buf_printf(out, e, "],\"n_distinct\":%" PRIu64 ",\"top\":[", s->n_distinct));
    for (size_t i = 0; i < k->n_top; i++) {
        TRY(buf_printf(out, e, "%s{\"id\":%" PRIu32 ",\"n\":%" PRIu64, i ? "," : "", k->top[i].id,
                       k->top[i].n));
        if (k->text && k->text[i]) {
            TRY(buf_puts(out, ",\"token\":", e));
            TRY(report_json_string(out, k->text[i], k->text_len[i], e));
        }
        TRY(buf_puts(out, "}", e));
    }
    return buf_puts(out, "]}\n", e);
}

static int stat_lengths(struct buf *out, const struct shardstat *s, struct err *e)
{
    int first = 0, last = 64;
    while (last > 0 && s->pow2[last] == 0)
        last--;
    while (first < last && s->pow2[first] == 0)
        first++;
    TRY(buf_puts(out, "\nlength                 documents\n", e));
    for (int i = first; i <= last; i++) {
        char range[48];
        if (i < 2)
            snprintf(range, sizeof range, "%d", i);
        else
            snprintf(range, sizeof range, "%" PRIu64 "-%" PRIu64, UINT64_C(1) << (i - 1),
                     (UINT64_C(1) << (i - 1)) * 2 - 1);
        TRY(buf_printf(out, e, "%-19s %12" PRIu64 "  %5.1f %%\n", range, s->pow2[i],
                       100 * (double)s->pow2[i] / (double)s->n_docs));
    }
    return 0;
}

static int stat_text(struct buf *out, const struct shardstat *s, const struct report_tokens *k,
                     struct err *e)
{
    TRY(buf_printf(out, e, "documents    %" PRIu64 " (%" PRIu64 " empty)\n", s->n_docs,
                   s->n_empty));
    TRY(buf_printf(out, e, "tokens       %" PRIu64, s->n_tokens));
    if (s->n_masked)
        TRY(buf_printf(out, e, " (%" PRIu64 " of weight 0)", s->n_masked));
    TRY(buf_printf(out, e, "\nids          %" PRIu64 " different\n", s->n_distinct));
    TRY(buf_printf(out, e, "length       mean %.1f, least %" PRIu64, mean_len(s), s->min_len));
    for (size_t i = 0; i < ARRAY_LEN(quantiles); i++)
        TRY(buf_printf(out, e, ", %s %" PRIu64, quantiles[i].name,
                       shardstat_quantile(s, quantiles[i].q)));
    TRY(buf_printf(out, e, ", greatest %" PRIu64 "\n", s->max_len));
    if (s->n_docs > 0)
        TRY(stat_lengths(out, s, e));
    if (k->n_top > 0)
        TRY(buf_puts(out, "\n        id        count   share  token\n", e));
    for (size_t i = 0; i < k->n_top; i++) {
        TRY(buf_printf(out, e, "%10" PRIu32 " %12" PRIu64 " %5.2f %%", k->top[i].id, k->top[i].n,
                       100 * (double)k->top[i].n / (double)s->n_tokens));
        if (k->text && k->text[i]) {
            TRY(buf_puts(out, "  ", e));
            TRY(report_json_string(out, k->text[i], k->text_len[i], e));
        }
        TRY(buf_puts(out, "\n", e));
    }
    return 0;
}

int report_stat(struct buf *out, const struct shardstat *s, const struct report_tokens *tokens,
                bool json, struct err *e)
{
    return json ? stat_json(out, s, tokens, e) : stat_text(out, s, tokens, e);
}

static int mix_json(struct buf *out, const struct mix_source *m, double got, double asked,
                    struct err *e)
{
    char a[32], g[32];
    TRY(buf_puts(out, "{\"file\":", e));
    TRY(report_json_string(out, m->path, strlen(m->path), e));
    TRY(buf_printf(out, e,
                   ",\"share\":%s,\"drawn_share\":%s,\"n_docs\":%" PRIu64 ",\"n_tokens\":%" PRIu64
                   ",\"n_again\":%" PRIu64,
                   num_show_f64(a, asked), num_show_f64(g, got), m->n_docs, m->n_tokens,
                   m->n_again));
    TRY(json_id(out, "all_docs", m->all_known ? (int64_t)m->all_docs : -1, e));
    TRY(json_id(out, "all_tokens", m->all_known ? (int64_t)m->all_tokens : -1, e));
    return buf_puts(out, "}\n", e);
}

static int mix_text(struct buf *out, const struct mix_source *m, double got, double asked,
                    struct err *e)
{
    struct err line;
    TRY(buf_printf(out, e,
                   "%s: %" PRIu64 " documents, %" PRIu64 " tokens: %.2f %% of the mixture (%.2f %% "
                   "asked)",
                   shown(&line, m->path), m->n_docs, m->n_tokens, 100 * got, 100 * asked));
    if (m->all_known && m->n_docs < m->all_docs)
        TRY(buf_printf(out, e, "; %" PRIu64 " documents of %" PRIu64 " left out",
                       m->all_docs - m->n_docs, m->all_docs));
    if (m->n_again > 0)
        TRY(buf_printf(out, e, "; begun again %" PRIu64 " times", m->n_again));
    return buf_puts(out, "\n", e);
}

int report_mix(struct buf *out, const struct mix_source *src, int n, bool json, struct err *e)
{
    double weights = 0;
    uint64_t n_tokens = 0;
    for (int i = 0; i < n; i++) {
        weights += src[i].weight;
        n_tokens += src[i].n_tokens;
    }
    for (int i = 0; i < n; i++) {
        double got = n_tokens ? (double)src[i].n_tokens / (double)n_tokens : 0;
        TRY((json ? mix_json : mix_text)(out, &src[i], got, src[i].weight / weights, e));
    }
    return 0;
}

int report_check(struct buf *out, const char *name, const struct shard_totals *t,
                 const struct err *why, bool json, struct err *e)
{
    struct err line;
    if (!json && why->kind)
        return 0;
    if (!json)
        return buf_printf(out, e, "%s: good: %" PRIu64 " documents, %" PRIu64 " tokens\n",
                          shown(&line, name), t->n_docs, t->n_tokens);
    TRY(buf_puts(out, "{\"file\":", e));
    TRY(report_json_string(out, name, strlen(name), e));
    if (why->kind) {
        TRY(buf_puts(out, ",\"good\":false,\"error\":", e));
        TRY(report_json_string(out, why->msg, strlen(why->msg), e));
        return buf_puts(out, "}\n", e);
    }
    return buf_printf(out, e, ",\"good\":true,\"n_docs\":%" PRIu64 ",\"n_tokens\":%" PRIu64 "}\n",
                      t->n_docs, t->n_tokens);
}
