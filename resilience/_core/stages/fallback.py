"""Implements the stage fallback: in place of an error the caller gets the last good answer, a function's, or a value.

A write that may have happened is never covered up, unless sending it twice is harmless: unknown stays unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any, NamedTuple

from ...errors import RejectedError
from ..base.routine import Invocation, Routine
from ..classify.attach import attached_failure
from ..classify.failure import Failure
from ..classify.returned_errors import is_plain
from ..policy.sections import NO_VALUE, FallbackSettings
from .answer_copy import NotPlainError, copy_of
from .built_in_stage import BuiltInStage, Layer, LayerInputs, StageView
from .cache import MISSING, KeptAnswers
from .call_key import CallKey, key_maker
from .duration_text import format_duration
from .flowchart import Flowchart

__all__ = ["FallbackStage", "Substitute", "applies_to", "find_substitute", "stale_answers"]

_MAX_ANSWERS = 1024  # of one operation


class Substitute(NamedTuple):
    """What the caller gets: a value, or (`from_function`) what the settings' function returns for the call."""

    value: Any = None
    from_function: bool = False


class _Bounds(NamedTuple):
    """How long and how many last good answers are kept."""

    max_age: float
    max_entries: int = _MAX_ANSWERS


def stale_answers(longest: float, *, are_responses: bool = False) -> KeptAnswers:
    """Return a store of the last good answers that are not older than these seconds.

    It hands out copies, because whoever gets an answer may change it. HTTP responses, whose bodies can be read once,
    are handed out as they are.
    """
    return KeptAnswers(_Bounds(longest), _itself if are_responses else _copy)


def _itself(answer: Any) -> Any:
    return answer


def _copy(answer: Any) -> Any:
    try:
        return copy_of(answer)
    except NotPlainError:
        return deepcopy(answer)  # raises for what cannot be copied, and then the answer is not kept


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
    rules: FallbackSettings, answers: KeptAnswers | None, call: CallKey | None, now: float
) -> Substitute | None:
    """Return what the caller gets, the freshest first: the last good answer, the function, the value."""
    last_good = MISSING if answers is None or call is None else answers.find(call, now)
    if last_good is not MISSING:
        return Substitute(last_good)
    if rules.call is not None:
        return Substitute(from_function=True)
    return None if rules.value is NO_VALUE else Substitute(rules.value)


class FallbackStage(BuiltInStage):
    """The outermost stage: what the caller gets when a call has failed for good."""

    name = "fallback"

    def describe(self, view: StageView) -> Mapping[str, Any]:
        """Return which failures it replaces, and by what."""
        rules = view.policy.fallback
        if rules is None:
            return {"fallback": None}
        sources = {"stale_for": rules.stale_for, "call": rules.call is not None, "value": rules.value is not NO_VALUE}
        return {"fallback": {"on": list(rules.on), **sources}}

    def sentences(self, described: Mapping[str, Any]) -> Iterator[str]:
        """Yield what the caller gets."""
        if (fallback := described["fallback"]) is not None:
            age = fallback["stale_for"]
            sources = [
                f"the last good answer, if it is not older than {format_duration(age)}" if age else None,
                "the result of a function" if fallback["call"] else None,
                "a fixed value" if fallback["value"] else None,
            ]
            yield f"If the call fails, the caller gets {', otherwise '.join(source for source in sources if source)}."

    def diagram(self, described: Mapping[str, Any], chart: Flowchart) -> None:
        """Draw the question that every failed call ends in."""
        if (fallback := described["fallback"]) is not None:
            text = f"is it {', '.join(fallback['on'])}, and is there a fallback?"
            chart.failed = chart.node("fallback", text, "question")
            instead = chart.node("instead", "last good answer, function or value", "end")
            chart.arrow("fallback", instead, "yes")
            chart.arrow("fallback", "error", "no")

    def layer(self, inputs: LayerInputs) -> Layer | None:
        """Return the substitution of failed calls."""
        settings = inputs.plan.policy.fallback
        if settings is None:
            return None
        substitution = _Substitution(inputs.plan, settings, _stale_answers(settings, inputs))
        key_of = key_maker(inputs.fn, inputs.skip)

        def with_fallback(send: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Routine[Any]:
            result = None
            # The key is made before the call, which may change its arguments.
            call = None if substitution.stale is None else key_of(args, kwargs)
            try:
                result = yield Invocation(send, args, kwargs)
                substitute = substitution.of(result, call)
            except Exception as error:
                substitute = substitution.of(error, call)
                if substitute is None:
                    raise
            if substitute is None:
                return result
            if substitute.from_function and settings.call:
                return (yield Invocation(settings.call, (inputs.new_failed_call(args, kwargs),)))
            return substitute.value

        return with_fallback


def _stale_answers(settings: FallbackSettings, inputs: LayerInputs) -> KeptAnswers | None:
    if settings.stale_for is None:
        return None
    are_responses = inputs.plan.info.is_error_response is not None
    stale: KeptAnswers = inputs.memory().setdefault(
        "good", stale_answers(settings.stale_for, are_responses=are_responses)
    )
    stale.settings = _Bounds(settings.stale_for)  # a reload may have changed it
    return stale


class _Substitution(NamedTuple):
    """Finds the substitutes of one compiled call."""

    plan: Any
    settings: FallbackSettings
    stale: KeptAnswers | None

    def of(self, outcome: Any, call: CallKey | None) -> Substitute | None:
        """Return the substitute for an outcome, or None to let it through; a good answer is stored."""
        plan = self.plan
        raised = isinstance(outcome, Exception)
        if raised and plan.control_flow.includes(outcome):
            return None
        failure = None
        if raised or (plan.info.is_error_response is not None and not is_plain(outcome)):
            failure = attached_failure(outcome)
        now = plan.clock.monotonic()
        if not raised and failure is None:
            if self.stale is not None and call is not None:
                self.stale.keep(call, outcome, now)
            return None
        if not applies_to(self.settings, outcome, failure, harmless=plan.idempotent):
            return None
        substitute = find_substitute(self.settings, self.stale, call, now)
        if substitute is not None:
            plan.emit("fallback_used", code=None if failure is None else failure.code)
        return substitute
