"""`vagus adopt`: what it writes of an account that it only looked at."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from vagus.cluster import Cluster, Node
from vagus.errors import Unreachable
from vagus.group_safety import LAUNCHING, TERMINATING, GroupFacts, Hook, Machine
from vagus_cli import fleet_files
from vagus_cli.account import Account, Door, FoundGroup, Member, belongs
from vagus_cli.main import app

REGION = "eu-west-1"
HOOK = Hook(name="vagus-terminate", transition=TERMINATING, timeout=3600, default_result="ABANDON")
LAUNCH = Hook(name="vagus-launch", transition=LAUNCHING, timeout=3600, default_result="CONTINUE")


def member(number: int, zone: str, **changes: Any) -> Member:
    made = Member(
        id=f"i-{number:017x}",
        zone=f"{REGION}{zone}",
        address=f"10.0.0.{number}",
        type="r7g.xlarge",
        root="/dev/xvda",
        volumes={"/dev/xvda": 30, "/dev/sdf": 500},
        tags={},
    )
    return msgspec.structs.replace(made, **changes)


def group(name: str, zones: str, *members: Member, **changes: Any) -> FoundGroup:
    facts = GroupFacts(
        name=name,
        zones=tuple(f"{REGION}{zone}" for zone in zones),
        roles=(),
        health_checks=("EC2",),
        hooks=(HOOK, LAUNCH),
        retains=True,
        healthy=(100, 200),
        suspended=("AZRebalance",),
        machines=tuple(
            Machine(what=f"instance {one.id}", spot=False, tokens_required=True, kept_volumes=("/dev/sdf",))
            for one in members
        ),
    )
    made = FoundGroup(name=name, zones=facts.zones, most=4, tags={}, members=members, facts=facts)
    return msgspec.structs.replace(made, **changes)


def node(one: Member, *roles: str, **changes: Any) -> Node:
    made = Node(
        name=one.id,
        zone=one.zone,
        address=one.address,
        roles=roles or ("cluster_manager", "data"),
        version="2.19.4",
        ephemeral_id=f"e-{one.id}",
        disk_total=1,
        disk_free=1,
    )
    return msgspec.structs.replace(made, **changes)


MANAGERS = [member(n, zone) for n, zone in enumerate("abc", 1)]
DATA = [member(n, zone) for n, zone in enumerate("abcabc", 11)]
GROUPS = (
    *(group(f"es-m-{one.zone[-1]}", one.zone[-1], one) for one in MANAGERS),
    group("es-data", "abc", *DATA),
)
NODES = (*(node(one, "cluster_manager") for one in MANAGERS), *(node(one, "data", "ingest") for one in DATA))


def cluster(nodes: Sequence[Node]) -> Cluster:
    return Cluster(
        uuid="uuid-1",
        status="green",
        nodes=tuple(nodes),
        copies=(),
        manager=nodes[0].name,
        persistent={},
        transient={},
        visible_indices=0,
        counted_indices=0,
    )


class Adopting:
    """An account, and the command run against it in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "claims.yaml"
        self.groups: tuple[FoundGroup, ...] = GROUPS
        self.nodes: tuple[Node, ...] = NODES
        self.fails: Exception | None = None
        self.doors: list[Door] = []

    def account(self) -> Account:
        return Account(
            where="target: fakes", region=REGION, groups=lambda _cluster, _names: self.groups, look=self._look
        )

    def _look(self, _cluster: str, door: Door) -> Cluster:
        self.doors.append(door)
        if self.fails:
            raise self.fails
        return cluster(self.nodes)

    def run(self, *arguments: str) -> Result:
        whole = ["adopt", "--cluster", "claims", "--cell", "prod", "--out", str(self.file), *arguments]
        return CliRunner().invoke(app, whole, obj=self.account(), catch_exceptions=False)

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run("--json", *arguments).stdout)


@pytest.fixture
def adopting(tmp_path: Path) -> Adopting:
    return Adopting(tmp_path)


def test_the_file_can_be_used_and_is_in_observe_mode(adopting: Adopting) -> None:
    assert adopting.run().exit_code == 0
    spec = fleet_files.load(adopting.file.parent)["claims"]
    assert (spec.cell, spec.engine.name, spec.engine.version) == ("prod", "opensearch", "2.19.4")
    assert spec.zone_balance.mode == "observe"
    assert list(spec.groups) == ["managers", "data"]
    data = spec.groups["data"]
    assert (data.roles, data.per_zone, data.most_per_zone) == (("data", "ingest"), 2, 4)
    assert (data.instance_type, data.root_volume, data.data_volume) == ("r7g.xlarge", 30, 500)


