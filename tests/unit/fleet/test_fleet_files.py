"""Fleet files: what is read, and what each fault says. Tables keyed by sentence."""

import json
import textwrap
from pathlib import Path

import jsonschema
import pytest
import yaml

from vagus.fleet import ClusterSpec, decode
from vagus_cli import fleet_files
from vagus_cli.fleet_files import FleetFaulty

ROOT = Path(__file__).parents[3]

CA = "arn:aws:acm-pca:eu-west-1:111122223333:certificate-authority/12345678-1234-1234-1234-123456789012"
ACM = "arn:aws:acm:eu-west-1:111122223333:certificate/12345678-1234-1234-1234-123456789012"
SERVED = "search.claims.vagus.internal"
GOOD = """\
name: claims
cell: prod
engine: {name: opensearch, version: 3.4.0}
zones: [eu-west-1a, eu-west-1b, eu-west-1c]
groups:
  managers:
    roles: [cluster_manager]
    per_zone: 1
  data:
    roles: [data]
    per_zone: 2
network:
  clients: [10.0.0.0/16]
settings: {}
zone_balance: {mode: observe}
"""

# sentence: (text in GOOD, what stands there instead, line, field, words of the message)
FAULTS: dict[str, tuple[str, str, int, str, str]] = {
    "an unknown field is named with the one that was meant": (
        "per_zone: 2", "per_zones: 2", 11, "groups.data.per_zones", "did you mean per_zone?"),
    "an unknown field that is like none is named with those there are": (
        "cell: prod", "cell: prod\nowner: anna", 3, "owner", "remove it, or use one of name, cell"),
    "a missing field is named": (
        "    per_zone: 2\n", "", 10, "groups.data.per_zone", "is missing: add it"),
    "a version that YAML takes for a number": (
        "version: 3.4.0", "version: 3.4", 3, "engine.version", 'put it in quotes, "3.4"'),
    "a version that no test runs": (
        "version: 3.4.0", "version: 1.3.20", 3, "engine.version", "use 2.19.1 or a later 2.19.x, or 3.x"),
    "the last version that does not know a setting of the boot script": (
        "version: 3.4.0", "version: 2.19.0", 3, "engine.version", "use 2.19.1 or a later 2.19.x"),
    "a version with a leading zero": (
        "version: 3.4.0", "version: 3.04.0", 3, "engine.version", "3.x, its numbers without leading zeros"),
    "a version of Elasticsearch with a leading zero": (
        "name: opensearch, version: 3.4.0", "name: elasticsearch, version: 7.17.029",
        3, "engine.version", "use 7.17.x, its numbers without leading zeros"),
    "a version of the other engine": (
        "name: opensearch, version: 3.4.0", "name: elasticsearch, version: 8.1.0", 3, "engine.version", "use 7.17.x"),
    "nodes of ours that would have no TLS": (
        "name: opensearch, version: 3.4.0", "name: elasticsearch, version: 7.17.29", 3, "engine.name", "`adopted`"),
    "no TLS where the engine has it": (
        "version: 3.4.0", "version: 3.4.0, tls: false", 3, "engine.tls", "OpenSearch never runs without TLS"),
    "no TLS in a cell that is not the local one": (
        "name: opensearch, version: 3.4.0", "name: elasticsearch, version: 7.17.29, tls: false",
        3, "engine.tls", "whoever reaches a node would read all data"),
    "a number that is no number": (
        "per_zone: 2", "per_zone: two", 11, "groups.data.per_zone", "expected `int`"),
    "a number beyond its bound": (
        "per_zone: 2", "per_zone: 101", 11, "groups.data.per_zone", "<= 100"),
    "more than the group may hold": (
        "per_zone: 2", "per_zone: 12", 11, "groups.data.per_zone", "raise most_per_zone"),
    "a role that there is not": (
        "roles: [data]", "roles: [data, voting]", 10, "groups.data.roles[1]", "one of cluster_manager, data"),
    "a role given twice": (
        "roles: [data]", "roles: [data, data]", 10, "groups.data.roles", "give each once"),
    "a name in capitals": (
        "name: claims", "name: Claims", 1, "name", "lower case, 3 to 32 long"),
    "a group's name in capitals": (
        "  data:", "  Data:", 10, "groups.Data", "lower case"),
    "a name that is not the file's": (
        "name: claims", "name: claim", 1, "name", "the file is claims.yaml"),
    "a zone that is none": (
        "eu-west-1b", "eu-west-1", 4, "zones[1]", "eu-west-1a"),
    "a zone given twice": (
        "eu-west-1b", "eu-west-1a", 4, "zones", "give each zone once"),
    "zones of two Regions": (
        "eu-west-1c", "eu-west-2c", 4, "zones", "one Region"),
    "two zones, of which neither may be lost": (
        ", eu-west-1c]", "]", 4, "zones", "half is no majority"),
    "a zone leaves that is none of the zones": (
        "eu-west-1c]", "eu-west-1c]\nzones_leaving: [eu-west-1d]", 5, "zones_leaving[0]", "leave it there until"),
    "every zone leaves": (
        "eu-west-1c]", "eu-west-1c]\nzones_leaving: [eu-west-1a, eu-west-1b, eu-west-1c]", 5, "zones_leaving",
        "keep a zone"),
    "two zones would stay, of which neither may be lost": (
        "eu-west-1c]", "eu-west-1c]\nzones_leaving: [eu-west-1c]", 4, "zones", "half is no majority"),
    "no managers": (
        "roles: [cluster_manager]", "roles: [ingest]", 6, "groups", "give it to one group"),
    "managers in two groups": (
        "roles: [data]\n    per_zone: 2", "roles: [data, cluster_manager]\n    per_zone: 1", 7, "groups.managers.roles",
        "give it to one of them"),
    "managers that hold data, several in a zone": (
        "  managers:\n    roles: [cluster_manager]\n    per_zone: 1",
        "  managers:\n    roles: [cluster_manager, data]\n    per_zone: 3", 8, "groups.managers.per_zone",
        "would scale the voters"),
    "nobody holds data": (
        "roles: [data]", "roles: [ingest]", 6, "groups", "give it to one group"),
    "a heap beyond compressed pointers": (
        "per_zone: 2", "per_zone: 2\n    heap: 32g", 12, "groups.data.heap", "use 31g or less"),
    "a client network that is no network": (
        "10.0.0.0/16", "10.0.0.7/16", 13, "network.clients[0]", "host bits"),
    "a client network that is everyone": (
        "10.0.0.0/16", "0.0.0.0/0", 13, "network.clients[0]", "everyone"),
    "a client network that is nearly everyone": (
        "10.0.0.0/16", "0.0.0.0/1", 13, "network.clients[0]", "everyone"),
    "a heap in which no engine starts": (
        "per_zone: 2", "per_zone: 2\n    heap: 8m", 12, "groups.data.heap", "use 128m or more"),
    "an instance type that is none": (
        "per_zone: 2", "per_zone: 2\n    instance_type: large", 12, "groups.data.instance_type", "matching regex"),
    "an address that the boot script writes": (
        "settings: {}", "settings: {http.host: 0.0.0.0}", 14, "settings.http.host", "remove it"),
    "another address that the boot script writes": (
        "settings: {}", "settings: {transport.bind_host: 0.0.0.0}", 14, "settings.transport.bind_host", "remove it"),
    "a setting that Vagus owns": (
        "settings: {}", "settings: {cluster.routing.allocation.enable: none}", 14,
        "settings.cluster.routing.allocation.enable", "remove it"),
    "a setting without a name": (
        "settings: {}", "settings: {'': a}", 14, "settings.", "name the setting"),
    "an alias that holds itself": (
        "settings: {}", "settings: &a {b: *a}", 1, "", "an alias holds itself"),
    "a nest without end": (
        "settings: {}", "settings: " + "[" * 3000 + "]" * 3000, 1, "", "nested too deeply"),
    "a setting that the boot script writes": (
        "settings: {}", "settings: {node.attr.zone: a}", 14, "settings.node.attr.zone", "remove it"),
    "an exclusion, which is a person's or ours, never a file's": (
        "settings: {}", "settings: {cluster.routing.allocation.exclude._name: a}", 14,
        "settings.cluster.routing.allocation.exclude._name", "remove it"),
    "a kind that is adopted in some zones only": (
        "per_zone: 2", "per_zone: 2\n    adopted: {eu-west-1a: old-a}", 12, "groups.data.adopted", "name one for each"),
    "an adopted group without a name": (
        "per_zone: 2", "per_zone: 2\n    adopted: {eu-west-1a: ''}", 12, "groups.data.adopted.eu-west-1a",
        "length >= 1"),
    "a rule that can't be waived": (
        "cell: prod", "cell: prod\nwaived: [hook_lets_go]", 3, "waived[0]", "spot"),
    "an issuer that renews nothing": (
        "zone_balance: {mode: observe}", "certificates: {issuer: kms, mode: observe}", 15, "certificates.mode",
        "every certificate would end. Set it to approve, or act"),
    "an issuer that the local stack has not": (
        GOOD, GOOD.replace("cell: prod", "cell: local")
        + f"certificates: {{issuer: private_ca, mode: act, private_cas: ['{CA}']}}\n", 16,
        "certificates.issuer", "the local stack has no AWS Private CA: use kms"),
    "an issuer for nodes that are adopted": (
        GOOD, GOOD.replace("per_zone: 2", "per_zone: 2\n    adopted: {eu-west-1a: a, eu-west-1b: b, eu-west-1c: c}")
        + "certificates: {issuer: kms, mode: act}\n", 17, "certificates.issuer", "the nodes of data are adopted"),
    "an issuer for an engine that takes none": (
        GOOD, GOOD.replace("name: opensearch, version: 3.4.0", "name: elasticsearch, version: 7.17.29")
        .replace("per_zone: 1", "per_zone: 1\n    adopted: {eu-west-1a: m, eu-west-1b: m, eu-west-1c: m}")
        .replace("per_zone: 2", "per_zone: 2\n    adopted: {eu-west-1a: a, eu-west-1b: b, eu-west-1c: c}")
        + "certificates: {issuer: kms, mode: act}\n", 18, "certificates.issuer", "no certificates for elasticsearch"),
    "a client given twice": (
        "zone_balance: {mode: observe}", "certificates: {issuer: kms, mode: act, clients: [billing, billing]}", 15,
        "certificates.clients", "give each client once"),
    "a client that would be one of Vagus's functions": (
        "zone_balance: {mode: observe}", "certificates: {issuer: kms, mode: act, clients: [billing, vagus-read]}", 15,
        "certificates.clients[1]", "they are renewed by themselves, remove it"),
    "clients of nobody's authority": (
        "zone_balance: {mode: observe}", "certificates: {clients: [billing]}", 15, "certificates.clients",
        "is for issuers kms and private_ca"),
    "days of nobody's certificates": (
        "zone_balance: {mode: observe}", "certificates: {issuer: own, days: 30}", 15, "certificates.days",
        "is for issuers kms and private_ca"),
    "a gateway without its ARN": (
        "zone_balance: {mode: observe}",
        f"certificates: {{issuer: kms, mode: act, gateways: [{{names: [{SERVED}]}}]}}", 15,
        "certificates.gateways[0].arn", "is missing: add it"),
    "a field of a gateway that is none": (
        "zone_balance: {mode: observe}",
        f"certificates: {{issuer: kms, mode: act, "
        f"gateways: [{{arn: '{ACM}', names: [{SERVED}], endpont: '{SERVED}:443'}}]}}", 15,
        "certificates.gateways[0].endpont", "did you mean endpoint?"),
    "an endpoint without a port": (
        "zone_balance: {mode: observe}",
        f"certificates: {{issuer: kms, mode: act, "
        f"gateways: [{{arn: '{ACM}', names: [{SERVED}], endpoint: {SERVED}}}]}}", 15,
        "certificates.gateways[0].endpoint", "one of the names and a port"),
    "an endpoint out of reach": (
        "zone_balance: {mode: observe}",
        f"certificates: {{issuer: kms, mode: act, "
        f"gateways: [{{arn: '{ACM}', names: [{SERVED}], endpoint: '{SERVED}:9300'}}]}}", 15,
        "certificates.gateways[0].endpoint", "is out of reach"),
    "a wildcard": (
        "zone_balance: {mode: observe}",
        f"certificates: {{issuer: kms, mode: act, gateways: [{{arn: '{ACM}', names: ['*.{SERVED}']}}]}}", 15,
        "certificates.gateways[0].names[0]", "no wildcard"),
    "a name that begins with a hyphen": (
        "zone_balance: {mode: observe}",
        f"certificates: {{issuer: kms, mode: act, gateways: [{{arn: '{ACM}', names: ['-.{SERVED}']}}]}}", 15,
        "certificates.gateways[0].names[0]", "written out"),
    "a name twice": (
        "zone_balance: {mode: observe}",
        f"certificates: {{issuer: kms, mode: act, gateways: [{{arn: '{ACM}', names: [{SERVED}, {SERVED}]}}]}}", 15,
        "certificates.gateways[0].names", "is given twice"),
    "gateways of nobody's authority": (
        "zone_balance: {mode: observe}", f"certificates: {{gateways: [{{arn: '{ACM}', names: [{SERVED}]}}]}}", 15,
        "certificates.gateways", "is for issuers kms and private_ca"),
    "a gateway's certificate of another Region": (
        "zone_balance: {mode: observe}",
        f"certificates: {{issuer: kms, mode: act, gateways: [{{arn: '{ACM.replace('west-1', 'north-1')}', "
        f"names: [{SERVED}]}}]}}", 15,
        "certificates.gateways[0].arn", "lies in eu-north-1"),
    "a gateway's certificate twice": (
        "zone_balance: {mode: observe}",
        f"certificates: {{issuer: kms, mode: act, gateways: [{{arn: '{ACM}', names: [{SERVED}]}}, "
        f"{{arn: '{ACM}', names: [{SERVED}]}}]}}", 15,
        "certificates.gateways[1].arn", "is given twice"),
    "a gateway's certificate whose Region is half a name": (
        "zone_balance: {mode: observe}",
        f"certificates: {{issuer: kms, mode: act, gateways: [{{arn: '{ACM.replace('eu-west-1', 'eu')}', "
        f"names: [{SERVED}]}}]}}", 15,
        "certificates.gateways[0].arn", "lies in eu, and the cluster does not"),
    "a gateway of another's name": (
        "zone_balance: {mode: observe}",
        f"certificates: {{issuer: kms, mode: act, gateways: [{{arn: '{ACM}', names: [www.example.org]}}]}}", 15,
        "certificates.gateways[0].names", "does not lie below"),
    "a private CA that is not said": (
        "zone_balance: {mode: observe}", "certificates: {issuer: private_ca, mode: act}", 15,
        "certificates.private_cas", "give the ARN of a root CA"),
    "a private CA for nobody": (
        "zone_balance: {mode: observe}", f"certificates: {{issuer: kms, mode: act, private_cas: ['{CA}']}}", 15,
        "certificates.private_cas", "is for issuer private_ca"),
    "a private CA that is to replace itself": (
        "zone_balance: {mode: observe}",
        f"certificates: {{issuer: private_ca, mode: act, private_cas: ['{CA}', '{CA}']}}", 15,
        "certificates.private_cas", "gives one private CA twice"),
    "a private CA of another Region": (
        "zone_balance: {mode: observe}",
        f"certificates: {{issuer: private_ca, mode: act, private_cas: ['{CA.replace('west-1', 'north-1')}']}}", 15,
        "certificates.private_cas[0]", "lies in eu-north-1"),
    "what is no private CA": (
        "zone_balance: {mode: observe}", "certificates: {issuer: private_ca, mode: act, private_cas: [mine]}", 15,
        "certificates.private_cas[0]", "matching regex"),
    "a private CA that renews nothing": (
        "zone_balance: {mode: observe}", f"certificates: {{issuer: private_ca, private_cas: ['{CA}']}}", 15,
        "certificates.mode", "with issuer private_ca nobody else renews"),
    "a mapping where a list belongs": (
        "zones: [eu-west-1a, eu-west-1b, eu-west-1c]", "zones: {a: b}", 4, "zones", "expected `array`"),
    "a list where a mapping belongs": (
        "zone_balance: {mode: observe}", "zone_balance: [act]", 15, "zone_balance", "must be a mapping"),
    "a mode that there is not": (
        "mode: observe", "mode: dryrun", 15, "zone_balance.mode", "one of observe, approve, act"),
    "a number where one of some words belongs": (
        "mode: observe", "replicas: 2", 15, "zone_balance.replicas", "2 is none of the choices: say one of kept, with"),
    "a word that is none of the choices, named once": (
        "mode: observe", "mode: acm", 15, "zone_balance.mode", "'acm' is none of the choices: say one of observe"),
    "a mode alone, where its mapping belongs": (
        "mode: observe", "shards: on", 15, "zone_balance.shards", ": say {mode: on}"),
    "a mode alone, in quotes": (
        "mode: observe", "shards: 'off'", 15, "zone_balance.shards", ": say {mode: off}"),
    "a word in a list that is none of the choices": (
        "cell: prod", "cell: prod\nwaived: [acm]", 3, "waived[0]", "invalid enum value 'acm' (one of"),
    "one alone where a list belongs": (
        "mode: observe}", "mode: observe}\ncertificates: {issuer: kms, clients: billing}", 16, "certificates.clients",
        "must be a list: say [billing]"),
    "no group at all": (
        GOOD[GOOD.index("groups:"):GOOD.index("network:")], "groups: {}\n", 5, "groups", "add it (nodes by kind)"),
    "a key given twice, of which YAML keeps the last": (
        "cell: prod", "cell: prod\ncell: test", 3, "", "cell is given twice"),
    "broken YAML": (
        "zones: [", "zones: ]", 4, "", "not valid YAML"),
    "a tag that would build an object": (
        "cell: prod", "cell: !!python/object:os.system prod", 2, "", "not valid YAML"),
}  # fmt: skip


