"""What the issuing function does for a node's request, the calls of AWS apart, against signing a leaf alone."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from benchmarks.figure import Figure, against
from vagus.aws.fake import FakeTable
from vagus.aws.fake_certificates import FakeAskers, FakeAuthorityKeys, FakeRequests
from vagus.certificates import profile
from vagus.certificates.issuing import Issuer, Order, new_authority
from vagus.fleet import ClusterSpec, Engine, NodeGroup
from vagus.instances import Asker
from vagus.policy import Certificates
from vagus.procedure import rows
from vagus.procedure.records import Book
from vagus.trust import Trust

CLUSTER, CELL, ADDRESS = "claims", "bench", "10.42.1.7"
REQUESTS = 300
BAR = 8.0
"""Parsing, checking, four writes of rows and records beside the signature: tenths of a millisecond each."""


def figures() -> list[Figure]:
    """Seconds per certificate, and so many in a second for who reads the table."""
    instances = [f"i-{number:017x}" for number in range(REQUESTS)]
    keys, table = FakeAuthorityKeys(CLUSTER), FakeTable()
    made = new_authority(keys, CLUSTER, Trust(), "0123456789abcdef", time.time())
    row = rows.read(table, CLUSTER).put("trust", Trust(authorities=(made,), signs=1, published=(1,)))
    table.write(rows.partition(CLUSTER), row)
    requests, askers = FakeRequests(), FakeAskers()
    for instance in instances:
        requests.objects["bucket", f"requests/AROA:{instance}.csr"] = _request(instance)
        askers.known[instance] = Asker(
            instance=instance, state="running", addresses=(ADDRESS,), cell=CELL, cluster=CLUSTER
        )
    numbers = iter(range(10 * REQUESTS))
    book = Book(table=FakeTable(), clock=time.time, new_id=lambda: f"{next(numbers):08d}")
    issuer = Issuer(keys=keys, requests=requests, askers=askers, table=table, book=book, clock=time.time)
    ours = _issued(issuer, instances)
    bare = _signed(x509.load_pem_x509_certificate(made.certificate.encode()), instances)
    name = f"a certificate issued ({1 / ours:.0f} a second), against a leaf signed ({1 / bare:.0f})"
    return [against(name, ours, bare, "s", BAR)]


def _issued(issuer: Issuer, instances: Sequence[str]) -> float:
    spec = ClusterSpec(
        name=CLUSTER,
        cell=CELL,
        engine=Engine(version="3.4.0"),
        zones=("eu-west-1a",),
        groups={"core": NodeGroup(roles=("cluster_manager", "data"), per_zone=1)},
        certificates=Certificates(issuer="kms"),
    )
    began = time.perf_counter()
    for instance in instances:
        issuer.take(Order(cluster=CLUSTER, bucket="bucket", key=f"requests/AROA:{instance}.csr"), spec)
    return (time.perf_counter() - began) / len(instances)


def _signed(authority: x509.Certificate, instances: Sequence[str]) -> float:
    key, public = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1()).public_key()
    began = time.perf_counter()
    for instance in instances:
        names = (profile.node_name(instance, CLUSTER), ADDRESS)
        profile.leaf("node", f"node-{instance}", public, names, authority, key, datetime.now(UTC), timedelta(days=90))
    return (time.perf_counter() - began) / len(instances)


def _request(instance: str) -> bytes:
    names = [x509.DNSName(profile.node_name(instance, CLUSTER)), x509.IPAddress(ip_address(ADDRESS))]
    asked = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(profile.subject(f"node-{instance}"))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    )
    return asked.public_bytes(serialization.Encoding.PEM)
