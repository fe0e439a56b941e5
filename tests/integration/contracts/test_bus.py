"""The bus: what is put arrives at a rule as it was told; the same fields as in the fake."""

import msgspec
import pytest
from tests.integration.emulator.support import Aws, until

from vagus.aws.event_bus import EventBridge
from vagus.aws.fake import FakeBus
from vagus.cluster_watch.model import SOURCE, Change, Event, Told
from vagus.ports import Bus

MANY = 23


def told(number: int) -> Told:
    change = Change(key=f"i-{number}", before="", after="e1", message="has joined", about={"zone": "a"})
    event = Event(cluster="ward", cell="prod", seq=number, message="ward: i-1 has joined", changes=(change,))
    return Told(kind="Node Joined", event=event)


@pytest.fixture(params=["fake", "eventbridge"])
def bus(request: pytest.FixtureRequest) -> Bus:
    return FakeBus() if request.param == "fake" else EventBridge(request.getfixturevalue("clients"))


def test_all_are_taken_more_than_one_call_carries(bus: Bus, request: pytest.FixtureRequest) -> None:
    wanted = [told(number) for number in range(MANY)]
    if isinstance(bus, FakeBus):
        bus.put(wanted)
        assert bus.taken == wanted
        return
    aws: Aws = request.getfixturevalue("aws")
    collect = aws.listen(SOURCE)  # by a rule, as a hospital's own would take them
    bus.put(wanted)
    until(lambda: len(collect()) == MANY, 120)
    arrived = {event.seq: event for event in (msgspec.convert(one["detail"], Event) for one in collect())}
    assert [arrived[number] for number in range(MANY)] == [one.event for one in wanted]
    assert {(one["source"], one["detail-type"]) for one in collect()} == {(SOURCE, "Node Joined")}