def _folder(tmp_path: Path, **files: str) -> Path:
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def _named(name: str, group: str) -> str:
    """GOOD under another name, its data group renamed."""
    return GOOD.replace("name: claims", f"name: {name}").replace("  data:", f"  {group}:")


def test_what_can_t_be_opened_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "dangling.yaml").symlink_to(tmp_path / "nowhere")
    _, problems = fleet_files.read(tmp_path)
    assert [(Path(one.file).name, "can't be read" in one.what) for one in problems] == [
        ("dangling.yaml", True),
        ("folder.yaml", True),
    ]


def test_on_is_a_word_as_the_docs_write_it(tmp_path: Path) -> None:
    said = GOOD.replace("{mode: observe}", "{mode: observe, shards: {mode: on}}")
    assert fleet_files.load(_folder(tmp_path, claims=said))["claims"].zone_balance.shards.mode == "on"


def test_a_good_file_is_read(tmp_path: Path) -> None:
    spec = fleet_files.load(_folder(tmp_path, claims=GOOD))["claims"]
    assert spec.group_name("data", "eu-west-1b") == "claims-data-eu-west-1b"
    assert list(spec.sizes().values()) == [1, 1, 1, 2, 2, 2]


PRIVATE = "arn:aws:acm-pca:eu-west-1:111122223333:certificate-authority/11111111-2222-3333-4444-555555555555"
OURS = {
    "a private CA, whose every certificate would be a node's of both": (
        f"{{issuer: private_ca, mode: act, private_cas: ['{PRIVATE}']}}", "private_cas[0]"),
    "a gateway's certificate, over which both would import": (
        f"{{issuer: kms, mode: act, gateways: [{{arn: '{ACM}', names: [a.NAME.vagus.internal]}}]}}", "gateways[0].arn"),
}  # fmt: skip


