#!/bin/sh
# perplexity: losses of the golden models, documents, windows, kinds of input, errors.

. "${0%/*}/../lib.sh"
# shellcheck disable=SC2154 # lib.sh sets status, out and err
need_command perplexity shard bpe-train tokenize pretrain

value() { # KEY of the JSON in $out
    printf '%s\n' "$out" | sed -n "s/.*\"$1\": *\([^,}]*\).*/\1/p"
}
near() { # X Y TOLERANCE (relative) NAME
    ok awk -v x="$1" -v y="$2" -v t="$3" \
        'BEGIN { d = x - y; if (d < 0) d = -d; exit !(y > 0 && x != "null" && d <= t * y) }' -- "$4: $1"
}

# ---- the losses that transformers computed
len=$(($(wc -c <"$TOP/tests/files/golden/gpt2/input.u32") / 8)) # two rows
golden() {
    shard import -q --u32 --doc-len $(($(wc -c <"$1/input.u32") / 8)) -o golden.tok "$1/input.u32"
    run perplexity -m "$1" --no-bos --json golden.tok
    near "$(value nats_per_token)" "$(cat "$1/loss.txt")" 1e-6 "golden loss of ${1##*/}"
}
for dir in "$TOP"/tests/files/golden/*/; do
    golden "${dir%/}"
done
if [ -d "$SHARED/golden/models" ]; then
    for dir in "$SHARED"/golden/models/*/; do
        golden "${dir%/}"
    done
else
    skip 1 "no ../shared/golden/models"
fi
tiny=$TOP/tests/files/golden/gpt2
shard import -q --u32 --doc-len "$len" -o x.tok "$tiny/input.u32"
run perplexity -m "$tiny" --json x.tok
is "$(value tokens):$(value bytes):$(value words):$(value bits_per_byte):$(value word_perplexity)" \
    $((2 * len)):null:null:null:null "what a shard without a tokenizer leaves unknown"
cp .run/out one
for j in 1 2 3 5; do
    run perplexity -m "$tiny" --json -j $j x.tok
    same .run/out one "the same figures with -j $j"
done
runs "a shard through a pipe" sh -c 'cat x.tok | perplexity -m "$0" --json' "$tiny"
same .run/out one "has the same figures"
runs "two of them joined" sh -c 'cat x.tok x.tok | perplexity -m "$0" --json -' "$tiny"
is "$(value tokens)" $((4 * len)) "have twice the tokens"
runs "two operands" perplexity -m "$tiny" --json --per-document rows x.tok x.tok
is "$(value tokens):$(sed -n '$p' rows | cut -f1-4)" "$((4 * len)):3	$len		" "and rows without bytes and words"
fails 1 "no tokenizer.json" "text without a tokenizer" sh -c 'echo hi | perplexity -m "$0" --text' "$tiny"
shard import -q --u32 --doc-len 80 --vocab-size 400 -o wide.tok "$tiny/input.u32"
fails 1 'vocabulary' "a shard of a larger vocabulary" perplexity -m "$tiny" wide.tok
head -c 300 x.tok >cut.tok
cp -r "$tiny" broken
perl -0777 -i -pe 'my $n = int(length($_) / 8); substr($_, -4 * $n) = pack("V", 0x7fc00000) x $n' \
    broken/model.safetensors
fails 1 'logits are not finite' 'a model with weights that are no numbers' perplexity -m broken x.tok
fails 1 'cut.tok' "a truncated shard" perplexity -m "$tiny" cut.tok
fails 1 'stdin' "also from a pipe" sh -c 'perplexity -m "$0" <cut.tok' "$tiny"

# ---- text
cat >corpus.jsonl <<'END'
{"text": "The mill turns and the miller sings."}
{"text": "one two three four five six seven eight nine ten"}
{"text": ""}
{"text": "磨坊 转动 café"}
END
cat >config.json <<'END'
{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 270,
 "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
 "num_key_value_heads": 2, "max_position_embeddings": 48, "rms_norm_eps": 1e-05,
 "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": true}
END
bpe-train -q -s 270 -o tok.json corpus.jsonl
tokenize -q -t tok.json -o c.tok corpus.jsonl
pretrain -q -c config.json --batch 2 --steps 4 --lr 1e-2 -o run c.tok
for option in --text --lines --jsonl '--key a' '--on-error skip' '--rejected rej'; do
    # shellcheck disable=SC2086 # options
    fails 2 "${option%% *} is for texts" "$option with shards alone" perplexity -m run $option c.tok c.tok
done
fails 2 "lines is for texts" "also from a pipe" sh -c 'cat c.tok | perplexity -m run --lines'
fails 2 "lines is for texts" "or two" sh -c 'cat c.tok | perplexity -m run --lines c.tok -'
ok test ! -e rej -- "no rejects"
runs "but not with a text behind them" perplexity -m run --lines c.tok corpus.jsonl
runs "that comes from a pipe" sh -c 'perplexity -m run --lines c.tok - <corpus.jsonl'
fails 2 "key names a field" "the key of lines" perplexity -m run --lines --key a corpus.jsonl
runs "documents" perplexity -m run --json --per-document rows corpus.jsonl
cp .run/out text.json
n_tok=$(tokenize -q -t tok.json --text-ids corpus.jsonl | wc -w | tr -d ' ')
is "$(value tokens):$(value bytes):$(value words)" "$n_tok:103:20" "tokens, bytes and words"
ok awk -F'\t' -v t="$(value tokens)" -v b="$(value bytes)" -v w="$(value words)" \
    -v mean="$(value nats_per_token)" 'NR > 1 { n++; T += $2; B += $3; W += $4; N += $5 }
    END { d = N / T - mean; exit !(n == 4 && T == t && B == b && W == w && d * d < 1e-14) }' rows -- \
    "the rows add up"
