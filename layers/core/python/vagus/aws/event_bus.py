"""EventBridge as `ports.Bus`: the account's default bus, so that any rule of the hospital's own can take the events."""

from collections.abc import Sequence
from itertools import batched

import msgspec

from vagus.aws.clients import Clients
from vagus.aws.errors import translated
from vagus.cluster_watch.model import SOURCE, Told
from vagus.errors import Unreachable

AT_ONCE = 10
"""Entries that one PutEvents takes."""


class EventBridge:
    """The default bus."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def put(self, told: Sequence[Told]) -> None:
        """All of them, in this order. An entry that AWS did not take ends it: the watch tells all again, later."""
        for some in batched(told, AT_ONCE, strict=False):
            with translated("events"):
                answer = self._clients.events.put_events(
                    Entries=[
                        {"Source": SOURCE, "DetailType": one.kind, "Detail": msgspec.json.encode(one.event).decode()}
                        for one in some
                    ]
                )
            if answer["FailedEntryCount"]:
                why = next(entry for entry in answer["Entries"] if "ErrorCode" in entry)
                raise Unreachable(f"events:PutEvents: {why['ErrorCode']}: {why.get('ErrorMessage', '')}")
