"""TLS handshakes with every node, on both ports: what a node shows, and whose certificates it takes.

They are of TLS 1.2, whose server says both in plain sight (RFC 5246, 7.4.2 and 7.4.4): its certificate, and the names
of the authorities that it trusts. No client certificate is shown and no request is sent, so that it takes no rights.
"""

from __future__ import annotations

import hashlib
import math
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import msgspec

from vagus.handshake import Handshake
from vagus.search import exposure

if TYPE_CHECKING:
    from cryptography import x509

HTTP, TRANSPORT = 9200, 9300
SECONDS = 2.0
"""A handshake takes no longer, whatever the node does: accept and say nothing, or say a byte now and then."""
ALL_SECONDS = 20.0
"""Nor do all of them: a node whose turn does not come by then was not seen."""
AT_ONCE = 32
HANDSHAKE, CERTIFICATE, CERTIFICATE_REQUEST, HELLO_DONE = 22, 11, 13, 14


class Handshakes:
    """With the nodes of one cluster. `addresses` gives them by instance, at each call anew."""

    def __init__(
        self,
        addresses: Callable[[], Mapping[str, str]],
        ports: tuple[int, ...] = (HTTP, TRANSPORT),
        all_seconds: float = ALL_SECONDS,
    ) -> None:
        self._addresses, self._ports, self._all_seconds = addresses, ports, all_seconds

    def all(self, bundle: str, *, closely: bool = False) -> tuple[Handshake, ...]:
        """One per node and port, verified against a bundle of authorities in PEM, by instance and port. It takes
        `ALL_SECONDS` and one handshake at most. `closely`: also what it speaks besides TLS 1.2 and later, in as long
        again."""
        asked = [(one, address, port) for one, address in sorted(self._addresses().items()) for port in self._ports]
        if not asked:
            return ()
        last = time.monotonic() + self._all_seconds
        with ThreadPoolExecutor(min(AT_ONCE, len(asked))) as pool:
            seen = pool.map(lambda one: handshake(one[0], one[1], one[2], bundle, last), asked)
            if not closely:
                return tuple(seen)
            return tuple(pool.map(lambda one: look_closely(one, last + self._all_seconds), list(seen)))

    def endpoint(self, name: str, port: int, bundle: str) -> Handshake:
        """One with whoever serves under a DNS name."""
        return handshake(name, name, port, bundle)


def look_closely(seen: Handshake, last: float) -> Handshake:
    """One that there is no time for after `last` (monotonic) was not seen at all: half a look calls nothing well."""
    if time.monotonic() >= last:
        return msgspec.structs.replace(seen, answered=False, failure="there was no time to look at it closely")
    return exposure.looked_at(seen)


def handshake(instance: str, address: str, port: int, bundle: str, last: float = math.inf) -> Handshake:
    """One handshake; it raises nothing: what went wrong is what was seen. None is begun after `last` (monotonic)."""
    seen = Handshake(instance=instance, address=address, port=port)
    if time.monotonic() >= last:
        return msgspec.structs.replace(seen, failure="there was no time for it: too many nodes did not answer")
    try:
        flight, failure = _flight(address, port, bundle)
    except OSError as error:  # of TLS too
        return msgspec.structs.replace(seen, failure=f"no TLS handshake: {error}")
    messages = dict(_messages(flight))
    if HELLO_DONE not in messages or CERTIFICATE not in messages:
        return msgspec.structs.replace(seen, failure=failure or "its handshake was cut off")
    try:
        return _shown(seen, messages, failure)
    except ValueError as error:  # of `cryptography`, for what is no certificate
        return msgspec.structs.replace(seen, failure=f"its certificate can't be read: {error}")


