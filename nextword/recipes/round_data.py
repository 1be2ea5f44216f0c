"""What a round learns from: the corrections, several times over, among what the assistant learnt before.

Twenty corrections alone would be learnt in a minute, and much else forgotten (McCloskey and Cohen 1989); so
they are a small part of a mixture whose rest is former conversations, chosen by a hash. Former conversations
that ask what a correction answers are left out: the correction replaces them.

Every file of former conversations has an equal share of the rest, as far as it goes, and a small file stands
in it up to TIMES times. By chance alone, few of 500 conversations written by hand would be taken from among
24,000 derived ones, and what few conversations have taught is forgotten first: a round that took 30 of them
made an assistant that refused nothing any more.

Some former conversations are set apart and never rehearsed in a round, though the assistant once learnt them.
Both models are asked these afterwards. Whatever a round does to what it does not rehearse shows there first,
and who writes poisoned corrections does not choose them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from nextword.common.dialogue import conversation_record, read_conversations
from nextword.common.errors import BadInput
from nextword.common.records import Conversation, digest
from nextword.evaluate.task import asked
from nextword.label.audit import canonical
from nextword.recipes.lineage import writer_of

LEAST_FORMER = 20
"""Former conversations without which nothing keeps the rest in memory."""
TIMES = 3
"""How often a conversation of a small file stands among the others, at most."""


@dataclass(frozen=True)
class Mixture:
    """Conversations to learn, how many of each sort, and those set apart to be asked about."""

    conversations: list[Conversation]
    facts: dict[str, Any]
    apart: list[Conversation]


def taken(
    corrections: Iterable[Conversation], without: Sequence[str] = (), is_reviewed: bool = False
) -> list[Conversation]:
    """The corrections that a round uses: not by `without` (pseudonyms), and reviewed where that is asked.

    BadInput for somebody who has written none: a misspelt pseudonym would keep what should go.
    """
    found = list(corrections)
    if unknown := sorted(set(without) - {writer_of(one) for one in found}):
        raise BadInput(f"no correction is by {', '.join(unknown)}", do="see lineage.json for who wrote any")
    kept = [one for one in found if writer_of(one) not in without]
    if is_reviewed:
        kept = [one for one in kept if one.meta.get("labelled", {}).get("review") in ("accepted", "amended")]
    if not kept:
        raise BadInput(
            "no correction is left to learn from", do="correct more flagged answers, or review them"
        )
    return kept


def mixture(
    corrections: Sequence[Conversation],
    former: Sequence[Path],
    repeats: int,
    most: int,
    apart: int,
    seed: int = 0,
) -> Mixture:
    """`repeats` times the corrections, and at most `most` (0: all) former conversations but those apart."""
    replaced = {question_of(one) for one in corrections}
    every = [list(read_conversations(file)) for file in former]
    rest = [[one for one in source if question_of(one) not in replaced] for source in every]
    order = sorted(chain.from_iterable(rest), key=lambda one: digest(f"apart:{id_of(one)}"))
    set_apart = asked_about(order, corrections, min(apart, len(order) // 4))
    kept_out = {id_of(one) for one in set_apart}
    kept = [[one for one in source if id_of(one) not in kept_out] for source in rest]
    rehearsed = shared_out(kept, most, lambda one: digest(f"{seed}:former:{id_of(one)}"))
    if (different := len({id_of(one) for one in rehearsed})) < LEAST_FORMER:
        raise BadInput(
            f"{different} former conversations are too few to keep the rest in memory",
            where=", ".join(map(str, former)),
            do=f"give at least {LEAST_FORMER} with --data",
        )
    facts = {
        "corrections": len(corrections),
        "repeats": repeats,
        "former": len(rehearsed),
        "of": sum(map(len, every)),
        "replaced": sum(map(len, every)) - len(order),
        "apart": len(set_apart),
    }
    return Mixture([*(one for one in corrections for _ in range(repeats)), *rehearsed], facts, set_apart)


def shared_out(
    sources: Iterable[Sequence[Conversation]], most: int, order: Callable[[Conversation], str]
) -> list[Conversation]:
    """`most` (0: all, once) by `order`, as many of each source; a small source up to TIMES times."""
    smallest_first = sorted(sources, key=len)
    found: list[Conversation] = []
    for place, source in enumerate(smallest_first):
        share = (most - len(found)) // (len(smallest_first) - place) if most else len(source)
        found += (sorted(source, key=order) * TIMES)[:share]
    return found


def asked_about(
    order: Iterable[Conversation], corrections: Sequence[Conversation], most: int
) -> list[Conversation]:
    """The first `most` that have one answer, at the end, and are about no function that was corrected."""
    functions = {function_of(one) for one in corrections} - {""}
    found: list[Conversation] = []
    for one in order:
        roles = [message.role for message in one.messages]
        fits = roles[-1] == "assistant" and roles.count("assistant") == 1 and "user" in roles
        if len(found) < most and fits and function_of(one) not in functions:
            found.append(replace(one, meta={**one.meta, "id": id_of(one), "group": function_of(one)}))
    return found


def question_of(conversation: Conversation) -> str:
    """All that was said before the last answer: what a correction of it replaces."""
    return canonical(conversation_record(replace(conversation, messages=conversation.messages[:-1], meta={})))


def id_of(conversation: Conversation) -> str:
    """A conversation by what is said in it."""
    return digest(canonical(conversation_record(replace(conversation, meta={}))))[:16]


def function_of(conversation: Conversation) -> str:
    """The function a conversation is about, where it says so: as a question's group, or the seed's."""
    return str(conversation.meta.get("function") or conversation.meta.get("group") or "")


def shown(conversation: Conversation) -> str:
    """A conversation in a few words."""
    return " ".join(asked(conversation).split())[:80]
