"""Certificates of pods: which pods, by the word of the site's agent; where requests lie; the same request twice."""

import msgspec
import pytest
from cryptography import x509
from tests.unit.certificates.parts import (
    ADDRESS,
    CLUSTER,
    NAME,
    POD,
    POD_ADDRESS,
    POD_NAME,
    alternative,
    of_pods,
    request,
    spec,
    subject,
)
from tests.unit.certificates.test_issuing import ORDER, Bench

from vagus import site
from vagus.certificates.issuing import REFUSED, Order
from vagus.certificates.pods import asker
from vagus.certificates.requests import RequestRefused
from vagus.errors import Malformed
from vagus.fleet import ClusterSpec
from vagus.procedure import records
from vagus.site import Asked
from vagus.trust import issued_partition

UID = "0f8fad5b-d9cb-469f-a165-70867728950e"
SITE = Order(cluster=CLUSTER, bucket="bucket", key=f"requests/site/{UID}.json")
ASKED = Asked(
    pod=POD,
    uid="7c9e6679-7425-40de-944b-e07fc1f90ae7",
    namespace="search",
    account="claims-nodes",
    addresses=(POD_ADDRESS,),
    request="",
)

# sentence: (what the API server says instead, words of the refusal)
REFUSALS: dict[str, tuple[dict[str, object], str]] = {
    "a pod of another namespace": ({"namespace": "web"}, "in namespace web, and claims's are in search alone"),
    "another service account": ({"account": "default"}, "as service account default"),
    "a StatefulSet that is not declared": ({"pod": "letters-data-0"}, "no declared StatefulSet has a pod letters-data"),
    "an ordinal beyond the declared replicas": ({"pod": "claims-data-a-1"}, "or its replicas, in claims's fleet file"),
    "an ordinal that is written otherwise": ({"pod": "claims-data-a-00"}, "no declared StatefulSet"),
    "an ordinal below all": ({"pod": "claims-data-a--1"}, "no declared StatefulSet"),
    "a StatefulSet's own name": ({"pod": "claims-data-a"}, "no declared StatefulSet"),
    "a pod without a name": ({"pod": ""}, "no declared StatefulSet"),
    "a pod that is not known to be there": ({"uid": ""}, "says no uid"),
    "a pod without an address": ({"addresses": ()}, "has no address yet"),
    "an address elsewhere": ({"addresses": ("10.43.1.7",)}, "10.43.1.7 lies in none of the declared networks"),
    "two addresses, both elsewhere": ({"addresses": ("10.43.1.7", "fd00:11::1")}, "10.43.1.7 and fd00:11::1 lie in"),
    "one address here, and what is none": ({"addresses": (POD_ADDRESS, "a-name")}, "'a-name' is no address of a pod"),
    "an address of the host's own": ({"addresses": ("192.168.1.4",)}, "kubernetes.pods: 10.42.0.0/16"),
    "an address of the other kind elsewhere": ({"addresses": ("fd00:11::1",)}, "lies in none"),
    "what is no address": ({"addresses": ("10.42.1.7/32",)}, "is no address of a pod"),
}  # fmt: skip


