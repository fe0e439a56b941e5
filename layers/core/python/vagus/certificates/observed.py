"""What a decision about certificates is made of: the row `trust`, handshakes with every node, commands sent to them."""

from collections.abc import Callable, Iterable

import msgspec

from vagus.command import Command
from vagus.handshake import Handshake
from vagus.instances import Group
from vagus.plan import Progress
from vagus.trust import PAGE_BELOW, Trust, renewal_at, share_left


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `decide` may know. `formed`: whether the cluster has ever been one. `members`: instances of its
    groups that are to stay. `unseen`: why there are no handshakes."""

    trust: Trust
    formed: bool = False
    members: tuple[str, ...] = ()
    handshakes: tuple[Handshake, ...] = ()
    commands: tuple[Command, ...] = ()
    progress: Progress | None = None
    unseen: str = ""

    @property
    def silent(self) -> tuple[str, ...]:
        """Members that don't answer on both ports."""
        answering = [one.instance for one in self.handshakes if one.answered]
        return tuple(one for one in self.members if answering.count(one) < 2)

    @property
    def answering(self) -> tuple[str, ...]:
        """Members that answer on both ports."""
        return tuple(one for one in self.members if one not in self.silent)

    def lagging(self) -> tuple[str, ...]:
        """Members that trust another set of authorities than they should, on either port."""
        return self._where(lambda one: frozenset(one.trusts) != self.trust.names)

    def stale(self, now: float) -> tuple[str, ...]:
        """Members whose certificate is another authority's, not to be trusted, or due to be renewed."""
        return self._where(lambda one: not self._fresh(one, now))

    def short(self, now: float) -> tuple[str, ...]:
        """Members of whose certificate less than `PAGE_BELOW` is left, or nothing."""
        return self._where(lambda one: share_left(one.begins, one.ends, now) < PAGE_BELOW)

    def next_renewal(self) -> float | None:
        """When the first certificate of a node is due (epoch seconds)."""
        return min(
            (renewal_at(one.serial, one.begins, one.ends) for one in self.handshakes if one.answered), default=None
        )

    def _fresh(self, one: Handshake, now: float) -> bool:
        signer = self.trust.signer
        by_signer = signer is not None and one.issuer == signer.name and not one.failure
        due = now >= renewal_at(one.serial, one.begins, one.ends) or one.begins < self.trust.renew_before
        return by_signer and not due

    def _where(self, holds: Callable[[Handshake], bool]) -> tuple[str, ...]:
        found = {one.instance for one in self.handshakes if holds(one)}
        return tuple(one for one in self.answering if one in found)


def members(groups: Iterable[Group]) -> tuple[str, ...]:
    """Instances that are to stay: one that leaves needs no new certificate."""
    return tuple(sorted(one.id for group in groups for one in group.instances if not one.leaving))
