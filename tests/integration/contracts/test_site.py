"""Objects of a site: Vagus's side and the agent's put over one another, and of two at the same time one loses."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from tests.integration.emulator.support import Aws

from vagus.aws.clients import Clients
from vagus.aws.fake_site import FakeSiteObjects
from vagus.aws.site import S3SiteObjects
from vagus.errors import Conflict
from vagus.ports import SiteObjects

KEY = "site/commands.json"


@dataclass(frozen=True)
class Site:
    """The port, and how the other side puts an object: over whatever lies there."""

    port: SiteObjects
    there: Callable[[str, bytes], object]


@pytest.fixture(params=["fake", "s3"])
def placed(request: pytest.FixtureRequest) -> Site:
    if request.param == "fake":
        fake = FakeSiteObjects(time.time)
        return Site(fake, fake.there)
    aws: Aws = request.getfixturevalue("aws")
    clients: Clients = request.getfixturevalue("clients")
    bucket = f"vagus-site-{aws.account}"  # names of buckets are one world's, whatever the account
    aws.s3.create_bucket(Bucket=bucket)
    clients.ssm.put_parameter(Name="/vagus/one/node/artifact-bucket", Value=bucket, Type="String")
    return Site(S3SiteObjects(clients, "one"), lambda key, text: aws.s3.put_object(Bucket=bucket, Key=key, Body=text))


def test_there_is_none_before_one_is_put(placed: Site) -> None:
    assert placed.port.get(KEY) is None


def test_one_is_read_as_it_was_put_and_when_says_the_store(placed: Site) -> None:
    began = time.time()
    placed.port.put(KEY, b"first", None)
    found = placed.port.get(KEY)
    assert found is not None
    assert found.text == b"first"
    assert began - 2 <= found.at <= time.time() + 2


def test_one_is_put_over_the_one_that_was_read(placed: Site) -> None:
    placed.there(KEY, b"first")
    placed.port.put(KEY, b"second", placed.port.get(KEY))
    found = placed.port.get(KEY)
    assert found is not None
    assert found.text == b"second"


def test_who_read_before_another_put_loses(placed: Site) -> None:
    placed.there(KEY, b"first")
    read = placed.port.get(KEY)
    placed.there(KEY, b"second")
    with pytest.raises(Conflict):
        placed.port.put(KEY, b"third", read)
    found = placed.port.get(KEY)
    assert found is not None
    assert found.text == b"second"


def test_who_found_none_puts_over_none(placed: Site) -> None:
    placed.there(KEY, b"first")
    with pytest.raises(Conflict):
        placed.port.put(KEY, b"second", None)


def test_objects_are_each_for_itself(placed: Site) -> None:
    placed.port.put(KEY, b"commands", None)
    placed.port.put("site/ca.pem", b"bundle", None)
    found = placed.port.get(KEY)
    assert found is not None
    assert found.text == b"commands"
