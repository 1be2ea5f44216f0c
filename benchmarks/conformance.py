"""One model, three programs: torch, run.c and llama.cpp give the same text from the same file.

    .venv/bin/python benchmarks/conformance.py [RUN]          a run folder; runs/python-docs when left out

For a trained model and held-out text of its own run:

1. Greedy text of 128 tokens. torch (fp32) writes it; then run.c (F32 weights, F32 keys and values) and
   llama.cpp (the same) read it and say at each place which token they would have taken. That is the question
   of "the same text" asked at every place, also after one where two logits are as good as equal: such a
   place (two best logits within 1e-3) is no difference.
2. Perplexity by run.c of the F32, Q8_0 and Q4_0 release, beside torch's, over the same blocks. Of Q4_0 also
   what the same file costs in llama.cpp.
3. Token ids of 10,000 strings, random ones of many scripts and pieces of the held-out text.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F
from report import figure, record

from nextword.common.errors import BadInput
from nextword.common.progress import Progress
from nextword.common.records import read_documents
from nextword.model.checkpoint import load_checkpoint
from nextword.model.llama import KVCache, Llama
from nextword.release.parameters import write_parameters
from nextword.release.release import find_checkpoint
from nextword.runner.build import SOURCE, build
from nextword.runner.library import RunC
from nextword.tokenizer.tokenizer import Tokenizer

ROOT = Path(__file__).resolve().parents[1]
PEER = ROOT / ".peers" / "llama" / "bin" / "python"
TESTS = ROOT / "tests" / "release"
CLOSE = 1e-3
PROMPTS, PROMPT_TOKENS, NEW_TOKENS = 8, 16, 128
TEXT_BYTES = 100_000
TYPES = ("F32", "Q8_0", "Q4_0")


def ask(**question):
    """One question to llama.cpp; None where its environment is not built."""
    if not PEER.exists():
        return None
    command = [str(PEER), str(TESTS / "llama_cpp_peer.py")]
    answer = subprocess.run(command, input=json.dumps(question), capture_output=True, text=True, check=True)
    return json.loads(answer.stdout)


def greedy(model: Llama, prompt: list[int]) -> tuple[list[int], list[float]]:
    """torch's likeliest tokens, and how far the second best was behind at each."""
    cache = KVCache(model.config, 1, len(prompt) + NEW_TOKENS, torch.float32, torch.device("cpu"))
    ids, gaps = list(prompt), []
    logits = model(torch.tensor([prompt]), cache=cache)[0, -1]
    for _ in range(NEW_TOKENS):
        two = logits.topk(2)
        gaps.append(float(two.values[0] - two.values[1]))
        ids.append(int(two.indices[0]))
        logits = model(torch.tensor([ids[-1:]]), cache=cache)[0, -1]
    return ids, gaps


def run_c_choices(gguf: Path, rows: list[list[int]]) -> list[list[int]]:
    """run.c's likeliest token after each place of each row, a token at a time as it generates."""
    answers = []
    with RunC.open(gguf, pages=1, page_size=512, threads=2, kv="f32") as runner:
        for row in rows:
            found = []
            for place, id in enumerate(row):
                found.append(int(runner.decode([id], [place], [[0]], [True])[0].argmax()))
            answers.append(found)
    return answers


def differences(texts, choices) -> tuple[int, int]:
    """(places that differ, places that differ but lie within the tolerance)."""
    differ = close = 0
    for (ids, gaps), chosen in zip(texts, choices, strict=True):
        start = len(ids) - len(gaps)
        for number, gap in enumerate(gaps):
            if chosen[start + number - 1] != ids[start + number]:
                differ, close = differ + (gap >= CLOSE), close + (gap < CLOSE)
    return differ, close


def blocks(ids: list[int], context: int) -> list[list[int]]:
    """A text as run.c --perplexity reads it: each block of the context afresh, the last token its target."""
    return [ids[at : at + context + 1] for at in range(0, len(ids) - 1, context)]


def torch_perplexity(model: Llama, rows: list[list[int]]) -> float:
    """exp of the mean loss in fp32."""
    nats = count = 0.0
    for row in rows:
        logits = model(torch.tensor([row[:-1]]))[0]
        nats += float(F.cross_entropy(logits, torch.tensor(row[1:]), reduction="sum"))
        count += len(row) - 1
    return math.exp(nats / count)


