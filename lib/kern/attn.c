/*
 * Attention over a team: which thread does which part. Forward packs the new keys and values into
 * the stores, then takes (head, block of queries) as tiles. Backward packs heads into blocks, takes
 * (head, block of keys) as tiles, which add to the gradients of the queries one close behind the
 * other, and then adds up the heads that share keys.
 */
#include <math.h>
#include "base/cpu.h"
#include "kern/attn_int.h"

const struct attn_kernels *attn_kernels_for(enum isa isa, enum gemm_dtype dtype)
{
#if defined(__x86_64__)
    if (dtype == GEMM_BF16 && cpu_isa_includes(isa, ISA_AMX))
        return &attn_amx;
    if (dtype == GEMM_BF16 && cpu_isa_includes(isa, ISA_AVX512BF16))
        return &attn_avx512bf16;
    if (cpu_isa_includes(isa, ISA_AVX512))
        return &attn_avx512;
    if (isa == ISA_AVX2)
        return &attn_avx2;
#elif defined(__aarch64__)
    if (isa == ISA_NEON)
        return &attn_neon;
#endif
    (void)isa, (void)dtype;
    return &attn_portable;
}

static const struct attn_kernels *kernels(const struct attn *a)
{
    enum isa isa;
    return attn_kernels_for(cpu_isa(&isa, NULL) < 0 ? ISA_PORTABLE : isa, a->dtype);
}

static void begin(const struct attn_kernels *kn)
{
    if (kn->begin)
        kn->begin();
}

static void end(const struct attn_kernels *kn)
{
    if (kn->end)
        kn->end();
}

/* ---- sizes */

static int n_blocks(int n_tok)
{
    return (n_tok + ATTN_BLOCK - 1) / ATTN_BLOCK;
}

size_t attn_store_floats(const struct attn *a, int n_tok)
{
    return (size_t)n_blocks(n_tok) * (size_t)a->n_kv_head * kernels(a)->sizes(a).store;
}

/* Scratch of a pass over sequences of `blocks` blocks: where the parts begin, in floats. A part of
 * heads is [sequence][head][block]. Forward's stores, [block][head], and backward's packed queries
 * stand at 0. */
struct layout {
    const struct attn_kernels *kn;
    struct attn_sizes size;
    size_t dq, dk, dv, k;             /* backward */
    size_t done;                      /* counters, one for each block of keys of a query head */
    size_t tmp, tmp_floats, n_floats; /* per thread; in all */
};

static struct layout lay_out(const struct attn *a, size_t blocks, int n_threads, bool backward)
{
    const struct attn_kernels *kn = kernels(a);
    struct layout l = {.kn = kn, .size = kn->sizes(a)};
    size_t heads = blocks * (size_t)a->n_head, kv_heads = blocks * (size_t)a->n_kv_head;
    if (backward) {
        l.dq = heads * l.size.q;
        l.dk = l.dq + heads * ATTN_BLOCK * attn_hp(a);
        l.dv = l.dk + heads * ATTN_BLOCK * attn_hp(a);
        l.k = l.dv + heads * ATTN_BLOCK * attn_hp(a);
        l.done = l.k + kv_heads * l.size.k;
        l.tmp = l.done + (heads + 15) / 16 * 16;
        l.tmp_floats = l.size.backward_tmp;
    } else {
        l.tmp = kv_heads * l.size.store;
        l.tmp_floats = l.size.forward_tmp;
    }
    l.n_floats = l.tmp + (size_t)n_threads * l.tmp_floats;
    return l;
}

size_t attn_scratch_bytes(const struct attn *a, int n_tok, int n_seq, int n_threads, bool backward)
{
    size_t blocks = (size_t)(n_blocks(n_tok) + n_seq);
    size_t need = lay_out(a, blocks, n_threads, false).n_floats;
    size_t back = backward ? lay_out(a, blocks, n_threads, true).n_floats : 0;
    return (need > back ? need : back) * sizeof(float);
}

/* ---- tiles: each sequence has some, in order; a thread sees ascending ones for the most part */

struct cursor {
    int s;         /* the sequence of the tile */
    int64_t first; /* its first tile */
    size_t block;  /* blocks of the sequences before it */
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
    if (tile < c->first)
        *c = (struct cursor){0};
    for (int64_t n; tile >= c->first + (n = tiles(a, &io->seq[c->s])); c->s++, c->first += n)
        c->block += (size_t)n_blocks(io->seq[c->s].n);
    return &io->seq[c->s];
}

