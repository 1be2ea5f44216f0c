"""Proposals approved without people: a rule says yes to quotations that a person could check at a glance.

    OUT/proposals.jsonl   what `propose` drafted
    OUT/labels.db         the labelling database: tasks, the rule's labels, the audit
    OUT/approved.jsonl    what the rule has approved, as conversations; each says `rule:verbatim`

The rule approves a draft whose quotation stands letter for letter in the page shown, is not longer than a
sentence and says more than the question, where half of the question's words stand in the page too. Whether a
question makes sense it cannot tell, and people can (`nextword label`). It works at the desk as they do.
"""

from __future__ import annotations

import secrets
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nextword.common.errors import BadInput
from nextword.common.progress import Progress
from nextword.data.propose import ProposeSettings, propose
from nextword.data.proposed_seed import QUOTED
from nextword.data.sentences import LONGEST
from nextword.label.guide import own_guide
from nextword.label.office import Office
from nextword.label.person import Person
from nextword.label.project import ProjectSettings
from nextword.label.rule import RuleLabeller
from nextword.tools.terms import asked_terms, terms

RULE = "verbatim"


def approved_by_rule(
    settings: ProposeSettings, source: Path, out: Path, progress: Progress | None = None
) -> dict[str, Any]:
    """Propose for the documents under `source`, approve by rule, write the conversations; returns counts.

    Begins anew each time: OUT is replaced. Raises BadInput when nothing can be asked, or nothing is approved.
    """
    shutil.rmtree(out, ignore_errors=True)
    made = propose(settings, source, out / "proposals.jsonl", progress)
    with Office.open(str(out / "labels.db"), lambda: datetime.now(UTC)) as office:
        owner = office.people.found("make", secrets.token_urlsafe(32))
        project = office.projects.create(
            owner, "default", own_guide(), ProjectSettings(blind_share=0.0), ()
        ).id
        office.intake.read(owner, project, out / "proposals.jsonl", kind="correct")
        if not approve(office, owner, project):
            raise BadInput(f"none of {made['proposals']:,} proposals could be approved", where=source)
        version = office.datasets.cut(owner, project, "approved", "conversations", out / "approved.jsonl")
    return {**made, "approved": version.records}


def approve(office: Office, owner: Person, project: int) -> int:
    """The rule says yes to what it can; returns to how many drafts. The rest is left to people."""
    rule = RuleLabeller(office.people, office.desk, owner, RULE, is_verbatim)
    return rule.work(project, ["correct"])


def is_verbatim(prompt: list[dict[str, Any]], answer: list[dict[str, Any]]) -> float:
    """1.0 for a draft that may stand as it is, else 0.0."""
    shown = next((str(each["content"]) for each in reversed(prompt) if each["role"] == "tool"), "")
    question = next((str(each["content"]) for each in reversed(prompt) if each["role"] == "user"), "")
    quoted = QUOTED.match(str(answer[-1]["content"]))
    if not quoted or len(quoted[1]) > LONGEST or quoted[1] not in " ".join(shown.split()):
        return 0.0
    wanted, says_more = set(asked_terms(question)), set(terms(quoted[1])) - set(terms(question))
    return float(bool(says_more) and 2 * len(wanted.intersection(terms(shown))) >= len(wanted))
