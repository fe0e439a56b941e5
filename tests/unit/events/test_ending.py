"""What ACM's events say, and what intake does with them."""

from pathlib import Path

import pytest

from vagus.aws.fake import FakeExecutions, FakeTable
from vagus.errors import Malformed
from vagus.events import Ending, Hint, Ignored, parse
from vagus.ports import Put
from vagus.procedure import intake, rows
from vagus.trust import GatewayIssued, Trust
from vagus_cli import fleet_files

ROOT = Path(__file__).parents[3]
EVENTS = ROOT / "events/certificates"
FLEET = fleet_files.load(ROOT / "tests/infrastructure/fleet")
ARN = "arn:aws:acm:eu-central-1:111122223333:certificate/12345678-1234-1234-1234-123456789012"
AT = 1_795_675_868.0
DAY = 86_400

SAYS: dict[str, Hint | Ignored] = {
    "approaching_expiration": Hint(cluster="claims", capability="certificates", ending=Ending(arn=ARN, days=31, at=AT)),
    "of_another_certificate": Ignored(f"{ARN.replace('9012', '0000')} is the certificate of no declared gateway"),
}
MALFORMED = {
    "malformed_no_certificate": "is not the ARN of one certificate",
    "malformed_days": r"at `\$\.detail\.DaysToExpiry`",
}


@pytest.mark.parametrize("case", SAYS)
def test_each_sample_says(case: str) -> None:
    assert parse((EVENTS / f"{case}.json").read_text(), FLEET) == SAYS[case]


@pytest.mark.parametrize("case", MALFORMED)
def test_what_can_not_be_such_an_event_is_malformed(case: str) -> None:
    with pytest.raises(Malformed, match=MALFORMED[case]):
        parse((EVENTS / f"{case}.json").read_text(), FLEET)


def test_every_sample_is_here() -> None:
    assert {path.stem for path in EVENTS.glob("*.json")} == {*SAYS, *MALFORMED}


@pytest.mark.parametrize(("days", "ours"), [(31, True), (60, False)])
def test_it_starts_a_run_and_tells_ours_from_anothers(days: int, ours: bool) -> None:
    table, machines = FakeTable(), FakeExecutions()
    begins = AT - 59 * DAY + 1000
    issued = GatewayIssued(signed_by=1, names=("x",), serial="ab", begins=begins, ends=AT + days * DAY)
    row = rows.Rows(cluster="claims").put("trust", Trust(gateways={ARN: issued}))
    table.write(rows.partition("claims"), Put(key=row.key, data=row.data, expected=0))
    for _ in range(2):  # twice is as once
        said = (EVENTS / "approaching_expiration.json").read_text()
        intake.take(said, FLEET, table, {"certificates": machines}, AT, "2026-11-26T06:51:08Z", lambda _: {})
    after = rows.read(table, "claims")
    assert after.head("certificates").state == "running"
    assert (after.trust.gateways[ARN].signed_by == 1) is ours
    assert after.trust.gateways[ARN].ends == AT + 31 * DAY
