"""Let a model go on from a prompt, streaming what it says."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from nextword import engine
from nextword.common.errors import BadInput
from nextword.common.language_model import Failed, Request, Sampling, Token
from nextword.common.settings import check_seed
from nextword.common.terminal import printable


def run(
    model: Annotated[str, typer.Argument(help="a run or checkpoint folder, a .gguf file")],
    prompt: Annotated[str, typer.Argument(help="the text to go on from; - reads it from standard input")],
    max_new_tokens: Annotated[int, typer.Option("--max-new-tokens", "-n", help="tokens to write")] = 128,
    temperature: Annotated[
        float, typer.Option("--temperature", "-t", help="0 always takes the likeliest")
    ] = 0.8,
    top_k: Annotated[int, typer.Option("--top-k", "-k", help="keep the k likeliest; 0 keeps all")] = 0,
    top_p: Annotated[float, typer.Option(help="keep the smallest set that reaches p")] = 0.95,
    min_p: Annotated[float, typer.Option(help="drop what is less likely than p times the likeliest")] = 0.0,
    repeat_penalty: Annotated[float, typer.Option(help="above 1 discourages repetition")] = 1.0,
    seed: Annotated[int, typer.Option(help="the same seed gives the same text")] = 0,
    stop: Annotated[list[str] | None, typer.Option(help="stop at this text (repeatable)")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps")] = "auto",
) -> None:
    """Stream one continuation."""
    check_seed(seed)
    text = _read_input() if prompt == "-" else prompt
    sampling = Sampling(temperature, top_k, top_p, min_p, repeat_penalty, max_new_tokens)
    opened = engine.open(model, device=device)
    said = printable(text)  # shown with the first word: a prompt that is refused needs no echo
    try:
        for event in opened.generate([Request(text, sampling, tuple(stop or ()), seed=seed)]):
            if isinstance(event, Failed):
                raise event.error
            if isinstance(event, Token):
                said += printable(event.text)
            print(said, end="", flush=True)
            said = ""
    finally:
        if not said:
            print()


def _read_input() -> str:
    if sys.stdin is None:
        raise BadInput("standard input is closed", do="give the prompt as an argument, or pipe it in")
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"standard input is not UTF-8 text ({error})") from error
