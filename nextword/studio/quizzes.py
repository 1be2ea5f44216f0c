"""The quiz on the guide: taking it, writing it, and giving tries back."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import Field

from nextword.label.project import Question
from nextword.label.quiz import Quiz, QuizResult, Sheet, Standing
from nextword.studio.body import LARGEST, Body, Number, Prose, Word
from nextword.studio.door import Actor, House

router = APIRouter(prefix="/api", tags=["quiz"])


class Choices(Body):
    """One try at the quiz: the number of the choice for each question."""

    choices: list[int] = Field(max_length=200)


class Forgiven(Body):
    """Who gets their tries back."""

    person: int = Field(ge=1, le=LARGEST)


class NewQuestion(Body):
    """A question, what one may choose from, which choice is right and why; words by language."""

    text: dict[Word, Prose]
    choices: list[dict[Word, Prose]] = Field(max_length=20)
    right: int
    why: dict[Word, Prose] = Field(default_factory=dict)


class NewQuiz(Body):
    """A quiz in place of the last; no questions: no quiz."""

    questions: list[NewQuestion] = Field(max_length=200)
    pass_mark: float = 0.8
    asks_again: bool = False


class StandingList(Body):
    """Everybody who has tried."""

    people: list[Standing]


@router.get("/projects/{project}/quiz")
def quiz(studio: House, actor: Actor, project: Number) -> Quiz:
    """The quiz on the guide, without its answers."""
    return studio.office.quizzes.quiz(actor, project)


@router.post("/projects/{project}/quiz")
def take(studio: House, actor: Actor, project: Number, given: Choices) -> QuizResult:
    """One try."""
    return studio.office.quizzes.take(actor, project, given.choices)


@router.get("/projects/{project}/quiz/sheet")
def sheet(studio: House, actor: Actor, project: Number) -> Sheet:
    """The quiz with its answers (owners)."""
    return studio.office.quizzes.sheet(actor, project)


@router.put("/projects/{project}/quiz/sheet")
def write(studio: House, actor: Actor, project: Number, given: NewQuiz) -> Sheet:
    """Publish the guide with another quiz (owners); its texts stay."""
    questions = tuple(
        Question(each.text, tuple(each.choices), each.right, each.why) for each in given.questions
    )
    studio.office.projects.publish(
        actor, project, quiz=questions, pass_mark=given.pass_mark, asks_again=given.asks_again
    )
    return studio.office.quizzes.sheet(actor, project)


@router.get("/projects/{project}/quiz/standings")
def standings(studio: House, actor: Actor, project: Number) -> StandingList:
    """How everybody who has tried fares (owners)."""
    return StandingList(people=studio.office.quizzes.standings(actor, project))


@router.post("/projects/{project}/quiz/forgive", status_code=204)
def forgive(studio: House, actor: Actor, project: Number, given: Forgiven) -> None:
    """Give somebody their tries back (owners)."""
    studio.office.quizzes.forgive(actor, project, given.person)
