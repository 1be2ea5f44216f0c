"""Sentences of a page, and which of them can stand alone as an answer.

One that points elsewhere ("this", "as follows", "앞에서"), that carries markup or a quotation mark, or that
is too long to be read at once, cannot. Languages are told by their letters: Korean, or else English.
"""

from __future__ import annotations

import re

SHORTEST, LONGEST = 20, 240
"""Letters of an answer; Korean says in half as many what English does."""
SENTENCE = re.compile(r".+?(?:[.!?。](?=\s|$)|$)")
ABBREVIATED = re.compile(r"(?:\b(?:e\.g|i\.e|etc|vs|cf|Dr|Mr|Ms|No|Fig)|(?:^|\s)\d+)\.$")
MARKUP = re.compile(
    r"\]\(|\]\[|https?:|</?\w|/>|\{|\||\*\*|__|`_|``\w+`` <|:\w+:`|<https?|\"|\[\[|^[>!@\[(]|\(#|\{\{|→|\\"
)
POINTING = re.compile(
    r"^(?:이|그|저|이것|그것|이는|이런|이러한|그런|이와|여기|위|아래|다음|앞|해당|또한|또|그리고|하지만|그러나|따라서|그래서"
    r"|예를|만약|우리|여러분|저희|본|당신|두|각|이번|지금|먼저|이제|즉|단|참고|마찬가지|때문|한편|후자|전자|마지막|종종|이때|이렇게|가끔|맨|그러면|아마도|짧게|하지|물론|사실|반면|경우에|때때로"
    r"|일반적으로)(?=[\s,은는이가의에를으])|다음과 같|아래와 같|위와 같|위의 |아래의 |앞서|앞에서"
    r"|다음 (?:절|장|예|코드|섹션|단계|명령)|살펴보|보겠습니다|알아봅|봅시다|보았을|입니다만"
    r"|(?:이|그) (?:페이지|튜토리얼|문서|글|장|절|가이드|예제|섹션|레시피)"
    r"|^(?:This|That|These|Those|It|They|He|She|We|You|I|Here|There|Then|So|But|And|Also|However"
    r"|For example|Note|If|When|As|In this|See|The following|The above|Both|Each|Such|One|Another|Let|Now"
    r"|Once|Since|What|Which)\b"
    r"|\b(?:as follows|the following|see below|above|below|next section)\b"
    r"|\bthis (?:page|section|guide|chapter|tutorial)\b"
)
GENERIC = re.compile(
    r"것|때|점|수|중|곳|방법|이유|예제|예시|경우|결과|문제|목표|목적|차이점?|장점|단점|핵심|첫째|둘째|대답|답|해결책|사람|나머지|대부분"
    r"|모두|하나|작업|코드|이름|값|타입|내용|부분|마지막|처음|다른|가장|질문|사실|순서|여기서"
    r"|result|reason|problem|example|following|answer|purpose|goal|idea|point|rest|way|thing|code|difference"
    r"|first|second|last|next|other|same|only|value|type|name|output|default|main"
)
"""Nobody asks what a "result" is."""
CODE = re.compile(r"`[^`]*`")
WORD = re.compile(r"\S*[^\W\d_]\S*")
HANGUL = re.compile("[가-힣]")


def sentences_of(text: str) -> list[str]:
    """The sentences of a paragraph; a dot of an abbreviation or a number ends none."""
    found: list[str] = []
    for piece in SENTENCE.findall(text):
        if found and ABBREVIATED.search(found[-1]):
            found[-1] += piece
        else:
            found.append(piece)
    return [sentence.strip() for sentence in found if sentence.strip()]


def is_korean(text: str) -> bool:
    """Whether at least a third of the words of some text have Hangul in them, code left aside.

    Words and not letters: a question in Korean about a long name is Korean, however long the name.

    >>> is_korean("ThreadPoolExecutor는 무엇인가요?"), is_korean("What does '언어' mean?")
    (True, False)
    """
    words = WORD.findall(CODE.sub("", text))
    return 3 * sum(bool(HANGUL.search(word)) for word in words) >= len(words) > 0


def is_answer(sentence: str) -> bool:
    """Whether a sentence can stand alone as an answer."""
    shortest = SHORTEST // 2 if is_korean(sentence) else SHORTEST
    return (
        shortest <= len(sentence) <= LONGEST
        and sentence[-1:] in ".。"
        and sentence.count("`") % 2 == 0
        and not MARKUP.search(sentence)
        and not POINTING.search(sentence)
    )


def is_bound(word: str) -> bool:
    """Whether a Korean word leans on what follows: 쉬운, 하는, 할, 값을, 에서; not 대출, 기간."""
    return bool(
        re.search(
            r"[가-힣](?:는|을|를|이|가|에|로|고|며|면|서|게|도|만|와|과|한)$|[운은는한된른진인런할될릴볼쓸을]$",
            word,
        )
    )
