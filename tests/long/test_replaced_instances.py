"""Every scenario of a replacement, interrupted at every call. In processes of its own: no node, no AWS, half an hour of
a loaded machine."""

import pytest
from tests.unit.rolling_upgrade.replacing import SCENARIOS, Scenario, replaced_alike


@pytest.mark.parametrize("make", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_interrupted_anywhere_a_replacement_ends_as_if_it_had_not_been(make: Scenario) -> None:
    replaced_alike(make)
