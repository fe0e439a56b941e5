"""A node's certificates while it runs: always one whole folder behind a link, whatever dies or is refused."""

from pathlib import Path

import pytest
from tests.integration.nodes.bench import Bench

from vagus_local.certificates import create_authority

NAMES = ("node.key", "node.pem", "ca.pem")


@pytest.fixture
def booted(bench: Bench) -> Bench:
    assert bench.prepare().returncode == 0
    return bench


def files(bench: Bench) -> dict[str, bytes]:
    return {name: (bench.config / "certificates" / name).read_bytes() for name in NAMES}


def folders(bench: Bench) -> list[Path]:
    """Every folder of certificates; the link is none."""
    return [one for one in bench.config.iterdir() if "certificates" in one.name and not one.is_symlink()]


def test_a_folder_of_before_goes_on_behind_a_link_and_a_killed_commands_key_does_not_stay(booted: Bench) -> None:
    link, had = booted.config / "certificates", files(booted)
    real = link.resolve()
    link.unlink()
    real.rename(link)
    half = booted.config / ".certificates-killed"
    half.mkdir()
    (half / "node.key").write_text("half made")
    assert booted.prepare().returncode == 0
    assert link.is_symlink()
    assert files(booted) == had
    assert folders(booted) == [link.resolve()]


def test_the_published_bundle_is_taken_up_beside_the_same_key(booted: Bench, tmp_path: Path) -> None:
    had = files(booted)
    other = create_authority(tmp_path / "other").ca.read_text()
    booted.parameters["trust"] = other + had["ca.pem"].decode()
    done = booted.boot("trust")
    assert done.returncode == 0, done.stderr
    assert files(booted) == had | {"ca.pem": booted.parameters["trust"].encode()}
    assert folders(booted) == [(booted.config / "certificates").resolve()]
    mode = (booted.config / "certificates" / "node.key").stat().st_mode
    assert mode & 0o077 == 0


def test_a_renewal_is_a_new_key_and_certificate(booted: Bench) -> None:
    had = files(booted)
    done = booted.boot("renew")
    assert done.returncode == 0, done.stderr
    now = files(booted)
    assert now["node.key"] != had["node.key"]
    assert now["node.pem"] != had["node.pem"]
    assert now["node.pem"].count(b"BEGIN CERTIFICATE") == 1, "the leaf alone"
    assert folders(booted) == [(booted.config / "certificates").resolve()]


@pytest.mark.parametrize(
    ("case", "answers", "code"),
    [
        ("no answer", "cat >/dev/null; echo no >&2; exit 1", 75),
        ("another's certificate", "cat >/dev/null; cat '{0}/client.pem' '{0}/ca.pem'", 78),
    ],
    ids=["no answer", "another's certificate"],
)
def test_a_renewal_that_fails_leaves_all_as_it_was(booted: Bench, case: str, answers: str, code: int) -> None:
    had = files(booted)
    booted.replace("issue-certificate", answers.format(booted.owner))
    done = booted.boot("renew")
    assert (done.returncode, "CHECK FAILED: certificate" in done.stderr) == (code, True), case
    assert files(booted) == had
    assert folders(booted) == [(booted.config / "certificates").resolve()]


@pytest.mark.parametrize("command", ["trust", "renew", "prepare"])
@pytest.mark.parametrize(
    "to", ["../../../elsewhere", "elsewhere", "certificates-a/../../elsewhere", "certificates-link"]
)
def test_a_link_to_what_is_not_ours_is_not_followed(booted: Bench, tmp_path: Path, command: str, to: str) -> None:
    """The search process's user owns the link, and the command is root's."""
    link, target = booted.config / "certificates", booted.config / "elsewhere"
    link.resolve().rename(target)
    (booted.config / "certificates-link").symlink_to("elsewhere")
    link.unlink()
    link.symlink_to(to)
    booted.parameters["trust"] = create_authority(tmp_path / "other").ca.read_text()
    done = booted.boot(command)
    assert done.returncode == 78, done.stderr
    assert f"certificates leads to {to}" in done.stderr
    assert sorted(one.name for one in target.iterdir()) == sorted(NAMES), "nothing was removed"


@pytest.mark.parametrize("name", ["node.key", "node.pem"])
def test_a_file_that_is_a_link_is_not_read(booted: Bench, tmp_path: Path, name: str) -> None:
    secret = tmp_path / "shadow"
    secret.write_text("what only root reads")
    secret.chmod(0o600)
    held = booted.config / "certificates" / name
    held.unlink()
    held.symlink_to(secret)
    booted.parameters["trust"] = create_authority(tmp_path / "other").ca.read_text()
    done = booted.boot("trust")
    assert done.returncode == 78, done.stderr
    assert f"{name} is no file of its own" in done.stderr
    assert secret.stat().st_mode & 0o777 == 0o600
    assert folders(booted) == [(booted.config / "certificates").resolve()]
    assert not [
        one for one in booted.config.rglob("*") if one.is_file() and not one.is_symlink() and one.samefile(secret)
    ]


def test_what_else_lies_in_the_folder_is_not_copied(booted: Bench, tmp_path: Path) -> None:
    secret = tmp_path / "shadow"
    secret.write_text("what only root reads")
    (booted.config / "certificates" / "more").symlink_to(secret)
    booted.parameters["trust"] = create_authority(tmp_path / "other").ca.read_text()
    assert booted.boot("trust").returncode == 0
    assert sorted(one.name for one in (booted.config / "certificates").iterdir()) == sorted(NAMES)


def test_before_the_first_boot_nothing_is_made(bench: Bench) -> None:
    done = bench.boot("renew")
    assert done.returncode == 78
    assert "has not booted yet" in done.stderr
    assert not (bench.config / "certificates").exists()
