/*
 * What the families' config.json files call things, what is meant where they say nothing, and how
 * their tensors are named. The only place that knows families by name.
 */
#ifndef MODEL_FAMILY_INT_H
#define MODEL_FAMILY_INT_H

#include "model/config.h"

struct family {
    const char *type, *architecture;

    /* Keys; NULL: the family has none. */
    const char *k_d_model, *k_n_layer, *k_n_head, *k_n_kv_head, *k_d_ff, *k_n_ctx, *k_act, *k_eps;
    const char *k_drop_embd, *k_drop_attn, *k_drop_resid;
    bool has_head_dim; /* the key head_dim is read and written */

    /* Where a key is missing or null. */
    int n_ctx, head_dim; /* head_dim 0: d_model / n_head */
    double eps;
    const char *act;
    bool tied;

    /* What the family is made of. */
    enum norm_kind norm;
    enum pos_kind pos;
    bool norm_plus_one, qk_norm, gated, scale_embed;
    /* Biases: fixed, or by the keys attention_bias (q, k, v, o) and mlp_bias. */
    bool bias_qkv, bias_o, bias_mlp, attention_bias_key, mlp_bias_key;
    enum { WINDOW_NONE, WINDOW_KEY, WINDOW_USE_KEY } window; /* USE: use_sliding_window */
    int window_missing; /* the window where sliding_window is missing altogether */

    const struct name_map *names; /* ended by an entry without `file` */
};

/*
 * One tensor of the file and the internal tensor (or a part of one) that it is. %d stands for the
 * layer; an entry whose internal tensor the config does not have is passed over.
 */
enum map_part { PART_ALL, PART_Q, PART_K, PART_V, PART_GATE, PART_UP };
struct name_map {
    const char *file;     /* "model.layers.%d.self_attn.q_proj.weight" */
    const char *internal; /* "layers.%d.attn.qkv.weight" */
    enum map_part part;
    bool transposed; /* [in, out] in the file */
};

const struct family *family_find(const char *model_type); /* NULL: unknown */
extern const char family_list[];                          /* "gemma, gpt2, ..." for messages */
extern const char *const act_names[];                     /* by enum act_kind */
int act_find(const char *name, enum act_kind *out);       /* -1: unknown */

#endif
