#!/bin/sh
# shard: every subcommand, its errors, pipes against files, full disks and closed pipes.

. "${0%/*}/../lib.sh"
need_command shard perl

GOOD=$TOP/tests/files/good

printf '1 2 3\n\n4 5\n6\n' >ids.txt
runs 'ids become a shard' shard import --ids --vocab-size 10 -o x.tok ids.txt
runs 'and ids again' shard export --ids -o back.txt x.tok
same ids.txt back.txt 'the same'
runs 'check says good' shard check x.tok
is "$out" 'x.tok: good: 4 documents, 6 tokens' 'and what is in it'
runs 'or nothing' shard check -q x.tok
is "$out$err" '' 'with -q'
shard import --ids --vocab-size 10 <ids.txt >pipe.tok
same x.tok pipe.tok 'a pipe gets the same bytes'
runs 'a last line without its end' shard export --ids <pipe.tok
printf '1 2 3\r\n\n4\t5 \n 6' | shard import --ids --vocab-size 10 -o y.tok
same x.tok y.tok 'CRLF, tabs and a missing last newline change nothing'
gzip -c ids.txt | shard import --ids --vocab-size 10 -o y.tok
same x.tok y.tok 'nor does gzip'

# ---- info and stat

run shard info x.tok
like "$out" 'documents +4$' 'info tells documents'
like "$out" 'vocabulary +10 \(largest id 6\)' 'and the vocabulary'
like "$out" 'provenance +shard-import [0-9.]+ doc-len=0 sep=-1$' 'and the provenance'
unlike "$(cat x.tok | tr -d '\000')" 'ids\.txt|x\.tok' 'which has no file names'
runs 'info of a stream' shard info --json <x.tok
from_pipe=$(printf '%s' "$out" | sed 's/"stdin"/"x.tok"/')
run shard info --json x.tok
is "$from_pipe" "$out" 'says what that of the file says'
like "$out" '"n_docs":4,"n_tokens":6,' 'in JSON'
cat x.tok x.tok >xx.tok
run shard info --json xx.tok
like "$out" '"n_docs":8,"n_tokens":12,"n_bytes":1024,"n_segments":2,' 'segments add up'
from_footers=$out
run sh -c 'cat x.tok x.tok | shard info --json'
is "$(printf '%s' "$out" | sed 's/"stdin"/"xx.tok"/')" "$from_footers" 'whichever way they are read'
runs 'stat' shard stat --json x.tok
like "$out" '"n_docs":4,"n_tokens":6,"n_empty":1,"n_masked":0,"min_len":0,"max_len":3,"mean_len":1.5,' \
    'stat counts lengths'
like "$out" '"p10_len":0,"p50_len":1,"p90_len":3,"p99_len":3,"len_bits":\[1,1,2\],"n_distinct":6' \
    'and their distribution'
printf '7 7 8\n8 7\n9\n' | shard import --ids -o z.tok
run shard stat --json --top 2 z.tok
like "$out" '"top":\[\{"id":7,"n":3\},\{"id":8,"n":2\}\]' 'and the most frequent ids'
run shard stat z.tok
like "$out" '^ +7 +3 50\.00 %$' 'also as a table'

# ---- cat and head

runs 'cat joins' shard cat -o xx1.tok x.tok x.tok
run shard export --ids xx1.tok
is "$out" "$(cat ids.txt ids.txt)" 'in order'
shard cat <xx.tok >xx2.tok
same xx1.tok xx2.tok 'the same as from the segments behind each other'
runs 'cat deflates' shard cat -z -o xz.tok xx1.tok
runs 'and inflates' shard cat xz.tok
runs 'head' shard head -n 2 -o h.tok xx.tok
is "$(shard export --ids h.tok)" '1 2 3' 'takes the first'
shard head -n 6 xx.tok | shard export --ids >h.txt
is "$(wc -l <h.txt | tr -d ' ')" 6 'also over the border of a segment'
runs 'head of more than there is' shard head -n 100 -o h.tok x.tok
runs 'head of none' shard head -n 0 -o h0.tok x.tok
is "$(shard info --json h0.tok | grep -c '"n_docs":0,')" 1 'is an empty shard'
runs 'weights come along' shard cat -o w.tok "$GOOD-weights.tok" x.tok
like "$(shard info w.tok)" 'weights +yes' 'also before a shard that has none'
shard cat -o w.tok x.tok "$GOOD-weights.tok"
like "$(shard info w.tok)" 'weights +yes' 'and behind one'
fails 1 'good-tokenizer.tok and .*good-segments-zero.tok were made with different tokenizers' \
    'shards of two tokenizers do not join' shard cat "$GOOD-tokenizer.tok" "$GOOD-segments-zero.tok"
