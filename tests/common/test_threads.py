"""How threads wait is decided once, and not against the user."""

import pytest

from nextword.common.threads import spin_briefly


@pytest.mark.parametrize(
    ("given", "spins", "policy"),
    [
        ({}, "1000", "passive"),
        ({"GOMP_SPINCOUNT": "7"}, "7", "passive"),
        ({"OMP_WAIT_POLICY": "active"}, None, "active"),
    ],
)
def test_what_the_user_has_set_stands(monkeypatch, given, spins, policy):
    environment = dict(given)
    monkeypatch.setattr("os.environ", environment)
    spin_briefly()
    assert (environment.get("GOMP_SPINCOUNT"), environment["OMP_WAIT_POLICY"]) == (spins, policy)
