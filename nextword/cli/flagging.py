"""The options of a verb whose answers can be flagged, the same for all of them. Nothing is opened here."""

from __future__ import annotations

from typing import Annotated

import typer

Labels = Annotated[
    str,
    typer.Option(
        "--labels", "--database", help="the labels' database, where flags go", envvar="NEXTWORD_LABELS"
    ),
]
Project = Annotated[str, typer.Option(help="the project of the labels")]
LABELS, PROJECT = "runs/label/labels.db", "default"
"""Where `nextword label init` puts them."""