def run_c_perplexity(program: Path, gguf: Path, text: Path, context: int) -> float:
    """What `run --perplexity` prints."""
    command = [program, gguf, "--perplexity", text, "--context", str(context), "--threads", "2"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.match(r"perplexity (\S+),", output)
    assert found, output
    return float(found[1])


def llama_cpp_perplexity(gguf: Path, rows: list[list[int]], context: int) -> float | None:
    """The same blocks, scored by llama.cpp."""
    answer = ask(ask="score", gguf=str(gguf), rows=rows, context=context)
    return math.exp(answer["nats"] / sum(len(row) - 1 for row in rows)) if answer else None


def held_out_text(run: Path | None, given: Path | None) -> str:
    """A given text, or the run's held-out documents, up to TEXT_BYTES."""
    if given is not None:
        return given.read_text(encoding="utf-8")[:TEXT_BYTES]
    if run is None or not (run / "clean" / "heldout.jsonl.zst").exists():
        raise BadInput("this model comes without held-out text", do="give one with --text FILE")
    text = ""
    for document in read_documents(run / "clean" / "heldout.jsonl.zst"):
        text += document.text + "\n\n"
        if len(text) > TEXT_BYTES:
            break
    return text[:TEXT_BYTES]


def greedy_figures(model: Llama, tokenizer: Tokenizer, gguf: Path, text: str) -> list[str]:
    """Part 1."""
    ids = tokenizer.encode(text)
    step = max(PROMPT_TOKENS, len(ids) // PROMPTS)
    starts = range(0, len(ids) - PROMPT_TOKENS, step)[:PROMPTS]
    texts = [greedy(model, [tokenizer.required("bos"), *ids[at : at + PROMPT_TOKENS]]) for at in starts]
    rows = [ids for ids, _ in texts]
    answers = {"run.c": run_c_choices(gguf, rows)}
    if peer := ask(ask="choices", gguf=str(gguf), rows=rows):
        answers["llama.cpp"] = peer["ids"]
    lines = []
    for name, choices in answers.items():
        differ, close = differences(texts, choices)
        shown = f"{differ} of {len(rows) * NEW_TOKENS} places differ ({close} more within {CLOSE})"
        lines.append(figure(f"greedy text, torch and {name}", shown, "none", differ == 0))
    return lines


def perplexity_figures(
    model: Llama, tokenizer: Tokenizer, files: dict[str, Path], text: str, program: Path
) -> list[str]:
    """Part 2."""
    context = min(512, model.config.context)
    rows = blocks(tokenizer.encode(text, bos=True), context)
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        found = {
            type: run_c_perplexity(program, path, Path(file.name), context) for type, path in files.items()
        }
    exact = torch_perplexity(model, rows)
    off = abs(found["F32"] / exact - 1)
    lines = [figure("perplexity, torch fp32", exact), figure("perplexity, run.c F32", found["F32"])]
    lines.append(figure("perplexity, run.c F32 from torch", f"{off:.2e}", "< 1e-4", off < 1e-4))
    for type, limit in (("Q8_0", 0.005), ("Q4_0", 0.08)):
        moved = found[type] / exact - 1
        lines.append(
            figure(f"perplexity, run.c {type}", f"{moved:+.3%}", f"< {limit:.1%}", abs(moved) < limit)
        )
        if peer := llama_cpp_perplexity(files[type], rows, context):
            lines.append(figure(f"perplexity, llama.cpp {type} (same file)", f"{peer / exact - 1:+.3%}"))
    return lines


def token_figures(tokenizer: Tokenizer, gguf: Path, text: str) -> list[str]:
    """Part 3."""
    sys.path.insert(0, str(TESTS))
    from folders import strings

    pieces = [text[at : at + 97] for at in range(0, len(text), 97)][:2000]
    tried = [*strings(10_000 - len(pieces)), *pieces]
    with RunC.open(gguf, pages=1, page_size=16, threads=1) as runner:
        wrong = sum(runner.tokenize(one) != tokenizer.encode(one) for one in tried)
    shown = f"{wrong} of {len(tried):,} strings differ"
    return [figure("token ids, run.c and Tokenizer", shown, "none", wrong == 0)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", nargs="?", type=Path, default=ROOT / "runs" / "python-docs")
    parser.add_argument("--text", type=Path, help="text to measure on, for a checkpoint without a run")
    options = parser.parse_args()
    torch.set_num_threads(2)
    torch.set_grad_enabled(False)
    checkpoint, run = find_checkpoint(options.run)
    text = held_out_text(run, options.text)
    model, tokenizer = load_checkpoint(checkpoint).eval(), Tokenizer.load(checkpoint)
    with tempfile.TemporaryDirectory() as temporary:
        files = {type: Path(temporary) / f"{type}.gguf" for type in TYPES}
        for type, path in files.items():
            write_parameters(checkpoint, path, type, Progress(type))
        program = build(SOURCE, Path(temporary) / "run")
        lines = [figure("parameters", f"{model.config.num_parameters:,}")]
        lines += greedy_figures(model, tokenizer, files["F32"], text)
        lines += perplexity_figures(model, tokenizer, files, text, program)
        lines += token_figures(tokenizer, files["F32"], text)
    record(
        "conformance", lines, "" if PEER.exists() else "llama.cpp was not at hand: run `make peers` first."
    )


if __name__ == "__main__":
    main()
