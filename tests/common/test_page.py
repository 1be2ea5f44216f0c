"""Pages are self-contained and nothing in them can run."""

from html.parser import HTMLParser
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from nextword.common.page import bars, paragraph, picture, preformatted, section, table, write_page


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


@given(st.text())
def test_text_from_outside_never_becomes_a_tag(text: str) -> None:
    evil = text + '<script>alert(1)</script>"><img onerror=x src=y>'
    made = section(evil, paragraph(evil), preformatted(evil), table([evil], [[evil]]), bars([(evil, 0.5)]))
    parsed = Tags(made)
    assert not {"script", "img"} & set(parsed.tags)
    assert not any(name.startswith("on") for name, _ in parsed.attributes)


def test_a_page_forbids_scripts_and_loads_nothing(tmp_path: Path) -> None:
    write_page(tmp_path / "a.html", "제목", [picture(b"png", "a curve")], lead="한 줄")
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert "제목" in text
    assert "http://" not in text
    assert "https://" not in text


def test_number_columns_stand_to_the_right_with_thousands_marked() -> None:
    made = table(["page", "bytes"], [["a", 1234567], ["b", 2]])
    assert made.count("class=number") == 3
    assert "1,234,567" in made
