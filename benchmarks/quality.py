"""Bits per byte on held-out documents: our recipe, a plain transformers + AdamW loop, counting, and xz.

    .venv/bin/python benchmarks/quality.py --run runs/python-docs            what is known, what is missing
    .venv/bin/python benchmarks/quality.py --run runs/python-docs --all      every missing part, one by one
    .venv/bin/python benchmarks/quality.py --run runs/python-docs --part seed --seed 2

Parts, each a process that may be stopped and repeated, at most about 20 minutes on two quiet cores; what they
find is kept in benchmarks/records/quality/ and only put together when corpus and speed are the same:

    speed       seconds a step, ours and the peer's, interleaved
    baselines   5-gram, xz -9e and so on
    peer        the plain loop, 20 minutes
    half        our recipe, planned for half the peer's time
    seed K      the 20-minute recipe with seed K (0, 1, 2)

How time is compared, on a machine that others may be using: nothing is read off a wall clock during a long
run. `speed` lets both sides take a few steps in turn, many times, and takes the median of each; the peer is
timed eager and compiled, and the faster of the two counts, its compilation forgiven. A time then is steps x
median seconds a step. The peer's 20 minutes are so many of its steps; "half" is a run of ours, planned from
its start (warm-up to decay), whose steps take half as long. It must end at or below the peer's bits per byte.
Both sides have the same shape, but the peer has its own head, as transformers' default is, and so more
parameters. Its learning rate (RATE) is the better of two in short runs (records, pretrain-tuning). Both train
on the same shards with the same number of threads and are scored by the same function,
`evaluate.bits_per_byte`, over all documents.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from report import RECORDS, figure, record

from nextword.common.errors import BadInput
from nextword.common.files import read_json, write_json
from nextword.common.provenance import commit
from nextword.evaluate.baselines import baselines
from nextword.evaluate.bits_per_byte import bits_per_byte
from nextword.model.checkpoint import load_checkpoint
from nextword.model.config_file import config_to_json
from nextword.tokenizer.shards import Shards
from nextword.tokenizer.tokenizer import Tokenizer
from nextword.train.base_run import BaseRun
from nextword.train.distributed import joined
from nextword.train.plan import plan
from nextword.train.pretrain import PretrainSettings, pretrain

PEER = Path(__file__).parents[1] / ".peers" / "transformers" / "bin" / "python"
LOOP = Path(__file__).parent / "peers" / "plain_loop.py"
KEPT = RECORDS / "quality"
RATE, PEER_ROWS = 1e-3, 8
ROUNDS, STEPS_A_ROUND = 10, 2
SEEDS = (0, 1, 2)


class Corpus:
    """A run folder's tokens and tokenizer, with a name for exactly this text."""

    def __init__(self, run: Path) -> None:
        self.run, self.tokens, self.tokenizer = run, run / "tokens", run / "tokenizer"
        self.train, self.held_out = (Shards.open(self.tokens, split) for split in ("train", "heldout"))
        self.name = self.train.shards[0].checksum.hex()[:12]

    def bits_per_byte(self, model: Path, context: int) -> float:
        return bits_per_byte(load_checkpoint(model), self.held_out, context, autocast=torch.bfloat16).value


def kept(name: str, corpus: Corpus) -> dict[str, Any] | None:
    """What a part found for this corpus, or None."""
    path = KEPT / f"{name}.json"
    found = read_json(path) if path.exists() else None
    return found if found and found["corpus"] == corpus.name else None


def keep(name: str, corpus: Corpus, **facts: Any) -> None:
    write_json(KEPT / f"{name}.json", {"corpus": corpus.name, "commit": commit(), **facts})


# Speed


