"""How ministack is changed: asserted replacements, and its own API called in process.

CloudFormation provisions on the event loop: a handler that called the emulator over HTTP would wait for itself for
ever. `call` therefore hands a boto3 request straight to the service's handler.
"""

import contextvars
import io
import json
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any

import boto3
import ministack.app as app
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from ministack.core import responses
from ministack.services.cloudformation import provisioners

MINISTACK = "1.5.33"

type Properties = dict[str, Any]
type Answer = tuple[int, dict[str, str], bytes]


class SeamError(RuntimeError):
    """ministack no longer looks as an extension expects."""


def check_version() -> None:
    """Raise SeamError unless the ministack that was tried is installed."""
    found = version("ministack")
    if found != MINISTACK:
        raise SeamError(
            f"ministack {found} is installed, the emulator was made for {MINISTACK}: pin it, or port the seams"
        )


def swap(text: str, old: str, new: str) -> str:
    """`text` with the single occurrence of `old` replaced; SeamError when it is not there exactly once."""
    if text.count(old) != 1:
        raise SeamError(f"ministack changed: {old!r} found {text.count(old)} times, expected once")
    return text.replace(old, new)


def replace(module: Any, name: str, new: Any) -> Any:
    """Put `new` in place of `module.name` and return the original; SeamError when there is none."""
    if not hasattr(module, name):
        raise SeamError(f"ministack changed: {module.__name__} has no {name}")
    old = getattr(module, name)
    setattr(module, name, new)
    return old


def extend(table: dict[str, Any], name: str, new: Callable[[Any], Any]) -> None:
    """Replace the entry `name` of a dispatch table by `new(old entry)`; SeamError when there is none."""
    if name not in table:
        raise SeamError(f"ministack changed: no {name} in its table")
    table[name] = new(table[name])


def override(table: dict[str, Any], name: str, new: Any) -> None:
    """Replace the entry `name` of a dispatch table; SeamError when there is none."""
    extend(table, name, lambda _: new)


def json_actions(service: str, prefix: str, actions: dict[str, Callable[[dict[str, Any]], Answer]]) -> None:
    """Answer `actions` of a JSON service ourselves (X-Amz-Target `prefix`.Action), the others as before."""

    def wrap(old: Any) -> Any:
        async def handle(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Any:
            name = headers.get("x-amz-target", "").removeprefix(prefix + ".")
            if name in actions:
                return actions[name](json.loads(body or b"{}"))
            return await old(method, path, headers, body, query)

        return handle

    extend(app.SERVICE_HANDLERS, service, wrap)


def json_answer(body: dict[str, Any]) -> Answer:
    answer: Answer = responses.json_response(body)
    return answer


def refusal(code: str, message: str) -> Answer:
    """A JSON service's error, status 400."""
    answer: Answer = responses.error_response_json(code, message, 400)
    return answer


def _headers(given: dict[str, Any]) -> HTTPHeaders:
    headers = HTTPHeaders()
    for key, value in given.items():
        headers[key] = str(value)
    return headers


class _Body(io.BytesIO):
    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self.read()


def _in_process(service: str) -> Callable[..., AWSResponse]:
    def send(request: Any, **_: object) -> AWSResponse:
        url, body = urllib.parse.urlsplit(request.url), request.body or b""
        body = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else body.read()
        headers = {k.lower(): v.decode() if isinstance(v, bytes) else v for k, v in request.headers.items()}
        query = urllib.parse.parse_qs(url.query, keep_blank_values=True)
        coroutine = app.SERVICE_HANDLERS[service](request.method, url.path, headers, body, query)
        try:
            coroutine.send(None)
        except StopIteration as done:
            status, answer_headers, out = done.value
        else:
            raise SeamError(f"the handler of {service} waited for something, so it cannot be called in process")
        out = out if isinstance(out, bytes) else str(out or "").encode()
        return AWSResponse(request.url, status, _headers(answer_headers), _Body(out))

    return send


_clients: dict[tuple[str, str, str], Any] = {}
_clients_lock = threading.Lock()


def call(service: str, operation: str, **parameters: Any) -> dict[str, Any]:
    """One operation of the emulator's own API, in this process, as the account and Region of the current request."""
    account, region = responses.get_account_id(), responses.get_region()
    with _clients_lock:
        client = _clients.get((service, account, region))
        if client is None:
            make: Any = boto3.client  # the stubs want literal names, here the name is data
            client = make(
                service,
                endpoint_url="http://127.0.0.1:1",
                region_name=region,
                aws_access_key_id=account,
                aws_secret_access_key=account,  # nothing is checked against it, nothing leaves the process
            )
            client.meta.events.register("before-send.*", _in_process(service))
            _clients[service, account, region] = client
    answer: dict[str, Any] = getattr(client, operation)(**parameters)
    return answer


def in_scope(function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    """`function(*arguments)` for another thread, in the account and Region of the current request."""
    context = contextvars.copy_context()
    return lambda: context.run(function, *arguments)


def after(seconds: float, function: Callable[..., Any], *arguments: Any) -> threading.Timer:
    """Call later, in a thread, in the scope of the current request; cancel with `.cancel()`."""
    timer = threading.Timer(max(0.0, seconds), in_scope(function, *arguments))
    timer.daemon = True
    timer.start()
    return timer


def in_background(function: Callable[..., Any], *arguments: Any) -> threading.Thread:
    """Call now, in a thread of its own, in the scope of the current request."""
    thread = threading.Thread(target=in_scope(function, *arguments), daemon=True)
    thread.start()
    return thread


HANDLERS: dict[str, dict[str, Any]] = provisioners._RESOURCE_HANDLERS
"""CloudFormation's resource handlers: type -> {create, update, delete, ...}."""


def also(resource_type: str, apply: Callable[[str, Properties], None]) -> None:
    """After ministack created or updated a resource, apply(physical id, properties) what it dropped."""
    if resource_type not in HANDLERS:
        raise SeamError(f"ministack changed: no CloudFormation handler for {resource_type}")
    for verb, position in (("create", 1), ("update", 2)):
        old = HANDLERS[resource_type].get(verb)
        if old:
            HANDLERS[resource_type][verb] = _then(old, apply, position)


def _then(old: Any, apply: Callable[[str, Properties], None], position: int) -> Any:
    def wrapped(*arguments: Any, **options: Any) -> Any:
        result = old(*arguments, **options)
        apply(result[0], arguments[position])
        return result

    return wrapped


def truth(value: object) -> bool:
    """A template's boolean, which arrives as true or as "true"."""
    return str(value).lower() == "true"
