/*
 * Attention over a team: which thread does which part. Forward packs the new keys and values into
 * the stores, then takes (head, block of queries) as tiles. Backward packs heads into rows and
 * transposed blocks, takes whole heads as tiles, and then adds up the heads that share keys.
 */
#include <math.h>
#include "base/cpu.h"
#include "kern/attn_int.h"

const struct attn_kernels *attn_kernels_for(enum isa isa)
{
#if defined(__x86_64__)
    if (cpu_isa_includes(isa, ISA_AVX512))
        return &attn_avx512;
    if (isa == ISA_AVX2)
        return &attn_avx2;
#endif
    (void)isa;
    return &attn_portable;
}

static const struct attn_kernels *kernels(void)
{
    enum isa isa;
    return cpu_isa(&isa, NULL) < 0 ? &attn_portable : attn_kernels_for(isa);
}

/* ---- sizes */

static int n_blocks(int n_tok)
{
    return (n_tok + ATTN_BLOCK - 1) / ATTN_BLOCK;
}

/* One head's keys and values of a block. */
static size_t head_floats(const struct attn *a)
{
    return (size_t)ATTN_BLOCK * ((size_t)a->head_dim + attn_hp(a));
}

static size_t block_floats(const struct attn *a)
{
    return (size_t)a->n_kv_head * head_floats(a);
}

size_t attn_store_floats(const struct attn *a, int n_tok)
{
    return (size_t)n_blocks(n_tok) * block_floats(a);
}

static size_t aligned(size_t n_floats)
{
    return (n_floats + 15) / 16 * 16;
}

/* Scratch of a pass over n_tok tokens, in `blocks` blocks: where the parts begin, in floats. */
struct layout {
    size_t store;                 /* forward: packed keys and values */
    size_t q, d_o, dq, dk, dv;    /* backward: [sequence][n_head][n][hp] */
    size_t k, kt, vt;             /* [sequence][n_kv_head]: rows; blocks */
    size_t delta;                 /* [n_tok][n_head] */
    size_t tmp, tmp_floats, size; /* per thread */
};

static struct layout lay_out(const struct attn *a, size_t n_tok, size_t blocks, int n_threads,
                             bool backward)
{
    struct layout l = {0};
    if (backward) {
        size_t heads = aligned(n_tok * (size_t)a->n_head * attn_hp(a));
        size_t kv_blocks = aligned(blocks * ATTN_BLOCK * (size_t)(a->n_kv_head * a->head_dim));
        l.d_o = l.q + heads;
        l.dq = l.d_o + heads;
        l.dk = l.dq + heads;
        l.dv = l.dk + heads;
        l.k = l.dv + heads;
        l.kt = l.k + aligned(n_tok * (size_t)a->n_kv_head * attn_hp(a));
        l.vt = l.kt + kv_blocks;
        l.delta = l.vt + kv_blocks;
        l.tmp = l.delta + aligned(n_tok * (size_t)a->n_head);
        l.tmp_floats = aligned(attn_backward_floats(a));
    } else {
        l.tmp = aligned(blocks * block_floats(a));
        l.tmp_floats = aligned(attn_forward_floats(a));
    }
    l.size = l.tmp + (size_t)n_threads * l.tmp_floats;
    return l;
}

size_t attn_scratch_bytes(const struct attn *a, int n_tok, int n_seq, int n_threads, bool backward)
{
    size_t blocks = (size_t)(n_blocks(n_tok) + n_seq), tok = (size_t)n_tok;
    size_t need = lay_out(a, tok, blocks, n_threads, false).size;
    size_t back = backward ? lay_out(a, tok, blocks, n_threads, true).size : 0;
    return (need > back ? need : back) * sizeof(float);
}

/* ---- tiles: each sequence has some, in order; a thread sees ascending ones */

struct cursor {
    int s;             /* the sequence of the tile */
    int64_t first;     /* its first tile */
    size_t tok, block; /* tokens and blocks of the sequences before it */
};

typedef int64_t tiles_of(const struct attn *a, const struct attn_seq *s);

static int64_t count(const struct attn *a, const struct attn_io *io, tiles_of *tiles)
{
    int64_t n = 0;
    for (int s = 0; s < io->n_seq; s++)
        n += tiles(a, &io->seq[s]);
    return n;
}

