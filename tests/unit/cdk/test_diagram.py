"""The picture of a state machine: whole, and the one in docs is current."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from vagus.rooms import ROOMS
from vagus_cdk import diagram
from vagus_cdk.definition import definition

PICTURES = Path(__file__).parents[3] / "docs/pictures"
TEXT = "{http://www.w3.org/2000/svg}text"
MACHINE = {
    "Comment": "small <and> simple",
    "StartAt": "Look",
    "States": {
        "Look": {"Type": "Task", "Next": "What next?", "Catch": [{"Next": "Look"}]},
        "What next?": {
            "Type": "Choice",
            "Choices": [{"Condition": "{% $answer.next = 'Wait' %}", "Next": "Wait"}],
            "Default": "Done",
        },
        "Wait": {"Type": "Wait", "Next": "Look"},
        "Done": {"Type": "Succeed"},
    },
}


def said(svg: str) -> list[str]:
    """Every text of a picture; raises where it is no XML."""
    return [one.text or "" for one in ElementTree.fromstring(svg).iter(TEXT)]  # noqa: S314  (made here)


@pytest.mark.parametrize("capability", ROOMS)
def test_every_state_stands_there_once(capability: str) -> None:
    made = definition(capability, ROOMS[capability].kinds, decide="a", apply="b", topic="c")
    root = ElementTree.fromstring(diagram.svg(made))  # noqa: S314  (made here)
    names = [(one.text or "").removesuffix(" (!)") for one in root.iter(TEXT) if one.get("class") is None]
    assert sorted(names[1:]) == sorted(made["States"])


@pytest.mark.parametrize("capability", ROOMS)
def test_the_picture_in_docs_is_current(capability: str) -> None:
    picture = PICTURES / f"{capability}.svg"
    way = f"python -m vagus_cdk.diagram {capability} > docs/pictures/{capability}.svg"
    assert picture.exists(), way
    assert picture.read_text() == diagram.of_capability(capability), way


def test_what_leads_back_and_what_is_caught_is_said_in_words() -> None:
    texts = said(diagram.svg(MACHINE))
    assert "Look (!)" in texts
    assert "if next = 'Wait',\u00a0 \u21a9 Look" in texts
    assert "else" in texts
    assert texts[0] == "small <and> simple"
    assert "after which it goes to: Look" in texts[1]


def test_arrows_lead_to_the_right_alone() -> None:
    assert diagram.svg(MACHINE).count("<path class=") == 3
