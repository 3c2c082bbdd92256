#!/bin/sh
# model info: figures against other reckonings of them, and what is refused.

. "${0%/*}/../lib.sh"
need_command model perl

# field NAME: of the object in $out
field() {
    printf '%s\n' "$out" | perl -ne 'print $1 if /"'"$1"'":("[^"]*"|[^,}]*)/'
}

runs 'a preset' model info gpt2-124m
like "$out" '^gpt2-124m: gpt2, 12 layers of width 768, 12 heads of 64, vocabulary 50257' 'its shape'
like "$out" '^parameters  .* 124439808$' 'its parameters, as everybody counts them'
like "$out" 'time +\?' 'no time without a speed'

# name parameters: sums of the published checkpoints' tensors
while read -r name n; do
    run model info --json "$name"
    is "$(field parameters)" "$n" "$name has $n parameters"
done <<'END'
gpt2-355m 354823168
gpt2-774m 774030080
gpt2-1558m 1557611200
smollm2-135m 134515008
tinyllama-1.1b 1100048384
llama-15m 15191712
END

runs 'JSON' model info --json --batch 2 --context 100 --speed 50 llama-15m
is "$(printf '%s\n' "$out" | grep -c '')" 1 'one line'
# 6 a weight of a product (all but the norms), and 12 layers · width · context causally
is "$(field train_flops_per_token)" "$(perl -e 'printf "%.1f",
    6 * (15191712 - 13 * 288) + 12 * 6 * 288 * 101 / 2')" 'FLOPs of training'
is "$(field decode_flops_per_token)" "$(perl -e 'printf "%.1f",
    2 * (15191712 - 13 * 288) + 4 * 6 * 288 * 100')" 'FLOPs of decoding'
is "$(field kv_cache_bytes_per_token)" $((2 * 6 * 288 * 4)) 'bytes of keys and values'
is "$(field optimal_tokens)" 303834240.0 '20 tokens a parameter'
is "$(field optimal_time_s)" "$(perl -e 'printf "%.1f", 303834240 / 50')" 'the time at a speed'
is "$(field weight_bytes)" "$(field gradient_bytes)" 'gradients are as large as weights'
is $(($(field weight_bytes) + $(field gradient_bytes) + $(field optimizer_bytes) + \
    $(field packed_bytes) + $(field activation_bytes))) "$(field train_bytes)" 'the sum of memory'
one=$(field activation_bytes)
run model info --json --batch 4 --context 100 llama-15m
[ "$(field activation_bytes)" -gt $((one * 3 / 2)) ]
tap_line $? 'a larger batch takes more memory'
is "$(field tok_per_s)" null 'no speed'

runs 'tensors' model info -v char-nano
like "$out" '^  layers\.3\.attn\.qkv\.weight +\[384, 128\]$' '... with their shapes'

cp "$TOP/data/presets/char-nano.json" config.json
runs 'a file' model info config.json
runs 'a directory' model info .
mkdir -p run/checkpoint-2 empty
cp config.json run/checkpoint-2
: >run/checkpoint-2/model.safetensors
runs 'a run' model info run
fails 1 '^model info: empty' 'a directory with nothing' model info empty
runs 'a measured speed' model info --measure --json -j 2 config.json
like "$(field tok_per_s)" '^[0-9.]+$' '... is a number'
is "$err" 'model info: measuring three steps of training' '... and said to be'
runs 'quietly' model info -q --measure config.json
is "$err" '' '... without a word'
like "$out" 'measured$' '... but in the result'

# ---- what is refused
fails 1 '^model info: nix: no such file or directory, and no preset of that name; presets: char-baby' \
    'an unknown name' model info nix
fails 1 'model info: no/such: No such file' 'a missing file' model info no/such
fails 2 'one model is needed' 'no model' model info
fails 2 'one model is needed' 'two models' model info gpt2-124m llama-15m
fails 2 'exclude each other' '--speed and --measure' model info --speed 3 --measure gpt2-124m
fails 2 "over the model's 1024" 'a context that GPT-2 has no positions for' \
    model info --context 1025 gpt2-124m
fails 2 'batch' 'no batch' model info --batch 0 gpt2-124m
fails 2 'gemm' 'an unknown backend' model info --gemm mkl gpt2-124m
fails 2 "there is no 'model nix'" 'an unknown subcommand' model nix
fails 1 'is too large' 'a batch beyond reckoning' \
    model info --batch 1M --context 1M llama-15m
