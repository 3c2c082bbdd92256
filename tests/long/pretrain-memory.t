#!/bin/sh
# pretrain -v says how much memory a run will take: what it took at its peak must be near.

. "${0%/*}/../lib.sh"
need_command pretrain shard
[ -x /usr/bin/time ] || skip_all 'no /usr/bin/time'

awk 'BEGIN {for (d = 0; d < 400; d++) {for (i = 0; i < 300; i++) printf "%d ", (d * i + i) % 256; print ""}}' >long.txt
awk 'BEGIN {for (d = 0; d < 30000; d++) print d % 256, d * 7 % 256}' >short.txt
for kind in long short; do
    shard import -q --ids --vocab-size 256 -o $kind.tok $kind.txt
done

near() { # KIND OPTION...
    kind=$1
    shift
    rm -rf r
    /usr/bin/time -f 'peak %M' pretrain "$@" --steps 2 -v -o r $kind.tok 2>said
    told=$(sed -n 's/^pretrain: memory: about \([0-9.]*\) \([A-Z]\).*/\1 \2/p' said)
    peak=$(sed -n 's/^peak //p' said)
    ok awk -v told="$told" -v peak="$peak" 'BEGIN {
        split(told, t, " ")
        t[1] *= t[2] == "G" ? 1048576 : 1024
        exit !(peak > 0 && t[1] > 0.88 * peak && t[1] < 1.12 * peak)
    }' -- "$kind documents, $*: about $told""iB told, $((peak / 1024)) MiB taken"
}

near long -c char-nano --context 64 --batch 64
near long -c char-baby --context 256 --batch 16
near long -c char-baby --context 256 --batch 4 --dtype bf16
near long -c llama-15m --context 256 --batch 8 --accum 2
near long -c llama-42m --context 512 --batch 2 --gemm ref
near short -c char-nano --context 64 --batch 64
near short -c llama-15m --context 256 --batch 8
done_testing
