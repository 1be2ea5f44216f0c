"""A labelling office as it looks after a busy week: what the pages are tested on and pictured with."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher

from nextword.common.records import Conversation, Message
from nextword.label.database import Database
from nextword.label.guide import own_guide, own_quiz
from nextword.label.judge import Judgement
from nextword.label.office import Office
from nextword.label.passwords import Passwords
from nextword.label.person import Person
from nextword.label.project import ProjectSettings

PASSWORD = "correct horse battery"
CHEAP = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))

QUESTIONS = [
    ("en", "What does `os.path.join` do with an absolute second part?"),
    ("ko", "`zip`은 길이가 다른 리스트를 받으면 어떻게 하나요?"),
    ("en", "How do I read a file line by line without loading it all?"),
    ("ko", "딕셔너리에서 없는 키를 꺼낼 때 오류를 피하려면요?"),
    ("en", "What is the default of `sep` in `print`?"),
    ("ko", "`functools.cache`와 `lru_cache`는 무엇이 다른가요?"),
]
ANSWERS = {
    "en": (
        "It throws away everything before it: `os.path.join('/home', '/etc')` is `'/etc'`.",
        "Great question! There are many ways to think about paths in Python, and paths are very powerful.",
    ),
    "ko": (
        "가장 짧은 쪽에서 멈춥니다. 끝까지 맞추려면 `itertools.zip_longest`를 쓰세요.",
        "좋은 질문이에요! 파이썬의 내장 함수는 매우 강력하며 여러 가지 방법이 있습니다.",
    ),
}


DRAFTS = {
    "en": (QUESTIONS[4][1], "The default of `sep` is an empty string, as in `print('a', 'b')`."),
    "ko": (
        "`print`에서 `sep`의 기본값은 무엇인가요?",
        "`sep`의 기본값은 빈 문자열입니다. `print('a', 'b')`처럼 쓰면 사이가 붙습니다.",
    ),
}


class Clock:
    """The time it is, moved on by what the world has lived through."""

    def __init__(self) -> None:
        self.ahead = timedelta(days=-3)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def pass_(self, **much: float) -> None:
        self.ahead += timedelta(**much)


def comparison(lang: str, number: int = 0, answers: int = 2) -> dict[str, Any]:
    """A record of two to four answers; the number makes it differ from others."""
    texts = [*ANSWERS[lang], "I do not know.", "It depends."][:answers]
    sides = [{"messages": text, "by": f"tiny-{at + 1}"} for at, text in enumerate(texts)]
    prompt = QUESTIONS[lang == "ko"][1] + (f" ({number})" if number else "")
    return {"prompt": prompt, "answers": sides, "lang": lang}


def best(texts: list[str]) -> int:
    """Where the good one of two answers stands."""
    good = {ANSWERS["en"][0], ANSWERS["ko"][0], "4", "6"}
    return next(at for at, text in enumerate(texts) if text in good)


class World:
    """An office with people in every role and a project without a quiz, on a database file."""

    def __init__(self, file: Path) -> None:
        self.clock, self.folder, self.moves = Clock(), file.parent, 0
        self.office = Office(Database.open(file, self.clock), CHEAP)
        self.owner = self.office.people.found("ara", PASSWORD)
        self.project = self._project("python-docs", overlap=1)

    def move_in(self) -> None:
        """Another project, and somebody new to work on it."""
        self.moves += 1
        self.project = self._project(f"python-docs-{self.moves}", overlap=1)
        self.labeller = self.person(f"bora-{self.moves}")

    def person(self, name: str, role: str = "labeller") -> Person:
        token = self.invitation(role)
        return self.office.people.accept(token, name, PASSWORD)

    def invitation(self, role: str = "labeller") -> str:
        return self.office.people.invite(self.owner, role)

    def _project(self, name: str, has_quiz: bool = False, **settings: Any) -> int:
        quiz = own_quiz() if has_quiz else ()
        made = self.office.projects.create(self.owner, name, own_guide(), ProjectSettings(**settings), quiz)
        return made.id

    def quizzed(self) -> int:
        return self._project(f"with-a-quiz-{self.moves}", has_quiz=True)

    def add(self, *records: dict[str, Any], project: int | None = None, **how: Any) -> None:
        self.office.intake.add(self.owner, project or self.project, records, **how)

    def write(self, prompt: str = QUESTIONS[0][1], **how: Any) -> None:
        self.add({"prompt": prompt, "lang": "en"}, **how)

    def correct(self, **how: Any) -> None:
        turns = [
            {"role": "user", "content": QUESTIONS[4][1]},
            {"role": "assistant", "content": "The default of sep is an empty string."},
        ]
        self.add({"messages": turns, "lang": "en", "by": "tiny-1"}, **how)

    def compare(self, lang: str = "en", answers: int = 2, **how: Any) -> None:
        self.add(comparison(lang, answers=answers), **how)

    def rate(self, **how: Any) -> None:
        self.add({"prompt": QUESTIONS[4][1], "completion": "A single space.", "lang": "en"}, **how)

    def answer(self, person: Person, project: int, answer: dict[str, Any], seconds: float = 30) -> int:
        item = self.office.desk.next(person, project)
        assert item is not None
        self.clock.pass_(seconds=seconds)
        self.office.desk.submit(person, item.task, answer)
        return item.task

    def close(self) -> None:
        self.office.close()


class BusyWorld(World):
    """With labels, agreement, disagreement, a judge, flags, drafts, datasets."""

    def __init__(self, file: Path, labels: int = 8) -> None:
        super().__init__(file)
        self.labels = labels
        self.rng = random.Random(7)
        people = [self.person(name) for name in ("bora", "chloe", "dae-ho")]
        self.reviewer = self.person("eun-ji", "reviewer")
        self.labeller = people[0]
        self.invitation("reviewer")
        self.shared = self._project("python-docs, 2", overlap=2, gold_every=6, blind_share=0.5)
        self.quiz = self.quizzed()
        self.office.quizzes.take(people[1], self.quiz, [0] * len(own_quiz()))
        self._comparisons(people)
        self._writing(people)
        self.office.datasets.cut(
            self.owner, self.shared, "comparisons", "comparisons", file.parent / "c.jsonl"
        )
        said = [Message("user", "What is `1 + 1`?"), Message("assistant", "Three.")]
        self.office.flags.raise_flag(
            self.owner, self.project, Conversation(said), "Wrong sum", model="tiny-1"
        )
        self.clock.ahead = timedelta(0)

    def hang_pictures(self) -> None:
        """A comparison and a correction in each language, in a project named in that language."""
        self.gallery = {}
        for lang, name in (("en", "python docs"), ("ko", "파이썬 설명서")):
            self.gallery[lang] = self._project(name)
            self.compare(lang, project=self.gallery[lang])
            question, draft = DRAFTS[lang]
            turns = [{"role": "user", "content": question}, {"role": "assistant", "content": draft}]
            self.add({"messages": turns, "lang": lang, "by": "tiny-1"}, project=self.gallery[lang])

    def _comparisons(self, people: list[Person]) -> None:
        asked = [comparison(("en", "ko")[number % 2], number + 1) for number in range(30)]
        self.add(*asked, project=self.shared)
        known = {"prompt": "2 + 2?", "chosen": "4", "rejected": "5"}
        self.add(known, {**known, "prompt": "3 + 3?", "chosen": "6"}, project=self.shared, is_gold=True)
        self.office.judges.prelabel(self.owner, self.shared, "judge:tiny-1", self._judge)
        for person in people:
            for _ in range(self.labels):
                item = self.office.desk.next(person, self.shared)
                if item is None:
                    break
                self.clock.pass_(seconds=self.rng.uniform(10, 50))
                self.office.desk.submit(person, item.task, {"choice": self._choice(item.material["answers"])})
        self.disputed = self.office.adjudication.disputes(self.owner, self.shared)[0].id

    def _choice(self, answers: list[dict[str, Any]]) -> int:
        right = best([each["messages"][0]["content"] for each in answers])
        return right if self.rng.random() < 0.87 else 1 - right

    def _judge(self, question: Any) -> Judgement:
        right = best([each["messages"][0]["content"] for each in question.material["answers"]])
        sure = self.rng.uniform(0.5, 1)
        return Judgement({"choice": right if sure > 0.72 or self.rng.random() < 0.6 else 1 - right}, sure)

    def _writing(self, people: list[Person]) -> None:
        self.office.projects.change(self.owner, self.project, review_share=1.0)
        for lang, question in QUESTIONS:
            self.add({"prompt": question, "lang": lang})
        for person in people[:2]:
            self.answer(person, self.project, {"text": ANSWERS["en"][0]}, seconds=140)
        self.correct()
        self.compare("en", answers=3)
        self.rate()
        item = self.office.desk.next(self.labeller, self.project)
        assert item is not None
        self.draft = item.task
        self.office.desk.save(self.labeller, item.task, {"text": "Open it and loop over the file:"})
