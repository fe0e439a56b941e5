"""Brings a search engine's jars from Maven Central into the cache, once; packs them as the artifact bucket holds them.

What may not happen here: a half engine under its final name, a version that is not pinned, a download without a word.
What an engine is made of is in `engines.py`.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vagus_local.engines import DEFAULT, Coordinate, Engine, Module, Plugin, engine

DEPENDENCY_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:2.8"
Say = Callable[[str], None]


class ArtifactError(Exception):
    """Base of what can go wrong here.

    ArtifactError
    ├── JavaMissing      no JDK of the needed version: permanent, a person installs one
    └── DownloadFailed   Maven could not bring an artifact: retryable
    """


class JavaMissing(ArtifactError):
    """No JDK of the version that the engine needs."""


class DownloadFailed(ArtifactError):
    """Maven is missing or could not resolve an artifact."""


# ---------------------------------------------------------------- cache


def cache_folder() -> Path:
    """Everything that is downloaded lies here, outside any checkout."""
    base = os.environ.get("VAGUS_CACHE")
    if base:
        return Path(base)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vagus"


def engines_folder() -> Path:
    """Folder of the resolved engines, one per label."""
    return cache_folder() / "engines"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds an exclusive lock on a file: two checkouts at once take turns, a killed holder lets go."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def resolve(wanted: Engine = DEFAULT, say: Say = print) -> Path:
    """The engine's folder in the cache; downloads it if it is not there. Raises DownloadFailed."""
    final = engines_folder() / wanted.label
    if (final / "manifest.json").is_file():
        return final
    with locked(cache_folder() / "locks" / f"{wanted.label}.lock"):
        if (final / "manifest.json").is_file():
            return final
        say(f"{wanted.label}: bringing it from Maven Central into {final} (about 100 MB, once)")
        engines_folder().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{wanted.label}-", dir=engines_folder()) as scratch:
            built = Path(scratch) / wanted.label
            _build(wanted, Path(scratch), built, say)
            built.rename(final)
    return final


def _build(wanted: Engine, scratch: Path, target: Path, say: Say) -> None:
    poms = scratch / "poms"
    parts = {"lib": wanted.libraries} | {m.name: (m.coordinate,) for m in wanted.modules}
    write_poms(poms, parts)
    say(f"{wanted.label}: server and {', '.join(m.name for m in wanted.modules)}")
    _maven("-f", str(poms / "pom.xml"), f"{DEPENDENCY_PLUGIN}:copy-dependencies", "-DincludeScope=runtime")
    shutil.copytree(poms / "lib" / "target" / "dependency", target / "lib")
    for module in wanted.modules:
        _place_module(wanted, module, poms / module.name / "target" / "dependency", target)
    (target / "plugins").mkdir()
    for plugin in wanted.plugins:
        say(f"{wanted.label}: {plugin.name} {plugin.coordinate.version}")
        _place_plugin(wanted, plugin, target / "plugins" / plugin.name)
    (target / "manifest.json").write_text(json.dumps(manifest(wanted, target), indent=1) + "\n")
    say(f"{wanted.label}: ready")


def write_poms(folder: Path, parts: dict[str, tuple[Coordinate, ...]]) -> None:
    """One Maven module per part, so that a single Maven run (its start is the slow thing) brings all of them."""
    modules = "".join(f"<module>{name}</module>" for name in parts)
    for name, coordinates in parts.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        lines = "".join(
            f"<dependency><groupId>{c.group}</groupId><artifactId>{c.artifact}</artifactId>"
            f"<version>{c.version}</version></dependency>\n"
            for c in coordinates
        )
        (folder / name / "pom.xml").write_text(_pom(name, f"<dependencies>\n{lines}</dependencies>"))
    (folder / "pom.xml").write_text(_pom("all", f"<modules>{modules}</modules>"))


def _pom(name: str, body: str) -> str:
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>\n'
        f"<groupId>vagus.engines</groupId><artifactId>{name}</artifactId><version>1</version>"
        f"<packaging>pom</packaging>\n{body}</project>\n"
    )


def _maven(*arguments: str) -> None:
    repository = cache_folder() / "maven"
    command = ["mvn", "-B", "-q", f"-Dmaven.repo.local={repository}", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise DownloadFailed("mvn is not on PATH: install Maven 3.8 or newer (apt install maven)") from None
    if done.returncode:
        raise DownloadFailed(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-3000:]}")


def _bring(coordinate: Coordinate) -> Path:
    path = coordinate.path(cache_folder() / "maven")
    if not path.is_file():
        _maven(f"{DEPENDENCY_PLUGIN}:get", "-Dtransitive=false", f"-Dartifact={coordinate}")
    return path


def jar_stem(name: str) -> str:
    """The artifact's name without its version: netty-common-4.1.jar -> netty-common."""
    return re.sub(r"-\d[^/]*\.jar$", "", name)


