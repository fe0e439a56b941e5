"""Brings a search engine's jars from Maven Central into the cache, once; packs them as the artifact bucket holds them.

What may not happen here: a half engine under its final name, a version that is not pinned, a download without a word.
What differs between engines and versions is in the table `ENGINES` and nowhere else.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
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
from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True)
class Coordinate:
    """A Maven artifact with its exact version."""

    group: str
    artifact: str
    version: str
    packaging: str = "jar"

    def __str__(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}:{self.packaging}"

    def path(self, repository: Path) -> Path:
        """Where Maven puts it below its local repository."""
        folder = repository / self.group.replace(".", "/") / self.artifact / self.version
        return folder / f"{self.artifact}-{self.version}.{self.packaging}"


@dataclass(frozen=True)
class Module:
    """A module of the engine: Central serves its jars, the descriptor is ours."""

    name: str
    main_class: str
    coordinate: Coordinate
    policy: str = ""  # text of plugin-security.policy, for engines under Java's security manager


@dataclass(frozen=True)
class Plugin:
    """A plugin that Central serves as a zip; `extra` are jars that it expects from a module Central does not serve."""

    name: str
    coordinate: Coordinate
    extra: tuple[Coordinate, ...] = ()


@dataclass(frozen=True)
class Engine:
    """One engine version: what it is made of and what it needs to run."""

    name: str
    version: str
    java: int
    libraries: tuple[Coordinate, ...]
    modules: tuple[Module, ...]
    plugins: tuple[Plugin, ...]
    main_class: str
    properties: str  # prefix of the engine's system properties
    jvm: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Its folder's name, for instance opensearch-3.4.0."""
        return f"{self.name}-{self.version}"


ALL_PERMISSIONS = "grant { permission java.security.AllPermission; };\n"


def _opensearch(
    version: str,
    java: int,
    classloader: str,
    log4j: str,
    netty_class: str,
    plugin: Plugin,
    jvm: tuple[str, ...],
    policy: str = "",
    agent: bool = False,
) -> Engine:
    libraries = [
        Coordinate("org.opensearch", "opensearch", version),
        # optional in the server's pom, and must have log4j-api's exact version
        Coordinate("org.apache.logging.log4j", "log4j-core", log4j),
        Coordinate("org.opensearch", "opensearch-plugin-classloader", classloader),
    ]
    if agent:  # missing in the server's pom: NoClassDefFoundError AgentPolicy without it
        libraries.append(Coordinate("org.opensearch", "opensearch-agent-bootstrap", version))
    netty = Coordinate("org.opensearch.plugin", "transport-netty4-client", version)
    modules = (Module("transport-netty4", f"org.opensearch.transport.{netty_class}", netty, policy),)
    main = "org.opensearch.bootstrap.OpenSearch"
    return Engine("opensearch", version, java, tuple(libraries), modules, (plugin,), main, "opensearch", jvm)


def _security(version: str, *extra: Coordinate) -> Plugin:
    coordinate = Coordinate("org.opensearch.plugin", "opensearch-security", version, "zip")
    return Plugin("opensearch-security", coordinate, extra)


ENGINES: tuple[Engine, ...] = (
    _opensearch(
        "3.4.0",
        java=21,
        classloader="3.4.0",
        log4j="2.21.0",
        netty_class="Netty4ModulePlugin",
        # the plugin expects commons-collections4 from the module rule-framework, which Central does not serve
        plugin=_security("3.4.0.0", Coordinate("org.apache.commons", "commons-collections4", "4.4")),
        jvm=("--enable-native-access=ALL-UNNAMED",),
        agent=True,
    ),
    _opensearch(
        "2.19.4",
        java=17,
        classloader="2.19.1",  # the nearest that Central serves
        log4j="2.21.0",
        netty_class="Netty4Plugin",
        plugin=_security("2.19.4.0"),
        jvm=("-Djava.security.manager=allow",),
        policy=ALL_PERMISSIONS,
    ),
)
DEFAULT = ENGINES[0]


def engine(name: str, version: str) -> Engine:
    """The table's entry; KeyError names what the table has."""
    for candidate in ENGINES:
        if (candidate.name, candidate.version) == (name, version):
            return candidate
    known = ", ".join(e.label for e in ENGINES)
    raise KeyError(f"engine {name}-{version} is not in the table (known: {known})")


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


def find_java(minimum: int) -> Path:
    """The first JDK that is new enough. Raises JavaMissing with the remedy."""
    for home in java_homes():
        if (java_major(home) or 0) >= minimum:
            return home
    raise JavaMissing(
        f"no JDK {minimum} or newer found: install one (Temurin, Corretto, openjdk-{minimum}-jdk) "
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
            wanted = engine(*label.rsplit("-", 1))
            print(pack(wanted, options.pack, jdk=options.jdk) if options.pack else _usable(wanted))
    except (ArtifactError, KeyError) as error:
        print(f"error: {error.args[0]}", file=sys.stderr)
        return 1
    return 0


def _usable(wanted: Engine) -> Path:
    find_java(wanted.java)  # a missing JDK is said before a long download
    return resolve(wanted)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