fails 1 'stdout: document 3: id 299 is not below the vocabulary size 10' \
    'the vocabulary is kept to' sh -c 'shard import --ids --vocab-size 10 <<END
1
2
299
END'
shard cat -o t.tok x.tok "$GOOD-tokenizer-deflated.tok"
runs 'the tokenizer passes on' shard export --tokenizer t.tok
is "$out" '{"version":"1.0"}' 'from whichever shard has one'
like "$(shard info t.tok)" 'vocabulary +300 ' 'with its vocabulary'
shard cat --no-embed -o t.tok "$GOOD-tokenizer.tok"
fails 1 't.tok: no tokenizer is embedded' '--no-embed leaves it out' shard export --tokenizer t.tok
like "$(shard info t.tok)" 'tokenizer +01010101010101010101010101010101$' 'but not its fingerprint'

# ---- a larger one

perl -e 'srand 7; print join(" ", map { int rand 50000 } 1 .. rand 60), "\n" for 1 .. 4000' >many.txt
shard import --ids --vocab-size 50000 -o many.tok many.txt
same many.txt - 'many documents come back' <<END
$(shard export --ids many.tok)
END

# ---- shuffle

runs 'shuffle' shard shuffle --seed 1 -o s1.tok many.tok
shard export --ids s1.tok >s1.txt
ok sh -c '! cmp -s many.txt s1.txt' -- 'changes the order'
is "$(sort s1.txt | cksum)" "$(sort many.txt | cksum)" 'and nothing else'
shard shuffle --seed 1 <many.tok >s2.tok
same s1.tok s2.tok 'the same from a pipe'
shard shuffle --seed 2 -o s2.tok many.tok
ok sh -c '! cmp -s s1.tok s2.tok' -- 'another seed, another order'
# 8 MB of ids with 1 MB of memory: more runs than one merge takes; a document larger than the memory
perl -e 'srand 9; print pack "V*", map { int rand 60000 } 1 .. 1500000' >big.bin
shard import --u32 --doc-len 3001 -o b1.tok big.bin
shard import --u32 -o b2.tok big.bin
shard cat -o big.tok b1.tok b2.tok x.tok
run shard shuffle -v --mem 1M -o s1.tok big.tok
like "$err" ' [1-9][0-9]* runs, [1-9][0-9]* extra passes' 'little memory: temporary files'
shard shuffle --mem 3M -o s2.tok big.tok
same s1.tok s2.tok 'the order does not depend on the memory'
shard shuffle -o s2.tok big.tok
same s1.tok s2.tok 'nor on whether temporary files are needed'
is "$(shard export --ids s1.tok | sort | cksum)" "$(shard export --ids big.tok | sort | cksum)" \
    'and all documents are whole'
shard shuffle --mem 1M -o w1.tok "$GOOD-weights.tok" b1.tok
shard shuffle -o w2.tok "$GOOD-weights.tok" b1.tok
same w1.tok w2.tok 'weights are shuffled along'
like "$(shard stat w1.tok)" '\(1 of weight 0\)' 'and kept'
fails 1 '/nonexistent: cannot create a temporary file there \(TMPDIR' 'a TMPDIR that is not there' \
    env TMPDIR=/nonexistent shard shuffle --mem 1M -o s3.tok big.tok
ok test ! -e s3.tok -- 'leaves no output'
fails 2 'mem' 'too little memory' shard shuffle --mem 1K x.tok
# Six orders of three documents in 180 draws: about 30 times each, outside 12..52 once in 10^4.
printf '1\n2\n3\n' | shard import --ids -o three.tok
for seed in $(seq 180); do
    shard shuffle --seed "$seed" three.tok | shard export --ids | tr '\n' ' '
    echo
done | sort | uniq -c >orders
is "$(awk '$1 >= 12 && $1 <= 52' orders | wc -l | tr -d ' ')" 6 'every order is about equally likely'

# ---- split

