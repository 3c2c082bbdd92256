#!/bin/sh
# The tests' own tools: lib.sh, the runner, the shim.

. "${0%/*}/../lib.sh"

run sh -c 'echo out; echo err >&2; exit 3'
is "$status $out $err" "3 out err" "run keeps status, stdout and stderr"

cat >bad.t <<END
. "$TOP/tests/lib.sh"
ok false -- "one"
is a b "two"
isnt a a "three"
like abc '^b' "four"
unlike abc '^a' "five"
fails 1 'x' "six" true
fails 1 'wrong' "seven" sh -c 'echo right >&2; exit 1'
fails 1 'x' "eight" sh -c 'printf "x\\nx\\n" >&2; exit 1'
runs "nine" false
same /dev/null "$TOP/VERSION" "ten"
done_testing
END
run env TOP="$TOP" sh bad.t
is "$status" 1 "a test with failures exits 1"
is "$(printf '%s\n' "$out" | grep -c '^not ok')" 10 "each of them is seen"
is "$(printf '%s\n' "$out" | tail -n 1)" "1..10" "and counted"

printf '. "%s/tests/lib.sh"\nskip 1 "no reason"\ndone_testing\n' "$TOP" >skip.t
printf '. "%s/tests/lib.sh"\nneed_shared no/such/file\n' "$TOP" >skip-all.t
mkdir shared
for t in skip skip-all; do
    run env CI= SHARED=$SCRATCH/shared sh "$TOP/tests/run" "$SCRATCH/$t.t"
    unlike "$out" '^not ok' "$t: is no failure"
    run env CI=true SHARED=$SCRATCH/shared sh "$TOP/tests/run" "$SCRATCH/$t.t"
    like "$out" '^not ok' "$t: is one in CI"
    run env CI=true SHARED=$SCRATCH/none sh "$TOP/tests/run" "$SCRATCH/$t.t"
    unlike "$out" '^not ok' "$t: is none in CI without ../shared"
done
printf 'echo ok 1\necho 1..1\nexit 5\n' >status.t
run env CI=true SHARED=$SCRATCH/shared sh "$TOP/tests/run" "$SCRATCH/status.t"
is "$status" 5 "the exit status passes through"
run sh "$TOP/tests/run" tests/unit/no-such-test.t
is "$status" 1 "a test that was not built is a failure"

injected write 2 ENOSPC dd if=/dev/zero of=file bs=10 count=3
is "$hit" yes "the shim: a write fails"
like "$err" 'No space left' "as asked"
is "$(wc -c <file)" 10 "the one before did not"
injected write 9 ENOSPC dd if=/dev/zero of=file bs=10 count=3
is "$hit $status" "no 0" "the shim: a call that never comes"
injected write 1 short dd if=/dev/zero of=file bs=10 count=1
is "$hit" yes "the shim: a short write"
injected fsync 1 EIO dd if=/dev/zero of=file bs=10 count=1 conv=fsync
is "$hit" yes "the shim: fsync"
done_testing
