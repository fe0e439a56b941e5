"""A private CA as the authority: what it signs is what was asked for, or is not handed on."""

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from tests.unit.certificates.parts import ADDRESS, CLUSTER, INSTANCE, NAME, NOW, alternative, request, spec, subject
from tests.unit.certificates.test_issuing import Bench

from vagus.aws.fake_private_ca import FakePrivateAuthorities, Root
from vagus.certificates import private_ca
from vagus.certificates.clients import new_client
from vagus.certificates.decide import decide
from vagus.certificates.issuing import REFUSED, new_authority
from vagus.certificates.observed import Observed
from vagus.errors import Refused
from vagus.ports import Use
from vagus.procedure import rows
from vagus.reasons import Reason
from vagus.trust import ClientIssued, Slot, Trust

ARN = "arn:aws:acm-pca:eu-west-1:111122223333:certificate-authority/12345678-1234-1234-1234-123456789012"
KEYS: dict[str, Callable[[], ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey]] = {
    "EC": lambda: ec.generate_private_key(ec.SECP256R1()),
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
}


def root(common: str = "ward root", kind: str = "EC") -> Root:
    return Root(common, KEYS[kind](), NOW)


def trusted(authorities: FakePrivateAuthorities) -> Trust:
    """The row of a cluster that has adopted its first private CA."""
    return Trust(authorities=(new_authority(authorities, CLUSTER, Trust(), "", NOW),), signs=1, published=(1,))


def bench(authorities: FakePrivateAuthorities, trust: Trust) -> Bench:
    made = Bench()
    made.issuer = msgspec.structs.replace(made.issuer, keys=authorities)
    found = rows.read(made.table, CLUSTER)
    made.table.write(rows.partition(CLUSTER), found.put("trust", trust))
    return made


