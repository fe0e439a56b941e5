"""What is in hand, and what may be leant on: looks at one moment."""

from datetime import UTC, datetime
from typing import Literal

import msgspec
import pytest
from tests.unit.rolling_upgrade.test_rules import NODE, NOW, question

from vagus.cluster import Node, Unseen
from vagus.command import Command, Outcome
from vagus.errors import Denied, Unreachable
from vagus.instances import Group, Instance
from vagus.intent import AllocationPrimaries, Intent, restart, upgrade
from vagus.plan import Blocked, Plan, Steps, Wait
from vagus.reasons import Reason
from vagus.rolling_upgrade import rules
from vagus.rolling_upgrade.decide import decide
from vagus.rolling_upgrade.looking import looked
from vagus.rolling_upgrade.observe import see
from vagus.rolling_upgrade.observed import Observed, rolling, step_id
from vagus.rolling_upgrade.rules import Question
from vagus.snapshots import Snapshots
from vagus.steps import AllowAllocation, RestartNodes


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def group(*instances: Instance) -> Group:
    return Group(
        name="claims-a",
        cluster="claims",
        zone="eu-central-1a",
        roles=("data",),
        desired=len(instances),
        instances=instances,
        retains=True,
    )


def with_lifecycles(asked: Question, lifecycles: dict[str, str]) -> Question:
    """The group lists every node; `""`: not this one."""
    instances = tuple(
        Instance(id=node.name, zone=node.zone, lifecycle=lifecycles.get(node.name, "InService"))
        for node in asked.cluster.nodes
        if lifecycles.get(node.name) != ""
    )
    return msgspec.structs.replace(asked, observed=msgspec.structs.replace(asked.observed, groups=(group(*instances),)))


@pytest.mark.parametrize("lifecycle", ["Terminating:Proceed", "Terminating:Wait", ""])
def test_no_copy_is_leant_on_that_is_about_to_vanish(lifecycle: str) -> None:
    asked = question()
    held = {copy.id for copy in asked.cluster.copies if copy.node == NODE}
    twins = {copy.node for copy in asked.cluster.copies if copy.id in held and copy.node != NODE}
    found = rules.before(with_lifecycles(asked, {name: lifecycle for name in twins if name}))
    assert found is not None
    assert found.reason in (Reason.ONLY_COPY, Reason.QUORUM)
    assert rules.before(with_lifecycles(asked, {})) is None


@pytest.mark.parametrize("grouped", [True, False])
def test_no_copy_is_leant_on_that_ec2_has_said_to_take(grouped: bool) -> None:
    asked = with_lifecycles(question(), {}) if grouped else question()
    held = {copy.id for copy in asked.cluster.copies if copy.node == NODE}
    twins = {copy.node for copy in asked.cluster.copies if copy.id in held and copy.node != NODE and copy.node}
    warned = tuple(leaves(name, "spot") for name in sorted(twins))
    found = rules.before(
        msgspec.structs.replace(asked, observed=msgspec.structs.replace(asked.observed, others=warned))
    )
    assert found is not None
    assert found.reason in (Reason.ONLY_COPY, Reason.QUORUM)
    assert "(leaves)" in found.message


def test_an_instance_that_was_let_go_still_goes_first() -> None:
    leaving = Intent(
        id="leave-1",
        kind="leave",
        source="event",
        capability="zone_balance",
        instance="i-1",
        opened=iso(NOW),
        let_go=iso(NOW),
    )
    cluster = question().cluster
    assert rules.urgent(Observed(cluster=cluster, groups=(), others=(leaving,)), cluster) == (leaving,)


@pytest.mark.parametrize(("seconds", "given_back"), [(299, False), (301, True)])
def test_how_long_a_node_is_away_is_told_by_its_row_and_not_by_the_run(seconds: int, given_back: bool) -> None:
    asked = question()
    away = asked.cluster.nodes[0]
    nodes = tuple(node for node in asked.cluster.nodes if node.name != away.name)
    intent = restart({away.name: away.ephemeral_id}, iso(NOW - 900), "ada", ())
    noted = msgspec.structs.replace(
        rolling(intent), taken=(away.name,), taken_at=iso(NOW - 800), sent_at=iso(NOW - seconds)
    )
    plan = decide(
        Observed(
            cluster=msgspec.structs.replace(asked.cluster, nodes=nodes),
            groups=(group(Instance(id=away.name, zone=away.zone, lifecycle="InService")),),
            intents=(msgspec.structs.replace(intent, rolling=noted, demands=(AllocationPrimaries(),)),),
            identity=asked.cluster.uuid,
            version="2.19.4",
            snapshots=Snapshots(),
        ),
        asked.spec,
        NOW,
    )
    if given_back:
        assert isinstance(plan, Steps)
        assert isinstance(plan.steps[0], AllowAllocation)
    else:
        assert isinstance(plan, Wait)


