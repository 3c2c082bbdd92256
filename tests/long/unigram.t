#!/bin/sh
# bpe-train --model unigram against sentencepiece's own trainer: on text that neither has seen, at most
# one per cent more tokens. QUERN_PYTHON names a Python that has it.

. "${0%/*}/../lib.sh"
need_command bpe-train tokenize
need_shared data/corpus
python=${QUERN_PYTHON:-python3}
"$python" -c 'import sentencepiece' 2>/dev/null || skip_all "no sentencepiece (QUERN_PYTHON)"

cat >peer.py <<'END'
import gzip, io, json, sys, sentencepiece
corpus, size, fallback = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "yes"
docs = [json.loads(line)["text"] for line in gzip.open(corpus, "rt", encoding="utf-8")]
def lines(docs):
    return [line for d in docs for line in d.split("\n") if line.strip()]
train, held = lines(d for i, d in enumerate(docs) if i % 10), lines(docs[::10])
for name, what in (("train.txt", train), ("held.txt", held)):
    open(name, "w", encoding="utf-8", newline="").write("\n".join(what) + "\n")
out = io.BytesIO()
sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter(train), model_writer=out, model_type="unigram", vocab_size=size,
    normalization_rule_name="identity", byte_fallback=fallback, minloglevel=2,
    max_sentence_length=1 << 24)
peer = sentencepiece.SentencePieceProcessor(model_proto=out.getvalue())
print(sum(len(peer.encode(line)) for line in held))
END
for case in en-rust-book:4000:no en-curl-docs:8000:yes zh-tldr:4000:no code-python-flask:4000:no \
    zh-d2l:8000:yes; do
    corpus=${case%%:*} rest=${case#*:}
    size=${rest%:*} fallback=${rest#*:}
    option=
    [ "$fallback" = no ] || option=--byte-fallback
    peer=$("$python" peer.py "$SHARED/data/corpus/$corpus.jsonl.gz" "$size" "$fallback")
    # shellcheck disable=SC2086 # no word if there is no option
    bpe-train -q --model unigram $option --lines -s "$size" -o tok.json train.txt
    own=$(tokenize -q -t tok.json --lines --text-ids held.txt | wc -w)
    ok [ "$((own * 100))" -le "$((peer * 101))" ] -- "$corpus, $size: $own tokens, sentencepiece $peer"
done
done_testing
