"""`make soak [SECONDS=1800] [SEED=n]`. Exit status 1 if a promise was broken; the seed is printed and replays."""

import argparse
import json
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from vagus_local import stack as stacks
from vagus_local.scene import Scene
from vagus_local.soak import judge, schedule
from vagus_local.soak.hands import Done, Hands, Undo
from vagus_local.soak.schedule import Act
from vagus_local.stack import LOCAL, EmulatorDied, Stack, StackError
from vagus_local.waiting import TimedOut
from vagus_local.workload import Result, Workload, create_indices

CLUSTER = "demo"
INDICES = {"claims": (4, 1), "visits": (2, 1), "notes": (1, 1)}
PAUSE = 0.25
"""Seconds between two writes of 20 documents: half an hour of them must fit the nodes' small heaps."""


def main(arguments: list[str]) -> int:
    """A soak, from an empty stack to its verdict."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--seed", type=int, default=None)
    asked = parser.parse_args(arguments)
    seed = random.SystemRandom().randrange(10**6) if asked.seed is None else asked.seed
    _say(f"seed {seed}: `make soak SECONDS={asked.seconds:.0f} SEED={seed}` is this soak again")
    try:
        with _stack() as stack:
            return _soak(Scene(stack, CLUSTER), seed, asked.seconds)
    except (StackError, EmulatorDied, TimedOut) as error:
        _say(f"seed {seed}: the soak could not go on: {error}")
        return 1


@contextmanager
def _stack() -> Iterator[Stack]:
    """A stack of its own, with policies enforced, so that a denial is one."""
    if stacks.current() is not None:
        raise StackError("a local stack is up, and a soak wants one of its own: `make down` first")
    try:
        yield stacks.up(say=_say, emulator={"AUTH": "true"}, context=("synthesizer=cli",))
    finally:
        stacks.down(say=_say)


def _soak(scene: Scene, seed: int, seconds: float) -> int:
    application = scene.stack.application(CLUSTER)
    create_indices(application, INDICES, documents=1000, padding=500)
    stacks.wait_green(scene.stack, CLUSTER, _say)
    work = Workload(application, list(INDICES), PAUSE)
    work.start()
    scene.await_writes(work, 100)
    hands = Hands(scene)
    weights = {name: weight for name, (weight, _) in hands.acts().items()}
    Runner(hands).run(schedule.drawn(seed, seconds, weights), seconds)
    scene.restore_sizes()
    unsettled = judge.settled(scene)
    return _verdict(seed, scene, work.stop(), unsettled)


class Runner:
    """Does each act at its time and takes it back at its own; at the end, all that is still to be taken back."""

    def __init__(self, hands: Hands) -> None:
        self._acts = hands.acts()
        self._undo: list[tuple[float, str, Undo]] = []
        self._began = time.monotonic()

    def run(self, acts: list[Act], seconds: float) -> None:
        """All acts; returns `seconds` after it began, with everything taken back."""
        for act in acts:
            self._until(act.at)
            self._do(act)
        self._until(seconds)
        self._take_back(float("inf"))

    def _until(self, at: float) -> None:
        """Let time pass up to then; what falls due meanwhile is taken back."""
        while (now := time.monotonic() - self._began) < at:
            self._take_back(now)
            time.sleep(min(1.0, at - now))

    def _do(self, act: Act) -> None:
        if any(name == act.name for _, name, _ in self._undo):
            self._tell(f"{act.name}: still on")
            return
        done: Done = self._acts[act.name][1](act)
        self._tell(f"{act.name}: {done.words}")
        if done.undo is not None:
            self._undo.append((act.at + act.lasts, act.name, done.undo))

    def _take_back(self, now: float) -> None:
        for due in [one for one in self._undo if one[0] <= now]:
            self._undo.remove(due)
            due[2]()
            self._tell(f"{due[1]}: taken back")

    def _tell(self, words: str) -> None:
        _say(f"{time.monotonic() - self._began:6.0f} s  {words}")


def _verdict(seed: int, scene: Scene, result: Result, unsettled: str) -> int:
    verdict = judge.judged(scene, result, unsettled)
    for promise, kept in verdict.promises.items():
        _say(f"{'kept  ' if kept else 'BROKEN'} {promise}")
    for failure in result.failures:
        _say(f"a request failed: {failure}")
    figures = {"seed": seed, "kept": verdict.kept, **verdict.figures}
    _say(json.dumps(figures, indent=2))
    (LOCAL / "soak.json").write_text(json.dumps(figures, indent=2) + "\n")
    return 0 if verdict.kept else 1


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
