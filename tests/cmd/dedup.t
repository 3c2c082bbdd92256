#!/bin/sh
# dedup: what is kept, under each normalisation; bad input; failing output; memory.

. "${0%/*}/../lib.sh"
need_command dedup

# ---- first and longest, against a reading of the definition in awk

cat >in.jsonl <<'END'
{"id": 0, "text": "The mill grinds."}
{"text": "the  mill\ngrinds", "id": 1}
{"id": 2, "text": "The mill grinds.", "other": [1, {"a": null}]}
{"id": 3, "text": "The mill  grinds."}
{"id":4,"text":"\u0054he mill grinds."}

{"id": 5, "text": "THE MILL -- \"grinds\"!"}
{"id": 6, "text": ""}
{"id": 7, "text": " "}
{"id": 8, "text": "水轮"}
{"id": 9, "text": "水,轮。"}
END
ids() {
    sed -n 's/.*"id": *\([0-9]*\).*/\1/p' "$1" | tr '\n' ' '
}
kept() { # kept EXPECTED OPTION...
    want=$1
    shift
    run dedup -q "$@" in.jsonl
    printf '%s\n' "$out" >kept.jsonl
    is "$status$err" 0 "dedup $* goes well"
    is "$(ids kept.jsonl)" "$want" "dedup $* keeps the right ones"
}
kept '0 1 3 5 6 7 8 9 '
kept '0 1 3 5 6 7 8 9 ' --normalize none
kept '0 1 5 6 8 9 ' --normalize space
kept '0 6 8 ' --normalize text
kept '0 1 3 5 6 7 8 9 ' --keep longest
kept '1 3 5 7 8 9 ' --keep longest --normalize space
kept '5 7 9 ' --keep longest --normalize text

run dedup -q in.jsonl
same .run/out - 'records pass byte for byte' <<'END'
{"id": 0, "text": "The mill grinds."}
{"text": "the  mill\ngrinds", "id": 1}
{"id": 3, "text": "The mill  grinds."}
{"id": 5, "text": "THE MILL -- \"grinds\"!"}
{"id": 6, "text": ""}
{"id": 7, "text": " "}
{"id": 8, "text": "水轮"}
{"id": 9, "text": "水,轮。"}
END

run dedup in.jsonl
is "$err" 'dedup: 10 documents in, 8 kept, 2 duplicates; 119 bytes of text in, 87 kept' \
    'counts at the end'

dedup -q --normalize text --clusters cl in.jsonl >/dev/null
same cl - 'clusters name file and line' <<'END'
{"file": "in.jsonl", "line": 2, "kept_file": "in.jsonl", "kept_line": 1}
{"file": "in.jsonl", "line": 3, "kept_file": "in.jsonl", "kept_line": 1}
{"file": "in.jsonl", "line": 4, "kept_file": "in.jsonl", "kept_line": 1}
{"file": "in.jsonl", "line": 5, "kept_file": "in.jsonl", "kept_line": 1}
{"file": "in.jsonl", "line": 7, "kept_file": "in.jsonl", "kept_line": 1}
{"file": "in.jsonl", "line": 9, "kept_file": "in.jsonl", "kept_line": 8}
{"file": "in.jsonl", "line": 11, "kept_file": "in.jsonl", "kept_line": 10}
END
cp in.jsonl again.jsonl
: >empty.jsonl
dedup -q --keep longest --normalize text --clusters cl again.jsonl empty.jsonl again.jsonl - <in.jsonl |
    ids /dev/stdin >got
is "$(cat got)" '5 7 9 ' 'longest: one file twice, an empty one, and stdin'
is "$(wc -l <cl | tr -d ' ')" 27 'a line of clusters for each that was dropped'
is "$(sed -n '$p' cl)" \
    '{"file": "stdin", "line": 11, "kept_file": "again.jsonl", "kept_line": 11}' \
    'and across files'

# ---- many documents: the same as a program of three lines, for any -j and any way in

awk 'BEGIN { for (i = 0; i < 30000; i++) { k = (i * 7919 + int(i / 7)) % 9973; s = ""
    for (j = 0; j < k % 5; j++) s = s " ";
    print "{\"text\": \"document" s " " k * k "\", \"n\": " i "}" } }' >many.jsonl
awk -F'"' '!seen[$4]++' many.jsonl >want
for j in 1 2 3 7; do
    dedup -q -j $j many.jsonl >got
    same got want "-j $j: the first of each"
