"""Layers, made without Docker: our own code, its pinned dependencies, and the fleet as data.

The first two are shipped with bytecode: Lambda can't keep any, and would compile them at each cold start (a half more
time to the first call). Bytecode is not the same bytes each time, so that an asset's hash is made of its sources.
"""

import compileall
import hashlib
import py_compile
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec
from aws_cdk import IgnoreMode
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from vagus_cdk.settings import ROOT, Architecture, Settings, SettingsError

RUNTIME = lambda_.Runtime.PYTHON_3_13
PLATFORMS = {"arm64": "manylinux2014_aarch64", "x86_64": "manylinux2014_x86_64"}
NO_CACHES = ["**/__pycache__", "**/*.pyc"]
FAKES = "fake*.py"
"""What stands in for an adapter in tests: no production code."""


def architecture(settings: Settings) -> lambda_.Architecture:
    """Lambda's own word for it."""
    return lambda_.Architecture.ARM_64 if settings.architecture == "arm64" else lambda_.Architecture.X86_64


class Layers(Construct):
    """The three layers that every function has. A fleet file that changes changes the third only."""

    def __init__(self, scope: Construct, construct_id: str, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        folders = {
            "Dependencies": dependencies(settings.architecture, settings.build),
            "Core": core(settings.build),
            "Fleet": fleet_folder(settings),
        }
        self.all = [self._layer(name, folder, settings) for name, folder in folders.items()]

    def _layer(self, name: str, folder: Path, settings: Settings) -> lambda_.LayerVersion:
        return lambda_.LayerVersion(
            self,
            name,
            code=lambda_.Code.from_asset(str(folder), asset_hash=folder.name),
            compatible_runtimes=[RUNTIME],
            compatible_architectures=[architecture(settings)],
        )


def function_code(package: str) -> lambda_.Code:
    """One package of `functions/` and nothing of the others."""
    exclude = ["*", f"!{package}", f"!{package}/**", *NO_CACHES]
    return lambda_.Code.from_asset(str(ROOT / "functions"), exclude=exclude, ignore_mode=IgnoreMode.GIT)


def dependencies(wanted: Architecture, build: Path, requirements: Path | None = None) -> Path:
    """The folder of the dependency layer; made once per requirements and architecture.

    Raises CalledProcessError, with pip's own words on standard error, when a package can't be had or has another hash.
    """
    source = requirements or ROOT / "layers/dependencies/requirements.txt"
    name = f"dependencies-{wanted}-{_digest(source.read_bytes())}"
    return _made(build / "layers" / name, lambda python: _install(source, PLATFORMS[wanted], python))


def core(build: Path, source: Path = ROOT / "layers/core/python") -> Path:
    """The folder of the layer with our own code, without its fakes; made once per content."""
    files = sorted(file for file in source.rglob("*.py") if not file.match(FAKES))
    content = b"".join(f"{file.relative_to(source)}\0".encode() + file.read_bytes() + b"\0" for file in files)

    def copy(python: Path) -> None:
        shutil.copytree(source, python, ignore=shutil.ignore_patterns("__pycache__", FAKES))

    return _made(build / "layers" / f"core-{_digest(content)}", copy)


def _made(folder: Path, make: Callable[[Path], None]) -> Path:
    """The folder, made if it is not there, whole or not at all: `make` fills its `python`, which is then compiled."""
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".making-") as making:
        layer = Path(making) / "layer"
        make(layer / "python")
        _compile(layer / "python")
        try:
            layer.rename(folder)
        except OSError:
            if not folder.exists():  # else another synth was faster, with the same
                raise
    return folder


def _compile(python: Path) -> None:
    """Bytecode that is used without a look at its source's time, which a layer does not keep."""
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    if not compileall.compile_dir(python, quiet=1, ddir="/opt/python", invalidation_mode=mode):
        raise SettingsError(f"{python.parent.name}: a module does not compile; the lines above say which")


def _install(requirements: Path, platform: str, target: Path) -> None:
    options = [
        "--require-hashes",
        "--no-deps",
        "--no-compile",
        "--only-binary=:all:",
        "--disable-pip-version-check",
        "-q",
    ]
    wanted = ["--platform", platform, "--python-version", "3.13", "--implementation", "cp"]
    where = ["--target", str(target), "-r", str(requirements)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, *wanted, *where], check=True, stdout=sys.stderr)
    shutil.rmtree(target / "bin", ignore_errors=True)  # scripts with paths of this machine


def _digest(content: bytes) -> str:
    return hashlib.sha256(content + f"{sys.version_info[:2]}".encode()).hexdigest()[:16]


def fleet_folder(settings: Settings) -> Path:
    """The folder of the fleet layer: package `vagus_fleet` with the cell's clusters as JSON."""
    clusters = msgspec.json.format(msgspec.json.encode(settings.clusters, order="deterministic"), indent=1)
    folder = settings.build / "layers" / f"fleet-{_digest(clusters)}"
    package = folder / "python/vagus_fleet"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text('"""The clusters that this deployment was synthesized with."""\n')
    (package / "clusters.json").write_bytes(clusters)
    return folder


def pins(requirements: str) -> dict[str, str]:
    """Package and version of each line `name==version`."""
    return dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^\s\\]+)", requirements, re.MULTILINE))
