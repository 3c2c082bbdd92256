/* safetensors: a file is refused with a message, or all of its tensors can be read to the end. */
#include "fuzz.h"
#include "io/safetensors.h"

int fuzz_one(const uint8_t *p, size_t n)
{
    struct err e = {0};
    struct st *s = st_open(fuzz_file(p, n), &e);
    if (!s) {
        assert(e.msg[0]);
        return 0;
    }
    for (size_t i = 0; i < st_count(s); i++) {
        const struct st_tensor *t = st_at(s, i);
        float x[16];
        assert(st_find(s, t->name) == t);
        assert(t->n_bytes == t->n_elem * st_dtype_bytes(t->dtype));
        unsigned sum = 0;
        for (size_t k = 0; k < t->n_bytes; k++)
            sum += t->data[k];
        assert(sum <= 255 * t->n_bytes);
        if (t->n_elem)
            (void)st_get_f32(t, t->n_elem - 1, 1, x, &e);
    }
    st_close(s);
    return 0;
}
