"""Text for tests that learn from it: always the same, whatever our own words become."""

from __future__ import annotations

import random

THINGS = "page token model shard step answer question label folder index layer name weight file"
DOING = "reads writes keeps counts finds shows learns checks follows names"
HOW = "at once|in order|from the end|without a copy|by its name|once more|as it stands|for each seed"
CODE = "def {name}_{thing}({thing}: str) -> int:\n    return len({thing}) + {number}\n"
KOREAN = "{number}번째 글은 다음 낱말을 맞히는 언어 모델을 다룹니다."


def fixed_text(seed: int, lines: int = 60) -> str:
    """So many lines of sentences, code and Korean."""
    rng = random.Random(seed)

    def line() -> str:
        thing, other, doing, how = (rng.choice(some) for some in (THINGS, THINGS, DOING, HOW))
        made = rng.choice(
            (f"The {thing} {doing} every {other} {how}.", f"A {other} {doing} the {thing}.", CODE, KOREAN)
        )
        return made.format(name=doing, thing=thing, number=rng.randrange(100))

    return "\n".join(line() for _ in range(lines))
