"""Each check of the boot script fails for its own reason, and then nothing is started. No search process runs here."""

import base64
import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from tests.integration.nodes.bench import ADDRESS, INSTANCE, Bench, described

from vagus_cdk.nodes import user_data
from vagus_local.node import BOOT

Break = Callable[[Bench], object]
FAILED_CHECK, TRIED_AGAIN = 78, 75


def parameter(name: str, value: str) -> Break:
    return lambda bench: bench.parameters.update({name: value})


def without(name: str) -> Break:
    return lambda bench: bench.parameters.pop(name)


def other_jar(bench: Bench) -> None:
    (bench.engine / "lib" / "a-1.jar").write_text("another")


def other_manifest(bench: Bench) -> None:
    path = bench.engine / "manifest.json"
    path.write_text(path.read_text().replace("3.4.0", "3.3.0"))


def old_java(bench: Bench) -> None:
    path = bench.engine / "manifest.json"
    path.write_text(path.read_text().replace('"java": 21', '"java": 99'))


def no_engine(bench: Bench) -> None:
    bench.parameters["version"] = "3.5.0"


def torn_archive(bench: Bench) -> None:
    bench.parameters["version"] = "3.5.0"
    folder = bench.folder / "buckets" / "artifacts" / "engines"
    folder.mkdir(parents=True)
    (folder / "opensearch-3.5.0.tar.gz").write_text("half")
    (folder / "opensearch-3.5.0.tar.gz.sha256").write_text(f"{'0' * 64}  opensearch-3.5.0.tar.gz\n")


def refusing_issuer(bench: Bench) -> None:
    bench.replace("issue-certificate", "cat >/dev/null; echo no >&2; exit 1")


def foreign_chain(bench: Bench) -> None:
    """An issuer that answers with a certificate of another key and other names."""
    bench.replace("issue-certificate", f"cat >/dev/null; cat '{bench.owner}/client.pem' '{_ca(bench)}'")


def chain_without_authority(bench: Bench) -> None:
    bench.replace("issue-certificate", f"cat >/dev/null; cat '{bench.owner}/client.pem'")


def _ca(bench: Bench) -> Path:
    return bench.owner / "ca.pem"


def unwritable_volume(bench: Bench) -> None:
    (bench.folder / "plain-file").touch()
    bench.replace("mount-data-volume", f"echo '{bench.folder}/plain-file'")


def unmountable_volume(bench: Bench) -> None:
    bench.replace("mount-data-volume", "echo no such device >&2; exit 1")


CASES: list[tuple[str, Break, str, str]] = [
    ("a zone that is not the cluster's", parameter("zones", "b,c"), "zone", "a is not one of"),
    ("a zone whose name only begins like one", parameter("zones", "ab,c"), "zone", "a is not one of"),
    ("another version in the manifest", other_manifest, "engine", "the manifest says opensearch-3.3.0"),
    ("a jar that is not the one in the manifest", other_jar, "engine", "not the one in its manifest"),
    ("an engine that is nowhere", no_engine, "engine", "no opensearch-3.5.0.tar.gz in the artifact bucket"),
    ("an archive with another checksum", torn_archive, "engine", "does not match its SHA-256"),
    ("no Java that is new enough", old_java, "java", "no JDK 99"),
    ("an issuer that refuses", refusing_issuer, "certificate", "did not sign"),
    ("a certificate for other names", foreign_chain, "certificate", "not for address"),
    ("a chain without its authority", chain_without_authority, "certificate", "there is none"),
    ("a volume that cannot be written", unwritable_volume, "disk", "not writable"),
    ("a volume that cannot be mounted", unmountable_volume, "disk", "cannot be mounted"),
    ("a full volume", parameter("minimum-free-mb", "999999999"), "disk", "needs 999999999"),
    ("no version parameter", without("version"), "parameters", "/vagus/one/node/version is not set"),
    ("no word whether the cluster is formed", without("formed"), "parameters", "formed is not set"),
    ("no cluster tag", lambda bench: bench.tags.pop("vagus:cluster"), "tags", "no tag vagus:cluster"),
    ("no roles tag", lambda bench: bench.tags.pop("vagus:roles"), "tags", "no tag vagus:roles"),
]


