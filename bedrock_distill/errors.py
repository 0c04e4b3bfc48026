"""Every error this package raises on purpose.

* BedrockDistillError
  * SpecError (ValueError)              a spec's field, its value, and the rule it breaks
  * DataError (ValueError)              file, line, field and reason; the first offenders and how many
  * PlanError
    * StalePlanError                    the world or the data moved since the plan was made
    * OverBudgetError                   the estimate is above the limit
  * ServiceError                        AWS answered no, or did not answer
    * AccessDeniedError (PermissionError)
    * NotFoundError (LookupError)
    * ThrottledError
    * QuotaExceededError
    * ModelNotReadyError
      * ScaledToZeroError               an endpoint without an instance; asking wakes it
    * ConflictError
    * NotRecordedError                  recorded answers hold none to this prompt
  * JobFailedError                      a job or resource ended badly
  * GateFailedError                     the student is not good enough
  * WaitTimeoutError (TimeoutError)     still running; the message says how to pick it up again
  * MissingDependencyError (ImportError)  the pip line that helps

A message says what we were doing, on what, what came back, and what to do next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

__all__ = [
    "AccessDeniedError",
    "BedrockDistillError",
    "ConflictError",
    "DataError",
    "GateFailedError",
    "JobFailedError",
    "MissingDependencyError",
    "ModelNotReadyError",
    "NotFoundError",
    "NotRecordedError",
    "Offence",
    "OverBudgetError",
    "PlanError",
    "QuotaExceededError",
    "ScaledToZeroError",
    "ServiceError",
    "SpecError",
    "StalePlanError",
    "ThrottledError",
    "WaitTimeoutError",
]


def _rebuild(cls: type[BedrockDistillError], message: str, fields: dict[str, Any]) -> BedrockDistillError:
    return cls(message, **fields)


class BedrockDistillError(Exception):
    """Base of every error raised on purpose; catch it to catch them all."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __reduce__(self) -> tuple[Any, ...]:
        """Keyword-only fields survive pickling, so errors cross process borders whole."""
        fields = {key: value for key, value in vars(self).items() if key not in ("message", "__notes__")}
        return _rebuild, (type(self), self.message, fields)


class SpecError(BedrockDistillError, ValueError):
    """A spec, option or argument breaks a rule.

    Attributes:
        field: Dotted path of the field, or None where the whole is at fault.
        value: The offending value.
    """

    def __init__(self, message: str, *, field: str | None = None, value: object = None) -> None:
        super().__init__(message)
        self.field = field
        self.value = value


@dataclass(frozen=True, slots=True)
class Offence:
    """One place in a data file that breaks a rule."""

    file: str
    """Path or S3 URI of the file."""
    line: int | None
    """Line number from 1, or None where the whole file is at fault."""
    field: str
    """JSON path inside the line (`messages[1].role`), or an empty string."""
    reason: str
    """The rule, the value, and what to do."""
    code: str = "invalid"
    """Short stable name of the rule, to count by."""

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{where}: {self.field}: {self.reason}" if self.field else f"{where}: {self.reason}"


class DataError(BedrockDistillError, ValueError):
    """Training or evaluation data breaks a rule.

    Attributes:
        offences: The first offenders.
        count: How many there are in all.
    """

    def __init__(self, message: str, *, offences: tuple[Offence, ...] = (), count: int | None = None) -> None:
        super().__init__(message)
        self.offences = offences
        self.count = len(offences) if count is None else count


class PlanError(BedrockDistillError):
    """A plan cannot be made or applied."""


class StalePlanError(PlanError):
    """The data or the account moved since the plan was made; plan again."""


class OverBudgetError(PlanError):
    """The plan's estimate is above the limit.

    Attributes:
        limit_usd: The limit that was given.
        estimate_usd: The plan's estimate, or None where a needed price is unknown.
    """

    def __init__(self, message: str, *, limit_usd: float, estimate_usd: float | None) -> None:
        super().__init__(message)
        self.limit_usd = limit_usd
        self.estimate_usd = estimate_usd


class ServiceError(BedrockDistillError):
    """AWS refused a request, failed, or could not be reached.

    Attributes:
        service: Service as boto3 names it, such as `bedrock`.
        operation: Operation as the API names it, such as `CreateModelCustomizationJob`.
        code: AWS's error code, or the class of the transport's error.
        status: HTTP status, or None where no answer came.
        request_id: AWS's request id, or None.
        retryable: Whether the same request may succeed later.
    """

    def __init__(
        self,
        message: str,
        *,
        service: str = "",
        operation: str = "",
        code: str = "",
        status: int | None = None,
        request_id: str | None = None,
        retryable: bool = False,
    ) -> None:
        super().__init__(message)
        self.service = service
        self.operation = operation
        self.code = code
        self.status = status
        self.request_id = request_id
        self.retryable = retryable

    def advised(self, advice: str) -> Self:
        """The same error with a sentence more, about what to do next."""
        fields = {key: value for key, value in vars(self).items() if key not in ("message", "__notes__")}
        return type(self)(f"{self.message} {advice}", **fields)


class AccessDeniedError(ServiceError, PermissionError):
    """The caller or the role may not do this."""


class NotFoundError(ServiceError, LookupError):
    """What was named does not exist here."""


class ThrottledError(ServiceError):
    """AWS asked to slow down, and retries were used up."""


class QuotaExceededError(ServiceError):
    """An account quota is used up."""


class ModelNotReadyError(ServiceError):
    """The model is being loaded; the same request works a little later."""


class ScaledToZeroError(ModelNotReadyError):
    """The endpoint is scaled to zero; asking wakes it, and the same request works when an instance is there, in minutes."""


class ConflictError(ServiceError):
    """The name is taken, or the resource is in another state."""


class NotRecordedError(ServiceError):
    """Answers that were recorded hold none to this prompt. Its code is `NotRecorded`; nobody was asked."""


class JobFailedError(BedrockDistillError):
    """A job or resource ended in a state that is not success.

    Attributes:
        arn: The job's or resource's ARN.
        status: Its last status as AWS names it.
        reason: AWS's failure message, or an empty string.
    """

    def __init__(self, message: str, *, arn: str = "", status: str = "", reason: str = "") -> None:
        super().__init__(message)
        self.arn = arn
        self.status = status
        self.reason = reason


class GateFailedError(BedrockDistillError):
    """The student does not meet the gate.

    Attributes:
        failures: One sentence for each criterion that was missed.
    """

    def __init__(self, message: str, *, failures: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.failures = failures


class WaitTimeoutError(BedrockDistillError, TimeoutError):
    """The wait ended, not the job: it is still running.

    Attributes:
        arn: What to attach to later.
        status: The last status seen.
    """

    def __init__(self, message: str, *, arn: str = "", status: str = "") -> None:
        super().__init__(message)
        self.arn = arn
        self.status = status


class MissingDependencyError(BedrockDistillError, ImportError):
    """An optional library is not installed.

    Attributes:
        extra: The extra of this package that brings it.
    """

    def __init__(self, message: str, *, extra: str = "") -> None:
        super().__init__(message)
        self.extra = extra
