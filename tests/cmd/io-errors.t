#!/bin/sh
# Every system call of an output fails, one after another: whatever happens, the target is the old one
# or the new one and whole, an error is one line on stderr and exit status 1, and nothing is left beside.

# In memory where there is such a place: hundreds of fsyncs take long on a disk.
[ ! -w /dev/shm ] || TMPDIR=/dev/shm
. "${0%/*}/../lib.sh"

driver=$BUILD/obj/tests/unit/out
n_bytes=700001 # more than one buffer

"$driver" file new $n_bytes || exit 255
mkdir here
echo 'the old one' >old

# check NAME KIND: after a run of the driver on here/x, which held the old file where KIND is file
check() {
    wrong=
    if [ -e here/x ] && cmp -s here/x new; then
        now=new
    elif [ "$2" = file ] && cmp -s here/x old; then
        now=old
    elif [ "$2" = excl ] && [ ! -e here/x ]; then
        now=old
    else
        now=broken
    fi
    left=$(find here -mindepth 1 ! -name x | wc -l)
    [ "$left" -eq 0 ] || wrong="$left files left beside"
    case $status:$now in
    0:new) [ -z "$err" ] || wrong="says '$err'" ;;
    1:old | 1:new)
        # the new file may be there already only when its directory's fsync failed
        [ $now = old ] || case $err in
        *'directory to the disk'* | *'cannot remove'*) ;;
        *) wrong="failed, but the new file is there" ;;
        esac
        [ "$(printf '%s\n' "$err" | wc -l)" -eq 1 ] || wrong="says more than a line"
        case $err in
        'out: here/'*) ;;
        *) wrong="does not name the file: '$err'" ;;
        esac
        ;;
    *) wrong="exit status $status, the file is $now" ;;
    esac
    [ -z "$wrong" ] || bad="$bad; $1: $wrong"
}

# at_least KIND FAULT: so often the call must have come, or the test tests nothing
at_least() {
    case $1:$2 in
    *:write:*) echo 3 ;;
    dir:fsync:*) echo 8 ;;
    *:fsync:*) echo 2 ;;
    file:rename:* | dir:rename*) echo 1 ;;
    excl:link:*) echo 1 ;;
    *:close:*) echo 2 ;;
    *:open:*) echo 1 ;;
    *) echo 0 ;;
    esac
}

for kind in file excl; do
    for fault in write:ENOSPC write:EIO write:EINTR write:short fsync:EIO fsync:ENOSPC rename:EIO \
        link:EROFS link:ENOSPC close:EIO close:EINTR open:ENOSPC open:EMFILE unlink:EACCES; do
        bad='' n=1
        while :; do
            rm -rf here
            mkdir here
            [ $kind = excl ] || cp old here/x
            injected "${fault%:*}" $n "${fault#*:}" "$driver" $kind here/x $n_bytes
            [ $hit = yes ] || break
            # a temporary that cannot be removed is left where it is
            [ "$fault" != unlink:EACCES ] || find here -name '.x.*.tmp' -exec rm {} +
            check "$fault $n" $kind
            case $fault:$n in
            *:EINTR:* | *:short:* | link:*) want=0 ;; # to be borne
            close:EIO:2) want=0 ;;                   # of the directory, which fsync has passed
            *) want=1 ;;
            esac
            [ "$status" -eq $want ] || bad="$bad; $fault $n: exit status $status"
            n=$((n + 1))
            [ $n -lt 50 ] || break
        done
        check "$fault never" $kind
        [ "$status" -eq 0 ] || bad="$bad; without a fault it exits $status: $err"
        [ $n -gt "$(at_least $kind "$fault")" ] || bad="$bad; came only $((n - 1)) times"
        is "$bad" '' "$kind: $fault, $((n - 1)) times"
    done
done

# From there on every write is short, or every one fails.
injected write 1+ short "$driver" file here/x $n_bytes
check 'short writes' file
is "$status$bad" 0 "only short writes"
rm -f here/x
injected write 2+ EIO "$driver" excl here/x $n_bytes
check 'failing writes' excl
is "$status$bad" 1 "only failing writes"
injected write 1+ short "$driver" file - $n_bytes
same .run/out new "only short writes to stdout"
injected write 1 ENOSPC "$driver" file - $n_bytes
is "$status $err" "1 out: stdout: cannot write: No space left on device" "a failing write to stdout"

# A directory: the old one, the new one, or (both renames failing) the old one put aside, which
# recover brings back.
mkdir newdir
cp new newdir/0
cp new newdir/1

