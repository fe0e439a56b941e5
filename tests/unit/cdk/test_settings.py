"""What a synth is told, and what it refuses with a way out."""

from pathlib import Path

import pytest

from vagus_cdk.settings import SettingsError, read
from vagus_cli.fleet_files import FleetFaulty

ROOT = Path(__file__).parents[3]
EXAMPLES = {"fleet": "fleet/examples"}
VPC = '{"id": "vpc-1", "cidr": "10.0.0.0/16", "subnets": {"eu-central-1a": "subnet-a"}}'


def test_the_only_cell_need_not_be_said() -> None:
    found = read(EXAMPLES)
    assert (found.cell, found.region, list(found.clusters)) == ("prod", "eu-central-1", ["claims"])
    assert found.zones == ("eu-central-1a", "eu-central-1b", "eu-central-1c")


def test_defaults() -> None:
    found = read(EXAMPLES)
    assert (found.architecture, found.account, found.vpc, found.image) == ("arm64", None, None, None)
    assert (found.operators, found.xray, found.cli_credentials) == ((), False, False)


def test_all_that_can_be_said() -> None:
    vpc = VPC.replace('"eu-central-1a": "subnet-a"', ", ".join(f'"eu-central-1{z}": "subnet-{z}"' for z in "abc"))
    said = {"architecture": "x86_64", "account": "111122223333", "image": "ami-1", "xray": "on", "synthesizer": "cli"}
    found = read({**EXAMPLES, **said, "operators": "arn:a,arn:b", "vpc": vpc})
    assert (found.architecture, found.account, found.image) == ("x86_64", "111122223333", "ami-1")
    assert (found.operators, found.xray, found.cli_credentials) == (("arn:a", "arn:b"), True, True)
    assert found.vpc
    assert found.vpc.subnets["eu-central-1b"] == "subnet-b"


REFUSED = [
    ("a cell that no file names", {"cell": "other"}, "the fleet has prod: say -c cell="),
    ("an architecture that Lambda does not have", {"architecture": "riscv"}, "neither arm64 nor x86_64"),
    ("a VPC that is no JSON", {"vpc": "vpc-1"}, "it should look like"),
    ("a VPC with a field too many", {"vpc": VPC[:-1] + ', "nat": true}'}, "nat"),
    ("a VPC without a zone's subnet", {"vpc": VPC}, "no subnet for eu-central-1b, eu-central-1c"),
]


@pytest.mark.parametrize(("sentence", "said", "says"), REFUSED, ids=[one[0] for one in REFUSED])
def test_refused(sentence: str, said: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        read(EXAMPLES | said)


def test_several_cells_have_to_be_chosen_from(tmp_path: Path) -> None:
    text = (ROOT / "fleet/examples/claims.yaml").read_text()
    (tmp_path / "claims.yaml").write_text(text)
    (tmp_path / "labs.yaml").write_text(text.replace("name: claims", "name: labs").replace("cell: prod", "cell: test"))
    with pytest.raises(SettingsError, match="the fleet has prod, test"):
        read({"fleet": str(tmp_path)})
    assert list(read({"fleet": str(tmp_path), "cell": "test"}).clusters) == ["labs"]


def test_a_cell_is_one_region(tmp_path: Path) -> None:
    text = (ROOT / "fleet/examples/claims.yaml").read_text()
    (tmp_path / "claims.yaml").write_text(text)
    elsewhere = text.replace("name: claims", "name: labs").replace("eu-central-1", "eu-west-1")
    (tmp_path / "labs.yaml").write_text(elsewhere)
    with pytest.raises(FleetFaulty, match="lies in eu-west-1, and cluster claims of cell prod in eu-central-1"):
        read({"fleet": str(tmp_path)})


PODS = """\
name: wards
cell: prod
engine: {version: 3.4.0}
placement: kubernetes
kubernetes:
  namespace: search
  service_account: wards-nodes
  stateful_sets: {wards-data: 3}
  pods: [10.42.0.0/16]
  trust_anchor: arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/12345678-1234-1234-1234-123456789012
  agent: site-hospital-north
certificates: {issuer: kms, mode: approve}
"""


def test_pods_lie_in_no_zone_of_a_cell_and_their_agent_comes_in_by_its_region(tmp_path: Path) -> None:
    (tmp_path / "claims.yaml").write_text((ROOT / "fleet/examples/claims.yaml").read_text())
    (tmp_path / "wards.yaml").write_text(PODS)
    found = read({"fleet": str(tmp_path)})
    assert (found.sites, found.region) == (("wards",), "eu-central-1")
    assert found.zones == ("eu-central-1a", "eu-central-1b", "eu-central-1c")
    (tmp_path / "wards.yaml").write_text(PODS.replace("eu-central-1", "eu-north-1"))
    with pytest.raises(
        FleetFaulty, match="trust_anchor lies in eu-north-1, and cluster claims of cell prod in eu-centr"
    ):
        read({"fleet": str(tmp_path)})


def test_a_cell_of_pods_alone_needs_subnets_for_its_functions(tmp_path: Path) -> None:
    (tmp_path / "wards.yaml").write_text(PODS)
    with pytest.raises(SettingsError, match="clusters on Kubernetes alone, and its functions need subnets"):
        read({"fleet": str(tmp_path)})
    assert read({"fleet": str(tmp_path), "vpc": VPC}).zones == ("eu-central-1a",)
