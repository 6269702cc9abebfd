"""Defines the base class of custom stages, which are called before each attempt and after it."""

from __future__ import annotations

from collections.abc import Iterable

from .context import CONTEXT, CallContext, CurrentCall

__all__ = ["Stage", "run_before", "run_settle"]


class Stage:
    """Takes part in every attempt. Shared by threads and tasks: keep no state of a call in it.

    Given as `Pipeline(..., stages=[...])`. A package offers its class by name to the `stages` of policy files: by an
    entry point of the group `resilience.stages`. What the file says beside the name are keyword arguments.

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
        """Return to let the attempt through, or raise a `RejectedError`: nothing is sent then, and the call ends.

        The caller gets the API's own error instead where an earlier attempt had one; the rejection is its cause then.
        """

    def settle(self, call: CurrentCall, error: BaseException | None) -> None:
        """Take note of how an admitted attempt ended; None means well. Called once for each `before` that returned.

        An error raised here is dropped: it does not change what happened.
        """


def run_before(stages: Iterable[Stage]) -> tuple[CurrentCall, list[Stage]]:
    """Call `before` of every stage; when one rejects, those that had let the attempt through are settled first."""
    call = CurrentCall(CallContext(*CONTEXT.get()))
    passed: list[Stage] = []
    for stage in stages:
        try:
            stage.before(call)
        except BaseException as error:  # a Ctrl-C inside `before` as well: what passed must be settled
            run_settle(call, passed, error)
            raise
        passed.append(stage)
    return call, passed


def run_settle(call: CurrentCall, passed: list[Stage], error: BaseException | None) -> None:
    """Call `settle` of these stages in reverse order; one that raises does not keep it from the others."""
    for stage in reversed(passed):
        try:
            stage.settle(call, error)
        except Exception:
            pass  # an order that was placed stays placed, whichever stage fails to take note of it
