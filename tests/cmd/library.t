#!/bin/sh
# libcore exports no name that a library it is linked with has too: either would get the other's.

. "${0%/*}/../lib.sh"
need_command nm ldd
lib=$BUILD/lib/libcore.so.0
! is_sanitized || {
    pass "not looked at: a sanitizer has names of everything"
    done_testing
}

nm -D --defined-only "$lib" | awk '$2 ~ /[TDBRW]/ { print $3 }' | sort -u >ours
ok test -s ours -- "libcore exports names"
ldd "$lib" | awk '$3 ~ /^\// { print $3 }' >others
ok test -s others -- "and is linked with libraries"
while IFS= read -r other; do
    nm -D --defined-only "$other" 2>/dev/null | awk '$2 ~ /[TDBRWVi]/ { sub(/@.*/, "", $3); print $3 }' |
        sort -u >theirs
    is "$(comm -12 ours theirs | tr '\n' ' ')" '' "no name in common with ${other##*/}"
done <others
done_testing
