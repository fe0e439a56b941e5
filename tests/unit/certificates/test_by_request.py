"""Certificates that a person issues to a client's request: who may have what, once for a key, on record."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from tests.unit.certificates.parts import CLUSTER, NAME, NOW, alternative, request, spec, subject, trusted
from tests.unit.certificates.test_profile import verified

from vagus.aws.fake import FakeTable
from vagus.aws.fake_certificates import FakeAuthorityKeys
from vagus.certificates.by_request import Kind, Wanted, issue
from vagus.certificates.issuing import Issued
from vagus.certificates.requests import RequestRefused
from vagus.errors import Refused
from vagus.ports import Put
from vagus.procedure import rows
from vagus.trust import Trust, issued_partition

SPEC = spec(clients=["billing", "dashboards"])
DAY = 86_400.0


class Desk:
    """Where a person issues: `said` are the sentences of records, in order."""

    def __init__(self, *, authority: bool = True) -> None:
        self.keys, self.table, self.said = FakeAuthorityKeys(CLUSTER), FakeTable(), list[str]()
        self.trust = trusted(self.keys) if authority else Trust()
        row = Put(key="trust", data=msgspec.to_builtins(self.trust), expected=0)
        self.table.write(rows.partition(CLUSTER), row)

    def issue(
        self, pem: bytes, common: str = "billing", kind: Kind = "client", days: float | None = None, now: float = NOW
    ) -> Issued:
        wanted = Wanted(kind=kind, common=common, request=pem, days=days)
        return issue(self.keys, self.table, SPEC, wanted, self._recorded, now)

    @contextmanager
    def _recorded(self, sentence: str) -> Iterator[None]:
        assert len(self.table.read(issued_partition(CLUSTER))) == len(self.said), "recorded before it is issued"
        self.said.append(sentence)
        yield


def asked(common: str = "billing", **more: object) -> bytes:
    return request(subject(common), names=(), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "common", "days"), [("client", "billing", 90), ("dashboards", "dashboards", 90), ("admin", "admin", 1)]
)
def test_each_kind_is_issued_for_calls_alone_and_openssl_agrees(
    kind: Kind, common: str, days: int, tmp_path: Path
) -> None:
    desk = Desk()
    issued = desk.issue(asked(common), common, kind)
    leaf = x509.load_pem_x509_certificate(issued.certificate.encode())
    assert leaf.subject == subject(common)
    assert leaf.not_valid_after_utc == datetime.fromtimestamp(NOW + days * DAY, UTC)
    assert verified(tmp_path, leaf, desk.trust.bundle, "-purpose", "sslclient") == ""
    assert verified(tmp_path, leaf, desk.trust.bundle, "-purpose", "sslserver") != ""
    digest = next(iter(desk.table.read(issued_partition(CLUSTER))))
    assert desk.said == [f"issues {common} a certificate ({kind}, {days} days), by authority 1, for the key {digest}"]


REFUSALS: dict[str, tuple[Callable[[], bytes], str, Kind, float | None, str]] = {
    "a client that nobody declared": (lambda: asked("app"), "app", "client", None, "declares no client app"),
    "a node's name": (lambda: asked("node-i-1"), "node-i-1", "client", None, "a name of the cluster's own"),
    "a function's name": (lambda: asked("vagus-write"), "vagus-write", "agent", None, "a name of the cluster's own"),
    "the administrator as a client": (lambda: asked("admin"), "admin", "client", None, "a name of the cluster's own"),
    "an administrator of another name": (lambda: asked(), "billing", "admin", None, "knows one administrator"),
    "an administrator for a month": (lambda: asked("admin"), "admin", "admin", 30, "lasts 1 days at most"),
    "longer than the cluster's own": (asked, "billing", "client", 91, "lasts 90 days at most"),
    "no time at all": (asked, "billing", "client", 0.0, "an hour at least"),
    "a second of it": (asked, "billing", "client", 1e-5, "an hour at least"),
    "a request for somebody else": (lambda: asked("dashboards"), "billing", "client", None, "is for CN=dashboards"),
    "a request with a server's names": (
        lambda: request(subject("billing"), names=alternative(NAME)),
        "billing",
        "client",
        None,
        "has no such names",
    ),
    "an authority": (
        lambda: asked(more=[x509.BasicConstraints(ca=True, path_length=None)]),
        "billing",
        "client",
        None,
        "only leaves are signed",
    ),
    "a key of another kind": (
        lambda: asked(key=rsa.generate_private_key(65537, 2048)),
        "billing",
        "client",
        None,
        "only EC P-256",
    ),
    "no request": (lambda: b"hello", "billing", "client", None, "no certificate request in PEM"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refused(case: str) -> None:
    make, common, kind, days, why = REFUSALS[case]
    desk = Desk()
    signed = desk.keys.signed
    with pytest.raises(RequestRefused, match=why):
        desk.issue(make(), common, kind, days)
    assert (desk.keys.signed, desk.said, desk.table.read(issued_partition(CLUSTER))) == (signed, [], {})


def test_the_same_request_is_one_certificate_and_a_key_is_certified_once() -> None:
    desk, key = Desk(), ec.generate_private_key(ec.SECP256R1())
    pem = asked(key=key)
    assert desk.issue(pem) == desk.issue(pem)
    assert len(desk.said) == 1
    with pytest.raises(RequestRefused, match="has a certificate already"):
        desk.issue(asked(key=key))


def test_a_request_of_last_time_gets_nothing_that_is_worth_nothing() -> None:
    desk, pem = Desk(), asked()
    issued = desk.issue(pem)
    with pytest.raises(RequestRefused, match="has ended: make a new key"):
        desk.issue(pem, now=issued.ends)
    second = msgspec.structs.replace(desk.trust.authorities[0], generation=2)
    trust = msgspec.structs.replace(desk.trust, authorities=(second,), signs=2)
    row = Put(key="trust", data=msgspec.to_builtins(trust), expected=1)
    desk.table.write(rows.partition(CLUSTER), row)
    with pytest.raises(RequestRefused, match="is authority 1's, and 2 signs now: make a new key"):
        desk.issue(pem)


def test_where_nobody_signs() -> None:
    with pytest.raises(Refused, match="no authority that may sign now"):
        Desk(authority=False).issue(asked())
    desk = Desk()
    with pytest.raises(Refused, match="no authority that may sign now"):
        desk.issue(asked(), now=desk.trust.authorities[0].ends + 1)
