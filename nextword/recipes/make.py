"""`make`: from a web site to the two files, within a number of minutes.

    collect   at most a tenth of the time         clean, tokenise   what they take (a small part)
    baselines the compressors to be held against  pretrain          the rest: at least three fifths
    release   the two files, run.c compiled       report            the whole story, on a page and here

With `assistant` the base model is then taught to answer (recipes/assistant.py); the assistant is released.

Every stage writes its own folder and the journal remembers which are done, so an interrupted make goes on in
the middle of whatever it was doing, with the same command.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path
from typing import Any

from rich.console import Console

from nextword.common.errors import BadInput
from nextword.common.folder_lock import working_in
from nextword.common.progress import Progress
from nextword.common.records import read_documents
from nextword.common.settings import MOST_TOKENS, check_ranges, option
from nextword.common.terminal import bars, printable
from nextword.data.own_text import ADDRESS
from nextword.recipes.assistant import ASSISTANT_SHARE, AssistantStages
from nextword.recipes.journal import Journal

COLLECT_SHARE = 0.1
"""The part of the time a crawl may take."""
PRETRAIN_SHARE, PRETRAIN_SHARE_OF_ASSISTANT = 0.6, 0.21
"""The part of the time that pretraining gets at least, whatever the stages before it took."""
PYTHON_DOCS = "python-docs"
TYPES = ("F32", "F16", "BF16", "Q8_0", "Q4_0")
LEAST_VOCABULARY = 512
"""256 bytes, 32 special tokens, and some merges to make it worth while."""
CLOSING_SECONDS = (10.0, 0.05)
"""Kept for release and report: so many seconds, and so large a part of the whole."""
SMALL = (3, 128)
"""Layers and width of a model that is to become an assistant within SMALL_MINUTES: for its time as good a
base as one of 64 x depth, and all that follows takes little more than half as long."""
SMALL_MINUTES = 20


@dataclass(frozen=True)
class MakeSettings:
    """What to make a model of, and how long it may take."""

    source: str = option(PYTHON_DOCS, "python-docs, a folder, a file, or the address of a site")
    minutes: float = option(8.0, "how long the whole may take; more minutes, a better model")
    out: str = option("", "the run's folder; empty takes runs/NAME after the source")
    depth: int = option(0, "layers of the model; 0 chooses by the time and the speed of this machine")
    vocab_size: int = option(4096, "tokens of the vocabulary", most=MOST_TOKENS)
    type: str = option("Q8_0", "how the released weights are stored: F32, F16, BF16, Q8_0, Q4_0")
    own_text: bool = option(True, "add nextword's own README and docs, English and Korean")
    prompt: str = option("", "what the model is asked to go on from; empty takes a fitting one")
    seed: int = option(0, "of the first weights, the order of the text, and the dreams")
    allow_private: bool = option(False, "let a crawl go to private addresses")
    assistant: bool = option(False, "go on to an assistant that answers questions about the pages")

    def __post_init__(self) -> None:
        check_ranges(self)
        if not 0 < self.minutes < inf:
            raise BadInput(f"minutes is {self.minutes}", do="give a number above zero")
        if not self.source.strip():
            raise BadInput("the source is empty", do="give python-docs, a folder, a file or an address")
        if self.type not in TYPES:
            raise BadInput(f"no type is called {self.type!r}", do=f"choose from {', '.join(TYPES)}")
        if self.vocab_size < LEAST_VOCABULARY or self.depth < 0:
            raise BadInput(
                f"vocab_size {self.vocab_size}, depth {self.depth}",
                do=f"give at least {LEAST_VOCABULARY} tokens and no negative depth",
            )

    @property
    def name(self) -> str:
        """What the run and its files are called: after the source, in letters every system allows."""
        source = re.sub(r"^https?://", "", self.source).rstrip("/")
        if source == self.source:  # no address
            source = Path(source).expanduser().resolve().stem if source != PYTHON_DOCS else source
        return re.sub(r"[^\w.-]+", "-", source).strip(".-") or "model"

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return Path(self.out) if self.out else Path("runs") / self.name


def make(settings: MakeSettings, console: Console) -> Journal:
    """Do every stage that is not done yet; returns the journal, whose results tell the story.

    Raises what the stages raise; what is finished stays finished.
    """
    with working_in(settings.folder):
        run = Run(settings, console)
        run.refuse_early()
        for name, work in run.stages():
            run.journal.stage(name, work)
        return run.journal


class Run:
    """One make: the settings, the folder, the journal and the clock."""

    def __init__(self, settings: MakeSettings, console: Console) -> None:
        self.settings, self.console, self.folder = settings, console, settings.folder
        kept = {name: value for name, value in asdict(settings).items() if name != "out"}
        self.journal = Journal(self.folder, kept)
        self.began = time.monotonic() - self.journal.seconds
        if self.journal.stages:
            done = ", ".join(self.journal.stages)
            self.say(f"continuing in {self.folder} (done: {done})")

    def refuse_early(self) -> None:
        """BadInput, before any stage, for a network that this machine cannot train."""
        if self.settings.depth and "pretrain" not in self.journal.stages:
            from nextword.train.pretrain import PretrainSettings, refuse_early

            refuse_early(PretrainSettings(depth=self.settings.depth), self.settings.vocab_size)

    def stages(self) -> Iterator[tuple[str, Callable[[], Any]]]:
        """The stages by name, in their order."""
        yield "collect", self._collect
        yield "clean", self._clean
        assistant = self._assistant() if self.settings.assistant else None
        if assistant:
            yield from assistant.early()
        yield "tokenizer", self._tokenizer
        yield "baselines", self._baselines
        yield "pretrain", self._pretrain
        if assistant:
            yield from assistant.stages()
        yield "release", self._release
        yield "looks", self._looks

    def say(self, line: str) -> None:
        """A line that stays, whatever bars come and go."""
        self.console.print(line, markup=False, highlight=False)

    def _progress(self, title: str, unit: str) -> Progress:
        return Progress(title, unit=unit, console=self.console)

    @property
    def _seconds(self) -> float:
        return self.settings.minutes * 60

    def _assistant(self) -> AssistantStages:
        return AssistantStages(
            self.folder, self.settings.name, self._seconds, self.settings.seed, self._progress,
            has_facts=self.settings.source == PYTHON_DOCS,
        )  # fmt: skip

    def _collect(self) -> Any:
        from nextword.data.collect import CollectSettings, collect

        chosen = CollectSettings(
            source=self.settings.source,
            time_limit=max(3.0, COLLECT_SHARE * self._seconds),
            allow_private=self.settings.allow_private,
        )
        return collect(chosen, self.folder / "crawl", self._progress("collect", "pages"))

    def _clean(self) -> Any:
        from nextword.data.clean import CleanSettings, clean

        chosen = CleanSettings(own_text=self.settings.own_text)
        folder, progress = self.folder, self._progress("clean", "pages")
        made = clean(chosen, folder / "crawl", folder / "clean", progress)
        if made.warning:
            self.say(made.warning)
        return made

    def _tokenizer(self) -> Any:
        from nextword.tokenizer.tokenise import TokeniseSettings, tokenise
        from nextword.tokenizer.training import TokenizerSettings, tokenizer_of_clean

        clean, tokenizer = self.folder / "clean", self.folder / "tokenizer"
        report = tokenizer_of_clean(
            TokenizerSettings(vocab_size=self.settings.vocab_size),
            clean,
            tokenizer,
            self._progress("tokenizer", "characters"),
        )
        if report.vocab_size < self.settings.vocab_size:
            self.say(
                f"note: {self.settings.vocab_size:,} tokens were asked for; the text has only "
                f"{report.vocab_size:,}"
            )
        index = tokenise(
            TokeniseSettings(), clean, tokenizer, self.folder / "tokens", self._progress("tokenise", "bytes")
        )
        return {**asdict(report), "splits": index["splits"]}

    def _baselines(self) -> Any:
        from nextword.evaluate.baselines import baselines
        from nextword.tokenizer.shards import Shards
        from nextword.tokenizer.tokenizer import Tokenizer

        tokens = self.folder / "tokens"
        with self._progress("baselines", "") as progress:
            progress.set(0, facts="5-gram, xz -9e")
            found = baselines(
                Shards.open(tokens, "train"),
                Shards.open(tokens, "heldout"),
                Tokenizer.load(self.folder / "tokenizer"),
            )
        return {one.name: one.bits_per_byte for one in found}

    def _pretrain(self) -> Any:
        from nextword.train.pretrain import PretrainSettings, pretrain

        began = self.folder / "base" / "run.json"
        depth, width = self._shape()
        chosen = PretrainSettings(
            minutes=self._pretrain_minutes(began),
            depth=depth,
            width=width,
            seed=self.settings.seed,
            prompt=self.prompt(),
        )
        return pretrain(
            chosen,
            self.folder / "tokens",
            self.folder / "tokenizer",
            self.folder / "base",
            self._progress("pretrain", "tokens"),
            self._show_first_words(),
        )

    def _shape(self) -> tuple[int, int]:
        """Layers and width; 0 lets the time choose."""
        is_small = self.settings.assistant and self.settings.minutes <= SMALL_MINUTES
        return SMALL if is_small and not self.settings.depth else (self.settings.depth, 0)

    def _pretrain_minutes(self, began: Path) -> float:
        """What is left of the time; a run that has begun keeps the minutes it began with."""
        if began.exists():
            from nextword.common.files import read_json

            return float(read_json(began)["settings"]["minutes"])
        spent = time.monotonic() - self.began
        least, share = CLOSING_SECONDS
        left = self._seconds - spent - max(min(least, 0.1 * self._seconds), share * self._seconds)
        least_share = PRETRAIN_SHARE
        if self.settings.assistant:
            left -= ASSISTANT_SHARE * self._seconds
            least_share = PRETRAIN_SHARE_OF_ASSISTANT
        return round(max(left, least_share * self._seconds) / 60, 3)

    def _show_first_words(self) -> Callable[[Any], None]:
        """At the first checkpoint: the next-word bars of a network that has hardly begun."""
        shown = False

        def look(at: Any) -> None:
            nonlocal shown
            if shown or not at.dream:
                return
            shown = True
            from nextword import engine
            from nextword.evaluate.next_word import next_words

            self.say(f"after step {at.step}, the likeliest words after {self.prompt()!r}:")
            for line in bars(next_words(engine.open(at.model), self.prompt(), 5)):
                self.say(f"  {line}")

        return look

    def _release(self) -> Any:
        from nextword.release.release import ReleaseSettings, release

        chosen = ReleaseSettings(type=self.settings.type, name=self.settings.name)
        made = release(chosen, self.folder, self.folder / "release", self._progress("release", "tensors"))
        for note in made.notes:
            self.say(f"note: {printable(note)}")
        return made

    def _looks(self) -> Any:
        from nextword.recipes.looks import look_back

        with self._progress("report", ""):
            return look_back(self.folder, self.prompt(), self.journal)

    def prompt(self) -> str:
        """The given prompt, or one that fits the source: how a held-out page begins."""
        if self.settings.prompt:
            return self.settings.prompt
        if self.settings.source == PYTHON_DOCS:
            return "Return the"
        heldout = read_documents(self.folder / "clean" / "heldout.jsonl.zst")
        first = min(heldout, key=lambda page: page.url.startswith(ADDRESS), default=None)  # one of ours last
        words = first.text.split() if first else []
        return " ".join(words[:3]) or "The"
