"""The peer of quality.py: transformers' Llama and AdamW in a plain loop, as one would write it.

Runs in the peer's own environment. SETUP is JSON: tokens (a .npy of the training ids), config, steps, batch,
context, rate, warmup, seed, threads, compile, out.

    .peers/transformers/bin/python benchmarks/peers/plain_loop.py SETUP          train, write `out`
    .peers/transformers/bin/python benchmarks/peers/plain_loop.py SETUP --time   a number of steps a line in,
                                                                                 their seconds out
The recipe: AdamW (0.9, 0.95), weight decay 0.1, warm-up and cosine to a tenth, clipping at 1, bf16 autocast,
windows of the text in an order shuffled anew for each epoch.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM


def batches(ids: np.ndarray, batch: int, context: int, seed: int) -> Iterator[torch.Tensor]:
    """(B, T + 1) windows, epoch after epoch."""
    random = np.random.default_rng(seed)
    while True:
        first = random.integers(context)
        starts = random.permutation(np.arange(first, len(ids) - context - 1, context))
        for number in range(0, len(starts) - batch + 1, batch):
            rows = [ids[start : start + context + 1] for start in starts[number : number + batch]]
            yield torch.from_numpy(np.stack(rows).astype(np.int64))


def rate_at(step: int, setup: dict) -> float:
    if step < setup["warmup"]:
        return setup["rate"] * (step + 1) / setup["warmup"]
    done = (step - setup["warmup"]) / max(1, setup["steps"] - setup["warmup"])
    return setup["rate"] * (0.1 + 0.9 * (1 + math.cos(math.pi * done)) / 2)


class Loop:
    def __init__(self, setup: dict) -> None:
        torch.set_num_threads(setup["threads"])
        torch.manual_seed(setup["seed"])
        self.setup, self.done = setup, 0
        self.model = LlamaForCausalLM(LlamaConfig(**setup["config"])).train()
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(), lr=setup["rate"], betas=(0.9, 0.95), weight_decay=0.1, fused=True
        )
        self.forward = torch.compile(self.model) if setup["compile"] else self.model
        ids = np.load(setup["tokens"], mmap_mode="r")
        self.batches = batches(ids, setup["batch"], setup["context"], setup["seed"])

    def step(self) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = rate_at(self.done, self.setup)
        tokens = next(self.batches)
        with torch.autocast("cpu", torch.bfloat16):
            inputs, targets = tokens[:, :-1], tokens[:, 1:].contiguous()
            loss = self.forward(input_ids=inputs, shift_labels=targets, labels=targets, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.done += 1
        return loss.item()


def train(loop: Loop) -> None:
    began = time.perf_counter()
    for step in range(loop.setup["steps"]):
        loss = loop.step()
        if step % 50 == 0:
            print(f"step {step} loss {loss:.3f} {time.perf_counter() - began:.0f} s", file=sys.stderr)
    loop.model.save_pretrained(loop.setup["out"])
    print(json.dumps({"steps": loop.done, "seconds": time.perf_counter() - began}))


def timed(loop: Loop) -> None:
    print("ready", flush=True)
    for line in sys.stdin:
        seconds = []
        for _ in range(int(line)):
            began = time.perf_counter()
            loop.step()
            seconds.append(time.perf_counter() - began)
        print(json.dumps(seconds), flush=True)


if __name__ == "__main__":
    loop = Loop(json.loads(Path(sys.argv[1]).read_text()))
    (timed if "--time" in sys.argv else train)(loop)
