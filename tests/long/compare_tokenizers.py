"""Tokenizers of every kind against the `tokenizers` library: ids, offsets and decoding.

    python3 tests/long/compare_tokenizers.py kinds [SEED [ROUNDS]]   small ones made on the spot
    python3 tests/long/compare_tokenizers.py shapes CHARSMAP.json.gz...   as published ones look
    python3 tests/long/compare_tokenizers.py files N TOKENIZER.json.gz... -- CORPUS.jsonl.gz...

N: every Nth document. CHARSMAP: tokenizer.json files from which precompiled charsmaps are taken.

Prints TAP. The programs are sought in PATH, and files are written into the directory it runs in.
"""
import gzip
import json
import os
import random
import subprocess
import sys
import unicodedata

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers import processors, trainers

n_tests = n_failed = 0


def ok(good, name, *why):
    global n_tests, n_failed
    n_tests += 1
    n_failed += not good
    print("%sok %d - %s" % ("" if good else "not ", n_tests, name))
    for w in () if good else why:
        print("#", repr(w)[:400])
    sys.stdout.flush()


def run(*argv):
    p = subprocess.run(argv, capture_output=True)
    if p.returncode:
        raise RuntimeError("%s: %s" % (" ".join(argv[:3]), p.stderr.decode().strip()))
    return p.stdout.decode()


def decode(tok, ids):
    try:
        return tok.decode(ids, skip_special_tokens=False)
    except BaseException as e:
        if isinstance(e, KeyboardInterrupt):
            raise
        return None


def around(a, b):
    k = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    return a[max(0, k - 10):k + 20], b[max(0, k - 10):k + 20]


def compare(name, tok, texts, offsets=True):
    """tok is the library's; the file that it saves is what both read."""
    tok.save("tok.json", pretty=False)
    tok = Tokenizer.from_file("tok.json")
    tok.no_truncation()
    tok.no_padding()
    want, kept = [], []
    for text in texts:
        try:
            want.append(tok.encode(text, add_special_tokens=False))
            kept.append(text)
        except BaseException as e:  # a panic of the library is no Exception
            if isinstance(e, KeyboardInterrupt):
                raise
    with open("in.jsonl", "w") as f:
        for text in kept:
            f.write(json.dumps({"text": text}) + "\n")
    if not kept:
        ok(False, name + ": the library encodes none of the texts")
        return
    try:
        out = run("tokenize", "-q", "-t", "tok.json", "--text-ids", "in.jsonl").split("\n")
        got = [[int(x) for x in line.split()] for line in out[:-1]]
        bad = [i for i, w in enumerate(want) if w.ids != got[i]]
        ok(not bad, name + ": ids", *[(kept[i], want[i].ids, got[i], want[i].tokens)
                                      for i in bad[:2]])
        if offsets:
            out = run("tokenize", "-q", "-t", "tok.json", "--text-ids", "--offsets",
                      "in.jsonl").split("\n")
            got = [[tuple(int(x) for x in k.replace("-", ":").split(":")) for k in line.split()]
                   for line in out[:-1]]
            same = [[(i,) + o for i, o in zip(w.ids, w.offsets)] for w in want]
            bad = [i for i, w in enumerate(same) if w != got[i]]
            ok(not bad, name + ": offsets", *[(kept[i], [(a, b) for a, b in zip(same[i], got[i])
                                                         if a != b][:5]) for i in bad[:2]])
        run("tokenize", "-q", "-t", "tok.json", "-o", "x.tok", "in.jsonl")
        got = [json.loads(x)["text"] for x in
               run("detokenize", "-q", "--jsonl", "x.tok").split("\n")[:-1]]
        same = [decode(tok, w.ids) for w in want]
        bad = [i for i, w in enumerate(same) if w not in (got[i], None)]
        ok(not bad, name + ": decoding", *[around(same[i], got[i]) + (want[i].tokens,)
                                           for i in sorted(bad, key=lambda i: len(kept[i]))[:2]])
    except RuntimeError as e:
        ok(False, name, str(e))


# ---- texts

