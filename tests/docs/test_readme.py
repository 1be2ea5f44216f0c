"""The README, typed in by a test: a fresh clone, every command of its `sh` blocks in order, and what it says.

Two things are replaced, because they would take long and prove little. The clone's `.venv` is a stand-in: its
`nextword` runs the code of the clone with the Python and packages of this test; test_commands.py holds
"Set-up by hand" equal to what make does. And `make demo` gets one minute. What is typed is what is committed.
"""

import os
import re
import subprocess
import sys

import pytest

RUN = "runs/python-docs/release/run runs/python-docs/release/python-docs.gguf"
NEXTWORD = ".venv/bin/nextword"
SAYS = {
    "make demo": r"Your two files\s+runs/python-docs/release/python-docs\.gguf +[\d,]+ bytes",
    f'{NEXTWORD} see runs/python-docs "Return the"': r"[▏▎▍▌▋▊▉█].* \d+\.\d%",
    f'{NEXTWORD} generate runs/python-docs "class Path:" -n 100': r"\Aclass Path:\s*\S+",
    f"{NEXTWORD} recall runs/python-docs": r"memorised \d+%",
    f"{NEXTWORD} measure runs/python-docs": r"xz -9e +\d\.\d+ bits per byte\n +model +\d\.\d+ bits per byte",
    f"{NEXTWORD} show runs/python-docs/release/python-docs.gguf": r"\AGGUF version 3, [\d,]+ bytes",
    f'{RUN} -p "Return the" -n 100': r"\AReturn the\s*\S+",
    f"{RUN} --verify": r"\Aok: the weights are those that were written",
    f"{NEXTWORD} make --source docs --minutes 1 --out runs/mine": r"Your two files\s+runs/mine/release/",
    f"{NEXTWORD} collect --source docs --out runs/steps/crawl": r"\A\d+ pages, .* from docs in",
    f"{NEXTWORD} clean runs/steps/crawl --out runs/steps/clean": r"kept \d+ documents to train on",
    f"{NEXTWORD} tokenise runs/steps/clean": r"runs/steps/tokens: heldout: [\d,]+ tokens of \d+ pages",
    f"{NEXTWORD} pretrain runs/steps --minutes 0.5": r"\d\.\d+ bits per byte on held-out documents",
    f"{NEXTWORD} release runs/steps --type Q8_0": r"runs/steps/release/steps\.gguf +[\d,]+ bytes",
}
"""Every command, and something real that it must say. A command that is not here fails the test."""


def stand_in(clone):
    """A `.venv` that make takes for its own: newer than what it is made from, with what people type in it."""
    programs = clone / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, module in (("python", ""), ("nextword", "-m nextword ")):
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {module}"$@"\n')
        (programs / name).chmod(0o755)
    (clone / ".venv" / "ready").touch()


@pytest.fixture(scope="module")
def clone(pages, need, tmp_path_factory):
    for program in ("git", "make", "cc", "sh"):
        need(program)
    need(".git/HEAD")
    folder = tmp_path_factory.mktemp("readme") / "nextword"
    subprocess.run(["git", "clone", "--quiet", pages.root, folder], check=True)
    stand_in(folder)
    return folder


@pytest.fixture
def typed(clone):
    """What a command says when it is typed in the clone; it must end with 0."""
    environment = {**os.environ, "PYTHONPATH": str(clone)}
    for name in ("MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES"):  # if this very test is run by make
        environment.pop(name, None)

    def run(command):
        words = re.sub("^make demo$", "make demo MINUTES=1", command)
        done = subprocess.run(
            ["sh", "-c", words],
            cwd=clone,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            errors="replace",  # the C program passes on what a model says, byte for byte
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        return done.stdout

    return run


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_command_of_the_readme_does_what_it_says(pages, clone, typed):
    where = typed('.venv/bin/python -c "import nextword; print(nextword.__file__)"')
    assert where.startswith(str(clone))  # not the checkout beside it
    commands = pages.commands(clone / "README.md")
    assert commands == [*SAYS] == pages.commands(clone / "README.ko.md")
    for command in commands:
        said = typed(command)
        assert re.search(SAYS[command], said), f"{command}\n{said[-2000:]}"
    assert (clone / "runs/python-docs/report.html").stat().st_size > 10_000