shard split --at 90% -o p.tok --rest q.tok many.tok
is "$(shard info --json p.tok q.tok | grep -o '"n_docs":[0-9]*' | tr '\n' ' ')" \
    '"n_docs":3600 "n_docs":400 ' 'split by share of the documents'
is "$(cat p.tok q.tok | shard export --ids | cksum)" "$(cksum <many.txt)" 'loses nothing'
shard split --at 90% -o p2.tok --rest q2.tok <many.tok
same p.tok p2.tok 'the same from a pipe'
same q.tok q2.tok 'both parts'
shard split --at 3 -o p.tok --rest q.tok xx.tok
is "$(shard export --ids p.tok)" "$(head -n 3 ids.txt)" 'split by number'
shard split --at 2 --unit token -o p.tok --rest q.tok x.tok
is "$(shard export --ids p.tok)" '1 2' 'split within a document'
is "$(shard export --ids q.tok)" "$(printf '3\n\n4 5\n6')" 'whose rest is a document'
shard split --at 50% --unit token -o p.tok --rest q.tok x.tok
is "$(shard export --ids p.tok)" '1 2 3' 'split between documents'
is "$(shard export --ids q.tok)" "$(printf '\n4 5\n6')" 'makes no empty one'
shard split --at 100 --unit token -o p.tok --rest q.tok x.tok
is "$(shard export --ids p.tok)" "$(cat ids.txt)" 'a cut behind the end'
is "$(shard info --json q.tok | grep -o '"n_docs":[0-9]*')" '"n_docs":0' 'leaves an empty rest'
shard split --at 0 -o p.tok --rest q.tok x.tok
is "$(shard info --json p.tok q.tok | grep -o '"n_docs":[0-9]*' | tr '\n' ' ')" \
    '"n_docs":0 "n_docs":4 ' 'a cut at the start'
shard split --at 700000 --unit token -o p.tok --rest q.tok b2.tok
is "$(shard info --json p.tok q.tok | grep -o '"n_docs":[0-9]*,"n_tokens":[0-9]*' | tr '\n' ' ')" \
    '"n_docs":1,"n_tokens":700000 "n_docs":1,"n_tokens":800000 ' 'a document larger than a block'
fails 1 'x.tok: no tokenizer is embedded.*-t, or split by --unit token' \
    'bytes need a tokenizer' shard split --at 90% --unit byte -o p.tok --rest q.tok x.tok
fails 2 'where' 'split needs --at' shard split -o p.tok --rest q.tok x.tok
fails 2 '--rest FILE' 'and --rest' shard split --at 5 -o p.tok x.tok
fails 2 '--rest and -o would both write stdout' 'two places' shard split --at 5 --rest - x.tok
fails 2 '--at: ' 'not every --at makes sense' shard split --at 101% -o p.tok --rest q.tok x.tok
fails 2 '--at: ' 'nor this' shard split --at -1 -o p.tok --rest q.tok x.tok

# ---- mix

perl -e 'print "1 1 1\n" for 1 .. 1000' | shard import --ids -o ones.tok
perl -e 'print "2 2\n" for 1 .. 1000' | shard import --ids -o twos.tok
run shard mix 0.6:ones.tok 0.4:twos.tok -o m.tok
is "$status" 0 'mix'
like "$err" 'ones.tok: 1000 documents, 3000 tokens: 60.00 % of the mixture \(60.00 % asked\)' \
    'says what it drew'
run sh -c 'shard mix 6:ones.tok 4:twos.tok | cmp - m.tok'
isnt "$status" 2 'weights are relative'
shard mix 1:ones.tok 1:twos.tok --json -o m.tok 2>report
like "$(cat report)" '"file":"ones.tok","share":0.5,"drawn_share":0.49[0-9]*|0.5[0-9]*' 'as JSON too'
like "$(cat report)" '"n_docs":1000,"n_tokens":2000,"n_again":0,"all_docs":1000' \
    'it stops at the end of the first'
is "$(shard export --ids m.tok | head -n 1)" '1 1 1' 'of equals the first named comes first'
# after any number of documents each share is right to within a document
ok perl -e '
    my ($a, $b) = (0, 0);
    while (<STDIN>) {
        $_ =~ /^1/ ? ($a += 3) : ($b += 2);
        exit 1 if abs($a - $b) > 3;
    }' -- 'the shares hold all along' <<END
