# bpe-train to 32768 ids on the English novels and on the whole corpus of ../shared: seconds from
# start to end, reading and writing included, best of three, and peak memory.
set -eu
LC_ALL=C
export LC_ALL
shared=${0%/*}/../../../shared/data/corpus
[ -d "$shared" ] || exit 0
dir=$(mktemp -d "${TMPDIR:-/tmp}/bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT
train=$PWD/bin/bpe-train
failed=0

measure() { # measure NAME FILE OPTION...
    name=$1 file=$2
    shift 2
    times=$(for round in 1 2 3; do
        : "$round"
        { time -p "$train" -q -s 32768 --split gpt2 "$@" -o "$dir/tok.json" "$file"; } 2>&1 || exit
    done) || {
        printf '%s\n' "$times" "bench-bpe-train: $name failed" >&2
        failed=1
        return 0
    }
    printf '%s\n' "$times" | sed -n 's/^real //p' | sort -n | head -n 1 | sed "s/^/bpe-train-$name /;s/$/ s/"
}

gzip -dc "$shared/en-novels-train.jsonl.gz" >"$dir/novels.jsonl"
gzip -dc "$shared"/*.jsonl.gz >"$dir/corpus.jsonl"
for j in 1 2; do
    measure "novels-j$j" "$dir/novels.jsonl" -j $j
    measure "corpus-j$j" "$dir/corpus.jsonl" -j $j
done
perl -e '
    my $pid = fork;
    if (!$pid) { exec @ARGV; exit 1 }
    my $max = 0;
    while (waitpid($pid, 1) == 0) {
        if (open my $f, "<", "/proc/$pid/status") {
            while (<$f>) { $max = $1 if /VmHWM:\s+(\d+)/ && $1 > $max }
        }
        select undef, undef, undef, 0.005;
    }
    exit 1 if $?;
    printf "bpe-train-corpus-memory %.0f MiB\n", $max / 1024 if $max' \
    "$train" -q -s 32768 --split gpt2 -o "$dir/tok.json" "$dir/corpus.jsonl"
exit $failed
