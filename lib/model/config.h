/*
 * What a model is, by orthogonal choices. A config.json of any supported family is read into this
 * and written from it; below the reader nothing asks for the family's name.
 *     struct config c; config_load(&c, "run/config.json" or a directory or a preset's name, e);
 * A config holds no pointers that need freeing except `extra` (config_release).
 */
#ifndef MODEL_CONFIG_H
#define MODEL_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "kern/ops.h" /* enum act_kind */
#include "quern/err.h"

enum norm_kind { NORM_LAYER, NORM_RMS };
enum pos_kind { POS_LEARNED, POS_ROPE, POS_NONE };
enum rope_scaling { ROPE_DEFAULT, ROPE_LINEAR, ROPE_LLAMA3 };

#define CONFIG_MAX_EOS 8

struct config {
    /* Which reader and weight map: "gpt2", "llama", "mistral", "qwen2", "qwen3", "phi3", "gemma".
     */
    char model_type[32];
    int vocab_size, n_layer, d_model, d_ff;
    int n_head, n_kv_head, head_dim;
    int n_ctx; /* max_position_embeddings, n_positions */

    enum norm_kind norm;
    float norm_eps;
    bool norm_plus_one; /* Gemma: the scale is 1 + weight */
    bool qk_norm;       /* RMSNorm over head_dim of q and k before rope (Qwen3) */

    enum pos_kind pos;
    double rope_theta;
    enum rope_scaling rope_scaling;
    double rope_factor, rope_low_freq, rope_high_freq;
    int rope_original_ctx;
    float rope_partial; /* share of head_dim that rotates: 1 */

    enum act_kind act;
    bool gated; /* down(act(gate(x)) * up(x)) */
    bool bias_qkv, bias_o, bias_mlp;
    bool tied;         /* the head is the embedding */
    float embed_scale; /* Gemma: sqrt(d_model), rounded as the reference rounds it; else 1 */
    float attn_scale;  /* of q·k; 1/sqrt(head_dim) */
    int window;        /* sliding window in keys, 0: none */

    float init_std; /* initializer_range */
    double dropout_embd, dropout_attn, dropout_resid;

    int64_t bos, pad; /* -1: none */
    int64_t eos[CONFIG_MAX_EOS];
    int n_eos;

    json_t *extra; /* the object as it was read: unknown keys survive load and save; or NULL */
};

/* path: a config.json, a directory with one, or the name of a preset in data/presets. What exists
 * as a file or directory is no preset. */
int config_load(struct config *c, const char *path, struct err *e);
/* The file that config_load would read, and whether it is a preset's. */
int config_find(const char *path, struct buf *file, bool *preset, struct err *e);
int config_presets(struct buf *out, struct err *e); /* names, separated by spaces */
int config_parse(struct config *c, const json_t *tree, const char *name, struct err *e);
/* Writes keys that every version of transformers reads (rope_theta and rope_scaling, torch_dtype).
 * config_tree: the same as a new object (json_decref it); dtype: "float32", "bfloat16". */
int config_save(const struct config *c, const char *path, struct err *e);
json_t *config_tree(const struct config *c, const char *dtype, struct err *e);
/* Equal in everything that shapes parameters and forward pass: else -1, naming the difference. */
int config_same(const struct config *a, const struct config *b, struct err *e);
void config_release(struct config *c);

#endif