done
dedup -q <many.jsonl >got
same got want 'stdin'
gzip -c many.jsonl >many.jsonl.gz
dedup -q many.jsonl.gz >got
same got want 'gzipped'
dedup -q --key text --jsonl -o got many.jsonl.gz
same got want '-o'
awk -F'"' '{ split($4, w, " "); k = w[2]; l = length($4) }
    !(k in best) || l > len[k] { best[k] = NR; len[k] = l }
    { line[NR] = $0; key[NR] = k }
    END { for (i = 1; i <= NR; i++) if (best[key[i]] == i) print line[i] }' many.jsonl >want
for j in 1 3; do
    dedup -q -j $j --normalize space --keep longest many.jsonl >got
    same got want "-j $j: the longest of each"
    dedup -q -j $j --normalize space --keep longest <many.jsonl >got
    same got want "-j $j: from a file on stdin"
    # shellcheck disable=SC2002 # a pipe is wanted
    cat many.jsonl | dedup -q -j $j --normalize space --keep longest >got
    same got want "-j $j: from a pipe"
done
cp many.jsonl inplace.jsonl
dedup -q --normalize space --keep longest -o inplace.jsonl inplace.jsonl
same inplace.jsonl want 'output over the input'
{ head -n 5 many.jsonl >/dev/null; dedup -q --keep longest; } <many.jsonl >got
ok test -s got -- 'stdin that does not stand at its beginning'

# ---- plain text

printf 'b\na\r\nb\n\na\nlast' >lines
printf 'b\na\n\nlast\n' >want
dedup -q --lines lines >got
same got want '--lines: lines'
dedup -q --lines <lines >got
same got want '--lines on stdin'
printf 'one "text"\n' >a.txt
cp a.txt b.txt
printf 'other\n' >c.txt
run dedup -q --clusters cl a.txt b.txt c.txt
is "$out" '{"text": "one \"text\"\n"}
{"text": "other\n"}' 'whole files become records'
is "$(cat cl)" '{"file": "b.txt", "line": 0, "kept_file": "a.txt", "kept_line": 0}' 'and are named'
fails 2 '--key names a field' '--lines --key' dedup -q --lines --key body a.txt
run dedup -q --text --key body <a.txt
is "$out" '{"body": "one \"text\"\n"}' '--text --key'

# ---- nothing, and bad input

: >nothing
run dedup nothing </dev/null
is "$status$out" 0 'an empty file has no documents'
run dedup </dev/null
is "$status$out" 0 'nor has an empty stdin'
like "$err" '^dedup: 0 documents in, 0 kept' 'and that is said'
printf '{"text": "a"}' | dedup -q >got
is "$(cat got)" '{"text": "a"}' 'the last newline may be missing'

printf '{"text": "a"}\n{"text": "b\377"}\n[]\n{"no": 1}\n{"text": "b\377"}\n{"text": "a"}\n' >bad.jsonl
fails 1 '^dedup: bad\.jsonl:2: invalid UTF-8 at byte' 'invalid UTF-8 stops' dedup bad.jsonl
run dedup -q --on-error skip --rejected rej bad.jsonl
is "$out" '{"text": "a"}' '--on-error skip'
same rej - '--rejected has them byte for byte' <<END
$(printf '{"text": "b\377"}\n[]\n{"no": 1}\n{"text": "b\377"}')
END
run dedup --on-error replace --rejected rej bad.jsonl
is "$out" '{"text": "a"}
{"text": "b�"}' '--on-error replace repairs the record'
like "$err" '2 bad records skipped, 2 repaired' 'and counts'
is "$(cat rej)" '[]
{"no": 1}' 'and rejects the others'
run dedup -q --on-error replace --keep longest --rejected rej bad.jsonl
is "$out" '{"text": "a"}
{"text": "b�"}' 'also with --keep longest'
is "$(cat rej)" '[]
{"no": 1}' 'which rejects once'
head -c 20000 many.jsonl.gz >cut.jsonl.gz
fails 1 'cut\.jsonl\.gz' 'a truncated file is an error' dedup -o got2 cut.jsonl.gz
ok test ! -e got2 -- 'and leaves no output'
fails 1 'no-such' 'a missing file' dedup no-such.jsonl
fails 1 '^dedup: ' 'a directory' dedup .
fails 1 'not JSON.*--text' 'plain text on stdin' dedup <a.txt
fails 1 '"x"|no "x"' 'another key' dedup --key x many.jsonl

# ---- usage

fails 2 'keep' 'a wrong choice' dedup --keep best in.jsonl
fails 2 'normalize' 'another' dedup --normalize nfc in.jsonl
fails 2 'exclude' '--lines --text' dedup --lines --text in.jsonl
fails 2 'seed' 'no --seed here' dedup --seed 1 in.jsonl
fails 2 'read only once' 'stdin twice' dedup - - <in.jsonl

