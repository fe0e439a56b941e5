"""`ports.SearchWrite` over HTTPS: a look in seven requests at most, six of them at once; writes one by one."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any
from urllib.parse import quote

from vagus.cluster import Awaited, Cluster, Placement, ShardMove
from vagus.errors import Refused, Unreachable
from vagus.owned import SettingsUpdate
from vagus.search import explaining, looking
from vagus.search.answers import (
    Acknowledged,
    Customs,
    Explanation,
    Fetches,
    FlatSettings,
    Flushed,
    Health,
    IndexSettings,
    Info,
    NodeInfo,
    Placed,
    Rerouted,
    Searches,
    Settings,
    ShardStores,
    State,
    Stats,
    TakenSnapshots,
    Voting,
    ZoneWeights,
    decoded,
)
from vagus.search.engines import OPENSEARCH, Dialect
from vagus.search.tls import Tls, context
from vagus.search.transport import Transport
from vagus.snapshots import Snapshots
from vagus.weights import PATH as WEIGHTS
from vagus.weights import Weighing, Weights

LONGEST_PATH = 3000
"""Characters of index names in one request: the engine takes a first line of 4,096 bytes."""

_NODE = "nodes.*."
_COPY = "routing_table.indices.*.shards.*."
STATE_FIELDS = ",".join(
    [
        "cluster_uuid",
        *(_NODE + field for field in ("name", "ephemeral_id", "transport_address", "attributes.zone")),
        *(_COPY + field for field in ("state", "primary", "node", "relocating_node")),
        *(_COPY + "unassigned_info." + field for field in ("reason", "allocation_status")),
    ]
)
INFO_FIELDS = ",".join(
    _NODE + field
    for field in ("version", "roles", "jvm.start_time_in_millis", "settings.cluster*awareness*force*zone*")
)
STATS_FIELDS = ",".join(
    _NODE + field
    for field in (
        "fs.total.total_in_bytes",
        "fs.total.available_in_bytes",
        "jvm.mem.heap_used_percent",
        "indices.shards.*.*.store.size_in_bytes",
    )
)
# a filter's dot parts levels, so a flat name is written with stars
SETTINGS_FIELDS = "persistent,transient," + ",".join(
    f"defaults.cluster*routing*allocation*{field}*" for field in ("awareness", "disk", "exclude")
)
PLACEMENT_FIELDS = ",".join(
    [*(_NODE + field for field in ("name", "attributes")), "snapshots.snapshots.shards"],
)
ROUTING_FIELDS = "persistent,transient,defaults.cluster*routing*,defaults.remote_store*compatibility*"
INDEX_ROUTING = "index.routing.allocation.*,index.replication.type"
REROUTE_FIELDS = "acknowledged,explanations.parameters,explanations.decisions"
SEARCH_FIELDS = ",".join(_NODE + "indices.search." + field for field in ("query_total", "query_time_in_millis"))


@cache
def _threads() -> ThreadPoolExecutor:
    """One pool for all clusters of the process: a sweep looks at hundreds, and Lambda allows 1,024 threads. Threads are
    made when they are needed: six for each look, and those of looks that hang are taken until their time-outs."""
    return ThreadPoolExecutor(max_workers=300, thread_name_prefix="look")


class SearchClient:
    """One cluster, through one client certificate.

    `addresses`: nodes in the order in which they are asked. `tls=None`: plain HTTP, to nodes on the loopback alone. It
    remembers the roles and version of each node's process, and keeps its connections and threads for as long as the
    function is warm.
    """

    def __init__(
        self, addresses: Sequence[str], tls: Tls | None, port: int = 9200, dialect: Dialect = OPENSEARCH
    ) -> None:
        self._transport = Transport(addresses, None if tls is None else context(tls), port)
        self._threads = _threads()
        self._dialect = dialect
        self._bounded = f"{dialect.manager_timeout}=10s"
        self._info: dict[str, NodeInfo] = {}

    def close(self) -> None:
        """End connections."""
        self._transport.close()

    # -- reads -----------------------------------------------------------------------------------------------------

    def look(self) -> Cluster:
        """One whole look; any piece that is missing is an error.

        An index that is made between two answers looks like one that is hidden from us: so a difference is looked at
        twice before it is told.
        """
        seen = self._look()
        return seen if seen.visible_indices >= seen.counted_indices else self._look()

    def _look(self) -> Cluster:
        submit = self._threads.submit
        state, settings, stats = submit(self._state), submit(self._settings), submit(self._stats)
        health, voting, visible = submit(self._health), submit(self._voting), submit(self._visible)
        routed = state.result()
        pieces = looking.Pieces(
            state=routed,
            info=self._known(routed),
            stores=self._stores() if looking.dead_shards(routed) else ShardStores(),
            settings=settings.result(),
            stats=stats.result(),
            health=health.result(),
            voting=voting.result(),
            visible=visible.result(),
        )
        return looking.cluster(pieces)

    def awaited(self, wanted: Awaited, seconds: int) -> bool:
        """The engine waits, and answers 408 if it was in vain. A manager that is being elected is not waited for."""
        status = "&wait_for_status=green" if wanted.green else ""
        bounds = f"timeout={seconds}s&{self._dialect.manager_timeout}={seconds}s"
        path = f"/_cluster/health?filter_path=timed_out&wait_for_nodes=ge({wanted.nodes}){status}&{bounds}"
        try:
            self._transport.read("GET", path)
        except Refused:
            return False
        return True

    def explain(self, index: str, shard: int, *, primary: bool, node: str | None = None) -> str:
        """Why a copy does not move, in the deciders' own words: one line per node, shortest first.

        Raises `Refused` where that copy is not (or not on that node).
        """
        asked: dict[str, Any] = {"index": index, "shard": shard, "primary": primary}
        if node is not None:
            asked["current_node"] = node
        path = "/_cluster/allocation/explain"
        return explaining.words(decoded(self._transport.read("POST", path, asked), Explanation, path))

    def placement(self) -> Placement:
        """What decides where shards may stand."""
        submit = self._threads.submit
        state = submit(
            self._get, f"/_cluster/state/nodes,customs?{self._bounded}&filter_path={PLACEMENT_FIELDS}", Placed
        )
        asked = f"flat_settings=true&include_defaults=true&{self._bounded}&filter_path={ROUTING_FIELDS}"
        settings = submit(self._get, f"/_cluster/settings?{asked}", Settings)
        asked = f"expand_wildcards=all&flat_settings=true&{self._bounded}"
        indices = submit(self._get, f"/_all/_settings/{INDEX_ROUTING}?{asked}", dict[str, FlatSettings])
        asked = f"{self._bounded}&timeout=10s&filter_path=number_of_in_flight_fetch"
        fetches = submit(self._get, f"/_cluster/health?{asked}", Fetches)
        searches = submit(self._get, f"/_nodes/stats/indices/search?timeout=2s&filter_path={SEARCH_FIELDS}", Searches)
        return looking.placement(
            state.result(), settings.result(), indices.result(), fetches.result(), searches.result()
        )

    def snapshots(self, *, newest: bool) -> Snapshots:
        """The snapshots that run; and, if asked for, when the newest that succeeded ended."""
        path = f"/_cluster/state/customs?{self._bounded}&filter_path=snapshots.snapshots.snapshot"
        running = tuple(one.snapshot for one in self._get(path, Customs).snapshots.snapshots)
        return Snapshots(running=running, newest=self._newest_snapshot() if newest else None)

    def weights(self) -> Weights | None:
        """How searches are shared among zones; `None` where the engine knows no weights."""
        if not self._dialect.weighted:
            return None
        told = self._get(WEIGHTS, ZoneWeights)
        return Weights(zones={zone: float(weight) for zone, weight in told.weights.items()}, version=told.version)

    def _newest_snapshot(self) -> float | None:
        repositories = self._get(f"/_snapshot?{self._bounded}", dict[str, Any])
        ends = [
            one.end_time_in_millis / 1000
            for name in repositories
            for one in self._get(f"/_snapshot/{quote(name, safe='')}/_all?{self._bounded}", TakenSnapshots).snapshots
            if one.state == "SUCCESS"
        ]
        return max(ends, default=None)

    def _get[T](self, path: str, kind: type[T]) -> T:
        return decoded(self._transport.read("GET", path), kind, path.partition("?")[0])

    def _state(self) -> State:
        manager = self._dialect.manager
        fields = f"{manager},{STATE_FIELDS}"
        return self._get(f"/_cluster/state/{manager},nodes,routing_table?{self._bounded}&filter_path={fields}", State)

    def _settings(self) -> Settings:
        asked = f"flat_settings=true&include_defaults=true&{self._bounded}&filter_path={SETTINGS_FIELDS}"
        return self._get(f"/_cluster/settings?{asked}", Settings)

    def _stats(self) -> Stats:
        """Disks, heaps and sizes. A node that hangs is left out after 2 s, and counts as full."""
        path = "/_nodes/stats/fs,jvm,indices/store"
        return self._get(f"{path}?level=shards&timeout=2s&filter_path={STATS_FIELDS}", Stats)

    def _health(self) -> Health:
        fields = "status,number_of_pending_tasks,indices.*.status"
        asked = f"level=indices&expand_wildcards=all&{self._bounded}&timeout=10s"
        return self._get(f"/_cluster/health?{asked}&filter_path={fields}", Health)

    def _voting(self) -> Voting:
        """Index metadata can be huge: a pattern that no index has leaves it out."""
        fields = "metadata.cluster_coordination"
        asked = f"{self._bounded}&ignore_unavailable=true&allow_no_indices=true&filter_path={fields}"
        return self._get(f"/_cluster/state/metadata/vagus-no-such-index-*?{asked}", Voting)

    def _visible(self) -> dict[str, IndexSettings]:
        """The indices that an index-level action shows us. (Every index has a number of replicas.)"""
        asked = f"expand_wildcards=all&flat_settings=true&{self._bounded}"
        wanted = "index.number_of_replicas,index.auto_expand_replicas,index.version.created"
        return self._get(f"/_all/_settings/{wanted}?{asked}", dict[str, IndexSettings])

    def _stores(self) -> ShardStores:
        return self._get("/_shard_stores?status=red&expand_wildcards=all", ShardStores)

    def _known(self, state: State) -> dict[str, NodeInfo]:
        """Roles, version and own settings by process; asked for only when a process is new."""
        if looking.unknown_nodes(state, self._info):
            path = f"/_nodes/_all/settings,jvm?flat_settings=true&timeout=2s&filter_path={INFO_FIELDS}"
            told = self._get(path, Info).nodes
            self._info = {node.ephemeral_id: told[key] for key, node in state.nodes.items() if key in told}
        return self._info

    # -- writes ----------------------------------------------------------------------------------------------------

    def update_settings(self, update: SettingsUpdate) -> None:
        """One cluster-state update: all of it or, with `Refused`, nothing. `Unreachable`: it may have happened."""
        layers = {"persistent": update.persistent, "transient": update.transient}
        path = f"/_cluster/settings?{self._bounded}&timeout=10s"
        body = {name: values for name, values in layers.items() if values}
        answer = decoded(self._transport.write("PUT", path, body), Acknowledged, "PUT /_cluster/settings")
        if not answer.acknowledged:
            raise Unreachable("PUT /_cluster/settings: not every node confirmed the update within 10 s")

    def reroute(self, moves: Sequence[ShardMove], *, dry_run: bool) -> tuple[str, ...]:
        """All moves in one request. Only a dry run explains: an explained request would do what is allowed of it."""
        commands = [
            {
                "move": {
                    "index": move.index,
                    "shard": move.shard,
                    "from_node": move.source,
                    "to_node": move.target,
                }
            }
            for move in moves
        ]
        asked = "dry_run=true&explain=true" if dry_run else "dry_run=false"
        path = f"/_cluster/reroute?{asked}&metric=version&{self._bounded}&timeout=10s&filter_path={REROUTE_FIELDS}"
        answer = decoded(
            self._transport.write("POST", path, {"commands": commands}), Rerouted, "POST /_cluster/reroute"
        )
        return explaining.refusals(answer)

    def take_vote(self, node: str) -> None:
        """Exclude a node from voting. `Unreachable`: it may have happened; its vote may be counted still."""
        self._transport.write(
            "POST", f"/_cluster/voting_config_exclusions?node_names={quote(node, safe='')}&timeout=10s"
        )

    def clear_votes_taken(self, *, gone: bool) -> None:
        """Clear every voting exclusion, whoever set it. `gone`: only once the excluded nodes have left."""
        self._transport.write(
            "DELETE", f"/_cluster/voting_config_exclusions?wait_for_removal={'true' if gone else 'false'}"
        )

    def weigh(self, weighing: Weighing) -> None:
        """Set the zones' weights, or take them away, if they are still of the version that this was decided on. The one
        call that takes no time-out for the manager's queue: the connection's bounds the wait."""
        said = {"weights": weighing.zones} if weighing.zones else {}
        self._transport.write("PUT" if said else "DELETE", WEIGHTS, {**said, "_version": weighing.version})

    def set_replicas(self, indices: Sequence[str], replicas: int) -> None:
        """How many replicas these indices have from now on; one that is gone is as good as done."""
        said = {"index": {"number_of_replicas": replicas}}
        for names in _batches(indices):
            path = f"/{names}/_settings?ignore_unavailable=true&allow_no_indices=true&timeout=10s&{self._bounded}"
            self._transport.write("PUT", path, said)

    def flush(self, indices: Sequence[str]) -> None:
        """Flush these indices and wait for ongoing flushes; closed ones have nothing to flush, gone ones neither."""
        for names in _batches(indices):
            path = f"/{names}/_flush?wait_if_ongoing=true&ignore_unavailable=true"
            shards = decoded(self._transport.write("POST", path), Flushed, "POST /_flush").shards
            if shards.failed:
                raise Unreachable(f"POST /_flush: {shards.failed} of {shards.total} copies were not flushed")


def _batches(indices: Sequence[str]) -> Iterator[str]:
    """The names, percent-encoded and joined, in as few requests as their length allows. No name, no request: a flush
    without names would be one of all indices."""
    batch: list[str] = []
    for name in (quote(index, safe="") for index in indices):
        if batch and len(",".join(batch)) + len(name) > LONGEST_PATH:
            yield ",".join(batch)
            batch = []
        batch.append(name)
    if batch:
        yield ",".join(batch)


class Renewing:
    """A `SearchClient` that is opened at its first use, and anew when its nodes or its certificate have been replaced.

    `open` finds the addresses and reads the certificate. A read that fails for want of trust or reach is tried once
    more with both read anew; a write never is, since whoever writes has looked first, and looks again after a failure.
    """

    def __init__(self, open_client: Callable[[], SearchClient]) -> None:
        self._open = open_client
        self._client: SearchClient | None = None

    def look(self) -> Cluster:
        return self._read(lambda client: client.look())

    def awaited(self, wanted: Awaited, seconds: int) -> bool:
        return self._read(lambda client: client.awaited(wanted, seconds))

    def explain(self, index: str, shard: int, *, primary: bool, node: str | None = None) -> str:
        return self._read(lambda client: client.explain(index, shard, primary=primary, node=node))

    def placement(self) -> Placement:
        return self._read(lambda client: client.placement())

    def snapshots(self, *, newest: bool) -> Snapshots:
        return self._read(lambda client: client.snapshots(newest=newest))

    def weights(self) -> Weights | None:
        return self._read(lambda client: client.weights())

    def weigh(self, weighing: Weighing) -> None:
        self._opened().weigh(weighing)

    def update_settings(self, update: SettingsUpdate) -> None:
        self._opened().update_settings(update)

    def reroute(self, moves: Sequence[ShardMove], *, dry_run: bool) -> tuple[str, ...]:
        return self._opened().reroute(moves, dry_run=dry_run)

    def take_vote(self, node: str) -> None:
        self._opened().take_vote(node)

    def clear_votes_taken(self, *, gone: bool) -> None:
        self._opened().clear_votes_taken(gone=gone)

    def set_replicas(self, indices: Sequence[str], replicas: int) -> None:
        self._opened().set_replicas(indices, replicas)

    def flush(self, indices: Sequence[str]) -> None:
        self._opened().flush(indices)

    def close(self) -> None:
        """Give up what is open."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _read[T](self, call: Callable[[SearchClient], T]) -> T:
        fresh = self._client is None
        try:
            return call(self._opened())
        except Unreachable:
            self.close()
            if fresh:  # addresses and certificate were read just now
                raise
        return call(self._opened())

    def _opened(self) -> SearchClient:
        if self._client is None:
            self._client = self._open()
        return self._client