@pytest.mark.parametrize(("said", "words"), REFUSALS.values(), ids=REFUSALS.keys())
def test_refused(said: dict[str, object], words: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        asker(msgspec.structs.replace(ASKED, **said), of_pods())
    assert words in str(refused.value)


def test_pods_of_a_cluster_on_ec2_are_none() -> None:
    with pytest.raises(RequestRefused, match="is not on Kubernetes"):
        asker(ASKED, spec())


@pytest.mark.parametrize("pod", ["claims-data-a-0", "claims-data-b-0", "claims-data-b-1"])
def test_a_declared_pod_asks(pod: str) -> None:
    found = asker(msgspec.structs.replace(ASKED, pod=pod, addresses=("FD00:10::0001", POD_ADDRESS)), of_pods())
    assert (found.instance, found.addresses, found.cluster) == (pod, (POD_ADDRESS, "fd00:10::1"), CLUSTER)


@pytest.mark.parametrize("other", ["2a01:4f8::7", "10.43.1.7", "203.0.113.9"])
def test_of_a_pods_addresses_those_in_declared_networks_count(other: str) -> None:
    """As pods of two kinds of addresses have: one of a public network, say, that no certificate could name."""
    for addresses in ((POD_ADDRESS, other), (other, POD_ADDRESS)):
        assert asker(msgspec.structs.replace(ASKED, addresses=addresses), of_pods()).addresses == (POD_ADDRESS,)


class Site(Bench):
    """An issuer whose asker is a site's agent."""

    def of(self, pem: bytes, said: ClusterSpec | None = None, **asked: object) -> bytes:
        what = msgspec.structs.replace(ASKED, request=pem.decode(), **asked)
        self.requests.objects["bucket", SITE.key] = site.written(what)
        self.issuer.take(SITE, said or of_pods())
        return self.requests.objects["bucket", f"certificates/site/{UID}.pem"]

    def subjects(self) -> list[tuple[str, str]]:
        return [(one.subject, one.result) for one in records.read(self.records, CLUSTER, records.iso(self.now())[:10])]

    def now(self) -> float:
        return self.issuer.clock()


@pytest.fixture
def bench() -> Site:
    return Site()


def pods_request() -> bytes:
    return request(subject(f"node-{POD}"), alternative(POD_NAME, POD_ADDRESS))


def test_a_pod_gets_a_chain_of_its_name_and_address(bench: Site) -> None:
    leaf, _authority = x509.load_pem_x509_certificates(bench.of(pods_request()))
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert leaf.subject.rfc4514_string() == f"CN=node-{POD},O=vagus"
    assert names.get_values_for_type(x509.DNSName) == [POD_NAME]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == [POD_ADDRESS]
    assert bench.subjects() == [(POD, ""), (POD, "done")]
    (row,) = bench.table.read(issued_partition(CLUSTER)).values()
    assert row.data["instance"] == POD


def test_the_same_request_gets_the_same_answer(bench: Site) -> None:
    asked = pods_request()
    assert bench.of(asked) == bench.of(asked)
    assert bench.keys.signed == bench.signed_before + 1


# sentence: (the request, words of the refusal)
NOT_ITS_OWN = {
    "the administrator's subject": (request(subject("admin"), alternative(POD_NAME, POD_ADDRESS)), "CN=admin"),
    "another pod's subject": (request(subject("node-claims-data-b-0"), alternative(POD_ADDRESS)), "may have CN=node-c"),
    "another pod's address": (request(subject(f"node-{POD}"), alternative(POD_NAME, "10.42.1.8")), "10.42.1.8"),
    "no address": (request(subject(f"node-{POD}"), alternative(POD_NAME)), "names no address"),
    "an instance's name": (request(subject(f"node-{POD}"), alternative(NAME, ADDRESS)), "is for i-0123"),
    "what is no request": (b"hello", "no certificate request in PEM"),
}  # fmt: skip


@pytest.mark.parametrize("other", ["2a01:4f8::7", "10.43.1.7"])
def test_a_pod_may_not_have_an_address_outside_of_declared_networks(bench: Site, other: str) -> None:
    asked = request(subject(f"node-{POD}"), alternative(POD_NAME, POD_ADDRESS, other))
    answer = bench.of(asked, addresses=(POD_ADDRESS, other))
    assert answer.startswith(REFUSED)
    assert f"the request is for {other}; {POD} may have {POD_ADDRESS}, {POD_NAME} alone" in answer.decode()
    assert bench.keys.signed == bench.signed_before


@pytest.mark.parametrize(("pem", "words"), NOT_ITS_OWN.values(), ids=NOT_ITS_OWN.keys())
def test_a_pod_gets_nothing_but_its_own(bench: Site, pem: bytes, words: str) -> None:
    answer = bench.of(pem)
    assert answer.startswith(REFUSED)
    assert words in answer.decode()
    assert bench.subjects() == [(POD, "denied")]
    assert bench.keys.signed == bench.signed_before


PLACES = {
    "where instances ask": ORDER.key,
    "an id that is none": "requests/site/one.json",
    "a folder below": f"requests/site/a/{UID}.json",
    "another ending": f"requests/site/{UID}.csr",
    "an answer": f"certificates/site/{UID}.pem",
}


@pytest.mark.parametrize("key", PLACES.values(), ids=PLACES.keys())
def test_a_request_of_a_pod_lies_in_one_place(bench: Site, key: str) -> None:
    with pytest.raises(Malformed, match=r"lies at requests/site/<uid>\.json"):
        bench.issuer.take(msgspec.structs.replace(SITE, key=key), of_pods())


def test_where_pods_ask_no_instance_does(bench: Site) -> None:
    bench.requests.objects["bucket", SITE.key] = site.written(ASKED)
    with pytest.raises(Malformed, match="a request lies at"):
        bench.issuer.take(SITE, spec())


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"-----BEGIN CERTIFICATE REQUEST-----", b'{"pod": 1}'])
def test_what_no_agent_wrote_is_malformed(bench: Site, text: bytes) -> None:
    bench.requests.objects["bucket", SITE.key] = text
    with pytest.raises(Malformed, match=r"requests/site/.*another version"):
        bench.issuer.take(SITE, of_pods())
    assert bench.subjects() == []
