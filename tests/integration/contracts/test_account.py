"""What `vagus adopt` sees of an account, on the local AWS."""

from tests.integration.emulator.support import REGION, Aws, until

from vagus.aws.clients import Clients
from vagus_cli import account

TEMPLATE = {
    "InstanceType": "r7g.large",
    "BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 50, "DeleteOnTermination": False}}],
}


def made(aws: Aws) -> None:
    """Two groups of a cluster, by tag and by name, and one of somebody else."""
    aws.template(**TEMPLATE)
    subnets = aws.subnets("ab")
    tag = [{"Key": "Service", "Value": "claims", "PropagateAtLaunch": True}]
    aws.group("es-data", DesiredCapacity=2, subnets=subnets, Tags=tag)
    aws.group("claims-m", DesiredCapacity=1, subnets=subnets[:1])
    aws.group("claimsweb", DesiredCapacity=0, subnets=subnets)
    until(lambda: len(aws.in_service("es-data")) == 2 and len(aws.in_service("claims-m")) == 1)


def test_groups_are_found_with_their_instances_and_volumes(aws: Aws, clients: Clients) -> None:
    made(aws)
    found = {one.name: one for one in account.groups(clients, "claims", ())}
    assert set(found) == {"es-data", "claims-m"}
    data = found["es-data"]
    assert (data.zones, data.most, data.tags["Service"]) == ((f"{REGION}a", f"{REGION}b"), 9, "claims")
    assert {one.zone for one in data.members} == {f"{REGION}a", f"{REGION}b"}
    assert {(one.type, one.volumes["/dev/sdf"]) for one in data.members} == {("r7g.large", 50)}
    assert all(one.address and one.root in one.volumes and one.tags["Service"] == "claims" for one in data.members)
    assert data.facts.terminate_hook is None


def test_named_groups_are_those_and_no_other(aws: Aws, clients: Clients) -> None:
    made(aws)
    assert [one.name for one in account.groups(clients, "claims", ("claimsweb", "none-such"))] == ["claimsweb"]
