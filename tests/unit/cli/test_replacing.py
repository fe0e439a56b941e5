"""`vagus replace`: what is refused before a row is written, and what a plan shows beforehand."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from vagus.procedure import people, rows

Scene = Any
GROUP = "demo-core-us-east-1a"


def _act(scene: Scene) -> None:
    spec = scene.fleet["demo"]
    scene.mode("act")
    spec = scene.fleet["demo"]
    policy = msgspec.structs.replace(spec.rolling_upgrade, mode="act")
    scene.fleet["demo"] = msgspec.structs.replace(spec, rolling_upgrade=policy)


def _deployed(scene: Scene, template: str = "lt-1:2") -> None:
    for group in scene.groups.describe():
        scene.groups.launches_from(group.name, template)


def _observing(scene: Scene) -> None:
    _deployed(scene)
    scene.mode("observe")


def _stopped(scene: Scene) -> None:
    _deployed(scene)
    people.stop(scene.table, "demo", "zone_balance", person="ada", why="an audit", now=scene.now)


def _unnumbered(scene: Scene) -> None:
    _deployed(scene, "")


def _nothing(_: Scene) -> None:
    """As it is."""


# sentence: (what is so, options, words of the refusal; "": taken)
CASES: dict[str, tuple[Callable[[Scene], None], tuple[str, ...], str]] = {
    "after a deploy": (_deployed, (), ""),
    "nobody is behind": (_nothing, (), "no instance of demo is known to be behind its group's launch template: deploy"),
    "nobody is behind, and all are meant": (_nothing, ("--all",), ""),
    "templates without a number": (_unnumbered, (), f"(of {GROUP}"),
    "templates without a number, and all are meant": (_unnumbered, ("--all",), ""),
    "an instance that there is not": (_nothing, ("--instance", "i-0"), "i-0 is in no group of demo (there are: i-"),
    "both": (_nothing, ("--all", "--instance", "i-0"), "say either --all or --instance"),
    "nobody would drain": (_observing, (), "would wait to leave for ever: zone_balance.mode is observe"),
    "draining is stopped": (_stopped, (), "zone_balance is stopped: `vagus resume demo --capability zone_balance`"),
}


@pytest.mark.parametrize("sentence", CASES)
def test_only_what_leads_somewhere_is_asked_for(scene: Scene, sentence: str) -> None:
    arrange, options, refusal = CASES[sentence]
    _act(scene)
    arrange(scene)
    said = scene.run("replace", "demo", *options)
    assert (said.exit_code, refusal in said.stderr) == (2 if refusal else 0, True), said.stderr
    opened = rows.read(scene.table, "demo").intents_of("rolling_upgrade")
    assert [one.kind for one in opened] == ([] if refusal else ["replace"])
    if "--all" in options and not refusal:
        assert len(opened[0].rolling.instances) == sum(len(group.instances) for group in scene.groups.describe())


def test_the_plan_shows_who_is_behind_in_order(scene: Scene) -> None:
    _act(scene)
    _deployed(scene)
    said = scene.run("plan", "demo")
    assert said.exit_code == 0, "nobody is called"
    assert "Done REPLACE_AVAILABLE" in said.stdout
    lines = [line for line in said.stdout.splitlines() if "foreseen have demo-" in line]
    manager = scene.engine.look().manager
    assert len(lines) == sum(len(group.instances) for group in scene.groups.describe())
    assert manager in lines[-1]


def test_an_approval_names_the_instances_and_what_they_lead_to(scene: Scene) -> None:
    _act(scene)
    _deployed(scene)
    scene.engine.newest_snapshot = scene.now
    scene.run("replace", "demo", "--instance", (one := scene.instance(GROUP)))
    plan = next(shown for shown in scene.json("plan", "demo") if shown["capability"] == "rolling_upgrade")
    assert (plan["plan"], [step["subject"] for step in plan["next"]]) == ("Ask", [one]), plan
    assert "found by the checks of the first: nobody drains: passed" in plan["message"]
    said = scene.run("approve", "demo", "--yes")
    assert said.exit_code == 0, said.stderr
    (given,) = rows.read(scene.table, "demo", approvals=True).approvals
    assert [str(act) for act in given.acts] == [f"ReplaceNext {one} to lt-1:2"]
