#!/bin/sh
# pretrain and sft killed with -9 at random moments, hundreds of times: --resume, with another number
# of threads each time, ends with the bytes of a run that nobody disturbed.

. "${0%/*}/../lib.sh"
# shellcheck disable=SC2154 # lib.sh sets status, out and err
need_command pretrain sft shard bpe-train tokenize
. "$TOP/tests/train.sh"

kills=${KILLS:-100} # of each way of running
seed=${KILL_SEED:-$(date +%s)}
note "KILL_SEED=$seed"
x=$((seed % 2147483648))
random() { # $x: the next number of a sequence that the seed fixes
    x=$(((x * 1103515245 + 12345) % 2147483648))
}

# killed NAME REF INPUT PROGRAM OPTION...: the run REF of PROGRAM; then the same in r, killed at random
# until it is finished, again and again
killed() {
    name=$1 ref=$2 input=$3 program=$4
    shift 4
    n=0 n_runs=0 bad=''
    longest=1000 # milliseconds to wait at most; grows until runs get on, and shrinks where they end
    $program "$@" -q -o "$ref" <"$input"
    while [ "$n" -lt "$kills" ]; do
        rm -rf r
        n_runs=$((n_runs + 1))
        while ! [ -e r/model.safetensors ]; do
            random
            threads=$((x / 65536 % 3 + 1))
            if [ -e r/run.json ]; then
                $program --resume -q -j "$threads" -o r <"$input" 2>said &
            else
                rm -rf r
                $program "$@" -q -j "$threads" -o r <"$input" 2>said &
            fi
            pid=$!
            random
            sleep "$(awk -v x=$x -v longest=$longest 'BEGIN {print x / 2147483648 * longest / 1000}')"
            if kill -KILL $pid 2>/dev/null; then
                n=$((n + 1)) longest=$((longest * 11 / 10 + 1))
                wait $pid 2>/dev/null
            else
                longest=$((longest * 6 / 10 + 1))
                wait $pid || bad="$bad; status $?: $(cat said)"
            fi
            [ -z "$bad" ] || break
        done
        # what was killed behind its last rename has a spool to remove
        $program --resume -q -o r </dev/null 2>said || bad="$bad; the end: $(cat said)"
        cmp -s r/model.safetensors "$ref/model.safetensors" || bad="$bad; another model"
        [ "$(log_of r)" = "$(log_of "$ref")" ] || bad="$bad; another log"
        [ "$(ls r)" = "$(ls "$ref")" ] || bad="$bad; leaves $(echo r/*)"
        [ -z "$(find r -name '.*.tmp')" ] || bad="$bad; leaves temporary files"
        [ -z "$bad" ] || break
    done
    is "$bad" '' "$name: $n kills in $n_runs runs"
}

train_data
set -- -c tiny.json --context 16 --batch 4 --steps 150 --save-every 7 --lr 1e-2 --dropout 0.1 --accum 2 \
    --val v.tok --eval-every 11 --keep-best --keep-last 2
killed 'files' files /dev/null pretrain "$@" x.tok
set -- -c tiny.json --context 16 --batch 4 --epochs 8 --save-every 5 --lr 1e-2 --dtype bf16 --val 20%
killed 'a pipe' piped x.tok pretrain "$@"
i_cat=0
: >many.tok
while [ $i_cat -lt 8 ]; do
    cat x.tok >>many.tok
    i_cat=$((i_cat + 1))
done
set -- -c tiny.json --context 16 --batch 4 --steps 150 --stream --save-every 6 --val 10%
killed 'a stream' streamed many.tok pretrain "$@"

printf '%s\n' 'user assistant The mill turns. Who are you? What is ground?' >text
bpe-train -q -s 270 -o tok.json text
tokenize -q -t tok.json -o text.tok text
tiny_config vocab_size 270 n_positions 64 >talker.json
pretrain -q -c talker.json --batch 2 --steps 5 -o base text.tok
yes '{"messages": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "A mill."}]}' |
    sed 40q >talk.jsonl
set -- -m base --steps 100 --batch 2 --save-every 7 --lr 1e-3 --val 20% --keep-best
killed 'conversations' talked talk.jsonl sft "$@"
done_testing