WORDS = """the mill The MILL miller's grinds water's they'll don't do not it 's ve re I'm 1234 56 7 3.14
a aa aaa ab b é É ÉTÉ naïve Straße ſ K İ ı ǅ Σίσυφος ΟΔΟΣ привет Ёж мир 中文 的 汉字 日本語 カタカナ
ｶﾞ ひらがな 한국어 각 각 ㈱ ﬁ ﬀ ① ² ½ Ⅳ ٣ ४ สวัสดี नमस्ते שלום مرحبا 🌾 👩‍👩‍👧 🇩🇪 ☃ ☃️ <s> </s> <unk> [UNK]
[SEP] <0x0A> ## ▁ ▁the Ġthe </w> `` '' -- ... . , ! ? ; : ( ) [ ] { } < > / \\ | @ # $ % ^ & * _ + = ~ " '""".split()
ODD = [" ", "  ", "   ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "\u2028", "\u200b", "\u200d", "\ufeff",
       "\x00", "\x01", "\x7f", "\x85", "\xad", "\ufffd", "e\u0301", "\u0301", "a\u0323\u0307",
       "q\u0307\u0323", "\u1100\u1161\u11a8", "\u0344", "\u212b", "\u2126", "\u1e9b\u0323",
       "\ufdfa", "\u0600", "\u0d4e", "\u0915\u094d\u0937", "\u20d0", "\U0001d15e", "\U00020000",
       "\U0002f800", "\ua7f2", "\U00016ea0", "\U000e0001", "\U0010ffff", "\u0378", "\u2581"]


def make_text(r):
    out = []
    for _ in range(r.choice((0, 1, 2, 5, 20, 60))):
        k = r.random()
        if k < 0.55:
            out.append(r.choice(WORDS))
        elif k < 0.8:
            out.append(r.choice(ODD))
        elif k < 0.97:
            out.append(chr(r.choice((r.randrange(0x20, 0x7f), r.randrange(0xa0, 0x2000),
                                     r.randrange(0x2000, 0xd800), r.randrange(0xe000, 0x11000),
                                     r.randrange(0x1d000, 0x20000)))))
        else:
            out.append(r.choice("aAé中 ") * r.randrange(1, 300))
        if r.random() < 0.5:
            out.append(" ")
    return "".join(out)


def make_texts(r, n):
    return [make_text(r) for _ in range(n)]


# ---- single components

def random_normalizer(r):
    N = normalizers
    return r.choice([
        N.NFC, N.NFD, N.NFKC, N.NFKD, N.Lowercase, N.StripAccents, N.Nmt, N.ByteLevel,
        lambda: N.Strip(left=r.random() < .5, right=r.random() < .5),
        lambda: N.BertNormalizer(r.random() < .5, r.random() < .5, r.choice([None, True, False]),
                                 r.random() < .5),
        lambda: N.Prepend(r.choice(["\u2581", " ", "ab", "中"])),
        lambda: N.Replace(r.choice([" ", "a", "the", "\u0301"]), r.choice(["\u2581", "", "xy"])),
        lambda: N.Replace(Regex(r.choice([r"\s+", r" {2,}", r"[\n\r]+", r"\p{L}(?=\d)", "^",
                                          r"(a)(b)?"])), r.choice([" ", "", "中"])),
    ])()


def random_pre(r):
    P = pre_tokenizers
    behavior = r.choice(["removed", "isolated", "merged_with_previous", "merged_with_next",
                         "contiguous"])
    return r.choice([
        P.Whitespace, P.WhitespaceSplit, P.BertPreTokenizer,
        lambda: P.ByteLevel(add_prefix_space=r.random() < .5, use_regex=r.random() < .5),
        lambda: P.Split(r.choice([" ", "a", "the", "\u2581"]), behavior, r.random() < .3),
        lambda: P.Split(Regex(r.choice([r"\s+", r"\w+|[^\w\s]+", r"\p{N}", r"[a-c]+", r"(?=b)",
                                        r"\d{1,3}(?=(?:\d{3})*\b)", r".{1,3}"])),
                        behavior, r.random() < .3),
        lambda: P.Metaspace(r.choice("\u2581_"), r.choice(["always", "never", "first"]),
                            r.random() < .7),
        lambda: P.Digits(r.random() < .5),
        lambda: P.Punctuation(behavior),
        lambda: P.CharDelimiterSplit(r.choice(" a中")),
        lambda: P.FixedLength(r.randrange(1, 9)),
    ])()


