"""Nodes that take up nothing of what they are told: who else is renewed, who is told, and what begins all the same."""

import re

import msgspec
from tests.unit.certificates.world import World

from vagus.certificates import profile, wishes
from vagus.certificates.telling import PATIENCE_SECONDS
from vagus.procedure import rows
from vagus.reasons import Reason
from vagus.trust import Told

DAY = 86_400.0
HOUR = 3600.0


def _six(*deaf: int) -> tuple[World, list[str]]:
    """Six nodes at rest, of whom some are deaf from now on."""
    world = World(per_zone=2).known()
    nodes = sorted(world.nodes)
    for one in deaf:
        world.nodes[nodes[one]].deaf = True
    return world, nodes


def _for(world: World, seconds: float) -> float:
    """Run for so long. When it began."""
    begun = world.now
    world.run(until=lambda: world.now > begun + seconds)
    return begun


def _renew(world: World) -> None:
    world.now += 60  # certificates begin at whole seconds
    wishes.renew_leaves(world.table, "claims", world.now)


def _hold(world: World) -> set[str]:
    """Nodes that have a certificate of whoever signs."""
    assert world.trust.signer is not None
    leaves = {name: node.leaf for name, node in world.nodes.items()}
    return {one for one, leaf in leaves.items() if leaf and profile.name_digest(leaf.issuer) == world.trust.signer.name}


def _deaf_in(words: str) -> set[str]:
    return {one for those in re.findall(r"([\w, -]+) did not take up", words) for one in those.strip().split(", ")}


def test_one_that_lacks_bundle_and_certificate_holds_up_no_other_and_is_told_once() -> None:
    """Told of one, it must not be forgotten that it was told of the other: else it is never deaf, and always first."""
    world, (deaf, *others) = _six(0)
    assert world.trust.signer is not None
    world.now = world.trust.signer.ends + 1
    begun = _for(world, HOUR)
    assert _hold(world) == set(others)
    assert world.pages == [Reason.NODE_NOT_RENEWED]
    ((at, words),) = world.told
    assert PATIENCE_SECONDS <= at - begun < PATIENCE_SECONDS + 60
    assert _deaf_in(words) == {deaf}
    world.nodes[deaf].deaf = False
    assert world.run().healthy()


def test_one_that_is_deaf_to_the_bundle_is_not_the_first_to_be_told_of_certificates() -> None:
    world, (_, *others) = _six(0)
    _for(world.rotate(), PATIENCE_SECONDS + 60)
    _renew(world)
    leaves = {name: world.nodes[name].leaf for name in others}
    _for(world, 120)
    assert all(world.nodes[one].leaf is not leaves[one] for one in others)


def test_a_node_that_becomes_deaf_later_is_told_for_itself_and_the_first_not_again() -> None:
    world, nodes = _six(0)
    _for(world.rotate(), HOUR)
    assert len(world.told) == 1
    world.nodes[nodes[3]].deaf = True
    _renew(world)
    begun = world.now
    _for(world, HOUR)
    named = [(at - begun, _deaf_in(words)) for at, words in world.told]
    assert [nodes[3] in deaf for _, deaf in named] == [False, False, True], "a new run says again what stands"
    assert PATIENCE_SECONDS <= named[-1][0] < PATIENCE_SECONDS + 120


def test_a_replacement_begins_though_a_node_is_deaf_to_its_certificate_and_waits_before_anything_is_signed() -> None:
    world, (deaf, *others) = _six(0)
    _renew(world)
    _for(world, PATIENCE_SECONDS + 120)
    assert world.pages == [Reason.NODE_NOT_RENEWED]
    begun = _for(world.rotate(), 2 * PATIENCE_SECONDS)
    assert (world.trust.generations, world.trust.signs) == ((1, 2), 1)
    assert all(len(world.nodes[one].trusts) == 2 for one in others)
    assert len(world.commands.sent(others[0], begun)) == 1, "of the bundle; and it is not told twice"
    world.nodes[deaf].deaf = False
    assert world.run().trust.generations == (2,)


def test_in_approve_a_question_hides_no_deaf_node() -> None:
    world = World(mode="approve", per_zone=2).known()
    deaf = min(world.nodes)
    world.nodes[deaf].deaf, world.approves = True, 60.0
    _renew(world)

    def stingy() -> bool:
        world.approves = None if world.steps.count("RenewLeaves") else 60.0
        return False

    begun = world.now
    world.run(until=lambda: stingy() or world.now > begun + HOUR / 2)
    assert [words.splitlines()[0].split("Ask ")[1] for _, words in world.told] == [
        "APPROVAL_NEEDED",
        "APPROVAL_NEEDED",
        "APPROVAL_NEEDED, NODE_NOT_RENEWED",
    ]


def test_a_row_of_an_older_version_is_read_and_who_was_told_is_told_again() -> None:
    world, nodes = _six()
    world.rotate().run(until=lambda: "InstallTrust" in world.steps)
    old = {one: Told(what="bundle 1,2", first=world.now, last=world.now) for one in nodes}
    seen = rows.read(world.table, "claims")
    world.table.write(rows.partition("claims"), seen.put("trust", msgspec.structs.replace(seen.trust, told=old)))
    assert world.run().trust.generations == (2,)
    assert len(world.commands.sent(nodes[0], 0.0)) >= 2
