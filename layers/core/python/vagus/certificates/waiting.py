"""Waits that call a person when they have been for the same for too long, and in which words. Pure."""

import msgspec

from vagus.certificates.observed import Observed
from vagus.certificates.telling import PATIENCE_SECONDS
from vagus.fleet import ClusterSpec
from vagus.plan import Progress, Wait
from vagus.reasons import Reason

SOON = 3
"""Seconds between looks while nodes take something up: they watch their files every 5 s."""
CALM = 120
"""Seconds between looks at what a person was told of, while nothing presses."""
SAID_AT_MOST = 3
"""Nodes whose words a message repeats."""


def patient(
    observed: Observed, reason: Reason, waits_for: str, message: str, now: float, about: tuple[str, ...] = ()
) -> Wait:
    """A wait that calls a person when it has been for the same for too long; once for each of `about`."""
    before = observed.progress
    since = before.changed_at if before is not None and before.about == waits_for else now
    return Wait(
        seconds=SOON if now - since < 60 else 30,
        reason=reason,
        message=message,
        progress=Progress(bytes_left=0, about=waits_for, at=now, changed_at=since),
        about=about,
        page=now - since >= PATIENCE_SECONDS,
    )


def calm(wait: Wait, *, presses: bool) -> Wait:
    """A wait of which a person is told once, unless something presses: then every few hours."""
    return msgspec.structs.replace(wait, once=True, seconds=CALM) if wait.page and not presses else wait


def silent(observed: Observed, spec: ClusterSpec, nodes: tuple[str, ...], now: float, then: str) -> Wait:
    """For nodes that do not answer. `then`: what that holds up, and the way out."""
    names = ", ".join(nodes)
    message = "; ".join([f"{names} does not answer: {then}", *_of_pods(observed, spec, nodes)])
    return patient(observed, Reason.NODES_SILENT, f"{Reason.NODES_SILENT} {names}", message, now, nodes)


def _of_pods(observed: Observed, spec: ClusterSpec, nodes: tuple[str, ...]) -> list[str]:
    """What the site's agent said of them, where to look, and what to do with one that nobody declared."""
    if spec.kubernetes is None:
        return []
    failures = {one.instance: one.failure for one in observed.handshakes if not one.answered and one.failure}
    said = [f"{pod}: {failures[pod]}" for pod in nodes if pod in failures]
    strange = [pod for pod in nodes if pod not in spec.pods]
    declare = (
        f"{', '.join(strange)} runs with the label vagus.internal/cluster and is in no declared StatefulSet "
        "(kubernetes.stateful_sets): declare it, or if it is no node take its label away"
    )
    return [*said[:SAID_AT_MOST], *where_of_pods(spec, nodes), *([declare] if strange else [])]


def where_of_pods(spec: ClusterSpec, nodes: tuple[str, ...]) -> list[str]:
    """By which commands the site says more of them; nothing on EC2."""
    if spec.kubernetes is None:
        return []
    kubectl, pod = f"kubectl -n {spec.kubernetes.namespace}", nodes[0] if len(nodes) == 1 else "POD"
    return [f"see `{kubectl} describe pod {pod}` and `{kubectl} logs {pod} -c certificates`"]
