#!/bin/sh
# tokenize: ids and shards, every way in, any number of threads, bad input, failing output.

. "${0%/*}/../lib.sh"
need_command tokenize detokenize perl

files=$TOP/tests/files
gpt2=$files/good-tokenizer-gpt2.json
cl100k=$files/good-tokenizer-cl100k.json

cat >in.jsonl <<'END'
{"id": 1, "text": "the mill's in"}
{"text": "", "id": 2}

{"id": 3, "body": "thing", "text": "1234 <|endoftext|>水\n\n"}
END

# ---- ids as text: those of the tokenizers library, 0.23

ids() { # ids NAME EXPECTED COMMAND...
    name=$1 want=$2
    shift 2
    run "$@"
    is "$status:$out" "0:$want" "$name" || diag "$err"
}
three='116 280 268 278 274

292 32 316 230 176 180 10 10'
ids 'JSONL from a file' "$three" tokenize -t "$gpt2" --text-ids in.jsonl
is "$err" 'tokenize: 3 documents, 36 bytes of text, 13 tokens' 'counts at the end'
ids 'JSONL from stdin' "$three" tokenize -t "$gpt2" --text-ids <in.jsonl
ids 'and by its name' "$three" tokenize -t "$gpt2" --text-ids - <in.jsonl
cp in.jsonl in.data
ids 'a file that is said to be JSONL' "$three" tokenize -t "$gpt2" --text-ids --jsonl in.data
gzip -c in.jsonl >in.jsonl.gz
ids 'compressed' "$three" tokenize -t "$gpt2" --text-ids in.jsonl.gz
gzip -c "$gpt2" >tok.json.gz
ids 'with a compressed tokenizer' "$three" tokenize -t tok.json.gz --text-ids in.jsonl
mkdir dir
cp "$gpt2" dir/tokenizer.json
ids 'a directory that holds the tokenizer' "$three" tokenize -t dir --text-ids in.jsonl
printf '{"body":"the"}\n{"body":"in"}\n' >body.jsonl
ids 'another field' '116 280
260' tokenize -t "$gpt2" --text-ids --key body body.jsonl
printf 'the\r\n\nin' >lines
ids 'lines' '116 280

260' tokenize -t "$gpt2" --text-ids --lines lines
ids 'a file of plain text is one document' '116 280 13 10 10 260' \
    tokenize -t "$gpt2" --text-ids lines
ids 'stdin as one document' '116 280 13 10 10 260' tokenize -t "$gpt2" --text-ids --text <lines
ids 'nothing' '' tokenize -q -t "$gpt2" --text-ids </dev/null
is "$err" '' '-q says nothing'
: >empty
ids 'an empty file has no document' '' tokenize -t "$gpt2" --text-ids empty
tokenize -q -t "$gpt2" --text-ids -o ids.txt in.jsonl
is "$(cat ids.txt)" "$three" '-o'

# ---- what is said

run tokenize -v -t "$gpt2" --text-ids in.jsonl
like "$err" 'byte-level BPE, 319 ids, 60 merges, 3 added tokens; split: gpt2 .state machine.' \
    '-v tells what the tokenizer is'
like "$err" 'BOS: none' 'and that there is no BOS'
like "$err" 'EOS: 316 <.endoftext.> .the name' 'and where EOS was found'
run tokenize -v -t "$files/good-tokenizer-regex.json" --text-ids in.jsonl
like "$err" 'pcre2' 'and that a pattern of its own runs through pcre2'
echo '{"bos_token": "<|im_start|>", "eos_token": {"content": "<|im_end|>"}}' >dir/tokenizer_config.json
echo '{"bos_token_id": 5, "pad_token_id": 7}' >dir/config.json
run tokenize -v -t dir -o x.tok in.jsonl
like "$err" 'BOS: 317 <.im_start.> .tokenizer_config.json' 'BOS from tokenizer_config.json'
like "$err" 'EOS: 318 <.im_end.> .tokenizer_config.json' 'EOS too'
like "$err" 'PAD: 7 .* .config.json' 'PAD from config.json'
run tokenize -v -t dir --bos none --pad '<|endoftext|>' -o y.tok in.jsonl
like "$err" 'BOS: none .--bos' '--bos none'
like "$err" 'PAD: 316 .* .--pad' '--pad'

# ---- shards: the same for any number of threads, any chunks, any way in

perl -e 'my @w = ("the", " mill", "in", " 12345", "\xe6\xb0\xb4", "\n", "thing ", "\\\"", "<|im_end|>");
    my $x = 1;
    for my $i (0 .. 3999) {
        my $s = "";
        for (0 .. $i % 97) { $x = $x * 1103515245 + 12345 & 0x7fffffff; $s .= $w[($x >> 16) % 9] }
        $s =~ s/\n/\\n/g;
        print "{\"text\":\"$s\",\"n\":$i}\n";
    }' >many.jsonl
