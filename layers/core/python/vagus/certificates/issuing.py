"""The issuing function's work: a node's request in, a chain or a refusal out, with a record of either.

A request lies in the cluster's bucket under the id of the role session that put it: the nodes' role may write there
under its own alone, and of an instance's session that id ends with the instance's. Of a cluster on Kubernetes its agent
puts it, with what the API server there says of the pod (`vagus.site`). The same request gets the same certificate,
however often it comes; a key is certified once.
"""

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from vagus import site
from vagus.certificates import pods, private_ca, profile
from vagus.certificates.requests import RequestRefused, Sound, checked
from vagus.certificates.signing import authority_key
from vagus.errors import Malformed, Refused, Transient
from vagus.fleet import ClusterSpec
from vagus.instances import Asker
from vagus.ports import Askers, AuthorityKeys, PrivateAuthorities, Put, Requests, Signers, Table
from vagus.procedure import rows
from vagus.procedure.records import Book, Record
from vagus.trust import Authority, Trust, issued_partition

KEY = re.compile(r"requests/(?P<session>[A-Za-z0-9_]+:(?P<instance>i-[0-9a-f]{8,17}))\.csr")
SITE_KEY = re.compile(rf"{site.REQUESTS}(?P<id>[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}})\.json")
"""The id is that of the object of Kubernetes in which the pod asks."""
KEPT_DAYS = 90
"""How long the row of a certificate stays after its end."""
REFUSED = b"refused: "
"""How an answer begins that is no chain."""


class NoAuthorityYet(Transient):
    """The cluster's authority is still to be made, or has ended: the request comes again."""


