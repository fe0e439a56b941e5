"""What the boot script makes of another engine: its words for managers, and plain HTTP on the loopback alone."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.integration.nodes.bench import ADDRESS, INSTANCE, Bench

FAILED_CHECK = 78
LABEL = "elasticsearch-7.17.29"


@pytest.fixture
def elastic(bench: Bench) -> Bench:
    """The bench with an engine that has no security plugin, declared as the fleet file has to."""
    folder = bench.engine.rename(bench.engine.with_name(LABEL))
    told = json.loads((folder / "manifest.json").read_text())
    told |= {"engine": "elasticsearch", "version": "7.17.29", "java": 17, "java_below": 26, "properties": "es"}
    (folder / "manifest.json").write_text(json.dumps(told, indent=1))
    bench.parameters |= {"engine": "elasticsearch", "version": "7.17.29", "tls": "false"}
    return bench


def settings(bench: Bench) -> dict[str, object]:
    read: dict[str, object] = json.loads((bench.config / "elasticsearch.yml").read_text())
    return read


def test_elasticsearch_says_master_and_has_no_setting_of_the_security_plugin(elastic: Bench) -> None:
    done = elastic.prepare()
    assert done.returncode == 0, done.stderr
    written = settings(elastic)
    assert written["node.roles"] == ["data", "master"]
    assert written["cluster.initial_master_nodes"] == [INSTANCE, "i-2"]
    assert [name for name in written if name.startswith("plugins.") or "cluster_manager" in name] == []
    assert not (elastic.config / "certificates").exists()
    assert not (elastic.config / "opensearch-security").exists()
    command = (elastic.home / "search" / "command").read_text()
    assert f"-Des.path.home={elastic.home / 'search'}" in command


def test_a_formed_elasticsearch_cluster_names_no_initial_masters(elastic: Bench) -> None:
    elastic.parameters["formed"] = "u04gGYCgRieVzY_t9i5oIQ"
    assert elastic.prepare().returncode == 0
    assert "cluster.initial_master_nodes" not in settings(elastic)


def at(address: str) -> Callable[[Bench], object]:
    return lambda bench: bench.environment.update(PRIVATE_IP=address)


def parameter(name: str, value: str) -> Callable[[Bench], object]:
    return lambda bench: bench.parameters.update({name: value})


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (at("10.20.1.10"), "tls: plain HTTP is for loopback addresses alone, not for 10.20.1.10"),
        (at("127.1.1.10.example"), "tls: plain HTTP is for loopback addresses alone"),
        (parameter("tls", "true"), "tls: elasticsearch has no TLS here"),
        (lambda bench: bench.parameters.pop("tls"), "tls: elasticsearch has no TLS here"),
        (parameter("engine", "solr"), "engine: solr is neither"),
        (
            parameter("settings", '{"indices.a": 1, "xpack.security.http.ssl.enabled": true}'),
            "tls: the parameter settings has xpack.security.http.ssl.enabled: where and how a node without TLS",
        ),
        (
            parameter("settings", "{http.host : 0.0.0.0, transport.port: 1}"),
            "tls: the parameter settings has http.host,transport.port:",
        ),
    ],
    ids=[
        "a private address",
        "a name like a loopback address",
        "TLS wanted",
        "TLS not mentioned",
        "unknown",
        "a setting of TLS over HTTP",
        "another address to listen on",
    ],
)
def test_a_node_without_tls_is_not_started_with(elastic: Bench, spoil: Callable[[Bench], object], why: str) -> None:
    spoil(elastic)
    done = elastic.prepare()
    assert done.returncode == FAILED_CHECK, done.stderr
    assert f"CHECK FAILED: {why}" in done.stderr
    assert not (elastic.home / "search" / "command").exists()


def test_settings_that_only_sound_like_those_of_http_stay(elastic: Bench) -> None:
    elastic.parameters["settings"] = '{"indices.query.bool.max_clause_count": 4096, "node.attr.https": "a:network.b"}'
    done = elastic.prepare()
    assert done.returncode == 0, done.stderr
    assert settings(elastic)["node.attr.https"] == "a:network.b"


def test_opensearch_never_runs_without_tls(bench: Bench) -> None:
    bench.parameters["tls"] = "false"
    done = bench.prepare()
    assert done.returncode == FAILED_CHECK
    assert "CHECK FAILED: tls: the parameter tls says false: opensearch never runs without" in done.stderr
    assert ADDRESS.startswith("127."), "not even on the loopback"


def test_a_java_that_is_too_new_for_the_engine_is_passed_over(elastic: Bench, tmp_path: Path) -> None:
    manifest = elastic.folder / "engines" / LABEL / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"java_below": 26', '"java_below": 24'))
    older = tmp_path / "older"
    (older / "bin").mkdir(parents=True)
    (older / "bin" / "java").touch(mode=0o755)
    (older / "release").write_text('JAVA_VERSION="23.0.2"\n')
    elastic.environment["JAVA_HOME"] = str(older)  # asked after VAGUS_JAVA_HOME, which is Java 25 here
    assert elastic.prepare().returncode == 0
    assert (elastic.home / "search" / "command").read_text().startswith(str(older / "bin" / "java"))
