#!/bin/sh
# quern: lists the commands, runs one with its arguments untouched, opens manuals.

. "${0%/*}/../lib.sh"

runs "alone it lists the commands" quern
bare=$out
runs "-h as well" quern -h
is "$out" "$bare" "with the same text"
listed=$(printf '%s\n' "$out" | sed -n 's/^  \([a-z][a-z-]*\)  *[a-z].*/\1/p' | tr '\n' ' ')
expected=$(for f in "$TOP"/cmd/*.c; do
    f=${f##*/}
    [ "$f" = quern.c ] || echo "${f%.c}"
done | tr '\n' ' ')
is "$listed" "$expected" "every program of cmd is listed with a purpose"
runs "-V" quern -V
is "$out" "quern (quern) $(cat "$TOP/VERSION")" "the version"

fails 2 "^quern: there is no command 'frobnicate'" "an unknown command" quern frobnicate -x
fails 2 "^quern: there is no option" "an unknown option" quern --frobnicate
fails 2 "^quern: there is no manual 'frobnicate'" "an unknown manual" quern help frobnicate
fails 2 "^quern: help takes one name" "two names" quern help quern quern
fails 1 "^quern: " "a full disk" sh -c 'quern >/dev/full'

# a stand-in for man shows which page would be opened
mkdir tools
printf '#!/bin/sh\necho "$1"\n' >tools/man
chmod +x tools/man
PATH=$SCRATCH/tools:$PATH
runs "help opens a manual" quern help
like "$out" '/man1/quern\.1$' "its own"
runs "a page of another section" quern help shard.5
like "$out" '/man5/shard\.5$' "by its section"

# siblings are found beside the program, not through PATH, and their status is kept
mkdir -p tree/bin tree/lib
cp "$BUILD/bin/quern" tree/bin/
cp "$BUILD/lib/libcore.so.0" tree/lib/
# shellcheck disable=SC2086
set -- $expected
if [ $# -gt 0 ]; then
    cat >"tree/bin/$1" <<'END'
#!/bin/sh
for a; do printf '<%s>' "$a"; done
exit 7
END
    chmod +x "tree/bin/$1"
    run tree/bin/quern "$1" -x 'a b' --help
    is "$out" "<-x><a b><--help>" "arguments arrive as they are"
    is "$status" 7 "the status is the command's"
    rm "tree/bin/$1"
    fails 1 "cannot run .*/$1: " "a program that is not there" tree/bin/quern "$1"
fi
done_testing