@pytest.mark.parametrize(("policy", "field"), OURS.values(), ids=OURS.keys())
def test_what_is_to_be_one_clusters_alone_is_declared_by_one(tmp_path: Path, policy: str, field: str) -> None:
    files = {
        name: _named(name, "data").replace(
            "zone_balance: {mode: observe}", f"certificates: {policy.replace('NAME', name)}"
        )
        for name in ("claims", "letters")
    }
    assert fleet_files.read(_folder(tmp_path, claims=files["claims"]))[1] == ()
    _, problems = fleet_files.read(_folder(tmp_path, **files))
    ((file, where, what),) = [(Path(one.file).name, one.field, one.what) for one in problems]
    assert (file, where) == ("letters.yaml", f"certificates.{field}")
    assert "cluster claims declares it too" in what


ELASTIC = GOOD.replace("name: opensearch, version: 3.4.0", "name: elasticsearch, version: 7.17.29")


def test_elasticsearch_on_the_loopback_may_say_that_it_has_no_tls(tmp_path: Path) -> None:
    said = ELASTIC.replace("7.17.29", "7.17.29, tls: false").replace("cell: prod", "cell: local")
    assert fleet_files.load(_folder(tmp_path, claims=said))["claims"].engine.tls is False


def test_elasticsearch_elsewhere_has_tls_on_nodes_that_bring_it(tmp_path: Path) -> None:
    groups = "adopted: {eu-west-1a: %s, eu-west-1b: %s, eu-west-1c: %s}"
    said = ELASTIC.replace("per_zone: 1", "per_zone: 1\n    " + groups % ("m", "m", "m"))
    said = said.replace("per_zone: 2", "per_zone: 2\n    " + groups % ("d", "d", "d"))
    assert fleet_files.load(_folder(tmp_path, claims=said))["claims"].engine.tls is True