tokenize -q -t "$cl100k" -o one.tok -j 1 many.jsonl
for j in 2 3 5 8; do
    tokenize -q -t "$cl100k" -j $j many.jsonl >j.tok
    same j.tok one.tok "-j $j"
done
perl -e '$| = 1; local $/; $_ = <>; for (my $i = 0; $i < length; $i += 997) {
    syswrite STDOUT, substr $_, $i, 997 }' many.jsonl | tokenize -q -t "$cl100k" >pipe.tok
same pipe.tok one.tok 'through a pipe in small parts'
head -n 3 many.jsonl >few.jsonl
tokenize -q -t "$cl100k" -o few.tok few.jsonl
perl -e '$| = 1; local $/; $_ = <>; syswrite STDOUT, $_ for split //' few.jsonl |
    tokenize -q -t "$cl100k" >bytes.tok
same bytes.tok few.tok 'byte by byte'
tokenize -q -t "$cl100k" --no-embed -o bare.tok many.jsonl
tokenize -q -t "$cl100k" -z -o z.tok many.jsonl
ok [ "$(wc -c <bare.tok)" -lt "$(wc -c <one.tok)" ] -- 'a shard without its tokenizer is smaller'
ok [ "$(wc -c <z.tok)" -lt "$(wc -c <bare.tok)" ] -- 'a deflated one smaller still'
detokenize -q --jsonl one.tok >from-one
detokenize -q --jsonl z.tok >from-z
same from-z from-one 'with the same text'
tokenize -q -t "$gpt2" -o empty.tok </dev/null
runs 'a shard without documents' detokenize -q empty.tok
is "$out" '' 'has no text'

# ---- bad input

printf '{"text":"the"}\n{"text":7}\n{"text":"in"}\nnot json\n{"text":"\303("}\n' >bad.jsonl
fails 1 '^tokenize: bad.jsonl:2: ' 'a bad record stops' tokenize -t "$gpt2" -o no.tok bad.jsonl
ok [ ! -e no.tok ] -- 'and nothing appears'
run tokenize -t "$gpt2" --text-ids --on-error skip --rejected rejected bad.jsonl
is "$status:$out" '0:116 280
260' 'bad records are skipped'
like "$err" '3 bad records skipped' 'and counted'
same rejected - 'and kept' <<END
{"text":7}
not json
$(printf '{"text":"\303("}')
END
run tokenize -t "$gpt2" --text-ids --on-error replace bad.jsonl
is "$(printf '%s\n' "$out" | sed -n 3p)" '239 191 189 40' 'invalid UTF-8 becomes U+FFFD'
like "$err" '2 bad records skipped, 1 repaired' 'and is counted'
printf '\377the' >latin1.txt
fails 1 '^tokenize: latin1.txt: .*UTF-8' 'invalid plain text' tokenize -t "$gpt2" --text-ids latin1.txt
fails 1 'text.*lines|lines.*text' 'plain text on stdin' tokenize -t "$gpt2" --text-ids <lines
head -c 60 in.jsonl.gz >cut.jsonl.gz
fails 1 '^tokenize: cut.jsonl.gz' 'a gzip stream that is cut' \
    tokenize -t "$gpt2" -o no.tok cut.jsonl.gz
fails 1 '^tokenize: absent.jsonl: ' 'a file that is not there' \
    tokenize -t "$gpt2" -o no.tok absent.jsonl
ok [ ! -e no.tok ] -- 'and nothing appears'
perl -e 'print "{\"text\":\"", "a" x 3000000, "\"}\n"' >long.jsonl
runs 'a very long line' tokenize -q -t "$files/good-tokenizer-runs.json" --text-ids long.jsonl
printf '{"text":"quick the"}\n' >q.jsonl
run tokenize -t "$files/good-tokenizer-few-bytes.json" --text-ids q.jsonl
is "$status" 0 'a vocabulary without all bytes'
like "$err" '1 bytes of text were left out' 'tells what it lacks'

# ---- bad tokenizers, bad usage

for kind in wordpiece unigram normalizer truncated merge-token; do
    fails 1 "^tokenize: .*bad-tokenizer-$kind.json: " "tokenizer: $kind" \
        tokenize -t "$files/bad-tokenizer-$kind.json" -o no.tok in.jsonl
