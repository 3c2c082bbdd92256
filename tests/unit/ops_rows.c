/* Functions over rows (norms, rope, embedding, cross-entropy ...) against double precision. */
#include "kern/ops.h"
#include "kern_test.h"

static const struct ops *k;
static const int dims[] = {1,  2,  3,  4,  5,  7,  8,  9,  12,  15,  16,  17,  24,
                           31, 32, 33, 48, 63, 64, 65, 96, 100, 128, 129, 768, 1025};

static double *zeros(size_t n)
{
    return calloc(n + 1, sizeof(double));
}

/* ---- norms */

struct norm_case {
    struct norm s;
    int rows, ld;
    float *x, *dy, *w, *b;
    double *y, *dx, *dw, *db; /* expected */
};

static void norm_reference(struct norm_case *c)
{
    int d = c->s.d;
    for (int r = 0; r < c->rows; r++)
        for (int h = 0; h < c->s.n_head; h++) {
            size_t at = (size_t)(r * c->ld + h * d);
            const float *x = c->x + at, *dy = c->dy + at;
            double mean = 0, var = 0, mg = 0, mgh = 0;
            for (int i = 0; i < d; i++)
                mean += c->s.rms ? 0 : (double)x[i] / d;
            for (int i = 0; i < d; i++)
                var += (x[i] - mean) * (x[i] - mean) / d;
            double rs = 1 / sqrt(var + (double)c->s.eps);
            for (int i = 0; i < d; i++) {
                double f = (double)c->w[i] + c->s.plus_one, hat = (x[i] - mean) * rs;
                c->y[at + (size_t)i] = hat * f + (c->b ? (double)c->b[i] : 0);
                c->dw[i] += dy[i] * hat;
                c->db[i] += (double)dy[i];
                mg += c->s.rms ? 0 : dy[i] * f / d;
                mgh += dy[i] * f * hat / d;
            }
            for (int i = 0; i < d; i++) {
                double f = (double)c->w[i] + c->s.plus_one, hat = (x[i] - mean) * rs;
                c->dx[at + (size_t)i] = rs * (dy[i] * f - mg - hat * mgh);
            }
        }
}

static double norm_one(int d, int n_head, bool rms, bool plus_one)
{
    struct norm_case c = {.s = {d, n_head, 1e-5f, rms, plus_one}, .rows = 5, .ld = d * n_head + 3};
    size_t n = (size_t)(c.rows * c.ld), heads = (size_t)(c.rows * n_head);
    c.x = filled(n, 1), c.dy = filled(n, 2), c.w = filled((size_t)d, 3);
    c.b = rms ? NULL : filled((size_t)d, 4);
    c.y = zeros(n), c.dx = zeros(n), c.dw = zeros((size_t)d), c.db = zeros((size_t)d);
    if (d == 1)
        c.s.eps = 0.1f; /* the gradient is zero but for eps */
    norm_reference(&c);
    float *y = calloc(n, 4), *dx = calloc(n, 4), *mean = calloc(heads, 4), *rstd = calloc(heads, 4);
    float *dw = calloc((size_t)d, 4), *db = calloc((size_t)d, 4), *one = calloc(n, 4);
    k->norm(&c.s, y, c.ld, c.x, c.ld, c.w, c.b, mean, rstd, c.rows);
    k->norm_grad(&c.s, dx, c.ld, false, c.dy, c.ld, c.x, c.ld, c.w, mean, rstd, dw, db, c.rows);
    double err[] = {worst(y, c.y, n), worst(dx, c.dx, n) * (d < 3 && !rms ? 0.01 : 1),
                    worst(dw, c.dw, (size_t)d), worst(db, c.db, (size_t)d)};
    double most = 0;
    for (size_t i = 0; i < ARRAY_LEN(err); i++)
        most = err[i] > most || isnan(err[i]) ? err[i] : most;
    /* a row alone, in place; and a gradient added */
    memcpy(one, c.x, n * 4);
    k->norm(&c.s, one + c.ld, c.ld, one + c.ld, c.ld, c.w, c.b, NULL, NULL, 1);
    if (memcmp(one + c.ld, y + c.ld, (size_t)(d * n_head) * 4) != 0)
        fail("a row of %d alone differs", d);
    uint16_t *half = calloc(n, 2), *want = calloc(n, 2);
    k->bf16_from_f32(want, y, n);
    k->norm_bf16(&c.s, half, c.ld, c.x, c.ld, c.w, c.b, NULL, NULL, c.rows);
    if (memcmp(half, want, n * sizeof *half) != 0)
        fail("rows of %d as bf16 differ", d);
    free(half), free(want);
    memcpy(one, dx, n * 4);
    k->norm_grad(&c.s, one, c.ld, true, c.dy, c.ld, c.x, c.ld, c.w, mean, rstd, NULL, NULL, c.rows);
    for (size_t i = 0; i < n; i++)
        if (one[i] != 2 * dx[i])
            most = 1;
    free(c.x), free(c.dy), free(c.w), free(c.b), free(c.y), free(c.dx), free(c.dw), free(c.db);
    free(y), free(dx), free(mean), free(rstd), free(dw), free(db), free(one);
    return most;
}