class Engine:
    """An engine whose snapshots can't be listed, or that notes what it was asked."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[bool] = []

    def look(self) -> object:
        return question().cluster

    def snapshots(self, *, newest: bool) -> Snapshots:
        self.asked.append(newest)
        if self.error:
            raise self.error
        return Snapshots()


@pytest.mark.parametrize("error", [Unreachable("no answer"), Denied("snapshots", "not allowed")])
def test_snapshots_that_cant_be_listed_hide_no_cluster(error: Exception) -> None:
    """Want of a right is kept, for it is told by name."""
    cluster, snapshots = see(Engine(error), [restart({}, iso(NOW), "ada", ())], "2.19.4")  # type: ignore[arg-type]
    assert cluster == question().cluster
    assert snapshots == (Unseen(reason="DENIED", message=str(error)) if isinstance(error, Denied) else None)


NEWEST: dict[str, tuple[str, str, bool, bool]] = {
    "nothing has begun": ("3.4.0", "2.19.4", False, True),
    "nodes are told to bring it, and none has it or is in hand": ("3.4.0", "3.4.0", False, True),
    "the first node is in hand": ("3.4.0", "3.4.0", True, False),
    "it goes on": ("2.19.4", "2.19.4", False, False),
    "a person brought a node the new version beforehand": ("2.19.4", "2.18.0", False, True),
}


@pytest.mark.parametrize(("version", "noted", "in_hand", "newest"), NEWEST.values(), ids=NEWEST.keys())
def test_the_newest_is_asked_for_only_before_anything_has_begun(
    version: str, noted: str, in_hand: bool, newest: bool
) -> None:
    """The engine's nodes run 2.19.4."""
    engine = Engine()
    intent = upgrade(version, iso(NOW), "ada", (), without_snapshot=False)
    demands = (AllocationPrimaries(),) if in_hand else ()
    see(engine, [msgspec.structs.replace(intent, demands=demands)], noted)  # type: ignore[arg-type]
    assert engine.asked == [newest]


def test_snapshots_that_cant_be_listed_stand_against_taking() -> None:
    asked = question("3.4.0")
    unlisted = msgspec.structs.replace(asked, observed=msgspec.structs.replace(asked.observed, snapshots=None))
    found = rules.before(unlisted)
    assert found is not None
    assert "could not be listed" in found.message


def test_an_index_of_unknown_origin_is_not_called_too_old() -> None:
    asked = question("3.4.0")
    cluster = msgspec.structs.replace(asked.cluster, created={"notes": 0})
    found = rules.index_too_old(msgspec.structs.replace(asked, cluster=cluster))
    assert found is not None
    assert "is unknown" in found.message


def told_to_restart(
    name: str, process: str, *outcomes: tuple[int, Outcome | None], left: Node | None = None
) -> Observed:
    """A node in hand that runs as before, told so many seconds ago with these outcomes (`None`: it is not listed).
    `left`: one that is next."""
    asked = question()
    node = next(one for one in asked.cluster.nodes if one.name == name)
    others = {left.name: left.ephemeral_id} if left else {}
    intent = restart({name: process, **others}, iso(NOW - 900), "ada", ())
    noted = msgspec.structs.replace(
        rolling(intent), taken=(name,), taken_at=iso(NOW - 800), sent_at=iso(NOW - min(ago for ago, _ in outcomes))
    )
    step = step_id(intent, node)
    restarted = process != node.ephemeral_id
    started = int((NOW - max(ago for ago, _ in outcomes)) * 1000) if restarted else node.started
    nodes = tuple(
        msgspec.structs.replace(one, started=started) if one.name == name else one for one in asked.cluster.nodes
    )
    return Observed(
        cluster=msgspec.structs.replace(asked.cluster, nodes=nodes),
        groups=(),
        intents=(msgspec.structs.replace(intent, rolling=noted, demands=(AllocationPrimaries(),)),),
        identity=asked.cluster.uuid,
        version="2.19.4",
        snapshots=Snapshots(),
        commands=tuple(
            Command(step=step, document="restart-search", instance=name, sent=NOW - ago, outcome=outcome)
            for ago, outcome in outcomes
            if outcome
        ),
    )


AGENT: dict[str, tuple[tuple[tuple[int, Outcome], ...], type[Plan]]] = {
    "a command that is under way is waited for": (((100, "pending"),), Wait),
    "one that is pending for too long is in vain, and it is told again": (((200, "pending"),), Steps),
    "so is one that failed": (((100, "failed"),), Steps),
    "after three in vain allocation is given back": (
        ((700, "pending"), (450, "failed"), (200, "pending")),
        Steps,
    ),
}