def random_decoder(r):
    D = decoders
    return r.choice([
        D.ByteLevel, D.ByteFallback, D.Fuse,
        lambda: D.CTC(r.choice(["<unk>", "a"]), r.choice(["|", "\u2581"]), r.random() < .5),
        lambda: D.WordPiece(r.choice(["##", "@@", ""]), r.random() < .5),
        lambda: D.Metaspace(r.choice("\u2581_"), r.choice(["always", "never", "first"])),
        lambda: D.BPEDecoder(r.choice(["</w>", "e"])),
        lambda: D.Strip(r.choice(" a"), r.randrange(3), r.randrange(3)),
        lambda: D.Replace(r.choice(["\u2581", "a", "</w>"]), r.choice([" ", ""])),
        lambda: D.Replace(Regex(r"\s+"), " "),
    ])()


def sequence(r, one, of, at_most):
    n = r.randrange(at_most + 1)
    return None if n == 0 else one(r) if n == 1 else of([one(r) for _ in range(n)])


def random_post(r):
    return r.choice([None, processors.ByteLevel(trim_offsets=r.random() < .7,
                                                add_prefix_space=r.random() < .5),
                     processors.RobertaProcessing(("</s>", 2), ("<s>", 1), r.random() < .5,
                                                  r.random() < .5)])


def pieces_of(r, texts, n):
    """Substrings of the texts, every one of their characters among them."""
    out = {c: None for c in sorted(set("".join(texts))) if r.random() < .9}
    for _ in range(n):
        t = r.choice(texts)
        if t:
            i = r.randrange(len(t))
            out[t[i:i + r.randrange(2, 8)]] = None
    return list(out)


BYTES = ["<0x%02X>" % b for b in range(256)]


def random_model(r, tok, texts):
    """A model over what the normalizer and the pre-tokenizer make of the texts."""
    seen = []
    for t in texts:
        n = tok.normalizer.normalize_str(t) if tok.normalizer else t
        seen += [p for p, _ in tok.pre_tokenizer.pre_tokenize_str(n)] if tok.pre_tokenizer else [n]
    seen = [s for s in seen if s] or ["a"]
    kind = r.choice(["bpe", "wordpiece", "unigram", "wordlevel"])
    extra = ["<unk>", "<s>", "</s>"] + (BYTES if r.random() < .5 else [])
    if kind == "wordlevel":
        vocab = {s: i for i, s in enumerate(dict.fromkeys(extra + seen[::2]))}
        return models.WordLevel(vocab, "<unk>")
    if kind == "wordpiece":
        prefix = r.choice(["##", "", "@"])
        v = extra + [s for p in pieces_of(r, seen, 300) for s in (p, prefix + p)]
        return models.WordPiece({s: i for i, s in enumerate(dict.fromkeys(v))}, unk_token="<unk>",
                                continuing_subword_prefix=prefix,
                                max_input_chars_per_word=r.choice([5, 100]))
    if kind == "unigram":  # ties abound
        v = extra + pieces_of(r, seen, 300)
        scores = [(s, r.choice([-r.random() * 12, -float(r.randrange(12))]))
                  for s in dict.fromkeys(v)]
        return models.Unigram(scores, 0, r.random() < .5)
    prefix, suffix = r.choice([("", ""), ("", ""), ("", "</w>"), ("##", ""), ("##", "</w>")])
    trainer = trainers.BpeTrainer(
        vocab_size=r.choice([60, 300, 700]), show_progress=False, special_tokens=extra,
        limit_alphabet=r.choice([40, 1000]),
        **{k: v for k, v in (("continuing_subword_prefix", prefix),
                             ("end_of_word_suffix", suffix)) if v})
    t = Tokenizer(models.BPE(unk_token="<unk>"))
    t.normalizer = tok.normalizer
    if tok.pre_tokenizer:
        t.pre_tokenizer = tok.pre_tokenizer
    t.train_from_iterator(texts, trainer)
    j = json.loads(t.to_str())["model"]
    merges = [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in j["merges"]]
    more = {k: v for k, v in (("continuing_subword_prefix", prefix),
                              ("end_of_word_suffix", suffix),
                              ("unk_token", r.choice(["", "<unk>", "<unk>"]))) if v}
    return models.BPE(j["vocab"], merges, fuse_unk=r.random() < .5,
                      byte_fallback=r.random() < .5, ignore_merges=r.random() < .3, **more)


