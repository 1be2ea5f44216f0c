"""Names in a file, words of a command line, what a model says: none of it can drive the terminal."""

import os
import pty
import subprocess
import tty

import numpy as np
import pytest

from nextword.common.terminal import printable

HOSTILE = "\x1b]0;renamed\x07\x1b[2J\x9b31m\u202e한"


def on_a_terminal(program, *words):
    """What the program writes when its standard output is a terminal (raw, so every byte comes as it is)."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    running = subprocess.Popen([program, *map(str, words)], stdout=theirs, stderr=subprocess.DEVNULL)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 1 << 16):
            shown += piece
    except OSError:  # how Linux says that the other end has gone
        pass
    os.close(ours)
    assert running.wait() == 0
    return shown.decode()  # strictly: a terminal gets nothing but UTF-8


def in_a_pipe(program, *words):
    return subprocess.run([program, *map(str, words)], capture_output=True, check=True).stdout


def refusal(program, *words):
    done = subprocess.run([program, *words], capture_output=True, check=False)
    assert done.returncode == 2 and done.stderr.count(b"\n") == 1
    return done.stderr.decode().removesuffix("\n")


@pytest.fixture(scope="module")
def roomy_model(tools, tmp_path_factory):
    """A model whose context takes a long prompt."""
    path = tmp_path_factory.mktemp("roomy") / "model.gguf"
    tools.write_gguf(path, tools.Shape(context=1 << 16, layers=1))
    return path


def test_a_prompt_is_shown_as_python_would_show_it(program, roomy_model):
    every = [chr(point) for point in (*range(1, 0x2100), 0xE000, 0xFEFF, 0xFFFF, 0x1F600, 0x10FFFF)]
    prompt = "".join(every)
    shown = on_a_terminal(program, roomy_model, "-p", prompt, "-n", 0, "--context", 1 << 16)
    assert shown == printable(prompt) + "\n"


def test_what_a_model_says_is_made_harmless_for_a_terminal_only(program, model_file):
    words = [model_file, "-p", "hello", "-n", 200, "-t", 100, "-k", 0, "--top-p", 1, "--seed"]
    texts = ((seed, in_a_pipe(program, *words, seed)) for seed in range(100))
    seed, said = next((seed, said) for seed, said in texts if b"\x1b" in said)
    shown = on_a_terminal(program, *words, seed)
    text = said.decode(errors="replace")  # Python may draw one mark for several bytes that are no character
    assert shown.replace("\ufffd", "") == printable(text).replace("\ufffd", "")


def test_bytes_pass_unchanged_where_there_is_no_terminal(program, roomy_model):
    prompt = HOSTILE.encode() + b"\xff\x9b\r"
    assert in_a_pipe(program, roomy_model, "-p", os.fsdecode(prompt), "-n", 0) == prompt + b"\n"


@pytest.mark.parametrize(
    "change",
    [
        lambda w: w.kv_data[0]["general.architecture"].__setattr__("value", HOSTILE),
        lambda w: w.add_string("llama.rope.scaling.type", HOSTILE),
        lambda w: w.add_tensor(HOSTILE, np.zeros(256, np.float32)),
    ],
    ids=["architecture", "rope scaling", "tensor name"],
)
def test_a_hostile_name_in_a_file_is_named_without_its_controls(program, tools, tmp_path, change):
    tools.write_gguf(tmp_path / "model.gguf", change=change)
    line = refusal(program, str(tmp_path / "model.gguf"), "-p", "a")
    assert "renamed" in line and "[2J" in line and printable(line) == line and "\n" not in line


@pytest.mark.parametrize(
    "words",
    [
        [HOSTILE, "-p", "a"],
        [HOSTILE, "--verify"],
        ["model", HOSTILE],
        ["model", "-t", HOSTILE],
        ["model", f"--{HOSTILE}"],
        ["line\nbreak\r\ttab renamed[2J", "-p", "a"],
        [b"\x9b31m \xff renamed[2J", "-p", "a"],
    ],
)
def test_a_hostile_command_line_is_answered_without_its_controls(program, words):
    line = refusal(program, *words)
    assert "renamed" in line and "[2J" in line and printable(line) == line and "\t" not in line
