#!/bin/sh
# generate: ids of the golden models, kinds of input, records, stops, full contexts, errors.

. "${0%/*}/../lib.sh"
need_command generate bpe-train tokenize pretrain sft

# shellcheck disable=SC2154 # lib.sh sets status, out and err
# shellcheck disable=SC2086 # options in a variable

# ---- the ids that transformers chose

decimal() {
    od -An -v -tu4 "$1" | tr -s ' \n' ' ' | sed 's/^ //; s/ $//'
}
golden() {
    want=$(decimal "$1/greedy.u32")
    prompt=$(echo "$want" | cut -d' ' -f1-8)
    want=$(echo "$want" | cut -d' ' -f9-)
    for how in '' --no-kv-cache; do
        run generate -m "$1" --ids --ignore-eos --temperature 0 -n 32 $how -p "$prompt"
        is "$out" "$want" "golden ids of ${1##*/} $how"
    done
}
for dir in "$TOP"/tests/files/golden/*/; do
    golden "${dir%/}"
done
if [ -d "$SHARED/golden/models" ]; then
    for dir in "$SHARED"/golden/models/*/; do
        golden "${dir%/}"
    done
else
    skip 1 "no ../shared/golden/models"
fi
tiny=$TOP/tests/files/golden/qwen3

draw() {
    generate -m "$tiny" --ids -n 24 --ignore-eos --temperature 1.5 --top-k 0 --top-p 1 --min-p 0 "$@"
}
draw -p '5 6 7' >ids.1
for j in 2 3 5; do
    draw -j $j -p '5 6 7' >ids.j
    same ids.1 ids.j "the same draws with -j $j"
done
draw --no-kv-cache -p '5 6 7' >ids.j
same ids.1 ids.j "the same draws without the cache"
draw --seed 2 -p '5 6 7' >ids.j
ok test "$(cat ids.1)" != "$(cat ids.j)" -- "other draws with another seed"
is "$(draw -p '5,6,	7')" "$(cat ids.1)" "ids may stand between commas and tabs"
printf '%s\n' '5 6 7' '5 6 7' | draw --lines >two
ok test "$(sed -n 1p two)" != "$(sed -n 2p two)" -- "each prompt has draws of its own"
is "$(sed -n 1p two)" "$(cat ids.1)" "the first prompt's are those of -p"

fails 1 'not below the vocabulary' "an id beyond the vocabulary" draw -p '5 300'
fails 1 "'x' is no token id" "no number" draw -p '5 x'
fails 1 'is no token id' "a number too long" draw -p '123456789012345678901234567890'
fails 1 'empty prompt: nothing is put before ids' "no id" draw -p ''
fails 1 'no tokenizer.json' "text without a tokenizer" generate -m "$tiny" -p a

# ---- a model with a tokenizer

printf '%s\n' '{"text": "The mill turns and the miller sings. 磨坊转动，磨坊主歌唱。🌾 café"}' \
    '{"text": "one two three four five six seven eight nine ten"}' >corpus.jsonl
cat >config.json <<'END'
{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 280,
 "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
 "num_key_value_heads": 2, "max_position_embeddings": 48, "rms_norm_eps": 1e-05,
 "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": true}
END
bpe-train -q -s 280 -o tok.json corpus.jsonl
tokenize -q -t tok.json -o x.tok corpus.jsonl
pretrain -q -c config.json --batch 4 --steps 60 --lr 1e-2 -o run x.tok
hot="--temperature 2 --top-k 0 --top-p 1 --min-p 0"

run generate -q -m run --temperature 0 -n 12 -p 'one two'
is "$status" 0 "a text is continued"
like "$out" '^ three' "as it was learnt"
greedy=$out
is "$(printf 'one two' | generate -q -m run --temperature 0 -n 12 --text)" "$greedy" "from stdin"
printf 'one two' >prompt.txt
is "$(generate -q -m run --temperature 0 -n 12 prompt.txt)" "$greedy" "from a file"
is "$(gzip <prompt.txt | generate -q -m run --temperature 0 -n 12 --text -)" "$greedy" "from gzip"
printf 'one two\r\nThe mill\n' >lines
is "$(generate -q -m run --temperature 0 -n 12 --lines lines | sed -n 1p)" "$greedy" "from lines"
is "$(generate -q -m run -n 0 -p one)" "" "no token asked for"
runs "an empty prompt begins with the model's own token" generate -q -m run -n 3 -p ''
runs "which is the tokenizer's affair" generate -q -m run -n 3 --lines - </dev/null
is "$out" "" "no prompt, no text"

# records
cat >records.jsonl <<'END'
{"text": "one two"}
{"id": 7, "text": "one two", "more": {"a": [1, {"b": "}\""}], "c": null}}
END
printf '%s\n' '  { "text" : "one two" , "x" : "\u00e9\n" }  ' \
    '{"text":"one two","text":"The mill"}' >>records.jsonl
