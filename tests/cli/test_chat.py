"""`nextword chat`: a conversation that may go on for longer than the model's context."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from nextword.cli.main import run

C = {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def test_a_conversation_goes_on_when_the_context_is_full(finetuned_run, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.StringIO("What is a lamp? It is a lamp.\n" * 12))
    argv = ["chat", str(finetuned_run), "--device", "cpu", "-n", "4", "--system", "Be a lamp."]
    assert run(argv) == 0
    shown = capsys.readouterr()
    assert shown.out.count("> ") == 13
    notes = shown.err.splitlines()
    assert notes and all("oldest messages left out: the context holds" in note for note in notes)


@pytest.mark.parametrize("env", [{}, C])
def test_a_conversation_that_is_no_text_is_one_line(env):
    command = [sys.executable, "-m", "nextword", "chat", "fake:Hello."]
    shown = subprocess.run(command, input=b"\xff\xfe\n", capture_output=True, env={**os.environ, **env})
    assert shown.returncode == 2
    assert shown.stderr.decode().startswith("nextword: standard input is not UTF-8 text")


def test_korean_is_understood_where_the_locale_is_c():
    command = [sys.executable, "-m", "nextword", "chat", "fake:"]
    env = {**os.environ, **C, "PYTHONIOENCODING": "utf-8"}
    shown = subprocess.run(command, input="다음 낱말\n".encode(), capture_output=True, env=env)
    assert "> 다음 낱말\n" in shown.stdout.decode()