def speed(corpus: Corpus, minutes: float) -> None:
    """Seconds a step of both sides, and how many steps each side's time is."""
    depth, rows = chosen_depth(corpus, minutes)
    with tempfile.TemporaryDirectory() as folder:
        setup = peer_setup(corpus, Path(folder), depth, steps=1000, seed=0)
        compiled = {**setup, "compile": True}
        write_json(Path(folder) / "eager.json", setup)
        write_json(Path(folder) / "compiled.json", compiled)
        here = [sys.executable, __file__, "--run", str(corpus.run), "--worker", str(depth)]
        sides = {"ours": Side(here)}
        for name in ("eager", "compiled"):
            sides[name] = Side([str(PEER), str(LOOP), str(Path(folder) / f"{name}.json"), "--time"])
        for side in sides.values():
            side.steps(2)  # warm up, compile
        for _ in range(ROUNDS):
            for side in sides.values():
                side.seconds += side.steps(STEPS_A_ROUND)
        median = {name: statistics.median(side.close()) for name, side in sides.items()}
    peer = min(median["eager"], median["compiled"])
    seconds = minutes * 60
    keep(
        "speed",
        corpus,
        minutes=minutes,
        depth=depth,
        rows=rows,
        seconds_a_step=median,
        compiled=median["compiled"] <= median["eager"],
        steps={
            "seed": int(seconds / median["ours"]),
            "half": int(seconds / 2 / median["ours"]),
            "peer": int(seconds / peer),
        },
    )


