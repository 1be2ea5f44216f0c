"""The form of answers, whatever they say: do they end by themselves, how long are they, in which language?

A finetuned model should say its answer and stop, in the language it was asked in. Three shares and a length:

    stopped    the model ended the answer itself, and was not cut off by the limit
    language   the answer's language is the question's (answers without words of their own do not count)
    words      the mean length; a judge that likes long answers shows here
    empty      nothing was said, or the question could not be put

The language is told by script alone, Hangul or not, after quotations and code are taken out: an answer about
Python in Korean quotes English. That is enough for English and Korean and for nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from nextword.data.phrases import Lang
from nextword.evaluate.exam import Marked
from nextword.evaluate.interval import Interval, interval, share
from nextword.evaluate.task import asked

QUOTED = re.compile(r"```.*?```|`[^`\n]*`|\"[^\"\n]*\"|“[^”\n]*”|'[^'\n]{2,}'", re.DOTALL)
CODE = re.compile(r"[A-Za-z_]\w*(?:\.\w+)+(?:\([^)\n]*\))?|\w+_\w+|\w+\([^)\n]*\)|https?://\S+")
HANGUL, LETTER = re.compile(r"[가-힣]"), re.compile(r"[^\W\d_]")


@dataclass(frozen=True)
class Form:
    """The form of a paper's answers."""

    stopped: Interval
    language: Interval
    words: Interval
    empty: Interval


def form(results: Sequence[Marked]) -> Form:
    """The form of these answers."""
    groups = [one.group for one in results]
    texts = [one.reply.text for one in results]
    spoken = [(one, said) for one in results if (said := language(one.reply.text))]
    same = [float(said == language(asked(one.conversation))) for one, said in spoken]
    return Form(
        share([float(one.reply.end == "stop") for one in results], groups),
        share(same, [one.group for one, _ in spoken]),
        interval([float(len(text.split())) for text in texts], groups),
        share([float(not text.strip()) for text in texts], groups),
    )


def language(text: str) -> Lang | None:
    """The language of a text's own words; None when it has none besides quotations and code.

    >>> language('"indent=None"라고 되어 있습니다.'), language("It is `없음`."), language("`None`")
    ('ko', 'en', None)
    """
    own = CODE.sub(" ", QUOTED.sub(" ", text))
    if HANGUL.search(own):
        return "ko"
    return "en" if LETTER.search(own) else None
