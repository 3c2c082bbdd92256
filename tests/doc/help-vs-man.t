#!/bin/sh
# Every option that --help of a program (and of its subcommands) shows stands in its manual as .It Fl,
# and every .It Fl is an option. Where a manual has a section .Ss for a subcommand that takes options of
# its own, they may stand there or in a list for all.

. "${0%/*}/../lib.sh"

# From --help: "  -o, --output FILE   text", "  --seed N   text", "  -q, --quiet"; a name a line.
help_options() {
    awk '/^  (-|    --)/ {
        sub(/^ +/, "")
        n = split($0, word, /[ ,=[]+/)
        for (i = 1; i <= n && word[i] ~ /^-/; i++)
            print word[i]
    }'
}

# From mdoc: ".It Fl o , -output Ar FILE", ".It Fl -seed Ar N", ".It Fl q , Fl -quiet".
man_options() {
    awk '/^\.It Fl / {
        gsub(/ , /, " Fl ")
        for (i = 2; i < NF; i++)
            if ($i == "Fl" && $(i + 1) != "Fl")
                print "-" $(i + 1)
    }' "$1"
}

# The names that a program without options of its own lists under "Commands:".
subcommands() {
    awk '/^[A-Z].*:$/ { on = /^Commands:/; next } on && /^  [a-z]/ { print $1 }'
}

n_programs=0
for source in "$TOP"/cmd/*.c; do
    name=${source##*/}
    name=${name%.c}
    program=$BUILD/bin/$name
    n_programs=$((n_programs + 1))
    page=$TOP/man/man1/$name.1
    if [ ! -f "$page" ]; then
        fail "$name has a manual"
        continue
    fi
    run "$program" --help </dev/null
    is "$status" 0 "$name --help exits 0"
    is "$err" '' "$name --help says nothing on stderr"
    printf '%s\n' "$out" | help_options >help
    if [ "$name" != quern ]; then
        for sub in $(printf '%s\n' "$out" | subcommands); do
            run "$program" "$sub" --help </dev/null
            is "$status" 0 "$name $sub --help exits 0"
            printf '%s\n' "$out" | help_options >>help
            grep -Eq "^\.(Ss|It Cm|It Nm) .*\<$sub\>" "$page"
            tap_line $? "$name.1 describes $sub"
        done
    fi
    sort -u help >in-help
    man_options "$page" | sort -u >in-man
    is "$(comm -23 in-help in-man | tr '\n' ' ')" '' "$name.1 has every option of --help"
    is "$(comm -13 in-help in-man | tr '\n' ' ')" '' "$name --help has every option of the manual"
done
ok test "$n_programs" -gt 0 -- "there are programs"
done_testing