$(shard export --ids m.tok)
END
shard mix 1:ones.tok 1:twos.tok --until all -q -o m.tok
is "$(shard info --json m.tok | grep -o '"n_docs":[0-9]*')" '"n_docs":2000' '--until all takes all'
run shard mix 9:ones.tok 1:twos.tok --until repeat -o m.tok
like "$err" 'ones.tok: 6[0-9]* documents, 18[0-9]* tokens: 90.0.*begun again [56] times' \
    '--until repeat begins again'
shard mix 1:ones.tok 1:twos.tok --until repeat --tokens 9000 -q -o m.tok
is "$(shard info --json m.tok | grep -o '"n_tokens":[0-9]*')" '"n_tokens":9000' 'up to --tokens'
fails 1 'stdin: cannot be read again' 'a pipe cannot be repeated' sh -c \
    'shard mix --until repeat 9:- 1:twos.tok -o m.tok <ones.tok'
fails 1 'h0.tok: has no tokens to repeat' 'nor can nothing' \
    shard mix --until repeat 1:h0.tok 1:twos.tok -o m.tok
fails 2 'is not WEIGHT:FILE' 'mix needs weights' shard mix ones.tok
fails 2 'weight must be over 0' 'that are positive' shard mix 0:ones.tok
fails 2 'stdin is named twice' 'and one stdin' sh -c 'shard mix 1:- 1:- <ones.tok'

# ---- import and export of integers

printf '\001\000\002\000\377\377\003\000' >u16.bin
shard import --u16 -o u.tok u16.bin
is "$(shard export --ids u.tok)" '1 2 65535 3' '16-bit integers'
shard export --u16 u.tok | cmp - u16.bin
tap_line $? 'and back'
like "$(shard info u.tok)" '2 bytes an id' 'stay 16 bits wide'
shard import --u16 --sep 65535 -o u.tok u16.bin
is "$(shard export --ids u.tok)" "$(printf '1 2\n3')" 'separated'
shard export --u16 --sep 65535 u.tok | cmp - u16.bin
tap_line $? 'and back'
shard import --u16 --doc-len 3 -o u.tok u16.bin
is "$(shard export --ids u.tok)" "$(printf '1 2 65535\n3')" 'cut by length'
printf '\011\000\001\000\011\000\011\000\002\000\011\000' | shard import --u16 --sep 9 -o u.tok
is "$(shard export --ids u.tok)" "$(printf '1\n\n2')" 'separators around and in between'
shard export --u32 --llmc --sep 7 -o l.bin many.tok
shard import --u32 --sep 7 -v -o l.tok l.bin 2>log
like "$(cat log)" '1 files with llm.c' "llm.c's header is recognised"
is "$(shard info --json l.tok | grep -o '"n_tokens":[0-9]*')" \
    "$(shard info --json many.tok | grep -o '"n_tokens":[0-9]*')" 'and taken off'
shard export --u16 --llmc -o l.bin <x.tok
is "$(od -A n -t d4 -N 12 l.bin | tr -s ' ')" ' 20240520 1 6' 'its numbers'
fails 1 "llm.c's header for ids of 2 bytes; use --u16" 'the wrong width' shard import --u32 l.bin
head -c 1030 l.bin >cut.bin
fails 1 'announces 6 tokens, but 3 follow' 'a truncated one' shard import --u16 -o u.tok cut.bin
head -c 7 u16.bin >odd.bin
fails 1 'odd.bin: ends within an id: 7 bytes' 'half an id' shard import --u16 -o u.tok odd.bin
fails 1 'id 60000 is not below the vocabulary size 50000|does not fit' 'an id too large' sh -c \
    'echo 60000 | shard import --ids --vocab-size 50000'
echo 70000 | shard import --ids -o wide.tok
fails 1 'id 70000 does not fit 16 bits; use --u32' 'to 16 bits' shard export --u16 -o u.bin wide.tok
ok test ! -e u.bin -- 'nothing is left'
printf '1 2\n3 x\n' >bad.txt
fails 1 'bad.txt:2: column 3: not a number' 'text that is none' shard import --ids -o u.tok bad.txt
fails 1 'column 10: no id is that large' 'a number that is no id' sh -c \
    'echo 4294967295 | shard import --ids'
