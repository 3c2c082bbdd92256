/*
 * Expectation, maximisation and pruning of Unigram pieces (Kudo 2018), with the rules of
 * SentencePiece's trainer: expected counts under 0.5 go, scores are digamma differences, and each
 * round keeps the pieces whose loss would cost most.
 *
 * Words are taken in runs of at most MAX_RUN bytes, so that sums of probabilities, scaled to about
 * 1 a character, stay in the range of a double. Each of N_PARTS parts of the words adds up for
 * itself, and the parts are added in their order: the result does not depend on the number of
 * threads.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/pool.h"
#include "token/unigram_int.h"

enum { N_PARTS = 16, MAX_RUN = 192, RUNS_PER_BLOCK = 64 };
/* No shorter word has a second block: its runs are MAX_RUN - 3 bytes and more. */
enum { LONG_WORD = (MAX_RUN - 3) * RUNS_PER_BLOCK };

struct em {
    struct unigram *u;
    struct trie *trie;
    double *p; /* by piece: its probability, scaled */
    double scale;
    bool viterbi;
    double *sum[N_PARTS]; /* by piece: expected or best counts */
    double *in[N_PARTS];  /* Viterbi: counts of the words in which it stands */
    double objective[N_PARTS];
};

struct edge {
    uint16_t from, to;
    uint32_t piece;
};

/* ---- one run of a word */

struct lattice {
    struct edge edge[MAX_RUN * 64];
    size_t n;
    double alpha[MAX_RUN + 1], beta[MAX_RUN + 1];
    uint32_t best[MAX_RUN + 1]; /* the edge by which a place is reached */
};

/* The pieces at each place of s[0..n); a place that none reaches is closed. */
static void find_edges(const struct em *m, struct lattice *l, const char *s, size_t n)
{
    l->n = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t node = 0;
        if (((unsigned char)s[i] & 0xc0) == 0x80)
            continue;
        for (size_t k = i; k < n; k++) {
            node = trie_child(m->trie, node, (unsigned char)s[k]);
            if (node == TRIE_NONE)
                break;
            uint32_t piece = m->trie->value[node];
            if (piece != TRIE_NONE && l->n < sizeof l->edge / sizeof *l->edge)
                l->edge[l->n++] = (struct edge){(uint16_t)i, (uint16_t)(k + 1), piece};
        }
    }
}

/* Adds the expected counts; false: no way through, or out of a double's range. */
static bool add_expected(const struct em *m, struct lattice *l, size_t n, double count, double *sum,
                         double *log_z)
{
    memset(l->alpha, 0, (n + 1) * sizeof *l->alpha);
    memset(l->beta, 0, (n + 1) * sizeof *l->beta);
    l->alpha[0] = l->beta[n] = 1;
    for (size_t i = 0; i < l->n; i++)
        l->alpha[l->edge[i].to] += l->alpha[l->edge[i].from] * m->p[l->edge[i].piece];
    double z = l->alpha[n];
    if (!(z > 1e-290 && z < 1e290))
        return false;
    for (size_t i = l->n; i-- > 0;) {
        const struct edge *d = &l->edge[i];
        double way = m->p[d->piece] * l->beta[d->to];
        l->beta[d->from] += way;
        sum[d->piece] += l->alpha[d->from] * way / z * count;
    }
    *log_z = log(z);
    return true;
}

/* The best way: of equal ones the first found. Scores are sums of logarithms. */
static bool add_best(const struct em *m, struct lattice *l, size_t n, double count, double *sum,
                     double *in)
{
    const struct uni_piece *v = m->u->pieces.v;
    uint32_t seen[MAX_RUN];
    size_t n_seen = 0;
    for (size_t i = 0; i <= n; i++)
        l->alpha[i] = -INFINITY;
    l->alpha[0] = 0;
    for (size_t i = 0; i < l->n; i++) {
        const struct edge *d = &l->edge[i];
        double score = l->alpha[d->from] + v[d->piece].score;
        if (score > l->alpha[d->to]) {
            l->alpha[d->to] = score;
            l->best[d->to] = (uint32_t)i;
        }
    }
    if (l->alpha[n] == -INFINITY)
        return false;
    for (size_t at = n; at > 0;) {
        const struct edge *d = &l->edge[l->best[at]];
        bool again = false;
        sum[d->piece] += count;
        for (size_t i = 0; i < n_seen && !again; i++)
            again = seen[i] == d->piece;
        if (!again) {
            seen[n_seen++] = d->piece;
            in[d->piece] += count;
        }
        at = d->from;
    }
    return true;
}

/* Where the next run ends, at a character; 0: s begins with half of one. */
static size_t cut_at(const char *s, size_t most)
{
    while (most && ((unsigned char)s[most] & 0xc0) == 0x80)
        most--;
    return most;
}

