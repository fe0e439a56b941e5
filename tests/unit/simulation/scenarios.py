"""What may befall a cluster: every scenario but those of `coming.py` and `zone_scenarios.py`. Each makes a fresh world;
`crashes` and the like are its own."""

from collections.abc import Mapping

from tests.unit.simulation.balancing import BALANCING
from tests.unit.simulation.gone_by_themselves import (
    GONE,
    a_rebalance_recommendation_expires,
    a_spot_instance_is_spared,
    set_aside_while_a_recommendation_stands,
)
from tests.unit.simulation.happenings import Scenario, named
from tests.unit.simulation.leaving import LEAVING, its_hook_runs_out
from tests.unit.simulation.people import PEOPLE

LONG: Mapping[str, Scenario] = named(
    a_spot_instance_is_spared,
    a_rebalance_recommendation_expires,
    set_aside_while_a_recommendation_stands,
    its_hook_runs_out,
)
"""Scenarios of half an hour and more: not interrupted at each of their thousands of calls."""

SCENARIOS: Mapping[str, Scenario] = {**LEAVING, **GONE, **PEOPLE, **BALANCING}
