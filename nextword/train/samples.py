"""Looking at a run while it learns: held-out bits per byte, and one prompt dreamed on again and again."""

from __future__ import annotations

import json
from pathlib import Path

from nextword.common.files import write_text
from nextword.common.language_model import Failed, LanguageModel, Request, Sampling, Token
from nextword.common.records import read_records

MARKS = (1, 10, 100)
"""Percent of training after which the prompt is dreamed on."""


def dream(model: LanguageModel, prompt: str, tokens: int, seed: int) -> str:
    """The model's continuation of a prompt: mild sampling, so that it neither loops nor raves."""
    sampling = Sampling(temperature=0.8, top_p=0.95, max_new_tokens=tokens)
    pieces = []
    for event in model.generate([Request(prompt, sampling, seed=seed)]):
        if isinstance(event, Failed):
            raise event.error
        if isinstance(event, Token):
            pieces.append(event.text)
    return "".join(pieces)


def keep_sample(path: Path, step: int, percent: float, prompt: str, text: str) -> None:
    """Add a sample to samples.jsonl, in place of what an interrupted run may have put there for this step."""
    earlier = [record for record in read_records(path) if record["step"] < step] if path.exists() else []
    record = {"step": step, "percent": percent, "prompt": prompt, "text": text}
    lines = [json.dumps(one, ensure_ascii=False) for one in (*earlier, record)]
    write_text(path, "\n".join(lines) + "\n")
