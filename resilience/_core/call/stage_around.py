"""Passes an attempt through the `around` of custom stages: each may send it once, or answer in its place.

Its guarantee: whatever a stage does after the attempt was sent, a write is never reported as one that did not happen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...errors import RejectedError
from ..base.routine import Invocation, Routine
from .context import CurrentCall
from .stage import Stage, run_before, run_settle

__all__ = ["StageAnswer", "staged_attempt"]

NewSend = Callable[[Callable[[], Routine[Any]]], Callable[[], Any]]
"""Makes the function `send` from what returns its routine: sync or async."""
Watch = Callable[[], Exception | None]
"""Returns the rejection of an attempt whose deadline has passed, else None."""


class StageAnswer(Exception):  # noqa: N818  # no error: it takes the way of one because the way of a success is not to know
    """The attempt was not sent: a stage has answered in its place. It never leaves the pipeline."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer


def staged_attempt(
    stages: Sequence[Stage],
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    new_send: NewSend,
    new_watch: Callable[[], Watch],
    inspect: Callable[[Any], Any],
    is_read: bool,
) -> Routine[Any]:
    """Make one attempt with custom stages around it.

    Args:
        stages: the stages, from the outermost to the innermost.
        fn: sends the attempt.
        args: its positional arguments.
        kwargs: its keyword arguments.
        new_send: makes the function `send`.
        new_watch: begins to watch the deadline of the call.
        inspect: returns None for a good answer, the error of an error body, or an answer that is a failure itself.
        is_read: nothing is changed by it: a stage's own error says nothing about what has happened.

    Raises:
        StageAnswer: nothing was sent; it has the answer.
        DeadlineExceededError: nothing was sent, because a stage has waited until after the deadline.
    """
    watch = new_watch()
    call, entered = run_before(stages)
    attempt = _StagedAttempt(stages, call, Invocation(fn, args, kwargs), new_send, watch, inspect, is_read=is_read)
    try:
        answer = yield from attempt.run()
        if not attempt.was_sent:
            raise StageAnswer(answer)
    except BaseException as error:
        run_settle(call, entered, None if type(error) is StageAnswer else error)
        raise
    finally:
        attempt.error = None  # the error's traceback holds frames that hold this object
    run_settle(call, entered, None)
    return answer


class _StagedAttempt:
    """One attempt on its way through the stages.

    Attributes:
        was_sent: the function was called, or another thread is just doing it.
        error: what it raised, or what was made of that.
    """

    __slots__ = (
        "_call", "_inspect", "_invocation", "_is_over", "_is_read", "_new_send", "_stages", "_unsent", "_watch",
        "error", "was_sent",
    )  # fmt: skip

    def __init__(
        self,
        stages: Sequence[Stage],
        call: CurrentCall,
        invocation: Invocation,
        new_send: NewSend,
        watch: Watch,
        inspect: Callable[[Any], Any],
        *,
        is_read: bool,
    ) -> None:
        self._stages = stages
        self._call = call
        self._invocation = invocation
        self._new_send = new_send
        self._watch = watch
        self._inspect = inspect
        self._is_read = is_read
        self._unsent = [True]  # whoever takes the item decides: the attempt is sent, or never will be
        self._is_over = False
        self.was_sent = False
        self.error: BaseException | None = None

    def run(self, index: int = 0) -> Routine[Any]:
        """Pass this stage and those inside it."""
        if index == len(self._stages):
            return (yield from self._send())
        stage = self._stages[index]
        send = _Send(lambda: self.run(index + 1), type(stage).__name__)
        try:
            answer = yield Invocation(stage.around, (self._call, self._new_send(send.run)))
        except Exception as error:
            self._end()
            if not self.was_sent or error is self.error:
                raise  # nothing has happened, or it is the API's own error
            self.error = self._own_error(error, send.name)
            if self.error is error:
                raise
            raise self.error from error
        finally:
            send.is_over = True
            self._end()
        if send.is_running:
            self.error = _uncertain(f"{send.name}.around() has returned while send() was still running")
            raise self.error
        return answer

    def _end(self) -> None:
        """Have nothing sent any more: a stage has ended, and one inside it may still be waiting in a thread or task."""
        if self._is_over:
            return
        try:
            self._unsent.pop()  # one step for all threads
        except IndexError:
            self.was_sent = True
        self._is_over = True

    def _send(self) -> Routine[Any]:
        rejection = self._watch()
        if rejection is not None:
            raise rejection
        try:
            self._unsent.pop()
        except IndexError:
            raise RuntimeError("an outer stage has ended meanwhile: nothing was sent") from None
        self.was_sent = True
        try:
            answer = yield self._invocation
            failed = self._inspect(answer)
            if isinstance(failed, BaseException):
                raise failed  # an error body: a stage that takes the answer apart must not hide it
            return answer
        except BaseException as error:
            self.error = error
            raise

    def _own_error(self, error: Exception, name: str) -> Exception:
        """Return the error of a stage after the attempt was sent: for a write, one that says that it may have happened.

        A `RejectedError` says that nothing was sent, so it cannot stay one.
        """
        is_rejection = issubclass(type(error), RejectedError)
        if not is_rejection and (self._is_read or _mark(error)):
            return error
        return _uncertain(f"{name}.around() raised {type(error).__name__} after the attempt was sent")


class _Send:
    """Sends an attempt once. Safe across threads and tasks.

    Attributes:
        name: the stage's name.
        is_over: `around` has ended: nothing may be sent any more.
        is_running: the attempt is under way.
    """

    __slots__ = ("_proceed", "_unused", "is_over", "is_running", "name")

    def __init__(self, proceed: Callable[[], Routine[Any]], name: str) -> None:
        self._proceed = proceed
        self._unused = [True]
        self.name = name
        self.is_over = self.is_running = False

    def run(self) -> Routine[Any]:
        """Send the attempt.

        Raises:
            RuntimeError: it was sent already, or `around` has ended. Nothing was sent by this call.
        """
        if self.is_over:
            raise RuntimeError(f"send() was called after {self.name}.around() had ended: nothing was sent")
        try:
            self._unused.pop()  # one step for all threads
        except IndexError:
            message = f"{self.name}.around() called send() twice: an attempt is sent at most once"
            raise RuntimeError(message) from None
        self.is_running = True
        try:
            return (yield from self._proceed())
        finally:
            self.is_running = False


def _mark(error: BaseException) -> bool:
    """Mark an error as one of unknown outcome; returns whether it takes the mark."""
    try:
        error.resilience_executed = "maybe"  # type: ignore[attr-defined]
    except Exception:
        return False  # an error with slots
    return True


def _uncertain(message: str) -> Exception:
    """Return the error for a mistake of a stage: a bug of the program, after which the write may have happened."""
    error: Any = RuntimeError(message)
    error.resilience_code, error.resilience_executed = "program_error", "maybe"
    return error  # type: ignore[no-any-return]
