/* AdamW against the formulas of torch.optim.AdamW in double, over steps of noisy gradients. */
#include "kern/ops.h"
#include "kern_test.h"

static void all(void)
{
    const struct ops *k = ops_get();
    const double lr = 1e-3, b1 = 0.9, b2 = 0.95, eps = 1e-8, wd = 0.1, clip = 0.3;
    bool inside = true;
    double most = 0;
    for (size_t n = 0; n <= 35; n++) {
        float w[36], m[36] = {0}, v[36] = {0}, g[36];
        double w2[36], m2[36] = {0}, v2[36] = {0}, w0[36];
        fill(w, 36, 1);
        for (size_t i = 0; i < 36; i++)
            w0[i] = w2[i] = (double)w[i];
        for (uint64_t t = 1; t <= 10; t++) {
            struct adamw a;
            fill(g, 36, 100 + t);
            adamw_init(&a, lr, b1, b2, eps, wd, t, clip);
            k->adamw(&a, w, m, v, g, n);
            for (size_t i = 0; i < n; i++) {
                double x = clip * (double)g[i];
                w2[i] *= 1 - lr * wd;
                m2[i] = b1 * m2[i] + (1 - b1) * x;
                v2[i] = b2 * v2[i] + (1 - b2) * x * x;
                double hat = m2[i] / (1 - pow(b1, (double)t));
                w2[i] -= lr * hat / (sqrt(v2[i]) / sqrt(1 - pow(b2, (double)t)) + eps);
            }
        }
        double err = 0, moved = 0;
        for (size_t i = 0; i < n; i++) {
            err += pow((double)w[i] - w2[i], 2);
            moved += pow(w2[i] - w0[i], 2);
        }
        most = n ? fmax(most, sqrt(err / moved)) : most;
        for (size_t i = n; i < 36; i++)
            inside &= (double)w[i] == w0[i] && m[i] == 0 && v[i] == 0;
    }
    ok(most < 1e-4, "ten steps (%.2g of the way gone)", most);
    ok(inside, "what lies behind is left alone");
    struct adamw a;
    float w = 1, m = 0, v = 0, g = 0;
    adamw_init(&a, lr, b1, b2, eps, 0, 1, 1);
    k->adamw(&a, &w, &m, &v, &g, 1);
    ok(w == 1 && m == 0 && v == 0, "no gradient and no decay: no change");
}

int main(void)
{
    each_isa(all);
    return done_testing();
}
