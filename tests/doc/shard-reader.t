#!/bin/sh
# shard(5) against the programs: a reader in another language, written from the page alone
# (shard-reader.pl), reads what they write, gives the same ids and totals, and refuses what they
# refuse. Its hash is held against the library's.

. "${0%/*}/../lib.sh"
need_command shard perl
perl -MCompress::Zlib -e 1 2>/dev/null || skip_all 'no Compress::Zlib'

reader() {
    perl -I "$TOP/tests/doc" "$TOP/tests/doc/shard-reader.pl" "$@"
}

# The same five numbers from the program.
totals() {
    shard info --json "$1" | sed 's/.*"n_docs":\([0-9]*\),"n_tokens":\([0-9]*\),.*"n_segments":\([0-9]*\).*"id_bound":\([0-9]*\).*"checksum":"\([0-9a-f]*\)".*/\1 \2 \4 \3 \5/'
}

agree() {
    ok test -s "$1" -- "$2: is there"
    is "$(reader "$1")" "$(totals "$1")" "$2: totals and checksum"
    reader --ids "$1" >reader.txt
    shard export --ids "$1" >program.txt
    same reader.txt program.txt "$2: ids"
}

for file in "$TOP"/tests/files/good-*.tok; do
    agree "$file" "${file##*/}"
done
for file in "$TOP"/tests/files/bad-*.tok; do
    run reader "$file"
    is "$status" 1 "${file##*/} is refused: $(printf '%s' "$err" | sed 's/.*: at/at/')"
done

perl -e 'srand 3; print join(" ", map { int rand 1e6 } 1 .. rand 300), "\n" for 1 .. 900' >wide.txt
perl -e 'srand 4; print join(" ", map { int rand 256 } 1 .. rand 300), "\n" for 1 .. 900' >narrow.txt
perl -e 'print join(" ", map { $_ * 7919 % 60000 } 1 .. 270000), "\n\n\n5\n"' >long.txt
shard import --ids -o wide.tok wide.txt
shard import --ids --vocab-size 256 --eos 0 -z -o narrow.tok narrow.txt
shard import --ids -o long.tok long.txt
cat wide.tok narrow.tok wide.tok >segments.tok
shard shuffle -z -o shuffled.tok "$TOP/tests/files/good-weights.tok" narrow.tok
for name in wide narrow long segments shuffled; do
    agree $name.tok $name
done
done_testing
