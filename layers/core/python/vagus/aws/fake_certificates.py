"""In-memory stand-ins for what the certificates capability has of AWS. Their keys are real ones, made at first use."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from vagus.errors import Refused
from vagus.instances import Asker
from vagus.trust import Slot


class FakeAuthorityKeys:
    """EC keys by cluster and slot. `signed` counts the signatures."""

    def __init__(self, *clusters: str) -> None:
        self._clusters = clusters
        self._keys: dict[tuple[str, Slot], ec.EllipticCurvePrivateKey] = {}
        self.signed = 0

    def public(self, cluster: str, slot: Slot) -> bytes:
        """The public key in DER."""
        encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        return self._key(cluster, slot).public_key().public_bytes(encoding, form)

    def sign(self, cluster: str, slot: Slot, digest: bytes) -> bytes:
        """A signature in DER."""
        if len(digest) != hashes.SHA256.digest_size:
            raise Refused(f"kms: the digest has {len(digest)} bytes, not {hashes.SHA256.digest_size}")
        self.signed += 1
        return self._key(cluster, slot).sign(digest, ec.ECDSA(Prehashed(hashes.SHA256())))

    def _key(self, cluster: str, slot: Slot) -> ec.EllipticCurvePrivateKey:
        if cluster not in self._clusters:
            raise Refused(f"kms: {cluster} has no key")
        return self._keys.setdefault((cluster, slot), ec.generate_private_key(ec.SECP256R1()))


class FakeRequests:
    """Objects by bucket and key."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], bytes] = {}

    def read(self, bucket: str, key: str) -> bytes | None:
        """What was put, or `None`."""
        return self.objects.get((bucket, key))

    def answer(self, bucket: str, key: str, answer: bytes) -> None:
        """Put it."""
        self.objects[bucket, key] = answer


class FakeAskers:
    """Instances that a test declares."""

    def __init__(self, *askers: Asker) -> None:
        self.known = {one.instance: one for one in askers}

    def of(self, instance: str) -> Asker | None:
        """The one of this id."""
        return self.known.get(instance)


class FakeSecrets:
    """Secrets by cluster and role."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], str] = {}

    def put(self, cluster: str, role: str, value: str) -> None:
        """A new version of it."""
        self.values[cluster, role] = value