static const struct attn_seq *seek(struct cursor *c, const struct attn *a, const struct attn_io *io,
                                   tiles_of *tiles, int64_t tile)
{
    for (int64_t n; tile >= c->first + (n = tiles(a, &io->seq[c->s])); c->s++, c->first += n) {
        c->tok += (size_t)io->seq[c->s].n;
        c->block += (size_t)n_blocks(io->seq[c->s].n);
    }
    return &io->seq[c->s];
}

static struct layout pass_layout(const struct worker *w, const struct attn *a,
                                 const struct attn_io *io, bool backward)
{
    size_t n_tok = 0, blocks = 0;
    for (int s = 0; s < io->n_seq; s++) {
        n_tok += (size_t)io->seq[s].n;
        blocks += (size_t)n_blocks(io->seq[s].n);
    }
    return lay_out(a, n_tok, blocks, w->n, backward);
}

/* ---- forward */

static int64_t pack_tiles(const struct attn *a, const struct attn_seq *s)
{
    return s->n ? (int64_t)a->n_kv_head * (n_blocks(s->past + s->n) - s->past / ATTN_BLOCK) : 0;
}

static int64_t query_tiles(const struct attn *a, const struct attn_seq *s)
{
    return (int64_t)a->n_head * n_blocks(s->n);
}

static float *store_of(const struct attn *a, const struct attn_io *io, const struct cursor *c)
{
    float *store = io->seq[c->s].store;
    return store ? store : (float *)io->scratch + c->block * block_floats(a);
}

static int ring_of(const struct attn_seq *s)
{
    return s->store && s->store_tok ? s->store_tok / ATTN_BLOCK : n_blocks(s->past + s->n);
}

static void pack_block(const struct attn_kernels *kn, const struct attn *a,
                       const struct attn_io *io, const struct attn_seq *s, float *store, int block,
                       int head)
{
    int hd = a->head_dim, from = block * ATTN_BLOCK, to = from + ATTN_BLOCK;
    bool round = a->dtype == GEMM_BF16;
    from = from > s->past ? from : s->past;
    to = to < s->past + s->n ? to : s->past + s->n;
    size_t row = (size_t)(s->row + from - s->past), col = (size_t)head * (size_t)hd;
    float *kt =
        store + (size_t)(block % ring_of(s)) * block_floats(a) + (size_t)head * head_floats(a);
    float *v = kt + hd * ATTN_BLOCK;
    int at = from % ATTN_BLOCK;
    kn->transpose(kt, at, io->k + row * (size_t)io->ldk + col, (size_t)io->ldk, to - from, hd,
                  round);
    kn->pack(v + (size_t)at * attn_hp(a), io->v + row * (size_t)io->ldv + col, (size_t)io->ldv,
             to - from, hd, round);
}

void attn_forward(struct worker *w, const struct attn *a, const struct attn_io *io)
{
    const struct attn_kernels *kn = kernels();
    struct layout l = pass_layout(w, a, io, false);
    struct cursor c = {0};
    TEAM_FOR(w, t, count(a, io, pack_tiles))
    {
        const struct attn_seq *s = seek(&c, a, io, pack_tiles, t);
        int i = (int)(t - c.first);
        pack_block(kn, a, io, s, store_of(a, io, &c), s->past / ATTN_BLOCK + i / a->n_kv_head,
                   i % a->n_kv_head);
    }
    team_barrier(w);
    c = (struct cursor){0};
    TEAM_FOR(w, t, count(a, io, query_tiles))
    {
        const struct attn_seq *s = seek(&c, a, io, query_tiles, t);
        int i = (int)(t - c.first), h = i % a->n_head;
        /* the last block, with the most keys, comes first */
        int q0 = (n_blocks(s->n) - 1 - i / a->n_head) * ATTN_BLOCK;
        size_t row = (size_t)(s->row + q0), col = (size_t)h * (size_t)a->head_dim;
        size_t kv_head = (size_t)(h / (a->n_head / a->n_kv_head));
        struct attn_forward f = {
            .a = a,
            .n_q = s->n - q0 < ATTN_BLOCK ? s->n - q0 : ATTN_BLOCK,
            .pos0 = s->past + q0,
            .n_key = s->past + s->n,
            .seq = s->id * (uint64_t)a->n_head + (uint64_t)h,
            .q = io->q + row * (size_t)io->ldq + col,
            .ldq = (size_t)io->ldq,
            .store = store_of(a, io, &c) + kv_head * head_floats(a),
            .block_floats = block_floats(a),
            .n_ring = ring_of(s),
            .o = io->o + row * (size_t)io->ldo + col,
            .ldo = (size_t)io->ldo,
            .lse = io->lse ? io->lse + row * (size_t)a->n_head + (size_t)h : NULL,
            .ld_lse = (size_t)a->n_head,
            .tmp = (float *)io->scratch + l.tmp + (size_t)w->tid * l.tmp_floats,
        };
        kn->forward(&f);
    }
    team_barrier(w);
}

