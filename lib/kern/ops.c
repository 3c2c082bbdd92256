/* Choice of the table of kernels, and the parts of ops.h that need no vectors. */
#include <math.h>
#include "base/cpu.h"
#include "base/rng.h"
#include "kern/ops_int.h"

const struct ops *ops_for(enum isa isa)
{
#if defined(__x86_64__)
    if (cpu_isa_includes(isa, ISA_AVX512BF16))
        return &ops_avx512bf16;
    if (cpu_isa_includes(isa, ISA_AVX512))
        return &ops_avx512;
    if (isa == ISA_AVX2)
        return &ops_avx2;
#elif defined(__aarch64__)
    if (isa == ISA_NEON)
        return &ops_neon;
#endif
    (void)isa;
    return &ops_portable;
}

const struct ops *ops_get(void)
{
    enum isa isa;
    return cpu_isa(&isa, NULL) < 0 ? &ops_portable : ops_for(isa);
}

void dropout_init(struct dropout *d, double rate, uint64_t seed, uint64_t step, uint32_t layer,
                  uint32_t site)
{
    const uint32_t counter[4] = {(uint32_t)step, (uint32_t)(step >> 32), layer,
                                 site << 8 | RNG_DROPOUT};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t out[4];
    rng_philox(counter, key, out);
    d->key[0] = out[0];
    d->key[1] = out[1];
    d->threshold = (uint32_t)(rate * 0x1p32);
    d->scale = (float)(1 / (1 - rate));
}

void adamw_init(struct adamw *a, double lr, double beta1, double beta2, double eps,
                double weight_decay, uint64_t t, double g_scale)
{
    a->beta1 = (float)beta1;
    a->beta2 = (float)beta2;
    a->eps = (float)eps;
    a->decay = (float)(1 - lr * weight_decay);
    a->step_size = (float)(lr / (1 - pow(beta1, (double)t)));
    a->v_scale = (float)(1 / sqrt(1 - pow(beta2, (double)t)));
    a->g_scale = (float)g_scale;
}

/* Least significant byte first, so that rows with equal ids stay in order. */
void embed_order(uint32_t *order, uint32_t *tmp, const uint32_t *id, int n_rows)
{
    uint32_t *from = order, *to = tmp; /* four passes end in order */
    for (int r = 0; r < n_rows; r++)
        from[r] = (uint32_t)r;
    for (int shift = 0; shift < 32; shift += 8) {
        size_t count[257] = {0};
        for (int r = 0; r < n_rows; r++)
            count[(id[r] >> shift & 255) + 1]++;
        for (int c = 0; c < 256; c++)
            count[c + 1] += count[c];
        for (int r = 0; r < n_rows; r++)
            to[count[id[from[r]] >> shift & 255]++] = from[r];
        uint32_t *swap = from;
        from = to;
        to = swap;
    }
}

void embed_grad(const struct ops *k, float *dw, int lddw, const float *dy, int lddy,
                const uint32_t *id, const uint32_t *order, int d, float scale, int n_rows, int from,
                int to)
{
    while (from > 0 && from < to && id[order[from]] == id[order[from - 1]])
        from++; /* the tile before does these */
    for (int i = from; i < n_rows; i++) {
        if (i >= to && (i == from || id[order[i]] != id[order[i - 1]]))
            break;
        k->add_scaled(dw + (size_t)id[order[i]] * (size_t)lddw, scale,
                      dy + (size_t)order[i] * (size_t)lddy, (size_t)d);
    }
}

void rope_table(float *cos_, float *sin_, const float *freq, int n_freq, int pos0, int n_pos,
                float scale)
{
    for (int p = 0; p < n_pos; p++)
        for (int i = 0; i < n_freq; i++) {
            size_t at = (size_t)p * (size_t)n_freq + (size_t)i;
            float angle = (float)(pos0 + p) * freq[i];
            cos_[at] = (float)cos((double)angle) * scale;
            sin_[at] = (float)sin((double)angle) * scale;
        }
}
