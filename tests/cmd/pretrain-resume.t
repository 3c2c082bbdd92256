#!/bin/sh
# pretrain --resume: whatever stopped a run, it ends with the bytes of one that nothing stopped.

. "${0%/*}/../lib.sh"
need_command pretrain shard perplexity
. "$TOP/tests/train.sh"

train_data
base='pretrain -c tiny.json --context 16 --batch 4 -j 1 -q' # to be split into words
stride=13
! is_long || stride=1

# ---- stopped at a system call: files, validation, the best kept, dropout, a growing batch

named='--steps 6 --accum 2 --batch-ramp 4 --dropout 0.1 --save-every 2 --keep-last 2 --val v.tok
    --eval-every 3 --keep-best'
$base $named -o named x.tok
export readable=yes # what stands in the run is read, too
interrupted 'files: killed' $stride kill 'open write fsync rename mkdir link symlink unlink close' \
    r named /dev/null $base $named -o r x.tok
interrupted 'files: SIGTERM' $stride term 'write fsync open' r named /dev/null $base $named -o r x.tok
readable=
interrupted 'files: SIGINT' $((2 * stride)) int 'write rename' r named /dev/null $base $named -o r x.tok
interrupted 'files: a full disk' $stride ENOSPC 'open write fsync mkdir link symlink' \
    r named /dev/null $base $named -o r x.tok
interrupted 'files: a failing disk' $stride EIO 'write fsync rename close' \
    r named /dev/null $base $named -o r x.tok

# ---- the same through a pipe, in bf16, with a share held out

piped='--epochs 1 --dtype bf16 --val 20% --eval-every 7 --save-every 5'
$base $piped -o piped <x.tok
interrupted 'pipe: killed' $stride kill 'open write fsync rename mkdir unlink' r piped x.tok $base $piped -o r
interrupted 'pipe: SIGTERM' $stride term 'write fsync read' r piped x.tok $base $piped -o r
interrupted 'pipe: a full disk' $stride ENOSPC 'open write fsync mkdir' r piped x.tok $base $piped -o r
interrupted 'pipe: a failing disk' $((2 * stride)) EIO 'write fsync rename close' r piped x.tok $base $piped -o r

# ---- a stream, whose end is not known before it comes

stream='--stream --steps 400 --val 20% --eval-every 7 --save-every 5'
$base $stream -o stream <x.tok 2>/dev/null
ok test -s stream/model.safetensors -- 'a stream that ends early is a finished run'
like "$(tail -n 1 stream/log.tsv)" '^[0-9]+	[0-9]+	[0-9.]+	[0-9.]+	' 'validated at its end'
interrupted 'stream: killed' $stride kill 'write fsync rename' r stream x.tok $base $stream -o r
interrupted 'stream: SIGTERM' $stride term 'write rename' r stream x.tok $base $stream -o r

# ---- file systems without links

ref=$($base --steps 2 -o linked x.tok && cksum <linked/model.safetensors)
injected link 1+ EPERM $base --steps 2 -o copied x.tok
is "$status:$(cksum <copied/model.safetensors)" "0:$ref" 'without hard links the model is copied'
injected symlink 1+ EPERM $base --steps 2 --val v.tok --keep-best -o noted x.tok
is "$status:$(cat noted/best)" '0:checkpoint-2' 'without symbolic ones the best is named in a file'

# ---- killed before anything is stored, and while the input comes

rm -rf r
mkfifo slow
$base $piped -o r <slow &
pid=$!
exec 9>slow
head -c 2000 x.tok >&9
while ! [ -e r/spool ]; do sleep 0.05; done
kill -KILL $pid
wait $pid 2>/dev/null
exec 9>&-
fails 1 '^pretrain: the run has no complete copy of its input, give it again: stdin: ' \
    'without its input a run that was killed while it came asks for it' \
    sh -c 'pretrain --resume -q -o r </dev/null'
fails 1 'stdin: another tokenizer, vocabulary or weights than in the input that the run began with' \
    'and does not take any other' sh -c 'shard import -q --ids -o - ids.txt | pretrain --resume -q -o r'
