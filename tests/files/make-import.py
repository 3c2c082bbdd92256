#!/usr/bin/env python3
"""Makes the samples of other tokenizers' formats, and their ids by the programs they belong to.

    python tests/files/make-import.py

Needs sentencepiece 0.2, tiktoken 0.9 or later, gguf, llama_cpp and tokenizers. The text that the models are trained on is
the project's own: its manuals.
"""
import base64
import glob
import io
import json
import os
import random
import re

import gguf
import llama_cpp
import sentencepiece as sp
import tiktoken
import tiktoken_ext.openai_public as public
import tokenizers

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
    f.write(b"= 700\n")  # a rank without bytes, as Whisper's files have
public.load_tiktoken_bpe = lambda *a, **k: {}
for split in ("r50k", "cl100k", "o200k"):
    spec = getattr(public, split + "_base")()
    e = tiktoken.Encoding(split, pat_str=spec["pat_str"], mergeable_ranks=ranks,
                          special_tokens={"<|endoftext|>": 600})
    for text in texts + ["zqqq wheel  wheels\n\n  ", "I'M it'S we\u017f'ſ <|endoftext|>", "a \n \n", "12345"]:
        cases.append(("good-ranks.tiktoken:" + split, text, e.encode_ordinary(text)))

# ---- GGUF vocabularies, and a vocab.txt


def spell(token):
    """A token in the alphabet of byte-level BPE."""
    plain = [b for b in range(256) if 0x21 <= b <= 0x7e or 0xa1 <= b <= 0xac or b >= 0xae]
    others = [b for b in range(256) if b not in plain]
    return "".join(chr(b if b in plain else 256 + others.index(b)) for b in token)


def write(name, model, tokens, types, add):
    path = os.path.join(here, name)
    w = gguf.GGUFWriter(path, "llama")
    for key in ("block_count", "context_length", "embedding_length", "feed_forward_length"):
        w.add_uint32("llama." + key, 1)
    w.add_uint32("llama.attention.head_count", 1)
    w.add_float32("llama.attention.layer_norm_rms_epsilon", 1e-5)
    w.add_tokenizer_model(model)
    w.add_token_list(tokens)
    w.add_token_types(types)
    add(w)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.close()
    return path


def by_llama(name, more=()):
    llama = llama_cpp.Llama(os.path.join(here, name), vocab_only=True, verbose=False)
    for text in texts + list(more):
        if text:
            ids = llama.tokenize(text.encode(), add_bos=False, special=True)
            cases.append((name, text, ids))


tokens = [spell(t) for t, rank in ranks.items() if rank < 500] + ["<|end|>", "<|mark|>"]
merges = []
for token, rank in ranks.items():
    if 256 <= rank < 500:
        part = [bytes([b]) for b in token]
        while len(part) > 2:
            i = min((ranks.get(part[i] + part[i + 1], 1000), i) for i in range(len(part) - 1))[1]
            part[i:i + 2] = [part[i] + part[i + 1]]
        merges.append(spell(part[0]) + " " + spell(part[1]))


def gpt2(pre):
    def add(w):
        w.add_tokenizer_pre(pre)
        w.add_token_merges(merges)
        w.add_eos_token_id(500)
    write("good-%s.gguf" % pre, "gpt2", tokens, [1] * 500 + [3, 4], add)
    by_llama("good-%s.gguf" % pre, ["a<|end|>b <|mark|> c", "1234567 can't WE'RE"])


gpt2("gpt-2")
gpt2("llama-bpe")
gpt2("starcoder")

plain = sp.SentencePieceProcessor(model_file=os.path.join(here, "good-sp-plain.model"))
n = plain.get_piece_size()


def llama(w, more=(-1000.0,)):
    w.add_token_scores([plain.get_score(i) for i in range(n)] + list(more))
    w.add_bos_token_id(1)
    w.add_eos_token_id(2)
    w.add_unk_token_id(0)


write("good-llama.gguf", "llama", [plain.id_to_piece(i) for i in range(n)] + ["[PAD]"],
      [2 if plain.is_unknown(i) else 3 if plain.is_control(i) else 6 if plain.is_byte(i) else 1
       for i in range(n)] + [5], llama)
by_llama("good-llama.gguf")

# llama.cpp knows by the name that this model's special tokens take the white space behind them
write("good-phi-3.gguf", "llama", [plain.id_to_piece(i) for i in range(n)] + ["<|user|>", "<|endoftext|>"],
      [2 if plain.is_unknown(i) else 3 if plain.is_control(i) else 6 if plain.is_byte(i) else 1
       for i in range(n)] + [3, 3],
      lambda w: (llama(w, [-1000.0] * 2), w.add_name("Phi-3 small")))
by_llama("good-phi-3.gguf", ["<|user|>\n the mill<|user|>  x</s> y<s> z", "a <|user|> \t\nb<|endoftext|>  c"])

words = sorted(set(re.findall(r"[a-z]{2,7}", " ".join(lines))))[:150]
chars = sorted(set("".join(words)) | set("0123456789.,()[]+*-=;{}<>|水磨e"))
vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + chars + ["##" + c for c in chars] + words
vocab += ["##" + x for x in ("ing", "ed", "er", "es")]
with open(os.path.join(here, "good-vocab.txt"), "w", encoding="utf-8") as f:
    f.write("\n".join(vocab) + "\n")
bert = tokenizers.BertWordPieceTokenizer(os.path.join(here, "good-vocab.txt"), lowercase=True)
for text in texts + ["Turning MILLED the [MASK] Grüße", "x[SEP]y"]:
    cases.append(("good-vocab.txt", text, bert.encode(text, add_special_tokens=False).ids))


