"""Headings that ask, or say how something is done, and the sentence under them that answers.

Korean verbs need no dictionary here: a heading's noun form (만들기) loses its 기 and gets (으)려면, whatever
the verb. An advice must speak of what the heading names, and of the verb unless it is an order (...하세요).
"""

from __future__ import annotations

import re

from nextword.data.phrases import with_particle
from nextword.data.sentences import MARKUP, is_answer, is_korean

ORDERS = re.compile(r"(?:(?<!해보)세요|면 됩니다)\.$")
ADVERBS = re.compile(
    r"(?:을|를|에|에서|로|고|게|의|와|과|이|도|지|만|해|서|히|없이|때|다시|함께|같이|직접|모두|바로|자주|미리|서로|더|잘|못|번"
    r"|내|전|후|중|간|별|및|따라|대해|위해|통해|부터|까지|마다|처럼)$"
)
"""After these, no noun that a verb could take."""
NO_ADVICE = re.compile(
    r"(?:될|원할|있을|없을|보일|느낄|않을|일|필요할|모를|지날|발생할|넣을|싶을|담을) 수(?:도)? 있습니다\.$"
)
ASKS = re.compile(
    r"(?:[가-힣](?:까요|나요|가요|는지요|ㄴ가)|(?:What|How|Why|When|Where|Who|Which|Can|Does|Do|Is|Should|Are)\b.*)\?$"
)


def of_heading(heading: str, sentences: list[str]) -> tuple[str, str, str] | None:
    """(question, answer, rule) of a heading and the sentences under it; None where it asks nothing."""
    if not heading or MARKUP.search(heading) or len(heading) > 80:
        return None
    if ASKS.search(heading):
        first = sentences[0]
        is_told = len(heading.split()) > 2 and is_answer(first) and _answers(heading, first)
        return (heading, first, "heading-question") if is_told else None
    question = how_question(heading)
    for each in sentences[:3] if question else ():
        if is_answer(each) and _tells_how(each) and _is_about(heading, each):
            return question, each, "how-to"
    return None


def _answers(question: str, sentence: str) -> bool:
    """Whether a sentence under a question answers it, as far as its words tell."""
    if is_korean(question) != is_korean(sentence) or "?" in sentence:
        return False
    if re.match(r"(?:네|예|아니|Yes|No)\b", sentence):
        return True
    if re.search(r"어떻게|\bHow\b", question):
        return bool(ORDERS.search(sentence)) and _shares(question, sentence)
    if re.search(r"왜|\bWhy\b", question):
        return bool(re.search(r"때문|위해|덕분|because|so that", sentence))
    return bool(re.search(r"무엇|누가|언제|어디|얼마|몇|What|Who|When|Where", question)) and _shares(
        question, sentence
    )


def how_question(heading: str) -> str:
    """The question a heading about doing something answers; "" where it is about none.

    >>> how_question("객체 만들기"), how_question("파일 읽기"), how_question("How to return a book")
    ('객체를 만들려면 어떻게 해야 하나요?', '파일을 읽으려면 어떻게 해야 하나요?', 'How do I return a book?')
    """
    if found := re.fullmatch(r"[Hh]ow to (\S.+?)\??", heading):
        return f"How do I {found[1]}?"
    if re.search(r"[가-힣] 방법$", heading):
        return f"{heading}은 무엇인가요?" if len(heading.split()) > 2 else ""
    found = re.fullmatch(r"(?P<before>.+ )(?P<stem>[가-힣]+)기", heading)
    if (
        not found
        or re.search(r"보기$|시작하기$|이야기$|크기$|하게 하기$|읽을거리", heading)
        or "," in heading
    ):
        return ""
    before, stem = found["before"].rstrip(), found["stem"]
    final = (ord(stem[-1]) - 0xAC00) % 28
    verb = stem + ("으려면" if final not in (0, 8) else "려면")
    is_noun = bool(re.search(r"[가-힣]{2}$", before)) and not ADVERBS.search(before)
    joined = with_particle(before, "을") if is_noun else before
    return f"{joined} {verb} 어떻게 해야 하나요?"


def _tells_how(sentence: str) -> bool:
    """Whether a sentence gives advice; that something can happen is none."""
    if is_korean(sentence):
        advises = re.search(r"(?:(?<!해보)세요|면 됩니다|수 있습니다|해야 합니다)\.$", sentence)
        return bool(advises) and not NO_ADVICE.search(sentence)
    advises = re.search(
        r"\b(?:you can|must|should|need to)\b|^(?:To \w+ .*,|[A-Z][a-z]+ (?:the|your|a|an)\b)", sentence
    )
    return bool(advises)


def _is_about(heading: str, sentence: str) -> bool:
    """Whether advice is about what the heading does: it says the verb again, or it is an order."""
    stem = heading.split()[-1].removesuffix("기").removesuffix("하")
    is_same = heading.isascii() or stem in sentence or bool(ORDERS.search(sentence))
    return is_same and _shares(heading, sentence)


def _shares(heading: str, sentence: str) -> bool:
    """Whether the sentence speaks of what the heading names: two of its words, or its code."""
    words = [
        word for word in re.findall(r"[\w.]{2,}", heading.lower()) if word not in ("how", "to", "방법", "the")
    ]
    stems = {word[: max(2, len(word) - 1)] for word in words}
    return sum(stem in sentence.lower() for stem in stems) >= min(2, len(stems))