def add_tokens(r, tok):
    for _ in range(r.randrange(5)):
        s = r.choice(["<s>", "</s>", "the", "a", " mill", "中", "É", "[SEP]", "  ", "<x>", "\n"])
        if tok.normalizer and not tok.normalizer.normalize_str(s):
            continue  # refused
        tok.add_tokens([AddedToken(
            s,
            single_word=r.random() < .3, lstrip=r.random() < .3, rstrip=r.random() < .3,
            normalized=r.random() < .5, special=r.random() < .3)])


def random_kind(r, k):
    texts = make_texts(r, 60)
    tok = Tokenizer(models.WordLevel({"a": 0}, "a"))
    n = sequence(r, random_normalizer, normalizers.Sequence, 3)
    p = sequence(r, random_pre, pre_tokenizers.Sequence, 3)
    if n:
        tok.normalizer = n
    if p:
        tok.pre_tokenizer = p
    tok.model = random_model(r, tok, texts)
    d = sequence(r, random_decoder, decoders.Sequence, 3)
    if not d and isinstance(tok.model, models.BPE) and "ByteLevel" in str(p):
        d = decoders.ByteLevel()  # without one the library shows how bytes are spelled
    if d:
        tok.decoder = d
    q = random_post(r)
    if q:
        tok.post_processor = q
    add_tokens(r, tok)
    j = json.loads(tok.to_str())
    names = [j["model"]["type"]] + [str(j[x] and ([y["type"] for s in j[x].values()
                                                   if isinstance(s, list) for y in s
                                                   if isinstance(y, dict)] or j[x]["type"]))
                                    for x in ("normalizer", "pre_tokenizer", "decoder")]
    compare("random %d %s" % (k, " ".join(names)), tok, texts + make_texts(r, 60))


# ---- as published ones look, with small vocabularies

CL100K = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+"
          r"[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = CL100K.replace("{1,3}", "")
BLOOM = " ?[^(\\s|[.,!?…。，、।۔،])]+"
DEEPSEEK = ["[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+", r"\p{N}+"]


DEEPSEEK_V3 = [r"\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+",
               "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?"
               "[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"]
NOT_HAN = r"[\p{%s}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]"
KIMI = (r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?" + NOT_HAN % r"Lu}\p{Lt" + "*" + NOT_HAN % "Ll" +
        r"+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?" + NOT_HAN % r"Lu}\p{Lt" + "+" + NOT_HAN % "Ll" +
        r"*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN35 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}|"
          r" ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def added(content, special=True, **kw):
    d = {"content": content, "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": False, "special": special}
    d.update(kw)
    return d


def byte_level(prefix=False, regex=True, trim=True):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": trim,
            "use_regex": regex}


def sequence_of(key, *v):
    return {"type": "Sequence", key: list(v)}


def split(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def metaspace(**kw):
    return dict({"type": "Metaspace", "replacement": "\u2581"}, **kw)


def replace(pattern, content, kind="String"):
    return {"type": "Replace", "pattern": {kind: pattern}, "content": content}


def template(before, after):
    part = lambda s: {"SpecialToken": {"id": s, "type_id": 0}}
    return {"type": "TemplateProcessing",
            "single": [part(s) for s in before] + [{"Sequence": {"id": "A", "type_id": 0}}] +
                      [part(s) for s in after],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {s: {"id": s, "ids": [1], "tokens": [s]} for s in before + after}}


LLAMA_DECODER = sequence_of("decoders", replace("\u2581", " "), {"type": "ByteFallback"},
                            {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1,
                                               "stop": 0})
LLAMA_NORM = sequence_of("normalizers", {"type": "Prepend", "prepend": "\u2581"},
                         replace(" ", "\u2581"))
BERT = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
        "strip_accents": None, "lowercase": True}


