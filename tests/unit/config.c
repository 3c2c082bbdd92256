/* config.json: both spellings of every family, what is refused, what is written. */
#include <sys/stat.h>
#include "io/jtree.h"
#include "model/config.h"
#include "tap.h"

static int parse(struct config *c, const char *json, struct err *e)
{
    json_t *tree = json_loads(json, 0, NULL);
    int rc;

    if (!tree)
        bail_out(json);
    rc = config_parse(c, tree, "x/config.json", e);
    json_decref(tree);
    return rc;
}

#define LLAMA                                                                                 \
    "\"model_type\":\"llama\",\"vocab_size\":100,\"hidden_size\":64,\"num_hidden_layers\":2," \
    "\"num_attention_heads\":4,\"intermediate_size\":128"
#define QWEN                                                                                  \
    "\"model_type\":\"qwen2\",\"vocab_size\":100,\"hidden_size\":64,\"num_hidden_layers\":2," \
    "\"num_attention_heads\":4,\"intermediate_size\":128"
#define GPT2 "\"model_type\":\"gpt2\",\"vocab_size\":100,\"n_embd\":64,\"n_layer\":2,\"n_head\":4"

static void test_refused(void)
{
    static const struct {
        const char *json, *part;
    } bad[] = {
        {"[]", "not a JSON object"},
        {"{}", "\"model_type\" is missing"},
        {"{\"model_type\":7}", "model_type"},
        {"{\"model_type\":\"mamba\"}", "model type \"mamba\" is not supported (gemma, gpt2"},
        {"{\"model_type\":\"llama\",\"vocab_size\":3}", "\"hidden_size\" is missing"},
        {"{" LLAMA ",\"vocab_size\":0}", "vocab_size"},
        {"{" LLAMA ",\"vocab_size\":1e9}", "vocab_size"},
        {"{" LLAMA ",\"vocab_size\":99999999999}", "vocab_size"},
        {"{" LLAMA ",\"num_hidden_layers\":100000}", "num_hidden_layers"},
        {"{" LLAMA ",\"hidden_size\":-64}", "hidden_size"},
        {"{" LLAMA ",\"hidden_size\":\"64\"}", "hidden_size"},
        {"{" LLAMA ",\"hidden_size\":66}", "66 is not a multiple of \"num_attention_heads\" 4"},
        {"{" LLAMA ",\"num_key_value_heads\":3}", "4 attention heads cannot share 3"},
        {"{" LLAMA ",\"num_key_value_heads\":0}", "num_key_value_heads"},
        {"{" LLAMA ",\"head_dim\":257}", "257 dimensions are not supported (256 at most)"},
        {"{" LLAMA ",\"head_dim\":7}", "7 of 7 are to be turned"},
        {"{" LLAMA ",\"hidden_act\":\"quick_gelu\"}", "activation \"quick_gelu\""},
        {"{" LLAMA ",\"rms_norm_eps\":0}", "rms_norm_eps"},
        {"{" LLAMA ",\"rope_scaling\":{\"type\":\"yarn\",\"factor\":2}}", "rope type \"yarn\""},
        {"{" LLAMA ",\"rope_scaling\":{\"rope_type\":\"dynamic\",\"factor\":2}}",
         "rope type \"dynamic\""},
        {"{" LLAMA ",\"rope_parameters\":{\"rope_type\":\"longrope\"}}", "rope type \"longrope\""},
        {"{" LLAMA ",\"rope_scaling\":{\"type\":\"linear\"}}", "needs a \"factor\""},
        {"{" LLAMA ",\"rope_scaling\":{\"type\":\"linear\",\"factor\":0}}", "factor"},
        {"{" LLAMA ",\"rope_scaling\":3}", "not an object"},
        {"{" LLAMA ",\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8,"
         "\"low_freq_factor\":4,\"high_freq_factor\":4}}",
         "high_freq_factor must be over"},
        {"{" LLAMA ",\"partial_rotary_factor\":0.01}", "are to be turned"},
        {"{" LLAMA ",\"quantization_config\":{\"bits\":4}}", "\"quantization_config\" is set"},
        {"{" LLAMA ",\"eos_token_id\":[1,2,3,4,5,6,7,8,9]}", "more than 8"},
        {"{" LLAMA ",\"eos_token_id\":[1,\"a\"]}", "no token id"},
        {"{" LLAMA ",\"attention_dropout\":1}", "attention_dropout"},
        {"{" GPT2 ",\"scale_attn_by_inverse_layer_idx\":true}", "scale_attn_by_inverse_layer_idx"},
        {"{" GPT2 ",\"add_cross_attention\":true}", "add_cross_attention"},
        {"{" GPT2 ",\"n_head\":5}", "64 is not a multiple of \"n_head\" 5"},
        {"{" QWEN ",\"use_sliding_window\":true,\"sliding_window\":8,\"max_window_layers\":1}",
         "max_window_layers"},
        {"{" QWEN ",\"use_sliding_window\":true,\"sliding_window\":8,"
         "\"layer_types\":[\"full_attention\",\"sliding_attention\"]}",
         "mixes sliding and full"},
        {"{" QWEN ",\"layer_types\":[\"full_attention\",\"linear_attention\"]}",
         "layer type \"linear_attention\""},
        {"{" QWEN ",\"layer_types\":[\"full_attention\"]}", "one word a layer"},
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err e = {0};
        struct config c;
        int rc = parse(&c, bad[i].json, &e);
        ok(rc < 0 && strncmp(e.msg, "x/config.json: ", 15) == 0 && strstr(e.msg, bad[i].part),
           "refused: %s", rc < 0 ? e.msg : bad[i].json);
        config_release(&c);
    }
}