fails 1 'takes .* of memory, and .* are to be had' 'measuring what does not fit' \
    model info --measure --batch 64 --context 16k tinyllama-1.1b
echo '{"model_type": "mamba"}' >bad.json
fails 1 '^model info: bad.json: the model type "mamba" is not supported' 'a foreign model' \
    model info bad.json
echo '{' >bad.json
fails 1 '^model info: bad.json:' 'a broken file' model info bad.json
: >bad.json
fails 1 '^model info: bad.json:' 'an empty file' model info bad.json
if [ -c /dev/full ]; then
    run sh -c 'model info gpt2-124m >/dev/full'
    is "$status" 1 'a full disk exits 1'
    like "$err" 'No space left' '... and says so'
fi
# ---- bench

runs 'bench' model bench --train 2x16,1x8 --prefill 16 --decode 8 -j 2 char-nano
is "$(printf '%s\n' "$out" | grep -cE '^(train (2x16|1x8)|prefill 1x16|decode 1x8) .* [0-9]+ %')" 4 \
    'a line for each'
runs 'bench --profile' model bench --train 2x16 --prefill 16 --profile -j 1 char-nano
is "$(printf '%s\n' "$out" | grep -cE '^step +[0-9.]+ +100.0 %')" 1 'one table, for the row of training'
runs 'bench --json' model bench --json --train 2x16 --dtype bf16 -j 1 char-nano
is "$(printf '%s\n' "$out" | cut -d, -f 1,2 | tr '\n' ' ')" \
    '{"kind":"peak","dtype":"f32" {"kind":"peak","dtype":"bf16" {"kind":"peak","dtype":null {"kind":"train","dtype":"bf16" ' \
    'three peaks and a row'
out=$(printf '%s\n' "$out" | tail -n 1)
ok awk -v t="$(field tok_per_s)" -v s="$(field step_s)" 'BEGIN {exit !(t * s > 31.9 && t * s < 32.1)}' \
    -- 'tokens a second are tokens over time'
is "$(field repeats)" 12 'of so many steps'
ok awk -v f="$(field flops_per_s)" -v t="$(field tok_per_s)" -v want="$(model info --json --context 16 \
    char-nano | perl -ne 'print $1 if /"train_flops_per_token":([^,]*)/')" \
    'BEGIN {exit !(f / t > .999 * want && f / t < 1.001 * want)}' -- 'and operations those of model info'
for how in none block; do
    run model info --json --batch 1 --context 256 --recompute $how llama-15m
    want=$(field train_bytes)
    run model bench --json --train 1x256 --recompute $how llama-15m
    out=$(printf '%s\n' "$out" | tail -n 1)
    ok awk -v got="$(field max_rss_bytes)" -v want="$want" \
        'BEGIN {exit !(got > .9 * want && got < 1.1 * want)}' \
        -- "--recompute $how: memory is what model info says: $(field max_rss_bytes), $want"
done
fails 2 '--train 4,: batches such as 4x256 are expected' 'a batch without context' \
    model bench --train 4, char-nano
fails 2 '--decode 8x8: numbers of tokens are expected' 'a batch to decode' \
    model bench --decode 8x8 char-nano
fails 2 'prefill 1,,2: numbers of tokens' 'a list with a gap' model bench --prefill 1,,2 char-nano
fails 2 'prefill 1,: numbers of tokens' 'a list that ends in a comma' model bench --prefill 1, char-nano
fails 2 'train : batches such as' 'an empty list' model bench --train '' char-nano
fails 2 'not with --json' 'a table as JSON' model bench --profile --json char-nano
fails 2 'is over the model.s context of 64' 'a long context' model bench --train 1x65 char-nano
fails 1 'train 200000x64 takes .* of memory, and .* are to be had' 'a batch that does not fit' \
    model bench --train 200000x64 llama-110m
# The child holds our pipe, too, which ends when both are gone.
ok perl -e '
    my $pid = open my $rows, "-|", "model", "bench", "--json", "--decode", "20000", "llama-15m" or die;
    <$rows> for 1 .. 3;
    select undef, undef, undef, .3;
    kill "KILL", $pid;
    alarm 10;
    1 while <$rows>;' -- 'a bench that is killed takes the process of its row with it'
done_testing
