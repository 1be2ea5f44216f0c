"""What pages tell people to type exists: verbs, options, targets, files; and both languages say the same."""

import re
import subprocess
import tomllib
from functools import cache

import pytest

from nextword.cli.main import VERBS, command
from nextword.runner.build import SOURCE

KNOWN = [verb for part in VERBS.values() for verb in part]
OTHERS = {"--nproc-per-node"}  # torchrun's
OPTION = re.compile(r"(?<![\w-])--?[a-z][\w-]*")


@cache
def options(verb):
    """Every spelling of a verb's options, those of the verbs under it included."""
    verbs = [command(verb), *getattr(command(verb), "commands", {}).values()]
    names = {name for each in verbs for one in each.params for name in (*one.opts, *one.secondary_opts)}
    return names | {"--help"}


@cache
def options_of_run():
    text = SOURCE.read_text(encoding="utf-8")
    return set(OPTION.findall(text[text.index("static const char help[]") : text.index("} Options;")]))


def test_both_languages_tell_to_type_the_same(pages):
    assert len(pages.pairs) >= 8
    for english, korean in pages.pairs:
        assert pages.commands(korean) == pages.commands(english), korean.name
        marks = [[mark for mark, _ in pages.blocks(page)] for page in (english, korean)]
        assert marks[0] == marks[1] and set(marks[0]) <= {"sh", "text"}, korean.name


def test_both_languages_have_the_same_parts(pages):
    for english, korean in pages.pairs:
        levels = [re.findall(r"^#+ ", page.read_text(), re.MULTILINE) for page in (english, korean)]
        assert levels[0] == levels[1], korean.name


def test_every_command_of_ours_is_one_that_its_verb_takes(pages):
    found = 0
    for page in pages.every:
        for line in pages.commands(page):
            words = pages.words(line)
            if words[0].endswith("nextword"):
                with command(words[1]).make_context(words[1], words[2:]):  # parses, runs nothing
                    found += 1
    assert found > 30


def test_every_option_named_in_the_text_exists(pages):
    known = OTHERS.union(options_of_run(), *map(options, KNOWN))
    unknown = []
    for page in pages.every:
        for span in pages.spans(page):
            verb = re.match(r"(?:\.venv/bin/)?nextword (\w+)", span)
            assert not verb or verb[1] in KNOWN, f"{page.name}: {span}"
            named = OPTION.findall(span) if span.startswith("-") or verb or "./run" in span else []
            taken = options(verb[1]) if verb else options_of_run() if "./run" in span else known
            unknown += [(page.name, span, option) for option in named if option not in taken]
    assert unknown == []


def test_every_option_given_to_the_c_program_is_in_its_help(pages):
    lines = [line for page in pages.every for line in pages.commands(page) if re.search(r"(^|/)run ", line)]
    given = {option for line in lines for option in OPTION.findall(re.sub(r'".*?"', "", line))}
    assert "--verify" in given and given <= options_of_run()


def test_every_target_of_make_exists(pages):
    targets = set(re.findall(r"^([a-z-]+):", (pages.root / "Makefile").read_text(), re.MULTILINE))
    for page in pages.every:
        text = "\n".join([*(block for _, block in pages.blocks(page)), *pages.spans(page)])
        assert set(re.findall(r"^make ([a-z]+)", text, re.MULTILINE)) <= targets, page.name


def test_the_table_of_rooms_is_the_one_that_is_kept(pages):
    rules = tomllib.loads((pages.root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    kept = [sorted(layer.split(" | ")) for layer in reversed(rules[0]["layers"])]
    table = re.findall(r"^\| \d+ \| (.*?) \|", (pages.root / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert [sorted(re.findall(r"`(\w+)/`", row)) for row in table] == kept


def test_set_up_by_hand_is_what_make_does(pages, need):
    need("make")
    dry = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "--always-make", ".venv/ready", "PIP_FIND_LINKS="],
        capture_output=True,
        text=True,
        check=True,
        cwd=pages.root,
    ).stdout
    done = [" ".join(line.split()) for line in re.sub(r" --(quiet|disable-\S+)", "", dry).splitlines()]
    by_hand = next(block for mark, block in pages.blocks(pages.root / "README.md") if "-m venv" in block)
    assert by_hand.splitlines() == [line for line in done if not line.startswith("touch")]


def test_every_link_leads_somewhere(pages):
    for page in pages.every:
        for link in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
            if link.startswith("http"):
                continue
            path, _, anchor = link.partition("#")
            target = page.parent / path if path else page
            assert target.exists(), f"{page.name}: {link}"
            headings = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE) if anchor else []
            slugs = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
            assert not anchor or anchor in slugs, f"{page.name}: {link}"


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_the_readme_names_every_page(pages, name):
    text = (pages.root / name).read_text(encoding="utf-8")
    folder = "docs/ko" if name == "README.ko.md" else "docs"
    chapters = [page.name for page in (pages.root / folder).glob("0*.md")]
    assert len(chapters) >= 7 and all(f"({folder}/{chapter})" in text for chapter in chapters)
