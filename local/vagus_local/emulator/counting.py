"""What Vagus's functions call AWS for, how often, and how much goes each way: POST /_local/calls.

Our clients bear `vagus` in their user agent, so that nobody else's calls are counted. The body {"reset": true} sets
the counts back. For a bill: DynamoDB's units follow from the bytes, which JSON's own letters make a little larger.
"""

import re
import urllib.parse
from collections import defaultdict
from typing import Any

import ministack.app as app

OURS = b"vagus"
UNIT = {"read": 4096, "write": 1024}
"""Bytes of one unit of DynamoDB, of a consistent read and of a write."""

calls: dict[str, dict[str, int]] = defaultdict(lambda: {"calls": 0, "sent": 0, "received": 0, "units": 0})
"""By operation, such as `dynamodb:Query`."""


def told(reset: bool) -> dict[str, dict[str, int]]:
    """The counts since the last reset."""
    found = {operation: dict(counts) for operation, counts in sorted(calls.items())}
    if reset:
        calls.clear()
    return found


def operation(headers: dict[bytes, bytes], body: bytes) -> str:
    """`service:Action` of a request: by its target header (JSON protocols), or by its form (query protocols)."""
    target = headers.get(b"x-amz-target", b"").decode()
    scope = re.search(r"/([a-z0-9-]+)/aws4_request", headers.get(b"authorization", b"").decode())
    service = scope[1] if scope else "unknown"
    if target:
        return f"{service}:{target.rpartition('.')[2]}"
    form = urllib.parse.parse_qs(body.decode(errors="replace"))
    return f"{service}:{form['Action'][0]}" if "Action" in form else f"{service}:other"


def _units(name: str, sent: int, received: int) -> int:
    """DynamoDB's: a transaction's writes count twice."""
    match name:
        case "dynamodb:Query" | "dynamodb:GetItem":
            return -(-received // UNIT["read"])
        case "dynamodb:PutItem":
            return -(-sent // UNIT["write"])
        case "dynamodb:TransactWriteItems":
            return 2 * -(-sent // UNIT["write"])
    return 0


def _counted(old: Any) -> Any:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope["headers"]) if scope["type"] == "http" else {}
        if OURS not in headers.get(b"user-agent", b"").split(b" "):
            await old(scope, receive, send)
            return
        messages, received = [await receive()], 0
        while messages[-1].get("more_body"):
            messages.append(await receive())
        body = b"".join(message.get("body", b"") for message in messages)

        async def again() -> Any:
            return messages.pop(0) if messages else await receive()

        async def count(message: Any) -> None:
            nonlocal received
            received += len(message.get("body", b""))
            await send(message)

        await old(scope, again, count)
        name = operation(headers, body)
        for key, more in (("calls", 1), ("sent", len(body)), ("received", received)):
            calls[name][key] += more
        calls[name]["units"] += _units(name, len(body), received)

    return application


def install() -> None:
    app.app = _counted(app.app)
