"""What `vagus status` says of certificates."""

from typing import Any

import msgspec
import pytest
from tests.unit.certificates.parts import spec

from vagus.certificates.observed import Observed
from vagus.certificates.showing import shown
from vagus.handshake import Handshake
from vagus.policy import Certificates
from vagus.trust import Authority, ClientIssued, Trust

DAY = 86_400.0
NOW = 1772452800.0
NODE = Handshake(
    instance="i-1", address="10.0.0.1", port=9200, answered=True, begins=NOW - 30 * DAY, ends=NOW + 60 * DAY
)
CLIENT = ClientIssued(signed_by=1, bundle=(1,), serial="00", begins=NOW - 10 * DAY, ends=NOW + 80 * DAY)
AUTHORITY = Authority(
    generation=1, slot="a", name="n", subject="s", certificate="c", begins=NOW - DAY, ends=NOW + 3650 * DAY
)
WELL = Observed(trust=Trust(authorities=(AUTHORITY,), clients={"read": CLIENT}), handshakes=(NODE,))


def _node(**changes: object) -> Observed:
    return msgspec.structs.replace(WELL, handshakes=(NODE, msgspec.structs.replace(NODE, **changes)))  # type: ignore[arg-type]


CASES: dict[str, tuple[Observed, str, bool]] = {
    "a node's": (WELL, "that of i-1, 2026-05-01 (in 60 days)", False),
    "of several nodes the first": (
        _node(instance="i-2", ends=NOW + 50 * DAY),
        "that of i-2, 2026-04-21 (in 50 days)",
        False,
    ),
    "a node that does not answer has shown none": (_node(answered=False, ends=0.0), "that of i-1, 2026-05-01", False),
    "one of whose life a fifth is left": (
        _node(instance="i-2", begins=NOW - 40 * DAY, ends=NOW + 10 * DAY),
        "that of i-2, 2026-03-12 (in 10 days)",
        True,
    ),
    "one that has ended": (_node(instance="i-2", ends=NOW - DAY), "that of i-2, 2026-03-01 (it has ended)", True),
    "a client's": (
        msgspec.structs.replace(WELL, handshakes=()),
        "that of Vagus's own client read, 2026-05-21 (in 80 days)",
        False,
    ),
    "an authority's": (
        Observed(trust=Trust(authorities=(AUTHORITY,))),
        "the authority of generation 1, 2036-02-28 (in 3650 days)",
        False,
    ),
}


@pytest.mark.parametrize(("observed", "says", "wrong"), CASES.values(), ids=CASES)
def test_the_certificate_that_ends_first_is_shown(observed: Observed, says: str, wrong: bool) -> None:
    line, life = shown(observed, spec(), NOW)
    assert line.says.startswith(says)
    assert life.wrong is wrong
    assert life.number is not None
    assert (life.number < 25) is wrong
    assert line.number == min(
        [one.ends for one in observed.handshakes if one.answered]
        + [one.ends for one in observed.trust.clients.values()]
        + [one.ends for one in observed.trust.authorities]
    )


def test_of_certificates_that_are_not_ours_nothing_is_shown() -> None:
    assert shown(Observed(trust=Trust()), spec(), NOW) == ()
    own = msgspec.structs.replace(spec(), certificates=Certificates())
    assert shown(WELL, own, NOW) == (), "it was Vagus's to issue once"


@pytest.mark.parametrize(
    ("changes", "who"),
    [({"members": ("i-1", "i-2")}, "i-1, i-2"), ({"unseen": "ec2: denied"}, "ec2: denied")],
    ids=["nodes that do not answer on both ports", "no handshake could be made"],
)
def test_who_was_not_seen_is_said(changes: dict[str, Any], who: str) -> None:
    for line in shown(msgspec.structs.replace(WELL, **changes), spec(), NOW):
        assert line.says.endswith(f"of those seen; not seen: {who}")


def test_the_least_life_left_may_be_anothers_than_the_first_to_end() -> None:
    day = msgspec.structs.replace(NODE, instance="i-2", begins=NOW - DAY / 10, ends=NOW + DAY)
    month = msgspec.structs.replace(NODE, instance="i-3", begins=NOW - 90 * DAY, ends=NOW + 10 * DAY)
    first, least = shown(Observed(trust=Trust(), handshakes=(day, month)), spec(), NOW)
    assert "i-2" in first.says
    assert not first.wrong
    assert least.says.startswith("10%, that of i-3")
    assert (least.wrong, least.number) == (True, 10.0)


def test_little_of_ten_years_is_nothing_to_be_woken_for() -> None:
    long = msgspec.structs.replace(NODE, begins=NOW - 3000 * DAY, ends=NOW + 600 * DAY)
    _, least = shown(Observed(trust=Trust(), handshakes=(long,)), spec(), NOW)
    assert (least.number, least.wrong) == (16.7, False)
