"""HTTPS to the nodes of one cluster: which node is asked, what is tried again, and what an answer means.

A read goes to the next node after any failure. A write goes to the next node only if nothing of it can have been
sent: else it may have happened, and whoever asked has to look again.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Sequence
from ipaddress import ip_address
from time import monotonic

import msgspec
import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, SSLError

from vagus.errors import Denied, Malformed, Refused, Throttled, Transient, Unreachable, VagusError

CONNECT_SECONDS = 2.0
READ_SECONDS = 12.0
"""A little longer than the 10 s that a request may wait in the manager's queue."""
PATIENCE_SECONDS = 20.0
"""After so long no further node is asked."""
CONNECTIONS = 8
"""Kept alive per node: one for each piece of a look."""
QUOTED = 300
"""Characters of an answer that an error quotes."""


class NotSent(Unreachable):
    """No connection: nothing was sent."""


class Untrusted(Unreachable):
    """TLS failed: their certificate or ours is not accepted. `sent`: whether a request may have gone out."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class NotReady(Throttled):
    """503: this node has no manager, or its security is not initialized; another may be better off."""


class Transport:
    """Connections to the nodes, kept alive; the node that answered last is asked first. Threads may share it.

    Without a `context` they are plain HTTP, which never leaves this machine: raises `Malformed` for any address that is
    not a loopback one.
    """

    def __init__(self, addresses: Sequence[str], context: ssl.SSLContext | None, port: int = 9200) -> None:
        if context is None and (others := [address for address in addresses if not _loopback(address)]):
            raise Malformed(f"plain HTTP is for loopback addresses alone, not for {others[0]}: leave out `tls: false`")
        self._scheme = "http" if context is None else "https"
        self._order = list(addresses)
        self._port = port
        self._timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
        self._pools = urllib3.PoolManager(
            num_pools=len(self._order) + 1, maxsize=CONNECTIONS, ssl_context=context, retries=False
        )

    def read(self, method: str, path: str, body: object = None) -> bytes:
        """The answer of the first node that gives one. Raises any of `vagus.errors` but `Conflict`."""
        until = monotonic() + PATIENCE_SECONDS
        failures: list[Transient] = []
        for address in list(self._order):
            try:
                return self._ask(address, method, path, body)
            except (Unreachable, Throttled) as error:  # a node that is busy says nothing of the next one
                failures.append(error)
            if monotonic() > until:
                break
        raise _worst(failures)

    def write(self, method: str, path: str, body: object = None) -> bytes:
        """The answer of the first node that can be reached. `Unreachable`: it may have happened."""
        failures: list[Transient] = []
        for address in list(self._order):
            try:
                return self._ask(address, method, path, body)
            except NotSent as error:
                failures.append(error)
            except Untrusted as error:
                if error.sent:
                    raise
                failures.append(error)
        raise _worst(failures)

    def close(self) -> None:
        """End all connections."""
        self._pools.clear()

    def _ask(self, address: str, method: str, path: str, body: object) -> bytes:
        host = f"[{address}]" if ":" in address else address
        try:
            reply = self._pools.request(
                method,
                f"{self._scheme}://{host}:{self._port}{path}",
                body=None if body is None else msgspec.json.encode(body),
                headers={"Content-Type": "application/json", "Accept": "application/json"},
                timeout=self._timeout,
                redirect=False,
            )
        except (HTTPError, OSError) as error:
            raise _of_connection(address, error) from error
        if reply.status >= 300:
            raise _of_status(reply.status, reply.data, f"{method} {path.partition('?')[0]} at {address}")
        self._ask_first(address)
        return reply.data

    def _ask_first(self, address: str) -> None:
        if self._order[0] != address:
            self._order = [address, *(other for other in self._order if other != address)]


def _loopback(address: str) -> bool:
    """A name is none: what it resolves to is not ours to say."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _of_connection(address: str, error: Exception) -> Unreachable:
    said = f"{address}: {type(error).__name__}: {error}"[:QUOTED]
    if isinstance(error, SSLError):
        verification = any(isinstance(cause, ssl.SSLCertVerificationError) for cause in error.args)
        return Untrusted(said, sent=not verification)
    if isinstance(error, NewConnectionError | ConnectTimeoutError):
        return NotSent(said)
    return Unreachable(said)


def _of_status(status: int, answer: bytes, what: str) -> VagusError:
    said = f"{what}: {status} {answer[:QUOTED].decode(errors='replace')}"
    match status:
        case 401:
            return Denied("authentication", said)
        case 403:
            return Denied(_action(answer), said)
        case 429:
            return Throttled(said)
        case 503:
            return NotReady(said)
        case _ if status >= 500:
            return Unreachable(said)
        case _:
            return Refused(said)


def _action(answer: bytes) -> str:
    """The action that a 403 names: `no permissions for [indices:data/read/search] and User [...]`."""
    found = re.search(rb"no permissions for \[([^\]]+)\]", answer) or re.search(rb"action \[([^\]]+)\]", answer)
    return found[1].decode(errors="replace") if found else "unnamed"


def _worst(failures: Sequence[Transient]) -> Transient:
    """One error for all nodes: trust before readiness before reach, for that is what has to be mended first."""
    said = "no node answered: " + "; ".join(str(error) for error in failures[:3]) if failures else "no node is known"
    untrusted = [error for error in failures if isinstance(error, Untrusted)]
    if untrusted:
        return Untrusted(said, sent=any(error.sent for error in untrusted))
    if any(isinstance(error, NotReady) for error in failures):
        return NotReady(said)
    if any(isinstance(error, Throttled) for error in failures):
        return Throttled(said)
    if failures and all(isinstance(error, NotSent) for error in failures):
        return NotSent(said)
    return Unreachable(said)
