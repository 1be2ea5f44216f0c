"""The report card as a page: one HTML file that can be mailed, in English and Korean, light and dark.

No script and nothing from elsewhere (`common/page.py` sets the policy). Answers, questions and addresses come
from models and from web pages: all of it is escaped, control characters and marks that turn the direction of
text are shown as U+FFFD, and an address becomes a link only when it begins with http:// or https://. Right
and wrong have words beside their colours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from nextword.common.files import write_json
from nextword.common.page import escape, section, write_page
from nextword.common.terminal import printable
from nextword.evaluate.card import Card, Duel, Line, Said, Sample, Split
from nextword.evaluate.card_words import HEADINGS, KINDS, Words, measure, value
from nextword.evaluate.exam import write_answers
from nextword.evaluate.interval import Interval

TYPES_KO = {
    "description": "설명",
    "signature": "시그니처",
    "default": "기본값",
    "module": "모듈",
    "parameters": "인자",
    "kind": "종류",
    "quote": "인용",
    "en": "영어",
    "ko": "한국어",
}
LANGUAGES = {"en": "English", "ko": "Korean"}
CHART = ("questions", "open_book")
"""Kinds of tasks whose right answers are drawn."""


def write_card(path: Path, card: Card) -> None:
    """Write the page, and beside it the same as JSON and every answer as records."""
    lead = printable(f"{card.made} · report card · 성적표")
    write_page(path, printable(card.title), _parts(card), lead=lead)
    write_json(path.with_suffix(".json"), card.record)
    write_answers(path.with_suffix(".answers.jsonl"), card.answers)


def _parts(card: Card) -> Iterator[str]:
    yield _section("sides", *(f"<p>{_text(note)}</p>" for note in card.notes), *_sides(card))
    if card.duels:
        yield _section("duels", _duels(card.duels))
    if card.splits:
        yield _section("splits", *(_split(card, split) for split in card.splits))
    if card.samples:
        yield _section("samples", *map(_sample, card.samples))
    if card.unasked:
        rows = [
            [_text(each.stage), _text(each.task), str(each.count), _text(each.reason)]
            for each in card.unasked
        ]
        yield _section("unasked", _table(["stage", "task", "questions", "why"], rows))
    if card.lines:
        yield _section("meanings", *_meanings(card))
    yield _section("limits")


def _section(key: str, *parts: str) -> str:
    words = HEADINGS[key]
    return section(f"{words.en} · {words.ko}", _both(words), *parts)


def _both(words: Words) -> str:
    """A sentence in both languages."""
    if not words.says_en:
        return ""
    return f'<p class=dim>{_text(words.says_en)}<br><span lang="ko">{_text(words.says_ko)}</span></p>'


def _sides(card: Card) -> Iterator[str]:
    """A table for each task, with a drawing of the right answers to questions."""
    for task in dict.fromkeys(line.task for line in card.lines):
        lines = [line for line in card.lines if line.task == task]
        kind = card.kinds.get(task)
        about = f" · {KINDS[kind].en} · {KINDS[kind].ko}" if kind else ""
        yield f"<h3>{_text(task)}<span class=dim>{_text(about)}</span></h3>"
        if kind:
            yield _both(KINDS[kind])
        if kind in CHART:
            yield _chart(lines[0])
        stages = [stage for stage in card.stages if any(stage in line.cells for line in lines)]
        rows = [[_named(line), *(_cell(line, stage) for stage in stages)] for line in lines]
        yield _table(["", *stages], rows)


def _named(line: Line) -> str:
    """What a number is called, with a link to its sentence, and of how many questions it is."""
    words, counts = measure(line.key), {cell.count for cell in line.cells.values()}
    count = f"n = {counts.pop():,}" if len(counts) == 1 and counts != {1} else ""
    name = f'<a href="#{line.key}">{_text(words.en)}</a><br><span lang="ko">{_text(words.ko)}</span>'
    return name + (_under(count) if count else "")


def _meanings(card: Card) -> Iterator[str]:
    """Each number's sentence, once."""
    for key in dict.fromkeys(line.key for line in card.lines):
        words = measure(key)
        if words.says_en:
            name = f'{_text(words.en)} · <span lang="ko">{_text(words.ko)}</span>'
            yield f'<h3 id="{key}">{name}</h3>{_both(words)}'


def _cell(line: Line, stage: str) -> str:
    found = line.cells.get(stage)
    if found is None or not found.count:
        return "<span class=dim>–</span>"
    shown = value(line.key, found.mean)
    if found.count == 1 and found.low == found.high:
        return f"<strong>{shown}</strong>"
    ends = f"{value(line.key, found.low)} – {value(line.key, found.high)}"
    is_same = len({cell.count for cell in line.cells.values()}) == 1
    count = "" if is_same else _under(f"n = {found.count:,}")
    return f"<strong>{shown}</strong>{_under(ends)}{count}"


def _chart(line: Line) -> str:
    """A bar for each stage, and over it the interval as a thin line; the figures are in the table below."""
    rows = "".join(
        f"<tr><td>{_text(stage)}</td><td>{_bar(found, f'{stage}: {found}')}</td></tr>"
        for stage, found in line.cells.items()
        if found.count
    )
    return f"<table class=bars><tbody>{rows}</tbody></table>"


