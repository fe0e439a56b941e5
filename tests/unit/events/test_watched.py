"""The cluster watch's own events: the samples, held to what the watch writes and to what intake makes of it."""

from pathlib import Path

import msgspec
import pytest

from vagus.cluster_watch.model import SOURCE, Event
from vagus.cluster_watch.probes import PROBES
from vagus.errors import Malformed
from vagus.events import SOURCES, WAKING, Hint, Ignored, parse
from vagus_cli import fleet_files

ROOT = Path(__file__).parents[3]
EVENTS = ROOT / "events/cluster_watch"
FLEET = fleet_files.load(ROOT / "fleet")
LOOK = Hint(cluster="demo", capability="zone_balance")

SAYS: dict[str, Hint | Ignored] = {
    "node_joined": LOOK,
    "node_left": LOOK,
    "shards_unassigned": LOOK,
    "bytes_uneven": LOOK,
    "watermark_near": LOOK,
    "health_changed": Ignored("no capability reacts to vagus.cluster 'Cluster Health Changed'"),
    "certificate_faulty": Ignored("no capability reacts to vagus.cluster 'Certificate Faulty'"),
    "unreachable": Ignored("no capability reacts to vagus.cluster 'Cluster Reachability Changed'"),
    "of_another_cell": Ignored("not-of-this-cell is no cluster of this cell"),
}


class Envelope(msgspec.Struct, rename={"detail_type": "detail-type"}):
    """What is ours in an event."""

    source: str
    detail_type: str
    detail: Event


@pytest.mark.parametrize("case", SAYS)
def test_each_sample_says(case: str) -> None:
    assert parse((EVENTS / f"{case}.json").read_text(), FLEET) == SAYS[case]


def test_every_sample_is_here() -> None:
    assert {path.stem for path in EVENTS.glob("*.json")} == {*SAYS, "malformed_no_cluster"}


def test_an_event_without_a_cluster_is_malformed() -> None:
    with pytest.raises(Malformed, match="cluster"):
        parse((EVENTS / "malformed_no_cluster.json").read_text(), FLEET)


@pytest.mark.parametrize("case", SAYS)
def test_each_sample_is_as_the_watch_writes_it(case: str) -> None:
    envelope = msgspec.json.decode((EVENTS / f"{case}.json").read_text(), type=Envelope)
    kinds = {kind for probe in PROBES for kind in (probe.kind, probe.ended) if kind}
    assert (envelope.source, envelope.detail_type in kinds) == (SOURCE, True)
    assert envelope.detail.changes


def test_what_wakes_is_what_the_rule_takes_and_something_that_the_watch_tells() -> None:
    assert SOURCES[SOURCE] == WAKING
    assert set(WAKING) <= {kind for probe in PROBES for kind in (probe.kind, probe.ended)}


def test_the_page_has_every_detail_type() -> None:
    page = (ROOT / "docs/events.md").read_text()
    assert not [k for probe in PROBES for k in (probe.kind, probe.ended) if k and f"`{k}`" not in page]
