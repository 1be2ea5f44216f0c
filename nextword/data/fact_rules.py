"""Plain facts of any page: when, where, how much and who, as a question and the sentence that tells it.

    when     "The library is open from 9 to 18"        "도서관은 오전 9시부터 오후 6시까지 엽니다"
    where    "Seats are booked at the terminal"        "좌석은 2층 단말기에서 예약합니다"
    amount   "A late return costs 100 won a day"       "연체료는 하루에 100원입니다"
    who      "The librarian is Younghee Kim"           "담당자는 김영희입니다"
    told     "The code of the door is 4711"            "전화번호는 02-123-4567입니다"

A question is made of the sentence's own words. Korean asks formally by one letter, 엽니다 and 엽니까,
whatever the verb, so none is taken apart; in English "is booked" stays and "opens" loses its s.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from nextword.data.sentences import GENERIC, is_answer, is_bound, is_korean

LONGEST = 120
"""Letters of a fact: what is longer tells more than one."""

# Korean

CLOCK_KO = (
    r"매일|매주|매월|매년|매달|평일|주말|공휴일|연중|아침|저녁|오전|오후|정오|자정|새벽|[월화수목금토일]요일|하루|이튿날"
    r"|다음 날|\d+ ?(?:시|분|일|월|년|주|개월|시간|초)"
)
TIME_KO = re.compile(CLOCK_KO)
TO_TIME_KO = re.compile(r"(?:에|부터|까지|마다|안에|이내에)$")
AT_KO, IN_KO = re.compile(r"에서$"), re.compile(r"에$")
INSIDE_KO = re.compile(r"\d|층|옆|앞|뒤|안|위|아래|건물|방|실에|관에|문에")
MOST_KO = re.compile(
    r"^(?:최대 |최소 |한 번에 |한 사람이 |1인당 |하루에 )*"
    r"(?:\d[\d,.]*|[한두세네]|다섯|여섯|일곱|여덟|아홉|열) ?(?P<u>권|개|명|회|번|장|대|건|곡)까지$"
)
TOPIC_KO = r"^(?P<x>[^.,?!`()]{2,30}?)(?P<p>은|는)"
ACTS_KO = re.compile(rf"{TOPIC_KO} (?P<how>[^.?!`]{{1,60}}?) (?P<v>\S{{1,14}}니다(?<!입니다))\.$")
COPULA_KO = re.compile(rf"{TOPIC_KO} (?P<y>[^,?!`]{{1,50}}?)입니다\.$")
AND_KO = re.compile(
    r"[가-힣](?:고|며|면|지만|는데|거나|도록|려면|아서|어서|해서|므로|니까)(?=[ ,]|$)|,|수$"
    r"|[가-힣]{2,}[을를] "
)
"""A second clause, or an object: more than one thing is told."""
MONEY_KO = re.compile(r"\d ?(?:원|달러|유로|엔)$")
KINDS_KO = (
    (
        re.compile(
            r"(?:담당자|책임자|대표|회장|부장|팀장|저자|작성자|강사|교수|관장|감독|지은이|만든 사람)$"
        ),
        "누구인가요",
    ),
    (re.compile(r"(?:장소|위치|주소|본사|입구|출구|접수처|집합지)$"), "어디인가요"),
    (re.compile(r"(?:시간|날짜|기한|마감|일정|날|휴관일|휴무일|생일)$"), "언제인가요"),
    (re.compile(r"(?:번호|이름|비밀번호|이메일|메일|계정|암호|코드|버전)$"), "어떻게 되나요"),
)
"""How one asks for it, by what it is called."""
ADNOMINAL_KO = re.compile(
    r"(?:같|많|적|좋|작|높|낮|하|되|있|없|오|가|주|보|쓰|르|리|시|키|내|드|받|않|지|으)$"
)
"""Before 은 or 는 these are mostly verbs that describe the next noun."""
LEANS_KO = re.compile(
    r"(?:^|\s)(?:이|그|저|각|본|해당|다음|앞|위|아래|가장|다른|모든|어떤|여러)\s|^(?:이전|지금|오늘|처음)에|것$|수$|때$|경우$"
)

# English

MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
CLOCK_EN = re.compile(
    r"\b\d{1,2}(?::\d\d)?(?: ?[ap]\.?m\b| to \d)|\b\d{1,2}:\d\d\b|\b(?:19|20)\d\d\b"
    r"|\b\d{1,2}(?:st|nd|rd|th)\b|\b\d+ (?:second|minute|hour|day|week|month|year)s?\b"
    r"|\b(?:noon|midnight|morning|evening|afternoon|night)\b"
    rf"|\b(?:daily|weekends?|weekdays?|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?|{MONTHS})\b"
    r"|\b(?:every|each|first|last) (?:day|week|month|year)\b"
)
SUBJECT_EN = r"(?P<d>The |Our |An? |)(?P<x>[A-Za-z][\w'’-]*(?: [\w'’-]+){0,4}?)"
OPEN_EN = re.compile(
    rf"^{SUBJECT_EN} (?P<be>is|are) (?P<v>open|closed|available)"
    r" (?P<how>(?:\w+ )?(?:from|until|till|between|on|at|after|before) .+)\.$"
)
DONE_EN = re.compile(
    rf"^{SUBJECT_EN} (?P<be>is|are)"
    r" (?P<v>\w{3,}ed|held|found|kept|sold|bought|made|sent|paid|given|stored)"
    r" (?P<p>at|in|on|to|within|after|before|every|until|between|by) (?P<how>.+)\.$"
)
ACTS_EN = re.compile(
    rf"^{SUBJECT_EN}"
    r" (?P<v>starts?|begins?|ends?|opens?|closes?|expires?|leaves?|arrives?|lasts?|takes?)"
    r" (?P<how>(?:at|on|after|within|from|every|for|until|between|about|up to|\d).*)\.$"
)
COSTS_EN = re.compile(rf"^{SUBJECT_EN} (?P<v>costs?) .*\d.*\.$")
NOUN_EN = r"(?P<x>[\w'’-]+(?: [\w'’-]+){0,4}?)"
PERSON_EN = re.compile(rf"^(?P<d>The |Our ){NOUN_EN} is [A-Z]\w+(?: [A-Z]\w+){{1,2}}\.$")
TOLD_EN = re.compile(rf"^(?P<d>The |Our ){NOUN_EN} (?:is|are) [\w@.+:/#-]*\d[\w@.+:/#-]*\.$")
PLACE_EN = re.compile(r"(?:the|our|an?|room|building|hall|floor) |[A-Z]|\d")
LEANS_EN = re.compile(
    r"\b(?:everything|everyone|nothing|all|both|this|that|these|those|it|they|which|who|what|same|following|other"
    r"|above|next|example|result|only|if|when)\b",
    re.IGNORECASE,
)


def facts(sentences: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """(question, sentence, rule) of each sentence that tells a plain fact."""
    for sentence in sentences:
        if len(sentence) <= LONGEST and is_answer(sentence):
            found = _korean(sentence) if is_korean(sentence) else _english(sentence)
            if found:
                question, rule = found
                yield question, sentence, rule


def _korean(sentence: str) -> tuple[str, str] | None:
    if found := COPULA_KO.match(sentence):
        can_be_asked = _is_topic(found["x"]) and not AND_KO.search(found["y"])
        return _is_ko(found["x"], found["p"], found["y"]) if can_be_asked else None
    found = ACTS_KO.match(sentence)
    if not found or not _is_topic(found["x"]) or AND_KO.search(found["how"]):
        return None
    asked = _when_or_where_ko(found["how"])
    if not asked:
        return None
    word, rule = asked
    return f"{found['x']}{found['p']} {word} {found['v'].removesuffix('다')}까?", rule


def _is_topic(x: str) -> bool:
    """Whether what stands before 은 or 는 is a noun phrase that can be asked for."""
    words = x.split()
    if len(words) > 4 or LEANS_KO.search(x) or ADNOMINAL_KO.search(x) or GENERIC.fullmatch(words[-1]):
        return False
    return not any(is_bound(word) for word in words[:-1])


def _is_ko(x: str, particle: str, y: str) -> tuple[str, str] | None:
    if MONEY_KO.search(y):
        return f"{x}{particle} 얼마인가요?", "amount"
    is_short = len(y.split()) <= 2 or bool(re.search(r"\d", y))
    for ends, asks in KINDS_KO:
        if is_short and ends.search(x):
            return f"{x}{particle} {asks}?", "who" if asks.startswith("누구") else "told"
    if re.search(r"\d", y) and TIME_KO.search(y) and not re.search(r"[가-힣]{3,}[은는할한될된]\s", y):
        return f"{x}{particle} 어떻게 되나요?", "told"
    return None


def _when_or_where_ko(how: str) -> tuple[str, str] | None:
    """The word that asks for what stands between subject and verb."""
    if most := MOST_KO.match(how):
        return f"몇 {most['u']}까지", "amount"
    if TIME_KO.search(how) and how.endswith("동안"):
        return "얼마 동안", "amount"
    if TIME_KO.search(how) and TO_TIME_KO.search(how):
        return "언제", "when"
    if not TIME_KO.search(how) and len(how.split()) <= 5:
        if AT_KO.search(how):
            return "어디에서", "where"
        if IN_KO.search(how) and INSIDE_KO.search(how):
            return "어디에", "where"
    return None


def _english(sentence: str) -> tuple[str, str] | None:
    if (found := OPEN_EN.match(sentence)) and CLOCK_EN.search(found["how"]) and (x := _subject(found)):
        return f"When {found['be']} {x} {found['v']}?", "when"
    if (found := COSTS_EN.match(sentence)) and (x := _subject(found)):
        do = "does" if found["v"].endswith("s") else "do"
        return f"How much {do} {x} cost?", "amount"
    if (found := ACTS_EN.match(sentence)) and CLOCK_EN.search(found["how"]) and (x := _subject(found)):
        verb, do = found["v"].removesuffix("s"), "does" if found["v"].endswith("s") else "do"
        how = "How long" if verb in ("last", "take") else "When"
        return f"{how} {do} {x} {verb}?", "amount" if how == "How long" else "when"
    if (found := DONE_EN.match(sentence)) and (x := _subject(found)):
        return _done_en(found, x)
    if (found := PERSON_EN.match(sentence)) and (x := _subject(found)):
        return f"Who is {x}?", "who"
    if (found := TOLD_EN.match(sentence)) and (x := _subject(found)):
        return f"What is {x}?", "told"
    return None


def _done_en(found: re.Match[str], x: str) -> tuple[str, str] | None:
    is_time = bool(CLOCK_EN.search(found["how"]))
    is_place = found["p"] in ("at", "to") or (found["p"] in ("in", "on") and PLACE_EN.match(found["how"]))
    if is_place and not is_time:
        return f"Where {found['be']} {x} {found['v']}?", "where"
    if is_time and found["p"] != "to":
        return f"When {found['be']} {x} {found['v']}?", "when"
    return None


def _subject(found: re.Match[str]) -> str:
    """The subject as a question names it; "" where it leans on what stands before."""
    if LEANS_EN.search(found["x"]):
        return ""
    article = "the " if found["d"] in ("The ", "Our ") else found["d"].lower()
    first, _, others = found["x"].partition(" ")
    is_name = article or first[1:] != first[1:].lower() or others[:1].isupper()
    x = found["x"] if is_name else found["x"][0].lower() + found["x"][1:]
    return article + x