/* A run that is out of range goes in halves. */
static void add_run(const struct em *m, struct lattice *l, const char *s, size_t n, double count,
                    int part, double *objective)
{
    double log_z = 0;
    find_edges(m, l, s, n);
    if (m->viterbi ? add_best(m, l, n, count, m->sum[part], m->in[part])
                   : add_expected(m, l, n, count, m->sum[part], &log_z)) {
        *objective += log_z * count;
        return;
    }
    const size_t half = cut_at(s, n / 2);
    if (half == 0)
        return; /* one character, of which no piece is left */
    add_run(m, l, s, half, count, part, objective);
    add_run(m, l, s + half, n - half, count, part, objective);
}

/* The runs of word i that are the part's: words take turns, and in long ones blocks of runs. */
static void add_word(const struct em *m, struct lattice *l, size_t i, int part, double *objective)
{
    const struct uni_word *w = &m->u->words.v[i];
    const char *s = w->s, *end = w->s + w->len;
    for (size_t k = 0; s < end; k++) {
        const size_t left = (size_t)(end - s);
        size_t n = left > MAX_RUN ? cut_at(s, MAX_RUN) : left;
        if ((i + k / RUNS_PER_BLOCK) % N_PARTS == (size_t)part)
            add_run(m, l, s, n, (double)w->count, part, objective);
        s += n;
    }
}

static int do_part(void *user, size_t part, int thread, struct err *e)
{
    struct em *m = user;
    const struct uni_words *w = &m->u->words;
    struct lattice *l = mem_new(1, sizeof *l, e);
    (void)thread;
    if (!l)
        return -1;
    m->objective[part] = 0;
    memset(m->sum[part], 0, m->u->pieces.n * sizeof **m->sum);
    if (m->viterbi)
        memset(m->in[part], 0, m->u->pieces.n * sizeof **m->in);
    for (size_t i = 0; i < w->n; i++)
        if (i % N_PARTS == part || w->v[i].len > LONG_WORD)
            add_word(m, l, i, (int)part, &m->objective[part]);
    free(l);
    return 0;
}

/* ---- a pass over all words: sums in sum[0] (and in[0]) */

static int make_trie(struct em *m)
{
    const struct unigram *u = m->u;
    trie_free(m->trie);
    m->trie = trie_new(u->e);
    if (!m->trie)
        return -1;
    for (size_t i = 0; i < u->pieces.n; i++) {
        const struct uni_piece *p = &u->pieces.v[i];
        if (trie_add(m->trie, u->words.bytes + p->at, p->len, (uint32_t)i, u->e) < 0)
            return -1;
        m->p[i] = exp(p->score + m->scale * p->n_chars);
    }
    return 0;
}

static int pass(struct em *m, bool viterbi)
{
    m->viterbi = viterbi;
    if (make_trie(m) < 0 || pool_for(m->u->opt->n_threads, N_PARTS, do_part, m, m->u->e) < 0)
        return -1;
    for (int k = 1; k < N_PARTS; k++) {
        for (size_t i = 0; i < m->u->pieces.n; i++) {
            m->sum[0][i] += m->sum[k][i];
            if (viterbi)
                m->in[0][i] += m->in[k][i];
        }
        m->objective[0] += m->objective[k];
    }
    return 0;
}

/* Psi, by its recurrence and asymptotic series (Abramowitz and Stegun 6.3.5, 6.3.18). */
static double digamma(double x)
{
    double r = 0;
    for (; x < 7; x++)
        r -= 1 / x;
    x -= 0.5;
    double y = 1 / (x * x);
    return r + log(x) + y / 24 - 7 * y * y / 960 + 31 * y * y * y / 8064;
}

static void maximise(struct em *m)
{
    struct uni_pieces *p = &m->u->pieces;
    const double *expected = m->sum[0];
    double sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++) {
        if (expected[i] < 0.5)
            continue;
        p->v[n] = p->v[i];
        p->v[n++].score = expected[i];
        sum += expected[i];
    }
    p->n = n;
    double log_sum = digamma(sum);
    for (size_t i = 0; i < n; i++)
        p->v[i].score = digamma(p->v[i].score) - log_sum;
}

/* ---- pruning */

struct loss {
    double value;
    uint32_t piece;
};

static int largest_first(const void *a, const void *b)
{
    const struct loss *x = a, *y = b;
    if (x->value != y->value)
        return x->value > y->value ? -1 : 1;
    return (x->piece > y->piece) - (x->piece < y->piece);
}

/* The best way through the piece itself, and the best one of two pieces and more, whose pieces go
 * to other[]: how many; 0: there is none. *first: the piece itself is the best way. */
