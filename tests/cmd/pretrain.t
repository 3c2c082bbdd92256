#!/bin/sh
# pretrain: what it trains on and writes, what each option does, what it refuses.

. "${0%/*}/../lib.sh"
need_command pretrain shard perplexity bpe-train tokenize
. "$TOP/tests/train.sh"

train_data
base='pretrain -c tiny.json --context 16 --batch 4 -j 1 -q' # to be split into words

column() { # RUN STEP COLUMN of its log
    awk -F'\t' -v s="$2" -v c="$3" '$1 == s {print $c}' "$1/log.tsv"
}
differs() { # RUN RUN NAME: the option did something
    ! cmp -s "$1/model.safetensors" "$2/model.safetensors"
    tap_line $? "$3"
}
equal() { # RUN RUN NAME
    cmp "$1/model.safetensors" "$2/model.safetensors" >&2
    tap_line $? "$3"
}
less() { # A B NAME
    ok awk -v a="$1" -v b="$2" 'BEGIN {exit !(a != "" && b != "" && a < b)}' -- "$3: $1 < $2"
}

# ---- a run

runs 'a run' $base --steps 12 --lr 1e-2 --val v.tok -o a x.tok
is "$out$err" '' 'with -q says nothing'
is "$(whole a)" '' 'leaves what it should'
is "$(ls -d a/checkpoint-*)" a/checkpoint-12 'one checkpoint is kept'
is "$(head -n 1 a/log.tsv)" "$(printf 'step\ttokens\tloss\tval_loss\tlr\tgrad_norm\ttok_per_s\ttime_s')" \
    'the header of the log'
is "$(cut -f 1 a/log.tsv | tail -n +2 | tr '\n' ' ')" '1 2 3 4 5 6 7 8 9 10 11 12 ' 'a row a step'
is "$(awk -F'\t' 'NF != 8' a/log.tsv)" '' 'of eight fields'
less "$(column a 12 3)" "$(column a 1 3)" 'the loss falls'
less "$(column a 12 4)" "$(column a 1 4)" 'as does that of validation'
run perplexity -m a --json --context 16 v.tok
like "$out" '"nats_per_token":' 'other commands open it'
runs 'without -q' pretrain -c tiny.json --context 16 --batch 4 -j 1 --steps 2 --val 10% -o a2 x.tok
like "$err" 'pretrain: validation: ' 'it says how it validates'
like "$err" '[0-9.]+k? weights, .* training tokens in [0-9]+ windows of 16' 'what it trains'
like "$err" 'a2: finished after step 2, loss [0-9.]+, validation loss [0-9.]+$' 'and how it ended'
is "$out" '' 'on stderr'

# ---- one result

$base --steps 12 --lr 1e-2 -o one x.tok
for j in 2 3 5; do
    $base --steps 12 --lr 1e-2 -j $j -o j$j x.tok
    same_run one j$j "the same bytes with -j $j"
done
$base --steps 12 --lr 1e-2 -o pipe <x.tok
same_run one pipe 'from a pipe'
(
    i=0
    while [ $i -lt 60 ]; do
        dd if=x.tok bs=61 count=1 skip=$i 2>/dev/null
        i=$((i + 1))
    done
) | $base --steps 12 --lr 1e-2 -o dribble - 2>err.txt
is "$(cat err.txt)" '' 'a pipe of small pieces'
same_run one dribble 'gives the same'
shard cat -z -q -o z.tok x.tok
$base --steps 12 --lr 1e-2 -o deflated z.tok
same_run one deflated 'a deflated shard'
is "$(whole deflated)" '' 'whose copy is gone at the end'
gzip -c x.tok >x.tok.gz
gzip -dc x.tok.gz | $base --steps 12 --lr 1e-2 -o gzipped
same_run one gzipped 'one that was gzipped, through its pipe'
fails 1 'x.tok.gz: at byte 0: this is gzip data, not a token shard; use a pipe: gzip -dc' \
    'which must be one' $base --steps 12 -o gzipped2 x.tok.gz
