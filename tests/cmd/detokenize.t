#!/bin/sh
# detokenize: the exact inverse of tokenize, as text and as records.

. "${0%/*}/../lib.sh"
need_command tokenize detokenize

files=$TOP/tests/files
gpt2=$files/good-tokenizer-gpt2.json

# ---- there and back: texts, records, every byte that UTF-8 has

cat "$TOP/STYLE" "$TOP/README" >text
printf 'a\000b\001\177\302\200\357\277\275\360\237\230\200\r\n\t <|endoftext|>' >>text
for t in gpt2 cl100k o200k regex numbers string; do
    tokenize -q -t "$files/good-tokenizer-$t.json" -o x.tok text
    detokenize -q x.tok >back
    same back text "$t: the text comes back"
done
tokenize -q -t "$gpt2" -o x.tok text text
detokenize -q x.tok >back
cat text text >twice
same back twice 'documents follow each other with nothing between'

printf '%s\n' '{"text": "the mill"}' '{"text": ""}' '{"text": "\"a\\\u0001\n水 é"}' >in.jsonl
tokenize -q -t "$gpt2" -o in.tok in.jsonl
run detokenize --jsonl in.tok
is "$status:$out" '0:{"text": "the mill"}
{"text": ""}
{"text": "\"a\\\u0001\n水 é"}' 'records'
is "$err" 'detokenize: 3 documents, 14 tokens, 19 bytes of text' 'counts at the end'
run detokenize -q --jsonl --key body in.tok
is "$(printf '%s\n' "$out" | head -n 1)" '{"body": "the mill"}' 'another field'
run detokenize -q --jsonl - <in.tok
is "$(printf '%s\n' "$out" | grep -c .)" 3 'from stdin'
run detokenize -q --jsonl in.tok x.tok in.tok
is "$(printf '%s\n' "$out" | grep -c .)" 8 'several shards'
cat in.tok in.tok >both.tok
run detokenize -q --jsonl both.tok
is "$(printf '%s\n' "$out" | grep -c .)" 6 'segments behind each other'
detokenize -q --jsonl -o out.jsonl in.tok
is "$(grep -c . out.jsonl)" 3 '-o'
detokenize -q --jsonl in.tok | tokenize -q -t "$gpt2" >again.tok
same again.tok in.tok 'and there again'

# what normalisation changed comes back normalised
printf 'e\314\201' >nfd
tokenize -q -t "$files/good-tokenizer-cl100k.json" nfd | detokenize -q >back
is "$(cat back)" é 'form C'

# ---- which tokenizer

tokenize -q -t "$gpt2" --no-embed -o bare.tok in.jsonl
runs 'a shard without its tokenizer, with -t' detokenize -q -t "$gpt2" bare.tok
fails 1 '^detokenize: bare.tok: .*-t' 'and without' detokenize bare.tok
sed 's/"version":"1.0"/"version": "1.0"/' "$gpt2" >same.json
runs 'the same tokenizer written otherwise' detokenize -q -t same.json in.tok
fails 1 'in.tok' 'another tokenizer is refused' \
    detokenize -t "$files/good-tokenizer-o200k.json" in.tok
run detokenize -v in.tok
like "$err" 'byte-level BPE' '-v tells what the tokenizer is'

# ---- ids that no text gives: a shard made without a tokenizer

if command -v shard >/dev/null 2>&1; then
    printf '226 132\n226\n' >ids
    shard import --ids -q -o ids.tok ids 2>/dev/null || shard import --ids -o ids.tok ids 2>/dev/null
    detokenize -q -t "$gpt2" ids.tok >back
    printf '\342\204\342' >want
    same back want 'bytes that are no UTF-8 are written as they are'
    run detokenize -q -t "$gpt2" --jsonl ids.tok
    like "$out" "$(printf '\357\277\275')" 'in records they become U+FFFD'
    like "$err" 'U\+FFFD' 'with a warning'
    printf '5 400\n' >ids
    shard import --ids -o ids.tok ids 2>/dev/null
    fails 1 'document 0: the id 400' 'an id that is no token' detokenize -q -t "$gpt2" ids.tok
else
    skip 4 'no shard'
fi

# ---- bad input, bad usage, failing output

head -c 1000 x.tok >cut.tok
fails 1 '^detokenize: cut.tok' 'a shard that is cut' detokenize -o no cut.tok
ok [ ! -e no ] -- 'and nothing appears'
fails 1 '^detokenize: in.jsonl' 'no shard' detokenize in.jsonl
fails 1 '^detokenize: stdin' 'nothing' detokenize </dev/null
fails 1 '^detokenize: absent.tok: ' 'a file that is not there' detokenize absent.tok
fails 1 '^detokenize: absent.json: ' 'no tokenizer' detokenize -t absent.json in.tok
fails 2 '--key: invalid UTF-8 at byte 1' 'a key that is not UTF-8' \
    detokenize --jsonl --key "$(printf 'a\377')" in.tok
fails 2 '--key' '--key without records' detokenize --key body in.tok
fails 2 'nonesuch' 'an unknown option' detokenize --nonesuch in.tok
if [ -w /dev/full ]; then
    fails 1 'No space left' 'a full disk' sh -c 'detokenize -q x.tok >/dev/full'
fi
detokenize -q x.tok 2>pipe.err | head -c 1 >/dev/null
is "$(cat pipe.err)" '' 'a reader that goes away is no error'
done_testing
