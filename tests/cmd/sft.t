#!/bin/sh
# sft: forms of conversations, what is refused, validation, resuming, what the model is in the end.

. "${0%/*}/../lib.sh"
# shellcheck disable=SC2154 # lib.sh sets status, out and err
need_command sft generate bpe-train tokenize pretrain perl

cat >config.json <<'END'
{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 270,
 "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
 "num_key_value_heads": 2, "max_position_embeddings": 64, "rms_norm_eps": 1e-05,
 "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": true}
END
printf '%s\n' 'user assistant The mill turns. Who are you? What is ground?' >text
bpe-train -q -s 270 -o tok.json text
tokenize -q -t tok.json -o x.tok text
pretrain -q -c config.json --batch 2 --steps 5 --lr 1e-2 -o base x.tok

# ---- all forms of records, learnt until they are answered exactly
cat >talk.jsonl <<'END'
{"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": "Who?"}, {"role": "assistant", "content": "A mill."}], "id": 1}
{"conversations": [{"from": "human", "value": "What?"}, {"from": "gpt", "value": "Flour"}]}

{"instruction": "Add", "input": "1 2", "output": "3"}
{"instruction": "Say", "input": "", "output": "no"}
{"prompt": "磨?", "completion": " 面粉\n"}
END
runs "conversations of every form" sft -m base -o chat --steps 80 --lr 1e-2 --batch 4 -q talk.jsonl
is "$out$err" "" "-q is quiet"
ask() {
    generate -q -m chat --chat --temperature 0 -n 30 "$@"
}
is "$(echo '{"messages":[{"role":"system","content":"x"},{"role":"user","content":"Who?"}]}' | ask)" \
    '{"messages":[{"role":"system","content":"x"},{"role":"user","content":"Who?"}], "completion": "A mill."}' \
    "messages are answered"
is "$(ask -p 'What?')" Flour "conversations"
is "$(ask -p 'Add

1 2')" 3 "an instruction with input"
is "$(ask -p Say)" no "an instruction"
ask -p '磨?' >answer
printf ' 面粉\n\n' >want
same answer want "a prompt with its completion, white space kept"
for file in config.json model.safetensors tokenizer.json tokenizer_config.json generation_config.json; do
    ok test -s chat/$file -- "the model has $file"
done
# shellcheck disable=SC2016 # perl
ok perl -MJSON::PP -e '
    sub load { local $/; open my $f, "<", $_[0] or die; decode_json(<$f>) }
    my $end = (grep { $_->{content} eq "<|im_end|>" } @{load("chat/tokenizer.json")->{added_tokens}})[0]{id};
    for my $f ("chat/config.json", "chat/generation_config.json") {
        my $eos = load($f)->{eos_token_id};
        ref $eos && @$eos == 2 && $eos->[1] == $end && $eos->[0] != $end or die $f;
    }
    load("chat/tokenizer_config.json")->{chat_template} =~ /im_start/ or die;' -- \
    "its end of turn is one of its EOS ids, and the template is stored"
ok test ! -e chat/spool -- "the encoded conversations are gone"
runs "a finished run" sft --resume -o chat
like "$err" 'finished' "says so"
runs "a model that has the template can be tuned again" \
    sft -q -m chat -o again --steps 1 --batch 4 talk.jsonl
mkdir saved && cp -r chat/* saved
perl -MJSON::PP -0777 -ne 'my $c = decode_json($_); open my $t, ">", "saved/chat_template.jinja";
    print $t delete $c->{chat_template}; print STDOUT encode_json($c)' \
    chat/tokenizer_config.json >saved/tokenizer_config.json
runs "also where transformers has moved it to a file" \
    sft -q -m saved -o again2 --steps 1 --batch 4 talk.jsonl

# ---- the same bytes whatever the way
train() {
    sft -q -m base --steps 9 --batch 2 --save-every 2 --lr 1e-3 "$@"
}
train -o a talk.jsonl
train -o b -j 3 <talk.jsonl
same a/model.safetensors b/model.safetensors "from a pipe, with other threads: the same model"
sft -q -m base --steps 9 --batch 2 --save-every 2 --lr 1e-3 -o c talk.jsonl & # as train has it
sleep 0.3
kill -9 $! 2>/dev/null
wait 2>/dev/null
if [ -d c ] && [ -n "$(ls c)" ]; then
    runs "an interrupted run" sft -q --resume -o c
    same a/model.safetensors c/model.safetensors "ends in the same model"
else
    train -o c talk.jsonl
    note "killed before it began"
fi

# ---- the directory that it is resumed from does not matter
train -o elsewhere --val talk.jsonl --max-time 0s talk.jsonl
rm -rf elsewhere/spool elsewhere/spool-val
mkdir away
runs "resumed from another directory" sh -c 'cd away && sft -q --resume -o ../elsewhere'
same a/model.safetensors elsewhere/model.safetensors "ends in the same model"

# ---- EOS ids of the model stay
cp -r base ends
sed 's/"eos_token_id": *[0-9]*/"eos_token_id": [7, 0, 9]/' base/config.json >ends/config.json
sed 's/"eos_token_id": *[0-9]*/"eos_token_id": [0, 11, 999999]/' base/generation_config.json \
    >ends/generation_config.json
