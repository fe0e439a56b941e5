"""The client whose certificates are minded: its requests show whether it still gets in, and trusts whom it meets."""

import json
import ssl
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import urllib3

from vagus_local.search_client import CallFailed, NoNodeAnswers


class Anew:
    """As `AdminClient`, with a connection, and the files of its owner read, anew for each request. What the client may
    try again is a connection that was refused or closed: a handshake that fails is a failure."""

    def __init__(self, folder: Path, name: str, nodes: Callable[[], Mapping[str, str]], ca: str = "") -> None:
        self._folder, self._name, self._nodes = folder, name, nodes
        self._ca = folder / (ca or f"{name}.ca")
        self._turn = 0

    def call(self, method: str, path: str, body: Any = None, timeout: float = 30.0) -> Any:
        nodes = list(self._nodes().values())
        self._turn += 1
        for at in range(len(nodes)):
            try:
                return self._one(nodes[(self._turn + at) % len(nodes)], method, path, body, timeout)
            except (ConnectionError, urllib3.exceptions.NewConnectionError) as error:
                last = error
        raise NoNodeAnswers(f"{method} {path}: {last}")

    def _one(self, address: str, method: str, path: str, body: Any, timeout: float) -> Any:
        connection = urllib3.connection.HTTPSConnection(address, 9200, timeout=timeout, ssl_context=self._context())
        try:
            lines = isinstance(body, bytes)
            kind = "application/x-ndjson" if lines else "application/json"
            data = body if lines else None if body is None else json.dumps(body).encode()
            connection.request(method, path, body=data, headers={"Content-Type": kind})
            reply = connection.getresponse()
            answer = json.loads(reply.data)
        except (ssl.SSLError, urllib3.exceptions.SSLError) as error:
            raise CallFailed(0, f"TLS with {address}: {error}") from error
        finally:
            connection.close()
        if reply.status >= 400:
            raise CallFailed(reply.status, answer)
        return answer

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self._ca))
        for _ in range(10):
            try:  # its owner puts key and certificate one after the other
                context.load_cert_chain(self._folder / f"{self._name}.pem", self._folder / f"{self._name}.key")
            except ssl.SSLError:
                time.sleep(0.02)
            else:
                return context
        raise AssertionError(f"{self._name} has a key that is not its certificate's")
