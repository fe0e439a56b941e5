"""Owned settings of one value: ours stands in place of what was there, which is given back; a person's change stays."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.zone_balance.building import cluster, node

from vagus.cluster import Cluster
from vagus.intent import AllocationPrimaries, AnyPreference, AwareZones, BalanceThreshold, Demand, ExcludeNode
from vagus.owned import EXCLUDE, MARK, MARKS, TOKEN, VOTES, SettingsUpdate, converge, marked, signed, standing
from vagus.owned_values import VALUES, Mark

ENABLE, THRESHOLD, ZONES, STRICT = (value.setting for value in VALUES)
ENABLED, RAISED, AWARE, LAX = (value.mark for value in VALUES)
PRIMARIES = AllocationPrimaries()


def _mark(set_: str, persistent: str | None = None, transient: str | None = None) -> str:
    return msgspec.json.encode(Mark(set_, persistent, transient)).decode()


def _seen(persistent: dict[str, str] | None = None, transient: dict[str, str] | None = None) -> Cluster:
    return cluster([node("n1")], persistent=persistent or {}, transient=transient or {})


Layer = dict[str, str | None]
Case = tuple[Cluster, list[Demand], Layer, Layer, tuple[str, ...]]

CASES: dict[str, Case] = {
    "a demand is set, and marked with what stood before: nothing": (
        _seen(), [PRIMARIES], {ENABLE: "primaries", ENABLED: _mark("primaries")}, {}, ()),
    "what a person had set is carried by the mark": (
        _seen({THRESHOLD: "1.2"}), [BalanceThreshold(1.5)],
        {THRESHOLD: "1.5", RAISED: _mark("1.5", "1.2")}, {}, ()),
    "a transient twin makes room, and is carried as well": (
        _seen({ENABLE: "primaries"}, {ENABLE: "all"}), [PRIMARIES],
        {ENABLE: "primaries", ENABLED: _mark("primaries", "primaries", "all")}, {ENABLE: None}, ()),
    "it is set already": (
        _seen({ENABLE: "primaries", ENABLED: _mark("primaries")}), [PRIMARIES], {}, {}, ()),
    "given back: to nothing": (
        _seen({ENABLE: "primaries", ENABLED: _mark("primaries")}), [], {ENABLE: None, ENABLED: None}, {}, ()),
    "given back: to its former value, each to its layer": (
        _seen({THRESHOLD: "2.0", RAISED: _mark("2.0", "1.1", "1.3")}), [],
        {THRESHOLD: "1.1", RAISED: None}, {THRESHOLD: "1.3"}, ()),
    "a person's value that does it already is left, and is not ours": (
        _seen({ENABLE: "none"}), [PRIMARIES], {}, {}, ()),
    "a person's higher threshold is left": (_seen({THRESHOLD: "3"}), [BalanceThreshold(2.0)], {}, {}, ()),
    "the highest threshold holds": (
        _seen(), [BalanceThreshold(2.0), BalanceThreshold(1.5)], {THRESHOLD: "2.0", RAISED: _mark("2.0")}, {}, ()),
    "a demand that changed keeps what stood before us": (
        _seen({THRESHOLD: "1.5", RAISED: _mark("1.5", "1.2")}), [BalanceThreshold(2.5)],
        {THRESHOLD: "2.5", RAISED: _mark("2.5", "1.2")}, {}, ()),
    "a demand that what stood before fulfils gives that back": (
        _seen({THRESHOLD: "2.5", RAISED: _mark("2.5", "1.5")}), [BalanceThreshold(1.5)],
        {THRESHOLD: "1.5", RAISED: None}, {}, ()),
    "zones of all demands, and of nobody else": (
        _seen({ZONES: "z1,z9"}), [AwareZones(("z2", "z1")), AwareZones(("z3",))],
        {ZONES: "z1,z2,z3", AWARE: _mark("z1,z2,z3", "z1,z9")}, {}, ()),
    "the same zones in another order are left": (_seen({ZONES: "z2, z1"}), [AwareZones(("z1", "z2"))], {}, {}, ()),
    "searches for certain nodes are let be, and a person's word is carried": (
        _seen({STRICT: "true"}), [AnyPreference()], {STRICT: "false", LAX: _mark("false", "true")}, {}, ()),
    "a person lets them be already": (_seen({STRICT: "false"}), [AnyPreference()], {}, {}, ()),
    "removed by hand while wanted: not set again, and it keeps its mark": (
        _seen({ENABLED: _mark("primaries", "all")}), [PRIMARIES], {}, {}, (ENABLE,)),
    "changed by hand while wanted": (
        _seen({THRESHOLD: "1.1", RAISED: _mark("1.5")}), [BalanceThreshold(1.5)], {}, {}, (THRESHOLD,)),
    "hidden by a person's transient twin while wanted": (
        _seen({ENABLE: "primaries", ENABLED: _mark("primaries")}, {ENABLE: "all"}), [PRIMARIES], {}, {}, (ENABLE,)),
    "changed by hand and no longer wanted: the person's value stays, our mark goes": (
        _seen({ENABLE: "none", ENABLED: _mark("primaries", "all")}), [], {ENABLED: None}, {}, ()),
    "a mark that can't be read gives nothing back": (
        _seen({THRESHOLD: "1.5", RAISED: "mine"}), [], {RAISED: None}, {}, ()),
    "two settings change in one update": (
        _seen(), [PRIMARIES, ExcludeNode(node="n1")],
        {EXCLUDE: "n1", MARK: "n1", ENABLE: "primaries", ENABLED: _mark("primaries")}, {}, ()),
    "marks that stay are written again with what changes": (
        _seen({THRESHOLD: "2.0", RAISED: _mark("2.0")}), [BalanceThreshold(2.0), ExcludeNode(node="n1")],
        {EXCLUDE: "n1", MARK: "n1", RAISED: _mark("2.0")}, {}, ()),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_converge(case: Case) -> None:
    seen, demands, persistent, transient, changed = case
    found = converge(seen, demands)
    assert found.update == SettingsUpdate(persistent=persistent, transient=transient)
    assert found.changed_by_hand == changed
    assert bool(found.by_hand) == bool(changed)


STANDING: dict[str, tuple[Cluster, list[Demand], list[Demand]]] = {
    "a demand that was never set waits for its step": (_seen(), [PRIMARIES, BalanceThreshold(2.0)], []),
    "one that is set stands": (_seen({ENABLE: "primaries", ENABLED: _mark("primaries")}), [PRIMARIES], [PRIMARIES]),
    "one that asks for more is held to what is set": (
        _seen({THRESHOLD: "1.5", RAISED: _mark("1.5")}), [BalanceThreshold(2.5)], [BalanceThreshold(1.5)]),
    "other zones wait for their step": (
        _seen({ZONES: "z1,z2", AWARE: _mark("z1,z2")}), [AwareZones(("z1",))], [AwareZones(("z1", "z2"))]),
    "what nobody demands does not stand": (_seen({THRESHOLD: "1.5", RAISED: _mark("1.5")}), [], []),
}  # fmt: skip


@pytest.mark.parametrize(("seen", "demands", "kept"), STANDING.values(), ids=STANDING.keys())
def test_standing(seen: Cluster, demands: list[Demand], kept: list[Demand]) -> None:
    assert standing(seen, demands) == kept


VALUE_OF = {
    ENABLE: st.sampled_from(["all", "primaries", "none"]),
    THRESHOLD: st.sampled_from(["1.0", "1.5", "4"]),
    ZONES: st.sampled_from(["z1", "z1,z2", "z3"]),
    STRICT: st.sampled_from(["true", "false"]),
}
LAYER = st.fixed_dictionaries({}, optional=VALUE_OF)
DEMANDS: st.SearchStrategy[list[Demand]] = st.lists(
    st.sampled_from(
        [
            PRIMARIES,
            AnyPreference(),
            BalanceThreshold(1.5),
            BalanceThreshold(2.5),
            AwareZones(("z1",)),
            AwareZones(("z1", "z2")),
        ]
    ),
    max_size=3,
)


def _applied(seen: Cluster, update: SettingsUpdate) -> Cluster:
    layers = []
    for before, change in ((seen.persistent, update.persistent), (seen.transient, update.transient)):
        layers.append({name: value for name, value in {**before, **change}.items() if value is not None})
    return _seen(*layers)


@given(persistent=LAYER, transient=LAYER, first=DEMANDS, then=DEMANDS)
def test_it_settles_in_one_write_and_gives_back_what_stood_before(
    persistent: dict[str, str], transient: dict[str, str], first: list[Demand], then: list[Demand]
) -> None:
    before = _seen(persistent, transient)
    seen = before
    for demands in (first, then):
        seen = _applied(seen, converge(seen, demands).update)
        assert not converge(seen, demands).update, "a second write changes nothing"
        assert not converge(seen, demands).changed_by_hand
        assert not converge(seen, standing(seen, demands)).update, "what stands needs no write"
    end = _applied(seen, converge(seen, []).update)
    assert (end.persistent, end.transient) == (before.persistent, before.transient)


@given(first=DEMANDS, hand=LAYER)
def test_what_a_person_changes_is_never_set_again(first: list[Demand], hand: dict[str, str]) -> None:
    seen = _seen()
    seen = _applied(seen, converge(seen, first).update)
    touched = {name: value for name, value in hand.items() if seen.persistent.get(name) != value}
    seen = _applied(seen, SettingsUpdate(persistent=touched))
    for demands in (first, []):
        seen = _applied(seen, converge(seen, demands).update)
        assert {name: seen.persistent.get(name) for name in touched} == touched
    assert not marked(seen)


def test_the_leases_token_stays_until_the_last_mark_goes() -> None:
    seen = _seen({THRESHOLD: "2.0", RAISED: _mark("2.0"), EXCLUDE: "n1", MARK: "n1"})
    one_left = converge(seen, [BalanceThreshold(2.0)]).update
    assert signed(one_left, 7).persistent[TOKEN] == "7"
    assert signed(converge(seen, []).update, 7).persistent[TOKEN] is None


def test_the_leases_token_stays_while_a_vote_of_ours_is_taken() -> None:
    """Votes are no setting, so no demand says so: their mark alone does."""
    seen = _seen({EXCLUDE: "n1", MARK: "n1", VOTES: "n2"})
    given_back = signed(converge(seen, []).update, 7).persistent
    assert (given_back[MARK], given_back[TOKEN]) == (None, "7")
    assert given_back.get(VOTES, "n2") == "n2"


def test_no_mark_is_taken_for_another() -> None:
    assert len(set(MARKS)) == len(MARKS) == 5
    assert TOKEN not in MARKS