printf '{"text": "one two"}\r\n\n{"text": "one two"}' >>records.jsonl
runs "records" generate -q -m run --temperature 0 -n 12 records.jsonl
cp .run/out got
c="\"completion\": \"$greedy\"}"
is "$(sed -n 1p got)" "{\"text\": \"one two\", $c" "a record and its completion"
is "$(sed -n 2p got)" \
    "{\"id\": 7, \"text\": \"one two\", \"more\": {\"a\": [1, {\"b\": \"}\\\"\"}], \"c\": null}, $c" \
    "nested ones stay byte for byte"
is "$(sed -n 3p got)" "  { \"text\" : \"one two\" , \"x\" : \"\\u00e9\\n\" , $c" "spaces and escapes too"
like "$(sed -n 4p got)" '"text":"The mill", "completion": " ?turns' "the last of equal names counts"
is "$(sed -n 5p got)" "{\"text\": \"one two\", $c" "CRLF"
is "$(sed -n 6p got)" "{\"text\": \"one two\", $c" "blank lines, and none at the end"
is "$(wc -l <got | tr -d ' ')" 6 "a line each"
echo '{"p": "one two"}' >p.jsonl
is "$(generate -q -m run --temperature 0 -n 12 --key p p.jsonl)" "{\"p\": \"one two\", $c" "--key"
echo '{"text": "5 6 7"}' >ids.jsonl
is "$(draw ids.jsonl)" "{\"text\": \"5 6 7\", \"completion\": \"$(cat ids.1)\"}" "ids in a record"
echo '{}' >empty.jsonl
fails 1 'empty.jsonl:1: .*no "text"' "a record without text" generate -q -m run empty.jsonl
echo '{"text": "a", "completion": "b"}' >taken.jsonl
fails 1 'taken.jsonl:1: .*"completion" already' "a completion is not hidden by another" \
    generate -q -m run taken.jsonl
fails 1 '--text.*--lines' "plain text on stdin names the options" generate -m run <prompt.txt
printf '{"text": "one two"}\n{"text": 1}\n{"text": "a\377"}\n{"text": "one two"}\n' >bad.jsonl
run generate -q -m run -n 2 --temperature 0 --on-error skip --rejected rej bad.jsonl
is "$status:$(printf '%s\n' "$out" | wc -l | tr -d ' '):$(wc -l <rej | tr -d ' ')" 0:2:2 \
    "--on-error skip, and what was skipped"
run generate -q -m run -n 2 --temperature 0 --on-error replace bad.jsonl
is "$status:$(wc -l <.run/out | tr -d ' ')" 0:3 "--on-error replace"
printf '5 6\n5 x\n7\n' >mixed
run draw --lines --on-error skip --rejected rej2 mixed
is "$status:$(wc -l <.run/out | tr -d ' '):$(cat rej2)" '0:2:5 x' "what is no prompt is skipped too"
fails 1 'mixed:2: .*x' "or stops, named" draw --lines mixed
ok test ! -e rej3 -- "no rejects yet"
fails 1 'mixed' "rejects of a failed run" draw --lines --rejected rej3 mixed
ok test ! -e rej3 -- "are not kept"

# stop, UTF-8
is "$(generate -q -m run --temperature 0 -n 12 --stop 'ee f' -p 'one two')" " thr" \
    "a stop text across tokens"
is "$(generate -q -m run --temperature 0 -n 12 --stop zzz --stop ' t' -p 'one two')" "" "one at once"
is "$(generate -q -m run --temperature 0 -n 12 --stop 'zzz' -p 'one two')" "$greedy" "one that never comes"
is "$(generate -q -m run --temperature 0 -n 30 --stop '坊转' -p 'The miller sings. ')" \
    "$(generate -q -m run --temperature 0 -n 30 -p 'The miller sings. ' | sed 's/坊转.*//')" \
    "a stop text of several bytes a character"
for seed in 1 2 3 4 5; do
    # shellcheck disable=SC2086 # options
    run generate -q -m run -n 60 $hot --ignore-eos --seed $seed -p '磨坊'
    cp .run/out noise
    ok sh -c 'iconv -f UTF-8 -t UTF-8 noise >/dev/null' -- "noise of seed $seed is valid UTF-8"
done

# shellcheck disable=SC2059 # escapes
for bad in 'a\377' '\377' 'ab\355\240\200' 'abc\342\202' '\300\200'; do
    text=$(printf "$bad")
    at=$(printf '%s' "$bad" | sed 's/\\.*//' | tr -d '\n' | wc -c | tr -d ' ')
    fails 2 "--prompt: invalid UTF-8 at byte $at\$|^generate: -p: invalid UTF-8 at byte $at\$" \
        "a prompt with $bad" generate -m run -n 3 -p "$text"
    fails 2 "invalid UTF-8 at byte $at\$" "with --chat" generate -m run --chat -n 3 -p "$text"
    fails 2 "--stop: invalid UTF-8 at byte $at\$" "to stop at" \
        generate -m run -n 3 --stop ok --stop "$text" -p a
    fails 2 "--key: invalid UTF-8 at byte $at\$" "a key" generate -m run -n 3 --key "$text" p.jsonl
done

for option in '--key a' --lines --text --jsonl '--on-error skip' '--rejected r'; do
    fails 2 "${option%% *} is for prompts in files" "-p and $option" generate -m run -n 1 -p a $option
    fails 2 "${option%% *} is for prompts in files" "--ids -p and $option" draw -p 1 $option
