"""From a web site to the two files, or with --assistant to a model that answers, within a number of minutes.

Interrupted, the same command continues.
"""

from __future__ import annotations

from rich.console import Console

from nextword.cli.options import verb
from nextword.recipes.finale import show_finale
from nextword.recipes.make import MakeSettings, make


@verb(MakeSettings)
def run(settings: MakeSettings) -> None:
    """Make, then tell the story."""
    journal = make(settings, Console(stderr=True))
    show_finale(Console(), settings.folder, journal)
