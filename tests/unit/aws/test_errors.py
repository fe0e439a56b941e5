"""What AWS answers, as our tree: whether to look again, whom to call, and that no write is tried twice."""

from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)

from vagus.aws import errors
from vagus.aws.errors import PAUSES, code_of, read, translated
from vagus.errors import Conflict, Denied, Malformed, Refused, Throttled, Unreachable, VagusError


def answered(code: str, status: int = 400, **more: Any) -> ClientError:
    said: Any = {"Error": {"Code": code, "Message": "said"}, "ResponseMetadata": {"HTTPStatusCode": status}, **more}
    return ClientError(said, "CompleteLifecycleAction")


def cancelled(*codes: str) -> ClientError:
    return answered("TransactionCanceledException", CancellationReasons=[{"Code": code} for code in codes])


@pytest.mark.parametrize(
    ("raised", "becomes"),
    [
        (answered("Throttling"), Throttled),
        (answered("ThrottlingException"), Throttled),
        (answered("RequestLimitExceeded", 503), Throttled),
        (answered("ProvisionedThroughputExceededException"), Throttled),
        (answered("ResourceContention"), Throttled),
        (answered("ScalingActivityInProgress"), Throttled),
        (answered("AccessDenied", 403), Denied),
        (answered("AccessDeniedException"), Denied),
        (answered("UnauthorizedOperation", 403), Denied),
        (answered("ExpiredTokenException"), Denied),
        (answered("ConditionalCheckFailedException"), Conflict),
        (answered("TransactionConflictException"), Conflict),
        (cancelled("None", "ConditionalCheckFailed"), Conflict),
        (cancelled("TransactionConflict", "None"), Conflict),
        (cancelled("ThrottlingError", "None"), Throttled),
        (cancelled("ValidationError"), Refused),
        (cancelled(), Refused),
        (answered("InternalFailure", 500), Unreachable),
        (answered("ServiceUnavailable", 503), Unreachable),
        (answered("ValidationError"), Refused),
        (ConnectTimeoutError(endpoint_url="https://x"), Unreachable),
        (ReadTimeoutError(endpoint_url="https://x"), Unreachable),
        (EndpointConnectionError(endpoint_url="https://x"), Unreachable),
        (NoCredentialsError(), Denied),
        (ParamValidationError(report="no such parameter"), Refused),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else str(value)[:60],
)
def test_an_error_becomes(raised: ClientError | BotoCoreError, becomes: type[VagusError]) -> None:
    with pytest.raises(VagusError) as caught, translated("autoscaling"):
        raise raised
    assert type(caught.value) is becomes
    assert caught.value.__cause__ is raised


def test_a_denied_action_is_named_as_iam_names_it() -> None:
    with pytest.raises(Denied) as denied, translated("autoscaling"):
        raise answered("AccessDenied", 403)
    assert denied.value.action == "autoscaling:CompleteLifecycleAction"


def test_what_is_not_from_aws_passes_through() -> None:
    with pytest.raises(KeyError), translated("ec2"):
        raise KeyError("ours")
    with pytest.raises(Malformed), translated("ec2"):
        raise Malformed("ours")


def test_the_code_of_a_cause_is_known() -> None:
    assert code_of(answered("ValidationError")) == "ValidationError"
    assert code_of(None) == code_of(KeyError()) == ""


class Flaky:
    """A call that fails so many times, and how often it was made."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.made = 0
        self._failures, self._error = failures, error

    def __call__(self) -> int:
        self.made += 1
        if self.made <= self._failures:
            raise self._error
        return self.made


@pytest.mark.parametrize("error", [answered("Throttling"), answered("InternalFailure", 500)])
def test_a_read_is_tried_three_times(error: ClientError, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "PAUSES", (0.0, 0.0))
    assert read("ec2", Flaky(2, error)) == 3
    flaky = Flaky(3, error)
    with pytest.raises((Throttled, Unreachable)):
        read("ec2", flaky)
    assert flaky.made == 3


@pytest.mark.parametrize("error", [answered("AccessDenied"), answered("ValidationError")])
def test_what_will_not_pass_is_not_tried_again(error: ClientError) -> None:
    flaky = Flaky(1, error)
    with pytest.raises((Denied, Refused)):
        read("ec2", flaky)
    assert flaky.made == 1


def test_tries_of_a_read_are_soon_over() -> None:
    assert sum(PAUSES) < 1
