"""What the agent and the pods have of an API server, held against the fake here and a real one in `tests/long`.

Both play by the manifests in agent/kubernetes: rights, accounts and tokens are theirs.
"""

import uuid
from typing import Protocol

import pytest
from tests.unit.agent.manifests import AGENT, CLUSTER, NODES, user

from vagus.errors import Conflict, Denied, Refused
from vagus_agent.fitting import Me, new
from vagus_agent.kube import Kube
from vagus_agent.model import USAGES, Published, Request, signer

CHAIN_OF = "-----BEGIN CERTIFICATE-----\n"


class Api(Protocol):
    """An API server that has the manifests applied. Each pod runs as an account, and has an address."""

    def kube(self, account: str, pod: str = "") -> Kube: ...

    def start_pod(self, name: str, account: str, address: str, cluster: str = CLUSTER) -> str: ...

    def end_pod(self, name: str) -> None: ...

    def chain(self) -> str: ...


def request(pod: str) -> str:
    """What a pod asks."""
    return new(Me(pod=pod, address="10.42.0.7", cluster=CLUSTER), ()).request


class KubeContract:
    """Names are new in each test: a real API server is one for all of them."""

    @pytest.fixture
    def pod(self, api: Api) -> str:
        name = f"pod-{uuid.uuid4().hex[:8]}"
        api.start_pod(name, NODES, "10.42.0.7")
        return name

    def asked(self, api: Api, pod: str) -> Request:
        return api.kube(NODES, pod).ask(f"csr-{uuid.uuid4().hex[:8]}", request(pod))

    def found(self, api: Api, name: str) -> Request:
        return next(one for one in api.kube(AGENT).requests() if one.name == name)

    def test_who_asked_is_what_the_token_says(self, api: Api, pod: str) -> None:
        asked = self.found(api, self.asked(api, pod).name)
        known = api.kube(AGENT).pod(pod)
        assert known is not None
        assert (asked.by, asked.pod, asked.pod_uid) == (user(NODES), pod, known.uid)
        assert (asked.signer, asked.usages, asked.state) == (signer(CLUSTER), USAGES, "pending")
        assert asked.request.startswith("-----BEGIN CERTIFICATE REQUEST-----")
        assert asked.uid
        assert asked.created

    def test_asked_again_under_its_name_it_is_the_same_request(self, api: Api, pod: str) -> None:
        kube, text = api.kube(NODES, pod), request(pod)
        name = f"csr-{uuid.uuid4().hex[:8]}"
        first, again = kube.ask(name, text), kube.ask(name, request(pod))
        assert (first.uid, again.uid) == (again.uid, first.uid)
        assert again.request == text

    def test_what_is_no_request_is_refused(self, api: Api, pod: str) -> None:
        with pytest.raises(Refused):
            api.kube(NODES, pod).ask(f"csr-{uuid.uuid4().hex[:8]}", "no request")

    def test_a_request_that_is_not_there_is_none(self, api: Api, pod: str) -> None:
        assert api.kube(NODES, pod).request("nothing-of-this-name") is None

    def test_a_request_is_approved_and_gets_its_certificate(self, api: Api, pod: str) -> None:
        asked = self.found(api, self.asked(api, pod).name)
        api.kube(AGENT).certify(asked, api.chain())
        got = api.kube(NODES, pod).request(asked.name)
        assert got is not None
        assert (got.state, got.certificate) == ("certified", api.chain())

    def test_who_died_between_approval_and_certificate_goes_on(self, api: Api, pod: str) -> None:
        asked = self.found(api, self.asked(api, pod).name)
        agent = api.kube(AGENT)
        agent._conditioned(asked, "approval", "Approved", "died then")
        approved = self.found(api, asked.name)
        assert approved.state == "approved"
        agent.certify(approved, api.chain())
        assert self.found(api, asked.name).state == "certified"

    def test_a_denial_is_read_by_the_pod_with_its_words(self, api: Api, pod: str) -> None:
        asked = self.found(api, self.asked(api, pod).name)
        api.kube(AGENT).refuse(asked, "pod x is none of this cluster's")
        got = api.kube(NODES, pod).request(asked.name)
        assert got is not None
        assert (got.state, got.said, got.certificate) == ("refused", "pod x is none of this cluster's", "")

    def test_what_is_approved_can_only_fail(self, api: Api, pod: str) -> None:
        asked = self.found(api, self.asked(api, pod).name)
        agent = api.kube(AGENT)
        agent._conditioned(asked, "approval", "Approved", "by hand")
        agent.refuse(self.found(api, asked.name), "Vagus says no")
        failed = self.found(api, asked.name)
        assert (failed.state, failed.said) == ("refused", "Vagus says no")

    def test_a_denial_is_not_taken_back(self, api: Api, pod: str) -> None:
        asked = self.found(api, self.asked(api, pod).name)
        agent = api.kube(AGENT)
        agent.refuse(asked, "no")
        with pytest.raises(Refused):
            agent._conditioned(self.found(api, asked.name), "approval", "Approved", "yes")

    def test_a_write_on_an_old_look_is_a_conflict(self, api: Api, pod: str) -> None:
        asked = self.found(api, self.asked(api, pod).name)
        agent = api.kube(AGENT)
        agent._conditioned(asked, "approval", "Approved", "first")
        with pytest.raises(Conflict):
            agent.refuse(asked, "second")

    def test_a_certificate_is_pem(self, api: Api, pod: str) -> None:
        asked = self.found(api, self.asked(api, pod).name)
        with pytest.raises(Refused):
            api.kube(AGENT).certify(asked, "no certificate")

    def test_a_pod_approves_nothing_and_certifies_nothing(self, api: Api, pod: str) -> None:
        asked, kube = self.asked(api, pod), api.kube(NODES, pod)
        for attempt in (
            lambda: kube.certify(asked, api.chain()),
            lambda: kube.refuse(asked, "by itself"),
            kube.requests,
            lambda: kube.pod(pod),
            lambda: kube.publish(Published(bundle="mine", commands="{}")),
        ):
            with pytest.raises(Denied):
                attempt()

    def test_the_agent_asks_for_nothing(self, api: Api) -> None:
        with pytest.raises(Denied):
            api.kube(AGENT).ask(f"csr-{uuid.uuid4().hex[:8]}", request("some-pod"))

    def test_pods_by_name_and_by_label(self, api: Api, pod: str) -> None:
        agent, other = api.kube(AGENT), f"app-{uuid.uuid4().hex[:8]}"
        api.start_pod(other, NODES, "10.42.0.9", cluster="another")
        found = {one.name: one for one in agent.pods(f"vagus.internal/cluster={CLUSTER}")}
        assert found[pod] == agent.pod(pod)
        assert (found[pod].account, found[pod].addresses, found[pod].phase) == (NODES, ("10.42.0.7",), "Running")
        assert other not in found

    def test_a_pod_that_is_gone_is_none(self, api: Api, pod: str) -> None:
        api.end_pod(pod)
        assert api.kube(AGENT).pod(pod) is None

    def test_what_is_published_is_seen_by_pods_and_a_watch_tells_of_it(self, api: Api, pod: str) -> None:
        agent, node = api.kube(AGENT), api.kube(NODES, pod)
        before = node.published()
        assert before is not None
        bundle = f"bundle {uuid.uuid4()}"
        agent.publish(Published(bundle=bundle, commands='{"told": []}'))
        node.await_change(before.version, 60)  # it returns at once, for there is a newer one
        after = node.published()
        assert after is not None
        assert (after.bundle, after.commands) == (bundle, '{"told": []}')
        assert after.version != before.version
        agent.publish(Published(bundle=bundle, commands='{"told": []}'))
        assert node.published() == after, "the same again is no change"

    def test_a_watch_without_a_change_ends_by_itself(self, api: Api, pod: str) -> None:
        node = api.kube(NODES, pod)
        now = node.published()
        assert now is not None
        node.await_change(now.version, 1)
        assert node.published() == now
