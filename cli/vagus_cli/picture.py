"""A picture of where shards stand and where they would: one self-contained SVG, nothing to load, nothing to run.

Each node is a column as high as its bytes, its shards stacked, large ones below; zones stand side by side; above is how
it is, below how it would be, on one scale. The dashed line is a node's fair share. Colours are those of Okabe and Ito
that stand out from white and grey, which colour-blind people tell apart; nothing depends on colour alone: replicas are
hatched, moved shards have a thick edge, and each rectangle says on hovering what it is.
"""

import textwrap
from collections.abc import Iterable, Iterator
from html import escape

import msgspec

from vagus.cluster import Copy
from vagus.zone_balance.planner import Layout, Plan
from vagus.zone_balance.planner.model import Load, skew

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
SMALL = "#bbb"
"""The colour of many small shards."""
TALL, WIDE, GAP, APART, MARGIN, HEAD, FOOT = 260, 30, 12, 34, 74, 52, 66
LEAST_WIDTH = 760
LETTER = 6.3
"""Pixels of a letter of 11 px, about."""
LEAST = 1.0
"""Pixels below which shards are drawn together, as one grey rectangle."""
STEPS = (1, 2, 5)
UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")


class Shard(msgspec.Struct, frozen=True):
    """A copy in the picture."""

    copy: Copy
    moved: bool


class Ground(msgspec.Struct, frozen=True):
    """What both panels share: the nodes in order, where each column begins, bytes to pixels, colours by index."""

    order: tuple[str, ...]
    places: dict[str, int]
    top: int
    colours: dict[str, str]
    width: int

    @property
    def scale(self) -> float:
        """Pixels of a byte."""
        return TALL / self.top if self.top else 0.0


def svg(cluster: str, layout: Layout, plan: Plan) -> str:
    """The picture, as a document."""
    before = _by_node((copy, False) for copy in layout.copies)
    after = _by_node(_carried_out(layout, plan))
    ground = _ground(layout, plan, [*before.values(), *after.values()])
    half = HEAD + TALL + FOOT
    moved = f"{len(plan.moves)} shards moved, {human(plan.bytes)}" if plan.moves else "nothing to move"
    below, high = _below(ground, plan, 2 * half)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{ground.width}" height="{high}" '
        'font-family="sans-serif" font-size="11">',
        "<style>text{fill:#222}.m{stroke:#000;stroke-width:2}.s{stroke:#fff;stroke-width:.5}.a{fill:#666}</style>",
        '<defs><pattern id="r" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<rect width="2" height="5" fill="#fff" fill-opacity=".55"/></pattern></defs>',
        '<rect width="100%" height="100%" fill="#fff"/>',
        *_panel(f"{cluster} now", before, plan.before, ground, 0),
        *_panel(f"{cluster} then: {moved}", after, plan.after, ground, half),
        *below,
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def human(size: float) -> str:
    """Bytes as people write them."""
    for unit in UNITS[:-1]:
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 100 else f"{size:.3g} {unit}"
        size /= 1024
    return f"{size:.3g} {UNITS[-1]}"


