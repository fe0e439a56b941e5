"""Which version may follow which, and what it can read."""

import pytest

from vagus.rolling_upgrade.versions import OPENSEARCH_BIT, made_by_major, no_path, no_path_from_all, too_old

PATHS = [
    ("a patch", "opensearch", "2.19.4", "2.19.6", ""),
    ("a minor", "opensearch", "3.4.0", "3.8.0", ""),
    ("the last of 2.x to 3.x", "opensearch", "2.19.4", "3.4.0", ""),
    ("the same", "opensearch", "3.4.0", "3.4.0", ""),
    ("too early for 3.x", "opensearch", "2.18.0", "3.4.0", "can be reached from 2.19.0 on"),
    ("a major left out", "opensearch", "1.3.0", "3.4.0", "go to 2.x first"),
    ("back", "opensearch", "3.4.0", "2.19.4", "is older than 3.4.0"),
    ("back by a patch", "opensearch", "2.19.4", "2.19.3", "is older"),
    ("from one that is not released", "opensearch", "3.4.0-SNAPSHOT", "3.8.0", ""),
    ("a patch of Elasticsearch", "elasticsearch", "7.17.28", "7.17.29", ""),
    ("an Elasticsearch that is not supported", "elasticsearch", "7.17.29", "8.1.0", "supported up to 7.17.x"),
]


@pytest.mark.parametrize(("sentence", "engine", "running", "wanted", "said"), PATHS, ids=[one[0] for one in PATHS])
def test_path(sentence: str, engine: str, running: str, wanted: str, said: str) -> None:
    found = no_path(engine, running, wanted)  # type: ignore[arg-type]  # of the table
    assert (said in found) if said and found else found is None and not said


def test_every_version_that_runs_has_to_have_a_path() -> None:
    assert no_path_from_all("opensearch", ["2.19.4", "3.4.0"], "3.4.0") is None
    assert "older than 3.4.0" in (no_path_from_all("opensearch", ["3.4.0", "2.19.4"], "2.19.4") or "")


def number(major: int, minor: int = 0) -> int:
    return (major * 1_000_000 + minor * 10_000 + 99) ^ OPENSEARCH_BIT


INDICES = [
    ("made by the version before", number(2, 19), "3.4.0", False),
    ("two majors back", number(1, 3), "3.4.0", True),
    ("Elasticsearch 7.10 under 2.x", 7100299, "2.19.4", False),
    ("Elasticsearch 7.10 under 3.x", 7100299, "3.4.0", True),
    ("Elasticsearch 6.8 under 2.x", 6080099, "2.19.4", True),
]


@pytest.mark.parametrize(("sentence", "created", "wanted", "old"), INDICES, ids=[one[0] for one in INDICES])
def test_index(sentence: str, created: int, wanted: str, old: bool) -> None:
    assert too_old("opensearch", created, wanted) == old


def test_the_number_that_a_real_2_19_4_gives() -> None:
    assert made_by_major(136408527) == 2