shard split -q --at 40% -o p1.tok --rest p2.tok x.tok
$base --steps 12 --lr 1e-2 -o parts p1.tok p2.tok
same_run one parts 'two files'
cat p1.tok p2.tok | $base --steps 12 --lr 1e-2 -o segments
same_run one segments 'segments behind each other'
$base --steps 12 --lr 1e-2 -o mixed p1.tok - <p2.tok
same_run one mixed 'a file and stdin'
$base --steps 12 --lr 1e-2 --order stream -o ordered x.tok
differs one ordered '--order stream is another order'
$base --steps 12 --lr 1e-2 --stream -o streamed x.tok
same_run ordered streamed 'which --stream has, too'
$base --steps 12 --lr 1e-2 --stream -o streamed2 <x.tok
same_run ordered streamed2 'also of a pipe'
ok test ! -e streamed2/spool -- 'without a copy'
$base --steps 12 --lr 1e-2 --val v.tok --eval-every 3 -o val x.tok
equal one val 'validation changes nothing'
is "$(awk -F'\t' '$4 != "" {printf "%s ", $1}' val/log.tsv)" 'step 3 6 9 12 ' 'and is done when it is due'
$base --steps 12 --lr 1e-2 --val v.tok --eval-every 5 -o val5 x.tok
is "$(awk -F'\t' '$4 != "" {printf "%s ", $1}' val5/log.tsv)" 'step 5 10 12 ' 'and at the end'
$base --steps 12 --lr 1e-2 --val z.tok -o valz x.tok
$base --steps 12 --lr 1e-2 --val x.tok -o valx x.tok
is "$(log_of valz)" "$(log_of valx)" 'on deflated shards alike'
is "$(whole valz)" '' 'whose copies are gone'

# ---- what is held out

$base --epochs 1 --val 20% -o share x.tok
$base --epochs 1 -o whole x.tok
tok() { awk -F'\t' 'END {print $2}' "$1/log.tsv"; }
pairs=$(awk '{n += NF + 1} END {print n}' ids.txt)
is "$(tok whole)" "$pairs" 'an epoch trains on every pair once'
ok test "$(tok share)" -gt $((pairs * 6 / 10)) -a "$(tok share)" -lt $((pairs * 9 / 10)) -- \
    "--val 20% leaves $(tok share) of $pairs"
shard import -q --ids --vocab-size 64 --eos 61 --doc-len 700 -o long.tok ids.txt 2>/dev/null ||
    tr '\n' ' ' <ids.txt | shard import -q --ids --vocab-size 64 --eos 61 -o long.tok
pretrain -c tiny.json --context 16 --batch 4 -j 1 --epochs 1 --val 10% -o tails long.tok 2>err.txt
like "$(cat err.txt)" 'validation: the end of every document' 'of one document the end is held out'
less "$(column tails "$(awk -F'\t' 'END {print $1}' tails/log.tsv)" 4)" 9 'and validated'
fails 1 '^pretrain: --val 0\.01%: that is not one token' 'too little to hold out' \
    $base --steps 1 --val 0.01% -o none long.tok
rm -rf none

# ---- length

$base --tokens 200 -o tokens x.tok
is "$(tok tokens)" 208 '--tokens is rounded up to windows'
is "$(awk 'END {print NR - 1}' tokens/log.tsv)" 4 'dealt to steps'
$base --tokens 200 --batch-ramp 4 -o ramp x.tok
is "$(tok ramp)" 208 'also while the batch grows'
is "$(awk -F'\t' 'NR > 1 {printf "%s ", $2 - last; last = $2}' ramp/log.tsv)" '16 16 32 48 64 32 ' \
    '--batch-ramp lets it'
$base --epochs 0.5 -o half x.tok
windows=$(((pairs + 15) / 16))
is "$(awk 'END {print NR - 1}' half/log.tsv)" $((((windows + 1) / 2 + 3) / 4)) 'half an epoch'
$base --steps 6 --batch 2 --accum 2 -o accum x.tok
$base --steps 6 -o noaccum x.tok
is "$(cut -f 1,2,5 accum/log.tsv)" "$(cut -f 1,2,5 noaccum/log.tsv)" '--accum 2 of --batch 2 is a batch of 4'
ok awk -F'\t' 'NR == FNR {l[$1] = $3; next} FNR > 1 {d = l[$1] - $3; if (d > 1e-5 || d < -1e-5) exit 1}' \
    accum/log.tsv noaccum/log.tsv -- 'with the same losses'

