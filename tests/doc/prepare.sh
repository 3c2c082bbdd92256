#!/bin/sh
# Fills the present directory with what the EXAMPLES of the manuals work on, made from the project's
# own files by its own programs (BUILD/bin in PATH; TOP is the source tree):
#
#   corpus.jsonl.gz corpus.jsonl   documents: {"id": N, "text": ...}, one of them twice
#   a.jsonl b.jsonl                parts of it
#   corpus.txt held-out.txt a.txt b.txt prompts.txt    plain text; prompts: one a line
#   conversations.jsonl            {"messages": [{"role": ..., "content": ...}, ...]}
#   ranks.tiktoken                 a rank file of tiktoken
#   tok.json                       a byte-level BPE tokenizer of 512 entries
#   corpus.tok a.tok b.tok val.tok shards of that tokenizer
#   tiny.json                      config.json of a LLaMA of two layers
#   run                            a model pretrained on corpus.tok for a few steps
#   chat                           the same, fine-tuned on conversations.jsonl
#
# What cannot be made because its program is not there is left out.

set -eu
: "${TOP:?}" "${BUILD:?}"

have() {
    command -v "$1" >/dev/null 2>&1
}

# Documents are the headers and pages of prose of the project; perl comes with prove.
set -- "$TOP"/README "$TOP"/STYLE "$TOP"/CONTRIBUTING "$TOP"/lib/*/*.h
perl -e '
    my $n = 0;
    for my $file (@ARGV) {
        open my $in, "<", $file or die "$file: $!\n";
        local $/;
        my $text = <$in>;
        $text =~ s/(["\\])/\\$1/g;
        $text =~ s/\n/\\n/g;
        $text =~ s/\t/\\t/g;
        print "{\"id\": ", $n++, ", \"text\": \"$text\"}\n";
    }' "$@" "$TOP/STYLE" >corpus.jsonl
gzip -9 <corpus.jsonl >corpus.jsonl.gz
awk 'NR % 2' corpus.jsonl >a.jsonl
awk 'NR % 2 == 0' corpus.jsonl >b.jsonl
cat "$@" >corpus.txt
cat "$TOP/tests/README.md" >held-out.txt
cat "$TOP/STYLE" >a.txt
cat "$TOP/CONTRIBUTING" >b.txt
printf '%s\n' 'A command' 'The library' 'Files are' >prompts.txt
[ ! -f "$TOP/data/demo/conversations.jsonl" ] ||
    head -n 20 "$TOP/data/demo/conversations.jsonl" >conversations.jsonl
cp "$TOP/tests/files/good-ranks.tiktoken" ranks.tiktoken
cat >tiny.json <<'END'
{
  "architectures": ["LlamaForCausalLM"],
  "model_type": "llama",
  "vocab_size": 512,
  "hidden_size": 64,
  "intermediate_size": 176,
  "num_hidden_layers": 2,
  "num_attention_heads": 4,
  "num_key_value_heads": 2,
  "max_position_embeddings": 128,
  "rms_norm_eps": 1e-05,
  "rope_theta": 10000.0,
  "hidden_act": "silu",
  "tie_word_embeddings": true
}
END

have bpe-train || exit 0
bpe-train -q -s 512 -o tok.json corpus.jsonl
have tokenize || exit 0
for name in corpus a b; do
    tokenize -q -t tok.json -o $name.tok $name.jsonl
done
tokenize -q -t tok.json -o val.tok held-out.txt
have pretrain || exit 0
pretrain -q -c tiny.json --batch 4 --steps 20 --lr 1e-3 -o run corpus.tok
have sft || exit 0
sft -q -m run --batch 4 --steps 4 -o chat conversations.jsonl
