"""What a contract test may do to a cluster beside the port: the same words for three real nodes and for the fake."""

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import msgspec

from vagus.fleet import Engine
from vagus.ports import SearchWrite
from vagus.search.client import SearchClient
from vagus.search.engines import dialect
from vagus.search.fake import FakeEngine
from vagus.search.tls import Tls
from vagus.weights import Weighing
from vagus_local.certificates import Authority
from vagus_local.cluster import LocalCluster

ZONES = ("a", "b", "c")
AWARENESS = "cluster.routing.allocation.awareness"


class SearchWorld(Protocol):
    """Three nodes in three zones, awareness of zones forced: each manager-eligible and with data."""

    port: SearchWrite
    version: str

    def create_index(self, name: str, *, shards: int = 1, replicas: int = 1) -> None:
        """An index, all its copies started."""
        ...

    def begin_index(self, name: str, *, replicas: int, active: int) -> None:
        """An index of one shard, of which so many copies are active: the others may find no place."""
        ...

    def strand(self, name: str) -> str:
        """An index of one copy that is unassigned while its store lies on a live node; tells that node."""
        ...

    def snapshot(self) -> None:
        """A snapshot of everything, that has succeeded."""
        ...

    def running_snapshot(self, name: str, *, of: str) -> AbstractContextManager[None]:
        """A snapshot of one index of one shard that does not end for as long as the context lasts; then it is gone."""
        ...

    def now(self) -> float:
        """What the engine's clock shows (epoch seconds)."""
        ...

    def may_set_replicas(self) -> None:
        """An owner has given the right to."""
        ...

    def until(self, holds: Callable[[], bool]) -> None:
        """Lets time pass until something holds; fails if it never does."""
        ...


class FakeSearch:
    """The simulated engine, its clock moved by the test."""

    version = "3.4.0"

    def __init__(self) -> None:
        self._now = 1_700_000_000.0
        self.engine = FakeEngine(lambda: self._now, managers=3)
        for zone in ZONES:
            self.engine.start_node(f"i-{zone}", zone, forced=ZONES)
        self.engine.persistent |= {f"{AWARENESS}.attributes": "zone", f"{AWARENESS}.force.zone.values": "a,b,c"}
        self.port: SearchWrite = self.engine

    def create_index(self, name: str, *, shards: int = 1, replicas: int = 1) -> None:
        self.engine.create_index(name, shards=shards, replicas=replicas)
        self.until(lambda: self.port.look().status == "green")

    def begin_index(self, name: str, *, replicas: int, active: int) -> None:
        self.engine.create_index(name, shards=1, replicas=replicas)
        self.until(lambda: sum(copy.active for copy in self.port.look().copies if copy.index == name) >= active)

    def strand(self, name: str) -> str:
        self.create_index(name, replicas=0)
        node = next(copy.node for copy in self.port.look().copies if copy.index == name)
        assert node is not None
        self.engine.exhaust(name, 0, node)
        return node

    def snapshot(self) -> None:
        self._now += 1
        self.engine.newest_snapshot = self._now

    @contextmanager
    def running_snapshot(self, name: str, *, of: str) -> Iterator[None]:
        self.engine.running_snapshots[name] = frozenset({(of, 0)})
        yield
        del self.engine.running_snapshots[name]

    def now(self) -> float:
        return self._now

    def may_set_replicas(self) -> None:
        self.engine.denied = ""

    def until(self, holds: Callable[[], bool]) -> None:
        for _ in range(1000):
            if holds():
                return
            self._now += 1
        raise AssertionError(f"never: {holds}")


