"""The node commands' own shell, on a real instance: once per step, only on the process that was decided on."""

import re
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from vagus_local import gate
from vagus_local.cluster import LocalCluster
from vagus_local.node import LocalNode

FOLDER = Path(__file__).parents[3] / "nodes" / "documents"
LATER = "9999999999"
DOCUMENTS = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("*.yaml"))}


def send(cluster: LocalCluster, node: LocalNode, document: str, **parameters: str) -> str:
    """As the SSM agent does: patterns are checked, then the shell text runs. Returns the first word."""
    return re.split(r"[,\s]", output(cluster, node, document, **parameters))[0]


def output(cluster: LocalCluster, node: LocalNode, document: str, **parameters: str) -> str:
    content: dict[str, Any] = DOCUMENTS[document]
    assert set(parameters) == set(content["parameters"])
    for name, value in parameters.items():
        assert re.fullmatch(content["parameters"][name]["allowedPattern"], value)
    text = "\n".join(line for step in content["mainSteps"] for line in step["inputs"]["runCommand"])
    done = cluster.shell(node, re.sub(r"{{(\w+)}}", lambda found: parameters[found[1]], text))
    assert done.returncode == 0, done.stderr
    return done.stdout


def started_at(cluster: LocalCluster, node: LocalNode) -> str:
    """The process start as functions see it."""
    nodes = cluster.call("GET", "/_nodes/_local/jvm", node=node)["nodes"]
    return str(next(iter(nodes.values()))["jvm"]["start_time_in_millis"])


def is_active(cluster: LocalCluster, node: LocalNode) -> bool:
    return cluster.shell(node, "systemctl is-active --quiet vagus-search").returncode == 0


@pytest.fixture
def node(cluster: LocalCluster) -> LocalNode:
    return list(cluster.nodes.values())[-1]


def test_every_parameter_has_a_pattern_that_lets_no_shell_in() -> None:
    for document in DOCUMENTS.values():
        for parameter in document["parameters"].values():
            for text in ("", "a'b-cdefgh", "aaaaaaaa$(x)", "aaaaaaaa;b", "aaaaaaaa\nb", "-rf12345678"):
                assert not re.fullmatch(parameter["allowedPattern"], text)


def test_every_shell_text_is_what_sh_accepts() -> None:
    for document in DOCUMENTS.values():
        text = "\n".join(document["mainSteps"][0]["inputs"]["runCommand"])
        assert subprocess.run(["/bin/sh", "-n"], input=text, text=True, check=False).returncode == 0


STAND_INS = {
    "systemctl": """#!/bin/sh
case "$*" in
  *restart*) touch "$STATE/restarted"; eval "$AT_START" ;;
  *is-active*) [ ! -e "$STATE/ended" ] ;;
  *status*) cat "$STATE/log" 2>/dev/null || echo "its last words" ;;
esac
""",
    "mount-data-volume": '#!/bin/sh\necho "${STATE%/vagus}"\n',
    "sleep": "#!/bin/sh\n",
}
RESTARTS = {
    "it serves": ("touch $STATE/gated $STATE/serving", LATER, "done", True),
    "nobody watches its port": ("true", LATER, "done", True),
    "it is watched, and never serves": ("touch $STATE/gated", LATER, "not-serving", True),
    "its process ends": ("touch $STATE/gated $STATE/ended", LATER, "", True),
    "it is too late": ("touch $STATE/serving", "1600000000", "", False),
}


@pytest.mark.parametrize(("at_start", "not_after", "word", "restarted"), RESTARTS.values(), ids=RESTARTS.keys())
def test_a_restart_is_done_when_the_node_serves(
    at_start: str, not_after: str, word: str, restarted: bool, tmp_path: Path
) -> None:
    done, state = restarted_here(at_start, not_after, tmp_path)
    assert re.split(r"[,\s]", done.stdout)[0] == word, done.stderr
    assert (done.returncode == 0) is bool(word)
    assert (state / "restarted").exists() is restarted
    assert ("its last words" in done.stderr) is (word == "not-serving" or "ended" in at_start)


UNKNOWN = "SettingsException[unknown setting [cluster.no_such_setting] check that plugins are installed]"
LOG = f"""\
{{at}} ERROR OpenSearchUncaughtExceptionHandler: uncaught exception in thread [main]
{{at}} org.opensearch.bootstrap.StartupException: {UNKNOWN}
{{at}} \tat org.opensearch.bootstrap.OpenSearch.init(OpenSearch.java:172) ~[opensearch-3.4.0.jar:3.4.0]
{{at}} \tat org.opensearch.cli.Command.main(Command.java:101) ~[opensearch-cli-3.4.0.jar:3.4.0]
{{at}} Caused by: {UNKNOWN}
{{at}} \tat org.opensearch.node.Node.<init>(Node.java:666) ~[opensearch-3.4.0.jar:3.4.0]
{{at}} \t... 6 more
{{at}} uncaught exception in thread [main]
{{at}} {UNKNOWN}
{20 * "{at} \tat org.opensearch.bootstrap.Bootstrap$5.<init>(Bootstrap.java:250)\n"}\
{{at}} For complete error details, refer to the log at /var/log/x.log
"""
"""As OpenSearch 3.4.0 writes it where a setting is unknown; `{at}`: what the journal puts before each line."""


