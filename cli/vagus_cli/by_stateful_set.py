"""What a person does to the pods of a cluster on Kubernetes, which Vagus does not do there yet. Pure."""

from collections.abc import Mapping

from vagus.fleet import ClusterSpec, Kubernetes


def instead(spec: ClusterSpec, kind: str) -> str:
    """In place of `vagus restart`, `upgrade` or `replace`: by its StatefulSets, one after another."""
    if spec.kubernetes is None:
        return ""
    return (
        f"{spec.name} is on Kubernetes, where Vagus does certificates alone, and does not {kind} yet. By hand: "
        f"{_ways(spec.kubernetes)[kind]}. Before, see by `vagus certificates {spec.name}` that its agent tells: a pod "
        "that is made anew does not start without it"
    )


def _ways(said: Kubernetes) -> Mapping[str, str]:
    kubectl, first = f"kubectl -n {said.namespace}", next(iter(said.stateful_sets))
    names, delete = ", ".join(said.stateful_sets), f"`{kubectl} delete pod {said.names()[0]}`"
    rolled = "wait until that pod is ready and the cluster green before the next"
    return {
        "restart": f"{delete}, {rolled} (of {names})",
        "upgrade": (
            f"`{kubectl} set image statefulset/{first} CONTAINER=IMAGE` with the new version's image (a restart alone "
            f"brings none), then, where its updateStrategy is OnDelete, {delete}; {rolled} (of {names}; those with "
            "cluster managers last), and keep the images in your manifests, and engine.version in the fleet file, the "
            "same"
        ),
        "replace": (
            f"{delete}, and wait for a green cluster before the next: the pod is made anew on its volume, and on "
            "another machine if its own is cordoned"
        ),
    }
