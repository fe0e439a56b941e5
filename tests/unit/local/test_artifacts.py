"""What is brought, where it lies, and that a half engine never has an engine's name."""

import json
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vagus_local import artifacts
from vagus_local.artifacts import (
    ArtifactError,
    DownloadFailed,
    JavaMissing,
    find_java,
    jar_stem,
    pack,
    resolve,
    sha256,
    write_poms,
)
from vagus_local.engines import DEFAULT, ENGINES, Coordinate, engine


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VAGUS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def fake_jdk(folder: Path, version: str) -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "java").touch()
    (folder / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return folder


def baked(cache: Path) -> Path:
    folder = cache / "engines" / DEFAULT.label
    (folder / "lib").mkdir(parents=True)
    (folder / "lib" / "a-1.0.jar").write_bytes(b"jar")
    (folder / "manifest.json").write_text(json.dumps(artifacts.manifest(DEFAULT, folder)))
    return folder


def test_every_artifact_is_pinned_and_every_engine_has_security_of_its_own_version() -> None:
    for one in ENGINES:
        coordinates = [*one.libraries, *(m.coordinate for m in one.modules), *(p.coordinate for p in one.plugins)]
        assert all(c.version[0].isdigit() and "SNAPSHOT" not in c.version for c in coordinates)
        assert [p.coordinate.version for p in one.plugins] == ([f"{one.version}.0"] if one.secured else [])


def test_an_engine_in_the_cache_is_not_brought_again(cache: Path) -> None:
    folder = baked(cache)
    assert resolve(DEFAULT, say=pytest.fail) == folder


def test_a_download_that_fails_leaves_nothing_under_the_engines_name(
    cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    failing = tmp_path / "bin" / "mvn"
    failing.parent.mkdir()
    failing.write_text("#!/bin/sh\necho could not transfer\nexit 1\n")
    failing.chmod(0o755)
    monkeypatch.setenv("PATH", f"{failing.parent}:/usr/bin:/bin")
    with pytest.raises(DownloadFailed, match="could not transfer"):
        resolve(DEFAULT, say=lambda _: None)
    assert list((cache / "engines").iterdir()) == []


def test_without_maven_the_error_names_the_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DownloadFailed, match="install Maven"):
        resolve(DEFAULT, say=lambda _: None)


MAVEN = """#!{python}
import pathlib, sys, zipfile
arguments = dict(a.removeprefix("-D").split("=", 1) for a in sys.argv if a.startswith("-D") and "=" in a)
with open("{calls}", "a") as calls:
    print(*sys.argv, file=calls)
if "-f" in sys.argv:
    for pom in pathlib.Path(sys.argv[sys.argv.index("-f") + 1]).parent.glob("*/pom.xml"):
        target = pom.parent / "target" / "dependency"
        target.mkdir(parents=True)
        own = {{"lib": "server-1.0.jar"}}.get(pom.parent.name, "netty-4.1.jar")
        for name in (own, "shared-2.0.jar"):
            (target / name).write_text(name)
else:
    group, artifact, version, kind = arguments["artifact"].split(":")
    folder = pathlib.Path(arguments["maven.repo.local"]) / group.replace(".", "/") / artifact / version
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / f"{{artifact}}-{{version}}.{{kind}}", "w") as archive:
        archive.writestr("plugin-descriptor.properties", "extended.plugins=rule-framework\\nopensearch.version=9\\n")
        archive.writestr("security-3.jar", "jar")
"""


@pytest.fixture
def maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Maven that brings small files; returns the file in which its runs are counted."""
    path = tmp_path / "bin" / "mvn"
    path.parent.mkdir()
    path.write_text(MAVEN.format(python=sys.executable, calls=tmp_path / "calls"))
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")
    return tmp_path / "calls"


def test_an_engine_is_laid_out_as_it_runs(maven: Path) -> None:
    folder = resolve(DEFAULT, say=lambda _: None)
    written = json.loads((folder / "manifest.json").read_text())
    assert {k: written[k] for k in ("engine", "version", "java")} == {
        "engine": "opensearch",
        "version": "3.4.0",
        "java": 21,
    }
    jars = {str(p.relative_to(folder)): sha256(p) for p in folder.rglob("*.jar")}
    assert written["jars"] == jars
    assert "modules/transport-netty4/netty-4.1.jar" in jars
    assert "modules/transport-netty4/shared-2.0.jar" not in jars, "a class twice stops the node: lib/ has it"
    descriptor = (folder / "plugins/opensearch-security/plugin-descriptor.properties").read_text()
    assert descriptor == "extended.plugins=\nopensearch.version=3.4.0\n"


def test_two_checkouts_at_once_bring_it_once(maven: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda _: resolve(DEFAULT, say=lambda _: None), range(2))
    assert one == other
    assert sum("copy-dependencies" in line for line in maven.read_text().splitlines()) == 1


def test_one_maven_run_brings_all_parts(tmp_path: Path) -> None:
    write_poms(tmp_path, {"lib": (Coordinate("g", "a", "1.2"),), "netty": (Coordinate("g", "b", "3"),)})
    assert "<module>lib</module><module>netty</module>" in (tmp_path / "pom.xml").read_text()
    expected = "<groupId>g</groupId><artifactId>a</artifactId><version>1.2</version>"
    assert expected in (tmp_path / "lib" / "pom.xml").read_text()


@pytest.mark.parametrize(
    ("jar", "stem"),
    [
        ("netty-common-4.1.125.Final.jar", "netty-common"),
        ("log4j-1.2-api-2.21.0.jar", "log4j"),
        ("jackson-core-2.18.jar", "jackson-core"),
    ],
)
def test_a_jars_stem_has_no_version(jar: str, stem: str) -> None:
    assert jar_stem(jar) == stem


def test_the_first_jdk_that_is_new_enough_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = fake_jdk(tmp_path / "old", "17.0.15"), fake_jdk(tmp_path / "new", "25.0.3")
    monkeypatch.setattr(artifacts, "java_homes", lambda: [tmp_path / "none", old, new])
    assert find_java(21) == new
    assert find_java(17) == old


def test_a_jdk_without_the_security_manager_is_not_taken_for_an_engine_that_needs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    last, new = fake_jdk(tmp_path / "last", "23.0.2"), fake_jdk(tmp_path / "new", "24.0.1")
    monkeypatch.setattr(artifacts, "java_homes", lambda: [new, last])
    assert {one.label: one.java_below for one in ENGINES} == {
        "opensearch-3.4.0": None,
        "opensearch-2.19.4": 24,
        "elasticsearch-7.17.29": 24,
    }
    assert find_java(17, 24) == last
    monkeypatch.setattr(artifacts, "java_homes", lambda: [new])
    with pytest.raises(JavaMissing, match="JDK 17 to 23"):
        find_java(17, 24)


def test_without_a_jdk_the_error_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "java_homes", list)
    with pytest.raises(JavaMissing, match="VAGUS_JAVA_HOME"):
        find_java(21)
    assert issubclass(JavaMissing, ArtifactError)


def test_an_unknown_version_names_the_known_ones() -> None:
    with pytest.raises(KeyError, match=DEFAULT.label):
        engine("opensearch-1.0.0")


def test_a_packed_engine_is_what_the_bucket_holds(cache: Path, tmp_path: Path) -> None:
    (baked(cache) / "classes-25.jsa").touch()
    archive = pack(DEFAULT, tmp_path / "out", say=lambda _: None, jdk=fake_jdk(tmp_path / "jdk", "21.0.1"))
    with tarfile.open(archive) as tar:
        names = tar.getnames()
    assert f"{DEFAULT.label}/manifest.json" in names
    assert f"{DEFAULT.label}/classes-25.jsa" not in names
    assert f"{DEFAULT.label}/jdk/release" in names, "where boot.sh looks for Java"
    assert archive.with_name(archive.name + ".sha256").read_text() == f"{sha256(archive)}  {archive.name}\n"
    assert [p.name for p in archive.parent.iterdir() if "partial" in p.name] == []
