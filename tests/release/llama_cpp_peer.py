"""Questions to llama.cpp, run by the Python of its own environment: one JSON object in, one out.

    .peers/llama/bin/python tests/release/llama_cpp_peer.py < questions.json

{"gguf": path, "ask": "greedy", "prompt": ids, "count": n}      -> {"ids": [...], "gaps": [...]}
{"gguf": path, "ask": "choices", "rows": [ids, ...]}            -> {"ids": [[likeliest next, ...], ...]}
{"gguf": path, "ask": "score", "rows": [ids, ...]}              -> {"nats": total}
{"gguf": path, "ask": "tokenize", "texts": [...]}               -> {"ids": [[...], ...]}
{"ask": "quantise", "seed": n, "rows": n, "columns": n}         -> {"Q8_0": sha256, "Q4_0": sha256}

Keys and values are kept in F32 and flash attention is off, so that only the weights differ from torch.
"""

import ctypes
import hashlib
import json
import sys
from pathlib import Path

import llama_cpp
import numpy as np

F32 = 0


def open_model(path, context):
    return llama_cpp.Llama(
        path,
        n_ctx=context,
        n_batch=context,
        n_threads=1,
        logits_all=True,
        verbose=False,
        type_k=F32,
        type_v=F32,
    )


def greedy(model, prompt, count):
    """`count` likeliest tokens one after another, and how far the second best was behind each time."""
    ids, gaps = [], []
    model.reset()
    model.eval(prompt)
    for _ in range(count):
        row = np.array(model.scores[model.n_tokens - 1])
        second, best = np.argsort(row)[-2:]
        ids.append(int(best))
        gaps.append(float(row[best] - row[second]))
        model.eval([int(best)])
    return {"ids": ids, "gaps": gaps}


def choices(model, rows):
    """The likeliest token after each place of each row."""
    answers = []
    for row in rows:
        model.reset()
        model.eval(row)
        answers.append(np.array(model.scores[: len(row)]).argmax(axis=-1).tolist())
    return {"ids": answers}


def score(model, rows):
    """Natural-log loss of each row's tokens after its first, summed."""
    total = 0.0
    for row in rows:
        model.reset()
        model.eval(row[:-1])
        scores = np.array(model.scores[: len(row) - 1], np.float64)
        scores -= scores.max(axis=-1, keepdims=True)
        logprobs = scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True))
        total -= float(logprobs[np.arange(len(row) - 1), row[1:]].sum())
    return {"nats": total}


def tokenize(model, texts):
    return {"ids": [model.tokenize(text.encode(), add_bos=False, special=False) for text in texts]}


def quantise(seed, rows, columns):
    """What llama.cpp's reference quantisers make of seeded numbers."""
    library = ctypes.CDLL(str(Path(llama_cpp.__file__).parent / "lib" / "libggml-base.so"))
    values = np.random.RandomState(seed).randint(-(10**6), 10**6, (rows, columns)).astype(np.float32) / 2**20
    found = {}
    for name, bytes_a_block in (("Q8_0", 34), ("Q4_0", 18)):
        packed = np.zeros(rows * columns // 32 * bytes_a_block, np.uint8)
        function = getattr(library, f"quantize_row_{name.lower()}_ref")
        function(
            values.ctypes.data_as(ctypes.c_void_p),
            packed.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_int64(values.size),
        )
        found[name] = hashlib.sha256(packed.tobytes()).hexdigest()
    return found


def main():
    question = json.load(sys.stdin)
    ask, path = question.pop("ask"), question.pop("gguf", None)
    context = question.pop("context", 512)
    if ask == "quantise":
        answer = quantise(**question)
    else:
        functions = {"greedy": greedy, "choices": choices, "score": score, "tokenize": tokenize}
        answer = functions[ask](open_model(path, context), **question)
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
