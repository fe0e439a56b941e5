"""The steps of launching look afresh: what may have changed since the decision is refused, and a mark is never lost."""

from collections.abc import Callable

import pytest
from tests.unit.simulation.coming import EIGHTH, GROUP, SEVENTH, grow
from tests.unit.simulation.happenings import FOURTH, by_hand
from tests.unit.simulation.leaving import six
from tests.unit.simulation.world import World
from tests.unit.zone_balance.moments import writes

from vagus.errors import Unreachable
from vagus.instances import LAUNCH_HOOK
from vagus.owned import SettingsUpdate
from vagus.procedure import people, rows
from vagus.steps import AbandonLaunch, ContinueLaunch, NoteJoined, ResumeLaunching, Step, SuspendLaunching
from vagus.zone_balance.launched import HANDLERS
from vagus.zone_balance.launching import JOIN_SECONDS, SERVED_SECONDS

TOKEN = 5
CONTINUE = ContinueLaunch(instance=SEVENTH, group=GROUP, hook=LAUNCH_HOOK, node=SEVENTH)
ABANDON = AbandonLaunch(instance=SEVENTH, group=GROUP, hook=LAUNCH_HOOK)
SUSPEND = SuspendLaunching(group=GROUP, failures=3, why="quota")
RESUME = ResumeLaunching(group=GROUP)
NOTE = NoteJoined(instances=(SEVENTH,))


def check(world: World, step: Step, token: int = TOKEN) -> str | None:
    return HANDLERS[type(step)].check(writes(world), world.seen(), step, token)


def do(world: World, step: Step) -> None:
    HANDLERS[type(step)].do(writes(world), world.seen(), step, TOKEN)


def coming(*, joins: bool = True) -> World:
    """A seventh instance waits in its launch hook."""
    world = six(barren=set() if joins else {SEVENTH})
    grow()(world)
    world.clock.now += 30
    world.groups.settle()
    world.sync()
    return world


def late() -> World:
    """It has not joined for a quarter of an hour, and no shard may go to it."""
    world = coming(joins=False)
    world.clock.now += JOIN_SECONDS
    world.engine.update_settings(by_hand(SEVENTH))
    return world


def failing() -> World:
    world = six()
    world.groups.refuse_launches(GROUP, "quota")
    grow()(world)
    for _ in range(3):
        world.clock.now += 61
        world.groups.settle()
    return world


def suspended() -> World:
    world = failing()
    do(world, SUSPEND)
    return world


FITS: dict[str, tuple[Callable[[], World], Step]] = {
    "it has joined and the cluster is whole": (coming, CONTINUE),
    "it has joined": (coming, NOTE),
    "it never joined": (late, ABANDON),
    "three failed": (failing, SUSPEND),
}


@pytest.mark.parametrize(("make", "step"), FITS.values(), ids=FITS.keys())
def test_what_was_decided_still_fits(make: Callable[[], World], step: Step) -> None:
    assert check(make(), step) is None


def _crashed(node: str) -> Callable[[World], None]:
    return lambda world: world.engine.crash(node)


def _answered(world: World) -> None:
    world.groups.complete(GROUP, LAUNCH_HOOK, SEVENTH, "CONTINUE")


def _joined(world: World) -> None:
    world.barren.clear()
    world.sync()


def _joined_and_left(world: World) -> None:
    _joined(world)
    do(world, NOTE)
    world.engine.crash(SEVENTH)


def _allowed(world: World) -> None:
    world.engine.update_settings(by_hand())


def _an_hour_later(world: World) -> None:
    world.groups.refuse_launches(GROUP, "")
    world.clock.now += 3700


def _younger(world: World) -> None:
    world.engine.update_settings(SettingsUpdate(persistent={"cluster.metadata.vagus.lease": str(TOKEN + 1)}))


def _by_a_person(world: World) -> None:
    world.groups.suspend_launching(GROUP)


