"""An API server in memory, beneath the same adapter: what it refuses, and who it says asked, is held against a real one
by the contract tests (`tests/long/test_kubernetes_agent.py` runs them there).

Rights are Role rules as they stand in a manifest: a call that no rule allows is denied, as RBAC does.
"""

from __future__ import annotations

import base64
import copy
import itertools
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from vagus_agent.kube import JSON, REQUESTS, Kube, decoded
from vagus_agent.model import POD_NAME, POD_UID

CSR = "certificatesigningrequests"
PATHS = (
    re.compile(r"/apis/(?P<group>[a-z0-9.]+)/v1/(?P<resource>[a-z]+)(/(?P<name>[^/]+)(/(?P<part>[a-z]+))?)?"),
    re.compile(r"/api/v1/namespaces/(?P<namespace>[^/]+)/(?P<resource>[a-z]+)(/(?P<name>[^/]+))?"),
)
VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class Right(msgspec.Struct, frozen=True, order=True):
    """One right. `namespace` is empty for all of the cluster, `name` for any name. `resource` with its part, as RBAC
    writes it: certificatesigningrequests/approval."""

    verb: str
    resource: str
    name: str = ""
    namespace: str = ""

    def allows(self, asked: Right) -> bool:
        """Whether this one is enough for what is asked."""
        return (
            (self.verb, self.resource) == (asked.verb, asked.resource)
            and self.name in ("", asked.name)
            and self.namespace in ("", asked.namespace)
        )


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who calls, as a token says: the user, and the pod that the token is bound to. No rights: all of them."""

    user: str
    pod: str = ""
    uid: str = ""
    rights: tuple[Right, ...] | None = None


class FakeApiServer:
    """Pods, ConfigMaps and certificate requests. `used`: every right that a call took, by user."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.used: dict[str, set[Right]] = {}
        self._versions = itertools.count(1)
        self.now = "2026-01-01T00:00:00Z"

    def as_caller(self, caller: Caller) -> FakeTransport:
        """A way to it for one caller."""
        return FakeTransport(self, caller)

    def kube(self, caller: Caller, namespace: str, cluster: str) -> Kube:
        """The adapter, for one caller."""
        return Kube(self.as_caller(caller), namespace, cluster)

    # -- what a test, as kubelet and as people, puts there -----------------------------------------------------------

    def start_pod(
        self, namespace: str, name: str, account: str, *addresses: str, labels: Mapping[str, str] | None = None
    ) -> str:
        """A pod that runs; one of its name is replaced. Its uid."""
        uid = str(uuid.uuid4())
        told = {
            "metadata": {"name": name, "namespace": namespace, "uid": uid, "labels": dict(labels or {})},
            "spec": {"serviceAccountName": account},
            "status": {"phase": "Running" if addresses else "Pending", "podIPs": [{"ip": one} for one in addresses]},
        }
        self.objects["pods", namespace, name] = self._stamped(told)
        return uid

    def change_pod(self, namespace: str, name: str, part: str, **fields: object) -> None:
        """Some fields of its metadata, spec or status."""
        told = self.objects["pods", namespace, name]
        told[part].update(fields)
        self._stamped(told)

    def end_pod(self, namespace: str, name: str) -> None:
        """It is gone."""
        del self.objects["pods", namespace, name]

    def make_map(self, namespace: str, name: str) -> None:
        """An empty ConfigMap, as the manifests have it."""
        told = {"metadata": {"name": name, "namespace": namespace, "uid": str(uuid.uuid4())}}
        self.objects["configmaps", namespace, name] = self._stamped(told)

    def approve_by_hand(self, name: str) -> None:
        """What `kubectl certificate approve` does."""
        told = self.objects[CSR, "", name]
        told["status"] = {"conditions": [{"type": "Approved", "status": "True"}]}
        self._stamped(told)

    def sweep_requests(self) -> None:
        """What the controller manager does with old ones."""
        for key in [key for key in self.objects if key[0] == CSR]:
            del self.objects[key]

    # -- the calls ---------------------------------------------------------------------------------------------------

    def answer(
        self, caller: Caller, method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any] | None
    ) -> Mapping[str, Any]:
        """One call."""
        resource, namespace, name, part = _found(path)
        verb = _verb(method, name, query)
        named = name or _one_name(query)
        self._allowed(caller, Right(verb, f"{resource}/{part}" if part else resource, named, namespace), path)
        match verb:
            case "list":
                items = [one for one in self._of(resource, namespace) if _selected(one, query)]
                return {"metadata": {"resourceVersion": str(next(self._versions))}, "items": items}
            case "get":
                return copy.deepcopy(self._one(resource, namespace, name, path))
            case "create":
                return self._create(caller, dict(body or {}))
            case "patch":
                return self._merge(self._one(resource, namespace, name, path), body or {})
            case _:
                return self._update(caller, self._one(resource, namespace, name, path), part, body or {}, path)

    def watched(self, caller: Caller, path: str, query: Mapping[str, str]) -> list[Mapping[str, Any]]:
        """What a watch tells at once: objects that are newer than the version that it is opened with."""
        resource, namespace, _, _ = _found(path)
        self._allowed(caller, Right("watch", resource, _one_name(query), namespace), path)
        since = int(query.get("resourceVersion") or 0)
        newer = [one for one in self._of(resource, namespace) if int(one["metadata"]["resourceVersion"]) > since]
        return [{"type": "MODIFIED", "object": one} for one in newer if _selected(one, query)]

    def _allowed(self, caller: Caller, asked: Right, path: str) -> None:
        self.used.setdefault(caller.user, set()).add(asked)
        if caller.rights is not None and not any(one.allows(asked) for one in caller.rights):
            message = f'{asked.resource} is forbidden: User "{caller.user}" cannot {asked.verb} resource'
            decoded(403, _status(message), path)

    def _of(self, resource: str, namespace: str) -> list[dict[str, Any]]:
        return [copy.deepcopy(one) for key, one in sorted(self.objects.items()) if key[:2] == (resource, namespace)]

    def _one(self, resource: str, namespace: str, name: str, path: str) -> dict[str, Any]:
        found = self.objects.get((resource, namespace, name))
        if found is None:
            decoded(404, _status(f'{resource} "{name}" not found'), path)
            raise AssertionError("a 404 raises")
        return found

    def _create(self, caller: Caller, body: dict[str, Any]) -> Mapping[str, Any]:
        """A certificate request. Who asks is what the token says, whatever stands in the body."""
        told = copy.deepcopy(body)
        name = told["metadata"]["name"]
        if (CSR, "", name) in self.objects:
            decoded(409, _status(f'{CSR} "{name}" already exists'), REQUESTS)
        if not base64.b64decode(told["spec"]["request"]).startswith(b"-----BEGIN CERTIFICATE REQUEST-----"):
            decoded(422, _status("spec.request: Invalid value: PEM block type must be CERTIFICATE REQUEST"), REQUESTS)
        extra = {POD_NAME: [caller.pod], POD_UID: [caller.uid]} if caller.pod else {}
        told["spec"].update(username=caller.user, extra=extra)
        told["metadata"].update(uid=str(uuid.uuid4()), creationTimestamp=self.now)
        told["status"] = {}
        self.objects[CSR, "", name] = self._stamped(told)
        return copy.deepcopy(told)

    def _merge(self, told: dict[str, Any], body: Mapping[str, Any]) -> Mapping[str, Any]:
        """A merge patch (RFC 7396) of data. One that changes nothing leaves the version."""
        data = {**(told.get("data") or {}), **body.get("data", {})}
        if data != told.get("data"):
            told["data"] = data
            self._stamped(told)
        return copy.deepcopy(told)

    def _update(
        self, caller: Caller, told: dict[str, Any], part: str, body: Mapping[str, Any], path: str
    ) -> Mapping[str, Any]:
        if body["metadata"].get("resourceVersion") not in (None, "", told["metadata"]["resourceVersion"]):
            decoded(409, _status("the object has been modified; please apply your changes to the latest version"), path)
        verb = "approve" if part == "approval" else "sign"
        self._allowed(caller, Right(verb, "signers", told["spec"]["signerName"]), path)
        was, wanted = told["status"], body["status"]
        held = {one["type"] for one in was.get("conditions", ())}
        asked = {one["type"] for one in wanted.get("conditions", ())}
        if not held <= asked or {"Approved", "Denied"} <= asked:
            decoded(422, _status("status.conditions: Approved and Denied exclude one another, and stay"), path)
        if part == "approval":
            told["status"] = {**was, "conditions": wanted["conditions"]}
        else:
            self._give(was, wanted, path)
            told["status"] = copy.deepcopy(dict(wanted))
        return copy.deepcopy(self._stamped(told))

    @staticmethod
    def _give(was: Mapping[str, Any], wanted: Mapping[str, Any], path: str) -> None:
        given = wanted.get("certificate", "")
        if was.get("certificate", given) != given:
            decoded(422, _status("status.certificate: it may not be changed once it is set"), path)
        text = base64.b64decode(given)
        if given and not text.startswith(b"-----BEGIN CERTIFICATE-----"):
            decoded(422, _status("status.certificate: Invalid value: must contain a CERTIFICATE block"), path)

    def _stamped(self, told: dict[str, Any]) -> dict[str, Any]:
        told["metadata"]["resourceVersion"] = str(next(self._versions))
        return told


