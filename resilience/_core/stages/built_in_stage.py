"""Defines what each built-in stage says of itself: its part of `describe()`, words, arrows, warnings and layer.

`stage_list.py` has one row for each stage, from the outermost to the innermost. Whoever iterates over the list calls
these methods and knows no stage by name. A method that a stage does not need has a default here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..base.routine import Routine
from ..policy.policy import Policy
from ..policy.policy_set import OperationSettings
from .flowchart import Flowchart

__all__ = ["BuiltInStage", "Layer", "LayerInputs", "StageView", "Warnings"]

Warnings = Iterator[tuple[tuple[str, ...], str]]
"""The paths of settings that contradict each other, and the message."""
Layer = Callable[[Callable[..., Any], tuple[Any, ...], Mapping[str, Any]], Routine[Any]]
"""Makes the routine of one call around the rest of the stages: it gets the function to invoke, and the arguments."""


@dataclass(frozen=True, slots=True)
class StageView:
    """What the stages of one pipeline describe: the settings, and the parts that its calls share.

    Attributes:
        policy: the settings.
        operation: the operation's `OperationInfo`.
        breaker: the breaker, or None.
        quotas: the quotas that the operation pays.
        admission: the slots, or None.
        fence: the API's bounds for lookups.
        now: the present instant, monotonic seconds.
    """

    policy: Policy
    operation: Any
    breaker: Any
    quotas: Sequence[Any]
    admission: Any
    fence: Any
    now: float


class LayerInputs(NamedTuple):
    """What a layer is made of when a function is compiled.

    Attributes:
        plan: the operation's `Plan`.
        memory: returns the mapping in which calls of this function and operation keep data; it outlives a reload.
        asynchronous: whether the function is async.
        fn: the function; where `skip` is 1, one that calls its first argument with the others.
        skip: how many leading arguments are not the operation's own.
        race: runs attempts of one call beside each other: takes the plan, a `Race` and the attempt.
        new_failed_call: makes the `FailedCall` of these arguments.
        let_others_run: lets other tasks run where the function is async: a loop that is always answered at once would
            keep them waiting.
        needs_fresh_reads: returns whether reads must reach the API here, such as those of a reconciler.
    """

    plan: Any
    memory: Callable[[], dict[str, Any]]
    asynchronous: bool
    fn: Callable[..., Any]
    skip: int
    race: Callable[..., Any]
    new_failed_call: Callable[..., Any]
    let_others_run: Callable[[], Any]
    needs_fresh_reads: Callable[[], bool]


class BuiltInStage:
    """One row of the list of stages. Holds no state of calls: safe across threads and tasks.

    Attributes:
        name: the stage's name in the docs; where it has a section, the name of that.
    """

    name: str

    def describe(self, view: StageView) -> Mapping[str, Any]:  # noqa: ARG002  # here and below: for overriding
        """Return what the stage adds to `Pipeline.describe`, as plain data."""
        return {}

    def sentences(self, described: Mapping[str, Any]) -> Iterator[str]:  # noqa: ARG002
        """Yield what the stage does, in sentences; the input is what `Pipeline.describe` returns."""
        return iter(())

    def diagram(self, described: Mapping[str, Any], chart: Flowchart) -> None:
        """Draw the stage into the chart, which all stages outside this one have been drawn into."""

    def warnings(self, policy: Policy) -> Warnings:  # noqa: ARG002
        """Yield the warnings about settings of the stage that cannot take effect."""
        return iter(())

    def operation_warnings(self, policy: Policy, operations: Sequence[OperationSettings]) -> Warnings:  # noqa: ARG002
        """Yield the warnings about the stage under a policy that these entries of `operations` name."""
        return iter(())

    def layer(self, inputs: LayerInputs) -> Layer | None:  # noqa: ARG002
        """Return the stage's layer around the whole call; None where it has none, is off, or has no effect."""
        return None
