"""`nextword label`: from an empty folder to a judged and served project, typed as a person would."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from typer.main import get_command

from nextword.cli.label import app
from nextword.cli.main import run
from nextword.label.office import Office

PASSWORD = "correct horse battery"
DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def labels(tmp_path, comparisons, monkeypatch):
    """The address of a database with an owner and 49 comparisons, one of equal answers."""
    where = str(tmp_path / "labels" / "labels.db")
    monkeypatch.setattr("sys.stdin", io.StringIO(PASSWORD + "\n"))
    assert run(["label", "init", "--database", where, "--owner", "kim", "--password-stdin"]) == 0
    assert run(["label", "import", str(comparisons), "--database", where]) == 0
    return where


def test_a_model_judges_every_comparison_once(labels, finetuned_run, capsys):
    capsys.readouterr()
    long = 40 * "very long "
    path = finetuned_run / "long.jsonl"
    path.write_text(json.dumps({"prompt": "Why?", "answers": [long, "short"]}))
    assert run(["label", "import", str(path), "--database", labels]) == 0
    capsys.readouterr()
    judge = ["label", "judge", str(finetuned_run), "--database", labels]
    assert run(judge) == 0
    said = capsys.readouterr().out
    assert re.match(rf"judge:{finetuned_run}/finetuned/model: \d\d answers\n", said)
    assert "left out: 1 longer than its context of 96 tokens" in said
    assert run(judge) == 0
    assert ": 0 answers" in capsys.readouterr().out


def test_what_cannot_be_is_one_line(labels, tmp_path, capsys):
    capsys.readouterr()
    assert run(["label", "judge", str(tmp_path / "none"), "--database", labels]) == 2
    assert run(["label", "judge", "fake:A", "--database", str(tmp_path / "no.db")]) == 2
    assert run(["label", "judge", "fake:A", "--database", labels, "--project", "other"]) == 2
    assert run(["label", "export", str(tmp_path / "out.jsonl"), "--database", labels]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("nextword:")]
    says = ["no such file or folder", "no such database", "no project other", "nothing to export yet"]
    assert len(lines) == 4 and all(part in line for part, line in zip(says, lines, strict=True)), lines


def test_the_owner_is_made_where_it_is_served_and_comes_in_by_password(tmp_path):
    where = str(tmp_path / "labels.db")
    serve = [sys.executable, "-m", "nextword", "label", "serve", "--port", "0", "--database", where]
    serve += ["--owner", "kim", "--password-stdin"]
    pipe = subprocess.PIPE
    with subprocess.Popen(serve, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        process.stdin.write(PASSWORD + "\n")
        process.stdin.close()
        address = re.search(r"labelling at (http://127\.0\.0\.1:\d+)", process.stdout.readline())[1]
        with httpx.Client(base_url=address, trust_env=False, timeout=60) as browser:
            entered = browser.post("/api/session", json={"name": "kim", "password": PASSWORD})
            assert entered.status_code == 200 and entered.json()["csrf"]
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == "stopped\n", "no link for a first owner: there is one"
        assert process.wait(60) == 0 and PASSWORD not in process.stderr.read()
    assert run(["label", "users", "--database", where]) == 0


def test_a_password_that_is_too_short_makes_no_owner(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    where = str(tmp_path / "labels.db")
    argv = ["label", "serve", "--port", "0", "--database", where, "--owner", "kim", "--password-stdin"]
    assert run(argv) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and "password" in lines[0]
    assert run(["label", "users", "--database", where]) == 2, "nobody is here yet"


SETTINGS = """
[label.init]
overlap = 3
review_share = 0.5

[label.serve]
port = 0
host = "192.0.2.1"
"""


def test_one_file_holds_the_settings_of_init_and_of_serve(tmp_path, monkeypatch, capsys):
    where, config = str(tmp_path / "labels.db"), tmp_path / "label.toml"
    config.write_text(SETTINGS)
    monkeypatch.setattr("sys.stdin", io.StringIO(PASSWORD + "\n"))
    both = ["--config", str(config), "--database", where]
    assert run(["label", "init", *both, "--password-stdin"]) == 0
    with Office.open(where, lambda: datetime.now(UTC)) as office:
        settings = office.projects.get(office.people.owner(), "default").settings
    assert (settings.overlap, settings.review_share) == (3, 0.5)
    capsys.readouterr()
    assert run(["label", "serve", *both]) == 2
    assert "192.0.2.1" in capsys.readouterr().err, "it went as far as listening at an address of nobody"


@pytest.mark.parametrize("page", ["11-labelling.md", "ko/11-labelling.md"])
def test_the_chapter_says_which_verbs_take_a_database_and_which_a_project(page):
    text = (DOCS / page).read_text(encoding="utf-8")
    shown, said = re.findall(r"```sh\n(.*?)```\n\n(.*?)\n\n", text, re.DOTALL)[-1]
    verbs = re.findall(r"nextword label (\w+)", shown)
    takes = {
        verb: {option for each in get_command(app).commands[verb].params for option in each.opts}
        for verb in verbs
    }
    assert len(verbs) == 6 and all("--labels" in takes[verb] for verb in verbs)
    named = re.findall(r"`(\w+)`", said)
    assert named == [verb for verb in verbs if "--project" in takes[verb]]
