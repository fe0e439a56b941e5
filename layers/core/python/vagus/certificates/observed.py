"""What a decision about certificates is made of: the row `trust`, handshakes with every node, commands sent to them."""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from vagus.callers import Callers
from vagus.certificates import telling
from vagus.ending import soon
from vagus.handshake import Handshake
from vagus.instances import Group
from vagus.plan import Progress
from vagus.trust import ASK_BELOW, Told, Trust, renewal_at, told_as


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `decide` may know. `formed`: whether the cluster has ever been one. `members`: instances of its
    groups that are to stay. `said`: the last words of nodes that take long. `callers`: while an authority is being
    replaced and every node is where it should be, who called each node lately. `endpoints`: what gateways show, by ARN.
    `unseen`: why there are no handshakes. Of a cluster on Kubernetes: `reported`, when its agent told something last
    (epoch seconds, 0 never), `awaited`, why that does not count, and `last`, what it told, for people alone."""

    trust: Trust
    formed: bool = False
    members: tuple[str, ...] = ()
    handshakes: tuple[Handshake, ...] = ()
    said: Mapping[str, str] = {}
    callers: Mapping[str, Callers] = {}
    endpoints: Mapping[str, Handshake] = {}
    progress: Progress | None = None
    unseen: str = ""
    reported: float = 0.0
    awaited: str = ""
    last: tuple[Handshake, ...] = ()

    @property
    def concerned(self) -> tuple[str, ...]:
        """Members, and whoever else answers: what leaves, is retained or was detached still speaks to the others."""
        return concerned(self.members, self.handshakes)

    @property
    def silent(self) -> tuple[str, ...]:
        """Of those, who does not answer on both ports."""
        answering = [one.instance for one in self.handshakes if one.answered]
        return tuple(one for one in self.concerned if answering.count(one) < 2)

    @property
    def answering(self) -> tuple[str, ...]:
        """Of those, who answers on both ports."""
        silent = self.silent
        return tuple(one for one in self.concerned if one not in silent)

    def slow(self, seconds: float, now: float) -> dict[str, Told]:
        """Nodes that were told something so long ago, and have not taken it up; of both the bundle, for a certificate
        comes with it."""
        trust = self.trust
        heard = {
            **telling.known(self.stale(now), trust.told, trust.leaf_wanted, now),
            **telling.known(self.lagging(), trust.told, trust.bundle_wanted, now),
        }
        return {one: told for one, told in heard.items() if now - told.first >= seconds}

    def deaf(self, now: float) -> dict[str, tuple[str, ...]]:
        """Nodes that had long enough, by what they did not take up."""
        trust, wanted = self.trust, self.trust.bundle_wanted
        found = {
            wanted: telling.deaf(self.lagging(), trust.told, wanted, now),
            trust.leaf_wanted: telling.deaf(self.stale(now), trust.told, trust.leaf_wanted, now),
        }
        return {what: nodes for what, nodes in found.items() if nodes}

    def gone(self, now: float) -> tuple[str, ...]:
        """Silent nodes that were told something on this occasion: it may be that which silenced them."""
        trust = self.trust
        wanted = (trust.bundle_wanted, trust.leaf_wanted)
        told = {one for what in wanted for one in telling.known(self.silent, trust.told, what, now)}
        return tuple(one for one in self.silent if one in told)

    def called_for(self, now: float) -> tuple[str, ...]:
        """Deaf nodes for each of which a person is called: of those that nobody followed, the first that were told."""
        found: dict[str, None] = {}
        for what, nodes in self.deaf(now).items():
            pending = self.lagging() if what == self.trust.bundle_wanted else self.stale(now)
            first = sorted(nodes, key=lambda one: self.trust.told[told_as(what, one)].first)
            found |= dict.fromkeys(first[: telling.NAMED] if len(pending) == len(self.answering) else first)
        return tuple(found)

    def lagging(self) -> tuple[str, ...]:
        """Nodes that trust another set of authorities than they should, on either port."""
        return self._where(lambda one: frozenset(one.trusts) != self.trust.names)

    def stale(self, now: float) -> tuple[str, ...]:
        """Nodes whose certificate is another authority's, not to be trusted, or due to be renewed."""
        return self._where(lambda one: not self._fresh(one, now))

    def short(self, now: float) -> tuple[str, ...]:
        """Nodes whose certificate is a person's matter by now."""
        return self._where(lambda one: soon(one.begins, one.ends, now))

    def presses_unseen(self, now: float) -> bool:
        """Of what a silent agent told last: whether an end is near, or no end is known; or a replacement is under
        way."""
        known = [one for one in self.last if one.answered]
        return not known or len(self.trust.authorities) > 1 or any(soon(one.begins, one.ends, now) for one in known)

    def worth_asking(self, now: float) -> bool:
        """Whether a person is to be asked for renewals now: for another reason than that half a life is over, or little
        is left of one; and all that are due while a yes is being carried out."""
        told = self.trust.told.values()
        at_it = any(one.what == self.trust.leaf_wanted and now - one.last < telling.FORGOTTEN_SECONDS for one in told)
        return at_it or bool(self._where(lambda one: not self._holds(one) or now >= asked_at(one)))

    def next_question(self) -> float | None:
        """When, in mode `approve`, the first certificate's renewal is asked for (epoch seconds)."""
        return min((asked_at(one) for one in self.handshakes if one.answered), default=None)

    def next_renewal(self) -> float | None:
        """When the first certificate of a node is due (epoch seconds)."""
        return min(
            (renewal_at(one.serial, one.begins, one.ends) for one in self.handshakes if one.answered), default=None
        )

    def _fresh(self, one: Handshake, now: float) -> bool:
        return self._holds(one) and now < renewal_at(one.serial, one.begins, one.ends)

    def _holds(self, one: Handshake) -> bool:
        """Whether nothing but its age is against a certificate."""
        signer = self.trust.signer
        by_signer = signer is not None and one.issuer == signer.name and not one.failure
        return by_signer and one.begins >= self.trust.renew_before

    def _where(self, holds: Callable[[Handshake], bool]) -> tuple[str, ...]:
        found = {one.instance for one in self.handshakes if holds(one)}
        return tuple(one for one in self.answering if one in found)


def asked_at(one: Handshake) -> float:
    """When so little of a certificate is left that its renewal is asked for in mode `approve` (epoch seconds)."""
    return one.ends - ASK_BELOW * (one.ends - one.begins)


def concerned(members: Iterable[str], handshakes: Iterable[Handshake]) -> tuple[str, ...]:
    """Instances whose trust counts before a phase moves on, by name."""
    return tuple(sorted({*members, *(one.instance for one in handshakes if one.answered)}))


def members(groups: Iterable[Group]) -> tuple[str, ...]:
    """Instances that are to stay: one that leaves needs no new certificate."""
    return tuple(sorted(one.id for group in groups for one in group.instances if not one.leaving))
