"""Makes the engine's classes load from an archive: a third less CPU for each start of a local node.

The JVM writes the archive when a trained node ends (class data sharing); the stand-in `run-search` uses it where it is.
It fits one Java version and one engine; the JVM passes over one that doesn't fit. Nodes start without it too.
"""

import os
import re
import signal
import sys
import time
from pathlib import Path

from vagus_local import artifacts
from vagus_local.artifacts import Say, cache_folder, locked
from vagus_local.cluster import ClusterError, LocalCluster
from vagus_local.engines import DEFAULT, Engine
from vagus_local.node import LocalNode

WRITE_SECONDS = 180.0


def path(engine: Engine) -> Path:
    """Where `run-search` looks for it: in the engine's folder, named by the Java version."""
    release = (artifacts.find_java(engine.java, engine.java_below) / "release").read_text()
    version = re.findall(r'^JAVA_VERSION="([^"]+)"', release, re.MULTILINE)[0]
    return artifacts.engines_folder() / engine.label / f"classes-{version}.jsa"


def ensure(engine: Engine = DEFAULT, say: Say = print) -> Path:
    """The archive; trains one node for it if it isn't there (half a minute). Raises ClusterError."""
    artifacts.resolve(engine, say)
    archive = path(engine)
    with locked(cache_folder() / "locks" / f"{archive.parent.name}-classes.lock"):
        if not archive.exists():
            say(f"{engine.label}: training one node, so that later ones start faster")
            partial = archive.with_suffix(".partial")
            partial.unlink(missing_ok=True)
            _train(engine, partial)
            partial.rename(archive)
    return archive


def _train(engine: Engine, target: Path) -> None:
    with LocalCluster(1, ("a",), engine=engine, jvm=f"-XX:ArchiveClassesAtExit={target}") as cluster:
        cluster.call("PUT", "/trained/_doc/1?refresh=true", {"a": 1})
        cluster.call("GET", "/trained/_search")
        _end_and_wait(cluster, next(iter(cluster.nodes.values())))
    if not target.exists():
        raise ClusterError(f"the JVM wrote no archive of {engine.label}'s classes")


def _end_and_wait(cluster: LocalCluster, node: LocalNode) -> None:
    """A stop of the service gives up after seconds; writing the archive takes longer."""
    said = cluster.shell(node, "systemctl show --property=MainPID --value vagus-search").stdout
    os.kill(int(said), signal.SIGTERM)
    deadline = time.monotonic() + WRITE_SECONDS
    while cluster.shell(node, "systemctl is-active --quiet vagus-search").returncode == 0:
        if time.monotonic() > deadline:
            raise ClusterError(f"the node has not ended after {WRITE_SECONDS:.0f} s")
        time.sleep(0.2)


def main() -> int:
    """python -m vagus_local.class_archive"""
    print(ensure())
    return 0


if __name__ == "__main__":
    sys.exit(main())
