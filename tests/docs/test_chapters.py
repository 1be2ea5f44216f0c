"""Chapters 8 to 10 and 13, typed in by a test: every command, as it is written, over a run of a few seconds.

The model is tiny, and so are its pages; all else is what a reader has: the project's folder, a run called
python-docs with the stages and the seed data that `make demo` leaves, and comparisons that people made. Not
typed is what comes from the internet. A chapter goes on with the models of those before it, so a later one is
run together with them.
"""

from __future__ import annotations

import io
import re
import shutil

import pytest

from nextword.cli.main import run
from nextword.common.dialogue import Comparison, write_comparisons
from nextword.common.records import Document, Message, write_documents
from nextword.data.questions import write_questions
from nextword.recipes.assistant import ALIGN_RATE, ALIGN_SFT_WEIGHT, FINETUNE_RATES, REWARD_RATE
from nextword.train.finetune import FinetuneData, FinetuneSettings, finetune
from nextword.train.preference import PreferenceSettings, align_by_preference
from nextword.train.pretrain import PretrainSettings, pretrain
from nextword.train.reward import RewardSettings, train_reward
from tests.docs.conftest import ROOT
from tests.evaluate.conftest import SIGNATURES, question
from tests.train.conftest import corpus

__all__ = ["corpus"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

RUN, OWN = "runs/python-docs", "nextword/data/own/conversations"
QUESTIONS = f"--questions {RUN}/seed/questions.heldout.jsonl"
COMPARED = "--data runs/label/comparisons.jsonl"
ELSEWHERE = {"nextword pull HuggingFaceTB/SmolLM2-135M"}
SAYS = {
    "08-finetune.md": {
        f"nextword finetune {RUN} --data {OWN}.en.jsonl --show-mask": r"⟦.+<\|end\|>⟧",
        f"nextword finetune {RUN} --data {OWN}.en.jsonl --data {OWN}.ko.jsonl "
        f"--out {RUN}/manners": r"manners/model: \d+ conv",
        f"nextword chat {RUN}/manners": "",
        f"nextword finetune runs/SmolLM2-135M --data {OWN}.en.jsonl --lora 16": r"finetuned/model: \d+ conv",
    },
    "09-ask.md": {
        f"nextword index {RUN}": r"\d+ pages",
        f'nextword ask {RUN} "What does json.dumps do?"': r"json|The page does not say",
        f'nextword ask {RUN} "json.dumps는 무엇을 하나요?"': r"json|페이지",
        f'nextword chat {RUN} "What does json.dumps do?"': r".\n",  # blanks too, after four steps
    },
    "10-prefer.md": {
        f"nextword align {RUN}/finetuned {COMPARED} --out {RUN}/people-dpo": r"dpo: \d+ records",
        f"nextword reward {RUN}/finetuned {COMPARED} --out {RUN}/people-reward": r"\d+ comparisons, .* right",
        f"nextword align {RUN}/finetuned --method ppo --reward {RUN}/people-reward {COMPARED} "
        f"--out {RUN}/people-ppo": r"ppo: \d+ prompts",
    },
    "13-evaluate.md": {
        f"nextword evaluate {RUN} {QUESTIONS} --pages {RUN}/search.db --tokens {RUN}/tokens "
        f"--report {RUN}/card.html": r"card.html: \d+ answers",
        f"nextword evaluate before={RUN}/finetuned after={RUN}/aligned {QUESTIONS} --most 100": r"after",
        f"nextword evaluate {RUN} --tasks piqa,klue_nli --data data --most 100 "
        "--report tests.html": r"tests.html: \d+ answers",
    },
}
"""Every command of these pages, and something that it must say."""


@pytest.fixture(scope="module")
def place(corpus, need, tmp_path_factory):
    """The folder in which a reader types."""
    folder = tmp_path_factory.mktemp("reader")
    made = folder / RUN
    settings = PretrainSettings(steps=4, depth=1, batch=2, context=256, compile="off", device="cpu")
    pretrain(settings, corpus.tokens, corpus.tokenizer, made / "base")
    shutil.copytree(corpus.tokens, made / "tokens")
    shutil.copytree(ROOT / "tests/cli/golden/llama2", folder / "runs/SmolLM2-135M")
    page = (
        "json.dumps(obj)\n    Serialize obj to a JSON formatted str.\n\njson.loads(s)\n    Parse a document."
    )
    (made / "clean").mkdir()
    write_documents(
        made / "clean" / "train.jsonl",
        [Document("json", page, "http://docs.test/json.html", lang="en", meta={"title": "json"})],
    )
    (made / "seed").mkdir()
    asked = [question(name, "signature", lang) for name in SIGNATURES for lang in ("en", "ko")]
    write_questions(made / "seed" / "questions.heldout.jsonl", asked)
    (folder / "runs" / "label").mkdir()
    sides = ([Message("assistant", text)] for text in ("yes", "no, never"))
    chosen, rejected = sides
    write_comparisons(
        folder / "runs/label/comparisons.jsonl",
        [Comparison([Message("user", f"{n}?")], chosen, rejected) for n in range(40)],
    )
    assistant_in(made, folder / "runs/label/comparisons.jsonl")
    (folder / "nextword").symlink_to(ROOT / "nextword")
    (folder / "data").symlink_to(need("../shared/data"))
    return folder


def assistant_in(run, comparisons):
    """The stages that the demo leaves in a run, with its rates: after so few steps that it hardly speaks."""
    little = {"steps": 2, "device": "cpu"}
    taught = FinetuneData((ROOT / f"{OWN}.en.jsonl",))
    speaking = {**little, "steps": 40}  # after two it ends each answer at once
    finetune(FinetuneSettings(**speaking, **FINETUNE_RATES), run / "base", taught, run / "finetuned")
    compared = run / "finetuned" / "model", [comparisons]
    train_reward(RewardSettings(**little, rate=REWARD_RATE), *compared, run / "reward")
    preferring = PreferenceSettings(**little, rate=ALIGN_RATE, sft_weight=ALIGN_SFT_WEIGHT, answers=0)
    align_by_preference(preferring, *compared, run / "aligned")


@pytest.mark.parametrize("name", SAYS)
def test_every_command_of_the_chapter_does_what_it_says(name, pages, place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    commands = [line for line in pages.commands(ROOT / "docs" / name) if line not in ELSEWHERE]
    assert commands == [*SAYS[name]]
    for command in commands:
        monkeypatch.setattr("sys.stdin", io.StringIO(""))
        code = run(pages.words(command)[1:])
        said = capsys.readouterr()
        assert code == 0, f"{command}\n{said.err[-1000:]}"
        assert re.search(SAYS[name][command], said.out), f"{command}\n{said.out[-1000:]}"
