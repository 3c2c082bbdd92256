/* Reads config.json: the keys of a family into orthogonal choices; what cannot be done is named. */
#include "model/config.h"
#include <math.h>
#include <string.h>
#include "base/compiler.h"
#include "io/jtree.h"
#include "model/family_int.h"

/* Bounds that keep products far from overflow; no published model comes near them. */
enum {
    MAX_VOCAB = 1 << 24,
    MAX_LAYER = 1024,
    MAX_WIDTH = 1 << 20,
    MAX_HEAD = 1 << 14,
    MAX_HEAD_DIM = 256, /* attn.h */
    MAX_CTX = 1 << 28,
};

static int get_int(const json_t *o, const char *key, int64_t min, int64_t max, int *out,
                   struct err *e)
{
    int64_t v = *out;
    int r = jtree_int(o, key, min, max, &v, e);
    *out = (int)v;
    return r;
}

static int need_int(const json_t *o, const char *key, int64_t max, int *out, struct err *e)
{
    int r = get_int(o, key, 1, max, out, e);
    if (r == 0)
        return err_set(e, "the key \"%s\" is missing", key);
    return r < 0 ? -1 : 0;
}

static int get_float(const json_t *o, const char *key, double min, double max, float *out,
                     struct err *e)
{
    double v = 0;
    int r = jtree_real(o, key, min, max, &v, e);
    if (r > 0)
        *out = (float)v;
    return r;
}

/* Keys whose presence with a value other than null, false, 0 or an empty list changes the model
 * into one that is not built here. */
static int refuse_variants(const json_t *o, struct err *e)
{
    static const char *const keys[] = {
        "quantization_config",
        "attn_logit_softcapping",
        "final_logit_softcapping",
        "alibi",
        "num_experts",
        "num_local_experts",
        "attention_chunk_size",
        "scale_attn_by_inverse_layer_idx",
        "add_cross_attention",
        "is_encoder_decoder",
        "use_bidirectional_attention",
        "no_rope_layers",
        "num_nextn_predict_layers",
    };
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const json_t *v = json_object_get(o, keys[i]);
        if (!v || json_is_null(v) || json_is_false(v) ||
            (json_is_integer(v) && json_integer_value(v) == 0) ||
            (json_is_array(v) && json_array_size(v) == 0))
            continue;
        return err_set(e, "\"%s\" is set, and such models are not supported", keys[i]);
    }
    return 0;
}

static int read_sizes(struct config *c, const struct family *f, const json_t *o, struct err *e)
{
    if (need_int(o, "vocab_size", MAX_VOCAB, &c->vocab_size, e) < 0 ||
        need_int(o, f->k_d_model, MAX_WIDTH, &c->d_model, e) < 0 ||
        need_int(o, f->k_n_layer, MAX_LAYER, &c->n_layer, e) < 0 ||
        need_int(o, f->k_n_head, MAX_HEAD, &c->n_head, e) < 0)
        return -1;

    if (!f->gated) { /* GPT-2: n_inner is usually null */
        c->d_ff = 4 * c->d_model;
        if (get_int(o, f->k_d_ff, 1, MAX_WIDTH, &c->d_ff, e) < 0)
            return -1;
    } else if (need_int(o, f->k_d_ff, MAX_WIDTH, &c->d_ff, e) < 0) {
        return -1;
    }
    c->n_kv_head = c->n_head;
    if (f->k_n_kv_head && get_int(o, f->k_n_kv_head, 1, MAX_HEAD, &c->n_kv_head, e) < 0)
        return -1;
    if (c->n_head % c->n_kv_head)
        return err_set(e, "%d attention heads cannot share %d key-value heads evenly", c->n_head,
                       c->n_kv_head);

    c->head_dim = f->head_dim;
    if (f->has_head_dim && get_int(o, "head_dim", 1, MAX_WIDTH, &c->head_dim, e) < 0)
        return -1;
    if (!c->head_dim) {
        if (c->d_model % c->n_head)
            return err_set(e, "\"%s\" %d is not a multiple of \"%s\" %d", f->k_d_model, c->d_model,
                           f->k_n_head, c->n_head);
        c->head_dim = c->d_model / c->n_head;
    }
    if (c->head_dim > MAX_HEAD_DIM)
        return err_set(e, "attention heads of %d dimensions are not supported (%d at most)",
                       c->head_dim, MAX_HEAD_DIM);

    c->n_ctx = f->n_ctx;
    return get_int(o, f->k_n_ctx, 1, MAX_CTX, &c->n_ctx, e) < 0 ? -1 : 0;
}

