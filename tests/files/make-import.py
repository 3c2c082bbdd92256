#!/usr/bin/env python3
"""Makes the samples of other tokenizers' formats, and their ids by the programs they belong to.

    python tests/files/make-import.py

Needs sentencepiece 0.2, tiktoken 0.9 or later and gguf. The text that the models are trained on is
the project's own: its manuals.
"""
import base64
import glob
import io
import json
import os
import re

import sentencepiece as sp
import tiktoken
import tiktoken_ext.openai_public as public

here = os.path.dirname(os.path.abspath(__file__))
top = os.path.dirname(os.path.dirname(here))
lines = []
for path in sorted(glob.glob(top + "/man/*/*.[157]")):
    for line in open(path, encoding="utf-8"):
        line = re.sub(r"\\\[u....\]|\\.", "", line).strip()
        if line and line[0] not in ".'":
            lines.append(line)
more = ["Grüße aus der Mühle", "水车 磨 面粉", "1234 5678 90", "if (x == 1) {\t y[2] = 3; }"] * 3

texts = [
    "", " ", "a", "   ", "The mill turns.", "  two  spaces, and   three ", "\tif (x)\n\t\treturn 0;\n",
    "Grüße 水车 磨坊", "a\u3000b\u00a0c", "tab\tand\nlines\r\n", "<mask> is one, <mask><mask> two",
    "a<mask>b <mask> c", "<cls> and <sep>", "▁▁ real ▁ marks▁", "①②③ ﬁne", "1234567890 3.14",
    "the the the the", "zzzzqqqq", "\U0001f600 smile", "x" * 40, " " * 33 + "y", "e\u0301 and é",
    "...the end", "C++ [a-z]+ (b|c)*", "<0x41> is no byte", "\u00ad\u200b", "<ma", "mask> <mask",
]
cases = []


def train(name, **options):
    out = io.BytesIO()
    sp.SentencePieceTrainer.train(
        sentence_iterator=iter(lines + more), model_writer=out, num_threads=1, minloglevel=2,
        max_sentencepiece_length=12, **options)
    data = out.getvalue()
    file = "good-%s.model" % name
    open(os.path.join(here, file), "wb").write(data)
    p = sp.SentencePieceProcessor(model_proto=data)
    for text in texts:
        # A tokenizer.json makes control symbols of their text, and Unigram takes that of a byte's
        # piece for the piece.
        if ("<cls>" not in text or name == "sp-plain") and \
           ("<0x41>" not in text or name != "sp-unigram"):
            cases.append((file, text, p.encode(text)))


rules = os.path.join(here, "rules.tsv")
with open(rules, "w", encoding="utf-8") as f:  # code points, a tab, code points
    for a, b in [("\t", " "), ("\n", " "), ("\r", " "), ("\u3000", " "), ("\u00a0", " "),
                 ("①", "1"), ("②", "2"), ("③", "3"), ("ﬁ", "fi"), ("\u00ad", ""),
                 ("é", "e\u0301")]:
        f.write("%s\t%s\n" % (" ".join("%X" % ord(c) for c in a),
                              " ".join("%X" % ord(c) for c in b)))

train("sp-plain", model_type="bpe", vocab_size=700, byte_fallback=True, split_digits=True,
      normalization_rule_name="identity", remove_extra_whitespaces=False,
      allow_whitespace_only_pieces=True, character_coverage=0.999)
train("sp-user", model_type="bpe", vocab_size=400, normalization_rule_tsv=rules,
      user_defined_symbols=["<mask>", "++", "▁▁", "..."], control_symbols=["<cls>", "<sep>"],
      character_coverage=0.999)
train("sp-unigram", model_type="unigram", vocab_size=700, byte_fallback=True,
      normalization_rule_tsv=rules, user_defined_symbols=["<mask>", "(", ")"],
      control_symbols=["<cls>", "<sep>"], character_coverage=0.999)
train("sp-words", model_type="unigram", vocab_size=400, normalization_rule_name="identity",
      add_dummy_prefix=False, remove_extra_whitespaces=False, split_by_whitespace=False,
      character_coverage=0.999)
os.remove(rules)

# ---- ranks of tiktoken: bytes, then pairs as they are most frequent in the text

words = re.findall(r" ?\w+| ?[^\s\w]+|\s+", "\n".join(lines + more))
parts = [[bytes([b]) for b in w.encode()] for w in words]
ranks = {bytes([b]): b for b in range(256)}
for rank in range(256, 500):
    count = {}
    for w in parts:
        for pair in zip(w, w[1:]):
            count[pair] = count.get(pair, 0) + 1
    best = max(sorted(count), key=lambda pair: count[pair])
    ranks[best[0] + best[1]] = rank
    for w in parts:
        i = 0
        while i + 1 < len(w):
            if (w[i], w[i + 1]) == best:
                w[i:i + 2] = [best[0] + best[1]]
            i += 1
# tokens that no merge gives, whose ranks do not follow their parts', and with a gap
ranks[b" wheel"] = 501
ranks[b"qq"] = 510
ranks[b"zq"] = 503
ranks[b"zqq"] = 502
with open(os.path.join(here, "good-ranks.tiktoken"), "wb") as f:
    for token, rank in ranks.items():
        f.write(base64.b64encode(token) + b" %d\n" % rank)
public.load_tiktoken_bpe = lambda *a, **k: {}
for split in ("r50k", "cl100k", "o200k"):
    spec = getattr(public, split + "_base")()
    e = tiktoken.Encoding(split, pat_str=spec["pat_str"], mergeable_ranks=ranks,
                          special_tokens={"<|endoftext|>": 600})
    for text in texts + ["zqqq wheel  wheels\n\n  ", "I'M it'S we\u017f'ſ <|endoftext|>", "a \n \n", "12345"]:
        cases.append(("good-ranks.tiktoken:" + split, text, e.encode_ordinary(text)))

with open(os.path.join(here, "import-cases.jsonl"), "w", encoding="utf-8") as f:
    for tokenizer, text, ids in cases:
        f.write(json.dumps({"tokenizer": tokenizer, "text": text, "ids": ids}) + "\n")
