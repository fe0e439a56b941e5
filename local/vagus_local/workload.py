"""An application at work: a writer that keeps every acknowledged id, a searcher, and the proof that nothing is lost.

A failed request is one that fails after the client tried a refused or closed connection on another node. A partial
search result is a failure, so none is allowed. Where a node dies while it is asked by another node, the engine answers
the search with that closed connection as an error: this too is tried again, and counted (`searches_retried`). Writes
carry their own ids, so that trying one twice is one document.
"""

import base64
import json
import secrets
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import msgspec

from vagus_local.search_client import AdminClient, CallFailed, NoNodeAnswers

BATCH = 20
CLOSED = {"node_disconnected_exception", "node_not_connected_exception", "node_closed_exception"}
"""What the engine calls a connection between two nodes that closed in the middle of a search."""
CHECKED_AT_ONCE = 500
DOCUMENT = 500_000
"""Bytes of the largest document of noise."""
SEARCH = {"size": 1, "query": {"match_all": {}}}


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the workload: counts of requests and documents, and the first failures in words."""

    writes_acknowledged: int
    writes_lost: int
    searches: int
    requests_failed: int
    searches_retried: int = 0
    failures: tuple[str, ...] = ()


class Workload:
    """One writer and one searcher on some indices, until `stop`."""

    def __init__(self, client: AdminClient, indices: Sequence[str], pause: float = 0.02) -> None:
        self._client = client
        self._indices = tuple(indices)
        self._pause = pause
        self._halt = threading.Event()
        self._acknowledged: dict[str, list[str]] = {index: [] for index in indices}
        self._searches = 0
        self._retried = 0
        self._failures: list[str] = []
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._write, self._search)]

    @property
    def acknowledged(self) -> int:
        """Documents that the cluster has promised to keep, so far."""
        return sum(len(ids) for ids in self._acknowledged.values())

    @property
    def failed(self) -> int:
        """Requests that failed, so far."""
        return len(self._failures)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> Result:
        """End it, then look every acknowledged document up by its id."""
        self._halt.set()
        for thread in self._threads:
            thread.join(60)
        self._client.call("POST", f"/{','.join(self._indices)}/_refresh")
        lost = sum(self._lost(index, ids) for index, ids in self._acknowledged.items())
        return Result(
            writes_acknowledged=self.acknowledged,
            writes_lost=lost,
            searches=self._searches,
            requests_failed=self.failed,
            searches_retried=self._retried,
            failures=tuple(self._failures[:5]),
        )

    def _write(self) -> None:
        number = 0
        while not self._halt.wait(self._pause):
            index = self._indices[number % len(self._indices)]
            ids = [f"{number}-{i}" for i in range(BATCH)]
            number += 1
            try:
                answer = self._client.call("POST", f"/{index}/_bulk", bulk(ids))
            except (NoNodeAnswers, CallFailed) as error:
                self._failures.append(f"write: {error}")
                continue
            for item in answer["items"]:
                done = item["index"]
                if done["status"] in (200, 201):
                    self._acknowledged[index].append(done["_id"])
                else:
                    self._failures.append(f"write: {done}")

    def _search(self) -> None:
        while not self._halt.wait(self._pause):
            for index in self._indices:
                try:
                    answer = self._found(index)
                except (NoNodeAnswers, CallFailed) as error:
                    self._failures.append(f"search: {error}")
                    continue
                self._searches += 1
                if answer["timed_out"] or answer["_shards"]["failed"]:
                    self._failures.append(f"search: partial result {answer['_shards']}")

    def _found(self, index: str) -> Any:
        """A whole search result; tried again while the engine says that a node closed its connection."""
        path = f"/{index}/_search?allow_partial_search_results=false"
        for _ in range(2):
            try:
                return self._client.call("POST", path, SEARCH)
            except CallFailed as error:
                if not closed(error.body):
                    raise
                self._retried += 1
        return self._client.call("POST", path, SEARCH)

    def _lost(self, index: str, ids: Sequence[str]) -> int:
        return sum(self._missing(index, ids[at : at + CHECKED_AT_ONCE]) for at in range(0, len(ids), CHECKED_AT_ONCE))

    def _missing(self, index: str, ids: Sequence[str]) -> int:
        answer = self._client.call("POST", f"/{index}/_mget?_source=false", {"ids": list(ids)})
        return sum(not document["found"] for document in answer["docs"])


def closed(body: Any) -> bool:
    """Whether an error's root causes are connections between nodes that closed, and nothing else."""
    causes = body.get("error", {}).get("root_cause", []) if isinstance(body, dict) else []
    return bool(causes) and {cause["type"] for cause in causes} <= CLOSED


def bulk(ids: Sequence[str], padding: int = 200) -> bytes:
    """A bulk body of documents with these ids; `padding` bytes of noise in each, which no disk can squeeze."""
    lines: list[str] = []
    for id in ids:
        note = secrets.token_hex(padding // 2)
        lines += [json.dumps({"index": {"_id": id}}), json.dumps({"id": id, "note": note})]
    return ("\n".join(lines) + "\n").encode()


def create_indices(client: AdminClient, indices: Mapping[str, tuple[int, int]], documents: int, padding: int) -> None:
    """Indices by name with (shards, replicas), each filled with documents of `padding` bytes."""
    for index, (shards, replicas) in indices.items():
        settings: dict[str, Any] = {"number_of_shards": shards, "number_of_replicas": replicas}
        client.call("PUT", f"/{index}", {"settings": settings})
        for at in range(0, documents, CHECKED_AT_ONCE):
            ids = [f"seed-{number}" for number in range(at, min(documents, at + CHECKED_AT_ONCE))]
            client.call("POST", f"/{index}/_bulk", bulk(ids, padding))
        client.call("POST", f"/{index}/_refresh")


class Caller(Protocol):
    """Whoever can send a request as admin."""

    def call(self, method: str, path: str, body: Any = None) -> Any: ...


def create_uneven(client: Caller, sizes: Mapping[str, int]) -> None:
    """Indices of one shard and a replica, each with about so many bytes that no disk can squeeze, in one segment: both
    copies are as large as each other."""
    said = {"settings": {"number_of_shards": 1, "number_of_replicas": 1}, "mappings": {"enabled": False}}
    for index, size in sizes.items():
        client.call("PUT", f"/{index}", said)
        fill(client, index, size)
    in_one_segment(client, sizes)


def fill(client: Caller, index: str, size: int) -> None:
    """About so many bytes of noise, in documents of half a MB."""
    for at in range(0, size, DOCUMENT):
        noise = base64.b64encode(secrets.token_bytes(min(DOCUMENT, size - at) * 3 // 4)).decode()
        client.call("PUT", f"/{index}/_doc/{at}", {"noise": noise})


def in_one_segment(client: Caller, indices: Iterable[str]) -> None:
    """On disk as one segment, without what the engine keeps beside it until then."""
    client.call("POST", f"/{','.join(indices)}/_forcemerge?max_num_segments=1&flush=true")


@contextmanager
def at_work(client: AdminClient, indices: Sequence[str]) -> Iterator[Workload]:
    """A running workload; ended even if the block fails. Call `stop` inside for its result."""
    work = Workload(client, indices)
    work.start()
    try:
        yield work
    finally:
        work._halt.set()
