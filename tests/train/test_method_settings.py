"""A setting that a method would not read is refused, and its default is no such setting."""

from __future__ import annotations

import pytest

from nextword.common.errors import BadInput
from nextword.train import policy, preference
from nextword.train.policy import PolicySettings
from nextword.train.preference import PreferenceSettings

CHANGED = {
    "smoothing": 0.1, "sft_weight": 1.0, "desirable": 2.0, "undesirable": 2.0, "gamma": 0.75,
    "value_clip": 0.5, "gae_lambda": 0.5, "whiten_rewards": True,
}  # fmt: skip
"""Another value than the default of each setting that not all methods read."""
STAGES = {PreferenceSettings: preference, PolicySettings: policy}
CASES = [
    (stage, method, name, method in readers)
    for stage, module in STAGES.items()
    for method in module.METHODS
    for name, readers in module.READERS.items()
]


@pytest.mark.parametrize(("stage", "method", "name", "is_read"), CASES)
def test_a_setting_is_taken_by_the_methods_that_read_it_and_by_no_other(stage, method, name, is_read):
    given = {"method": method, name: CHANGED[name]}
    if is_read:
        assert getattr(stage(**given), name) == CHANGED[name]
    else:
        with pytest.raises(BadInput, match=f"{method} has no setting {name}; leave it out, or choose "):
            stage(**given)


@pytest.mark.parametrize("stage", STAGES)
def test_what_is_listed_is_a_setting_read_by_some_methods_and_not_by_all(stage):
    module = STAGES[stage]
    for name, readers in module.READERS.items():
        assert hasattr(stage(), name)
        assert readers and set(readers) < set(module.METHODS)
