#!/bin/sh
# Runs the EXAMPLES of every manual, and all of the tutorial, each page in a copy of the directory that
# prepare.sh fills: every line that begins with "$ ", as mandoc shows it, must exit 0. A line that ends in
# a backslash goes on in the next; lines without "$ " are output, and not compared. A line has five
# minutes, as for a test elsewhere (tests/run gives this one more): it takes seconds, but not on a
# machine at the twentyfold of its load.

. "${0%/*}/../lib.sh"
need_command mandoc perl gzip

mkdir prepared
(cd prepared && sh "$TOP/tests/doc/prepare.sh") >prepare.log 2>&1
tap_line $? "the directory of the examples is prepared" || diag "$(cat prepare.log)"

# The commands of the page's EXAMPLES (or of all its sections), one a line.
examples() {
    mandoc -Tutf8 -Owidth=400 "$1" | perl -CSD -sne '
        s/.\x08//g;
        if (/^([A-Z][A-Z ]+)$/) { $in = $all || $1 eq "EXAMPLES"; $more = 0; }
        next unless $in;
        next unless $more || s/^\s+\$ //;
        s/^\s+//;
        chomp;
        $more = s/\s*\\$/ /;
        print $_, $more ? "" : "\n";' -- -all="$2"
}

# The first word of a command line that has a manual but no program in this build.
lacking() {
    for tap_word in $(printf '%s' "$1" | tr -c 'A-Za-z0-9_.-' '\n' | grep -E '^[a-z][a-z0-9-]+$'); do
        if [ -f "$TOP/man/man1/$tap_word.1" ] && [ ! -x "$BUILD/bin/$tap_word" ]; then
            echo "$tap_word"
            return
        fi
    done
}

for page in "$TOP"/man/man*/*.[1-9]; do
    name=${page##*/}
    case $name in *tutorial*) whole=1 ;; *) whole=0 ;; esac
    examples "$page" $whole >lines
    [ -s lines ] || continue
    rm -rf dir
    cp -R prepared dir
    while IFS= read -r line <&3; do
        absent=$(lacking "$line")
        if [ -n "$absent" ]; then
            skip 1 "$name: no $absent: $line"
            continue
        fi
        (cd dir && timeout 300 sh -c "$line") >log 2>&1 </dev/null
        tap_line $? "$name: $line" || diag "$(tail -n 5 log)"
    done 3<lines
done
done_testing