static struct layout pass_layout(const struct worker *w, const struct attn *a,
                                 const struct attn_io *io, bool backward)
{
    size_t blocks = 0;
    for (int s = 0; s < io->n_seq; s++)
        blocks += (size_t)n_blocks(io->seq[s].n);
    return lay_out(a, blocks, w->n, backward);
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

/* Floats from a block of the store to the next. */
static size_t block_floats(const struct attn *a, const struct layout *l)
{
    return (size_t)a->n_kv_head * l->size.store;
}

static float *store_of(const struct attn *a, const struct attn_io *io, const struct layout *l,
                       const struct cursor *c)
{
    float *store = io->seq[c->s].store;
    return store ? store : (float *)io->scratch + c->block * block_floats(a, l);
}

static int ring_of(const struct attn_seq *s)
{
    return s->store && s->store_tok ? s->store_tok / ATTN_BLOCK : n_blocks(s->past + s->n);
}

static void put_block(const struct layout *l, const struct attn *a, const struct attn_io *io,
                      const struct attn_seq *s, float *store, int block, int head)
{
    int from = block * ATTN_BLOCK, to = from + ATTN_BLOCK;
    from = from > s->past ? from : s->past;
    to = to < s->past + s->n ? to : s->past + s->n;
    size_t row = (size_t)(s->row + from - s->past), col = (size_t)head * (size_t)a->head_dim;
    float *at =
        store + (size_t)(block % ring_of(s)) * block_floats(a, l) + (size_t)head * l->size.store;
    l->kn->put(a, at, from % ATTN_BLOCK, io->k + row * (size_t)io->ldk + col, (size_t)io->ldk,
               io->v + row * (size_t)io->ldv + col, (size_t)io->ldv, to - from);
}

void attn_forward(struct worker *w, const struct attn *a, const struct attn_io *io)
{
    struct layout l = pass_layout(w, a, io, false);
    struct cursor c = {0};
    begin(l.kn);
    TEAM_FOR(w, t, count(a, io, pack_tiles))
    {
        const struct attn_seq *s = seek(&c, a, io, pack_tiles, t);
        int i = (int)(t - c.first);
        put_block(&l, a, io, s, store_of(a, io, &l, &c), s->past / ATTN_BLOCK + i / a->n_kv_head,
                  i % a->n_kv_head);
    }
    team_barrier(w);
    c = (struct cursor){0};
    TEAM_FOR(w, t, count(a, io, query_tiles))
    {
        const struct attn_seq *s = seek(&c, a, io, query_tiles, t);
        /* a head after the other, whose keys stay in the caches; of one the last block of queries,
         * which has the most keys, comes first */
        int i = (int)(t - c.first), blocks = n_blocks(s->n), h = i / blocks;
        int q0 = (blocks - 1 - i % blocks) * ATTN_BLOCK;
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
            .store = store_of(a, io, &l, &c) + kv_head * l.size.store,
            .block_floats = block_floats(a, &l),
            .n_ring = ring_of(s),
            .o = io->o + row * (size_t)io->ldo + col,
            .ldo = (size_t)io->ldo,
            .lse = io->lse ? io->lse + row * (size_t)a->n_head + (size_t)h : NULL,
            .ld_lse = (size_t)a->n_head,
            .tmp = (float *)io->scratch + l.tmp + (size_t)w->tid * l.tmp_floats,
        };
        l.kn->forward(&f);
    }
    end(l.kn);
    team_barrier(w);
}

/* ---- backward */

/* Block 0 of a head of the cursor's sequence in a part of the scratch, blocks of `size` floats. */
static float *head_at(const struct attn_io *io, size_t part, size_t size, const struct cursor *c,
                      int n_head, int h)
{
    size_t blocks = (size_t)n_blocks(io->seq[c->s].n);
    return (float *)io->scratch + part + (c->block * (size_t)n_head + blocks * (size_t)h) * size;
}

static atomic_int *counters_of(const struct attn *a, const struct attn_io *io,
                               const struct layout *l, const struct cursor *c, int h)
{
    return (atomic_int *)(void *)head_at(io, l->done, 1, c, a->n_head, h);
}

/* Tokens of block b of the cursor's sequence. */
static int block_len(const struct attn_seq *s, int b)
{
    int from = b * ATTN_BLOCK;
    return s->n - from < ATTN_BLOCK ? s->n - from : ATTN_BLOCK;
}

static void pack_query_head(const struct layout *l, const struct attn *a, const struct attn_io *io,
                            const struct cursor *c, int b, int h)
{
    const struct attn_seq *s = &io->seq[c->s];
    size_t row = (size_t)(s->row + b * ATTN_BLOCK), col = (size_t)h * (size_t)a->head_dim;
    struct attn_pack_q p = {
        .n = block_len(s, b),
        .q = io->q + row * (size_t)io->ldq + col,
        .d_o = io->d_o + row * (size_t)io->ldd_o + col,
        .o = io->o + row * (size_t)io->ldo + col,
        .lse = io->lse + row * (size_t)a->n_head + (size_t)h,
        .ldq = (size_t)io->ldq,
        .ldd_o = (size_t)io->ldd_o,
        .ldo = (size_t)io->ldo,
        .ld_lse = (size_t)a->n_head,
    };
    l->kn->pack_q(a, head_at(io, 0, l->size.q, c, a->n_head, h) + (size_t)b * l->size.q, &p);
    atomic_init(counters_of(a, io, l, c, h) + b, 0);
}

