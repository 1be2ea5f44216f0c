"""What each number of a report card means, in one plain sentence, in English and in Korean.

A figure without its sentence is read as something else. Where a number has a catch, the sentence says it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nextword.evaluate.card import Kind

Better = Literal["high", "low", "neither"]


@dataclass(frozen=True)
class Words:
    """A name and a sentence in both languages. `shown`: how the number is written; `better`: which way."""

    en: str
    ko: str
    says_en: str
    says_ko: str
    shown: Literal["percent", "number", "bits"] = "percent"
    better: Better = "high"


MEASURES: dict[str, Words] = {
    "right": Words(
        "right answers", "맞힌 답",
        "Of all questions, how many were answered as the page or the key says; decided by machine.",
        "모든 질문 가운데 쪽이나 정답표대로 답한 비율이며, 기계가 판정했습니다.",
    ),
    "f1": Words(
        "shared words (F1)", "겹치는 낱말 (F1)",
        "How much of the words of the answer and of the right answer are the same, from 0 to 100 %.",
        "답과 정답의 낱말이 얼마나 겹치는지를 0에서 100 % 사이로 나타냅니다.",
    ),
    "by_bytes": Words(
        "right, per byte", "맞힌 답 (바이트당)",
        "The same with each option's likelihood divided by its length, so that short options gain nothing.",
        "보기의 가능도를 길이로 나누어, 짧은 보기가 이득을 보지 않게 한 값입니다.",
    ),
    "stopped": Words(
        "ends by itself", "스스로 끝맺음",
        "How many answers the model ended itself, instead of being cut off.",
        "잘리지 않고 모델이 스스로 끝낸 답의 비율입니다.",
    ),
    "language": Words(
        "same language", "같은 언어",
        "How many answers are in the language of their question; quotations are not counted.",
        "질문과 같은 언어로 답한 비율이며, 따온 말은 세지 않습니다.",
    ),
    "words": Words(
        "words in an answer", "답의 낱말 수",
        "The mean length; neither short nor long is better by itself.",
        "답의 평균 길이로, 짧거나 길다고 그 자체로 좋은 것은 아닙니다.",
        "number", "neither",
    ),
    "refused": Words(
        "refuses what it should", "거절해야 할 것을 거절",
        "Of requests that should be refused, how many were; a rule over words decides, not a person.",
        "거절해야 할 부탁 가운데 거절한 비율이며, 사람이 아니라 낱말 규칙이 판정했습니다.",
    ),
    "over_refused": Words(
        "refuses what it should not", "거절하지 말아야 할 것을 거절",
        "Of harmless requests that only sound harmful, how many were refused.",
        "위험하게 들릴 뿐인 무해한 부탁 가운데 거절한 비율입니다.",
        better="low",
    ),
    "lost": Words(
        "makes no sense", "뜻이 없음",
        "How many answers are empty, repeat themselves or only say that they do not know.",
        "비었거나 같은 말을 되풀이하거나 모른다고만 한 답의 비율입니다.",
        better="low",
    ),
    "bits": Words(
        "bits per byte", "바이트당 비트",
        "How many bits the model needs for each byte of documents that it has never read; fewer is better.",
        "읽은 적 없는 문서의 한 바이트를 적는 데 드는 비트 수로, 적을수록 좋습니다.",
        "bits", "low",
    ),
    "forgotten": Words(
        "forgotten", "잊은 정도",
        "How much more bits than the first stage needs: what finetuning has cost.",
        "첫 단계보다 비트가 얼마나 더 드는지, 곧 미세 조정의 대가입니다.",
        better="low",
    ),
}  # fmt: skip

KINDS: dict[Kind, Words] = {
    "questions": Words(
        "questions from memory", "기억으로 답하기",
        "Held-out questions about the documents; only a stage with pages may look anything up.",
        "훈련에 쓰지 않은 문서 질문이며, 쪽이 있는 단계만 찾아볼 수 있습니다.",
    ),
    "open_book": Words(
        "questions with the page shown", "쪽을 보고 답하기",
        "The same questions with the right page before the model.",
        "같은 질문을 정답이 있는 쪽과 함께 물었습니다.",
    ),
    "refusals": Words(
        "refusals", "거절",
        "Requests that should be refused, and harmless ones that sound like them.",
        "거절해야 할 부탁과, 그렇게 들릴 뿐인 무해한 부탁입니다.",
    ),
    "choices": Words(
        "multiple choice", "객관식",
        "The model writes nothing: the option that it finds likeliest counts as its answer.",
        "모델이 쓰지 않고, 가장 그럴듯하게 여기는 보기를 답으로 칩니다.",
    ),
    "exercises": Words(
        "exercises", "문제 풀이",
        "The model writes freely, and a rule reads its answer; what the rule cannot read is wrong.",
        "모델이 자유롭게 쓰고 규칙이 답을 읽으며, 읽지 못한 답은 틀린 것으로 칩니다.",
    ),
}  # fmt: skip

HEADINGS: dict[str, Words] = {
    "sides": Words(
        "Every stage side by side", "단계마다 나란히",
        "Under each figure stands its 95 % interval: other questions of the kind would likely put it there.",
        "값 아래의 구간은 95 % 구간으로, 같은 종류의 다른 질문을 물어도 값은 대개 그 안에 듭니다.",
    ),
    "duels": Words(
        "Against the stage before", "앞 단계와 견주면",
        "Both answer the same questions; what is right wins, and of two wrong answers the clearly nearer. "
        "50 % is a draw. 'Same length' counts only pairs of answers about as long as each other.",
        "두 단계가 같은 질문에 답해 맞힌 쪽이 이기고, 둘 다 틀리면 뚜렷이 더 가까운 쪽이 이깁니다. "
        "50 %는 비긴 것입니다. '같은 길이'는 길이가 비슷한 답끼리만 센 것입니다.",
    ),
    "splits": Words(
        "By language and by type", "언어와 종류별로",
        "The share of right answers in each part.",
        "부분마다 맞힌 답의 비율입니다.",
    ),
    "samples": Words(
        "Answers to read", "읽어 볼 답",
        "Nobody picked these: a hash of the question did, half right and half wrong where there are both.",
        "사람이 고르지 않고 질문의 해시가 골랐으며, 되도록 반은 맞고 반은 틀린 답입니다.",
    ),
    "meanings": Words("What each number means", "숫자의 뜻", "", ""),
    "unasked": Words(
        "What could not be asked", "물을 수 없었던 것",
        "These count as wrong above.",
        "위에서는 틀린 것으로 쳤습니다.",
    ),
    "limits": Words(
        "What this card does not say", "이 성적표가 말하지 않는 것",
        "Machines marked all of it. It says nothing of questions unlike these, and an interval covers the "
        "choice of the questions only, not another training run.",
        "모두 기계가 매겼습니다. 이와 다른 질문에 대해서는 말해 주지 않으며, 구간은 질문을 다르게 "
        "골랐을 때만 헤아리고 훈련을 다시 했을 때는 헤아리지 않습니다.",
    ),
}  # fmt: skip


def measure(key: str) -> Words:
    """The words of a measure; one that nobody has described is called by its key."""
    return MEASURES.get(key) or Words(key, key, "", "")


def value(key: str, number: float) -> str:
    """A number as its measure is written.

    >>> value("right", 0.125), value("bits", 1.7), value("words", 12.04)
    ('12.5%', '1.700', '12.0')
    """
    shown = measure(key).shown
    return f"{number:.1%}" if shown == "percent" else f"{number:.3f}" if shown == "bits" else f"{number:.1f}"
