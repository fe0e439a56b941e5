"""When a person is told: once per reason (or whom it is about) or question, again when it comes back, and again while
it keeps an instance waiting.

Pure. What was told travels in the call from look to look, through hand-overs too, and what a run's end told of
somebody or something in the head to the next run.
"""

from collections.abc import Mapping

import msgspec

from vagus.plan import Ask, Blocked, Plan, Steps, Wait, pages
from vagus.reasons import Reason
from vagus.steps import AnyStep, kind

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
    """What was told so far. A fresh call lists what the run before had told at its end, and the sweep has seen to stand
    since; one of an older version reasons: all count as told just now."""
    return {one: Told(now, now) for one in paged} if isinstance(paged, tuple) else paged


def told(plan: Plan, paged: Paged, now: float) -> tuple[bool, Paged]:
    """Whether this plan is to be told now, and what has been told then."""
    over = _question(plan.steps) if isinstance(plan, Steps) else None
    standing = {key: one for key, one in paged.items() if now - one.seen < FORGOTTEN_SECONDS and key != over}
    due = {key for key, again in _known_as(plan) if _due(standing.get(key), now, again)}
    told_of = {key: Told(now if due else standing[key].at, now) for key, _ in _known_as(plan)}  # a page tells all
    return bool(due), {**standing, **told_of}


def told_at_the_end(plan: Plan) -> tuple[str, ...]:
    """What a plan that ends a run has told, by whom or what it is about; empty where it is about nothing in particular.

    It is kept in the head: another cause under the same reason is news, and the same one is none in the next run."""
    return tuple(sorted(set(_each(plan)))) if isinstance(plan, Blocked) and plan.about else ()


def headline(plan: Plan) -> str:
    """The reasons for which a person is told, in few words."""
    beside = _beside(plan)
    return f"{plan.reason}, {beside.reason}" if beside else plan.reason


def text(plan: Plan, about: str, link: str) -> str:
    """What a page says: why, what would be done, and where to see it. `about` names cluster, capability and mode."""
    coming = (*plan.steps, *plan.foreseen) if isinstance(plan, Steps | Ask) else plan.foreseen
    lines = [f"{about}: {type(plan).__name__} {headline(plan)}", "", plan.message]
    if beside := _beside(plan):
        lines += ["", f"Meanwhile: {beside.message}"]
    if coming:
        more = f"and {len(coming) - MOST_STEPS} more" if len(coming) > MOST_STEPS else ""
        lines += ["", "Next, or foreseen:", *(f"- {step.sentence}" for step in coming[:MOST_STEPS]), more]
    return "\n".join([*lines, "", f"Execution: {link}"])


def _due(before: Told | None, now: float, again: bool) -> bool:
    return before is None or (again and now - before.at >= AGAIN_SECONDS)


def _known_as(plan: Plan) -> list[tuple[str, bool]]:
    """What a person is to know of a plan, each by a key, and whether it is told again while it lasts."""
    if not pages(plan):
        return []
    if isinstance(plan, Ask):
        beside = _beside(plan)
        return [
            (_question(plan.steps), plan.open_deadline),
            *([(key, True) for key in _each(beside)] if beside else []),
        ]
    if isinstance(plan, Wait):
        return [(key, not plan.once) for key in _each(plan)]
    again = isinstance(plan, Blocked) and plan.open_deadline and not plan.once
    return [(key, again) for key in _each(plan)] if isinstance(plan, Blocked) else []


def _each(plan: Wait | Blocked) -> list[str]:
    return [f"{plan.reason}: {one}" for one in plan.about] or [plan.reason]


def _beside(plan: Plan) -> Wait | None:
    """What a question would else hide."""
    return plan.meanwhile if isinstance(plan, Ask) and plan.meanwhile and plan.meanwhile.page else None


def _question(steps: tuple[AnyStep, ...]) -> str:
    """A person is asked once for each step; when it has been done, the next of its kind is another question."""
    return f"{Reason.APPROVAL_NEEDED}: {kind(steps[0])} {', '.join(sorted(steps[0].asked_about))}"
