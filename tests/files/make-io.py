#!/usr/bin/env python3
"""Writes the samples of JSONL, gzip and safetensors into the directory that it stands in.

    python3 tests/files/make-io.py

Equal bytes every time. Nothing but the standard library: the safetensors files are put together by
hand, since half of them are what no library would write.
"""
import json
import os
import struct
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))


def put(name, data):
    path = os.path.join(HERE, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


def gz(data):
    # written out, since gzip.compress puts a byte for the system that differs between versions
    body = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (b"\x1f\x8b\x08\0\0\0\0\0\2\xff" + body.compress(data) + body.flush()
            + struct.pack("<II", zlib.crc32(data), len(data)))


# ---- JSONL: good ones hold the same three documents, unless their name says otherwise

ONE = '{"text":"The mill turns."}'
TWO = '{"id":7,"text":"Grain\\nand \\"flour\\", caf\u00e9 \u78e8\u574a","n":[1,{"text":0}]}'
THREE = '{"text":""}'
DOCS = "\n".join([ONE, TWO, THREE, ""]).encode()

put("good-plain.jsonl", DOCS)
put("good-crlf.jsonl", DOCS.replace(b"\n", b"\r\n"))
put("good-bom.jsonl", b"\xef\xbb\xbf" + DOCS)
put("good-blank-lines.jsonl", b"\n \t\n" + DOCS.replace(b"\n", b"\n\n\r\n"))
put("good-no-newline.jsonl", DOCS[:-1])
put("good-ascii.jsonl", b"".join(json.dumps(json.loads(d)).encode() + b"\n"
                                for d in (ONE, TWO, THREE)))
put("good-spaced.jsonl", b"".join(
    b" \t" + json.dumps(json.loads(d), ensure_ascii=False, separators=(" ,\t", "\t: ")).encode()
    + b" \n" for d in (ONE, TWO, THREE)))
put("good-twice.jsonl", "\n".join([  # the last of several fields counts
    '{"text":1,"te\\u0078t":"The mill turns."}',
    '{"text":"no","text":"Grain\\nand \\u0022flour\\", caf\u00e9 \\u78e8\\u574a"}',
    '{"text":"no","a":{"text":"no"},"text":""}']).encode())
put("good-surrogates.jsonl", b'{"text":"\\ud83d\\ude00 \\ud800 \\udc00\\ud83d"}\n')  # one document
put("good-nul.jsonl", b'{"text":"a\\u0000b"}\n')  # one document
put("good-empty.jsonl", b"")  # none

put("bad-words.jsonl", DOCS + b"The mill turns.\n")
put("bad-truncated.jsonl", DOCS[:-4])
put("bad-two-in-line.jsonl", DOCS[:-1] + b' {"text":"x"}\n')
put("bad-array.jsonl", DOCS + b'["The mill turns."]\n')
put("bad-no-key.jsonl", DOCS + b'{"body":"x"}\n')
put("bad-type.jsonl", DOCS + b'{"text":["x"]}\n')
put("bad-null.jsonl", DOCS + b'{"text":null}\n')
put("bad-last-wins.jsonl", DOCS + b'{"text":"x","text":7}\n')
put("bad-control.jsonl", DOCS + b'{"text":"a\tb"}\n')
put("bad-escape.jsonl", DOCS + b'{"text":"a\\qb"}\n')
put("bad-utf8.jsonl", DOCS + b'{"text":"caf\xe9"}\n')
put("bad-utf8-elsewhere.jsonl", DOCS + b'{"text":"x","id":"\xc0\x80"}\n')
put("bad-comma.jsonl", DOCS + b'{"text":"x",}\n')

# ---- gzip

put("good-one.jsonl.gz", gz(DOCS))
put("good-members.jsonl.gz", gz(DOCS[:20]) + gz(b"") + gz(DOCS[20:50]) + gz(DOCS[50:]))
put("good-name.jsonl.gz", (lambda b: b[:3] + b"\x08" + b[4:10] + b"x.jsonl\0" + b[10:])(gz(DOCS)))
put("good-empty.jsonl.gz", gz(b""))
packed = gz(DOCS)
put("bad-truncated.jsonl.gz", packed[:-30])
put("bad-no-trailer.jsonl.gz", packed[:-8])
put("bad-header-only.jsonl.gz", packed[:6])
put("bad-crc.jsonl.gz", packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:])
put("bad-length.jsonl.gz", packed[:-1] + b"\1")
put("bad-garbage.jsonl.gz", packed + b"garbage")
put("bad-zeros.jsonl.gz", packed + bytes(512))
put("bad-second-truncated.jsonl.gz", packed + packed[:-3])
put("bad-method.jsonl.gz", packed[:2] + b"\7" + packed[3:])
put("bad-data.jsonl.gz", packed[:12] + b"\xff\xff\xff\xff" + packed[16:])

