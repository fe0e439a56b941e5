"""Generated worlds: whatever the layout, the weather and the crashes, no instance goes that is still needed (the oracle
asserts it at each letting go), what people excluded stays excluded, and where a way out exists it is found."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.simulation.declared import spec
from tests.unit.simulation.happenings import by_hand
from tests.unit.simulation.ports import Meter, When
from tests.unit.simulation.world import World

from vagus import owned
from vagus.procedure import rows

FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@dataclass(frozen=True)
class Weather:
    """One blow of fate `at` so many seconds, undone by people `lasts` seconds later. `node` counts nodes."""

    kind: Literal["crash", "unreachable", "exclusion removed", "execution stopped short"]
    at: int
    lasts: int
    node: int


@dataclass(frozen=True)
class Plan:
    """A generated world. Sizes are in seconds that a shard takes to move."""

    per_zone: int
    managers: int
    indices: tuple[tuple[int, int, int], ...]
    leaves: tuple[int, ...]
    by_hand: tuple[int, ...]
    replaced: bool
    replaces: Literal["at_once", "when_gone"]
    retains: bool
    nowhere: Literal["hold", "one_zone_at_a_time"]
    events: Literal["once", "never"]
    copies_of_events: int
    crashes: tuple[tuple[int, When], ...]
    crash_as: Literal["function", "execution"]
    round_limit: int
    weather: tuple[Weather, ...]


WEATHER = st.builds(
    Weather,
    kind=st.sampled_from(["crash", "unreachable", "exclusion removed", "execution stopped short"]),
    at=st.integers(0, 300),
    lasts=st.integers(1, 600),
    node=st.integers(0, 5),
)

CRASHES = st.lists(st.tuples(st.integers(0, 250), st.sampled_from(["before", "after"])), max_size=5).map(tuple)


def plans(*, tame: bool) -> st.SearchStrategy[Plan]:
    """`tame`: a way out exists: copies fit the zones, instances are replaced, their groups retain."""
    return st.builds(
        Plan,
        per_zone=st.integers(1, 2),
        managers=st.integers(0, 1),
        indices=st.lists(
            st.tuples(st.integers(1, 3), st.integers(0, 2 if tame else 3), st.integers(0, 30)), min_size=1, max_size=3
        ).map(tuple),
        leaves=st.lists(st.integers(0, 8), min_size=1, max_size=4, unique=True).map(tuple),
        by_hand=st.just(()) if tame else st.lists(st.integers(0, 5), max_size=2).map(tuple),
        replaced=st.just(True) if tame else st.booleans(),
        replaces=st.sampled_from(["at_once", "when_gone"]),
        retains=st.just(True) if tame else st.booleans(),
        nowhere=st.sampled_from(["hold", "one_zone_at_a_time"]),
        events=st.sampled_from(["once", "never"]),
        copies_of_events=st.integers(1, 3),
        crashes=CRASHES,
        crash_as=st.sampled_from(["function", "execution"]),
        round_limit=st.sampled_from([3, 1500]),
        weather=st.lists(WEATHER, max_size=3).map(tuple),
    )


class Generated(World):
    """A world by plan. `people`: names that people excluded, and that must stay excluded."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        super().__init__(
            spec=spec(per_zone=plan.per_zone, managers=plan.managers, nowhere=plan.nowhere),
            meter=Meter(crashes=dict(plan.crashes)),
            crash_as=plan.crash_as,
            events=plan.events,
            replaces=plan.replaces,
            retains=plan.retains,
            round_limit=plan.round_limit,
        )
        self.known()
        for number, (shards, replicas, seconds) in enumerate(plan.indices):
            self.engine.create_index(f"index-{number}", shards=shards, replicas=replicas, size=1000 * seconds)
        nodes = list(self.engine.machines)
        self.people = {nodes[number % len(nodes)] for number in plan.by_hand}
        if self.people:
            self.engine.update_settings(by_hand(*self.people))
        self._weather(nodes)
        for number in plan.leaves:
            self.groups.scale_in(nodes[number % len(nodes)], decrement=not plan.replaced)

    def _weather(self, nodes: list[str]) -> None:
        """Happenings in the order of time; each is undone later."""
        acts: list[tuple[int, str, Callable[[World], None]]] = []
        for one in self.plan.weather:
            strike, undo = _BLOWS[one.kind](self, nodes[one.node % len(nodes)])
            acts += [(one.at, one.kind, strike), (one.at + one.lasts, f"end of {one.kind}", undo)]
        start = self.clock.now
        for at, name, act in sorted(acts, key=lambda item: item[0]):
            self.when(name, lambda world, due=start + at: world.clock.now >= due, act)  # type: ignore[misc]  # a default

    def _deliver(self) -> None:
        self.groups.events[:] = [event for event in self.groups.events for _ in range(self.plan.copies_of_events)]
        self.groups.events.reverse()
        super()._deliver()

    def step(self) -> None:
        super().step()
        self._resume()
        assert self.people <= self.excluded(), "what people excluded stays excluded"
        marked = owned.names(self.engine.persistent.get(owned.MARK))
        assert not marked & self.people, "a name that people excluded before is theirs"

    def _resume(self) -> None:
        """After too many failed executions the capability is paused: a person looks, and sets it going again."""
        seen = self.seen()
        head = seen.head("zone_balance")
        if head.state == "paused":
            resumed = msgspec.structs.replace(head, state="idle", failures=0, not_before=0.0, paused_by="")
            self.table.write(rows.partition(self.spec.name), seen.put("head#zone_balance", resumed))
            self.stir()


