# shellcheck shell=sh disable=SC2034 # variables are for the tests
# TAP for shell tests. A test begins with
#
#     . "${0%/*}/../lib.sh"
#
# and ends with done_testing. It then stands in a scratch directory that goes away at exit, with the
# build's programs first in PATH. tests/README.md explains the functions below.

set -u
LC_ALL=C.UTF-8
export LC_ALL
unset CDPATH QUERN_ISA

TOP=${TOP:-$(cd "${0%/*}/../.." && pwd)}
BUILD=${BUILD:-$TOP}
SHARED=${SHARED:-$TOP/../shared}
PATH=$BUILD/bin:$PATH
export PATH TOP BUILD SHARED

SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/quern-test.XXXXXX") || exit 255
trap 'cd / && chmod -R u+rwx "$SCRATCH" && rm -rf "$SCRATCH"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
cd "$SCRATCH" || exit 255

tap_n=0 tap_failed=0

# tap_line STATUS NAME...
tap_line() {
    tap_n=$((tap_n + 1))
    tap_status=$1
    shift
    if [ "$tap_status" -eq 0 ]; then
        echo "ok $tap_n - $*"
        return 0
    fi
    tap_failed=$((tap_failed + 1))
    echo "not ok $tap_n - $*"
    return 1
}

diag() {
    printf '%s\n' "$*" | sed 's/^/#   /' >&2
}

note() {
    printf '%s\n' "$*" | sed 's/^/# /'
}

# ok COMMAND [ARG...] -- NAME : the command succeeds
ok() {
    tap_name=''
    tap_args=$#
    while [ "$tap_args" -gt 0 ]; do
        tap_args=$((tap_args - 1))
        if [ -z "$tap_name" ] && [ "$1" = -- ]; then
            shift
            # what follows is the name; what was rotated to the back is the command
            while [ "$tap_args" -gt 0 ]; do
                tap_name="$tap_name${tap_name:+ }$1"
                tap_args=$((tap_args - 1))
                shift
            done
            break
        fi
        set -- "$@" "$1"
        shift
    done
    "$@"
    tap_line $? "${tap_name:-$*}" || diag "failed: $*"
}

pass() {
    tap_line 0 "$@"
}

fail() {
    tap_line 1 "$@"
}

# is GOT EXPECTED NAME
is() {
    [ "$1" = "$2" ]
    tap_line $? "${3-}" || diag "got:      $1
expected: $2"
}

isnt() {
    [ "$1" != "$2" ]
    tap_line $? "${3-}" || diag "got what it must not be: $1"
}

# like TEXT ERE NAME
like() {
    printf '%s\n' "$1" | grep -Eq -- "$2"
    tap_line $? "${3-}" || diag "got:              $1
does not match:   $2"
}

unlike() {
    ! printf '%s\n' "$1" | grep -Eq -- "$2"
    tap_line $? "${3-}" || diag "got:              $1
must not match:   $2"
}

# same FILE FILE NAME
same() {
    cmp "$1" "$2" >&2
    tap_line $? "${3-}"
}

# run COMMAND [ARG...] : its exit status in $status, its output in $out and $err and in the files
# out and err below $SCRATCH/.run; stdin is passed on. Output with NUL bytes: use the files.
run() {
    mkdir -p "$SCRATCH/.run"
    "$@" >"$SCRATCH/.run/out" 2>"$SCRATCH/.run/err"
    status=$?
    out=$(tr -d '\000' <"$SCRATCH/.run/out")
    err=$(tr -d '\000' <"$SCRATCH/.run/err")
    return 0
}

# runs NAME COMMAND [ARG...] : run, and it exits 0
runs() {
    tap_name=$1
    shift
    run "$@"
    tap_line "$status" "$tap_name" || diag "$* exited $status: $err"
}

# fails STATUS ERE NAME COMMAND [ARG...] : run; it exits so and says one line on stderr that matches
# (a usage error adds its second line)
fails() {
    tap_want=$1 tap_ere=$2 tap_name=$3
    shift 3
    run "$@"
    tap_lines=$(grep -c '' "$SCRATCH/.run/err")
    tap_max=1
    [ "$tap_want" != 2 ] || tap_max=2
    [ "$status" = "$tap_want" ] && [ "$tap_lines" -le $tap_max ] &&
        printf '%s\n' "$err" | grep -Eq -- "$tap_ere"
    tap_line $? "$tap_name" || diag "$* exited $status, expected $tap_want
stderr:   $err
expected: $tap_ere"
}

# injected CALL N HOW COMMAND [ARG...] : run, with the Nth CALL made to fail (tests/shim/fail.c says
# which there are); $hit says whether the command came so far (yes or no)
injected() {
    tap_fail=$1:$2:$3
    shift 3
    rm -f "$SCRATCH/.hit"
    run env LD_PRELOAD="$BUILD/obj/tests/shim/fail.so" SHIM_FAIL="$tap_fail" \
        SHIM_HIT="$SCRATCH/.hit" \
        ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0" "$@"
    if [ -e "$SCRATCH/.hit" ]; then hit=yes; else hit=no; fi
}

# skip N WHY : N checks that cannot be made here
skip() {
    tap_skips=$1
    while [ "$tap_skips" -gt 0 ]; do
        tap_n=$((tap_n + 1)) tap_skips=$((tap_skips - 1))
        echo "ok $tap_n # SKIP $2"
    done
}

skip_all() {
    echo "1..0 # SKIP $*"
    exit 0
}

# need_shared FILE... : skips the whole test where one of these is not below ../shared
need_shared() {
    for tap_file; do
        [ -e "$SHARED/$tap_file" ] || skip_all "no ../shared/$tap_file"
    done
}

# need_command NAME... : skips the whole test where a program is not there (yet)
need_command() {
    for tap_file; do
        command -v "$tap_file" >/dev/null 2>&1 || skip_all "no $tap_file"
    done
}

is_long() {
    [ -n "${QUERN_LONG:-}" ]
}

# A sanitizer's build needs memory and address space of its own.
is_sanitized() {
    [ -n "$(sed -n 's/^SANITIZE = //p' "$BUILD/config.mk")" ]
}

done_testing() {
    echo "1..$tap_n"
    [ "$tap_failed" -eq 0 ]
    exit $?
}
