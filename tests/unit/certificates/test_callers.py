"""Who called lately and is nobody that is declared: read from nodes' words, and said before a phase of a rotation."""

from typing import Any

import pytest
from tests.unit.certificates.test_rotation import plan
from tests.unit.certificates.world import World

from vagus import callers
from vagus.callers import Callers
from vagus.certificates import wishes
from vagus.errors import Denied
from vagus.plan import Steps, Wait
from vagus.reasons import Reason
from vagus.steps import DropAuthority, SignWith

STRANGER, BILLING = "10.9.8.7", "10.20.0.5"

AT = 1_772_452_800.0
LONG_AGO = f"callers-since {int(AT) - 8 * 86_400}"

# sentence: (what a document prints, what is understood)
OUTPUTS: dict[str, tuple[str, Callers | None]] = {
    "nobody called": (f"done\n{LONG_AGO}\n", Callers(at=AT, since=AT - 8 * 86_400)),
    "two called": (
        f"done\ncaller {BILLING}\ncaller {STRANGER}\n{LONG_AGO}\n",
        Callers(at=AT, since=AT - 8 * 86_400, addresses=(BILLING, STRANGER)),
    ),
    "more than there was room for": (
        f"already\ncaller {STRANGER}\ncallers-more 8\n{LONG_AGO}",
        Callers(at=AT, since=AT - 8 * 86_400, addresses=(STRANGER,), unnamed=8),
    ),
    "it was begun to note yesterday": (
        f"done\ncaller {STRANGER}\ncallers-since {int(AT) - 86_400}",
        Callers(at=AT, since=AT - 86_400, addresses=(STRANGER,)),
    ),
    "the kernel notes nothing": (
        f"done\ncaller {STRANGER}\ncallers-now-only",
        Callers(at=AT, since=None, addresses=(STRANGER,)),
    ),
    "an address of IPv6": (
        f"done\ncaller fd00::7\n{LONG_AGO}",
        Callers(at=AT, since=AT - 8 * 86_400, addresses=("fd00::7",)),
    ),
    "what is no address is none": (f"done\ncaller everybody\n{LONG_AGO}", Callers(at=AT, since=AT - 8 * 86_400)),
    "AWS cut its end off": (f"done\ncaller {STRANGER}\ncaller 10.20.", None),
    "a document of before tells nothing": ("done\n", None),
}


@pytest.mark.parametrize("sentence", OUTPUTS)
def test_of_a_documents_output_is_understood(sentence: str) -> None:
    output, understood = OUTPUTS[sentence]
    assert callers.told(output, AT) == understood


def test_nodes_and_declared_networks_are_no_strangers() -> None:
    heard = {
        "i-1": Callers(at=AT, since=0.0, addresses=("10.0.0.1", BILLING, STRANGER)),
        "i-2": Callers(at=AT, since=0.0, addresses=("fd00::7",)),
    }
    assert callers.undeclared(heard, {"10.0.0.1"}, ["10.20.0.0/16"]) == (STRANGER, "fd00::7")
    assert callers.undeclared(heard, set(), ["0.0.0.0/0", "::/0"]) == ()


# sentence: (what nodes i-1 and i-2 told, what is said)
WORDS: dict[str, tuple[dict[str, Callers], str]] = {
    "no node tells: all booted before they could": ({}, "who called i-1, i-2 is not known"),
    "all that called are known": (
        {"i-1": Callers(at=AT, since=0.0, addresses=(BILLING,)), "i-2": Callers(at=AT, since=0.0)},
        "",
    ),
    "one is not": (
        {"i-1": Callers(at=AT, since=0.0, addresses=(BILLING, STRANGER)), "i-2": Callers(at=AT, since=0.0)},
        f"called lately and in no network of certificates.client_addresses: {STRANGER}",
    ),
    "a node told nothing": ({"i-1": Callers(at=AT, since=0.0)}, "who called i-2 is not known"),
    "a node is younger than a week": (
        {"i-1": Callers(at=AT, since=0.0), "i-2": Callers(at=AT, since=AT - 86_400)},
        "who called i-2 is known since 2026-03-01 12:00Z alone",
    ),
    "a kernel notes nothing": (
        {"i-1": Callers(at=AT, since=0.0), "i-2": Callers(at=AT, since=None)},
        "who called i-2 is not known",
    ),
    "many are not": (
        {
            "i-1": Callers(at=AT, since=0.0, addresses=tuple(f"10.9.0.{n}" for n in range(1, 40))),
            "i-2": Callers(at=AT, since=0.0),
        },
        "called lately and in no network of certificates.client_addresses: "
        + ", ".join(f"10.9.0.{n}" for n in range(1, 31))
        + " and 9 more",
    ),
    "some are not named": (
        {"i-1": Callers(at=AT, since=0.0, unnamed=3), "i-2": Callers(at=AT, since=0.0)},
        "3 more callers are not named",
    ),
}


