# dedup beside `LC_ALL=C sort -u` on the same file: seconds each, best of three taken in turn, and
# how many times faster. Short records are a million lines with an id and a few words of English;
# long ones are the corpus of ../shared, where it is: there sort hardly compares, it copies.
set -eu
LC_ALL=C
export LC_ALL
dir=$(mktemp -d "${TMPDIR:-/tmp}/bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT
dedup=$PWD/bin/dedup
shared=${0%/*}/../../../shared

best() { # best FILE VARIABLE COMMAND... : keeps the least time in $VARIABLE
    file=$1 var=$2
    shift 2
    t=$({ time -p "$@" "$file" >/dev/null; } 2>&1) || {
        printf '%s\n' "$t" "bench-dedup: $* failed" >&2
        return 1
    }
    t=$(printf '%s\n' "$t" | sed -n 's/^real //p')
    eval "old=\${$var:-}"
    [ -n "$old" ] && [ "$(printf '%s\n' "$old" "$t" | sort -n | head -n 1)" = "$old" ] ||
        eval "$var=\$t"
}

compare() { # compare NAME FILE
    a='' b=''
    for round in 1 2 3; do
        : "$round"
        best "$2" a "$dedup" -q ${3:-}
        best "$2" b sort -u
    done
    awk -v n="$1" -v a="$a" -v b="$b" 'BEGIN {
        print "dedup-" n, a, "s"; print "sort-u-" n, b, "s"
        print "dedup-over-sort-u-" n, b / (a > 0 ? a : 0.01), "x" }'
}

perl -e '
    srand 1;
    my @w = map { join "", map { chr 97 + rand 26 } 0 .. 1 + rand 9 } 1 .. 5000;
    for (1 .. 1e6) {
        my $k = int rand 7e5;
        srand $k;
        print qq({"id": $k, "text": ") . join(" ", map { $w[rand @w] } 0 .. 8 + $k % 16) . qq("}\n);
        srand $_ + 1e7;
    }' >"$dir/short.jsonl"
compare short-records "$dir/short.jsonl"
if [ -d "$shared/data/corpus" ]; then
    gzip -dc "$shared"/data/corpus/*.jsonl.gz >"$dir/corpus.jsonl"
    compare corpus "$dir/corpus.jsonl"
    perl -pe 's/\\n/\n/g' "$dir/corpus.jsonl" >"$dir/lines.txt"
    compare corpus-lines "$dir/lines.txt" --lines
fi
