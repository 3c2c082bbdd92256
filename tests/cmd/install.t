#!/bin/sh
# make install into a staging directory: what it puts there works there, and uninstall takes it away.

. "${0%/*}/../lib.sh"
unset MAKEFLAGS MFLAGS MAKELEVEL T
make=$(command -v gmake || command -v make)
get() {
    sed -n "s/^$1 = //p" "$BUILD/config.mk"
}
bin=$(get bindir) lib=$(get libdir) inc=$(get includedir) man=$(get mandir)
data=$(get datadir) before=$(get program_prefix) cc=$(get CC)
stage=$SCRATCH/stage

runs "make install" "$make" -C "$BUILD" install DESTDIR="$stage"
for f in "$TOP"/cmd/*.c; do
    name=${f##*/}
    name=${name%.c}
    [ "$name" = quern ] || name=$before$name
    ok test -x "$stage$bin/$name" -- "program $name"
done
for f in "$TOP"/man/man[57]/*.[57]; do
    ok test -f "$stage$man/${f#"$TOP/man/"}" -- "manual ${f##*/}"
done
ok test -f "$stage$man/man1/quern.1" -- "manual quern.1"
ok test -f "$stage$lib/libcore.so.0" -- "the library"
ok test -L "$stage$lib/libcore.so" -- "its link"
(cd "$TOP/data" && find . -type f) | sort >want
(cd "$stage$data/quern" && find . -type f) | sort >have
same want have "all of data"

runs "an installed program runs from where it was staged" "$stage$bin/quern" -V
runs "quern finds the others" "$stage$bin/quern"
first=$(printf '%s\n' "$out" | sed -n 's/^  \([a-z][a-z-]*\)  *[a-z].*/\1/p' | head -n 1)
if [ -n "$first" ]; then
    runs "and runs one" "$stage$bin/quern" "$first" --version
    like "$(cat "$stage$man/man1/$before$first.1")" "^\.Nm $before$first" "its manual has its name"
fi

cat >try.c <<'END'
#include <quern/err.h>
int main(void)
{
    struct err e = {0};
    return err_set(&e, "x") != -1 || e.msg[0] != 'x';
}
END
if command -v pkg-config >/dev/null 2>&1 && [ -z "$(get SANITIZE)" ]; then
    PKG_CONFIG_PATH=$stage$lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$stage
    export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
    # shellcheck disable=SC2046
    runs "a program is built with quern.pc" $cc try.c $(pkg-config --cflags --libs quern) -o try
    runs "and runs" env LD_LIBRARY_PATH="$stage$lib" ./try
    is "$(pkg-config --modversion quern)" "$(cat "$TOP/VERSION")" "quern.pc has the version"
fi
for f in "$TOP"/lib/quern/*.h; do
    printf '#include <quern/%s>\nint x;\n' "${f##*/}" >one.c
    runs "${f##*/} compiles alone" $cc -std=c11 -pedantic -Wall -Werror -I"$stage$inc" -c one.c
done

runs "make uninstall" "$make" -C "$BUILD" uninstall DESTDIR="$stage"
is "$(find "$stage" -type f -o -type l)" '' "nothing is left"
ok test ! -e "$stage$data/quern" -a ! -e "$stage$inc/quern" -- "nor an empty directory of ours"

# ---- what stands beside it: the tarball, and names that cannot be
mkdir bare
cp "$TOP/GNUmakefile" "$TOP/VERSION" "$TOP/configure" bare
sed "s|^S = .*|S =|" "$BUILD/config.mk" >bare/config.mk
run "$make" -C bare dist
ok test "$status" -ne 0 -- "make dist without git fails"
like "$err" 'make dist packs what git tracks, and there is no .git here' "and says why"
is "$(find bare -name '*.tar.gz')" '' "nothing is left of it"
for bad in a/b 'a b' -x ../; do
    fails 2 "--program-prefix" "--program-prefix '$bad'" sh "$TOP/configure" --program-prefix="$bad"
done
done_testing