class Order(msgspec.Struct, frozen=True):
    """What the rule of a cluster's bucket calls the function with."""

    cluster: str
    bucket: str
    key: str


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `issued#<cluster>`, under the digest of its key. `request`: the request's SHA-256. `instance`: whose
    it is, an instance's id or a pod's name; empty for one that a person asked for."""

    request: str
    instance: str
    common: str
    serial: str
    signed_by: int
    begins: float
    ends: float
    certificate: str


class Issuer(msgspec.Struct, frozen=True, kw_only=True):
    """All that the issuing function has."""

    keys: Signers
    requests: Requests
    askers: Askers
    table: Table
    book: Book
    clock: Callable[[], float]

    def take(self, order: Order, spec: ClusterSpec) -> str:
        """Answer one request; what was done, for the log. Raises `NoAuthorityYet`; `Malformed` for a key, or what lies
        there, of another shape."""
        who, answer = _place(order.key, spec)
        found = self.requests.read(order.bucket, order.key)
        if found is None:
            return f"{order.key} is gone"
        asked = None if who else site.read(found, site.Asked, order.key)
        subject, pem = (asked.pod, asked.request.encode()) if asked else (who, found)
        try:
            chain, said = self._signed(pem, subject, asked, spec)
        except RequestRefused as refusal:
            self._note_refusal(spec, subject, str(refusal))
            chain, said = REFUSED + f"{refusal}\n".encode(), f"refused: {refusal}"
        self.requests.answer(order.bucket, answer, chain)
        return said

    def _signed(self, pem: bytes, instance: str, asked: site.Asked | None, spec: ClusterSpec) -> tuple[bytes, str]:
        trust = rows.read(self.table, spec.name).trust
        if trust.signer is None or trust.signer.ends <= self.clock():
            raise NoAuthorityYet(f"{spec.name} has no authority that may sign now")
        sound = checked(pem, instance, spec.name, spec.cell, self._asker(instance, asked, spec))
        request = hashlib.sha256(pem).hexdigest()
        issued = before(self.table, spec.name, sound, request) or self._issue(sound, request, instance, spec, trust)
        return chain(issued.certificate, trust).encode(), f"{issued.common} has serial {issued.serial}"

    def _asker(self, instance: str, asked: site.Asked | None, spec: ClusterSpec) -> Asker | None:
        return pods.asker(asked, spec) if asked else self.askers.of(instance)

    def _issue(self, sound: Sound, request: str, instance: str, spec: ClusterSpec, trust: Trust) -> Issued:
        sentence = f"issue a certificate for {sound.common} ({', '.join(sound.names)}), by authority {trust.signs}"
        with self.book.writing(_record(spec, instance, sentence)):
            leaf = certified(self.keys, spec.name, trust, "node", sound, now=self.clock(), days=spec.certificates.days)
            return keep(self.table, spec.name, leaf, sound, request, instance=instance, signed_by=trust.signs)

    def _note_refusal(self, spec: ClusterSpec, instance: str, why: str) -> None:
        refused = _record(spec, instance, f"refuse {instance} a certificate: {why}")
        self.book.note(msgspec.structs.replace(refused, phase="outcome", result="denied"))


def _place(key: str, spec: ClusterSpec) -> tuple[str, str]:
    """The instance that asks ("": a pod, which the request names), and where its answer goes. Raises `Malformed`."""
    if spec.placement == "kubernetes":
        if (found := SITE_KEY.fullmatch(key)) is None:
            raise Malformed(f"{key}: a request of a pod lies at {site.request_key('<uid>')}, and {spec.name} has pods")
        return "", site.answer_key(found["id"])
    if (found := KEY.fullmatch(key)) is None:
        raise Malformed(f"{key}: a request lies at requests/<role id>:<instance id>.csr")
    return found["instance"], f"certificates/{found['session']}.pem"


def before(table: Table, cluster: str, sound: Sound, request: str) -> Issued | None:
    """What the same request got before. Raises `RequestRefused` for a key that has a certificate of another request."""
    row = table.read(issued_partition(cluster), sound.key_digest).get(sound.key_digest)
    if row is None:
        return None
    issued = msgspec.convert(row.data, Issued)
    if issued.request != request:
        raise RequestRefused(
            f"the request's key has a certificate already (serial {issued.serial}): make a new key for each request"
        )
    return issued


def certified(
    keys: Signers, cluster: str, trust: Trust, kind: profile.Kind, sound: Sound, *, now: float, days: float
) -> x509.Certificate:
    """The leaf of a sound request. `now`: epoch seconds."""
    public = serialization.load_der_public_key(sound.key)
    if trust.signer is None or not isinstance(public, ec.EllipticCurvePublicKey):
        raise RequestRefused("nobody signs")
    if isinstance(keys, PrivateAuthorities):
        return private_ca.leaf(keys, cluster, trust.signer, kind, sound.pem, sound.names, now=now, days=days)
    return signed_leaf(keys, cluster, trust.signer, kind, sound.common, public, sound.names, now=now, days=days)


def keep(
    table: Table, cluster: str, leaf: x509.Certificate, sound: Sound, request: str, *, instance: str, signed_by: int
) -> Issued:
    """Its row: a key is certified once, and two at the same time are a conflict."""
    issued = Issued(
        request=request,
        instance=instance,
        common=sound.common,
        serial=profile.serial(leaf),
        signed_by=signed_by,
        begins=leaf.not_valid_before_utc.timestamp(),
        ends=leaf.not_valid_after_utc.timestamp(),
        certificate=profile.pem(leaf),
    )
    expires = int(issued.ends) + KEPT_DAYS * 86_400
    row = Put(key=sound.key_digest, data=msgspec.to_builtins(issued), expected=0, expires=expires)
    table.write(issued_partition(cluster), row)
    return issued


def signed_leaf(
    keys: AuthorityKeys,
    cluster: str,
    signer: Authority,
    kind: profile.Kind,
    common: str,
    public: ec.EllipticCurvePublicKey,
    names: tuple[str, ...] = (),
    *,
    now: float,
    days: float,
) -> x509.Certificate:
    """A leaf of a cluster, for so many days. `now`: epoch seconds. Raises `Refused` where the key in KMS is not the one
    that the authority's certificate is of: what it signed would be trusted by nobody."""
    issuer = x509.load_pem_x509_certificate(signer.certificate.encode())
    key, life = authority_key(keys, cluster, signer.slot), timedelta(days=days)
    if key.public_key() != issuer.public_key():
        raise Refused(
            f"{signer.subject} was not made with the key that {cluster}/authority-{signer.slot} is now the alias of in "
            "KMS, and nobody would trust what that signs: point the alias back at the key that it was made with"
        )
    return profile.leaf(kind, common, public, names, issuer, key, datetime.fromtimestamp(now, UTC), life)


def chain(certificate: str, trust: Trust) -> str:
    """What a node gets: its leaf, then all that it trusts, the signer first."""
    return certificate + trust.bundle


def new_authority(keys: Signers, cluster: str, trust: Trust, unforeseen: str, now: float) -> Authority:
    """The authority of the next generation, with the key that is not in use. Nothing trusts it yet."""
    if isinstance(keys, PrivateAuthorities):
        return private_ca.adopted(keys, cluster, trust)
    slot, generation = trust.free_slot, trust.newest + 1
    key = authority_key(keys, cluster, slot)
    made = profile.authority(cluster, generation, unforeseen, key, datetime.fromtimestamp(now, UTC))
    return Authority(
        generation=generation,
        slot=slot,
        name=profile.name_digest(made.subject),
        subject=made.subject.rfc4514_string(),
        certificate=profile.pem(made),
        begins=made.not_valid_before_utc.timestamp(),
        ends=made.not_valid_after_utc.timestamp(),
    )


def _record(spec: ClusterSpec, instance: str, sentence: str) -> Record:
    return Record(
        id="",
        phase="intended",
        at="",
        cluster=spec.name,
        capability="certificates",
        execution="",
        step="IssueCertificate",
        subject=instance,
        sentence=sentence,
    )
