"""When a person is told: once per reason, again when it comes back, and again while it keeps an instance waiting.

Pure. What was told travels in the call from look to look, through hand-overs too.
"""

from collections.abc import Mapping

import msgspec

from vagus.plan import Ask, Blocked, Plan, Steps, Wait, pages
from vagus.steps import kind

FORGOTTEN_SECONDS = 600.0
"""A reason that no look has shown for so long is over: when it comes back, it is news."""
AGAIN_SECONDS = 4 * 3600.0
"""A page may be lost or forgotten, and a hook is outlived for 48 hours at most."""

MOST_STEPS = 20
"""How many steps a page tells; `vagus plan` shows all."""


class Told(msgspec.Struct, frozen=True):
    """When a person was told last, and when a look last showed it. Epoch seconds."""

    at: float
    seen: float


Paged = Mapping[str, Told]


def read(paged: Mapping[str, Told] | tuple[str, ...], now: float) -> Paged:
    """What was told so far. A call of an older version lists reasons alone: they were told just now."""
    return {one: Told(now, now) for one in paged} if isinstance(paged, tuple) else paged


def told(plan: Plan, paged: Paged, now: float) -> tuple[bool, Paged]:
    """Whether this plan is to be told now, and what has been told then."""
    standing = {key: one for key, one in paged.items() if now - one.seen < FORGOTTEN_SECONDS}
    if not pages(plan):
        return False, standing
    key = _known_as(plan)
    before = standing.get(key)
    page = before is None or (_keeps_waiting(plan) and now - before.at >= AGAIN_SECONDS)
    return page, {**standing, key: Told(now if before is None or page else before.at, now)}


def text(plan: Plan, about: str, link: str) -> str:
    """What a page says: why, what would be done, and where to see it. `about` names cluster, capability and mode."""
    coming = (*plan.steps, *plan.foreseen) if isinstance(plan, Steps | Ask) else plan.foreseen
    lines = [f"{about}: {type(plan).__name__} {plan.reason}", "", plan.message]
    if coming:
        more = f"and {len(coming) - MOST_STEPS} more" if len(coming) > MOST_STEPS else ""
        lines += ["", "Next, or foreseen:", *(f"- {step.sentence}" for step in coming[:MOST_STEPS]), more]
    return "\n".join([*lines, "", f"Execution: {link}"])


def _keeps_waiting(plan: Plan) -> bool:
    return isinstance(plan, Ask | Wait) or (isinstance(plan, Blocked) and plan.open_deadline)


def _known_as(plan: Plan) -> str:
    """A person is asked once for each step, and told of anything else by its reason."""
    if isinstance(plan, Ask):
        return f"{plan.reason}: {kind(plan.steps[0])} {', '.join(plan.steps[0].asked_about)}"
    return plan.reason
