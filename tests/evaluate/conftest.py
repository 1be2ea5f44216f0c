"""Questions about a small documented module, in both languages, and tiny models behind the port."""

from __future__ import annotations

import pytest

from nextword.data.questions import Question

SIGNATURES = {
    "oven.bake": "bake(dough, minutes=30)",
    "oven.cool": "cool(bread, rack=None)",
    "oven.slice": "slice(bread, thickness=12)",
    "oven.store": "store(bread, days=2)",
}
ASKED = {
    ("signature", "en"): "What is the signature of {name}?",
    ("signature", "ko"): "{name}의 시그니처가 뭐예요?",
    ("description", "en"): "What does {name} do?",
    ("description", "ko"): "{name} 함수는 무엇을 하나요?",
}


def question(name: str = "oven.bake", type: str = "signature", lang: str = "en") -> Question:
    """A question about one of the module's functions."""
    signature, says = SIGNATURES[name], f"Do what {name.partition('.')[2]} says."
    quote = signature if type == "signature" else says
    answer = f'"{quote}" is what the page says.' if lang == "en" else f'"{quote}"라고 되어 있습니다.'
    return Question(
        f"{name}:{type}:{lang}",
        type,
        lang,
        ASKED[type, lang].format(name=name),
        answer,
        [quote],
        "http://docs.test/oven.html",
        name,
        f"{signature}\n    {says}",
        "oven",
    )


@pytest.fixture
def questions() -> list[Question]:
    """Sixteen: four functions, two types, two languages."""
    types, langs = ("signature", "description"), ("en", "ko")
    return [question(name, type, lang) for name in SIGNATURES for type in types for lang in langs]
