"""What of that which holds now is news. Pure.

A level is told once it was found `looks` times in a row and is another than the one told last: what flickers is told
once it stays. An item that is gone has the empty level.
"""

from collections.abc import Iterable

from vagus.cluster_watch.model import Change, Item, Standing, Standings

NOTHING = ""


def news(items: Iterable[Item], before: Standings, *, over: int) -> tuple[tuple[Change, ...], Standings]:
    """The changes to tell, and what is to be remembered. `over`: looks in a row before an end is told.

    Standings stay the very same while nothing changes, so that a quiet cluster costs no write.
    """
    found = {item.key: item for item in items}
    changes: list[Change] = []
    after: dict[str, Standing] = {}
    for key in sorted({*found, *before}):
        was = before.get(key, Standing())
        item = found.get(key) or Item(key=key, level=NOTHING, looks=over)
        now, change = _one(item, was)
        if change:
            changes.append(change)
        if now.told or now.looks:
            after[key] = now
    return tuple(changes), after


def known(items: Iterable[Item]) -> Standings:
    """All that holds at a first look, taken as known: what has always been there did not happen now."""
    return {item.key: Standing(told=item.level, about=item.about) for item in items if item.level}


def _one(item: Item, was: Standing) -> tuple[Standing, Change | None]:
    if item.level is None:
        return was, None
    if item.level == was.told:
        return Standing(told=was.told, about=item.about or was.about), None
    looks = was.looks + 1 if item.level == was.seen and was.looks else 1
    if looks < item.looks:
        return Standing(told=was.told, seen=item.level, looks=looks, about=was.about), None
    change = Change(
        key=item.key,
        before=was.told,
        after=item.level,
        message=item.message,
        about=item.about or was.about,
        facts=item.facts,
    )
    return Standing(told=item.level, about=item.about), change