def _flight(address: str, port: int, bundle: str) -> tuple[bytes, str]:
    """All that the server sent, and why its certificate is not to be trusted ("" if it is)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    if bundle:
        context.load_verify_locations(cadata=bundle)
    else:  # there is no bundle to hold it against: what is shown is read, and nothing is ever sent or believed
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    talk = context.wrap_bio(received, sent, server_hostname=address)
    flight, failure = b"", ""
    ends = time.monotonic() + SECONDS
    with socket.create_connection((address, port), SECONDS) as connection:
        while True:
            connection.settimeout(_left(ends))
            try:
                if not failure:
                    talk.do_handshake()
            except ssl.SSLWantReadError:
                pass  # no failure: the rest of its flight is received below
            except ssl.SSLCertVerificationError as error:
                failure = error.verify_message  # what else it shows may still be on its way
            if any(kind == HELLO_DONE for kind, _ in _messages(flight)):
                # it has shown all: hanging up leaves no error in its log
                return flight, failure
            if not failure:
                connection.sendall(sent.read())
            got = connection.recv(16_384)
            if not got:
                return flight, failure
            flight += got
            received.write(got)


def _left(ends: float) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError(f"not done after {SECONDS:.0f} s")
    return left


def _messages(flight: bytes) -> Iterator[tuple[int, bytes]]:
    """Handshake messages by type, put together from the records before the first encrypted one."""
    text = b""
    while len(flight) >= 5:
        kind, length = flight[0], int.from_bytes(flight[3:5])
        if kind != HANDSHAKE:
            break
        text, flight = text + flight[5 : 5 + length], flight[5 + length :]
    while len(text) >= 4:
        length = int.from_bytes(text[1:4])
        if len(text) < 4 + length:
            return
        yield text[0], text[4 : 4 + length]
        text = text[4 + length :]


def _shown(seen: Handshake, messages: Mapping[int, bytes], failure: str) -> Handshake:
    from cryptography import x509  # 30 ms that functions which shake no hands need not spend

    chain = _vector(messages[CERTIFICATE], 3, 3)
    if not chain:
        return msgspec.structs.replace(seen, failure="it shows no certificate")
    leaf = x509.load_der_x509_certificate(chain[0])
    return msgspec.structs.replace(
        seen,
        answered=True,
        failure=failure,
        subject=leaf.subject.rfc4514_string(),
        issuer=_digest(leaf.issuer.public_bytes()),
        issuer_subject=leaf.issuer.rfc4514_string(),
        serial=f"{leaf.serial_number:x}",
        begins=leaf.not_valid_before_utc.timestamp(),
        ends=leaf.not_valid_after_utc.timestamp(),
        names=_names(leaf),
        key=_key(leaf),
        trusts=tuple(sorted(_digest(name) for name in _trusted(messages.get(CERTIFICATE_REQUEST, b"")))),
    )


def _trusted(request: bytes) -> list[bytes]:
    """The names in a CertificateRequest: after the types of certificates, and the algorithms."""
    if not request:
        return []
    rest = request[1 + request[0] :]
    rest = rest[2 + int.from_bytes(rest[:2]) :]
    return _vector(rest, 2, 2)


def _vector(text: bytes, outer: int, inner: int) -> list[bytes]:
    """The items of a vector whose length, and whose items' lengths, take so many bytes."""
    rest = text[outer : outer + int.from_bytes(text[:outer])]
    found = []
    while len(rest) >= inner:
        length = int.from_bytes(rest[:inner])
        found.append(rest[inner : inner + length])
        rest = rest[inner + length :]
    return found


def _digest(name: bytes) -> str:
    return hashlib.sha256(name).hexdigest()


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    from cryptography import x509

    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(one.value) for one in names if isinstance(one, x509.DNSName | x509.IPAddress))


def _key(leaf: x509.Certificate) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    match leaf.public_key():
        case ec.EllipticCurvePublicKey() as key:
            return f"EC {key.curve.name}"
        case rsa.RSAPublicKey() as key:
            return f"RSA {key.key_size}"
        case other:
            return type(other).__name__