/* ---- backward */

/* Where a head of the cursor's sequence begins in a part of the scratch. */
static float *rows_at(const struct attn_io *io, size_t part, const struct cursor *c,
                      const struct attn *a, int n_head, int h)
{
    size_t n = (size_t)io->seq[c->s].n;
    return (float *)io->scratch + part + (c->tok * (size_t)n_head + n * (size_t)h) * attn_hp(a);
}

static float *blocks_at(const struct attn_io *io, size_t part, const struct cursor *c,
                        const struct attn *a, int h)
{
    size_t blocks = (size_t)n_blocks(io->seq[c->s].n);
    return (float *)io->scratch + part +
           (c->block * (size_t)a->n_kv_head + blocks * (size_t)h) * ATTN_BLOCK *
               (size_t)a->head_dim;
}

static void pack_query_head(const struct attn_kernels *kn, const struct attn *a,
                            const struct attn_io *io, const struct layout *l,
                            const struct cursor *c, int h, int from, int n)
{
    const struct attn_seq *s = &io->seq[c->s];
    bool round = a->dtype == GEMM_BF16;
    int hd = a->head_dim;
    size_t row = (size_t)(s->row + from), col = (size_t)h * (size_t)hd;
    size_t at = (size_t)from * attn_hp(a), ldo = (size_t)io->ldo, ldd_o = (size_t)io->ldd_o;
    const float *d_o = io->d_o + row * ldd_o + col;
    kn->pack(rows_at(io, l->q, c, a, a->n_head, h) + at, io->q + row * (size_t)io->ldq + col,
             (size_t)io->ldq, n, hd, round);
    kn->pack(rows_at(io, l->d_o, c, a, a->n_head, h) + at, d_o, ldd_o, n, hd, round);
    kn->delta((float *)io->scratch + l->delta + (c->tok + (size_t)from) * (size_t)a->n_head +
                  (size_t)h,
              (size_t)a->n_head, io->o + row * ldo + col, ldo, d_o, ldd_o, n, hd);
}

static void pack_key_head(const struct attn_kernels *kn, const struct attn *a,
                          const struct attn_io *io, const struct layout *l, const struct cursor *c,
                          int h, int from, int n)
{
    const struct attn_seq *s = &io->seq[c->s];
    bool round = a->dtype == GEMM_BF16;
    int hd = a->head_dim;
    size_t row = (size_t)(s->row + from), col = (size_t)h * (size_t)hd;
    size_t at = (size_t)from * (size_t)hd, ldk = (size_t)io->ldk, ldv = (size_t)io->ldv;
    const float *k = io->k + row * ldk + col, *v = io->v + row * ldv + col;
    kn->pack(rows_at(io, l->k, c, a, a->n_kv_head, h) + (size_t)from * attn_hp(a), k, ldk, n, hd,
             round);
    kn->transpose(blocks_at(io, l->kt, c, a, h) + at, 0, k, ldk, n, hd, round);
    kn->transpose(blocks_at(io, l->vt, c, a, h) + at, 0, v, ldv, n, hd, round);
}

static int64_t block_tiles(const struct attn *a, const struct attn_seq *s)
{
    (void)a;
    return n_blocks(s->n);
}

static int64_t head_tiles(const struct attn *a, const struct attn_seq *s)
{
    return s->n ? a->n_head : 0;
}

