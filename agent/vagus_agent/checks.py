"""What the agent itself refuses: each check is a sentence, the first that trips is what the pod reads. Pure.

They are about who asks, which the API server alone can tell. What a pod may have is Vagus's to say: the names in a
request, and which pods a cluster has, are checked by the function that issues.
"""

from collections.abc import Iterator

import msgspec

from vagus.site import Asked
from vagus_agent.model import USAGES, Pod, Request

OVER = ("Succeeded", "Failed")


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """Where an agent works. `account`: the service account of the search pods."""

    cluster: str
    namespace: str
    account: str

    @property
    def user(self) -> str:
        """The search pods' account, as the API server calls it."""
        return f"system:serviceaccount:{self.namespace}:{self.account}"


def refused(asked: Request, pod: Pod | None, site: Site) -> str:
    """Why this request is denied; "" if it is passed on. `pod`: the one that asked, as it is now."""
    return next(_wrong(asked, pod, site), "")


def not_yet(pod: Pod | None) -> str:
    """Why it is passed on later; "" if it is now. A pod has its address a moment before the API server tells of it."""
    return "" if pod is None or pod.addresses else f"the API server tells no address of pod {pod.name} yet"


def passed_on(asked: Request, pod: Pod, site: Site) -> Asked:
    """What Vagus is asked: the pod's request, and all else in the API server's words."""
    return Asked(
        pod=pod.name,
        uid=pod.uid,
        namespace=site.namespace,
        account=pod.account,
        addresses=pod.addresses,
        request=asked.request,
    )


def _wrong(asked: Request, pod: Pod | None, site: Site) -> Iterator[str]:
    if asked.by != site.user:
        yield f"{asked.by or 'nobody'} asked: certificates of {site.cluster} are for {site.user} alone"
    if not asked.pod or not asked.pod_uid:
        yield (
            f"{asked.by} asked with a token that is bound to no pod: ask from within the pod, with the token that "
            "kubelet mounts"
        )
    if pod is None:
        yield f"there is no pod {asked.pod} in {site.namespace}: only a pod that is there gets a certificate"
        return
    if pod.uid != asked.pod_uid:
        yield f"pod {asked.pod} is another one now ({pod.uid}) than the one that asked ({asked.pod_uid})"
    if pod.account != site.account:
        yield f"pod {asked.pod} runs as {pod.account or 'nobody'}, not as {site.account}"
    if pod.going:
        yield f"pod {asked.pod} is being deleted, and gets no certificate any more"
    if pod.phase in OVER:
        yield f"pod {asked.pod} has ended ({pod.phase}), and gets no certificate any more"
    if sorted(asked.usages) != sorted(USAGES):
        yield f"the request is for usages {', '.join(asked.usages)}: a node's certificate has {', '.join(USAGES)}"
