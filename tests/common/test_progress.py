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


def test_names_from_outside_are_neither_markup_nor_commands_to_the_terminal():
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=100, color_system=None)
    with Progress("collect", unit="pages", console=console) as progress:
        progress.advance(facts="a[/b]\x1b]0;owned\x07.html")
        progress.say("skipped \x1b[2J[/i]")
    shown = file.getvalue()
    assert "a[/b]" in shown
    assert "\x1b]0;" not in shown
    assert "\x1b[2J" not in shown
