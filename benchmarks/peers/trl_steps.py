"""The peer of alignment_step.py: one of TRL's trainers in its own train(), step by step as it is asked.

Runs in the environment of the peer. Steps to take a line in, {"seconds", "processors", "tokens"} of them out.

    .peers/transformers/bin/python benchmarks/peers/trl_steps.py FOLDER STAGE bf16|fp32 WAY THREADS
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import torch
from datasets import Dataset, disable_progress_bars
from transformers import AutoTokenizer, LlamaForCausalLM, TrainerCallback
from trl import DPOConfig, DPOTrainer, GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer, SFTConfig, SFTTrainer

# Ours, with the marks by which TRL knows what the assistant says.
TEMPLATE = (
    "{{- bos_token -}}{%- for message in messages -%}{{- '<|' ~ message['role'] ~ '|>' -}}"
    "{%- if message['role'] == 'assistant' -%}{%- generation -%}{{- message['content'] ~ '<|end|>' -}}"
    "{%- endgeneration -%}{%- else -%}{{- message['content'] ~ '<|end|>' -}}{%- endif -%}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}"
)


class Asked(TrainerCallback):
    """Holds the training after each step until the next is asked for, and tells what they took."""

    def __init__(self) -> None:
        self.trainer = None
        self.left, self.counted = 0, 0
        self.began, self.processors = 0.0, 0.0

    def on_train_begin(self, args, state, control, **_) -> None:
        print("ready", flush=True)
        self._wait(control)

    def on_step_end(self, args, state, control, **_) -> None:
        self.left -= 1
        if self.left:
            return
        said = {
            "seconds": time.perf_counter() - self.began,
            "processors": time.process_time() - self.processors,
            "tokens": self._tokens() - self.counted,
        }
        print(json.dumps(said), flush=True)
        self._wait(control)

    def _tokens(self) -> int:
        """Of whole sequences, without padding; each trainer counts them in a place of its own."""
        return int(self.trainer._total_train_tokens + self.trainer.state.num_input_tokens_seen)

    def _wait(self, control) -> None:
        line = sys.stdin.readline()
        if not line:
            control.should_training_stop = True
            return
        self.left, self.counted = int(line), self._tokens()
        self.began, self.processors = time.perf_counter(), time.process_time()


def reward(completions, **_) -> list[float]:
    """The share of letters that are e, in percent."""
    texts = [one[0]["content"] for one in completions]
    return [100 * text.count("e") / max(len(text), 1) for text in texts]


def trainer_of(folder: Path, stage: str, precision: str, way: str, scratch: str):
    setup = json.loads((folder / "setup.json").read_text())
    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    tokenizer.chat_template = TEMPLATE

    def model():
        return LlamaForCausalLM.from_pretrained(folder / "model", dtype=torch.float32)

    def records(name: str) -> Dataset:
        return Dataset.from_list([json.loads(line) for line in (folder / name).read_text().splitlines()])

    plain = {
        "output_dir": scratch,
        "max_steps": 100_000,
        "learning_rate": 5e-5,
        "optim": "adamw_torch_fused",
        "bf16": precision == "bf16",
        "gradient_checkpointing": False,
        "use_cpu": True,
        "report_to": "none",
        "logging_strategy": "no",
        "save_strategy": "no",
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
    }
    common = {"model": model(), "processing_class": tokenizer}
    if stage == "sft":
        packing = {"packing": True, "per_device_train_batch_size": setup["rows"]}
        padding = {"per_device_train_batch_size": setup["conversations"]}
        ways = {
            "padded": padding,
            "sorted": padding | {"train_sampling_strategy": "group_by_length"},
            "free": padding | {"padding_free": True},
            "packed": packing,
        }
        args = SFTConfig(**plain, assistant_only_loss=True, max_length=setup["context"], **ways[way])
        return SFTTrainer(args=args, train_dataset=records("conversations.jsonl"), **common)
    if stage == "dpo":
        args = DPOConfig(
            **plain,
            beta=0.1,
            max_length=setup["context"],
            per_device_train_batch_size=setup["pairs"],
            precompute_ref_log_probs=True,
        )
        return DPOTrainer(args=args, train_dataset=records("comparisons.jsonl"), ref_model=model(), **common)
    answers = {
        "per_device_train_batch_size": setup["prompts"] * setup["samples"],
        "num_generations": setup["samples"],
        "max_completion_length": setup["new"],
        "beta": 0.05,
        "use_transformers_continuous_batching": way == "continuous",
    }
    prompts = records("prompts.jsonl").rename_column("messages", "prompt")
    if stage == "grpo":
        args = GRPOConfig(**plain, **answers, loss_type="grpo")
        return GRPOTrainer(args=args, train_dataset=prompts, reward_funcs=reward, **common)
    args = RLOOConfig(**plain, **answers)
    return RLOOTrainer(args=args, train_dataset=prompts, reward_funcs=reward, **common)


def main(folder: str, stage: str, precision: str, way: str, threads: str) -> None:
    disable_progress_bars()
    torch.set_num_threads(int(threads))
    with tempfile.TemporaryDirectory() as scratch:
        trainer = trainer_of(Path(folder), stage, precision, way, scratch)
        asked = Asked()
        asked.trainer = trainer
        trainer.add_callback(asked)
        trainer.train()


if __name__ == "__main__":
    main(*sys.argv[1:])
