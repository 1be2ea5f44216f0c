"""A stage after finetuning as a process of its own, for tests that kill it: stage, settings, folders."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

warnings.simplefilter("error")  # their imports must not warn either


def shortness(conversation: Any) -> float:
    """A reward that a random model can learn within a few steps."""
    return -len(str(conversation.messages[-1].content)) / 20


def main(stage: str, settings: dict[str, object], assistant: Path, data: Path, out: Path) -> None:
    if stage == "preference":
        from nextword.train.preference import PreferenceSettings, align_by_preference

        align_by_preference(PreferenceSettings(**settings), assistant, [data], out)
    elif stage == "reward":
        from nextword.train.reward import RewardSettings, train_reward

        train_reward(RewardSettings(**settings), assistant, [data], out)
    elif stage == "policy":
        from nextword.train.policy import PolicySettings, align_by_policy

        align_by_policy(PolicySettings(**settings), assistant, data, shortness, out)
    else:
        raise SystemExit(f"no stage is called {stage}")


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]), *map(Path, sys.argv[3:6]))