static void test_read(void)
{
    struct err e = {0};
    struct config a, b;

    ok(parse(&a,
             "{" LLAMA ",\"rope_theta\":500000.0,\"rope_scaling\":{\"type\":\"llama3\","
             "\"factor\":8,\"low_freq_factor\":1,\"high_freq_factor\":4,"
             "\"original_max_position_embeddings\":32}}",
             &e) == 0 &&
           parse(&b,
                 "{" LLAMA ",\"rope_parameters\":{\"rope_type\":\"llama3\",\"factor\":8.0,"
                 "\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,\"rope_theta\":500000,"
                 "\"original_max_position_embeddings\":32}}",
                 &e) == 0 &&
           config_same(&a, &b, &e) == 0 && a.rope_theta == 500000 && a.rope_original_ctx == 32,
       "old and new keys of rope are the same");
    b.rope_factor = 4;
    ok(config_same(&a, &b, &e) < 0, "a difference is named: %s", e.msg);
    is_like(e.msg, "rope factor differs: 8 and 4", "... as it is");
    is_int(a.n_kv_head, 4, "without key-value heads each head has its own");
    is_int(a.n_ctx, 2048, "the family's context where none is given");
    ok(!a.tied && !a.bias_qkv && a.gated && a.act == ACT_SILU && a.norm == NORM_RMS,
       "LLaMA's choices");
    config_release(&a);
    config_release(&b);

    ok(parse(&a, "{" GPT2 "}", &e) == 0 && a.d_ff == 256 && a.tied && a.bias_mlp && a.bias_o &&
           a.act == ACT_GELU_TANH && a.pos == POS_LEARNED && a.n_ctx == 1024 && a.bos == -1 &&
           a.n_eos == 0,
       "GPT-2's choices");
    config_release(&a);
    ok(parse(&a,
             "{\"model_type\":\"gemma\",\"vocab_size\":9,\"hidden_size\":64,"
             "\"num_hidden_layers\":1,\"num_attention_heads\":2,\"intermediate_size\":8,"
             "\"hidden_act\":\"gelu\",\"hidden_activation\":null,\"eos_token_id\":[1,5]}",
             &e) == 0 &&
           a.act == ACT_GELU_TANH && a.head_dim == 256 && a.embed_scale == 8 && a.norm_plus_one &&
           a.n_eos == 2 && a.eos[1] == 5,
       "Gemma's choices, \"gelu\" meaning its tanh form");
    config_release(&a);
    ok(parse(&a,
             "{\"model_type\":\"mistral\",\"vocab_size\":9,\"hidden_size\":64,"
             "\"num_hidden_layers\":1,\"num_attention_heads\":2,\"intermediate_size\":8}",
             &e) == 0 &&
           a.window == 4096,
       "Mistral's window where the key is missing");
    config_release(&a);
    ok(parse(&a,
             "{" QWEN ",\"use_sliding_window\":true,\"sliding_window\":8,"
             "\"max_window_layers\":0}",
             &e) == 0 &&
           a.window == 8 && a.bias_qkv && !a.bias_o,
       "Qwen2's window over all layers");
    config_release(&a);
    ok(parse(&a, "{" QWEN ",\"sliding_window\":8}", &e) == 0 && a.window == 0,
       "... and none unless it is to be used");
    config_release(&a);
}

