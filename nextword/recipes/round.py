"""`round`: flagged answers that people have corrected make the next assistant, or the gate says why not.

    RUN/rounds/003/round.json        settings, command, commit; parent, the assistant it set out from
                   corrections.jsonl the next version of the corrections; corrections.json says who wrote them
                   mixture.jsonl     what is learnt: corrections, and former conversations against forgetting
                   finetuned/        the new assistant, a run folder like that of `nextword finetune`
                   before.*, after.* both assistants' answers to the same questions
                   card.html         the report card of both
                   decision.json     what the gate says, each task with its interval
                   lineage.json      model <- version of the corrections, former data <- parent model
                   promoted.json     when RUN/current was switched to it

Every step writes its file whole or not at all, and is skipped where its file is there: killed at any moment,
the same command goes on. The same command after a decision tells the decision again, until there are new
corrections, other settings, or another assistant to set out from.

`start` is where the new assistant sets out from: `assistant`, the one in use, which learns in minutes and
keeps what was aligned; or `base`, the model before any finetuning, which then needs all its former
conversations again (--former 0 --epochs 3), but carries nothing over from mistakes that were trained in.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from nextword.common.errors import BadInput, NextwordError
from nextword.common.files import read_json
from nextword.common.provenance import write_provenance
from nextword.recipes.lineage import Corrections
from nextword.recipes.promotion import ROUNDS, alone, assistant_of, name_of, switch
from nextword.recipes.round_run import Outcome, RoundRun
from nextword.recipes.round_settings import BEGUN, DECISION, PROMOTED, VERSION, RoundFiles, RoundSettings
from nextword.train.run_folder import plain


def run_round(
    settings: RoundSettings,
    run: Path,
    files: RoundFiles,
    clock: Callable[[], datetime],
    is_dry: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """One round, or what is left of the one under way. is_dry: decide, and leave the assistant as it is.

    BadInput where nothing has been corrected, or what a round needs is not there; Failure when training
    diverges, or somebody else has promoted another assistant meanwhile.
    """
    parent = assistant_of(run)
    facts = _facts(run, files, parent)
    with alone(run):
        folder = _folder(run, settings, facts)
        if not (folder / BEGUN).exists():
            told = {"labels": files.labels, "project": files.project}
            write_provenance(folder / BEGUN, settings, **facts, **told)
        work = RoundRun(settings, run, folder, files, parent, clock, say)
        try:
            version = work.version
        except NextwordError:
            shutil.rmtree(folder)  # nothing to learn is no round
            raise
        if (last := _decided_before(run, folder, version, settings, facts)) is None:
            return work.ended(is_dry)
        shutil.rmtree(folder)  # it would only say the same again
        from_then = run / read_json(last / BEGUN)["parent"]
        earlier = RoundRun(settings, run, last, files, from_then, clock, say)
        return replace(earlier.ended(is_dry), is_repeated=True)


def folders(run: Path) -> list[Path]:
    """The folders of all rounds, in their order."""
    return sorted(path for path in (run / ROUNDS).glob("[0-9]*") if path.is_dir())


def undo(run: Path) -> tuple[str, str]:
    """Go back to the assistant that the one in use has replaced; returns their names, new and old.

    BadInput where the assistant in use is not a round's. Going on from there is another round's work: the
    one that was undone is not promoted again.
    """
    used = assistant_of(run)
    if not (used.parent / PROMOTED).exists():
        raise BadInput("no round has promoted the assistant in use", where=run)
    before: str = read_json(used.parent / PROMOTED)["instead_of"]
    if not (run / before / "model" / "config.json").is_file():
        raise BadInput("the model before it is gone", where=run / before)
    with alone(run):
        switch(run, run / before)
    return before, name_of(run, used)


def _folder(run: Path, settings: RoundSettings, facts: dict[str, Any]) -> Path:
    """The round under way, if it was begun with the same settings and assistant; else the next."""
    known = folders(run)
    if known and not (known[-1] / DECISION).exists():
        begun = known[-1] / BEGUN
        if not begun.exists() or _is_same(read_json(begun), settings, facts):
            return known[-1]
    folder = run / ROUNDS / f"{int(known[-1].name) + 1 if known else 1:03d}"
    folder.mkdir()
    return folder


def _decided_before(
    run: Path, folder: Path, version: Corrections, settings: RoundSettings, facts: dict[str, Any]
) -> Path | None:
    """The last decided round, if this one would only repeat it: same corrections, settings and parent.

    Its own assistant may be the one in use by now; then there is nothing new to teach it.
    """
    decided = [one for one in folders(run) if one != folder and (one / DECISION).exists()]
    if not decided:
        return None
    begun = read_json(decided[-1] / BEGUN)
    parents = (begun["parent"], f"{ROUNDS}/{decided[-1].name}/finetuned")
    is_same = _is_same({**begun, "parent": facts["parent"]}, settings, facts) and facts["parent"] in parents
    old = read_json(decided[-1] / VERSION)
    return decided[-1] if is_same and old["sha256"] == version.sha256 else None


def _is_same(begun: dict[str, Any], settings: RoundSettings, facts: dict[str, Any]) -> bool:
    return begun["settings"] == plain(settings) and all(begun.get(name) == facts[name] for name in facts)


def _facts(run: Path, files: RoundFiles, parent: Path) -> dict[str, Any]:
    """What, beside settings and corrections (known by their hash), decides what a round does."""
    return {
        "parent": name_of(run, parent),
        "questions": str(files.questions or ""),
        "former": [str(path) for path in files.former],
        "canaries": [str(path) for path in files.canaries],
    }
