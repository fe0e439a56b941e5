"""The engines that the local stack can run: what each is made of, and what it needs to run.

What differs between engines and versions is in the table `ENGINES`; what differs in their settings in nodes/boot.sh, in
how they are spoken to in `vagus.search.engines`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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
    def java_below(self) -> int | None:
        """The first Java version that it does not run on, if there is one."""
        return WITHOUT_SECURITY_MANAGER if SECURITY_MANAGER in self.jvm else None

    @property
    def secured(self) -> bool:
        """Whether its nodes speak TLS and know their clients: Central serves Elasticsearch without x-pack."""
        return self.name == "opensearch"

    @property
    def label(self) -> str:
        """Its folder's name, for instance opensearch-3.4.0."""
        return f"{self.name}-{self.version}"


ALL_PERMISSIONS = "grant { permission java.security.AllPermission; };\n"
# the engine refuses a module that asks for everything. Without setContextClassLoader a SIGTERM hangs
ELASTICSEARCH_NETTY = """grant codeBase "${codebase.netty-common}" {
  permission java.io.FilePermission "/proc/sys/net/core/somaxconn", "read";
  permission java.net.SocketPermission "*", "accept,connect";
  permission java.lang.RuntimePermission "getClassLoader";
  permission java.lang.RuntimePermission "setContextClassLoader";
};
grant codeBase "${codebase.netty-transport}" {
  permission java.util.PropertyPermission "sun.nio.ch.bugLevel", "write";
  permission java.net.SocketPermission "*", "accept,connect";
};
"""
SECURITY_MANAGER = "-Djava.security.manager=allow"
WITHOUT_SECURITY_MANAGER = 24
"""The Java version that has none: engines that need one don't start on it."""


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


def _elasticsearch(version: str, log4j: str) -> Engine:
    libraries = (
        Coordinate("org.elasticsearch", "elasticsearch", version),
        Coordinate("org.apache.logging.log4j", "log4j-core", log4j),
        Coordinate("org.elasticsearch", "elasticsearch-plugin-classloader", version),
    )
    netty = Coordinate("org.elasticsearch.plugin", "transport-netty4-client", version)
    netty_class = "org.elasticsearch.transport.Netty4Plugin"
    modules = (Module("transport-netty4", netty_class, netty, ELASTICSEARCH_NETTY),)
    main = "org.elasticsearch.bootstrap.Elasticsearch"
    jvm = (SECURITY_MANAGER, "-Djava.locale.providers=SPI,COMPAT", "-Des.distribution.flavor=oss")
    return Engine("elasticsearch", version, 17, libraries, modules, (), main, "es", jvm)


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
        jvm=(SECURITY_MANAGER,),
        policy=ALL_PERMISSIONS,
    ),
    _elasticsearch("7.17.29", log4j="2.17.1"),
)
DEFAULT = ENGINES[0]


def engine(label: str) -> Engine:
    """The table's entry, by a name such as opensearch-3.4.0; KeyError names what the table has."""
    known = {candidate.label: candidate for candidate in ENGINES}
    if label not in known:
        raise KeyError(f"engine {label} is not in the table (known: {', '.join(known)})")
    return known[label]