@pytest.mark.parametrize(("case", "spoil", "check", "why"), CASES, ids=[c[0] for c in CASES])
def test_the_node_is_not_started_with(bench: Bench, case: str, spoil: Break, check: str, why: str) -> None:
    spoil(bench)
    done = bench.prepare()
    failures = [line for line in done.stderr.splitlines() if line.startswith("CHECK FAILED")]
    later = spoil in (no_engine, refusing_issuer, unmountable_volume)  # may be well in a moment
    assert done.returncode == (TRIED_AGAIN if later else FAILED_CHECK), done.stderr
    assert failures, done.stderr
    assert all(line.startswith(f"CHECK FAILED: {check}: ") for line in failures), failures
    assert why in failures[0]
    assert not (bench.home / "search" / "command").exists(), "nothing to start was left"
    assert [p.name for p in bench.home.rglob(".*") if p.is_dir()] == [], "no half-made key was left"


def test_several_failures_are_named_in_one_go(bench: Bench) -> None:
    parameter("zones", "b")(bench)
    parameter("minimum-free-mb", "999999999")(bench)
    text = bench.prepare().stderr
    assert "CHECK FAILED: zone" in text
    assert "CHECK FAILED: disk" in text


def test_a_good_instance_is_configured(bench: Bench) -> None:
    done = bench.prepare()
    assert done.returncode == 0, done.stderr
    settings = bench.settings()
    assert settings["node.name"] == INSTANCE
    assert settings["node.attr.zone"] == "a"
    assert settings["network.host"] == ADDRESS
    assert settings["node.roles"] == ["data", "cluster_manager"]
    assert settings["cluster.routing.allocation.awareness.force.zone.values"] == ["a", "b"]
    assert settings["a.b"] == 1, "the settings parameter"
    assert (bench.config / "unicast_hosts.txt").read_text().split() == [ADDRESS, "127.90.1.12"]
    command = (bench.home / "search" / "command").read_text().splitlines()
    assert command[0] == str(bench.folder / "jdk" / "bin" / "java")
    assert command[1:3] == ["-Xms192m", "-Xmx192m"]
    assert {"-Da=b", "-Dc=d,e"} <= set(command), "the engine's own flags, from its manifest"
    assert command[-1] == "org.example.Main"


def test_a_group_may_have_a_heap_of_its_own(bench: Bench) -> None:
    bench.tags["vagus:group"] = "core"
    bench.parameters["heap-core"] = "1g"
    assert bench.prepare().returncode == 0
    assert "-Xmx1g" in (bench.home / "search" / "command").read_text()


FORMING = "cluster.initial_cluster_manager_nodes"


def test_managers_form_the_cluster_only_while_it_is_not_formed(bench: Bench) -> None:
    assert bench.prepare().returncode == 0
    assert bench.settings()[FORMING] == [INSTANCE, "i-2"]
    bench.parameters["formed"] = "u04gGYCgRieVzY_t9i5oIQ"
    assert bench.prepare().returncode == 0
    assert FORMING not in bench.settings()


def test_the_templates_word_holds_until_a_step_has_written_that_the_cluster_is_formed(bench: Bench) -> None:
    bench.parameters["formed-at-first"] = bench.parameters.pop("formed")
    assert bench.prepare().returncode == 0
    assert FORMING in bench.settings()
    bench.parameters["formed"] = "u04gGYCgRieVzY_t9i5oIQ"
    assert bench.prepare().returncode == 0
    assert FORMING not in bench.settings()


