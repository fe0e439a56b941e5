"""The layout after a plan, as the next look would see it."""

import msgspec

from vagus.zone_balance.planner.model import Layout, Plan


def carried_out(layout: Layout, plan: Plan) -> Layout:
    """Every move has arrived, and the threshold is what the plan asked for."""
    copies = list(layout.copies)
    free = {node.name: node.disk_free for node in layout.nodes}
    for move in plan.moves:
        place = next(
            number
            for number, copy in enumerate(copies)
            if (copy.index, copy.shard, copy.node) == (move.index, move.shard, move.source)
        )
        copies[place] = msgspec.structs.replace(copies[place], node=move.target)
        free[move.source] += move.bytes
        free[move.target] -= move.bytes
    settings = msgspec.structs.replace(layout.settings, threshold=plan.threshold or layout.settings.threshold)
    nodes = tuple(msgspec.structs.replace(node, disk_free=free[node.name]) for node in layout.nodes)
    return msgspec.structs.replace(layout, copies=tuple(copies), nodes=nodes, settings=settings)
