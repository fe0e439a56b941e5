"""Parts that the tests of certificates share: requests of every kind, and a cluster whose nodes do as the documents."""

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from vagus.aws.fake_certificates import FakeAuthorityKeys
from vagus.certificates.issuing import new_authority
from vagus.fleet import ClusterSpec, Engine, Kubernetes, NodeGroup
from vagus.instances import Asker
from vagus.policy import Certificates
from vagus.trust import Trust

CLUSTER, CELL = "claims", "prod"
INSTANCE, ADDRESS = "i-0123456789abcdef0", "10.42.1.7"
NAME = f"{INSTANCE}.{CLUSTER}.vagus.internal"
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp()
ASKER = Asker(instance=INSTANCE, state="running", addresses=(ADDRESS,), cell=CELL, cluster=CLUSTER)

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


def subject(common: str, organization: str = "vagus") -> x509.Name:
    """`CN=<common>,O=<organization>`."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def alternative(*names: str) -> list[x509.GeneralName]:
    """DNS names and addresses."""

    def one(name: str) -> x509.GeneralName:
        try:
            return x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            return x509.DNSName(name)

    return [one(name) for name in names]


def request(
    named: x509.Name | None = None,
    names: Sequence[x509.GeneralName] | None = None,
    key: Key | None = None,
    more: Sequence[x509.ExtensionType] = (),
) -> bytes:
    """A node's request in PEM; by default what nodes/boot.sh asks for."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        subject(f"node-{INSTANCE}") if named is None else named
    )
    asked = alternative(NAME, ADDRESS) if names is None else names
    if asked:
        builder = builder.add_extension(x509.SubjectAlternativeName(asked), critical=False)
    for extension in more:
        builder = builder.add_extension(extension, critical=False)
    own = key or ec.generate_private_key(ec.SECP256R1())
    digest = None if isinstance(own, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(own, digest).public_bytes(serialization.Encoding.PEM)


def spec(per_zone: int = 1, **policy: object) -> ClusterSpec:
    """A cluster of three zones."""
    return ClusterSpec(
        name=CLUSTER,
        cell=CELL,
        engine=Engine(version="3.4.0"),
        zones=("eu-west-1a", "eu-west-1b", "eu-west-1c"),
        groups={"core": NodeGroup(roles=("cluster_manager", "data"), per_zone=per_zone)},
        certificates=msgspec.convert({"mode": "act", "issuer": "kms", **policy}, Certificates),
    )


def trusted(keys: FakeAuthorityKeys, now: float = NOW) -> Trust:
    """The row of a cluster whose first authority is made and published."""
    made = new_authority(keys, CLUSTER, Trust(), "0123456789abcdef", now)
    return Trust(authorities=(made,), signs=1, published=(1,))


POD, POD_ADDRESS = "claims-data-a-0", "10.42.1.7"
POD_NAME = f"{POD}.{CLUSTER}.vagus.internal"
KUBERNETES = Kubernetes(
    namespace="search",
    service_account="claims-nodes",
    stateful_sets={"claims-data-a": 1, "claims-data-b": 2},
    pods=("10.42.0.0/16", "fd00:10::/64"),
    trust_anchor="arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/12345678-1234-1234-1234-123456789012",
    agent="site-hospital-north",
)


def of_pods(**policy: object) -> ClusterSpec:
    """A cluster on Kubernetes, of three pods."""
    return ClusterSpec(
        name=CLUSTER,
        cell=CELL,
        engine=Engine(version="3.4.0"),
        placement="kubernetes",
        kubernetes=KUBERNETES,
        certificates=msgspec.convert({"mode": "act", "issuer": "kms", **policy}, Certificates),
    )
