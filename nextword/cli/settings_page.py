"""docs/settings.md, made from the settings' own fields: run this module to write it anew.

python -m nextword.cli.settings_page > docs/settings.md
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from typing import Any

from nextword.data.clean import CleanSettings
from nextword.data.collect import CollectSettings
from nextword.data.propose import ProposeSettings
from nextword.data.pull import PullSettings
from nextword.data.questions import QuestionSettings
from nextword.evaluate.examination import EvaluateSettings
from nextword.evaluate.recall import RecallSettings
from nextword.label.project import ProjectSettings
from nextword.recipes.make import MakeSettings
from nextword.recipes.round_settings import RoundSettings
from nextword.release.release import ReleaseSettings
from nextword.studio.settings import StudioSettings
from nextword.tokenizer.training import TokenizerSettings
from nextword.train.align import AlignSettings
from nextword.train.finetune import FinetuneSettings
from nextword.train.pretrain import PretrainSettings
from nextword.train.reward import RewardSettings

VERBS: dict[str, type[Any]] = {
    "make": MakeSettings,
    "pull": PullSettings,
    "collect": CollectSettings,
    "clean": CleanSettings,
    "seed": QuestionSettings,
    "propose": ProposeSettings,
    "tokenise": TokenizerSettings,
    "pretrain": PretrainSettings,
    "finetune": FinetuneSettings,
    "reward": RewardSettings,
    "align": AlignSettings,
    "evaluate": EvaluateSettings,
    "label init": ProjectSettings,
    "label serve": StudioSettings,
    "round": RoundSettings,
    "release": ReleaseSettings,
    "recall": RecallSettings,
}


def settings_page() -> str:
    """The page's Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Settings"
    yield ""
    yield "Each is an option of its verb (`--max-pages 100`) and a name in its table of a TOML file given"
    yield "with `--config` (`[collect]`, `max_pages = 100`; of `label init` the table is `[label.init]`)."
    yield "The command line wins."
    for verb, settings in VERBS.items():
        yield f"\n## {verb}\n"
        yield "| setting | default | what it does |"
        yield "| --- | --- | --- |"
        for field in dataclasses.fields(settings):
            default = field.metadata.get("usual") or field.default
            shown = ", ".join(map(str, default)) if isinstance(default, tuple) else str(default).strip()
            help = field.metadata["help"].replace("|", "\\|")
            yield f"| `{field.name}` | {shown or 'none'} | {help} |"


if __name__ == "__main__":
    sys.stdout.write(settings_page())
