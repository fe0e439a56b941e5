"""What comes when: drawn from a seed alone, so that the same seed is the same soak. Pure.

The times between two acts are random too: some come in the middle of what an earlier one began.
"""

import random
from collections.abc import Mapping, Sequence

import msgspec


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is done `at` seconds after the start and taken back after `lasts` seconds. `choice` is in [0, 1): it picks
    what the act is done to from whatever there is by then."""

    at: float
    name: str
    choice: float
    lasts: float


def drawn(seed: int, seconds: float, weights: Mapping[str, int], gaps: tuple[float, float] = (5, 40)) -> list[Act]:
    """The acts of a soak of so many seconds, in order. `weights`: how often each name comes, relative to the others.

    The first acts are one of each, so that a short soak leaves none out as long as it has time for all.
    """
    source = random.Random(seed)  # noqa: S311  (a soak, no secret)
    every = source.sample(list(weights), len(weights))
    acts: list[Act] = []
    at = source.uniform(*gaps)
    while at < seconds:
        name = every.pop() if every else source.choices(list(weights), list(weights.values()))[0]
        acts.append(Act(at=at, name=name, choice=source.random(), lasts=source.uniform(15, 90)))
        at += source.uniform(*gaps)
    return acts


def picked[T](choice: float, of: Sequence[T]) -> T | None:
    """The one that `choice` falls on; `None` of nothing."""
    return of[int(choice * len(of))] if of else None
