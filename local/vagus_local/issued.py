"""Certificates of the people of a local cluster whose certificates Vagus issues, as `vagus certify` makes them."""

from __future__ import annotations

import secrets
import time
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from vagus.aws.certificates import KmsAuthorityKeys
from vagus.aws.clients import Clients
from vagus.aws.tables import DynamoTable
from vagus.certificates import profile
from vagus.certificates.by_request import Kind, Wanted, issue
from vagus.procedure import rows
from vagus.procedure.records import Book, Record
from vagus_cdk import names
from vagus_local.certificates import private, replace

if TYPE_CHECKING:
    from vagus.fleet import ClusterSpec
    from vagus_local.stack import Stack

PEOPLE: dict[str, Kind] = {"admin": "admin", "client": "client"}
"""The cluster's owner, and the application of demo and tests, which the fleet file has to declare."""


def published(stack: Stack, cluster: str) -> bool:
    """Whether the cluster has an authority that its nodes are told of."""
    return bool(rows.read(_of(stack, "state"), cluster).trust.published)


def give(stack: Stack, spec: ClusterSpec) -> None:
    """Owner and application get a new key, a certificate for it, and the bundle, as files."""
    for name, kind in PEOPLE.items():
        if kind == "admin" or name in spec.certificates.clients:
            _give(stack, spec, name, kind)
    replace(stack.authority_of(spec.name).ca, rows.read(_of(stack, "state"), spec.name).trust.bundle)


def _give(stack: Stack, spec: ClusterSpec, name: str, kind: Kind) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(profile.subject(name)).sign(key, hashes.SHA256())
    wanted = Wanted(kind=kind, common=name, request=request.public_bytes(serialization.Encoding.PEM))
    book = Book(table=_of(stack, "records"), clock=time.time, new_id=lambda: secrets.token_hex(8))

    def recorded(sentence: str) -> AbstractContextManager[object]:
        return book.writing(
            Record(
                id="", phase="intended", at="", cluster=spec.name, capability="certificates", execution="",
                step="Certify", subject=spec.name, sentence=f"the local stack {sentence}",
            )
        )  # fmt: skip

    keys = KmsAuthorityKeys(Clients(stack.session), stack.cell)
    issued = issue(keys, _of(stack, "state"), spec, wanted, recorded, time.time())
    pair = stack.authority_of(spec.name).client(name)
    replace(pair.key, private(key))
    replace(pair.certificate, issued.certificate)


def _of(stack: Stack, table: str) -> DynamoTable:
    return DynamoTable(Clients(stack.session), names.of_cell(stack.cell, table))
