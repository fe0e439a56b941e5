"""Which version may follow which, and which indices a version can still read. Pure.

Sources: OpenSearch's and Elasticsearch's upgrade documentation, and `Version.java` of both: an index notes the version
that made it as a number; OpenSearch's have a bit that Elasticsearch's lack.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Literal

OPENSEARCH_BIT = 0x08000000
MAJOR = 1_000_000
NEEDS_FIRST: Mapping[int, tuple[int, int, int]] = {3: (2, 19, 0)}
"""The oldest version that may be upgraded to this major of OpenSearch."""
LAST_ELASTICSEARCH = (7, 17)


def parsed(version: str) -> tuple[int, int, int]:
    """`3.4.0` as numbers, and so `3.4.0-SNAPSHOT`. Raises `ValueError`."""
    major, minor, patch = (int(part) for part in re.findall(r"\d+", version)[:3])
    return major, minor, patch


def no_path(engine: Literal["opensearch", "elasticsearch"], running: str, wanted: str) -> str | None:
    """Why a node of `running` can't be upgraded to `wanted`, with the way out; `None` if it can."""
    before, after = parsed(running), parsed(wanted)
    if after < before:
        return f"{wanted} is older than {running}: going back is a reinstall and a restore, not an upgrade"
    if after[0] > before[0] + 1:
        return f"from {running} to {wanted} leaves a major version out: go to {before[0] + 1}.x first"
    if engine == "elasticsearch" and after[:2] != LAST_ELASTICSEARCH:
        return f"Elasticsearch is supported up to 7.17.x, and {wanted} is not"
    needed = NEEDS_FIRST.get(after[0])
    if engine == "opensearch" and needed and after[0] != before[0] and before < needed:
        return f"{wanted} can be reached from {'.'.join(map(str, needed))} on: upgrade {running} to that first"
    return None


def no_path_from_all(engine: Literal["opensearch", "elasticsearch"], running: Iterable[str], wanted: str) -> str | None:
    """Why nodes of one of these versions can't be upgraded to `wanted`; `None` if all can."""
    return next((why for one in sorted(set(running)) if (why := no_path(engine, one, wanted))), None)


def made_by_major(created: int) -> int:
    """The major version of OpenSearch that an index belongs to, from its `index.version.created`.

    Elasticsearch 7.x counts as OpenSearch 1.x, which it became.
    """
    if created & OPENSEARCH_BIT:
        return (created ^ OPENSEARCH_BIT) // MAJOR
    return created // MAJOR - 6


def too_old(engine: Literal["opensearch", "elasticsearch"], created: int, wanted: str) -> bool:
    """Whether a node of `wanted` can't read an index that was made by that version: two majors are read, no more."""
    major = parsed(wanted)[0] - (6 if engine == "elasticsearch" else 0)
    return made_by_major(created) < major - 1
