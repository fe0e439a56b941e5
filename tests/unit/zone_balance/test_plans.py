"""What plans hold beside their first step: whom they take together, what they foresee, and what they leave alone."""

from collections.abc import Mapping

from tests.unit.zone_balance.building import (
    BOTH_SERVE,
    FIRST_WAITS,
    GOING,
    JUST_NOW,
    LAYOUT,
    NOW,
    SERVING,
    SIX,
    TWO_ZONES,
    WAITING,
    cluster,
    demanding,
    group,
    node,
    observed,
    ours,
    six,
    spec,
)

from vagus import owned
from vagus.plan import Done, Plan, Steps, Wait
from vagus.steps import PutSettingsRight, kind
from vagus.zone_balance.decide import decide


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
    assert [kind(step) for step in plan.steps] == [
        "ExcludeNodes",
        "TakeVote",
        "LetEmptyInstanceGo",
        "PutSettingsRight",
    ]
    waiting = decide(six(FIRST_WAITS, "a:n1>n2,n3", persistent=ours("n1"), intents=(demanding("n1"),)), spec(), NOW)
    assert isinstance(waiting, Wait)
    assert [kind(step) for step in waiting.foreseen] == ["PutSettingsRight"]


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

    intents = tuple(demanding(name, let_go=JUST_NOW) for name in names)
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