done
fails 1 '^tokenize: absent.json: ' 'no tokenizer' tokenize -t absent.json in.jsonl
mkdir bare
fails 1 '^tokenize: bare/tokenizer.json: ' 'a directory without one' tokenize -t bare in.jsonl
fails 1 '^tokenize: in.jsonl: ' 'another JSON file' tokenize -t in.jsonl in.jsonl
fails 1 'tokenizer.json' 'a file that is no JSON' tokenize -t "$BUILD/bin/tokenize" in.jsonl
fails 2 '-t' 'no -t' tokenize in.jsonl
tokenize -q -t "$gpt2" -o kind.tok in.jsonl
perl -e 'my $h = q({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}  );
    print pack("Q<", length $h), $h, "\0" x 4' >zeros.safetensors
for how in '' --jsonl --lines '--on-error skip' '--on-error replace --jsonl'; do
    # shellcheck disable=SC2086 # options
    fails 1 'kind.tok: this is a token shard, not text; detokenize' "a shard $how" \
        tokenize -t "$gpt2" $how kind.tok
    # shellcheck disable=SC2086 # options
    fails 1 "zeros.safetensors: this is a model's weights" "weights that are UTF-8 $how" \
        tokenize -t "$gpt2" $how zeros.safetensors
    fails 1 "model.safetensors: this is a model's weights" "weights $how" \
        tokenize -t "$gpt2" $how "$TOP/tests/files/golden/qwen3/model.safetensors"
done
# files beside a tokenizer.json that are none, and formats that are not read, are named
while read -r what text; do
    printf '%b' "$text" >other
    fails 1 "$what" "as a tokenizer: $what" tokenize -t other in.jsonl
done <<'END'
tekken {"config":{"pattern":"a"},"vocab":[{"rank":0,"token_bytes":"AA=="}]}
tokenizer_config {"add_bos_token":true,"tokenizer_class":"LlamaTokenizer"}
config.json {"architectures":["LlamaForCausalLM"],"vocab_size":3}
vocab.json {"!":0,"a":1}
vocab.json {"!":0,"model":1}
without.what {"type":"BPE","vocab":{"a":0},"merges":[]}
merges.txt #version:\00400.2\na\0040b\n
CLIP's.merges "bpe_simple_vocab_16e6.txt#version:\00400.2\na\0040b\n
RWKV 1\0040'\\x00'\00401\n
SentencePiece,.not <unk>\t0\n<s>\t0\n
zip PK\003\004\024
END
fails 1 'stdin: this is a token shard' 'a shard on stdin' tokenize -t "$gpt2" <kind.tok
for form in --text --lines; do
    fails 2 "--key names a field .*$form" "--key and $form" tokenize -t "$gpt2" --key k $form in.jsonl
done
fails 2 '--on-error' 'no records to convert' tokenize -t "$gpt2" --convert --on-error skip
# a byte order mark, however it is cut into reads
printf '\357\273\277one\r\ntwo\n' >bom.txt
slowly() {
    for byte in 357 273 277 157 156 145 015 012 164 167 157 012; do
        # shellcheck disable=SC2059 # an escape
        printf "\\$byte"
        sleep 0.01
    done
}
for form in --lines --text; do
    printf 'one\ntwo\n' >plain.txt
    [ $form = --lines ] || printf 'one\r\ntwo\n' >plain.txt
    want=$(tokenize -q -t "$gpt2" --text-ids $form plain.txt)
    is "$(tokenize -q -t "$gpt2" --text-ids $form bom.txt)" "$want" "$form: a byte order mark"
    is "$(slowly | tokenize -q -t "$gpt2" --text-ids $form -)" "$want" "$form: read byte by byte"
    is "$(gzip -c bom.txt | tokenize -q -t "$gpt2" --text-ids $form -)" "$want" "$form: from gzip"
done
for role in bos eos pad; do
    fails 2 "--$role: invalid UTF-8 at byte 2" "a --$role that is not UTF-8" \
        tokenize -t "$gpt2" --$role "$(printf 'ab\377')" in.jsonl
done
fails 2 "--bos: 'nonesuch'" 'a token that is not there' tokenize -t "$gpt2" --bos nonesuch in.jsonl
fails 2 '-z' 'ids as text are not deflated' tokenize -t "$gpt2" --text-ids -z in.jsonl
fails 2 'no-embed' 'and hold no tokenizer' tokenize -t "$gpt2" --text-ids --no-embed in.jsonl
fails 2 'bos' 'and no BOS' tokenize -t "$gpt2" --text-ids --bos none in.jsonl
fails 2 'nonesuch' 'an unknown option' tokenize -t "$gpt2" --nonesuch in.jsonl
echo '{"eos_token": "</s>"}' >dir/tokenizer_config.json
fails 1 '^tokenize: dir/tokenizer_config.json: .*--eos' 'a special token that the tokenizer lacks' \
    tokenize -t dir in.jsonl

