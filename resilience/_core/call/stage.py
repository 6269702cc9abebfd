"""A part of a pipeline that a user writes: asked before each attempt, told how it ended."""

from __future__ import annotations

from collections.abc import Iterable

from .context import CONTEXT, CallContext, CurrentCall

__all__ = ["Stage", "run_before", "run_settle"]


class Stage:
    """Takes part in every attempt. Shared by threads and tasks: keep no state of a call in it.

    Given as `Pipeline(..., stages=[...])`. A package offers its class by name to the `stages` of policy files: by an
    entry point of the group `resilience.stages`; what the file says beside the name are keyword arguments.

    Example:
        >>> class Pause(Stage):
        ...     on = False
        ...     def before(self, call):
        ...         if self.on:
        ...             raise RejectedError("paused by hand")
        >>> from resilience import Pipeline, Policy, RejectedError
        >>> Pipeline(Policy(), stages=[Pause()]).call(len, "abc")
        3
    """

    def before(self, call: CurrentCall) -> None:
        """Say nothing to let the attempt through, or raise a `RejectedError`: then nothing is sent."""

    def settle(self, call: CurrentCall, error: BaseException | None) -> None:
        """Learn how an admitted attempt ended; None means well. Called exactly once for each `before` that passed.

        An error raised here is dropped: who is told does not change what happened.
        """


def run_before(stages: Iterable[Stage]) -> tuple[CurrentCall, list[Stage]]:
    """Ask every stage; when one refuses, those that had agreed are told before the refusal goes on."""
    call = CurrentCall(CallContext(*CONTEXT.get()))
    agreed: list[Stage] = []
    for stage in stages:
        try:
            stage.before(call)
        except BaseException as error:
            run_settle(call, agreed, error)
            raise
        agreed.append(stage)
    return call, agreed


def run_settle(call: CurrentCall, agreed: list[Stage], error: BaseException | None) -> None:
    """Tell the stages in reverse order how the attempt ended; one that raises hides that from nobody."""
    for stage in reversed(agreed):
        try:
            stage.settle(call, error)
        except Exception:
            pass  # an order that was placed stays placed, whoever fails to hear of it
