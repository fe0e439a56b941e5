"""Adopted groups are drained as others are, and never sized: people and policies go on doing that."""

import msgspec
from tests.unit.zone_balance.building import cluster, group, node, observed, spec

from vagus.reasons import Reason
from vagus.zone_balance.sizing import sizes


def test_the_size_of_an_adopted_group_is_left_alone() -> None:
    declared = spec()
    ((kind, nodes),) = declared.groups.items()
    names = {zone: declared.group_name(kind, zone) for zone in declared.zones}
    seen = observed(cluster([node("n1")], "a:n1"), [group(0, {"n1": "InService"}, desired=1)], sizes={})
    ours = sizes(seen, declared, green=True)
    assert ours is not None
    assert ours.reason == Reason.SIZING
    adopted = msgspec.structs.replace(declared, groups={kind: msgspec.structs.replace(nodes, adopted=names)})
    assert adopted.sizes() == declared.sizes()
    assert sizes(seen, adopted, green=True) is None
