"""The cluster's bucket: the one way between a site and Vagus.

Credentials are botocore's own business: its default chain, which with Roles Anywhere is a `credential_process` that it
calls again before they end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

from vagus.aws.clients import CONNECT_SECONDS, READ_SECONDS
from vagus.aws.errors import code_of, read, translated
from vagus.errors import Refused

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


class Bucket(Protocol):
    """Objects by key."""

    def get(self, key: str) -> bytes | None:
        """What lies there, or `None`. Raises `Denied` where it may not be read; without the right to list, S3 says that
        of what is not there too."""
        ...

    def put(self, key: str, body: bytes) -> None:
        """Put it there, in place of what lies there."""
        ...


def s3(**given: Any) -> S3Client:
    """A client of S3: botocore's own, which needs less memory than boto3's. Nothing is tried again within it."""
    import botocore.session
    from botocore.config import Config

    once = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"total_max_attempts": 1},
        user_agent_extra="vagus-agent",
    )
    return cast("S3Client", botocore.session.get_session().create_client("s3", config=once, **given))


class S3Bucket:
    """On AWS."""

    def __init__(self, client: S3Client, name: str) -> None:
        self._client, self._name = client, name

    def get(self, key: str) -> bytes | None:
        """One object; a failure that may pass is tried again within a second."""
        try:
            return read("s3", lambda: self._client.get_object(Bucket=self._name, Key=key)["Body"].read())
        except Refused as error:
            if code_of(error.__cause__) == "NoSuchKey":
                return None
            raise

    def put(self, key: str, body: bytes) -> None:
        """Once: the loop comes again."""
        with translated("s3"):
            self._client.put_object(Bucket=self._name, Key=key, Body=body)
