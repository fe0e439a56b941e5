"""What Vagus and a site's agent read of each other, also where one of them is of another version."""

import msgspec
import pytest

from vagus import site
from vagus.errors import Malformed
from vagus.site import Asked, Commands, Report, Told

AS_FIRST_WRITTEN = {
    "a request": (
        b'{"pod":"claims-data-a-0","uid":"7","namespace":"search","account":"claims-nodes","addresses":["10.42.0.7"],'
        b'"request":"PEM"}',
        Asked(
            pod="claims-data-a-0",
            uid="7",
            namespace="search",
            account="claims-nodes",
            addresses=("10.42.0.7",),
            request="PEM",
        ),
    ),
    "commands": (
        b'{"told":[{"pod":"claims-data-a-0","document":"install-trust","step":"intent-1.trust","sent":1.5}]}',
        Commands(told=(Told(pod="claims-data-a-0", document="install-trust", step="intent-1.trust", sent=1.5),)),
    ),
    "a report": (
        b'{"at":1.5,"bundle":"ab","handshakes":[],"said":{"claims-data-a-0":"no"}}',
        Report(at=1.5, bundle="ab", said={"claims-data-a-0": "no"}),
    ),
}


@pytest.mark.parametrize("case", AS_FIRST_WRITTEN)
def test_what_the_first_version_wrote_is_read(case: str) -> None:
    """A field that is added has a default: texts of those who don't know it go on being read."""
    text, wanted = AS_FIRST_WRITTEN[case]
    assert site.read(text, type(wanted), case) == wanted


@pytest.mark.parametrize("case", AS_FIRST_WRITTEN)
def test_a_field_that_one_does_not_know_is_not_read(case: str) -> None:
    text, wanted = AS_FIRST_WRITTEN[case]
    newer = msgspec.json.encode({"of": "a newer version", **msgspec.json.decode(text)})
    assert site.read(newer, type(wanted), case) == wanted


def test_what_is_told_to_a_pod_besides_is_not_read() -> None:
    text, wanted = AS_FIRST_WRITTEN["commands"]
    newer = text.replace(b'"sent":1.5', b'"sent":1.5,"until":9')
    assert site.read(newer, Commands, "commands") == wanted


def test_what_is_missing_names_the_object_and_the_field() -> None:
    with pytest.raises(Malformed, match=r"site/report\.json: .*`bundle`.*another version"):
        site.read(b'{"at": 1}', Report, site.REPORT)
