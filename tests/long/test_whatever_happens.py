"""The model check of `tests/unit/rolling_upgrade` with many more examples: the quorum rule, taken away on purpose, was
only found at about the seventieth, and `make test` has time for 25."""

from hypothesis import HealthCheck, settings
from tests.unit.rolling_upgrade.test_whatever_happens import Whatever


class Longer(Whatever):
    """The same, in a class of its own: settings belong to a class."""


Longer.TestCase.settings = settings(
    max_examples=200, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)
TestWhateverHappens: type = Longer.TestCase
