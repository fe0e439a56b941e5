"""How long to wait: by what is left and the speed seen, from a second up to the cap."""

import pytest

from vagus.plan import Progress
from vagus.zone_balance.waiting import advanced, wait_seconds

MB = 1_000_000


def _progress(left: int, speed: float, *, at: float = 100.0, changed_at: float = 100.0, copies: int = 9) -> Progress:
    return Progress(bytes_left=left, copies_left=copies, at=at, changed_at=changed_at, speed=speed)


WAITS = {
    "the first look is followed by another at once": (_progress(100 * MB, 0.0), 60, 1),
    "nothing has moved yet": (_progress(100 * MB, 0.0, at=105.0), 60, 5),
    "nothing has moved yet, and the cap is lower": (_progress(100 * MB, 0.0, at=105.0), 3, 3),
    "a quarter of what the rest will take": (_progress(100 * MB, MB), 60, 25),
    "never longer than the cap": (_progress(1000 * MB, MB), 60, 60),
    "never shorter than a second": (_progress(MB, MB), 60, 1),
    "the last are on their way, and small ones came before them": (_progress(1000 * MB, 1.0, copies=2), 60, 1),
    "the last take long": (_progress(1000 * MB, 1.0, copies=1, at=220.0), 60, 30),
    "the last take very long": (_progress(1000 * MB, 1.0, copies=1, at=900.0), 60, 60),
    "three are not the last": (_progress(1000 * MB, 1.0, copies=3), 60, 60),
    "nothing is left but the shard's last words": (_progress(0, MB), 60, 1),
}


@pytest.mark.parametrize(("progress", "cap", "seconds"), WAITS.values(), ids=WAITS.keys())
def test_wait_seconds(progress: Progress, cap: int, seconds: int) -> None:
    assert wait_seconds(progress, cap) == seconds


def test_waits_grow_as_long_as_much_is_left_and_shrink_to_the_end() -> None:
    progress: Progress | None = None
    left, now, waits = 4_000 * MB, 0.0, []
    while left > 0:
        progress = advanced(progress, "n1", now, bytes_left=left)
        waits.append(wait_seconds(progress, 60))
        now += waits[-1]
        left -= int(waits[-1] * 10 * MB)
    assert waits[0] == 1
    assert max(waits) == 60
    assert waits[-1] <= 2
    assert len(waits) < 40


def _after(before: Progress | None, left: int, now: float, about: str = "n1") -> Progress:
    return advanced(before, about, now, bytes_left=left)


def test_only_what_it_is_about_is_a_change_and_bytes_are_none() -> None:
    first = _after(None, 100, 10.0)
    assert (first.changed_at, first.speed) == (10.0, 0.0)
    assert _after(first, 100, 20.0).changed_at == 10.0
    assert _after(first, 90, 20.0).changed_at == 10.0
    assert _after(first, 110, 20.0).changed_at == 10.0
    assert _after(first, 100, 20.0, about="n2").changed_at == 20.0


def test_speed_is_smoothed_over_two_looks() -> None:
    first = _after(None, 100, 0.0)
    second = _after(first, 80, 10.0)
    third = _after(second, 20, 20.0)
    assert (second.speed, third.speed) == (2.0, 4.0)


def test_bytes_that_grow_are_no_speed() -> None:
    assert _after(_after(None, 100, 0.0), 200, 10.0).speed == 0.0


def test_two_looks_at_once_divide_by_nothing() -> None:
    assert _after(_after(None, 100, 5.0), 50, 5.0).speed == 0.0