Blow = Callable[[Generated, str], tuple[Callable[[World], None], Callable[[World], None]]]


def _crash(_: Generated, node: str) -> tuple[Callable[[World], None], Callable[[World], None]]:
    def strike(world: World) -> None:
        if node in world.engine.machines:
            world.engine.crash(node)

    def undo(world: World) -> None:
        if node in world.engine.machines:
            machine = world.engine.machines[node]
            world.engine.start_node(node, machine.zone)

    return strike, undo


def _unreachable(_: Generated, __: str) -> tuple[Callable[[World], None], Callable[[World], None]]:
    def put(value: bool) -> Callable[[World], None]:
        return lambda world: setattr(world.engine, "unreachable", value)

    return put(True), put(False)


def _removed(generated: Generated, _: str) -> tuple[Callable[[World], None], Callable[[World], None]]:
    """A person takes all exclusions of ours away, and later sets again those of nodes that are still there."""
    removed: set[str] = set()

    def strike(world: World) -> None:
        if world.engine.has_manager() and not world.engine.unreachable:
            removed.update(world.excluded() - generated.people)
            world.engine.update_settings(by_hand(*sorted(generated.people)))

    def undo(world: World) -> None:
        world.when("set again", _can_write, _set_again)

    def _set_again(world: World) -> None:
        marked = owned.names(world.engine.persistent.get(owned.MARK))
        again = (removed & marked & set(world.engine.machines)) | world.excluded()
        world.engine.update_settings(by_hand(*sorted(again)))

    return strike, undo


def _can_write(world: World) -> bool:
    return world.engine.has_manager() and not world.engine.unreachable


def _stopped_short(_: Generated, __: str) -> tuple[Callable[[World], None], Callable[[World], None]]:
    def strike(world: World) -> None:
        for name, one in world.executions.items():
            if not one.ended:
                one.ended = "TIMED_OUT"
                world.machines.end(name, "TIMED_OUT")

    return strike, lambda _: None


_BLOWS: dict[str, Blow] = {
    "crash": _crash,
    "unreachable": _unreachable,
    "exclusion removed": _removed,
    "execution stopped short": _stopped_short,
}


@FEW
@given(plans(tame=True))
def test_where_a_way_out_exists_every_leaver_goes_and_nothing_of_ours_is_left(plan: Plan) -> None:
    world = Generated(plan)
    leaving = set(world.instances("Terminating:Wait"))
    end = world.run(hours=24).summary()
    assert not leaving & set(world.engine.machines), world.story()
    assert end["open"] == end["waiting"] == end["retained"] == [], world.story()
    assert end["lease"] == "free"
    assert owned.MARK not in end["persistent"]
    assert not world.excluded()


@FEW
@given(plans(tame=False))
def test_whatever_happens_no_needed_instance_goes_and_no_exclusion_of_ours_leaks(plan: Plan) -> None:
    world = Generated(plan)
    end = world.clock.now + 2 * 3600
    while world.clock.now < end:
        world.step()
    leaving = {*world.instances("Terminating:Wait"), *world.instances("Terminating:Retained")}
    mine = owned.names(world.engine.persistent.get(owned.MARK))
    assert mine <= leaving, world.story()
    assert world.excluded() <= leaving | world.people, world.story()
    completed = [instance for instance, result in world.groups.completed if result == "CONTINUE"]
    assert len(completed) == len(set(completed)), "no instance is let go twice"
