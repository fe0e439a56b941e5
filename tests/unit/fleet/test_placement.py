"""Clusters whose nodes are pods: what their files say, and what makes no sense in one."""

from pathlib import Path

import pytest
from tests.unit.fleet.test_fleet_files import ACM, GOOD, SERVED

from vagus.fleet import decode
from vagus_cli import fleet_files

ANCHOR = "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/12345678-1234-1234-1234-123456789012"
PODS = f"""\
name: claims
cell: prod
engine: {{version: 3.4.0}}
placement: kubernetes
kubernetes:
  namespace: search
  service_account: claims-nodes
  stateful_sets: {{claims-data-a: 2, claims-data-b: 1}}
  pods: [10.42.0.0/16, 'fd00:10::/64']
  trust_anchor: {ANCHOR}
  agent: site-hospital-north
certificates: {{issuer: kms, mode: approve}}
"""

# sentence: (text in PODS, what stands there instead, line, field, words of the message)
FAULTS: dict[str, tuple[str, str, int, str, str]] = {
    "zones, which pods do not have": (
        "placement: kubernetes", "placement: kubernetes\nzones: [eu-west-1a]", 5, "zones", "manifests: remove it"),
    "groups, which are Auto Scaling's": (
        "placement: kubernetes", "placement: kubernetes\ngroups: {core: {roles: [data], per_zone: 1}}", 5, "groups",
        "is of placement ec2"),
    "clients of a security group that there is not": (
        "placement: kubernetes", "placement: kubernetes\nnetwork: {clients: [10.0.0.0/16]}", 5, "network", "remove it"),
    "settings, which are the manifests'": (
        "placement: kubernetes", "placement: kubernetes\nsettings: {a: b}", 5, "settings", "remove it"),
    "a waiver of rules for groups": (
        "placement: kubernetes", "placement: kubernetes\nwaived: [spot]", 5, "waived", "remove it"),
    "no word of Kubernetes": (
        PODS[PODS.index("kubernetes:\n"):PODS.index("certificates:")].split("\n", 1)[1],
        "", 0, "kubernetes", "must be a mapping with the fields namespace"),
    "pods on EC2": (
        "placement: kubernetes", "zones: [eu-west-1a]\ngroups: {core: {roles: [data], per_zone: 1}}", 0,
        "kubernetes", "the placement is ec2"),
    "a field that is none is named with the one that was meant": (
        "namespace: search", "name_space: search", 6, "kubernetes.name_space", "did you mean namespace?"),
    "a name that Kubernetes has for nothing": (
        "namespace: search", "namespace: Search", 6, "kubernetes.namespace", "a namespace of Kubernetes"),
    "a StatefulSet whose pods' names would be too long": (
        "claims-data-b", "b" * 53, 8, f"kubernetes.stateful_sets.{'b' * 53}", "lower case, 52 long at most"),
    "a StatefulSet without pods": (
        "claims-data-b: 1", "claims-data-b: 0", 8, "kubernetes.stateful_sets.claims-data-b",
        "not 0 (a number of pods, 1 to 100; leave out a StatefulSet that has none)"),
    "a StatefulSet whose size is a word": (
        "claims-data-b: 1", "claims-data-b: two", 8, "kubernetes.stateful_sets.claims-data-b", "1 to 100"),
    "a StatefulSet whose name is a number": (
        "claims-data-b: 1", "7: 1", 8, "kubernetes.stateful_sets.7", 'YAML reads 7 as a number: put it in quotes, "7"'),
    "no StatefulSet": (
        "{claims-data-a: 2, claims-data-b: 1}", "{}", 8, "kubernetes.stateful_sets",
        "is empty: give at least one (replicas by the StatefulSet's name, such as {claims-data-a: 2})"),
    "StatefulSets without their sizes": (
        "{claims-data-a: 2, claims-data-b: 1}", "[claims-data-a]", 8, "kubernetes.stateful_sets",
        "must be a mapping, not ['claims-data-a'] (replicas by"),
    "an account that every pod has": (
        "claims-nodes", "default", 7, "kubernetes.service_account", "make one for the search pods alone"),
    "the agent's own account": (
        "claims-nodes", "claims-agent", 7, "kubernetes.service_account", "such as claims-nodes"),
    "a gateway named like a pod": (
        "mode: approve", f"mode: approve, gateways: [{{arn: '{ACM}', names: [claims-data-a-1.claims.vagus.internal]}}]",
        12, "certificates.gateways[0].names", "a pod of StatefulSet claims-data-a: choose another"),
    "a gateway named like a pod that is still to come": (
        "mode: approve", f"mode: approve, gateways: [{{arn: '{ACM}', names: [claims-data-b-9.claims.vagus.internal]}}]",
        12, "certificates.gateways[0].names", "a pod of StatefulSet claims-data-b: choose another"),
    "a network that is none": (
        "10.42.0.0/16", "10.42.0.1/16", 9, "kubernetes.pods[0]", "host bits"),
    "a network of the world": (
        "10.42.0.0/16", "0.0.0.0/0", 9, "kubernetes.pods[0]", "is no private network"),
    "one of the world in the newer writing": (
        "fd00:10::/64", "2001:db8::/64", 9, "kubernetes.pods[1]", "is no private network"),
    "a trust anchor that is none": (
        "trust-anchor/", "profile/", 10, "kubernetes.trust_anchor", "the ARN of a trust anchor"),
    "an agent that would be anybody": (
        "site-hospital-north", "'*'", 11, "kubernetes.agent", "the common name"),
    "nothing to do, for the certificates are others'": (
        "{issuer: kms, mode: approve}", "{issuer: own}", 12, "certificates.issuer", "say kms, or remove this file"),
    "a mode that renews nothing": (
        "mode: approve", "mode: observe", 12, "certificates.mode", "every certificate would end"),
    "a balance that nobody keeps": (
        "placement: kubernetes", "placement: kubernetes\nzone_balance: {mode: act}", 5, "zone_balance",
        "Vagus does certificates alone: remove zone_balance"),
    "an upgrade that nobody makes": (
        "placement: kubernetes", "placement: kubernetes\nrolling_upgrade: {mode: act}", 5, "rolling_upgrade",
        "remove rolling_upgrade"),
    "a watch that nobody keeps": (
        "placement: kubernetes", "placement: kubernetes\ncluster_watch: {looks: 5}", 5, "cluster_watch",
        "remove cluster_watch"),
    "addresses of clients, which no pod's kernel notes": (
        "mode: approve", "mode: approve, client_addresses: [10.0.0.0/16]", 12, "certificates.client_addresses",
        "nothing at the site notes who calls its pods: remove certificates.client_addresses"),
    "an engine without certificates of ours": (
        "{version: 3.4.0}", "{name: elasticsearch, version: 7.17.29}", 3, "engine.name",
        "remove this file, or use opensearch"),
    "a gateway's certificate of another Region than the agent comes in by": (
        "mode: approve", f"mode: approve, gateways: [{{arn: '{ACM.replace('west', 'north')}', names: [{SERVED}]}}]", 12,
        "certificates.gateways[0].arn", "lies in eu-north-1"),
}  # fmt: skip


