"""What is shipped: the same bytes each time, pinned with hashes, and no cache of Python's."""

import base64
import gzip
import hashlib
import tarfile
from pathlib import Path

import msgspec
import pytest

from vagus import fleet
from vagus_cdk import layers, nodes
from vagus_cdk.settings import ROOT, SettingsError, read

EXAMPLES = {"fleet": "fleet/examples"}


def test_the_dependency_layer_has_the_versions_and_hashes_of_the_lock() -> None:
    locked = (ROOT / "requirements.lock").read_text()
    shipped = (ROOT / "layers/dependencies/requirements.txt").read_text()
    assert set(layers.pins(shipped)) == {
        "aws-lambda-powertools",
        "cffi",
        "cryptography",
        "jmespath",
        "msgspec",
        "pycparser",
        "typing-extensions",
    }
    assert layers.pins(shipped).items() <= layers.pins(locked).items()
    hashes = [line.strip(" \\") for line in shipped.splitlines() if "--hash" in line]
    assert hashes
    assert all(one in locked for one in hashes)


def test_the_core_layer_is_named_by_its_sources_alone(tmp_path: Path) -> None:
    source = tmp_path / "source/vagus"
    (source / "__pycache__").mkdir(parents=True)
    (source / "a.py").write_text("A = 1\n")
    first = layers.core(tmp_path / "build", source.parent)
    (source / "__pycache__/a.cpython-313.pyc").write_text("whatever a test left here")
    (source / "fake_shards.py").write_text("stands in for an engine in tests")
    assert layers.core(tmp_path / "build", source.parent) == first
    assert not list(first.rglob("fake*"))
    (source / "a.py").write_text("A = 2\n")
    assert layers.core(tmp_path / "build", source.parent) != first
    assert [one.name for one in first.rglob("*.pyc")] == ["a.cpython-313.pyc"]


def test_a_module_that_does_not_compile_is_not_shipped(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/a.py").write_text("def f(:\n")
    with pytest.raises(SettingsError, match="does not compile"):
        layers.core(tmp_path / "build", tmp_path / "source")
    assert not list((tmp_path / "build/layers").iterdir())


def test_user_data_is_the_boot_script_and_small_enough() -> None:
    packed = base64.b64decode(nodes.user_data())
    assert gzip.decompress(packed) == (ROOT / "nodes/boot.sh").read_bytes()
    assert len(packed) < nodes.USER_DATA_LIMIT
    assert nodes.user_data() == nodes.user_data()


def test_a_script_that_ec2_would_not_take_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "boot.sh"
    script.write_text("".join(hashlib.sha256(str(number).encode()).hexdigest() for number in range(1000)))
    with pytest.raises(ValueError, match="EC2 takes 16384"):
        nodes.user_data(script)


def test_the_bundle_is_named_by_its_content_and_has_what_boot_sh_needs(tmp_path: Path) -> None:
    made = nodes.bundle(tmp_path)
    assert made.name == f"{hashlib.sha256(made.read_bytes()).hexdigest()}.tar.gz"
    assert nodes.bundle(tmp_path) == made
    with tarfile.open(made) as archive:
        members = {one.name: one.mode for one in archive.getmembers()}
    assert members["bin/mount-data-volume"] == 0o755
    assert {"vagus-search.service", "security/roles.yml", "documents/restart-search.yaml"} <= set(members)


def test_the_fleet_layer_has_the_cells_clusters(tmp_path: Path) -> None:
    from msgspec.structs import replace

    settings = replace(read(EXAMPLES), build=tmp_path)
    folder = layers.fleet_folder(settings)
    document = (folder / "python/vagus_fleet/clusters.json").read_bytes()
    assert fleet.decode(document) == settings.clusters
    assert layers.fleet_folder(settings) == folder


def test_heap_and_managers_as_the_fleet_file_says() -> None:
    spec = read(EXAMPLES).clusters["claims"]
    values = nodes.Parameters.values(spec, "bucket", "nodes/x.tar.gz")
    assert (values["heap-managers"], values["heap-data"]) == ("4g", "31g")
    assert values["initial-managers"] == "3"
    assert values["formed-at-first"] == "none"
    assert "formed" not in values
    assert "tls" not in values


def test_a_node_is_told_only_where_there_is_no_tls() -> None:
    spec = read(EXAMPLES).clusters["claims"]
    engine = fleet.Engine(name="elasticsearch", version="7.17.29", tls=False)
    plain = msgspec.structs.replace(spec, engine=engine)
    assert nodes.Parameters.values(plain, "bucket", "nodes/x.tar.gz")["tls"] == "false"
