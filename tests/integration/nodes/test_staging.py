"""Engines are brought and checked, also while a process runs: no jar but the manifest's, none older than the data. No
search process runs here."""

import hashlib
import json
import os
import shutil
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.integration.nodes.bench import Bench


def test_an_engine_that_is_not_in_the_image_comes_from_the_bucket(bench: Bench) -> None:
    folder = bench.folder / "buckets" / "artifacts" / "engines"
    folder.mkdir(parents=True)
    archive = folder / "opensearch-3.4.0.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(bench.engine, arcname="opensearch-3.4.0")
    checksum = hashlib.sha256(archive.read_bytes()).hexdigest()
    archive.with_name(archive.name + ".sha256").write_text(f"{checksum}  {archive.name}\n")
    bench.engine.rename(bench.folder / "away")
    done = bench.prepare()
    assert done.returncode == 0, done.stderr
    assert json.loads((bench.engine / "manifest.json").read_text())["version"] == "3.4.0"
    assert [p.name for p in bench.engine.parent.iterdir()] == ["opensearch-3.4.0"], "no scratch is left"


def tree(folder: Path) -> dict[str, float]:
    """Every path below a folder, and when it was last changed."""
    return {str(path.relative_to(folder)): path.lstat().st_mtime for path in sorted(folder.rglob("*"))}


def test_staging_brings_the_engine_and_touches_nothing_that_runs(bench: Bench) -> None:
    assert bench.prepare().returncode == 0
    before = tree(bench.home / "search")
    assert bench.boot("stage").returncode == 0
    assert tree(bench.home / "search") == before


def written_by(bench: Bench, number: int) -> None:
    """The node's data notes which version wrote it, as Lucene writes a commit's words: each after its length."""
    state = bench.home / "data" / "search" / "nodes" / "0" / "_state"
    state.mkdir(parents=True, exist_ok=True)
    text = str(number).encode()
    (state / "segments_h").write_bytes(
        b"\x3f\xd7\x00\x0cnode_version" + bytes([len(text)]) + text + b"\x0ccurrent_term\x011"
    )


WRITTEN: dict[str, tuple[int, str]] = {
    "by an older one": (136408227, ""),
    "by the same": (137257827, ""),
    "by a newer patch": (137257927, "holds data of opensearch 3.4.1"),
    "by a newer major": (138217727 + 99, "holds data of opensearch 4.0.0"),
    "by another engine, which says itself what it makes of that": (7172999, ""),
}


@pytest.mark.parametrize("verb", ["prepare", "stage"])
@pytest.mark.parametrize(("number", "words"), WRITTEN.values(), ids=WRITTEN.keys())
def test_no_engine_is_started_on_data_of_a_newer_one(bench: Bench, verb: str, number: int, words: str) -> None:
    assert bench.prepare().returncode == 0
    written_by(bench, number)
    done = bench.boot(verb)
    assert done.returncode == (78 if words else 0), done.stderr
    assert words in done.stderr
    if words:
        assert "CHECK FAILED: data: " in done.stderr
        assert "which 3.4.0 (the parameter version) can't read" in done.stderr
        assert "Only if every shard has another copy" in done.stderr


def test_a_version_is_staged_that_the_parameter_does_not_say_yet(bench: Bench) -> None:
    assert bench.prepare().returncode == 0
    before = tree(bench.home / "search")
    done = bench.boot("stage", "3.5.0")
    assert done.returncode == 75
    assert "no opensearch-3.5.0.tar.gz in the artifact bucket" in done.stderr
    bench.parameters["version"] = "2.19.4"
    done = bench.boot("stage", "3.4.0")
    assert (done.returncode, done.stdout) == (0, "staged 3.4.0\n"), done.stderr
    assert tree(bench.home / "search") == before


STAGED: dict[str, tuple[str, str, str]] = {
    "a version that is not in the bucket": ("version", "3.5.0", "no opensearch-3.5.0.tar.gz in the artifact bucket"),
    "a zone that is not the cluster's": ("zones", "b,c", "is not one of the cluster's zones"),
}


@pytest.mark.parametrize(("parameter", "value", "words"), STAGED.values(), ids=STAGED.keys())
def test_what_the_next_start_lacks_is_found_while_the_present_process_runs(
    bench: Bench, parameter: str, value: str, words: str
) -> None:
    assert bench.prepare().returncode == 0
    before = tree(bench.home / "search")
    bench.parameters[parameter] = value
    done = bench.boot("stage")
    assert done.returncode in (75, 78)
    assert words in done.stderr
    assert tree(bench.home / "search") == before


