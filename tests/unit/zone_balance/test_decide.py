"""decide(observed, spec, now): one case for each thing that can be decided, keyed by the sentence that it proves."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from tests.unit.zone_balance.building import (
    FORCED,
    GB,
    NOW,
    cluster,
    demanding,
    group,
    node,
    observed,
    ours,
    spec,
)

from vagus import owned
from vagus.cluster import Unseen
from vagus.plan import Blocked, Done, Plan, Progress, Steps, Wait, pages
from vagus.reasons import Reason
from vagus.steps import PutSettingsRight, kind
from vagus.zone_balance.decide import decide
from vagus.zone_balance.observed import Observed

WAITING, RETAINED, GOING, SERVING = "Terminating:Wait", "Terminating:Retained", "Terminating:Proceed", "InService"
SIX = [node(f"n{number}", (number - 1) // 2) for number in range(1, 7)]
THREE = [node(f"n{number}", number - 1) for number in range(1, 4)]
TWO_ZONES = [group(1, {"n3": SERVING, "n4": SERVING}), group(2, {"n5": SERVING, "n6": SERVING})]
LAYOUT = "a:n1,n3 b:n2,n5"


def six(first: Mapping[str, str], layout: str = LAYOUT, *, nodes: list[Any] = SIX, **fields: Any) -> Observed:
    """Six nodes, two in a zone; `first`: the members of the first zone's group. Other fields go where they belong."""
    of_the_cluster = {
        name: fields.pop(name)
        for name in ("persistent", "transient", "status", "stores", "voters", "uuid", "counted_indices", "size")
        if name in fields
    }
    of_the_group = {name: fields.pop(name) for name in ("retains", "hook", "desired") if name in fields}
    of_the_cluster["persistent"] = FORCED | of_the_cluster.get("persistent", {})
    seen = cluster(nodes, layout, **of_the_cluster)
    return observed(seen, [group(0, first, **of_the_group), *TWO_ZONES], **fields)


def three(*states: str, layout: str = "a:n1,n2,n3", nodes: list[Any] = THREE, **fields: Any) -> Observed:
    """Three nodes, one in a zone, a copy in each."""
    of_the_group = {name: fields.pop(name) for name in ("retains", "hook") if name in fields}
    groups = [group(zone, {f"n{zone + 1}": state}, desired=1, **of_the_group) for zone, state in enumerate(states)]
    seen = cluster(nodes, layout, persistent=FORCED | fields.pop("persistent", {}))
    return observed(seen, groups, declared=spec(per_zone=1), **fields)


BOTH_SERVE = {"n1": SERVING, "n2": SERVING}
FIRST_WAITS = {"n1": WAITING, "n2": SERVING}
FIRST_GOES = {"n1": GOING, "n2": SERVING}
FIRST_RETAINED = {"n1": RETAINED, "n2": SERVING}
EMPTY = "a:n2,n3 b:n2,n5"
UNREACHABLE = Unseen(reason="UNREACHABLE", message="nobody answered")
JUST_NOW, LONG_AGO = "2025-12-31T23:59:50Z", "2025-12-31T23:54:59Z"
ONE_EACH = {"per_zone": 1}
ONE_ZONE = {"per_zone": 1, "nowhere_to_go": "one_zone_at_a_time"}