# ---- each option has its effect

$base --steps 6 -o ref x.tok
for opt in '--lr 1e-3' '--lr 2e-3 --min-lr 2e-3' '--warmup 3' '--lr-schedule linear' '--lr-schedule constant' \
    '--weight-decay 0.5' '--beta1 .5' '--beta2 .5' '--eps 1e-3' '--clip .1' '--clip-value 1e-3' \
    '--dropout 0.2' '--seed 2' '--dtype bf16' '--gemm ref' '--context 8' '--batch 2' '--accum 2' '--bos none' \
    '--eos none'; do
    rm -rf o
    run $base --steps 6 $opt -o o x.tok
    [ "$status" -eq 0 ] && ! cmp -s o/model.safetensors ref/model.safetensors
    tap_line $? "$opt has an effect" || diag "$err"
done
rm -rf o
$base --steps 6 --dropout 0.2 -o drop x.tok
$base --steps 6 --dropout 0.2 --recompute block -j 3 -o drop2 x.tok
equal drop drop2 '--recompute block and another -j have none, with dropout'
$base --steps 60 --lr 1e-2 --val v.tok -o long32 x.tok
$base --steps 60 --lr 1e-2 --val v.tok --dtype bf16 -o long16 x.tok
ok awk -v a="$(column long32 60 4)" -v b="$(column long16 60 4)" \
    'BEGIN {exit !(a < 3.9 && a != b && b > a * 0.995 && b < a * 1.005)}' -- \
    "bf16 ends near f32: $(column long16 60 4), $(column long32 60 4)"
$base --steps 10 --lr-schedule wsd --lr 1e-2 --min-lr 1e-3 --warmup 2 -o wsd x.tok
is "$(cut -f 5 wsd/log.tsv | tail -n +2 | tr '\n' ' ')" \
    '0.005 0.01 0.01 0.01 0.01 0.01 0.01 0.01 0.0055 0.001 ' 'warm-up, stay, decay'
$base --steps 4 --lr 0 -o still x.tok
$base --steps 2 --lr 0 -o still2 x.tok
equal still still2 '--lr 0 learns nothing'
$base --steps 8 --save-every 2 --keep-last 3 -o kept x.tok
is "$(cd kept && echo checkpoint-*)" 'checkpoint-4 checkpoint-6 checkpoint-8' '--keep-last 3'
$base --steps 8 --lr 0.5 --warmup 0 --val v.tok --eval-every 1 --keep-best -o best x.tok
best=$(awk -F'\t' 'NR > 1 && (b == "" || $4 < b) {b = $4; s = $1} END {print s}' best/log.tsv)
is "$(readlink best/best)" "checkpoint-$best" '--keep-best points to the lowest validation loss'
ok test -e best/best/model.safetensors -- 'which is there'
$base --steps 3 --log m.tsv -o logged x.tok
is "$(cut -f 1-6 m.tsv)" "$(log_of ref | head -n 1)
$(cut -f 1-6 m.tsv | tail -n +2)" '--log has the header'
ok test ! -e logged/log.tsv -- 'instead of the usual log'
run $base --steps 3 --log - -o logged2 x.tok
is "$(printf '%s\n' "$out" | cut -f 1-6)" "$(cut -f 1-6 m.tsv)" '--log - is stdout'
pretrain -c tiny.json --context 16 --batch 4 -j 1 --steps 300 --log - -q -o closed x.tok 2>err.txt |
    head -n 2 >/dev/null
ok test -e closed/model.safetensors -- 'that the reader of the log goes does not end the run'
fails 1 '^pretrain: stdout: cannot write: No space left on device$' 'a full device for the log does' \
    sh -c "$base --steps 3 --log - -o fulllog x.tok >/dev/full"
fails 1 '^pretrain: /dev/full: cannot write: No space left on device$' 'by name, too' \
    $base --steps 3 --log /dev/full -o fulllog2 x.tok