done
fails 2 '--key names a field' "--key of plain text" generate -m run -n 1 --key a --text prompt.txt

# a full context
long='one two three four five six seven eight nine ten one two three four five six seven eight'
run generate -m run -n 100 $hot --ignore-eos -p "$long"
cp .run/out full
like "$err" '^generate: the context was full: its oldest half was dropped [0-9]+ times$' "which is said"
run generate -q -m run -n 100 $hot --ignore-eos --no-kv-cache -p "$long"
same .run/out full "a full context, alike without the cache"
is "$err" "" "-q says nothing"
edge=$(seq -s ' ' 1 40)
run generate -m run --ids --ignore-eos -n 9 --temperature 0 -p "$edge"
is "$status:$err" "0:" "the last token may be one more than the context"
run generate -m run --ids --ignore-eos -n 10 --temperature 0 -p "$edge"
like "$err" 'dropped 1 time$' "two more may not"
run generate -m run --ids --ignore-eos -n 2 --temperature 0 -p "$(seq -s ' ' 1 200)"
like "$err" 'dropped [0-9]+ times' "a prompt longer than the context"
is "$status" 0 "is taken"

# the end of a text
run generate -m run --temperature 0 -v -n 1 -p 'one two'
unlike "$err" '[0-9]{6,} new' "-v counts what there is"

# ---- conversations
cat >talk.jsonl <<'END'
{"messages": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "A mill."}]}
{"messages": [{"role": "user", "content": "What?"}, {"role": "assistant", "content": "Flour."}]}
END
sft -q -m run -o chat --steps 60 --lr 1e-2 --batch 2 talk.jsonl
is "$(generate -q -m chat --chat --temperature 0 -p 'Who?')" "A mill." "a fine-tuned model answers"
is "$(generate -q -m chat --chat --temperature 0 -p 'What?')" "Flour." "each question"
echo '{"messages": [{"role": "user", "content": "What?"}]}' >ask.jsonl
is "$(generate -q -m chat --chat --temperature 0 ask.jsonl)" \
    '{"messages": [{"role": "user", "content": "What?"}], "completion": "Flour."}' "records of messages"
is "$(echo '{"text": "Who?"}' | generate -q -m chat --chat --temperature 0)" \
    '{"text": "Who?", "completion": "A mill."}' "records of text"
echo '{"messages": [{"role": "user"}]}' >bad-ask.jsonl
fails 1 'bad-ask.jsonl:1: message 1' "a message without content" generate -m chat --chat bad-ask.jsonl
fails 1 'no chat template' "--chat with a model that was not fine-tuned" \
    generate -m run --chat -p Who

# ---- models
fails 1 'no/such' "a missing model" generate -m no/such -p a
fails 1 'not a directory' "a file" generate -m tok.json -p a
mkdir nothing
fails 1 'lacks config.json' "an empty directory" generate -m nothing -p a
mkdir going && cp -r run going/checkpoint-9 && cp -r run going/checkpoint-10 &&
    mkdir going/checkpoint-11 going/checkpoint-100x
runs "a run in progress" generate -q -m going --temperature 0 -n 12 -p 'one two'
is "$out" "$greedy" "its newest complete checkpoint"
cp -r run eos && sed 's/"eos_token_id": *[0-9]*/"eos_token_id": [0, 290]/' run/generation_config.json \
    >eos/generation_config.json
runs "a list of EOS ids, one beyond the vocabulary" generate -q -m eos -n 3 -p one
cp -r run small && sed 's/"vocab_size": *280/"vocab_size": 270/' run/config.json >small/config.json
fails 1 '.' "fewer rows than the config says" generate -m small -p one

# ---- options, ends
for bad in '--temperature -1' '--top-p 2' '--min-p -1' '--top-k -1' '--repeat-penalty 0' '-n -2' \
    '--stop=' '--chat --ids' '--stop x --ids' '--frobnicate'; do
    # shellcheck disable=SC2086 # options
    fails 2 '.' "wrong usage: $bad" generate -m run $bad -p a
done
fails 2 '-m DIR' "no model" generate -p a
fails 2 'exclude' "-p and a file" generate -m run -p a prompt.txt
if [ -w /dev/full ]; then
    run sh -c 'generate -q -m run -n 2 -p one >/dev/full'
    is "$status" 1 "a full disk"
    like "$err" 'generate: .*No space' "is said"
fi
run sh -c 'generate -q -m run -n 4 --lines lines | head -n 1 >/dev/null'
is "$status:$err" 0: "a closed pipe"
mkfifo in
# shellcheck disable=SC2016 # for the inner shell
run sh -c 'exec 9<>in; generate -q -m run -n 2 --lines <in >early & p=$!; echo one >&9
    for i in 1 2 3 4 5 6 7 8 9; do [ -s early ] && break; sleep 0.2; done
    wc -l <early; kill -TERM $p; wait $p; echo $?'
is "$(echo $out)" "1 143" "each text goes out when it is done, and a signal ends the program"
done_testing
