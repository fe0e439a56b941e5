"""Which engines a local stack brings, and how its nodes are spoken to."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.search.nodes import PlayedNode, played

from vagus_local import artifacts
from vagus_local.certificates import Authority, create_authority
from vagus_local.search_client import AdminClient, NoNodeAnswers
from vagus_local.stack import StackError, resolve_engines

FLEET = """\
name: {name}
cell: {cell}
engine: {engine}
zones: [us-east-1a]
groups:
  core: {{roles: [cluster_manager, data], per_zone: 1}}
"""
ADDRESS = "127.211.7.9"
"""AdminClient asks port 9200, as on AWS: nobody else has this address."""


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with two engines, and a folder for fleet files."""
    monkeypatch.setenv("VAGUS_CACHE", str(tmp_path / "cache"))
    for label in ("opensearch-2.19.4", "elasticsearch-7.17.29"):
        baked = artifacts.engines_folder() / label
        baked.mkdir(parents=True)
        (baked / "manifest.json").write_text("{}")
    (tmp_path / "fleet").mkdir()
    return tmp_path / "fleet"


def declare(fleet: Path, name: str, engine: str, cell: str = "local") -> None:
    (fleet / f"{name}.yaml").write_text(FLEET.format(name=name, engine=engine, cell=cell))


def test_the_engines_of_the_cells_clusters_are_brought_and_no_other(fleet: Path) -> None:
    declare(fleet, "one", "{version: 2.19.4}")
    declare(fleet, "two", "{name: elasticsearch, version: 7.17.29, tls: false}")
    declare(fleet, "elsewhere", "{version: 3.9.9}", cell="other")
    resolve_engines(fleet, "local", pytest.fail)


def test_an_engine_that_the_local_stack_does_not_know_is_said_before_anything_starts(fleet: Path) -> None:
    declare(fleet, "one", "{version: 3.9.9}")
    with pytest.raises(StackError, match=r"opensearch-3\.9\.9 is not in the table .*known: .*elasticsearch-7\.17\.29"):
        resolve_engines(fleet, "local", pytest.fail)


@pytest.fixture
def node() -> Iterator[PlayedNode]:
    with played(PlayedNode(ADDRESS, 9200, None, lambda _: (200, '{"plain": true}'))) as (one,):
        yield one


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return create_authority(tmp_path / "certificates")


def test_a_cluster_without_tls_is_spoken_to_in_plain_http(node: PlayedNode, authority: Authority) -> None:
    client = AdminClient(authority, authority.admin, lambda: {"i-1": ADDRESS}, tls=False)
    assert client.call("GET", "/") == {"plain": True}


def test_any_other_cluster_never_is(node: PlayedNode, authority: Authority) -> None:
    client = AdminClient(authority, authority.admin, lambda: {"i-1": ADDRESS})
    with pytest.raises(NoNodeAnswers):
        client.call("GET", "/")
    assert node.asked == []