def test_groups_keep_their_names_and_are_not_sized(adopting: Adopting) -> None:
    adopting.run()
    spec = fleet_files.load(adopting.file.parent)["claims"]
    assert spec.sizes() == {"es-m-a": 1, "es-m-b": 1, "es-m-c": 1, "es-data": 6}
    assert spec.sized() == {}


def without(what: str) -> Callable[[Adopting], None]:
    """A change of the account after which one thing can't be known."""

    def change(adopting: Adopting) -> None:
        match what:
            case "cluster":
                adopting.fails = Unreachable("no route")
            case "one version":
                adopting.nodes = (msgspec.structs.replace(NODES[0], version="2.19.3"), *NODES[1:])
            case "even zones":
                adopting.groups = (*GROUPS[:3], group("es-data", "abc", *DATA[:-1]))
            case "data volume":
                bare = [msgspec.structs.replace(one, volumes={"/dev/xvda": 30}) for one in DATA]
                adopting.groups = (*GROUPS[:3], group("es-data", "abc", *bare))
            case "one type":
                other = [msgspec.structs.replace(DATA[0], type="r6g.xlarge"), *DATA[1:]]
                adopting.groups = (*GROUPS[:3], group("es-data", "abc", *other))

    return change


# sentence: (what is missing, the line that it stands on, words of the mark)
UNKNOWN = {
    "a cluster that does not answer: its engine": ("cluster", "name: opensearch", "could not be looked at"),
    "a cluster that does not answer: its version": ("cluster", "version: 3.4.0", "that were not seen"),
    "a cluster that does not answer: roles": ("cluster", "roles: [cluster_manager, data]", "no node was seen"),
    "nodes of two versions": ("one version", "version: 2.19.3", "2.19.3, 2.19.4"),
    "zones of different size": ("even zones", "per_zone: 2", "zones have 2, 2, 1 nodes"),
    "no data volume": ("data volume", "data_volume: 10", "where is the data?"),
    "several instance types": ("one type", "instance_type: r6g.xlarge", "r6g.xlarge, r7g.xlarge"),
    "the heap, always": ("", "heap: 8g", "-Xmx"),
    "the clients, always": ("", "clients: []", "security groups"),
}


@pytest.mark.parametrize("sentence", UNKNOWN)
def test_what_could_not_be_known_is_marked_where_it_stands(adopting: Adopting, sentence: str) -> None:
    what, line, words = UNKNOWN[sentence]
    without(what)(adopting)
    told = adopting.json()
    marked = [text for text in adopting.file.read_text().splitlines() if line in text and "# UNKNOWN: " in text]
    assert marked, adopting.file.read_text()
    assert words in marked[0]
    assert any(words in one for one in told["draft"]["unknown"])


def test_what_is_known_is_not_marked(adopting: Adopting) -> None:
    adopting.run()
    text = adopting.file.read_text()
    assert {line.strip().partition(":")[0] for line in text.splitlines() if "# UNKNOWN" in line} == {"heap", "clients"}


def test_an_unsaid_cell_is_marked(adopting: Adopting) -> None:
    whole = ["adopt", "--cluster", "claims", "--out", str(adopting.file)]
    CliRunner().invoke(app, whole, obj=adopting.account(), catch_exceptions=False)
    assert f"cell: {REGION}  # UNKNOWN: a name for this account" in adopting.file.read_text()


def test_why_a_cluster_was_not_seen_is_said_and_its_groups_are_written_all_the_same(adopting: Adopting) -> None:
    adopting.fails = Unreachable("no route")
    told = adopting.json()
    assert told["unseen"] == "Unreachable: no route"
    assert set(told["groups"]) == {one.name for one in GROUPS}


# sentence: (nodes of the cluster, words of the finding)
FINDINGS = {
    "a node on no instance": (
        (*NODES, node(member(99, "a"), name="stranger")),
        "no instance of these groups: stranger",
    ),
    "a node that is not named after its instance": (
        (msgspec.structs.replace(NODES[0], name="es-master-1"), *NODES[1:]),
        "named after their instance: es-master-1",
    ),
    "an instance without a node": (NODES[1:], f"without a node: {MANAGERS[0].id}"),
}


@pytest.mark.parametrize("sentence", FINDINGS)
def test_what_a_person_has_to_know(adopting: Adopting, sentence: str) -> None:
    adopting.nodes, words = FINDINGS[sentence]
    told = adopting.json()
    assert any(words in one for one in told["draft"]["findings"])
    assert words in adopting.file.read_text()


def test_an_account_in_order_has_no_finding(adopting: Adopting) -> None:
    told = adopting.json()
    assert (told["draft"]["findings"], told["draft"]["violations"], told["faults"]) == ([], [], [])


