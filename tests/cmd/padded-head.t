#!/bin/sh
# A model whose head has more rows than the tokenizer has ids: text never asks for the others, though
# after one step of training they are as likely as any.

. "${0%/*}/../lib.sh"
need_command bpe-train tokenize pretrain generate

printf '%s\n' 'one two three four five' 'six seven eight nine ten' >text
cat >config.json <<'END'
{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 4096,
 "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
 "num_key_value_heads": 2, "max_position_embeddings": 64, "rms_norm_eps": 1e-05,
 "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": true}
END
bpe-train -q -s 262 -o tok.json text
tokenize -q -t tok.json -o x.tok text
runs "a larger vocabulary than the tokenizer's is allowed" pretrain -q -c config.json --batch 2 \
    --steps 1 -o run x.tok
ok test "$(sed -n 's/.*"vocab_size": *\([0-9]*\).*/\1/p' run/config.json)" = 4096 -- "and kept"
for seed in 1 2 3; do
    runs "text, seed $seed" generate -m run -n 40 --temperature 1 --top-k 0 --top-p 1 --min-p 0 \
        --seed $seed -p 'one'
done
runs "ids" generate -m run -n 60 --ids --temperature 1 --top-k 0 --top-p 1 --min-p 0 -p '1 2'
ok sh -c 'tr " " "\n" <.run/out | awk "\$1 >= 262 { found = 1 } END { exit !found }"' -- \
    "as ids all of them may come"
done_testing
