"""Defines the base class of custom stages, which are called before, around and after each attempt."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .context import CONTEXT, CallContext, CurrentCall

__all__ = ["Entered", "Stage", "has_around", "run_before", "run_settle"]


class Stage:
    """Takes part in every attempt: before it, around it and after it. All methods are optional.

    Shared by threads and tasks: keep no state of a call in it.

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

        A stage that answers from memory, and sends where it knows no answer:

        >>> class Remember(Stage):
        ...     def __init__(self):
        ...         self.answers = {}
        ...     def around(self, call, send):
        ...         if call.operation not in self.answers:
        ...             self.answers[call.operation] = send()
        ...         return self.answers[call.operation]
        >>> pipeline = Pipeline(Policy(), operation="count", stages=[Remember()])
        >>> pipeline.call(len, "abc"), pipeline.call(len, "abcdef")
        (3, 3)
    """

    def before(self, call: CurrentCall) -> None:
        """Return to let the attempt through, or raise a `RejectedError`: nothing is sent then, and the call ends.

        If an earlier attempt of the call had an error of the API, the caller gets that error instead, with the
        rejection as its cause.
        """

    def around(self, call: CurrentCall, send: Callable[[], Any]) -> Any:  # noqa: ARG002  # for overriding
        """Return the attempt's answer: what `send()` returns, or another one. In an async pipeline an `async def`.

        `send()` makes the attempt, through the stages inside this one, and raises what the attempt raises. It may be
        called once; a second call, and one after `around` has ended, raises `RuntimeError` and sends nothing.

        If `send()` is not called, nothing is sent. The attempt then counts neither as a success nor as a failure of
        the service, and the answer goes to the caller as it is. Do not answer a write in this way unless it need not
        be sent: the caller believes that it was executed.

        An error raised here after `send()` was called says nothing about the attempt: it may have been executed. A
        write with such an error is looked up, or reported as unknown.

        Args:
            call: the attempt. What it sends cannot be changed here.
            send: makes the attempt; to be awaited in an async pipeline.

        Raises:
            RejectedError: before `send()` was called: nothing is sent, as if `before` had raised it.
        """
        return send()

    def settle(self, call: CurrentCall, error: BaseException | None) -> None:
        """Take note of how an admitted attempt ended. Called once for each `before` that returned.

        An error raised here is dropped: it does not change what happened.

        Args:
            call: the attempt.
            error: what it raised; None if it succeeded.
        """


Entered = tuple[CurrentCall, list[Stage]]
"""The attempt, and the stages that have let it through."""


def has_around(stage: Stage) -> bool:
    """Return whether a stage has an `around` of its own."""
    return getattr(stage.around, "__func__", None) is not Stage.around


def run_before(stages: Iterable[Stage]) -> Entered:
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
