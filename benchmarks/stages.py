"""The assistant's stages, three seeds: does finetuning teach, does quoting help, does preferring.

    .venv/bin/python benchmarks/stages.py --run runs/python-docs --part seed --seed 0    one seed, resumable
    .venv/bin/python benchmarks/stages.py --run runs/python-docs --all                   the missing seeds
    .venv/bin/python benchmarks/stages.py --run runs/python-docs --report                what is known
    .venv/bin/python benchmarks/stages.py --run runs/python-docs --all --scale 0.01      a smoke, no record

RUN is a finished make: its crawl, clean text, tokens and tokenizer are taken, nothing in it is changed but
RUN/stages, where seeds work. A seed is one process that pretrains a base, makes the seed data, finetunes
(also on shuffled answers), has answers compared by a rule, learns a reward, aligns by DPO and by PPO, and
puts the same held-out questions to everyone. All with its own seed, and with the functions that `make` calls.

Training is counted in steps, not in minutes, so a busy machine changes the time of a seed but no figure. The
time of every step of the way is kept, by the wall and of the processor; one that was killed and repeated is
told, since its lost time is not in the sum. A step is done again when what it or a step before it takes from
the PLAN has changed. What a seed found goes to benchmarks/records/stages/; seeds are only put together when
they had the same corpus and plan (stages_record.py says what is shown of them).

Shuffled answers: each conversation gets the answer of another one of its form, language and type. What such a
model has learnt is how answers look. The judge of DPO and PPO marks answers right or wrong by the page
(evaluate/answers.py) on held-out functions; the rule that compared answers for them knows only shared words.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from report import RECORDS
from stages_hh import hh_comparisons
from stages_record import report

from nextword.common.dialogue import Comparison, read_comparisons, read_conversations, write_conversations
from nextword.common.errors import BadInput
from nextword.common.files import read_json, write_json
from nextword.common.folder_lock import working_in
from nextword.common.progress import Progress
from nextword.common.provenance import commit
from nextword.common.records import Conversation, digest, read_documents
from nextword.data.own_text import own_conversations
from nextword.data.questions import Question, QuestionSettings, read_questions
from nextword.data.seed import seed_conversations
from nextword.data.sentences import sentences_of
from nextword.evaluate.exam import Examinee, Marked, Reply, read_answers, sat, write_answers
from nextword.evaluate.papers import documentation
from nextword.evaluate.stages import BASE, Stage, sit
from nextword.evaluate.task import Questions, text_of

SEEDS = (0, 1, 2)
KEPT = RECORDS / "stages"
HH = Path(__file__).parents[2] / "shared" / "data" / "hh_rlhf_en" / "harmless-base.test.jsonl.xz"
ALIGNED = ("dpo", "ppo")


@dataclass(frozen=True)
class Plan:
    """What a seed does: all that there is to tune. `--scale` makes counts smaller, and no rates."""

    depth: int = 3
    rows: int = 8
    """Of a step, in pretraining and finetuning."""
    base_steps: int = 900
    look_tokens: int = 16_384
    """Held-out tokens of a look along the way."""
    conversations: int = 12_000
    lessons: int = 10_000
    """Conversations that are searched for, and learnt from together with the hand-written ones."""
    sft_steps: int = 600
    """Of finetuning, and of finetuning on shuffled answers."""
    compared: int = 256
    """Questions that are answered `answers` times, which the rule then compares."""
    answers: int = 4
    judged: int = 96
    """The same of held-out functions: what the reward model is measured on."""
    reward_steps: int = 80
    reward_rate: float = 1e-4
    dpo_steps: int = 80
    dpo_rate: float = 5e-5
    dpo_beta: float = 0.1
    ppo_steps: int = 40
    ppo_rate: float = 5e-5
    ppo_kl: float = 0.05
    ppo_prompts: int = 1_000
    asked: int = 400
    """Held-out questions that everyone answers."""
    kl_prompts: int = 64
    hh_pairs: int = 800
    bits_tokens: int = 1_000_000
    """Held-out tokens, at most, that bits per byte are measured on at the end."""

    def scaled(self, scale: float) -> Plan:
        """So much less of everything, but enough for each step to be taken."""
        counts = {name: max(least, round(getattr(self, name) * scale)) for name, least in LEAST.items()}
        return self if scale == 1 else replace(self, **counts)


LEAST = {
    "depth": 2, "rows": 2, "look_tokens": 500, "base_steps": 16, "conversations": 400, "lessons": 200,
    "sft_steps": 24, "compared": 16, "judged": 16, "reward_steps": 2, "dpo_steps": 2, "ppo_steps": 2,
    "ppo_prompts": 64, "asked": 24, "kl_prompts": 8, "hh_pairs": 24, "bits_tokens": 4_000,
}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """A step of the way: what it does, which steps it builds on, and what it takes from the plan."""

    name: str
    work: Callable[[], Any]
    after: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()


class Way:
    """The steps of one seed, their times and results, in FOLDER/way.json."""

    def __init__(self, folder: Path, facts: dict[str, Any]) -> None:
        self.folder, self.facts, self.path = folder, facts, folder / "way.json"
        self.steps: dict[str, dict[str, Any]] = read_json(self.path) if self.path.exists() else {}

    def take(self, step: Step) -> None:
        """Do a step, go on with it, or leave it when it is done."""
        named = {**{name: self.facts[name] for name in ("corpus", "seed", *step.uses)}}
        key = digest(json.dumps([named, [self.steps[name]["key"] for name in step.after]]))[:16]
        known = self.steps.get(step.name)
        if known is None or known["key"] != key:
            shutil.rmtree(self.folder / step.name, ignore_errors=True)
            known = {"key": key, "wall": 0.0, "cpu": 0.0, "begun": 0, "ended": 0, "is_done": False}
        if known["is_done"]:
            return
        self._kept(step.name, known, begun=known["begun"] + 1)
        wall, cpu = time.perf_counter(), processor()
        try:
            known |= {"result": plain(step.work()), "is_done": True, "commit": commit()}
        finally:
            known |= {
                "wall": known["wall"] + time.perf_counter() - wall,
                "cpu": known["cpu"] + processor() - cpu,
            }
            self._kept(step.name, known, ended=known["ended"] + 1)
        print(f"{step.name}: {known['wall']:.0f} s, {known['cpu']:.0f} s of processor time", flush=True)

    def _kept(self, name: str, known: dict[str, Any], **more: Any) -> None:
        known |= more
        self.steps[name] = known
        write_json(self.path, self.steps)


def processor() -> float:
    """Seconds of processor time so far, of all threads and of children that have ended."""
    return sum(os.times()[:4])


def plain(result: Any) -> Any:
    """A result as JSON has it; of a dataclass its fields."""
    value = asdict(result) if hasattr(result, "__dataclass_fields__") else result
    return json.loads(json.dumps(value, default=str))


class Seed:
    """One seed's process."""

    def __init__(self, run: Path, plan: Plan, seed: int, folder: Path) -> None:
        self.run, self.plan, self.seed, self.folder = run, plan, seed, folder
        self.way = Way(folder, {**asdict(plan), "corpus": corpus(run), "seed": seed})

    def work(self) -> dict[str, Any]:
        """Take every step that is not done; returns what the seed has found."""
        with working_in(self.folder):
            for step in self.steps():
                self.way.take(step)
        return self.found()

    def steps(self) -> Iterator[Step]:
        yield Step("seed", self._seed, uses=("conversations",))
        yield Step("index", self._index)
        yield Step("lessons", self._lessons, ("seed", "index"), ("lessons",))
        yield Step("base", self._base, uses=("depth", "rows", "base_steps", "look_tokens", "bits_tokens"))
        yield Step("finetuned", self._finetuned, ("base", "lessons"), ("rows", "sft_steps"))
        yield Step("shuffled", self._shuffled, ("base", "lessons"), ("rows", "sft_steps"))
        yield Step("compared", self._compared, ("finetuned",), ("compared", "answers"))
        yield Step("judged", self._judged, ("finetuned",), ("judged", "answers"))
        yield Step("reward", self._reward, ("compared",), ("reward_steps", "reward_rate"))
        yield Step("dpo", self._dpo, ("compared",), ("dpo_steps", "dpo_rate", "dpo_beta"))
        yield Step("ppo", self._ppo, ("reward",), ("ppo_steps", "ppo_rate", "ppo_kl", "ppo_prompts"))
        for arm in ("base", "finetuned", "shuffled", *ALIGNED):
            yield Step(f"answers-{arm}", lambda arm=arm: self._asked(arm), (arm, "seed"), ("asked",))
        yield Step("answers-quoting", self._quoting, ("finetuned",), ("asked",))
        yield Step("answers-searching", self._searching, ("finetuned",), ("asked",))
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
        from nextword.recipes.searched import searched
        from nextword.tools.search import Index

        seeded = read_conversations(self.folder / "seed" / "train.jsonl")
        with Index.open(self._pages) as index:
            rows = list(searched(seeded, index, self.plan.lessons))
        rows += [one for path in own_conversations() for one in read_conversations(path)]
        folder = self.folder / "lessons"
        write_conversations(folder / "shuffled.jsonl", shuffled(rows, self.seed))
        return {"conversations": write_conversations(folder / "lessons.jsonl", rows)}

    def _base(self) -> Any:
        from nextword.train.pretrain import PretrainSettings, pretrain

        plan = self.plan
        settings = PretrainSettings(
            steps=plan.base_steps, depth=plan.depth, batch=plan.rows, seed=self.seed,
            quick_tokens=plan.look_tokens, final_tokens=plan.bits_tokens,
        )  # fmt: skip
        return pretrain(settings, self.run / "tokens", self.run / "tokenizer", self.folder / "base")

    def _finetuned(self) -> Any:
        return self._finetune("lessons.jsonl", "finetuned")

    def _shuffled(self) -> Any:
        return self._finetune("shuffled.jsonl", "shuffled")

    def _finetune(self, lessons: str, out: str) -> Any:
        from nextword.train.finetune import FinetuneData, FinetuneSettings, finetune

        data = FinetuneData((self.folder / "lessons" / lessons,), (self.folder / "seed" / "heldout.jsonl",))
        settings = FinetuneSettings(steps=self.plan.sft_steps, batch=self.plan.rows, seed=self.seed)
        return finetune(settings, self.folder / "base" / "model", data, self.folder / out)

    def _compared(self) -> Any:
        return self._by_rule(self.plan.compared, self.folder / "seed", "compared")

    def _judged(self) -> Any:
        """Comparisons of answers about held-out functions; the same rule, asked through the same door."""
        held_out = self.folder / "judged-asked"
        write_conversations(
            held_out / "train.jsonl", read_conversations(self.folder / "seed" / "heldout.jsonl")
        )
        return self._by_rule(self.plan.judged, held_out, "judged")

    def _by_rule(self, questions: int, asked: Path, out: str) -> Any:
        from nextword import engine
        from nextword.recipes.compared_by_rule import ComparingSettings, compared_by_rule

        settings = ComparingSettings(
            questions=questions, answers=self.plan.answers, name="finetuned", seed=self.seed
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
            method="dpo", steps=plan.dpo_steps, rate=plan.dpo_rate, beta=plan.dpo_beta, seed=self.seed
        )
        return align_by_preference(settings, self._sft, [self._comparisons], self.folder / "dpo")

    def _ppo(self) -> Any:
        from nextword.recipes.compared_by_rule import ComparingSettings, questions
        from nextword.train.policy import PolicySettings, align_by_policy

        plan = self.plan
        settings = PolicySettings(
            method="ppo", steps=plan.ppo_steps, rate=plan.ppo_rate, kl_coef=plan.ppo_kl, seed=self.seed
        )
        asked = ComparingSettings(questions=plan.ppo_prompts, seed=self.seed)
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
        """Both papers, freely answered; a base model is shown examples of either."""
        from nextword import engine

        stage = Stage(arm, lambda: engine.open(self.folder / arm, device="cpu"), is_base=arm == BASE)
        with Progress(arm, total=2 * len(self.papers[0].questions), unit="answers") as progress:
            memory, page = (paper.results for paper in sit(stage, self.papers, progress=progress))
        return self._marked(f"answers-{arm}", memory=memory, page=page)

    def _quoting(self) -> Any:
        """Held to a quote of the right page."""
        from nextword import engine

        model = engine.open(self.folder / "finetuned", device="cpu")
        with Progress("quoting", total=len(self.papers[1].questions), unit="answers") as progress:
            return self._marked("answers-quoting", page=sat(self.papers[1], quoting(model), progress))

    def _searching(self) -> Any:
        """Held to a quote of what our own search finds."""
        from nextword import engine
        from nextword.recipes.pages_at_hand import with_pages

        stage = with_pages(
            lambda: engine.open(self.folder / "finetuned", device="cpu"), self._pages, "search"
        )
        with Progress("searching", total=len(self.papers[0].questions), unit="answers") as progress:
            (paper,) = sit(stage, self.papers[:1], progress=progress)
        return self._marked("answers-searching", page=paper.results)

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
        """How often the reward model prefers the better answer, pair by pair with the pair's group."""
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

    def _verdicts(self, records: Sequence[Comparison], held_out: float | None = None) -> list[Any]:
        """[1 for right (a half for a draw), group] of each pair; of so many percent held out, or of all."""
        from nextword.model.scalar_head import load_scalar
        from nextword.train.comparisons import compared, prompt_id
        from nextword.train.reward_run import tree_rewards

        assistant = self._opened("finetuned")
        kept = compared(records, assistant.chat, assistant.context, held_out or 0.0)
        pairs = kept.train if held_out is None else kept.held_out
        groups = {prompt_id(one.prompt): str(one.meta.get("function", "")) for one in records}
        model = load_scalar(self.folder / "reward" / "model")
        rewards = tree_rewards(model, [pair.tree for pair in pairs], pad=assistant.pad)
        sides = zip(rewards[::2], rewards[1::2], pairs, strict=True)
        return [
            [(one > other) + (one == other) / 2, groups[pair.prompt] or pair.prompt]
            for one, other, pair in sides
        ]

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

    def found(self) -> dict[str, Any]:
        """Everything a report needs: small enough to keep, and enough to draw intervals anew."""
        arms = {
            f"{step.removeprefix('answers-')}:{path.stem}": list(read_answers(path))
            for step in self.way.steps
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
            "steps": {name: timed(step) for name, step in self.way.steps.items()},
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


def shuffled(rows: Sequence[Conversation], seed: int) -> list[Conversation]:
    """Each conversation with the answer of the next one of its kind, in an order that a hash decides."""
    kinds: dict[Any, list[int]] = defaultdict(list)
    for at, one in enumerate(rows):
        kinds[tuple(str(one.meta.get(name, "")) for name in ("form", "lang", "type"))].append(at)
    answers = [one.messages[-1] for one in rows]
    for kind in kinds.values():
        order = sorted(kind, key=lambda at: digest(f"shuffled:{seed}:{at}"))
        for at, other in zip(order, [*order[1:], *order[:1]], strict=True):
            answers[at] = rows[other].messages[-1]
    return [
        replace(one, messages=[*one.messages[:-1], answer]) for one, answer in zip(rows, answers, strict=True)
    ]


def quoting(model: Any) -> Examinee:
    """An examinee who quotes the page that the last message shows."""
    from nextword.engine.quote import Quote, Quoter

    quoter = Quoter(model)

    def reply(one: Conversation) -> Reply:
        try:
            said = quoter.quote(one, text_of(one.messages[-1]))
        except BadInput as error:  # longer than the context
            return Reply("", "failed", error=str(error))
        return Reply(said.answer if isinstance(said, Quote) else said.text)

    return replying(reply)


def saying(say: Callable[[Conversation], str]) -> Examinee:
    """An examinee whose answer takes no model."""
    return replying(lambda one: Reply(say(one)))


def replying(reply: Callable[[Conversation], Reply]) -> Examinee:
    """An examinee who answers one by one."""

    def sit(conversations: Sequence[Conversation], progress: Progress | None) -> list[Reply]:
        replies = []
        for one in conversations:
            replies.append(reply(one))
            if progress:
                progress.advance()
        return replies

    return sit


def constant(learnt: Iterable[Question]) -> Callable[[Conversation], str]:
    """The most common accepted answer to training questions of the type."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for one in learnt:
        counts[one.type][one.gold[-1]] += 1
    common = {type: counted.most_common(1)[0][0] for type, counted in counts.items()}
    return lambda one: common[one.meta["type"]]


def columns(results: Sequence[Marked]) -> dict[str, Any]:
    """Marks in the order of the questions, as short as text can be."""
    return {
        "right": "".join(str(round(one.reward)) for one in results),
        "f1": " ".join(f"{one.details.get('f1', 0.0):.3g}" for one in results),
        "letters": " ".join(str(len(one.reply.text)) for one in results),
        "failed": sum(one.reply.end == "failed" for one in results),
    }


def timed(step: dict[str, Any]) -> dict[str, Any]:
    """A step's times and result; `lost`: how often it was killed, so that its time is not known."""
    return {
        "wall": round(step["wall"], 1),
        "cpu": round(step["cpu"], 1),
        "lost": step["begun"] - step["ended"],
        "commit": step["commit"],
        "result": step["result"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", type=Path, default=Path("runs/python-docs"))
    parser.add_argument("--part", choices=("seed",))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--all", action="store_true", help="every missing seed, one after the other")
    parser.add_argument(
        "--report", action="store_true", help="only what is known (so without --part or --all)"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="of all counts; only 1 is kept as a record")
    given = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as the command line has it; before torch comes
    plan, is_real = Plan().scaled(given.scale), given.scale == 1
    work = given.run / ("stages" if is_real else f"stages-{given.scale:g}")
    kept = KEPT if is_real else work / "parts"
    here = {"corpus": corpus(given.run), "plan": asdict(plan)}

    def missing(seed: int) -> bool:
        path = kept / f"seed-{seed}.json"
        found = read_json(path) if path.exists() else {}
        return {name: found.get(name) for name in here} != here

    if given.part:
        found = Seed(given.run, plan, given.seed, work / f"seed-{given.seed}").work()
        write_json(kept / f"seed-{given.seed}.json", found)
    elif given.all:
        for seed in filter(missing, SEEDS):
            part = ["--part", "seed", "--seed", str(seed), "--scale", str(given.scale)]
            subprocess.run([sys.executable, __file__, "--run", str(given.run), *part], check=True)
    if given.report or not given.all or is_real:
        parts = [read_json(kept / f"seed-{seed}.json") for seed in SEEDS if not missing(seed)]
        report(parts, [seed for seed in SEEDS if missing(seed)], kept / "tried.md", is_real)


if __name__ == "__main__":
    main()