def packed(bench: Bench, label: str, spoil: Callable[[Path], object]) -> None:
    """Puts an engine into the artifact bucket, as the release does: the archive and its SHA-256."""
    made = bench.folder / "made" / label
    shutil.rmtree(made, ignore_errors=True)
    shutil.copytree(bench.engine, made)
    manifest = made / "manifest.json"
    manifest.write_text(manifest.read_text().replace("3.4.0", label.removeprefix("opensearch-")))
    spoil(made)
    archive = bench.folder / "buckets" / "artifacts" / "engines" / f"{label}.tar.gz"
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        tar.add(made, label)
    sum_of = hashlib.sha256(archive.read_bytes()).hexdigest()
    archive.with_name(f"{archive.name}.sha256").write_text(f"{sum_of}  {archive.name}\n")


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "a jar is another": (
        lambda made: next(made.rglob("*.jar")).write_text("something else"),
        "a jar of opensearch-3.5.0 is not the one in its manifest",
    ),
    "its manifest says another version": (
        lambda made: (made / "manifest.json").write_text(
            (made / "manifest.json").read_text().replace("3.5.0", "3.4.0")
        ),
        "the manifest says opensearch-3.4.0, the parameter says opensearch-3.5.0",
    ),
    "it has no manifest": (
        lambda made: (made / "manifest.json").unlink(),
        "opensearch-3.5.0.tar.gz has no opensearch-3.5.0/manifest.json",
    ),
}


@pytest.mark.parametrize(("spoil", "words"), SPOILT.values(), ids=SPOILT.keys())
def test_an_archive_that_was_put_right_is_fetched_again(
    bench: Bench, spoil: Callable[[Path], object], words: str
) -> None:
    """What failed is left nowhere: else the node would never look at the bucket again."""
    packed(bench, "opensearch-3.5.0", spoil)
    done = bench.boot("stage", "3.5.0")
    assert (done.returncode, done.stdout) == (78, "")
    assert f"CHECK FAILED: engine: {words}" in done.stderr
    assert [path.name for path in bench.engine.parent.iterdir()] == [bench.engine.name]
    packed(bench, "opensearch-3.5.0", lambda _made: None)
    done = bench.boot("stage", "3.5.0")
    assert (done.returncode, done.stdout) == (0, "staged 3.5.0\n"), done.stderr


def test_a_package_whose_jar_is_another_is_not_staged(bench: Bench) -> None:
    assert bench.prepare().returncode == 0
    next(bench.engine.rglob("*.jar")).write_text("something else")
    done = bench.boot("stage")
    assert done.returncode == 78
    assert "is not the one in its manifest" in done.stderr


def test_jars_that_were_checked_while_the_node_served_are_not_checked_again_while_it_is_away_but_once(
    bench: Bench,
) -> None:
    """Seen by a jar that becomes another with the times of before, as no package does."""
    assert bench.prepare().returncode == 0
    assert bench.boot("stage").returncode == 0
    changed_unnoticed(next(bench.engine.rglob("*.jar")))
    assert bench.prepare().returncode == 0
    done = bench.prepare()
    assert done.returncode == 78
    assert "is not the one in its manifest" in done.stderr


UNPROVED: dict[str, Callable[[Bench], object]] = {
    "long ago": lambda bench: os.utime(bench.home / "checked", (1, 1)),
    "of another version": lambda bench: (bench.home / "checked").write_text("opensearch-3.3.0\n"),
    "before a package was changed": lambda bench: os.utime(next(bench.engine.rglob("*.jar")), (time.time() + 5,) * 2),
    "and then staging failed": lambda bench: bench.boot("stage", "3.5.0"),
}


@pytest.mark.parametrize("since", UNPROVED.values(), ids=UNPROVED.keys())
def test_jars_are_checked_at_the_start_where_they_were_checked(bench: Bench, since: Callable[[Bench], object]) -> None:
    assert bench.prepare().returncode == 0
    changed_unnoticed(next(bench.engine.rglob("*.jar")))
    (bench.home / "checked").write_text("opensearch-3.4.0\n")
    since(bench)
    done = bench.prepare()
    assert done.returncode == 78
    assert "is not the one in its manifest" in done.stderr


def changed_unnoticed(jar: Path) -> None:
    """Other bytes, the same times."""
    was = jar.stat()
    jar.write_text("something else")
    os.utime(jar, ns=(was.st_atime_ns, was.st_mtime_ns))