fails 1 'stdout: (Bad file descriptor|.*)' 'a closed stdout' sh -c "$base --steps 3 --log - -o nolog x.tok >&-"
$base --steps 30 --max-time 0.0001s -o timed x.tok 2>err.txt
is $? 0 '--max-time ends well'
pretrain --resume -q -o timed
is "$(awk 'END {print NR - 1}' timed/log.tsv)" 30 'and --resume goes on'
run pretrain -c tiny.json --context 16 --batch 4 -j 1 --steps 4 --max-time 0 -o prepared x.tok
like "$err" 'stopped after step 0 of 4; --resume goes on' '--max-time 0: no step'
run pretrain -c tiny.json --context 16 --batch 4 -j 1 --steps 4 --progress -o progress x.tok
like "$err" 'step: 4 of 4 step.*loss [0-9.]+ .*% of peak' '--progress'
run pretrain -c tiny.json --context 16 --batch 4 -j 1 --steps 4 -v -o talk x.tok
like "$err" 'memory: about [0-9.]+ .iB; a checkpoint: [0-9.]+ ' '-v tells what it needs'

# ---- tokenizers, vocabularies

for d in 1 2 3 4 5 6 7 8; do
    echo "{\"text\": \"the mill grinds slowly, the mill grinds fine: sack $d and sack $d$d\"}"
done >t.jsonl
bpe-train -q -s 270 -o tok.json t.jsonl
tokenize -q -t tok.json -o t.tok t.jsonl
tokenize -q -t tok.json --no-embed -o bare.tok t.jsonl
$base -c char-nano --steps 2 --batch 2 -o preset t.tok
vocab() { sed -n 's/.*"vocab_size": *\([0-9]*\).*/\1/p' "$1/config.json"; }
ids=$(shard info --json t.tok | sed -n 's/.*"vocab_size":\([0-9]*\).*/\1/p')
is "$(vocab preset)" "$ids" "a preset takes the tokenizer's vocabulary"
is "$(sed -n 's/.*"n_positions": *\([0-9]*\).*/\1/p' preset/config.json)" 16 'and --context'
for f in tokenizer.json tokenizer_config.json generation_config.json; do
    ok test -s preset/$f -- "$f is written"
done
like "$(cat preset/tokenizer.json)" 'TemplateProcessing' 'with EOS before a text'
like "$(cat preset/generation_config.json)" '"eos_token_id": [0-9]' 'EOS in generation_config.json'
run generate -m preset -p 'the mill' -n 4 --temperature 0
is "$status" 0 'and generate reads it'
tiny_config vocab_size 300 >v300.json
$base -c v300.json --steps 2 -o padded t.tok
is "$(vocab padded)" 300 "a config's vocabulary may be larger"
fails 1 'tiny.json: 64 ids are too few for the data.s vocabulary of [0-9]+' 'but not smaller' \
    $base --steps 2 -o few t.tok
ok test ! -e few -- 'and then no directory is left'
run pretrain -c v300.json --context 16 --batch 4 -j 1 --steps 2 -o bare1 bare.tok
like "$err" "the data's tokenizer is not at hand \(-t names it\)" 'shards without their tokenizer'
ok test ! -e bare1/tokenizer.json -- 'make a model without'
runs '-t names it' $base -c v300.json --steps 2 -t tok.json -o bare2 bare.tok
ok test -s bare2/tokenizer.json -- 'and the model has it'
equal bare1 bare2 'with the same weights'
fails 1 'made with different tokenizers|fingerprint' 'another tokenizer is refused' \
    sh -c "bpe-train -q -s 265 -o other.json t.jsonl && exec $base -c v300.json --steps 2 -t other.json -o bare3 bare.tok"
$base -c v300.json --steps 3 --bos '<|im_start|>' --eos '<|im_end|>' --pad none -o marks t.tok
like "$(tr -d '\n ' <marks/config.json)" '"bos_token_id":[0-9]+,"eos_token_id":[0-9]+' '--bos and --eos'
like "$(tr -d '\n ' <marks/tokenizer_config.json)" '"bos_token":"<\|im_start\|>","eos_token":"<\|im_end\|>","pad_token":null' \
    'by their names'
