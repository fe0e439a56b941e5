"""One vocabulary: whatever a step declares is what is decoded, routed, granted and recorded."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import yaml

from vagus.procedure.room import Room
from vagus.rooms import ROOMS
from vagus.steps import FRAME, AnyStep, EndRun, HandOver, Heartbeat, SetReplicas, Step

ROLES = Path(__file__).parents[3] / "nodes/security/roles.yml"
KINDS: tuple[type[Step], ...] = get_args(AnyStep)
KEEPERS = (Heartbeat,)
ADMIN_READS = {
    "cluster:admin/repository/get",
    "cluster:admin/snapshot/get",
    "cluster:admin/routing/awareness/weights/get",
}
"""Called admin by the engine, and no more than a look: when the newest snapshot ended, how zones are weighed."""

BY_MAPPING: dict[type[Step], str] = {SetReplicas: "vagus_replicas"}
"""Steps whose right a cluster's owner gives by hand, and the role that has it."""


def leaves(kind: type[Step]) -> Iterator[type[Step]]:
    """Every kind of the vocabulary that is no base of others."""
    subs = kind.__subclasses__()
    for sub in subs:
        yield from leaves(sub)
    if not subs and kind.__module__.startswith("vagus.steps."):
        yield kind


def test_every_kind_can_be_decoded() -> None:
    assert set(leaves(Step)) == set(KINDS)


def test_every_kind_has_somebody_who_does_it() -> None:
    done = {kind for room in ROOMS.values() for kind in room.handlers}
    assert done | {EndRun, HandOver} | set(KEEPERS) == set(KINDS)


@pytest.mark.parametrize("room", ROOMS.values(), ids=ROOMS.keys())
def test_a_rooms_kinds_are_those_that_it_can_do_and_the_frames(room: Room) -> None:
    assert set(room.kinds) == set(room.handlers) | {kind for kind in FRAME if kind.of_the_frame}


def writes_of(name: str) -> set[str]:
    """What a cluster role may do beside looking."""
    role = yaml.safe_load(ROLES.read_text())[name]
    of_indices = [action for part in role["index_permissions"] for action in part["allowed_actions"]]
    return {action for action in (*role["cluster_permissions"], *of_indices) if ":monitor/" not in action}


def test_the_cluster_role_that_writes_may_do_what_steps_declare_and_no_more() -> None:
    role = yaml.safe_load(ROLES.read_text())["vagus_write"]
    granted = {
        *role["cluster_permissions"],
        *(one for part in role["index_permissions"] for one in part["allowed_actions"]),
    }
    writes = {action for action in granted - ADMIN_READS if ":monitor/" not in action}
    assert writes == {action for kind in KINDS if kind not in BY_MAPPING for action in kind.search}


@pytest.mark.parametrize(("kind", "role"), BY_MAPPING.items())
def test_what_an_owner_has_to_map_is_mapped_to_nobody_and_no_more_than_its_step(kind: type[Step], role: str) -> None:
    granted = yaml.safe_load(ROLES.read_text())[role]["index_permissions"]
    assert [action for part in granted for action in part["allowed_actions"]] == list(kind.search)
    assert role not in yaml.safe_load(ROLES.with_name("roles_mapping.yml").read_text())


def test_the_cluster_role_that_reads_only_monitors() -> None:
    role = yaml.safe_load(ROLES.read_text())["vagus_read"]
    granted = [
        *role["cluster_permissions"],
        *(one for part in role["index_permissions"] for one in part["allowed_actions"]),
    ]
    assert {action for action in granted if ":monitor/" not in action} == ADMIN_READS


def test_titles_are_one_each() -> None:
    assert len({kind.title for kind in KINDS}) == len(KINDS)