class Side:
    """A process that takes steps when told to, and sleeps while another side does."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.seconds: list[float] = []
        assert self.process.stdout and self.process.stdout.readline().strip() == "ready", command

    def steps(self, count: int) -> list[float]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        found: list[float] = json.loads(self.process.stdout.readline())
        return found

    def close(self) -> list[float]:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()
        return self.seconds


def worker(corpus: Corpus, depth: int) -> None:
    """Our side: the step, optimiser and loader of `nextword pretrain`, which on a CPU do not compile here."""
    settings = PretrainSettings()
    with tempfile.TemporaryDirectory() as out, joined(settings.device) as processes:
        run = BaseRun(settings, corpus.tokens, corpus.tokenizer, Path(out), processes)
        _, trainer, _ = run.built(depth, compile=False)
        batches = run.batches()
        print("ready", flush=True)
        for line in sys.stdin:
            seconds = []
            for _ in range(int(line)):
                began = time.perf_counter()
                float(trainer.step(batches.next()).loss)
                seconds.append(time.perf_counter() - began)
            print(json.dumps(seconds), flush=True)


def chosen_depth(corpus: Corpus, minutes: float) -> tuple[int, int]:
    """The depth that `nextword pretrain --minutes` chooses here, and its rows a step."""
    settings = PretrainSettings(minutes=minutes)
    with tempfile.TemporaryDirectory() as out, joined(settings.device) as processes:
        run = BaseRun(settings, corpus.tokens, corpus.tokenizer, Path(out), processes)
        found = plan(
            minutes * 60,
            run.measured_speed,
            step_tokens=run.step_tokens,
            vocab_size=run.tokenizer.vocab_size,
            corpus_tokens=run.train_text.tokens,
        )
    return found.depth, settings.batch


# Long runs


def ours(corpus: Corpus, name: str, steps: int, depth: int, seed: int) -> None:
    """Our recipe for so many steps; stopped, it goes on where it was."""
    out = corpus.run / "quality" / name
    settings = PretrainSettings(steps=steps, depth=depth, seed=seed)
    result = pretrain(settings, corpus.tokens, corpus.tokenizer, out)
    value = corpus.bits_per_byte(result.model, settings.context)
    keep(name, corpus, bits_per_byte=value, steps=steps, depth=depth, seconds=result.seconds)


def peer(corpus: Corpus, steps: int, depth: int, compile: bool) -> None:
    """The plain loop for so many steps, scored as ours is."""
    out = corpus.run / "quality" / "peer"
    with tempfile.TemporaryDirectory() as folder:
        setup = peer_setup(corpus, Path(folder), depth, steps, seed=0)
        path = Path(folder) / "setup.json"
        write_json(path, {**setup, "compile": compile, "out": str(out)})
        run = subprocess.run([str(PEER), str(LOOP), str(path)], stdout=subprocess.PIPE, check=True, text=True)
    value = corpus.bits_per_byte(out, setup["context"])
    keep("peer", corpus, bits_per_byte=value, depth=depth, rate=RATE, **json.loads(run.stdout))


def peer_setup(corpus: Corpus, folder: Path, depth: int, steps: int, seed: int) -> dict[str, Any]:
    """What plain_loop.py needs: the training ids in one file and our shape with a head of its own."""
    if not PEER.exists():
        raise BadInput("the peer's environment is not built", where=PEER, do="run `make peers`")
    settings = PretrainSettings()
    with tempfile.TemporaryDirectory() as out, joined(settings.device) as processes:
        config = BaseRun(settings, corpus.tokens, corpus.tokenizer, Path(out), processes).config(depth)
    np.save(folder / "train.npy", corpus.train.read(0, corpus.train.tokens).astype(np.uint32))
    return {
        "tokens": str(folder / "train.npy"),
        "config": {**config_to_json(config, "float32"), "tie_word_embeddings": False},
        "steps": steps,
        "batch": PEER_ROWS,
        "context": settings.context,
        "rate": RATE,
        "warmup": max(1, steps // 50),
        "seed": seed,
        "threads": torch.get_num_threads(),
        "compile": False,
    }


def counted(corpus: Corpus) -> None:
    found = baselines(corpus.train, corpus.held_out, Tokenizer.load(corpus.tokenizer))
    keep("baselines", corpus, baselines=[asdict(one) for one in found])


# Together


def do(part: str, corpus: Corpus, minutes: float, seed: int) -> None:
    """One part; what it builds on comes first."""
    if part == "speed":
        return speed(corpus, minutes)
    if part == "baselines":
        return counted(corpus)
    known = kept("speed", corpus)
    if known is None:
        speed(corpus, minutes)
        known = read_json(KEPT / "speed.json")
    if part == "peer":
        return peer(corpus, known["steps"]["peer"], known["depth"], known["compiled"])
    if part == "half":
        return ours(corpus, "half", known["steps"]["half"], known["depth"], seed=0)
    return ours(corpus, f"seed-{seed}", known["steps"]["seed"], known["depth"], seed)


PARTS = ("speed", "baselines", "peer", "half", *(f"seed-{seed}" for seed in SEEDS))


def report(corpus: Corpus) -> None:
    """Print and keep what is known; name what is missing."""
    found = {name: kept(name, corpus) for name in PARTS}
    lines = [figure("training text", f"{corpus.train.bytes / 1e6:.2f} MB, {corpus.train.tokens:,} tokens")]
    lines += [figure("held-out text", f"{corpus.held_out.bytes / 1e6:.2f} MB")]
    counts = found["baselines"]
    values = {one["name"]: one["bits_per_byte"] for one in counts["baselines"]} if counts else {}
    lines += [figure(f"{name}, bits per byte", value) for name, value in values.items()]
    demo = corpus.run / "base" / "model"
    if (demo / "config.json").exists():
        lines.append(figure("demo, bits per byte", corpus.bits_per_byte(demo, PretrainSettings().context)))
    seeds = [one["bits_per_byte"] for seed in SEEDS if (one := found[f"seed-{seed}"])]
    if seeds:
        spread = f"{statistics.mean(seeds):.4f} (" + ", ".join(f"{value:.4f}" for value in seeds) + ")"
        clearly = "5-gram" in values and max(seeds) < 0.95 * values["5-gram"]
        lines.append(
            figure("20-minute recipe, bits per byte", spread, "5 % below the 5-gram, every seed", clearly)
        )
    if found["speed"]:
        seconds = found["speed"]["seconds_a_step"]
        lines += [figure(f"{name}, seconds a step", value) for name, value in seconds.items()]
    if found["peer"]:
        lines.append(figure("plain loop, 20 minutes, bits per byte", found["peer"]["bits_per_byte"]))
    if found["half"] and found["peer"]:
        target = found["peer"]["bits_per_byte"]
        value = found["half"]["bits_per_byte"]
        lines.append(
            figure("ours in half its time, bits per byte", value, f"<= {target:.4f}", value <= target)
        )
    missing = [name for name in PARTS if found[name] is None]
    if missing:
        lines.append(figure("missing parts", ", ".join(missing)))
    record("quality", lines, note="Raw parts are in benchmarks/records/quality/.")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", type=Path, default=Path("runs/python-docs"))
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--part", choices=("speed", "baselines", "peer", "half", "seed"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    corpus = Corpus(given.run)
    if given.worker:
        return worker(corpus, given.worker)
    if given.part:
        do(given.part, corpus, given.minutes, given.seed)
    elif given.all:
        for name in PARTS:
            if kept(name, corpus) is None:
                part, _, seed = name.partition("-")
                do(part, corpus, given.minutes, int(seed or 0))
    return report(corpus)


if __name__ == "__main__":
    main()
