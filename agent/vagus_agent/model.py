"""What the API server says of pods and of their requests. Frozen data, no I/O."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

POD_NAME = "authentication.kubernetes.io/pod-name"
POD_UID = "authentication.kubernetes.io/pod-uid"
"""What the API server adds to who asked with a token of a pod (Kubernetes, "Managing Service Accounts")."""
USAGES = ("digital signature", "server auth", "client auth")
"""A node's certificate serves and calls (`vagus.certificates.profile`)."""

State = Literal["pending", "approved", "refused", "certified"]


def signer(cluster: str) -> str:
    """The signer that the agent of a cluster answers for."""
    return f"vagus.internal/{cluster}"


def published_in(cluster: str) -> str:
    """The ConfigMap by which pods learn of authorities and of what they are told."""
    return f"{cluster}-certificates"


class Pod(msgspec.Struct, frozen=True, kw_only=True):
    """One pod. `going`: it is being deleted. `phase` as Kubernetes names it."""

    name: str
    uid: str
    account: str
    addresses: tuple[str, ...] = ()
    phase: str = ""
    going: bool = False

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Pod":
        """From the API server's object."""
        meta, status = told["metadata"], told.get("status", {})
        found = [one["ip"] for one in status.get("podIPs", [])] or [status.get("podIP", "")]
        return cls(
            name=meta["name"],
            uid=meta["uid"],
            account=told.get("spec", {}).get("serviceAccountName", ""),
            addresses=tuple(one for one in found if one),
            phase=status.get("phase", ""),
            going="deletionTimestamp" in meta,
        )


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A CertificateSigningRequest. `by`, `pod`, `pod_uid`: who asked, in the API server's words. `said`: why it was
    refused. `version`: of the object, which a write must still find. `created`: RFC 3339, which sorts as text."""

    name: str
    uid: str
    version: str
    signer: str
    by: str
    pod: str = ""
    pod_uid: str = ""
    usages: tuple[str, ...] = ()
    request: str
    state: State = "pending"
    certificate: str = ""
    said: str = ""
    created: str = ""
    conditions: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Request":
        """From the API server's object."""
        meta, spec, status = told["metadata"], told["spec"], told.get("status", {})
        extra, conditions = spec.get("extra", {}), tuple(status.get("conditions", ()))
        held = {one["type"]: one for one in conditions}
        refused = held.get("Denied") or held.get("Failed")
        certificate = _text(status.get("certificate", ""))
        return cls(
            name=meta["name"],
            uid=meta["uid"],
            version=meta.get("resourceVersion", ""),
            signer=spec["signerName"],
            by=spec.get("username", ""),
            pod="".join(extra.get(POD_NAME, [])[:1]),
            pod_uid="".join(extra.get(POD_UID, [])[:1]),
            usages=tuple(spec.get("usages", ())),
            request=_text(spec["request"]),
            state=_state(bool(refused), certificate, "Approved" in held),
            certificate=certificate,
            said=(refused or {}).get("message", "") or ("refused" if refused else ""),
            created=meta.get("creationTimestamp", ""),
            conditions=conditions,
        )

    @property
    def over(self) -> bool:
        """Whether nothing is to be done about it any more."""
        return self.state in ("refused", "certified")


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """The ConfigMap: the bundle of authorities in PEM, the commands in JSON; either empty until it is published."""

    bundle: str = ""
    commands: str = ""
    version: str = ""

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Published":
        """From the API server's object."""
        data = told.get("data") or {}
        return cls(
            bundle=data.get("ca.pem", ""),
            commands=data.get("commands.json", ""),
            version=told["metadata"].get("resourceVersion", ""),
        )

    @property
    def data(self) -> dict[str, str]:
        """As it lies in the ConfigMap."""
        return {"ca.pem": self.bundle, "commands.json": self.commands}


def _state(refused: bool, certificate: str, approved: bool) -> State:
    if refused:
        return "refused"
    if certificate:
        return "certified"
    return "approved" if approved else "pending"


def _text(encoded: str) -> str:
    """PEM, of base64. What is no text is no PEM either: it is refused by whoever reads it."""
    try:
        return base64.b64decode(encoded).decode(errors="replace")
    except binascii.Error:
        return ""
