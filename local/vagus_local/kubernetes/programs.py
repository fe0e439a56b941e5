"""The programs of the control plane: built from Go modules into the cache, once; or brought by the user."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import msgspec

from vagus_local.artifacts import Say, cache_folder, locked

SOURCE = Path(__file__).parent / "binary"
VERSION = "v1.36.3"
"""Of Kubernetes; `binary/go.mod` pins it."""
STAGES = ("kustomize/stage/pod/fast", "kustomize/stage/node/fast", "kustomize/stage/node/heartbeat-with-lease")
"""Folders of kwok's module that say what its kubelets do."""


class NoPrograms(Exception):
    """There is no Kubernetes here; the message says what would bring it."""


class Programs(msgspec.Struct, frozen=True, kw_only=True):
    """How each program is started. Programs that a user brings may be etcd and the API server alone."""

    etcd: tuple[str, ...]
    apiserver: tuple[str, ...]
    controllers: tuple[str, ...] = ()
    scheduler: tuple[str, ...] = ()
    kwok: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()


def there() -> Programs | None:
    """What needs no build: a binary that is built already, or what the environment names. `VAGUS_KUBE_BINARY`: one such
    binary; `KUBEBUILDER_ASSETS`: a folder with etcd and kube-apiserver, as envtest has it."""
    if given := os.environ.get("VAGUS_KUBE_BINARY"):
        return _of(Path(given))
    if given := os.environ.get("KUBEBUILDER_ASSETS"):
        return Programs(etcd=(f"{given}/etcd",), apiserver=(f"{given}/kube-apiserver",))
    return _of(_built()) if _built().exists() else None


def bring(say: Say = print) -> Programs:
    """The programs, built if they have to be. Raises `NoPrograms`."""
    if found := there():
        return found
    go = shutil.which("go")
    if go is None:
        raise NoPrograms(
            "Kubernetes has to be built once, and there is no Go (1.26 or newer) on PATH: install it, or name a binary "
            "in VAGUS_KUBE_BINARY, or envtest's folder in KUBEBUILDER_ASSETS"
        )
    with locked(cache_folder() / "locks" / "kubernetes.lock"):
        if not _built().exists():
            say(f"building Kubernetes {VERSION} into the cache, once: some 7 minutes of CPU")
            _build(go, _built())
    return _of(_built())


def _built() -> Path:
    """Named by its sources: whoever changes them builds anew."""
    digest = hashlib.sha256()
    for name in ("main.go", "go.mod", "go.sum"):
        digest.update((SOURCE / name).read_bytes())
    return cache_folder() / "kubernetes" / digest.hexdigest()[:16] / "kube"


def _build(go: str, binary: Path) -> None:
    half = binary.parent.with_name(f"{binary.parent.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    (half / "stages").mkdir(parents=True)
    major, minor, _ = VERSION.removeprefix("v").split(".")
    told = {"gitVersion": VERSION, "gitMajor": major, "gitMinor": minor}
    named = " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in told.items())
    _go(go, "build", "-trimpath", f"-ldflags=-s -w {named}", "-o", str(half / binary.name), ".")
    kwok = Path(_go(go, "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok").strip())
    for folder in STAGES:
        for stage in sorted((kwok / folder).glob("*.yaml")):
            if stage.name != "kustomization.yaml":
                shutil.copyfile(stage, half / "stages" / f"{folder.replace('/', '-')}-{stage.name}")
    shutil.rmtree(binary.parent, ignore_errors=True)
    half.rename(binary.parent)


def _go(go: str, *arguments: str) -> str:
    done = subprocess.run(
        [go, *arguments], cwd=SOURCE, env={**os.environ, "CGO_ENABLED": "0"}, capture_output=True, text=True
    )
    if done.returncode:
        raise NoPrograms(f"go {arguments[0]} failed in {SOURCE}: {done.stderr[-2000:]}")
    return done.stdout


def _of(binary: Path) -> Programs:
    if not binary.exists():
        raise NoPrograms(f"there is no {binary}")
    one = str(binary)
    return Programs(
        etcd=(one, "etcd"),
        apiserver=(one, "apiserver"),
        controllers=(one, "controller-manager"),
        scheduler=(one, "scheduler"),
        kwok=(one, "kwok"),
        stages=tuple(str(stage) for stage in sorted((binary.parent / "stages").glob("*.yaml"))),
    )


if __name__ == "__main__":
    bring()
