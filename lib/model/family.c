/* The families: keys, defaults and tensor names, a table each. */
#include "model/family_int.h"
#include <string.h>
#include "base/compiler.h"

const char family_list[] = "gemma, gpt2, llama, mistral, phi3, qwen2, qwen3";

static const struct name_map gpt2_names[] = {
    {"transformer.wte.weight", "embed.weight", PART_ALL, false},
    {"transformer.wpe.weight", "pos.weight", PART_ALL, false},
    {"transformer.h.%d.ln_1.weight", "layers.%d.norm1.weight", PART_ALL, false},
    {"transformer.h.%d.ln_1.bias", "layers.%d.norm1.bias", PART_ALL, false},
    {"transformer.h.%d.attn.c_attn.weight", "layers.%d.attn.qkv.weight", PART_ALL, true},
    {"transformer.h.%d.attn.c_attn.bias", "layers.%d.attn.qkv.bias", PART_ALL, false},
    {"transformer.h.%d.attn.c_proj.weight", "layers.%d.attn.o.weight", PART_ALL, true},
    {"transformer.h.%d.attn.c_proj.bias", "layers.%d.attn.o.bias", PART_ALL, false},
    {"transformer.h.%d.ln_2.weight", "layers.%d.norm2.weight", PART_ALL, false},
    {"transformer.h.%d.ln_2.bias", "layers.%d.norm2.bias", PART_ALL, false},
    {"transformer.h.%d.mlp.c_fc.weight", "layers.%d.mlp.up.weight", PART_ALL, true},
    {"transformer.h.%d.mlp.c_fc.bias", "layers.%d.mlp.up.bias", PART_ALL, false},
    {"transformer.h.%d.mlp.c_proj.weight", "layers.%d.mlp.down.weight", PART_ALL, true},
    {"transformer.h.%d.mlp.c_proj.bias", "layers.%d.mlp.down.bias", PART_ALL, false},
    {"transformer.ln_f.weight", "norm.weight", PART_ALL, false},
    {"transformer.ln_f.bias", "norm.bias", PART_ALL, false},
    {"lm_head.weight", "head.weight", PART_ALL, false},
    {0},
};

/* LLaMA's names, which Mistral, Qwen and Gemma share. */
static const struct name_map llama_names[] = {
    {"model.embed_tokens.weight", "embed.weight", PART_ALL, false},
    {"model.layers.%d.input_layernorm.weight", "layers.%d.norm1.weight", PART_ALL, false},
    {"model.layers.%d.self_attn.q_proj.weight", "layers.%d.attn.qkv.weight", PART_Q, false},
    {"model.layers.%d.self_attn.k_proj.weight", "layers.%d.attn.qkv.weight", PART_K, false},
    {"model.layers.%d.self_attn.v_proj.weight", "layers.%d.attn.qkv.weight", PART_V, false},
    {"model.layers.%d.self_attn.q_proj.bias", "layers.%d.attn.qkv.bias", PART_Q, false},
    {"model.layers.%d.self_attn.k_proj.bias", "layers.%d.attn.qkv.bias", PART_K, false},
    {"model.layers.%d.self_attn.v_proj.bias", "layers.%d.attn.qkv.bias", PART_V, false},
    {"model.layers.%d.self_attn.q_norm.weight", "layers.%d.attn.q_norm.weight", PART_ALL, false},
    {"model.layers.%d.self_attn.k_norm.weight", "layers.%d.attn.k_norm.weight", PART_ALL, false},
    {"model.layers.%d.self_attn.o_proj.weight", "layers.%d.attn.o.weight", PART_ALL, false},
    {"model.layers.%d.self_attn.o_proj.bias", "layers.%d.attn.o.bias", PART_ALL, false},
    {"model.layers.%d.post_attention_layernorm.weight", "layers.%d.norm2.weight", PART_ALL, false},
    {"model.layers.%d.mlp.gate_proj.weight", "layers.%d.mlp.gate_up.weight", PART_GATE, false},
    {"model.layers.%d.mlp.up_proj.weight", "layers.%d.mlp.gate_up.weight", PART_UP, false},
    {"model.layers.%d.mlp.gate_proj.bias", "layers.%d.mlp.gate_up.bias", PART_GATE, false},
    {"model.layers.%d.mlp.up_proj.bias", "layers.%d.mlp.gate_up.bias", PART_UP, false},
    {"model.layers.%d.mlp.down_proj.weight", "layers.%d.mlp.down.weight", PART_ALL, false},
    {"model.layers.%d.mlp.down_proj.bias", "layers.%d.mlp.down.bias", PART_ALL, false},
    {"model.norm.weight", "norm.weight", PART_ALL, false},
    {"lm_head.weight", "head.weight", PART_ALL, false},
    {0},
};

