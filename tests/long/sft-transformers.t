#!/bin/sh
# What sft writes, in the eyes of transformers: the template gives the ids that sft trains on, and the
# model opens, with the losses that perplexity gives. QUERN_PYTHON names a Python that has them.

. "${0%/*}/../lib.sh"
need_command sft bpe-train tokenize pretrain perplexity generate
python=${QUERN_PYTHON:-python3}
"$python" -c 'import torch, transformers' 2>/dev/null || skip_all "no transformers (QUERN_PYTHON)"

cat >config.json <<'END'
{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 400,
 "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
 "num_key_value_heads": 2, "max_position_embeddings": 128, "rms_norm_eps": 1e-05,
 "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": true}
END
cat >talk.jsonl <<'END'
{"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Who?"}, {"role": "assistant", "content": "\n\nA mill. "}]}
{"messages": [{"role": "user", "content": " 磨坊\n"}, {"role": "assistant", "content": "面粉 🌾"}, {"role": "user", "content": ""}, {"role": "assistant", "content": ""}]}
END
for split in gpt2 cl100k o200k; do
    rm -rf base chat tok.json x.tok
    bpe-train -q --split $split -s 400 -o tok.json "$TOP"/README "$TOP"/STYLE
    tokenize -q -t tok.json -o x.tok "$TOP"/README
    pretrain -q -c config.json --batch 4 --steps 4 -o base x.tok
    sft -q -m base -o chat --steps 4 talk.jsonl
    perplexity -m chat --json --context 128 --stride 128 --no-bos --lines talk.jsonl \
        --per-document rows >/dev/null
    "$python" - >script.out 2>script.err <<'END'
import json, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
tok = AutoTokenizer.from_pretrained("chat")
model = AutoModelForCausalLM.from_pretrained("chat", dtype=torch.float32)
end = tok.convert_tokens_to_ids("<|im_end|>")
assert end in model.generation_config.eos_token_id, model.generation_config
with open("rendered.jsonl", "w") as out:
    for line in open("talk.jsonl"):
        m = json.loads(line)["messages"]
        text = tok.apply_chat_template(m, tokenize=False)
        ids = tok.apply_chat_template(m, tokenize=True, return_dict=False)
        assert ids == tok(text, add_special_tokens=False)["input_ids"]
        out.write(json.dumps({"text": text, "ids": ids}) + "\n")
rows = [r.split("\t") for r in open("rows").read().splitlines()[1:]]
worst = 0
for line, row in zip(open("talk.jsonl"), rows):
    ids = torch.tensor([tok(line.rstrip("\n"), add_special_tokens=False)["input_ids"]])
    assert ids.shape[1] > 128 or int(row[1]) == ids.shape[1] - 1, (ids.shape, row)
    nats, done, at, n = 0.0, 0, 0, ids.shape[1] - 1
    while done < n:
        last = min(at + 128, n)
        with torch.no_grad():
            p = model(ids[:, at:last]).logits.double().log_softmax(-1)[0]
        for t in range(done, last):
            nats -= p[t - at, ids[0, t + 1]].item()
        done, at = last, at + 128
    worst = max(worst, abs(nats - float(row[4])) / nats)
print(worst)
assert worst < 1e-5
END
    is $? 0 "$split: transformers opens it and has the same losses" || diag "$(cat script.err)"
    note "largest difference: $(cat script.out)"
    # the ids: marks and all, as tokenize finds them in the rendered text
    perl -MJSON::PP -ne 'my $r = decode_json($_); print "@{$r->{ids}}\n"' rendered.jsonl >want
    tokenize -q -t chat/tokenizer.json --text-ids rendered.jsonl >got
    same got want "$split: the ids of apply_chat_template"
done
done_testing
