"""`nextword VERB`: one table of verbs, each loaded only when it is used, so that `--help` is immediate.

Errors we raise on purpose, and files that the system refuses, are printed as one line and end with exit code
2; Ctrl-C ends with 130 and says whether the same command continues. Anything else is a bug of ours, and its
traceback is shown.
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import importlib
import io
import os
import sys
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from nextword import __version__
from nextword.cli.options import spelled_out
from nextword.common.errors import BadInput, NextwordError
from nextword.common.terminal import printable
from nextword.common.threads import spin_briefly

UsageError: Any = typer.BadParameter.__base__  # the public name of the parser's own base class moves

VERBS: dict[str, dict[str, str]] = {
    "The whole journey": {
        "make": "from a web site to the two files: collect, clean, tokenise, pretrain, release, run",
    },
    "Stage by stage": {
        "pull": "fetch open weights from a hub, or one file from an address",
        "collect": "crawl a site, or read a folder, into an archive of pages",
        "clean": "keep what is worth reading, and report what was dropped and why",
        "seed": "questions and answers derived from the Python documentation, to finetune on",
        "propose": "draft questions about any documents, for people to approve",
        "tokenise": "learn a byte-level BPE vocabulary and write token shards",
        "pretrain": "train a network to predict the next word",
        "finetune": "teach a base model to answer, from conversations that people wrote",
        "reward": "learn what people prefer, from their comparisons",
        "align": "make an assistant prefer what people prefer, or what is rewarded",
        "evaluate": "examine models side by side and write a report card",
        "label": "people write, correct, compare and rate answers",
        "round": "corrected answers make the next assistant, unless it is worse at anything",
        "release": "write the two files: parameters (GGUF) and the program that runs them (run.c)",
    },
    "Look inside": {
        "chat": "talk with a finetuned model",
        "ask": "a question answered by a quotation from your own pages",
        "index": "make pages searchable, for `ask`",
        "generate": "let a model go on from a prompt",
        "see": "the most likely next words, as bars",
        "recall": "a true page beside what the model remembers of it",
        "measure": "bits per byte of a model on held-out documents, beside simple compressors",
        "show": "what is inside a file: GGUF, token shard, checkpoint",
    },
}
"""Every verb with its one line of help; its module is `nextword.cli.VERB`."""

RESUMED = ("make", "pull", "collect", "pretrain", "finetune", "reward", "align", "round")
"""Verbs that go on where they were stopped."""


def main() -> None:
    """The console script."""
    spin_briefly()
    for stream, errors in ((sys.stdout, "replace"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)  # what a model says may not fit a terminal's encoding
    sys.exit(run(sys.argv[1:]))


def run(argv: list[str]) -> int:
    """Run one command line; returns the exit code. What ended it early is one line on standard error."""
    try:
        code = _dispatch(argv)
        if sys.stdout:
            sys.stdout.flush()  # so that a full disk, or a reader who has gone, is met here
        return code
    except NextwordError as error:
        return _fail(str(error), 2)
    except UsageError as error:
        says = " ".join(error.format_message().split()).removesuffix(".")
        return _fail(f"{says}; see `nextword {argv[0]} --help`", 2)
    except (KeyboardInterrupt, typer.Abort):
        goes_on = argv[:1] and argv[0] in RESUMED
        return _fail("stopped; the same command continues" if goes_on else "stopped", 130)
    except (BrokenPipeError, SystemExit):  # the reader has gone (rich exits then), and nothing is left to say
        _close_output()
        return 0
    except OSError as error:
        if error.filename is None and error.errno != errno.ENOSPC:
            raise
        _close_output()
        return _fail(f"{error.filename or 'the output'}: {error.strerror}", 2)


def _dispatch(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        print_help()
        return 0
    if argv[0] in ("-V", "--version"):
        print(f"nextword {__version__}")
        return 0
    known = [verb for part in VERBS.values() for verb in part]
    if argv[0] not in known:
        near = difflib.get_close_matches(argv[0], known, n=1)
        raise BadInput(
            f"no verb `{argv[0]}`", do=f"did you mean `{near[0]}`?" if near else "see `nextword --help`"
        )
    verb = command(argv[0])
    words = spelled_out(getattr(_module(argv[0]), "run", None), argv[1:])
    try:
        with verb.make_context(f"nextword {argv[0]}", words) as context:
            verb.invoke(context)
    except typer.Exit as ended:  # --help
        return ended.exit_code
    return 0


def _fail(line: str, code: int) -> int:
    console = Console(stderr=True, soft_wrap=True)
    console.print(f"nextword: {printable(line)}", markup=False, highlight=False)
    return code


def _close_output() -> None:
    """What is still to be written goes nowhere, so that leaving does not fail once more."""
    with contextlib.suppress(AttributeError, OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def command(verb: str) -> Any:
    """The verb's own command, made by typer from its module's `run`; only now is the module imported."""
    module = _module(verb)
    if hasattr(module, "app"):  # a verb with verbs of its own
        return typer.main.get_command(module.app)
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(name=verb, help=module.__doc__)(module.run)
    return typer.main.get_command(app)


def _module(verb: str) -> Any:
    return importlib.import_module(f"nextword.cli.{verb}")


def print_help() -> None:
    """The verbs, in parts, without importing any of them."""
    console = Console()
    console.print("[bold]nextword[/] VERB ...   the whole life of a large language model", highlight=False)
    for part, verbs in VERBS.items():
        table = Table.grid(padding=(0, 2))
        for verb, help in verbs.items():
            table.add_row(f"  [bold cyan]{verb:<9}[/]", help)
        console.print(f"\n[bold]{part}[/]")
        console.print(table)
    console.print("\n`nextword VERB --help` tells a verb's options; `nextword --version` the version.")
