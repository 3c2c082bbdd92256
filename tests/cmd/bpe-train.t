#!/bin/sh
# bpe-train: what it writes, for any number of threads and any way in; special tokens; errors.
# That vocabulary and merges are the right ones is tested in unit/bpe_train.t.

. "${0%/*}/../lib.sh"
need_command bpe-train

# Prints parts of a tokenizer.json, and checks that it is one: perl's own JSON reader is the judge.
tok() { # tok FILE EXPRESSION : over $t, the file's content
    perl -MJSON::PP -e '
        local $/;
        open my $f, "<:raw", $ARGV[0] or die "$ARGV[0]: $!\n";
        my $t = JSON::PP->new->utf8->decode(<$f>);
        binmode STDOUT, ":utf8";
        my %id = %{$t->{model}{vocab}};
        my @token = sort { $id{$a} <=> $id{$b} } keys %id;
        my @merges = map { join " ", @$_ } @{$t->{model}{merges}};
        print eval $ARGV[1];
        die $@ if $@' "$1" "$2"
}

cat "$TOP"/STYLE "$TOP"/CONTRIBUTING "$TOP"/lib/*/*.h >corpus.txt
perl -ne 'chomp; s/(["\\])/\\$1/g; s/\t/\\t/g; print "{\"n\": $., \"text\": \"$_\\n\"}\n"' \
    corpus.txt >corpus.jsonl
printf '{"text": "水轮磨坊,水轮磨坊。"}\r\n\n{"text": "caf\\u00e9 \\ud83d\\ude00 café"}' >>corpus.jsonl

# ---- the file

runs 'a vocabulary of 1000' bpe-train -s 1000 -o tok.json corpus.jsonl
like "$err" '^bpe-train: 1000 ids: 3 special tokens, 256 bytes, 741 merges; from [0-9]+ documents' \
    'its size is said'
is "$out" '' 'and stdout is empty'
# shellcheck disable=SC2016 # perl's
is "$(tok tok.json 'scalar @token')" 1000 'ids in all'
# shellcheck disable=SC2016
is "$(tok tok.json 'join " ", map { $id{$token[$_]} == $_ ? () : $_ } 0..999')" '' 'none left out'
# shellcheck disable=SC2016
is "$(tok tok.json 'join " ", @token[0..5, 96..98, 190..192, 258]')" \
    "<|endoftext|> <|im_start|> <|im_end|> ! \" # ~ ¡ ¢ ÿ Ā ā Ń" 'special tokens, then the alphabet'
# shellcheck disable=SC2016
is "$(tok tok.json 'scalar @merges')" 741 'merges'
# shellcheck disable=SC2016
is "$(tok tok.json 'join " ", grep { my ($a, $b) = split " ", $merges[$_]; $id{$a . $b} != $_ + 259 } 0..740')" \
    '' 'each merge makes the next id'
# shellcheck disable=SC2016
is "$(tok tok.json 'join " ", map { "$_->{id}:$_->{content}:$_->{special}" } @{$t->{added_tokens}}')" \
    '0:<|endoftext|>:1 1:<|im_start|>:1 2:<|im_end|>:1' 'special tokens are added tokens'
# shellcheck disable=SC2016
is "$(tok tok.json '"$t->{model}{type} $t->{decoder}{type} $t->{pre_tokenizer}{pretokenizers}[1]{type}"')" \
    'BPE ByteLevel ByteLevel' 'model, decoder, pre-tokenizer'

# The manual's expressions, joined, are those of the file.
for split in cl100k o200k; do
    bpe-train -q -s 300 --split $split -o $split.json corpus.jsonl
    # shellcheck disable=SC2016
    tok $split.json '$t->{pre_tokenizer}{pretokenizers}[0]{pattern}{Regex}' >got
    sed -n "/^\.It Cm $split/,/^\.Ed/p" "$TOP/man/man1/bpe-train.1" |
        sed -n '/^\.Bd/,/^\.Ed/{/^\.[BE]d/d;s/^\\&//;s/\\e/\\/g;p;}' | tr -d '\n' >want
    same got want "$split: the expression of the manual"
done
bpe-train -q -s 300 --split gpt2 -o gpt2.json corpus.jsonl
# shellcheck disable=SC2016
is "$(tok gpt2.json '"$t->{pre_tokenizer}{type} $t->{pre_tokenizer}{use_regex}"')" 'ByteLevel 1' \
    'gpt2: the ByteLevel of the library'
bpe-train -q -s 300 --split-regex '[a-z]+|[^a-z]+' -o regex.json corpus.jsonl
# shellcheck disable=SC2016
is "$(tok regex.json '$t->{pre_tokenizer}{pretokenizers}[0]{pattern}{Regex}')" '[a-z]+|[^a-z]+' \
    '--split-regex: as it was given'
# shellcheck disable=SC2016
is "$(tok regex.json 'join " ", grep { /[a-z][^a-z]|[^a-z][a-z]/ && !/^<\|/ } @token')" '' \
    'no token crosses its pieces'
bpe-train -q -s 300 --split-regex '(?i:'"'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+" \
    -o got corpus.jsonl
same got cl100k.json "cl100k's own expression gives the same as its name"

# ---- the same bytes whatever the way

for j in 1 2 5; do
    bpe-train -q -s 1000 -j $j -o got corpus.jsonl
    same got tok.json "-j $j"
done
bpe-train -q -s 1000 <corpus.jsonl >got
same got tok.json 'stdin to stdout'
gzip -c corpus.jsonl >corpus.jsonl.gz
bpe-train -q -s 1000 corpus.jsonl.gz >got
same got tok.json 'gzipped'
perl -e 'print reverse map { s/\r?\n?$/\n/; /\S/ ? $_ : () } <>' corpus.jsonl >reversed.jsonl
bpe-train -q -s 1000 -o got reversed.jsonl
same got tok.json 'documents in another order'
bpe-train -q -s 700 -o got1 corpus.txt
bpe-train -q -s 700 --text -o got2 <corpus.txt
same got1 got2 'a file of plain text, and stdin'
bpe-train -q -s 700 --lines -o got1 corpus.txt
bpe-train -q -s 700 --lines -o got2 <corpus.txt
same got1 got2 'lines'
if command -v tokenize >/dev/null 2>&1; then
    tokenize -q -t tok.json -o x.tok corpus.jsonl && detokenize -q --jsonl x.tok >back.jsonl
    is "$(perl -CO -MJSON::PP -ne '/\S/ and print decode_json($_)->{text}' back.jsonl | cksum)" \
        "$(perl -CO -MJSON::PP -ne '/\S/ and print decode_json($_)->{text}' corpus.jsonl | cksum)" \
        'tokenize and detokenize give the text back'
else
    skip 1 'no tokenize'
fi

# ---- sizes and special tokens

bpe-train -q -s 256 --no-special -o bytes.json corpus.txt
# shellcheck disable=SC2016
is "$(tok bytes.json '@token . " " . @merges . " " . @{$t->{added_tokens}}')" '256 0 0' \
    '-s 256 --no-special: the bytes alone'
fails 2 '258 is the least' 'a size without room' \
    bpe-train -s 257 --special a1 --special b2 -o got3 corpus.txt
fails 2 '256 is the least' 'under 256' bpe-train -s 255 --no-special -o got3 corpus.txt
run bpe-train -s 30000 --min-frequency 500 -o got corpus.txt
like "$err" 'fewer than the 30000 .* no other pair occurs 500 times' 'a text too small'
bpe-train -q -s 300 --special '<a>' --special '<b "q">' --special '<a>' -o got corpus.txt
# shellcheck disable=SC2016
is "$(tok got 'join ",", @token[0..2]')" '<a>,<b "q">,!' '--special: each once'
fails 2 'exclude' '--special with --no-special' bpe-train --special x --no-special corpus.txt
fails 2 '--key names a field' '--lines --key' bpe-train --lines --key body corpus.txt
fails 2 "is empty" 'an empty special token' bpe-train --special '' corpus.txt
fails 2 "--special: invalid UTF-8 at byte 0" 'one that is not UTF-8' bpe-train --special "$(printf '\377')" corpus.txt

mkdir roles
runs '--bos --eos --pad' bpe-train -q -s 300 --special '<s>' --bos '<s>' --eos '<e>' --pad none \
    -o roles/tok.json corpus.txt
# shellcheck disable=SC2016
is "$(tok roles/tok.json 'join ",", @token[0..2]')" '<s>,<e>,!' 'what they name is special'
is "$(tr -d ' \n' <roles/tokenizer_config.json)" \
    '{"tokenizer_class":"PreTrainedTokenizerFast","bos_token":"<s>","eos_token":"<e>","pad_token":null}' \
    'and stands in tokenizer_config.json'
printf '{"chat_template": "x", "eos_token": "old"}' >roles/tokenizer_config.json
bpe-train -q -s 300 --eos '<e>' -o roles/tok.json corpus.txt
is "$(tr -d ' \n' <roles/tokenizer_config.json)" '{"chat_template":"x","eos_token":"<e>"}' \
    'where other things stay'
fails 2 'tokenizer_config' 'not with stdout' bpe-train --eos x corpus.txt
fails 2 'no-special' 'nor without special tokens' bpe-train --no-special --eos x -o got3 corpus.txt
ok test ! -e tokenizer_config.json -- 'no tokenizer_config.json that was not asked for'

# ---- nothing, and bad input

: >nothing
run bpe-train -s 300 -o got nothing
is "$status" 0 'an empty file'
like "$err" 'there is no text' 'is warned of'
run bpe-train -q -s 300 -o got2 </dev/null
is "$status" 0 'an empty stdin'
same got got2 'gives the same'
printf 'x' >one
run bpe-train -q -s 300 -o got2 one
same got got2 'one byte makes no merge'
printf '{"text": "aa"}\n{"text": "b\377"}\n{"t": 1}\n' >bad.jsonl
fails 1 'bad\.jsonl:2: invalid UTF-8' 'invalid UTF-8' bpe-train -o got3 bad.jsonl
run bpe-train -s 300 --on-error skip --rejected rej -o got bad.jsonl
like "$err" '2 bad records skipped' '--on-error skip counts'
is "$(grep -c '' rej)" 2 '--rejected keeps them'
printf 'a\377b' >bad.txt
fails 1 'bad\.txt: invalid UTF-8 at byte 1' 'in plain text' bpe-train -o got3 bad.txt
head -c 3000 corpus.jsonl.gz >cut.jsonl.gz
fails 1 'cut\.jsonl\.gz' 'a truncated file' bpe-train -o got3 cut.jsonl.gz
fails 1 'no-such' 'a missing file' bpe-train -o got3 no-such.jsonl
fails 1 'not JSON' 'plain text on stdin' sh -c 'bpe-train -o got3 <corpus.txt'
fails 2 'split-regex' 'a bad expression' bpe-train --split-regex '(' -o got3 corpus.txt
fails 2 'exclude' '--split and --split-regex' bpe-train --split gpt2 --split-regex x corpus.txt
fails 2 'split' 'an unknown split' bpe-train --split bert corpus.txt
fails 2 'seed' 'no --seed here' bpe-train --seed 1 corpus.txt

# ---- output

if [ -e /dev/full ]; then
    run sh -c 'bpe-train -q -s 1000 corpus.txt >/dev/full'
    is "$status" 1 'a full disk exits 1'
    like "$err" '^bpe-train: .*No space' 'and says so'
else
    skip 2 'no /dev/full'
fi
fails 1 'nodir' 'an output that cannot be made, said before anything is read' \
    bpe-train -o nodir/tok.json /dev/null
printf 'old' >keep.json
fails 1 'bad\.jsonl' 'an error leaves what was there' bpe-train -o keep.json bad.jsonl
is "$(cat keep.json)" old 'untouched'
ok test ! -e got3 -- 'no failed run has left its output'

# killed while it waits for input: nothing is left
mkdir killed
if command -v mkfifo >/dev/null 2>&1; then
    mkfifo fifo
    exec 9<>fifo
    for signal in TERM INT HUP; do
        # a shell has what it runs in the background ignore SIGINT
        perl -e '$SIG{INT} = "DEFAULT"; exec "bpe-train", "-q", "-o", "killed/tok.json"' \
            <fifo 9>&- &
        pid=$!
        n=0
        until [ "$(find killed -type f | wc -l)" -gt 0 ] || [ $n -ge 100 ]; do
            n=$((n + 1))
            sleep 0.05
        done
        kill -"$signal" $pid
        wait $pid
        isnt $? 0 "SIG$signal ends it"
        is "$(ls -A killed)" '' 'and nothing is left'
    done
    exec 9>&-
else
    skip 6 'no mkfifo'
fi

# ---- long pieces: a megabyte of one letter, and a megabyte without a space

perl -e 'print "a" x 1000000, " ", "a" x 1000000' >run.txt
perl -e 'srand 1; print map { substr "ACGT", rand 4, 1 } 1 .. 1000000' >dna.txt
runs 'a megabyte of one letter, twice' timeout 60 bpe-train -q -s 300 --split gpt2 -o got run.txt
# shellcheck disable=SC2016
is "$(tok got 'join " ", map { length } @token[259 .. 262]')" '2 4 8 16' 'lengths double'
runs 'a megabyte of DNA' timeout 60 bpe-train -q -s 2000 -o got dna.txt

# ---- each system call of the output, failing once: the old file or the whole new one, never a part

cp corpus.txt small.in
bpe-train -q -j 1 -s 300 -o want.out small.in
bad=''
for fault in write:ENOSPC write:EIO write:short write:EINTR fsync:EIO rename:EACCES close:EIO \
    open:ENOSPC read:EIO mmap:ENOMEM; do
    n=1
    while [ $n -le 40 ]; do
        rm -rf here
        mkdir here
        echo old >here/x
        injected "${fault%:*}" $n "${fault#*:}" bpe-train -q -j 1 -s 300 -o here/x small.in
        [ $hit = yes ] || break
        if [ "$status" -eq 0 ]; then
            cmp -s here/x want.out || bad="$bad $fault:$n:not-whole"
        else
            [ "$(cat here/x)" = old ] || cmp -s here/x want.out || bad="$bad $fault:$n:lost"
            printf '%s\n' "$err" | grep -q '^bpe-train: ' || bad="$bad $fault:$n:silent"
        fi
        case $fault:$status in
        *:EINTR:0 | *:short:0 | close:*:0 | mmap:*:0 | *:1) ;;
        *) bad="$bad $fault:$n:status-$status" ;;
        esac
        [ "$(find here -type f | wc -l)" -eq 1 ] || bad="$bad $fault:$n:left-over"
        n=$((n + 1))
    done
    [ $n -gt 1 ] || bad="$bad $fault:never"
done
is "$bad" '' 'failing system calls'

done_testing
