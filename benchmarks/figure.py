"""What a benchmark measures."""

import statistics
from collections.abc import Sequence

import msgspec


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """`ours` and `baseline` in `unit`, measured in the same run; `ratio` = ours / baseline; `bar` in words."""

    name: str
    ours: float
    baseline: float
    ratio: float
    unit: str
    bar: str
    holds: bool


def against(name: str, ours: float, baseline: float, unit: str, most: float) -> Figure:
    """A figure whose bar is a ratio."""
    ratio = ours / baseline if baseline else float("inf")
    return Figure(
        name=name,
        ours=round(ours, 4),
        baseline=round(baseline, 4),
        ratio=round(ratio, 3),
        unit=unit,
        bar=f"<= {most} x",
        holds=ratio <= most,
    )


def percentile(values: Sequence[float], percent: int) -> float:
    """The value below which `percent` of the values lie."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