@pytest.mark.parametrize(("outcomes", "kind"), AGENT.values(), ids=AGENT.keys())
def test_a_command_that_is_pending_for_long_is_in_vain(
    outcomes: tuple[tuple[int, Outcome], ...], kind: type[Plan]
) -> None:
    asked = question()
    node = asked.cluster.nodes[0]
    plan = decide(told_to_restart(node.name, node.ephemeral_id, *outcomes), asked.spec, NOW)
    assert isinstance(plan, kind), plan
    if isinstance(plan, Steps):
        assert isinstance(plan.steps[-1], AllowAllocation if len(outcomes) == 3 else RestartNodes)


CLOSED: dict[str, tuple[tuple[tuple[int, Outcome | None], ...], Reason]] = {
    "its command is not listed yet": (((25, None),), Reason.NODE_AWAY),
    "nor is its second, and the first failed": (((40, "failed"), (25, None)), Reason.NODE_AWAY),
    "it was never listed, and a person restarted it": (((65, None),), Reason.RESTARTING),
    "its command still waits until it serves": (((100, "pending"),), Reason.NODE_AWAY),
    "also for long": (((250, "pending"),), Reason.NODE_AWAY),
    "not for ever: a person is called": (((600, "pending"),), Reason.NODE_NOT_BACK),
    "its agent is dead by now, and it counts as serving": (((970, "pending"),), Reason.RESTARTING),
    "it serves, and the next is taken": (((100, "done"),), Reason.RESTARTING),
    "it serves, and was told once more": (((100, "done"), (50, "pending")), Reason.RESTARTING),
    "it never served: a person is called": (((700, "not-serving"), (690, "already")), Reason.NODE_NOT_BACK),
    "a person restarted it, after a command that failed": (((100, "failed"),), Reason.RESTARTING),
}


@pytest.mark.parametrize(("outcomes", "then"), CLOSED.values(), ids=CLOSED.keys())
def test_allocation_is_given_back_when_a_node_has_joined_and_the_next_waits_until_it_serves(
    outcomes: tuple[tuple[int, Outcome | None], ...], then: Reason
) -> None:
    asked = question()
    first, other = asked.cluster.nodes[:2]
    observed = told_to_restart(first.name, "another-process-than-now", *outcomes, left=other)
    plan = decide(observed, asked.spec, NOW)
    assert isinstance(plan, Steps), plan
    assert isinstance(plan.steps[0], AllowAllocation)
    given_back = tuple(msgspec.structs.replace(intent, demands=()) for intent in observed.intents)
    after = decide(msgspec.structs.replace(observed, intents=given_back), asked.spec, NOW)
    assert after.reason is then
    if then is Reason.NODE_AWAY:
        assert isinstance(after, Wait)
        assert not after.page


UNHEARD: dict[str, tuple[tuple[tuple[int, Outcome | None], ...], type[Plan]]] = {
    "its second command is under way, and the first failed": (((90, "failed"), (25, "pending")), Wait),
    "it was sent twice, and the second found the lock taken": (((90, "pending"), (85, "failed")), Wait),
    "its second is not listed yet": (((90, "failed"), (25, None)), Wait),
    "both have failed": (((90, "failed"), (25, "failed")), Steps),
}


@pytest.mark.parametrize(("outcomes", "kind"), UNHEARD.values(), ids=UNHEARD.keys())
def test_a_node_that_is_away_is_given_up_only_once_no_command_to_it_is_under_way(
    outcomes: tuple[tuple[int, Outcome | None], ...], kind: type[Plan]
) -> None:
    asked = question()
    away = asked.cluster.nodes[0]
    observed = told_to_restart(away.name, away.ephemeral_id, *outcomes)
    nodes = tuple(node for node in asked.cluster.nodes if node.name != away.name)
    there = group(Instance(id=away.name, zone=away.zone, lifecycle="InService"))
    cluster = msgspec.structs.replace(asked.cluster, nodes=nodes)
    plan = decide(msgspec.structs.replace(observed, cluster=cluster, groups=(there,)), asked.spec, NOW)
    assert isinstance(plan, kind), plan


def test_a_node_of_a_batch_that_joined_does_not_give_allocation_back_before_the_others() -> None:
    """Else the shards of the one that is away would be made anew elsewhere."""
    asked = question()
    first, other = asked.cluster.nodes[:2]
    observed = told_to_restart(first.name, "another-process-than-now", (20, "pending"))
    (intent,) = observed.intents
    noted = msgspec.structs.replace(rolling(intent), taken=(first.name, other.name))
    nodes = tuple(node for node in asked.cluster.nodes if node.name != other.name)
    there = tuple(Instance(id=one.name, zone=one.zone, lifecycle="InService") for one in (first, other))
    plan = decide(
        msgspec.structs.replace(
            observed,
            cluster=msgspec.structs.replace(asked.cluster, nodes=nodes),
            groups=(group(*there),),
            intents=(msgspec.structs.replace(intent, rolling=noted),),
        ),
        asked.spec,
        NOW,
    )
    assert isinstance(plan, Wait)
    assert plan.reason is Reason.NODE_AWAY


