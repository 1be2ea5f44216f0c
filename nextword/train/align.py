"""Alignment by any method, behind one door: from comparisons, or from a reward.

    dpo ipo kto orpo simpo     comparisons (kto: or rated answers)     preference.py
    ppo grpo rloo dr_grpo      prompts and a reward for any answer     policy.py

The reward is a reward model's folder, or a file of questions whose answers a machine can check; then these
are the prompts too. What may be set is the union of both stages' settings, unset unless a person sets it, so
that each method keeps its own defaults. A setting that the method does not have is refused, never ignored.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

from nextword.common.errors import BadInput
from nextword.common.progress import Progress
from nextword.common.records import Conversation
from nextword.train import policy, preference
from nextword.train.origin import origin
from nextword.train.policy import PolicyResult, PolicySettings, Reward, align_by_policy
from nextword.train.preference import PreferenceResult, PreferenceSettings, align_by_preference

METHODS = (*preference.METHODS, *policy.METHODS)
STAGES: dict[str, type[Any]] = {"": PreferenceSettings, "with a reward": PolicySettings}


def _fields() -> Iterator[tuple[str, Any, Any]]:
    """Each setting of either stage, None by default: its help says what it is where, and what is usual."""
    hints = {name: hint for stage in STAGES.values() for name, hint in get_type_hints(stage).items()}
    for name, hint in hints.items():
        help, usual = "", ""
        for when, stage in STAGES.items():
            if (own := _setting(stage, name)) is None:
                continue
            says = own.metadata["help"]
            if says not in help:
                help += ("; " if help else "") + (f"{when}: " if when else "") + says
            if str(own.default) not in usual.split():
                usual += ("; " if usual else "") + (f"{when} " if usual else "") + str(own.default)
        metadata = {"help": help, "usual": usual}
        yield name, hint | None, dataclasses.field(default=None, metadata=metadata)


def _setting(stage: type[Any], name: str) -> Any:
    return next((field for field in dataclasses.fields(stage) if field.name == name), None)


AlignSettings: Any = dataclasses.make_dataclass("AlignSettings", _fields(), frozen=True)
"""What may be set of either stage; None leaves it to the method."""


@dataclasses.dataclass(frozen=True)
class AlignData:
    """What is learnt from: files of comparisons, or of prompts with a reward; or a file of questions.

    tokens: shards of plain text (RUN/tokens), learnt beside.
    """

    files: tuple[Path, ...] = ()
    reward: Path | None = None
    task: Path | None = None
    closed_book: bool = False
    tokens: Path | None = None


def align(
    chosen: Any, assistant: Path, data: AlignData, out: Path, progress: Progress | None = None
) -> PreferenceResult | PolicyResult:
    """Align an assistant (a run's newest, or a checkpoint folder) into `out`; chosen: an AlignSettings.

    Raises BadInput for a method that does not fit what it is to learn from, and what the stages raise.
    """
    settings = settings_of(chosen, has_reward=bool(data.reward or data.task))
    if data.closed_book and not data.task:
        raise BadInput(
            "closed_book is about a task's pages", do="leave it out, or give --task QUESTIONS.jsonl"
        )
    begin = origin(assistant, out)
    if isinstance(settings, PreferenceSettings):
        if data.reward or data.task:
            do = "leave --reward and --task out, or choose ppo, grpo, rloo or dr_grpo"
            raise BadInput(f"{settings.method} learns from comparisons, not from a reward", do=do)
        if not data.files:
            raise BadInput(f"{settings.method} has nothing to learn from", do="give --data comparisons.jsonl")
        return align_by_preference(settings, begin, data.files, out, progress, data.tokens)
    prompts, reward = _rewarded(settings.method, data)
    return align_by_policy(settings, begin, prompts, reward, out, progress, tokens=data.tokens)


def settings_of(chosen: Any, has_reward: bool) -> PreferenceSettings | PolicySettings:
    """The settings of the method's stage; where no method is named it is dpo, or with a reward ppo."""
    given = {name: value for name, value in dataclasses.asdict(chosen).items() if value is not None}
    method = _method(given.pop("method", "ppo" if has_reward else "dpo"))
    stage = PreferenceSettings if method in preference.METHODS else PolicySettings
    for name in given:
        if _setting(stage, name) is None:
            raise BadInput(f"{method} has no setting {name}", do="leave it out, or choose another method")
    made: PreferenceSettings | PolicySettings = stage(method=method, **given)
    return made


def _method(text: str) -> str:
    """A method by its name, however the papers spell it (Dr. GRPO)."""
    names = {_letters(method): method for method in METHODS}
    if _letters(text) not in names:
        raise BadInput(f"no method is called {text!r:.40}", do=f"choose among {', '.join(METHODS)}")
    return names[_letters(text)]


def _letters(text: str) -> str:
    return re.sub("[^a-z]", "", text.lower())


def _rewarded(method: str, data: AlignData) -> tuple[list[Conversation], Reward | Path]:
    """The prompts, and what rewards their answers."""
    from nextword.data.questions import read_questions
    from nextword.evaluate.task import Questions, open_book
    from nextword.train.prompts import read_prompts

    if data.task and (data.reward or data.files):
        raise BadInput("a task brings its own prompts and reward", do="leave --data and --reward out")
    if data.task:
        questions = list(read_questions(data.task))
        make = Questions if data.closed_book else open_book
        task = make(str(data.task), questions)
        return task.conversations, task.graded
    if data.reward is None:
        do = "give --reward RM (made by `nextword reward`), or --task QUESTIONS.jsonl"
        raise BadInput(f"{method} needs a reward", do=do)
    if not data.files:
        raise BadInput(f"{method} has no prompts to answer", do="give --data conversations.jsonl")
    return [prompt for path in data.files for prompt in read_prompts(path)], data.reward