def _one(tmp_path: Path, text: str, name: str = "claims") -> list[tuple[str, int, str, str]]:
    (tmp_path / f"{name}.yaml").write_text(text)
    return [(Path(one.file).name, one.line, one.field, one.what) for one in fleet_files.read(tmp_path)[1]]


@pytest.mark.parametrize("sentence", FAULTS)
def test_a_fault_names_line_field_and_remedy(tmp_path: Path, sentence: str) -> None:
    old, new, line, field, words = FAULTS[sentence]
    assert old in PODS
    found = _one(tmp_path, PODS.replace(old, new, 1))
    assert len(found) == 1 or "meant" in sentence, found
    assert line == 0 or found[0][1] == line
    assert found[0][2].startswith(field)
    assert words in found[0][3]


@pytest.mark.parametrize(
    ("left_out", "words"),
    [("zones: [eu-west-1a, eu-west-1b, eu-west-1c]\n", "such as [eu-west-1a"),
     (GOOD[GOOD.index("groups:") : GOOD.index("network:")], "nodes by kind")],
    ids=["zones", "groups"],
)  # fmt: skip
def test_on_ec2_zones_and_groups_have_to_be_given(tmp_path: Path, left_out: str, words: str) -> None:
    ((_, _, field, what),) = _one(tmp_path, GOOD.replace(left_out, ""))
    assert field == left_out.partition(":")[0]
    assert "is missing: add it" in what
    assert words in what


