#!/usr/bin/env python3
"""Writes the samples of tokenizer.json, and what the `tokenizers` library makes of them, into the
directory that it stands in.

    pip install tokenizers==0.23.3 xxhash
    python3 tests/files/make-tokenizers.py

Equal bytes every time. good-tokenizer-*.json are read, bad-tokenizer-*.json refused;
tokenizer-cases.jsonl has a text and its ids a line, for each of the good ones, and
tokenizer-fingerprints the fingerprint of each as shard(5) specifies it.
"""
import collections
import json
import os
import random
import struct

import xxhash
from tokenizers import Tokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
TEXT = """the mill turns and the miller's mill grinds the grain; they'll say the wheel's water
is what turns it. There were 1234 sacks of flour, 56 of bran and 7 of grit in the mill then.
and then the theatre, the thing, the thin thatch: that is in an inn on an island."""


def byte_chars():
    bs = [*range(33, 127), *range(161, 173), *range(174, 256)]
    n, out = 0, {}
    for b in range(256):
        if b in bs:
            out[b] = chr(b)
        else:
            out[b] = chr(256 + n)
            n += 1
    return out


CHARS = byte_chars()


def train(n, text=TEXT, drop=()):
    """A vocabulary of the bytes and n merges: the most frequent pair, the smallest of equals."""
    words = collections.Counter()
    for i, w in enumerate(text.split()):
        words[tuple(CHARS[b] for b in ((" " if i else "") + w).encode())] += 1
    return train_words(n, words, [CHARS[b] for b in range(256) if b not in drop])


def train_words(n, words, vocab, prefix=""):
    merges = []
    made = lambda p: p[0] + p[1][len(prefix):]
    while len(merges) < n:
        pairs = collections.Counter()
        for w, k in words.items():
            for p in zip(w, w[1:]):
                pairs[p] += k
        best = min(pairs, key=lambda p: (-pairs[p], p))
        merges.append(best)
        if made(best) not in vocab:
            vocab.append(made(best))
        new = collections.Counter()
        for w, k in words.items():
            out, i = [], 0
            while i < len(w):
                if i + 1 < len(w) and (w[i], w[i + 1]) == best:
                    out.append(made(best))
                    i += 2
                else:
                    out.append(w[i])
                    i += 1
            new[tuple(out)] += k
        words = new
    return {t: i for i, t in enumerate(vocab)}, merges


def added(content, i, special=True, **kw):
    d = {"id": i, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": not special, "special": special}
    d.update(kw)
    return d


def byte_level(prefix=False, regex=True):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True,
            "use_regex": regex}


def split(pattern, behavior="Isolated", kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": False}


def seq(*v):
    return {"type": "Sequence", "pretokenizers": list(v)}


def by_regex(pattern):
    return seq(split(pattern), byte_level(False, False))


CL100K = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
          r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
U, W, C = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]", "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
O200K = (r"[^\r\n\p{L}\p{N}]?" + U + "*" + W + "+" + C + r"|[^\r\n\p{L}\p{N}]?" + U + "+" + W + "*"
         + C + r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def tokenizer(pre, n=60, norm=None, extra=(), pairs=False, drop=(), post=None, **model):
    vocab, merges = train(n, drop=drop)
    m = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
         "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
         "ignore_merges": False, "vocab": vocab,
         "merges": [list(p) if pairs else " ".join(p) for p in merges]}
    m.update(model)
    for t in [m["unk_token"]] if m["unk_token"] else []:
        vocab[t] = len(vocab)
    return {"version": "1.0", "truncation": None, "padding": None,
            "added_tokens": [added(**dict(a, i=len(vocab) + k)) for k, a in enumerate(extra)],
            "normalizer": norm, "pre_tokenizer": pre, "post_processor": post,
            "decoder": byte_level(), "model": m}


def token(content, **kw):
    return dict(content=content, **kw)


