"""Lineage: from which model, which version of which data, and whose labels a model grew.

Each round writes `lineage.json` before its model can be promoted, so there is no assistant without one. It
names the parent, whose own lineage.json (or run.json, for what another stage made) goes on from there: any
answer of any assistant can be followed back to the people who taught it. Models and data are named by SHA-256
too, so that a file that was changed later is found out.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nextword.common.errors import BadInput, Corrupt
from nextword.common.files import read_json, sha256, write_json
from nextword.common.records import Conversation

LINEAGE, RUN = "lineage.json", "run.json"


@dataclass(frozen=True)
class DataFile:
    """A file that a model learnt from."""

    path: str
    sha256: str
    records: int


@dataclass(frozen=True)
class Corrections:
    """A version of the corrections. by: how many of them each person or machine wrote, by pseudonym.

    version, parent_version: of the labels' dataset (0: there is none before it); added and removed: records
    against that parent. taken: how many the round used, where `reviewed` or `without` left some out.
    """

    name: str
    version: int
    parent_version: int
    sha256: str
    records: int
    added: int
    removed: int
    taken: int
    by: dict[str, int] = field(default_factory=dict)
    database: str = ""
    project: str = ""


@dataclass(frozen=True)
class Lineage:
    """A model, the corrections and former data it learnt, and its parent. Folders are relative to the run."""

    model: str
    weights: str
    parent: str
    parent_weights: str
    round: int
    corrections: Corrections
    former: list[DataFile]
    mixture: dict[str, Any]
    made: str

    def write(self, folder: Path) -> None:
        """Write it into a round's folder."""
        write_json(folder / LINEAGE, asdict(self))

    @staticmethod
    def read(folder: Path) -> Lineage:
        """The lineage of a round's folder; Corrupt when it is none."""
        found = read_json(folder / LINEAGE)
        try:
            former = [DataFile(**each) for each in found["former"]]
            return Lineage(**{**found, "corrections": Corrections(**found["corrections"]), "former": former})
        except (KeyError, TypeError) as error:
            raise Corrupt(f"no lineage ({error})", where=folder / LINEAGE) from error


def chain(run: Path, stage: Path) -> Iterator[Lineage]:
    """The lineage of a stage folder and of its parents, as far as rounds made them, the newest first.

    Corrupt where a model is no longer the one that its child's lineage names.
    """
    expected = ""
    while (stage.parent / LINEAGE).is_file():
        found = Lineage.read(stage.parent)
        if expected and found.weights != expected:
            raise Corrupt("these weights were changed since", where=stage, do="see whose model this is")
        yield found
        stage, expected = run / found.parent, found.parent_weights


def former_files(stage: Path) -> list[Path]:
    """The conversations, beside corrections, that an assistant's stage folder was taught.

    An assistant that learnt from comparisons or from a reward was taught conversations before that, so this
    goes back to its finetuning, or to the round that made it. BadInput when they are not to be found.
    """
    stage = _taught(stage)
    if (stage.parent / LINEAGE).is_file():
        record, names = stage.parent / LINEAGE, [one.path for one in Lineage.read(stage.parent).former]
    else:
        record = stage / RUN
        named = read_json(record).get("data") if record.is_file() else None
        names = named if isinstance(named, list) else []
    paths = [_here(str(name), stage) for name in names]
    if not paths or not all(path.is_file() for path in paths):
        missing = ", ".join(str(path) for path in paths if not path.is_file()) or "no file is named"
        what = f"the conversations it was taught are not here ({missing})"
        raise BadInput(what, where=record, do="name them with --data")
    return paths


def _taught(stage: Path) -> Path:
    """The stage that taught an assistant to answer: what it was aligned from, however many times it was.

    A run.json that names an `assistant` is that of a stage which began from one, from its model's folder.
    """
    passed = [stage]
    while (stage / RUN).is_file() and (model := read_json(stage / RUN).get("assistant")):
        stage = _here(str(model), stage).parent.resolve()
        if stage in passed:  # `current`, say, which was switched to what had been aligned from it
            what = f"says that it began as {model}, which says that it began as this"
            do = "name the conversations it was taught with --data"
            raise BadInput(what, where=passed[-1] / RUN, do=do)
        passed.append(stage)
    return stage


def _here(name: str, stage: Path) -> Path:
    """Where something that a stage's record names is now.

    Names are often relative to where a command was typed. The run that the stage lies in may have been moved
    since, or be named from elsewhere, where another run may lie under the old name: so its own comes first.
    """
    path = Path(name)
    if path.is_absolute() and path.exists():
        return path
    tails = [path.parts[n:] for n in range(1, len(path.parts) - 1)]  # of two parts or more
    inside = (run.joinpath(*tail) for run in stage.resolve().parents[:3] for tail in tails)
    return next((there for there in inside if there.exists()), path)


def weights_of(stage: Path) -> str:
    """Hex SHA-256 over the weights of a stage's model, all files of it in the order of their names."""
    digest = hashlib.sha256()
    for file in sorted((stage / "model").glob("*.safetensors")):
        digest.update(f"{file.name}:{sha256(file)}\n".encode())
    return digest.hexdigest()


def writers(corrections: Sequence[Conversation]) -> dict[str, int]:
    """How many corrections each person or machine wrote, the most first; a machine by its name."""
    counts = Counter(writer_of(one) for one in corrections)
    return dict(counts.most_common())


def writer_of(correction: Conversation) -> str:
    """Who wrote a correction: a pseudonym, or what machine; "" where it does not say."""
    by = correction.meta.get("labelled", {}).get("by") or [{}]
    return str(by[0].get("machine") or by[0].get("who") or "")
