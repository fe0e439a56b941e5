"""boto3 clients: each is made at its first use, once, and kept for as long as the function is warm.

Making one costs 0.1 to 0.5 s (botocore reads the service's model), so nothing is made that a function does not use.
No client retries by itself: a write that was not answered may have happened (`vagus.aws.errors.read` for reads).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from threading import RLock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import boto3
    from botocore.config import Config
    from types_boto3_autoscaling import AutoScalingClient
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_ec2 import EC2Client
    from types_boto3_events import EventBridgeClient
    from types_boto3_kms import KMSClient
    from types_boto3_s3 import S3Client
    from types_boto3_secretsmanager import SecretsManagerClient
    from types_boto3_ssm import SSMClient
    from types_boto3_stepfunctions import SFNClient

CONNECT_SECONDS = 2
READ_SECONDS = 10


class Clients:
    """The clients of one session (credentials and Region); by default that of the environment."""

    def __init__(self, session: boto3.Session | None = None) -> None:
        self._given = session
        self._lock = RLock()

    def _made[T](self, make: Callable[[], T]) -> T:
        """Clusters are looked at by several threads, and a session makes one client at a time."""
        with self._lock:
            return make()

    @cached_property
    def _session(self) -> boto3.Session:
        import boto3

        return self._given or boto3.Session()

    @cached_property
    def _config(self) -> Config:
        from botocore.config import Config

        return Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": 1},
            tcp_keepalive=True,
            user_agent_extra="vagus",
        )

    @cached_property
    def acm(self) -> Any:
        return self._made(lambda: self._session.client("acm", config=self._config))

    @cached_property
    def autoscaling(self) -> AutoScalingClient:
        return self._made(lambda: self._session.client("autoscaling", config=self._config))

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        return self._made(lambda: self._session.client("dynamodb", config=self._config))

    @cached_property
    def ec2(self) -> EC2Client:
        return self._made(lambda: self._session.client("ec2", config=self._config))

    @cached_property
    def events(self) -> EventBridgeClient:
        return self._made(lambda: self._session.client("events", config=self._config))

    @cached_property
    def kms(self) -> KMSClient:
        return self._made(lambda: self._session.client("kms", config=self._config))

    @cached_property
    def private_ca(self) -> Any:
        return self._made(lambda: self._session.client("acm-pca", config=self._config))

    @cached_property
    def s3(self) -> S3Client:
        return self._made(lambda: self._session.client("s3", config=self._config))

    @cached_property
    def secrets(self) -> SecretsManagerClient:
        return self._made(lambda: self._session.client("secretsmanager", config=self._config))

    @cached_property
    def ssm(self) -> SSMClient:
        return self._made(lambda: self._session.client("ssm", config=self._config))

    @cached_property
    def states(self) -> SFNClient:
        return self._made(lambda: self._session.client("stepfunctions", config=self._config))
