"""POST /_local/...: what only a test or a person at the local stack may do (no AWS API has it).

/_local/events       [PutEvents entries]   send service events (aws.*), in ?account=... or the default one
/_local/faults       {target ARN: n}       the next n deliveries to the target fail as throttled
/_local/ttl          {"now": epoch}        expire DynamoDB items as of then
/_local/calls        {"reset": bool}       what Vagus's functions called since the last reset
/_local/trail-keys   [public keys]         what CloudTrail's ListPublicKeys answers
/_local/instances/<id>/kill                a crashed node: its processes are gone, the instance runs on
/_local/zones/<zone>/freeze|thaw|kill      the same for every instance of a zone (SIGSTOP, SIGCONT, SIGKILL)
"""

import json
import os
import re
import signal
import urllib.parse
from collections.abc import Callable
from typing import Any

import ministack.app as app
from ministack.core import responses
from ministack.services import cloudtrail

from vagus_local.emulator import counting, dynamodb, ec2, eventbridge

trail_keys: list[dict[str, Any]] = []
"""{"Value": base64 of the PKCS#1 DER, "Fingerprint": hex, "ValidityStartTime", "ValidityEndTime"}"""

type Endpoint = Callable[[re.Match[str], Any], Any]


def _events(_: re.Match[str], body: Any) -> Any:
    return json.loads(eventbridge.put(body)[2])


def _faults(_: re.Match[str], body: Any) -> Any:
    eventbridge.faults.update({arn: int(n) for arn, n in body.items()})
    return eventbridge.faults


def _ttl(_: re.Match[str], body: Any) -> Any:
    return {"removed": dynamodb.expire(float(body["now"]))}


def _trail_keys(_: re.Match[str], body: Any) -> Any:
    trail_keys[:] = body
    return {"keys": len(trail_keys)}


_SIGNALS = {"freeze": signal.SIGSTOP, "thaw": signal.SIGCONT, "kill": signal.SIGKILL}


def _calls(_: re.Match[str], body: Any) -> Any:
    return counting.told(bool((body or {}).get("reset")))


def _kill(found: re.Match[str], _: Any) -> Any:
    return {"signalled": ec2.disturb([found["instance"]], signal.SIGKILL)}


def _zone(found: re.Match[str], _: Any) -> Any:
    return {"signalled": ec2.disturb(ec2.in_zone(found["zone"]), _SIGNALS[found["verb"]])}


ENDPOINTS: dict[str, Endpoint] = {
    r"events": _events,
    r"faults": _faults,
    r"ttl": _ttl,
    r"calls": _calls,
    r"trail-keys": _trail_keys,
    r"instances/(?P<instance>i-[0-9a-f]+)/kill": _kill,
    r"zones/(?P<zone>[a-z0-9-]+)/(?P<verb>freeze|thaw|kill)": _zone,
}


def answer(path: str, raw: bytes) -> tuple[int, Any]:
    """Status and JSON body for one request; 404 for an unknown path, 400 for a body that does not fit."""
    for pattern, endpoint in ENDPOINTS.items():
        if match := re.fullmatch(r"/_local/" + pattern, path):
            try:
                return 200, endpoint(match, json.loads(raw or b"null"))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                return 400, {"error": f"{type(error).__name__}: {error}"}
    return 404, {"error": f"no such endpoint: {path}", "endpoints": sorted(ENDPOINTS)}


async def _body(receive: Any) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), bool(message.get("more_body"))
    return body


def _with_admin(old: Any) -> Any:
    default = os.environ.get("MINISTACK_ACCOUNT_ID", "000000000000")
    region = os.environ.get("AWS_DEFAULT_REGION", "us-east-1")

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/_local/"):
            await old(scope, receive, send)
            return
        body = await _body(receive)
        account = urllib.parse.parse_qs(scope["query_string"].decode()).get("account", [default])[0]
        with responses.request_scope(account, region):
            status, out = answer(scope["path"], body) if scope["method"] == "POST" else (405, {"error": "POST only"})
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(out, default=str).encode()})

    return application


def install() -> None:
    cloudtrail._DISPATCH["ListPublicKeys"] = lambda _: cloudtrail._ok({"PublicKeyList": trail_keys})
    app.app = _with_admin(app.app)