static int read_choices(struct config *c, const struct family *f, const json_t *o, struct err *e)
{
    const char *act = f->act, *newer = NULL;
    bool tied = f->tied, attention_bias = false, mlp_bias = false;

    c->norm = f->norm;
    c->norm_plus_one = f->norm_plus_one;
    c->qk_norm = f->qk_norm;
    c->pos = f->pos;
    c->gated = f->gated;
    c->norm_eps = (float)f->eps;
    c->embed_scale = f->scale_embed ? sqrtf((float)c->d_model) : 1;
    c->attn_scale = (float)(1 / sqrt(c->head_dim));
    c->init_std = 0.02f;

    if (get_float(o, f->k_eps, 1e-30, 1, &c->norm_eps, e) < 0 ||
        get_float(o, "initializer_range", 0, 1e3, &c->init_std, e) < 0 ||
        jtree_str(o, f->k_act, &act, e) < 0 || jtree_str(o, "hidden_activation", &newer, e) < 0 ||
        jtree_bool(o, "tie_word_embeddings", &tied, e) < 0)
        return -1;
    if (f->attention_bias_key && jtree_bool(o, "attention_bias", &attention_bias, e) < 0)
        return -1;
    if (f->mlp_bias_key && jtree_bool(o, "mlp_bias", &mlp_bias, e) < 0)
        return -1;
    c->tied = tied;
    c->bias_qkv = f->bias_qkv || attention_bias;
    c->bias_o = f->bias_o || attention_bias;
    c->bias_mlp = f->bias_mlp || mlp_bias;

    if (newer)
        act = newer;
    if (act_find(act, &c->act) < 0)
        return err_set(e, "the activation \"%s\" is not supported", act);
    /* Gemma's first files say "gelu" and mean its tanh form; transformers reads them so. */
    if (f->norm_plus_one && c->act == ACT_GELU)
        c->act = ACT_GELU_TANH;

    if (c->pos == POS_LEARNED) {
        bool scale = true;
        if (jtree_bool(o, "scale_attn_weights", &scale, e) < 0)
            return -1;
        if (!scale)
            c->attn_scale = 1;
    }
    if (f->k_drop_embd && jtree_real(o, f->k_drop_embd, 0, 0.999, &c->dropout_embd, e) < 0)
        return -1;
    if (f->k_drop_resid && jtree_real(o, f->k_drop_resid, 0, 0.999, &c->dropout_resid, e) < 0)
        return -1;
    return jtree_real(o, f->k_drop_attn, 0, 0.999, &c->dropout_attn, e) < 0 ? -1 : 0;
}

/* rope_parameters (transformers 5) holds everything; before, rope_theta and partial_rotary_factor
 * stood beside rope_scaling, whose type was first called "type". */
static int read_rope(struct config *c, const json_t *o, struct err *e)
{
    const json_t *r = json_object_get(o, "rope_parameters");
    const char *type = NULL;
    int original = c->n_ctx;

    c->rope_theta = 10000;
    c->rope_factor = c->rope_low_freq = 1;
    c->rope_high_freq = 4;
    c->rope_partial = 1;
    if (!r || json_is_null(r))
        r = json_object_get(o, "rope_scaling");
    if (r && !json_is_null(r) && !json_is_object(r))
        return err_set(e, "the rope parameters are not an object");
    if (r && json_is_null(r))
        r = NULL;

    if (jtree_real(o, "rope_theta", 1e-3, 1e15, &c->rope_theta, e) < 0 ||
        get_float(o, "partial_rotary_factor", 1e-6, 1, &c->rope_partial, e) < 0 ||
        get_int(o, "original_max_position_embeddings", 1, MAX_CTX, &original, e) < 0)
        return -1;
    if (r) {
        if (jtree_str(r, "type", &type, e) < 0 || jtree_str(r, "rope_type", &type, e) < 0)
            return -1;
        if (jtree_real(r, "rope_theta", 1e-3, 1e15, &c->rope_theta, e) < 0 ||
            get_float(r, "partial_rotary_factor", 1e-6, 1, &c->rope_partial, e) < 0 ||
            get_int(r, "original_max_position_embeddings", 1, MAX_CTX, &original, e) < 0)
            return -1;
    }
    if (!type || !strcmp(type, "default"))
        c->rope_scaling = ROPE_DEFAULT;
    else if (!strcmp(type, "linear"))
        c->rope_scaling = ROPE_LINEAR;
    else if (!strcmp(type, "llama3"))
        c->rope_scaling = ROPE_LLAMA3;
    else
        return err_set(e, "the rope type \"%s\" is not supported (default, linear and llama3 are)",
                       type);

    if (c->rope_scaling != ROPE_DEFAULT &&
        jtree_real(r, "factor", 1e-3, 1e6, &c->rope_factor, e) <= 0)
        return e && e->kind ? -1 : err_set(e, "rope type \"%s\" needs a \"factor\"", type);
    if (c->rope_scaling == ROPE_LLAMA3) {
        c->rope_original_ctx = original;
        if (jtree_real(r, "low_freq_factor", 1e-6, 1e6, &c->rope_low_freq, e) < 0 ||
            jtree_real(r, "high_freq_factor", 1e-6, 1e6, &c->rope_high_freq, e) < 0)
            return -1;
        if (c->rope_high_freq <= c->rope_low_freq)
            return err_set(e, "rope's high_freq_factor must be over its low_freq_factor");
    }
    int n_rot = (int)((double)c->head_dim * c->rope_partial);
    if (n_rot < 2 || n_rot % 2)
        return err_set(e, "rope turns pairs of dimensions, and %d of %d are to be turned", n_rot,
                       c->head_dim);
    return 0;
}

