"""`vagus records tail CLUSTER`: what was written, each write's intention joined with its outcome."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
import typer
from rich.console import Group as Together
from rich.console import RenderableType
from rich.text import Text

from vagus.ports import Table
from vagus.procedure import records
from vagus.procedure.lease import LENGTH
from vagus.procedure.records import Record
from vagus_cli import options, output
from vagus_cli.world import World

DAY = 86400
LOOK_BACK_DAYS = 7
FOLLOW_SECONDS = 2.0
STILL_RUNNING_SECONDS = LENGTH
"""An intention may still be without outcome for as long as its writer may hold the lease."""

records_app = typer.Typer(no_args_is_help=True, help="Records: no write without one.")


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """One write. `result`: as the outcome says; `under way` while its writer may still live; else `no outcome`, which
    is a finding: it may or may not have happened. `error`: why it failed. `seconds`: from intention to outcome."""

    id: str
    at: str
    cluster: str
    capability: str
    execution: str
    step: str
    subject: str
    sentence: str
    result: Literal["done", "denied", "failed", "unknown", "under way", "no outcome"]
    seconds: float | None = None
    error: str = ""


@records_app.callback()
def _group() -> None:
    """Records: no write without one."""


@records_app.command()
def tail(
    context: typer.Context,
    cluster: options.ClusterName,
    last: Annotated[int, typer.Option("--last", min=1, help="How many writes to show.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", help="Go on showing what comes; end it with Ctrl-C.")] = False,
    as_json: options.Json = False,
    target: options.Target = None,
    fleet: options.FleetFolder = None,
    profile: options.Profile = None,
    region: options.Region = None,
) -> None:
    """The last writes on CLUSTER, oldest first; with --json --follow, one JSON document on each line.

    A write without an outcome is a finding, and stands there in red. Exit code: 0, 2 the command failed.
    """
    world = options.opened(context, target, fleet, profile, region)
    spec = world.cluster(cluster)
    table = world.records(spec)
    shown = last_writes(table, spec.name, last, world.now())
    if not follow:
        output.answer(shown, as_json, _for_people)
        return
    with suppress(KeyboardInterrupt):  # Ctrl-C is how one stops following
        _follow(world, table, spec.name, shown, as_json)


def _follow(world: World, table: Table, cluster: str, shown: list[Written], as_json: bool) -> None:
    known = _say(shown, {}, as_json)
    while True:
        world.pause(FOLLOW_SECONDS)
        known = _say(_recent(table, cluster, world.now()), known, as_json)


def last_writes(table: Table, cluster: str, last: int, now: float) -> list[Written]:
    """The last so many writes of the last week, oldest first. `now` in seconds since the epoch."""
    found: list[Record] = []
    for days in range(LOOK_BACK_DAYS + 1):
        found = [*records.read(table, cluster, records.iso(now - days * DAY)[:10]), *found]
        if sum(record.phase == "intended" for record in found) >= last:
            break
    return joined(found, now)[-last:]


def joined(found: Iterable[Record], now: float) -> list[Written]:
    """Each intention with its outcome, oldest first."""
    found = list(found)
    outcomes = {record.id: record for record in found if record.phase == "outcome"}
    return [_written(one, outcomes.get(one.id), now) for one in found if one.phase == "intended"]


def _written(intended: Record, outcome: Record | None, now: float) -> Written:
    bare = Written(result="no outcome", **{name: getattr(intended, name) for name in _SAME})
    if outcome is not None:
        return msgspec.structs.replace(
            bare,
            result=outcome.result or "unknown",
            seconds=round(_epoch(outcome.at) - _epoch(intended.at), 3),
            error=_error(outcome.detail),
        )
    if now - _epoch(intended.at) <= STILL_RUNNING_SECONDS:
        return msgspec.structs.replace(bare, result="under way")
    return bare


_SAME = ("id", "at", "cluster", "capability", "execution", "step", "subject", "sentence")


def _error(detail: Any) -> str:
    return f"{detail.get('error', '')}: {detail.get('message', '')}" if detail else ""


def _epoch(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp()


def _recent(table: Table, cluster: str, now: float) -> list[Written]:
    """Today's writes, and yesterday's while one of them may still be under way."""
    days = dict.fromkeys(records.iso(at)[:10] for at in (now - 2 * STILL_RUNNING_SECONDS, now))
    return joined([record for day in days for record in records.read(table, cluster, day)], now)


def _say(writes: Iterable[Written], known: dict[str, str], as_json: bool) -> dict[str, str]:
    """Print what is new or has a new result; returns what is known now."""
    for one in _news(writes, known):
        if as_json:
            output.line(one)
        else:
            output.people().print(_line(one))
        known = known | {one.id: one.result}
    return known


def _news(writes: Iterable[Written], known: dict[str, str]) -> Iterator[Written]:
    return (one for one in writes if known.get(one.id) != one.result)


# -- for people ------------------------------------------------------------------------------------------------------

COLOURS = {"done": "green", "under way": "yellow"}


def _for_people(writes: list[Written]) -> RenderableType:
    if not writes:
        return Text(f"nothing was written in the last {LOOK_BACK_DAYS} days", style="dim")
    findings = sum(one.result == "no outcome" for one in writes)
    lines: list[RenderableType] = [_line(one) for one in writes]
    if findings:
        lines.append(Text(f"{findings} without outcome: it may or may not have happened; look at the cluster", "red"))
    return Together(*lines)


def _line(one: Written) -> Text:
    text = Text.assemble((one.at, "dim"), f"  {one.capability}  ", (one.step, "bold"))
    if one.subject:
        text.append(f" {one.subject}")
    text.append(f"  {one.sentence}  ")
    text.append(one.result.upper() if one.result == "no outcome" else one.result, style=COLOURS.get(one.result, "red"))
    if one.seconds is not None:
        text.append(f" in {one.seconds:.3f} s", style="dim")
    if one.error:
        text.append(f"  {one.error}", style="red")
    return text
