"""One local stack for the whole tier: emulated AWS, `cdk deploy`, two clusters of real nodes (`ward`: six nodes, two a
zone; `trio`: three, one a zone)."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from vagus_local import stack as stacks
from vagus_local.scene import Scene
from vagus_local.stack import Stack

FLEET = Path(__file__).parents[1] / "fleets" / "e2e"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the stack's run lies: not the checkout's own, so that a developer's stack stays up beside the tests."""
    return tmp_path_factory.mktemp("stack")


@pytest.fixture(scope="session")
def fleet(folder: Path) -> Path:
    """A copy of the fleet that tests may change and deploy again."""
    return Path(shutil.copytree(FLEET, folder / "fleet"))


@pytest.fixture(scope="session")
def stack(folder: Path, fleet: Path) -> Iterator[Stack]:
    up = stacks.up(fleet=fleet, cell="e2e", folder=folder)
    yield up
    stacks.down(folder)


@pytest.fixture
def ward(stack: Stack) -> Scene:
    """The six-node cluster, whole and green again before each test."""
    return made_whole(Scene(stack, "ward"))


@pytest.fixture
def trio(stack: Stack) -> Scene:
    """The three-node cluster, whole and green again before each test."""
    return made_whole(Scene(stack, "trio"))


def made_whole(scene: Scene) -> Scene:
    """Give every group its declared size again and wait until all nodes have joined and serve."""
    scene.restore_sizes()
    stacks.wait_green(scene.stack, scene.cluster)
    stacks.wait_serving(scene.stack, scene.cluster)
    return scene
