"""Whatever happens, in whatever order: what an engine reads always fits, and in the end each step is done, once."""

import itertools
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.agent.manifests import NAMESPACE
from tests.unit.agent.world import ADDRESS, POD, World

from vagus.errors import Unreachable
from vagus_agent.fitting import Me, early, misfit
from vagus_agent.shelf import Shelf


class Site:
    """One pod, and all that can come between."""

    def __init__(self, folder: Path) -> None:
        self.world, self.numbers = World(folder), itertools.count()
        self.world.vagus.publish()
        self.uid = self.world.start_pod()
        self.told = dict[str, str]()
        self.acts: Mapping[str, Callable[[], object]] = {
            "agent": lambda: self.world.agent.once(self.world.now),
            "node": lambda: self.world.nodes[POD].once(self.world.now),
            "vagus": lambda: self.world.vagus.answer(self.world.now),
            "told to trust": lambda: self.tell("install-trust"),
            "told to renew": lambda: self.tell("renew-certificate"),
            "another authority": self.rotate,
            "the old one goes": self.drop,
            "requests are swept away": self.world.api.sweep_requests,
            "the agent begins anew": self.world.start_agent,
            "the sidecar begins anew": lambda: self.world.start_node(POD, self.uid, ADDRESS),
            "the bucket is away": lambda: setattr(self.world.bucket, "away", Unreachable("no route")),
            "the bucket is back": lambda: setattr(self.world.bucket, "away", None),
            "the pod's address is not told": lambda: self.world.api.change_pod(NAMESPACE, POD, "status", podIPs=[]),
            "the pod's address is told": self.place,
        }

    def tell(self, document: str) -> None:
        self.told[document] = f"intent-{next(self.numbers)}.step"
        self.world.vagus.tell(document, self.told[document])

    def rotate(self) -> None:
        if len(self.world.vagus.trust.authorities) == 1:
            self.world.vagus.add_authority()
            self.world.vagus.publish()

    def drop(self) -> None:
        """Sooner than Vagus ever would: it first looks at what every pod shows."""
        if len(self.world.vagus.trust.authorities) == 2:
            self.world.vagus.drop_oldest()
            self.world.vagus.publish()

    def place(self) -> None:
        self.world.api.change_pod(NAMESPACE, POD, "status", podIPs=[{"ip": ADDRESS}])

    def served(self) -> str:
        """What is wrong with what an engine would read now."""
        held = Shelf(self.world.folder / POD).held()
        me = Me(pod=POD, address=ADDRESS, cluster="claims")
        return "" if held is None else misfit(held, me, self.world.now) or early(held.leaf, self.world.now)


NAMES = (
    "agent",
    "node",
    "vagus",
    "told to trust",
    "told to renew",
    "another authority",
    "the old one goes",
    "requests are swept away",
    "the agent begins anew",
    "the sidecar begins anew",
    "the bucket is away",
    "the bucket is back",
    "the pod's address is not told",
    "the pod's address is told",
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from([*NAMES, "agent", "node", "vagus", "agent", "node", "vagus"]), max_size=60))
def test_whatever_happens(acts: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder))
        for act in acts:
            site.acts[act]()
            site.world.now += 3
            assert site.served() == "", act
        site.world.bucket.away = None
        site.place()
        site.world.settle(rounds=40, seconds=15)
        assert set(site.told.values()) <= set(site.world.held().steps)
        assert len(site.world.held().steps) == len(set(site.world.held().steps)), "each once"
