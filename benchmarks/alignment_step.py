"""Tokens a second of the steps after pretraining, beside TRL's trainers on the same model and text.

    .venv/bin/python benchmarks/alignment_step.py                        half an hour on two quiet cores
    .venv/bin/python benchmarks/alignment_step.py --stages dpo --rounds 4 --threads 1

What is compared: the whole step that a run takes (batch, forward, backward, clipping, fused AdamW; in
reinforcement learning also generation, rewards and the reference) at depth 4, hidden 256, vocabulary 4096,
4.2M parameters, without compilation. Ours is `Loop`'s own step as `nextword finetune` and `nextword align`
build it, with their defaults but for what is said here; the peer is TRL's own trainer in its own `train()`
(benchmarks/peers/trl_steps.py) in the settings that were fastest for it on a CPU: no gradient checkpointing,
no logging, fused AdamW, and each way of batching that it offers is a side of its own; the best one counts.

    sft     conversations of at most 256 tokens, as many tokens a step as eight rows of 256 hold; ours with
            AdamW as the peer, and with its default, Muon, for information
    dpo     eight pairs a step, the reference's log-probabilities computed beforehand on both sides
    grpo    eight prompts, four answers each of at most 64 new tokens, a KL term of 0.05 (so a reference), one
    rloo    pass; the reward counts letters
    ppo     the same with four passes and a critic: ours alone, TRL has none any more

Tokens are those of whole sequences, prompts included, each answer with its own prompt, no padding: what a
side saves by computing a prompt once is its gain. Both precisions are compared like with like; bf16 is ours
for sft and dpo by default, fp32 for the others.

How: every side is a process of its own that sleeps while another works; threads wait for each other as those
of the command line do (`spin_briefly`). In each round each side takes two steps; a ratio is the median over
rounds of the ratios of tokens a second. The text is the standard library:
what a function's source does, answered by its docstring, and as the worse answer another's docstring.
"""

from __future__ import annotations

import argparse
import ast
import itertools
import json
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from report import figure, record
from rich.console import Console

from nextword.common.dialogue import Comparison, read_conversations, write_comparisons, write_conversations
from nextword.common.files import read_json, write_json
from nextword.common.progress import Progress
from nextword.common.records import Conversation, Message
from nextword.common.threads import spin_briefly
from nextword.model.checkpoint import save_checkpoint
from nextword.model.config import ModelConfig
from nextword.model.llama import Llama
from nextword.tokenizer.chat import ChatTemplate
from nextword.tokenizer.special import END
from nextword.tokenizer.tokenizer import Tokenizer
from nextword.tokenizer.training import TokenizerSettings, train_tokenizer
from nextword.train.finetune import FinetuneData, FinetuneSettings
from nextword.train.finetune_run import FinetuneRun
from nextword.train.loop import Loop
from nextword.train.policy import PolicySettings
from nextword.train.policy_run import PolicyRun
from nextword.train.preference import PreferenceSettings
from nextword.train.preference_run import PreferenceRun
from nextword.train.stage import alone

ROOT = Path(__file__).parents[1]
PEER = ROOT / ".peers" / "transformers" / "bin" / "python"
DEPTH, VOCABULARY, CONTEXT = 4, 4096, 256
ROWS, PAIRS, PROMPTS, SAMPLES, NEW = 8, 8, 8, 4, 64
LONGEST_PROMPT = CONTEXT - NEW
RECORDS = 256
STEPS_A_ROUND = 2
TARGETS = {"sft": 1.2, "dpo": 1.5, "grpo": 3.0, "rloo": 3.0}
PRECISIONS = {"sft": ("bf16", "fp32"), "dpo": ("bf16", "fp32"), "grpo": ("fp32", "bf16")}
PRECISIONS |= {"rloo": ("fp32", "bf16"), "ppo": ("fp32",)}
"""Ours by default first."""
PEER_WAYS = {"sft": ("padded", "sorted", "packed"), "dpo": ("padded",), "grpo": ("padded",)}
PEER_WAYS |= {"rloo": ("padded",)}


# What both sides read


