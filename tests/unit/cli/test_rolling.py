"""`vagus restart | upgrade`: what is refused before a row is written."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from vagus.errors import Denied
from vagus.procedure import rows
from vagus_cli.world import Archive

Scene = Any


@pytest.mark.parametrize(("mode", "code", "opened"), [("observe", 2, 0), ("approve", 0, 1)])
def test_nothing_is_asked_for_that_the_mode_lets_nobody_do(scene: Scene, mode: str, code: int, opened: int) -> None:
    spec = scene.fleet["demo"]
    policy = msgspec.structs.replace(spec.rolling_upgrade, mode=mode)
    scene.fleet["demo"] = msgspec.structs.replace(spec, rolling_upgrade=policy)
    said = scene.run("restart", "demo")
    assert said.exit_code == code, said.stderr
    assert ("rolling_upgrade.mode is observe" in said.stderr) == (mode == "observe")
    assert len(rows.read(scene.table, "demo").intents_of("rolling_upgrade")) == opened


@pytest.mark.parametrize(
    ("mode", "stopped", "words"),
    [
        ("approve", False, "`vagus approve demo` allows it"),
        ("act", False, "it begins now (mode act)"),
        ("act", True, "it is stopped, or backing off: `vagus status` says why"),
    ],
)
def test_a_person_reads_whether_a_restart_begins(scene: Scene, mode: str, stopped: bool, words: str) -> None:
    spec = scene.fleet["demo"]
    policy = msgspec.structs.replace(spec.rolling_upgrade, mode=mode)
    scene.fleet["demo"] = msgspec.structs.replace(spec, rolling_upgrade=policy)
    if stopped:
        scene.run("stop", "demo", "--capability", "rolling_upgrade")
    assert words in scene.json("restart", "demo")["message"]
    assert ("is stopped" in scene.json("abort", "demo")["message"]) == stopped


def _declares(scene: Scene, version: str) -> None:
    spec = scene.fleet["demo"]
    policy = msgspec.structs.replace(spec.rolling_upgrade, mode="act")
    engine = msgspec.structs.replace(spec.engine, version=version)
    scene.fleet["demo"] = msgspec.structs.replace(spec, rolling_upgrade=policy, engine=engine)


# sentence: (what the fleet file says while nodes run 3.4.0, words of the refusal; "": taken)
VERSIONS = {
    "a newer one": ("3.5.0", ""),
    "the one that runs": ("3.4.0", "every node of demo runs 3.4.0"),
    "an older one": ("2.19.4", "2.19.4 is older than 3.4.0: going back is a reinstall and a restore"),
    "one two majors on": ("5.0.0", "go to 4.x first"),
}


@pytest.mark.parametrize("sentence", VERSIONS)
def test_no_upgrade_is_asked_for_that_leads_nowhere(scene: Scene, sentence: str) -> None:
    """Once asked for it would call a person, and hold back every restart until it is aborted."""
    version, refusal = VERSIONS[sentence]
    _declares(scene, version)
    said = scene.run("upgrade", "demo")
    assert (said.exit_code, refusal in said.stderr) == (2 if refusal else 0, True), said.stderr
    assert len(rows.read(scene.table, "demo").intents_of("rolling_upgrade")) == (0 if refusal else 1)


@pytest.mark.parametrize("noted", ["3.4.0", "2.19.4"])
def test_no_restart_is_asked_for_that_would_change_a_version(scene: Scene, noted: str) -> None:
    """An upgrade was ended half-way: nodes that start bring the version that was noted."""
    _declares(scene, "3.4.0")
    scene.write("version", {"version": noted})
    first, *others = sorted(scene.engine.machines)
    scene.engine.machines[first].version = "2.19.4"
    said = scene.run("restart", "demo")
    assert said.exit_code == 2
    assert f"would start as {noted}" in said.stderr
    assert "a restart changes no version" in said.stderr
    fits = [first] if noted == "2.19.4" else others
    assert scene.run("restart", "demo", *(word for name in fits for word in ("--node", name))).exit_code == 0


# sentence: (what the fleet file says while nodes run 3.4.0, plan and reason, words)
PLANS = {
    "the one that runs": ("3.4.0", "Done UP_TO_DATE", "every node runs 3.4.0"),
    "a newer one": ("3.5.0", "Done UPGRADE_AVAILABLE", "`vagus upgrade demo`"),
    "an older one": ("2.19.4", "Done VERSION_PATH", "which no upgrade can bring: 2.19.4 is older than 3.4.0"),
}


@pytest.mark.parametrize("sentence", PLANS)
def test_the_plan_suggests_no_upgrade_that_leads_nowhere(scene: Scene, sentence: str) -> None:
    version, plan, words = PLANS[sentence]
    _declares(scene, version)
    said = scene.run("plan", "demo")
    assert said.exit_code == 0, "nobody is called"
    assert plan in said.stdout
    assert words in " ".join(said.stdout.split())
    assert ("vagus upgrade" in said.stdout) == (plan == "Done UPGRADE_AVAILABLE")


# sentence: (what is named, words of the refusal; "": taken)
AWAY = {
    "an index": (["patients"], ""),
    "a name that no index has": (["nope"], "--unavailable nope: no index has that name (there are: patients)"),
    "one of two": (["patients", "nope"], "--unavailable nope: no index"),
    "a pattern": (["pat*"], "patterns and aliases are not taken"),
}


@pytest.mark.parametrize("command", ["restart", "upgrade"])
@pytest.mark.parametrize("sentence", AWAY)
def test_only_indices_that_there_are_may_be_let_away(scene: Scene, sentence: str, command: str) -> None:
    named, refusal = AWAY[sentence]
    _declares(scene, "3.5.0")
    said = scene.run(command, "demo", *(word for name in named for word in ("--unavailable", name)))
    assert (said.exit_code, refusal in said.stderr) == (2 if refusal else 0, True), said.stderr
    opened = rows.read(scene.table, "demo").intents_of("rolling_upgrade")
    assert [one.rolling.unavailable for one in opened if one.rolling] == ([] if refusal else [tuple(named)])


def test_a_refusal_lists_no_more_indices_than_one_reads(scene: Scene) -> None:
    _declares(scene, "3.5.0")
    for number in range(30):
        scene.engine.create_index(f"notes-{number:02}", shards=1, replicas=1)
    assert "notes-19 and 11 more" in scene.run("restart", "demo", "--unavailable", "nope").stderr


def _absent(*files: str) -> Callable[[Scene], None]:
    return lambda scene: setattr(scene, "absent", files)


def _may_not_look(scene: Scene) -> None:
    def refuse() -> Archive:
        raise Denied("s3:ListObjectsV2", "not authorized")

    scene.archive = refuse


BOTH = ("opensearch-3.5.0.tar.gz", "opensearch-3.5.0.tar.gz.sha256")
# sentence: (what the bucket has, options, words of the refusal; "": taken)
ARCHIVES: dict[str, tuple[Callable[[Scene], None], tuple[str, ...], str]] = {
    "both files are there": (_absent(), (), ""),
    "neither is": (_absent(*BOTH), (), f"the artifact bucket lacks {BOTH[0]} and {BOTH[1]}"),
    "its SHA-256 is not": (_absent(BOTH[1]), (), f"lacks {BOTH[1]}, and nodes that boot could not start"),
    "neither is, and the refusal says what to put where": (
        _absent(*BOTH),
        (),
        "`aws --region us-east-1 s3 cp FILE s3://demo/engines/`",
    ),
    "the person may not look": (_may_not_look, (), "can't be seen (s3:ListObjectsV2: not authorized): have the right"),
    "neither is, and the image has the version": (_absent(*BOTH), ("--without-archive",), ""),
    "the person may not look, and has looked otherwise": (_may_not_look, ("--without-archive",), ""),
}


@pytest.mark.parametrize("sentence", ARCHIVES)
def test_no_upgrade_is_asked_for_whose_archive_nodes_would_not_find(scene: Scene, sentence: str) -> None:
    """The first node's command would find out, and stop nothing; but nodes that boot by then bring the new version."""
    arrange, options, refusal = ARCHIVES[sentence]
    _declares(scene, "3.5.0")
    arrange(scene)
    said = scene.run("upgrade", "demo", *options)
    assert (said.exit_code, refusal in said.stderr) == (2 if refusal else 0, True), said.stderr
    assert len(rows.read(scene.table, "demo").intents_of("rolling_upgrade")) == (0 if refusal else 1)
