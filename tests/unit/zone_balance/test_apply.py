"""Each step looks afresh at its own precondition: what may have changed since the decision, and is then superseded."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.unit.simulation.declared import spec
from tests.unit.simulation.happenings import DRAIN, FIRST, SECOND, THIRD, by_hand
from tests.unit.simulation.world import World
from tests.unit.zone_balance.moments import (
    GROUP,
    HOOK,
    TOKEN,
    checked,
    decided,
    departed,
    do,
    drained,
    emptied,
    leaving,
    let_go,
    lost,
    one_zone,
    over,
    retained,
    six,
    stuck,
    unknown,
    voted_out,
)

from vagus import owned
from vagus.intent import AllocationPrimaries, ExcludeNode, Rolling, leave, restart
from vagus.owned import SettingsUpdate
from vagus.procedure import rows
from vagus.steps import (
    EndRetainedInstance,
    ExcludeNodes,
    GiveVotesBack,
    HoldInstance,
    LetEmptyInstanceGo,
    LetLostInstanceGo,
    LetReplaceableInstanceGo,
    NoteDeparture,
    NoteIdentity,
    PutSettingsRight,
    SetGroupSize,
    Step,
    TakeVote,
)
from vagus.zone_balance import farewell, voting

DECIDED: dict[str, tuple[Callable[[], World], type[Step]]] = {
    "exclude": (leaving, ExcludeNodes),
    "take the vote": (emptied, TakeVote),
    "give the vote back": (voted_out, GiveVotesBack),
    "let the empty one go": (drained, LetEmptyInstanceGo),
    "end the retained one": (retained, EndRetainedInstance),
    "let the lost one go": (lost, LetLostInstanceGo),
    "let one zone go": (one_zone, LetReplaceableInstanceGo),
    "hold": (stuck, HoldInstance),
    "note that it is gone": (departed, NoteDeparture),
    "put right": (over, PutSettingsRight),
    "note the identity": (unknown, NoteIdentity),
}


@pytest.mark.parametrize(("make", "expected"), DECIDED.values(), ids=DECIDED.keys())
def test_what_was_decided_just_now_fits(make: Callable[[], World], expected: type[Step]) -> None:
    world = make()
    step = decided(world)
    assert type(step) is expected
    assert checked(world, step) is None


@pytest.mark.parametrize(("make", "expected"), DECIDED.values(), ids=DECIDED.keys())
def test_done_twice_it_is_superseded_or_harmless(make: Callable[[], World], expected: type[Step]) -> None:
    world = make()
    step = decided(world)
    assert type(step) is expected
    do(world, step)
    world.sync()
    once = msgspec.json.encode(world.summary())
    if checked(world, step) is None:
        do(world, step)
    assert msgspec.json.encode(world.summary()) == once


def _settings(persistent: dict[str, str | None]) -> Callable[[World], None]:
    return lambda world: world.engine.update_settings(SettingsUpdate(persistent=persistent))


def _back_in_service(world: World) -> None:
    world.groups.lose(FIRST)
    world.sync()


def _red(world: World) -> None:
    world.engine.create_index("alone", shards=6, replicas=0, size=DRAIN)
    node = next(copy.node for copy in world.engine.look().copies if copy.index == "alone" and copy.node != FIRST)
    world.engine.crash(str(node))


def _store_left(world: World) -> None:
    """A copy comes back to the empty node by force and fails there: unassigned, its store on that disk."""
    _settings({owned.EXCLUDE: None})(world)
    world.engine.create_index("fresh", shards=6, replicas=0, size=10)
    shard = next(copy for copy in world.engine.look().copies if copy.index == "fresh" and copy.node == FIRST)
    world.engine.exhaust("fresh", shard.shard, FIRST)
    _settings({owned.EXCLUDE: FIRST})(world)


def _blind(world: World) -> None:
    world.engine.hidden.add("notes")


def _other_cluster(world: World) -> None:
    world.engine.uuid = "uuid-2"


def _leaves_again(world: World) -> None:
    """The intent that is to be closed is about an instance that leaves (its closing was decided on an older look)."""
    opened = msgspec.structs.replace(leave(SECOND, GROUP, world.iso(), "event"), demands=(ExcludeNode(node=SECOND),))
    world.table.write(rows.partition("claims"), world.seen().put(f"intent#{opened.id}", opened))
    world.groups.scale_in(SECOND)


def _another_goes(world: World) -> None:
    world.groups.scale_in(THIRD, decrement=False)
    world.groups.complete("claims-data-eu-west-1c", HOOK, THIRD, "CONTINUE")


def _another_restarts(world: World) -> None:
    """Every other node, so that whoever has the other copies is among them."""
    others = sorted(node.name for node in world.engine.look().nodes if node.name != FIRST)
    asked = restart({}, world.iso(), "anna")
    held = msgspec.structs.replace(asked, rolling=Rolling(taken=tuple(others)), demands=(AllocationPrimaries(),))
    seen = world.seen()
    world.table.write(rows.partition("claims"), seen.put(f"intent#{held.id}", held))


def _no_longer_retains(world: World) -> None:
    world.groups.create(GROUP, cluster="claims", zone="eu-west-1a", retains=False)


def _noted(world: World) -> None:
    world.known()


def _shard_comes_back(world: World) -> None:
    _settings({owned.EXCLUDE: None})(world)
    world.engine.create_index("fresh", shards=6, replicas=0, size=10)
    _settings({owned.EXCLUDE: FIRST})(world)


def _voters_away(world: World) -> None:
    for name in list(world.engine.machines):
        if name in world.engine.voters and name != FIRST and len(world.engine.up()) > 4:
            world.engine.crash(name)
    world.engine.voters = (*world.engine.voters[:1], FIRST)


SUPERSEDED: dict[str, tuple[Callable[[], World], Callable[[World], None], str]] = {
    "exclude: it no longer leaves": (leaving, _back_in_service, "no longer leaves"),
    "exclude: a person excluded another": (leaving, _settings({owned.EXCLUDE: THIRD}), "have changed"),
    "exclude: the cluster turned red": (leaving, _red, "red"),
    "exclude: another cluster answers": (leaving, _other_cluster, "instead of"),
    "exclude: an index is hidden from us": (leaving, _blind, "visible"),
    "exclude: a younger writer was here": (leaving, _settings({owned.TOKEN: "6"}), "younger"),
    "exclude: the token is no number": (leaving, _settings({owned.TOKEN: "mine"}), "younger"),
    "vote: it no longer leaves": (emptied, _back_in_service, "no longer leaves"),
    "vote: a person took another's": (emptied, lambda world: world.engine.take_vote(THIRD), "somebody else"),
    "vote: it is taken": (emptied, lambda world: world.engine.take_vote(FIRST), "no vote"),
    "vote: another's is to be given back": (emptied, _settings({voting.MARK: THIRD}), "one at a time"),
    "vote: the cluster turned red": (emptied, _red, "red"),
    "vote: a younger writer was here": (emptied, _settings({owned.TOKEN: "6"}), "younger"),
    "clear: a person took another's": (voted_out, lambda world: world.engine.take_vote(THIRD), "somebody else"),
    "clear: the mark is not ours any more": (voted_out, _settings({voting.MARK: THIRD}), "somebody else"),
    "let go: its vote was given back": (
        drained,
        lambda world: world.engine.clear_votes_taken(gone=False),
        "counts still",
    ),
    "let go: somebody ended it": (drained, _back_in_service, "no hook waits"),
    "let go: a person gave it shards again": (drained, _settings({owned.EXCLUDE: None}), "not proven empty"),
    "let go: a shard came back": (drained, _shard_comes_back, "not proven empty"),
    "let go: a store came back": (drained, _store_left, "red"),
    "let go: the cluster turned red": (drained, _red, "red"),
    "let go: a restart took another manager in hand": (drained, _another_restarts, "or restarts"),
    "let lost go: a restart took the other copies in hand": (lost, _another_restarts, "no started copy"),
    "let go: an index is hidden from us": (drained, _blind, "visible"),
    "let go: its vote is needed": (drained, _voters_away, "voters"),
    "end: somebody ended it": (retained, _back_in_service, "not retained"),
    "end: a shard came back": (retained, _shard_comes_back, "not proven empty"),
    "end: the cluster turned red": (retained, _red, "red"),
    "lost: it is back": (lost, lambda world: world.engine.start_node(FIRST, "eu-west-1a"), "in the cluster again"),
    "lost: the cluster turned red": (lost, _red, "red"),
    "one zone: another was let go": (one_zone, _another_goes, "one zone goes at a time"),
    "one zone: the cluster turned yellow": (one_zone, lambda world: world.engine.crash(THIRD), "yellow"),
    "one zone: its node is lost": (one_zone, lambda world: world.engine.crash(FIRST), "not in the cluster"),
    "hold: its group no longer retains": (stuck, _no_longer_retains, "would not retain"),
    "hold: somebody ended it": (stuck, _back_in_service, "no hook waits"),
    "put right: a person excluded another": (over, _settings({owned.EXCLUDE: f"{FIRST},{THIRD}"}), "have changed"),
    "note: it is noted": (unknown, _noted, "known as"),
    "note: another cluster answers": (unknown, _other_cluster, "answers"),
}


@pytest.mark.parametrize(("make", "change", "why"), SUPERSEDED.values(), ids=SUPERSEDED.keys())
def test_superseded(make: Callable[[], World], change: Callable[[World], None], why: str) -> None:
    world = make()
    step = decided(world)
    change(world)
    assert why in (checked(world, step) or "it was done")


def test_a_step_that_closes_a_part_of_what_is_over_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(spec=spec(managers=1)).known()
    world.groups.scale_in(FIRST)
    world.groups.scale_in(THIRD)
    do(world, decided(world))
    let_go(world, FIRST, THIRD)
    monkeypatch.setattr(farewell, "MOST_INTENTS", 1)
    for left in ({FIRST, THIRD}, {THIRD}):
        assert world.excluded() == left
        step = decided(world)
        assert checked(world, step) is None
        do(world, step)
    assert world.excluded() == set()


def test_an_intent_of_an_instance_that_leaves_is_not_closed() -> None:
    world = six()
    _leaves_again(world)
    step = PutSettingsRight(closes=(f"leave-{SECOND}",), update=SettingsUpdate())
    assert "leaves again" in (checked(world, step) or "")


def test_the_policy_may_have_changed() -> None:
    world = one_zone()
    step = decided(world)
    world.spec = spec(per_zone=1, nowhere="hold")
    assert "policy" in (checked(world, step) or "")


SIZES: dict[str, tuple[Callable[[World], Any], int, str | None]] = {
    "one less": (lambda _: None, 1, None),
    "two less": (lambda _: None, 0, "one at a time"),
    "one less while another is on its way": (lambda world: world.groups.scale_in(THIRD), 1, "on its way"),
    "more": (lambda _: None, 3, None),
}


@pytest.mark.parametrize(("change", "desired", "why"), SIZES.values(), ids=SIZES.keys())
def test_a_group_shrinks_one_at_a_time(change: Callable[[World], Any], desired: int, why: str | None) -> None:
    world = six()
    change(world)
    found = checked(world, SetGroupSize(group=GROUP, desired=desired, declared=desired))
    assert (found is None) if why is None else why in (found or "")


def test_a_size_is_given_once_per_change() -> None:
    world = six()
    assert "noted" in (checked(world, SetGroupSize(group=GROUP, desired=2, declared=2)) or "")
    assert "no group" in (checked(world, SetGroupSize(group="gone", desired=2, declared=2)) or "")


def test_the_mark_the_token_and_the_exclusion_are_one_write() -> None:
    world = leaving()
    do(world, decided(world))
    assert world.engine.updates[-1].persistent == {
        owned.EXCLUDE: FIRST,
        owned.MARK: FIRST,
        owned.TOKEN: str(TOKEN),
    }


def test_the_token_goes_with_the_last_mark() -> None:
    world = over()
    do(world, decided(world))
    assert not [name for name in world.engine.persistent if name.startswith("cluster.metadata.vagus")]


def test_what_a_person_excluded_is_theirs_after_all_is_over() -> None:
    world = six()
    world.engine.update_settings(by_hand(THIRD))
    world.groups.scale_in(FIRST)
    do(world, decided(world))
    let_go(world, FIRST)
    do(world, decided(world))
    assert world.excluded() == {THIRD}


def test_a_closed_intent_stays_for_late_copies_of_its_event_and_not_for_ever() -> None:
    world = over()
    do(world, decided(world))
    assert world.seen().closed == {f"leave-{FIRST}"}
    expires = world.table.expiries[(rows.partition("claims"), f"intent#leave-{FIRST}")]
    assert expires == int(world.clock.now) + rows.CLOSED_ROW_DAYS * 86_400


def test_shards_are_flushed_before_their_node_goes_by_policy() -> None:
    world = one_zone()
    do(world, decided(world))
    assert world.engine.flushed == [("notes",)]
    assert world.groups.completed == [(FIRST, "CONTINUE")]


ANSWERED: dict[str, tuple[Callable[[], World], str]] = {
    "let the empty one go": (drained, "let_go"),
    "let the lost one go": (lost, "let_go"),
    "let one zone go": (one_zone, "let_go"),
    "end the retained one": (retained, "let_go"),
    "hold": (stuck, "held"),
}


@pytest.mark.parametrize(("make", "noted"), ANSWERED.values(), ids=ANSWERED.keys())
def test_an_answer_to_a_hook_is_noted_with_its_intent(make: Callable[[], World], noted: str) -> None:
    world = make()
    do(world, decided(world))
    (intent,) = world.seen().intents
    assert (intent.id, getattr(intent, noted)) == (f"leave-{FIRST}", world.iso())


def test_a_node_that_boots_after_the_identity_was_noted_can_not_form_another_cluster() -> None:
    world = unknown()
    do(world, decided(world))
    assert world.parameters.values == {"/vagus/claims/node/formed": "uuid-1"}
    assert world.seen().identity == "uuid-1"
