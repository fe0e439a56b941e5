"""`vagus plan`: what it says, its exit code, and that it changes nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from vagus.procedure.rows import Head, Lease

Scene = Any  # the fixture's class lives in conftest.py, which can't be imported by name

DATA = "demo-data-us-east-1a"


def _leaves(scene: Scene) -> None:
    scene.groups.scale_in(scene.instance(DATA))


def _leaves_while(key: str, row: Any) -> Callable[[Scene], None]:
    def arrange(scene: Scene) -> None:
        _leaves(scene)
        scene.write(key, row)

    return arrange


def _leaves_observed(scene: Scene) -> None:
    _leaves(scene)
    scene.mode("observe")


def _leaves_to_be_approved(scene: Scene) -> None:
    _leaves(scene)
    scene.mode("approve")


def _leaves_unreachable(scene: Scene) -> None:
    _leaves(scene)
    scene.engine.unreachable = True


def _other_cluster(scene: Scene) -> None:
    scene.write("identity", {"uuid": "another"})


def _hidden(scene: Scene) -> None:
    scene.engine.hidden = {"patients"}


NOON = 1_772_452_800.0

# sentence: (what is arranged, exit code, plan and reason, words of the answer)
CASES: dict[str, tuple[Callable[[Scene], None], int, str, str]] = {
    "nothing leaves": (lambda _: None, 0, "Done NOTHING_LEAVES", "no instance leaves"),
    "one leaves": (_leaves, 3, "Steps DRAINING", "now      exclude i-"),
    "one leaves, the mode is observe": (_leaves_observed, 0, "Done OBSERVING", "foreseen exclude i-"),
    "one leaves, the mode is approve": (_leaves_to_be_approved, 4, "Ask APPROVAL_NEEDED", "asks for exclude i-"),
    "one leaves, a person stopped it": (
        _leaves_while("head#zone_balance", Head(state="paused", paused_by="anna")),
        4,
        "Blocked PAUSED",
        "stopped by anna; held back: exclude i-",
    ),
    "one leaves, another writes": (
        _leaves_while("lease#topology", Lease(holder="other-run", token=4, expires=NOON + 30)),
        3,
        "Steps DRAINING",
        "held back: other-run writes to this cluster's topology for 30 s more",
    ),
    "one leaves, the last execution failed": (
        _leaves_while("head#zone_balance", Head(failures=1, not_before=NOON + 45)),
        3,
        "Steps DRAINING",
        "the next start waits 45 s more",
    ),
    "one leaves, the cluster does not answer": (_leaves_unreachable, 4, "Blocked UNREACHABLE", "Nothing was changed"),
    "another cluster answers": (_other_cluster, 4, "Blocked WRONG_CLUSTER", "nothing is written"),
    "an index is hidden from us": (_hidden, 4, "Blocked CANNOT_SEE_ALL", "0 of 1 indices are visible"),
}


@pytest.mark.parametrize("sentence", CASES)
def test_the_plan_is_told_in_sentences(scene: Scene, sentence: str) -> None:
    arrange, code, headline, words = CASES[sentence]
    arrange(scene)
    said = scene.run("plan", "demo")
    assert said.exit_code == code, said.output
    assert headline in said.stdout
    assert words in said.stdout


@pytest.mark.parametrize("sentence", CASES)
def test_nothing_is_changed(scene: Scene, sentence: str) -> None:
    CASES[sentence][0](scene)
    before = (scene.table.read("cluster#demo"), scene.groups.describe(), dict(scene.engine.persistent))
    scene.run("plan", "demo")
    assert (scene.table.read("cluster#demo"), scene.groups.describe(), dict(scene.engine.persistent)) == before
    assert scene.groups.completed == []
    assert scene.engine.updates == []
    assert scene.book.partitions() == ()
    assert scene.sent == []


def test_as_json_the_first_step_stands_apart_from_what_is_foreseen(scene: Scene) -> None:
    leaver = scene.instance(DATA)
    _leaves(scene)
    shown = scene.json("plan", "demo")[0]
    assert (shown["plan"], shown["reason"], shown["mode"]) == ("Steps", "DRAINING", "act")
    assert [(step["kind"], step["subject"], step["nature"]) for step in shown["next"]] == [
        ("ExcludeNodes", leaver, "disturbing")
    ]
    assert [step["kind"] for step in shown["foreseen"]] == ["LetEmptyInstanceGo", "PutSettingsRight"]


def test_a_cluster_that_nobody_declared_is_said_in_one_sentence(scene: Scene) -> None:
    said = scene.run("plan", "claims")
    assert said.exit_code == 2
    assert said.stderr.splitlines()[-1] == (
        "error: no cluster claims is declared here (declared: demo): check the name, or --fleet"
    )


def test_a_row_of_a_newer_version_is_said_in_one_sentence(scene: Scene) -> None:
    scene.write("head#zone_balance", {"state": "levitating"})
    said = scene.run("plan", "demo")
    assert said.exit_code == 2
    assert "written by a newer version" in said.stderr
    assert "Traceback" not in said.output


def test_what_was_said_of_the_target_is_handed_on_and_named_beside_the_answer(scene: Scene) -> None:
    said = scene.run("plan", "demo", "--target", "aws", "--profile", "ops", "--region", "eu-west-1", "--json")
    (choice,) = scene.choices
    assert (choice.target, choice.profile, choice.region) == ("aws", "ops", "eu-west-1")
    assert "target: fakes" in said.stderr
    assert "target" not in said.stdout