# ---- output

if [ -e /dev/full ]; then
    run sh -c 'dedup -q many.jsonl >/dev/full'
    is "$status" 1 'a full disk exits 1'
    like "$err" '^dedup: .*No space' 'and says so'
    run sh -c 'dedup -q --keep longest many.jsonl >/dev/full'
    is "$status" 1 'also with --keep longest'
    run sh -c 'dedup -q --clusters /dev/full many.jsonl >/dev/null'
    is "$status" 1 'and for clusters'
else
    skip 4 'no /dev/full'
fi
fails 1 'nodir' 'no such directory' dedup -o nodir/out many.jsonl
fails 1 'nodir' 'nor for clusters' dedup --clusters nodir/out -o got2 many.jsonl
ok test ! -e got2 -- 'then there is no output either'
fails 1 'nodir.*TMPDIR' 'no room for the copy of stdin' \
    sh -c 'cat many.jsonl | TMPDIR=nodir dedup --keep longest'
if command -v mkfifo >/dev/null 2>&1; then
    mkfifo fifo
    fails 1 'fifo: not a regular file' 'a fifo cannot be read twice' dedup --keep longest fifo
else
    skip 1 'no mkfifo'
fi
run sh -c 'dedup many.jsonl | head -n 1 >/dev/null'
is "$err" '' 'a closed pipe ends it quietly'

# ---- memory: at most 48 bytes a distinct document, beside what a run on nothing takes

peak_kib() { # peak_kib OPTION... : of dedup on stdin
    perl -MPOSIX -e '
        my $pid = fork; if (!$pid) { open STDOUT, ">/dev/null"; exec "dedup", "-q", @ARGV; exit 1 }
        my $max = 0;
        while (waitpid($pid, WNOHANG) == 0) {
            if (open my $f, "<", "/proc/$pid/status") { while (<$f>) { $max = $1 if /VmHWM:\s+(\d+)/ && $1 > $max } }
            select undef, undef, undef, 0.002 }
        print $max' -- "$@"
}
if [ -r /proc/self/status ] && ! is_sanitized; then
    n=400000
    awk "BEGIN { for (i = 0; i < $n; i++) print \"{\\\"text\\\": \\\"\" i \"\\\"}\" }" >numbers.jsonl
    head -n 20000 numbers.jsonl >few.jsonl
    for options in '' '--clusters cl' '--keep longest'; do
        least=0 # a short run may end between two looks
        for _ in 1 2 3 4; do
            # shellcheck disable=SC2086 # words
            now=$(peak_kib $options few.jsonl)
            [ "$now" -le "$least" ] || least=$now
        done
        # shellcheck disable=SC2086
        most=$(peak_kib $options numbers.jsonl)
        per=$(((most - least) * 1024 / (n - 20000)))
        ok test "$per" -gt 10 -a "$per" -le 48 -- \
            "dedup $options: $per bytes of memory a document, at most 48"
    done
else
    skip 3 'memory is not measured here'
fi

# ---- each system call of the output, failing once: the old file or the whole new one, never a part

cp in.jsonl small.in
dedup -q -j 1 --jsonl -o want.out small.in
bad=''
for fault in write:ENOSPC write:EIO write:short write:EINTR fsync:EIO rename:EACCES close:EIO \
    open:ENOSPC read:EIO mmap:ENOMEM; do
    n=1
    while [ $n -le 40 ]; do
        rm -rf here
        mkdir here
        echo old >here/x
        injected "${fault%:*}" $n "${fault#*:}" dedup -q -j 1 --jsonl -o here/x small.in
        [ $hit = yes ] || break
        if [ "$status" -eq 0 ]; then
            cmp -s here/x want.out || bad="$bad $fault:$n:not-whole"
        else
            [ "$(cat here/x)" = old ] || cmp -s here/x want.out || bad="$bad $fault:$n:lost"
            printf '%s\n' "$err" | grep -q '^dedup: ' || bad="$bad $fault:$n:silent"
        fi
        case $fault:$status in
        *:EINTR:0 | *:short:0 | close:*:0 | mmap:*:0 | *:1) ;;
        *) bad="$bad $fault:$n:status-$status" ;;
        esac
        [ "$(find here -type f | wc -l)" -eq 1 ] || bad="$bad $fault:$n:left-over"
        n=$((n + 1))
    done
    [ $n -gt 1 ] || bad="$bad $fault:never"
done
is "$bad" '' 'failing system calls'

done_testing
