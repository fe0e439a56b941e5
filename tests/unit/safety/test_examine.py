"""Examinations: each cluster once an hour, one that fails beside the others, waivers of the fleet file."""

import msgspec
import pytest
from tests.unit.safety.test_group_safety import MACHINE, SAFE

from vagus.aws.fake import FakeTable
from vagus.errors import Denied, Malformed
from vagus.fleet import ClusterSpec, Engine, NodeGroup
from vagus.group_safety import GroupFacts
from vagus.ports import Put
from vagus.procedure import rows, safety

ISO = "2026-03-02T12:00:00Z"


def spec(name: str, **changes: object) -> ClusterSpec:
    made = ClusterSpec(
        name=name,
        cell="prod",
        engine=Engine(version="3.4.0"),
        zones=("eu-west-1a",),
        groups={"data": NodeGroup(roles=("cluster_manager", "data"), per_zone=1)},
    )
    return msgspec.structs.replace(made, **changes)


class Facts:
    """Groups by cluster; an error is raised."""

    def __init__(self, **found: GroupFacts | Denied) -> None:
        self._found = found

    def of_cluster(self, cluster: str) -> tuple[GroupFacts, ...]:
        found = self._found[cluster]
        if isinstance(found, Denied):
            raise found
        return (found,)


def minute_of(cluster: str) -> float:
    return next(60.0 * minute for minute in range(60) if safety.due(cluster, 60.0 * minute))


@pytest.mark.parametrize("cluster", ["claims", "letters", "demo"])
def test_each_cluster_has_one_minute_in_the_hour(cluster: str) -> None:
    assert sum(safety.due(cluster, 60.0 * minute + 1) for minute in range(60)) == 1


def test_only_the_cluster_whose_turn_it_is(table: FakeTable) -> None:
    fleet = {name: spec(name) for name in ("claims", "letters")}
    assert minute_of("claims") != minute_of("letters")
    found = safety.examine(Facts(claims=SAFE, letters=SAFE), table, fleet, minute_of("claims"), ISO)
    assert found == [safety.Examined(cluster="claims", at=ISO)]
    assert safety.noted(table, "claims") == found[0]
    assert safety.noted(table, "letters") is None


def test_what_is_mended_is_noted_too(table: FakeTable) -> None:
    fleet, now = {"claims": spec("claims")}, minute_of("claims")
    broken = Facts(claims=msgspec.structs.replace(SAFE, warm_pool=True))
    (found,) = safety.examine(broken, table, fleet, now, ISO)
    assert [one.rule for one in found.violations] == ["kept_in_a_warm_pool"]
    assert safety.noted(table, "claims") == found
    safety.examine(Facts(claims=SAFE), table, fleet, now, "2026-03-02T13:00:00Z")
    assert safety.noted(table, "claims") == safety.Examined(cluster="claims", at="2026-03-02T13:00:00Z")


def test_a_waiver_of_the_file_holds(table: FakeTable) -> None:
    on_spot = Facts(claims=msgspec.structs.replace(SAFE, machines=(msgspec.structs.replace(MACHINE, spot=True),)))
    now = minute_of("claims")
    (found,) = safety.examine(on_spot, table, {"claims": spec("claims")}, now, ISO)
    assert [one.rule for one in found.violations] == ["spot"]
    (waived,) = safety.examine(on_spot, table, {"claims": spec("claims", waived=("spot",))}, now, ISO)
    assert waived.violations == ()


def test_one_that_can_not_be_described_is_a_fault_and_leaves_the_last_finding(table: FakeTable) -> None:
    fleet, now = {"claims": spec("claims")}, minute_of("claims")
    safety.examine(Facts(claims=SAFE), table, fleet, now, ISO)
    denied = Denied("ec2:DescribeLaunchTemplateVersions", "no")
    (found,) = safety.examine(Facts(claims=denied), table, fleet, now, "later")
    assert found.fault.startswith("Denied: ec2:DescribeLaunchTemplateVersions")
    last = safety.noted(table, "claims")
    assert last is not None
    assert (last.at, last.fault) == (ISO, found.fault)
    (mended,) = safety.examine(Facts(claims=SAFE), table, fleet, now, "later")
    assert safety.noted(table, "claims") == mended
    assert mended.fault == ""


def test_a_row_of_a_newer_version_says_so(table: FakeTable) -> None:
    table.write(rows.plan_partition("claims"), Put(key="safety", data={"at": 7}, expected=0))
    with pytest.raises(Malformed, match="newer version"):
        safety.noted(table, "claims")


@pytest.fixture
def table() -> FakeTable:
    return FakeTable()


def test_a_declared_group_that_aws_does_not_show_is_told(table: FakeTable) -> None:
    """Without its tags a group is nobody's: its instances would leave unseen, and unkept."""
    two = msgspec.structs.replace(spec("claims"), zones=("eu-west-1a", "eu-west-1b"))
    (found,) = safety.examine(Facts(claims=SAFE), table, {"claims": two}, minute_of("claims"), ISO)
    missing = sorted(set(two.sizes()) - {SAFE.name})
    assert [(one.group, one.rule) for one in found.violations] == [(name, "unseen") for name in missing]
    assert missing
