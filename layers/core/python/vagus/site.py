"""What Vagus and the agent of a cluster on Kubernetes tell each other: objects in the cluster's bucket. Pure.

The agent connects out and nothing connects in, so all it needs is one bucket, through the VPN. Each side follows what
lies there and acts on differences: an object that is read twice, or late, does no harm.

The two are not of one version while one is brought up: a field that one does not know is not read, and one that is
added has a default.

    requests/site/<id>.json         agent   a pod's request, and who the cluster's API server says that the pod is
    certificates/site/<id>.pem      Vagus   the answer: a chain, or a refusal, as nodes on EC2 get it
    site/ca.pem                     Vagus   the published bundle of authorities
    site/commands.json              Vagus   what pods are told, the last of each kind
    site/report.json                agent   what handshakes with every pod showed
"""

import hashlib
import re
from collections.abc import Mapping
from itertools import permutations

import msgspec

from vagus.errors import Malformed
from vagus.handshake import Handshake

BUNDLE, COMMANDS, REPORT = "site/ca.pem", "site/commands.json", "site/report.json"
REQUESTS, ANSWERS = "requests/site/", "certificates/site/"
SILENT_SECONDS = 180.0
"""An agent reports once a minute at least: who has told nothing for so long is silent."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One pod's request (PEM). All else is what the API server says of the pod, nothing what the pod says of itself:
    `account` is its service account, `uid` the pod's."""

    pod: str
    uid: str
    namespace: str
    account: str
    addresses: tuple[str, ...]
    request: str


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One pod, told one thing (`install-trust`, `renew-certificate`). A pod does a step once. `sent`: epoch seconds."""

    pod: str
    document: str
    step: str
    sent: float


class Commands(msgspec.Struct, frozen=True, kw_only=True):
    """The last of each kind for each pod, in the order in which they were sent."""

    told: tuple[Told, ...] = ()

    def having(self, one: Told) -> "Commands":
        """With one more, in place of the one of its kind."""
        others = [each for each in self.told if (each.pod, each.document) != (one.pod, one.document)]
        return Commands(told=(*others, one))

    def of(self, pod: str) -> tuple[Told, ...]:
        """What this pod was told, in order."""
        return tuple(one for one in self.told if one.pod == pod)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What the agent saw. `at`: epoch seconds, of the agent's clock. `bundle`: the digest of the bundle that it holds,
    against which its handshakes were verified. `handshakes`: one for each port of each pod that is there, if it can
    be called or not; declared pods that are not there are added by Vagus. `said`: the last words of pods that got no
    certificate."""

    at: float
    bundle: str
    handshakes: tuple[Handshake, ...] = ()
    said: Mapping[str, str] = {}


def digest(bundle: str) -> str:
    """How a bundle in PEM is called in a report: SHA-256 in hex."""
    return hashlib.sha256(bundle.encode()).hexdigest()


_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", re.DOTALL)
ORDERED_AT_MOST = 4
"""Certificates of a bundle whose every order is tried: there are two while an authority is replaced."""


def digests(bundle: str) -> frozenset[str]:
    """How a bundle may be called, whichever order its certificates stand in: who signs stands first, and that changes
    without anything being published."""
    found = _CERTIFICATE.findall(bundle)
    orders = permutations(found) if len(found) <= ORDERED_AT_MOST else ()
    return frozenset({digest(bundle), *(digest("".join(one)) for one in orders)})


def request_key(request_id: str) -> str:
    """Where a request lies."""
    return f"{REQUESTS}{request_id}.json"


def answer_key(request_id: str) -> str:
    """Where its answer lies."""
    return f"{ANSWERS}{request_id}.pem"


def read[T](text: bytes, wanted: type[T], where: str) -> T:
    """One of these objects. Raises `Malformed`, which names the object and the field."""
    try:
        return msgspec.json.decode(text, type=wanted)
    except msgspec.MsgspecError as error:
        raise Malformed(f"{where}: {error}; was it written by another version?") from error


def written(what: Asked | Commands | Report) -> bytes:
    """Its text."""
    return msgspec.json.encode(what)
