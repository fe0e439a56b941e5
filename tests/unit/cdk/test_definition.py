"""The state machine as data: every kind has a state, every way leads somewhere, the history has room."""

from typing import Any, ClassVar

import pytest

from vagus.procedure.loop import ROUNDS
from vagus.rooms import ROOMS
from vagus.steps import EndRun, ExcludeNodes, HandOver, Step, kind
from vagus_cdk.definition import ANOTHER, LOOK, definition


def made(capability: str = "zone_balance") -> dict[str, Any]:
    return definition(capability, ROOMS[capability].kinds, decide="arn:d", apply="arn:a", topic="arn:t")


def ways(state: dict[str, Any]) -> set[str]:
    """Where a state can lead."""
    found = {state[key] for key in ("Next", "Default") if key in state}
    return found | {one["Next"] for key in ("Choices", "Catch") for one in state.get(key, [])}


@pytest.mark.parametrize("capability", ROOMS)
def test_each_kind_of_step_is_a_state_by_its_title(capability: str) -> None:
    states = made(capability)["States"]
    chosen = {one["Condition"]: one["Next"] for one in states["What next?"]["Choices"]}
    for one in ROOMS[capability].kinds:
        assert states[one.title]["Arguments"]["FunctionName"] == "arn:a"
        assert chosen[f"{{% $answer.next = '{kind(one)}' %}}"] == one.title


@pytest.mark.parametrize("capability", ROOMS)
def test_every_way_leads_to_a_state_and_every_state_is_reached(capability: str) -> None:
    machine = made(capability)
    states = machine["States"]
    reached, left = set(), {machine["StartAt"]}
    while left:
        name = left.pop()
        reached.add(name)
        left |= ways(states[name]) - reached
    assert reached == set(states)


def test_state_names_are_as_long_as_step_functions_takes() -> None:
    assert all(len(name) <= 80 for name in made()["States"])


def test_no_step_that_ran_is_retried_and_each_error_is_looked_at_afresh() -> None:
    steps = [state for state in made()["States"].values() if state.get("Arguments", {}).get("FunctionName") == "arn:a"]
    assert len(steps) == len(ROOMS["zone_balance"].kinds)
    for state in steps:
        assert [(one["ErrorEquals"], one["MaxAttempts"]) for one in state["Retry"]] == [
            (["Lambda.TooManyRequestsException"], 40)
        ]
        assert [(one["ErrorEquals"], one["Next"]) for one in state["Catch"]] == [(["States.ALL"], LOOK)]


def test_the_look_alone_is_retried_and_not_for_what_no_retry_mends() -> None:
    never, throttled, later = made()["States"][LOOK]["Retry"]
    assert never["MaxAttempts"] == 0
    assert "Malformed" in never["ErrorEquals"]
    assert throttled["ErrorEquals"] == ["Lambda.TooManyRequestsException"]
    assert (later["ErrorEquals"], later["BackoffRate"]) == (["States.ALL"], 2)


def test_a_hand_over_ends_this_run() -> None:
    states = made()["States"]
    assert states["What next?"]["Default"] == HandOver.title
    assert states[HandOver.title]["Next"] == ANOTHER


def test_all_rounds_of_an_execution_fit_into_its_history() -> None:
    """A task is five events (entered, scheduled, started, succeeded, exited), a choice two."""
    look, choice, step, asked, told, waited = 5, 2, 5, 2, 5 + 2, 2
    longest = max(step + asked, told + waited)  # a person is told of no step that is done
    assert ROUNDS * (look + choice + longest) + 100 < 25_000


class Twin(Step, frozen=True, kw_only=True):
    """Another kind with the title of ExcludeNodes."""

    title: ClassVar[str] = ExcludeNodes.title


def test_two_kinds_with_one_title_are_refused() -> None:
    with pytest.raises(ValueError, match="one title"):
        definition("x", (ExcludeNodes, Twin, EndRun, HandOver), decide="d", apply="a", topic="t")


@pytest.mark.parametrize("capability", ROOMS)
def test_each_look_is_told_which_kinds_this_definition_has_states_for(capability: str) -> None:
    said = made(capability)["States"]["Read the call"]["Assign"]["call"]
    assert all(f"'{kind(one)}'" in said for one in ROOMS[capability].kinds)
