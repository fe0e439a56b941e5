"""How the steps are done for instances that EC2 takes away by itself, or has taken."""

from collections.abc import Mapping

import msgspec

from vagus.errors import Refused
from vagus.intent import Intent
from vagus.procedure import rows
from vagus.procedure.foreign import foreign
from vagus.procedure.room import Handler, Writes
from vagus.procedure.rows import Rows
from vagus.steps import NoteDeparture, ReplaceInstance, SaveLastCopies, Step
from vagus.zone_balance import departed, warned
from vagus.zone_balance.checking import look_afresh


def _may_save(writes: Writes, seen: Rows, step: SaveLastCopies, token: int) -> str | None:
    """A move that no longer fits is left out by the engine; here that it is wanted at all is looked at."""
    if _open(seen, step.intent) is None:
        return f"{step.intent} is over"
    look = look_afresh(writes, seen)
    if why := foreign(look.cluster, seen, token):
        return why
    if look.cluster.node(step.instance) is None:
        return f"{step.instance} is no longer in the cluster"
    last = {copy.id for copy in warned.last_copies(look, step.instance)}
    if safe := [f"{one.index}[{one.shard}]" for one in step.copies if (one.index, one.shard) not in last]:
        return f"{', '.join(safe)} has another started copy, or has moved"
    return None


def _save(writes: Writes, seen: Rows, step: SaveLastCopies, _token: int) -> None:
    """The moves even where a flush fails: there is no time to try again. The row last."""
    try:
        writes.search.flush(step.indices)
    finally:
        _move(writes, step)
    _acted(writes, seen, step.intent)


def _move(writes: Writes, step: SaveLastCopies) -> None:
    """One request for each: the engine does all moves of one, or none. Raises `Refused` where it does none of them."""
    refused: list[Refused] = []
    for one in step.copies:
        try:
            writes.search.reroute([one], dry_run=False)
        except Refused as error:
            refused.append(error)
    if refused and len(refused) == len(step.copies):
        raise refused[0]


def _may_replace(writes: Writes, seen: Rows, step: ReplaceInstance, token: int) -> str | None:
    intent = _open(seen, step.intent)
    if intent is None:
        return f"{step.intent} is over"
    look = look_afresh(writes, seen)
    if look.over(intent):
        return f"{step.instance} no longer serves"
    return foreign(look.cluster, seen, token) or warned.may_not_replace(look, intent)


def _replace(writes: Writes, seen: Rows, step: ReplaceInstance, _token: int) -> None:
    writes.groups.replace(step.instance)
    _acted(writes, seen, step.intent)


def _acted(writes: Writes, seen: Rows, intent: str) -> None:
    if (found := _open(seen, intent)) is not None:
        row = seen.put(f"intent#{intent}", msgspec.structs.replace(found, acted=writes.iso))
        writes.table.write(rows.partition(writes.spec.name), row)


def _may_note(writes: Writes, seen: Rows, step: NoteDeparture, _token: int) -> str | None:
    intent = _open(seen, step.intent)
    if intent is None:
        return f"{step.intent} is over"
    look = look_afresh(writes, seen)
    if not look.departed(intent):
        return f"{step.instance} is there again"
    return None if departed.note(look.cluster, intent) == step else "what is lost has changed since the decision"


def _note(writes: Writes, seen: Rows, step: NoteDeparture, _token: int) -> None:
    """What is lost keeps the intent open; what it demanded ends with the instance."""
    intent = _open(seen, step.intent)
    if intent is None:
        return
    noted = msgspec.structs.replace(intent, demands=(), lost=step.lost)
    expires = None
    if not step.lost:
        noted = msgspec.structs.replace(noted, lost=step.before, closed=writes.iso)
        expires = int(writes.now) + rows.CLOSED_ROW_DAYS * 86_400
    writes.table.write(rows.partition(writes.spec.name), seen.put(f"intent#{intent.id}", noted, expires))


def _open(seen: Rows, intent: str) -> Intent | None:
    return next((one for one in seen.intents if one.id == intent), None)


HANDLERS: Mapping[type[Step], Handler] = {
    SaveLastCopies: Handler(_may_save, _save),
    ReplaceInstance: Handler(_may_replace, _replace),
    NoteDeparture: Handler(_may_note, _note),
}
