#!/bin/sh
# What pretrain writes, in the eyes of transformers: every family opens, with the validation loss that
# the run's log has, and the tokenizer gives the ids of the one that the data was made with.
# QUERN_PYTHON names a Python that has torch and transformers.

. "${0%/*}/../lib.sh"
need_command pretrain tokenize shard
need_shared golden/models golden/bpe data/corpus/en-rust-book.jsonl.gz data/corpus/zh-tldr.jsonl.gz \
    data/tokenizers/vectors/sample.txt data/tokenizers/hf
python=${QUERN_PYTHON:-python3}
"$python" -c 'import torch, transformers' 2>/dev/null || skip_all "no transformers (QUERN_PYTHON)"

sample=$SHARED/data/tokenizers/vectors/sample.txt
zcat "$SHARED/data/corpus/en-rust-book.jsonl.gz" | head -n 40 >text.jsonl
zcat "$SHARED/data/corpus/zh-tldr.jsonl.gz" | head -n 300 >>text.jsonl

# data TOKENIZER: DIR/tok.json and what lies beside it, its shards x.tok and v.tok, ids of the sample
data() {
    [ ! -d "$2" ] || return 0
    mkdir "$2"
    zcat "$1" >"$2/tokenizer.json"
    beside=${1%.json.gz}_config.json
    [ ! -e "$beside" ] || cp "$beside" "$2/tokenizer_config.json"
    tokenize -q -t "$2/tokenizer.json" -o "$2/all.tok" text.jsonl
    shard shuffle -q -o "$2/mixed.tok" "$2/all.tok"
    shard split -q --at 90% -o "$2/x.tok" --rest "$2/v.tok" "$2/mixed.tok"
    shard export --ids "$2/v.tok" >"$2/v.ids"
    tokenize -q -t "$2/tokenizer.json" --text --text-ids "$sample" >"$2/sample.ids"
}

# trained NAME CONFIG TOKENIZER DATA STEPS
trained() {
    data "$3" "$4"
    vocab=$(shard info --json "$4/x.tok" | sed -n 's/.*"vocab_size":\([0-9]*\).*/\1/p')
    mkdir "$1.config"
    sed "s/\"vocab_size\": *[0-9]*/\"vocab_size\": $vocab/" "$2/config.json" >"$1.config/config.json"
    runs "$1: a run" pretrain -q -c "$1.config" --context 64 --batch 8 --steps "$5" --lr 3e-3 \
        --val "$4/v.tok" --eval-every "$5" -o "$1" "$4/x.tok"
    echo "$1 $4" >>runs
}

k=0
for dir in "$SHARED"/golden/models/*/; do
    name=$(basename "$dir")
    k=$((k % 4 + 1))
    tokenizer=$(ls "$SHARED"/golden/bpe/*.tokenizer.json.gz | sed -n ${k}p)
    trained "$name" "$dir" "$tokenizer" data$k 25
done
trained gpt2-own "$SHARED/golden/models/gpt2" "$SHARED/data/tokenizers/hf/gpt2.tokenizer.json.gz" own1 3
trained qwen3-own "$SHARED/golden/models/qwen3" "$SHARED/data/tokenizers/hf/qwen3.tokenizer.json.gz" own2 3
trained gptoss-own "$SHARED/golden/models/llama-gqa" "$SHARED/data/tokenizers/hf/gptoss.tokenizer.json.gz" own3 3

trained qwen2-own "$SHARED/golden/models/qwen2" "$SHARED/data/tokenizers/hf/qwen3.tokenizer.json.gz" own2 3
ok test "$(grep -c auto_map qwen2/tokenizer_config.json):$(grep -c auto_map qwen2-own/tokenizer_config.json)" = 1:0 \
    -- "qwen2: another split than Qwen2's is guarded"

cat >check.py <<'E2'
import sys, torch, transformers
from transformers import AutoModelForCausalLM, AutoTokenizer
from tokenizers import Tokenizer
transformers.logging.set_verbosity_error()
sample = open(sys.argv[1], encoding="utf-8", newline="").read()
C = 64

def nll(model, seqs):
    "sum of the losses of (input, target) lists"
    total = 0.0
    with torch.no_grad():
        for x, y in seqs:
            logp = torch.log_softmax(model(torch.tensor([x])).logits[0].double(), -1)
            total -= logp[torch.arange(len(y)), torch.tensor(y)].sum().item()
    return total

for line in open("runs"):
    run, data = line.split()
    model = AutoModelForCausalLM.from_pretrained(run).eval()
    assert model.dtype == torch.float32, model.dtype
    tok = AutoTokenizer.from_pretrained(run)
    docs = [[int(i) for i in l.split()] for l in open(data + "/v.ids")]
    bos, eos = model.config.bos_token_id, model.config.eos_token_id
    first = bos if bos is not None else eos
    assert eos is None or tok.eos_token_id == eos, (tok.eos_token_id, eos)
    assert model.generation_config.eos_token_id == eos

    # the log's convention: pairs of all documents end to end, cut every C; pieces are sequences
    windows, room = [], 0
    for d in docs:
        x = ([first] if first is not None else []) + d
        y = d + [eos] if eos is not None else d
        if first is None:
            x, y = d[:-1], d[1:]
        if eos is None and first is not None:
            x = x[:-1]
        at = 0
        while at < len(y):
            room = room or C
            n = min(room, len(y) - at)
            windows.append((x[at:at + n], y[at:at + n]))
            at, room = at + n, room - n
    n = sum(len(y) for _, y in windows)
    theirs = nll(model, windows) / n
    ours = float([r.split("\t") for r in open(run + "/log.tsv")][-1][3])
    print("loss", run, ours, theirs, abs(ours - theirs))

    ids = tok(sample, add_special_tokens=False)["input_ids"]
    ref = Tokenizer.from_file(data + "/tokenizer.json").encode(sample, add_special_tokens=False).ids
    mine = [int(i) for l in open(data + "/sample.ids") for i in l.split()]
    special = tok(sample)["input_ids"]
    print("ids", run, len(ids), ids == ref, ids == mine, special == ([first] if first is not None else []) + ids,
          tok.decode(ids) == Tokenizer.from_file(data + "/tokenizer.json").decode(ids, skip_special_tokens=False))
E2
"$python" check.py "$sample" >out.txt 2>err.txt || diag "$(tail -n 5 err.txt)"
while read -r name _; do
    note "$(grep "^[a-z]* $name " out.txt)"
    ok awk -v n="$name" '$1 == "loss" && $2 == n {d = $5; seen = 1} END {exit !(seen && d <= 1e-5)}' out.txt \
        -- "$name: from_pretrained gives the run's validation loss"
    ok grep -q "^ids $name [0-9]* True True True True$" out.txt -- "$name: AutoTokenizer gives the ids"
done <runs
done_testing
