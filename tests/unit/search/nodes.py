"""TLS servers that play search nodes: each has an address, a certificate of the authority, and answers as told."""

import ipaddress
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from vagus.certificates import profile
from vagus_local.certificates import Authority, private


class Asked(NamedTuple):
    """A request as the node got it."""

    method: str
    path: str
    body: bytes


Reply = tuple[int, str] | None
"""Status and body; `None`: hang up once the request is read."""


class PlayedNode:
    """One server, of plain HTTP without a context; `asked` holds what reached it, `reply` what it answers."""

    def __init__(
        self, address: str, port: int, context: ssl.SSLContext | None, reply: Callable[[Asked], Reply]
    ) -> None:
        self.address = address
        self.asked: list[Asked] = []
        self.reply = reply
        self._server = ThreadingHTTPServer((address, port), self._handler(), bind_and_activate=False)
        self._server.daemon_threads = True
        self._server.server_bind()
        self._server.server_activate()
        self.port: int = self._server.server_address[1]
        if context is not None:
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        node = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except (ssl.SSLError, OSError):  # a client that doesn't trust us leaves in the handshake
                    self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                """Says nothing."""

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                asked = Asked(self.command, self.path, body)
                node.asked.append(asked)
                reply = node.reply(asked)
                if reply is None:
                    self.close_connection = True
                    return
                self.send_response(reply[0])
                self.send_header("Content-Length", str(len(reply[1].encode())))
                self.end_headers()
                self.wfile.write(reply[1].encode())

            def do_POST(self) -> None:
                self.do_GET()

            def do_PUT(self) -> None:
                self.do_GET()

        return Handler

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def node_context(authority: Authority, folder: Path, address: str) -> ssl.SSLContext:
    """A server's context whose certificate names that address."""
    instance = "i-0123456789abcdef0"
    key = ec.generate_private_key(ec.SECP256R1())
    name = profile.node_name(instance, authority.cluster)
    names = x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ipaddress.ip_address(address))])
    request = x509.CertificateSigningRequestBuilder().subject_name(profile.subject(f"node-{instance}"))
    signed = request.add_extension(names, critical=False).sign(key, hashes.SHA256())
    asked = signed.public_bytes(serialization.Encoding.PEM)
    (folder / f"{address}.pem").write_text(authority.sign_request(asked, instance, address))
    (folder / f"{address}.key").write_text(private(key))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{address}.pem", folder / f"{address}.key")
    context.load_verify_locations(authority.ca)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


@contextmanager
def played(*nodes: PlayedNode) -> Iterator[tuple[PlayedNode, ...]]:
    """The nodes, ended afterwards."""
    try:
        yield nodes
    finally:
        for node in nodes:
            node.close()
