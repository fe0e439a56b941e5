"""The Kubernetes API server, by its REST API: what the agent and the pods have of it, call by call.

Plain urllib3 with the files that kubelet mounts: the client package would be 40 MB more of memory for eight calls. Each
method names its verb and resource, and the Roles in `agent/kubernetes` list exactly those (held by a test).
"""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from vagus.errors import Conflict, Denied, Malformed, Refused, Throttled, Unreachable
from vagus_agent.model import USAGES, Pod, Published, Request, published_in, signer

REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
MOUNTED = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where kubelet puts a pod's token, its namespace and the API server's authority."""
CONNECT_SECONDS, READ_SECONDS = 5.0, 15.0
JSON, MERGE = "application/json", "application/merge-patch+json"
PAGE = 500


class Transport(Protocol):
    """One call to the API server, as one caller."""

    def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        kind: str = JSON,
    ) -> Mapping[str, Any]:
        """The object that it answers with. Raises `Missing` and the errors of `vagus.errors`."""
        ...

    def changes(self, path: str, query: Mapping[str, str], seconds: float) -> Iterator[Mapping[str, Any]]:
        """What a watch tells, for so long at most."""
        ...


class Missing(Refused):
    """There is no such object."""


class Kube:
    """One search cluster's part of the API server."""

    def __init__(self, transport: Transport, namespace: str, cluster: str) -> None:
        self._transport, self._cluster = transport, cluster
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self._maps = f"/api/v1/namespaces/{namespace}/configmaps"
        self._published = f"{self._maps}/{published_in(cluster)}"

    # -- the agent ---------------------------------------------------------------------------------------------------

    def requests(self) -> tuple[Request, ...]:
        """Those of this cluster's signer, oldest first (list certificatesigningrequests)."""
        wanted = signer(self._cluster)
        found = self._all(REQUESTS, {"fieldSelector": f"spec.signerName={wanted}"})
        asked = [one for one in map(Request.of, found) if one.signer == wanted]
        return tuple(sorted(asked, key=lambda one: (one.created, one.name)))

    def pod(self, name: str) -> Pod | None:
        """By its name (get pods)."""
        try:
            return Pod.of(self._transport.call("GET", f"{self._pods}/{name}"))
        except Missing:
            return None

    def pods(self, labels: str) -> tuple[Pod, ...]:
        """By a label selector (list pods)."""
        return tuple(Pod.of(one) for one in self._all(self._pods, {"labelSelector": labels}))

    def publish(self, what: Published) -> None:
        """Change the ConfigMap (patch configmaps). It lies there already: nobody has a right to make one."""
        try:
            self._transport.call("PATCH", self._published, body={"data": what.data}, kind=MERGE)
        except Missing as error:
            raise Refused(f"{error}: apply agent/kubernetes/agent.yaml again, it is made there") from error

    def certify(self, asked: Request, chain: str) -> None:
        """Approve a request and give its certificate (update certificatesigningrequests/approval and /status, approve
        and sign signers). Died in between, the second is done alone."""
        if asked.state == "pending":
            asked = self._conditioned(asked, "approval", "Approved", "vagus: a certificate was issued")
        status = {"conditions": list(asked.conditions), "certificate": base64.b64encode(chain.encode()).decode()}
        self._put(asked, "status", status)

    def refuse(self, asked: Request, why: str) -> None:
        """Deny a request (update certificatesigningrequests/approval, approve signers). One that somebody approved by
        hand can't be denied any more: it fails (update certificatesigningrequests/status, sign signers)."""
        if asked.state == "approved":
            self._conditioned(asked, "status", "Failed", why)
        else:
            self._conditioned(asked, "approval", "Denied", why)

    # -- both --------------------------------------------------------------------------------------------------------

    def published(self) -> Published | None:
        """The ConfigMap (get configmaps)."""
        try:
            return Published.of(self._transport.call("GET", self._published))
        except Missing:
            return None

    # -- a pod -------------------------------------------------------------------------------------------------------

    def ask(self, name: str, request: str) -> Request:
        """Ask for a certificate (create certificatesigningrequests); one of this name that lies there is what it was
        asked before."""
        spec = {
            "request": base64.b64encode(request.encode()).decode(),
            "signerName": signer(self._cluster),
            "usages": list(USAGES),
        }
        body = {
            "apiVersion": "certificates.k8s.io/v1",
            "kind": "CertificateSigningRequest",
            "metadata": {"name": name},
            "spec": spec,
        }
        try:
            return Request.of(self._transport.call("POST", REQUESTS, body=body))
        except Conflict:
            found = self.request(name)
            if found is None:  # swept away in this very moment
                raise
            return found

    def request(self, name: str) -> Request | None:
        """By its name (get certificatesigningrequests)."""
        try:
            return Request.of(self._transport.call("GET", f"{REQUESTS}/{name}"))
        except Missing:
            return None

    def await_change(self, version: str, seconds: float) -> None:
        """Until the ConfigMap is another than that version, or so long (watch configmaps, this one by its name). One
        that ends early is opened anew by the next call."""
        query = {
            "watch": "true",
            "fieldSelector": f"metadata.name={published_in(self._cluster)}",
            "timeoutSeconds": f"{max(1, round(seconds))}",
        }
        if version:
            query["resourceVersion"] = version
        for change in self._transport.changes(self._maps, query, seconds):
            told = change.get("object", {}).get("metadata", {})
            if change.get("type") == "ERROR" or told.get("resourceVersion") != version:
                return  # an error is mostly that the version is too old: look anew

    # -- by which ----------------------------------------------------------------------------------------------------

    def _all(self, path: str, query: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
        wanted = {**query, "limit": str(PAGE)}
        while True:
            page = self._transport.call("GET", path, query=wanted)
            yield from page.get("items", ())
            if not (more := page.get("metadata", {}).get("continue")):
                return
            wanted["continue"] = more

    def _conditioned(self, asked: Request, part: str, kind: str, why: str) -> Request:
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        condition = {"type": kind, "status": "True", "reason": "Vagus", "message": why[:1000], "lastUpdateTime": at}
        status: dict[str, Any] = {"conditions": [*asked.conditions, condition]}
        return self._put(asked, part, status)

    def _put(self, asked: Request, part: str, status: Mapping[str, Any]) -> Request:
        """Of such an update the API server takes the status alone. It must find the version that was looked at."""
        body = {
            "apiVersion": "certificates.k8s.io/v1",
            "kind": "CertificateSigningRequest",
            "metadata": {"name": asked.name, "uid": asked.uid, "resourceVersion": asked.version},
            "spec": {
                "request": base64.b64encode(asked.request.encode()).decode(),
                "signerName": asked.signer,
                "usages": list(asked.usages),
            },
            "status": status,
        }
        return Request.of(self._transport.call("PUT", f"{REQUESTS}/{asked.name}/{part}", body=body))


class Https:
    """The API server over HTTPS. The token is read at each call, for kubelet renews it."""

    def __init__(self, server: str, mounted: Path = MOUNTED) -> None:
        import urllib3

        self._server, self._token = server.rstrip("/"), mounted / "token"
        self._pool = urllib3.PoolManager(ssl_context=_context(mounted / "ca.crt"), maxsize=2)

    def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        kind: str = JSON,
    ) -> Mapping[str, Any]:
        """One call. Nothing is tried again here: the loops look anew."""
        with _reached(path):
            answer = self._pool.request(
                method,
                self._server + path,
                fields=dict(query) if query else None,
                body=None if body is None else json.dumps(body).encode(),
                headers={**self._headers(), "Content-Type": kind},
                timeout=_timeout(READ_SECONDS),
                retries=False,
            )
            told = answer.data
        return decoded(answer.status, told, f"{method} {path}")

    def changes(self, path: str, query: Mapping[str, str], seconds: float) -> Iterator[Mapping[str, Any]]:
        """A watch: a line of JSON for each change."""
        import urllib3

        with _reached(path):
            answer = self._pool.request(
                "GET",
                self._server + path,
                fields=dict(query),
                headers=self._headers(),
                timeout=_timeout(seconds + READ_SECONDS),
                retries=False,
                preload_content=False,
            )
            try:
                if answer.status != 200:
                    decoded(answer.status, answer.read(), f"WATCH {path}")
                rest = b""
                for part in answer.stream(4096):
                    *lines, rest = (rest + part).split(b"\n")
                    yield from (json.loads(line) for line in lines if line)
            except urllib3.exceptions.ProtocolError:
                return  # cut off: whoever watches opens it anew
            finally:
                answer.close()

    def _headers(self) -> dict[str, str]:
        try:
            token = self._token.read_text().strip()
        except OSError as error:
            raise Denied("token", f"{self._token}: {error.strerror}; is automountServiceAccountToken off?") from error
        return {"Authorization": f"Bearer {token}", "Accept": JSON}


