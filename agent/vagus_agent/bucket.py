"""The cluster's bucket: the one way between a site and Vagus.

Two calls of S3's REST API, signed by botocore: a client of its own would be 14 MiB more of memory, for a model of a
hundred other calls. Credentials are botocore's own business: its default chain, which with Roles Anywhere is a
`credential_process` that it calls again before they end. It is asked at the first call: who starts while there are none
waits for them, as who runs. The certificate that the process shows is of people's PKI: no authority of a search cluster
has anything to do with it.
"""

from __future__ import annotations

import os
import re
import ssl
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from vagus.aws.clients import CONNECT_SECONDS, READ_SECONDS
from vagus.aws.errors import code_of, read, translated
from vagus.errors import Denied, Malformed, Refused, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.credentials import Credentials, ReadOnlyCredentials

CODE = re.compile(rb"<Code>([A-Za-z0-9]+)</Code>")
MESSAGE = re.compile(rb"<Message>([^<]*)</Message>")
LOOK = (
    "look at credential_process in the file that AWS_CONFIG_FILE names, at the certificate that your PKI gives the "
    "agent (is it there, has it ended?), and at the way to IAM Roles Anywhere"
)
WORDS = 500
"""Characters of what went wrong with credentials that are passed on: a process may have said much."""


class NoCredentials(Denied):
    """There are none for AWS, so that nothing can be called."""


class Bucket(Protocol):
    """Objects by key."""

    def get(self, key: str) -> bytes | None:
        """What lies there, or `None`. Raises `Denied` where it may not be read; without the right to list, S3 says that
        of what is not there too."""
        ...

    def put(self, key: str, body: bytes) -> None:
        """Put it there, in place of what lies there."""
        ...


class S3Bucket:
    """On AWS. `credentials` finds botocore's, which renew themselves. `endpoint`: where S3 answers, if it is not where
    the bucket's name leads; objects are then called by path."""

    def __init__(
        self,
        name: str,
        credentials: Callable[[], Credentials | None],
        region: str,
        endpoint: str = "",
        trusted: str | None = None,
    ) -> None:
        import urllib3

        self._find, self._region = credentials, region
        self._credentials: Credentials | None = None
        suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        self._url = f"{endpoint.rstrip('/')}/{name}" if endpoint else f"https://{name}.s3.{region}.{suffix}"
        self._pool = urllib3.PoolManager(ssl_context=ssl.create_default_context(cafile=trusted), maxsize=2)

    @classmethod
    def of_environment(cls, name: str) -> S3Bucket:
        """By what botocore reads: files, variables, `AWS_ENDPOINT_URL_S3`. Raises `Malformed` without a Region."""
        import botocore.session
        from botocore.exceptions import BotoCoreError

        session = botocore.session.get_session()
        try:
            region, trusted = session.get_config_variable("region"), session.get_config_variable("ca_bundle")
        except BotoCoreError as error:
            raise Malformed(f"{error}: look at the file that AWS_CONFIG_FILE names, and at AWS_PROFILE") from error
        if not region:
            raise Malformed("no Region is set: put region into the file that AWS_CONFIG_FILE names")
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
        # a session reads its files once: a new one sees what was mended in them
        return cls(name, lambda: botocore.session.get_session().get_credentials(), region, endpoint, trusted)

    def get(self, key: str) -> bytes | None:
        """One object; a failure that may pass is tried again within a second."""
        try:
            return read("s3", lambda: self._call("GET", key, b""))
        except Refused as error:
            if code_of(error.__cause__) == "NoSuchKey":
                return None
            raise

    def put(self, key: str, body: bytes) -> None:
        """Once: the loop comes again."""
        with translated("s3"):
            self._call("PUT", key, body)

    def _call(self, method: str, key: str, body: bytes) -> bytes:
        """Raises botocore's own errors, as a client would (`vagus.aws.errors` translates them)."""
        import urllib3
        from botocore.exceptions import ClientError

        url = f"{self._url}/{quote(key, safe='/-_.~')}"
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
        headers = self._signed(method, url, body)
        try:
            answer = self._pool.request(method, url, body=body, headers=headers, timeout=timeout, retries=False)
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(f"s3: {error}") from error
        if answer.status == 200:
            return bytes(answer.data)
        code, message = CODE.search(answer.data), MESSAGE.search(answer.data)
        said = {
            "Code": code[1].decode() if code else str(answer.status),
            "Message": f"{message[1].decode() if message else answer.reason} ({key})",
        }
        told = {"Error": said, "ResponseMetadata": {"HTTPStatusCode": answer.status}}
        raise ClientError(told, "GetObject" if method == "GET" else "PutObject")  # type: ignore[arg-type]  # part of it

    def _signed(self, method: str, url: str, body: bytes) -> dict[str, str]:
        """Headers, signed with the credentials of this moment."""
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest

        request = AWSRequest(method=method, url=url, data=body)
        S3SigV4Auth(self._frozen(), "s3", self._region).add_auth(request)
        return {str(name): str(value) for name, value in request.headers.items()}

    def _frozen(self) -> ReadOnlyCredentials:
        """Credentials of this moment. Raises `NoCredentials`, whatever a `credential_process` did or printed: botocore
        passes on what that was (no program, no JSON, other JSON, an end that is past)."""
        from botocore.exceptions import BotoCoreError, NoCredentialsError

        try:
            self._credentials = self._credentials or self._find()
            if self._credentials is None:
                raise NoCredentialsError
            return self._credentials.get_frozen_credentials()
        except (BotoCoreError, OSError, ValueError, RuntimeError, AttributeError, TypeError) as error:
            raise NoCredentials("credentials", f"{str(error)[:WORDS]}; {LOOK}") from error