fails 2 'exactly one of' 'a form is needed' shard import x
fails 2 'exactly one of' 'one alone' shard export --u16 --ids x.tok
for text in '{"text": "a long record of text"}' 'short' '磨坊 转动 磨坊 转动'; do
    echo "$text" >plain
    fails 1 'plain: at byte 0: this is text, not a token shard; tokenize makes' "text: $text" shard cat plain
done
head -c 64 /dev/zero >plain
fails 1 'plain: at byte 0: this is not a token shard$' 'other bytes' shard cat plain
printf '1 2\n3\n' | shard import -q --ids -o ids.tok
fails 1 'ids.tok: no tokenizer is embedded, so there is none to export' 'no tokenizer to export' \
    shard export --tokenizer ids.tok
fails 2 'exactly one of --u16, --u32, --ids and --tokenizer' 'no form to export' shard export ids.tok
fails 2 'exactly one of --u16, --u32 and --ids is' 'no form to import' shard import ids.tok
odd=$(printf 'od\nd.tok')
cp ids.tok "$odd"
run shard mix -o mixed.tok "1:$odd"
is "$(grep -c '' .run/err):$(grep -c 'od.x0ad.tok: 2 documents' .run/err)" 1:1 'a newline in the name of a file'
is "$(shard info "$odd" | head -n 1)" 'od\x0ad.tok' 'to info too'
is "$(shard check "$odd")" 'od\x0ad.tok: good: 2 documents, 3 tokens' 'and to check'
fails 2 'sep 65536: does not fit 16 bits' 'a separator that never comes' shard import --u16 --sep 65536 x
fails 2 'exclude each other' 'one way to cut' shard import --u16 --sep 1 --doc-len 2 x
fails 2 'EOS|eos' 'ids of the header are ids' shard import --u16 --eos 4294967295 x
fails 1 'EOS id 10 is not below the vocabulary size 10' 'below the vocabulary' \
    shard import --ids --vocab-size 10 --eos 10 -o u.tok ids.txt

# ---- unhappy paths

