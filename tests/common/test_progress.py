"""Progress is a bar for people and a few lines for a log."""

import io

from rich.console import Console

from nextword.common.progress import Progress


def test_a_log_gets_the_last_count_and_what_was_said() -> None:
    text = io.StringIO()
    with Progress("collect", total=3, unit="pages", console=Console(file=text)) as progress:
        for name in ("a", "b", "c"):
            progress.advance(facts=name)
        progress.say("skipped [antigravity]")
    assert text.getvalue().splitlines() == ["skipped [antigravity]", "collect: 3 / 3 pages  c"]


def test_a_terminal_gets_a_bar() -> None:
    text = io.StringIO()
    with Progress(
        "clean", total=2, unit="pages", console=Console(file=text, force_terminal=True)
    ) as progress:
        progress.set(1, facts="half")
    assert "1 / 2 pages" in text.getvalue()
