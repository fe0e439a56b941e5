"""A pod's side: a sidecar that has a certificate before the search container starts, and does what the pod is told.

A pod is told by the ConfigMap, each thing once (ADR 20): which steps made a folder is noted in that folder, so that the
step and its note are one rename. A refusal is logged and tried again later; what is held goes on being served.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from vagus import site as paths
from vagus.errors import Malformed, VagusError
from vagus.site import Commands, Told
from vagus_agent.fitting import Me, early, misfit, new, parts
from vagus_agent.kube import Kube
from vagus_agent.model import Published, Request
from vagus_agent.saying import Once, Say, say
from vagus_agent.shelf import Asking, Held, Shelf

TRUST, RENEW = "install-trust", "renew-certificate"
"""What a pod can be told, named as the documents that tell a node on EC2."""
POLL, IDLE = 2.0, 300.0
"""Seconds between two looks for an answer, and the longest between two at the ConfigMap, whose changes are told."""
EARLY, LONGEST_EARLY = 30.0, 3600.0
"""Seconds between two looks at a certificate that begins later than the clock here says, and how long it is kept."""
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0
"""After a refusal, or with the API server away; doubled each time."""


class Node:
    """One pod's certificates. `folder`: the memory volume that the search container reads."""

    def __init__(self, kube: Kube, folder: Path, me: Me, say: Say = say) -> None:
        self._kube, self._me, self._say = kube, me, say
        self._shelf, self._wrong = Shelf(folder), Once(say)
        self._failures, self._not_before = 0, 0.0
        self._refusals = 0
        self._early = ("", 0.0)
        self.version = ""
        """Of the ConfigMap that was looked at last: `Kube.await_change` waits for another."""

    def once(self, now: float) -> float:
        """One round (epoch seconds): at most one thing is done. How many seconds until the next."""
        try:
            pause = self._round(now)
        except VagusError as error:
            self._wrong.wrong("certificates", str(error))
            self._failures += 1
            return _pause(self._failures)
        self._failures = 0
        return pause

    def _round(self, now: float) -> float:
        published = self._kube.published() or Published()
        self.version = published.version
        self._shelf.tidy()
        if not published.bundle:
            self._wrong.wrong(
                "certificates", "no authority is published yet: is the agent running, and its cluster deployed?"
            )
            return _pause(1)
        held, asking = self._shelf.held(), self._shelf.asking()
        if asking and held and asking.key == held.key:  # died after it was taken up
            self._shelf.give_up()
            return 0.0
        return self._do(held, asking, published, now)

    # -- what is to be done ------------------------------------------------------------------------------------------

    def _do(self, held: Held | None, asking: Asking | None, published: Published, now: float) -> float:
        told = self._told(published)
        why = "there is none" if held is None else misfit(held, self._me, now)
        todo = () if held is None or why else tuple(one for one in told if one.step not in held.steps)
        trust, renew = (next((one for one in todo if one.document == kind), None) for kind in (TRUST, RENEW))
        if held and trust and (taken := self._with_published(held, trust, published, now)):
            self._shelf.take_up(taken)
            self._say("took up the published authorities", step=trust.step, bundle=paths.digest(published.bundle))
            return 0.0
        if asking:
            return self._look_for_answer(asking, published, now)
        if why or trust or renew:
            return self._ask(why or "it is told to", told, now)
        self._wrong.well("certificates")
        return IDLE

    def _with_published(self, held: Held, trust: Told, published: Published, now: float) -> Held | None:
        """The published bundle, beside the key and the leaf that are held. None if it does not trust them: the pod was
        away while it changed, and gets a new certificate, as one that boots."""
        wanted = msgspec.structs.replace(held, bundle=published.bundle, steps=(*held.steps, trust.step))
        return None if misfit(wanted, self._me, now) else wanted

    def _told(self, published: Published) -> tuple[Told, ...]:
        told = self._commands(published).of(self._me.pod)
        for one in told:
            if one.document not in (TRUST, RENEW):
                self._wrong.wrong(
                    one.document, f"a pod can't do {one.document}: is this agent's image older than Vagus?"
                )
        return tuple(one for one in told if one.document in (TRUST, RENEW))

    def _commands(self, published: Published) -> Commands:
        """What can't be read tells nothing, and is said: a pod that starts gets its certificate all the same."""
        if not published.commands:
            return Commands()
        try:
            commands = paths.read(published.commands.encode(), Commands, paths.COMMANDS)
        except Malformed as error:
            self._wrong.wrong("commands", str(error))
            return Commands()
        self._wrong.well("commands")
        return commands

    # -- a new key and certificate -----------------------------------------------------------------------------------

    def _ask(self, why: str, told: tuple[Told, ...], now: float) -> float:
        """A new key. What lies there to be done by now is done by its certificate: it is signed, and its bundle made,
        after this."""
        if now < self._not_before:
            return self._not_before - now
        self._shelf.begin(new(self._me, tuple(one.step for one in told)))
        self._say("made a new key", why=why)
        return 0.0

    def _look_for_answer(self, asking: Asking, published: Published, now: float) -> float:
        name = request_name(self._me, asking.request)
        asked = self._kube.request(name) or self._kube.ask(name, asking.request)
        if asked.request != asking.request:
            return self._give_up(f"{name} is somebody else's request", now)
        if asked.state == "refused":
            return self._give_up(asked.said, now)
        if not asked.certificate:
            return POLL
        return self._take_up(asked, asking, published, now)

    def _take_up(self, asked: Request, asking: Asking, published: Published, now: float) -> float:
        """The chain says what is trusted, as on EC2: it was made with the leaf, so that the two always fit."""
        leaf, trusted = parts(asked.certificate)
        # what was told since the request was made is not done by its answer, whose bundle may be older
        wanted = Held(key=asking.key, leaf=leaf, bundle=trusted or published.bundle, steps=asking.steps)
        if why := misfit(wanted, self._me, now):
            return self._give_up(f"the certificate of {asked.name} is not to be served: {why}", now)
        if why := early(leaf, now):
            return self._let_begin(asked.name, why, now)
        self._shelf.take_up(wanted)
        self._shelf.give_up()
        self._refusals, self._not_before = 0, 0.0
        self._say("took up a new certificate", request=asked.name, steps=asking.steps)
        return 0.0

    def _let_begin(self, name: str, why: str, now: float) -> float:
        """The clock here is slow. Key and request are kept: what is signed next begins later still. It may be put right
        at any moment."""
        if self._early[0] != name:
            self._early = (name, now)
            self._say("the certificate is not to be served yet", request=name, why=why)
        if now - self._early[1] >= LONGEST_EARLY:
            return self._give_up(f"the certificate of {name} is not to be served: {why}", now)
        return EARLY

    def _give_up(self, why: str, now: float) -> float:
        self._shelf.give_up()
        self._refusals += 1
        pause = _pause(self._refusals)
        self._not_before = now + pause
        self._say("got no certificate", why=why, again_in_seconds=pause)
        return pause


def request_name(me: Me, request: str) -> str:
    """How a request is called in the API server: of its own text, so that who died after asking finds it again."""
    return f"{me.cluster}-{me.pod}-{hashlib.sha256(request.encode()).hexdigest()[:16]}"


def _pause(times: int) -> float:
    return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(times - 1, 10)))