static const struct name_map phi3_names[] = {
    {"model.embed_tokens.weight", "embed.weight", PART_ALL, false},
    {"model.layers.%d.input_layernorm.weight", "layers.%d.norm1.weight", PART_ALL, false},
    {"model.layers.%d.self_attn.qkv_proj.weight", "layers.%d.attn.qkv.weight", PART_ALL, false},
    {"model.layers.%d.self_attn.o_proj.weight", "layers.%d.attn.o.weight", PART_ALL, false},
    {"model.layers.%d.post_attention_layernorm.weight", "layers.%d.norm2.weight", PART_ALL, false},
    {"model.layers.%d.mlp.gate_up_proj.weight", "layers.%d.mlp.gate_up.weight", PART_ALL, false},
    {"model.layers.%d.mlp.down_proj.weight", "layers.%d.mlp.down.weight", PART_ALL, false},
    {"model.norm.weight", "norm.weight", PART_ALL, false},
    {"lm_head.weight", "head.weight", PART_ALL, false},
    {0},
};

/* The keys that all families but GPT-2 share. */
#define LLAMA_KEYS                                                                              \
    .k_d_model = "hidden_size", .k_n_layer = "num_hidden_layers",                               \
    .k_n_head = "num_attention_heads", .k_n_kv_head = "num_key_value_heads",                    \
    .k_d_ff = "intermediate_size", .k_n_ctx = "max_position_embeddings", .k_act = "hidden_act", \
    .k_eps = "rms_norm_eps", .k_drop_attn = "attention_dropout", .norm = NORM_RMS,              \
    .pos = POS_ROPE, .gated = true

static const struct family families[] = {
    {.type = "gpt2",
     .architecture = "GPT2LMHeadModel",
     .k_d_model = "n_embd",
     .k_n_layer = "n_layer",
     .k_n_head = "n_head",
     .k_d_ff = "n_inner",
     .k_n_ctx = "n_positions",
     .k_act = "activation_function",
     .k_eps = "layer_norm_epsilon",
     .k_drop_embd = "embd_pdrop",
     .k_drop_attn = "attn_pdrop",
     .k_drop_resid = "resid_pdrop",
     .n_ctx = 1024,
     .eps = 1e-5,
     .act = "gelu_new",
     .tied = true,
     .norm = NORM_LAYER,
     .pos = POS_LEARNED,
     .bias_qkv = true,
     .bias_o = true,
     .bias_mlp = true,
     .names = gpt2_names},
    {.type = "llama",
     .architecture = "LlamaForCausalLM",
     LLAMA_KEYS,
     .has_head_dim = true,
     .n_ctx = 2048,
     .eps = 1e-6,
     .act = "silu",
     .attention_bias_key = true,
     .mlp_bias_key = true,
     .names = llama_names},
    {.type = "mistral",
     .architecture = "MistralForCausalLM",
     LLAMA_KEYS,
     .has_head_dim = true,
     .n_ctx = 4096 * 32,
     .eps = 1e-6,
     .act = "silu",
     .window = WINDOW_KEY,
     .window_missing = 4096,
     .names = llama_names},
    {.type = "qwen2",
     .architecture = "Qwen2ForCausalLM",
     LLAMA_KEYS,
     .n_ctx = 32768,
     .eps = 1e-6,
     .act = "silu",
     .bias_qkv = true,
     .window = WINDOW_USE_KEY,
     .names = llama_names},
    {.type = "qwen3",
     .architecture = "Qwen3ForCausalLM",
     LLAMA_KEYS,
     .has_head_dim = true,
     .head_dim = 128,
     .n_ctx = 32768,
     .eps = 1e-6,
     .act = "silu",
     .qk_norm = true,
     .attention_bias_key = true,
     .window = WINDOW_USE_KEY,
     .names = llama_names},
    {.type = "phi3",
     .architecture = "Phi3ForCausalLM",
     LLAMA_KEYS,
     .k_drop_embd = "embd_pdrop",
     .k_drop_resid = "resid_pdrop",
     .n_ctx = 4096,
     .eps = 1e-5,
     .act = "silu",
     .window = WINDOW_KEY,
     .names = phi3_names},
    {.type = "gemma",
     .architecture = "GemmaForCausalLM",
     LLAMA_KEYS,
     .has_head_dim = true,
     .head_dim = 256,
     .n_ctx = 8192,
     .eps = 1e-6,
     .act = "gelu_pytorch_tanh",
     .tied = true,
     .norm_plus_one = true,
     .scale_embed = true,
     .attention_bias_key = true,
     .names = llama_names},
};

const struct family *family_find(const char *model_type)
{
    for (size_t i = 0; i < ARRAY_LEN(families); i++)
        if (!strcmp(families[i].type, model_type))
            return &families[i];
    return NULL;
}

const char *const act_names[] = {
    [ACT_NONE] = "linear", [ACT_RELU] = "relu",
    [ACT_GELU] = "gelu",   [ACT_GELU_TANH] = "gelu_pytorch_tanh",
    [ACT_SILU] = "silu",
};

int act_find(const char *name, enum act_kind *out)
{
    static const struct {
        const char *name;
        enum act_kind act;
    } known[] = {
        {"relu", ACT_RELU},
        {"gelu", ACT_GELU},
        {"gelu_python", ACT_GELU},
        {"gelu_new", ACT_GELU_TANH},
        {"gelu_fast", ACT_GELU_TANH},
        {"gelu_pytorch_tanh", ACT_GELU_TANH},
        {"gelu_python_tanh", ACT_GELU_TANH},
        {"silu", ACT_SILU},
        {"swish", ACT_SILU},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (!strcmp(known[i].name, name)) {
            *out = known[i].act;
            return 0;
        }
    return -1;
}
