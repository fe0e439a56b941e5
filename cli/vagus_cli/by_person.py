"""The record of what a person did through the command line: written before, and its outcome after."""

import secrets
from contextlib import AbstractContextManager

from vagus.fleet import ClusterSpec
from vagus.procedure.records import Book, Record
from vagus_cli.world import World


def noted(world: World, spec: ClusterSpec, capability: str, act: str, sentence: str) -> AbstractContextManager[object]:
    """What is done inside is intended before, and told after. `act`: a verb such as Stop; `sentence`: who does what."""
    book = Book(table=world.records(spec), clock=world.now, new_id=lambda: secrets.token_hex(8))
    intended = Record(
        id="",
        phase="intended",
        at="",
        cluster=spec.name,
        capability=capability,
        execution="",
        step=act,
        subject=spec.name,
        sentence=sentence,
    )
    return book.writing(intended)
