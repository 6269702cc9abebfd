"""Decides what a caller gets in place of an error: the last good answer, what a function returns, or a value.

A write that may have happened is never covered up, unless sending it twice is harmless: unknown stays unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ...errors import RejectedError
from ..base.bounded_dict import BoundedDict
from ..classify.failure import Failure
from ..policy.sections import NO_VALUE, FallbackSettings

__all__ = ["StaleAnswers", "Substitute", "applies_to", "find_substitute"]

_MAX_ANSWERS = 1024  # of one operation


class Substitute(NamedTuple):
    """What the caller gets: a value, or (`from_function`) what the settings' function returns for the call."""

    value: Any = None
    from_function: bool = False


class StaleAnswers:
    """The last good answer for each set of arguments, while it is young enough. Safe across threads and tasks.

    Attributes:
        longest: seconds after which an answer is too old.
    """

    __slots__ = ("_answers", "longest")

    def __init__(self, longest: float) -> None:
        """Keep answers for these seconds."""
        self.longest = longest
        self._answers: BoundedDict[Any, tuple[float, Any]] = BoundedDict(_MAX_ANSWERS)

    def keep(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], answer: Any, now: float) -> None:
        """Remember an answer; one for arguments that cannot be hashed is not kept."""
        try:
            self._answers[_key(args, kwargs)] = (now, answer)
        except TypeError:
            pass

    def find(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], now: float) -> Substitute | None:
        """Return the last answer for these arguments, unless it is too old."""
        try:
            kept_at, answer = self._answers[_key(args, kwargs)]
        except (KeyError, TypeError):
            return None
        return Substitute(answer) if now - kept_at <= self.longest else None


def _key(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    return args, tuple(sorted(kwargs.items()))


def applies_to(rules: FallbackSettings, error: object, failure: Failure | None, *, harmless: bool) -> bool:
    """Return whether the rules cover this error, or this answer that is a failure.

    Args:
        rules: the settings.
        error: the error or the answer.
        failure: what it means; None where no pipeline has recorded it.
        harmless: sending the call twice changes nothing.
    """
    # The class itself is checked, because a mock can claim to be an instance by its `__class__`.
    if issubclass(type(error), RejectedError):
        return "rejected" in rules.on
    certain = failure is not None and (harmless or failure.executed != "maybe")
    return certain and failure is not None and str(failure.category) in rules.on


def find_substitute(
    rules: FallbackSettings, answers: StaleAnswers | None, args: tuple[Any, ...], kwargs: Mapping[str, Any], now: float
) -> Substitute | None:
    """Return what the caller gets, the freshest first: the last good answer, the function, the value."""
    last_good = None if answers is None else answers.find(args, kwargs, now)
    if last_good is not None:
        return last_good
    if rules.call is not None:
        return Substitute(from_function=True)
    return None if rules.value is NO_VALUE else Substitute(rules.value)
