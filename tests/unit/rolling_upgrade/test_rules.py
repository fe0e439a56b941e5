"""Each check, by a table of cases keyed by a sentence."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.unit.rolling_upgrade.world import RollingWorld, declared

from vagus.cluster import Cluster
from vagus.reasons import Reason
from vagus.rolling_upgrade import rules
from vagus.rolling_upgrade.observed import Observed
from vagus.rolling_upgrade.rules import Question
from vagus.snapshots import Snapshots

NOW = 1_767_225_600.0
NODE = f"i-{1:017x}"
Change = Callable[[Question], Question]


def question(version: str = "", **changed: Any) -> Question:
    """A green cluster of six nodes of 2.19.4, of which one is to be stopped; a snapshot of an hour ago."""
    world = RollingWorld(spec=declared(version=version or "3.4.0"), runs="2.19.4")
    world.clock.now += 60
    cluster = world.engine.look()
    observed = Observed(cluster=cluster, groups=(), snapshots=Snapshots(newest=NOW - 3600))
    asked = Question(
        observed=observed, cluster=cluster, spec=world.spec, names=frozenset({NODE}), version=version, now=NOW
    )
    return msgspec.structs.replace(asked, **changed)


def with_cluster(**changed: Any) -> Change:
    return lambda asked: msgspec.structs.replace(asked, cluster=msgspec.structs.replace(asked.cluster, **changed))


def with_snapshots(**told: Any) -> Change:
    return lambda asked: msgspec.structs.replace(
        asked, observed=msgspec.structs.replace(asked.observed, snapshots=Snapshots(**told))
    )


def without_replicas(asked: Question) -> Question:
    copies = tuple(copy for copy in asked.cluster.copies if copy.primary)
    names = frozenset({copies[0].node or ""})
    return msgspec.structs.replace(asked, names=names, cluster=msgspec.structs.replace(asked.cluster, copies=copies))


def accepted(asked: Question) -> Question:
    return msgspec.structs.replace(without_replicas(asked), accepted=("notes",))


def two_voters(asked: Question) -> Question:
    voters = asked.cluster.voters[:2]
    return msgspec.structs.replace(
        asked, names=frozenset({voters[0]}), cluster=msgspec.structs.replace(asked.cluster, voters=voters)
    )


def full(asked: Question) -> Question:
    nodes = tuple(msgspec.structs.replace(node, disk_free=1) for node in asked.cluster.nodes)
    return msgspec.structs.replace(asked, cluster=msgspec.structs.replace(asked.cluster, nodes=nodes))


def waived(asked: Question) -> Question:
    return msgspec.structs.replace(with_snapshots()(asked), without_snapshot=True)


def with_versions(noted: str, **runs: str) -> Change:
    """Some nodes run another version than 2.19.4: `one` (of those that are to be stopped) or `other`."""

    def change(asked: Question) -> Question:
        other = next(node.name for node in asked.cluster.nodes if node.name != NODE)
        other_runs = {NODE: runs.get("one"), other: runs.get("other")}
        nodes = tuple(
            msgspec.structs.replace(node, version=other_runs.get(node.name) or node.version)
            for node in asked.cluster.nodes
        )
        observed = msgspec.structs.replace(asked.observed, version=noted)
        cluster = msgspec.structs.replace(asked.cluster, nodes=nodes)
        return msgspec.structs.replace(asked, observed=observed, cluster=cluster)

    return change


def in_its_middle(change: Change) -> Change:
    return lambda asked: msgspec.structs.replace(change(asked), begun=True)


PATH = Reason.VERSION_PATH
CASES: list[tuple[str, str, Change, Reason | None]] = [
    ("a green cluster may be restarted", "", lambda asked: asked, None),
    ("a green cluster may be upgraded", "3.4.0", lambda asked: asked, None),
    ("a red one may not", "", with_cluster(status="red"), Reason.CLUSTER_RED),
    ("an index without replicas", "", without_replicas, Reason.ONLY_COPY),
    ("an index without replicas that a person lets be away", "", accepted, None),
    ("one of two voters", "", two_voters, Reason.QUORUM),
    ("a snapshot runs", "", with_snapshots(running=("nightly",)), Reason.SNAPSHOT_RUNNING),
    ("disks past their flood stage", "", full, Reason.NO_ROOM),
    ("a version that is older", "2.19.3", lambda asked: asked, Reason.VERSION_PATH),
    ("an index of 1.x", "3.4.0", with_cluster(created={"old": 135248027}), Reason.INDEX_TOO_OLD),
    (
        "and in the middle of an upgrade",
        "3.4.0",
        in_its_middle(with_cluster(created={"old": 135248027})),
        Reason.INDEX_TOO_OLD,
    ),
    ("archived settings", "3.4.0", with_cluster(persistent={"archived.x": "1"}), Reason.ARCHIVED_SETTINGS),
    ("no snapshot", "3.4.0", with_snapshots(), Reason.NO_FRESH_SNAPSHOT),
    ("a snapshot of last week", "3.4.0", with_snapshots(newest=NOW - 7 * 86400), Reason.NO_FRESH_SNAPSHOT),
    ("no snapshot, and a person waived it", "3.4.0", waived, None),
    ("no snapshot matters to a restart", "", with_snapshots(), None),
    ("an upgrade back, of a node that a person upgraded", "2.19.4", with_versions("2.19.4", one="3.4.0"), PATH),
    ("the same, where that is a later node", "2.19.4", with_versions("2.19.4", other="3.4.0"), PATH),
    ("and in its middle", "2.19.4", in_its_middle(with_versions("2.19.4", other="3.4.0")), PATH),
    ("an upgrade of nodes of which one has it", "3.4.0", with_versions("3.4.0", other="3.4.0"), None),
    ("a restart that would bring a node back", "", with_versions("2.19.4", one="3.4.0"), PATH),
    ("a restart of others than a node of a newer version", "", with_versions("2.19.4", other="3.4.0"), None),
    ("a restart that would bring a newer version", "", with_versions("3.4.0"), PATH),
    ("a restart where no version was noted", "", with_versions("", one="3.4.0"), None),
]


@pytest.mark.parametrize(("sentence", "version", "change", "reason"), CASES, ids=[one[0] for one in CASES])
def test_before(sentence: str, version: str, change: Change, reason: Reason | None) -> None:
    found = rules.before(change(question(version)))
    assert (found.reason if found else None) == reason


def test_what_was_asked_of_the_whole_upgrade_is_not_asked_again_in_its_middle() -> None:
    assert rules.before(with_snapshots()(question("3.4.0", begun=True))) is None


def test_whoever_approves_reads_a_line_for_each_check() -> None:
    lines = rules.results(with_snapshots()(question("3.4.0")))
    assert len(lines) == 2 + len(rules.RESTART) + len(rules.UPGRADE)
    assert any(line.startswith("no fresh snapshot: no successful snapshot") for line in lines)
    assert {"quorum: passed", "copies: passed", "version path: passed"} <= set(lines)


def test_in_the_middle_of_an_upgrade_no_line_speaks_of_what_was_asked_before_it() -> None:
    assert [line.split(":")[0] for line in rules.results(question("3.4.0", begun=True))] == [
        "version path",
        "index too old",
        "red",
        "disk full",
        "snapshot running",
        "outside groups",
        "quorum",
        "twice",
        "copies",
    ]


# -- yellow, and final -----------------------------------------------------------------------------------------------


def mixed(upgraded: frozenset[str]) -> Cluster:
    """The first shard's primary on an upgraded node, its replica unassigned."""
    cluster = question().cluster
    nodes = tuple(
        msgspec.structs.replace(node, version="3.4.0") if node.name in upgraded else node for node in cluster.nodes
    )
    copies = tuple(
        msgspec.structs.replace(copy, state="UNASSIGNED", node=None)
        if not copy.primary and copy.shard == 0
        else msgspec.structs.replace(copy, node=NODE)
        if copy.primary and copy.shard == 0
        else copy
        for copy in cluster.copies
    )
    return msgspec.structs.replace(cluster, nodes=nodes, copies=copies, status="yellow")


def of_zone(letter: str) -> frozenset[str]:
    return frozenset(node.name for node in question().cluster.nodes if node.zone.endswith(letter))


def test_a_replica_that_no_node_may_take_while_versions_are_mixed_is_not_waited_for() -> None:
    assert rules.recovering(mixed(frozenset({NODE}))) == ""
    assert rules.recovering(mixed(of_zone("a"))) == "", "awareness lets no second copy into the zone"


def test_a_replica_that_some_node_may_take_is_waited_for() -> None:
    assert "unassigned" in rules.recovering(mixed(of_zone("a") | of_zone("b")))
    assert "unassigned" in rules.recovering(mixed(frozenset())), "one version: not mixed"