static void whole_head(const struct attn_kernels *kn, const struct attn *a,
                       const struct attn_io *io, const struct layout *l, const struct cursor *c,
                       int h, float *tmp)
{
    const struct attn_seq *s = &io->seq[c->s];
    int kv = h / (a->n_head / a->n_kv_head);
    struct attn_backward b = {
        .a = a,
        .n = s->n,
        .seq = s->id * (uint64_t)a->n_head + (uint64_t)h,
        .q = rows_at(io, l->q, c, a, a->n_head, h),
        .d_o = rows_at(io, l->d_o, c, a, a->n_head, h),
        .k = rows_at(io, l->k, c, a, a->n_kv_head, kv),
        .kt = blocks_at(io, l->kt, c, a, kv),
        .vt = blocks_at(io, l->vt, c, a, kv),
        .lse = io->lse + (size_t)s->row * (size_t)a->n_head + (size_t)h,
        .delta = (float *)io->scratch + l->delta + c->tok * (size_t)a->n_head + (size_t)h,
        .ld_lse = (size_t)a->n_head,
        .dq = rows_at(io, l->dq, c, a, a->n_head, h),
        .dk = rows_at(io, l->dk, c, a, a->n_head, h),
        .dv = rows_at(io, l->dv, c, a, a->n_head, h),
        .tmp = tmp,
    };
    kn->backward(&b);
}

static void unpack_block(const struct attn_kernels *kn, const struct attn *a,
                         const struct attn_io *io, const struct layout *l, const struct cursor *c,
                         int from, int n)
{
    const struct attn_seq *s = &io->seq[c->s];
    int group = a->n_head / a->n_kv_head, hd = a->head_dim;
    size_t row = (size_t)(s->row + from), hp = attn_hp(a), at = (size_t)from * hp;
    size_t lddq = (size_t)io->lddq, lddk = (size_t)io->lddk, lddv = (size_t)io->lddv;
    for (int h = 0; h < a->n_head; h++)
        kn->unpack(io->dq + row * lddq + (size_t)(h * hd), lddq,
                   rows_at(io, l->dq, c, a, a->n_head, h) + at, hp, 1, 0, n, hd);
    for (int h = 0; h < a->n_kv_head; h++) {
        const float *dk = rows_at(io, l->dk, c, a, a->n_head, h * group) + at;
        const float *dv = rows_at(io, l->dv, c, a, a->n_head, h * group) + at;
        size_t col = (size_t)(h * hd), apart = (size_t)s->n * hp;
        kn->unpack(io->dk + row * lddk + col, lddk, dk, hp, group, apart, n, hd);
        kn->unpack(io->dv + row * lddv + col, lddv, dv, hp, group, apart, n, hd);
    }
}

void attn_backward(struct worker *w, const struct attn *a, const struct attn_io *io)
{
    const struct attn_kernels *kn = kernels();
    struct layout l = pass_layout(w, a, io, true);
    struct cursor c = {0};
    TEAM_FOR(w, t, count(a, io, block_tiles))
    {
        const struct attn_seq *s = seek(&c, a, io, block_tiles, t);
        int from = (int)(t - c.first) * ATTN_BLOCK;
        int n = s->n - from < ATTN_BLOCK ? s->n - from : ATTN_BLOCK;
        for (int h = 0; h < a->n_head; h++)
            pack_query_head(kn, a, io, &l, &c, h, from, n);
        for (int h = 0; h < a->n_kv_head; h++)
            pack_key_head(kn, a, io, &l, &c, h, from, n);
    }
    team_barrier(w);
    c = (struct cursor){0};
    TEAM_FOR(w, t, count(a, io, head_tiles))
    {
        seek(&c, a, io, head_tiles, t);
        whole_head(kn, a, io, &l, &c, (int)(t - c.first),
                   (float *)io->scratch + l.tmp + (size_t)w->tid * l.tmp_floats);
    }
    team_barrier(w);
    c = (struct cursor){0};
    TEAM_FOR(w, t, count(a, io, block_tiles))
    {
        const struct attn_seq *s = seek(&c, a, io, block_tiles, t);
        int from = (int)(t - c.first) * ATTN_BLOCK;
        unpack_block(kn, a, io, &l, &c, from, s->n - from < ATTN_BLOCK ? s->n - from : ATTN_BLOCK);
    }
    team_barrier(w);
}
