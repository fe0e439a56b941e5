"""`vagus doctor`: each prerequisite, whether it is there, and the remedy where it is not; or, of a cell, each check."""

import platform
import re
import subprocess
from collections.abc import Callable, Collection
from typing import Annotated, Literal

import msgspec
import typer
from rich.text import Text

from vagus_cli import cell_doctor, options, output
from vagus_cli.world import Choice

MISSING = 1
"""Exit code where something that is needed is missing."""
RUN_SECONDS = 20

Run = Callable[[list[str]], str | None]
"""The output of a version command, or `None` where there is no such program or it fails."""


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What the doctor examines. `jdks` has the major version of each JDK that is found."""

    system: str
    python: tuple[int, int]
    jdks: tuple[int, ...]
    run: Run


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One prerequisite. `optional` ones are needed for the older engines only."""

    name: str
    state: Literal["there", "missing", "optional"]
    found: str
    remedy: str = ""


def doctor(
    context: typer.Context,
    cell: Annotated[str | None, typer.Argument(metavar="[CELL]", help="A deployed cell; unsaid: this machine.")] = None,
    as_json: options.Json = False,
    target: options.Target = None,
    fleet: options.FleetFolder = None,
    profile: options.Profile = None,
    region: options.Region = None,
) -> None:
    """What the local stack, the tests and the deployment need of this machine; or whether a deployed cell is well.

    Of a cell it sends a test event and a test page. Exit code: 0, 1 something is missing, fails or could not be tried.
    """
    if cell is not None:
        cell_doctor.examine(context, cell, Choice(target=target, fleet=fleet, profile=profile, region=region), as_json)
        return
    machine: Machine | None = context.obj if isinstance(context.obj, Machine) else None
    findings = examine(machine or this_machine())
    output.answer(findings, as_json, _for_people)
    raise typer.Exit(MISSING if any(one.state == "missing" for one in findings) else 0)


def examine(machine: Machine) -> list[Finding]:
    """Every prerequisite, in the order in which one would install them."""
    return [
        _held(
            "Linux",
            machine.system == "Linux",
            machine.system,
            "use Linux, a virtual machine of it, or WSL 2: nodes have addresses in 127.0.0.0/8, signals and /proc",
        ),
        _held(
            "Python 3.13",
            machine.python == (3, 13),
            ".".join(map(str, machine.python)),
            "install it (pyenv install 3.13), or set PYTHON313=/path/to/python3.13 for make",
        ),
        _jdk(machine.jdks),
        _older_jdk(machine.jdks),
        _program(machine, "Maven 3", ["mvn", "-v"], (3,), "install it (package maven): it brings the search engine"),
        _program(
            machine, "Node 20 or newer", ["node", "--version"], (20,), "install it (nodejs.org): the CDK needs it"
        ),
        _program(machine, "npm", ["npm", "--version"], (1,), "install it (it comes with Node): it brings the CDK CLI"),
        _program(machine, "OpenSSL 3", ["openssl", "version"], (3,), "install it (package openssl): nodes make keys"),
        _nft(machine),
    ]


def this_machine() -> Machine:
    """The machine that this runs on."""
    from vagus_local.artifacts import java_homes, java_major

    majors = {java_major(home) for home in java_homes()}
    major, minor, _ = platform.python_version_tuple()
    return Machine(
        system=platform.system(),
        python=(int(major), int(minor)),
        jdks=tuple(sorted(one for one in majors if one)),
        run=_run,
    )


def _run(command: list[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None  # missing, broken or hanging: the remedy is the same
    return done.stdout


def _jdk(majors: Collection[int]) -> Finding:
    remedy = "install JDK 21 or newer (Temurin, Corretto), or set VAGUS_JAVA_HOME to its folder: OpenSearch 3 needs it"
    return _held("JDK 21 or newer", any(major >= 21 for major in majors), _listed(majors), remedy)


def _older_jdk(majors: Collection[int]) -> Finding:
    """OpenSearch 2.19 and Elasticsearch 7.17 need Java's security manager, which JDK 24 took away."""
    if any(17 <= major < 24 for major in majors):
        return Finding(name="JDK 17 to 23", state="there", found=_listed(majors))
    remedy = "install JDK 17 (package openjdk-17-jdk): only for nodes of OpenSearch 2.19 and Elasticsearch 7.17"
    return Finding(name="JDK 17 to 23", state="optional", found=_listed(majors), remedy=remedy)


def _nft(machine: Machine) -> Finding:
    """The gate of a starting node is a rule of the kernel; without it a restart shows applications a 503."""
    version = re.search(r"\d+(\.\d+)+", machine.run(["nft", "--version"]) or "")
    if version is not None:
        return Finding(name="nftables", state="there", found=version.group())
    remedy = "install it (package nftables), and run as root: only for restarts without a 503 from a starting node"
    return Finding(name="nftables", state="optional", found="", remedy=remedy)


def _program(machine: Machine, name: str, command: list[str], least: tuple[int, ...], remedy: str) -> Finding:
    said = machine.run(command)
    version = re.search(r"\d+(\.\d+)+", said or "")
    if version is None:
        return _held(name, False, "", remedy)
    found = version.group()
    return _held(name, tuple(map(int, found.split("."))) >= least, found, remedy)


def _held(name: str, holds: bool, found: str, remedy: str) -> Finding:
    return Finding(name=name, state="there" if holds else "missing", found=found, remedy="" if holds else remedy)


def _listed(majors: Collection[int]) -> str:
    return ", ".join(str(major) for major in majors)


def _for_people(findings: list[Finding]) -> Text:
    return Text("\n").join(_line(one) for one in findings)


def _line(one: Finding) -> Text:
    colour = {"there": "green", "missing": "red", "optional": "yellow"}[one.state]
    text = Text.assemble((f"{one.state:<9}", colour), one.name)
    if one.found:
        text.append(f" (found {one.found})", style="dim")
    if one.remedy:
        text.append(f": {one.remedy}")
    return text
