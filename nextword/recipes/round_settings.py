"""What a round is told: its settings, where things are, and the names of the files that it writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nextword.common.errors import BadInput
from nextword.common.settings import check_ranges, option
from nextword.recipes.gate import Limits

STARTS = ("assistant", "base")
BEGUN, VERSION, DECISION, PROMOTED = "round.json", "corrections.json", "decision.json", "promoted.json"
"""Files of a round's folder: see round.py."""


@dataclass(frozen=True)
class RoundSettings:
    """How the next assistant is taught, and what the gate lets pass."""

    start: str = option("assistant", "what sets out: assistant (the one in use) or base")
    repeats: int = option(16, "times that each correction stands among what is learnt", least=1)
    former: int = option(3500, "former conversations to learn beside them, at most; 0 takes all", least=0)
    epochs: float = option(1.0, "times that all of it is seen", above=0)
    batch: int = option(8, "rows of a step", least=1)
    matrix_rate: float = option(0.0015, "learning rate of hidden matrices", least=0)
    vector_rate: float = option(0.0005, "learning rate of everything else", least=0)
    replay: float = option(
        0.0, "share of the rows that is plain text of the run (RUN/tokens)", least=0, most=0.9
    )
    precision: str = option("bf16", "bf16 (weights stay fp32) or fp32")
    device: str = option("auto", "auto, cpu, cuda or mps")
    seed: int = option(0, "of the order of the conversations, and which former ones are taken")
    reviewed: bool = option(False, "take only corrections that a reviewer has accepted")
    without: tuple[str, ...] = option((), "leave out the corrections of this pseudonym (repeatable)")
    most: int = option(400, "held-out questions asked, at most; 0 takes all", least=0)
    apart: int = option(100, "former conversations never rehearsed, but asked about", least=0)
    max_tokens: int = option(100_000, "held-out tokens for bits per byte; 0 takes all", least=0)
    tolerate: float = option(0.02, "drop of a task that passes even when it is sure", least=0, most=1)
    doubt: float = option(0.10, "drop of a task that is refused even when it is not sure", least=0, most=1)
    mend: float = option(0.25, "share of the corrections that must be right afterwards", least=0, most=1)
    forget: float = option(3.0, "percent more bits for held-out documents that pass", least=0)

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.start not in STARTS:
            raise BadInput(f"start is {self.start!r}", do=f"choose {' or '.join(STARTS)}")
        if self.precision not in ("bf16", "fp32"):
            raise BadInput(f"precision is {self.precision!r}", do="choose bf16 or fp32")

    @property
    def limits(self) -> Limits:
        """What the gate lets pass."""
        return Limits(self.tolerate, self.doubt, self.mend, self.forget)


@dataclass(frozen=True)
class RoundFiles:
    """Where things are. Left out: the run's own (questions, former data, tokens), or none (canaries)."""

    labels: str
    project: str = "default"
    questions: Path | None = None
    former: tuple[Path, ...] = ()
    canaries: tuple[Path, ...] = ()