ADOPTED = GOOD.replace("per_zone: 2", "per_zone: 2\n    adopted: {eu-west-1a: old, eu-west-1b: old, eu-west-1c: old-c}")


def test_adopted_groups_keep_their_names_and_are_not_sized(tmp_path: Path) -> None:
    spec = fleet_files.load(_folder(tmp_path, claims=ADOPTED))["claims"]
    assert [spec.group_name("data", zone) for zone in spec.zones] == ["old", "old", "old-c"]
    assert (spec.sizes()["old"], spec.sizes()["old-c"]) == (4, 2)
    assert list(spec.sized()) == [f"claims-managers-{zone}" for zone in spec.zones]


def test_a_group_is_adopted_once(tmp_path: Path) -> None:
    other = ADOPTED.replace("name: claims", "name: letters")
    _, problems = fleet_files.read(_folder(tmp_path, claims=ADOPTED, letters=other))
    assert {Path(one.file).name for one in problems} == {"letters.yaml"}
    assert "old is adopted by data of cluster claims too" in problems[0].what


@pytest.mark.parametrize("sentence", FAULTS)
def test_a_fault_names_file_line_field_and_remedy(tmp_path: Path, sentence: str) -> None:
    old, new, line, field, words = FAULTS[sentence]
    assert old in GOOD
    _, problems = fleet_files.read(_folder(tmp_path, claims=GOOD.replace(old, new, 1)))
    assert [(Path(one.file).name, one.line, one.field) for one in problems][:1] == [("claims.yaml", line, field)]
    assert words in problems[0].what
    assert f"claims.yaml:{line}: " in str(problems[0])


