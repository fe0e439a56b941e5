"""What can't be done, and why, in sentences for a person."""

from collections import Counter
from collections.abc import Iterator

from vagus.zone_balance.planner.desk import Desk
from vagus.zone_balance.planner.model import Finding
from vagus.zone_balance.planner.primaries import in_each

LISTED = 5
"""Findings of one kind that are listed; the rest is counted."""


def refusals(desk: Desk) -> tuple[Finding, ...]:
    """Why nothing may be planned at all."""
    found = [
        Finding(reason="UnknownModel", message=f"{setting} is on: what the engine then does is not modelled")
        for setting in desk.layout.settings.unmodelled
    ]
    if missing := [desk.board.copies[copy] for copy in desk.board.unassigned]:
        first = min(missing, key=lambda copy: (copy.index, copy.shard))
        message = f"{len(missing)} copies stand nowhere, {first.index}[{first.shard}] first: health goes before balance"
        found.append(Finding(reason="NotGreen", message=message))
    return tuple(found)


def explain(desk: Desk) -> tuple[Finding, ...]:
    """Everything that the plan leaves undone, worst first."""
    parts = (_stuck, _crowded, _stirs, _full, _leans, _primaries)
    return tuple(finding for part in parts for finding in _shortened(list(part(desk))))


def _shortened(findings: list[Finding]) -> Iterator[Finding]:
    yield from findings[:LISTED]
    if len(findings) > LISTED:
        yield Finding(reason=findings[LISTED].reason, message=f"and {len(findings) - LISTED} more of this kind")


def _name(desk: Desk, copy: int) -> str:
    return f"{desk.board.copies[copy].index}[{desk.board.copies[copy].shard}]"


def _stuck(desk: Desk) -> Iterator[Finding]:
    for copy in sorted(desk.stuck, key=desk.board.key_anywhere, reverse=True):
        if not (why := desk.deciders.must_leave(copy)):
            continue
        words = _denials(desk, copy, [node for node in range(len(desk.board.nodes)) if node != desk.board.at[copy]])
        where = desk.board.nodes[desk.board.at[copy]].name
        yield Finding(
            reason="StuckCopy",
            message=f"{_name(desk, copy)} may not stay on {where} ({why}) and has nowhere to go: {words}",
        )


def _denials(desk: Desk, copy: int, nodes: list[int]) -> str:
    found = Counter(desk.deciders.denial(copy, node) for node in nodes if desk.board.data[node])
    found.pop("", None)
    return ", ".join(f"{name} on {many}" for name, many in sorted(found.items())) or "no node"


def _crowded(desk: Desk) -> Iterator[Finding]:
    """Indices that have more copies of a shard than there are zones."""
    if not desk.deciders.awareness:
        return
    zones = desk.deciders.awareness[0][1]
    board = desk.board
    shards = dict(zip(board.index, board.shard, strict=True))  # one of each index will do
    many = {index: len(board.copies_of(shard)) for index, shard in shards.items()}
    crowded = {index: copies for index, copies in many.items() if copies > zones}
    for index, copies in sorted(crowded.items()):
        yield Finding(
            reason="MoreCopiesThanZones",
            message=f"{board.names[index]} has {copies} copies of a shard and there are {zones} zones: some share one",
        )


def _stirs(desk: Desk) -> Iterator[Finding]:
    if pair := desk.engine.stirs():
        index, heavy, light = pair
        nodes = desk.board.nodes
        yield Finding(
            reason="EngineWouldMove",
            message=f"the engine would go on moving {desk.board.names[index]} from {nodes[heavy].name} "
            f"to {nodes[light].name}",
        )


def _full(desk: Desk) -> Iterator[Finding]:
    """Nodes that stay above what the policy wants, and what keeps them there."""
    board = desk.board
    above = [node for nodes in desk.groups.values() for node in nodes if board.load[node] > desk.cap(node)]
    for node in sorted(above, key=lambda node: (-desk.fill(node), node)):
        name, percent = board.nodes[node].name, (desk.fill(node) - 1) * 100
        largest = max(board.on[node], key=board.key)
        if board.size[largest] > desk.cap(node):
            yield Finding(
                reason="ShardLargerThanShare",
                message=f"{_name(desk, largest)} ({board.size[largest]} bytes) alone is more than the fair share of "
                f"{name} ({int(desk.share[node])} bytes): only a split or a larger node helps",
            )
            continue
        yield Finding(
            reason="NodeStaysFull", message=f"{name} stays {percent:.1f} % above its share: {_why(desk, node)}"
        )
    policy = desk.policy
    if above and (policy.highest_threshold or 0.0) <= desk.layout.settings.threshold:
        yield Finding(
            reason="ThresholdTooLow",
            message=f"the balance threshold is {desk.threshold}: a higher one, if the policy allowed it, "
            "would let bytes lead where counts now decide",
        )


def _why(desk: Desk, node: int) -> str:
    """What the deciders say about its smallest copy on the nodes of its group that have room; else the engine."""
    board = desk.board
    group = next(nodes for nodes in desk.groups.values() if node in nodes)
    others = [other for other in group if other != node]
    if not others:
        return "it is alone in its zone and tier"
    smallest = min(board.on[node], key=board.key)
    if not desk.deciders.may_move(smallest):
        return "its copies are being snapshotted or are not at rest"
    denied = _denials(desk, smallest, others)
    if all(desk.deciders.denial(smallest, other) for other in others):
        return f"{denied} of {len(others)} nodes"
    return "no copy or exchange fits that the engine would leave there"


def _leans(desk: Desk) -> Iterator[Finding]:
    for index in desk.engine.leaning():
        yield Finding(
            reason="LeansOnACount",
            message=f"{desk.board.names[index]} has {desk.engine.spread(index)} copies more on one node than on "
            "another: an index created or deleted may make the engine move one",
        )


def _primaries(desk: Desk) -> Iterator[Finding]:
    if desk.policy.even_primaries:
        for most, least in in_each(desk):
            yield Finding(
                reason="PrimariesUneven",
                message=f"zone {most} has more primaries than its part and zone {least} fewer, and no legal exchange "
                "evens them",
            )
