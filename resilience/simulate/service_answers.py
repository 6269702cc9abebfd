"""What the service answers, and how an HTTP client hands it to its caller: a value, or an error.

An API with an envelope answers 200 and says in the body what is wrong; whoever does not know the envelope takes
that for a success, here as in the world.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Any, NamedTuple

from .incidents import Errors

__all__ = [
    "FAILS",
    "FULL",
    "GOOD",
    "REFUSED",
    "SQUEEZED",
    "Answer",
    "AnswerError",
    "UnavailableError",
    "answers_of",
]

_WORDS = {429: "Too Many Requests", 503: "Service Unavailable"}


class AnswerError(Exception):
    """The service answered with an error status, as an HTTP client tells it."""

    def __init__(self, status: int, reason: str, retry_after: float | None = None) -> None:
        words = _WORDS.get(status)
        super().__init__(f"{status} {words}: {reason}" if words else f"{status}: {reason}")
        self.status_code = status
        self.retry_after = retry_after


class UnavailableError(AnswerError):
    """The service answered 503."""

    def __init__(self, reason: str) -> None:
        super().__init__(503, reason)


class CodedError(Exception):
    """The service answered a code of a registry whose APIs have no envelope that is known."""

    def __init__(self, code: str, registry: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.api_code = code
        self.resilience_registry = registry


class Answer(NamedTuple):
    """One answer: its status, the body where it is an envelope, the wish, and the words.

    `registry` and `code` are those of an error without an envelope and without a status.
    """

    status: int
    body: dict[str, str] | None = None
    retry_after: float | None = None
    reason: str = "it says so"
    registry: str = ""
    code: str = ""

    def given(self) -> Any:
        """Return what a client returns for it.

        Raises:
            AnswerError: a client raises for its status.
        """
        if self.registry:
            raise CodedError(self.code, self.registry, self.reason)
        if self.status >= 400:
            raise UnavailableError(self.reason) if self.status == 503 else self.error()
        return self.body if self.body is not None else self.status

    def error(self) -> AnswerError:
        """Return the error of a status that is one."""
        return AnswerError(self.status, self.reason, self.retry_after)


GOOD = Answer(200)
FAILS = Answer(503, reason="it fails")
FULL = Answer(503, reason="it is full")
REFUSED = Answer(503, reason="nobody listens")
SQUEEZED = Answer(429, reason="over the limit")


def answers_of(mix: Errors) -> list[tuple[float, Answer]]:
    """Return each code's answer with the share up to which a draw means it."""
    return list(zip(accumulate(mix.codes.values()), (_answer(mix, code) for code in mix.codes), strict=True))


def _answer(mix: Errors, code: str) -> Answer:
    table = mix.table
    rule = table.rule(code)
    words = rule.names[0].replace("_", " ").lower() if rule is not None and rule.names else "an error"
    if table.envelope is not None:
        body = {table.envelope.code: code}
        if table.envelope.message:
            body[table.envelope.message] = words
        return Answer(200, body, reason=words)
    if code.isdecimal() and 400 <= int(code) <= 599:
        return Answer(int(code), reason=words)
    return Answer(200, reason=words, registry=mix.registry, code=code)
