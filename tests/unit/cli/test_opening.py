"""Which target is opened: never AWS by accident, and a way out where none can be. No test here reaches a network."""

import json
from pathlib import Path

import pytest

from vagus_cli.opening import open_world
from vagus_cli.world import Choice, TargetName, UsageFault

ROOT = Path(__file__).parents[3]
FLEET = ROOT / "fleet"


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine on which nobody is logged in to AWS."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID",
                 "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_WEB_IDENTITY_TOKEN_FILE",
                 "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.fixture
def logged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


@pytest.mark.usefixtures("logged_in")
@pytest.mark.parametrize("target", [None, "local"])
def test_without_a_stack_nothing_is_opened_even_for_one_who_is_logged_in(
    tmp_path: Path, target: TargetName | None
) -> None:
    with pytest.raises(UsageFault, match=r"no local stack is up: bring it up .* --target aws"):
        open_world(Choice(target=target, region="eu-west-1"), tmp_path)


def test_a_stack_that_is_half_dead_is_said_with_the_way_out(tmp_path: Path) -> None:
    stack = {"endpoint": "http://127.0.0.1:1", "region": "us-east-1", "account": "0", "cell": "local",
             "fleet": str(FLEET), "clusters": ["demo"], "run": str(tmp_path / "run")}  # fmt: skip
    (tmp_path / "stack.json").write_text(json.dumps(stack))
    with pytest.raises(UsageFault, match="the emulator of this stack has ended; `make down` clears it away"):
        open_world(Choice(), tmp_path)


def test_nobody_is_logged_in() -> None:
    with pytest.raises(UsageFault, match="no AWS credentials were found: log in"):
        open_world(Choice(target="aws", fleet=FLEET, region="eu-west-1"))


def test_a_profile_that_there_is_not() -> None:
    with pytest.raises(UsageFault, match=r"profile .nope. could not be found"):
        open_world(Choice(target="aws", fleet=FLEET, profile="nope"))


@pytest.mark.usefixtures("logged_in")
def test_no_region() -> None:
    with pytest.raises(UsageFault, match="no AWS Region is known: name it with --region"):
        open_world(Choice(target="aws", fleet=FLEET))


@pytest.mark.usefixtures("logged_in")
def test_aws_is_opened_without_a_call_and_named() -> None:
    world = open_world(Choice(target="aws", fleet=FLEET, region="eu-west-1"))
    assert world.where == "target: AWS, profile default, Region eu-west-1"
    assert list(world.fleet) == ["demo"]
