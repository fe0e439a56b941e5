"""What a function costs before its first line runs, against importing boto3 and making one client; each a new process.

Both run in the functions' own interpreter, with the layers that a deployment has.
"""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.figure import Figure, against
from vagus_cdk.layers import dependencies, fleet_folder
from vagus_cdk.settings import read

ROOT = Path(__file__).resolve().parents[1]
RUNS = 15
BARE = "import boto3; boto3.client('dynamodb', region_name='us-east-1')"
OURS = {
    "intake": "import intake.handler; from vagus.aws import wiring; wiring.here()._clients.dynamodb",
    "keeper": "import keeper.handler; from vagus.aws import wiring; wiring.here()._clients.autoscaling",
    "sweep": "import sweep.handler; from vagus.aws import wiring; wiring.here()._clients.dynamodb",
    "cluster_watch": "import cluster_watch.handler; from vagus.aws import wiring; wiring.here()._clients.dynamodb",
    "zone_balance": "import zone_balance.handler; from vagus.aws import wiring; wiring.here()._clients.dynamodb",
}
BAR = 1.3


def figures() -> list[Figure]:
    """Medians of runs in turn, so that a machine that slows down slows both."""
    paths = _paths()
    once(BARE, paths)  # byte code and the disk's cache
    for script in OURS.values():
        once(script, paths)
    bare: list[float] = []
    ours: dict[str, list[float]] = {name: [] for name in OURS}
    for _ in range(RUNS):
        bare.append(once(BARE, paths))
        for name, script in OURS.items():
            ours[name].append(once(script, paths))
    baseline = statistics.median(bare)
    return [
        against(f"cold start of {name}, against boto3 and a client", statistics.median(took), baseline, "s", BAR)
        for name, took in ours.items()
    ]


def once(script: str, paths: str) -> float:
    """Seconds of a new process that runs the script."""
    environment = {"PYTHONPATH": paths, "PATH": os.environ["PATH"], "AWS_DEFAULT_REGION": "us-east-1"}
    began = time.perf_counter()
    subprocess.run(
        [str(ROOT / ".venv-functions/bin/python"), "-c", script], check=True, env=environment, stderr=sys.stderr
    )
    return time.perf_counter() - began


def _paths() -> str:
    """`sys.path` as a deployed function has it."""
    settings = read({"cell": "local", "architecture": "arm64" if os.uname().machine == "aarch64" else "x86_64"})
    packages = dependencies(settings.architecture, settings.build)
    folders = [packages / "python", ROOT / "layers/core/python", fleet_folder(settings) / "python", ROOT / "functions"]
    return ":".join(map(str, folders))
