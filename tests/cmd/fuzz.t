#!/bin/sh
# The readers of every format on the samples of every format, whole, cut and with bits flipped: nothing
# may crash, and what a target asserts must hold. make fuzz does more of the same.

. "${0%/*}/../lib.sh"

for target in "$TOP"/tests/fuzz/*.c; do
    name=${target##*/}
    name=${name%.c}
    runs "$name" "$BUILD/obj/tests/fuzz/$name" "$TOP/tests/files"
done
done_testing
