#!/bin/sh
# Outputs that are one file, or an input: refused before anything is written, whatever they are
# called.

. "${0%/*}/../lib.sh"
need_command dedup tokenize perplexity generate sft pretrain shard bpe-train detokenize

# shellcheck disable=SC2154 # lib.sh sets status, out and err

cat >talk.jsonl <<'END'
{"messages": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "A mill."}]}
END
printf '{"text": "the mill turns"}\n{"text": "the mill turns"}\n{"text": "the miller sings"}\n' >keep
tok=$TOP/tests/files/good-tokenizer-gpt2.json
cp "$tok" tok.json
cp keep in.jsonl
ln in.jsonl hard.jsonl
ln -s in.jsonl soft.jsonl
ln -s nowhere dangling
mkdir dir
both='would both write'
lost='and would be lost'

# untouched NAME...: the input is as it was, and nothing else has appeared
touch before
echo ./* >before
untouched() {
    cmp -s in.jsonl keep && cmp -s tok.json "$tok" && [ "$(echo ./*)" = "$(cat before)" ]
    tap_line $? "$@" || diag ./*
}

for other in X ./X dir/../X "$PWD/X"; do
    fails 2 "$both" "-o X and --clusters $other" dedup -o X --clusters "$other" in.jsonl
done
fails 2 "$both" "a link that leads nowhere yet" dedup -o dangling --clusters nowhere in.jsonl
fails 2 "$both" "-o X and --rejected X" dedup -o X --rejected X in.jsonl
fails 2 "$both" "--clusters X and --rejected X" dedup --rejected X --clusters ./X in.jsonl
fails 2 "$both stdout" "two kinds of text on stdout" dedup --clusters - in.jsonl
for input in in.jsonl ./in.jsonl hard.jsonl soft.jsonl; do
    fails 2 "--clusters $input: .*$lost" "--clusters $input" dedup --clusters $input in.jsonl
    fails 2 "--rejected $input: .*$lost" "--rejected $input" dedup --rejected $input - <in.jsonl
done
fails 2 "in.jsonl: is stdout as well" "more and more to read" sh -c 'dedup in.jsonl >>in.jsonl'
untouched "nothing has changed"
runs "a device may serve twice" dedup -q -o /dev/null --clusters /dev/null --rejected /dev/null in.jsonl
cp in.jsonl own.jsonl
runs "-o takes the place of its input" dedup -q -o own.jsonl own.jsonl
is "$(wc -l <own.jsonl | tr -d ' ')" 2 "once that is read"
rm own.jsonl
fails 2 "$both" "an X that is there" sh -c 'cp keep X; ln X Y; dedup -o X --clusters Y in.jsonl; r=$?; rm X Y; exit $r'

fails 2 "$both" "tokenize" tokenize -t tok.json -o X --rejected X in.jsonl
fails 2 "--rejected in.jsonl: .*$lost" "tokenize, rejects" tokenize -t tok.json -o X --rejected in.jsonl in.jsonl
for option in -o --rejected; do
    fails 2 "$option ./tok.json: is read for -t as well" "tokenize, $option as -t" \
        tokenize -t tok.json $option ./tok.json in.jsonl
done
fails 2 "--rejected in.jsonl" "bpe-train, rejects" bpe-train -s 300 -o X --rejected in.jsonl in.jsonl
fails 2 "$both" "bpe-train, two outputs" bpe-train -s 300 -o X --rejected X in.jsonl
fails 2 "$both tokenizer_config.json|$both ./tokenizer_config.json" "bpe-train, the third" \
    bpe-train -s 300 -o tokenizer_config.json --bos '<|endoftext|>' in.jsonl
untouched "and no input is lost"
cp tok.json own.json
runs "a tokenizer may be converted in its place" tokenize -t own.json --convert -o own.json
runs "and extended" bpe-train -q --extend own.json -s 400 -o own.json in.jsonl
rm own.json

# ---- shards
tokenize -q -t tok.json -o x.tok in.jsonl
cp x.tok kept.tok
fails 2 "$both" "shard split, by another name" shard split --at 1 -o A --rest ./A x.tok
for how in 'shard cat' 'shard shuffle' 'shard import --u16' 'shard export --u16' detokenize; do
    fails 2 "x.tok: is stdout as well" "$how to its input" sh -c "$how x.tok >>x.tok"
done
fails 2 "x.tok: is stdout as well" "shard mix to its input" sh -c "shard mix 1:x.tok >>x.tok"
fails 2 "-o tok.json: is read for -t" "shard import" shard import --u16 -t tok.json -o tok.json in.jsonl
fails 2 "-o tok.json: is read for -t" "detokenize" detokenize -t tok.json -o tok.json x.tok
same x.tok kept.tok "the shard is whole"
runs "a shard may be cut in its place" shard split --at 1 -o x.tok --rest rest.tok x.tok
cp kept.tok x.tok

# ---- models
cat >config.json <<'END'
{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 280,
 "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1,
 "num_key_value_heads": 1, "max_position_embeddings": 48, "rms_norm_eps": 1e-05,
 "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": true}
END
bpe-train -q -s 280 -o bpe.json in.jsonl
tokenize -q -t bpe.json -o x.tok in.jsonl
cp x.tok kept.tok
base='pretrain -q -c config.json --steps 1 -j 1'
for log in x.tok ./x.tok "$PWD/x.tok"; do
    fails 2 "--log .*x.tok: .*$lost" "--log $log" $base --log "$log" -o r x.tok
done
fails 2 "--log .*x.tok: is read for --val" "the shard of --val" \
    $base --log x.tok --val x.tok -o r kept.tok
fails 2 "--log .*bpe.json: is read for --tokenizer" "the tokenizer" \
    $base --log bpe.json -t bpe.json -o r kept.tok
fails 1 'config.json: not a log of this program' "any other file" $base --log config.json -o r x.tok
fails 1 'kept.tok: not a log of this program' "a shard" $base --log kept.tok -o r x.tok
mkdir r
fails 2 "$both" "a file of the run itself" $base --log r/model.safetensors -o r x.tok
same x.tok kept.tok "the shard is whole"
ok rmdir r -- "no run was begun"
runs "a log of its own" $base --log m.tsv -o r x.tok
sed 's/\t[^\t]*\t[^\t]*$//' m.tsv >m1
runs "begins anew with another run" $base --log m.tsv -o r2 x.tok
sed 's/\t[^\t]*\t[^\t]*$//' m.tsv | cmp - m1
is $? 0 "which alone is in it"
: >empty
runs "an empty file" $base --log empty -o r3 x.tok
mkdir r4
runs "the run's own" $base --log r4/log.tsv -o r4 x.tok

fails 2 "--per-document in.jsonl: .*$lost" "perplexity, rows" \
    perplexity -m r --per-document in.jsonl in.jsonl
fails 2 "--rejected hard.jsonl: .*$lost" "perplexity, rejects" \
    perplexity -m r --rejected hard.jsonl --on-error skip in.jsonl
fails 2 "$both" "perplexity, both" perplexity -m r --rejected X --per-document X in.jsonl
fails 2 "--rejected r/config.json: is read for -m" "a file of the model" \
    perplexity -m r --rejected r/config.json in.jsonl
fails 2 "--rejected in.jsonl" "generate" generate -m r -n 1 --rejected in.jsonl in.jsonl
fails 2 "$both stdout" "generate, on stdout" generate -m r -n 1 --rejected - in.jsonl
cp talk.jsonl talk.kept
fails 2 "--rejected talk.jsonl: .*$lost" "sft, rejects" \
    sft -m r -o s --steps 1 --rejected talk.jsonl --on-error skip talk.jsonl
fails 2 "--log .*talk.jsonl: .*$lost" "sft, the log" sft -m r -o s --steps 1 --log talk.jsonl talk.jsonl
fails 2 "$both" "sft, both" sft -m r -o s --steps 1 --log X --rejected X talk.jsonl
same talk.jsonl talk.kept "the conversations are there"
ok test ! -e s -- "no run was begun"
cmp -s in.jsonl keep
is $? 0 "and the text"
done_testing