def shapes(charsmap):
    """name: kind of model, its settings, normalizer, pre_tokenizer, decoder, post_processor, added"""
    bpe, pieces, unigram = "BPE", "WordPiece", "Unigram"
    bl, blf = byte_level(), byte_level(regex=False)
    spm = {"type": "Precompiled", "precompiled_charsmap": charsmap}
    ends = [added("<s>"), added("</s>"), added("<unk>")]
    mask = added("<mask>", lstrip=True)
    fall = {"byte_fallback": True, "unk_token": "<unk>", "fuse_unk": True}
    wp = {"type": "WordPiece", "prefix": "##", "cleanup": True}
    bert = [added(x) for x in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")]
    albert = [replace("``", '"'), replace("''", '"'), {"type": "NFKD"}, {"type": "StripAccents"},
              {"type": "Lowercase"}, spm]
    tekken = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|"
              r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|"
              r"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
    return {
        "gpt2, gpt-j, opt": (bpe, {}, None, bl, bl, byte_level(True, trim=False),
                             [added("<|endoftext|>", normalized=True)]),
        "roberta, bart": (bpe, {}, None, bl, bl,
                          {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0],
                           "trim_offsets": True, "add_prefix_space": False}, ends + [mask]),
        "roberta with a space before": (bpe, {}, None, byte_level(True), bl,
                                        {"type": "RobertaProcessing", "sep": ["</s>", 2],
                                         "cls": ["<s>", 0], "trim_offsets": True,
                                         "add_prefix_space": True}, ends + [mask]),
        "gpt-neox, phi": (bpe, {}, {"type": "NFC"}, bl, bl, bl,
                          [added("<|endoftext|>"), added("    ", False, normalized=True),
                           added("  ", False, normalized=True)]),
        "codegen, phi-2": (bpe, {}, None, bl, bl, byte_level(trim=False),
                           [added("\t\t", False, normalized=True), added("  ", False,
                                                                         normalized=True)]),
        "bloom": (bpe, {}, None, sequence_of("pretokenizers", split(BLOOM), blf), bl,
                  byte_level(True, False, False), ends),
        "falcon": (bpe, {}, None, sequence_of(
            "pretokenizers", {"type": "Punctuation", "behavior": "Contiguous"}, bl,
            {"type": "Digits", "individual_digits": False},
            split("[0-9][0-9][0-9]")), bl, byte_level(trim=False), [added(">>TITLE<<")]),
        "starcoder": (bpe, {}, None, sequence_of(
            "pretokenizers", {"type": "Digits", "individual_digits": True}, bl), bl, bl,
            [added("<fim_prefix>")]),
        "command-r": (bpe, {}, {"type": "NFC"}, sequence_of(
            "pretokenizers", {"type": "Digits", "individual_digits": True}, bl), bl,
            sequence_of("processors", byte_level(True, trim=False), template(["<s>"], [])), ends),
        "llama 3": (bpe, {"ignore_merges": True}, None,
                    sequence_of("pretokenizers", split(CL100K), blf), bl,
                    sequence_of("processors", byte_level(True, trim=False), template(["<s>"], [])),
                    ends),
        "qwen 2": (bpe, {}, {"type": "NFC"}, sequence_of("pretokenizers", split(QWEN2), blf), bl,
                   byte_level(False, False, False), [added("<|im_end|>")]),
        "mistral tekken": (bpe, {"ignore_merges": True}, None,
                           sequence_of("pretokenizers", split(tekken), blf), bl, bl, ends),
        "deepseek coder": (bpe, {}, sequence_of("normalizers"), sequence_of(
            "pretokenizers", *[split(x) for x in DEEPSEEK], bl), bl, bl, ends),
        "deepseek v3, r1": (bpe, {}, sequence_of("normalizers"), sequence_of(
            "pretokenizers", *[split(x) for x in DEEPSEEK_V3], blf), bl,
            byte_level(False, True, False), ends + [added("<｜User｜>", False),
                                                    added("<think>", False)]),
        "kimi": (bpe, {"ignore_merges": True}, None, sequence_of("pretokenizers", split(KIMI), blf), bl,
                 None, ends),
        "qwen 3.5": (bpe, {}, {"type": "NFC"}, sequence_of("pretokenizers", split(QWEN35), blf),
                     bl, byte_level(False, False, False), [added("<|im_end|>")]),
        "modernbert": (bpe, {}, {"type": "NFC"}, bl, bl, template(["<s>"], ["</s>"]),
                       ends + [mask, added("   ", False, normalized=True)]),
        "deberta 1, longformer": (bpe, {}, None, byte_level(True), bl,
                                  template(["<s>"], ["</s>"]), ends + [mask]),
        "smollm": (bpe, {}, None, sequence_of(
            "pretokenizers", {"type": "Digits", "individual_digits": True}, bl), bl, None,
            [added("<|im_start|>"), added("<jupyter_text>")]),
        "nemotron, as llama with tekken's": (
            bpe, {"ignore_merges": True}, None, sequence_of(
                "pretokenizers", split(tekken.replace(r"\p{N}|", r"\p{N}{1,3}|")), blf), bl,
            sequence_of("processors", byte_level(True, trim=False), template(["<s>"], [])), ends),
        "gemma 3": (bpe, fall, replace(" ", "\u2581"), split(" ", "MergedWithPrevious",
                                                             kind="String"),
                    sequence_of("decoders", replace("\u2581", " "), {"type": "ByteFallback"},
                                {"type": "Fuse"}), template(["<s>"], []),
                    ends + [added("\n" * k, False) for k in (2, 3, 4)] +
                    [added("\u2581" * k, False) for k in (2, 3, 5)] + [added("<unused0>", False)]),
        "llama 1 and 2, yi": (bpe, fall, LLAMA_NORM, None, LLAMA_DECODER, template(["<s>"], []), ends),
        "llama 2 anew": (bpe, fall, None, metaspace(prepend_scheme="first", split=False),
                         LLAMA_DECODER, template(["<s>"], []), ends),
        "mistral 3": (bpe, fall, None, metaspace(prepend_scheme="first", split=False),
                      LLAMA_DECODER, template(["<s>"], []), ends + [added("[INST]")]),
        "gemma": (bpe, fall, replace(" ", "\u2581"), split(" ", "MergedWithPrevious",
                                                           kind="String"),
                  sequence_of("decoders", replace("\u2581", " "), {"type": "ByteFallback"},
                              {"type": "Fuse"}), template(["<s>"], []),
                  ends + [added("\n\n", False), added("\u2581\u2581", False), added("<b>", False)]),
        "phi 3": (bpe, fall, LLAMA_NORM, None, LLAMA_DECODER, template(["<s>"], []),
                  ends + [added("<|user|>", rstrip=True), added("<|end|>", rstrip=True)]),
        "clip": (bpe, {"end_of_word_suffix": "</w>", "unk_token": "<unk>"}, sequence_of(
            "normalizers", {"type": "NFC"}, replace(r"\s+", " ", "Regex"), {"type": "Lowercase"}),
            sequence_of("pretokenizers", split(
                r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+", "Removed", True), bl),
            bl, {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1],
                 "trim_offsets": False, "add_prefix_space": False}, ends),
        "gpt, xlm": (bpe, {"end_of_word_suffix": "</w>", "unk_token": "<unk>"}, dict(BERT),
                     {"type": "BertPreTokenizer"}, {"type": "BPEDecoder", "suffix": "</w>"}, None,
                     ends),
        "whisper": (bpe, {}, None, bl, bl, template(["<s>"], ["</s>"]),
                    ends + [added("<|0.00|>", False)]),
        "bert, electra, distilbert": (pieces, {}, dict(BERT), {"type": "BertPreTokenizer"}, wp,
                                      template(["[CLS]"], ["[SEP]"]), bert),
        "bert cased": (pieces, {}, dict(BERT, lowercase=False), {"type": "BertPreTokenizer"}, wp,
                       {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}, bert),
        "mpnet": (pieces, {}, dict(BERT), {"type": "BertPreTokenizer"}, wp,
                  {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0],
                   "trim_offsets": True, "add_prefix_space": False}, ends + [mask]),
        "t5": (unigram, {}, spm, sequence_of(
            "pretokenizers", {"type": "WhitespaceSplit"}, metaspace(add_prefix_space=True)),
            metaspace(add_prefix_space=True), template([], ["</s>"]),
            ends + [added("<extra_id_0>"), added("<extra_id_1>")]),
        "t5 anew, flan": (unigram, {}, sequence_of(
            "normalizers", spm, {"type": "Strip", "strip_left": False, "strip_right": True},
            replace(" {2,}", "\u2581", "Regex")), metaspace(prepend_scheme="always", split=True),
            metaspace(prepend_scheme="always", split=True), template([], ["</s>"]), ends),
        "xlm-r, mbart, camembert": (unigram, {}, sequence_of(
            "normalizers", spm, replace(" {2,}", " ", "Regex")), metaspace(prepend_scheme="always"),
            metaspace(prepend_scheme="always"), template(["<s>"], ["</s>"]), ends + [mask]),
        "albert": (unigram, {}, sequence_of("normalizers", *albert), sequence_of(
            "pretokenizers", {"type": "WhitespaceSplit"}, metaspace(add_prefix_space=True)),
            metaspace(add_prefix_space=True), template(["[CLS]"], ["[SEP]"]), bert[2:] + [mask]),
        "deberta 3": (unigram, {}, sequence_of(
            "normalizers", {"type": "Strip", "strip_left": True, "strip_right": True}, spm,
            replace(" {2,}", " ", "Regex")), sequence_of("pretokenizers", metaspace()),
            metaspace(), template(["[CLS]"], ["[SEP]"]), bert[2:]),
        "nllb, m2m, madlad": (unigram, {"byte_fallback": True}, sequence_of(
            "normalizers", spm, {"type": "Nmt"}, {"type": "NFKC"}), metaspace(
                prepend_scheme="never"), metaspace(prepend_scheme="never"), None, ends),
        "words": ("WordLevel", {}, sequence_of("normalizers", {"type": "NFD"}, {"type": "Lowercase"},
                                               {"type": "StripAccents"}), {"type": "Whitespace"},
                  None, None, ends),
    }


