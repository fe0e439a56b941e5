"""The command that has a node bring and check a version: looks at one moment, at what was heard of it."""

from pathlib import Path

import msgspec
import pytest
from tests.unit.rolling_upgrade.test_holding import iso
from tests.unit.rolling_upgrade.test_rules import NODE, NOW, question

from vagus.command import Command, Outcome
from vagus.intent import upgrade
from vagus.plan import Steps
from vagus.reasons import Reason
from vagus.rolling_upgrade.decide import decide
from vagus.rolling_upgrade.observed import Observed, rolling, stage_id
from vagus.rolling_upgrade.staging import BUSY
from vagus.snapshots import Snapshots
from vagus.steps import BringVersion, StageEngine

TAKEN = f"\n----------ERROR-------\n{BUSY} on this node\nfailed to run commands: exit status 1"
SPOILT = "its SHA-256 is another"
Heard = tuple[int, Outcome, str]
HEARD: dict[str, tuple[tuple[Heard, ...], Reason, type | None]] = {
    "sent twice, for a function died between: the first goes on": (
        ((75, "pending", ""), (70, "failed", TAKEN)),
        Reason.STAGING,
        None,
    ),
    "also where the other failed first": (((75, "failed", TAKEN), (70, "pending", "")), Reason.STAGING, None),
    "the first has done so": (((75, "done", ""), (70, "failed", TAKEN)), Reason.UPGRADING, BringVersion),
    "the first has failed: its words are told": (
        ((175, "failed", SPOILT), (170, "failed", TAKEN)),
        Reason.NOT_STAGED,
        None,
    ),
    "another act's command is under way on the node: it is sent again": (
        ((70, "failed", TAKEN),),
        Reason.UPGRADING,
        StageEngine,
    ),
    "it was sent again, and is not listed yet": (
        ((70, "failed", TAKEN), (20, "pending", "unlisted")),
        Reason.STAGING,
        None,
    ),
    "not for ever: a person is called": (
        tuple((ago, "failed", TAKEN) for ago in range(1690, 80, -70)),
        Reason.NOT_STAGED,
        None,
    ),
    "a first try that no agent fetched does not hide that the next is under way": (
        ((175, "failed", ""), (20, "pending", "")),
        Reason.STAGING,
        None,
    ),
    "one that is pending for longer than its document may take": (((1700, "pending", ""),), Reason.NOT_STAGED, None),
}


@pytest.mark.parametrize(("heard", "reason", "step"), HEARD.values(), ids=HEARD.keys())
def test_what_was_heard_of_the_command(heard: tuple[Heard, ...], reason: Reason, step: type | None) -> None:
    asked = question("3.4.0")
    intent = upgrade("3.4.0", iso(NOW - 2000), "ada", (), without_snapshot=True)
    noted = msgspec.structs.replace(rolling(intent), staging=NODE, staging_at=iso(NOW - heard[-1][0]))
    intent = msgspec.structs.replace(intent, rolling=noted)
    commands = tuple(
        Command(
            step=stage_id(intent, NODE),
            document="stage-search",
            instance=NODE,
            sent=NOW - ago,
            outcome=outcome,
            said=said,
        )
        for ago, outcome, said in heard
        if said != "unlisted"
    )
    plan = decide(
        Observed(
            cluster=asked.cluster,
            groups=(),
            intents=(intent,),
            identity=asked.cluster.uuid,
            version="2.19.4",
            snapshots=Snapshots(newest=NOW - 60),
            commands=commands,
        ),
        asked.spec,
        NOW,
    )
    assert plan.reason is reason, plan
    if isinstance(plan, Steps):
        assert type(plan.steps[0]) is step
    if heard[0][2] == SPOILT:
        assert SPOILT in plan.message


def test_the_document_says_so_that_finds_the_lock_taken() -> None:
    document = Path(__file__).parents[3] / "nodes/documents/stage-search.yaml"
    assert f"|| {{ echo '{BUSY} on this node' >&2; exit 1; }}" in document.read_text()
