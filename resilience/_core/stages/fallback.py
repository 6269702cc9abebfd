"""What a caller gets in place of an error: the last good answer, what a function makes, or a value.

A write that may have happened is never covered up, unless sending it twice is harmless: unknown is told
as unknown.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

from ...errors import RejectedError
from ..classify.failure import Failure
from ..policy.sections import NO_VALUE, FallbackSettings

__all__ = ["StaleAnswers", "Substitute", "applies_to", "find_substitute"]

_MOST = 1024  # answers kept for one operation


class Substitute(NamedTuple):
    """What stands in: a value, or a function that is asked with the call."""

    value: Any = None
    asked: bool = False


class StaleAnswers:
    """The last good answer for each set of arguments, while it is young enough. Safe across threads and tasks."""

    __slots__ = ("_answers", "longest")

    def __init__(self, longest: float) -> None:
        """Keep answers for these seconds."""
        self.longest = longest
        self._answers: OrderedDict[Any, tuple[float, Any]] = OrderedDict()

    def keep(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], answer: Any, now: float) -> None:
        """Remember an answer; arguments that cannot be compared are left alone."""
        try:
            self._answers[_key(args, kwargs)] = (now, answer)
        except TypeError:
            return
        while len(self._answers) > _MOST:
            self._answers.popitem(last=False)

    def find(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], now: float) -> Substitute | None:
        """Return the answer that these arguments had last, unless it is too old."""
        try:
            at, answer = self._answers[_key(args, kwargs)]
        except (KeyError, TypeError):
            return None
        return Substitute(answer) if now - at <= self.longest else None


def _key(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    return args, tuple(sorted(kwargs.items()))


def applies_to(rules: FallbackSettings, error: object, failure: Failure | None, *, harmless: bool) -> bool:
    """Tell whether the rules stand in for this error, or for this answer that is a failure."""
    if issubclass(type(error), RejectedError):
        return "rejected" in rules.on
    told = failure is not None and (harmless or failure.executed != "maybe")
    return told and failure is not None and str(failure.category) in rules.on


def find_substitute(
    rules: FallbackSettings, good: StaleAnswers | None, args: tuple[Any, ...], kwargs: Mapping[str, Any], now: float
) -> Substitute | None:
    """Return what stands in, the freshest first: the last good answer, the function, the value."""
    found = None if good is None else good.find(args, kwargs, now)
    if found is not None:
        return found
    if rules.call is not None:
        return Substitute(asked=True)
    return None if rules.value is NO_VALUE else Substitute(rules.value)