def among(r, texts, tokens):
    """Texts with the tokens everywhere: doubled, in words, in capitals, cut short, decomposed."""
    out = []
    for text in texts:
        parts = [text[i:i + 12] for i in range(0, min(len(text), 120), 12)] or [""]
        for _ in range(r.randrange(1, 6)):
            t = r.choice(tokens)
            t = r.choice([t, t, t, t + t, t.upper(), t[:-1], t[1:], unicodedata.normalize("NFD", t)])
            around = r.choice(["%s", " %s", "%s ", "  %s  ", "a%s", "%sb", "\n%s\n", "\u3000%s\u00a0",
                               "\u0301%s\u0301", "\u200d%s", "_%s1", "\x00%s"])
            parts.insert(r.randrange(len(parts) + 1), around % t)
        out.append("".join(parts))
    return out


def with_added(r, tok):
    """Tokens with every combination of their settings, of the kinds that are published."""
    contents = ["<a>", "[M]", "mill", "É", "e\u0301", " ", "  ", "\n", "<|x|>", "aa", "中", "\u2581the",
                "the mill", "<0x41>", "##a", "A", "\U0001f33e", "Straße", "ﬁ", "1", "</w>", "\u200d"]
    # the library decodes letters that stand for bytes as bytes, in these as well
    if "ByteLevel" in json.dumps(json.loads(tok.to_str())["decoder"]):
        contents = [x for x in contents if x not in ("É", "e\u0301", "Straße")]
    for content in r.sample(contents, 6):
        tok.add_tokens([AddedToken(content, single_word=r.random() < .3, lstrip=r.random() < .4,
                                   rstrip=r.random() < .4, normalized=r.random() < .5,
                                   special=r.random() < .4)])
    return tok


