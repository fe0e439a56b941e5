"""TLS towards search nodes: always verified, by the address that is called. Keys never lie in a readable file."""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec


class Tls(msgspec.Struct, frozen=True, kw_only=True):
    """Who we are, and whom we trust: PEM texts. It never shows its key."""

    certificate: str
    key: str
    ca: str

    def __repr__(self) -> str:
        return "Tls(...)"


def context(tls: Tls) -> ssl.SSLContext:
    """A client's context that checks the certificate and the name or address of every node.

    Raises `ssl.SSLError` for material that doesn't fit together.
    """
    made = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cadata=tls.ca)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    with _in_memory(tls.certificate) as certificate, _in_memory(tls.key) as key:
        made.load_cert_chain(certificate, key)
    return made


@contextmanager
def _in_memory(text: str) -> Iterator[str]:
    """A path for OpenSSL, which loads certificates from files only: the file is this process's memory."""
    descriptor = os.memfd_create("vagus-tls")
    try:
        os.write(descriptor, text.encode())
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
