"""Defines the errors that this library raises.

An error of the API itself always reaches the caller unchanged. These are for what the API cannot report:

    ResilienceError                 the base class of all errors below
    ├── RejectedError               the call was rejected before anything was sent
    │   ├── CircuitOpenError        the circuit breaker is open
    │   ├── QuotaExceededError      the quota, or a wait that the API asked for, lasts until after the deadline
    │   ├── AdmissionRejectedError  too many calls are running and queued
    │   └── DeadlineExceededError   the deadline had passed before anything was sent
    ├── ApiError                    the API returned a body that its registry calls an error
    └── PolicyError                 a policy file, a code table or a `Policy` is invalid

All of them can be pickled and copied.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ._printable import printable

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
    """The base class of all errors that this library raises."""

    def __reduce__(self) -> tuple[Any, ...]:
        # The default would call the class with `args` alone and lose keyword arguments and later attributes.
        return _rebuild, (type(self), self.args, dict(self.__dict__))


def _rebuild(cls: type[ResilienceError], args: tuple[Any, ...], state: dict[str, Any]) -> ResilienceError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class RejectedError(ResilienceError):
    """The call was rejected before it sent anything.

    Attributes:
        policy: name of the policy that rejected the call.
        operation: name of the operation, or None.
        retry_after: seconds after which a new call may be admitted, or None when that is unknown.
        retry_at: the same instant as Unix time in seconds, or None.
        reason: what rejected the call, in one word: `breaker`, `quota`, `admission`, `deadline`, `hold` for a wait
            that the API itself has asked for, or `isolated` for what somebody has switched off. Empty for a rejection
            of another kind.
    """

    reason: str = ""  # of the class: a rejection that has no other reason, or was pickled by an older version, has it

    def __init__(
        self,
        message: str = "refused before sending",
        *,
        policy: str | None = None,
        operation: str | None = None,
        retry_after: float | None = None,
        retry_at: float | None = None,
        reason: str | None = None,
    ) -> None:
        super().__init__(message)
        if reason is not None:
            self.reason = reason
        self.policy = policy
        self.operation = operation
        self.retry_after = retry_after
        self.retry_at = retry_at


class CircuitOpenError(RejectedError):
    """The circuit breaker is open, or it is half-open and all trial permits are taken, or its policy is isolated.

    In the last case its `reason` is `isolated`, and its text says by whom and why.
    """

    reason = "breaker"


class QuotaExceededError(RejectedError):
    """The quota is exhausted until after the deadline, or the API has asked to wait for longer than that.

    In the second case its `reason` is `hold`.
    """

    reason = "quota"


class AdmissionRejectedError(RejectedError):
    """Too many calls are running and waiting in the queue, so this one was rejected."""

    reason = "admission"


class DeadlineExceededError(RejectedError):
    """The deadline of this call or of an outer call had passed before anything was sent."""

    reason = "deadline"


class ApiError(ResilienceError):
    """The API returned a body that is an error by the `envelope` of its registry.

    Attributes:
        code: the API's code as a string.
        message: the API's message; may be empty. The text of the error has it, and the code, in printable form.
        body: the returned body, unchanged.
        http_status: the status of the response that had this body; None if the body itself was returned.
        retry_after: seconds that the response asks the client to wait, or None.
    """

    http_status: int | None = None
    retry_after: float | None = None
    resilience_executed: str | None = None
    """What the error says of itself: whether the request may have taken effect (`no`, `maybe`, `n_a`), or None."""
    resilience_url: str = ""
    """The URL that answered, without its query: of some APIs the meaning of a code depends on it."""

    def __init__(self, code: str, message: str = "", body: Any = None) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.body = body

    def __str__(self) -> str:
        return printable(f"{self.code}: {self.message}" if self.message else self.code)


class Problem(NamedTuple):
    """One mistake in a policy or a code table, with its position and what is allowed.

    Attributes:
        file: path of the file.
        line: line of the mistake, from 1; 0 where it is unknown.
        column: column of the mistake, from 1; 0 where it is unknown.
        path: path of the setting, such as `policies.trade.retry.max_attempts`; may be empty.
        message: what is wrong and what is allowed; begins with `warning: ` for a warning.
    """

    file: str
    line: int
    column: int
    path: str
    message: str

    @property
    def severity(self) -> str:
        """`error` for an invalid setting, `warning` for a valid one that cannot take effect as written."""
        return "warning" if self.message.startswith("warning: ") else "error"

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{where}: {self.path}: {self.message}" if self.path else f"{where}: {self.message}"


class PolicyError(ResilienceError):
    """A policy file, a code table or a `Policy` is invalid; `problems` lists every mistake."""

    def __init__(self, message: str, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems

    @classmethod
    def of(cls, problems: list[Problem]) -> PolicyError:
        """Return one error with a line for each problem."""
        return cls("\n".join(map(str, problems)), tuple(problems))
