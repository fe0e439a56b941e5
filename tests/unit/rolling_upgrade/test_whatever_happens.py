"""A restart, an upgrade or a replacement of a random cluster, while anything happens in any order: a state machine by
Hypothesis.

What must hold is asserted where it could break (`judged.JudgedWorld` at each stop of a node, the simulation's oracle at
each instance that is let go) and at the end: first, with nothing mended, every run comes to rest or tells a person;
then, all mended, it ends with what was asked for and nothing of ours is left.

The simulated engine and instances are themselves held to real ones by contract tests, the same for both: see
`tests/integration/contracts`: `test_search.py` (settings, marks, allocation, votes, snapshots; OpenSearch 2.19.4 and
3.4.0), `test_zones.py` (forced awareness), `test_drain.py` (exclusions, stores, primaries that come back),
`test_commands.py` (documents, once for each step), `test_groups.py` (hooks), `test_tables.py`, `test_executions.py`.
That a
replica never goes to a node older than its primary's is said by `_older` of the fake alone: real nodes of two versions
met only in the upgrade's own tests.
"""

from typing import Any, Literal

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from tests.unit.rolling_upgrade.judged import JudgedWorld
from tests.unit.rolling_upgrade.world import ROOM, declared
from tests.unit.simulation.happenings import reclaimed, spot_warning
from tests.unit.simulation.ports import Meter

from vagus.intent import Rolling, replace, restart, upgrade
from vagus.plan import Ask
from vagus.procedure import rows
from vagus.reasons import Reason

HOUR = 3600.0
PATIENCE = 2.5 * HOUR
"""With nothing mended: by then, every run has ended or told a person what it waits for."""
NEEDS_NOBODY = {Reason.SNAPSHOT_RUNNING, Reason.YIELDING}
"""What a person can see and need not be told: a snapshot runs; an instance leaves (of which zone_balance tells)."""
FORBIDDEN = (
    "apply.search.update_settings",
    "apply.search.flush",
    "apply.search.snapshots",
    "apply.commands.send",
    "apply.parameters.put",
    "apply.records.write",
    "apply.table.write",
    "decide.search.look",
    "decide.search.snapshots",
    "decide.commands.sent",
    "decide.groups.describe",
    "sweep.search.look",
)
RARELY = st.sampled_from([False, False, False, True])
INDICES = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 3), st.integers(0, 60)), min_size=1, max_size=3)


