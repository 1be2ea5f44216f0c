"""How questions and answers are worded, in English and in Korean; written by hand, chosen by a hash.

Every question can be asked in several ways, so that an assistant learns the question and not one sentence.
Every answer has one wording, and the quotation comes first: what must be right is said before anything else,
and a decoder that may only quote (engine) has to write nothing but a quotation mark before it.

    "indent=None", so the default is None.        "indent=None"이라고 되어 있으므로 기본값은 None입니다.

Korean particles depend on how the word before them ends, and nobody can say how `heappushpop` ends. So each
stands after a Korean noun (`json.dumps 함수는`), whose ending is known. In answers the quotation stays as the
page has it, English.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import Formatter
from typing import Literal

from nextword.common.records import digest

Lang = Literal["en", "ko"]
LANGUAGES: tuple[Lang, Lang] = ("en", "ko")

QUESTIONS: dict[str, dict[Lang, Sequence[str]]] = {
    "description": {
        "en": (
            "What does {id} do?",
            "What is {id} for?",
            "Describe {id} in one sentence.",
            "Can you tell me what {id} does?",
            "I found {id} in some code. What does it do?",
            "How does the documentation describe {id}?",
        ),
        "ko": (
            "{id} {noun:은} 무엇을 하나요?",
            "{id} {noun}의 역할이 뭐예요?",
            "{id} {noun:을} 한 문장으로 설명해 주세요.",
            "코드에 {id} {noun:이} 있는데 무슨 일을 하나요?",
            "{id} {noun}에 대한 설명을 알려 주세요.",
            "문서에서는 {id} {noun:을} 어떻게 설명하나요?",
        ),
    },
    "signature": {
        "en": (
            "What is the signature of {id}?",
            "Show me the signature of {id}.",
            "How do I call {id}?",
            "Write out the full signature of {id}, please.",
            "How is {id} declared?",
        ),
        "ko": (
            "{id}의 시그니처가 뭐예요?",
            "{id} {noun:은} 어떻게 호출하나요?",
            "{id}의 시그니처를 보여 주세요.",
            "{id} {noun}의 시그니처를 그대로 적어 주세요.",
            "{id} {noun:은} 어떻게 선언되어 있나요?",
        ),
    },
    "default": {
        "en": (
            "What is the default of {parameter} in {id}?",
            "Which value does {parameter} of {id} have if I leave it out?",
            "If I do not pass {parameter} to {id}, what is used?",
            "{id} takes {parameter}. What is its default value?",
            "Tell me the default value of the parameter {parameter} of {id}.",
        ),
        "ko": (
            "{id}에서 {parameter}의 기본값은 무엇인가요?",
            "{id} {noun:을} 부를 때 {parameter} 인자를 생략하면 어떤 값이 쓰이나요?",
            "{id}의 매개변수 {parameter}, 기본값이 뭐예요?",
            "{id} {noun}에 {parameter} 인자를 주지 않으면 값이 어떻게 되나요?",
            "{id}의 {parameter} 매개변수 기본값을 알려 주세요.",
        ),
    },
    "module": {
        "en": (
            "Which module has {name}?",
            "Where do I import {name} from?",
            "In which module is {name} defined?",
            "What do I have to import to use {name}?",
            "I need {name}. Which module is it in?",
        ),
        "ko": (
            "{name} {noun:은} 어느 모듈에 있나요?",
            "{name} {noun:을} 쓰려면 어떤 모듈을 가져와야 하나요?",
            "{name} {noun:이} 정의된 모듈은 무엇인가요?",
            "어느 모듈에서 {name} {noun:을} 찾을 수 있나요?",
            "{name} {noun:이} 필요해요. 어떤 모듈을 import하면 되나요?",
        ),
    },
    "parameters": {
        "en": (
            "Which parameters does {id} take?",
            "What arguments does {id} accept?",
            "List the parameters of {id}.",
            "What can I pass to {id}?",
            "Which arguments do I call {id} with?",
        ),
        "ko": (
            "{id} {noun:은} 어떤 매개변수를 받나요?",
            "{id}의 매개변수를 모두 알려 주세요.",
            "{id} {noun}에 어떤 인자를 넘길 수 있나요?",
            "{id} {noun}의 인자에는 무엇이 있나요?",
            "{id} {noun:을} 호출할 때 어떤 인자를 주나요?",
        ),
    },
    "kind": {
        "en": (
            "What kind of thing is {id}?",
            "Is {id} a function, a class, a method or something else?",
            "What is {id}: a class, a function, a method, an attribute?",
            "How does the documentation classify {id}?",
            "Under which heading does the documentation list {id}?",
        ),
        "ko": (
            "{id}의 종류는 무엇인가요?",
            "{id}, 함수인가요, 클래스인가요, 아니면 다른 것인가요?",
            "클래스, 함수, 메서드, 속성 중에서 {id}에 해당하는 것은 무엇인가요?",
            "문서에서 {id}의 종류를 무엇이라고 하나요?",
            "문서에서 {id}에 해당하는 항목은 어떤 제목 아래에 있나요?",
        ),
    },
}
"""By type and language. Fields: id, name, parameter, and noun with the particle it needs."""

ANSWERS: dict[str, dict[Lang, str]] = {
    "description": {
        "en": '"{quote}" That is how it is described.',
        "ko": '"{quote}"라고 설명되어 있습니다.',
    },
    "signature": {
        "en": '"{quote}" is how it is called.',
        "ko": '"{quote}" 형식으로 호출합니다.',
    },
    "default": {
        "en": '"{quote}", so the default is {value}.',
        "ko": '"{quote}"라고 되어 있으므로 기본값은 {value}입니다.',
    },
    "module": {
        "en": '"{quote}" is the module that has it.',
        "ko": '"{quote}" 모듈에 있습니다.',
    },
    "parameters": {
        "en": '"{quote}" is what it takes.',
        "ko": '"{quote}" 순서로 인자를 받습니다.',
    },
    "kind": {
        "en": '"{quote}" is its heading, so it is {kind}.',
        "ko": '"{quote}"라는 제목이 있으므로 {kind}입니다.',
    },
}
"""Quotation first, then as few words as a sentence needs."""

NOT_THERE: dict[Lang, str] = {"en": "The page does not say.", "ko": "이 쪽에는 답이 없습니다."}
"""The answer when the page at hand is about something else."""

NOUNS = {
    "module": "모듈",
    "package": "패키지",
    "function": "함수",
    "class": "클래스",
    "method": "메서드",
    "class method": "클래스 메서드",
    "static method": "정적 메서드",
    "readonly property": "읽기 전용 프로퍼티",
    "data descriptor": "데이터 디스크립터",
    "data attribute": "데이터 속성",
    "data": "데이터",
}
"""What each kind is called in Korean, and what stands before its particle in a question."""

KINDS: dict[Lang, dict[str, str]] = {
    "en": {kind: f"a {kind}" for kind in NOUNS} | {"data": "a piece of data"},
    "ko": NOUNS,
}
"""What each kind is called in an answer."""

PARTICLES = {"은": "는", "을": "를", "이": "가", "과": "와"}
"""After a final consonant, and after a vowel."""


class _Particles(Formatter):
    """`{noun:은}` is the noun with 은 or 는, whichever it takes."""

    def format_field(self, value: object, format_spec: str) -> str:
        word = str(value)
        return with_particle(word, format_spec) if format_spec in PARTICLES else format(word, format_spec)


def ask(type: str, lang: Lang, key: str, fields: Mapping[str, str]) -> str:
    """A question of a type, in the wording that the key's hash picks."""
    return filled(picked(QUESTIONS[type][lang], key), fields)


def answer(type: str, lang: Lang, fields: Mapping[str, str]) -> str:
    """The answer of a type: its quotation, then a few words."""
    return filled(ANSWERS[type][lang], fields)


def filled(wording: str, fields: Mapping[str, str]) -> str:
    """A wording with its fields, Korean particles fitted."""
    return _Particles().vformat(wording, (), fields)


def picked(wordings: Sequence[str], key: str) -> str:
    """One of the wordings; always the same one for a key."""
    return wordings[int(digest("wording:" + key)[:8], 16) % len(wordings)]


def with_particle(word: str, particle: str) -> str:
    """A Korean word with the form of the particle that its last syllable asks for.

    >>> with_particle("모듈", "은"), with_particle("함수", "은")
    ('모듈은', '함수는')
    """
    code = ord(word[-1:] or " ") - 0xAC00
    has_final = 0 <= code < 11172 and code % 28 > 0
    return word + (particle if has_final else PARTICLES[particle])