fails 2 '[-]-bos <no>: the tokenizer has no such token' 'a token that is none' \
    $base -c v300.json --steps 3 --bos '<no>' -o marks2 t.tok
shard import -q --ids -o unknown.tok ids.txt
runs 'ids of an unknown vocabulary' $base --steps 2 -o unknown unknown.tok
echo '1 2 64 3' | shard import -q --ids -o beyond.tok
fails 1 'beyond.tok: holds id 64, which is not below the model.s vocabulary of 64$' 'below the model.s' \
    $base --steps 2 -o beyond beyond.tok
fails 1 'the input: holds id 64, which is not below the model.s vocabulary of 64$' 'of a pipe' \
    sh -c "cat beyond.tok | $base --steps 2 -o beyond2"
fails 1 'stdin: holds id 64, which is not below the model.s vocabulary of 64$' 'of a stream' \
    sh -c "cat beyond.tok | $base --stream --steps 2 -o beyond3"
fails 1 'beyond.tok: holds id 64, which' 'of validation' $base --steps 2 --val beyond.tok -o beyond4 x.tok

# ---- weights of tokens

cp "$TOP/tests/files/good-weights.tok" w.tok
runs 'a shard with weights' $base -c v300.json --steps 2 -o weights w.tok
runs 'also spooled' sh -c "cat w.tok | $base -c v300.json --steps 2 -o weights2"
equal weights weights2 'alike'

# ---- continuing a model

runs '--init' pretrain --init a --context 16 --batch 4 -j 1 -q --steps 3 --lr 1e-3 -o more x.tok
less "$(column more 1 3)" "$(column a 1 3)" '--init goes on from another model'
runs '-c may say the same' $base --init a --steps 3 --lr 1e-3 -o more2 x.tok
equal more more2 'and changes nothing'
tiny_config n_embd 32 >wide.json
fails 1 '^pretrain: -c wide.json and --init .*: the width differs: 32 and 16$' 'or is refused' \
    pretrain -c wide.json --init a -q --steps 3 -o more3 x.tok
fails 1 'nodir: No such file' 'no such model' pretrain --init nodir -q --steps 3 -o more3 x.tok
runs 'a model with a tokenizer' pretrain --init preset -j 1 -q --batch 2 --steps 2 -o more4 bare.tok
ok cmp preset/tokenizer.json more4/tokenizer.json -- 'passes it on where the shard has none'

cp -r a many && sed 's/"eos_token_id": *[0-9]*/"eos_token_id": [7, 9]/' a/config.json >many/config.json
eos_of() {
    tr -d ' \n' <"$1/config.json" | sed 's/.*"eos_token_id":\(\[[^]]*]\|[^,}]*\).*/\1/'
}
runs 'a model with several EOS ids' pretrain --init many --context 16 -q --steps 2 -o more5 x.tok
is "$(eos_of more5)" "[$(eos_of a),7,9]" 'keeps them behind that of the data'
runs 'the same config without its weights' pretrain -c many --context 16 -q --steps 2 -o more6 x.tok
is "$(eos_of more6)" "$(eos_of a)" 'has that of the data alone'

# ---- refusals

ls >.before
fails 2 'CONFIG or --init DIR is missing' 'no model' pretrain -q -o r x.tok
fails 2 '[-]o RUN is missing' 'no directory' pretrain -q -c tiny.json x.tok
fails 1 'nono: no such file or directory, and no preset of that name; presets: char-baby' 'no such preset' \
    pretrain -q -c nono -o r x.tok
fails 1 'missing.tok: ' 'no such shard' $base -o r missing.tok
fails 1 'tiny.json: ' 'no shard at all' $base -o r tiny.json
fails 1 'v300: No such file|v300: ' 'no such validation shard' $base --val v300 -o r x.tok
fails 1 'is truncated|truncated' 'half a header' sh -c "head -c 20 x.tok | $base -o r"
fails 1 'stdin: .*(empty|no bytes|not a token shard)' 'nothing on stdin' $base -o r </dev/null
fails 2 '[-]-steps, --tokens and --epochs exclude each other' 'two lengths' $base --steps 2 --epochs 1 -o r x.tok
fails 2 '[-]-stream needs --steps or --tokens' 'a stream without a length' $base --stream -o r x.tok
fails 2 '[-]-order shuffle needs the spool' 'a stream in another order' \
    $base --stream --steps 2 --order shuffle -o r x.tok