MARKS = [token("<|endoftext|>"), token("<|im_start|>"), token("<|im_end|>")]
NFC = {"type": "NFC"}
TEMPLATE = {"type": "TemplateProcessing", "single": [
    {"SpecialToken": {"id": "<|im_start|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
    {"SpecialToken": {"id": "<|im_end|>", "type_id": 0}}], "pair": [
    {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
    "special_tokens": {k: {"id": k, "ids": [i], "tokens": [k]}
                       for k, i in (("<|im_start|>", 317), ("<|im_end|>", 318))}}

good = {
    "gpt2": tokenizer(byte_level(), extra=MARKS),
    "cl100k": tokenizer(by_regex(CL100K), norm=NFC, extra=MARKS, pairs=True),
    "o200k": tokenizer(by_regex(O200K), extra=MARKS, ignore_merges=True,
                       post={"type": "Sequence", "processors": [byte_level(), TEMPLATE]}),
    "qwen": tokenizer(by_regex(CL100K.replace("{1,3}", "")), norm={"type": "Sequence",
                      "normalizers": [NFC]}, extra=MARKS),
    "prefix": tokenizer(byte_level(True), extra=MARKS),
    "prefix-only": tokenizer(byte_level(True, False)),
    "digits": tokenizer(seq({"type": "Digits", "individual_digits": True}, byte_level())),
    "numbers": tokenizer(seq({"type": "Digits", "individual_digits": False}, byte_level())),
    "regex": tokenizer(seq(split(r"\p{N}{2}"), split(r"(?i)th\w*|\s"), byte_level(False, False))),
    "string": tokenizer(seq(split("in", kind="String"), byte_level())),
    "added": tokenizer(byte_level(), norm=NFC, extra=[
        token("<l>", lstrip=True), token("<r>", rstrip=True), token("<b>", lstrip=True, rstrip=True),
        token("mill", special=False, single_word=True), token("  ", special=False),
        token("   ", special=False), token("e\u0301t", special=False),
        token("\u00e9t\u00e9", special=False, normalized=False), token("<", special=False),
        token("<l>>", normalized=True), token("\u00e9")]),
    "few-bytes": tokenizer(byte_level(), drop=(ord("q"), ord("Q"), 0xe4)),
    "unk": tokenizer(byte_level(), drop=(ord("q"), ord("Q"), 0xe4), unk_token="<unk>",
                     extra=[token("<unk>")]),
    "fuse-unk": tokenizer(byte_level(), drop=(ord("q"), ord("Q"), 0xe4), unk_token="<unk>",
                          fuse_unk=True),
}
# duplicate pairs, of which the last counts; a pair made twice; ids without order
v, m = train(60)
m = m + [m[3], m[0]]
v = {t: (i * 7 + 3) % len(v) for t, i in v.items()}
good["ranks"] = tokenizer(byte_level(), extra=MARKS, vocab=v, merges=[list(p) for p in m])
# a line of merges.txt that is no merge
good["version"] = tokenizer(byte_level())
good["version"]["model"]["merges"].insert(0, "#version: 0.2")
# runs of one letter: tokens that two merges make
v, m = train(0)
for a, b in (("a", "a"), ("aa", "aa"), ("a", "aa"), ("aa", "a"), ("aaa", "a"), ("aaaa", "aaa")):
    v.setdefault(a + b, len(v))
    m.append((a, b))
good["runs"] = tokenizer(byte_level(), vocab=v, merges=m)
good["runs-whole"] = tokenizer(byte_level(), vocab=v, merges=m, ignore_merges=True)

# ---- other models, and what goes with them


def bpe_of_chars(words, first=(), n=60, prefix="", suffix="", **model):
    """Over characters; words: how the pre-tokenizer cuts."""
    split = collections.Counter()
    for w in words:
        cs = [(prefix if i else "") + c for i, c in enumerate(w)]
        cs[-1] += suffix
        split[tuple(cs)] += 1
    chars = list(first) + sorted({c for w in split for c in w})
    vocab, merges = train_words(n, split, chars, prefix)
    return dict({"type": "BPE", "dropout": None, "unk_token": None,
                 "continuing_subword_prefix": prefix or None, "end_of_word_suffix": suffix or None,
                 "fuse_unk": False, "byte_fallback": False, "ignore_merges": False, "vocab": vocab,
                 "merges": [" ".join(p) for p in merges]}, **model)


def substrings(words, n):
    found = collections.Counter(w[i:k] for w in words for i in range(len(w))
                                for k in range(i + 2, min(len(w), i + 9) + 1))
    return sorted({c for w in words for c in w}) + sorted(found, key=lambda t: (-found[t] * len(t), t))[:n]


def charsmap(rules):
    """What normalizer.Precompiled has: Darts-clone's double array, and the replacements."""
    import base64
    text, trie = b"", {}
    for key, to in rules.items():
        node = trie
        for b in key.encode():
            node = node.setdefault(b, {})
        node[None] = len(text)
        text += to.encode() + b"\0"
    units, used = [0] * 256, {0}

    def place(at, node):  # the children of the node at `at` stand at base ^ label
        base = next(b for b in range(1, 1 << 20)
                    if not {b ^ (k or 0) for k in node} & used and b not in used)
        need = max(base ^ (k or 0) for k in node)
        units.extend([0] * (need + 256 - len(units)))
        used.update(base ^ (k or 0) for k in node)
        assert (at ^ base) < 1 << 21
        units[at] |= (at ^ base) << 10 | (256 if None in node else 0)
        for k in node:
            if k is None:
                units[base] = 1 << 31 | node[k]
            else:
                units[base ^ k] = k
        for k in node:
            if k is not None:
                place(base ^ k, node[k])

    place(0, trie)
    blob = struct.pack("<I", 4 * len(units)) + struct.pack("<%dI" % len(units), *units) + text
    return base64.b64encode(blob).decode()


def general(model, norm=None, pre=None, dec=None, post=None, extra=()):
    n = len(model["vocab"])
    return {"version": "1.0", "truncation": None, "padding": None,
            "added_tokens": [added(**dict(a, i=n + k)) for k, a in enumerate(extra)],
            "normalizer": norm, "pre_tokenizer": pre, "post_processor": post, "decoder": dec,
            "model": model}


def norms(*v):
    return {"type": "Sequence", "normalizers": list(v)}


def replace(a, b, kind="String"):
    return {"type": "Replace", "pattern": {kind: a}, "content": b}


def metaspace(**kw):
    return dict({"type": "Metaspace", "replacement": "\u2581"}, **kw)


MARK = "\u2581"
LOW = [w.strip(",.;:").lower() for w in TEXT.split()]
MARKED = [MARK + w for w in TEXT.split()]
BYTES = ["<0x%02X>" % b for b in range(256)]
S = [token("<s>"), token("</s>")]
UNK = ["<unk>", "<s>", "</s>"]
BERT = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
        "strip_accents": None, "lowercase": True}
LLAMA = {"type": "Sequence", "decoders": [replace(MARK, " "), {"type": "ByteFallback"},
                                          {"type": "Fuse"}, {"type": "Strip", "content": " ",
                                                             "start": 1, "stop": 0}]}
FALL = {"byte_fallback": True, "unk_token": "<unk>", "fuse_unk": True}


def numbered(v):
    return {t: i for i, t in enumerate(dict.fromkeys(v))}


def scored(v):
    return [[t, -((i * 37) % 101) / 7] for i, t in enumerate(v)]


good_general = {
    "wordpiece": general(
        {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
         "max_input_chars_per_word": 20,
         "vocab": numbered(["[UNK]"] + [x for t in substrings(LOW + ["\u4e2d", "'", "."], 80)
                                        for x in (t, "##" + t)])},
        BERT, {"type": "BertPreTokenizer"}, {"type": "WordPiece", "prefix": "##", "cleanup": True},
        extra=[token("[SEP]"), token("mill", special=False)]),
    "ctc": general(
        {"type": "WordLevel", "unk_token": "<unk>",
         "vocab": numbered(["<pad>", "<unk>", "|"] + sorted(set("".join(LOW) + ",.'<>")))},
        norms({"type": "Lowercase"}, replace(" ", "|")), {"type": "FixedLength", "length": 1},
        {"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": True},
        extra=[token("<pad>")]),
    "wordlevel": general(
        {"type": "WordLevel", "unk_token": "<unk>", "vocab": numbered(UNK + sorted(set(LOW)))},
        norms({"type": "NFD"}, {"type": "Lowercase"}, {"type": "StripAccents"}),
        {"type": "Whitespace"}, extra=[token("The", special=False)]),
    "unigram": general(
        {"type": "Unigram", "unk_id": 0, "vocab": scored(UNK + substrings(MARKED, 150)),
         "byte_fallback": False},
        norms({"type": "Precompiled", "precompiled_charsmap": charsmap(
            {"\ufb01": "fi", "\u00a0": " ", "\u3000": " ", "\t": " ", "\r\n": "\n", "e\u0301": "\u00e9",
             "\u0301": "", "\u00bd": "1\u20442", "\u4e2d": "mill"})},
            {"type": "Strip", "strip_left": False, "strip_right": True},
            replace(" {2,}", " ", "Regex")),
        metaspace(prepend_scheme="always", split=True), metaspace(prepend_scheme="always"),
        extra=S + [token("<mask>", lstrip=True)]),
    "unigram-bytes": general(
        {"type": "Unigram", "unk_id": 0, "vocab": scored(UNK + BYTES + substrings(MARKED, 150)),
         "byte_fallback": True},
        norms({"type": "Nmt"}, {"type": "NFKC"}),
        {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"},
                                               metaspace(add_prefix_space=True, str_rep=MARK)]},
        LLAMA, extra=S),
    "llama": general(
        bpe_of_chars(MARKED, UNK + BYTES, **FALL),
        norms({"type": "Prepend", "prepend": MARK}, replace(" ", MARK)), None, LLAMA,
        extra=[token("<unk>")] + S + [token("<|user|>", rstrip=True)]),
    "llama-first": general(
        bpe_of_chars(MARKED, UNK + BYTES, **FALL), None,
        metaspace(prepend_scheme="first", split=False), LLAMA, extra=S),
    "gemma": general(
        bpe_of_chars(MARKED, UNK, **dict(FALL, fuse_unk=False)), replace(" ", MARK),
        {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious",
         "invert": False},
        {"type": "Sequence", "decoders": [replace(MARK, " "), {"type": "ByteFallback"},
                                          {"type": "Fuse"}]},
        extra=S + [token("\n\n", special=False, normalized=False)]),
    "clip": general(
        bpe_of_chars(LOW, ["<unk>"], suffix="</w>", unk_token="<unk>"),
        norms(NFC, replace(r"\s+", " ", "Regex"), {"type": "Lowercase"}),
        {"type": "Split", "pattern": {"Regex": r"'s|'t|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"},
         "behavior": "Removed", "invert": True},
        {"type": "BPEDecoder", "suffix": "</w>"}, extra=S),
    "subwords": general(
        bpe_of_chars(LOW, ["<unk>"], prefix="##", suffix="@", unk_token="<unk>", fuse_unk=True),
        {"type": "NFKD"},
        {"type": "Sequence", "pretokenizers": [
            {"type": "CharDelimiterSplit", "delimiter": " "},
            {"type": "Punctuation", "behavior": "MergedWithNext"},
            {"type": "Digits", "individual_digits": False}, {"type": "FixedLength", "length": 7}]},
        {"type": "WordPiece", "prefix": "##", "cleanup": False}),
    "bloom": general(
        dict(tokenizer(byte_level())["model"]), None,
        seq({"type": "Punctuation", "behavior": "Contiguous"},
            split(r" ?[^(\s|[.,!?])]+"), split("[0-9][0-9][0-9]"), byte_level(True, False)),
        byte_level(), post=byte_level(True), extra=S),
}

# clusters of characters, as Unicode 17.0 has them, are looked up as a whole
CLUSTERS = ["\u1acf", "\u1add", "\u1aeb", "\U00010efb", "\U00011a3a", "\U00011b60", "\U00011b67",
            "\U0001e6e3", "\U0001e6f5", "\u0301", "\u200d", "\u0903", "\u0600"]
good_general["clusters"] = general(
    bpe_of_chars(["abc"], ["<unk>"], n=0, unk_token="<unk>"),
    {"type": "Precompiled", "precompiled_charsmap": charsmap(
        {"a": "b", **{c: "c" for c in CLUSTERS}})})
MORE = {"clusters": [t for c in CLUSTERS for t in ("a" + c, c + "a", c + c)]}

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<l>", "<r>", "<b>", "mill", "<", "<l>>",
           "<unk>", "\u00e9t\u00e9", "e\u0301t"]
PARTS = [" ", " ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "\u0085", "'s", "'LL", "'\u017f", "'",
         "the", " the", "The", "THE", " mill", "miller", "theatre", "in", "inn", "12", "345", "6", "\u00bd",
         "\u0663", "a", "aa", "aaaaa", "q", "Q", "qQ", "\u4e2d\u6587", "\u6c34", "\u00e9", "e\u0301",
         "\u0301", "\u0323\u0301", "\u1100\u1161\u11a8", "\uac00\u11a8", "\u01c5", "\u02b0", "\U0001f600",
         "\U0001e030", "\U00010d40", "\U000105d2\u0307", "\u0378", ".", "...", "/", "/\n", "_", "$",
         "\u2019", "\ufeff", "\u180e", "\u212b", "\u0958"] + SPECIAL


def cases(name, t):
    r = random.Random("tokenizer " + name)
    texts = ["", " ", TEXT, "a" * 200, "aaaaaaa", " " * 30, "\n" * 5, "mill", "a<r>   <l>b <b> c<l>>",
             "q\u4e2dQq the q", "x " * 40 + "thing" * 30]
    texts += ["".join(r.choice(PARTS) for _ in range(r.randint(1, 14))) for _ in range(40)]
    for s in texts + MORE.get(name, []):
        yield s, t.encode(s, add_special_tokens=False)


def put(name, data):
    with open(os.path.join(HERE, name), "w", encoding="utf-8", newline="\n") as f:
        f.write(data)


def dump(t, ascii=False):
    return json.dumps(t, ensure_ascii=ascii, separators=(",", ":")) + "\n"


def canonical(v):
    """Canonical JSON of shard(5); the samples have no numbers there, and no control characters."""
    if isinstance(v, dict):
        keys = sorted(v, key=lambda k: k.encode())
        return b"{" + b",".join(canonical(k) + b":" + canonical(v[k]) for k in keys) + b"}"
    if isinstance(v, list):
        return b"[" + b",".join(map(canonical, v)) + b"]"
    if isinstance(v, str):
        s = v.replace("\\", "\\\\").replace('"', '\\"')
        return b'"' + "".join(c if c >= " " else "\\u%04x" % ord(c) for c in s).encode() + b'"'
    return json.dumps(v).encode()


def fingerprint(t):
    def string(s):
        return struct.pack("<I", len(s.encode())) + s.encode()
    m = dict(t["model"])
    scores = [x for _, x in m["vocab"]] if isinstance(m["vocab"], list) else []
    if scores:
        m["vocab"] = {s: i for i, (s, _) in enumerate(m["vocab"])}
    vocab = sorted(m["vocab"].items(), key=lambda kv: (kv[1], kv[0].encode()))
    merges = [p.split(" ") if isinstance(p, str) else p for p in m.get("merges", [])
              if p != "#version: 0.2"]
    bits = [(1, "byte_fallback"), (2, "fuse_unk"), (4, "ignore_merges")]
    flags = ["special", "lstrip", "rstrip", "normalized", "single_word"]
    unk = m.get("unk_token")
    ids = []  # of the added tokens: the file's own are not heeded
    for a in t["added_tokens"]:
        ids.append(m["vocab"].get(a["content"], max([len(vocab)] + [i + 1 for i in ids])))
    out = b""
    for tag, payload in (
            (b"vers", struct.pack("<I", 1)),
            (b"modl", m["type"].encode()),
            (b"voca", b"".join(struct.pack("<I", i) + string(s) for s, i in vocab)),
            (b"merg", b"".join(struct.pack("<II", m["vocab"][a], m["vocab"][b]) for a, b in merges)),
            (b"scor", struct.pack("<%dd" % len(scores), *scores)),
            (b"sett", struct.pack("<qIIQ", m["vocab"][unk] if unk else m.get("unk_id", -1),
                                  sum(b for b, k in bits if m.get(k)), 0,
                                  m.get("max_input_chars_per_word", 0))
             + string(m.get("continuing_subword_prefix") or "")
             + string(m.get("end_of_word_suffix") or "")),
            (b"norm", canonical(t["normalizer"])),
            (b"spli", canonical(t["pre_tokenizer"])),
            (b"deco", canonical(t["decoder"])),
            (b"addt", b"".join(struct.pack("<II", k, sum(a[f] << i for i, f in enumerate(flags)))
                               + string(a["content"])
                               for k, a in sorted(zip(ids, t["added_tokens"]), key=lambda x: x[0])))):
        out += tag + struct.pack("<Q", len(payload)) + payload
    return xxhash.xxh3_128(out).hexdigest()


with open(os.path.join(HERE, "tokenizer-fingerprints"), "w", newline="\n") as f:
    for name, t in (good | good_general).items():
        f.write("%s good-tokenizer-%s.json\n" % (fingerprint(t), name))

with open(os.path.join(HERE, "tokenizer-cases.jsonl"), "w", encoding="utf-8", newline="\n") as f:
    for name, t in good.items():
        file = "good-tokenizer-%s.json" % name
        # one with escapes, one with its members in another order: the merges before the vocabulary
        if name == "qwen":
            t["model"] = {k: t["model"][k] for k in ("merges", "vocab", "type", "ignore_merges")}
            t = {k: t[k] for k in reversed(list(t))}
        data = dump(t, ascii=name == "cl100k")
        put(file, data)
        full = {"truncation": None, "padding": None, "post_processor": None, "decoder": byte_level()}
        full.update(t)
        full["model"] = dict({"dropout": None, "unk_token": None, "fuse_unk": False,
                              "byte_fallback": False, "continuing_subword_prefix": None,
                              "end_of_word_suffix": None}, **t["model"])
        for s, k in cases(name, Tokenizer.from_str(json.dumps(full))):
            f.write(json.dumps({"tokenizer": file, "text": s, "ids": k.ids}) + "\n")
    for name, t in good_general.items():
        file = "good-tokenizer-%s.json" % name
        put(file, dump(t))
        tok = Tokenizer.from_str(json.dumps(t))
        for s, k in cases(name, tok):
            f.write(json.dumps({"tokenizer": file, "text": s, "ids": k.ids,
                                "offsets": [x for o in k.offsets for x in o],
                                "decoded": tok.decode(k.ids, skip_special_tokens=False)}) + "\n")

# ---- refused, each with one fault

SMALL = {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}


def small(pre=byte_level(), **kw):
    d = {"added_tokens": [], "normalizer": None, "pre_tokenizer": pre, "decoder": byte_level(),
         "model": dict(SMALL, **kw.pop("model", {}))}
    d.update(kw)
    return d


for name in os.listdir(HERE):
    if name.startswith("bad-tokenizer-") and name.endswith(".json"):
        os.unlink(os.path.join(HERE, name))
bad = {
    "no-model": {"version": "1.0"},
    "array": [],
    "model-twice": '{"model":%s,"model":%s}' % (json.dumps(SMALL), json.dumps(SMALL)),
    "model-null": small(model_=None, **{"model": {}}) | {"model": None},
    "model-type": small(model={"type": "Nonesuch"}),
    "wordpiece": small() | {"model": {"type": "WordPiece", "vocab": {"a": 0}}},
    "wordpiece-list": small() | {"model": {"type": "WordPiece", "vocab": [["a", 0.0]],
                                           "unk_token": "a"}},
    "unigram": small() | {"model": {"type": "Unigram", "unk_id": 1, "vocab": [["a", 0.0]]}},
    "unigram-score": small() | {"model": {"type": "Unigram", "vocab": [["a"]]}},
    "unigram-token": small() | {"model": {"type": "Unigram", "vocab": [[1, 0.0]]}},
    "unigram-object": small() | {"model": {"type": "Unigram", "vocab": {"a": 0}}},
    "wordlevel": small() | {"model": {"vocab": {"a": 0}}},
    "no-vocab": small() | {"model": {"type": "BPE", "merges": []}},
    "empty-vocab": small(model={"vocab": {}}),
    "vocab-string": small(model={"vocab": {"a": "0"}}),
    "vocab-real": small(model={"vocab": {"a": 0.5}}),
    "vocab-negative": small(model={"vocab": {"a": -1}}),
    "vocab-huge": small(model={"vocab": {"a": 1 << 40}}),
    "merge-token": small(model={"merges": ["a c"]}),
    "merge-result": small(model={"merges": ["b a"]}),
    "merge-three": small(model={"merges": ["a b b"]}),
    "merge-one": small(model={"merges": ["ab"]}),
    "merge-triple": small(model={"merges": [["a", "b", "b"]]}),
    "merge-single": small(model={"merges": [["a"]]}),
    "merge-number": small(model={"merges": [[0, 1]]}),
    "merges-object": small(model={"merges": {}}),
    "dropout": small(model={"dropout": 0.1}),
    "pre": small(pre={"type": "Nonesuch"}),
    "scripts": small(pre={"type": "UnicodeScripts"}),
    "behavior": small(pre=split("a", "Kept")),
    "invert": small(pre={"type": "Split", "pattern": {"String": "a"}, "behavior": "Removed"}),
    "metaspace": small(pre={"type": "Metaspace", "replacement": "_", "add_prefix_space": False}),
    "metaspace-mark": small(pre={"type": "Metaspace", "replacement": "__"}),
    "fixed-length": small(pre={"type": "FixedLength", "length": 0}),
    "pattern": small(pre=by_regex("(a")),
    "pattern-nested": small(pre=by_regex("[[:alpha:]]")),
    "pattern-missing": small(pre=seq({"type": "Split", "behavior": "Isolated"}, byte_level())),
    "behind-byte-level": small(pre=seq(byte_level(), {"type": "Digits"})),
    "normalizer": small(normalizer={"type": "Nonesuch"}),
    "bert": small(normalizer={"type": "BertNormalizer", "lowercase": True}),
    "replace": small(normalizer={"type": "Replace", "pattern": "a", "content": "b"}),
    "charsmap": small(normalizer={"type": "Precompiled", "precompiled_charsmap": "????"}),
    "charsmap-short": small(normalizer={"type": "Precompiled", "precompiled_charsmap": "BAAA"}),
    "ctc": small(decoder={"type": "CTC", "word_delimiter_token": "b", "cleanup": True}),
    "decoder": small(decoder={"type": "Metaspace"}),
    "post": small(post_processor={"type": "Nonesuch"}),
    "template": small(post_processor={"type": "TemplateProcessing", "single": [
        {"SpecialToken": {"id": "x", "type_id": 0}}, {"Sequence": {"id": "A"}}],
        "special_tokens": {}}),
    "added-object": small(added_tokens={}),
    "added-number": small(added_tokens=[1]),
    "added-no-content": small(added_tokens=[{"id": 3}]),
    "added-flag": small(added_tokens=[{"id": 3, "content": "x", "special": 1}]),
    "added-id": small(added_tokens=[{"id": "3", "content": "x"}]),
    "truncated": dump(small())[:-40],
    "behind": dump(small()) + "{}",
    "empty": "",
    "utf8": b'{"pre_tokenizer":{"type":"ByteLevel"},"model":{"vocab":{"a\xff":0}}}',
}
for name, t in bad.items():
    data = t if isinstance(t, (str, bytes)) else dump(t)
    with open(os.path.join(HERE, "bad-tokenizer-%s.json" % name), "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())
