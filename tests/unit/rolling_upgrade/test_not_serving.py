"""A node that joins again, and never opens its port: the world lets no other be stopped meanwhile, however long."""

from math import inf

import pytest
from tests.unit.rolling_upgrade.scenarios import SECOND, aborts, all_restart
from tests.unit.rolling_upgrade.world import ROOM, RollingWorld
from tests.unit.simulation.happenings import later
from tests.unit.simulation.world import World

HOUR = 3600.0


class ClosedWorld(RollingWorld):
    """`never_opens`: nodes whose port stays closed, whenever they start."""

    never_opens = frozenset({SECOND})

    def start(self, instance: str) -> bool:
        started = super().start(instance)
        if instance in self.never_opens:
            self.opening[instance] = inf
        return started


def a_person_was_called(rolling: World) -> bool:
    return any("NODE_NOT_BACK" in page for page in rolling.pages)


def restarts_its_service(rolling: World) -> None:
    assert isinstance(rolling, ClosedWorld)
    rolling.never_opens = frozenset()
    rolling.engine.crash(SECOND)
    rolling.start(SECOND)


def asks_for_all(rolling: RollingWorld) -> RollingWorld:
    """As `scenarios.all_restart`."""
    rolling.happenings += all_restart().happenings
    return rolling


@pytest.mark.parametrize("after", [60.0, 2 * HOUR])
def test_a_node_that_joined_and_does_not_serve_holds_up_the_next_until_its_service_is_started_anew(
    after: float,
) -> None:
    rolling = asks_for_all(ClosedWorld())
    told: list[int] = []

    def mends(world: World) -> None:
        told.append(len(rolling.restarts))
        restarts_its_service(world)

    rolling.when("called", a_person_was_called, lambda _: told.append(len(rolling.restarts)))
    rolling.when("its service is started anew", later(after), mends)
    rolling.run()
    assert told[0] == told[1], rolling.story()
    end = rolling.summary()
    assert set(end["restarted"].values()) == {1}, rolling.story()
    assert (end["open"], end["head"]) == ([], ("idle", "UP_TO_DATE"))
    assert sum("NODE_NOT_BACK" in page for page in rolling.pages) == 1


def test_whoever_aborts_leaves_the_other_nodes_as_they_are() -> None:
    rolling = asks_for_all(ClosedWorld())
    rolling.when("vagus abort", a_person_was_called, aborts)
    rolling.run()
    assert rolling.restarts[-1] == SECOND, rolling.story()
    assert rolling.seen().intents_of(ROOM) == ()
