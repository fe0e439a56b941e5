"""The agent's loop: what pods ask goes to the bucket, what Vagus answers and publishes comes back, and what handshakes
with every pod show is reported. One round looks at everything and acts on what differs, so it may die at any call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from vagus import site as paths
from vagus.certificates.issuing import REFUSED
from vagus.errors import Conflict, Denied, Throttled, Unreachable, VagusError
from vagus.handshake import Handshake
from vagus.search.handshakes import HTTP, TRANSPORT, Handshakes
from vagus.site import Commands, Report
from vagus_agent.bucket import Bucket, NoCredentials
from vagus_agent.checks import OVER, Site, not_yet, passed_on, refused
from vagus_agent.kube import Kube
from vagus_agent.model import Pod, Published, Request
from vagus_agent.saying import Once, Say, say

BUSY, REST = 3.0, 10.0
"""Seconds between two rounds: while something is under way, and else."""
REPORT_SECONDS = 60.0
"""A report is put so often while nothing is under way."""
LIVELY_SECONDS = 180.0
"""After something was published, or given to a pod, engines take it up within seconds: so long it is under way."""
ASK_AGAIN_SECONDS = 60.0
"""A request is put again: the event of the first may be lost, or have come before there was an authority."""
AWAY_SECONDS = 60.0
"""The longest pause when the bucket or the API server is away."""
LABEL = "vagus.internal/cluster"
"""What search pods carry, with the cluster's name."""

Shake = Callable[[Mapping[str, str], str], tuple[Handshake, ...]]
"""Handshakes with addresses by pod, held against a bundle."""


def shaken(addresses: Mapping[str, str], bundle: str) -> tuple[Handshake, ...]:
    """Real ones."""
    return Handshakes(lambda: addresses).all(bundle)