def has_been_a_node(bench: Bench) -> None:
    """What a search process leaves on the data volume at its first start, formed or not."""
    (bench.home / "data" / "search" / "nodes" / "0" / "_state").mkdir(parents=True)


def test_a_manager_that_comes_back_waits_for_nobody_and_never_forms_with_others_than_before(bench: Bench) -> None:
    assert bench.prepare().returncode == 0
    has_been_a_node(bench)
    bench.instances = [bench.instances[1], described("i-9", "127.90.1.19", "cluster_manager")]
    assert bench.prepare().returncode == 0
    assert bench.settings()[FORMING] == [INSTANCE, "i-2"], "its first list, whoever is there now"
    bench.instances = bench.instances[:1]
    done = bench.prepare()
    assert done.returncode == 0
    assert "waiting for managers" not in done.stderr


def test_a_node_of_a_cluster_that_nobody_noted_joins_it_again(bench: Bench) -> None:
    has_been_a_node(bench)
    bench.parameters["initial-managers"] = "3"
    assert bench.prepare().returncode == 0
    assert FORMING not in bench.settings()


def test_a_check_that_fails_is_the_end_of_the_main_process_and_nobody_is_told_of_a_start(bench: Bench) -> None:
    bench.environment["NOTIFY_SOCKET"] = "/run/notify"
    bench.replace("systemd-notify", f'echo "$@" >>"{bench.folder}/notified"')
    bench.replace("run-search", f'echo "search ${{NOTIFY_SOCKET:-alone}}" >>"{bench.folder}/notified"')
    bench.replace("search-gate", "exit 1")  # its watcher would outlive this, and a node without a gate starts too
    bench.replace("callers", f'echo "$@" >>"{bench.folder}/kept"; exit 1')  # nor without who calls it being noted
    bench.parameters["zones"] = "b,c"
    assert bench.boot("start").returncode == FAILED_CHECK
    assert not (bench.folder / "notified").exists()
    bench.parameters["zones"] = "a,b"
    assert bench.boot("start").returncode == 0
    assert (bench.folder / "notified").read_text().splitlines() == ["--ready", "search alone"]
    assert (bench.folder / "kept").read_text() == f"keep {ADDRESS}\n"


def test_a_node_that_is_no_manager_never_forms_a_cluster(bench: Bench) -> None:
    bench.tags["vagus:roles"] = "data,ingest"
    bench.instances = [i for i in bench.instances if i["InstanceId"] != INSTANCE]
    assert bench.prepare().returncode == 0
    assert FORMING not in bench.settings()
    assert bench.settings()["node.roles"] == ["data", "ingest"]


def test_a_coordinating_node_has_no_roles(bench: Bench) -> None:
    bench.tags["vagus:roles"] = "coordinating"
    assert bench.prepare().returncode == 0
    assert bench.settings()["node.roles"] == []


def test_the_key_is_born_here_and_a_good_certificate_is_kept(bench: Bench) -> None:
    folder = bench.config / "certificates"
    assert bench.prepare().returncode == 0
    first = {name: (folder / name).read_bytes() for name in ("node.key", "node.pem", "ca.pem")}
    assert first["node.key"].startswith(b"-----BEGIN PRIVATE KEY-----")
    assert (folder / "node.key").stat().st_mode & 0o077 == 0
    assert bench.prepare().returncode == 0
    assert {name: (folder / name).read_bytes() for name in first} == first


def test_a_certificate_of_a_former_address_is_replaced(bench: Bench) -> None:
    assert bench.prepare().returncode == 0
    bench.environment["PRIVATE_IP"] = "127.90.1.77"
    assert bench.prepare().returncode == 0
    leaf = x509.load_pem_x509_certificates((bench.config / "certificates" / "node.pem").read_bytes())[0]
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == ["127.90.1.77"]


def test_user_data_fits_into_what_ec2_allows() -> None:
    assert gzip.decompress(base64.b64decode(user_data())) == BOOT.read_bytes(), "cloud-init unpacks it"
