"""Runs in the peer environment `lm-eval`: the real harness over our adapter and our task files.

    python harness_peer.py FOLDER TASK... > results.json

The model is a scripted fake: for each prompt of the task files it says (and scores as likely) the gold
answer, or on every third question something else, so that the right figures are known.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path

from nextword.engine.fake import LIKELY, UNLIKELY, FakeModel
from nextword.evaluate.lm_eval import run_harness


class Scripted(FakeModel):
    """Says and prefers what the script has."""

    def score(self, prompt, continuation):
        wanted = self.script[prompt]
        return [LIKELY if continuation.strip() == wanted else UNLIKELY]


def script(folder: Path, names: list[str]) -> dict[str, str]:
    said = {}
    for name in names:
        for number, line in enumerate((folder / f"{name}.jsonl").read_text().splitlines()):
            row = json.loads(line)
            if "options" in row:
                right = row["options"][row["right"]]
                other = row["options"][row["right"] - 1]
                said[row["prompt"]] = other if number % 3 == 0 else right
            else:
                said[row["prompt"]] = "no such answer" if number % 3 == 0 else row["gold"]
    return said


def main() -> None:
    folder, names = Path(sys.argv[1]), sys.argv[2:]
    model = Scripted(script(folder, names))
    with contextlib.redirect_stdout(sys.stderr):
        results = run_harness(model, names, include=folder)
    json.dump(results, sys.stdout, default=str)


if __name__ == "__main__":
    main()