class RealSearch:
    """Three real nodes of any engine, through the write certificate where there are certificates."""

    def __init__(self, cluster: LocalCluster) -> None:
        self.cluster = cluster
        told = {"name": cluster.engine.name, "version": cluster.engine.version, "tls": cluster.engine.secured}
        self.engine = msgspec.convert(told, Engine)
        self.version = self.engine.version
        self._made: list[str] = []
        self._repositories: list[str] = []
        self._open: list[SearchClient] = []
        self.port: SearchWrite = self.client()

    def client(
        self, role: str = "vagus-write", addresses: Sequence[str] | None = None, tls: Tls | None = None
    ) -> SearchClient:
        """A client of its own, closed with the world."""
        known = addresses or list(self.cluster.addresses.values())
        trust = tls or (self.tls(role) if self.engine.tls else None)
        made = SearchClient(known, trust, dialect=dialect(self.engine))
        self._open.append(made)
        return made

    def tls(self, role: str, ca: Authority | None = None) -> Tls:
        """A client's certificate; `ca`: trust that authority instead of the cluster's."""
        own = self.cluster.certificates.client(role)
        trusted = (ca or self.cluster.certificates).ca
        return Tls(certificate=own.certificate.read_text(), key=own.key.read_text(), ca=trusted.read_text())

    def create_index(self, name: str, *, shards: int = 1, replicas: int = 1, **settings: Any) -> None:
        said = {"number_of_shards": shards, "number_of_replicas": replicas, **settings}
        self._made.append(name)
        self.cluster.call("PUT", f"/{name}", {"settings": said})
        self.cluster.wait_green(len(self.cluster.nodes))

    def begin_index(self, name: str, *, replicas: int, active: int) -> None:
        said = {"number_of_shards": 1, "number_of_replicas": replicas}
        self._made.append(name)
        self.cluster.call("PUT", f"/{name}?wait_for_active_shards={active}", {"settings": said})

    def strand(self, name: str) -> str:
        """Its retries are used up: it can't open without its translog, while its segments are all there."""
        self.create_index(name, replicas=0, **{"allocation.max_retries": 1})
        node = next(copy.node for copy in self.port.look().copies if copy.index == name)
        assert node is not None
        uuid = self.cluster.call("GET", f"/{name}/_settings")[name]["settings"]["index"]["uuid"]
        self.cluster.call("POST", f"/{name}/_close?wait_for_active_shards=0")
        (checkpoint,) = self.cluster.nodes[node].home.glob(f"data/**/{uuid}/0/translog/translog.ckp")
        checkpoint.unlink()
        self.cluster.call("POST", f"/{name}/_open?wait_for_active_shards=0")
        return node

    def snapshot(self) -> None:
        self._repository("near")
        self.cluster.call("PUT", f"/_snapshot/near/{secrets.token_hex(8)}?wait_for_completion=true")

    @contextmanager
    def running_snapshot(self, name: str, *, of: str) -> Iterator[None]:
        """Of terms enough to take minutes. The engine ends a snapshot only after the pause for one whole buffer."""
        text = " ".join(secrets.token_hex(16) for _ in range(128_000))
        self.cluster.call("PUT", f"/{of}/_doc/long?refresh=true", {"text": text})
        self._repository("far", max_snapshot_bytes_per_sec="40kb")
        self.cluster.call("PUT", f"/_snapshot/far/{name}", {"indices": of, "include_global_state": False})
        try:
            yield
        finally:
            self.cluster.call("DELETE", f"/_snapshot/far/{name}")

    def _repository(self, name: str, **settings: Any) -> None:
        """A folder that all nodes share, as they share this machine."""
        if name not in self._repositories:
            self._repositories.append(name)
            said = {"location": secrets.token_hex(8), **settings}
            self.cluster.call("PUT", f"/_snapshot/{name}", {"type": "fs", "settings": said})

    def may_set_replicas(self) -> None:
        """As docs/shards.md says; Elasticsearch has no users here, and everybody has the right."""
        if self.engine.tls:
            said = {"users": ["CN=vagus-write,O=vagus"]}
            self.cluster.call("PUT", "/_plugins/_security/api/rolesmapping/vagus_replicas", said)

    def now(self) -> float:
        return time.time()

    def until(self, holds: Callable[[], bool]) -> None:
        self.cluster.wait_until(holds, "as the test wants it", seconds=180)

    def close(self) -> None:
        """Leave the cluster as it was met."""
        nothing = {"cluster.routing.*": None, "cluster.metadata.*": None}
        self.cluster.call("PUT", "/_cluster/settings", {"persistent": nothing, "transient": nothing})
        met = self.port.weights()
        if met is not None and met.zones:
            self.port.weigh(Weighing(version=met.version))
        for name in self._made:
            self.cluster.call("DELETE", f"/{name}?ignore_unavailable=true")
        for name in self._repositories:
            self.cluster.call("DELETE", f"/_snapshot/{name}")
        for client in self._open:
            client.close()
        self.cluster.wait_green(len(self.cluster.nodes))
