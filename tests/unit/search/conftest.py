"""Two played nodes on one port, and a transport to both."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.unit.search.nodes import Asked, PlayedNode, Reply, node_context, played

from vagus.search.tls import Tls, context
from vagus.search.transport import Transport
from vagus_local.certificates import Authority, create_authority

FIRST, SECOND = "127.0.0.1", "127.0.0.2"


def fine(asked: Asked) -> Reply:
    return 200, f'{{"path": "{asked.path}"}}'


def certificate(authority: Authority, trusted: Authority | None = None) -> Tls:
    """The write role's certificate; `trusted`: trust that authority instead."""
    own = authority.write
    return Tls(
        certificate=own.certificate.read_text(), key=own.key.read_text(), ca=(trusted or authority).ca.read_text()
    )


class Bench(NamedTuple):
    """Both nodes and a transport that asks `first` first."""

    first: PlayedNode
    second: PlayedNode
    transport: Transport


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return create_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def bench(authority: Authority, tmp_path: Path) -> Iterator[Bench]:
    first = PlayedNode(FIRST, 0, node_context(authority, tmp_path, FIRST), fine)
    second = PlayedNode(SECOND, first.port, node_context(authority, tmp_path, SECOND), fine)
    transport = Transport([FIRST, SECOND], context(certificate(authority)), first.port)
    with played(first, second):
        yield Bench(first, second, transport)
        transport.close()
