/* Writes config.json, over the object that was read, and compares two configurations. */
#include <math.h>
#include <string.h>
#include "base/num.h"
#include "io/jtree.h"
#include "model/config.h"
#include "model/family_int.h"

/* The double that prints as the shortest text of a float: 1e-05, not 9.999999747378752e-06. */
static json_t *real_of_float(float v)
{
    char text[32];
    return json_real(strtod(num_show_f32(text, v), NULL));
}

static json_t *int_or_null(int64_t v, bool is_null)
{
    return is_null ? json_null() : json_integer(v);
}

static int put_rope(json_t *o, const struct config *c)
{
    json_t *r = json_null();
    int bad = 0;

    if (c->rope_scaling != ROPE_DEFAULT) {
        const char *type = c->rope_scaling == ROPE_LINEAR ? "linear" : "llama3";
        r = json_object();
        bad |= json_object_set_new(r, "rope_type", json_string(type));
        bad |= json_object_set_new(r, "type", json_string(type));
        bad |= json_object_set_new(r, "factor", json_real(c->rope_factor));
    }
    if (c->rope_scaling == ROPE_LLAMA3) {
        bad |= json_object_set_new(r, "low_freq_factor", json_real(c->rope_low_freq));
        bad |= json_object_set_new(r, "high_freq_factor", json_real(c->rope_high_freq));
        bad |= json_object_set_new(r, "original_max_position_embeddings",
                                   json_integer(c->rope_original_ctx));
    }
    json_object_del(o, "rope_parameters");
    bad |= json_object_set_new(o, "rope_theta", json_real(c->rope_theta));
    bad |= json_object_set_new(o, "rope_scaling", r);
    json_object_del(o, "partial_rotary_factor");
    if (c->rope_partial < 1)
        bad |= json_object_set_new(o, "partial_rotary_factor", real_of_float(c->rope_partial));
    return bad;
}

/* The word that was read stays where it means the same. */
static int put_act(json_t *o, const struct family *f, const struct config *c)
{
    const char *was = json_string_value(json_object_get(o, f->k_act));
    const char *word = act_names[c->act];
    enum act_kind act, usual;
    int bad = 0;

    if (act_find(f->act, &usual) == 0 && usual == c->act)
        word = f->act;
    if (was && act_find(was, &act) == 0 && act == c->act)
        word = was;
    json_t *value = json_string(word); /* word may be the string that it replaces */
    bad |= json_object_set(o, f->k_act, value);
    if (json_object_get(o, "hidden_activation"))
        bad |= json_object_set(o, "hidden_activation", value);
    json_decref(value);
    return bad;
}

static int put_window(json_t *o, const struct family *f, const struct config *c)
{
    int bad = 0;

    if (f->window == WINDOW_NONE)
        return 0;
    json_object_del(o, "layer_types"); /* older versions do not know it; it follows from these */
    bad |= json_object_set_new(o, "sliding_window", int_or_null(c->window, !c->window));
    if (f->window == WINDOW_USE_KEY) {
        bad |= json_object_set_new(o, "use_sliding_window", json_boolean(c->window > 0));
        bad |=
            json_object_set_new(o, "max_window_layers", json_integer(c->window ? 0 : c->n_layer));
    }
    return bad;
}

static int put_tokens(json_t *o, const struct config *c)
{
    json_t *eos = c->n_eos > 1 ? json_array() : int_or_null(c->eos[0], c->n_eos == 0);
    int bad = 0;

    for (int i = 0; c->n_eos > 1 && i < c->n_eos; i++)
        bad |= json_array_append_new(eos, json_integer(c->eos[i]));
    bad |= json_object_set_new(o, "bos_token_id", int_or_null(c->bos, c->bos < 0));
    bad |= json_object_set_new(o, "eos_token_id", eos);
    bad |= json_object_set_new(o, "pad_token_id", int_or_null(c->pad, c->pad < 0));
    return bad;
}

static int put_sizes(json_t *o, const struct family *f, const struct config *c)
{
    int bad = 0;

    bad |= json_object_set_new(o, "vocab_size", json_integer(c->vocab_size));
    bad |= json_object_set_new(o, f->k_n_ctx, json_integer(c->n_ctx));
    bad |= json_object_set_new(o, f->k_d_model, json_integer(c->d_model));
    bad |= json_object_set_new(o, f->k_n_layer, json_integer(c->n_layer));
    bad |= json_object_set_new(o, f->k_n_head, json_integer(c->n_head));
    if (f->k_n_kv_head)
        bad |= json_object_set_new(o, f->k_n_kv_head, json_integer(c->n_kv_head));
    if (f->has_head_dim)
        bad |= json_object_set_new(o, "head_dim", json_integer(c->head_dim));
    bad |= json_object_set_new(o, f->k_d_ff,
                               int_or_null(c->d_ff, !f->gated && c->d_ff == 4 * c->d_model));
    if (json_object_get(o, "n_ctx")) /* GPT-2's first files say it twice */
        bad |= json_object_set_new(o, "n_ctx", json_integer(c->n_ctx));
    return bad;
}

