"""Korean pairs of sentences: does one follow from the other (KLUE-NLI, KorNLI), are they alike (KLUE-STS)?

KLUE is Park et al. 2021; KorNLI is Ham et al. 2020, whose development and test sets are XNLI's, translated by
people. Both ask for a label, which a language model has never heard of, so the label is worded as the answer
to a question and its log-likelihood is what counts. STS is used with its own binary label. Left out: KLUE's
named entities, whose answer is a tag for each letter, which no wording makes a question.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nextword.common.errors import BadInput
from nextword.evaluate.choice import Choice, Choices
from nextword.evaluate.local_tasks.files import document, found, set_apart, table
from nextword.evaluate.local_tasks.settings import LocalSettings

FOLLOWS = "이 말은 앞 글에 비추어 참인가요, 거짓인가요, 알 수 없나요?"
SAME = "두 문장은 뜻이 같은가요?"
RELATIONS = {"entailment": " 참", "contradiction": " 거짓", "neutral": " 알 수 없음"}
YES_NO = {"1": " 예", "0": " 아니요"}

KLUE_NLI = "klue_ko/klue-nli-v1.1_dev.json"
KLUE_STS = "klue_ko/klue-sts-v1.1_dev.json"
KORNLI = "kornlu_ko/xnli.{}.ko.tsv"


def klue_nli(data: Path, settings: LocalSettings) -> Choices:
    """KLUE-NLI's development set, its examples taken out of it."""
    rows = _records(data, KLUE_NLI, "guid", "premise", "hypothesis", "gold_label")
    choices = [_relation(*map(str, row), where=found(data, KLUE_NLI)) for row in rows]
    return _one_split("klue_nli", choices, settings)


def klue_sts(data: Path, settings: LocalSettings) -> Choices:
    """KLUE-STS's development set with its binary label, its examples taken out of it."""
    rows = _records(data, KLUE_STS, "guid", "sentence1", "sentence2", "labels")
    choices = []
    for guid, first, second, labels in rows:
        label = str(labels.get("binary-label")) if isinstance(labels, dict) else ""
        if label not in YES_NO:
            raise BadInput(f"{guid} has no binary label", where=found(data, KLUE_STS))
        prompt = f"문장 1: {first}\n문장 2: {second}\n질문: {SAME}\n답:"
        choices.append(_choice(str(guid), prompt, YES_NO, label))
    return _one_split("klue_sts", choices, settings)


def kornli(data: Path, settings: LocalSettings) -> Choices:
    """KorNLI's test set, with examples from its development set."""
    tested, worked = (_xnli(data, split) for split in ("test", "dev"))
    labels = [each.options[each.right] for each in worked]
    examples, _ = set_apart(worked, [each.id for each in worked], labels, settings.shots)
    return Choices("kornli", settings.taken(tested, lambda one: one.id), examples, settings.shots)


def _xnli(data: Path, split: str) -> list[Choice]:
    name = KORNLI.format(split)
    rows = table(data, name, "sentence1", "sentence2", "gold_label")
    return [
        _relation(
            f"{split}-{number}",
            row["sentence1"],
            row["sentence2"],
            row["gold_label"],
            where=found(data, name),
        )
        for number, row in enumerate(rows)
    ]


def _records(data: Path, name: str, *fields: str) -> list[list[object]]:
    records = document(data, name)
    if not isinstance(records, list):
        raise BadInput("not a list of records", where=found(data, name))
    for number, record in enumerate(records, 1):
        if not isinstance(record, dict) or not all(field in record for field in fields):
            raise BadInput(f"record {number} lacks one of {', '.join(fields)}", where=found(data, name))
    return [[record[field] for field in fields] for record in records]


def _relation(id: str, premise: str, hypothesis: str, label: str, *, where: Path) -> Choice:
    if label not in RELATIONS:
        raise BadInput(f"{id} has the label {label!r:.40}, expected {', '.join(RELATIONS)}", where=where)
    prompt = f"글: {premise.strip()}\n말: {hypothesis.strip()}\n질문: {FOLLOWS}\n답:"
    # three hypotheses share a premise: what is hard about it is hard for all of them
    return _choice(id, prompt, RELATIONS, label, group=premise.strip())


def _choice(id: str, prompt: str, labels: dict[str, str], right: str, group: str = "") -> Choice:
    return Choice(id, prompt, tuple(labels.values()), list(labels).index(right), "ko", group=group)


def _one_split(name: str, choices: Sequence[Choice], settings: LocalSettings) -> Choices:
    labels = [each.options[each.right] for each in choices]
    worked, rest = set_apart(choices, [each.id for each in choices], labels, settings.shots)
    return Choices(name, settings.taken(rest, lambda one: one.id), worked, settings.shots)
