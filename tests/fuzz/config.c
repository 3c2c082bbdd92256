/* config.json: refused with a message, or written and read again as the same; what it describes can
 * be laid out and planned without a crash. */
#include "fuzz.h"
#include "io/jtree.h"
#include "model/exec.h"

int fuzz_one(const uint8_t *p, size_t n)
{
    struct err e = {0};
    struct config c, again;
    json_t *tree = jtree_parse((const char *)p, n, "config.json", &e), *written;

    if (!tree) {
        assert(e.msg[0]);
        return 0;
    }
    if (config_parse(&c, tree, "config.json", &e) < 0) {
        assert(e.msg[0]);
        config_release(&c);
        json_decref(tree);
        return 0;
    }
    json_decref(tree);
    written = config_tree(&c, "float32", &e);
    assert(written);
    assert(config_parse(&again, written, "again", &e) == 0);
    assert(config_same(&c, &again, &e) == 0);
    assert(c.bos == again.bos && c.pad == again.pad && c.n_eos == again.n_eos);
    json_decref(written);
    if (c.n_layer <= 16) {
        struct exec_opt o = {.max_tok = 70,
                             .max_seq = 3,
                             .n_slot = 1,
                             .slot_tok = 9,
                             .train = true,
                             .gemm = GEMM_REF,
                             .n_threads = 1};
        struct exec_bytes b;
        struct exec_cost cost;
        struct model *m = model_shape(&c, &e);
        assert(m && model_n_weights(m) <= model_n_elem(m));
        assert(exec_plan_bytes(&c, &o, &b, &e) == 0);
        assert(exec_cost(&c, 1, 70, &cost, &e) == 0 && cost.flops_forward > 0);
        model_free(m);
    }
    config_release(&again);
    config_release(&c);
    return 0;
}