def test_what_a_function_that_died_left_restricted_is_given_back_before_shards_are_waited_for() -> None:
    """It had written the row, and not the setting: while that stands no replica can be assigned."""
    asked = question()
    node = asked.cluster.nodes[0]
    observed = told_to_restart(node.name, "another-process-than-now", (100, "done"))
    held = looked(observed, asked.cluster, asked.spec, NOW).converged([AllocationPrimaries()]).update.persistent
    copies = tuple(
        msgspec.structs.replace(one, state="UNASSIGNED", node=None)
        if one.node == node.name and not one.primary
        else one
        for one in asked.cluster.copies
    )
    settings = {key: value for key, value in held.items() if value is not None}
    restricted = msgspec.structs.replace(asked.cluster, persistent=settings, copies=copies, status="yellow")
    given_back = tuple(msgspec.structs.replace(intent, demands=()) for intent in observed.intents)
    plan = decide(msgspec.structs.replace(observed, intents=given_back, cluster=restricted), asked.spec, NOW)
    assert isinstance(plan, Steps), plan
    (step,) = plan.steps
    assert isinstance(step, AllowAllocation)
    assert step.update.persistent["cluster.routing.allocation.enable"] is None


def test_whoever_is_called_for_a_silent_agent_reads_the_way_on() -> None:
    asked = question()
    node = asked.cluster.nodes[0]
    observed = told_to_restart(node.name, node.ephemeral_id, *((ago, "failed") for ago in (300, 200, 100)))
    given_back = tuple(msgspec.structs.replace(intent, demands=()) for intent in observed.intents)
    plan = decide(msgspec.structs.replace(observed, intents=given_back), asked.spec, NOW)
    assert isinstance(plan, Blocked)
    assert plan.reason is Reason.NOT_RESTARTED
    assert "amazon-ssm-agent" in plan.message


def leaves(name: str, kind: Literal["leave", "spot"] = "leave") -> Intent:
    return Intent(
        id=f"{kind}-{name}", kind=kind, source="event", capability="zone_balance", instance=name, opened=iso(NOW)
    )


def test_an_instance_that_waits_for_nodes_of_its_version_does_not_hold_up_the_upgrade() -> None:
    """Its primaries may go to no older node: if the upgrade waited for it, each would wait for the other."""
    asked = question("3.4.0")
    holder = next(copy.node for copy in asked.cluster.copies if copy.primary)
    other = next(node.name for node in asked.cluster.nodes if node.name != holder)
    nodes = tuple(
        msgspec.structs.replace(node, version="3.4.0") if node.name == holder else node for node in asked.cluster.nodes
    )
    mixed = msgspec.structs.replace(asked.cluster, nodes=nodes)
    assert rules.urgent(Observed(cluster=mixed, groups=(), others=(leaves(str(holder)),)), mixed) == ()
    assert rules.urgent(Observed(cluster=mixed, groups=(), others=(leaves(other),)), mixed) != ()
    taken_back = Observed(cluster=mixed, groups=(), others=(leaves(str(holder), "spot"),))
    assert rules.urgent(taken_back, mixed) != (), "EC2 waits for nobody"
    alike = asked.cluster
    assert rules.urgent(Observed(cluster=alike, groups=(), others=(leaves(str(holder)),)), alike) != ()


def test_a_node_of_no_group_is_named_is_restarted_by_a_person_and_comes_last() -> None:
    asked = with_lifecycles(question(), {NODE: ""})
    found = rules.before(asked)
    assert found is not None
    assert found.reason is Reason.OUTSIDE_GROUPS
    assert NODE in found.message
    intent = restart({node.name: node.ephemeral_id for node in asked.cluster.nodes}, iso(NOW), "ada", ())
    observed = msgspec.structs.replace(asked.observed, intents=(intent,), identity=asked.cluster.uuid)
    look = looked(observed, asked.cluster, asked.spec, NOW)
    assert [node.name for node in look.batches[-1]] == [NODE]


def test_a_copy_that_is_not_leant_on_is_named_with_why() -> None:
    asked = question()
    held = {copy.id for copy in asked.cluster.copies if copy.node == NODE}
    twins = {copy.node for copy in asked.cluster.copies if copy.id in held and copy.node != NODE and copy.node}
    found = rules.before(with_lifecycles(asked, dict.fromkeys(twins, "")))
    assert found is not None
    assert found.reason in (Reason.ONLY_COPY, Reason.QUORUM)
    assert "of no group of claims" in found.message
    assert min(twins) in found.message