def test_one_slip_is_one_fault(tmp_path: Path) -> None:
    renamed = {"an unknown field is named with the one that was meant"}  # the field that was meant is missing too
    for sentence in FAULTS.keys() - renamed:
        old, new, *_ = FAULTS[sentence]
        _, problems = fleet_files.read(_folder(tmp_path, claims=GOOD.replace(old, new, 1)))
        assert len(problems) == 1, (sentence, problems)


def test_every_fault_of_every_file_is_named_at_once(tmp_path: Path) -> None:
    broken = GOOD.replace("per_zone: 2", "per_zone: many").replace("mode: observe", "mode: dryrun")
    folder = _folder(tmp_path, claims=broken, other=_named("other", "data").replace("cell: prod\n", ""))
    with pytest.raises(FleetFaulty) as raised:
        fleet_files.load(folder)
    assert [(Path(one.file).name, one.field) for one in raised.value.problems] == [
        ("claims.yaml", "groups.data.per_zone"),
        ("claims.yaml", "zone_balance.mode"),
        ("other.yaml", "cell"),
    ]


def test_two_clusters_may_not_make_the_same_group(tmp_path: Path) -> None:
    folder = _folder(tmp_path, **{"aaa-bbb": _named("aaa-bbb", "ccc"), "aaa": _named("aaa", "bbb-ccc")})
    _, (problem,) = fleet_files.read(folder)
    assert (Path(problem.file).name, problem.field) == ("aaa.yaml", "groups.bbb-ccc") or (
        Path(problem.file).name,
        problem.field,
    ) == ("aaa-bbb.yaml", "groups.ccc")
    assert "aaa-bbb-ccc-" in problem.what


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "the file is empty"), ("- a\n", "must be a mapping"), ("just words\n", "must be a mapping")],
    ids=["an empty file", "a list", "a word"],
)
def test_a_file_that_is_no_mapping(tmp_path: Path, text: str, words: str) -> None:
    _, (problem,) = fleet_files.read(_folder(tmp_path, claims=text))
    assert words in problem.what


