"""The same played cluster on Kubernetes: an agent at the site follows what lies in the bucket, tells pods, and reports.

It acts between looks, `every` so many seconds; `up`: whether it lives; `ahead`: by how much its clock is wrong.
"""

from collections.abc import Callable

import msgspec
from cryptography import x509
from tests.unit.certificates.parts import CLUSTER, of_pods
from tests.unit.certificates.world import PlayedNode, World, certificates_of
from tests.unit.simulation.ports import Meter, wired

from vagus import site
from vagus.aws.fake_site import FakeSiteObjects
from vagus.certificates import profile
from vagus.certificates.at_site import PORTS, SiteCommands, SiteHandshakes, SiteTrust, has_certified
from vagus.fleet import ClusterSpec
from vagus.handshake import Handshake
from vagus.ports import Put
from vagus.procedure.room import Reads, Writes
from vagus.site import Commands, Report
from vagus.trust import issued_partition


class SiteWorld(World):
    """Three pods. `held`: the ConfigMap's bundle; `stuck`: the agent no longer follows it. `waiting`: pods that are
    there, and that no machine runs."""

    def __init__(self, meter: Meter | None = None, every: float = 0.0, **policy: object) -> None:
        super().__init__(meter, **policy)
        self.objects = FakeSiteObjects(lambda: self.now)
        self.nodes = {pod: PlayedNode() for pod in self.spec.pods}
        self.every, self.up, self.stuck, self.ahead = every, True, False, 0.0
        self.held, self.last_round = "", float("-inf")
        self.done: set[tuple[str, str]] = set()
        self.said: dict[str, str] = {}
        self.waiting: set[str] = set()

    def declared(self, per_zone: int, **policy: object) -> ClusterSpec:
        del per_zone
        return of_pods(**policy)

    def published(self) -> str:
        return self.held

    def known(self) -> "SiteWorld":
        """The first authority made, and every pod with a certificate: nothing is due."""
        self.run()
        self.now += 60
        self.run()
        return self

    def scale(self, name: str, size: int) -> None:
        """A StatefulSet gets so many replicas: in the fleet file, and pods that are too many are gone."""
        kubernetes = self.spec.kubernetes
        assert kubernetes is not None
        declared = msgspec.structs.replace(kubernetes, stateful_sets={**kubernetes.stateful_sets, name: size})
        self.spec = msgspec.structs.replace(self.spec, kubernetes=declared)
        self.nodes = {pod: node for pod, node in self.nodes.items() if pod in declared.names()}

    # -- the site ----------------------------------------------------------------------------------------------------

    def agent(self) -> None:
        """One round: commands first, so that the bundle in the ConfigMap is never older than they are."""
        if not self.up or self.now - self.last_round < self.every:
            return
        self.last_round = self.now
        commands, bundle = self.objects.get(site.COMMANDS), self.objects.get(site.BUNDLE)
        if bundle and not self.stuck:
            self.held = bundle.text.decode()
        self._pods(site.read(commands.text, Commands, "commands") if commands else Commands())
        self.report()

    def report(self) -> None:
        trusted = [one.subject for one in certificates_of(self.held)] if self.held else []
        shaken = tuple(
            self._told(pod, node, port, trusted) for pod, node in sorted(self.nodes.items()) for port in PORTS
        )
        at, bundle = self.now + self.ahead, site.digest(self.held)
        told = Report(at=at, bundle=bundle, handshakes=shaken, said=self.said)
        self.objects.there(site.REPORT, site.written(told))

    def _told(self, pod: str, node: PlayedNode, port: int, trusted: list[x509.Name]) -> Handshake:
        seen = self._shown(pod, node, port, trusted)
        if pod not in self.waiting:
            return seen
        return msgspec.structs.replace(seen, address="", failure="no handshake: the pod is Pending")

    def renew_certificate(self, instance: str) -> bool:
        """As the issuing function: each has a row."""
        before, renewed = self.nodes[instance].leaf, super().renew_certificate(instance)
        if (leaf := self.nodes[instance].leaf) is not None and leaf is not before:
            row = Put(key=profile.serial(leaf), data={"instance": instance}, expected=0)
            self.table.write(issued_partition(CLUSTER), row)
        return renewed

    def _pods(self, commands: Commands) -> None:
        for pod, node in self.nodes.items():
            if not node.up or not self.held:
                continue
            if node.leaf is None:
                self.boot(pod)
            for told in commands.of(pod):
                if (pod, told.step) not in self.done and self._does(pod, told.document):
                    self.done.add((pod, told.step))

    def _does(self, pod: str, document: str) -> bool:
        return self.install_trust(pod) if document == "install-trust" else self.renew_certificate(pod)

    # -- Vagus's side ------------------------------------------------------------------------------------------------

    def all(self, bundle: str, *, closely: bool = False) -> tuple[Handshake, ...]:
        del bundle, closely
        raise AssertionError("no function shakes hands with a pod")

    def _handshakes(self, actor: str) -> SiteHandshakes:
        objects = wired(self.objects, f"{actor}.site", self.meter)
        return SiteHandshakes(
            objects, self.spec, lambda: self.now, self.endpoint, lambda: has_certified(self.table, CLUSTER)
        )

    def _reads(self, actor: str) -> Reads:
        self.agent()
        shaken = self._handshakes(actor)
        objects = wired(self.objects, f"{actor}.site", self.meter)
        return msgspec.structs.replace(
            super()._reads(actor),
            commands=lambda _: SiteCommands(objects, lambda: self.now),
            handshakes=lambda _: shaken,
            reported=lambda _: shaken.reported(),
            search=_nobody,
        )

    def _writes(self) -> Writes:
        objects = wired(self.objects, "apply.site", self.meter)
        return msgspec.structs.replace(
            super()._writes(),
            parameters=SiteTrust(objects, CLUSTER),
            commands=SiteCommands(objects, lambda: self.now),
            handshakes=self._handshakes("apply"),
        )


def _nobody(spec: ClusterSpec) -> Callable[[], None]:
    raise AssertionError(f"no function calls {spec.name}")
