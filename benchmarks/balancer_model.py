"""Whether the planner's model of the engine's balancer and the engine agree, on random layouts of six real nodes.

40 layouts and more on each engine, under several settings; the seed is fixed, so that a run can be repeated (what the
engine itself draws, ties in its order, can't).
"""

import random
from collections import Counter

from benchmarks._balancer import CASES, Lab, Seen
from benchmarks.figure import Figure
from vagus.search.client import SearchClient
from vagus.search.tls import Tls
from vagus_local.cluster import LocalCluster
from vagus_local.engines import Engine, engine

ENGINES = ("opensearch-3.4.0", "opensearch-2.19.4")
SEED = 20
SHARDS = {f"i{number:02d}": shards for number, shards in enumerate((1, 1, 1, 2, 2, 2, 3, 3, 4, 5))}
PER_CASE = 6
"""Layouts for each case and engine: 42 for each engine."""


def figures() -> list[Figure]:
    """Per engine: layouts that agree, of all."""
    return [figure for label in ENGINES for figure in _figures(label, layouts(engine(label), PER_CASE))]


def layouts(which: Engine, per_case: int) -> list[Seen]:
    """Layouts of every case on a cluster of two nodes a zone."""
    settings = {"cluster.routing.allocation.node_concurrent_recoveries": 8}
    with LocalCluster(2, ("a", "b", "c"), name="balancer", engine=which, settings=settings) as cluster:
        client = search_client(cluster)
        lab = Lab(cluster, client.look, random.Random(SEED))  # noqa: S311 - layouts, no secret
        lab.indices(SHARDS, replicas=1)
        try:
            return [seen for case in CASES for seen in lab.under(case, per_case)]
        finally:
            client.close()


def search_client(cluster: LocalCluster) -> SearchClient:
    """Reads it as Vagus does."""
    own = cluster.certificates.read
    tls = Tls(certificate=own.certificate.read_text(), key=own.key.read_text(), ca=cluster.certificates.ca.read_text())
    return SearchClient(list(cluster.addresses.values()), tls)


def _figures(label: str, seen: list[Seen]) -> list[Figure]:
    """What the model says of random layouts; and of those in which the engine came to rest."""
    kinds = Counter("at rest" if one.rests else "not" for one in seen)
    what = ", ".join(f"{many} {kind}" for kind, many in sorted(kinds.items()))
    agree, resting = sum(one.rests != one.moved for one in seen), sum(one.resting_layout_rests for one in seen)
    return [
        _figure(f"balancer's model on {label}: random layouts ({what})", agree, len(seen), len(kinds) == 2),
        _figure(f"balancer's model on {label}: where the engine came to rest", resting, len(seen), True),
    ]


def _figure(name: str, agree: int, of: int, mixed: bool) -> Figure:
    """Holds where all agree; `mixed`: both kinds of layouts were among them."""
    return Figure(
        name=name,
        ours=float(agree),
        baseline=float(of),
        ratio=round(agree / of, 4),
        unit="layouts that agree",
        bar="all",
        holds=agree == of and mixed,
    )
