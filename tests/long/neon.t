#!/bin/sh
# The kernels for AArch64, compiled by a cross compiler and run by an emulator: the unit tests of
# products, attention, element and row operations, and the optimiser. CROSS_CC and CROSS_RUN name
# the two programs (aarch64-linux-gnu-gcc, qemu-aarch64).

. "${0%/*}/../lib.sh"
cc=${CROSS_CC:-aarch64-linux-gnu-gcc} run=${CROSS_RUN:-qemu-aarch64}
command -v "$cc" >/dev/null 2>&1 || skip_all "no cross compiler: $cc"
command -v "$run" >/dev/null 2>&1 || skip_all "no emulator: $run"

# -O2: some versions of gcc 12 cannot vectorise the tests themselves for this processor
flags="-std=c11 -I$TOP/lib -I$TOP/tests/unit -include $TOP/lib/base/banned.h -O2 -fno-math-errno
    -fno-trapping-math -ffp-contract=off -fno-strict-aliasing -fopenmp -Wall -Wextra -Wshadow
    -Wstrict-prototypes -Wmissing-prototypes -Werror"
compile() { # compile FILE OBJECT MACRO...
    from=$1 to=$2
    shift 2
    # shellcheck disable=SC2086 # to be split into words
    "$cc" $flags "$@" -c "$from" -o "$to" 2>err.txt
}

failed=''
mkdir lib
for file in "$TOP"/lib/base/*.c "$TOP"/lib/kern/*.c; do
    name=${file##*/}
    case $name in
    hash.c | prog.c | progress.c | opt*.c | signals.c | *openblas*) continue ;; # need other libraries
    sys.c) macro=-D_DEFAULT_SOURCE ;;
    *) macro=-D_POSIX_C_SOURCE=200809L ;;
    esac
    compile "$file" "lib/${name%.c}.o" $macro || failed="$failed $name: $(head -n 3 err.txt)"
done
is "$failed" '' 'the kernels compile without a warning'
for test in gemm attn ops_elem ops_rows adamw; do
    compile "$TOP/tests/unit/$test.c" "$test.o" -D_XOPEN_SOURCE=700 -DFUZZ_REPLAY || cat err.txt
    "$cc" -static -fopenmp -o "$test" "$test.o" lib/*.o -lm 2>err.txt || cat err.txt
    "$run" "./$test" >out.txt 2>&1
    is "$?:$(grep -c '^not ok' out.txt)" 0:0 "$test: $(grep -c '^ok' out.txt) tests"
    ok grep -q 'QUERN_ISA=neon' out.txt -- '... with these kernels among them'
done
done_testing