# ---- safetensors


def st(header, data=b"", pad=True, length=None):
    if not isinstance(header, bytes):
        header = json.dumps(header, separators=(",", ":")).encode()
    if pad:
        header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def t(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


F6 = struct.pack("<6f", 0, 1, -2, 0.5, 3.25, -1e30)
put("good-f32.safetensors", st({"__metadata__": {"format": "pt"}, "w": t("F32", [2, 3], 0, 24)}, F6))
put("good-dtypes.safetensors", st({
    "i8": t("I8", [3], 0, 3), "u8": t("U8", [1], 3, 4), "bool": t("BOOL", [2], 4, 6),
    "f16": t("F16", [3], 6, 12), "bf16": t("BF16", [3], 12, 18), "i16": t("I16", [1], 18, 20),
    "u16": t("U16", [1], 20, 22), "i32": t("I32", [1], 22, 26), "u32": t("U32", [1], 26, 30),
    "f64": t("F64", [2], 30, 46), "i64": t("I64", [1], 46, 54), "u64": t("U64", [1], 54, 62),
    "f32": t("F32", [1], 62, 66),
}, struct.pack("<3bB2?3H3HhHiI2dqQf", -1, 0, 1, 255, True, False,
               0x3c00, 0xc100, 0x0001,  # 1, -2.5, 2^-24
               0x3f80, 0xc020, 0x7f80,  # 1, -2.5, inf
               -2, 65535, -3, 4294967295, 0.1, -1e300, -4, 2**64 - 1, 7.5)))
put("good-order.safetensors", st({  # named in another order than they lie in
    "b": t("F32", [1], 4, 8), "empty": t("F32", [3, 0], 8, 8), "c": t("F32", [1, 1, 1], 8, 12),
    "a": t("F32", [], 0, 4)}, struct.pack("<3f", 1, 2, 3)))
put("good-none.safetensors", st({}))
put("good-escaped.safetensors", st(
    b'{ "a\\u002f\\u00e9" :\n{"shape":[1],"more":{"x":[1]},"data_offsets":[0,4],"dtype":"F32"} }',
    struct.pack("<f", 1)))
put("good-sharded/model-00001-of-00002.safetensors",
    st({"x": t("F32", [1], 0, 4), "y": t("F32", [1], 4, 8)}, struct.pack("<2f", 1, 2)))
put("good-sharded/model-00002-of-00002.safetensors", st({"z": t("F32", [1], 0, 4)},
                                                      struct.pack("<f", 3)))
put("good-sharded/model.safetensors.index.json", json.dumps({
    "metadata": {"total_size": 12},
    "weight_map": {"z": "model-00002-of-00002.safetensors",
                   "x": "model-00001-of-00002.safetensors",
                   "y": "model-00001-of-00002.safetensors"}}, indent=2).encode())

W = {"w": t("F32", [2, 3], 0, 24)}
put("bad-empty.safetensors", b"")
put("bad-short.safetensors", b"\x40\0\0\0\0\0\0")
put("bad-length-beyond.safetensors", st(W, F6, length=500))
put("bad-length-huge.safetensors", st(W, F6, length=2**63))
put("bad-length-zero.safetensors", st(b"", pad=False) + F6)
put("bad-length-cut.safetensors", st(W, F6, length=40))
put("bad-text.safetensors", b"version https://git-lfs.github.com/spec/v1\n")
put("bad-utf8.safetensors", st(b'{"\xff":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}', F6[:4]))
put("bad-array.safetensors", st([W], F6))
put("bad-bom.safetensors", st(b"\xef\xbb\xbf" + json.dumps(W).encode(), F6))
put("bad-json.safetensors", st(json.dumps(W).encode()[:-1] + b",}", F6))
put("bad-after.safetensors", st(json.dumps(W).encode() + b"x", F6))
put("bad-entry.safetensors", st({"w": 7}, F6))
put("bad-missing.safetensors", st({"w": {"dtype": "F32", "shape": [6]}}, F6))
put("bad-field-twice.safetensors",
    st(b'{"w":{"dtype":"F32","dtype":"F32","shape":[6],"data_offsets":[0,24]}}', F6))
put("bad-dtype.safetensors", st({"w": t("F8_E4M3", [24], 0, 24)}, F6))
put("bad-dtype-number.safetensors", st({"w": t(32, [6], 0, 24)}, F6))
put("bad-shape-negative.safetensors", st({"w": t("F32", [-2, -3], 0, 24)}, F6))
put("bad-shape-real.safetensors", st({"w": t("F32", [6.0], 0, 24)}, F6))
put("bad-shape-string.safetensors", st({"w": t("F32", ["6"], 0, 24)}, F6))
put("bad-shape-dims.safetensors", st({"w": t("F32", [6] + [1] * 8, 0, 24)}, F6))
put("bad-shape-overflow.safetensors", st({"w": t("F32", [2**62, 2**62, 6], 0, 24)}, F6))
put("bad-bytes-overflow.safetensors", st({"w": t("F32", [2**62], 0, 0)}, b""))
put("bad-offsets-order.safetensors", st({"w": t("F32", [6], 24, 0)}, F6))
put("bad-offsets-beyond.safetensors", st({"w": t("F32", [7], 0, 28)}, F6))
put("bad-offsets-one.safetensors", st({"w": {"dtype": "F32", "shape": [6], "data_offsets": [0]}}, F6))
put("bad-offsets-three.safetensors",
    st({"w": {"dtype": "F32", "shape": [6], "data_offsets": [0, 12, 24]}}, F6))
put("bad-size.safetensors", st({"w": t("F32", [5], 0, 24)}, F6))
put("bad-overlap.safetensors", st({"v": t("F32", [4], 0, 16), "w": t("F32", [4], 8, 24)}, F6))
put("bad-same-place.safetensors", st({"v": t("F32", [6], 0, 24), "w": t("F32", [6], 0, 24)}, F6))
put("bad-hole.safetensors", st({"v": t("F32", [2], 0, 8), "w": t("F32", [2], 16, 24)}, F6))
put("bad-hole-first.safetensors", st({"w": t("F32", [4], 8, 24)}, F6))
put("bad-trailing.safetensors", st(W, F6 + b"\0"))
put("bad-cut.safetensors", st(W, F6)[:-1])
put("bad-name-twice.safetensors",
    st(b'{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},'
       b'"\\u0077":{"dtype":"F32","shape":[3],"data_offsets":[12,24]}}', F6))
put("bad-name-nul.safetensors",
    st(b'{"w\\u0000":{"dtype":"F32","shape":[6],"data_offsets":[0,24]}}', F6))
put("bad-metadata.safetensors", st({"__metadata__": {"format": 1}, **W}, F6))
put("bad-metadata-array.safetensors", st({"__metadata__": [], **W}, F6))
