"""What botocore raises, as our tree. Each caller names its service as IAM does, so that `Denied` names the action."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import sleep
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError
from botocore.exceptions import ConnectionError as NoConnection

from vagus.errors import Conflict, Denied, Refused, Throttled, Unreachable, VagusError

THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "ProvisionedThroughputExceededException",
        "ExecutionLimitExceeded",
        "ResourceContention",
        "ScalingActivityInProgress",
    }
)
DENIED = frozenset(
    {
        "UnauthorizedOperation",
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "ExpiredToken",
        "ExpiredTokenException",
        "SignatureDoesNotMatch",
    }
)
CONFLICT = frozenset({"ConditionalCheckFailedException", "TransactionConflictException"})
LOST_REASONS = frozenset({"ConditionalCheckFailed", "TransactionConflict"})

PAUSES = (0.05, 0.2)
"""Seconds before the second and the third try of a read."""


@contextmanager
def translated(service: str) -> Iterator[None]:
    """Run one call to a service and raise our own errors."""
    try:
        yield
    except ClientError as error:
        raise _of_client(service, error) from error
    except (NoConnection, HTTPClientError) as error:  # or no answer in time
        raise Unreachable(f"{service}: {error}") from error
    except NoCredentialsError as error:
        raise Denied(service, str(error)) from error
    except BotoCoreError as error:
        raise Refused(f"{service}: {error}") from error


def read[T](service: str, call: Callable[[], T]) -> T:
    """What a read gives, tried again after a failure that may pass. Never for writes: theirs may have happened."""
    for pause in PAUSES:
        try:
            with translated(service):
                return call()
        except (Unreachable, Throttled):
            sleep(pause)
    with translated(service):
        return call()


def code_of(error: BaseException | None) -> str:
    """The code that AWS gave for one of our errors' cause, such as `ValidationError`; empty if there was none."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def _of_client(service: str, error: ClientError) -> VagusError:
    code, said = code_of(error), str(error)
    if code == "TransactionCanceledException":
        return _of_transaction(error)
    if code in CONFLICT:
        return Conflict(said)
    if code in THROTTLED:
        return Throttled(said)
    if code in DENIED or code.startswith("AccessDenied"):
        return Denied(f"{service}:{error.operation_name}", said)
    if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400) >= 500:
        return Unreachable(said)
    return Refused(said)


def _of_transaction(error: ClientError) -> VagusError:
    """A cancelled transaction wrote nothing; its reasons stand in the order of its items."""
    response: Any = error.response
    codes = {reason.get("Code", "None") for reason in response.get("CancellationReasons", [])}
    if codes & LOST_REASONS:
        return Conflict(str(error))
    if codes & {"ThrottlingError", "ProvisionedThroughputExceeded"}:
        return Throttled(str(error))
    return Refused(str(error))