def test_a_file_that_would_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "claims.yml").write_text(GOOD)
    _, (problem,) = fleet_files.read(tmp_path)
    assert "rename it to end in .yaml" in problem.what


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    (tmp_path / "claims.yaml").write_bytes(b"\xff\xfe\x00")
    _, (problem,) = fleet_files.read(tmp_path)
    assert "UTF-8" in problem.what


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FleetFaulty, match="is not a folder"):
        fleet_files.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "groups",
    [
        "one: {roles: [cluster_manager, data], per_zone: 1}",
        "one: {roles: [cluster_manager], per_zone: 3}\n  two: {roles: [data], per_zone: 1}",
    ],
    ids=["a single node", "three managers"],
)
def test_a_cluster_for_trials_lies_in_one_zone(tmp_path: Path, groups: str) -> None:
    text = GOOD.replace("zones: [eu-west-1a, eu-west-1b, eu-west-1c]", "zones: [eu-west-1a]")
    text = text[: text.index("groups:")] + f"groups:\n  {groups}\n"
    assert list(fleet_files.load(_folder(tmp_path, claims=text))) == ["claims"]


def test_two_managers_are_worse_than_one(tmp_path: Path) -> None:
    text = GOOD.replace("zones: [eu-west-1a, eu-west-1b, eu-west-1c]", "zones: [eu-west-1a]")
    text = text.replace("roles: [cluster_manager]\n    per_zone: 1", "roles: [cluster_manager]\n    per_zone: 2")
    _, (problem,) = fleet_files.read(_folder(tmp_path, claims=text))
    assert "2 managers lose their majority" in problem.what


