"""What the agent refuses by itself, and with which words."""

from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.agent.manifests import CLUSTER, NAMESPACE, NODES, user
from tests.unit.agent.world import ADDRESS, POD, SITE

from vagus_agent.checks import not_yet, passed_on, refused
from vagus_agent.model import USAGES, Pod, Request, signer

ASKED = Request(
    name="claims-claims-data-a-0-1",
    uid="request-uid",
    version="7",
    signer=signer(CLUSTER),
    by=user(NODES),
    pod=POD,
    pod_uid="pod-uid",
    usages=USAGES,
    request="PEM",
)
RUNNING = Pod(name=POD, uid="pod-uid", account=NODES, addresses=(ADDRESS,), phase="Running")


def asked(**other: object) -> Request:
    return msgspec.structs.replace(ASKED, **other)


def pod(**other: object) -> Pod:
    return msgspec.structs.replace(RUNNING, **other)


ACCOUNT = "system:serviceaccount:search:claims-nodes"
TABLE: Mapping[str, tuple[Request, Pod | None, str]] = {
    "a pod that runs is passed on": (ASKED, RUNNING, ""),
    "a pod that starts is passed on": (ASKED, pod(phase="Pending"), ""),
    "a pod without an address is not refused for it": (ASKED, pod(addresses=()), ""),
    "another service account of the namespace": (
        asked(by="system:serviceaccount:search:default"),
        RUNNING,
        f"system:serviceaccount:search:default asked: certificates of claims are for {ACCOUNT} alone",
    ),
    "the same service account's name in another namespace": (
        asked(by="system:serviceaccount:other:claims-nodes"),
        RUNNING,
        f"system:serviceaccount:other:claims-nodes asked: certificates of claims are for {ACCOUNT} alone",
    ),
    "a person": (asked(by="alice"), RUNNING, f"alice asked: certificates of claims are for {ACCOUNT} alone"),
    "a token that is bound to no pod": (
        asked(pod="", pod_uid=""),
        None,
        f"{ACCOUNT} asked with a token that is bound to no pod: ask from within the pod, with the token that kubelet "
        "mounts",
    ),
    "a pod that is gone": (
        ASKED,
        None,
        "there is no pod claims-data-a-0 in search: only a pod that is there gets a certificate",
    ),
    "a pod that was made anew since": (
        ASKED,
        pod(uid="another-uid"),
        "pod claims-data-a-0 is another one now (another-uid) than the one that asked (pod-uid)",
    ),
    "a pod that runs as somebody else": (
        ASKED,
        pod(account="default"),
        "pod claims-data-a-0 runs as default, not as claims-nodes",
    ),
    "a pod that is being deleted": (
        ASKED,
        pod(going=True),
        "pod claims-data-a-0 is being deleted, and gets no certificate any more",
    ),
    "a pod that has ended": (
        ASKED,
        pod(phase="Failed"),
        "pod claims-data-a-0 has ended (Failed), and gets no certificate any more",
    ),
    "a certificate that signs": (
        asked(usages=("cert sign",)),
        RUNNING,
        "the request is for usages cert sign: a node's certificate has digital signature, server auth, client auth",
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_who_may_ask(case: str) -> None:
    request, found, words = TABLE[case]
    assert refused(request, found, SITE) == words


def test_a_pod_without_an_address_waits() -> None:
    assert not_yet(pod(addresses=())) == f"the API server tells no address of pod {POD} yet"
    assert not_yet(RUNNING) == ""


def test_what_vagus_is_asked_is_what_the_api_server_says() -> None:
    made = passed_on(ASKED, RUNNING, SITE)
    assert (made.pod, made.uid, made.namespace, made.account) == (POD, "pod-uid", NAMESPACE, NODES)
    assert (made.addresses, made.request) == ((ADDRESS,), "PEM")


@settings(deadline=None)
@given(
    st.sampled_from([user(NODES), "alice", ""]),
    st.sampled_from([POD, "claims-data-a-1", ""]),
    st.sampled_from(["pod-uid", "another", ""]),
    st.none() | st.builds(pod, uid=st.sampled_from(["pod-uid", "another"]), account=st.sampled_from([NODES, "x"])),
)
def test_nobody_passes_but_the_pod_that_the_api_server_names(by: str, name: str, uid: str, found: Pod | None) -> None:
    """Whatever is told of both: what passes is the account's, of this very pod."""
    if not refused(asked(by=by, pod=name, pod_uid=uid), found, SITE):
        assert found is not None
        assert (by, uid, found.uid, found.account) == (user(NODES), found.uid, uid, NODES)
        assert name
