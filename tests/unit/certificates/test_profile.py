"""The profile, judged by OpenSSL: each kind for its use, within its cluster's names, under its own authority."""

import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from tests.unit.certificates.parts import ADDRESS, CLUSTER, NAME, NOW, trusted

from vagus.aws.fake_certificates import FakeAuthorityKeys
from vagus.certificates import profile
from vagus.certificates.issuing import new_authority, signed_leaf
from vagus.trust import Authority, Trust

KINDS: tuple[profile.Kind, ...] = get_args(profile.Kind)


def verified(folder: Path, leaf: x509.Certificate, bundle: str, *more: str, at: float = NOW) -> str:
    """What `openssl verify` says: "" where it is content."""
    (folder / "leaf.pem").write_text(profile.pem(leaf))
    (folder / "ca.pem").write_text(bundle)
    command = ["openssl", "verify", "-x509_strict", *more, "-attime", str(int(at)), "-CAfile", "ca.pem", "leaf.pem"]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return "" if said.stdout.strip() == "leaf.pem: OK" else said.stdout + said.stderr


def made(
    keys: FakeAuthorityKeys,
    signer: Authority | None,
    *names: str,
    kind: profile.Kind = "node",
    days: float = 90,
    now: float = NOW,
) -> x509.Certificate:
    """A leaf of the cluster, with a key of its own."""
    assert signer is not None
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    return signed_leaf(keys, CLUSTER, signer, kind, "some-one", public, names, now=now, days=days)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_for_its_own_use(kind: profile.Kind, tmp_path: Path) -> None:
    keys = FakeAuthorityKeys(CLUSTER)
    trust = trusted(keys)
    leaf = made(keys, trust.signer, NAME, ADDRESS, kind=kind)
    calls = verified(tmp_path, leaf, trust.bundle, "-purpose", "sslclient") == ""
    serves = verified(tmp_path, leaf, trust.bundle, "-purpose", "sslserver") == ""
    assert (calls, serves) == (kind != "gateway", kind in ("node", "gateway"))


@pytest.mark.parametrize("kind", KINDS)
def test_openssl_reads_of_each_kind_what_the_profile_says(kind: profile.Kind) -> None:
    keys = FakeAuthorityKeys(CLUSTER)
    names = {"node": (NAME, ADDRESS), "gateway": (f"search.{CLUSTER}.vagus.internal",)}.get(kind, ())
    leaf = made(keys, trusted(keys).signer, *names, kind=kind)
    command = ["openssl", "x509", "-text", "-noout"]
    said = subprocess.run(command, input=profile.pem(leaf), capture_output=True, text=True, check=True).stdout
    text = " ".join(said.split())
    assert "Version: 3 (0x2)" in text
    assert "Signature Algorithm: ecdsa-with-SHA256" in text
    assert "NIST CURVE: P-256" in text
    assert "X509v3 Basic Constraints: critical CA:FALSE" in text
    assert "X509v3 Key Usage: critical Digital Signature X509v3" in text, "and no other usage"
    uses = text.partition("Extended Key Usage: ")[2].partition(" X509v3")[0]
    calls, serves = "TLS Web Client Authentication", "TLS Web Server Authentication"
    assert uses == {"node": f"{serves}, {calls}", "gateway": serves}.get(kind, calls)
    assert ("Subject Alternative Name" in text) == bool(names)
    assert {"X509v3 Subject Key Identifier", "X509v3 Authority Key Identifier"} <= set(
        re.findall(r"X509v3 \w+ Key Identifier", text)
    )


@pytest.mark.parametrize("name", ["example.org", "i-1.patients.vagus.internal", "203.0.113.7", "2001:db8::1"])
def test_a_name_of_elsewhere_is_worth_nothing_even_if_it_was_signed(name: str, tmp_path: Path) -> None:
    keys = FakeAuthorityKeys(CLUSTER)
    trust = trusted(keys)
    assert "permitted subtree violation" in verified(tmp_path, made(keys, trust.signer, name), trust.bundle)


@pytest.mark.parametrize("name", [NAME, ADDRESS, "192.168.3.4", "fd00::7"])
def test_a_name_of_the_clusters_is_in_order(name: str, tmp_path: Path) -> None:
    keys = FakeAuthorityKeys(CLUSTER)
    trust = trusted(keys)
    assert verified(tmp_path, made(keys, trust.signer, name), trust.bundle) == ""


def test_what_an_earlier_authority_signed_chains_to_no_later_one_with_the_same_key(tmp_path: Path) -> None:
    """ADR 29: two keys, taken in turns."""
    keys = FakeAuthorityKeys(CLUSTER)
    first = new_authority(keys, CLUSTER, Trust(), "aaaa", NOW)
    second = new_authority(keys, CLUSTER, Trust(authorities=(first,), signs=1), "bbbb", NOW)
    third = new_authority(keys, CLUSTER, Trust(authorities=(second,), signs=2), "cccc", NOW)
    assert (first.slot, second.slot, third.slot) == ("a", "b", "a")
    assert (first.generation, second.generation, third.generation) == (1, 2, 3)
    leaf = made(keys, first, NAME)
    assert verified(tmp_path, leaf, first.certificate) == ""
    assert verified(tmp_path, leaf, second.certificate + first.certificate) == ""
    assert verified(tmp_path, leaf, second.certificate) != ""
    assert verified(tmp_path, leaf, third.certificate) != ""


def test_a_leaf_signs_no_other(tmp_path: Path) -> None:
    keys = FakeAuthorityKeys(CLUSTER)
    trust = trusted(keys)
    own = ec.generate_private_key(ec.SECP256R1())
    assert trust.signer is not None
    between = signed_leaf(keys, CLUSTER, trust.signer, "node", "x", own.public_key(), (NAME,), now=NOW, days=90)
    now = datetime.fromtimestamp(NOW, UTC)
    forged = profile.leaf("node", "y", own.public_key(), (NAME,), between, own, now, timedelta(days=1))
    (tmp_path / "between.pem").write_text(profile.pem(between))
    assert "invalid CA certificate" in verified(tmp_path, forged, trust.bundle, "-untrusted", "between.pem")


def test_a_leaf_lasts_as_long_as_it_was_asked_to_and_never_longer_than_its_authority(tmp_path: Path) -> None:
    keys = FakeAuthorityKeys(CLUSTER)
    trust = trusted(keys)
    assert trust.signer is not None
    leaf = made(keys, trust.signer, NAME, days=90)
    assert leaf.not_valid_after_utc.timestamp() == NOW + 90 * 86_400
    assert verified(tmp_path, leaf, trust.bundle, at=NOW + 91 * 86_400) != ""
    late = made(keys, trust.signer, NAME, days=90, now=trust.signer.ends - 86_400)
    assert late.not_valid_after_utc.timestamp() == trust.signer.ends


def test_every_serial_and_every_authority_is_another() -> None:
    keys = FakeAuthorityKeys(CLUSTER)
    trust = trusted(keys)
    leaves = [made(keys, trust.signer, NAME) for _ in range(20)]
    assert len({one.serial_number for one in leaves}) == 20
    assert all(one.serial_number.bit_length() > 64 for one in leaves)
