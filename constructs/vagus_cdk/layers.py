"""Layers, made without Docker: our own code, its pinned dependencies, and the fleet as data.

Python's caches would change an asset's hash with every test run, so they never go in.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
from aws_cdk import IgnoreMode
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from vagus_cdk.settings import ROOT, Architecture, Settings

RUNTIME = lambda_.Runtime.PYTHON_3_13
PLATFORMS = {"arm64": "manylinux2014_aarch64", "x86_64": "manylinux2014_x86_64"}
NO_CACHES = ["**/__pycache__", "**/*.pyc"]


def architecture(settings: Settings) -> lambda_.Architecture:
    """Lambda's own word for it."""
    return lambda_.Architecture.ARM_64 if settings.architecture == "arm64" else lambda_.Architecture.X86_64


class Layers(Construct):
    """The three layers that every function has. A fleet file that changes changes the third only."""

    def __init__(self, scope: Construct, construct_id: str, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        core = lambda_.Code.from_asset(str(ROOT / "layers/core"), exclude=NO_CACHES, ignore_mode=IgnoreMode.GIT)
        packages = dependencies(settings.architecture, settings.build)
        fleet = lambda_.Code.from_asset(str(fleet_folder(settings)))
        self.all = [
            self._layer("Dependencies", lambda_.Code.from_asset(str(packages), exclude=NO_CACHES), settings),
            self._layer("Core", core, settings),
            self._layer("Fleet", fleet, settings),
        ]

    def _layer(self, name: str, code: lambda_.Code, settings: Settings) -> lambda_.LayerVersion:
        return lambda_.LayerVersion(
            self,
            name,
            code=code,
            compatible_runtimes=[RUNTIME],
            compatible_architectures=[architecture(settings)],
        )


def function_code(package: str) -> lambda_.Code:
    """One package of `functions/` and nothing of the others."""
    exclude = ["*", f"!{package}", f"!{package}/**", *NO_CACHES]
    return lambda_.Code.from_asset(str(ROOT / "functions"), exclude=exclude, ignore_mode=IgnoreMode.GIT)


def dependencies(wanted: Architecture, build: Path, requirements: Path | None = None) -> Path:
    """The folder of the dependency layer; made once per requirements and architecture, whole or not at all.

    Raises CalledProcessError, with pip's own words on standard error, when a package can't be had or has another hash.
    """
    source = requirements or ROOT / "layers/dependencies/requirements.txt"
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:12]
    folder = build / "layers" / f"dependencies-{wanted}-{digest}"
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".making-") as making:
        _install(source, PLATFORMS[wanted], Path(making) / "layer/python")
        try:
            (Path(making) / "layer").rename(folder)
        except OSError:
            if not folder.exists():  # else another synth was faster, with the same
                raise
    return folder


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
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        *options,
        *wanted,
        "--target",
        str(target),
        "-r",
        str(requirements),
    ]
    subprocess.run(command, check=True, stdout=sys.stderr)
    for useless in (target / "bin", *target.glob("*.dist-info/RECORD")):  # they hold paths and times of this machine
        shutil.rmtree(useless) if useless.is_dir() else useless.unlink(missing_ok=True)


def fleet_folder(settings: Settings) -> Path:
    """The folder of the fleet layer: package `vagus_fleet` with the cell's clusters as JSON."""
    clusters = msgspec.json.format(msgspec.json.encode(settings.clusters, order="deterministic"), indent=1)
    folder = settings.build / "layers" / f"fleet-{hashlib.sha256(clusters).hexdigest()[:12]}"
    package = folder / "python/vagus_fleet"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text('"""The clusters that this deployment was synthesized with."""\n')
    (package / "clusters.json").write_bytes(clusters)
    return folder


def pins(requirements: str) -> dict[str, str]:
    """Package and version of each line `name==version`."""
    return dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^\s\\]+)", requirements, re.MULTILINE))