# -- the files of this repository ------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["fleet", "fleet/examples"])
def test_the_fleets_of_this_repository_are_good(folder: str) -> None:
    assert fleet_files.load(ROOT / folder)


def test_the_demo_has_six_nodes_in_three_zones() -> None:
    demo = fleet_files.load(ROOT / "fleet")["demo"]
    assert sum(demo.sizes().values()) == 6
    assert demo.zone_balance.mode == "act"


@pytest.mark.parametrize("file", sorted((ROOT / "fleet").rglob("*.yaml")), ids=lambda file: file.name)
def test_editors_find_the_schema(file: Path) -> None:
    first = file.read_text().splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (file.parent / first.partition("$schema=")[2]).resolve() == ROOT / "fleet/schema.json"


def test_the_schema_is_fresh() -> None:
    assert (ROOT / "fleet/schema.json").read_bytes() == fleet_files.schema(), "vagus fleet schema > fleet/schema.json"


def test_the_schema_takes_what_we_take_and_refuses_a_slip() -> None:
    schema = json.loads(fleet_files.schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load(GOOD), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(GOOD.replace("per_zone: 2", "per_zones: 2")), schema)


def test_functions_read_back_what_was_declared(tmp_path: Path) -> None:
    fleet = fleet_files.load(_folder(tmp_path, claims=GOOD, other=_named("other", "data")))
    assert decode(fleet_files.layer_document(fleet)) == fleet
    assert isinstance(fleet["other"], ClusterSpec)
    backwards = dict(reversed(fleet.items()))
    assert fleet_files.layer_document(backwards) == fleet_files.layer_document(fleet)


def test_a_line_is_that_of_the_nearest_thing_around() -> None:
    document = fleet_files.yaml_lines.parse(textwrap.dedent("a:\n  b: 1\n"))
    assert document.line(("a", "b")) == 2
    assert document.line(("a", "c")) == document.line(("a",))
    assert document.line(("x",)) == 1
