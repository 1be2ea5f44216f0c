"""A tiny run with an assistant that was really taught: where each of 48 towns lies, in one layer."""

from __future__ import annotations

from pathlib import Path

from nextword.common.dialogue import write_conversations
from nextword.common.records import Conversation, Message
from nextword.label.office import Office
from nextword.label.rule import RuleLabeller
from nextword.recipes.round_flags import FlagBox
from nextword.recipes.round_settings import RoundSettings
from nextword.train.finetune import FinetuneData, FinetuneSettings, finetune
from nextword.train.pretrain import PretrainSettings, pretrain

COUNTRIES = ("Peru", "Chad", "Oman", "Fiji")
KNOWN = [f"{first}{second}" for first in "BDGKLMNP" for second in "aeiouy"]
A_THIRD = [town for at, town in enumerate(KNOWN) if (at // 6 + at) % 3 == 0]
"""Of the known towns, every letter among them: what these are taught tells on all that share a letter."""
UNKNOWN = ["Za", "Ze", "Zi", "Zo"]
QUICK = FinetuneSettings(
    steps=60, batch=8, matrix_rate=0.02, vector_rate=0.01, precision="fp32", device="cpu",
    prompt="Where is Ba?", sample_tokens=12, warmup=2,
)  # fmt: skip
ROUND = RoundSettings(
    repeats=8, former=0, epochs=8, batch=1, matrix_rate=0.006, vector_rate=0.003, precision="fp32",
    device="cpu", apart=12, doubt=0.35, forget=100.0, max_tokens=500,
)  # fmt: skip


def truth(town: str) -> str:
    """A town's country goes by its vowel, so what is learnt of one helps with others."""
    return f"{town} is in {COUNTRIES['aeiouy'.index(town[1]) % len(COUNTRIES)]}."


def told(town: str, answer: str = "") -> Conversation:
    asked = Message("user", f"Where is {town}?")
    return Conversation([asked, Message("assistant", answer or truth(town))], meta={"town": town})


def taught_run(folder: Path, tokens: Path, tokenizer: Path, learning: FinetuneSettings = QUICK) -> Path:
    """A run folder with a base, an assistant that knows the known towns, and token shards."""
    settings = PretrainSettings(
        steps=4, depth=1, batch=2, context=64, precision="fp32", compile="off", device="cpu",
        quick_tokens=100, final_tokens=100, sample_tokens=2,
    )  # fmt: skip
    pretrain(settings, tokens, tokenizer, folder / "base")
    write_conversations(folder / "towns.jsonl", map(told, KNOWN))
    finetune(learning, folder / "base", FinetuneData((folder / "towns.jsonl",)), folder / "finetuned")
    return folder


def flag(office: Office, towns: list[str], said: str = "I am a lamp.") -> None:
    """Flag an answer about each of these towns."""
    box = FlagBox(office, "default")
    for town in towns:
        box.flag(told(town, said), "wrong", "chat", "tiny")


def correct(office: Office, write, name: str = "towns") -> int:
    """A rule corrects what has been flagged: `write(town)` is what it says."""
    box = FlagBox(office, "default")

    def written(prompt, about):
        return write(prompt[-1]["content"].removeprefix("Where is ").removesuffix("?"))

    rule = RuleLabeller(office.people, office.desk, box.actor, name, lambda prompt, draft: 0.0, written)
    return rule.work(box.project)