state() {
    if diff -r here/x newdir >/dev/null 2>&1; then
        now=new
    elif [ -d here/x ] && [ "$(ls here/x)" = a ] && cmp -s here/x/a old; then
        now=old
    else
        now=broken
    fi
}

for fault in write:ENOSPC write:short fsync:EIO rename:EACCES close:EIO open:EMFILE mkdir:ENOSPC \
    unlink:EACCES rename+:EIO; do
    bad='' n=1 plus=
    case $fault in *+:*) plus=+ ;; esac
    while :; do
        rm -rf here
        mkdir -p here/x
        cp old here/x/a
        call=${fault%:*}
        injected "${call%+}" $n$plus "${fault#*:}" "$driver" dir here/x $n_bytes
        [ $hit = yes ] || break
        state
        [ "$fault" != unlink:EACCES ] || rm -rf here/.x.*
        if [ -n "$plus" ] && [ ! -e here/x ]; then
            "$driver" recover here/x || bad="$bad; $n: recover fails"
            state
        fi
        left=$(find here -mindepth 1 -maxdepth 1 ! -name x | wc -l)
        [ "$left" -eq 0 ] || bad="$bad; $n: $left files left beside"
        case $status:$now in
        0:new) ;;
        1:old) ;;
        1:new)
            case $err in *'directory to the disk'*) ;; *) bad="$bad; $n: new, but '$err'" ;; esac
            ;;
        *) bad="$bad; $n: exit status $status, the directory is $now" ;;
        esac
        n=$((n + 1))
        [ $n -lt 50 ] || break
    done
    state
    [ "$status$now" = 0new ] || bad="$bad; without a fault: $status $now $err"
    [ $n -gt "$(at_least dir "$fault")" ] || bad="$bad; came only $((n - 1)) times"
    is "$bad" '' "directory: $fault, $((n - 1)) times"
done

# A command as its user has it: the same, with its input read and its rejects written.
awk 'BEGIN { for (i = 0; i < 20000; i++) printf "{\"text\":\"line %d of the mill\"}\n", i % 15000
    print "no record" }' >in.jsonl
mkdir rejects
dedup --on-error skip --rejected rejects/want -o want in.jsonl 2>said || fail "dedup fails: $(cat said)"
for fault in write:ENOSPC write:short fsync:EIO rename:EIO close:EIO open:EMFILE read:EIO read:short; do
    bad='' n=1
    while :; do
        rm -rf here rejects/got
        mkdir here
        cp old here/x
        injected "${fault%:*}" $n "${fault#*:}" dedup --on-error skip --rejected rejects/got \
            -o here/x in.jsonl
        [ $hit = yes ] || break
        [ "$(ls -A here)" = x ] || bad="$bad; $n: leaves $(ls -A here)"
        [ -z "$(find rejects -name '.*.tmp')" ] || bad="$bad; $n: leaves a temporary of the rejects"
        if [ "$status" -eq 0 ]; then
            cmp -s here/x want && cmp -s rejects/got rejects/want || bad="$bad; $n: lost something"
        elif [ "$status" -eq 1 ]; then
            [ "$(printf '%s\n' "$err" | grep -c '^dedup: ')" -eq 1 ] || bad="$bad; $n: says '$err'"
            # what follows the rename of the one file may fail when it is there already
            cmp -s here/x old || cmp -s here/x want || bad="$bad; $n: a broken file"
            [ ! -e rejects/got ] || cmp -s rejects/got rejects/want || bad="$bad; $n: broken rejects"
        else
            bad="$bad; $n: exit status $status"
        fi
        case $fault:$status in
        *:short:1 | write:ENOSPC:0 | rename:EIO:0 | read:EIO:0) bad="$bad; $n: exit status $status" ;;
        esac
        n=$((n + 1))
        [ $n -lt 60 ] || break
    done
    [ $n -gt 1 ] || bad="$bad; never came"
    is "$bad" '' "dedup: $fault, $((n - 1)) times"
done

# ---- ulimit -f
i=0
while [ $i -lt 4000 ]; do
    echo "{\"text\": \"document $i\"}"
    i=$((i + 1))
done >big.jsonl
echo 'the old one' >here/x
for how in '-o here/x' '>here/out' "--rejected here/rejects --on-error skip --key none" '--clusters here/cl'; do
    fails 1 'File too large' "a limit of the size of files: $how" \
        sh -c "ulimit -f 4; exec dedup -q $how big.jsonl big.jsonl"
    rm -f here/out
    is "$(find here -mindepth 1)" here/x "leaves nothing"
    cmp -s old here/x
    is $? 0 "and the old file"
done
done_testing
