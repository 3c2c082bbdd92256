#!/usr/bin/env python3
"""Reference values of two tiny random models, by transformers in double precision.

usage: make-golden.py OUTDIR        (PyPI: torch, transformers, safetensors)

OUTDIR/NAME/ is a model directory with: input.u32 [2, 80] token ids; logits.f32; loss.txt (mean over
the 158 predictions, nats); grads.safetensors; train.u32 [10, 2, 80], adamw.tsv and
after.safetensors: ten AdamW steps (lr 1e-3, betas .9 .95, eps 1e-8, decay .1 of matrices, clip 1.0);
greedy.u32 (8 ids of the prompt, 32 new ones, id 2 never chosen) and greedy-logits.f32.
"""
import os
import sys
import numpy as np
import torch
import transformers as tf
from safetensors.torch import save_file

N_SEQ, N_TOK, N_VOCAB, EOS = 2, 80, 61, 2
shared = dict(vocab_size=N_VOCAB, bos_token_id=1, eos_token_id=EOS, pad_token_id=0)
configs = {
    "gpt2": tf.GPT2Config(**shared, n_positions=96, n_embd=24, n_layer=2, n_head=3,
                          embd_pdrop=0.0, attn_pdrop=0.0, resid_pdrop=0.0),
    "qwen3": tf.Qwen3Config(**shared, hidden_size=24, num_hidden_layers=2, num_attention_heads=4,
                            num_key_value_heads=2, head_dim=10, intermediate_size=40,
                            max_position_embeddings=96, tie_word_embeddings=False),
}


def make(config, seed):
    model = tf.AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.dim() < 2:
                p += 0.1 * torch.randn(p.shape, generator=g)
            else:
                std = 0.05 if "embed" in name or "wte" in name or "wpe" in name \
                    else 1.6 / p.shape[-1] ** 0.5
                p.copy_(std * torch.randn(p.shape, generator=g))
    return model.eval()


def forward(model, ids):
    logits = model(input_ids=ids, use_cache=False).logits
    n = logits.shape[-1]
    loss = torch.nn.functional.cross_entropy(logits[:, :-1].reshape(-1, n), ids[:, 1:].reshape(-1))
    return logits, loss


def tensors(model, of):
    return {n: of(p).detach().float().contiguous() for n, p in model.named_parameters()}


def greedy(model, prompt):
    ids, rows = prompt, []
    for _ in range(32):
        row = model(input_ids=ids, use_cache=False).logits[0, -1]
        rows.append(row.float().numpy())
        row = row.clone()
        row[EOS] = -np.inf
        ids = torch.cat([ids, row.argmax().reshape(1, 1)], 1)
    return ids, np.stack(rows)


def main():
    for i, (name, config) in enumerate(configs.items()):
        path = os.path.join(sys.argv[1], name)
        model = make(config, 100 + i)
        model.save_pretrained(path)
        for extra in ("generation_config.json",):
            os.remove(os.path.join(path, extra))
        model = model.double()
        rng = np.random.default_rng(200 + i)
        ids = torch.tensor(rng.integers(3, N_VOCAB, (N_SEQ, N_TOK)))
        train = rng.integers(3, N_VOCAB, (10, N_SEQ, N_TOK))

        def out(file, array, kind):
            array.astype(kind).tofile(os.path.join(path, file))

        logits, loss = forward(model, ids)
        loss.backward()
        out("input.u32", ids.numpy(), "<u4")
        out("logits.f32", logits.detach().numpy(), "<f4")
        with open(os.path.join(path, "loss.txt"), "w") as f:
            f.write(f"{loss.item():.9f}\n")
        save_file(tensors(model, lambda p: p.grad), os.path.join(path, "grads.safetensors"))
        with torch.no_grad():
            new, rows = greedy(model, ids[:1, :8])
        out("greedy.u32", new.numpy(), "<u4")
        out("greedy-logits.f32", rows, "<f4")

        out("train.u32", train, "<u4")
        matrices = [p for p in model.parameters() if p.dim() >= 2]
        vectors = [p for p in model.parameters() if p.dim() < 2]
        opt = torch.optim.AdamW([dict(params=matrices, weight_decay=0.1),
                                 dict(params=vectors, weight_decay=0.0)],
                                lr=1e-3, betas=(0.9, 0.95), eps=1e-8)
        with open(os.path.join(path, "adamw.tsv"), "w") as f:
            f.write("step\tloss\tgrad_norm\n")
            for s in range(10):
                opt.zero_grad()
                _, loss = forward(model, torch.tensor(train[s]))
                loss.backward()
                norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                opt.step()
                f.write(f"{s + 1}\t{loss.item():.8f}\t{norm.item():.8f}\n")
        save_file(tensors(model, lambda p: p), os.path.join(path, "after.safetensors"))


main()
