"""A plain client of the local clusters, for the stack, the demo and tests: as the cluster's owner, or its application.

A connection that is refused or closed is tried on the next node, as any client of a cluster does; an answer never is.
"""

import json
import ssl
import threading
from collections.abc import Callable, Mapping
from typing import Any

import urllib3

from vagus_local.certificates import Authority, ClientCertificate


class NoNodeAnswers(Exception):
    """No node of the cluster took the request."""


class CallFailed(Exception):
    """The cluster answered with an error."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status}: {str(body)[:400]}")
        self.status = status
        self.body = body


class AdminClient:
    """Calls go to any node. Thread-safe; one connection per node and thread of work. `tls=False`: plain HTTP, as
    Elasticsearch has it here."""

    def __init__(
        self,
        authority: Authority,
        client: ClientCertificate,
        nodes: Callable[[], Mapping[str, str]],
        *,
        tls: bool = True,
    ) -> None:
        context = ssl.create_default_context(cafile=str(authority.ca))
        context.load_cert_chain(client.certificate, client.key)
        self._pool = urllib3.PoolManager(ssl_context=context, num_pools=20, maxsize=8)
        self._scheme = "https" if tls else "http"
        self._nodes = nodes
        self._known: list[str] = []
        self._turn = 0
        self._lock = threading.Lock()

    def call(self, method: str, path: str, body: Any = None, timeout: float = 30.0) -> Any:
        """The parsed answer of the first node that takes the request. Raises NoNodeAnswers, CallFailed."""
        last: Exception | None = None
        for attempt in range(3):
            for address in self._order(refresh=attempt > 0):
                try:
                    return self._one(address, method, path, body, timeout)
                except (urllib3.exceptions.HTTPError, OSError) as error:
                    last = error
        raise NoNodeAnswers(f"{method} {path}: {last}")

    def try_call(self, method: str, path: str, body: Any = None) -> Any:
        """The answer, or None while nobody answers or the security plugin is not ready."""
        try:
            return self.call(method, path, body, timeout=5.0)
        except (NoNodeAnswers, CallFailed):
            return None

    def on(self, address: str, method: str, path: str, body: Any = None, timeout: float = 30.0) -> Any:
        """The same, from this node alone."""
        try:
            return self._one(address, method, path, body, timeout)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise NoNodeAnswers(f"{address}: {error}") from error

    def _order(self, *, refresh: bool) -> list[str]:
        with self._lock:
            if refresh or not self._known:
                self._known = list(self._nodes().values())
            self._turn += 1
            if not self._known:
                return []
            at = self._turn % len(self._known)
            return self._known[at:] + self._known[:at]

    def _one(self, address: str, method: str, path: str, body: Any, timeout: float) -> Any:
        lines = isinstance(body, bytes)
        reply = self._pool.request(
            method,
            f"{self._scheme}://{address}:9200{path}",
            body=body if lines else None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/x-ndjson" if lines else "application/json"},
            timeout=urllib3.Timeout(connect=2.0, read=timeout),
            retries=False,
        )
        text = reply.data.decode()
        answer = json.loads(text) if text[:1] in ("{", "[") else text
        if reply.status >= 400:
            raise CallFailed(reply.status, answer)
        return answer