fails 2 '[-]-eps: .* out of range' 'a division of zero by zero' $base --steps 2 --eps 0 -o r x.tok
fails 2 '[-]-min-lr 1 is above --lr 0.1' 'the lowest rate above the highest' \
    $base --steps 2 --lr .1 --min-lr 1 -o r x.tok
fails 2 '[-]-min-lr means nothing with --lr-schedule constant' 'a rate that is not used' \
    $base --steps 2 --min-lr 1e-5 --lr-schedule constant -o r x.tok
fails 2 '[-]-warmup 9 is more than the run.s 2 steps' 'a long warm-up' $base --steps 2 --warmup 9 -o r x.tok
runs 'which the same command with a shorter one mends' $base --steps 2 --warmup 1 -o r x.tok
rm -rf r
fails 2 '[-]-context 33 is more than the model.s 32' 'a long context' $base --context 33 --steps 2 -o r x.tok
fails 2 '[-]-keep-best needs --val' 'best of nothing' $base --keep-best --steps 2 -o r x.tok
fails 2 '[-]-eval-every needs --val' 'validation of nothing' $base --eval-every 2 --steps 2 -o r x.tok
fails 2 '[-]-batch' 'a batch that is no number' $base --batch many --steps 2 -o r x.tok
fails 2 '[-]-batch 1000000 of 1048576 tokens is too large|too large|is more than' 'a monstrous batch' \
    $base --batch 1000000 --context 100000 --steps 2 -o r x.tok
fails 2 'unknown option|no option' 'an unknown option' $base --nonsense -o r x.tok
fails 2 '[-]-val 60%|60' 'more than half held out' $base --steps 2 --val 60% -o r x.tok
rm -rf r
fails 1 'QUERN_ISA|neon|instruction set' 'an instruction set that is not there' \
    env QUERN_ISA=neon $base --steps 2 -o r x.tok
ls >.after
same .before .after 'what is refused leaves no directory'
mkdir full && : >full/file
fails 1 '^pretrain: full: not empty; --resume goes on with a run, or choose another -o$' 'a directory with files' \
    $base --steps 2 -o full x.tok
is "$(ls full)" file 'which it leaves alone'
mkdir empty
runs 'an empty directory is taken' $base --steps 2 -o empty x.tok
fails 1 'ids.txt' 'a file in place of the directory' $base --steps 2 -o ids.txt x.tok
fails 1 'no/such: cannot make the directory: No such file or directory$' 'no parent' $base --steps 2 -o no/such x.tok
if [ "$(id -u)" -ne 0 ]; then
    mkdir shut && chmod 500 shut
    fails 1 'shut.*Permission denied' 'an unwritable directory' $base --steps 2 -o shut x.tok
    fails 1 'shut/r.*Permission denied' 'below it' $base --steps 2 -o shut/r x.tok
else
    note 'root may write anywhere: nothing to refuse'