static int read_window(struct config *c, const struct family *f, const json_t *o, struct err *e)
{
    bool use = f->window == WINDOW_KEY;
    int max_layers = 0;
    const json_t *types = json_object_get(o, "layer_types"), *v;
    size_t i, n_slide = 0;

    if (f->window == WINDOW_NONE)
        return 0;
    if (f->window == WINDOW_USE_KEY && jtree_bool(o, "use_sliding_window", &use, e) < 0)
        return -1;
    if (use) {
        if (!json_object_get(o, "sliding_window"))
            c->window = f->window_missing;
        if (get_int(o, "sliding_window", 1, MAX_CTX, &c->window, e) < 0)
            return -1;
    }
    if (types && !json_is_null(types)) {
        if (!json_is_array(types) || json_array_size(types) != (size_t)c->n_layer)
            return err_set(e, "\"layer_types\" is not a list of one word a layer");
        json_array_foreach(types, i, v)
        {
            const char *word = json_string_value(v);
            if (word && !strcmp(word, "sliding_attention"))
                n_slide++;
            else if (!word || strcmp(word, "full_attention"))
                return err_set(e, "the layer type \"%s\" is not supported", word ? word : "?");
        }
        if (n_slide && n_slide < (size_t)c->n_layer)
            return err_set(e, "\"layer_types\" mixes sliding and full attention, which is not "
                              "supported");
        if (!n_slide)
            c->window = 0;
        return 0;
    }
    if (f->window != WINDOW_USE_KEY || !c->window)
        return 0;
    /* Without layer_types the layers from max_window_layers on have the window. */
    if (get_int(o, "max_window_layers", 0, MAX_LAYER, &max_layers, e) < 0)
        return -1;
    if (max_layers >= c->n_layer)
        c->window = 0;
    else if (max_layers > 0)
        return err_set(e, "\"max_window_layers\" gives only some layers a sliding window, which is "
                          "not supported");
    return 0;
}

static int read_tokens(struct config *c, const json_t *o, struct err *e)
{
    const json_t *eos = json_object_get(o, "eos_token_id"), *v;
    size_t i;

    if (jtree_int(o, "bos_token_id", -1, INT32_MAX, &c->bos, e) < 0 ||
        jtree_int(o, "pad_token_id", -1, INT32_MAX, &c->pad, e) < 0)
        return -1;
    if (!eos || json_is_null(eos))
        return 0;
    if (!json_is_array(eos)) {
        int r = jtree_int(o, "eos_token_id", -1, INT32_MAX, &c->eos[0], e);
        c->n_eos = r > 0 && c->eos[0] >= 0;
        return r < 0 ? -1 : 0;
    }
    if (json_array_size(eos) > CONFIG_MAX_EOS)
        return err_set(e, "\"eos_token_id\" lists more than %d ids", CONFIG_MAX_EOS);
    json_array_foreach(eos, i, v)
    {
        if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > INT32_MAX)
            return err_set(e, "\"eos_token_id\" holds something that is no token id");
        c->eos[c->n_eos++] = json_integer_value(v);
    }
    return 0;
}

static int parse(struct config *c, const json_t *o, struct err *e)
{
    const char *type = NULL;
    const struct family *f;

    if (!json_is_object(o))
        return err_set(e, "not a JSON object");
    int r = jtree_str(o, "model_type", &type, e);
    if (r < 0)
        return -1;
    if (r == 0)
        return err_set(e, "the key \"model_type\" is missing: not a model's config.json");
    f = family_find(type);
    if (!f)
        return err_set(e, "the model type \"%s\" is not supported (%s are)", type, family_list);
    memcpy(c->model_type, f->type, strlen(f->type) + 1);
    if (refuse_variants(o, e) < 0 || read_sizes(c, f, o, e) < 0 || read_choices(c, f, o, e) < 0 ||
        read_window(c, f, o, e) < 0 || read_tokens(c, o, e) < 0)
        return -1;
    return c->pos == POS_ROPE ? read_rope(c, o, e) : 0;
}

int config_parse(struct config *c, const json_t *tree, const char *name, struct err *e)
{
    struct err why = {0};

    *c = (struct config){.bos = -1, .pad = -1};
    if (parse(c, tree, &why) < 0)
        return err_set(e, "%s: %s", name, why.msg);
    c->extra = json_deep_copy(tree);
    return c->extra ? 0 : err_nomem(e, name, 0);
}

void config_release(struct config *c)
{
    json_decref(c->extra);
    c->extra = NULL;
}
