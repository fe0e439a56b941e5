"""A picture of where shards stand and where they would: one self-contained SVG, nothing to load, nothing to run.

Each node is a column as high as its bytes, its shards stacked, large ones below; zones stand side by side; above is how
it is, below how it would be. The dashed line is a node's fair share. Colours are Okabe and Ito's, which colour-blind
people tell apart; nothing depends on colour alone: replicas are hatched, moved shards have a thick edge, and each
rectangle says on hovering what it is.
"""

from collections.abc import Iterable, Iterator
from html import escape

import msgspec

from vagus.cluster import Copy
from vagus.zone_balance.planner import Layout, Plan
from vagus.zone_balance.planner.model import Load, skew

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999")
TALL, WIDE, GAP, APART, MARGIN, HEAD, FOOT = 260, 26, 8, 30, 20, 44, 60
LEAST = 1.0
"""Pixels below which shards are drawn together, as one grey rectangle."""


class Shard(msgspec.Struct, frozen=True):
    """A copy in the picture."""

    copy: Copy
    moved: bool


def svg(cluster: str, layout: Layout, plan: Plan) -> str:
    """The picture, as a document."""
    before = _by_node((copy, False) for copy in layout.copies)
    after = _by_node(_carried_out(layout, plan))
    loads = {load.node: load for load in plan.before}
    order = sorted(loads, key=lambda name: (loads[name].zone, loads[name].tier, name))
    places = _places([loads[name] for name in order])
    top = max([sum(one.copy.bytes for one in held) for held in (*before.values(), *after.values())], default=0)
    scale = TALL / top if top else 0.0
    colours = _colours(layout)
    width = max([*places.values()], default=0) + WIDE + MARGIN
    half = HEAD + TALL + FOOT
    moved = f"{len(plan.moves)} shards, {plan.bytes:,} bytes" if plan.moves else "nothing to move"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{max(width, 640)}" height="{2 * half + 20 * _lines(plan)}" '
        'font-family="sans-serif" font-size="11">',
        "<style>text{fill:#222}.m{stroke:#000;stroke-width:2}.s{stroke:#fff;stroke-width:.5}</style>",
        '<defs><pattern id="r" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<rect width="2" height="5" fill="#fff" fill-opacity=".55"/></pattern></defs>',
        '<rect width="100%" height="100%" fill="#fff"/>',
        *_panel(f"{cluster} now", before, plan.before, order, places, scale, colours, 0),
        *_panel(f"{cluster} then: {moved}", after, plan.after, order, places, scale, colours, half),
        *_findings(plan, 2 * half),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


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
    return {name: PALETTE[n % len(PALETTE)] for n, name in enumerate(sorted({copy.index for copy in layout.copies}))}


def _places(loads: list[Load]) -> dict[str, int]:
    """The left edge of each node's column: zones apart from each other."""
    found: dict[str, int] = {}
    left, zone = MARGIN, ""
    for load in loads:
        left += APART if zone not in ("", load.zone) else 0
        zone = load.zone
        found[load.node] = left
        left += WIDE + GAP
    return found


def _panel(
    title: str,
    held: dict[str, list[Shard]],
    loads: tuple[Load, ...],
    order: list[str],
    places: dict[str, int],
    scale: float,
    colours: dict[str, str],
    down: int,
) -> Iterator[str]:
    ground = down + HEAD + TALL
    yield f'<text x="{MARGIN}" y="{down + 18}" font-size="14">{escape(title)}</text>'
    by_name = {load.node: load for load in loads}
    for name in order:
        yield from _column(held.get(name, []), by_name[name], places[name], ground, scale, colours)
    for (zone, tier), most in sorted(skew(loads).items()):
        first = min(places[load.node] for load in loads if (load.zone, load.tier) == (zone, tier))
        said = escape(f"{zone} {tier}: skew {most * 100:.1f} %")
        yield f'<text x="{first}" y="{ground + 32}">{said}</text>'


def _column(
    shards: list[Shard], load: Load, left: int, ground: int, scale: float, colours: dict[str, str]
) -> Iterator[str]:
    y, small = float(ground), [one for one in shards if one.copy.bytes * scale < LEAST]
    for one in shards:
        if one.copy.bytes * scale < LEAST:
            continue
        high = one.copy.bytes * scale
        y -= high
        yield _rectangle(left, y, high, colours[one.copy.index], one)
    if small:
        high = sum(one.copy.bytes for one in small) * scale
        said = f"{len(small)} small shards, {sum(one.copy.bytes for one in small):,} bytes"
        yield (
            f'<rect x="{left}" y="{y - high:.1f}" width="{WIDE}" height="{high:.1f}" fill="#bbb">'
            f"<title>{said}</title></rect>"
        )
    share = ground - load.share * scale
    yield (
        f'<line x1="{left - 3}" x2="{left + WIDE + 3}" y1="{share:.1f}" y2="{share:.1f}" stroke="#000" '
        'stroke-dasharray="3 2"/>'
    )
    said = escape(f"{load.node}: {load.bytes:,} bytes, {load.copies} copies, {load.primaries} primaries")
    yield f'<text x="{left}" y="{ground + 14}" font-size="8">{escape(load.node[-5:])}<title>{said}</title></text>'


def _rectangle(left: int, y: float, high: float, colour: str, one: Shard) -> str:
    copy = one.copy
    kind = "primary" if copy.primary else "replica"
    said = escape(f"{copy.index}[{copy.shard}] {kind}, {copy.bytes:,} bytes{', moved' if one.moved else ''}")
    box = f'x="{left}" y="{y:.1f}" width="{WIDE}" height="{high:.1f}"'
    edge = "m" if one.moved else "s"
    hatched = "" if copy.primary else f'<rect {box} fill="url(#r)"/>'
    return f'<g><title>{said}</title><rect {box} fill="{colour}" class="{edge}"/>{hatched}</g>'


def _lines(plan: Plan) -> int:
    return len(plan.findings) + 2


def _findings(plan: Plan, down: int) -> Iterator[str]:
    legend = "hatched: replica; thick edge: moved; dashed line: fair share; grey: many small shards"
    for number, said in enumerate((legend, *(finding.message for finding in plan.findings))):
        yield f'<text x="{MARGIN}" y="{down + 16 + 18 * number}">{escape(said)}</text>'
