"""Each port twice: the adapter on real parts (local AWS, real search nodes), and the fake that lies beside it.

The search port also once for each engine that is supported. One cluster of an engine serves all of its tests, and ends
before the next engine's begins.
"""

import itertools
from collections.abc import Iterator

import boto3
import pytest
from tests.integration.contracts.aws_world import AwsGroups, FakeWorldGroups, GroupsWorld, state_machine, state_table
from tests.integration.contracts.commands_world import CommandedInstance, FakeInstance, RealInstance
from tests.integration.contracts.search_world import FakeSearch, RealSearch, SearchWorld
from tests.integration.emulator.support import REGION, Aws, Emulator, start, stop

from vagus.aws.clients import Clients
from vagus.aws.executions import Machine
from vagus.aws.fake import FakeExecutions, FakeParameters, FakeTable
from vagus.aws.parameters import SsmParameters
from vagus.aws.tables import DynamoTable
from vagus.ports import Executions, Parameters, Table
from vagus_local.cluster import LocalCluster
from vagus_local.engines import DEFAULT, engine

OTHER_ENGINES = ("elasticsearch-7.17.29", "opensearch-2.19.4")
ENGINES = (*OTHER_ENGINES, DEFAULT.label)
_accounts = itertools.count(200000000001)


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    running = start(tmp_path_factory.mktemp("emulator"))
    yield running
    stop(running)


@pytest.fixture
def aws(emulator: Emulator) -> Iterator[Aws]:
    """An account of its own."""
    account = Aws(emulator.url, str(next(_accounts)))
    yield account
    account.close()


@pytest.fixture
def session(aws: Aws, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> boto3.Session:
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.url)
    return boto3.Session(aws_access_key_id=aws.account, aws_secret_access_key="test", region_name=REGION)


@pytest.fixture
def clients(session: boto3.Session) -> Clients:
    return Clients(session)


@pytest.fixture(params=["fake", "dynamodb"])
def table(request: pytest.FixtureRequest) -> Table:
    if request.param == "fake":
        return FakeTable()
    return DynamoTable(request.getfixturevalue("clients"), state_table(request.getfixturevalue("aws")))


@pytest.fixture(params=["fake", "stepfunctions"])
def executions(request: pytest.FixtureRequest) -> Executions:
    if request.param == "fake":
        return FakeExecutions()
    return Machine(request.getfixturevalue("clients"), state_machine(request.getfixturevalue("aws")))


@pytest.fixture(params=["fake", "ssm"])
def parameters(request: pytest.FixtureRequest) -> Parameters:
    return FakeParameters() if request.param == "fake" else SsmParameters(request.getfixturevalue("clients"))


@pytest.fixture(params=["fake", "ssm"])
def commanded(request: pytest.FixtureRequest) -> CommandedInstance:
    """One instance that takes commands."""
    if request.param == "fake":
        return FakeInstance()
    aws, emulator = request.getfixturevalue("aws"), request.getfixturevalue("emulator")
    return RealInstance(aws, request.getfixturevalue("clients"), emulator)


@pytest.fixture(params=["fake", "autoscaling"])
def groups(request: pytest.FixtureRequest) -> GroupsWorld:
    if request.param == "fake":
        return FakeWorldGroups()
    return AwsGroups(request.getfixturevalue("aws"), request.getfixturevalue("clients"))


@pytest.fixture(scope="session")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Where snapshot repositories may lie."""
    return {"path.repo": str(tmp_path_factory.mktemp("repositories"))}


@pytest.fixture(scope="session")
def real_cluster(repositories: dict[str, object]) -> Iterator[LocalCluster]:
    settings = {"plugins.security.unsupported.restapi.allow_securityconfig_modification": True, **repositories}
    with LocalCluster(nodes_per_zone=1, zones=("a", "b", "c"), name="contracts", settings=settings) as running:
        yield running


@pytest.fixture
def real_search(real_cluster: LocalCluster) -> Iterator[RealSearch]:
    world = RealSearch(real_cluster)
    yield world
    world.close()


@pytest.fixture(scope="session", params=["fake", *ENGINES])
def engine_cluster(request: pytest.FixtureRequest) -> Iterator[LocalCluster | None]:
    """Three real nodes of an engine; none for the fake."""
    if request.param == "fake":
        yield None
    elif request.param in OTHER_ENGINES:
        kind, said = engine(request.param), request.getfixturevalue("repositories")
        with LocalCluster(1, ("a", "b", "c"), name="contracts", engine=kind, settings=said) as running:
            yield running
    else:
        yield request.getfixturevalue("real_cluster")


@pytest.fixture
def search(engine_cluster: LocalCluster | None) -> Iterator[SearchWorld]:
    if engine_cluster is None:
        yield FakeSearch()
        return
    world = RealSearch(engine_cluster)
    yield world
    world.close()
