"""Learn a byte-level BPE vocabulary from cleaned documents, and write them as token shards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nextword.cli.options import verb
from nextword.tokenizer.tokenise import TokeniseSettings, tokenise
from nextword.tokenizer.training import TokenizerSettings, tokenizer_of_clean


@verb(TokenizerSettings)
def run(
    settings: TokenizerSettings,
    clean: Annotated[Path, typer.Argument(help="a folder that `nextword clean` wrote")],
    out: Annotated[Path | None, typer.Option(help="the run's folder", show_default="beside CLEAN")] = None,
    keep: Annotated[
        Path | None, typer.Option(help="use this tokenizer folder instead of training one")
    ] = None,
) -> None:
    """Train (or keep) a tokenizer, then tokenise."""
    run_folder = out or clean.parent
    tokenizer = keep or run_folder / "tokenizer"
    if keep is None:
        report = tokenizer_of_clean(settings, clean, tokenizer)
        rates = ", ".join(f"{lang} {rate:.2f}" for lang, rate in report.bytes_per_token.items())
        print(f"{tokenizer}: {report.vocab_size:,} tokens; bytes per token: {rates}")
        if report.vocab_size < settings.vocab_size:
            print(f"{settings.vocab_size:,} tokens were asked for; the text has only {report.vocab_size:,}")
    index = tokenise(TokeniseSettings(), clean, tokenizer, run_folder / "tokens")
    for split, facts in index["splits"].items():
        print(f"{run_folder / 'tokens'}: {split}: {facts['tokens']:,} tokens of {facts['documents']:,} pages")