def test_what_a_document_says_of_itself_names_no_callers() -> None:
    assert callers.without(f"done\ncaller {STRANGER}\n{LONG_AGO}\nits last words\n") == "done\nits last words"


@pytest.mark.parametrize("sentence", WORDS)
def test_before_a_phase_is_said(sentence: str) -> None:
    heard, said = WORDS[sentence]
    assert callers.words(heard, callers.undeclared(heard, set(), ["10.20.0.0/16"]), ["i-1", "i-2"]) == said


def rotating(**policy: Any) -> World:
    world = World(client_addresses=("10.20.0.0/16",), **policy).known().rotate()
    first, *others = sorted(world.nodes)
    world.commands.calling = {first: (BILLING, STRANGER), **dict.fromkeys(others, (BILLING,))}
    return world


def kind_of(found: object) -> type[object]:
    assert isinstance(found, Steps)
    return type(found.steps[0])


@pytest.mark.parametrize("step", [SignWith, DropAuthority])
def test_the_plan_of_a_phase_names_who_may_fail_and_nobody_who_is_declared(step: type[object]) -> None:
    world = rotating()
    world.run(until=lambda: isinstance(found := plan(world), Steps) and isinstance(found.steps[0], step))
    found = plan(world)
    assert kind_of(found) is step
    assert isinstance(found, Steps)
    assert STRANGER in found.message
    assert BILLING not in found.message


@pytest.mark.parametrize("reason", [Reason.CLIENTS_TO_TRUST, Reason.CLIENTS_TO_RENEW])
def test_whoever_waits_for_a_client_reads_of_the_others(reason: Reason) -> None:
    world = rotating(clients=("billing",))

    def waits() -> bool:
        return getattr(plan(world), "reason", None) is reason

    if reason is Reason.CLIENTS_TO_RENEW:
        world.run(until=lambda: getattr(plan(world), "reason", None) is Reason.CLIENTS_TO_TRUST)
        wishes.acknowledge(world.table, "claims", "billing", renewed=False)
    world.run(until=waits)
    found = plan(world)
    assert isinstance(found, Wait)
    assert STRANGER in found.message
    assert found.about == ("billing",), "a person is called for the client, whoever else calls"


def test_a_person_is_asked_once_with_the_strangers_named() -> None:
    world = rotating(mode="approve")
    world.approves = 4 * 3600.0
    world.run()
    asked = [words for _, words in world.told if STRANGER in words]
    assert len(asked) == 1
    assert world.trust.generations == (2,)


@pytest.mark.parametrize(
    ("calling", "asked"),
    [
        pytest.param((BILLING, STRANGER, "10.9.8.8"), ["10.9.8.8"], id="another stranger came: it is asked anew"),
        pytest.param((BILLING, STRANGER), [], id="the same one"),
        pytest.param((BILLING,), [], id="nobody: a yes to more is one to less"),
    ],
)
def test_a_yes_is_for_the_strangers_that_its_question_named(calling: tuple[str, ...], asked: list[str]) -> None:
    world = rotating(mode="approve")
    world.approves = 4 * 3600.0
    world.run(until=lambda: world.trust.signs == 2)
    known = len(world.told)
    world.commands.calling[min(world.nodes)] = calling
    world.run()
    after = [words for _, words in world.told[known:]]
    assert len(after) == len(asked)
    assert all(address in words for address, words in zip(asked, after, strict=True))
    assert world.trust.generations == (2,)


def test_what_can_not_be_known_holds_nothing_up_and_is_said() -> None:
    world = rotating()

    def denied(since: float) -> dict[str, Callers]:
        raise Denied("ssm:ListCommandInvocations", f"since {since}")

    world.commands.callers = denied  # type: ignore[method-assign]
    world.run(until=lambda: isinstance(found := plan(world), Steps) and isinstance(found.steps[0], SignWith))
    assert f"who called {min(world.nodes)}" in str(plan(world))
    assert world.run().trust.generations == (2,)


def test_nobody_asks_nodes_while_no_authority_is_replaced() -> None:
    def asked(world: World) -> list[str]:
        return [call for call in world.meter.calls if call.endswith("commands.callers")]

    world = World().known()
    assert not asked(world)
    assert asked(world.rotate().run())