static void norms(void)
{
    for (int kind = 0; kind < 4; kind++) {
        double most = 0;
        int at = 0;
        for (size_t i = 0; i < ARRAY_LEN(dims); i++)
            for (int heads = 1; heads <= 3; heads += 2) {
                double e = norm_one(dims[i], heads, kind & 1, kind & 2);
                if (e > most)
                    most = e, at = dims[i];
            }
        ok(most < 3e-6, "%s%s and gradients (%.2g at %d)", kind & 1 ? "rmsnorm" : "layernorm",
           kind & 2 ? ", weight + 1" : "", most, at);
    }
}

/* ---- rope */

static void rotations(void)
{
    float freq[64], cos_[64 * 20], sin_[64 * 20];
    const int32_t pos[] = {0, 3, 19, 7};
    double most = 0, back = 0;
    bool rest = true;
    for (int hd = 2; hd <= 128; hd += hd < 40 ? 2 : 22)
        for (int rot = 2; rot <= hd; rot += rot < 20 ? 2 : 16) {
            int half = rot / 2, heads = 3, ld = heads * hd + 1;
            for (int i = 0; i < half; i++)
                freq[i] = (float)pow(10000, -2.0 * i / rot);
            rope_table(cos_, sin_, freq, half, 0, 20, 1);
            float *x = filled((size_t)(4 * ld), 1), *y = filled((size_t)(4 * ld), 1);
            k->rope(y, ld, heads, hd, rot, cos_, sin_, pos, false, 4);
            for (int r = 0; r < 4; r++)
                for (int h = 0; h < heads; h++)
                    for (int i = 0; i < hd; i++) {
                        int at = r * ld + h * hd + i, p = i % half;
                        double a = pos[r] * pow(10000, -2.0 * p / rot);
                        double u = x[r * ld + h * hd + p], v = x[r * ld + h * hd + p + half];
                        double want = i < half ? u * cos(a) - v * sin(a) : v * cos(a) + u * sin(a);
                        if (i < rot)
                            most = fmax(most, fabs((double)y[at] - want));
                        else
                            rest &= x[at] == y[at];
                    }
            k->rope(y, ld, heads, hd, rot, cos_, sin_, pos, true, 4);
            for (int i = 0; i < 4 * ld; i++)
                back = fmax(back, fabs((double)y[i] - (double)x[i]));
            free(x), free(y);
        }
    ok(most < 3e-6, "rope (%.2g)", most);
    ok(rest, "elements that do not rotate stay");
    ok(back < 1e-6, "the inverse takes it back (%.2g)", back);
    rope_table(cos_, sin_, (float[]){0.1f}, 1, 1000003, 1, 2);
    float angle = 1000003.0f * 0.1f;
    is_near(cos_[0], 2 * cos((double)angle), 1e-7, "the angle is a float, the cosine is not");
}