fails 1 'give it again: .*stdin: .*truncated|stdin: .*(truncated|ends)' 'nor half of it' \
    sh -c 'head -c 2000 x.tok | pretrain --resume -q -o r'
runs 'given again' pretrain --resume -q -o r x.tok
same_run piped r 'it is the same run'
rm -rf r
$base $piped -o r <slow &
pid=$!
exec 9>slow
head -c 2000 x.tok >&9
while ! [ -e r/spool ]; do sleep 0.05; done
kill -TERM $pid
wait $pid
is $? 143 'a signal ends the wait for a slow pipe'
exec 9>&-
shard cat -z -q -o z.tok x.tok
rm -rf r
injected rename 3 kill $base $piped -o r z.tok
ok test ! -e r/spool/spool.json -- 'killed while a deflated file was copied'
runs 'which is read again without being named' sh -c 'pretrain --resume -q -o r </dev/null'
same_run piped r 'it is the same run'

# ---- signals

rm -rf r
$base --steps 100000 -o r x.tok 2>err.txt &
pid=$!
while ! [ -s r/log.tsv ] || [ "$(grep -c '' r/log.tsv)" -lt 4 ]; do sleep 0.05; done
kill -USR1 $pid
while ! [ -s err.txt ]; do sleep 0.05; done
like "$(cat err.txt)" '^step: [0-9]+ of 100k step ' 'SIGUSR1 prints a line of progress'
fails 1 'r/lock: another process holds this lock' 'another writer is refused' pretrain --resume -q -o r
: >err.txt
kill -INT $pid 2>/dev/null
kill -HUP $pid 2>/dev/null
wait $pid
like $? '^(130|129)$' 'a signal ends the run by itself'
rm -rf r
$base --steps 100000 -o r x.tok 2>err.txt &
pid=$!
while ! [ -s r/log.tsv ] || [ "$(grep -c '' r/log.tsv)" -lt 4 ]; do sleep 0.05; done
kill -TERM $pid
wait $pid
is $? 143 'SIGTERM'
like "$(cat err.txt)" '^pretrain: stopped after step [0-9]+ of 100000; --resume goes on$' 'says where it stopped'
is "$(wc -l <err.txt)" 1 'in a line'
last=$(awk -F'\t' 'END {print $1}' r/log.tsv)
ok test -d "r/checkpoint-$last" -- 'the last complete step has its checkpoint'
rm -rf r
sh -c "trap '' HUP; exec $base --steps 300 -o r x.tok" &
pid=$!
while ! [ -s r/log.tsv ] || [ "$(grep -c '' r/log.tsv)" -lt 4 ]; do sleep 0.05; done
kill -HUP $pid
wait $pid
is $? 0 'SIGHUP that nohup has ignored is ignored'

# ---- what may change, and what may not

begin() { # OPTION...: a run of 12 steps that stands at its fourth or so
    rm -rf r
    injected fsync 12 term $base --steps 12 --lr 1e-2 --val v.tok --eval-every 4 "$@" -o r x.tok
    ls -d r/checkpoint-* >/dev/null || diag "the run was not stopped as it should: $status $err"
}
$base --steps 12 --lr 1e-2 --val v.tok --eval-every 4 -o ref x.tok
begin --save-every 2
is "$status" 143 'a run that was stopped'
refused() { # OPTION VALUE HAS
    fails 2 "^pretrain: $1 cannot change on --resume: the run has $3\$" "$1 may not change" \
        pretrain --resume -q -o r "$1" "$2"
}
refused --batch 5 4
refused --steps 13 12
refused --lr 2e-2 0.01
refused --seed 2 1
refused --dtype bf16 f32
refused --context 8 16
refused --tokens 1000 none
refused --epochs 1 none
refused --val 10% "$PWD/v.tok"
refused --order stream shuffle
refused --config char-nano tiny.json
refused --eval-every 5 4
refused --tokenizer tok.json none
refused --eos none none
refused --dropout 0.5 none
fails 2 '^pretrain: --keep-best cannot change' '--keep-best may not change' pretrain --resume -q -o r --keep-best
fails 2 'the run reads other files than those given' 'nor the input' pretrain --resume -q -o r v.tok
runs 'what is repeated is accepted, and what may change' pretrain --resume -q -o r --steps 12 --batch 4 \
    --lr 0.01 -c tiny.json --val v.tok -j 2 --save-every 3 --keep-last 5 --max-time 1h --skip-nonfinite 3 \
    --progress x.tok
