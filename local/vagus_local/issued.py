"""Who certifies the clusters of the local stack: their owners, or Vagus. Of clusters that Vagus issues for, people are
certified as `vagus certify` does it."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from vagus.aws.certificates import KmsAuthorityKeys
from vagus.aws.clients import Clients
from vagus.certificates import profile
from vagus.certificates.by_request import Kind, Wanted, issue
from vagus.procedure import rows
from vagus.procedure.records import Book, Record
from vagus_local.certificates import create_authority, private, replace
from vagus_local.waiting import until

if TYPE_CHECKING:
    from vagus.fleet import ClusterSpec
    from vagus_local.stack import Stack

PEOPLE: dict[str, Kind] = {"admin": "admin", "client": "client"}
"""The cluster's owner, and the application of demo and tests, which the fleet file has to declare."""


def hand_over(stack: Stack) -> None:
    """Owners make their certificates, and put those of functions where they look; of certified clusters Vagus does."""
    secrets_manager = stack.client("secretsmanager")
    for cluster in sorted(set(stack.clusters) - set(stack.certified)):
        owner = create_authority(stack.authority_of(cluster).folder)
        for role, client in (("read", owner.read), ("write", owner.write)):
            pair = {"certificate": client.certificate.read_text(), "key": client.key.read_text()}
            secret = json.dumps({**pair, "ca": owner.ca.read_text()})
            secrets_manager.put_secret_value(SecretId=f"vagus/{cluster}/{role}", SecretString=secret)


def certify_people(stack: Stack, say: Callable[[str], None]) -> None:
    """Await the authorities that the first sweep has Vagus make, and certify the clusters' people by them."""
    for cluster in stack.certified:
        say(f"{cluster}: Vagus makes its authority")
        until(lambda cluster=cluster: _published(stack, cluster), 180, f"{cluster} has an authority")  # type: ignore[misc]
        give(stack, cluster)


def give(stack: Stack, cluster: str) -> None:
    """Owner and application get a new key, a certificate for it, and the bundle, as files."""
    from vagus_cli.fleet_files import load  # the command line imports the stack: not at the top

    spec = load(Path(stack.fleet))[cluster]
    for name, kind in PEOPLE.items():
        if kind == "admin" or name in spec.certificates.clients:
            _give(stack, spec, name, kind)
    replace(stack.authority_of(spec.name).ca, rows.read(stack.table("state"), spec.name).trust.bundle)


def _published(stack: Stack, cluster: str) -> bool:
    """Whether the cluster has an authority that its nodes are told of."""
    return bool(rows.read(stack.table("state"), cluster).trust.published)


def _give(stack: Stack, spec: ClusterSpec, name: str, kind: Kind) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(profile.subject(name)).sign(key, hashes.SHA256())
    wanted = Wanted(kind=kind, common=name, request=request.public_bytes(serialization.Encoding.PEM))
    book = Book(table=stack.table("records"), clock=time.time, new_id=lambda: secrets.token_hex(8))

    def recorded(sentence: str) -> AbstractContextManager[object]:
        return book.writing(
            Record(
                id="", phase="intended", at="", cluster=spec.name, capability="certificates", execution="",
                step="Certify", subject=spec.name, sentence=f"the local stack {sentence}",
            )
        )  # fmt: skip

    keys = KmsAuthorityKeys(Clients(stack.session), stack.cell)
    issued = issue(keys, stack.table("state"), spec, wanted, recorded, time.time())
    pair = stack.authority_of(spec.name).client(name)
    replace(pair.key, private(key))
    replace(pair.certificate, issued.certificate)
