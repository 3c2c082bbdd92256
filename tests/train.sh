# shellcheck shell=sh
# What tests of training share: a small model and small data, made here. After lib.sh:
#     . "$TOP/tests/train.sh"

# Documents of ids below 60 in which the next one can be guessed, a line each; some are empty, some
# have one token. train_ids N SEED
train_ids() {
    awk -v docs="$1" -v x="$2" 'BEGIN {
        for (d = 0; d < docs; d++) {
            n = (d * 37) % 50; y = d % 7; line = ""
            for (i = 0; i < n; i++) {
                x = (x * 1103515245 + 12345) % 2147483648
                y = (y * 5 + 3 + int(x / 65536) % 3) % 60
                line = line (i ? " " : "") y
            }
            print line
        }
    }'
}

# x.tok, about 1500 tokens in 60 documents; v.tok, a third of that; tiny.json, 7000 weights
train_data() {
    train_ids 60 1 >ids.txt
    train_ids 20 99 >val.txt
    shard import -q --ids --vocab-size 64 --bos 60 --eos 61 -o x.tok ids.txt
    shard import -q --ids --vocab-size 64 --bos 60 --eos 61 -o v.tok val.txt
    tiny_config >tiny.json
}

# tiny_config [KEY VALUE]...: a GPT-2 of one layer
tiny_config() {
    echo '{"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "vocab_size": 64,
"n_positions": 32, "n_embd": 16, "n_layer": 1, "n_head": 2, "n_inner": null,
"activation_function": "gelu_new", "layer_norm_epsilon": 1e-05, "initializer_range": 0.02,
"tie_word_embeddings": true, "embd_pdrop": 0.0, "attn_pdrop": 0.0, "resid_pdrop": 0.0}' |
        awk -v keys="$*" '{
            n = split(keys, k, " ")
            for (i = 1; i < n; i += 2) sub("\"" k[i] "\": [^,}]*", "\"" k[i] "\": " k[i + 1])
            print
        }'
}

# What of a log does not depend on the clock.
log_of() {
    cut -f 1-6 "$1/log.tsv"
}

# same_run RUN RUN NAME: the same weights, the same log
same_run() {
    cmp "$1/model.safetensors" "$2/model.safetensors" >&2 && [ "$(log_of "$1")" = "$(log_of "$2")" ]
    tap_line $? "$3" || {
        diag "$1 and $2 differ"
        log_of "$1" >.log1
        log_of "$2" >.log2
        diff .log1 .log2 | head -n 8 >&2
    }
}

# whole RUN: what a finished run may hold, and nothing else
whole() {
    find "$1" ! -name '*.json' ! -name model.safetensors ! -name moments.safetensors \
        ! -path "$1" ! -path "$1/checkpoint-*" ! -name lock ! -name log.tsv ! -name best
}