def build(r, shape, texts):
    kind, settings, norm, pre, dec, post, tokens = shape
    j = json.loads(Tokenizer(models.WordLevel({"a": 0}, "a")).to_str())
    j.update(normalizer=norm, pre_tokenizer=pre, decoder=dec)
    tok = Tokenizer.from_str(json.dumps(j))
    names = [t["content"] for t in tokens]
    if kind == "BPE":
        byte = pre and "ByteLevel" in json.dumps(pre)
        if settings.get("byte_fallback"):
            names = names[:3] + BYTES
        t = trainers.BpeTrainer(
            vocab_size=1500, show_progress=False, special_tokens=names, limit_alphabet=300,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet() if byte else [],
            **({"end_of_word_suffix": "</w>"} if "end_of_word_suffix" in settings else {}))
        m = models.BPE()
    elif kind == "WordPiece":
        t = trainers.WordPieceTrainer(vocab_size=1500, show_progress=False,
                                      special_tokens=["[UNK]"] + names, limit_alphabet=300)
        m = models.WordPiece({"[UNK]": 0}, unk_token="[UNK]")
    elif kind == "Unigram":
        t = trainers.UnigramTrainer(vocab_size=1500, show_progress=False, unk_token="<unk>",
                                    special_tokens=["<unk>"] + names +
                                    (BYTES if "byte_fallback" in settings else []))
        m = models.Unigram()
    else:
        t = trainers.WordLevelTrainer(vocab_size=1500, show_progress=False,
                                      special_tokens=["<unk>"] + names)
        m = models.WordLevel({"<unk>": 0}, "<unk>")
    tok.model = m
    tok.train_from_iterator(texts, t)
    j = json.loads(tok.to_str())
    j["model"].update(settings)
    j.update(post_processor=post, added_tokens=[])
    tok = Tokenizer.from_str(json.dumps(j))
    for k in tokens:
        tok.add_tokens([AddedToken(**k)])
    return tok


