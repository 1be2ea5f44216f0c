"""The second half of a make: the base model becomes an assistant, and the stages are held side by side.

    seed      RUN/seed        questions and answers derived from the pages, some held out; those about other
                              pages than Python's are proposed and approved by a rule first (RUN/proposed)
    index     RUN/search.db   the pages, to be searched and quoted
    search    RUN/seed        the same, with the passages that a search of the index gives
    finetune  RUN/finetuned   the base model learns to answer, from that and from hand-written conversations
    compare   RUN/compared    its answers to the same questions, compared by a rule that stands in for people
    reward    RUN/reward      a model of what the rule prefers
    align     RUN/aligned     the finetuned model learns to prefer it too (DPO)
    check     RUN/card.html   every stage examined on held-out questions; ten of them to read, with RUN/pages

Every stage takes a fixed part of the whole time, so that the same settings plan the same run again.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextword import engine
from nextword.common.errors import BadInput
from nextword.common.files import write_json
from nextword.common.progress import Progress
from nextword.common.records import Document, read_documents
from nextword.data.own_text import ADDRESS, manners, own_conversations
from nextword.evaluate.stages import Stage, sitter, stages_of
from nextword.recipes.pages_shown import write_pages

if TYPE_CHECKING:
    from nextword.data.questions import QuestionSettings

FINETUNE_SHARE, REWARD_SHARE, ALIGN_SHARE = 0.25, 0.03, 0.07
"""Parts of the whole time."""
ASSISTANT_SHARE = 0.64
"""What all of it takes of the whole time, the stages that take what they need included."""
LESSONS_A_MINUTE = 700
"""Conversations of the seed data that are searched for and learnt from."""
MANNERS_SEEN = 8
"""Times that manners (greetings, who it is, what it refuses) stand among these, beside the once of all that
people wrote: without, a demo's model answered "hello" with nonsense and refused one request of six that it
should refuse (with six: all), and it quotes as well (two models, 300 questions: 51 %, 49 %)."""
PROPOSALS_A_MINUTE = 60
"""Proposed questions that the rule looks at; labelling them takes a part of a second each."""
FINETUNE_RATES: dict[str, Any] = {"matrix_rate": 0.01, "vector_rate": 0.003}
"""Higher than one would finetune a large model with: a small one has yet to learn to look something up."""
REWARD_RATE, ALIGN_RATE, ALIGN_SFT_WEIGHT = 5e-4, 4e-4, 10.0
"""Likewise; and the answers that were chosen are often not the model's own, so DPO must hold on to them. Of
the weights 1, 5 and 10 the first lost as many questions as it won; the others won two of three."""
QUESTIONS_A_MINUTE, EXAMINED_A_MINUTE = 120, 5
"""Questions whose answers are compared, and questions of each examination paper."""
EXAMINED_TOKENS = 20_000
"""Held-out tokens of which each model tells how many bits they take: a second of each."""
SEEN_FOR_ONE_ASKED = 3
"""Conversations of the seed data of which one, at least, asks about a page."""


@dataclass(frozen=True)
class AssistantStages:
    """The stages over one run folder.

    seconds: what the whole make may take. progress: makes a bar of a title and a unit. has_facts: the pages
    are Python's documentation, from which answers can be derived.
    """

    folder: Path
    name: str
    seconds: float
    seed: int
    progress: Callable[[str, str], Progress]
    has_facts: bool = True

    def early(self) -> Iterator[tuple[str, Callable[[], Any]]]:
        """What may find that there is nothing to ask about, to be done before any training."""
        if not self.has_facts:
            yield "seed", self._seed

    def stages(self) -> Iterator[tuple[str, Callable[[], Any]]]:
        """The stages by name, in their order."""
        yield "seed", self._seed
        yield "index", self._index
        yield "search", self._search
        yield "finetune", self._finetune
        yield "compare", self._compare
        yield "reward", self._reward
        yield "align", self._align
        yield "check", self._check

    @property
    def minutes(self) -> float:
        """The whole make's time."""
        return self.seconds / 60

    @property
    def _learnt(self) -> int:
        """Conversations of the seed data to finetune on: the first ones."""
        return max(64, round(LESSONS_A_MINUTE * self.minutes))

    @property
    def _asked(self) -> int:
        """Questions whose answers are compared."""
        return max(16, round(QUESTIONS_A_MINUTE * self.minutes))

    def _seed(self) -> Any:
        from nextword.data.questions import QuestionSettings
        from nextword.data.seed import seed_conversations

        settings = QuestionSettings(seed=self.seed)
        if not self.has_facts:
            return self._proposed(settings)
        settings = replace(settings, conversations=self._learnt + SEEN_FOR_ONE_ASKED * self._asked)
        return seed_conversations(
            settings, self.folder / "crawl", self.folder / "seed", self.progress("seed", "pages")
        )

    def _proposed(self, settings: QuestionSettings) -> Any:
        from nextword.data.propose import ProposeSettings, documents
        from nextword.data.proposed_seed import seed_of_approved
        from nextword.recipes.approved_by_rule import approved_by_rule

        out = self.folder / "proposed"
        with self.progress("propose", "documents") as progress:
            most = max(240, round(PROPOSALS_A_MINUTE * self.minutes))
            made = approved_by_rule(ProposeSettings(most=most), self.folder / "crawl", out, progress)
        pages = documents(self.folder / "crawl", Counter())
        settings = replace(settings, conversations=self._learnt)
        seed = seed_of_approved(settings, out / "approved.jsonl", self.folder / "seed", pages)
        return {"proposed": made, **seed}

    def _index(self) -> Any:
        from nextword.tools.search import Index

        with (
            self.progress("index", "pages") as progress,
            Index.build(self._documents(), self.folder / "search.db", progress) as index,
        ):
            return {"pages": len(index)}

    def _search(self) -> Any:
        from nextword.common.dialogue import read_conversations, write_conversations
        from nextword.data.follow_ups import FollowUps
        from nextword.data.questions import read_questions
        from nextword.data.seed import FURTHER
        from nextword.recipes.searched import searched
        from nextword.tools.search import Index

        seed = self.folder / "seed"
        further = FollowUps(read_questions(seed / FURTHER))
        with (
            self.progress("search", "conversations") as progress,
            Index.open(self.folder / "search.db") as index,
        ):
            progress.set(0, total=self._learnt)
            rows = searched(read_conversations(seed / "train.jsonl"), index, self._learnt, further, progress)
            rows = itertools.chain(rows, MANNERS_SEEN * manners())
            return {"conversations": write_conversations(self._lessons, rows)}

    def _finetune(self) -> Any:
        from nextword.train.finetune import FinetuneData, FinetuneSettings, finetune

        seed = self.folder / "seed"
        settings = FinetuneSettings(minutes=self._share(FINETUNE_SHARE), seed=self.seed, **FINETUNE_RATES)
        data = FinetuneData((self._lessons, *own_conversations()), (seed / "heldout.jsonl",))
        base, out = self.folder / "base" / "model", self.folder / "finetuned"
        if not self.has_facts:
            settings = replace(settings, prompt=self._first_question())
        return finetune(settings, base, data, out, self.progress("finetune", "tokens"))

    def _compare(self) -> Any:
        from nextword.recipes.compared_by_rule import ComparingSettings, compared_by_rule

        settings = ComparingSettings(
            questions=self._asked, learnt=self._learnt, name="finetuned", seed=self.seed
        )
        with self.progress("compare", "answers") as progress:
            progress.set(0, total=settings.questions * settings.answers)
            model = engine.open(self.folder / "finetuned")
            try:
                return compared_by_rule(
                    settings, model, self.folder / "seed", self.folder / "compared", progress
                )
            except BadInput as error:  # a model that has learnt little has nothing to choose from
                progress.say(f"nothing to align with: {error}")
                return {"comparisons": 0}

    def _reward(self) -> Any:
        from nextword.train.reward import RewardSettings, train_reward

        if not self._comparisons.exists():
            return None

        settings = RewardSettings(minutes=self._share(REWARD_SHARE), rate=REWARD_RATE, seed=self.seed)
        return train_reward(
            settings,
            self.folder / "finetuned" / "model",
            [self._comparisons],
            self.folder / "reward",
            self.progress("reward", "comparisons"),
        )

    def _align(self) -> Any:
        from nextword.train.preference import PreferenceSettings, align_by_preference

        if not self._comparisons.exists():
            return None

        settings = PreferenceSettings(
            method="dpo",
            minutes=self._share(ALIGN_SHARE),
            rate=ALIGN_RATE,
            sft_weight=ALIGN_SFT_WEIGHT,
            seed=self.seed,
        )
        return align_by_preference(
            settings,
            self.folder / "finetuned" / "model",
            [self._comparisons],
            self.folder / "aligned",
            self.progress("align", "comparisons"),
        )

    def _check(self) -> Any:
        from nextword.data.proposed_seed import ENOUGH
        from nextword.data.questions import read_questions
        from nextword.evaluate.card_page import write_card
        from nextword.evaluate.examination import EvaluateSettings, examine
        from nextword.evaluate.helped import helped, told
        from nextword.evaluate.papers import documentation, papers_of
        from nextword.evaluate.spot_check import right_of, spot_check, spot_questions, spot_record

        questions = list(read_questions(self.folder / "seed" / "questions.heldout.jsonl"))
        least = 24 if self.has_facts else ENOUGH
        asked = max(least, round(EXAMINED_A_MINUTE * self.minutes))
        settings = EvaluateSettings(most=asked, max_tokens=EXAMINED_TOKENS)
        papers = papers_of(questions, [], Path(), settings.most, settings.shots)
        from_memory, *_ = documentation(questions, settings.most, settings.shots)
        stages = self.side_by_side()
        with self.progress("check", "answers") as progress:
            sitting = {stage.name: sitter(stage, from_memory, settings.shots) for stage in stages}
            checked = spot_check(spot_questions(from_memory.questions), sitting, progress)
            made = f"{datetime.now(UTC):%Y-%m-%d}"
            about: dict[str, Any] = {"title": self.name, "made": made, "tokens": self.folder / "tokens"}
            card = told(examine(stages, papers, settings, progress=progress, **about))
        write_card(self.folder / "card.html", card)
        write_json(self.folder / "spot_check.json", spot_record(checked))
        shown = write_pages([one.question for one in checked], self._documents(), self.folder / "pages")
        found = helped(card)
        return {
            "report": str(self.folder / "card.html"),
            "right": right_of(checked),
            "pages": shown,
            "helped": found.record if found else None,
        }

    def side_by_side(self) -> list[Stage]:
        """Base, finetuned and aligned model, retrieval alone, and the last model with the pages at hand."""
        from nextword.recipes.pages_at_hand import at_hand

        stages = stages_of([str(self.folder)])
        last = stages[-1].model
        assert last is not None, "a run's stages are models"
        return [*stages, *at_hand(last, self.folder / "search.db")]

    @property
    def _lessons(self) -> Path:
        return self.folder / "seed" / "searched.jsonl"

    @property
    def _comparisons(self) -> Path:
        return self.folder / "compared" / "comparisons.jsonl"

    def _first_question(self) -> str:
        from nextword.data.questions import read_questions

        return next(read_questions(self.folder / "seed" / "questions.heldout.jsonl")).text

    def _share(self, part: float) -> float:
        return round(max(part * self.minutes, 0.05), 3)

    def _documents(self) -> Iterator[Document]:
        for split in ("train", "heldout"):
            for document in read_documents(self.folder / "clean" / f"{split}.jsonl.zst"):
                if self.has_facts or not document.url.startswith(ADDRESS):  # asked about theirs, not ours
                    yield document