class Whatever(RuleBasedStateMachine):
    """Fate's acts are rules; what mends them comes by chance, and in the end for certain."""

    world: JudgedWorld

    @initialize(
        per_zone=st.integers(1, 3),
        managers=st.integers(0, 1),
        batch=st.integers(1, 3),
        indices=INDICES,
        spread=st.booleans(),
        wanted=st.sampled_from(["restart", "restart", "upgrade", "replace"]),
        mode=st.sampled_from(["act", "act", "approve"]),
        crash_as=st.sampled_from(["function", "execution"]),
        rounds=st.sampled_from([25, 1500]),
    )
    def begin(
        self,
        per_zone: int,
        managers: int,
        batch: int,
        indices: list[tuple[int, int, int]],
        spread: bool,
        wanted: Literal["restart", "upgrade", "replace"],
        mode: Literal["act", "approve"],
        crash_as: Literal["function", "execution"],
        rounds: int,
    ) -> None:
        """A cluster, and a person who asks."""
        self.crashes: dict[int, Any] = {}
        self.world = JudgedWorld(
            spec=declared(batch=batch, mode=mode, per_zone=per_zone, managers=managers),
            runs="2.19.4" if wanted == "upgrade" else "3.4.0",
            meter=Meter(crashes=self.crashes),
            crash_as=crash_as,
            round_limit=rounds,
        )
        self.world.oracle.late_admissions = True
        self.wanted = wanted
        if wanted == "replace":
            for group in self.world.groups.describe():
                self.world.groups.launches_from(group.name, "lt-1:2")
        for number, (shards, replicas, seconds) in enumerate(indices):
            fits = min(replicas, 3 * per_zone - 1)
            self.world.engine.create_index(f"index-{number}", shards=shards, replicas=fits, size=1000 * seconds)
        if spread:
            self.world.engine.create_index("security", replicas=0, expands=True)
        self._pass(60)
        self.ask()

    # -- people ------------------------------------------------------------------------------------------------------

    def ask(self) -> None:
        """As `vagus restart` and `vagus upgrade` do: of what runs now; indices without a replica may be away."""
        self.before = self.world.processes()
        alone = {copy.index for copy in self.world.engine.look().copies}
        alone -= {copy.index for copy in self.world.engine.look().copies if not copy.primary}
        self.world.accepted = frozenset(alone)
        iso, let = self.world.iso(), tuple(sorted(alone))
        if self.wanted == "replace":
            self.world.ask(replace((), iso, "ada"))
        elif self.world.runs != self.world.spec.engine.version:
            self.world.ask(upgrade(self.world.spec.engine.version, iso, "ada", let, without_snapshot=True))
        else:
            self.world.ask(restart(self.before, iso, "ada", let))
        self.aborted = False

    @rule(room=st.sampled_from(["zone_balance", ROOM]))
    def somebody_approves(self, room: str) -> None:
        if self._sees() and isinstance(self.world.shown(room), Ask):
            self.world.approve(HOUR, room)
            self._pass(30)

    @rule(for_good=RARELY, seconds=st.integers(1, 100))
    def somebody_stops(self, for_good: bool, seconds: int) -> None:
        self.world.halt(ROOM)
        self._pass(seconds)
        if not for_good:
            self.world.resume(ROOM)

    @rule(for_good=RARELY, seconds=st.integers(1, 100))
    def somebody_stops_it_in_the_console(self, for_good: bool, seconds: int) -> None:
        for name in [name for name, one in self.world.executions.items() if not one.ended and ROOM in name]:
            self.world.stop(name)
        self._pass(seconds)
        if not for_good:
            self.world.resume(ROOM)

    @precondition(lambda self: bool(self.world.seen().intents_of(ROOM)))
    @rule(sure=RARELY)
    def somebody_aborts(self, sure: bool) -> None:
        if not sure:
            return
        (intent, *_) = (seen := self.world.seen()).intents_of(ROOM)
        noted = msgspec.structs.replace(intent.rolling or Rolling(), aborted="ada")
        row = seen.put(f"intent#{intent.id}", msgspec.structs.replace(intent, rolling=noted))
        self.world.table.write(rows.partition(self.world.spec.name), row)
        self.aborted = True
        self._pass(20)

    @precondition(lambda self: not self.world.seen().intents_of(ROOM))
    @rule()
    def somebody_asks_again(self) -> None:
        if self._sees():
            self._pass(60)
            self.ask()

    # -- fate --------------------------------------------------------------------------------------------------------

    @rule(seconds=st.integers(1, 400))
    def time_passes(self, seconds: int) -> None:
        self._pass(seconds)

    @rule(node=st.integers(0, 11), seconds=st.integers(0, 30))
    def a_node_dies(self, node: int, seconds: int) -> None:
        self.world.engine.crash(self._node(node))
        self._pass(seconds)

    @rule(node=st.integers(0, 11))
    def a_node_comes_back(self, node: int) -> None:
        self._start(self._node(node))

    @rule(node=st.integers(0, 11), for_good=RARELY, seconds=st.integers(1, 200))
    def a_nodes_start_fails(self, node: int, for_good: bool, seconds: int) -> None:
        name = self._node(node)
        self.world.broken.add(name)
        self._pass(seconds)
        if not for_good:
            self.world.broken.discard(name)

    @rule(for_good=RARELY, seconds=st.integers(1, 200))
    def the_archive_is_spoilt(self, for_good: bool, seconds: int) -> None:
        """No node can bring and check the version that is wanted."""
        self.world.spoilt.add(self.world.spec.engine.version)
        self._pass(seconds)
        if not for_good:
            self.world.spoilt.clear()

    @rule()
    def what_failed_is_mended(self) -> None:
        self._mend()

    @rule(for_good=RARELY, seconds=st.integers(0, 200))
    def commands_lie_about(self, for_good: bool, seconds: int) -> None:
        """The agents of all nodes are silent for a while, or until somebody mends them."""
        self.world.commands.hold = True
        self._pass(seconds)
        if not for_good:
            self._deliver()

    @rule(calls=st.integers(0, 40), when=st.sampled_from(["before", "after"]))
    def a_function_is_killed(self, calls: int, when: Literal["before", "after"]) -> None:
        self.crashes[len(self.world.meter.calls) + calls] = when
        self._pass(20)

    @rule(call=st.sampled_from(FORBIDDEN), lasts=st.integers(1, 300))
    def a_permission_is_missing_for_a_while(self, call: str, lasts: int) -> None:
        self.world.meter.denied = frozenset({call})
        self._pass(lasts)
        self.world.meter.denied = frozenset()

    @rule(lasts=st.integers(1, 200))
    def the_cluster_does_not_answer(self, lasts: int) -> None:
        self.world.engine.unreachable = True
        self._pass(lasts)
        self.world.engine.unreachable = False

    @rule(hangs=RARELY, seconds=st.integers(0, 100))
    def a_snapshot_runs(self, hangs: bool, seconds: int) -> None:
        self.world.engine.running_snapshots = {"nightly": frozenset()}
        self._pass(seconds)
        if not hangs:
            self.world.engine.running_snapshots = {}

    @rule(stays=RARELY)
    def yellow_for_another_reason(self, stays: bool) -> None:
        """An index has more replicas than there are nodes."""
        if "greedy" not in self.world.engine.created:
            self.world.engine.create_index("greedy", replicas=20)
        if not stays:
            self._pass(60)
            self.world.engine.delete_index("greedy")

    @rule(node=st.integers(0, 11), seconds=st.integers(0, 300))
    def ec2_warns_of_an_end_and_takes_it(self, node: int, seconds: int) -> None:
        name = self._node(node)
        if self._can_go(name):
            spot_warning(name)(self.world)
            self._pass(seconds)
            if name in self.world.groups.existing() and self._can_go(name):
                reclaimed(name)(self.world)
                self._pass(5)

    @rule(node=st.integers(0, 11), seconds=st.integers(0, 200))
    def an_instance_leaves(self, node: int, seconds: int) -> None:
        """By an instance refresh, say: it is replaced."""
        name = self._node(node)
        if name in self.world.instances():
            self.world.groups.scale_in(name, decrement=False)
            self._pass(seconds)

    # -- what must hold ----------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self._rests_or_tells()
            self._ends()

    def _rests_or_tells(self) -> None:
        """With nothing mended: bounded."""
        self._pass(PATIENCE)
        self._while_it_hands_over()
        head = self.world.seen().head(ROOM)
        if head.state in ("idle", "paused"):
            return
        plan = self.world.seen().plans.get(ROOM, {})
        told = any(str(plan.get("reason")) in page for page in self.world.pages)
        assert told or plan.get("reason") in NEEDS_NOBODY, f"{plan}\n{self.world.story()}"

    def _while_it_hands_over(self) -> None:
        for _ in range(100):
            if self.world.seen().plans.get(ROOM, {}).get("reason") != Reason.HANDED_OVER:
                break
            self.world.step()

    def _ends(self) -> None:
        """All mended, and approved as often as it is asked for: it ends, with what was asked for."""
        self.crashes.clear()
        self._mend()
        for _ in range(60):
            self._give_up_what_is_lost()
            self._let()
            self._pass(600)
            if not self.world.left_behind() and not self.world.seen().intents:
                break
        self._nothing_is_left()
        self.world.run(hours=12)
        self._nothing_is_left()
        running = self.world.processes()
        if self.wanted == "replace":
            behind = [one.id for group in self.world.groups.describe() for one in group.instances if group.behind(one)]
            assert self.aborted or not behind, f"{behind} are behind still"
        elif not self.aborted:
            old = [name for name, process in running.items() if self.before.get(name) == process]
            versions = {node.version for node in self.world.engine.look().nodes}
            assert self.world.runs != self.world.spec.engine.version or not old, f"{old} run as before"
            assert versions == {self.world.spec.engine.version}

    def _nothing_is_left(self) -> None:
        left = self.world.left_behind()
        assert left == [], f"{left}; {self.world.seen().head(ROOM)}; {self.world.story()}"

    def _mend(self) -> None:
        self.world.broken.clear()
        self.world.spoilt.clear()
        self.world.engine.unreachable = False
        self.world.engine.running_snapshots = {}
        if "greedy" in self.world.engine.created:
            self.world.engine.delete_index("greedy")
        self._deliver()
        for name in list(self.world.engine.machines):
            self._start(name)
        self._pass(60)

    def _let(self) -> None:
        for room in ("zone_balance", ROOM):
            if self.world.seen().head(room).paused or self.world.seen().head(room).state == "paused":
                self.world.resume(room)
            if self._sees() and isinstance(self.world.shown(room), Ask):
                self.world.approve(8 * HOUR, room)

    def _give_up_what_is_lost(self) -> None:
        """An index without a store anywhere is deleted by a person."""
        if not self._sees():
            return
        for index in {copy.index for copy in self.world.engine.look().copies if copy.primary and not copy.active}:
            self.world.engine.delete_index(index)

    # -- parts -------------------------------------------------------------------------------------------------------

    def _pass(self, seconds: float) -> None:
        end = self.world.clock.now + seconds
        while self.world.clock.now < end:
            self.world.step()

    def _node(self, number: int) -> str:
        return sorted(self.world.engine.machines)[number % len(self.world.engine.machines)]

    def _start(self, name: str) -> None:
        """As systemd, or a person, starts a service that does not run."""
        if not self.world.active(name):
            self.world.start(name)

    def _deliver(self) -> None:
        self.world.commands.hold = False
        self.world.commands.deliver()

    def _sees(self) -> bool:
        engine = self.world.engine
        return engine.has_manager() and not engine.unreachable and not self.world.meter.denied

    def _can_go(self, name: str) -> bool:
        """Without it a majority of the voters is up still: a cluster that lost that for good is beyond this."""
        voters, up = self.world.engine.voters, {one.name for one in self.world.engine.up()} - {name}
        return name in self.world.engine.machines and len(up & set(voters)) * 2 > len(voters)


Whatever.TestCase.settings = settings(
    max_examples=25, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)
TestWhateverHappens: type = Whatever.TestCase
