"""A bench for one boot, and a cluster of three real nodes."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.nodes.bench import ADDRESS, INSTANCE, Bench, described

from vagus_local.artifacts import sha256
from vagus_local.certificates import create_authority
from vagus_local.cluster import LocalCluster


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    create_authority(made.owner)
    (tmp_path / "jdk" / "bin").mkdir(parents=True)
    (tmp_path / "jdk" / "bin" / "java").touch(mode=0o755)
    (tmp_path / "jdk" / "release").write_text('JAVA_VERSION="25.0.1"\n')
    for part in ("lib", "modules/netty", "plugins/security"):
        (made.engine / part).mkdir(parents=True)
        (made.engine / part / "a-1.jar").write_text(part)
    jars = {str(p.relative_to(made.engine)): sha256(p) for p in made.engine.rglob("*.jar")}
    manifest = {"engine": "opensearch", "version": "3.4.0", "java": 21, "main_class": "org.example.Main"}
    manifest |= {"properties": "opensearch", "jvm": "-Da=b -Dc=d,e", "jars": jars}
    (made.engine / "manifest.json").write_text(json.dumps(manifest, indent=1))
    made.parameters |= {"engine": "opensearch", "version": "3.4.0", "heap": "192m", "zones": "a,b", "formed": "none"}
    made.parameters |= {"initial-managers": "2", "artifact-bucket": "artifacts", "settings": '{"a.b": 1}'}
    made.instances = [
        described("i-2", "127.90.1.12", "cluster_manager"),
        described(INSTANCE, ADDRESS, "data,cluster_manager"),
        described("i-3", "127.90.1.13", "data"),
        described("i-4", "127.90.1.14", "cluster_manager", "terminated"),
        described("i-5", "127.90.1.15", "cluster_manager", cluster="two"),
    ]
    return made


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    settings = {"path.repo": str(tmp_path_factory.mktemp("repositories"))}
    with LocalCluster(nodes_per_zone=1, zones=("a", "b", "c"), settings=settings) as running:
        yield running