static int put_choices(json_t *o, const struct family *f, const struct config *c)
{
    int bad = 0;

    bad |= json_object_set_new(o, f->k_eps, real_of_float(c->norm_eps));
    bad |= json_object_set_new(o, "initializer_range", real_of_float(c->init_std));
    bad |= json_object_set_new(o, "tie_word_embeddings", json_boolean(c->tied));
    if (f->attention_bias_key)
        bad |= json_object_set_new(o, "attention_bias", json_boolean(c->bias_qkv));
    if (f->mlp_bias_key)
        bad |= json_object_set_new(o, "mlp_bias", json_boolean(c->bias_mlp));
    if (f->k_drop_embd)
        bad |= json_object_set_new(o, f->k_drop_embd, json_real(c->dropout_embd));
    if (f->k_drop_resid)
        bad |= json_object_set_new(o, f->k_drop_resid, json_real(c->dropout_resid));
    bad |= json_object_set_new(o, f->k_drop_attn, json_real(c->dropout_attn));
    if (c->pos == POS_LEARNED)
        bad |= json_object_set_new(o, "scale_attn_weights",
                                   json_boolean(c->attn_scale != 1 || c->head_dim == 1));
    return bad;
}

json_t *config_tree(const struct config *c, const char *dtype, struct err *e)
{
    const struct family *f = family_find(c->model_type);
    json_t *o = c->extra ? json_deep_copy(c->extra) : json_object();
    int bad = 0;

    if (!f) {
        err_set(e, "the model type \"%s\" is not supported", c->model_type);
        json_decref(o);
        return NULL;
    }
    bad |= json_object_set_new(o, "architectures", json_pack("[s]", f->architecture));
    bad |= json_object_set_new(o, "model_type", json_string(f->type));
    bad |= put_sizes(o, f, c) | put_act(o, f, c) | put_choices(o, f, c) | put_window(o, f, c) |
           put_tokens(o, c);
    if (c->pos == POS_ROPE)
        bad |= put_rope(o, c);
    json_object_del(o, "dtype"); /* transformers 5 reads the older key too */
    bad |= json_object_set_new(o, "torch_dtype", json_string(dtype));
    if (bad) {
        err_nomem(e, "config.json", 0);
        json_decref(o);
        return NULL;
    }
    return o;
}

int config_save(const struct config *c, const char *path, struct err *e)
{
    json_t *o = config_tree(c, "float32", e);
    int rc = o ? jtree_save(o, path, e) : -1;

    json_decref(o);
    return rc;
}

int config_same(const struct config *a, const struct config *b, struct err *e)
{
#define SAME(field, text, fmt) \
    if (a->field != b->field)  \
    return err_set(e, text " differs: " fmt " and " fmt, a->field, b->field)
#define SAME_YES(field, text) \
    if (a->field != b->field) \
    return err_set(e, text " differs: %s and %s", a->field ? "yes" : "no", b->field ? "yes" : "no")
    if (strcmp(a->model_type, b->model_type))
        return err_set(e, "the model type differs: %s and %s", a->model_type, b->model_type);
    SAME(vocab_size, "the vocabulary's size", "%d");
    SAME(n_layer, "the number of layers", "%d");
    SAME(d_model, "the width", "%d");
    SAME(d_ff, "the feed-forward width", "%d");
    SAME(n_head, "the number of heads", "%d");
    SAME(n_kv_head, "the number of key-value heads", "%d");
    SAME(head_dim, "the heads' dimension", "%d");
    if (a->pos == POS_LEARNED)
        SAME(n_ctx, "the context length", "%d");
    SAME(norm, "the kind of norm", "%d");
    SAME(norm_eps, "the norms' epsilon", "%g");
    SAME_YES(norm_plus_one, "the norms' 1 + weight");
    SAME_YES(qk_norm, "the norm of queries and keys");
    SAME(pos, "the kind of positions", "%d");
    SAME(rope_theta, "rope_theta", "%g");
    SAME(rope_scaling, "the rope scaling", "%d");
    SAME(rope_factor, "the rope factor", "%g");
    SAME(rope_low_freq, "rope's low_freq_factor", "%g");
    SAME(rope_high_freq, "rope's high_freq_factor", "%g");
    SAME(rope_original_ctx, "rope's original context", "%d");
    SAME(rope_partial, "the share of dimensions that rope turns", "%g");
    SAME(act, "the activation", "%d");
    SAME_YES(gated, "the gate of the feed-forward part");
    SAME_YES(bias_qkv, "the bias of queries, keys and values");
    SAME_YES(bias_o, "the bias of attention's output");
    SAME_YES(bias_mlp, "the bias of the feed-forward part");
    SAME_YES(tied, "the tying of head and embedding");
    SAME(embed_scale, "the embeddings' scale", "%g");
    SAME(attn_scale, "the scale of attention's scores", "%g");
    SAME(window, "the sliding window", "%d");
#undef SAME
#undef SAME_YES
    return 0;
}