static void pack_key_head(const struct layout *l, const struct attn *a, const struct attn_io *io,
                          const struct cursor *c, int b, int h)
{
    const struct attn_seq *s = &io->seq[c->s];
    size_t row = (size_t)(s->row + b * ATTN_BLOCK), col = (size_t)h * (size_t)a->head_dim;
    l->kn->pack_k(a, head_at(io, l->k, l->size.k, c, a->n_kv_head, h) + (size_t)b * l->size.k,
                  io->k + row * (size_t)io->ldk + col, (size_t)io->ldk,
                  io->v + row * (size_t)io->ldv + col, (size_t)io->ldv, block_len(s, b));
}

static int64_t block_tiles(const struct attn *a, const struct attn_seq *s)
{
    (void)a;
    return n_blocks(s->n);
}

static int64_t key_tiles(const struct attn *a, const struct attn_seq *s)
{
    return (int64_t)a->n_head * n_blocks(s->n);
}

static void keys_of_head(const struct layout *l, const struct attn *a, const struct attn_io *io,
                         const struct cursor *c, int h, int block, float *tmp)
{
    const struct attn_seq *s = &io->seq[c->s];
    size_t rows = ATTN_BLOCK * attn_hp(a), at = (size_t)block * rows;
    int kv = h / (a->n_head / a->n_kv_head);
    atomic_int *done = counters_of(a, io, l, c, h) + block;
    struct attn_backward b = {
        .a = a,
        .n = s->n,
        .block = block,
        .seq = s->id * (uint64_t)a->n_head + (uint64_t)h,
        .q = head_at(io, 0, l->size.q, c, a->n_head, h),
        .q_apart = l->size.q,
        .k = head_at(io, l->k, l->size.k, c, a->n_kv_head, kv) + (size_t)block * l->size.k,
        .dq = head_at(io, l->dq, rows, c, a->n_head, h),
        .dk = head_at(io, l->dk, rows, c, a->n_head, h) + at,
        .dv = head_at(io, l->dv, rows, c, a->n_head, h) + at,
        .tmp = tmp,
        .before = block ? done - 1 : NULL,
        .done = done,
    };
    l->kn->backward(&b);
}

static void unpack_block(const struct layout *l, const struct attn *a, const struct attn_io *io,
                         const struct cursor *c, int b)
{
    const struct attn_seq *s = &io->seq[c->s];
    int group = a->n_head / a->n_kv_head, hd = a->head_dim, n = block_len(s, b);
    size_t row = (size_t)(s->row + b * ATTN_BLOCK), hp = attn_hp(a), rows = ATTN_BLOCK * hp;
    size_t at = (size_t)b * rows, apart = (size_t)n_blocks(s->n) * rows;
    size_t lddq = (size_t)io->lddq, lddk = (size_t)io->lddk, lddv = (size_t)io->lddv;
    for (int h = 0; h < a->n_head; h++)
        l->kn->unpack_q(a, io->dq + row * lddq + (size_t)(h * hd), lddq,
                        head_at(io, l->dq, rows, c, a->n_head, h) + at, n);
    for (int h = 0; h < a->n_kv_head; h++) {
        const float *dk = head_at(io, l->dk, rows, c, a->n_head, h * group) + at;
        const float *dv = head_at(io, l->dv, rows, c, a->n_head, h * group) + at;
        size_t col = (size_t)(h * hd);
        l->kn->unpack(io->dk + row * lddk + col, lddk, dk, hp, group, apart, n, hd);
        l->kn->unpack(io->dv + row * lddv + col, lddv, dv, hp, group, apart, n, hd);
    }
}

/* Tiles that a thread is to begin with: of a head's blocks of keys each waits for the one before.
 */
static int64_t chain_tiles(const struct attn_io *io, int64_t n_tiles)
{
    for (int s = 1; s < io->n_seq; s++)
        if (n_blocks(io->seq[s].n) != n_blocks(io->seq[0].n))
            return n_tiles; /* one after the other */
    return n_blocks(io->seq[0].n);
}

void attn_backward(struct worker *w, const struct attn *a, const struct attn_io *io)
{
    struct layout l = pass_layout(w, a, io, true);
    struct cursor c = {0};
    begin(l.kn);
    TEAM_FOR(w, t, count(a, io, block_tiles))
    {
        seek(&c, a, io, block_tiles, t);
        int b = (int)(t - c.first);
        for (int h = 0; h < a->n_head; h++)
            pack_query_head(&l, a, io, &c, b, h);
        for (int h = 0; h < a->n_kv_head; h++)
            pack_key_head(&l, a, io, &c, b, h);
    }
    team_barrier(w);
    c = (struct cursor){0};
    int64_t n = count(a, io, key_tiles);
    TEAM_FOR_UNITS(w, t, n, chain_tiles(io, n))
    {
        int blocks = n_blocks(seek(&c, a, io, key_tiles, t)->n), i = (int)(t - c.first);
        keys_of_head(&l, a, io, &c, i / blocks, i % blocks,
                     (float *)io->scratch + l.tmp + (size_t)w->tid * l.tmp_floats);
    }
    end(l.kn);
    team_barrier(w);
    c = (struct cursor){0};
    TEAM_FOR(w, t, count(a, io, block_tiles))
    {
        seek(&c, a, io, block_tiles, t);
        unpack_block(&l, a, io, &c, (int)(t - c.first));
    }
    team_barrier(w);
}
