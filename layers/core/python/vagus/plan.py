"""What a decision is: a plan, as data. Nothing here does I/O or knows the time.

Only the first step of a plan is done, then the cluster is looked at again; the rest is what can be foreseen: shown,
recorded, never trusted.
"""

import msgspec

from vagus.cluster import Awaited
from vagus.reasons import Reason
from vagus.steps import AnyStep


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How a drain gets on: carried from one look to the next. Bytes, seconds since the epoch, bytes per second.

    `about` names what was waited for at the last look; `changed_at` is since when it is that. `unseen`: looks in a row
    that failed, or did not show everything.
    """

    bytes_left: int
    copies_left: int = 0
    about: str = ""
    at: float
    changed_at: float
    speed: float = 0.0
    unseen: int = 0


class _Plan(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag=True):
    reason: Reason
    message: str
    foreseen: tuple[AnyStep, ...] = ()
    progress: Progress | None = None


class Steps(_Plan, frozen=True, kw_only=True):
    """Do `steps[0]`, then look again.

    For when nobody lets it be done: `open_deadline` says whether something waits, with a deadline, and `meanwhile` what
    the plan would be without these steps, if that is to wait for what was begun before.
    """

    steps: tuple[AnyStep, ...]
    open_deadline: bool = False
    meanwhile: "Wait | None" = None


class Wait(_Plan, frozen=True, kw_only=True):
    """Look again in `seconds`. `page`: a person should know, once per reason; `about`: or once for each of these.
    `once`: nothing presses, and a person is not told again while it lasts. `awaits`: what the next look lets the engine
    wait for first."""

    seconds: int
    awaits: Awaited | None = None
    page: bool = False
    about: tuple[str, ...] = ()
    once: bool = False


class Ask(_Plan, frozen=True, kw_only=True):
    """`steps[0]` needs a person's approval: look again in `seconds` whether there is one. A person is told once, and
    again only while something waits with a deadline. `meanwhile`: of `Steps`; it is told too, where it pages."""

    steps: tuple[AnyStep, ...]
    seconds: int
    open_deadline: bool = False
    meanwhile: Wait | None = None


class Done(_Plan, frozen=True, kw_only=True):
    """Nothing is to be done."""


class Blocked(_Plan, frozen=True, kw_only=True):
    """Only a person can go on; the cluster is left as safe as it was found.

    `open_deadline`: a hook still waits, so the execution waits too (the keeper keeps the instance), looks again in
    `seconds`, and pages. `about` and `once` as in `Wait`.
    """

    open_deadline: bool = False
    about: tuple[str, ...] = ()
    once: bool = False
    seconds: int = 60


Plan = Steps | Wait | Ask | Done | Blocked


def pages(plan: Plan) -> bool:
    """Whether a person has to know of this plan."""
    return isinstance(plan, Ask | Blocked) or (isinstance(plan, Wait) and plan.page)