def _place_module(wanted: Engine, module: Module, jars: Path, target: Path) -> None:
    folder = target / "modules" / module.name
    folder.mkdir(parents=True)
    # the same class in lib/ and in a module is "jar hell": the node refuses to start
    have = {jar_stem(jar.name) for jar in (target / "lib").iterdir()}
    for jar in jars.iterdir():
        if jar_stem(jar.name) not in have:
            shutil.copy2(jar, folder)
    (folder / "plugin-descriptor.properties").write_text(
        f"description={module.name}\nversion={wanted.version}\nname={module.name}\nclassname={module.main_class}\n"
        f"java.version={wanted.java}\n{wanted.name}.version={wanted.version}\n"
        "extended.plugins=\nhas.native.controller=false\n"
    )
    if module.policy:
        (folder / "plugin-security.policy").write_text(module.policy)


def _place_plugin(wanted: Engine, plugin: Plugin, folder: Path) -> None:
    with zipfile.ZipFile(_bring(plugin.coordinate)) as archive:
        archive.extractall(folder)  # noqa: S202 - an artifact pinned by version, checked by Maven; zipfile drops ".."
    descriptor = folder / "plugin-descriptor.properties"
    text = re.sub(r"(?m)^extended\.plugins=.*$", "extended.plugins=", descriptor.read_text())
    descriptor.write_text(re.sub(rf"(?m)^{wanted.name}\.version=.*$", f"{wanted.name}.version={wanted.version}", text))
    for coordinate in plugin.extra:
        shutil.copy2(_bring(coordinate), folder)


def manifest(wanted: Engine, folder: Path) -> dict[str, object]:
    """What a node checks before it starts: name, version, how to run it, and the SHA-256 of every jar."""
    jars = {str(jar.relative_to(folder)): sha256(jar) for jar in sorted(folder.rglob("*.jar"))}
    return {
        "engine": wanted.name,
        "version": wanted.version,
        "java": wanted.java,
        **({"java_below": wanted.java_below} if wanted.java_below else {}),
        "main_class": wanted.main_class,
        "properties": wanted.properties,
        "jvm": " ".join(wanted.jvm),
        "jars": jars,
    }


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def pack(wanted: Engine, target_folder: Path, say: Say = print, jdk: Path | None = None) -> Path:
    """Writes LABEL.tar.gz and LABEL.tar.gz.sha256, as they lie in the artifact bucket below engines/.

    `jdk`: a JDK of the nodes' architecture to go with it, for images without Java.
    """
    source = resolve(wanted, say)
    target_folder.mkdir(parents=True, exist_ok=True)
    archive = target_folder / f"{wanted.label}.tar.gz"
    partial = archive.with_suffix(".partial")
    with tarfile.open(partial, "w:gz", compresslevel=1) as tar:
        tar.add(source, arcname=wanted.label, filter=_without_archives)
        if jdk:
            tar.add(jdk, arcname=f"{wanted.label}/jdk")
    partial.rename(archive)
    archive.with_name(archive.name + ".sha256").write_text(f"{sha256(archive)}  {archive.name}\n")
    return archive


def _without_archives(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if entry.name.endswith(".jsa") else entry  # they fit this machine's Java alone (class_archive.py)


# ---------------------------------------------------------------- Java


def java_major(home: Path) -> int | None:
    """Major version of the JDK at `home`, from its release file; None if there is no JDK."""
    release = home / "release"
    if not (home / "bin" / "java").is_file() or not release.is_file():
        return None
    found = re.search(r'^JAVA_VERSION="(\d+)', release.read_text(), re.MULTILINE)
    return int(found[1]) if found else None


def java_homes() -> list[Path]:
    """Candidate JDKs, in the order in which they are preferred."""
    named = [Path(os.environ[name]) for name in ("VAGUS_JAVA_HOME", "JAVA_HOME") if os.environ.get(name)]
    installed = sorted(Path("/usr/lib/jvm").glob("*"))
    on_path = shutil.which("java")
    return [*named, *installed, *([Path(on_path).resolve().parent.parent] if on_path else [])]


def find_java(minimum: int, below: int | None = None) -> Path:
    """The first JDK that is new enough, and older than `below`. Raises JavaMissing with the remedy."""
    for home in java_homes():
        if minimum <= (java_major(home) or 0) < (below or math.inf):
            return home
    wanted = f"{minimum} to {below - 1}" if below else f"{minimum} or newer"
    raise JavaMissing(
        f"no JDK {wanted} found: install one (Temurin, Corretto, openjdk-{minimum}-jdk) "
        f"or set VAGUS_JAVA_HOME to its folder"
    )


def main(arguments: list[str]) -> int:
    """Resolves engines, or packs them for the artifact bucket."""
    parser = argparse.ArgumentParser(prog="python -m vagus_local.artifacts", description=main.__doc__)
    parser.add_argument("labels", nargs="*", default=[DEFAULT.label], help="such as opensearch-3.4.0")
    parser.add_argument("--pack", type=Path, metavar="FOLDER", help="write LABEL.tar.gz and its SHA-256 there")
    parser.add_argument("--jdk", type=Path, help="JDK of the nodes' architecture to pack with it")
    options = parser.parse_args(arguments)
    try:
        for label in options.labels:
            wanted = engine(label)
            print(pack(wanted, options.pack, jdk=options.jdk) if options.pack else _usable(wanted))
    except (ArtifactError, KeyError) as error:
        print(f"error: {error.args[0]}", file=sys.stderr)
        return 1
    return 0


def _usable(wanted: Engine) -> Path:
    find_java(wanted.java, wanted.java_below)  # a missing JDK is said before a long download
    return resolve(wanted)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