# ---- published files over a corpus

def load(path):
    return Tokenizer.from_buffer(gzip.open(path).read())


def corpus(paths, every):
    for path in paths:
        batch = []
        for k, line in enumerate(gzip.open(path, "rt", encoding="utf-8")):
            if k % every:
                continue
            batch.append(json.loads(line)["text"])
            if sum(map(len, batch[-50:])) > 1 << 20 or len(batch) == 500:
                yield os.path.basename(path), batch
                batch = []
        if batch:
            yield os.path.basename(path), batch


def over_corpus(path, paths, every):
    """Ids and decoding of each document."""
    tok = load(path)
    name = os.path.basename(path).split(".")[0]
    n_docs = n_ids = 0
    bad = []
    for at, texts in corpus(paths, every):
        with open("in.jsonl", "w") as f:
            for text in texts:
                f.write(json.dumps({"text": text}) + "\n")
        want = tok.encode_batch_fast(texts, add_special_tokens=False)
        out = run("tokenize", "-q", "-t", path, "--text-ids", "in.jsonl").split("\n")
        for text, w, line in zip(texts, want, out):
            n_docs += 1
            n_ids += len(w.ids)
            if w.ids != [int(x) for x in line.split()]:
                bad.append((at, text[:60]))
    ok(not bad, "%s: ids of %d documents, %d in all, %d differ" % (name, n_docs, n_ids, len(bad)),
       *bad[:2])


def main():
    if sys.argv[1] == "files":
        at = sys.argv.index("--")
        for path in sys.argv[3:at]:
            over_corpus(path, sys.argv[at + 1:], int(sys.argv[2]))
    if sys.argv[1] == "shapes":
        for path in sys.argv[2:]:
            j = json.load(gzip.open(path))
            maps = [n["precompiled_charsmap"] for n in j["normalizer"]["normalizers"]
                    if n["type"] == "Precompiled"]
            for k, (name, shape) in enumerate(shapes(maps[0]).items()):
                r = random.Random(k)
                texts = make_texts(r, 300) + [" ".join(WORDS)] * 3
                tok = build(r, shape, texts)
                compare(name, tok, texts + make_texts(r, 300))
                for more in range(3):
                    tok = with_added(r, Tokenizer.from_str(build(r, shape, texts).to_str()))
                    tokens = [t.content for t in tok.get_added_tokens_decoder().values()]
                    compare("%s, more added tokens (%d)" % (name, more), tok,
                            among(r, make_texts(r, 150), tokens))
    if sys.argv[1] == "kinds":
        seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
        rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 100
        for k in range(rounds):
            try:
                random_kind(random.Random(1000 * seed + k), 1000 * seed + k)
            except BaseException as e:
                if isinstance(e, KeyboardInterrupt):
                    raise
                print("# the library fails at %d: %s" % (1000 * seed + k, e))
    print("1..%d" % n_tests)
    return n_failed > 0


if __name__ == "__main__":
    sys.exit(main())
