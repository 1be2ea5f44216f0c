"""The assistant's stages, three seeds: does finetuning teach, does quoting help, does preferring.

    .venv/bin/python benchmarks/stages.py --run runs/python-docs --part seed --seed 0    one seed, resumable
    .venv/bin/python benchmarks/stages.py --run runs/python-docs --all                   the missing seeds
    .venv/bin/python benchmarks/stages.py --run runs/python-docs --report                what is known
    .venv/bin/python benchmarks/stages.py --all --scale 0.01 --base runs/python-docs/base/model     a smoke

RUN is a finished make: its crawl, clean text, tokens and tokenizer are taken, nothing in it is changed but
RUN/stages, where seeds work. A seed is one process, with a child for each step, that pretrains a base, makes
the seed data, finetunes (also on shuffled answers), has answers compared by a rule, learns a reward, aligns
by DPO and by PPO, and puts the same held-out questions to everyone. All with its own seed, and with the
functions that `make` calls.

Training is counted in steps, not in minutes, so a busy machine changes the time of a seed but no figure. The
time of every step of the way is kept, by the wall and of the processor (stages_way.py); one that was killed
and repeated is told, since its lost time is not in the sum. All counts are in stages_plan.py. What a seed
found goes to benchmarks/records/stages/; seeds are only put together when they had the same corpus and plan,
and stages_record.py says what is shown of them. Where a figure is short, records/stages/tried.md says what
was tried; it ends the record.

With --scale everything is smaller, to see that it runs; a model that has hardly been pretrained gives no two
answers that differ, so --base takes a base that is there. Neither is kept as a record.

Shuffled answers: each conversation gets the answer of another one of its form, language and type. What such a
model has learnt is how answers look. The judge of DPO and PPO marks answers right or wrong by the page
(evaluate/answers.py) on held-out functions; the rule that compared answers for them knows only shared words.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from report import RECORDS
from stages_plan import Plan
from stages_record import report
from stages_seed import Seed, corpus

from nextword.common.files import read_json, write_json
from nextword.common.threads import spin_briefly

SEEDS = (0, 1, 2)
KEPT = RECORDS / "stages"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", type=Path, default=Path("runs/python-docs"))
    parser.add_argument("--part", choices=("seed",))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--step", default="", help="only this step of the seed's way, as the seed calls it")
    parser.add_argument("--all", action="store_true", help="every missing seed, one after the other")
    parser.add_argument("--report", action="store_true", help="only what is known, as with no option")
    parser.add_argument("--scale", type=float, default=1.0, help="of all counts; only 1 is kept as a record")
    parser.add_argument(
        "--base", type=Path, help="begin with this model, pretrain none; not kept as a record"
    )
    given = parser.parse_args()
    spin_briefly()  # as the command line does; before torch comes
    plan, is_real = Plan().scaled(given.scale), given.scale == 1 and not given.base
    work = given.run / ("stages" if is_real else f"stages-{given.scale:g}{'-from-base' * bool(given.base)}")
    kept = KEPT if is_real else work / "parts"
    here = {"corpus": corpus(given.run), "plan": asdict(plan)}

    def missing(seed: int) -> bool:
        path = kept / f"seed-{seed}.json"
        found = read_json(path) if path.exists() else {}
        return {name: found.get(name) for name in here} != here

    def command(seed: int, *more: str) -> list[str]:
        words = ["--run", given.run, "--seed", seed, "--scale", given.scale, *more]
        return [
            __file__,
            *map(str, words),
            *(["--base", str(given.base)] if given.base else []),
        ]

    own = Seed(given.run, plan, given.seed, work / f"seed-{given.seed}", given.base)
    if given.step:
        own.do(given.step)
        return
    if given.part:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the time until then is counted
        found = own.work(lambda name: command(given.seed, "--step", name))
        write_json(kept / f"seed-{given.seed}.json", found)
    elif given.all:
        for seed in filter(missing, SEEDS):
            subprocess.run([sys.executable, *command(seed, "--part", "seed")], check=True)
    parts = [read_json(kept / f"seed-{seed}.json") for seed in SEEDS if not missing(seed)]
    report(parts, [seed for seed in SEEDS if missing(seed)], kept / "tried.md", is_real)


if __name__ == "__main__":
    main()
