#!/bin/sh
# The golden models, and their results for any cut of the work, under every instruction set that this
# machine has, not only the best one.

. "${0%/*}/../lib.sh"
[ -d "$SHARED/golden" ] || skip_all 'no golden values'

for isa in portable avx2 avx512 avx512bf16 amx neon; do
    QUERN_ISA=$isa model bench --train 1x1 char-nano >/dev/null 2>err.txt || {
        ok grep -q 'QUERN_ISA' err.txt -- "$isa: not on this machine, and refused"
        continue
    }
    for test in golden exec_invariance exec_threads; do
        QUERN_ISA=$isa "$BUILD/obj/tests/unit/$test" >out.txt 2>&1
        is "$?:$(grep -c '^not ok' out.txt)" 0:0 "$isa, $test: $(grep -c '^ok' out.txt) tests"
    done
done
done_testing
