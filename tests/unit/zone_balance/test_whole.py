"""Whether a cluster is whole enough for one that comes to serve. Tables keyed by a sentence."""

from typing import Any

import pytest
from tests.unit.zone_balance.building import (
    FORCED,
    NOW,
    SERVING,
    SIX,
    TWO_ZONES,
    cluster,
    demanding,
    group,
    node,
    observed,
    ours,
    spec,
)

from vagus.plan import Steps
from vagus.steps import ContinueLaunch
from vagus.zone_balance import launching, placement, whole
from vagus.zone_balance.decide import decide
from vagus.zone_balance.looking import Look, looked

COMES = {"n1": SERVING, "n2": SERVING, "n7": "Pending:Wait"}
SEVEN = [*SIX, node("n7", 0)]
HERE = "a:n1,n3"


def look(layout: str, *, nodes: Any = SEVEN, desired: int = 3, groups: Any = None, **fields: Any) -> Look:
    """`n7` comes to the first zone of three."""
    persistent = FORCED | fields.pop("persistent", {})
    seen = cluster(nodes, layout, persistent=persistent, **{n: fields.pop(n) for n in ("status",) if n in fields})
    made = observed(seen, groups or [group(0, COMES, desired=desired), *TWO_ZONES], **fields)
    return looked(made, seen, spec(), NOW)


EVERYWHERE = "n1,n2,n3,n4,n5,n6,n7"
WIDE = f"wide:{EVERYWHERE},-"
EIGHT = [*SEVEN, node("n8", 0)]
FIRST_ZONE = group(0, COMES, desired=3)
SECOND_ZONE = group(1, {"n3": SERVING, "n4": SERVING, "n8": "Pending:Wait"}, desired=3)
FOUR_IN_A_ZONE = group(0, {**COMES, "n8": "Pending:Wait"}, desired=4)

WHOLE: dict[str, Look] = {
    "green": look(HERE),
    "green, and a shard moves: a drain is no recovery": look("a:n1>n7,n3"),
    "more replicas than nodes, and a fourth is expected in a zone that has its share": look(
        f"{HERE} {WIDE}", desired=4
    ),
    "more replicas than nodes": look(f"{HERE} {WIDE}"),
    "an index on every node, and awareness lets one zone have three copies of eight": look(
        f"{HERE} security:n1,n2,n7,n3,n4,n5,n6,-", nodes=EIGHT, groups=[FOUR_IN_A_ZONE, *TWO_ZONES]
    ),
    "what could take it is excluded": look(
        "wide:n1,n2,n3,n4,n5,n6,-", persistent={"cluster.routing.allocation.exclude._name": "n7"}
    ),
    "two that are missing, and both have no home": look(f"{HERE} {WIDE},-"),
}
NOT_WHOLE: dict[str, tuple[Look, str]] = {
    "a replica could go to a node": (look("a:n1,-"), "copies of a[0] are not active"),
    "a replica could go to the node that comes alone": (look("wide:n1,n2,n3,n4,n5,n6,-"), "wide[0]"),
    "one more has no home, and another has": (look(f"a:n1,- {WIDE}"), "copies of a[0] are not active"),
    "a copy initializes": (look(f"{HERE} wide:n1,n2,n3,n4,n5,n6,+n7,-"), "wide[0] are not active"),
    "a primary is missing": (look(f"a:-,- {WIDE}"), "red"),
    "a shard moves to the node that comes": (look("a:n1>n7,n3 wide:n1,n2,n3,n4,n5,n6,-"), "a[0] moves to"),
    "a node that should be there could take it": (
        look("wide:n1,n2,n3,n4,n5,n7,-", nodes=[one for one in SEVEN if one.name != "n6"]),
        "wide[0]",
    ),
    "one that has still to be launched could take it": (
        look(f"{HERE} {WIDE}", groups=[FIRST_ZONE, group(1, {"n3": SERVING, "n4": SERVING}, desired=3), TWO_ZONES[1]]),
        "wide[0]",
    ),
    "one that comes, and has not joined, could take it": (
        look(f"{HERE} {WIDE}", groups=[FIRST_ZONE, SECOND_ZONE, TWO_ZONES[1]]),
        "wide[0]",
    ),
    "the engine says yellow, and nothing is missing": (look(HERE, status="yellow"), "the cluster is yellow"),
    "one that was let go holds copies": (
        look(
            "a:n1,n3",
            groups=[group(0, {**COMES, "n1": "Terminating:Proceed"}, desired=2), *TWO_ZONES],
            intents=(demanding("n1", let_go="2025-12-31T23:59:00Z"),),
            persistent=ours("n1"),
        ),
        "n1 goes with copies",
    ),
}


@pytest.mark.parametrize("seen", WHOLE.values(), ids=WHOLE.keys())
def test_whole_enough(seen: Look) -> None:
    assert whole.why_not(seen) == ""


@pytest.mark.parametrize(("seen", "words"), NOT_WHOLE.values(), ids=NOT_WHOLE.keys())
def test_not_whole(seen: Look, words: str) -> None:
    assert words in whole.why_not(seen)


def test_what_lasts_is_a_finding_of_the_step() -> None:
    seen = look(f"{HERE} {WIDE}")
    plan = decide(seen.observed, spec(), NOW)
    assert isinstance(plan, Steps)
    assert isinstance(plan.steps[0], ContinueLaunch)
    assert "no node may take what is missing of wide[0]" in plan.steps[0].sentence


def test_what_many_missing_copies_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, for it is paid in an outage: nothing where nobody comes, and one pass over the layout otherwise."""
    passes: list[int] = []
    zones = placement.zones
    monkeypatch.setattr(placement, "zones", lambda seen: passes.append(1) or zones(seen))
    lost = " ".join(f"i{number}:n1,-" for number in range(300))
    nobody = group(0, {"n1": SERVING, "n2": SERVING}, desired=2)
    assert launching.admit(look(lost, nodes=SIX, groups=[nobody, *TWO_ZONES])) is None
    assert passes == []
    assert launching.admit(look(lost)) is None
    assert passes == [1]
    homeless = " ".join(f"i{number}:{EVERYWHERE},-" for number in range(300))
    assert launching.admit(look(homeless)) is not None
    assert passes == [1, 1]