is "$(head -n 1 rows)" "document	tokens	bytes	words	nats" "their header"
ok awk -F'\t' 'NR == 4 { exit !($1 == 2 && $2 == 0 && $3 == 0 && $4 == 0 && $5 == 0) }' rows -- \
    "an empty document"
ok awk -v m="$(value nats_per_token)" -v t="$(value tokens)" -v b="$(value bytes)" \
    -v w="$(value words)" -v p="$(value perplexity)" -v wp="$(value word_perplexity)" \
    -v bb="$(value bits_per_byte)" 'function far(x, y) { return (x / y - 1) ^ 2 > 1e-12 }
    BEGIN { exit far(p, exp(m)) || far(wp, exp(m * t / w)) || far(bb, m * t / b / log(2)) }' -- \
    "the figures are what the manual says"
runs "the shard" perplexity -m run --json c.tok
same .run/out text.json "of the same text, the same figures"
runs "documents through a pipe" sh -c 'perplexity -m run --json <corpus.jsonl'
same .run/out text.json "the same"
runs "documents and shards mixed" perplexity -m run --json corpus.jsonl c.tok
is "$(value tokens)" $((2 * n_tok)) "count together"
mkfifo pipe
cat corpus.jsonl >pipe &
runs "a named pipe" perplexity -m run --json --jsonl pipe
same .run/out text.json "the same"
runs "as people read it" perplexity -m run corpus.jsonl
like "$out" '^bits/byte +[0-9.]+$' "with bits a byte"
like "$out" 'signature +quern-.*\|tok:[0-9a-f]{32}\|ctx:48\|stride:24\|bos:[a-z]+\|dtype:f32$' \
    "and a signature"
if command -v jq >/dev/null 2>&1; then
    ok jq -e .tokens text.json -- "valid JSON"
else
    ok perl -MJSON::PP -0777 -ne 'exit !decode_json($_)->{tokens}' text.json -- "valid JSON"
fi

# windows, BOS
printf 'x' >one.txt
run perplexity -m run --json one.txt
is "$(value tokens)" 1 "one token is scored behind BOS"
fails 1 'no token to score' "but is context only without" perplexity -m run --no-bos one.txt
run perplexity -m run --no-bos --json one.txt
is "$status:$(value tokens):$(value nats_per_token):$(value perplexity)" 0:0:null:null "null in JSON"
run perplexity -m run --json --no-bos corpus.jsonl
is "$(value tokens)" $((n_tok - 3)) "--no-bos: each document's first token is not counted"
like "$(value signature)" 'bos:none' "as the signature says"
for how in '--context 8' '--context 8 --stride 8' '--context 8 --stride 1' '--context 1'; do
    # shellcheck disable=SC2086 # options
    run perplexity -m run --json $how corpus.jsonl
    is "$status:$(value tokens)" "0:$n_tok" "each token counts once: $how"
done
run perplexity -m run --json --context 8 corpus.jsonl
like "$(value signature)" 'ctx:8\|stride:4' "the stride is half the context"

# bad input
printf 'a\377b' >bad.txt
fails 1 'bad.txt: invalid UTF-8' "invalid UTF-8" perplexity -m run bad.txt
runs "replaced" perplexity -m run --json --on-error replace bad.txt
is "$(value bytes)" 5 "by U+FFFD"
printf '{"text": "a"}\n{"text": 1}\n{"text": "b"}\n' >bad.jsonl
printf '{"x": "a"}\n{"text": "b"}\n' >bad2.jsonl
runs "skipped" perplexity -m run --json --on-error skip --rejected rej bad.jsonl bad2.jsonl
is "$(value bytes):$(wc -l <rej | tr -d ' ')" 3:2 "and the rejects of all files kept"
fails 1 'bad.jsonl:2: ' "or named" perplexity -m run bad.jsonl
fails 2 'rejected' "rejects of texts on both sides of a shard" \
    perplexity -m run --rejected rej bad2.jsonl c.tok bad2.jsonl --on-error skip
: >empty
fails 1 'no token' "an empty file" perplexity -m run empty
fails 1 'missing' "a missing file" perplexity -m run missing.txt
fails 1 '--text.*--lines' "plain text on stdin" sh -c 'echo hello | perplexity -m run'
fails 1 'tokenizer' "a shard of another tokenizer" sh -c '
    bpe-train -q -s 260 -o tok2.json corpus.jsonl && tokenize -q -t tok2.json -o y.tok corpus.jsonl &&
    perplexity -m run y.tok'
fails 1 'full|No space' "a full disk" sh -c 'perplexity -m run corpus.jsonl >/dev/full'
fails 2 'context' "a context beyond the model's" perplexity -m run --context 49 corpus.jsonl
fails 2 'stride' "a stride beyond the context" perplexity -m run --context 8 --stride 9 corpus.jsonl
fails 2 '.' "no stride" perplexity -m run --stride 0 corpus.jsonl
fails 2 '-m DIR' "no model" perplexity corpus.jsonl
fails 1 'no/such' "a missing directory for the rows" \
    perplexity -m run --per-document no/such/rows corpus.jsonl
done_testing
