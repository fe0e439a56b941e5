"""How a local node's search process is started: small, and from the class archive where there is one."""

import os
import subprocess
from pathlib import Path

import pytest

from vagus_local.node import PACKAGE


@pytest.fixture
def jdk(tmp_path: Path) -> Path:
    """A Java that prints its arguments."""
    java = tmp_path / "jdk" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text('#!/bin/bash\nprintf "%s\\n" "$@"\n')
    java.chmod(0o755)
    (tmp_path / "jdk" / "release").write_text('JAVA_VERSION="25.0.3"\n')
    return java


def started(jdk: Path, engine: Path, **environment: str) -> list[str]:
    command = [str(PACKAGE / "node_bin" / "run-search"), str(jdk), "-Xmx1g", "-cp", f"{engine}/lib/*", "Main"]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_the_nodes_own_arguments_are_kept_in_order(jdk: Path, tmp_path: Path) -> None:
    arguments = started(jdk, tmp_path)
    first = arguments.index("-Xmx1g")
    assert arguments[first : first + 4] == ["-Xmx1g", "-cp", f"{tmp_path}/lib/*", "Main"]
    assert "-Enode.processors=1" in arguments[first + 4 :]


def test_an_archive_of_this_java_is_used(jdk: Path, tmp_path: Path) -> None:
    assert not any("SharedArchiveFile" in a for a in started(jdk, tmp_path))
    (tmp_path / "classes-24.jsa").touch()
    assert not any("SharedArchiveFile" in a for a in started(jdk, tmp_path))
    (tmp_path / "classes-25.0.3.jsa").touch()
    assert f"-XX:SharedArchiveFile={tmp_path}/classes-25.0.3.jsa" in started(jdk, tmp_path)


def test_flags_that_are_given_go_first_and_instead_of_it(jdk: Path, tmp_path: Path) -> None:
    (tmp_path / "classes-25.0.3.jsa").touch()
    arguments = started(jdk, tmp_path, VAGUS_JVM_FLAGS="-XX:One -XX:Two")
    assert arguments[:2] == ["-XX:One", "-XX:Two"]
    assert not any("SharedArchiveFile" in a for a in arguments)
