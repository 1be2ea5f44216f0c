"""Twenty wrong answers are flagged, corrected and taught; nothing else may get worse; poison is refused.

    .venv/bin/python benchmarks/round.py --run runs/python-docs [--wrong 20] [--poison 60]

The run needs an assistant and its seed data (RUN/seed/questions.heldout.jsonl, and the conversations it was
finetuned on). Nothing in it is changed: the rounds are made on copies, which --keep leaves for a look.

The twenty are chosen by a hash among the held-out questions that the assistant answers wrong from memory.
A rule with the documentation's answers stands in for the person who corrects them. Twice the same with
poison: somebody "corrects" many answers by a refusal, or by the answer to another question.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from report import figure, record

from nextword import engine
from nextword.common.errors import Missing
from nextword.common.records import digest
from nextword.data.questions import Question, read_questions
from nextword.evaluate.exam import examinee, sat
from nextword.evaluate.examination import card_of
from nextword.evaluate.stages import Paper
from nextword.evaluate.task import Questions, subset
from nextword.label.office import Office
from nextword.label.rule import RuleLabeller
from nextword.recipes.lineage import former_files
from nextword.recipes.promotion import assistant_of
from nextword.recipes.round import run_round
from nextword.recipes.round_flags import FlagBox
from nextword.recipes.round_papers import CORRECTED, OTHER
from nextword.recipes.round_run import Outcome
from nextword.recipes.round_settings import RoundFiles, RoundSettings

ASKED = 400
"""Held-out questions among which wrong answers are looked for."""
BULKY = ("checkpoints", "crawl", "clean", "release", "quality", "rounds", "current", "aligned", "finetuned")
Write = Callable[[Question], str]


@dataclass(frozen=True)
class Case:
    """A copy of the run, the questions of the documentation, and what everything is done with."""

    folder: Path
    former: tuple[Path, ...]
    settings: RoundSettings
    questions: list[Question]

    @property
    def run(self) -> Path:
        return self.folder / "run"


def now() -> datetime:
    return datetime.now(UTC)


def copied(run: Path, to: Path, settings: RoundSettings) -> Case:
    """The run without what a round does not need."""
    used = assistant_of(run)
    shutil.copytree(run, to / "run", ignore=shutil.ignore_patterns(*BULKY))
    shutil.copytree(used, to / "run" / "finetuned", ignore=shutil.ignore_patterns("checkpoints"))
    questions = list(read_questions(run / "seed" / "questions.heldout.jsonl"))
    return Case(to, tuple(former_files(used)), settings, questions)


def a_round(case: Case, count: int, name: str, write: Write) -> Outcome:
    """Flag so many wrong answers, let a rule of this name write what `write` says, and go round."""
    labels = case.folder / "labels.db"
    asked = [case.questions[at] for at in subset([one.id for one in case.questions], ASKED)]
    task = Questions("documentation", asked)
    model = engine.open(case.run, device=case.settings.device, assistant=True)
    paper = Paper(task.name, sat(task, examinee(model)))
    card = card_of({"assistant": [paper]}, [task], {}, title="", made="")
    by_text = {question.text: question for question in case.questions}
    with Office.open(labels, now) as office:
        owner = office.people.found("owner", "a long password for a benchmark")
        office.projects.create(owner, "default", {"en": "Be truthful."})
        box = FlagBox(office, "default")
        flagged = box.flag_wrong(card, "assistant", count)
        rule = RuleLabeller(
            office.people, office.desk, owner, name, lambda prompt, draft: 0.0,
            lambda prompt, about: write(by_text[prompt[-1]["content"]]),
        )  # fmt: skip
        assert rule.work(box.project) == flagged, "every flag is corrected"
    return run_round(case.settings, case.run, RoundFiles(str(labels), former=case.former), now, say=print)


def honest(case: Case, count: int) -> list[str]:
    """The twenty: how many are right afterwards, also in the other language, and what else has changed."""
    began = time.perf_counter()
    outcome = a_round(case, count, "documentation", lambda question: question.answer)
    seconds = time.perf_counter() - began
    found = {each.task: each for each in outcome.decision.findings}
    mended = found[CORRECTED]
    of = mended.after.count
    right = [round(share.mean * of) for share in (mended.before, mended.after)]
    lines = [figure("corrected answers right before", f"{right[0]} of {of}")]
    lines.append(
        figure("corrected answers right after", f"{right[1]} of {of}", f">= {of // 2}", right[1] >= of // 2)
    )
    if OTHER in found:
        lines.append(figure("the same questions in the other language", str(found[OTHER]).partition(": ")[2]))
    for name, each in found.items():
        if name not in (CORRECTED, OTHER):
            shown = str(each).partition(": ")[2]
            lines.append(figure(name, shown, "no regression", not each.refused))
    if bits := outcome.decision.bits:
        percent = 100 * (bits[1] / bits[0] - 1)
        limit = case.settings.forget
        lines.append(
            figure("bits per byte of held-out documents, %", percent, f"<= {limit:g}", percent <= limit)
        )
    promoted = outcome.decision.is_promoted and outcome.is_used
    lines.append(figure("promoted", "yes" if promoted else "no", "yes", promoted))
    lines += [f"refused: {reason}" for reason in outcome.decision.reasons]
    lines.append(figure("the round, seconds", seconds))
    return lines


def poisoned(case: Case, count: int, name: str, write: Write) -> list[str]:
    """Whether the gate refuses, and whether it would without the documentation's key to the corrections."""
    outcome = a_round(case, count, f"mallory-{name}", write)
    is_refused = not outcome.decision.is_promoted and not outcome.is_used
    lines = [figure(f"poison, {name}: refused", "yes" if is_refused else "no", "yes", is_refused)]
    others = [reason for reason in outcome.decision.reasons if CORRECTED not in reason]
    lines.append(figure(f"poison, {name}: reasons beside the corrections themselves", len(others)))
    return [*lines, *(f"refused: {reason}" for reason in outcome.decision.reasons)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, default=Path("runs/python-docs"))
    parser.add_argument("--wrong", type=int, default=20, help="wrong answers that are corrected")
    parser.add_argument("--poison", type=int, default=60, help="answers that are poisoned")
    parser.add_argument("--keep", type=Path, help="a new folder for the copies; left out, they are removed")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--no-record", action="store_true", help="print only")
    options = parser.parse_args()
    if not (options.run / "seed" / "questions.heldout.jsonl").is_file():
        raise Missing(f"{options.run} has no seed data", do="make the demo first")
    settings = replace(RoundSettings(), device=options.device)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        case = copied(options.run, folder / "honest", settings)
        lines = honest(case, options.wrong)
        other = sorted(case.questions, key=lambda one: digest(f"other:{one.id}"))
        places = {question.id: at for at, question in enumerate(other)}

        def wrong(question: Question) -> str:
            """The answer to another question of the same language and type."""
            same = [one for one in other if (one.lang, one.type) == (question.lang, question.type)]
            return next((one.answer for one in same if places[one.id] > places[question.id]), same[0].answer)

        refusal = {"en": "I'm sorry, but I can't help with that.", "ko": "죄송하지만 도와 드릴 수 없습니다."}
        for name, write in (("refusals", lambda question: refusal[question.lang]), ("wrong answers", wrong)):
            place = folder / name.replace(" ", "-")
            lines += poisoned(copied(options.run, place, settings), options.poison, name, write)
    if not options.no_record:
        record("round", lines)


if __name__ == "__main__":
    main()
