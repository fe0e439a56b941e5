"""Steps on shards and on what is left of them."""

from collections.abc import Mapping

from vagus.cluster import ShardMove
from vagus.steps.base import Step

LEGS_TOLD = 20
"""How many moves of a wave its sentence tells."""


class MoveShards(Step, frozen=True, kw_only=True):
    """One wave, in one request and in this order: the engine's balancer reacts between two. `undone`: how many waves
    in a row, up to this one, the engine has moved on."""

    title = "Move shards where the bytes fit"
    search = ("cluster:admin/reroute",)
    legs: tuple[ShardMove, ...]
    undone: int = 0

    @property
    def sentence(self) -> str:
        total = sum(leg.bytes for leg in self.legs)
        said = "; ".join(f"{leg.sentence}: {leg.why}" for leg in self.legs[:LEGS_TOLD])
        more = f"; and {len(self.legs) - LEGS_TOLD} more" if len(self.legs) > LEGS_TOLD else ""
        return f"move {len(self.legs)} shards, {total} bytes, in one wave: {said}{more}"

    @property
    def subject(self) -> str:
        return ",".join(self.scope)

    @property
    def scope(self) -> tuple[str, ...]:
        """The nodes that shards come to."""
        return tuple(sorted({leg.target for leg in self.legs}))

    @property
    def asked_about(self) -> tuple[str, ...]:
        """Nothing: the wave is planned anew at each look."""
        return ()

    @property
    def moves(self) -> Mapping[str, int]:
        coming = dict.fromkeys(self.scope, 0)
        for leg in self.legs:
            coming[leg.target] += leg.bytes
        return coming


class SetReplicas(Step, frozen=True, kw_only=True):
    """Give indices a copy more, or fewer, as the fleet file says, because a zone came or is to go."""

    title = "Give indices a copy in each zone, and no more"
    search = ("indices:admin/settings/update",)
    indices: tuple[str, ...]
    before: int
    replicas: int
    sizes: Mapping[str, int] = {}

    @property
    def sentence(self) -> str:
        shown = ", ".join(self.indices[:LEGS_TOLD])
        more = f" and {len(self.indices) - LEGS_TOLD} more" if len(self.indices) > LEGS_TOLD else ""
        return f"give {shown}{more} {self.replicas} replicas instead of {self.before}"

    @property
    def subject(self) -> str:
        return ",".join(self.indices)

    @property
    def moves(self) -> Mapping[str, int]:
        return self.sizes


class SaveLastCopies(Step, frozen=True, kw_only=True):
    """Flush what an instance holds that EC2 takes back within minutes, and move what has no other started copy.

    Protective: nobody can approve within two minutes, and it can only keep data.
    """

    title = "Save what only a reclaimed instance holds"
    search = ("indices:admin/flush*", "cluster:admin/reroute")
    protective = True
    intent: str
    instance: str
    indices: tuple[str, ...]
    copies: tuple[ShardMove, ...]

    @property
    def sentence(self) -> str:
        moved = ", ".join(f"{one.index}[{one.shard}] to {one.target}" for one in self.copies)
        first = f"move what has no other started copy: {moved}" if moved else "nothing on it is without another copy"
        return f"flush the shards of {self.instance}, which EC2 takes back; {first}"

    @property
    def subject(self) -> str:
        return self.instance


class NoteDeparture(Step, frozen=True, kw_only=True):
    """Note what an instance that went without us took along. What is safe closes its intent. `before`: what was noted
    as lost at first."""

    title = "Note what a departed instance took along"
    protective = True
    in_every_mode = True
    intent: str
    instance: str
    lost: tuple[str, ...] = ()
    before: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        if self.lost:
            return f"note that {self.instance} is gone, and no started copy is left of {', '.join(self.lost)}"
        again = f", {', '.join(self.before)} again or no more there" if self.before else ""
        return f"note that {self.instance} is gone, and every shard has a started copy elsewhere{again}"

    @property
    def subject(self) -> str:
        return self.instance