def decoded(status: int, told: bytes, what: str) -> Mapping[str, Any]:
    """The object in an answer, or the error that it is in our tree."""
    try:
        said: Any = json.loads(told or b"{}")
    except ValueError:
        said = {}
    if status < 300:
        return said if isinstance(said, dict) else {}
    message = str(said.get("message", "")) if isinstance(said, dict) else ""
    message = f"{message or told[:200].decode(errors='replace')} ({status})"
    match status:
        case 401 | 403:
            raise Denied(what, message)
        case 404:
            raise Missing(f"{what}: {message}")
        case 409:
            raise Conflict(f"{what}: {message}")
        case 429:
            raise Throttled(f"{what}: {message}")
        case _ if status >= 500:
            raise Unreachable(f"{what}: {message}")
        case _:
            raise Refused(f"{what}: {message}")


@contextmanager
def _reached(path: str) -> Iterator[None]:
    import urllib3

    try:
        yield
    except urllib3.exceptions.HTTPError as error:
        raise Unreachable(f"the API server, {path}: {error}") from error


def _context(authority: Path) -> ssl.SSLContext:
    """Verified against the cluster's own authority. Python 3.13 is stricter than RFC 5280's verifiers have to be: it
    refuses leaves without an authority key identifier, and many clusters' authorities sign such."""
    try:
        context = ssl.create_default_context(cafile=str(authority))
    except OSError as error:  # of TLS too
        raise Malformed(f"{authority}: {error}; is automountServiceAccountToken off?") from error
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _timeout(seconds: float) -> Any:
    import urllib3

    return urllib3.Timeout(connect=CONNECT_SECONDS, read=seconds)
