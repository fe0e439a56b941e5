"""What must be so when a soak is over: nothing lost, nothing leaked.

A record without an outcome is a finding, not a leak: a function that was killed between its write and the note of it
leaves one, and that is what it is for. They are counted and shown.
"""

import msgspec

from vagus_local import stack as stacks
from vagus_local.scene import Scene
from vagus_local.waiting import TimedOut, until
from vagus_local.workload import Result

SETTLES = 900.0
"""Seconds in which everything has to be tidy again after the last act was taken back. A failed execution's back-off is
the longest of what is waited for."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the promises: sentence -> whether it was kept; figures for the curious."""

    promises: dict[str, bool]
    figures: dict[str, int]

    @property
    def kept(self) -> bool:
        """Whether every promise was."""
        return all(self.promises.values())


def settled(scene: Scene, seconds: float = SETTLES) -> str:
    """Wait until the cluster is whole and nothing of ours is open. Empty, or what is not so yet when time is up."""
    try:
        stacks.wait_green(scene.stack, scene.cluster, lambda _: None, seconds)
        until(lambda: scene.settled(), seconds, f"everything tidy (now: {scene.plan_in_words()})", 1.0)
    except (TimedOut, stacks.StackError) as error:
        return str(error)
    return ""


def judged(scene: Scene, result: Result, unsettled: str) -> Verdict:
    """The promises, held against the cluster, AWS and our own rows."""
    states = [state for _, state in scene.instances().values()]
    return Verdict(
        promises={
            "no acknowledged write was lost": result.writes_lost == 0,
            "writes went on": result.writes_acknowledged > 0,
            f"everything is tidy again {unsettled}".strip(): not unsettled,
            "no setting or mark of ours is left": not scene.settings_of_ours(),
            "no intent is open": not scene.rows().intents,
            "every instance is in service, and there are as many as declared": states
            == ["InService"] * scene.declared_nodes(),
            "the cluster is green": scene.green(),
        },
        figures={
            "writes_acknowledged": result.writes_acknowledged,
            "writes_lost": result.writes_lost,
            "searches": result.searches,
            "requests_failed": result.requests_failed,
            "searches_retried": result.searches_retried,
            "records": len(scene.records()),
            "records_without_outcome": len(scene.without_outcome()),
            "messages_to_people": len(scene.pages()),
        },
    )
