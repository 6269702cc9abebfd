"""Defines the answers of the modelled service, and how an HTTP client delivers them: as a value or as an error.

An API with an envelope answers 200 and says in the body what is wrong. A policy that does not know the envelope takes
that for a success, as it would with the real API.
"""

from __future__ import annotations

from functools import cache
from itertools import accumulate
from typing import Any, NamedTuple

from .incidents import Errors

__all__ = [
    "FAILED",
    "GOOD",
    "NOT_LISTENING",
    "OVERLOADED",
    "RATE_LIMITED",
    "AnswerError",
    "ServiceAnswer",
    "UnavailableError",
    "answers_by_share",
]

_STATUS_TEXTS = {429: "Too Many Requests", 503: "Service Unavailable"}


class AnswerError(Exception):
    """The service answered with an error status; attributes as HTTP clients have them."""

    def __init__(self, status: int, reason: str, retry_after: float | None = None) -> None:
        text = _STATUS_TEXTS.get(status)
        super().__init__(f"{status} {text}: {reason}" if text else f"{status}: {reason}")
        self.status_code = status
        self.retry_after = retry_after


class UnavailableError(AnswerError):
    """The service answered 503."""

    def __init__(self, reason: str) -> None:
        super().__init__(503, reason)


class CodedError(Exception):
    """The service answered with a code of a registry that has no envelope.

    In the registry of a client's exception classes the code is a class: the error is one of a class of that name.
    """

    def __init__(self, code: str, registry: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        if type(self) is CodedError:
            self.api_code = code
        self.resilience_registry = registry


class ServiceAnswer(NamedTuple):
    """One answer: its status, the body if it is an envelope, the Retry-After in seconds, and the reason in words.

    `registry` and `code` are set for an error that has neither an envelope nor a status, and `class_name` where the
    code is the class of a client's exception.
    """

    status: int
    body: dict[str, str] | None = None
    retry_after: float | None = None
    reason: str = "no reason given"
    registry: str = ""
    code: str = ""
    class_name: str = ""

    def deliver(self) -> Any:
        """Return the value that a client returns for it: the body, or the status.

        Raises:
            AnswerError: the status is an error.
            CodedError: the answer is a code without a status.
        """
        if self.registry:
            raise _class_of(self.class_name)(self.code, self.registry, self.reason)
        if self.status >= 400:
            raise UnavailableError(self.reason) if self.status == 503 else self.error()
        return self.body if self.body is not None else self.status

    def error(self) -> AnswerError:
        """Return the error of an error status."""
        return AnswerError(self.status, self.reason, self.retry_after)


GOOD = ServiceAnswer(200)
FAILED = ServiceAnswer(503, reason="failing")
OVERLOADED = ServiceAnswer(503, reason="overloaded")
NOT_LISTENING = ServiceAnswer(503, reason="no server is listening")
RATE_LIMITED = ServiceAnswer(429, reason="above the rate limit")


def answers_by_share(errors: Errors) -> list[tuple[float, ServiceAnswer]]:
    """Return (upper bound, answer) for each code: a random number below the bound gives that answer."""
    bounds = accumulate(errors.codes.values())
    return list(zip(bounds, (_answer(errors, code) for code in errors.codes), strict=True))


def _answer(errors: Errors, code: str) -> ServiceAnswer:
    table = errors.table
    rule = table.rule(code)
    reason = rule.names[0].replace("_", " ").lower() if rule is not None and rule.names else "an error"
    # An API with an envelope says 200 and puts its code into the body.
    if table.envelope is not None:
        return ServiceAnswer(200, table.envelope.body_with(code, reason), reason=reason)
    if code.isdecimal() and 400 <= int(code) <= 599:
        return ServiceAnswer(int(code), reason=reason)
    class_name = next((name for name in rule.names if "." in name), "") if rule is not None else ""
    return ServiceAnswer(200, reason=reason, registry=errors.registry, code=code, class_name=class_name)


@cache
def _class_of(name: str) -> type[CodedError]:
    """Return a class of errors with this name and module, such as `ccxt.BadSymbol`."""
    package, _, class_name = name.rpartition(".")
    return type(class_name, (CodedError,), {"__module__": package}) if package else CodedError