runs "a model with several EOS ids" sft -q -m ends -o ended --steps 1 --batch 4 talk.jsonl
for file in config.json generation_config.json; do
    is "$(tr -d ' \n' <ended/$file | sed 's/.*"eos_token_id":\([^]]*]\).*/\1/')" '[0,7,9,11,2]' \
        "$file: the tokenizer's first, then those of both files, then the end of turn"
done

# ---- validation
runs "conversations held out" train -o v --val talk.jsonl --eval-every 3 talk.jsonl
ok awk -F'\t' 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "val_loss") k = i }
    NR > 1 && $k > 0 { n++ } END { exit n < 3 }' v/log.tsv -- "are measured"
is "$(sed -n '$p' v/log.tsv | cut -f3)" "$(sed -n '$p' a/log.tsv | cut -f3)" \
    "and change nothing of the training"
yes "$(sed -n 2p talk.jsonl)" | sed 40q >many.jsonl
runs "a share held out" train -o w --val 20% --eval-every 3 many.jsonl
fails 2 'val' "no share" train -o w2 --val 99% many.jsonl

# ---- what is refused
refused() { # ERE NAME JSON [OPTION...]
    printf '%s\n' "$(sed -n 2p talk.jsonl)" "$3" >refused.jsonl
    ere=$1 name=$2
    shift 3
    rm -rf r
    fails 1 "$ere" "$name" train -o r "$@" refused.jsonl
}
refused 'refused.jsonl:2: not a JSON object' "what is no JSON" 'hello'
runs "the same command goes well once the file is mended" train -o r talk.jsonl
refused 'refused.jsonl:2: not a JSON object' "a record cut off" '{"messages": ['
refused 'refused.jsonl:2: no conversation' "another record" '{"text": "x"}'
refused 'refused.jsonl:2: message 1 has no "role"' "a message without role" '{"messages": [{"content": "x"}]}'
refused 'refused.jsonl:2: no token to learn from' "no assistant" \
    '{"messages": [{"role": "user", "content": "x"}]}'
refused 'refused.jsonl:2: no token to learn from' "no message" '{"messages": []}'
long=$(yes 'mill ground' | sed 60q | tr '\n' ' ')
refused 'refused.jsonl:2: [0-9]+ tokens do not fit a context of 64; --truncate' "one too long" \
    "{\"prompt\": \"x\", \"completion\": \"$long\"}"
runs "unless it may be shortened" train -o short --truncate refused.jsonl
refused 'refused.jsonl:2: no token to learn from' "which leaves nothing to learn" \
    "{\"prompt\": \"$long\", \"completion\": \"x\"}" --truncate
printf '%s\n' hello '{"text": 1}' >bad.jsonl
cat bad.jsonl talk.jsonl >mixed.jsonl
cp mixed.jsonl mixed2.jsonl
echo '{"neither": "here nor there"}' >>mixed2.jsonl
runs "--on-error skip" train -o skipped --on-error skip --rejected rej --val mixed2.jsonl mixed.jsonl
same rej bad.jsonl "keeps what was skipped"
same skipped/model.safetensors a/model.safetensors "and the rest is learnt alike"
fails 1 'learn from: all [0-9]+ records were left out, the first because bad.jsonl:[0-9]+: .' "nothing left" train -o none --on-error skip bad.jsonl
: >empty
fails 1 'x.tok: this is a token shard' "a shard, whatever is to be done with bad records" \
    train -o none3 --on-error skip x.tok
fails 1 'no conversation to learn from: there is no record' "nothing at all" train -o none2 empty
bpe-train -q -s 270 --special '<|endoftext|>' -o plain.json text
tokenize -q -t plain.json -o p.tok text
pretrain -q -c config.json --batch 2 --steps 1 -o plain p.tok
fails 1 'no special token <\|im_start\|>' "a tokenizer without the marks" \
    sft -q -m plain -o no --steps 1 talk.jsonl
cp -r chat foreign
sed 's/"chat_template": *"/&x/' chat/tokenizer_config.json >foreign/tokenizer_config.json
fails 1 'tokenizer_config.json: chat_template: only the ChatML' "another template" \
    sft -q -m foreign -o no2 --steps 1 talk.jsonl
echo x >foreign/chat_template.jinja
fails 1 'chat_template.jinja: ' "also in its file" sft -q -m foreign -o no3 --steps 1 talk.jsonl
fails 1 'missing.jsonl' "a missing file" train -o no4 missing.jsonl
fails 2 '-m DIR' "no model" sft -o no5 talk.jsonl
fails 1 'a: ' "a run that is there" train -o a talk.jsonl
done_testing
