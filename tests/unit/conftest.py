"""Which cases Hypothesis draws: new ones at each run of a developer, the same ones for the same commit in `.ci/run`.
And what takes longest begins first, so that no core is left alone with it in the end."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

if profile := os.environ.get("HYPOTHESIS_PROFILE"):
    settings.load_profile(profile)

HERE = Path(__file__).parent
LONG = {
    f"{name}.py"
    for name in (
        "agent/test_deaths",
        "certificates/test_gateways",
        "certificates/test_rotation",
        "planner/test_any_cluster",
        "rolling_upgrade/test_permissions",
        "rolling_upgrade/test_replacing",
        "rolling_upgrade/test_replay",
        "rolling_upgrade/test_whatever_happens",
        "simulation/test_deaths",
        "simulation/test_generated_worlds",
        "simulation/test_many_events",
        "simulation/test_permissions",
        "simulation/test_random_permissions",
        "simulation/test_replay",
    )
}
"""Files whose tests take many seconds apiece."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Every second one of them to the front, and the others to the middle: xdist gives each of two workers a half."""
    if not hasattr(config, "workerinput"):
        return
    long = [one for one in items if HERE in one.path.parents and str(one.path.relative_to(HERE)) in LONG]
    chosen = set(long)
    short = [one for one in items if one not in chosen]
    half = len(short) // 2 + (len(long[1::2]) - len(long[::2])) // 2
    items[:] = [*long[::2], *short[:half], *long[1::2], *short[half:]]
