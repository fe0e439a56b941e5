"""Which node is asked, what is tried again, and what an answer means."""

from pathlib import Path

import pytest
from tests.unit.search.conftest import FIRST, SECOND, Bench, certificate, fine
from tests.unit.search.nodes import PlayedNode, node_context, played

from vagus.errors import Denied, Malformed, Refused, Throttled, Unreachable
from vagus.search.tls import context
from vagus.search.transport import NotReady, NotSent, Transport, Untrusted
from vagus_local.certificates import Authority, create_authority

FORBIDDEN = '{"error": {"reason": "no permissions for [cluster:admin/settings/update] and User [name=x]"}}'


def test_one_node_is_asked_and_over_one_connection(bench: Bench) -> None:
    assert bench.transport.read("GET", "/a") == b'{"path": "/a"}'
    assert bench.transport.write("PUT", "/b", {"c": 1}) == b'{"path": "/b"}'
    assert [(asked.method, asked.body) for asked in bench.first.asked] == [("GET", b""), ("PUT", b'{"c":1}')]
    assert bench.second.asked == []


@pytest.mark.parametrize("failing", [None, (503, "no manager"), (500, "oops"), (502, "proxy")])
def test_a_read_goes_on_to_the_next_node(bench: Bench, failing: tuple[int, str] | None) -> None:
    bench.first.reply = lambda _: failing
    assert bench.transport.read("GET", "/a") == b'{"path": "/a"}'
    assert len(bench.second.asked) == 1


def test_the_node_that_answered_is_asked_first_from_then_on(bench: Bench) -> None:
    bench.first.reply = lambda _: None
    bench.transport.read("GET", "/a")
    met = len(bench.first.asked)
    bench.transport.read("GET", "/b")
    bench.transport.write("PUT", "/c", {})
    assert len(bench.first.asked) == met
    assert len(bench.second.asked) == 3


def test_a_write_that_was_sent_and_not_answered_is_never_sent_again(bench: Bench) -> None:
    bench.first.reply = lambda _: None
    with pytest.raises(Unreachable) as unknown:
        bench.transport.write("PUT", "/_cluster/settings", {})
    assert not isinstance(unknown.value, NotSent)
    assert len(bench.first.asked) == 1
    assert bench.second.asked == []


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_write_that_a_node_answered_with_an_error_is_not_sent_again(bench: Bench, status: int) -> None:
    bench.first.reply = lambda _: (status, "")
    with pytest.raises((Unreachable, Throttled)):
        bench.transport.write("PUT", "/a", {})
    assert (len(bench.first.asked), len(bench.second.asked)) == (1, 0)


def test_a_write_goes_on_where_nothing_can_have_been_sent(bench: Bench, authority: Authority) -> None:
    nobody = "127.255.255.254"
    transport = Transport([nobody, SECOND], context(certificate(authority)), bench.first.port)
    transport.write("PUT", "/a", {})
    assert len(bench.second.asked) == 1
    transport.close()


@pytest.mark.parametrize(
    ("status", "body", "error", "said"),
    [
        (400, "illegal_argument", Refused, "400 illegal_argument"),
        (404, "index_not_found", Refused, "404"),
        (409, "conflict", Refused, "409"),
        (401, "who are you", Denied, "authentication: "),
        (403, FORBIDDEN, Denied, "cluster:admin/settings/update: "),
        (403, "go away", Denied, "unnamed: "),
        (429, "too many", Throttled, "429 too many"),
        (503, "not initialized", NotReady, "503"),
        (302, "elsewhere", Refused, "302"),
    ],
)
def test_an_answer_means(bench: Bench, status: int, body: str, error: type[Exception], said: str) -> None:
    for node in (bench.first, bench.second):
        node.reply = lambda _: (status, body)
    with pytest.raises(error) as raised:
        bench.transport.read("GET", "/_cluster/health?secret=1")
    assert said in str(raised.value)
    assert "secret" not in str(raised.value)


def test_what_a_person_has_to_mend_is_not_asked_of_every_node(bench: Bench) -> None:
    bench.first.reply = lambda _: (403, FORBIDDEN)
    with pytest.raises(Denied):
        bench.transport.read("GET", "/a")
    assert bench.second.asked == []


def test_all_nodes_silent_is_unreachable_and_names_them(bench: Bench) -> None:
    bench.first.reply = bench.second.reply = lambda _: None
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1.*127\.0\.0\.2"):
        bench.transport.read("GET", "/a")


def test_without_addresses_nothing_was_sent(authority: Authority) -> None:
    transport = Transport([], context(certificate(authority)))
    with pytest.raises(Unreachable, match="no node is known"):
        transport.read("GET", "/")
    with pytest.raises(Unreachable, match="no node is known"):
        transport.write("PUT", "/", {})


def test_a_node_of_a_foreign_authority_gets_no_request(bench: Bench, authority: Authority, tmp_path: Path) -> None:
    foreign = create_authority(tmp_path / "foreign")
    transport = Transport([FIRST], context(certificate(authority, trusted=foreign)), bench.first.port)
    for call in (transport.read, transport.write):
        with pytest.raises(Untrusted) as untrusted:
            call("PUT", "/a", {})
        assert untrusted.value.sent is False
    assert bench.first.asked == []
    transport.close()


def test_a_node_whose_certificate_names_another_address_gets_no_request(authority: Authority, tmp_path: Path) -> None:
    other = PlayedNode(FIRST, 0, node_context(authority, tmp_path, SECOND), fine)
    transport = Transport([FIRST], context(certificate(authority)), other.port)
    with played(other), pytest.raises(Untrusted, match="mismatch"):
        transport.read("GET", "/a")
    assert other.asked == []
    transport.close()


PLAIN = '{"plain": true}'


def test_without_a_context_a_loopback_node_is_asked_in_plain_http() -> None:
    with played(PlayedNode(FIRST, 0, None, lambda _: (200, PLAIN))) as (node,):
        transport = Transport([FIRST], None, node.port)
        assert transport.read("GET", "/a") == PLAIN.encode()
        transport.close()


@pytest.mark.parametrize("address", ["10.0.0.7", "localhost", "127.0.0.1.example.org", "::ffff:10.0.0.7", ""])
def test_without_a_context_nothing_leaves_this_machine(address: str) -> None:
    with pytest.raises(Malformed, match="loopback addresses alone"):
        Transport([FIRST, address], None)


def test_a_node_in_plain_http_is_never_taken_where_tls_is_wanted(authority: Authority) -> None:
    with played(PlayedNode(FIRST, 0, None, lambda _: (200, PLAIN))) as (node,):
        transport = Transport([FIRST], context(certificate(authority)), node.port)
        with pytest.raises(Untrusted):
            transport.read("GET", "/a")
        assert node.asked == []
        transport.close()


def test_a_certificate_for_another_address_is_not_trusted(authority: Authority, tmp_path: Path) -> None:
    with played(PlayedNode(FIRST, 0, node_context(authority, tmp_path, SECOND), fine)) as (node,):
        transport = Transport([FIRST], context(certificate(authority)), node.port)
        with pytest.raises(Untrusted, match=r"127\.0\.0\.1"):
            transport.read("GET", "/a")
        assert node.asked == []
        transport.close()


def test_a_certificate_and_key_never_show(authority: Authority) -> None:
    tls = certificate(authority)
    assert "PRIVATE" in tls.key
    assert repr(tls) == str(tls) == f"{tls}" == "Tls(...)"