def write_setup(folder: Path) -> None:
    """model/, conversations.jsonl, comparisons.jsonl, prompts.jsonl and setup.json."""
    found = list(explained())
    train_tokenizer(
        TokenizerSettings(VOCABULARY), (part for pair in found for part in pair), folder / "tokenizer"
    )
    config = folder / "tokenizer" / "tokenizer_config.json"
    write_json(config, {**read_json(config), "eos_token": END})
    tokenizer = Tokenizer.load(folder / "tokenizer")
    shape = ModelConfig.of_depth(DEPTH, VOCABULARY, 2 * CONTEXT)
    model = Llama(replace(shape, bos_token_id=tokenizer.bos, eos_token_id=tokenizer.special[END]))
    model.initialise(seed=0)
    save_checkpoint(model, folder / "model", folder / "tokenizer")

    chat, kept = ChatTemplate(tokenizer), []
    for (source, good), (_, bad) in itertools.pairwise(found):
        asked = Message("user", f"What does this function do?\n\n{source}")
        sides = [[asked, Message("assistant", answer)] for answer in (good, bad)]
        lengths = [len(chat.ids(Conversation(side), generation_prompt=False)) for side in sides]
        if good != bad and max(lengths) <= CONTEXT and len(chat.ids(Conversation([asked]))) <= LONGEST_PROMPT:
            kept.append((lengths[0], asked, sides[0][1], sides[1][1]))
    kept = kept[:: max(1, len(kept) // RECORDS)][:RECORDS]  # from all over the library
    write_conversations(folder / "conversations.jsonl", [Conversation([q, good]) for _, q, good, _ in kept])
    write_comparisons(
        folder / "comparisons.jsonl", [Comparison([q], [good], [bad]) for _, q, good, bad in kept]
    )
    write_conversations(folder / "prompts.jsonl", [Conversation([q]) for _, q, _, _ in kept])
    mean = statistics.fmean(length for length, *_ in kept)
    setup = {"conversations": round(ROWS * CONTEXT / mean), "rows": ROWS, "context": CONTEXT, "pairs": PAIRS}
    write_json(
        folder / "setup.json",
        {**setup, "prompts": PROMPTS, "samples": SAMPLES, "new": NEW, "mean": mean, "records": len(kept)},
    )


def explained() -> Iterator[tuple[str, str]]:
    """Functions of the standard library: source without its docstring, and the docstring."""
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8", errors="replace"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and len(node.body) > 1 and (text := ast.get_docstring(node)):
                node.body = node.body[1:]
                yield ast.unparse(node), text


def reward(conversation: Conversation) -> float:
    """The share of its letters that are e, in percent: it varies, and costs nothing."""
    text = str(conversation.messages[-1].content)
    return 100 * text.count("e") / max(len(text), 1)


# Our side


def serve(folder: Path, stage: str, precision: str, way: str, threads: int) -> None:
    """A number of steps a line in, their {"seconds", "processors", "tokens"} out."""
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as out, alone("cpu") as processes:
        loop = our_loop(folder, stage, precision, way, Path(out) / "run", processes)
        count = counted(loop) if stage == "sft" else (lambda tokens: tokens)
        print("ready", flush=True)
        for line in sys.stdin:
            began = time.process_time()
            moments = [loop._step() for _ in range(int(line))]
            said = {
                "seconds": sum(moment.seconds for moment in moments),
                "processors": time.process_time() - began,
                "tokens": sum(count(moment.tokens) for moment in moments),
                "facts": dict(moments[-1].facts),
            }
            print(json.dumps(said), flush=True)


def our_loop(folder: Path, stage: str, precision: str, way: str, out: Path, processes: Any) -> Loop:
    """The loop of the product's own run."""
    quiet = Progress(stage, console=Console(quiet=True))
    began = time.perf_counter()
    if stage == "sft":
        finetuning = FinetuneSettings(
            steps=100_000, batch=ROWS, context=CONTEXT, optimiser=way, precision=precision, device="cpu"
        )
        data = FinetuneData((folder / "conversations.jsonl",))
        tuning = FinetuneRun(finetuning, folder / "model", data, out, processes)
        return tuning.loop(quiet, lambda look: None, began)
    common: dict[str, Any] = {"steps": 100_000, "precision": precision, "device": "cpu"}
    if stage == "dpo":
        preferring = PreferenceSettings(method="dpo", batch=PAIRS, held_out=0, **common)
        files = [folder / "comparisons.jsonl"]
        preference = PreferenceRun(preferring, folder / "model", files, None, out, processes)
        preference.train_batches = preference._batches("train", preference.kept.train)
        return preference._loop(quiet, began)
    acting = PolicySettings(
        method=stage, batch=PROMPTS, samples=SAMPLES, answer_tokens=NEW, max_kl=0, max_growth=0, **common
    )
    prompts = list(read_conversations(folder / "prompts.jsonl"))
    policy = PolicyRun(acting, folder / "model", prompts, reward, None, out, processes, None)
    return policy._loop(quiet, began)


def counted(loop: Loop) -> Callable[[int], int]:
    """Of each batch of packed rows the tokens that are text, in the order of the steps."""
    taken: list[int] = []
    take = loop.batches.next

    def next_batch() -> Any:
        batch = take()
        conversations = int((batch.documents.max(1).values + 1).sum())
        taken.append(int((batch.documents >= 0).sum()) + conversations)  # the last token is no input
        return batch

    loop.batches.next = next_batch  # type: ignore[method-assign]
    return lambda tokens: taken.pop(0)


# Side by side


class Side:
    """One of the processes compared."""

    def __init__(self, name: str, command: list[str], threads: int) -> None:
        self.name = name
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false"}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
        )
        self.rounds: list[float] = []
        """Tokens a second of each round."""
        self.frugal: list[float] = []
        """Tokens a second that the processors worked for it."""
        self.facts: dict[str, float] = {}
        self._answer("ready")
        self.steps(1)  # settle caches and memory

    def round(self) -> None:
        """One timed round."""
        said = self.steps(STEPS_A_ROUND)
        self.rounds.append(said["tokens"] / said["seconds"])
        self.frugal.append(said["tokens"] / said["processors"])

    def steps(self, count: int) -> dict[str, Any]:
        """Take steps, and what the process says of them."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        said: dict[str, Any] = json.loads(self._answer("{"))
        self.facts = said.get("facts", {})
        return said

    @property
    def speed(self) -> float:
        """Median tokens a second."""
        return statistics.median(self.rounds)

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()

    def _answer(self, beginning: str) -> str:
        """The next line that begins so; what trainers print besides is passed over."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(beginning):
                return line
        raise SystemExit(f"{self.name} ended early, exit code {self.process.wait()}")


def compare(folder: Path, stage: str, precision: str, rounds: int, threads: int) -> list[str]:
    """The figures of one stage in one precision."""
    mine = [sys.executable, __file__, "--serve", str(folder), stage, precision]
    peer = [str(PEER), str(ROOT / "benchmarks" / "peers" / "trl_steps.py"), str(folder), stage, precision]
    ways = ("adamw", "muon") if stage == "sft" else ("",)
    sides = [Side(f"nextword {way}".strip(), [*mine, way, str(threads)], threads) for way in ways]
    ours = sides[0]
    sides += [Side(f"TRL {way}", [*peer, way, str(threads)], threads) for way in PEER_WAYS.get(stage, ())]
    for _ in range(rounds):
        for side in sides:
            side.round()
    lines = [
        figure(
            f"{stage}, {precision}, {side.name}, tokens/s",
            f"{side.speed:,.0f} ({statistics.median(side.frugal):,.0f} a second of processor time)",
        )
        for side in sides
    ]
    if "rollout_share" in ours.facts:
        lines.append(
            figure(f"{stage}, {precision}, nextword, share of generation", ours.facts["rollout_share"])
        )
    peers = [side for side in sides if side.name.startswith("TRL")]
    if peers:
        best = max(peers, key=lambda side: side.speed)
        ratio = statistics.median(a / b for a, b in zip(ours.rounds, best.rounds, strict=True))
        target = TARGETS[stage]
        name = f"{stage}, {precision}, nextword over {best.name}"
        lines.append(figure(name, ratio, f">= {target}", ratio >= target))
        frugal = statistics.median(ours.frugal) / statistics.median(best.frugal)
        lines.append(figure(f"{name}, by processor time", frugal))
    for side in sides:
        side.close()
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--stages", nargs="+", choices=list(PRECISIONS), default=list(PRECISIONS))
    parser.add_argument("--precision", nargs="+", choices=("bf16", "fp32"), help="all by default")
    parser.add_argument("--rounds", type=int, default=10, help="timed rounds of two steps")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--note", default="", help="a sentence for the record")
    parser.add_argument("--serve", nargs=5, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        folder, stage, precision, way, threads = given.serve
        serve(Path(folder), stage, precision, way, int(threads))
        return
    spin_briefly()  # as the command line does; all sides' processes inherit it
    if not PEER.exists():
        raise SystemExit(f"{PEER.relative_to(ROOT)} is not there; `make peers` builds it")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_setup(folder)
        setup = read_json(folder / "setup.json")
        lines = [f"threads: {given.threads}, rounds: {given.rounds}, {json.dumps(setup)}"]
        for stage in given.stages:
            for precision in given.precision or PRECISIONS[stage]:
                lines += compare(folder, stage, precision, given.rounds, given.threads)
    record("alignment-step", lines, given.note)


if __name__ == "__main__":
    main()