static void test_written(void)
{
    static const char *const configs[] = {
        "{" GPT2 ",\"eos_token_id\":50256,\"n_ctx\":1024,\"task_specific_params\":{\"a\":1}}",
        "{" LLAMA ",\"rope_scaling\":{\"type\":\"linear\",\"factor\":2.5},\"bos_token_id\":1,"
        "\"rms_norm_eps\":1e-5,\"head_dim\":32,\"eos_token_id\":[7,9],\"mlp_bias\":true}",
        "{" QWEN ",\"use_sliding_window\":true,\"sliding_window\":8,\"max_window_layers\":0,"
        "\"layer_types\":[\"sliding_attention\",\"sliding_attention\"],\"dtype\":\"bfloat16\"}",
        "{\"model_type\":\"gemma\",\"vocab_size\":9,\"hidden_size\":64,\"num_hidden_layers\":1,"
        "\"num_attention_heads\":2,\"intermediate_size\":8,\"hidden_act\":\"gelu\","
        "\"hidden_activation\":\"gelu_pytorch_tanh\"}",
        "{\"model_type\":\"phi3\",\"vocab_size\":9,\"hidden_size\":64,\"num_hidden_layers\":1,"
        "\"num_attention_heads\":2,\"intermediate_size\":8,\"partial_rotary_factor\":0.75,"
        "\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":20000.0}}",
    };

    for (size_t i = 0; i < ARRAY_LEN(configs); i++) {
        struct err e = {0};
        struct config a, b;
        const char *path = scratch_path("config.json");
        int rc = parse(&a, configs[i], &e);
        ok(rc == 0 && config_save(&a, path, &e) == 0 && config_load(&b, path, &e) == 0 &&
               config_same(&a, &b, &e) == 0 && a.norm_eps == b.norm_eps && a.bos == b.bos &&
               a.n_eos == b.n_eos && a.eos[0] == b.eos[0] && a.init_std == b.init_std,
           "%s: written and read again as the same %s", a.model_type, e.msg);
        ok(!json_object_get(b.extra, "rope_parameters") && !json_object_get(b.extra, "dtype") &&
               json_object_get(b.extra, "torch_dtype") && json_object_get(b.extra, "architectures"),
           "... with the keys that every version reads");
        if (i == 0)
            ok(json_object_get(b.extra, "task_specific_params") &&
                   json_is_null(json_object_get(b.extra, "n_inner")),
               "... and those that mean nothing here");
        if (i == 1) {
            const json_t *r = json_object_get(b.extra, "rope_scaling");
            ok(json_number_value(json_object_get(r, "factor")) == 2.5 &&
                   json_number_value(json_object_get(b.extra, "rope_theta")) == 10000,
               "... rope as the old pair");
        }
        config_release(&a);
        config_release(&b);
    }
}

static void test_presets(void)
{
    static const struct {
        const char *name;
        int n_layer, d_model;
    } known[] = {
        {"gpt2-124m", 12, 768},   {"gpt2-355m", 24, 1024},   {"gpt2-774m", 36, 1280},
        {"gpt2-1558m", 48, 1600}, {"llama-15m", 6, 288},     {"llama-42m", 8, 512},
        {"llama-110m", 12, 768},  {"smollm2-135m", 30, 576}, {"tinyllama-1.1b", 22, 2048},
        {"char-nano", 4, 128},    {"char-baby", 6, 384},
    };
    struct err e = {0};
    struct buf names = BUF_INIT;
    struct config c;

    if (config_presets(&names, &e) < 0)
        bail_out(e.msg);
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        int rc = config_load(&c, known[i].name, &e);
        ok(rc == 0 && c.n_layer == known[i].n_layer && c.d_model == known[i].d_model &&
               strstr(names.s, known[i].name),
           "the preset %s %s", known[i].name, rc < 0 ? e.msg : "");
        config_release(&c);
    }
    ok(config_load(&c, "gpt3-175b", &e) < 0, "an unknown name");
    is_like(e.msg,
            "gpt3-175b: no such file or directory, and no preset of that name; presets: char",
            "... lists those that there are");
    ok(config_load(&c, "no/such", &e) < 0 && strstr(e.msg, "no/such"), "a missing file: %s", e.msg);
    mkdir(scratch_path("empty"), 0777);
    ok(config_load(&c, scratch_path("empty"), &e) < 0 && strstr(e.msg, "empty/config.json"),
       "a directory without one: %s", e.msg);
    buf_release(&names);
}

int main(void)
{
    test_read();
    test_refused();
    test_written();
    test_presets();
    return done_testing();
}