same_run ref r 'it is the same run'
begin --log metrics.tsv --save-every 1
mkdir -p elsewhere/deep
runs 'from another directory' sh -c 'cd elsewhere/deep && pretrain --resume -q -o ../../r'
is "$(cut -f 1-6 metrics.tsv)" "$(log_of ref)" 'the log that was named then goes on'
cmp r/model.safetensors ref/model.safetensors >&2
tap_line $? 'with relative names of its files'
begin --save-every 1
printf 'do not touch\nthis\n' >notes.txt
cp notes.txt notes.old
fails 1 'notes.txt: not a log of this program' 'a log that is none is refused' \
    pretrain --resume -q -o r --log notes.txt
same notes.txt notes.old 'and stays'
runs 'another log' pretrain --resume -q -o r --log new.tsv
is "$(head -n 1 new.tsv | cut -c 1-11)" "$(printf 'step\ttokens')" 'has its header'
begin --save-every 2
cp x.tok x.old
cp v.tok v.old
cp v.tok x.tok
fails 1 "x.tok: has changed since the run began\$" 'a changed input' pretrain --resume -q -o r
mv x.old x.tok
cp x.tok v.tok
fails 1 "v.tok: has changed since the run began\$" 'a changed validation shard' pretrain --resume -q -o r
rm v.tok
fails 1 "^pretrain: an input of the run cannot be read again: .*v.tok: No such file" 'one that is gone' \
    pretrain --resume -q -o r
mv v.old v.tok
runs 'as they were' pretrain --resume -q -o r
same_run ref r 'it is the same run'
run pretrain --resume -o r
is "$status:$err" '0:pretrain: r: the run is finished' 'a finished run says so'
run pretrain --resume -q -o r
is "$status:$err" '0:' 'or nothing with -q'
fails 1 'r: not empty; --resume goes on with a run' 'and is not begun again' $base --steps 2 -o r x.tok
fails 1 'none: no run to resume: No such file' 'no such run' pretrain --resume -q -o none
mkdir nothing
fails 1 'nothing: no run to resume: it has no run.json' 'a directory without one' pretrain --resume -q -o nothing
is "$(ls nothing)" '' 'which stays empty'

# ---- a damaged copy of the input, other starts

rm -rf r
injected fsync 30 kill $base $piped -o r <x.tok
ok test -e r/spool/spool.json -a ! -e r/model.safetensors -- 'a run with its copy of the input'
cp r/spool/tokens tokens
printf '\001' | dd of=r/spool/tokens bs=1 seek=100 conv=notrunc 2>/dev/null
fails 1 "r/spool/tokens: is not what was written: the run's copy of its input is damaged" 'a flipped bit in it' \
    pretrain --resume -q -o r
cp tokens r/spool/tokens
runs 'as it was' pretrain --resume -q -o r
same_run piped r 'it is the same run'
init="pretrain --init init -j 1 -q --context 16 --batch 4 --steps 12 --save-every 2"
cp -r ref init
$init -o more x.tok
injected fsync 20 kill $init -o r2 x.tok
rm -rf init/model.safetensors
runs 'a checkpoint needs no --init' pretrain --resume -q -o r2
same_run more r2 'it is the same run'
rm -rf init r2
cp -r ref init
injected open 4 kill $init -o r2 x.tok
ok test -e r2/run.json -a ! -e r2/checkpoint-2 -- 'killed before the first checkpoint'
$base --steps 1 -o other x.tok
cp r2/run.json run.json
runs 'goes on from the model as it was' pretrain --resume -q -o r2
same_run more r2 'it is the same run'
rm -rf r2
injected open 7 kill $init -o r2 x.tok
cp other/model.safetensors init/model.safetensors
fails 1 'init: its weights have changed since the run began' 'but not from another' pretrain --resume -q -o r2
done_testing
