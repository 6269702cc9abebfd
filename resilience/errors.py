"""What a caller may catch.

The error of the API itself always reaches the caller as it is. Ours say only what the API cannot say:

    ResilienceError                 the root of everything this library raises by itself
    ├── RejectedError               refused before sending: nothing was sent by this call
    │   ├── CircuitOpenError        the breaker is open
    │   ├── QuotaExceededError      the quota has no room before the deadline
    │   ├── AdmissionRejectedError  too many calls are running and waiting
    │   └── DeadlineExceededError   the deadline had passed before anything was sent
    ├── ApiError                    a returned body was an error, by the envelope of its registry
    └── PolicyError                 a policy file, a code table or a policy in code is wrong

All of them can be pickled and copied.
"""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = [
    "AdmissionRejectedError",
    "ApiError",
    "CircuitOpenError",
    "DeadlineExceededError",
    "PolicyError",
    "Problem",
    "QuotaExceededError",
    "RejectedError",
    "ResilienceError",
]


class ResilienceError(Exception):
    """The root of every error that this library raises by itself."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, dict(self.__dict__))


def _rebuild(kind: type[ResilienceError], args: tuple[Any, ...], state: dict[str, Any]) -> ResilienceError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class RejectedError(ResilienceError):
    """The call was refused and nothing was sent by it.

    Attributes:
        policy: name of the policy that refused.
        operation: name of the operation, or None.
        retry_after: seconds after which asking again makes sense, or None when nobody knows.
        retry_at: the same as Unix time in seconds, or None.
    """

    def __init__(
        self,
        message: str = "refused before sending",
        *,
        policy: str | None = None,
        operation: str | None = None,
        retry_after: float | None = None,
        retry_at: float | None = None,
    ) -> None:
        super().__init__(message)
        self.policy = policy
        self.operation = operation
        self.retry_after = retry_after
        self.retry_at = retry_at


class CircuitOpenError(RejectedError):
    """The circuit breaker is open, or every half-open permit is taken."""


class QuotaExceededError(RejectedError):
    """The quota has no room before the deadline."""


class AdmissionRejectedError(RejectedError):
    """Too many calls are running and waiting already."""


class DeadlineExceededError(RejectedError):
    """The deadline, often an outer call's, had passed before anything was sent."""


class ApiError(ResilienceError):
    """A returned body that its registry's envelope calls an error.

    Attributes:
        code: the API's own code as a string.
        message: the API's own words; may be empty.
        body: the body as it was returned.
    """

    def __init__(self, code: str, message: str = "", body: Any = None) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.body = body

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" if self.message else self.code


class Problem(NamedTuple):
    """One mistake: where it stands and what would be right. Lines and columns count from 1; 0 is unknown."""

    file: str
    line: int
    column: int
    path: str
    message: str

    @property
    def severity(self) -> str:
        """`error` for what is refused, `warning` for what is allowed and cannot do what it says."""
        return "warning" if self.message.startswith("warning: ") else "error"

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{where}: {self.path}: {self.message}" if self.path else f"{where}: {self.message}"


class PolicyError(ResilienceError):
    """A policy or a code table is wrong; `problems` lists every mistake at once."""

    def __init__(self, message: str, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems

    @classmethod
    def of(cls, problems: list[Problem]) -> PolicyError:
        """Make one error of all the problems found, a line each."""
        return cls("\n".join(map(str, problems)), tuple(problems))