static size_t alternatives(const struct em *m, struct lattice *l, uint32_t piece, uint32_t *other,
                           bool *first)
{
    const struct uni_pieces *p = &m->u->pieces;
    const struct uni_piece *self = &p->v[piece];
    size_t n = self->len, k = 0;
    if (n > MAX_RUN) {
        *first = true;
        return 0;
    }
    find_edges(m, l, m->u->words.bytes + self->at, n);
    for (size_t i = 0; i <= n; i++)
        l->alpha[i] = -INFINITY;
    l->alpha[0] = 0;
    for (size_t i = 0; i < l->n; i++) {
        const struct edge *d = &l->edge[i];
        double score = l->alpha[d->from] + p->v[d->piece].score;
        if (d->piece != piece && score > l->alpha[d->to]) {
            l->alpha[d->to] = score;
            l->best[d->to] = (uint32_t)i;
        }
    }
    *first = self->score >= l->alpha[n];
    if (l->alpha[n] == -INFINITY)
        return 0;
    for (size_t at = n; at > 0; at = l->edge[l->best[at]].from)
        other[k++] = l->edge[l->best[at]].piece;
    return k;
}

static int prune(struct em *m, size_t wanted)
{
    struct uni_pieces *p = &m->u->pieces;
    struct lattice *l = mem_new(1, sizeof *l, m->u->e);
    struct loss *losses = mem_new(p->n, sizeof *losses, m->u->e);
    uint8_t *keep = mem_new(p->n, 1, m->u->e);
    double *freq = m->sum[0], sum = 0, words = (double)m->u->words.total;
    size_t n_losses = 0, n_kept = 0, n = 0;
    int rc = l && losses && keep ? pass(m, true) : -1;
    for (size_t i = 0; rc == 0 && i < p->n; i++)
        sum += freq[i];
    for (uint32_t i = 0; rc == 0 && i < p->n; i++) {
        uint32_t other[MAX_RUN];
        bool first;
        size_t k = alternatives(m, l, i, other, &first);
        if (freq[i] == 0 || !first)
            continue;
        if (k == 0) {
            keep[i] = 1;
            n_kept++;
            continue;
        }
        double log_alt_sum = log(sum + freq[i] * (double)(k - 1)), alt = 0;
        for (size_t a = 0; a < k; a++)
            alt += log(freq[other[a]] + freq[i]) - log_alt_sum;
        losses[n_losses++] =
            (struct loss){m->in[0][i] / words * (log(freq[i]) - log(sum) - alt), i};
    }
    if (rc == 0) {
        size_t target = (size_t)(m->u->opt->shrinking_factor * (double)p->n);
        target = target > wanted ? target : wanted;
        qsort(losses, n_losses, sizeof *losses, largest_first);
        for (size_t i = 0; i < n_losses && n_kept < target; i++, n_kept++)
            keep[losses[i].piece] = 1;
        for (size_t i = 0; i < p->n; i++)
            if (keep[i])
                p->v[n++] = p->v[i];
        p->n = n;
    }
    free(l);
    free(losses);
    free(keep);
    return rc;
}

/* ---- the loop */

static void normalise(struct uni_pieces *p)
{
    double sum = 0;
    for (size_t i = 0; i < p->n; i++)
        sum += p->v[i].score;
    for (size_t i = 0; i < p->n; i++)
        p->v[i].score = log(p->v[i].score) - log(sum);
}

static int rounds(struct em *m)
{
    struct unigram *u = m->u;
    const size_t wanted = (size_t)((double)u->opt->vocab_size * 1.1), first = u->pieces.n;
    for (;;) {
        size_t before = u->pieces.n;
        for (int i = 0; i < u->opt->n_sub_iterations; i++) {
            if (pass(m, false) < 0)
                return -1;
            maximise(m);
        }
        if (u->opt->progress && first > wanted &&
            u->opt->progress(u->opt->user,
                             log((double)first / (double)u->pieces.n) /
                                 log((double)first / (double)wanted),
                             u->e) < 0)
            return -1;
        if (u->pieces.n <= wanted)
            return 0;
        size_t at = u->pieces.n;
        if (prune(m, wanted) < 0)
            return -1;
        if (u->pieces.n == at && at == before)
            return 0; /* nothing more can go */
    }
}

int unigram_em(struct unigram *u)
{
    struct em m = {.u = u, .scale = 5};
    int rc = 0;
    normalise(&u->pieces);
    m.p = mem_new(u->pieces.n, sizeof *m.p, u->e);
    for (int i = 0; i < N_PARTS; i++) {
        m.sum[i] = mem_new(u->pieces.n, sizeof **m.sum, u->e);
        m.in[i] = mem_new(u->pieces.n, sizeof **m.in, u->e);
        if (!m.sum[i] || !m.in[i])
            rc = -1;
    }
    if (rc == 0 && m.p && u->pieces.n && u->words.n)
        rc = rounds(&m);
    else if (!m.p)
        rc = -1;
    for (int i = 0; i < N_PARTS; i++) {
        free(m.sum[i]);
        free(m.in[i]);
    }
    trie_free(m.trie);
    free(m.p);
    return rc;
}