/* ---- embedding and sums */

static void embedding(void)
{
    enum { V = 7, N = 200 };
    for (int d = 1; d < 70; d += 17) {
        uint32_t id[N], order[N], tmp[N];
        float *table = filled((size_t)(V * d), 1), *dy = filled((size_t)(N * d), 2);
        float *y = malloc(sizeof *y * (size_t)(N * d)), *dw = calloc((size_t)(V * d), sizeof *dw);
        float *want = calloc((size_t)(V * d), sizeof *want);
        struct rng r;
        rng_init(&r, 3, RNG_TEST, 0);
        for (int i = 0; i < N; i++)
            id[i] = (uint32_t)rng_below(&r, V);
        k->gather(y, d, table, d, id, d, 2, false, N);
        k->gather(y, d, table, d, id, d, 1, true, N);
        bool good = true;
        for (int i = 0; i < N * d; i++)
            good &= fabsf(y[i] - 3 * table[id[i / d] * (uint32_t)d + (uint32_t)(i % d)]) < 1e-6f;
        ok(good, "gather, d = %d", d);
        embed_order(order, tmp, id, N);
        good = true;
        for (int i = 1; i < N; i++)
            good &= id[order[i - 1]] < id[order[i]] ||
                    (id[order[i - 1]] == id[order[i]] && order[i - 1] < order[i]);
        ok(good, "rows in order of ids, stable");
        for (int i = 0; i < N; i++)
            for (int j = 0; j < d; j++)
                want[(int)id[i] * d + j] += 0.5f * dy[i * d + j]; /* exact product */
        for (int from = 0; from < N; from += 13)
            embed_grad(k, dw, d, dy, d, id, order, d, 0.5f, N, from, from + 13 < N ? from + 13 : N);
        is_mem(dw, want, sizeof *dw * (size_t)(V * d), "its gradient by tiles, bit for bit");
        float *sum = calloc((size_t)d, sizeof *sum);
        k->sum_rows(sum, dy, d, d, N);
        double most = 0;
        for (int j = 0; j < d; j++) {
            double s = 0;
            for (int i = 0; i < N; i++)
                s += (double)dy[i * d + j];
            most = fmax(most, fabs(s - (double)sum[j]));
        }
        ok(most < 2e-5, "sums of rows (%.2g)", most);
        free(table), free(dy), free(y), free(dw), free(want), free(sum);
    }
}

/* ---- dropout */

static void dropouts(void)
{
    struct dropout d, other;
    dropout_init(&d, 0.25, 42, 7, 3, 1);
    dropout_init(&other, 0.25, 42, 8, 3, 1);
    enum { R = 6, C = 333 };
    float x[R * C], y[R * C], z[R * C];
    int kept = 0, same = 0;
    bool good = true;
    for (int i = 0; i < R * C; i++)
        x[i] = 1;
    k->dropout(&d, y, C, x, C, C, 5, 100, R);
    for (int i = 0; i < R * C; i++) {
        kept += y[i] != 0;
        good &= y[i] == 0 || y[i] == (float)(1 / 0.75);
        const uint32_t c = (uint32_t)(i % C);
        const uint32_t counter[4] = {c / 64 * 16 + c % 16, 100 + (uint32_t)(i / C), 5, 0};
        uint32_t word[4];
        rng_philox(counter, d.key, word);
        good &= (y[i] != 0) == (word[c % 64 / 16] >= d.threshold);
    }
    ok(good, "an element stays by its own word of Philox, scaled");
    ok(abs(kept - R * C * 3 / 4) < 100, "three quarters stay (%d of %d)", kept, R * C);
    for (int r = 0; r < R; r++)
        k->dropout(&d, z + r * C, C, x + r * C, C, C, 5, 100 + (uint32_t)r, 1);
    is_mem(z, y, sizeof y, "rows one by one are the same");
    k->dropout(&other, z, C, x, C, C, 5, 100, R);
    for (int i = 0; i < R * C; i++)
        same += (y[i] != 0) == (z[i] != 0);
    ok(same < R * C * 3 / 4, "another step drops others");
    dropout_init(&d, 0, 42, 7, 3, 1);
    k->dropout(&d, y, C, x, C, C, 5, 100, R);
    is_mem(y, x, sizeof y, "rate 0 drops nothing");
}

