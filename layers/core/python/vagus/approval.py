"""What a person approved, as data: which acts, on what, by whom, until when. Pure; nothing here does I/O.

An approval names acts, not plans: a plan whose next step lies inside goes on without asking, whatever else has changed
meanwhile; one outside asks again. Protective steps need none.
"""

from collections.abc import Iterable

import msgspec

from vagus.steps import Step, kind


class Act(msgspec.Struct, frozen=True, order=True):
    """A kind of step on one node, instance or group (`Step.scope`)."""

    kind: str
    on: str


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """One row. `given` is ISO 8601, `expires` seconds since the epoch."""

    capability: str
    person: str
    given: str
    expires: float
    acts: tuple[Act, ...]


def acts(step: Step) -> frozenset[Act]:
    """What an approval of this step has to name: nothing for a protective one."""
    if step.protective:
        return frozenset()
    return frozenset(Act(kind(step), on) for on in step.scope or ("",))


def in_force(approvals: Iterable[Approval], capability: str, now: float) -> tuple[Approval, ...]:
    """Those that hold for a capability now. `now`: epoch seconds."""
    return tuple(one for one in approvals if one.capability == capability and now < one.expires)


def covers(approvals: Iterable[Approval], step: Step) -> bool:
    """Whether these, taken together, allow the step."""
    return acts(step) <= {act for one in approvals for act in one.acts}


def scope(steps: Iterable[Step]) -> tuple[Act, ...]:
    """What a person approves who approves these steps."""
    return tuple(sorted({act for step in steps for act in acts(step)}))
