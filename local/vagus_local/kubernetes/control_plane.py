"""One Kubernetes cluster of this machine: started, asked as anybody, ended. It listens on the loopback alone."""

from __future__ import annotations

import contextlib
import copy
import ipaddress
import json
import secrets
import socket
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from vagus.errors import Unreachable, VagusError
from vagus_agent.kube import Https, Missing
from vagus_local.emulator_process import tail
from vagus_local.kubernetes.programs import Programs
from vagus_local.waiting import TimedOut, until

HOST = "127.0.0.1"
READY_SECONDS = 180.0
APPLY = "application/apply-patch+yaml"
PATHS = {
    "Namespace": "/api/v1/namespaces",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Pod": "/api/v1/namespaces/{}/pods",
    "Service": "/api/v1/namespaces/{}/services",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "StatefulSet": "/apis/apps/v1/namespaces/{}/statefulsets",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
}


class ControlPlane:
    """etcd and an API server; with `workloads`, also what makes pods of a StatefulSet and has them run. A context."""

    def __init__(self, programs: Programs, folder: Path, *, workloads: bool = False) -> None:
        self._programs, self._folder, self._workloads = programs, folder, workloads
        self._etcd, self._peer, self._port, self._kubelet = _free_ports(4)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.server = f"https://{HOST}:{self._port}"
        self._mounts = 0

    def __enter__(self) -> Self:
        try:
            return self._start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End it; its data are thrown away, so that nothing is asked to drain."""
        for process in reversed(self._processes.values()):
            process.kill()
        for process in self._processes.values():
            process.wait()
        self._processes.clear()

    # -- what people and kubelet do ----------------------------------------------------------------------------------

    @property
    def admin(self) -> Https:
        """Who may do everything."""
        return Https(self.server, self._folder / "admin")

    def apply(self, objects: Iterable[Mapping[str, Any]]) -> None:
        """As `kubectl apply --server-side` does."""
        for one in objects:
            meta = one["metadata"]
            path = f"{PATHS[one['kind']].format(meta.get('namespace', ''))}/{meta['name']}"
            self.admin.call("PATCH", f"{path}?fieldManager=local&force=true", body=one, kind=APPLY)

    def run_pod(self, namespace: str, name: str, template: Mapping[str, Any], *addresses: str) -> str:
        """A pod of a template, which runs and has these addresses, as a kubelet would tell. Its uid."""
        path = PATHS["Pod"].format(namespace)
        pod = copy.deepcopy(dict(template))
        pod.update(apiVersion="v1", kind="Pod")
        pod["metadata"] = {**pod.get("metadata", {}), "name": name, "namespace": namespace}
        pod["spec"] = {**pod["spec"], "nodeName": "played", "terminationGracePeriodSeconds": 0}
        made = self.admin.call("POST", path, body=pod)
        self.place_pod(namespace, name, *addresses)
        return str(made["metadata"]["uid"])

    def place_pod(self, namespace: str, name: str, *addresses: str) -> None:
        """It runs, under these addresses from now on."""
        given = [{"ip": one} for one in addresses]
        status = {"phase": "Running", "podIP": addresses[0], "podIPs": given} if given else {"phase": "Pending"}
        path = f"{PATHS['Pod'].format(namespace)}/{name}/status"
        self.admin.call("PATCH", path, body={"status": status}, kind="application/merge-patch+json")

    def end_pod(self, namespace: str, name: str) -> None:
        """It is gone, at once."""
        path = f"{PATHS['Pod'].format(namespace)}/{name}"
        self.admin.call("DELETE", path, body={"gracePeriodSeconds": 0})

    def mounted(self, namespace: str, account: str, pod: str = "") -> Path:
        """A folder with what kubelet mounts into a pod: the API server's authority, and a token of the account that is
        bound to that pod."""
        bound = {"apiVersion": "v1", "kind": "Pod", "name": pod}
        spec = {"expirationSeconds": 3600, **({"boundObjectRef": bound} if pod else {})}
        path = f"{PATHS['ServiceAccount'].format(namespace)}/{account}/token"
        token = self.admin.call("POST", path, body={"spec": spec})["status"]["token"]
        self._mounts += 1
        return self._mount(f"mounted-{self._mounts}", token)

    def rss(self) -> dict[str, int]:
        """Resident MiB of each process."""
        found = {}
        for name, process in self._processes.items():
            status = Path(f"/proc/{process.pid}/status").read_text()
            found[name] = int(next(one for one in status.splitlines() if one.startswith("VmRSS")).split()[1]) // 1024
        return found

    # -- how it comes up ---------------------------------------------------------------------------------------------

    def _start(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._write_keys()
        client, peer = f"http://{HOST}:{self._etcd}", f"http://{HOST}:{self._peer}"
        self._run(
            "etcd",
            *self._programs.etcd,
            f"--data-dir={self._folder / 'etcd'}",
            "--unsafe-no-fsync",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
        )
        self._until("etcd", lambda: _listens(self._etcd))
        self._run(
            "apiserver",
            *self._programs.apiserver,
            f"--etcd-servers={client}",
            f"--bind-address={HOST}",
            f"--advertise-address={HOST}",
            f"--secure-port={self._port}",
            "--endpoint-reconciler-type=none",  # an Endpoints object may hold no loopback address
            f"--cert-dir={self._folder}",
            f"--tls-cert-file={self._folder / 'apiserver.crt'}",
            f"--tls-private-key-file={self._folder / 'apiserver.key'}",
            f"--token-auth-file={self._folder / 'tokens.csv'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self._folder / 'accounts.pub'}",
            f"--service-account-signing-key-file={self._folder / 'accounts.key'}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--authorization-mode=Node,RBAC",
            "--profiling=false",
        )
        self._until("apiserver", self._answers)
        if self._workloads:
            self._start_workloads()
        return self

    def _start_workloads(self) -> None:
        config, common = self._folder / "admin.kubeconfig", ("--leader-elect=false", f"--bind-address={HOST}")
        self._run(
            "controllers",
            *self._programs.controllers,
            f"--kubeconfig={config}",
            *common,
            "--secure-port=0",
            f"--cert-dir={self._folder}",
            f"--root-ca-file={self._folder / 'ca.crt'}",
            f"--service-account-private-key-file={self._folder / 'accounts.key'}",
        )
        self._run("scheduler", *self._programs.scheduler, f"--kubeconfig={config}", *common, "--secure-port=0")
        self._run(
            "kwok",
            *self._programs.kwok,
            f"--kubeconfig={config}",
            "--manage-all-nodes=true",
            "--node-lease-duration-seconds=40",
            f"--node-ip={HOST}",
            f"--node-port={self._kubelet}",
            f"--server-address={HOST}:{self._kubelet}",  # with the port alone it would listen on every address
            f"--tls-cert-file={self._folder / 'apiserver.crt'}",
            f"--tls-private-key-file={self._folder / 'apiserver.key'}",
            *(f"--config={stage}" for stage in self._programs.stages),
        )
        room = {"cpu": "32", "memory": "256Gi", "pods": "110"}
        node = {"metadata": {"name": "played"}, "status": {"capacity": room, "allocatable": room}}
        self.admin.call("POST", "/api/v1/nodes", body=node)
        default = "/api/v1/namespaces/default/serviceaccounts/default"
        self._until("controllers", lambda: self._has(default))

    def _write_keys(self) -> None:
        authority_key, serving_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        authority = _certificate("local kubernetes", authority_key, None, authority_key)
        serving = _certificate("kube-apiserver", serving_key, authority, authority_key)
        accounts = rsa.generate_private_key(65_537, 2048)
        pem = serialization.Encoding.PEM
        files = {
            "ca.crt": authority.public_bytes(pem),
            "apiserver.crt": serving.public_bytes(pem),
            "apiserver.key": _private(serving_key),
            "accounts.key": _private(accounts),
            "accounts.pub": accounts.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo),
        }
        for name, text in files.items():
            self._write(name, text)
        token = secrets.token_hex(16)
        self._write("tokens.csv", f'{token},admin,admin,"system:masters"\n'.encode())
        self._mount("admin", token)
        self._write("admin.kubeconfig", json.dumps(self._kubeconfig(token)).encode())  # JSON is YAML

    def _kubeconfig(self, token: str) -> dict[str, Any]:
        cluster = {"server": self.server, "certificate-authority": str(self._folder / "ca.crt")}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "local",
            "clusters": [{"name": "local", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": token}}],
            "contexts": [{"name": "local", "context": {"cluster": "local", "user": "admin"}}],
        }

    def _mount(self, name: str, token: str) -> Path:
        folder = self._folder / name
        folder.mkdir()
        self._write(f"{name}/token", token.encode())
        self._write(f"{name}/ca.crt", (self._folder / "ca.crt").read_bytes())
        return folder

    def _write(self, name: str, text: bytes) -> None:
        file = self._folder / name
        file.touch(0o600)
        file.write_bytes(text)

    def _run(self, name: str, *command: str) -> None:
        with (self._folder / f"{name}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=self._folder
            )

    def _until(self, name: str, ready: Any) -> None:
        process, log = self._processes[name], self._folder / f"{name}.log"
        try:
            until(lambda: ready() or process.poll() is not None, READY_SECONDS, f"{name} is ready")
        except TimedOut as error:
            raise Unreachable(f"{error}\n{tail(log)}") from error
        if process.poll() is not None:
            raise Unreachable(f"{name} ended with {process.returncode}\n{tail(log)}")

    def _answers(self) -> bool:
        """An API server that has made what it makes for itself, the namespace default last."""
        return self._has("/api/v1/namespaces/default")

    def _has(self, path: str) -> bool:
        try:
            self.admin.call("GET", path)
        except (VagusError, Missing):
            return False
        return True


def _listens(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), 1).close()
    except OSError:
        return False
    return True


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((HOST, 0))
        return [int(one.getsockname()[1]) for one in sockets]


def _private(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    form, none = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, none)


def _certificate(
    common: str, key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate | None, signer: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    named, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)]), datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(named)
        .issuer_name(issuer.subject if issuer else named)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer is not None:
        names = [x509.IPAddress(ipaddress.ip_address(HOST)), x509.DNSName("kubernetes.default.svc")]
        made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return made.sign(signer, hashes.SHA256())
