"""What a node speaks that it should not: no TLS at all, or a version below 1.2. Asked without a certificate, and for
nothing of the cluster."""

import socket
import ssl
import warnings
from contextlib import suppress

import msgspec

from vagus.handshake import Handshake

SECONDS = 2.0
"""For each of the two questions."""
ALERT, HANDSHAKE = 21, 22
"""Types of TLS records (RFC 5246, 6.2.1): what comes back that is neither was said in the clear."""
SERVER_HELLO = 2
OLD = {0x0301: "TLS 1.0", 0x0302: "TLS 1.1"}
"""As a ServerHello says them (RFC 5246, 7.4.1.3). What OpenSSL 3 no longer speaks at all (SSL 3) is not asked for."""


def looked_at(seen: Handshake) -> Handshake:
    """A handshake with what else its node speaks. It raises nothing: what can't be asked is not known to be wrong."""
    try:
        if seen.answered:
            return msgspec.structs.replace(seen, old=old_version(seen.address, seen.port))
        return msgspec.structs.replace(seen, plain=speaks_plainly(seen.address, seen.port))
    except OSError:  # refused, silent, or hung up: it neither spoke plainly nor took an old version
        return seen


def speaks_plainly(address: str, port: int) -> bool:
    """Whether a line of HTTP is answered in the clear. The engines' transport port does so too, with a sentence."""
    with socket.create_connection((address, port), SECONDS) as connection:
        connection.settimeout(SECONDS)
        connection.sendall(b"HEAD / HTTP/1.1\r\nHost: vagus\r\nConnection: close\r\n\r\n")
        said = connection.recv(16)
    return bool(said) and said[0] not in (ALERT, HANDSHAKE)


def old_version(address: str, port: int) -> str:
    """The version below TLS 1.2 that it takes when it is offered nothing better; empty if it takes none."""
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    talk = _offering_old_ones().wrap_bio(received, sent)
    with suppress(ssl.SSLWantReadError):  # its hello is written then, and lies in `sent`
        talk.do_handshake()
    with socket.create_connection((address, port), SECONDS) as connection:
        connection.settimeout(SECONDS)
        connection.sendall(sent.read())
        said = _some(connection, 11)
    # a record of 5 bytes before it, then type, length in 3 bytes, version in 2
    hello = len(said) == 11 and said[0] == HANDSHAKE and said[5] == SERVER_HELLO
    return OLD.get(int.from_bytes(said[9:11]), "") if hello else ""


def _offering_old_ones() -> ssl.SSLContext:
    """TLS 1.0 and 1.1, to find out whether somebody takes them; nothing is ever sent over it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # old versions are what is looked for
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def _some(connection: socket.socket, many: int) -> bytes:
    said = b""
    while len(said) < many:
        got = connection.recv(many - len(said))
        if not got:
            break
        said += got
    return said
