"""The qualification quiz: a few questions on the guide before the first task.

A person is qualified when they have passed the quiz of some version since the last one that asked everybody
again. Tries are counted per asking, and an owner may forgive them. Machines and owners need no quiz.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from nextword.common.errors import BadInput
from nextword.label.database import Database
from nextword.label.person import Person
from nextword.label.project import Question, newest_guide, project_row, questions_of, settings_of
from nextword.label.refusals import NotAllowed, NotQualified
from nextword.label.schema import GuideRow, PersonRow, QuizAttemptRow


@dataclass(frozen=True)
class Asked:
    """One question as the person who takes the quiz sees it; words by language."""

    text: dict[str, str]
    choices: tuple[dict[str, str], ...]


@dataclass(frozen=True)
class Quiz:
    """The questions as the person who takes it sees them, and how many tries they have left."""

    version: int
    questions: tuple[Asked, ...]
    pass_mark: float
    tries_left: int
    has_passed: bool


@dataclass(frozen=True)
class QuizResult:
    """How it went. `wrong`: which questions were missed, each with why the right choice is right."""

    score: float
    has_passed: bool
    wrong: tuple[tuple[int, dict[str, str]], ...]
    tries_left: int


@dataclass(frozen=True)
class Sheet:
    """The whole quiz, right answers and all, for who writes it."""

    version: int
    questions: tuple[Question, ...]
    pass_mark: float


@dataclass(frozen=True)
class Standing:
    """How somebody fares with the quiz as it is asked now: tries that count, the best score of all."""

    person: int
    name: str
    tries: int
    tries_left: int
    best: float
    has_passed: bool


class Quizzes:
    """Asking, marking, and remembering who has passed."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def quiz(self, actor: Person, project: int) -> Quiz:
        """The quiz of the newest guide; without questions where it has none."""
        with self.database.read() as session:
            row = project_row(session, project)
            guide = newest_guide(session, project)
            left = settings_of(row).quiz_tries - _tries(session, actor.id, project)
            questions = tuple(Asked(each["text"], tuple(each["choices"])) for each in guide.quiz)
            passed = has_qualified(session, actor, project)
            return Quiz(guide.version, questions, guide.pass_mark, max(0, left), passed)

    def is_qualified(self, actor: Person, project: int) -> bool:
        """Whether the person may label in this project."""
        with self.database.read() as session:
            return has_qualified(session, actor, project)

    def take(self, actor: Person, project: int, choices: Sequence[int]) -> QuizResult:
        """Mark one try: `choices` is the number of the choice for each question."""
        with self.database.write(actor) as change:
            row = project_row(change.session, project, is_locked=True)
            guide = newest_guide(change.session, project)
            if len(choices) != len(guide.quiz) or not guide.quiz:
                raise BadInput(f"{len(choices)} answers to {len(guide.quiz)} questions")
            left = settings_of(row).quiz_tries - _tries(change.session, actor.id, project)
            if left <= 0:
                do = "read the guide and ask an owner for another try"
                raise NotAllowed("no tries are left", do=do, code="no_tries_left")
            result = _mark(guide, choices, left - 1)
            change.session.add(
                QuizAttemptRow(
                    project_id=project,
                    person_id=actor.id,
                    version=guide.version,
                    score=result.score,
                    has_passed=result.has_passed,
                    is_forgiven=False,
                    at=change.now,
                )
            )
            facts = {"version": guide.version, "score": result.score, "has_passed": result.has_passed}
            change.note("take quiz", f"project {project}", **facts)
            return result

    def sheet(self, actor: Person, project: int) -> Sheet:
        """The quiz of the newest guide with its answers (owners)."""
        actor.must("owner", "see the answers to the quiz")
        with self.database.read() as session:
            project_row(session, project)
            guide = newest_guide(session, project)
            return Sheet(guide.version, questions_of(guide), guide.pass_mark)

    def standings(self, actor: Person, project: int) -> list[Standing]:
        """Everybody who has tried, by name (owners)."""
        actor.must("owner", "see how others fare with the quiz")
        with self.database.read() as session:
            allowed = settings_of(project_row(session, project)).quiz_tries
            wanted = (
                select(PersonRow, QuizAttemptRow)
                .join(QuizAttemptRow, QuizAttemptRow.person_id == PersonRow.id)
                .where(
                    QuizAttemptRow.project_id == project,
                    QuizAttemptRow.version >= _asked_since(session, project),
                )
                .order_by(PersonRow.name, PersonRow.id)
            )
            tried: dict[int, tuple[str, list[QuizAttemptRow]]] = {}
            for person, attempt in session.execute(wanted):
                tried.setdefault(person.id, (person.name, []))[1].append(attempt)
            return [_standing(person, name, rows, allowed) for person, (name, rows) in tried.items()]

    def forgive(self, actor: Person, project: int, person: int) -> None:
        """Give somebody their tries back."""
        actor.must("owner", "forgive tries")
        with self.database.write(actor) as change:
            theirs = (QuizAttemptRow.person_id == person) & (QuizAttemptRow.project_id == project)
            change.session.execute(update(QuizAttemptRow).where(theirs).values(is_forgiven=True))
            other = change.session.get(PersonRow, person)
            change.note("forgive tries", f"project {project}", person=other.pseudonym if other else "")


def must_be_qualified(session: Session, person: Person, project: int) -> None:
    """NotQualified unless the person has passed the quiz (or needs none)."""
    if not has_qualified(session, person, project):
        raise NotQualified("the quiz on the guide comes first", do="read the guide and take the quiz")


def has_qualified(session: Session, person: Person, project: int) -> bool:
    """Whether the person may label in this project."""
    if person.is_machine or person.may("owner") or not newest_guide(session, project).quiz:
        return True
    passed = select(QuizAttemptRow.id).where(
        QuizAttemptRow.person_id == person.id,
        QuizAttemptRow.project_id == project,
        QuizAttemptRow.has_passed,
        QuizAttemptRow.version >= _asked_since(session, project),
    )
    return session.scalar(passed.limit(1)) is not None


def _standing(person: int, name: str, attempts: list[QuizAttemptRow], allowed: int) -> Standing:
    tries = sum(not each.is_forgiven for each in attempts)
    best = max(each.score for each in attempts)
    has_passed = any(each.has_passed for each in attempts)
    return Standing(person, name, tries, max(0, allowed - tries), best, has_passed)


def _asked_since(session: Session, project: int) -> int:
    """The last version that asked everybody to take the quiz again."""
    asking = (GuideRow.project_id == project) & GuideRow.asks_again
    return session.scalar(select(func.max(GuideRow.version)).where(asking)) or 0


def _tries(session: Session, person: int, project: int) -> int:
    counted = select(func.count()).where(
        QuizAttemptRow.person_id == person,
        QuizAttemptRow.project_id == project,
        ~QuizAttemptRow.is_forgiven,
        QuizAttemptRow.version >= _asked_since(session, project),
    )
    return session.scalar(counted) or 0


def _mark(guide: GuideRow, choices: Sequence[int], tries_left: int) -> QuizResult:
    questions: list[dict[str, Any]] = guide.quiz
    wrong = tuple(
        (number, each["why"])
        for number, (each, choice) in enumerate(zip(questions, choices, strict=True))
        if choice != each["right"]
    )
    score = 1 - len(wrong) / len(questions)
    return QuizResult(score, score >= guide.pass_mark, wrong, tries_left)