def _bar(found: Interval, says: str) -> str:
    width, low, high = (1000 * min(1.0, max(0.0, value)) for value in (found.mean, found.low, found.high))
    return (
        f'<svg viewBox="0 0 1000 24" preserveAspectRatio="none" width="100%" height="18" role="img" '
        f'aria-label="{_text(says)}"><rect width="{width:.0f}" height="24" rx="4" style="fill:var(--blue)"/>'
        f'<path d="M{low:.0f} 12H{high:.0f}M{low:.0f} 5V19M{high:.0f} 5V19" '
        f'vector-effect="non-scaling-stroke" style="stroke:var(--ink);stroke-width:1.5;fill:none"/></svg>'
    )


def _duels(duels: Iterable[Duel]) -> str:
    rows = [
        [
            f"<strong>{_text(duel.stage)}</strong> / {_text(duel.before)}{_under(_text(duel.task))}",
            _points(duel.change),
            _share(duel.win.rate),
            _share(duel.win.matched),
            f"{duel.win.wins:,} / {duel.win.ties:,} / {duel.win.losses:,}",
            f"{duel.win.longer:+.0f}",
        ]
        for duel in duels
    ]
    head = ["stage / before", "right answers, points · 점", "wins · 승률", "wins, same length · 같은 길이"]
    return _table([*head, "won / tied / lost", "letters longer · 글자"], rows)


def _points(found: Interval) -> str:
    """A change of a share, in points of a hundred."""
    mean, low, high = (f"{100 * value:+.1f}" for value in (found.mean, found.low, found.high))
    return f"<strong>{mean}</strong>{_under(f'{low} – {high}')}"


def _share(found: Interval) -> str:
    if not found.count:
        return "<span class=dim>–</span>"
    ends = f"{found.low:.1%} – {found.high:.1%}"
    return f"<strong>{found.mean:.1%}</strong>{_under(ends)}{_under(f'n = {found.count:,}')}"


def _split(card: Card, split: Split) -> str:
    stages = [stage for stage in card.stages if any(stage in row for row in split.cells.values())]
    rows = [
        [_value_name(value), *(_share(row[stage]) if stage in row else "" for stage in stages)]
        for value, row in split.cells.items()
    ]
    title = f"{split.task}: {'language · 언어' if split.by == 'lang' else 'type · 종류'}"
    found = _table(["", *stages], rows)
    is_long = len(rows) > 8
    return (
        f"<details><summary>{_text(title)}</summary>{found}</details>"
        if is_long
        else f"<h3>{_text(title)}</h3>{found}"
    )


def _value_name(value: str) -> str:
    name, korean = LANGUAGES.get(value, value.replace("_", " ")), TYPES_KO.get(value)
    return _text(name) + (f'<br><span lang="ko">{korean}</span>' if korean else "")


def _sample(sample: Sample) -> str:
    language = f' lang="{sample.lang}"' if sample.lang in LANGUAGES else ""
    page = f" · {link(sample.url, 'page · 쪽')}" if sample.url else ""
    said = "".join(map(_said, sample.said))
    return (
        f"<h3{language}>{_text(sample.question)}</h3>"
        f"<p class=dim>{_text(sample.task)}, {_text(sample.type)}{page} · "
        f"expected · 정답: <code>{_text(sample.gold)}</code></p><table><tbody>{said}</tbody></table>"
    )


def _said(said: Said) -> str:
    if said.end == "failed":
        mark, answer = "<span class=plausible>not asked · 묻지 못함</span>", f"<em>{_text(said.error)}</em>"
    else:
        word = (
            "<span class=memorised>✓ right · 맞음</span>"
            if said.is_right
            else "<span class=invented>✗ wrong · 틀림</span>"
        )
        cut = " <span class=dim>(cut off · 잘림)</span>" if said.end == "length" else ""
        mark, answer = word, (_text(said.text) or "<em>nothing · 없음</em>") + cut
    if said.url:
        answer += f"<br>{link(said.url, said.url)}"
    wraps = ' style="overflow-wrap:anywhere"'
    return f"<tr><td>{_text(said.stage)}<br>{mark}</td><td{wraps}>{answer}</td></tr>"


def link(address: str, words: str) -> str:
    """A link, if the address is one of the web; else its words."""
    if not address.startswith(("http://", "https://")):
        return _text(words)
    return f'<a href="{escape(printable(address))}" rel="noopener noreferrer">{_text(words)}</a>'


def _text(text: str) -> str:
    """What came from outside, as HTML shows it."""
    return escape(printable(text))


def _under(html: str) -> str:
    """A second line, dimmer."""
    return f'<br><span class=dim style="white-space:nowrap">{html}</span>'


def _table(head: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    """A table whose cells are HTML already; the head is text."""
    first, *others = head
    top = f'<th style="min-width:8rem">{_text(first)}</th>' + "".join(
        f"<th>{_text(name)}</th>" for name in others
    )
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<div class=wide><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
