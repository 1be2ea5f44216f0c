"""The peer of pretrain_step.py: transformers' Llama, bf16 autocast, fused AdamW, as one would write it.

Runs in the peer's own environment. A number of steps a line in, {"seconds", "cpu_seconds", "losses"} out.

    .peers/transformers/bin/python benchmarks/peers/llama_step.py SETUP.safetensors [--compile]
"""

from __future__ import annotations

import json
import sys
import time

import torch
from safetensors import safe_open
from transformers import LlamaConfig, LlamaForCausalLM


def main(path: str, compiled: bool) -> None:
    with safe_open(path, framework="pt") as file:
        setup = json.loads(file.metadata()["setup"])
        rows = file.get_tensor("rows")  # (steps, B, T + 1)
        weights = {name: file.get_tensor(name) for name in file.keys() if name != "rows"}  # noqa: SIM118
    torch.set_num_threads(setup["threads"])
    model = LlamaForCausalLM(LlamaConfig(**setup["config"]))
    model.load_state_dict(weights)
    model.train()
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=setup["rate"], betas=setup["betas"], eps=1e-8, weight_decay=0.0, fused=True
    )
    forward = torch.compile(model) if compiled else model

    def step(number: int, tokens: torch.Tensor) -> float:
        for group in optimiser.param_groups:
            group["lr"] = setup["rate"] * min(1.0, (number + 1) / setup["warmup"])
        with torch.autocast("cpu", torch.bfloat16):
            inputs, targets = tokens[:, :-1], tokens[:, 1:].contiguous()
            loss = forward(input_ids=inputs, shift_labels=targets, labels=targets, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), setup["clip"])
        optimiser.step()
        optimiser.zero_grad()
        return loss.item()

    done = 0
    print("ready", flush=True)
    for line in sys.stdin:
        seconds, cpu_seconds, losses = [], [], []
        for number, tokens in enumerate(rows[done : done + int(line)], start=done):
            began, cpu_began = time.perf_counter(), time.process_time()
            losses.append(step(number, tokens))
            seconds.append(time.perf_counter() - began)
            cpu_seconds.append(time.process_time() - cpu_began)
        done += int(line)
        print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds, "losses": losses}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], "--compile" in sys.argv)