@pytest.mark.parametrize("before", ["", "Nov 26 16:02:19 ip-10-0-0-1 run-search[123]: "])
def test_the_last_words_of_an_engine_are_what_it_says_and_not_where_in_its_code(before: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(LOG.replace("{at} ", before))
    done, _ = restarted_here(f"touch $STATE/ended; cp {tmp_path}/log $STATE/log", LATER, tmp_path)
    assert done.returncode != 0
    assert UNKNOWN in done.stderr.strip()[-500:], "a person is told the last 500 characters"
    assert "(Bootstrap.java" not in done.stderr


AWS_KEEPS, TOLD = 2500, 500
"""Characters of an output that AWS keeps (its first), and that a person is told (the last of those)."""
TOOLS = {
    "stage-search": "stage-search",
    "restart-search": "stage-search",
    "install-trust": "node-certificates",
    "renew-certificate": "node-certificates",
    "start-search": "systemctl",
    "stop-search": "systemctl",
    "list-callers": "callers",
}
"""What each document has fail."""


@pytest.mark.parametrize("document", sorted(DOCUMENTS))
def test_of_what_fails_the_deciding_words_outlive_what_aws_cuts(document: str, tmp_path: Path) -> None:
    words = "CHECK FAILED: engine: opensearch-3.4.0.tar.gz does not match its SHA-256"
    fails = f"#!/bin/sh\n[ \"$1\" != is-active ] || exit 3\nseq 100000 109999 >&2\necho '{words}' >&2\nexit 78\n"
    done, state = run_here(document, tmp_path, {TOOLS[document]: fails}, stopped="by us")
    assert done.returncode != 0
    assert words in (done.stdout + done.stderr)[:AWS_KEEPS].strip()[-TOLD:]
    assert not (state / "steps").exists(), "it may be tried again"


STAGES = {
    "it is there": ("echo boot: fetching >&2; echo staged $1", "done", True),
    "its scripts are of before, and know no version": ("true", "done, unproved", False),
    "so old that there is none": (None, "done, unproved", False),
}


@pytest.mark.parametrize(("script", "word", "noted"), STAGES.values(), ids=STAGES.keys())
def test_a_version_that_was_staged_is_noted(script: str | None, word: str, noted: bool, tmp_path: Path) -> None:
    done, state = run_here("stage-search", tmp_path, {"stage-search": f"#!/bin/sh\n{script}\n"} if script else {})
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().startswith(word)
    assert (state / "steps").exists() is noted


LISTED = {
    "its kernel notes them": ("echo caller 10.0.0.7; echo callers-since 1700000000", "done", "caller 10.0.0.7"),
    "it is of a bundle before": (None, "", "notes no callers"),
}


@pytest.mark.parametrize(("script", "word", "told"), LISTED.values(), ids=LISTED.keys())
def test_who_called_is_read_and_no_step_is_noted(script: str | None, word: str, told: str, tmp_path: Path) -> None:
    done, state = run_here("list-callers", tmp_path, {"callers": f"#!/bin/sh\n{script}\n"} if script else {})
    assert (done.returncode == 0) is bool(word)
    assert done.stdout.partition("\n")[0] == word
    assert told in (done.stdout if word else done.stderr).splitlines()[-2 if word else -1]
    assert not (state / "steps").exists()


TELLS = {
    "its kernel notes them": "echo caller 10.0.0.7; echo callers-since 1700000000",
    "it can't": "echo no >&2; exit 1",
}


@pytest.mark.parametrize("script", TELLS.values(), ids=TELLS.keys())
@pytest.mark.parametrize("document", ["install-trust", "renew-certificate"])
def test_who_called_is_told_with_the_step_and_is_no_part_of_it(document: str, script: str, tmp_path: Path) -> None:
    tools = {"node-certificates": "#!/bin/sh\n", "callers": f"#!/bin/sh\n{script}\n"}
    told = [] if "exit" in script else ["caller 10.0.0.7", "callers-since 1700000000"]
    for folder, word in (("first", "done"), ("second", "already")):
        if word == "already":
            (tmp_path / folder / "volume" / "vagus").mkdir(parents=True)
            (tmp_path / folder / "volume" / "vagus" / "steps").write_text("step-00001\n")
        done, _ = run_here(document, tmp_path / folder, tools)
        assert (done.returncode, done.stdout.splitlines(), done.stderr) == (0, [word, *told], "")


def run_here(
    document: str, folder: Path, tools: dict[str, str], stopped: str = ""
) -> tuple[subprocess.CompletedProcess[str], Path]:
    """A document's shell with these tools; its output, and where its state lies."""
    state, found = folder / "volume" / "vagus", folder / "bin"
    for made in (state, found):
        made.mkdir(parents=True, exist_ok=True)
    if stopped:
        (state / "stopped").write_text(stopped)
    for name, text in {**STAND_INS, **tools}.items():
        (found / name).write_text(text)
        (found / name).chmod(0o755)
    values = {"StepId": "step-00001", "StartedAt": "1700000000000", "NotAfter": LATER, "Version": "3.4.0"}
    text = "\n".join(DOCUMENTS[document]["mainSteps"][0]["inputs"]["runCommand"])
    done = subprocess.run(
        ["/bin/sh", "-c", re.sub(r"{{(\w+)}}", lambda one: values[one[1]], text)],
        env={"PATH": f"{found}:/usr/bin:/bin", "STATE": str(state), "AT_START": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done, state


def restarted_here(at_start: str, not_after: str, tmp_path: Path) -> tuple[subprocess.CompletedProcess[str], Path]:
    """The document's shell on an instance whose time passes at once; its output, and where its state lies."""
    state, folder = tmp_path / "volume" / "vagus", tmp_path / "bin"
    for made in (state, folder):
        made.mkdir(parents=True)
    for name, text in STAND_INS.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    values = {"StepId": "restart-0001", "StartedAt": "1700000000000", "NotAfter": not_after}
    text = "\n".join(DOCUMENTS["restart-search"]["mainSteps"][0]["inputs"]["runCommand"])
    done = subprocess.run(
        ["/bin/sh", "-c", re.sub(r"{{(\w+)}}", lambda found: values[found[1]], text)],
        env={"PATH": f"{folder}:/usr/bin:/bin", "STATE": str(state), "AT_START": at_start},
        capture_output=True,
        text=True,
        check=False,
    )
    return done, state


@pytest.mark.skipif(not gate.available(), reason=gate.REMEDY)
def test_a_node_tells_who_called_it(cluster: LocalCluster, node: LocalNode) -> None:
    called_by = f"{node.address.rpartition('.')[0]}.231"
    socket.create_connection((node.address, 9200), 5, (called_by, 0)).close()
    word, *told, since = output(cluster, node, "list-callers", StepId="callers-0001").splitlines()
    assert word == "done"
    assert f"caller {called_by}" in told
    assert since.startswith("callers-since ")


def test_a_restart_is_done_once_and_on_the_process_that_was_decided_on(cluster: LocalCluster, node: LocalNode) -> None:
    before = started_at(cluster, node)
    assert send(cluster, node, "restart-search", StepId="restart-0001", StartedAt=before, NotAfter=LATER) == "done"
    cluster.wait_green()
    after = started_at(cluster, node)
    assert int(after) > int(before)
    assert send(cluster, node, "restart-search", StepId="restart-0001", StartedAt=before, NotAfter=LATER) == "already"
    assert (
        send(cluster, node, "restart-search", StepId="restart-0002", StartedAt=before, NotAfter=LATER) == "superseded"
    )
    assert send(cluster, node, "stop-search", StepId="stop-000001", StartedAt=before) == "superseded"
    assert started_at(cluster, node) == after


def test_what_vagus_stopped_it_starts_and_what_a_person_stopped_stays(cluster: LocalCluster, node: LocalNode) -> None:
    now = started_at(cluster, node)
    assert send(cluster, node, "start-search", StepId="start-000001") == "already"
    assert send(cluster, node, "stop-search", StepId="stop-000002", StartedAt=now) == "done"
    assert not is_active(cluster, node)
    assert send(cluster, node, "start-search", StepId="start-000002") == "done"
    cluster.wait_green()
    assert cluster.shell(node, "systemctl stop vagus-search").returncode == 0
    assert send(cluster, node, "start-search", StepId="start-000003") == "not-ours"
    assert not is_active(cluster, node)
    assert cluster.shell(node, "systemctl start vagus-search").returncode == 0
    cluster.wait_green()


def test_a_restart_that_fails_a_check_fails_the_command(cluster: LocalCluster, node: LocalNode) -> None:
    facts = node.home / "tags.json"
    tags = facts.read_text()
    facts.write_text("{}")
    done = cluster.shell(node, "systemctl restart vagus-search")
    facts.write_text(tags)
    assert done.returncode == 1
    assert "failed" in done.stdout
    assert cluster.shell(node, "systemctl start vagus-search").returncode == 0
    cluster.wait_green()