CHANGED: dict[str, tuple[Callable[[], World], Step, Callable[[World], None], str]] = {
    "its node has left again": (coming, CONTINUE, _crashed(SEVENTH), "not in the cluster"),
    "another node has left": (coming, CONTINUE, _crashed(FOURTH), "the cluster is yellow"),
    "its hook was answered": (coming, CONTINUE, _answered, "no launch hook waits"),
    "a younger writer was here": (coming, CONTINUE, _younger, "younger writer"),
    "its node has left before it was noted": (coming, NOTE, _crashed(SEVENTH), "not in the cluster"),
    "a younger writer was here before it was noted": (coming, NOTE, _younger, "younger writer"),
    "it has joined": (late, ABANDON, _joined, "has joined"),
    "it has joined, which was noted, and left again": (late, ABANDON, _joined_and_left, "has joined"),
    "a shard may go to it again": (late, ABANDON, _allowed, "is not excluded"),
    "the failures are old": (failing, SUSPEND, _an_hour_later, "does not fail any more"),
    "a person was first": (failing, SUSPEND, _by_a_person, "somebody has suspended"),
    "it fails still": (suspended, RESUME, lambda _: None, "fails still"),
}


@pytest.mark.parametrize(("make", "step", "change", "words"), CHANGED.values(), ids=CHANGED.keys())
def test_what_has_changed_is_refused(
    make: Callable[[], World], step: Step, change: Callable[[World], None], words: str
) -> None:
    world = make()
    change(world)
    assert words in (check(world, step) or "")


def test_a_node_that_has_joined_is_let_into_service_in_the_end_whatever_stands() -> None:
    world = coming()
    world.engine.crash(FOURTH)
    assert check(world, CONTINUE)
    for _ in range(int(SERVED_SECONDS // 1800)):
        world.clock.now += 1800
        world.groups.heartbeat(GROUP, LAUNCH_HOOK, SEVENTH)
    assert check(world, CONTINUE) is None


def test_an_answer_is_remembered_and_those_who_no_longer_come_are_forgotten() -> None:
    world = coming()
    do(world, CONTINUE)
    assert set(world.seen().launches.answered) == {SEVENTH}
    grow(4)(world)
    world.clock.now += 30
    world.groups.settle()
    world.sync()
    do(world, ContinueLaunch(instance=EIGHTH, group=GROUP, hook=LAUNCH_HOOK, node=EIGHTH))
    assert SEVENTH not in world.seen().launches.answered
    assert world.instances().count(EIGHTH) == 1


def test_who_has_joined_is_noted_once_and_forgotten_when_it_serves() -> None:
    world = coming()
    do(world, NOTE)
    first = world.seen().launches.joined
    assert set(first) == {SEVENTH}
    world.clock.now += 60
    do(world, NOTE)
    assert world.seen().launches.joined == first
    do(world, CONTINUE)
    assert world.seen().launches.joined == {}


def test_a_mark_comes_before_the_act_and_goes_after_it() -> None:
    world = failing()

    def broken(_: str) -> None:
        raise Unreachable("time-out")

    world.groups.suspend_launching = broken  # type: ignore[method-assign]  # the call that fails
    with pytest.raises(Unreachable):
        do(world, SUSPEND)
    assert world.seen().launches.marks[GROUP].done is None
    assert check(world, SUSPEND) is None
    del world.groups.suspend_launching  # type: ignore[method-assign]
    do(world, SUSPEND)
    assert world.seen().launches.marks[GROUP].done is not None
    world.groups.resume_launching = broken  # type: ignore[method-assign]
    with pytest.raises(Unreachable):
        do(world, RESUME)
    assert GROUP in world.seen().launches.marks


def test_a_resume_forgives_what_failed_before() -> None:
    world = suspended()
    people.resume(world.table, world.spec.name, "zone_balance", now=world.clock.now)
    assert check(world, RESUME) is None
    do(world, RESUME)
    assert not world.seen().launches.marks
    assert check(world, SUSPEND) == f"{GROUP} does not fail any more"
    assert rows.read(world.table, world.spec.name).launches.forgiven[GROUP]
