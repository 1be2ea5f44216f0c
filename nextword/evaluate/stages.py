"""Stages: the same model before and after each step of its training, and how each of them is asked.

A base model is asked in plain text after worked examples (few_shot.py). One that was finetuned is asked as a
person would ask it; a test that it was not made for (GSM8K) shows its examples as earlier turns. A model with
pages at hand gets the question alone and looks the answer up, however it does that: here it is a function.
Multiple choice is scored with the same plain prompt for every stage (choice.py).

    runs/python-docs                  every stage of a run folder: base, finetuned, aligned
    finetuned=runs/other/finetuned    any model under a name of one's own
    base=models/TinyLlama             what is called "base", or has no chat template, is asked as a base model

A stage is opened when it sits and let go after, so that only one model is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeGuard

from nextword import engine
from nextword.common.errors import BadInput
from nextword.common.language_model import LanguageModel
from nextword.common.progress import Progress
from nextword.engine.local import LocalModel
from nextword.evaluate.choice import Choices, chosen_all
from nextword.evaluate.exam import GREEDY, Examinee, Marked, Reply, by_lookup, examinee, sat
from nextword.evaluate.exercises import Exercises
from nextword.evaluate.few_shot import SHOTS, FewShot
from nextword.evaluate.task import Exemplified, Questions, Task

BASE = "base"
INSIDE_A_RUN = {
    BASE: "base/model", "finetuned": "finetuned/model", "aligned": "aligned/model", "current": "current/model"
}  # fmt: skip
"""Where a run folder keeps the model of each stage, in their order."""

Lookup = Callable[[str], Reply]
"""Answers a question from pages at hand."""


@dataclass(frozen=True)
class Stage:
    """A name, and how to open who answers: a model, or else a lookup.

    is_base: asked in plain text with examples, even where the model's folder has a chat template. folder: the
    checkpoint folder, where there is one.
    """

    name: str
    model: Callable[[], LanguageModel] | None = None
    lookup: Callable[[], Lookup] | None = None
    is_base: bool = False
    folder: Path | None = None


@dataclass(frozen=True)
class Paper:
    """One task's answers by one stage."""

    task: str
    results: list[Marked]


def sit(
    stage: Stage, tasks: Sequence[Task | Choices], shots: int = SHOTS, progress: Progress | None = None
) -> list[Paper]:
    """The tasks that this stage can be asked, answered and marked.

    A lookup sits only questions that show no page: the page is what it has to find.
    """
    if stage.lookup:
        ask = by_lookup(stage.lookup())
        asked = [task for task in tasks if for_lookup(task)]
        return [Paper(task.name, sat(task, ask, progress)) for task in asked]
    if stage.model is None:
        raise BadInput("a stage without a model or pages", where=stage.name)
    model = stage.model()
    return [Paper(task.name, _answers(stage, model, task, shots, progress)) for task in tasks]


def for_lookup(task: Task | Choices) -> TypeGuard[Questions]:
    """Whether a task can be put to someone who looks answers up."""
    return isinstance(task, Questions) and not task.pages


def sitter(stage: Stage, task: Task, shots: int = SHOTS) -> Examinee:
    """Who answers this task's questions: a model opened now, or a lookup."""
    if stage.lookup:
        return by_lookup(stage.lookup())
    if stage.model is None:
        raise BadInput("a stage without a model or pages", where=stage.name)
    return examinee_of(stage, stage.model(), task, shots)


def examinee_of(stage: Stage, model: LanguageModel, task: Task, shots: int = SHOTS) -> Examinee:
    """Who answers this task's conversations: the model, asked as its stage is asked."""
    room = task.room if isinstance(task, Exercises) else GREEDY.max_new_tokens
    sampling = replace(GREEDY, max_new_tokens=room)
    examples = task.examples if isinstance(task, Exemplified) else []
    if stage.is_base or not converses(model):
        return examinee(FewShot(model, examples, shots), sampling)
    if isinstance(task, Exercises) and examples:
        return examinee(FewShot(model, examples, shots, as_turns=True), sampling)
    return examinee(model, sampling)


def converses(model: LanguageModel) -> bool:
    """Whether a model can be given a conversation: one on this machine needs a chat template."""
    return not isinstance(model, LocalModel) or model.vocabulary.chat_template is not None


def stages_of(specs: Iterable[str], device: str = "auto") -> list[Stage]:
    """The stages that these specifications name, in their order; see above. BadInput for equal names."""
    found = [stage for spec in specs for stage in _of(spec, device)]
    names = [stage.name for stage in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise BadInput(f"two models are called {twice}", do="give them names: NAME=MODEL")
    return found


def _answers(
    stage: Stage, model: LanguageModel, task: Task | Choices, shots: int, progress: Progress | None
) -> list[Marked]:
    if isinstance(task, Choices):
        return chosen_all(model, task, progress)
    return sat(task, examinee_of(stage, model, task, shots), progress)


def _of(spec: str, device: str) -> list[Stage]:
    name, is_named, where = spec.partition("=")
    if is_named and "/" not in name and not name.startswith("fake:"):
        return [_one(name, where, device)]
    path = Path(spec)
    inside = {stage: path / place for stage, place in INSIDE_A_RUN.items()}
    parts = {stage: folder for stage, folder in inside.items() if (folder / "config.json").is_file()}
    if parts:
        return [_one(stage, str(folder), device) for stage, folder in parts.items()]
    if spec.startswith("fake:"):
        return [_one("fake", spec, device)]
    return [_one((path.parent if path.name == "model" else path).stem, spec, device)]


def _one(name: str, spec: str, device: str) -> Stage:
    if not name or not spec:
        raise BadInput(f"{name}={spec} names no model", do="write NAME=MODEL")
    is_file = spec.startswith("fake:") or Path(spec).is_file()
    folder = None if is_file else engine.model_folder(Path(spec), assistant=name != BASE)
    return Stage(
        name, lambda: engine.open(folder or spec, device=device), is_base=name == BASE, folder=folder
    )
