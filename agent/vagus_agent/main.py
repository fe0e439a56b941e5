"""`vagus-agent site` (the agent) and `vagus-agent node` (the sidecar of a search pod). All is said by the environment:

VAGUS_CLUSTER            both  the search cluster's name
POD_NAMESPACE            both  from the downward API
KUBERNETES_SERVICE_HOST  both  kubelet sets it, and KUBERNETES_SERVICE_PORT
VAGUS_MOUNTED            both  a folder with token and ca.crt, where it is not the one that kubelet mounts
VAGUS_BUCKET             site  the cluster's bucket
VAGUS_SERVICE_ACCOUNT    site  the service account of the search pods
VAGUS_ALIVE              site  a file that each part of a round touches, for the liveness probe (/tmp/alive)
AWS_CONFIG_FILE          site  botocore's own: names the Region and the credential_process
AWS_ENDPOINT_URL_S3      site  botocore's own: an interface endpoint of S3, where names don't lead to it
POD_NAME, POD_IP         node  from the downward API
VAGUS_CERTIFICATES       node  the memory volume (/vagus/certificates)
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from vagus.errors import Malformed, VagusError
from vagus_agent.fitting import Me
from vagus_agent.kube import MOUNTED, Https, Kube
from vagus_agent.node import Node

LEAST_PAUSE = 1.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Run until killed."""
    parser = argparse.ArgumentParser("vagus-agent", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("part", choices=("site", "node"))
    part = parser.parse_args(arguments).part
    # as process 1 of a container a signal without a handler is ignored; and whoever is killed leaves nothing half-done
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    try:
        run = _site(os.environ) if part == "site" else _node(os.environ)
    except Malformed as error:
        sys.exit(f"vagus-agent: {error}")
    run()


def _site(environment: Mapping[str, str]) -> Callable[[], None]:
    from vagus_agent.agent import Agent
    from vagus_agent.bucket import S3Bucket
    from vagus_agent.checks import Site

    site = Site(
        cluster=_set(environment, "VAGUS_CLUSTER"),
        namespace=_set(environment, "POD_NAMESPACE"),
        account=_set(environment, "VAGUS_SERVICE_ACCOUNT"),
    )
    name = _set(environment, "VAGUS_BUCKET")
    alive = Path(environment.get("VAGUS_ALIVE", "/tmp/alive"))  # noqa: S108  # a volume of its own in the pod
    agent = Agent(_kube(environment), S3Bucket.of_environment(name), site, alive=alive.touch)

    def run() -> None:
        while True:
            time.sleep(max(LEAST_PAUSE, agent.once(time.time())))

    return run


def _node(environment: Mapping[str, str]) -> Callable[[], None]:
    me = Me(
        pod=_set(environment, "POD_NAME"),
        address=_set(environment, "POD_IP"),
        cluster=_set(environment, "VAGUS_CLUSTER"),
    )
    kube = _kube(environment)
    node = Node(kube, Path(environment.get("VAGUS_CERTIFICATES", "/vagus/certificates")), me)

    def run() -> None:
        while True:
            pause = node.once(time.time())
            began = time.monotonic()
            rest(kube, node.version, pause)
            time.sleep(max(0.0, min(LEAST_PAUSE, pause) - (time.monotonic() - began)))

    return run


def rest(kube: Kube, version: str, seconds: float) -> None:
    """Until the ConfigMap changes, or so long."""
    if seconds <= 0:
        return
    began = time.monotonic()
    try:
        kube.await_change(version, seconds)
    except VagusError:  # the next round meets the same, and says so
        time.sleep(max(0.0, seconds - (time.monotonic() - began)))


def _kube(environment: Mapping[str, str]) -> Kube:
    host, port = _set(environment, "KUBERNETES_SERVICE_HOST"), _set(environment, "KUBERNETES_SERVICE_PORT")
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    mounted = Path(environment.get("VAGUS_MOUNTED", MOUNTED))
    return Kube(Https(server, mounted), _set(environment, "POD_NAMESPACE"), _set(environment, "VAGUS_CLUSTER"))


def _set(environment: Mapping[str, str], name: str) -> str:
    if value := environment.get(name):
        return value
    raise Malformed(f"the environment has no {name}: see agent/kubernetes for where it comes from")