def test_broken_rules_stand_in_the_file(adopting: Adopting) -> None:
    twins = (*NODES, node(DATA[0], "data", name="twin"))
    adopting.nodes = twins
    unsafe = msgspec.structs.replace(GROUPS[0].facts, warm_pool=True)
    adopting.groups = (msgspec.structs.replace(GROUPS[0], facts=unsafe), *GROUPS[1:])
    told = adopting.json()
    assert {one["rule"] for one in told["draft"]["violations"]} == {
        "kept_in_a_warm_pool",
        "several_nodes_on_an_instance",
    }
    assert "# BROKEN: es-m-a: a warm pool" in adopting.file.read_text()


def test_faults_of_the_file_are_said_and_it_is_written(adopting: Adopting) -> None:
    adopting.groups, adopting.nodes = GROUPS[:3], NODES[:3]
    said = adopting.run()
    assert said.exit_code == 1
    assert "no group has the role data" in said.stdout
    assert adopting.file.exists()


def test_commands_that_tag_are_printed_and_quoted(adopting: Adopting) -> None:
    tags = adopting.json()["draft"]["tags"]
    assert sum(one.startswith("aws autoscaling create-or-update-tags") for one in tags) == 4
    data = next(one for one in tags if "ResourceId=es-data," in one)
    assert """'ResourceId=es-data,ResourceType=auto-scaling-group,Key=vagus:roles,Value="data,ingest",""" in data
    (running,) = (one for one in tags if DATA[0].id in one)
    assert running.startswith("aws ec2 create-tags --resources ")
    assert "Key=vagus:cell,Value=prod" in running


def test_instances_that_are_tagged_need_no_command(adopting: Adopting) -> None:
    known = {"vagus:cell": "prod", "vagus:cluster": "claims", "vagus:roles": "cluster_manager"}
    tagged = [msgspec.structs.replace(one, tags=known) for one in MANAGERS]
    adopting.groups = (*(group(f"es-m-{one.zone[-1]}", one.zone[-1], one) for one in tagged), GROUPS[3])
    assert not [one for one in adopting.json()["draft"]["tags"] if MANAGERS[0].id in one]


# sentence: (arguments, words of what is said)
REFUSED = {
    "a URL without TLS": (("--url", "http://10.0.0.1:9200"), "https://"),
    "a URL with a password": (("--url", "https://me:secret@10.0.0.1"), "without a user"),
    "a port that is none": (("--url", "https://10.0.0.1:x"), "should look like"),
    "a certificate alone": (("--certificate", "/dev/null"), "go together"),
    "files that are not there": (
        ("--certificate", "/nowhere/c", "--key", "/nowhere/k", "--ca", "/nowhere/a"),
        "can't be read",
    ),
    "a group that is not there": (("--group", "es-x"), "no Auto Scaling group es-x here"),
    "a name in capitals": (("--cluster", "Claims"), "lower case"),
    "a folder that is not there": (("--out", "/nowhere/claims.yaml"), "no folder /nowhere"),
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_cant_be_is_said_and_nothing_is_written(adopting: Adopting, sentence: str) -> None:
    arguments, words = REFUSED[sentence]
    said = adopting.run(*arguments)
    assert said.exit_code == 2
    assert words in said.stderr
    assert "secret" not in said.stderr
    assert not adopting.file.exists()


def test_a_file_that_is_there_is_kept(adopting: Adopting) -> None:
    adopting.file.write_text("mine")
    said = adopting.run()
    assert said.exit_code == 2
    assert "exists" in said.stderr
    assert adopting.file.read_text() == "mine"


@pytest.mark.parametrize(
    ("groups", "words"),
    [((), "name its groups with --group"), ((group("es-data", "a"),), "no instance runs in es-data")],
)
def test_without_groups_or_instances_there_is_nothing_to_adopt(
    adopting: Adopting, groups: tuple[FoundGroup, ...], words: str
) -> None:
    adopting.groups = groups
    said = adopting.run()
    assert said.exit_code == 2
    assert words in said.stderr


def test_the_cluster_is_asked_where_it_was_said(adopting: Adopting) -> None:
    adopting.run("--url", "https://search.example:9300")
    adopting.file.unlink()
    adopting.run()
    said, unsaid = adopting.doors
    assert (said.addresses, said.port) == (("search.example",), 9300)
    assert (unsaid.addresses[:3], unsaid.port) == (tuple(one.address for one in MANAGERS), 9200)


@pytest.mark.parametrize(
    ("name", "tags", "holds"),
    [
        ("claims", {}, True),
        ("claims-data", {}, True),
        ("claims_data", {}, True),
        ("claimsdata", {}, False),
        ("web", {"Service": "claims"}, True),
        ("web", {"Service": "claims-web"}, False),
    ],
)
def test_groups_are_known_by_a_tag_or_by_name(name: str, tags: dict[str, str], holds: bool) -> None:
    assert belongs(name, tags, "claims") is holds
