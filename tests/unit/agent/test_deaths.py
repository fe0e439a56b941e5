"""Whoever dies, before or after whichever call: the next process goes on, and ends as if nobody had died."""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.unit.agent.world import ADDRESS, POD, World

from vagus_agent.bucket import Bucket
from vagus_agent.kube import JSON, Transport


class Death(BaseException):
    """A process ends here."""


class Fate:
    """Counts effects and calls; at the chosen one the process dies."""

    def __init__(self, at: int) -> None:
        self.at, self.count, self.where = at, 0, ""

    def moment(self, where: str) -> None:
        """Something is about to happen, or has just happened."""
        self.count += 1
        if self.count == self.at:
            self.where = where
            raise Death(where)


class DyingTransport:
    """Dies before or after a write. (Who dies at a read leaves what the write before it left.)"""

    def __init__(self, transport: Transport, fate: Fate) -> None:
        self._transport, self._fate = transport, fate

    def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        kind: str = JSON,
    ) -> Mapping[str, Any]:
        if method != "GET":
            self._fate.moment(f"before {method} {path}")
        answer = self._transport.call(method, path, query, body, kind)
        if method != "GET":
            self._fate.moment(f"after {method} {path}")
        return answer

    def changes(self, path: str, query: Mapping[str, str], seconds: float) -> Iterator[Mapping[str, Any]]:
        yield from self._transport.changes(path, query, seconds)


class DyingBucket:
    """Dies before or after a write."""

    def __init__(self, bucket: Bucket, fate: Fate) -> None:
        self._bucket, self._fate = bucket, fate

    def get(self, key: str) -> bytes | None:
        return self._bucket.get(key)

    def put(self, key: str, body: bytes) -> None:
        self._fate.moment(f"before put {key}")
        self._bucket.put(key, body)
        self._fate.moment(f"after put {key}")


WATCHED: list[tuple[Path, Fate]] = []
EFFECTS = {"open", "os.mkdir", "os.rename", "os.symlink", "os.remove", "os.rmdir"}


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    """CPython tells of each call to the file system before it is made (PEP 578)."""
    if not WATCHED or event not in EFFECTS or (event == "open" and not arguments[2] & os.O_CREAT):
        return
    folder, fate = WATCHED[0]
    if event == "os.remove" or any(str(folder) in str(one) for one in arguments[:2]):  # rmtree's have no folder
        fate.moment(f"before {event} {arguments[:2]}")


sys.addaudithook(_hook)


@pytest.fixture
def watched() -> Iterator[list[tuple[Path, Fate]]]:
    """Whose files are watched; nobody's afterwards."""
    yield WATCHED
    WATCHED.clear()


def story(world: World, uid: str) -> Iterator[None]:
    """A birth, an authority more, a renewal: turn by turn. Each turn is one of somebody who may die."""
    for step in ("", "install-trust", "renew-certificate"):
        if step == "install-trust":
            world.vagus.add_authority()
            world.vagus.publish()
        if step:
            world.vagus.tell(step, f"intent-1.{step}")
        for _ in range(5):
            yield from turn(world, uid)


def turn(world: World, uid: str) -> Iterator[None]:
    """Everybody once; who dies begins anew, with an empty memory."""
    try:
        world.agent.once(world.now)
    except Death:
        world.start_agent()
    world.vagus.answer(world.now)
    try:
        world.nodes[POD].once(world.now)
        world.nodes[POD].once(world.now)
    except Death:
        world.start_node(POD, uid, ADDRESS)
    world.now += 15.0
    yield


def lived(folder: Path, watched: list[tuple[Path, Fate]], at: int) -> tuple[World, Fate]:
    """The whole story, with one death."""
    fate = Fate(at)
    folder.mkdir()
    world = World(folder, lambda one: DyingTransport(one, fate), lambda one: DyingBucket(one, fate))
    world.vagus.publish()
    uid = world.start_pod()
    watched.append((folder, fate))
    for _ in story(world, uid):
        pass
    fate.at = 0
    world.settle(rounds=6)
    watched.clear()
    return world, fate


def test_after_a_death_at_any_moment_it_ends_with_the_same(tmp_path: Path, watched: list[tuple[Path, Fate]]) -> None:
    """Key, leaf and bundle fit; each step is done; a birth and a renewal took two certificates, not more."""
    at, places = 1, set[str]()
    while True:
        world, fate = lived(tmp_path / str(at), watched, at)
        held = world.held()
        assert held.bundle == world.vagus.trust.bundle, fate.where
        assert set(held.steps) == {"intent-1.install-trust", "intent-1.renew-certificate"}, fate.where
        assert world.vagus.issued == 2, fate.where
        assert world.report().said == {}, fate.where
        if not fate.where:
            break
        places.add(fate.where.split()[1])
        at += 1
    assert at > 50, "it dies at each write"
    assert places >= {"POST", "PUT", "PATCH", "put", *EFFECTS}
