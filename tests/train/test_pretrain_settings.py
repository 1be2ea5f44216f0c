"""Settings that cannot be met are refused before anything is written."""

import math

import pytest

from nextword.common.errors import BadInput
from nextword.train.pretrain import PretrainSettings


@pytest.mark.parametrize(
    "wrong",
    [{"steps": -1}, {"minutes": math.nan}, {"rows_at_once": -1}, {"clip": -1.0}, {"matrix_rate": math.nan}],
)
def test_numbers_out_of_range_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(BadInput, match=next(iter(wrong))):
        PretrainSettings(**wrong)
