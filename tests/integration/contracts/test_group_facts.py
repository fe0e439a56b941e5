"""Groups as GroupSafety judges them: on the local AWS, and in the fake."""

import pytest
from tests.integration.contracts.aws_world import ROLES, ZONE, FakeWorldGroups, GroupsWorld
from tests.integration.emulator.support import Aws

from vagus.aws.clients import Clients
from vagus.aws.group_facts import GroupFactsReader
from vagus.group_safety import GroupFacts, violations
from vagus.instances import TERMINATE_HOOK
from vagus.ports import GroupFactsRead

GROUP = "one-core-b"
SAFE_TEMPLATE = {
    "MetadataOptions": {"HttpTokens": "required"},
    "BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 10, "DeleteOnTermination": False}}],
}


@pytest.fixture
def facts(groups: GroupsWorld, request: pytest.FixtureRequest) -> GroupFactsRead:
    if isinstance(groups, FakeWorldGroups):
        return groups.fake
    request.getfixturevalue("aws").template(**SAFE_TEMPLATE)
    return GroupFactsReader(request.getfixturevalue("clients"))


def rules(found: tuple[GroupFacts, ...]) -> set[str]:
    return {one.rule for one in violations(found)}


def test_a_group_of_ours_is_described_with_hook_template_and_instances(
    groups: GroupsWorld, facts: GroupFactsRead
) -> None:
    groups.create(GROUP, "one", desired=2)
    groups.create("two-core-b", "two", desired=0)
    (found,) = facts.of_cluster("one")
    assert (found.name, found.zones, found.roles, found.retains) == (GROUP, (ZONE,), ROLES, True)
    assert (found.health_checks, found.warm_pool, found.longest_life) == (("EC2",), False, 0)
    assert found.terminate_hook is not None
    assert [(one.spot, one.tokens_required, one.kept_volumes) for one in found.machines] == [
        (False, True, ("/dev/sdf",))
    ] * 3
    assert facts.of_cluster("three") == ()


@pytest.mark.parametrize(
    ("retains", "hook", "broken"),
    [
        (True, TERMINATE_HOOK, set()),
        (False, TERMINATE_HOOK, {"abandoned_is_not_retained"}),
        (True, None, {"without_terminate_hook"}),
    ],
)
def test_hook_and_retention_are_seen(
    groups: GroupsWorld, facts: GroupFactsRead, retains: bool, hook: str | None, broken: set[str]
) -> None:
    groups.create(GROUP, "one", desired=1, retains=retains, hook=hook)
    assert rules(facts.of_cluster("one")) - {"ended_before_replaced"} == {*broken, "without_launch_hook"}
    groups.hold_launches(GROUP)
    assert rules(facts.of_cluster("one")) - {"ended_before_replaced"} == broken


def test_a_group_that_people_made_carelessly(aws: Aws, clients: Clients) -> None:
    aws.template()
    aws.group("old", DesiredCapacity=1, HealthCheckType="ELB", MaxInstanceLifetime=604_800)
    aws.hook("old", TERMINATE_HOOK, HeartbeatTimeout=300, DefaultResult="CONTINUE")
    (found,) = GroupFactsReader(clients).named(["old", "none-such"])
    assert len(found.zones) == 3
    assert rules((found,)) >= {
        "healed_by_more_than_ec2",
        "rebalanced_across_zones",
        "lives_only_so_long",
        "hook_ends_too_soon",
        "hook_lets_go",
        "abandoned_is_not_retained",
        "metadata_without_token",
        "data_goes_with_the_instance",
    }
