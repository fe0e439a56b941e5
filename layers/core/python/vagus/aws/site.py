"""Objects of a site in its cluster's bucket, as `ports.SiteObjects`. A version is an ETag: a put says which one it
replaces, so that of two at the same time one loses.

Source: Amazon S3 User Guide, "How to prevent object overwrites with conditional writes".
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from vagus.aws.clients import Clients
from vagus.aws.errors import code_of, read, translated
from vagus.errors import Conflict, Refused
from vagus.ports import Stored

LOST = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey")
"""S3's words for a put whose condition does not hold: another version, one that is written now, one that is gone."""


class S3SiteObjects:
    """Those of one cluster. Which bucket is its own says the parameter that its stack puts."""

    def __init__(self, clients: Clients, cluster: str) -> None:
        self._clients, self._cluster = clients, cluster

    def get(self, key: str) -> Stored | None:
        """One, or `None`. For S3 to say that there is none it takes the right to list the bucket."""
        try:
            found, text = read("s3", lambda: self._got(key))
        except Refused as error:
            if code_of(error.__cause__) == "NoSuchKey":
                return None
            raise
        return Stored(text=text, at=found["LastModified"].timestamp(), version=found["ETag"])

    def put(self, key: str, text: bytes, over: Stored | None) -> None:
        """Put one in place of `over`."""
        condition: Any = {"IfMatch": over.version} if over else {"IfNoneMatch": "*"}
        with translated("s3"):
            try:
                self._clients.s3.put_object(Bucket=self._bucket, Key=key, Body=text, **condition)
            except ClientError as error:
                if code_of(error) in LOST:
                    raise Conflict(f"{key}: another wrote it at the same time") from error
                raise

    def _got(self, key: str) -> tuple[Any, bytes]:
        found = self._clients.s3.get_object(Bucket=self._bucket, Key=key)
        return found, found["Body"].read()

    @cached_property
    def _bucket(self) -> str:
        name = f"/vagus/{self._cluster}/node/artifact-bucket"
        return read("ssm", lambda: self._clients.ssm.get_parameter(Name=name))["Parameter"]["Value"]
