"""What a person approved, as data: which acts, on what, by whom, until when. Pure; nothing here does I/O.

An approval names acts, not plans: a plan whose next step lies inside goes on without asking, whatever else has changed
meanwhile; one outside asks again. Protective steps need none.
"""

from collections.abc import Iterable

import msgspec

from vagus.steps import Step, kind

TOLERATED = 0.1
TOLERATED_BYTES = 1 << 30
"""How much more than was approved a step may move: a tenth, or 1 GiB where that is more. A cluster goes on indexing
while a person thinks it over."""


class Act(msgspec.Struct, frozen=True):
    """A kind of step on one node, instance or group (`Step.scope`): to which version (empty: it has none), and how many
    bytes it moves (`None`: none, or any number in a row of an older version)."""

    kind: str
    on: str
    version: str = ""
    bytes: int | None = None

    def __str__(self) -> str:
        """In few words, for a person."""
        version = f" to {self.version}" if self.version else ""
        return f"{self.kind} {self.on}{version}" + (
            f" (at most {most(self.bytes) / 1e6:,.0f} MB)" if self.bytes else ""
        )

    def allows(self, wanted: "Act") -> bool:
        """Whether a yes to this is one to `wanted`."""
        same = (self.kind, self.on, self.version) == (wanted.kind, wanted.on, wanted.version)
        return same and (self.bytes is None or (wanted.bytes or 0) <= most(self.bytes))


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """One row. `given` is ISO 8601, `expires` seconds since the epoch."""

    capability: str
    person: str
    given: str
    expires: float
    acts: tuple[Act, ...]


def most(approved: int) -> int:
    """How many bytes may move where so many were approved."""
    return approved + max(int(approved * TOLERATED), TOLERATED_BYTES)


def acts(step: Step) -> frozenset[Act]:
    """What an approval of this step has to name: nothing for a protective one."""
    if step.protective:
        return frozenset()
    return frozenset(Act(kind(step), on, version=step.version, bytes=step.moves.get(on)) for on in step.scope or ("",))


def in_force(approvals: Iterable[Approval], capability: str, now: float) -> tuple[Approval, ...]:
    """Those that hold for a capability now. `now`: epoch seconds."""
    return tuple(one for one in approvals if one.capability == capability and now < one.expires)


def covers(approvals: Iterable[Approval], step: Step) -> bool:
    """Whether these, taken together, allow the step."""
    given = [act for one in approvals for act in one.acts]
    return all(any(one.allows(wanted) for one in given) for wanted in acts(step))


def scope(steps: Iterable[Step]) -> tuple[Act, ...]:
    """What a person approves who approves these steps."""
    every = {act for step in steps for act in acts(step)}
    return tuple(sorted(every, key=lambda act: (act.kind, act.on, act.version, act.bytes or 0)))


def moved(step: Step) -> str:
    """What of a step's scope its sentence does not say, for whoever is to approve it: the bytes that it moves."""
    known = [act.bytes for act in acts(step) if act.bytes is not None]
    return f" ({sum(known) / 1e6:,.0f} MB)" if known else ""
