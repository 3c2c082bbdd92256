#!/bin/sh
# Tokenizers in other formats on the whole corpus, document by document, against the programs that the
# formats belong to: tiktoken and sentencepiece. QUERN_PYTHON names a Python that has them.

. "${0%/*}/../lib.sh"
need_command tokenize gzip
need_shared data/corpus data/tokenizers/ranks data/tokenizers/sp
python=${QUERN_PYTHON:-python3}
"$python" -c 'import tiktoken, sentencepiece' 2>/dev/null ||
    skip_all "no tiktoken or no sentencepiece (QUERN_PYTHON)"
data=$SHARED/data

cat >compare.py <<'END'
import gzip, json, sys
kind, path, ids_path, corpus = sys.argv[1:5]
if kind == "sp":
    import sentencepiece
    sp = sentencepiece.SentencePieceProcessor(model_file=path)
    encode = sp.encode
    # their text is ordinary text there, and a special token in a tokenizer.json
    symbols = [sp.id_to_piece(i) for i in range(sp.get_piece_size())
               if sp.is_control(i) or sp.is_unknown(i)]
else:
    import base64, tiktoken, tiktoken_ext.openai_public as public
    symbols = []
    public.load_tiktoken_bpe = lambda *a, **k: {}
    ranks = {}
    for line in gzip.open(path):
        token, rank = line.split()
        ranks[base64.b64decode(token)] = int(rank)
    spec = getattr(public, kind)()
    encode = tiktoken.Encoding(kind, pat_str=spec["pat_str"], mergeable_ranks=ranks,
                               special_tokens={}).encode_ordinary
n = differ = tokens = 0
with gzip.open(corpus, "rt", encoding="utf-8") as docs, open(ids_path) as got:
    for doc, line in zip(docs, got, strict=True):
        text = json.loads(doc)["text"]
        if any(s in text for s in symbols):
            continue
        want, ids = encode(text), list(map(int, line.split()))
        n += 1
        tokens += len(want)
        if want != ids:
            differ += 1
            print("document", n, "differs")
print(f"{n} documents, {tokens} tokens, {differ} differ")
sys.exit(differ > 0)
END

compare() { # compare KIND TOKENIZER SPLIT-OPTIONS
    kind=$1 file=$2 options=$3
    for corpus in "$data"/corpus/*.jsonl.gz; do
        # shellcheck disable=SC2086 # options are words
        tokenize -q -t "$file" $options --text-ids -o ids "$corpus"
        "$python" compare.py "$kind" "$file" ids "$corpus" >said 2>&1
        is $? 0 "${file##*/} on ${corpus##*/}: $(tail -n 1 said)" || diag "$(head -n 5 said)"
    done
}
for split in r50k cl100k o200k; do
    compare ${split}_base "$data/tokenizers/ranks/${split}_base.tiktoken.gz" "--split $split"
done
compare sp "$data/tokenizers/sp/mistral01.model" ''
compare sp "$data/tokenizers/sp/xlnet_base_cased.model" ''

# ---- xlnet's published tokenizer.json: the same vocabulary, but for the scores of numbers
# before a comma; and its normalisation does more

tokenize -t "$data/tokenizers/sp/xlnet_base_cased.model" --convert -o xlnet.json
"$python" - "$data" >out 2>&1 <<'END'
import gzip, json, struct, sys
import tokenizers
data = sys.argv[1] + "/tokenizers/"
ours = json.load(open("xlnet.json"))
hf = json.load(gzip.open(data + "hf/xlnet_base_cased.tokenizer.json.gz"))
for i, ((a, x), (b, y)) in enumerate(zip(ours["model"]["vocab"], hf["model"]["vocab"], strict=True)):
    if a[-1] == "," and a[-2:-1].isdigit():  # published 100 lower than in the model
        assert a == b and abs(x - 100 - y) < 1e-9, (a, x, b, y)
        ours["model"]["vocab"][i][1] = y
    else:
        assert a == b and (x == y or y == 0.0), (a, x, b, y)
for part in ("normalizer", "pre_tokenizer", "added_tokens"):
    ours[part] = hf[part]
ids = tokenizers.Tokenizer.from_str(json.dumps(ours)).encode(
    open(data + "vectors/sample.txt", newline="").read(), add_special_tokens=False).ids
want = gzip.open(data + "vectors/hf.xlnet_base_cased.u32.gz").read()
assert struct.pack(f"<{len(ids)}I", *ids) == want
END
is $? 0 "xlnet's ids with the published normalisation" || diag "$(tail -n 3 out)"
done_testing
