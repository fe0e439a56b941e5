"""boot.sh as EC2 runs it: alone, its facts from the metadata service, the rest of nodes/ from the artifact bucket."""

import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.integration.nodes.bench import ADDRESS, INSTANCE, Bench

from vagus_cdk.nodes import bundle
from vagus_local.node import BOOT, PACKAGE

FACTS = {
    "instance-id": INSTANCE,
    "placement/availability-zone": "a",
    "placement/region": "us-east-1",
    "local-ipv4": ADDRESS,
    "tags/instance/vagus:cluster": "one",
    "tags/instance/vagus:roles": "data,cluster_manager",
}
TOKEN = "session-token"
PREFIX = "/latest/meta-data/"


class Metadata(BaseHTTPRequestHandler):
    """Version 2 of the instance metadata service: a session first, else 401."""

    def do_PUT(self) -> None:
        asked = self.path == "/latest/api/token" and self.headers["X-aws-ec2-metadata-token-ttl-seconds"]
        self.answer(200 if asked else 400, TOKEN)

    def do_GET(self) -> None:
        if self.headers["X-aws-ec2-metadata-token"] != TOKEN:
            return self.answer(401, "")
        fact = FACTS.get(self.path.removeprefix(PREFIX))
        return self.answer(404 if fact is None else 200, fact or "")

    def answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@pytest.fixture
def metadata() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Metadata) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def alone(bench: Bench, metadata: str) -> Bench:
    """boot.sh without its neighbours, and only the stand-ins that AWS would not have."""
    bench.script = bench.folder / "user-data" / "part-001"
    bench.script.parent.mkdir()
    shutil.copy(BOOT, bench.script)
    bench.facts_by_environment = False
    bench.environment |= {
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata,
        "VAGUS_NODES": str(bench.folder / "opt-nodes"),
        "VAGUS_PYTHON": str(PACKAGE.parents[1] / ".venv/bin/python"),
    }
    bench.replace("systemctl", f'echo "$@" >>"{bench.folder}/systemctl"')
    for name in ("aws", "mount-data-volume", "issue-certificate"):
        bench.replace(name, f'exec "{PACKAGE}/node_bin/{name}" "$@"')
    packed = bundle(bench.folder / "buckets" / "artifacts")
    bench.parameters["nodes-bundle"] = f"nodes/{packed.name}"
    return bench


def test_the_first_boot_brings_the_bundle_and_starts_the_service(alone: Bench) -> None:
    done = alone.boot()
    assert done.returncode == 0, done.stderr
    nodes = alone.folder / "opt-nodes"
    assert (nodes / "boot.sh").read_bytes() == BOOT.read_bytes()
    assert (nodes / "bin" / "run-search").stat().st_mode & 0o100
    asked = (alone.folder / "systemctl").read_text().splitlines()
    assert asked == [f"link {nodes}/vagus-search.service", "enable --now vagus-search"]


def test_the_service_then_prepares_from_the_bundle(alone: Bench) -> None:
    assert alone.boot().returncode == 0
    alone.script = alone.folder / "opt-nodes" / "boot.sh"
    done = alone.prepare()
    assert done.returncode == 0, done.stderr
    assert alone.settings()["node.name"] == INSTANCE
    assert (alone.config / "opensearch-security" / "roles.yml").exists()


def test_a_bundle_that_is_not_what_its_name_says_is_refused(alone: Bench) -> None:
    key = alone.parameters["nodes-bundle"]
    (alone.folder / "buckets" / "artifacts" / key).write_bytes(b"something else")
    done = alone.boot()
    assert done.returncode == 78
    assert "CHECK FAILED: bundle" in done.stderr
    assert not (alone.folder / "systemctl").exists()


def test_a_first_boot_that_aws_had_no_time_for_is_tried_again(alone: Bench) -> None:
    """No service manager watches over user data."""
    first = alone.folder / "throttled-once"
    throttled = f'[[ -e "{first}" ]] || {{ touch "{first}"; echo ThrottlingException >&2; exit 254; }}'
    alone.replace("aws", f'{throttled}\nexec "{PACKAGE}/node_bin/aws" "$@"')
    alone.environment["VAGUS_RETRY_SECONDS"] = "0"
    done = alone.boot()
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("CHECK FAILED: parameters: cannot read") == 1
    assert "enable --now vagus-search" in (alone.folder / "systemctl").read_text()


def test_an_instance_without_tags_does_not_start(alone: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(FACTS, "tags/instance/vagus:cluster")
    done = alone.boot()
    assert done.returncode == 78
    assert "no tag vagus:cluster" in done.stderr


def test_the_unit_runs_what_the_bundle_brings() -> None:
    unit = (BOOT.parent / "vagus-search.service").read_text().splitlines()
    starts = [line.split("=", 1)[1] for line in unit if line.startswith("ExecStart")]
    assert starts[-1:] == ["/opt/vagus/nodes/boot.sh start"]
    assert not any("boot.sh" in one for one in starts[:-1]), "systemd heeds exit status 78 of the main process alone"