# sentence -> (observed, policy, kinds of the plan's own steps, or of the plan; reason)
CASES: dict[str, tuple[Observed, dict[str, Any], str, Reason]] = {
    # sight
    "nothing leaves": (six(BOTH_SERVE), {}, "Done", Reason.NOTHING_LEAVES),
    "a cluster seen for the first time is noted": (six(BOTH_SERVE, identity=None), {}, "NoteIdentity", Reason.NOTING),
    "a cluster with half of its managers has not formed": (
        six(BOTH_SERVE, "", nodes=SIX[:3], identity=None),
        {},
        "Done",
        Reason.FORMING,
    ),
    "a cluster without a UUID has not formed": (
        six(BOTH_SERVE, uuid="_na_", identity=None),
        {},
        "Done",
        Reason.FORMING,
    ),
    "a cluster that never formed is given its nodes": (
        observed(UNREACHABLE, [group(0, {})], identity=None, sizes={}),
        {},
        "SetGroupSize",
        Reason.SIZING,
    ),
    "a cluster that never formed and has its nodes is waited for": (
        observed(UNREACHABLE, [group(0, BOTH_SERVE)], identity=None),
        {},
        "Done",
        Reason.FORMING,
    ),
    "that no identity was noted does not prove that an instance which waits holds nothing": (
        observed(UNREACHABLE, [group(0, FIRST_WAITS)], identity=None, sizes={}),
        {},
        "Blocked",
        Reason.UNREACHABLE,
    ),
    "nor do fewer managers than are declared": (
        six(FIRST_WAITS, "", nodes=SIX[:3], identity=None),
        {},
        "Blocked",
        Reason.UNREACHABLE,
    ),
    "another cluster answers": (six(FIRST_WAITS, uuid="uuid-2"), {}, "Blocked", Reason.WRONG_CLUSTER),
    "an index that we can't see": (six(FIRST_WAITS, counted_indices=3), {}, "Blocked", Reason.CANNOT_SEE_ALL),
    "an error is never empty": (
        observed(UNREACHABLE, [group(0, FIRST_WAITS)]),
        {},
        "Blocked",
        Reason.UNREACHABLE,
    ),
    "a permission is missing": (
        observed(Unseen(reason="DENIED", message="indices:monitor"), [group(0, FIRST_WAITS)]),
        {},
        "Blocked",
        Reason.DENIED,
    ),
    "a cluster that is asked too much is not empty either": (
        observed(Unseen(reason="THROTTLED", message="429"), [group(0, FIRST_WAITS)]),
        {},
        "Blocked",
        Reason.UNREACHABLE,
    ),
    # taking
    "a leaving node that holds shards is excluded": (six(FIRST_WAITS), {}, "ExcludeNodes", Reason.DRAINING),
    "so is one that holds nothing yet, for shards may still come": (
        six(FIRST_WAITS, EMPTY),
        {},
        "ExcludeNodes",
        Reason.DRAINING,
    ),
    "a red cluster takes nothing new": (six(FIRST_WAITS, "a:n1,n3 b:-,-"), {}, "Blocked", Reason.CLUSTER_RED),
    "a yellow one may": (six(FIRST_WAITS, "a:n1,n3 b:n2,-"), {}, "ExcludeNodes", Reason.DRAINING),
    "no room": (six(FIRST_WAITS, "a:n1,n3", size=200 * GB), {}, "Blocked", Reason.NO_ROOM),
    "a person excluded it already": (
        six(FIRST_WAITS, persistent={owned.EXCLUDE: "n1"}),
        {},
        "Wait",
        Reason.SHARDS_MOVING,
    ),
    "a person removed our exclusion": (
        six(FIRST_WAITS, intents=(demanding("n1"),), persistent={owned.MARK: "n1"}),
        {},
        "Blocked",
        Reason.REMOVED_BY_HAND,
    ),
    "a person removed our exclusion, and the instance has gone since": (
        six({"n2": SERVING}, EMPTY, nodes=SIX[1:], intents=(demanding("n1"),), persistent={owned.MARK: "n1"}),
        {},
        "PutSettingsRight",
        Reason.TIDYING,
    ),
    # letting go
    "proven empty": (
        six(FIRST_WAITS, EMPTY, persistent=ours("n1"), intents=(demanding("n1"),)),
        {},
        "LetEmptyInstanceGo",
        Reason.LETTING_GO,
    ),
    "let go just now, and AWS still shows it as waiting": (
        six(FIRST_WAITS, EMPTY, persistent=ours("n1"), intents=(demanding("n1", let_go=JUST_NOW),)),
        {},
        "Wait",
        Reason.INSTANCE_GOING,
    ),
    "let go five minutes ago, and AWS still shows it as waiting: once more": (
        six(FIRST_WAITS, EMPTY, persistent=ours("n1"), intents=(demanding("n1", let_go=LONG_AGO),)),
        {},
        "LetEmptyInstanceGo",
        Reason.LETTING_GO,
    ),
    "ended just now, and AWS still shows it as retained": (
        six(FIRST_RETAINED, EMPTY, nodes=SIX[1:], intents=(demanding("n1", let_go=JUST_NOW),)),
        {},
        "Wait",
        Reason.INSTANCE_GOING,
    ),
    "proven empty, and held": (
        six(FIRST_RETAINED, EMPTY, persistent=ours("n1"), intents=(demanding("n1"),)),
        {},
        "EndRetainedInstance",
        Reason.LETTING_GO,
    ),
    "a store of an unassigned shard on its disk is not empty": (
        six(FIRST_WAITS, "a:n2,- b:n2,n5", persistent=ours("n1"), intents=(demanding("n1"),), stores=("n1",)),
        {},
        "Wait",
        Reason.SHARDS_MOVING,
    ),
    "a shard on its way to it is not empty": (
        six(FIRST_WAITS, "a:n2>n1,n3", persistent=ours("n1"), intents=(demanding("n1"),)),
        {},
        "Wait",
        Reason.SHARDS_MOVING,
    ),
    "empty while the cluster is red goes nowhere": (
        six(FIRST_WAITS, "a:n2,n3 b:-,-", persistent=ours("n1"), intents=(demanding("n1"),)),
        {},
        "Blocked",
        Reason.CLUSTER_RED,
    ),
    "empty, and its vote is needed": (
        six(
            FIRST_WAITS,
            EMPTY,
            persistent=ours("n1"),
            intents=(demanding("n1"),),
            voters=("n1", "n2", "m8", "m9"),
        ),
        {},
        "Blocked",
        Reason.QUORUM,
    ),
    "lost, and every shard stands elsewhere": (
        six(FIRST_WAITS, EMPTY, nodes=SIX[1:]),
        {},
        "LetLostInstanceGo",
        Reason.LETTING_GO,
    ),
    "lost, and a shard has no copy": (
        six(FIRST_WAITS, "a:-,- b:n2,n5", nodes=SIX[1:]),
        {},
        "Blocked",
        Reason.CLUSTER_RED,
    ),
    "lost, and held before": (six(FIRST_RETAINED, EMPTY, nodes=SIX[1:]), {}, "EndRetainedInstance", Reason.LETTING_GO),
    "lost, and the only active copy is on an instance that was let go": (
        six({"n1": WAITING, "n2": GOING}, "a:n2,-", nodes=SIX[1:]),
        {},
        "Blocked",
        Reason.LOST_WITH_DATA,
    ),
    # nowhere to go
    "nowhere to go: it is held": (three(WAITING, SERVING, SERVING), ONE_EACH, "HoldInstance", Reason.HOLDING),
    "nowhere to go, and held: its replacement is awaited": (
        three(RETAINED, SERVING, SERVING),
        ONE_EACH,
        "Wait",
        Reason.REPLACEMENT_AWAITED,
    ),
    "held just now, and AWS still shows it as waiting": (
        three(WAITING, SERVING, SERVING, intents=(demanding("n1", held=JUST_NOW),)),
        ONE_EACH,
        "Wait",
        Reason.REPLACEMENT_AWAITED,
    ),
    "held five minutes ago, and AWS still shows it as waiting: once more": (
        three(WAITING, SERVING, SERVING, intents=(demanding("n1", held=LONG_AGO),)),
        ONE_EACH,
        "HoldInstance",
        Reason.HOLDING,
    ),
    "nowhere to go in a group that would not retain it": (
        three(WAITING, SERVING, SERVING, retains=False),
        ONE_EACH,
        "Blocked",
        Reason.NOWHERE_TO_GO,
    ),
    "nowhere to go, and the policy lets one zone go": (
        three(WAITING, SERVING, SERVING),
        ONE_ZONE,
        "LetReplaceableInstanceGo",
        Reason.LETTING_GO,
    ),
    "one zone at a time: not while the cluster is yellow": (
        three(WAITING, SERVING, SERVING, layout="a:n1,n2,n3 b:n2,-"),
        ONE_ZONE,
        "Wait",
        Reason.REPLACEMENT_AWAITED,
    ),
    "one zone at a time: not while another that was let go still serves": (
        three(WAITING, GOING, SERVING, layout="a:n1,n2,n3"),
        ONE_ZONE,
        "Wait",
        Reason.REPLACEMENT_AWAITED,
    ),
    "one zone at a time: not while another was let go and AWS does not show it": (
        three(WAITING, WAITING, SERVING, intents=(demanding("n2", let_go=JUST_NOW),)),
        ONE_ZONE,
        "Wait",
        Reason.REPLACEMENT_AWAITED,
    ),
    "one zone at a time never takes an only copy": (
        three(WAITING, SERVING, SERVING, layout="a:n1,n2,n3 b:n1", persistent={owned.EXCLUDE: "n2,n3"}),
        ONE_ZONE,
        "HoldInstance",
        Reason.HOLDING,
    ),
    # waiting
    "shards are moving": (
        six(FIRST_WAITS, "a:n1>n2,n3", persistent=ours("n1"), intents=(demanding("n1"),)),
        {},
        "Wait",
        Reason.SHARDS_MOVING,
    ),
    "it was let go and has still to leave": (
        six(FIRST_GOES, EMPTY, persistent=ours("n1"), intents=(demanding("n1"),)),
        {},
        "Wait",
        Reason.INSTANCE_GOING,
    ),
    "a manager waits for one that was let go": (
        six({"n1": WAITING, "n2": GOING}, "a:n3,n5", persistent=ours("n1"), intents=(demanding("n1"),)),
        {},
        "Wait",
        Reason.QUORUM,
    ),
    "a manager waits for one that was let go, though AWS does not show it": (
        six(
            {"n1": WAITING, "n2": WAITING},
            "a:n3,n5",
            persistent=ours("n1", "n2"),
            intents=(demanding("n1"), demanding("n2", let_go=JUST_NOW)),
        ),
        {},
        "Wait",
        Reason.QUORUM,
    ),
    "an instance whose group has no hook that we know": (
        six(FIRST_WAITS, EMPTY, persistent=ours("n1"), intents=(demanding("n1"),), hook=None),
        {},
        "Blocked",
        Reason.NOWHERE_TO_GO,
    ),
    # tidying
    "it is gone: its intent is closed and its exclusion given back": (
        six({"n2": SERVING}, EMPTY, nodes=SIX[1:], persistent=ours("n1"), intents=(demanding("n1"),)),
        {},
        "PutSettingsRight",
        Reason.TIDYING,
    ),
    "it is back in service: the same": (
        six(BOTH_SERVE, persistent=ours("n1"), intents=(demanding("n1"),)),
        {},
        "PutSettingsRight",
        Reason.TIDYING,
    ),
    "its instance is gone and its node not yet: nothing is given back": (
        six({"n2": SERVING}, EMPTY, persistent=ours("n1"), intents=(demanding("n1"),)),
        {},
        "Wait",
        Reason.INSTANCE_GOING,
    ),
    "a stale exclusion of ours is mended": (
        six(BOTH_SERVE, persistent=ours("n9")),
        {},
        "PutSettingsRight",
        Reason.TIDYING,
    ),
    "a demand whose exclusion was never written is taken anew": (
        six(FIRST_WAITS, intents=(demanding("n1"),)),
        {},
        "ExcludeNodes",
        Reason.DRAINING,
    ),
    "and not past a rule that trips by now": (
        six(FIRST_WAITS, "a:n1,n3 b:-,-", intents=(demanding("n1"),)),
        {},
        "Blocked",
        Reason.CLUSTER_RED,
    ),
    "a transient twin that hides our exclusion is merged": (
        six(FIRST_WAITS, persistent=ours("n1"), transient={owned.EXCLUDE: "n6"}, intents=(demanding("n1"),)),
        {},
        "PutSettingsRight",
        Reason.TIDYING,
    ),
    # sizes
    "a group is given its declared size": (six(BOTH_SERVE, sizes={}, desired=1), {}, "SetGroupSize", Reason.SIZING),
    "a group that people made larger keeps its size": (
        observed(cluster(SIX, LAYOUT), [group(0, {**BOTH_SERVE, "n7": SERVING}), *TWO_ZONES]),
        {},
        "Done",
        Reason.NOTHING_LEAVES,
    ),
    "a group grows after a leaving node was excluded": (
        six(FIRST_WAITS, sizes={}, desired=3),
        {},
        "ExcludeNodes",
        Reason.DRAINING,
    ),
    "and after one was held": (
        three(WAITING, SERVING, SERVING, sizes={}),
        ONE_EACH,
        "HoldInstance",
        Reason.HOLDING,
    ),
    "but before its shards have moved, which may be what they wait for": (
        six(FIRST_WAITS, sizes={}, desired=1, persistent=ours("n1"), intents=(demanding("n1"),)),
        {},
        "SetGroupSize",
        Reason.SIZING,
    ),
    "a group grows even while a drain is blocked": (
        six(FIRST_WAITS, "a:n1,n3 b:-,-", sizes={}, desired=1),
        {},
        "SetGroupSize",
        Reason.SIZING,
    ),
}


