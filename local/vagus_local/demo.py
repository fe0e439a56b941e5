"""`make demo`: an instance leaves, its shards leave first. On real nodes, while an application writes and searches.

Exit status 1 if a promise fails. The figures go to `.local/demo.json`.
"""

import json
import sys
import time
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table

from vagus.handshake import Handshake
from vagus.procedure.records import Record
from vagus_local import stack as stacks
from vagus_local.scene import Scene
from vagus_local.stack import LOCAL, EmulatorDied, StackError
from vagus_local.waiting import TimedOut
from vagus_local.workload import Result, at_work, create_indices

CLUSTER = "demo"
LEAVING = "demo-data-us-east-1a"
INDICES = {"claims": (6, 1), "visits": (3, 1)}
DOCUMENTS, PADDING = 3000, 1500
KEEP = "--keep"

console = Console()


def main(arguments: list[str]) -> int:
    """The demo; `--keep` leaves the stack up for a look around."""
    try:
        return _run()
    except (StackError, EmulatorDied, TimedOut) as error:
        console.print(f"[bold red]the demo could not go on:[/] {error}", markup=True, highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("interrupted")
        return 130
    finally:
        if KEEP not in arguments:
            stacks.down(say=_say)


def _run() -> int:
    started = time.monotonic()
    _step("1. A secured cluster of six real nodes in three zones, and Vagus deployed beside it by `cdk deploy`")
    stack = stacks.up(say=_say)
    scene = Scene(stack, CLUSTER)
    _step("2. Documents, a writer and a searcher")
    create_indices(stack.application(CLUSTER), INDICES, DOCUMENTS, PADDING)
    stacks.wait_green(stack, CLUSTER, say=_say)
    with at_work(stack.application(CLUSTER), list(INDICES)) as work:
        scene.await_writes(work, 200)
        _step(f"3. The group {LEAVING} scales in: nobody tells Vagus but Auto Scaling")
        instance, asked = scene.scale_in(LEAVING)
        _watch(scene, instance)
        result = work.stop()
    records = scene.records()
    figures = _figures(scene, asked, result, records)
    _tell(records, figures, result)
    shown = scene.handshakes()
    console.print(_issued(shown))
    (LOCAL / "demo.json").write_text(json.dumps(figures, indent=2) + "\n")
    console.print(f"[dim]{time.monotonic() - started:.0f} s in all; figures in .local/demo.json[/]")
    return _judge(scene, instance, figures, shown)


def _watch(scene: Scene, instance: str) -> None:
    """A live table of shards by zone and node until the instance is gone and all is tidy."""
    with Live(_table(scene, instance), console=console, refresh_per_second=4) as live:
        scene.wait_until_settled(instance, on_look=lambda: live.update(_table(scene, instance)))


def _table(scene: Scene, instance: str) -> Group:
    table = Table(title="shards by zone and node", show_edge=False)
    for column in ("zone", "node", "instance is", "shards", "on the way in", "MB"):
        table.add_column(column, justify="right" if column in ("shards", "on the way in", "MB") else "left")
    for row in scene.nodes():
        style = "bold yellow" if row.instance == instance else ""
        table.add_row(
            row.zone,
            row.instance,
            row.lifecycle,
            str(row.shards) if row.joined else "left the cluster",
            str(row.incoming),
            f"{row.bytes / 1e6:.1f}",
            style=style,
        )
    return Group(table, Panel(scene.plan_in_words(), title="what Vagus is doing, and why", expand=False))


def _figures(scene: Scene, asked: float, result: Result, records: list[Record]) -> dict[str, Any]:
    mine = [record for record in records if record.phase == "outcome" and _epoch(record.at) >= asked]
    excluded = next(_epoch(record.at) for record in mine if record.step == "ExcludeNodes")
    let_go = next(_epoch(record.at) for record in mine if record.step.startswith("Let"))
    return {
        "engine": scene.engine(),
        "nodes": scene.declared_nodes(),
        "drain_seconds": round(let_go - excluded, 2),
        "event_to_first_write_ms": round((excluded - asked) * 1000),
        "writes_acknowledged": result.writes_acknowledged,
        "writes_lost": result.writes_lost,
        "searches": result.searches,
        "requests_failed": result.requests_failed,
        "searches_retried": result.searches_retried,
        "records": len(records),
        "steps": [record.step for record in records if record.phase == "intended" and _epoch(record.at) >= asked],
    }


def _epoch(at: str) -> float:
    return datetime.fromisoformat(at.replace("Z", "+00:00")).astimezone(UTC).timestamp()


def _tell(records: list[Record], figures: dict[str, Any], result: Result) -> None:
    table = Table(title="records: what Vagus intended, and how it ended", show_edge=False)
    for column in ("at", "step", "on", "result"):
        table.add_column(column)
    outcome = {record.id: record.result for record in records if record.phase == "outcome"}
    for record in records:
        if record.phase == "intended":
            table.add_row(record.at[11:23], record.sentence, record.subject, outcome.get(record.id, "no outcome"))
    console.print(table)
    console.print(Panel(json.dumps({k: v for k, v in figures.items() if k != "steps"}, indent=2), title="figures"))
    for failure in result.failures:
        console.print(f"[red]{failure}[/]")


def _issued(shown: tuple[Handshake, ...]) -> str:
    """Who issued what the nodes show, and when the first of it ends."""
    issuers = ", ".join(sorted({one.issuer_subject for one in shown}))
    ends = datetime.fromtimestamp(min(one.ends for one in shown), UTC).strftime("%Y-%m-%d")
    nodes = len({one.instance for one in shown})
    return f"certificates of {nodes} nodes, on ports 9200 and 9300: issued by {issuers}; the first ends on {ends}"


def _judge(scene: Scene, instance: str, figures: dict[str, Any], shown: tuple[Handshake, ...]) -> int:
    """The promises, each said aloud."""
    promises = {
        "no acknowledged write was lost": figures["writes_lost"] == 0,
        "no request failed": figures["requests_failed"] == 0,
        "writes went on": figures["writes_acknowledged"] > 0,
        "the instance is gone": instance not in scene.instances(),
        "it was let go because its node was proven empty": "LetEmptyInstanceGo" in figures["steps"],
        "no setting of ours is left in the cluster": not scene.settings_of_ours(),
        "every write has a record of its outcome": not scene.without_outcome(),
        "the cluster is green": scene.green(),
        "every node shows a certificate that Vagus issued, on both ports": not any(one.failure for one in shown),
    }
    for promise, holds in promises.items():
        console.print(f"{'[green]kept  [/]' if holds else '[bold red]BROKEN[/]'} {promise}")
    return 0 if all(promises.values()) else 1


def _step(text: str) -> None:
    console.print(f"\n[bold cyan]{text}[/]")


def _say(text: str) -> None:
    console.print(f"   [dim]{text}[/]", highlight=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