def test_a_good_file_names_its_pods(tmp_path: Path) -> None:
    assert _one(tmp_path, PODS) == []
    spec = fleet_files.load(tmp_path)["claims"]
    assert spec.pods == ("claims-data-a-0", "claims-data-a-1", "claims-data-b-0")
    assert (spec.certified, spec.nodes, spec.regions, spec.sizes()) == (True, 3, ("eu-west-1",), {})


def test_functions_read_what_a_synth_writes_of_both_placements(tmp_path: Path) -> None:
    """All clusters of a cell lie in one document: one that could not be read would keep every function from working."""
    (tmp_path / "claims.yaml").write_text(PODS)
    (tmp_path / "letters.yaml").write_text(GOOD.replace("name: claims", "name: letters"))
    fleet = fleet_files.load(tmp_path)
    assert decode(fleet_files.layer_document(fleet)) == fleet


def test_each_cluster_has_an_agent_of_its_own(tmp_path: Path) -> None:
    assert _one(tmp_path, PODS) == []
    same = PODS.replace("name: claims", "name: letters").replace("claims-data", "letters-data")
    ((file, line, field, what),) = _one(tmp_path, same, "letters")
    assert (file, line, field) == ("letters.yaml", 11, "kubernetes.agent")
    assert "the agent of cluster claims too" in what


FAR = ANCHOR.replace("eu-west-1", "us-east-1")
NEAR = ANCHOR.replace("12345678", "87654321")
OTHERS = PODS.replace("name: claims", "name: letters").replace("site-hospital-north", "site-hospital-south")


def _both(tmp_path: Path, first: str, second: str) -> list[tuple[str, int, str, str]]:
    _one(tmp_path, first)
    return _one(tmp_path, second, "letters")


@pytest.mark.parametrize("other", ["pods", "ec2"])
def test_a_trust_anchor_lies_in_the_region_of_its_cell(tmp_path: Path, other: str) -> None:
    """Named at the anchor also where its file is read first: nobody moves zones for it."""
    text = PODS if other == "pods" else GOOD
    second = OTHERS if other == "pods" else PODS.replace("name: claims", "name: letters")
    ((file, line, field, what),) = _both(tmp_path, text, second.replace(ANCHOR, FAR))
    assert (file, line, field) == ("letters.yaml", 10, "kubernetes.trust_anchor")
    assert what == (
        "lies in us-east-1, and cluster claims of cell prod in eu-west-1: a cell is one Region; make the anchor there, "
        "or declare this cluster in another cell"
    )
    if other == "ec2":
        ((file, _, field, _),) = _both(
            tmp_path, PODS.replace(ANCHOR, FAR), GOOD.replace("name: claims", "name: letters")
        )
        assert (file, field) == ("claims.yaml", "kubernetes.trust_anchor")


def test_zones_of_a_cell_lie_in_one_region_and_another_cell_may_lie_elsewhere(tmp_path: Path) -> None:
    second = GOOD.replace("name: claims", "name: letters").replace("eu-west-1", "us-east-1")
    ((file, _, field, what),) = _both(tmp_path, GOOD, second)
    assert (file, field) == ("letters.yaml", "zones")
    assert "lies in us-east-1, and cluster claims of cell prod in eu-west-1" in what
    assert _one(tmp_path, second.replace("cell: prod", "cell: prod-us"), "letters") == []


def test_a_pod_is_a_node_of_one_cluster(tmp_path: Path) -> None:
    (file, line, field, what), second = _both(tmp_path, PODS, OTHERS)
    assert second[2:] == ("kubernetes.stateful_sets.claims-data-b", what.replace("-a-", "-b-"))
    assert (file, line, field) == ("letters.yaml", 8, "kubernetes.stateful_sets.claims-data-a")
    assert what == (
        "claims-data-a-0 in namespace search is a pod of cluster claims too, under the same trust anchor: one pod "
        "would be a node of two clusters. Name other StatefulSets; if these are two sites, give each "
        "an anchor of its own"
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (ANCHOR, NEAR),
        ("namespace: search", "namespace: archive"),
        ("claims-data-a: 2, claims-data-b: 1", "letters-data-a: 2"),
    ],
    ids=["another anchor", "another namespace", "other StatefulSets"],
)
def test_two_clusters_of_pods_differ_in_anchor_namespace_or_names(tmp_path: Path, old: str, new: str) -> None:
    assert _both(tmp_path, PODS, OTHERS.replace(old, new)) == []