@pytest.mark.parametrize("kind", KEYS)
def test_a_node_gets_a_chain_that_openssl_verifies(kind: str, tmp_path: Path) -> None:
    authorities = FakePrivateAuthorities(CLUSTER, root(kind=kind))
    asking = bench(authorities, trusted(authorities))
    asked = request()
    chain = asking.ask(asked)
    leaf, authority = x509.load_pem_x509_certificates(chain)
    assert authority == authorities.roots[0].certificate
    ends = leaf.not_valid_after_utc - datetime.fromtimestamp(NOW, UTC)
    assert ends == timedelta(days=spec().certificates.days)
    (tmp_path / "leaf.pem").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "ca.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    for purpose in ("sslserver", "sslclient"):
        command = ["openssl", "verify", "-purpose", purpose, "-verify_ip", ADDRESS, "-attime", str(int(NOW))]
        said = subprocess.run(
            [*command, "-CAfile", "ca.pem", "leaf.pem"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert said.stdout.strip() == "leaf.pem: OK", said.stderr
    assert asking.ask(asked) == chain
    assert authorities.issued == 1
    assert asking.noted() == [("intended", ""), ("outcome", "done")]


def test_what_may_not_be_had_never_reaches_the_private_ca() -> None:
    authorities = FakePrivateAuthorities(CLUSTER, root())
    asking = bench(authorities, trusted(authorities))
    assert asking.ask(request(subject("admin"))).startswith(REFUSED)
    assert authorities.issued == 0


def test_functions_get_certificates_that_only_call() -> None:
    authorities = FakePrivateAuthorities(CLUSTER, root())
    pair = new_client(authorities, CLUSTER, trusted(authorities), "vagus-read", now=NOW, days=90)
    made = x509.load_pem_x509_certificate(pair.certificate.encode())
    assert made.subject.rfc4514_string() == "CN=vagus-read,O=vagus"
    uses = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(uses) == [x509.ExtendedKeyUsageOID.CLIENT_AUTH]
    key = serialization.load_pem_private_key(pair.key.encode(), None)
    assert key.public_key() == made.public_key()


def test_a_gateway_gets_a_certificate_that_only_serves_under_its_names() -> None:
    authorities, name = FakePrivateAuthorities(CLUSTER, root()), f"search.{CLUSTER}.vagus.internal"
    trust = trusted(authorities)
    pair = new_client(authorities, CLUSTER, trust, name, now=NOW, days=90, kind="gateway", names=(name,))
    made = x509.load_pem_x509_certificate(pair.certificate.encode())
    uses = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(uses) == [x509.ExtendedKeyUsageOID.SERVER_AUTH]
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [name]


def test_a_leaf_never_outlives_its_authority() -> None:
    authorities = FakePrivateAuthorities(CLUSTER, root())
    late = NOW + 3640 * 86_400
    pair = new_client(authorities, CLUSTER, trusted(authorities), "vagus-read", now=late, days=90)
    assert pair.ends == authorities.roots[0].certificate.not_valid_after_utc.timestamp()


class Twisted(FakePrivateAuthorities):
    """Its leaf is of another request, or by another root, than it was asked for."""

    def __init__(
        self,
        own: Root,
        asked: bytes | None = None,
        by: Root | None = None,
        use: Use | None = None,
        later: float = 0.0,
        itself: bool = False,
    ) -> None:
        super().__init__(CLUSTER, own)
        self.asked, self.by, self.use, self.later, self.itself = asked, by or own, use, later, itself

    def issue(self, cluster: str, slot: Slot, request: bytes, use: Use, algorithm: str, ends: float) -> bytes:
        del cluster, slot, algorithm
        if self.itself:
            return self.roots[0].certificate.public_bytes(serialization.Encoding.PEM)
        asked = x509.load_pem_x509_csr(self.asked or request)
        made = self.by.leaf(asked, self.use or use, ends + self.later)
        return made.public_bytes(serialization.Encoding.PEM)


OWN, KEY = root(), ec.generate_private_key(ec.SECP256R1())
ASKED = request(key=KEY)
TWISTED: dict[str, tuple[Twisted, str]] = {
    "signed by another root": (Twisted(OWN, by=root("another")), "it is not signed by CN=ward root"),
    "by another root of that name": (Twisted(OWN, by=root()), "it is not signed by CN=ward root"),
    "another key": (Twisted(OWN, asked=request()), "its key is another"),
    "another subject": (Twisted(OWN, asked=request(subject("admin"), key=KEY)), "its subject is CN=admin"),
    "another address": (
        Twisted(OWN, asked=request(names=alternative(NAME, "10.42.1.8"), key=KEY)),
        "its names differ by 10.42.1.7, 10.42.1.8",
    ),
    "only to call": (Twisted(OWN, use="client"), "its uses are not those of a node"),
    "for longer": (Twisted(OWN, later=3600), "it ends"),
    "itself": (Twisted(OWN, itself=True), "its key is another"),
}


@pytest.mark.parametrize(("authorities", "why"), TWISTED.values(), ids=TWISTED.keys())
def test_an_answer_that_is_not_what_was_asked_for_is_not_handed_on(authorities: Twisted, why: str) -> None:
    asking = bench(authorities, trusted(authorities))
    with pytest.raises(Refused, match=why):
        asking.ask(ASKED)
    assert asking.noted()[-1][1] != "done"
    assert ("bucket", f"certificates/AROAEXAMPLE:{INSTANCE}.pem") not in asking.requests.objects


def test_names_that_were_not_allowed_are_not_handed_on() -> None:
    authorities = FakePrivateAuthorities(CLUSTER, OWN)
    signer = trusted(authorities).authorities[0]
    with pytest.raises(Refused, match=f"its names differ by {NAME}"):
        private_ca.leaf(authorities, CLUSTER, signer, "node", ASKED, (ADDRESS,), now=NOW, days=90)


# -- the authority -----------------------------------------------------------------------------------------------------


def test_the_second_private_ca_replaces_the_first() -> None:
    authorities = FakePrivateAuthorities(CLUSTER, root("first"), root("second"))
    trust = trusted(authorities)
    after = new_authority(authorities, CLUSTER, trust, "", NOW)
    assert (trust.authorities[0].subject, trust.authorities[0].slot) == ("CN=first", "a")
    assert (after.subject, after.slot, after.generation) == ("CN=second", "b", 2)


def _subordinate() -> Root:
    made, above = root("below"), root("above")
    made.certificate = (
        x509.CertificateBuilder()
        .subject_name(made.certificate.subject)
        .issuer_name(above.certificate.subject)
        .public_key(made.key.public_key())
        .serial_number(1)
        .not_valid_before(made.certificate.not_valid_before_utc)
        .not_valid_after(made.certificate.not_valid_after_utc)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(above.key, above.certificate.signature_hash_algorithm)  # type: ignore[arg-type]  # SHA-256
    )
    return made


NOT_ADOPTED: dict[str, tuple[tuple[Root, ...], str]] = {
    "there is no second": ((root("first"),), "declares no private CA for slot b"),
    "it is named as the first": ((root("first"), root("first")), "nodes could not tell them apart"),
    "it is no root": ((root("first"), _subordinate()), "it has to be a root CA"),
}


@pytest.mark.parametrize(("roots", "why"), NOT_ADOPTED.values(), ids=NOT_ADOPTED.keys())
def test_what_can_be_no_next_authority(roots: tuple[Root, ...], why: str) -> None:
    authorities = FakePrivateAuthorities(CLUSTER, *roots)
    trust = trusted(authorities)
    with pytest.raises(Refused, match=why):
        new_authority(authorities, CLUSTER, trust, "", NOW)


def test_it_is_replaced_when_a_person_asks_and_not_at_half_of_its_life() -> None:
    authorities = FakePrivateAuthorities(CLUSTER, root("first"), root("second"))
    trust, late = trusted(authorities), NOW + 2500 * 86_400
    fresh = ClientIssued(signed_by=1, bundle=(1,), serial="0", begins=late, ends=late + 90 * 86_400)
    trust = msgspec.structs.replace(trust, clients={"read": fresh, "write": fresh})
    asked = msgspec.structs.replace(trust, wanted=2)
    by_kms, private = spec(), spec(issuer="private_ca", private_cas=[ARN])
    plans = [decide(Observed(trust=one, formed=True), at, late).reason for one, at in
             ((trust, by_kms), (trust, private), (asked, private))]  # fmt: skip
    assert plans == [Reason.ROTATING, Reason.CERTIFIED, Reason.ROTATING]