# ---- tokenizers in other formats (tests/unit/import.c has their ids)

ranks=$files/good-ranks.tiktoken
gzip -c "$ranks" >ranks.gz
tokenize -q -t "$ranks" --split cl100k -o ranks.tok in.jsonl
tokenize -q -t ranks.gz --split cl100k -o ranks-gz.tok in.jsonl
same ranks-gz.tok ranks.tok 'compressed ones'
runs '--convert' tokenize -t "$ranks" --split cl100k --convert -o ranks.json
tokenize -q -t ranks.json -o ranks-json.tok in.jsonl
same ranks-json.tok ranks.tok 'what --convert writes is the same tokenizer'
tokenize -t tok.json.gz --convert >same.json
same same.json "$gpt2" 'a tokenizer.json is written as it is'
runs 'a GGUF vocabulary' tokenize -q -t "$files/good-gpt-2.gguf" --text-ids in.jsonl
like "$out" '^[0-9 ]*$' 'has ids' || diag "$err"
detokenize -q --jsonl ranks.tok >ranks.out
tokenize -q -t "$gpt2" in.jsonl | detokenize -q --jsonl >gpt2.out
same ranks.out gpt2.out 'the text comes back'
fails 1 '^tokenize: .*good-ranks.tiktoken: .*--split' 'ranks without --split' tokenize -t "$ranks" in.jsonl
fails 2 'r50k, cl100k, o200k, llama3, qwen2' 'an unknown split' tokenize -t "$ranks" --split gpt5 in.jsonl
fails 2 'do not go together' 'two splits' tokenize -t "$ranks" --split r50k --split-regex x in.jsonl
fails 2 'split-regex is not UTF-8' 'a split that is no text' tokenize -t "$ranks" --split-regex "$(printf '\377')" in.jsonl
fails 1 'regular expression, at byte 2: ' 'a split that is no expression' tokenize -t "$ranks" --split-regex '(x' in.jsonl
fails 2 '--split-regex is empty' 'an empty expression' tokenize -t "$ranks" --split-regex '' in.jsonl
fails 2 '--split-regex is for' 'an expression for a GGUF file' tokenize -t "$files/good-gpt-2.gguf" --split-regex x in.jsonl
# ids 256 to 259 are two or three of white space, the whole of it, and two digits
perl -MMIME::Base64 -e '$i = 0; print encode_base64($_, ""), " ", $i++, "\n"
    for (map chr, 0 .. 255), " \n", "  ", " \n  ", "12"' >own.ranks
printf '%s\n' '{"text":"12 \n  "}' >odd.jsonl
ids_of() {
    tokenize -q -t own.ranks "$@" --text-ids odd.jsonl
}
is "$(ids_of --split cl100k)" '259 258' 'cl100k: white space at the end is one piece'
is "$(ids_of --split llama3)" '259 256 257' 'llama3: a piece ends with the last line'
is "$(ids_of --split qwen2)" '49 50 256 257' 'qwen2: so too, and each digit is a piece'
is "$(ids_of --split-regex '\s\s|2')" '49 50 256 257' 'an expression: matches, and what is between'
is "$(ids_of --split-regex '.{3}')" '259 32 10 257' 'an expression with a dot'
fails 2 '--split' 'a split for a tokenizer.json' tokenize -t "$gpt2" --split r50k in.jsonl
fails 2 '--convert' 'documents to convert' tokenize -t "$gpt2" --convert in.jsonl
fails 1 '^tokenize: .*bad-cut.model: .*at byte' 'a model that is cut short' \
    tokenize -t "$files/bad-cut.model" in.jsonl
fails 1 '^tokenize: .*bad-cut.gguf: .*at byte' 'a GGUF file that is cut short' \
    tokenize -t "$files/bad-cut.gguf" in.jsonl

# ---- failing output

if [ -w /dev/full ]; then
    fails 1 'No space left' 'a full disk, shard' sh -c "tokenize -q -t '$gpt2' many.jsonl >/dev/full"
    fails 1 'No space left' 'a full disk, text' \
        sh -c "tokenize -q -t '$gpt2' --text-ids many.jsonl >/dev/full"
fi
fails 1 '^tokenize: none/x.tok: ' 'no such directory' tokenize -t "$gpt2" -o none/x.tok in.jsonl
tokenize -q -t "$gpt2" --text-ids many.jsonl 2>pipe.err | head -n 1 >/dev/null
is "$(cat pipe.err)" '' 'a reader that goes away is no error'
done_testing