for bad in "$TOP"/tests/files/bad-*.tok; do
    name=${bad##*/}
    fails 1 "$name: (at byte [0-9]+: .|is empty)" "$name is refused" shard check "$bad"
done
run shard check x.tok "$TOP/tests/files/bad-id.tok" many.tok
is "$status" 1 'one bad shard of three'
like "$out" 'many.tok: good' 'those behind it are checked'
like "$err" '1 of 3 shards are bad' 'and counted'
run shard check --json x.tok "$TOP/tests/files/bad-id.tok"
like "$out" '"good":false,"error":".*id 300 is not below' 'in JSON too'
fails 1 'nothing.tok: cannot open' 'a missing file' shard info nothing.tok
fails 1 'is a directory' 'a directory' shard info .
fails 2 'stdin is named twice' 'stdin twice' sh -c 'shard cat - - <x.tok'
fails 2 'which command' 'no subcommand' shard
fails 2 "is 'shuffle' meant" 'a misspelt one' shard shufle
fails 2 'no option -j' 'options that do not apply are refused' shard cat -j 2 x.tok
cp x.tok same.tok
runs 'the output may be the input' shard cat -o same.tok same.tok many.tok
is "$(shard info --json same.tok | grep -o '"n_docs":[0-9]*')" '"n_docs":4004' 'read before it is replaced'
cp many.tok before.tok
fails 1 'truncated' 'a truncated input' sh -c 'head -c 3000 many.tok | shard cat -o same.tok'
is "$(shard info --json same.tok | grep -o '"n_docs":[0-9]*')" '"n_docs":4004' 'leaves what was there'
is "$(find . -maxdepth 1 -name '.*.tmp' | wc -l | tr -d ' ')" 0 'and no temporary file'
if [ -w /dev/full ]; then
    fails 1 'stdout.*No space left' 'a full disk' sh -c 'shard cat many.tok >/dev/full'
    fails 1 'stdout.*No space left' 'under a report' sh -c 'shard info many.tok >/dev/full'
    fails 1 'No space left' 'and under export' sh -c 'shard export --ids many.tok >/dev/full'
fi
run sh -c 'shard cat big.tok | head -c 100 >/dev/null'
is "$err" '' 'a reader that goes away is no error'
run sh -c 'shard cat many.tok >&-'
is "$status" 1 'stdout closed'
for call in write fsync rename; do
    n=1
    while [ $n -le 40 ]; do
        rm -f inj.tok inj2.tok
        injected $call $n ENOSPC shard split --at 50% -o inj.tok --rest inj2.tok many.tok
        [ "$hit" = yes ] || break
        [ "$status" = 1 ] || fail "$call $n fails loudly"
        for file in inj.tok inj2.tok; do
            [ ! -e $file ] || shard check -q $file || fail "$call $n leaves $file whole or not at all"
        done
        n=$((n + 1))
    done
    ok test $n -gt 1 -- "$call was made to fail $((n - 1)) times"
done
for n in 1 2 5; do
    rm -f inj.tok
    injected write $n EIO shard shuffle --mem 1M -o inj.tok big.tok
    is "$status $(ls inj.tok 2>/dev/null)" '1 ' "a failing write $n while shuffling"
done

# ---- with a tokenizer

tokenizer() {
    perl -CS -e '
        my @keep = (33 .. 126, 161 .. 172, 174 .. 255);
        my %kept = map { $_ => 1 } @keep;
        my ($n, @char) = 0;
        for my $b (0 .. 255) { $char[$b] = chr($kept{$b} ? $b : 256 + $n++); }
        my @vocab = map { my $c = $char[$_]; $c =~ s/(["\\])/\\$1/; "\"$c\":$_" } 0 .. 255;
        print "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[",
            "{\"id\":257,\"content\":\"<|endoftext|>\",\"single_word\":false,\"lstrip\":false,",
            "\"rstrip\":false,\"normalized\":false,\"special\":true}],\"normalizer\":null,",
            "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,",
            "\"trim_offsets\":true,\"use_regex\":true},\"post_processor\":null,",
            "\"decoder\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":true,",
            "\"use_regex\":true},\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":null,",
            "\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,\"fuse_unk\":false,",
            "\"byte_fallback\":false,\"ignore_merges\":false,\"vocab\":{", join(",", @vocab),
            ",\"th\":256},\"merges\":[\"t h\"]}}";'
}
tokenizer >tok.json
printf '256 101 32 109 105 108 108\n108 108\n' >text.txt
runs 'import with a tokenizer' shard import --ids -t tok.json -o text.tok text.txt
run shard info text.tok
like "$out" 'vocabulary +258 ' 'its vocabulary'
like "$out" 'EOS 257 ' 'its special ids'
like "$out" 'tokenizer +[0-9a-f]{32}, embedded' 'its fingerprint, and itself'
runs 'check verifies it' shard check text.tok
runs 'and exports it' shard export --tokenizer -o tok2.json text.tok
same tok.json tok2.json 'byte for byte'
run shard stat --top 1 text.tok
like "$out" '108 +4 +44.44 %  "l"$' 'stat shows what ids stand for'
# "the mill" is 8 bytes, "ll" 2
shard split --at 50% --unit byte -o p.tok --rest q.tok text.tok
is "$(shard export --ids p.tok)" '256 101 32 109' 'split by bytes of text'
is "$(shard export --ids q.tok)" "$(printf '105 108 108\n108 108')" 'within a document'
shard split --at 1 --unit byte -o p.tok --rest q.tok text.tok
is "$(shard info --json p.tok | grep -o '"n_docs":[0-9]*')" '"n_docs":0' 'never within a token'
shard split --at 50% --unit byte -o p2.tok --rest q2.tok <text.tok
is "$(shard export --ids p2.tok)" '256 101 32 109' 'also from a pipe'
shard cat --no-embed -o bare.tok text.tok
runs 'split with -t' shard split --at 50% --unit byte -t tok.json -o p.tok --rest q.tok bare.tok
sed 's/"t h"//' tok.json >other.json
fails 1 'made with another tokenizer than other.json' 'but not with another' \
    shard split --at 50% --unit byte -t other.json -o p.tok --rest q.tok bare.tok
fails 2 'vocab-size 100 is below' 'a vocabulary that is too small' \
    shard import --ids -t tok.json --vocab-size 100 -o y.tok text.txt
runs 'ids given override' shard import --ids -t tok.json --eos -1 --bos 5 -o y.tok text.txt
like "$(shard info y.tok)" 'BOS 5 EOS none' 'those found'
fails 1 'good-tokenizer.tok' 'a fingerprint that is not that of the tokenizer inside' \
    shard check "$GOOD-tokenizer.tok"

done_testing
