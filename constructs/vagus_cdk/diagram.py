"""A state machine as a picture: python -m vagus_cdk.diagram CAPABILITY > docs/pictures/CAPABILITY.svg

One self-contained SVG. States stand in columns by how many transitions they are away from the start; arrows lead to the
right. What leads back (to another look) is said below the state's name, and so is the condition under which a choice
leads to it. Pure.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import msgspec

from vagus.rooms import ROOMS
from vagus_cdk.definition import definition

TYPE, SMALL = 12, 0.86
"""Letters that stand beside a name; the width of a small letter beside a large one."""
LETTER, PADDING, TALL, APART, ROW, HEAD, MARGIN = 6.6, 14, 38, 90, 50, 70, 20
"""Pixels: of a letter, beside a name, of a box, between columns, of a row, of the title, around all."""

COLOURS: Mapping[str, str] = {
    "Task": "#dbeafe",
    "Choice": "#fef3c7",
    "Wait": "#f3f4f6",
    "Pass": "#f3f4f6",
    "Succeed": "#dcfce7",
    "Fail": "#fee2e2",
}
"""Beside the colour stands the type's own word, so that nothing depends on colour alone."""

States = Mapping[str, Mapping[str, Any]]


class Way(msgspec.Struct, frozen=True):
    """A transition, and the condition under which it is taken; `error`: a Catch."""

    to: str
    when: str = ""
    error: bool = False


class Box(msgspec.Struct, frozen=True):
    """Where a state stands: its left upper corner, and how wide it is."""

    x: float
    y: float
    width: float


def svg(machine: Mapping[str, Any]) -> str:
    """The picture of a definition in Amazon States Language (JSONata)."""
    states: States = machine["States"]
    columns = _columns(states, machine["StartAt"])
    depth = {name: at for at, column in enumerate(columns) for name in column}
    boxes = _boxes(states, columns, depth)
    width = max(box.x + box.width for box in boxes.values()) + MARGIN
    height = max(box.y + TALL for box in boxes.values()) + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="sans-serif" font-size="12">',
        "<style>text{fill:#111}.s{fill:#555;font-size:10px}.w{fill:none;stroke:#888}.b{stroke:#444}</style>",
        '<defs><marker id="a" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#888"/></marker></defs>',
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="{MARGIN}" y="28" font-size="16">{escape(str(machine.get("Comment", "")))}</text>',
        f'<text x="{MARGIN}" y="48" class="s">{escape(_legend(states))}</text>',
        *(line for name in states for line in _arrows(name, states, boxes, depth)),
        *(line for name in states for line in _state(name, states, boxes[name], depth)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _legend(states: States) -> str:
    caught = sorted({way.to for state in states.values() for way in _ways(state) if way.error})
    errors = f"(!) on an error, after which it goes to: {', '.join(caught)}. " if caught else ""
    return (
        f"{errors}\u21a9 goes back to. Types of states: {', '.join(sorted({one['Type'] for one in states.values()}))}."
    )


def _ways(state: Mapping[str, Any]) -> list[Way]:
    """Every transition of a state, in the order in which it is tried."""
    choices = [Way(one["Next"], _condition(one["Condition"])) for one in state.get("Choices", ())]
    otherwise = [Way(state["Default"], "else")] if "Default" in state else []
    after = [Way(state["Next"])] if "Next" in state else []
    return [*choices, *otherwise, *after, *(Way(one["Next"], error=True) for one in state.get("Catch", ()))]


def _condition(text: str) -> str:
    """`{% $answer.next = 'Wait' %}` without what each of them has."""
    return re.sub(r"^\{% *\$(answer\.|outcome\.)?| *%\}$", "", text)


def _columns(states: States, start: str) -> list[list[str]]:
    """The states by their distance from the start, each column in the order in which its states are first led to."""
    columns, seen = [[start]], {start}
    while columns[-1]:
        following = dict.fromkeys(way.to for name in columns[-1] for way in _ways(states[name]) if way.to not in seen)
        columns.append(list(following))
        seen |= set(following)
    return columns[:-1]


def _boxes(states: States, columns: list[list[str]], depth: Mapping[str, int]) -> dict[str, Box]:
    """Columns beside each other, each in the middle of the tallest."""
    tallest = max(map(len, columns))
    boxes: dict[str, Box] = {}
    x = float(MARGIN)
    for column in columns:
        letters = max(max(len(name) + TYPE, SMALL * len(_below(name, states, depth))) for name in column)
        width = letters * LETTER + 2 * PADDING
        top = HEAD + (tallest - len(column)) * ROW / 2
        boxes |= {name: Box(x, top + at * ROW, width) for at, name in enumerate(column)}
        x += width + APART
    return {name: boxes[name] for name in states}


def _arrows(name: str, states: States, boxes: Mapping[str, Box], depth: Mapping[str, int]) -> Iterator[str]:
    ways = [way for way in _ways(states[name]) if depth[way.to] > depth[name] and not way.error]
    for way in ways:
        a, b = boxes[name], boxes[way.to]
        x, y, ex, ey = a.x + a.width, a.y + TALL / 2, b.x, b.y + TALL / 2
        bend = (ex - x) / 2
        yield (
            f'<path class="w" marker-end="url(#a)" d="M{x:.0f} {y:.0f}C{x + bend:.0f} {y:.0f} '
            f'{ex - bend:.0f} {ey:.0f} {ex:.0f} {ey:.0f}"/>'
        )


def _state(name: str, states: States, box: Box, depth: Mapping[str, int]) -> Iterator[str]:
    state = states[name]
    mark = " (!)" if "Catch" in state else ""
    yield (
        f'<rect class="b" x="{box.x:.0f}" y="{box.y:.0f}" width="{box.width:.0f}" height="{TALL}" '
        f'rx="{TALL / 2 if state["Type"] in ("Succeed", "Fail") else 5:.0f}" fill="{COLOURS[state["Type"]]}"/>'
    )
    yield f'<text x="{box.x + PADDING:.0f}" y="{box.y + 16:.0f}">{escape(name)}{mark}</text>'
    right = box.x + box.width - PADDING
    yield f'<text class="s" x="{right:.0f}" y="{box.y + 16:.0f}" text-anchor="end">{state["Type"]}</text>'
    below = escape(_below(name, states, depth))
    yield f'<text class="s" x="{box.x + PADDING:.0f}" y="{box.y + 31:.0f}">{below}</text>'


def _below(name: str, states: States, depth: Mapping[str, int]) -> str:
    """The conditions under which choices further left lead here, and where else than to the right it goes."""
    led = [
        way.when if way.when == "else" else f"if {way.when}"
        for before in states
        for way in _ways(states[before])
        if way.to == name and way.when and depth[before] < depth[name]
    ]
    ways = [way for way in _ways(states[name]) if depth[way.to] <= depth[name] and not way.error]
    back = [f"{'\u2192' if depth[way.to] == depth[name] else '\u21a9'} {way.to}{_if(way)}" for way in ways]
    return ",\u00a0 ".join([*dict.fromkeys(led), *back])


def _if(way: Way) -> str:
    return f" if {way.when}" if way.when not in ("", "else") else ""


def of_capability(name: str) -> str:
    """The picture of a capability's state machine. Raises KeyError for one that there is not."""
    arn = "arn:aws:lambda:eu-central-1:111122223333:function:any"
    return svg(definition(name, ROOMS[name].kinds, decide=arn, apply=arn, topic=arn))


if __name__ == "__main__":
    sys.stdout.write(of_capability(sys.argv[1]))
