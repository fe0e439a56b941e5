"""The issuer's work: chains that verify, refusals with a record, the same request twice, a key twice, deaths."""

import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.unit.certificates.parts import ADDRESS, ASKER, CLUSTER, INSTANCE, NOW, request, spec, subject, trusted

from vagus.aws.fake import FakeTable
from vagus.aws.fake_certificates import FakeAskers, FakeAuthorityKeys, FakeRequests
from vagus.certificates import profile
from vagus.certificates.issuing import REFUSED, Issuer, NoAuthorityYet, Order
from vagus.certificates.signing import authority_key
from vagus.errors import Conflict, Malformed, Refused
from vagus.ports import Put
from vagus.procedure import records, rows
from vagus.procedure.records import Book
from vagus.trust import Slot, issued_partition, renewal_at

SESSION = f"AROAEXAMPLE:{INSTANCE}"
CALLS = 10
"""So many calls to the outside answer a request: each may be the last."""
ORDER = Order(cluster=CLUSTER, bucket="bucket", key=f"requests/{SESSION}.csr")


class Bench:
    """An issuer on fakes; `answer` is what lies where the node looks."""

    def __init__(self) -> None:
        self.keys = FakeAuthorityKeys(CLUSTER)
        self.requests, self.askers = FakeRequests(), FakeAskers(ASKER)
        self.table, self.records = FakeTable(), FakeTable()
        book = Book(table=self.records, clock=lambda: NOW, new_id=iter(map(str, range(100))).__next__)
        self.issuer = Issuer(
            keys=self.keys,
            requests=self.requests,
            askers=self.askers,
            table=self.table,
            book=book,
            clock=lambda: NOW,
        )
        trust = trusted(self.keys)
        self.table.write(rows.partition(CLUSTER), Put(key="trust", data=msgspec.to_builtins(trust), expected=0))
        self.signed_before = self.keys.signed

    def ask(self, pem: bytes, order: Order = ORDER) -> bytes:
        self.requests.objects[order.bucket, order.key] = pem
        self.issuer.take(order, spec())
        return self.requests.objects["bucket", f"certificates/{SESSION}.pem"]

    def noted(self) -> list[tuple[str, str]]:
        return [(one.phase, one.result) for one in records.read(self.records, CLUSTER, records.iso(NOW)[:10])]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_node_gets_a_chain_that_openssl_verifies(bench: Bench, tmp_path: Path) -> None:
    chain = bench.ask(request())
    leaf, authority = x509.load_pem_x509_certificates(chain)
    (tmp_path / "leaf.pem").write_text(profile.pem(leaf))
    (tmp_path / "ca.pem").write_text(profile.pem(authority))
    for purpose in ("sslserver", "sslclient"):
        command = ["openssl", "verify", "-x509_strict", "-purpose", purpose, "-verify_ip", ADDRESS]
        at = ["-attime", str(int(NOW)), "-CAfile", "ca.pem", "leaf.pem"]
        said = subprocess.run([*command, *at], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert said.stdout.strip() == "leaf.pem: OK", said.stderr
    assert bench.noted() == [("intended", ""), ("outcome", "done")]


def test_the_profile_is_what_it_should_be(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "chain.pem").write_bytes(bench.ask(request()))
    command = ["openssl", "crl2pkcs7", "-nocrl", "-certfile", "chain.pem"]
    packed = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout
    text = subprocess.run(
        ["openssl", "pkcs7", "-print_certs", "-text", "-noout"], input=packed, capture_output=True, check=True
    ).stdout.decode()
    leaf, authority = text.split("Certificate:")[1:3]
    assert "NIST CURVE: P-256" in leaf
    assert "ecdsa-with-SHA256" in leaf
    assert "CA:FALSE" in leaf
    assert "TLS Web Server Authentication, TLS Web Client Authentication" in leaf
    assert f"IP Address:{ADDRESS}" in leaf
    assert "CA:TRUE, pathlen:0" in authority
    assert "Certificate Sign, CRL Sign" in authority
    assert "DNS:claims.vagus.internal" in authority
    assert "IP:10.0.0.0/255.0.0.0" in authority
    assert "critical" in authority


def test_the_same_request_twice_is_one_certificate(bench: Bench) -> None:
    asked = request()
    first = bench.ask(asked)
    assert bench.ask(asked) == first
    assert bench.keys.signed == bench.signed_before + 1
    assert len(bench.table.read(issued_partition(CLUSTER))) == 1


def test_a_key_is_certified_once(bench: Bench) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    bench.ask(request(key=key))
    answer = bench.ask(request(key=key))
    assert answer.startswith(REFUSED + b"the request's key has a certificate already")


def test_a_refusal_is_answered_and_recorded(bench: Bench) -> None:
    answer = bench.ask(request(subject("admin")))
    assert answer.startswith(REFUSED)
    assert b"CN=admin,O=vagus" in answer
    assert bench.noted() == [("outcome", "denied")]
    assert bench.keys.signed == bench.signed_before


def test_before_there_is_an_authority_the_request_comes_again(bench: Bench) -> None:
    bench.table = FakeTable()
    bench.issuer = msgspec.structs.replace(bench.issuer, table=bench.table)
    with pytest.raises(NoAuthorityYet):
        bench.ask(request())
    assert bench.noted() == []


def test_a_key_that_is_not_the_authoritys_signs_nothing(bench: Bench) -> None:
    """An alias that was moved, or a cluster that was made anew: nobody would trust what it signs."""
    bench.issuer = msgspec.structs.replace(bench.issuer, keys=FakeAuthorityKeys(CLUSTER))
    with pytest.raises(Refused, match="claims/authority-a is now the alias of"):
        bench.ask(request())
    assert bench.table.read(issued_partition(CLUSTER)) == {}


def test_a_request_that_is_gone_is_nothing(bench: Bench) -> None:
    assert bench.issuer.take(ORDER, spec()).endswith("is gone")


@pytest.mark.parametrize("key", ["requests/x.csr", "certificates/AROA:i-01234567.pem", f"requests/a/{SESSION}.csr"])
def test_another_place_is_malformed(bench: Bench, key: str) -> None:
    with pytest.raises(Malformed, match="a request lies at"):
        bench.issuer.take(msgspec.structs.replace(ORDER, key=key), spec())


def test_an_authority_that_has_ended_signs_nothing(bench: Bench) -> None:
    later = datetime.fromtimestamp(NOW, UTC) + timedelta(days=profile.AUTHORITY_DAYS)
    bench.issuer = msgspec.structs.replace(bench.issuer, clock=later.timestamp)
    with pytest.raises(NoAuthorityYet):
        bench.ask(request())
    assert bench.keys.signed == bench.signed_before


def test_a_row_that_can_not_be_read_says_where_it_lies(bench: Bench) -> None:
    bench.table.write(rows.partition(CLUSTER), Put(key="trust", data={"signs": "the first"}, expected=1))
    with pytest.raises(Malformed, match="trust"):
        bench.ask(request())


class Died(Exception):
    """The function ended here."""


class Mortal:
    """Passes calls on until `left` have been made; the next one dies, before or after it was carried out."""

    def __init__(self, left: int, *, after: bool) -> None:
        self.left, self.after = left, after

    def of[T](self, part: T, *methods: str) -> T:
        for name in methods:
            setattr(part, name, self._mortal(getattr(part, name)))
        return part

    def _mortal[**P, R](self, call: Callable[P, R]) -> Callable[P, R]:
        def called(*said: P.args, **named: P.kwargs) -> R:
            self.left -= 1
            if self.left == -1 and not self.after:
                raise Died
            answer = call(*said, **named)
            if self.left == -1:
                raise Died
            return answer

        return called


def everything_of(bench: Bench, mortal: Mortal) -> None:
    """Every call to the outside goes through it."""
    mortal.of(bench.keys, "public", "sign")
    mortal.of(bench.requests, "read", "answer")
    mortal.of(bench.askers, "of")
    mortal.of(bench.table, "read", "write")
    mortal.of(bench.records, "write")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("calls", range(CALLS))
def test_who_dies_at_any_call_is_made_good_by_the_next(calls: int, after: bool) -> None:
    bench = Bench()
    everything_of(bench, Mortal(calls, after=after))
    asked = request()
    with pytest.raises(Died):
        bench.ask(asked)
    leaf = x509.load_pem_x509_certificates(bench.ask(asked))[0]
    (row,) = bench.table.read(issued_partition(CLUSTER)).values()
    assert row.data["serial"] == profile.serial(leaf)
    assert bench.keys.signed <= bench.signed_before + 2
    assert ("intended", "") in bench.noted(), "no certificate without a record"


def test_a_request_takes_so_many_calls() -> None:
    bench, counted = Bench(), Mortal(1_000, after=False)
    everything_of(bench, counted)
    bench.ask(request())
    assert counted.left == 1_000 - CALLS


def test_two_copies_at_once_end_in_one_certificate(bench: Bench) -> None:
    asked, sign = request(), bench.keys.sign

    def late(cluster: str, slot: Slot, digest: bytes) -> bytes:
        bench.keys.sign = sign  # type: ignore[method-assign]
        bench.ask(asked)
        return sign(cluster, slot, digest)

    bench.keys.sign = late  # type: ignore[method-assign]
    with pytest.raises(Conflict):
        bench.ask(asked)
    kept = bench.requests.objects["bucket", f"certificates/{SESSION}.pem"]
    assert bench.ask(asked) == kept
    assert len(bench.table.read(issued_partition(CLUSTER))) == 1


def test_the_authoritys_key_can_not_be_read() -> None:
    key = authority_key(FakeAuthorityKeys(CLUSTER), CLUSTER, "a")
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    with pytest.raises(Refused, match="never leaves KMS"):
        key.private_bytes(encoding, form, serialization.NoEncryption())
    with pytest.raises(Refused, match="never leaves KMS"):
        key.private_numbers()


def test_the_authoritys_key_signs_sha_256_alone() -> None:
    key = authority_key(FakeAuthorityKeys(CLUSTER), CLUSTER, "a")
    with pytest.raises(Refused, match="SHA-256"):
        key.sign(b"data", ec.ECDSA(hashes.SHA1()))  # noqa: S303  (refused)
    key.public_key().verify(key.sign(b"data", ec.ECDSA(hashes.SHA256())), b"data", ec.ECDSA(hashes.SHA256()))


def _serials() -> Iterator[str]:
    return (f"{number * 2_654_435_761:x}" for number in range(1, 400))


def test_leaves_are_renewed_at_about_half_their_life_and_never_together() -> None:
    days = [renewal_at(one, 0.0, 90.0) for one in _serials()]
    assert 31.5 <= min(days) < 35
    assert 55 < max(days) <= 58.5
    assert len({round(day, 1) for day in days}) > 100