class FakeTransport:
    """`kube.Transport` to a fake API server."""

    def __init__(self, server: FakeApiServer, caller: Caller) -> None:
        self._server, self._caller = server, caller

    def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        kind: str = JSON,
    ) -> Mapping[str, Any]:
        """One call."""
        del kind
        return self._server.answer(self._caller, method, path, query or {}, body)

    def changes(self, path: str, query: Mapping[str, str], seconds: float) -> Iterator[Mapping[str, Any]]:
        """What there is to tell; it waits for nothing."""
        del seconds
        yield from self._server.watched(self._caller, path, query)


def _found(path: str) -> tuple[str, str, str, str]:
    for pattern in PATHS:
        if match := pattern.fullmatch(path):
            held = match.groupdict()
            return held["resource"], held.get("namespace") or "", held["name"] or "", held.get("part") or ""
    decoded(404, _status("the server could not find the requested resource"), path)
    raise AssertionError("a 404 raises")


def _verb(method: str, name: str, query: Mapping[str, str]) -> str:
    if method == "GET":
        return "get" if name else "watch" if query.get("watch") else "list"
    return VERBS[method]


def _one_name(query: Mapping[str, str]) -> str:
    """A list or watch of one name alone is of that name to RBAC."""
    field, _, value = query.get("fieldSelector", "").partition("=")
    return value if field == "metadata.name" else ""


def _selected(told: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    labels = told["metadata"].get("labels", {})
    wanted: Sequence[str] = [one for one in query.get("labelSelector", "").split(",") if one]
    if any(labels.get(key) != value for key, _, value in (one.partition("=") for one in wanted)):
        return False
    field, _, value = query.get("fieldSelector", "").partition("=")
    fields = {"": "", "metadata.name": told["metadata"]["name"], "spec.signerName": _signer(told)}
    return bool(fields[field] == value)


def _signer(told: Mapping[str, Any]) -> str:
    return str(told.get("spec", {}).get("signerName", ""))


def _status(message: str) -> bytes:
    return msgspec.json.encode({"kind": "Status", "status": "Failure", "message": message})
