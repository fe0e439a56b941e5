"""What the owner of a cluster with `certificates.issuer: own` brings: an authority of its own, and certificates of it.

They are made by the profile of Vagus's own (`vagus.certificates.profile`), nodes' requests are held to the same checks,
and the authority may sign for its one cluster's names alone. Its key lies in its folder, for each node has its request
signed by a process of its own; no node's key ever enters it.
"""

from __future__ import annotations

import os
import secrets
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from vagus.certificates import profile, requests
from vagus.certificates.requests import RequestRefused
from vagus.instances import Asker

CLIENTS: dict[str, profile.Kind] = {
    "admin": "admin",
    "vagus-read": "client",
    "vagus-write": "client",
    "client": "client",
}
LIFE = timedelta(days=30)


@dataclass(frozen=True)
class ClientCertificate:
    """Paths of a client's certificate and key."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Authority:
    """A cluster's authority: a folder that is named as the cluster, with ca.pem and one pair per client; and ca.key,
    where its owner signs."""

    folder: Path

    @property
    def ca(self) -> Path:
        """What clients trust."""
        return self.folder / "ca.pem"

    @property
    def cluster(self) -> str:
        """Whose nodes it signs for."""
        return self.folder.name

    def client(self, name: str) -> ClientCertificate:
        """admin (people and the stack only), vagus-read, vagus-write or client (the demo's application)."""
        return ClientCertificate(self.folder / f"{name}.pem", self.folder / f"{name}.key")

    @property
    def admin(self) -> ClientCertificate:
        """Reads and writes everything: never given to a function."""
        return self.client("admin")

    @property
    def read(self) -> ClientCertificate:
        """What functions that decide hold."""
        return self.client("vagus-read")

    @property
    def write(self) -> ClientCertificate:
        """What functions that apply hold."""
        return self.client("vagus-write")

    @property
    def application(self) -> ClientCertificate:
        """The demo's writer and searcher."""
        return self.client("client")

    def sign_request(self, pem: bytes, instance: str, address: str) -> str:
        """The chain (leaf, then authority) for a node's request in PEM. Raises RequestRefused."""
        asker = Asker(instance=instance, state="running", addresses=(address,), cell="", cluster=self.cluster)
        sound = requests.checked(pem, instance, self.cluster, "", asker)
        public, key = serialization.load_der_public_key(sound.key), self._key()
        if not isinstance(public, ec.EllipticCurvePublicKey):
            raise RequestRefused("the request's key is not on P-256")
        issuer = x509.load_pem_x509_certificate(self.ca.read_bytes())
        leaf = profile.leaf("node", sound.common, public, sound.names, issuer, key, datetime.now(UTC), LIFE)
        return profile.pem(leaf) + profile.pem(issuer)

    def _key(self) -> ec.EllipticCurvePrivateKey:
        key = serialization.load_pem_private_key((self.folder / "ca.key").read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{self.folder}/ca.key is not an EC key")
        return key


def create_authority(folder: Path) -> Authority:
    """The authority in `folder`, which is named as its cluster; made, with its clients' certificates, where none is."""
    made = Authority(folder)
    if made.ca.exists():
        return made
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    issuer = profile.authority(made.cluster, 1, secrets.token_hex(8), key, now)
    for name, kind in CLIENTS.items():
        own, pair = ec.generate_private_key(ec.SECP256R1()), made.client(name)
        replace(pair.key, private(own))
        replace(pair.certificate, profile.pem(profile.leaf(kind, name, own.public_key(), (), issuer, key, now, LIFE)))
    replace(folder / "ca.key", private(key))
    replace(made.ca, profile.pem(issuer))  # last: it says that all is there
    return made


def private(key: ec.EllipticCurvePrivateKey) -> str:
    """A key's text, in PKCS#8: Java reads no other."""
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def replace(path: Path, text: str) -> None:
    """A file, whole or as it was before, which only its owner reads."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_name(f".{path.name}.partial")
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
        handle.write(text)
    partial.rename(path)


def main(arguments: list[str]) -> int:
    """certificates.py FOLDER INSTANCE ADDRESS: signs the request on standard input with the authority in the folder."""
    folder, instance, address = arguments
    try:
        chain = Authority(Path(folder)).sign_request(sys.stdin.buffer.read(), instance, address)
    except (RequestRefused, OSError) as error:
        print(f"not signed: {error}", file=sys.stderr)
        return 1
    sys.stdout.write(chain)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
