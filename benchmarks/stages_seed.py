"""One seed of stages.py: its models made as recipes/assistant.py makes them, everyone asked, all measured."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

from stages_exam import columns, constant, quoting, saying, shuffled
from stages_hh import hh_comparisons
from stages_plan import Plan
from stages_way import Step, Way, done, timed

from nextword.common.dialogue import Comparison, read_comparisons, read_conversations, write_conversations
from nextword.common.files import read_json
from nextword.common.folder_lock import working_in
from nextword.common.progress import Progress
from nextword.common.provenance import commit
from nextword.common.records import digest, read_documents
from nextword.data.own_text import own_conversations
from nextword.data.questions import QuestionSettings, read_questions
from nextword.data.seed import seed_conversations
from nextword.data.sentences import sentences_of
from nextword.evaluate.exam import Marked, read_answers, sat, write_answers
from nextword.evaluate.papers import documentation
from nextword.evaluate.stages import BASE, Stage, sit
from nextword.evaluate.task import Questions

HH = Path(__file__).parents[2] / "shared" / "data" / "hh_rlhf_en" / "harmless-base.test.jsonl.xz"
ALIGNED = ("dpo", "ppo")
DPO_USES = ("dpo_steps", "dpo_rate", "dpo_beta", "dpo_sft", "dpo_ptx")
BASE_USES = ("begin", "depth", "width", "base_rows", "base_steps", "look_tokens", "bits_tokens")
PPO_USES = (
    "ppo_steps",
    "ppo_rate",
    "ppo_kl",
    "ppo_sft",
    "ppo_batch",
    "ppo_samples",
    "ppo_passes",
    "ppo_prompts",
)
SFT_USES = ("sft_rows", "sft_steps", "sft_matrix_rate", "sft_vector_rate", "sft_replay")


class Seed:
    """One seed's process."""

    def __init__(self, run: Path, plan: Plan, seed: int, folder: Path, base: Path | None = None) -> None:
        """base: a model to begin with, in place of pretraining one."""
        self.run, self.plan, self.seed, self.folder, self.begin = run, plan, seed, folder, base

    def work(self, command: Callable[[str], list[str]]) -> dict[str, Any]:
        """Take every step that is not done; returns what the seed has found.

        command: what calls `do` of a step, by its name, in a process of its own.
        """
        facts = {
            **asdict(self.plan), "corpus": corpus(self.run), "seed": self.seed, "begin": str(self.begin),
        }  # fmt: skip
        with working_in(self.folder / "results"):  # its own folder, since steps lock theirs
            way = Way(self.folder, facts, list(self.steps()), command)
            way.take()
        return self.found(way)

    def do(self, name: str) -> None:
        """Take one step, in this process."""
        done(next(step for step in self.steps() if step.name == name), self.folder)

    def steps(self) -> Iterator[Step]:
        yield Step("base", self._base, uses=BASE_USES, processes=2)
        yield Step("seed", self._seed, uses=("conversations",))
        yield Step("index", self._index)
        yield Step("lessons", self._lessons, ("seed", "index"), ("lessons",))
        yield Step("finetuned", self._finetuned, ("base", "lessons"), SFT_USES)
        yield Step("shuffled", self._shuffled, ("base", "lessons"), SFT_USES)
        yield Step("compared", self._compared, ("finetuned",), ("compared", "answers"))
        yield Step("judged", self._judged, ("finetuned",), ("judged", "answers"))
        yield Step("reward", self._reward, ("compared",), ("reward_steps", "reward_rate"))
        yield Step("dpo", self._dpo, ("compared",), DPO_USES)
        yield Step("ppo", self._ppo, ("reward",), PPO_USES)
        for arm in ("base", "finetuned", "shuffled", *ALIGNED):
            yield Step(f"answers-{arm}", lambda arm=arm: self._asked(arm), (arm, "seed"), ("asked",))
        yield Step("answers-quoting", self._quoting, ("dpo", "seed"), ("asked",))
        yield Step("answers-searching", self._searching, ("dpo", "index"), ("asked",))
        yield Step("answers-baselines", self._baselines, ("seed",), ("asked",))
        yield Step("rewarded", self._rewarded, ("reward", "judged"), ("hh_pairs",))
        yield Step("kl", self._kl, ("dpo", "ppo"), ("asked", "kl_prompts"))
        yield Step("bits", self._bits, ("dpo", "ppo"), ("bits_tokens",))

    # Making the models, as recipes/assistant.py does

    def _seed(self) -> Any:
        settings = QuestionSettings(conversations=self.plan.conversations, seed=self.seed)
        found = seed_conversations(settings, self.run / "crawl", self.folder / "seed")
        return {name: found[name]["conversations"] for name in ("train", "heldout", "own")}

    def _index(self) -> Any:
        from nextword.tools.search import Index

        documents = (
            document
            for split in ("train", "heldout")
            for document in read_documents(self.run / "clean" / f"{split}.jsonl.zst")
        )
        with Index.build(documents, self._pages) as index:
            return {"pages": len(index)}

    def _lessons(self) -> Any:
        from nextword.data.follow_ups import FollowUps
        from nextword.data.seed import FURTHER
        from nextword.recipes.searched import searched
        from nextword.tools.search import Index

        further = FollowUps(read_questions(self.folder / "seed" / FURTHER))
        seeded = read_conversations(self.folder / "seed" / "train.jsonl")
        with Index.open(self._pages) as index:
            rows = list(searched(seeded, index, self.plan.lessons, further))
        write_conversations(self.folder / "seed" / "searched.jsonl", rows)
        rows += [one for path in own_conversations() for one in read_conversations(path)]
        folder = self.folder / "lessons"
        write_conversations(folder / "shuffled.jsonl", shuffled(rows, self.seed))
        return {"conversations": write_conversations(folder / "lessons.jsonl", rows)}

    def _base(self) -> Any:
        from nextword.train.pretrain import PretrainSettings, pretrain

        plan = self.plan
        if self.begin:
            shutil.copytree(self.begin, self.folder / "base" / "model", dirs_exist_ok=True)
            return {"begun with": str(self.begin)}
        settings = PretrainSettings(
            steps=plan.base_steps, depth=plan.depth, width=plan.width, batch=plan.base_rows, seed=self.seed,
            quick_tokens=plan.look_tokens, final_tokens=plan.bits_tokens,
        )  # fmt: skip
        return pretrain(settings, self.run / "tokens", self.run / "tokenizer", self.folder / "base")

    def _finetuned(self) -> Any:
        return self._finetune("lessons.jsonl", "finetuned")

    def _shuffled(self) -> Any:
        return self._finetune("shuffled.jsonl", "shuffled")

    def _finetune(self, lessons: str, out: str) -> Any:
        from nextword.train.finetune import FinetuneData, FinetuneSettings, finetune

        held_out = self.folder / "seed" / "heldout.jsonl"
        data = FinetuneData((self.folder / "lessons" / lessons,), (held_out,), self.run / "tokens")
        plan = self.plan
        settings = FinetuneSettings(
            steps=plan.sft_steps, batch=plan.sft_rows, seed=self.seed,
            matrix_rate=plan.sft_matrix_rate, vector_rate=plan.sft_vector_rate, replay=plan.sft_replay,
        )  # fmt: skip
        return finetune(settings, self.folder / "base" / "model", data, self.folder / out)

    def _compared(self) -> Any:
        return self._by_rule(self.plan.compared, self.folder / "seed", "compared", self.plan.lessons)

    def _judged(self) -> Any:
        """Comparisons of answers about held-out functions; the same rule, asked through the same door."""
        held_out = self.folder / "judged-asked"
        write_conversations(
            held_out / "train.jsonl", read_conversations(self.folder / "seed" / "heldout.jsonl")
        )
        return self._by_rule(self.plan.judged, held_out, "judged")

    def _by_rule(self, questions: int, asked: Path, out: str, learnt: int = 0) -> Any:
        from nextword import engine
        from nextword.recipes.compared_by_rule import ComparingSettings, compared_by_rule

        settings = ComparingSettings(
            questions=questions, answers=self.plan.answers, learnt=learnt, name="finetuned", seed=self.seed
        )
        with Progress(out, total=questions * self.plan.answers, unit="answers") as progress:
            model = engine.open(self.folder / "finetuned", device="cpu")
            return compared_by_rule(settings, model, asked, self.folder / out, progress)

    def _reward(self) -> Any:
        from nextword.train.reward import RewardSettings, train_reward

        settings = RewardSettings(steps=self.plan.reward_steps, rate=self.plan.reward_rate, seed=self.seed)
        return train_reward(settings, self._sft, [self._comparisons], self.folder / "reward")

    def _dpo(self) -> Any:
        from nextword.train.preference import PreferenceSettings, align_by_preference

        plan = self.plan
        settings = PreferenceSettings(
            method="dpo", steps=plan.dpo_steps, rate=plan.dpo_rate, beta=plan.dpo_beta,
            sft_weight=plan.dpo_sft, ptx_weight=plan.dpo_ptx, seed=self.seed,
        )  # fmt: skip
        text = self.run / "tokens" if plan.dpo_ptx else None
        return align_by_preference(settings, self._sft, [self._comparisons], self.folder / "dpo", tokens=text)

    def _ppo(self) -> Any:
        from nextword.recipes.compared_by_rule import ComparingSettings, questions
        from nextword.train.policy import PolicySettings, align_by_policy

        plan = self.plan
        settings = PolicySettings(
            method="ppo", steps=plan.ppo_steps, rate=plan.ppo_rate, kl_coef=plan.ppo_kl,
            batch=plan.ppo_batch, samples=plan.ppo_samples, passes=plan.ppo_passes,
            sft_weight=plan.ppo_sft, answer_tokens=48, precision="bf16", seed=self.seed,
        )  # fmt: skip
        asked = ComparingSettings(questions=plan.ppo_prompts, learnt=plan.lessons, seed=self.seed)
        prompts = questions(asked, self.folder / "seed")
        return align_by_policy(
            settings, self._sft, prompts, self.folder / "reward" / "model", self.folder / "ppo"
        )

    # Asking everyone

    @cached_property
    def papers(self) -> tuple[Questions, Questions]:
        """The held-out questions, from memory and with their page shown."""
        questions = list(read_questions(self.folder / "seed" / "questions.heldout.jsonl"))
        return documentation(questions, self.plan.asked)

    def _asked(self, arm: str) -> Any:
        """Both papers, freely answered; aligned models sit the one with pages, a base is shown examples."""
        from nextword import engine

        stage = Stage(arm, lambda: engine.open(self.folder / arm, device="cpu"), is_base=arm == BASE)
        papers = dict(zip(("memory", "page"), self.papers, strict=True))
        if arm in ALIGNED:
            del papers["memory"]
        total = sum(len(paper.questions) for paper in papers.values())
        with Progress(arm, total=total, unit="answers") as progress:
            sittings = sit(stage, list(papers.values()), progress=progress)
        results = {name: one.results for name, one in zip(papers, sittings, strict=True)}
        return self._marked(f"answers-{arm}", **results)

    def _quoting(self) -> Any:
        """The assistant, held to a quote of the right page."""
        from nextword import engine

        model = engine.open(self.folder / "dpo", device="cpu")
        with Progress("quoting", total=len(self.papers[1].questions), unit="answers") as progress:
            return self._marked("answers-quoting", page=sat(self.papers[1], quoting(model), progress))

    def _searching(self) -> Any:
        """What our own search finds: alone, and with the model held to a quote of it."""
        from nextword import engine
        from nextword.recipes.pages_at_hand import at_hand

        stages = at_hand(lambda: engine.open(self.folder / "dpo", device="cpu"), self._pages)
        memory, _ = self.papers
        with Progress("searching", total=2 * len(memory.questions), unit="answers") as progress:
            alone, quoted = (sit(stage, [memory], progress=progress)[0].results for stage in stages)
        return self._marked("answers-searching", alone=alone, page=quoted)

    def _baselines(self) -> Any:
        """The most common answer of each type, and the first sentence of the page that is shown."""
        memory, page = self.papers
        learnt = read_questions(self.folder / "seed" / "questions.train.jsonl")
        given = sat(memory, saying(constant(learnt)))
        first = {one.id: (sentences_of(one.excerpt) or [""])[0] for one in page.questions}
        quoted = sat(page, saying(lambda one: first[one.meta["id"]]))
        return self._marked("answers-baselines", constant=given, first=quoted)

    def _marked(self, step: str, **papers: list[Marked]) -> Any:
        for name, results in papers.items():
            write_answers(self.folder / step / f"{name}.jsonl", results)
        return {name: sum(one.reward for one in results) / len(results) for name, results in papers.items()}

    # Measuring the models

    def _rewarded(self) -> Any:
        """Whether the reward model prefers the better answer, pair by pair, with their groups."""
        compared, judged = (
            list(read_comparisons(self.folder / name / "comparisons.jsonl"))
            for name in ("compared", "judged")
        )
        harmless = hh_comparisons(HH, self.plan.hh_pairs) if HH.exists() else []
        held_out = read_json(self.folder / "reward" / "run.json")["settings"]["held_out"]
        return {
            "held-out prompts": self._verdicts(compared, held_out),
            "held-out functions": self._verdicts(judged),
            "hh_rlhf_en": self._verdicts(harmless),
        }

    def _verdicts(self, records: Sequence[Comparison], held_out: float | None = None) -> dict[str, str]:
        """1 for right, a half for a draw; of the pairs that so many percent leave held out, or of all."""
        from nextword.model.scalar_head import load_scalar
        from nextword.train.comparisons import compared, prompt_id
        from nextword.train.reward_run import tree_rewards

        assistant = self._opened("finetuned")
        kept = compared(records, assistant.chat, assistant.context, held_out or 0.0)
        pairs = kept.train if held_out is None else kept.held_out
        groups = {prompt_id(one.prompt): str(one.meta.get("function", "")) for one in records}
        model = load_scalar(self.folder / "reward" / "model")
        rewards = tree_rewards(model, [pair.tree for pair in pairs])
        sides = zip(rewards[::2], rewards[1::2], pairs, strict=True)
        right = [(one > other) + (one == other) / 2 for one, other, _ in sides]
        return {
            "right": " ".join(f"{mark:g}" for mark in right),
            "groups": " ".join(groups[pair.prompt] or pair.prompt for pair in pairs),
        }

    def _kl(self) -> Any:
        """From the finetuned model, on own answers to held-out prompts with pages."""
        from nextword.train.divergence import divergence

        begun = self._opened("finetuned")
        asked = self.papers[1].conversations
        asked = sorted(asked, key=lambda one: digest(f"kl:{one.meta['id']}"))[: self.plan.kl_prompts]
        prompts = [begun.chat.ids(one) for one in asked]
        return {
            name: divergence(begun, self._opened(name).model, begun.model, prompts, 64, self.seed)
            for name in ALIGNED
        } | {"prompts": len(prompts)}

    def _bits(self) -> Any:
        """Bits per byte on the held-out text."""
        import torch

        from nextword.evaluate.forgetting import held_out_bits

        models = ("base", "finetuned", *ALIGNED)
        most, tokens = self.plan.bits_tokens, self.run / "tokens"
        return {
            name: held_out_bits(self.folder / name / "model", tokens, most, autocast=torch.bfloat16).value
            for name in models
        }

    # What it found

    def found(self, way: Way) -> dict[str, Any]:
        """Everything a report needs: small enough to keep, and enough to draw intervals anew."""
        arms = {
            f"{step.removeprefix('answers-')}:{path.stem}": list(read_answers(path))
            for step in way.steps
            if step.startswith("answers-")
            for path in sorted((self.folder / step).glob("*.jsonl"))
        }
        questions = [
            f"{one.id} {one.of('lang')} {one.of('type')} {one.group}" for one in next(iter(arms.values()))
        ]
        return {
            "corpus": corpus(self.run),
            "plan": asdict(self.plan),
            "seed": self.seed,
            "commit": commit(),
            "cores": os.cpu_count(),
            "walked": round(way.walked, 1),
            "steps": {step.name: timed(way.steps[step.name]) for step in way.all},
            "questions": questions,
            "answers": {name: columns(results) for name, results in arms.items()},
        }

    # Places

    @property
    def _pages(self) -> Path:
        return self.folder / "index" / "search.db"

    @property
    def _sft(self) -> Path:
        return self.folder / "finetuned" / "model"

    @property
    def _comparisons(self) -> Path:
        return self.folder / "compared" / "comparisons.jsonl"

    def _opened(self, name: str) -> Any:
        import torch

        from nextword.train.assistant import Assistant

        return Assistant.open(self.folder / name / "model", torch.device("cpu"))


def corpus(run: Path) -> str:
    """A name for exactly this text."""
    from nextword.tokenizer.shards import Shards

    return Shards.open(run / "tokens", "train").shards[0].checksum.hex()[:12]