def _ground(layout: Layout, plan: Plan, columns: list[list[Shard]]) -> Ground:
    loads = {load.node: load for load in plan.before}
    order = tuple(sorted(loads, key=lambda name: (loads[name].zone, loads[name].tier, name)))
    places, right = _places([loads[name] for name in order])
    top = max([sum(one.copy.bytes for one in held) for held in columns], default=0)
    return Ground(order, places, top, _colours(layout), max(right + MARGIN // 2, LEAST_WIDTH))


def _carried_out(layout: Layout, plan: Plan) -> Iterator[tuple[Copy, bool]]:
    """Every copy where it would stand, and whether it has moved; one that moves twice counts once."""
    stands: dict[tuple[str, int], dict[str, str]] = {}
    for copy in layout.copies:
        stands.setdefault(copy.id, {})[copy.node or ""] = copy.node or ""
    for move in plan.moves:
        nodes = stands[move.index, move.shard]
        origin = next(origin for origin, node in nodes.items() if node == move.source)
        nodes[origin] = move.target
    for copy in layout.copies:
        node = stands[copy.id][copy.node or ""]
        yield msgspec.structs.replace(copy, node=node or None), node != (copy.node or "")


def _by_node(copies: Iterable[tuple[Copy, bool]]) -> dict[str, list[Shard]]:
    held: dict[str, list[Shard]] = {}
    for copy, moved in copies:
        if copy.node:
            held.setdefault(copy.node, []).append(Shard(copy, moved))
    for shards in held.values():
        shards.sort(key=lambda one: (-one.copy.bytes, one.copy.index, one.copy.shard))
    return held


def _colours(layout: Layout) -> dict[str, str]:
    """By index, the largest first, so that those that matter have colours of their own."""
    held: dict[str, int] = {}
    for copy in layout.copies:
        held[copy.index] = held.get(copy.index, 0) + copy.bytes
    return {name: PALETTE[n % len(PALETTE)] for n, name in enumerate(sorted(held, key=lambda one: (-held[one], one)))}


def _places(loads: list[Load]) -> tuple[dict[str, int], int]:
    """The left edge of each node's column, and where the last group ends. A group of nodes is at least as wide as what
    is written under it."""
    found: dict[str, int] = {}
    left, group, least = MARGIN, ("", ""), 0
    for load in loads:
        if (load.zone, load.tier) != group:
            left = max(left, least) + (APART if group != ("", "") else 0)
            group = (load.zone, load.tier)
            least = left + int(LETTER * len(_label(*group, 0.999)))
        found[load.node] = left
        left += WIDE + GAP
    return found, max(left, least)


def _label(zone: str, tier: str, most: float) -> str:
    return f"{zone} {tier}: skew {most * 100:.1f} %"


def _panel(
    title: str, held: dict[str, list[Shard]], loads: tuple[Load, ...], ground: Ground, down: int
) -> Iterator[str]:
    floor = down + HEAD + TALL
    yield f'<text x="16" y="{down + 24}" font-size="14">{escape(title)}</text>'
    yield from _axis(ground, floor)
    by_name = {load.node: load for load in loads}
    for name in ground.order:
        yield from _column(held.get(name, []), by_name[name], floor, ground)
    for (zone, tier), most in sorted(skew(loads).items()):
        first = min(ground.places[load.node] for load in loads if (load.zone, load.tier) == (zone, tier))
        yield f'<text x="{first}" y="{floor + 34}">{escape(_label(zone, tier, most))}</text>'


def _axis(ground: Ground, floor: int) -> Iterator[str]:
    """Lines at round numbers of bytes."""
    step = _step(ground.top)
    for number in range(int(ground.top // step) + 1 if step else 0):
        y = floor - number * step * ground.scale
        yield (
            f'<line x1="{MARGIN - 8}" x2="{ground.width - 16}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
            f'<text class="a" x="{MARGIN - 12}" y="{y + 4:.1f}" font-size="10" text-anchor="end">'
            f"{human(number * step) if number else 0}</text>"
        )


def _step(top: int) -> int:
    """About five to the top: one, two or five times a power of ten, of a unit that people read."""
    unit = 1
    while top / unit >= 1024:
        unit *= 1024
    tens = 1
    while top:
        for one in STEPS:
            if one * tens * unit * 5 >= top:
                return one * tens * unit
        tens *= 10
    return 0


def _column(shards: list[Shard], load: Load, floor: int, ground: Ground) -> Iterator[str]:
    left, scale = ground.places[load.node], ground.scale
    y, small = float(floor), [one for one in shards if one.copy.bytes * scale < LEAST]
    moved: list[str] = []  # drawn last: a thick edge lies over its neighbours
    for one in shards:
        if one.copy.bytes * scale < LEAST:
            continue
        high = one.copy.bytes * scale
        y -= high
        drawn = _rectangle(left, y, high, ground.colours[one.copy.index], one)
        if one.moved:
            moved.append(drawn)
        else:
            yield drawn
    yield from moved
    if small:
        high = sum(one.copy.bytes for one in small) * scale
        said = f"{len(small)} small shards, {human(sum(one.copy.bytes for one in small))}"
        yield (
            f'<rect x="{left}" y="{y - high:.1f}" width="{WIDE}" height="{high:.1f}" fill="{SMALL}">'
            f"<title>{said}</title></rect>"
        )
    share = floor - load.share * scale
    yield (
        f'<line x1="{left - 4}" x2="{left + WIDE + 4}" y1="{share:.1f}" y2="{share:.1f}" stroke="#000" '
        'stroke-width="1.5" stroke-dasharray="4 2"/>'
    )
    said = escape(f"{load.node}: {human(load.bytes)}, {load.copies} copies, {load.primaries} primaries")
    middle = left + WIDE // 2
    yield (
        f'<text x="{middle}" y="{floor + 15}" font-size="9" text-anchor="middle">{escape(load.node[-6:])}'
        f"<title>{said}</title></text>"
    )


def _rectangle(left: int, y: float, high: float, colour: str, one: Shard) -> str:
    copy = one.copy
    kind = "primary" if copy.primary else "replica"
    said = escape(f"{copy.index}[{copy.shard}] {kind}, {copy.bytes:,} bytes{', moved' if one.moved else ''}")
    box = f'x="{left}" y="{y:.1f}" width="{WIDE}" height="{high:.1f}"'
    edge = "m" if one.moved else "s"
    hatched = "" if copy.primary else f'<rect {box} fill="url(#r)"/>'
    return f'<g><title>{said}</title><rect {box} fill="{colour}" class="{edge}"/>{hatched}</g>'


# -- below the panels --------------------------------------------------------------------------------------------------


def _below(ground: Ground, plan: Plan, down: int) -> tuple[list[str], int]:
    """The legend and what the plan can't do, and how high the picture is with them."""
    marks, down = _entries(_marks(), down, ground.width)
    colours, down = _entries(_names(ground), down, ground.width)
    findings = [
        (28 if at else 16, line)
        for finding in plan.findings
        for at, line in enumerate(textwrap.wrap(finding.message, int((ground.width - 48) / LETTER)))
    ]
    said = [f'<text x="{x}" y="{down + 16 + 18 * n}">{escape(line)}</text>' for n, (x, line) in enumerate(findings)]
    return [*marks, *colours, *said], down + 18 * len(findings) + 20


def _marks() -> list[tuple[str, str]]:
    box = 'x="{x}" y="{y}" width="14" height="12"'
    return [
        (f'<rect {box} fill="#777"/>', "primary"),
        (f'<rect {box} fill="#777"/><rect {box} fill="url(#r)"/>', "replica"),
        (f'<rect {box} fill="#fff" stroke="#000" stroke-width="2"/>', "moved"),
        (f'<rect {box} fill="{SMALL}"/>', "many small shards"),
        ('<path d="M{x} {line} h14" stroke="#000" stroke-width="1.5" stroke-dasharray="4 2"/>', "fair share"),
    ]


def _names(ground: Ground) -> list[tuple[str, str]]:
    """Whose the colours are: they come round again after the largest few indices."""
    box = 'x="{x}" y="{y}" width="14" height="12"'
    named = list(ground.colours.items())[: len(PALETTE)]
    more = len(ground.colours) - len(named)
    others = [("", f"and {more} smaller, in the same colours again")] if more else []
    return [(f'<rect {box} fill="{colour}"/>', name) for name, colour in named] + others


def _entries(marks: Iterable[tuple[str, str]], down: int, width: int) -> tuple[list[str], int]:
    """Marks with their words, in as many lines as they need; and where the next may begin."""
    x, found = 16, []
    for drawn, said in marks:
        wide = 19 + int(LETTER * len(said)) + 16
        if x + wide > width and x > 16:
            x, down = 16, down + 20
        found.append(drawn.format(x=x, y=down, line=down + 6))
        found.append(f'<text x="{x + (19 if drawn else 0)}" y="{down + 10}">{escape(said)}</text>')
        x += wide
    return found, down + 22
