"""The image: what Docker would put into it is enough to run both parts, and it holds nothing that only tests need."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOCKERFILE = (ROOT / "agent/Dockerfile").read_text()
IMPORTED = """
import sys
import botocore.session
import vagus_agent.agent, vagus_agent.main, vagus_agent.node
from vagus_agent.bucket import S3Bucket
from vagus_agent.kube import Https
S3Bucket.of_environment("claims-bucket")
print(*sorted({name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)))
"""
OF_PACKAGES = {"cryptography": "cryptography", "dateutil": "python-dateutil", "typing_extensions": "typing-extensions"}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """/opt/vagus, as the Dockerfile's COPY lines and .dockerignore make it."""
    for source, target in re.findall(r"^COPY (\S+) /opt/vagus/(\S+)$", DOCKERFILE, re.MULTILINE):
        shutil.copytree(ROOT / source, tmp_path / target, ignore=shutil.ignore_patterns("fake*.py", "__pycache__"))
    return tmp_path


def run(image: Path, *arguments: str) -> str:
    """Python in it: only what was copied, and installed packages."""
    given = {"PYTHONPATH": str(image), "PATH": os.environ["PATH"], "PYTHONSAFEPATH": "1"}
    given["AWS_DEFAULT_REGION"] = "eu-west-1"
    done = subprocess.run([sys.executable, *arguments], env=given, cwd=image, capture_output=True, text=True)
    return done.stdout + done.stderr


def test_both_parts_start_without_the_fakes(image: Path) -> None:
    assert not list(image.rglob("fake*"))
    for part in ("site", "node"):
        assert "vagus-agent: the environment has no " in run(image, "-m", "vagus_agent", part)


def test_what_it_imports_is_what_it_installs(image: Path) -> None:
    pinned = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "agent/requirements.txt").read_text(), re.MULTILINE))
    # what the interpreter itself loads from here is the virtual environment's own
    known = {"vagus", "vagus_agent", "sitecustomize", "usercustomize"}
    found = set(run(image, "-c", IMPORTED).split()) - known
    assert {"botocore", "cryptography", "msgspec", "urllib3"} <= found
    # botocore takes certifi where there is one, and has its own bundle else; with an underscore: parts of cryptography
    others = {name for name in found if not name.startswith("_") and name != "certifi"}
    assert {OF_PACKAGES.get(name, name) for name in others} - pinned == set()


def test_it_is_pinned_and_runs_as_nobody() -> None:
    (base,) = re.findall(r"^FROM (\S+)$", DOCKERFILE, re.MULTILINE)
    assert re.fullmatch(r"python:3\.13\.\d+-slim-[a-z]+", base)
    assert re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE) == ["65532:65532"]
    assert "--require-hashes" in DOCKERFILE
    ignored = (ROOT / "agent/Dockerfile.dockerignore").read_text().splitlines()
    assert ignored[0] == "*"
    assert "**/fake*.py" in ignored
    for source in re.findall(r"^COPY (\S+) ", DOCKERFILE, re.MULTILINE):
        assert any(f"!{source.replace('[r]', 'r')}" == one for one in ignored), source
