"""All clusters of a cell watched at the same time: one that hangs, or fails, keeps no other from being watched."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

import msgspec

from vagus.cluster_watch.watch import Watched, watch
from vagus.ending import of_nodes
from vagus.fleet import ClusterSpec
from vagus.handshake import Handshake
from vagus.ports import Bus, Handshakes, SearchRead, Table
from vagus.procedure import hourly, noted_status

AT_ONCE = 8
"""Clusters at the same time. A node that does not answer costs seconds, and a cluster has many."""


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster that could not be watched this time: table or bus did not answer, or there was no time left."""

    cluster: str
    message: str


def every(
    specs: Sequence[ClusterSpec],
    search: Callable[[ClusterSpec], SearchRead],
    table: Table,
    bus: Bus,
    handshakes: Callable[[ClusterSpec], Handshakes],
    *,
    now: float,
    seconds: float,
) -> list[Watched | Failed]:
    """Each cluster once, in the order of `specs`. `seconds`: after so many those that are not done have failed. Once an
    hour TLS with its nodes is looked at too.

    Another cluster is the first each minute: should time run out, it is never the same ones that go unseen.
    """
    first = int(now // 60) % len(specs) if specs else 0
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="watch")
    asked = {
        spec.name: pool.submit(_guarded, search, table, bus, handshakes, spec, now)
        for spec in (*specs[first:], *specs[:first])
    }
    wait(asked.values(), timeout=seconds)
    pool.shutdown(wait=False, cancel_futures=True)
    late = f"not watched within {seconds:.0f} s"
    ended = {name: future.result() for name, future in asked.items() if future.done() and not future.cancelled()}
    return [ended.get(spec.name) or Failed(cluster=spec.name, message=late) for spec in specs]


def _guarded(
    search: Callable[[ClusterSpec], SearchRead],
    table: Table,
    bus: Bus,
    handshakes: Callable[[ClusterSpec], Handshakes],
    spec: ClusterSpec,
    now: float,
) -> Watched | Failed:
    shaken: tuple[Handshake, ...] | None = None
    try:
        shaken = handshakes(spec).all("", closely=True) if spec.engine.tls and hourly.due(spec, now) else None
        found: Watched | Failed = watch(search(spec), table, bus, spec, shaken, now)
    except Exception as error:  # noqa: BLE001  (whatever one cluster raises, the others must be watched)
        found = Failed(cluster=spec.name, message=f"{type(error).__name__}: {error}")
    try:
        _note_ends(table, spec, shaken, now)
    except Exception as error:  # noqa: BLE001  (nor may what is only shown keep a cluster from being watched)
        unnoted = f"when its certificates end was not noted: {type(error).__name__}: {error}"
        return found if isinstance(found, Failed) else Failed(cluster=spec.name, message=unnoted)
    return found


def _note_ends(table: Table, spec: ClusterSpec, shaken: tuple[Handshake, ...] | None, now: float) -> None:
    """For a cluster's status, when certificates end that its owners issue: nobody of Vagus renews these, and one that
    ends unseen is an outage. Those that Vagus issued are shown by their own capability, and without TLS there are none.
    Where no node showed one, what was seen before still holds for a while, and is no good news to lose."""
    if not spec.engine.tls and hourly.due(spec, now):
        shaken = ()
    if shaken is None:
        return
    endings = () if spec.certified else tuple(of_nodes(shaken))
    if endings or spec.certified or not shaken:
        noted_status.note_endings(table, spec.name, "certificates", endings, now)


def failed(watched: Iterable[Watched | Failed]) -> list[str]:
    """What failed, for a person."""
    return [f"{one.cluster}: {one.message}" for one in watched if isinstance(one, Failed)]
