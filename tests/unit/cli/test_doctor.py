"""`vagus doctor`: each prerequisite that is missing has its remedy."""

import json

import msgspec
import pytest
from typer.testing import CliRunner

from vagus_cli.doctor_command import Machine, examine, this_machine
from vagus_cli.main import app

SAY = {
    "mvn": "\x1b[1mApache Maven 3.9.6 (bc0240f3c7)\x1b[m\nMaven home: /usr/share/maven\n",
    "node": "v20.20.2\n",
    "npm": "10.8.2\n",
    "nft": "nftables v1.0.6 (Lester Gooch #5)\n",
    "openssl": "OpenSSL 3.0.13 30 Jan 2024 (Library: OpenSSL 3.0.13 30 Jan 2024)\n",
}


def _machine(**changes: object) -> Machine:
    whole = Machine(system="Linux", python=(3, 13), jdks=(17, 21), run=lambda command: SAY.get(command[0]))
    return msgspec.structs.replace(whole, **changes)


def _without(program: str, instead: str | None = None) -> Machine:
    return _machine(run=lambda command: instead if command[0] == program else SAY.get(command[0]))


# sentence: (machine, name, words of the remedy)
MISSING = {
    "another system": (_machine(system="Darwin"), "Linux", "WSL 2"),
    "another Python": (_machine(python=(3, 12)), "Python 3.13", "pyenv install 3.13"),
    "no JDK": (_machine(jdks=()), "JDK 21 or newer", "VAGUS_JAVA_HOME"),
    "an old JDK": (_machine(jdks=(17,)), "JDK 21 or newer", "Temurin"),
    "no Maven": (_without("mvn"), "Maven 3", "package maven"),
    "no Node": (_without("node"), "Node 20 or newer", "nodejs.org"),
    "an old Node": (_without("node", "v18.19.0\n"), "Node 20 or newer", "nodejs.org"),
    "no npm": (_without("npm"), "npm", "comes with Node"),
    "no OpenSSL": (_without("openssl"), "OpenSSL 3", "package openssl"),
    "a program that says nothing of a version": (_without("openssl", "hello\n"), "OpenSSL 3", "package openssl"),
}


@pytest.mark.parametrize("sentence", MISSING)
def test_what_is_missing_has_its_remedy(sentence: str) -> None:
    machine, name, words = MISSING[sentence]
    missing = [one for one in examine(machine) if one.state == "missing"]
    assert [one.name for one in missing] == [name]
    assert words in missing[0].remedy


def test_a_machine_that_has_all() -> None:
    assert {one.state for one in examine(_machine())} == {"there"}


@pytest.mark.parametrize("jdks", [(25,), (21, 25)])
def test_the_older_jdk_is_only_for_older_engines(jdks: tuple[int, ...]) -> None:
    states = {one.name: one.state for one in examine(_machine(jdks=jdks))}
    assert states["JDK 17 to 23"] == ("there" if 21 in jdks else "optional")
    assert states["JDK 21 or newer"] == "there"


def test_the_exit_code_tells() -> None:
    assert CliRunner().invoke(app, ["doctor"], obj=_machine(jdks=(25,))).exit_code == 0
    told = CliRunner().invoke(app, ["doctor", "--json"], obj=_without("npm"))
    assert told.exit_code == 1
    assert [one["name"] for one in json.loads(told.stdout) if one["state"] == "missing"] == ["npm"]


def test_this_machine_is_examined_for_real() -> None:
    findings = {one.name: one for one in examine(this_machine())}
    assert findings["Linux"].state == "there"
    assert findings["Python 3.13"].found == "3.13"


def test_a_program_that_is_not_there_is_no_error() -> None:
    assert this_machine().run(["there-is-no-such-program"]) is None
    assert this_machine().run(["false"]) is None
