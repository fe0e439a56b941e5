"""A handshake with servers of OpenSSL's: what it shows, and why it is not to be trusted."""

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from vagus.aws.fake_certificates import FakeAuthorityKeys
from vagus.certificates import profile
from vagus.certificates.issuing import new_authority, signed_leaf
from vagus.search import handshakes
from vagus.search.handshakes import Handshakes, handshake
from vagus.trust import Authority, Trust

CLUSTER, ADDRESS, INSTANCE = "claims", "127.0.0.1", "i-0123456789abcdef0"
NOW = datetime.now(UTC).timestamp()
KEYS = FakeAuthorityKeys(CLUSTER)


def authority(now: float = NOW, trust: Trust | None = None) -> Authority:
    return new_authority(KEYS, CLUSTER, trust or Trust(), "0123456789abcdef", now)


FIRST = authority()
SECOND = authority(trust=Trust(authorities=(FIRST,), signs=1))


@contextmanager
def served(
    folder: Path, *trusted: Authority, names: tuple[str, ...] = (ADDRESS,), now: float = NOW, options: str = ""
) -> Iterator[int]:
    """A server with a leaf of the first authority, which asks for certificates of those that it trusts. Its port."""
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = signed_leaf(KEYS, CLUSTER, FIRST, "node", f"node-{INSTANCE}", key.public_key(), names, now=now, days=1)
    form = serialization.PrivateFormat.PKCS8
    (folder / "key").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    (folder / "leaf").write_text(profile.pem(leaf))
    (folder / "ca").write_text("".join(one.certificate for one in trusted))
    # not the standard library's: its server never says whose certificates it takes
    command = ["openssl", "s_server", "-accept", f"{ADDRESS}:0", "-cert", folder / "leaf", "-key", folder / "key"]
    asks = ["-verify", "1", "-CAfile", folder / "ca", "-no-CApath", "-no-CAstore"] if trusted else []
    server = subprocess.Popen(
        [*command, *asks, *options.split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        yield int(next(line for line in server.stdout if line.startswith("ACCEPT")).rpartition(":")[2])
    finally:
        server.kill()
        server.communicate()


def test_it_shows_the_leaf_and_whose_certificates_are_taken(tmp_path: Path) -> None:
    with served(tmp_path, FIRST, SECOND) as port:
        seen = handshake(INSTANCE, ADDRESS, port, FIRST.certificate)
    assert (seen.answered, seen.failure) == (True, "")
    assert (seen.subject, seen.issuer_subject) == (f"CN=node-{INSTANCE},O=vagus", FIRST.subject)
    assert (seen.issuer, seen.names, seen.key) == (FIRST.name, (ADDRESS,), "EC secp256r1")
    assert seen.trusts == tuple(sorted((FIRST.name, SECOND.name)))
    assert seen.ends - seen.begins == pytest.approx(timedelta(days=1, minutes=5).total_seconds(), abs=2)


@pytest.mark.parametrize(
    ("case", "bundle", "names", "now", "why"),
    [
        ("another authority's", SECOND.certificate, (ADDRESS,), NOW, "self-signed certificate in certificate chain"),
        ("for another address", FIRST.certificate, ("127.0.0.2",), NOW, "IP address mismatch"),
        ("has ended", FIRST.certificate, (ADDRESS,), NOW - 3 * 86_400, "certificate has expired"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 30 else "",
)
def test_what_is_not_to_be_trusted_is_shown_with_the_reason(
    tmp_path: Path, case: str, bundle: str, names: tuple[str, ...], now: float, why: str
) -> None:
    with served(tmp_path, FIRST, names=names, now=now) as port:
        seen = handshake(INSTANCE, ADDRESS, port, bundle)
    assert seen.answered, case
    assert why in seen.failure
    assert (seen.issuer, seen.trusts) == (FIRST.name, (FIRST.name,))


def test_without_a_bundle_nothing_is_verified(tmp_path: Path) -> None:
    with served(tmp_path, now=NOW - 3 * 86_400) as port:
        seen = handshake(INSTANCE, ADDRESS, port, "")
    assert (seen.answered, seen.failure, seen.trusts) == (True, "", ())


OLD_TOO = "-cipher ALL:@SECLEVEL=0 -min_protocol TLSv1.1"
SPEAKS = {"TLS 1.2 and later": ("", ""), "TLS 1.1 too": (OLD_TOO, "TLS 1.1"), "TLS 1.2 alone": ("-tls1_2", "")}


@pytest.mark.parametrize(("options", "old"), SPEAKS.values(), ids=SPEAKS.keys())
def test_looked_at_closely_it_says_what_old_version_it_takes(tmp_path: Path, options: str, old: str) -> None:
    with served(tmp_path, options=options) as port:
        (seen,) = Handshakes(lambda: {INSTANCE: ADDRESS}, (port,)).all("", closely=True)
        (far,) = Handshakes(lambda: {INSTANCE: ADDRESS}, (port,)).all("")
    assert (seen.answered, seen.old, seen.plain) == (True, old, False)
    assert far.old == ""


@pytest.mark.parametrize(
    ("says", "plain"), [(b"HTTP/1.1 200 OK", True), (b"This is not an HTTP port", True), (b"", False)]
)
def test_looked_at_closely_one_that_answers_without_tls_is_found_out(says: bytes, plain: bool) -> None:
    def answer() -> None:
        for _ in range(2):  # the handshake, then the plain question
            connection, _ = listening.accept()
            with connection:
                if not connection.recv(100).startswith(bytes([22])):
                    connection.sendall(says)

    with socket.create_server((ADDRESS, 0)) as listening:
        answering = threading.Thread(target=answer, daemon=True)
        answering.start()
        nodes = Handshakes(lambda: {INSTANCE: ADDRESS}, (listening.getsockname()[1],))
        (seen,) = nodes.all("", closely=True)
        answering.join(20)
    assert (seen.answered, seen.plain) == (False, plain)


def test_what_there_was_no_time_to_look_at_closely_was_not_seen(tmp_path: Path) -> None:
    with served(tmp_path) as port:
        far = handshake(INSTANCE, ADDRESS, port, "")
    assert far.answered
    seen = handshakes.look_closely(far, time.monotonic())
    assert not seen.answered
    assert "no time" in seen.failure


def _answer_plainly(listening: socket.socket) -> None:
    connection, _ = listening.accept()
    with connection:
        connection.recv(100)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_one_that_does_not_listen_and_one_that_speaks_no_tls() -> None:
    with socket.create_server((ADDRESS, 0)) as listening:
        port = listening.getsockname()[1]
        threading.Thread(target=_answer_plainly, args=(listening,), daemon=True).start()
        plain = handshake(INSTANCE, ADDRESS, port, FIRST.certificate)
    assert not plain.answered
    assert plain.failure.startswith("no TLS handshake: ")
    gone = handshake(INSTANCE, ADDRESS, port, FIRST.certificate)
    assert not gone.answered
    assert "refused" in gone.failure


@contextmanager
def _slow(words: bytes) -> Iterator[int]:
    """A server that takes each connection, and says a byte of these every 0.2 s. Its port."""
    halt = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            for at in range(len(words)):
                connection.sendall(words[at : at + 1])
                if halt.wait(0.2):
                    return
            halt.wait()

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()

    with socket.create_server((ADDRESS, 0)) as listening:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield listening.getsockname()[1]
        finally:
            halt.set()
            listening.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("words", [b"", bytes([22, 3, 3, 64, 0]) + bytes(1000)], ids=["nothing", "a byte now and then"])
def test_a_node_that_takes_the_connection_and_says(words: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshakes, "SECONDS", 0.5)
    began = time.monotonic()
    with _slow(words) as port:
        seen = handshake(INSTANCE, ADDRESS, port, FIRST.certificate)
    assert not seen.answered
    assert seen.failure.startswith("no TLS handshake: ")
    assert time.monotonic() - began < 20  # without a bound it takes 200 s, or for ever


def test_many_nodes_that_say_nothing_do_not_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshakes, "SECONDS", 0.3)
    with _slow(b"") as port:
        nodes = {f"i-{number:03}": ADDRESS for number in range(2 * handshakes.AT_ONCE)}
        seen = Handshakes(lambda: nodes, (port,), all_seconds=0.1).all(FIRST.certificate)
    assert [one.instance for one in seen] == list(nodes)
    assert "no time" in seen[-1].failure
    assert not any(one.answered for one in seen)


def test_every_node_and_port_in_order(tmp_path: Path) -> None:
    with served(tmp_path, FIRST) as port:
        nodes = {"i-b": ADDRESS, "i-a": ADDRESS}
        seen = Handshakes(lambda: nodes, (port,)).all(FIRST.certificate)
    assert [(one.instance, one.port, one.failure) for one in seen] == [("i-a", port, ""), ("i-b", port, "")]
    assert Handshakes(dict).all("") == ()


SEARCH = f"search.{CLUSTER}.vagus.internal"


@pytest.mark.parametrize(("names", "why"), [((SEARCH,), ""), ((f"other.{SEARCH}",), "Hostname mismatch")])
def test_an_endpoint_is_called_by_its_name_and_verified_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], why: str
) -> None:
    found = socket.getaddrinfo

    def private_zone(name: str, *more: Any, **known: Any) -> Any:
        return found(ADDRESS if name == SEARCH else name, *more, **known)

    monkeypatch.setattr(socket, "getaddrinfo", private_zone)
    with served(tmp_path, names=names) as port:
        seen = Handshakes(dict).endpoint(SEARCH, port, FIRST.certificate)
    assert seen.answered
    assert why in seen.failure
    assert bool(seen.failure) == bool(why)


def test_an_endpoint_that_nobody_knows_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    seen = Handshakes(dict).endpoint(SEARCH, 443, FIRST.certificate)
    assert not seen.answered
    assert "not known" in seen.failure