class Agent:
    """One cluster's. What it keeps in memory only saves calls and words: an agent that begins anew does the same."""

    def __init__(
        self,
        kube: Kube,
        bucket: Bucket,
        site: Site,
        shake: Shake = shaken,
        say: Say = say,
        alive: Callable[[], object] = lambda: None,
    ) -> None:
        """`alive` is called after each part of a round: a round of many requests takes long where calls end in
        time-outs."""
        self._kube, self._bucket, self._site, self._shake, self._say = kube, bucket, site, shake, say
        self._alive = alive
        self._wrong = Once(say)
        self._put_at: dict[str, float] = {}
        self._reported, self._lively_until = float("-inf"), float("-inf")
        self._failures, self._trouble, self._away = 0, False, False
        self._asked: tuple[Request, ...] = ()
        self._bundle = ""

    def once(self, now: float) -> float:
        """One round (epoch seconds); how many seconds until the next. Raises nothing of `vagus.errors`: what is away is
        waited for, what is denied is said."""
        self._trouble = self._away = False
        with self._part("publishing"):
            self._publish(now)
        with self._part("requests"):
            self._asked = self._kube.requests()
            for one in self._open():
                if self._away:
                    break
                with self._part(one.name, whole=False):
                    self._take(one, now)
        busy = bool(self._open()) or now < self._lively_until
        if not self._away and (busy or now - self._reported >= REPORT_SECONDS):
            with self._part("reporting"):
                self._report(now)
        self._failures = self._failures + 1 if self._trouble else 0
        if self._trouble:
            return float(min(AWAY_SECONDS, BUSY * 2 ** min(self._failures - 1, 5)))
        return BUSY if busy else REST

    # -- what Vagus publishes ----------------------------------------------------------------------------------------

    def _publish(self, now: float) -> None:
        """Commands are read first: the bundle that is read after them is at least as new as what they speak of."""
        commands, bundle = self._commands(), self._object(paths.BUNDLE)
        lies = self._kube.published()
        before = lies or Published()
        self._bundle = bundle or before.bundle
        wanted = Published(bundle=self._bundle, commands=commands or before.commands)
        if wanted.data == before.data and lies is not None:
            return
        self._kube.publish(wanted)
        self._lively_until = now + LIVELY_SECONDS
        self._say("published", bundle=paths.digest(wanted.bundle), commands=paths.digest(wanted.commands))

    def _commands(self) -> str:
        """What pods are told, if it can be read: what can't be is said, reaches no pod, and holds up no bundle."""
        commands = self._object(paths.COMMANDS)
        with self._part("commands", whole=False):
            if commands:
                paths.read(commands.encode(), Commands, paths.COMMANDS)
            return commands
        return ""

    def _object(self, key: str) -> str:
        """What lies there; "" for nothing. To who may not list, S3 denies what is not there too: that is said once, and
        is no failure, for it stays so until Vagus publishes."""
        try:
            with self._calling():
                body = self._bucket.get(key)
        except NoCredentials:
            raise
        except Denied as error:
            self._wrong.wrong(key, f"it is not there yet, or the site role may not read it: {error}")
            return ""
        self._wrong.well(key)
        return (body or b"").decode(errors="replace")

    # -- what pods ask -----------------------------------------------------------------------------------------------

    def _open(self) -> list[Request]:
        return [one for one in self._asked if not one.over]

    def _take(self, asked: Request, now: float) -> None:
        """One request. What fails with it holds up no other."""
        pod = self._kube.pod(asked.pod) if asked.pod else None
        if why := refused(asked, pod, self._site):
            self._refuse(asked, why)
        elif pod is None or (why := not_yet(pod)):
            self._wrong.wrong(f"{asked.name}, which waits", why)
        elif answer := self._object(paths.answer_key(asked.uid)):
            self._pass_back(asked, answer, now)
        elif now - self._put_at.get(asked.uid, float("-inf")) >= ASK_AGAIN_SECONDS:
            with self._calling():
                self._bucket.put(paths.request_key(asked.uid), paths.written(passed_on(asked, pod, self._site)))
            still = {one.uid for one in self._open()}
            self._put_at = {uid: at for uid, at in self._put_at.items() if uid in still} | {asked.uid: now}
            self._say("asked Vagus", pod=pod.name, request=asked.name)

    def _pass_back(self, asked: Request, answer: str, now: float) -> None:
        refusal = REFUSED.decode()
        if answer.startswith(refusal):
            self._refuse(asked, answer.removeprefix(refusal).strip())
            return
        self._kube.certify(asked, answer)
        self._lively_until = now + LIVELY_SECONDS
        self._say("certified", pod=asked.pod, request=asked.name)

    def _refuse(self, asked: Request, why: str) -> None:
        self._kube.refuse(asked, why)
        self._say("refused", pod=asked.pod, request=asked.name, why=why)

    # -- what handshakes show ----------------------------------------------------------------------------------------

    def _report(self, now: float) -> None:
        """Of the pods that are there: which should be, the fleet file says to Vagus."""
        pods = {one.name: one for one in self._kube.pods(f"{LABEL}={self._site.cluster}")}
        bundle = self._bundle
        reached = {name: pod.addresses[0] for name, pod in pods.items() if _runs(pod)}
        away = [pod for name, pod in pods.items() if name not in reached]
        seen = (*self._shake(reached, bundle), *(one for pod in away for one in _away(pod)))
        report = Report(
            at=now,
            bundle=paths.digest(bundle),
            handshakes=tuple(sorted(seen, key=lambda one: (one.instance, one.port))),
            said=last_words(self._asked),
        )
        with self._calling():
            self._bucket.put(paths.REPORT, paths.written(report))
        self._reported = now

    # -- whatever goes wrong -----------------------------------------------------------------------------------------

    @contextmanager
    def _calling(self) -> Iterator[None]:
        """A bucket that is away is asked no more in this round: each call to a black hole takes its time-outs."""
        try:
            yield
        except (Unreachable, Throttled, NoCredentials):
            self._away = True
            raise

    @contextmanager
    def _part(self, where: str, *, whole: bool = True) -> Iterator[None]:
        """One part of a round: what goes wrong in it is said, once, and holds up no other part. Whoever is away is
        given time, and so is what only a person can change; but one request (not `whole`) slows no others."""
        try:
            yield
        except VagusError as error:
            away = isinstance(error, Unreachable | Throttled)
            if away or (whole and not isinstance(error, Conflict)):  # a conflict: somebody wrote first, look anew soon
                self._trouble = True
            self._wrong.wrong(where, str(error))
        else:
            self._wrong.well(where)
        finally:
            self._alive()


def last_words(asked: tuple[Request, ...]) -> dict[str, str]:
    """Of each pod whose newest request (they come oldest first) was refused, why."""
    newest = {one.pod: one for one in asked if one.pod}
    return {pod: one.said for pod, one in newest.items() if one.state == "refused"}


def _runs(pod: Pod) -> bool:
    """One that has ended keeps its address at the API server until it is deleted."""
    return bool(pod.addresses) and not pod.going and pod.phase not in OVER


def _away(pod: Pod) -> Iterator[Handshake]:
    """Without an address: who has one runs, and is waited for though nobody declared it."""
    ended = f"has ended ({pod.phase})" if pod.phase in OVER else ""
    why = "is going" if pod.going else ended or f"is {pod.phase or 'without an address'}"
    for port in (HTTP, TRANSPORT):
        yield Handshake(instance=pod.name, address="", port=port, failure=f"no handshake: the pod {why}")