/* ---- cross-entropy */

static void entropies(void)
{
    double most = 0, slope = 0, soft = 0;
    bool in_place = true, unscored = true, rounded = true;
    for (size_t c = 0; c < ARRAY_LEN(dims); c++) {
        int n = dims[c], rows = 4, ld = n + 2;
        float *x = filled((size_t)(rows * ld), 1), *dx = calloc((size_t)(rows * ld), 4);
        float *p = calloc((size_t)(rows * ld), 4);
        float loss[4], lse[4], weight[4] = {1, 0.5f, 2, 1};
        const uint32_t target[4] = {0, (uint32_t)n - 1, (uint32_t)n / 2, UINT32_MAX};
        for (int i = 0; i < rows * ld; i++)
            x[i] *= 20;
        k->xent(loss, lse, x, ld, n, target, rows);
        k->xent_grad(dx, ld, x, ld, n, lse, target, weight, rows);
        k->softmax(p, ld, x, ld, n, rows);
        for (int r = 0; r < rows; r++) {
            double max = -1e30, sum = 0;
            for (int i = 0; i < n; i++)
                max = fmax(max, x[r * ld + i]);
            for (int i = 0; i < n; i++)
                sum += exp(x[r * ld + i] - max);
            double all = max + log(sum);
            most = fmax(most, fabs(lse[r] - all) / (1 + fabs(all)));
            if (r < 3)
                most = fmax(most, fabs(loss[r] - (all - x[r * ld + (int)target[r]])) / 20);
            else
                unscored &= loss[r] == 0;
            for (int i = 0; i < n; i++) {
                double want = exp(x[r * ld + i] - all);
                soft = fmax(soft, fabs((double)p[r * ld + i] - want));
                want = r < 3 ? (double)weight[r] * (want - ((uint32_t)i == target[r])) : 0;
                slope = fmax(slope, fabs((double)dx[r * ld + i] - want));
            }
        }
        memcpy(p, x, (size_t)(rows * ld) * 4);
        k->xent_grad(x, ld, x, ld, n, lse, target, weight, rows);
        uint16_t *half = calloc((size_t)n, 2);
        for (int r = 0; r < rows; r++) {
            float *row = p + r * ld;
            in_place &= memcmp(x + r * ld, dx + r * ld, (size_t)n * 4) == 0;
            k->bf16_from_f32(half, dx + r * ld, (size_t)n);
            k->xent_grad_bf16((uint16_t *)(void *)row, row, n, lse[r], target[r], weight[r]);
            rounded &= memcmp(half, row, (size_t)n * 2) == 0;
        }
        free(x), free(dx), free(p), free(half);
    }
    ok(most < 3e-7, "loss and log-sum-exp (%.2g)", most);
    ok(unscored, "a row without a target has no loss");
    ok(slope < 4e-6, "gradient (%.2g)", slope);
    ok(in_place, "gradient in place");
    ok(rounded, "gradient in place as bf16: what rounding gives");
    ok(soft < 1e-6, "softmax (%.2g)", soft);
    enum { V = 50257 };
    float *x = filled(V, 4), loss, lse;
    double sum = 0;
    k->xent(&loss, &lse, x, V, V, (uint32_t[]){17}, 1);
    for (int i = 0; i < V; i++)
        sum += exp((double)x[i]);
    is_near(loss, log(sum) - (double)x[17], 1.2e-6, "a loss over 50257 logits");
    free(x);
}

static void all(void)
{
    k = ops_get();
    norms();
    rotations();
    embedding();
    dropouts();
    entropies();
}

int main(void)
{
    each_isa(all);
    return done_testing();
}