fi
head -c 3000 x.tok >cut.tok
fails 1 'cut.tok: ' 'a truncated shard' $base --steps 2 -o cut cut.tok
fails 1 'stdin: .*(truncated|ends)' 'a truncated pipe' sh -c "cat cut.tok | $base --steps 2 -o cut2"
ok test ! -e cut2/model.safetensors -- 'trains nothing'
cp -r cut2 cut4
cp -r cut2 cut5
runs 'the same command goes well with a whole input' sh -c "cat x.tok | $base --steps 2 -o cut2"
runs 'so does --resume' sh -c 'cat x.tok | pretrain --resume -q -o cut4'
same cut2/model.safetensors cut4/model.safetensors 'to the same model'
fails 1 'truncated|ends' 'but not with half again' sh -c 'cat cut.tok | pretrain --resume -q -o cut5'
runs 'after which the command still goes well' $base --steps 2 -o cut5 x.tok
mv cut.tok half.tok
cp x.tok cut.tok
runs 'a file may be mended' $base --steps 2 -o cut cut.tok
mv half.tok cut.tok
fails 1 'stdin: .*(truncated|ends)' 'a truncated stream' sh -c "cat cut.tok | $base --steps 200 --stream -o cut3"
ok test ! -e cut3/model.safetensors -- 'is not finished'
runs 'and goes well when it is whole' sh -c "cat x.tok | $base --steps 2 --stream -o cut3"
printf '' | shard import -q --ids --vocab-size 64 -o none.tok
fails 1 'no training data: there is not one token to predict$' 'an empty shard' $base --steps 2 -o none none.tok
fails 1 'no training data: there is not one token to predict$' 'an empty stream' \
    $base --steps 2 --stream -o none2 none.tok
printf '5\n7\n9\n' | shard import -q --ids --vocab-size 64 -o ones.tok
fails 1 'no training data: there is not one token to predict$' 'documents of one token and no marks' \
    $base --steps 2 -o none3 ones.tok
printf '5\n7\n9\n' | shard import -q --ids --vocab-size 64 --eos 61 -o ones2.tok
runs 'with EOS they are two pairs each' $base --epochs 1 -o ones2 ones2.tok
is "$(tok ones2)" 6 'indeed'
shard import -q --ids --vocab-size 64 --bos 60 --eos 62 -o othereos.tok ids.txt
fails 1 'x.tok has BOS 60 and EOS 61, othereos.tok has 60 and 62' 'inputs that end otherwise' \
    $base --steps 2 -o r x.tok othereos.tok

# ---- what is not finite

fails 1 'step [0-9]+: (the loss|the gradient) is not finite; it changed nothing' 'a rate far too high' \
    $base --steps 60 --lr 1000 --warmup 0 --clip 0 --save-every 1 -o wild x.tok
last=$(cd wild && echo checkpoint-*)
run perplexity -m wild --json --context 16 v.tok
ok test -d "wild/$last" -- "the last checkpoint stays ($last)"
is "$(awk -F'\t' 'END {print $1}' wild/log.tsv)" "${last#checkpoint-}" 'and the log ends there'
run pretrain -c tiny.json --context 16 --batch 4 -j 1 --steps 8 --lr 1000 --warmup 0 --clip 0 \
    --skip-nonfinite 100 -o wild2 x.tok
like "$err" 'step [0-9]+: (the loss|the gradient) is not finite; passed over' '--skip-nonfinite says so'
is "$status:$(awk -F'\t' 'END {print $1}' wild2/log.tsv)" 0:8 'and goes on'

# ---- --profile

runs '--profile' $base --steps 12 --lr 1e-2 --val v.tok --profile -o profiled x.tok
like "$err" '^attention +backward' 'names the kinds of node'
is "$(printf '%s\n' "$err" | awk 'NR > 1 {ms = $2 ~ /[a-z]/ ? $3 : $2}
    $1 == "step" {print (sum > .95 * ms && sum < 1.05 * ms) ? "adds up" : sum " of " ms}
    NR > 1 {sum += ms}')" 'adds up' 'its rows are the step'
is "$(printf '%s\n' "$err" | awk '$1 == "rest" && $2 < 0')" '' 'validation is no part of them'
equal a profiled 'and change nothing'

# ---- what cannot fit

tiny_config n_embd 4096 n_layer 200 n_head 32 >huge.json
fails 1 'this run needs about [0-9.]+ .iB of memory and [0-9.]+ .iB are to be had' 'a huge model' \
    $base -c huge.json --steps 2 -o huge x.tok
ok test ! -e huge -- 'is refused before anything is made'
if is_sanitized; then
    note 'AddressSanitizer takes more address space than any limit'
else
    fails 1 'this run needs about .* and .* are to be had' 'a limit of memory' \
        sh -c "ulimit -v 400000; exec $base -c llama-110m --context 256 --batch 8 --steps 2 -o limited x.tok"
fi
done_testing
