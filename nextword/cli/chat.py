"""Talk with a finetuned model in the terminal, or ask it one question.

A conversation may outgrow the model's context: then its oldest turns are left out, and that is said.
In a conversation, `/flag WHY` says that the last answer was wrong: it becomes a task for people to correct.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import typer

from nextword import engine
from nextword.cli.flagging import LABELS, PROJECT, Labels, Project
from nextword.common.errors import BadInput, NextwordError
from nextword.common.language_model import Failed, LanguageModel, Request, Sampling, Token
from nextword.common.records import Conversation, Message
from nextword.common.settings import check_seed
from nextword.common.terminal import printable
from nextword.engine.turns import fitting


def run(
    model: Annotated[str, typer.Argument(help="a finetuned run or folder, a .gguf file")],
    question: Annotated[str | None, typer.Argument(help="one question; left out, you converse")] = None,
    system: Annotated[str, typer.Option(help="what the assistant should know or be")] = "",
    max_new_tokens: Annotated[int, typer.Option("--max-new-tokens", "-n", help="tokens of an answer")] = 160,
    temperature: Annotated[
        float, typer.Option("--temperature", "-t", help="0 always takes the likeliest")
    ] = 0.0,
    top_p: Annotated[float, typer.Option(help="keep the smallest set that reaches p")] = 0.95,
    repeat_penalty: Annotated[
        float, typer.Option(help="above 1 discourages repetition, which small models fall into; 1 is off")
    ] = 1.1,
    seed: Annotated[int, typer.Option(help="the same seed gives the same text")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps")] = "auto",
    labels: Labels = LABELS,
    project: Project = PROJECT,
) -> None:
    """Answer one question, or hold a conversation until an empty line or Ctrl-D."""
    check_seed(seed)
    sampling = Sampling(
        temperature, top_p=top_p, repeat_penalty=repeat_penalty, max_new_tokens=max_new_tokens
    )
    opened = engine.open(model, device=device, assistant=True)
    messages = [Message("system", system)] if system else []
    for asked in [question] if question is not None else _questions():
        if question is None and (asked == FLAG or asked.startswith(f"{FLAG} ")):
            _flag(messages, asked.removeprefix(FLAG).strip(), model, labels, project)
            continue
        messages = _kept(opened, [*messages, Message("user", asked)], max_new_tokens)
        messages.append(Message("assistant", _answer(opened, messages, sampling, seed)))


FLAG = "/flag"


def _flag(messages: list[Message], why: str, model: str, labels: str, project: str) -> None:
    """Flag the last answer. What goes wrong is said, and the conversation goes on."""
    from nextword.recipes.round_flags import FlagBox  # the database, only where something is flagged

    try:
        with FlagBox.open(labels, project, lambda: datetime.now(UTC)) as box:
            task = box.flag(Conversation(list(messages)), why or "wrong", "chat", model)
    except NextwordError as error:
        print(printable(f"not flagged: {error}"))
    else:
        print(f"flagged: task {task}")


def _questions() -> Iterator[str]:
    """Lines of UTF-8, whatever the locale, until an empty one."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="strict")
    return iter(_read, "")


def _read() -> str:
    print("> ", end="", flush=True)
    try:
        return sys.stdin.readline().strip() if sys.stdin else ""
    except UnicodeDecodeError as error:
        raise BadInput(f"standard input is not UTF-8 text ({error})") from error


def _kept(model: LanguageModel, messages: list[Message], room: int) -> list[Message]:
    """The messages that the model can read and still answer; what is left out is said."""
    kept = fitting(model, messages, room)
    if left_out := len(messages) - len(kept):
        context = model.capabilities.context
        print(f"({left_out} oldest messages left out: the context holds {context:,} tokens)", file=sys.stderr)
    return kept


def _answer(model: LanguageModel, messages: list[Message], sampling: Sampling, seed: int) -> str:
    """Stream the answer; return it."""
    pieces = []
    for event in model.generate([Request(Conversation(list(messages)), sampling, seed=seed)]):
        if isinstance(event, Token):
            pieces.append(event.text)
            print(printable(event.text), end="", flush=True)
        elif isinstance(event, Failed):
            raise event.error
    print()
    return "".join(pieces)