def _said(plan: Plan) -> str:
    return kind(plan.steps[0]) if isinstance(plan, Steps) else type(plan).__name__


@pytest.mark.parametrize(("seen", "policy", "said", "reason"), CASES.values(), ids=CASES.keys())
def test_decided(seen: Observed, policy: dict[str, Any], said: str, reason: Reason) -> None:
    plan = decide(seen, spec(**policy), NOW)
    assert (_said(plan), plan.reason) == (said, reason), plan.message
    assert plan.message


@pytest.mark.parametrize(("seen", "policy", "said", "reason"), CASES.values(), ids=CASES.keys())
def test_while_a_hook_waits_a_block_is_a_wait(
    seen: Observed, policy: dict[str, Any], said: str, reason: Reason
) -> None:
    plan = decide(seen, spec(**policy), NOW)
    if isinstance(plan, Blocked):
        assert plan.open_deadline is seen.deadline()
    if isinstance(plan, Done):
        assert not seen.deadline(), "a waiting instance is never done with"


SILENT = [*SIX[:1], *(node(f"n{number}", (number - 1) // 2, free=0, total=0) for number in range(2, 7))]
UNSURE: dict[str, tuple[Observed, Reason]] = {
    "nobody answers": (observed(UNREACHABLE, [group(0, FIRST_WAITS)]), Reason.UNREACHABLE),
    "an index is not shown": (six(FIRST_WAITS, counted_indices=3), Reason.CANNOT_SEE_ALL),
    "nodes do not tell their disks": (six(FIRST_WAITS, nodes=SILENT), Reason.NO_ROOM),
}


@pytest.mark.parametrize(("seen", "reason"), UNSURE.values(), ids=UNSURE.keys())
def test_a_look_that_can_not_be_decided_on_is_repeated_three_times_before_a_person_is_told(
    seen: Observed, reason: Reason
) -> None:
    seen = msgspec.structs.replace(seen, progress=Progress(bytes_left=7, at=NOW - 90, changed_at=NOW - 90))
    plans: list[Plan] = []
    for _ in range(5):
        plans.append(decide(seen, spec(), NOW))
        seen = msgspec.structs.replace(seen, progress=plans[-1].progress)
    assert [type(plan).__name__ for plan in plans] == ["Wait"] * 3 + ["Blocked"] * 2
    assert {plan.reason for plan in plans} == {reason}
    assert not any(pages(plan) for plan in plans[:3])
    assert seen.progress == Progress(bytes_left=7, at=NOW - 90, changed_at=NOW - 90, unseen=5)
    good = decide(six(FIRST_WAITS, progress=seen.progress), spec(), NOW)
    assert good.progress == Progress(bytes_left=7, at=NOW - 90, changed_at=NOW - 90)


def test_in_mode_observe_and_outside_of_a_run_it_is_told_at_once() -> None:
    seen = observed(UNREACHABLE, [group(0, FIRST_WAITS)])
    in_a_run = msgspec.structs.replace(seen, progress=Progress(bytes_left=0, at=NOW, changed_at=NOW))
    assert isinstance(decide(seen, spec(), NOW), Blocked)
    assert isinstance(decide(in_a_run, spec(mode="observe"), NOW), Blocked)


def test_managers_are_taken_one_at_a_time_and_data_nodes_together() -> None:
    plain = [node(f"n{number}", (number - 1) // 2, roles=("data",)) for number in range(1, 7)]
    managers = [node(f"m{number}", number) for number in range(3)]
    groups = [group(0, {"n1": WAITING, "n2": SERVING}), group(1, {"n3": WAITING, "n4": SERVING}), TWO_ZONES[1]]
    known = group(2, {one.name: SERVING for one in managers})
    together = decide(observed(cluster([*plain, *managers], LAYOUT), [*groups, known]), spec(), NOW)
    one_by_one = decide(observed(cluster(SIX, LAYOUT), groups), spec(), NOW)
    assert isinstance(together, Steps)
    assert isinstance(one_by_one, Steps)
    assert together.steps[0].subject == "n1,n3"
    assert one_by_one.steps[0].subject == "n1"


def test_a_shrink_is_one_node_at_a_time_and_waits_until_the_last_is_gone() -> None:
    members = {"n1": SERVING, "n2": SERVING, "n7": SERVING, "n8": SERVING}
    nodes = [*SIX, node("n7"), node("n8")]
    noted = {name: size for name, size in spec().sizes().items() if not name.endswith("a")}

    def after(first: Mapping[str, str], desired: int) -> Plan:
        groups = [group(0, first, desired=desired), *TWO_ZONES]
        return decide(observed(cluster(nodes, LAYOUT), groups, sizes=noted), spec(), NOW)

    plan = after(members, 4)
    assert isinstance(plan, Steps)
    assert [(kind(step), step.subject) for step in plan.steps] == [("SetGroupSize", group(0, {}).name)]
    assert plan.steps[0].sentence.startswith(f"set the size of {group(0, {}).name} to 3")
    assert isinstance(after(members, 3), Done), "the last shrink has not begun to show"
    assert isinstance(after({**members, "n8": GOING}, 3), Done), "nor ended"
    assert isinstance(after({"n1": SERVING, "n2": SERVING, "n7": SERVING}, 3), Steps)


def test_a_plan_foresees_what_follows() -> None:
    plan = decide(six(FIRST_WAITS), spec(), NOW)
    assert isinstance(plan, Steps)
    assert [kind(step) for step in plan.steps] == ["ExcludeNodes", "LetEmptyInstanceGo", "PutSettingsRight"]
    waiting = decide(six(FIRST_WAITS, "a:n1>n2,n3", persistent=ours("n1"), intents=(demanding("n1"),)), spec(), NOW)
    assert isinstance(waiting, Wait)
    assert [kind(step) for step in waiting.foreseen] == ["PutSettingsRight"]


def mine(layout: str, members: Mapping[str, str] = FIRST_WAITS, **fields: Any) -> Observed:
    """n1 is excluded by us."""
    return six(members, layout, persistent=ours("n1"), intents=(demanding("n1"),), **fields)


STANDS, MOVES = "a:n1,n3 b:n2,n5", "a:n1>n2,n3 b:n2,n5"
# what is waited for -> (observed, policy, the reason while it may last, and after, and how many seconds that is)
PATIENCE: dict[str, tuple[Observed, dict[str, Any], Reason, Reason, int]] = {
    "no shard moves": (mine(STANDS), {}, Reason.SHARDS_MOVING, Reason.STALLED, 120),
    "the same shard is on its way": (mine(MOVES), {}, Reason.SHARDS_MOVING, Reason.STALLED, 7200),
    "it was let go and is still listed": (mine(EMPTY, FIRST_GOES), {}, Reason.INSTANCE_GOING, Reason.STALLED, 900),
    "a manager is replaced": (
        mine("a:n3,n5", {"n1": WAITING, "n2": GOING}),
        {},
        Reason.QUORUM,
        Reason.QUORUM,
        1500,
    ),
    "a replacement of one that is held": (
        three(RETAINED, SERVING, SERVING),
        ONE_EACH,
        Reason.REPLACEMENT_AWAITED,
        Reason.REPLACEMENT_AWAITED,
        1500,
    ),
    "a replacement in another zone": (
        three(WAITING, GOING, SERVING),
        ONE_ZONE,
        Reason.REPLACEMENT_AWAITED,
        Reason.REPLACEMENT_AWAITED,
        1500,
    ),
}


@pytest.mark.parametrize(("seen", "policy", "while_it_may", "after", "most"), PATIENCE.values(), ids=PATIENCE.keys())
def test_what_lasts_is_waited_for_in_silence_and_then_told(
    seen: Observed, policy: dict[str, Any], while_it_may: Reason, after: Reason, most: int
) -> None:
    def at(seconds: float) -> Plan:
        return decide(msgspec.structs.replace(seen, progress=first.progress), spec(**policy), NOW + seconds)

    first = decide(seen, spec(**policy), NOW)
    for plan in (first, at(most - 1)):
        assert (plan.reason, pages(plan)) == (while_it_may, False), plan.message
    assert (at(most).reason, pages(at(most))) == (after, True)


CHANGES: dict[str, tuple[Observed, bool]] = {
    "another copy has left": (mine("a:n2,n3 b:n2,n1"), True),
    "it has begun to move": (mine(MOVES), True),
    "it goes elsewhere": (mine("a:n1>n6,n3 b:n2,n5"), True),
    "its index has grown": (mine(STANDS, size=2 * GB), False),
    "nothing": (mine(STANDS), False),
}


@pytest.mark.parametrize(("then", "changed"), CHANGES.values(), ids=CHANGES.keys())
def test_progress_is_in_the_set_of_copies_and_where_they_go(then: Observed, changed: bool) -> None:
    first = decide(mine(STANDS), spec(), NOW).progress
    progress = decide(msgspec.structs.replace(then, progress=first), spec(), NOW + 60).progress
    assert progress is not None
    assert progress.changed_at == (NOW + 60 if changed else NOW)


def test_a_step_in_between_sets_no_clock_back() -> None:
    first = decide(mine(STANDS), spec(), NOW).progress
    seen = mine(STANDS, sizes={}, desired=1, progress=first)
    plan = decide(seen, spec(), NOW + 60)
    assert isinstance(plan, Steps)
    assert plan.progress == first


def test_a_drain_that_stalls_says_why_in_the_deciders_own_words() -> None:
    progress = decide(mine(STANDS), spec(), NOW).progress
    stalled = mine(STANDS, progress=progress, explanation="a[0]: n2: the node is above the high watermark")
    plan = decide(stalled, spec(), NOW + 120)
    assert isinstance(plan, Wait)
    assert plan.page
    assert "the node is above the high watermark" in plan.message


def test_putting_right_never_excludes_a_node_that_was_not_before() -> None:
    both = {"n1": WAITING, "n2": SERVING}
    seen = six(both, persistent=ours("n9"), intents=(demanding("n1"),))
    plan = decide(seen, spec(), NOW)
    assert isinstance(plan, Steps)
    assert kind(plan.steps[0]) == "PutSettingsRight"
    assert plan.steps[0].update.persistent == {owned.EXCLUDE: None, owned.MARK: None}  # type: ignore[union-attr]  # see above


def test_a_step_writes_no_more_rows_than_a_transaction_holds() -> None:
    names = [f"x{number:03}" for number in range(120)]
    nodes = [node(name, number % 2, roles=("data",)) for number, name in enumerate(names)]
    groups = [group(0, dict.fromkeys(names, WAITING)), *TWO_ZONES]
    taking = decide(observed(cluster([*SIX, *nodes], LAYOUT), groups), spec(), NOW)
    assert isinstance(taking, Steps)
    assert len(taking.steps[0].intents) == 90  # type: ignore[union-attr]  # more than one kind has them

    intents = tuple(demanding(name) for name in names)
    over = cluster(SIX, LAYOUT, persistent=ours(*names))
    closing = decide(observed(over, [group(0, BOTH_SERVE), *TWO_ZONES], intents=intents), spec(), NOW)
    assert isinstance(closing, Steps)
    step = closing.steps[0]
    assert isinstance(step, PutSettingsRight)
    assert len(step.closes) == 90
    assert step.update.persistent[owned.MARK] == ",".join(names[90:])


def test_what_people_excluded_stays_beside_ours() -> None:
    plan = decide(six(FIRST_WAITS, persistent={owned.EXCLUDE: "n6"}), spec(), NOW)
    assert isinstance(plan, Steps)
    update = plan.steps[0].update  # type: ignore[union-attr]  # the kind is asserted by the table above
    assert update.persistent == {owned.EXCLUDE: "n1,n6", owned.MARK: "n1"}
