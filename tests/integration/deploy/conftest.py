"""One emulator with a deployed cell for this folder. Its instances are records only: no search node boots here."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from vagus_local import emulator_process, stack
from vagus_local.emulator_process import ACCOUNT, REGION, ROOT, Emulator

Client = Callable[[str], Any]
FLEET = ROOT / "tests" / "fleets" / "records"


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    idle = {"VAGUS_BOOT": "/bin/sleep 3600", "SFN_WAIT_SCALE": "0.01"}
    running = emulator_process.start(tmp_path_factory.mktemp("deploy"), idle)
    yield running
    emulator_process.stop(running)


@pytest.fixture(scope="session")
def client(emulator: Emulator) -> Iterator[Client]:
    """A boto3 client of a service, one of each."""
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
    made: dict[str, Any] = {}

    def of(service: str) -> Any:
        if service not in made:
            make: Any = session.client
            made[service] = make(service, endpoint_url=emulator.endpoint)
        return made[service]

    yield of
    for one in made.values():
        one.close()


@pytest.fixture(scope="session")
def deployed(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cell `local`, bootstrapped and deployed as a platform team does it; the assembly's folder."""
    assembly = stack.synthesize(FLEET, "local", tmp_path_factory.mktemp("assembly"))
    stack.cdk(emulator, "bootstrap", f"aws://{ACCOUNT}/{REGION}")
    deploy(emulator, assembly)
    return assembly


def deploy(emulator: Emulator, assembly: Path) -> None:
    """`cdk deploy --all` of a synthesized assembly."""
    stack.cdk(emulator, "deploy", "--all", "--app", str(assembly), "--require-approval", "never", "--concurrency", "2")