def wpm(w):
    w.add_uint32("tokenizer.ggml.cls_token_id", 2)
    w.add_sep_token_id(3)
    w.add_unk_token_id(1)
    w.add_bos_token_id(2)
    w.add_eos_token_id(3)


write("good-bert.gguf", "bert",
      [t if t[0] == "[" and t[-1] == "]" else t[2:] if t[:2] == "##" else "▁" + t for t in vocab],
      [3 if t[0] == "[" and t[-1] == "]" else 1 for t in vocab], wpm)
by_llama("good-bert.gguf")

# ---- damage

model = open(os.path.join(here, "good-sp-user.model"), "rb").read()
front = open(os.path.join(here, "good-llama.gguf"), "rb").read()
rank = open(os.path.join(here, "good-ranks.tiktoken"), "rb").read()
for name, data in {
        "bad-cut.model": model[:-100],
        "bad-length.model": model[:1] + b"\x90\x80\x80\x80\x08" + model[2:],
        "bad-utf8.model": model.replace(b"<mask>", b"<m\xffsk>", 1),
        "bad-score.model": model[:10] + b"\0\0\xc0\x7f" + model[14:],
        "bad-word.model": model.replace(b"\x18\x02\x20\x90\x03", b"\x18\x03\x20\x90\x03", 1),
        "bad-unused.model": model.replace(b"\x18\x04", b"\x18\x05", 1),
        "bad-suffix.model": model + b"\x12\x03\xc0\x01\x01",
        "bad-group.model": model + b"\x0b",
        "bad-cut.gguf": front[:3000],
        "bad-version.gguf": front[:4] + b"\1" + front[5:],
        "bad-entries.gguf": front[:16] + b"\xff" * 8 + front[24:],
        "bad-key.gguf": front[:24] + b"\xff" * 8 + front[32:],
        "bad-kind.gguf": front.replace(b"\x05\0\0\0\0\0\0\0llama", b"\x05\0\0\0\0\0\0\0rwkv_"),
        "bad-types.gguf": front.replace(b"token_type", b"token_typo").replace(b"scores", b"shores"),
        "bad-pre.gguf": open(os.path.join(here, "good-gpt-2.gguf"), "rb").read()
        .replace(b"\x05\0\0\0\0\0\0\0gpt-2", b"\x05\0\0\0\0\0\0\0gpt-x"),
        "bad-base64.tiktoken": rank.replace(b"IQ== 33", b"I*== 33"),
        "bad-rank.tiktoken": rank.replace(b"IQ== 33", b"IQ== 3x"),
        "bad-twice.tiktoken": rank.replace(b"IQ== 33", b"IQ== 34"),
        "bad-huge.tiktoken": rank.replace(b"IQ== 33", b"IQ== 9999999"),
        "bad-bytes.tiktoken": rank.replace(b"IQ== 33\n", b""),
        "bad-no-unk-vocab.txt": b"[PAD]\nthe\nmill\n",
        "bad-utf8-vocab.txt": b"[UNK]\n\xff\n",
}.items():
    assert name == "bad-no-unk-vocab.txt" or name == "bad-utf8-vocab.txt" or \
        data not in (model, front, rank), name
    open(os.path.join(here, name), "wb").write(data)

# ---- rules of several characters, of which the longest counts; and sums so close that single
# precision decides, far into a text as well

with open(rules, "w", encoding="utf-8") as f:
    for a, b in [("\r\n", " \n"), ("\r", " "), ("\u00a0", " "), ("\u304b\u3099", "\u304c"),
                 ("\uff76", "\u30ab"), ("\uff76\uff9e", "\u30ac"), ("a\u0323", "\u1ea1"),
                 ("a\u0323\u0307", "x"), ("\u1100\u1161", "\uac00"), ("\u1100\u1161\u11a8", "\uac01"),
                 ("ab", "ba"), ("abc", "c"), ("\u2026", "...")]:
        f.write("%s\t%s\n" % (" ".join("%X" % ord(c) for c in a),
                              " ".join("%X" % ord(c) for c in b)))
runs = ["a" * n + " " + "mill" * n for n in range(1, 60)]
lines, more = lines + runs, more + ["\u304b \u304c \u30ab \u30ac \uac00 \uac01 \u1ea1 \u0307 \u0323"] * 40
parts = ["\r\n", "\r", "\u00a0", "\u304b\u3099", "\uff76\uff9e", "\uff76", "a\u0323", "a\u0323\u0307",
         "a\u0307\u0323", "\u1100\u1161", "\u1100\u1161\u11a8", "\u11a8", "ab", "abc", "aab", "abab", "\u2026",
         "the mill", "grinds", " ", "  ", "\u0301", "(", "<mask>"]
picks = random.Random(5)
texts = ["".join(picks.choice(parts) for _ in range(n % 9)) for n in range(60)]
texts += ["a" * 97, "mill" * 40, " ".join("a" * n for n in range(1, 50)), " ".join(runs)]
train("sp-longest", model_type="unigram", vocab_size=260, normalization_rule_tsv=rules,
      user_defined_symbols=["<mask>", "("], character_coverage=1.0, split_by_whitespace=True)
train("sp-longest-bpe", model_type="bpe", vocab_size=260, normalization_rule_tsv=rules,
      character_coverage=1.0, remove_extra_whitespaces=False)
os.remove(rules)

with open(os.path.join(here, "import-cases.jsonl"), "w", encoding="utf-8") as f:
    for tokenizer, text, ids in cases:
        f.write(json.dumps({"tokenizer": tokenizer, "text": text, "ids": ids}) + "\n")
