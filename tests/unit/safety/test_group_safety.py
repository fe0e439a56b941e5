"""GroupSafety: each rule trips on its violation, and on nothing else. A table keyed by sentence."""

import re
from pathlib import Path

import msgspec
import pytest

from vagus.group_safety import LAUNCHING, RULES, TERMINATING, GroupFacts, Hook, Machine, violations

HOOK = Hook(name="vagus-terminate", transition=TERMINATING, timeout=3600, default_result="ABANDON")
LAUNCH = Hook(name="vagus-launch", transition=LAUNCHING, timeout=3600, default_result="CONTINUE")
MACHINE = Machine(what="its launch template", spot=False, tokens_required=True, kept_volumes=("/dev/sdf",))
SAFE = GroupFacts(
    name="claims-data-eu-west-1a",
    zones=("eu-west-1a",),
    roles=("data",),
    health_checks=("EC2",),
    hooks=(HOOK, LAUNCH),
    retains=True,
    healthy=(100, 200),
    machines=(MACHINE,),
)


def but(**changes: object) -> GroupFacts:
    return msgspec.structs.replace(SAFE, **changes)


def machine(**changes: object) -> GroupFacts:
    return but(machines=(MACHINE, msgspec.structs.replace(MACHINE, what="instance i-1", **changes)))


def hook(**changes: object) -> GroupFacts:
    return but(hooks=(msgspec.structs.replace(HOOK, **changes), LAUNCH))


def launch(**changes: object) -> GroupFacts:
    return but(hooks=(HOOK, msgspec.structs.replace(LAUNCH, **changes)))


# sentence: (group, the one rule that it breaks, words of what is said)
BROKEN = {
    "a load balancer's health check": (but(health_checks=("EC2", "ELB")), "healed_by_more_than_ec2", "ELB"),
    "two zones that are evened out": (but(zones=("a", "b")), "rebalanced_across_zones", "a, b"),
    "a warm pool": (but(warm_pool=True), "kept_in_a_warm_pool", "warm pool"),
    "a longest lifetime": (but(longest_life=604_800), "lives_only_so_long", "604800 s"),
    "no maintenance policy": (but(healthy=None), "ended_before_replaced", "before the new one"),
    "a policy that ends first": (but(healthy=(90, 100)), "ended_before_replaced", "before the new one"),
    "a policy that launches none beside": (but(healthy=(100, 100)), "ended_before_replaced", "before the new one"),
    "no hook": (but(hooks=(LAUNCH,)), "without_terminate_hook", "takes its shards along"),
    "somebody else's hook": (hook(name="notify"), "without_terminate_hook", "takes its shards along"),
    "our hook on the launch": (
        hook(transition=LAUNCHING, default_result="CONTINUE"),
        "without_terminate_hook",
        "takes its shards along",
    ),
    "a hook of five minutes": (hook(timeout=300), "hook_ends_too_soon", "300 s"),
    "a hook that continues": (hook(default_result="CONTINUE"), "hook_lets_go", "CONTINUE"),
    "no launch hook": (but(hooks=(HOOK,)), "without_launch_hook", "outruns"),
    "our launch hook on the termination": (launch(transition=TERMINATING), "without_launch_hook", "outruns"),
    "a launch hook that abandons": (launch(default_result="ABANDON"), "launch_hook_abandons", "vagus-launch"),
    "somebody's launch hook that abandons": (
        but(hooks=(HOOK, LAUNCH, Hook(name="notify", transition=LAUNCHING, timeout=30, default_result="ABANDON"))),
        "launch_hook_abandons",
        "notify",
    ),
    "no retention": (but(retains=False), "abandoned_is_not_retained", "ends the instance"),
    "a Spot instance with data": (machine(spot=True), "spot", "instance i-1 is Spot"),
    "two nodes on an instance": (machine(nodes=2), "several_nodes_on_an_instance", "runs 2 search nodes"),
    "data on a volume that goes": (machine(kept_volumes=()), "data_goes_with_the_instance", "instance i-1 keeps no"),
    "metadata without a token": (machine(tokens_required=False), "metadata_without_token", "IMDSv1"),
    "a template that is gone": (but(machines=(), unread=("its launch template",)), "not_described", "launch template"),
}

UNBROKEN = {
    "a group as our templates make it": SAFE,
    "several zones that nobody evens out": but(zones=("a", "b"), suspended=("AZRebalance",)),
    "a hook of somebody else beside ours": but(
        hooks=(Hook(name="notify", transition=TERMINATING, timeout=30, default_result="CONTINUE"), HOOK, LAUNCH)
    ),
    "a hook of two hours": hook(timeout=7200),
    "room for one more at a time": but(healthy=(100, 110)),
    "one node on an instance": machine(nodes=1),
    "coordinating nodes on Spot, without data": but(
        roles=("ingest",), machines=(msgspec.structs.replace(MACHINE, spot=True, kept_volumes=()),)
    ),
}


@pytest.mark.parametrize("sentence", BROKEN)
def test_a_rule_trips_alone_and_says_what_to_do(sentence: str) -> None:
    group, rule, words = BROKEN[sentence]
    (found,) = violations([group])
    assert (found.group, found.rule) == (SAFE.name, rule)
    assert words in found.sentence
    assert found.remedy


@pytest.mark.parametrize("sentence", UNBROKEN)
def test_what_is_safe_is_left_alone(sentence: str) -> None:
    assert violations([UNBROKEN[sentence]]) == ()


def test_every_rule_has_its_violation() -> None:
    assert {rule for _, rule, _ in BROKEN.values()} == {rule.__name__ for rule in RULES}


def test_roles_that_nobody_knows_are_taken_to_hold_data() -> None:
    unknown = msgspec.structs.replace(machine(spot=True), roles=())
    assert [found.rule for found in violations([unknown])] == ["spot"]


@pytest.mark.parametrize("role", ["data", "data_hot", "cluster_manager", "master"])
def test_whoever_holds_data_or_votes_is_needed(role: str) -> None:
    assert violations([msgspec.structs.replace(machine(spot=True), roles=(role,))])


def test_spot_may_be_waived_and_nothing_else_goes_with_it() -> None:
    both = msgspec.structs.replace(machine(spot=True), retains=False)
    assert [found.rule for found in violations([both], waived=("spot",))] == ["abandoned_is_not_retained"]


def test_the_page_has_every_rule_in_order() -> None:
    page = (Path(__file__).parents[3] / "docs/adopt.md").read_text()
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == [rule.__name__ for rule in RULES]
