"""Carries out what follows a first failure, written once for both drivers: attempts, lookups and waits to the end.

The routines are like those of `_core/base/routine.py`, but an error of what they call is sent in beside the result,
instead of being thrown in: so no frame of a routine gets into the error's traceback, and no error is chained to another
by `__context__`. They return the step that ends the call, and `slow_path_runner.py` returns or raises.

Whatever interrupts them, the clean-up holds: an exception of a signal handler is raised in here, or in the runner,
which throws it in. It comes after a call into C, and each line of the clean-up is one store or one such call.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import Any, NamedTuple

from .._core.base.clock import Clock
from .._core.call.attempt_gate import AttemptGate
from .._core.call.context import CONTEXT
from .._core.call.open_writes import OPEN_WRITES
from .._core.call.recovery import Recovery
from .._core.call.steps import Action, Step
from .._core.classify.returned_errors import is_plain

__all__ = ["SlowPath", "Waits", "pass_gate", "recover"]

Invocation = tuple[Callable[..., Any], tuple[Any, ...], Mapping[str, Any]]
Outcome = tuple[Any, Any]
"""What a function has returned, and the error that it has raised, or the answer that is a failure."""
SlowPath = Generator[Invocation, Outcome, Step]
_NO_KEYWORDS: Mapping[str, Any] = {}
_PASSED = Step(Action.RETURN)


class Waits(NamedTuple):
    """How a driver waits and calls.

    Attributes:
        pause: waits for the next step of a recovery.
        sleep: waits by a clock.
        park: waits for a slot.
        discard: closes an answer with the function that the client has for it; raises nothing.
        limited: calls a function for at most so many seconds; None where a call cannot be cancelled, as in a thread.
        end_of_loop: returns what says whether the event loop of the call has ended, or None.
    """

    pause: Callable[[Clock, Recovery, float], Any]
    sleep: Callable[[Clock, float], Any]
    park: Callable[[AttemptGate, float], Any]
    discard: Callable[[Callable[[Any], Any], Any], Any]
    limited: Callable[..., Awaitable[Any]] | None
    end_of_loop: Callable[[], Callable[[], bool] | None]


def pass_gate(gate: AttemptGate, step: Step, waits: Waits) -> SlowPath:
    """Wait until the attempt may be sent or is rejected.

    Args:
        gate: the gate of the attempt. Where this is interrupted, the caller withdraws it.
        step: its next step.
        waits: of the driver.
    """
    while step.action not in (Action.SEND, Action.RAISE):
        if step.action is Action.WAIT:
            yield from _wait(waits.sleep, gate.clock, step.value)
        else:
            yield from _wait(waits.park, gate, step.value)
        step = gate.next_step()
    return _PASSED


def recover(recovery: Recovery, fn: Callable[..., Any], failed: Any, waits: Waits) -> SlowPath:
    """Carry out the steps of a recovery until one ends the call."""
    clock, outer = recovery.plan.clock, CONTEXT.get()
    try:
        # Not one `Step`, which a waiting call would keep.
        action, value = recovery.on_failure(failed)
        while True:
            if action is Action.WAIT:
                # Not by `_wait`: thousands of calls may wait here, and each generator takes a quarter of a kilobyte.
                _, error = yield waits.pause, (clock, recovery, value), _NO_KEYWORDS
                if error is not None:
                    raise error
                action, value = recovery.after_wait()
            elif action is Action.SEND:
                action, value = yield from _attempt(recovery, fn, outer, waits)
            elif action is Action.LOOK_UP:
                action, value = yield from _look_up(recovery, outer, waits)
            else:
                if recovery.plan.info.discard is not None:
                    yield from _discard(recovery, waits)
                return Step(action, value)
    except BaseException as error:
        recovery.abandon(error)
        yield from _discard(recovery, waits)
        raise
    finally:
        try:
            OPEN_WRITES.handles.discard(recovery.lookups.open_write)
        finally:
            try:
                recovery.permits.discard(recovery.trial)
            finally:
                recovery.close()


def _attempt(recovery: Recovery, fn: Callable[..., Any], outer: list[Any] | None, waits: Waits) -> SlowPath:
    """Make an attempt after the first, through its gate where it needs one; return the next step."""
    gate = recovery.new_gate(waits.end_of_loop())
    if gate is None:
        return (yield from _send_again(recovery, None, fn, outer, waits))
    try:
        try:
            yield from pass_gate(gate, gate.next_step(), waits)
        except BaseException:
            gate.withdraw()
            raise
        return (yield from _send_again(recovery, gate, fn, outer, waits))
    finally:
        if gate.slot is not None:
            gate.slot.gone = True
        if gate.payment.ticket is not None:
            gate.payment.ticket.gone = True
        try:
            gate.running.discard(gate.slot)
        finally:
            try:
                gate.permits.discard(gate.trial)
            finally:
                gate.release_slot()


def _send_again(
    recovery: Recovery, gate: AttemptGate | None, fn: Callable[..., Any], outer: list[Any] | None, waits: Waits
) -> SlowPath:
    """Begin an attempt after the first, send, and report what came of it; return the next step."""
    context = recovery.begin_attempt(gate)
    if context is None:
        return recovery.on_rejection()
    if recovery.plan.info.discard is not None:
        yield from _discard(recovery, waits)
    plan, seconds, sending = recovery.plan, recovery.seconds_left(), (fn, recovery.call.args, recovery.call.kwargs)
    result, failed = yield from _call_inside(context, outer, waits, sending, seconds, plan.inspect_result)
    if gate is not None:
        gate.release_slot()
    return recovery.on_success(result) if failed is None else recovery.on_failure(failed)


def _look_up(recovery: Recovery, outer: list[Any] | None, waits: Waits) -> SlowPath:
    """Call the reconciler; return the next step."""
    sent, context, seconds = recovery.now(), recovery.lookup_context(), recovery.seconds_for_lookup()
    call = recovery.plan.reconcile, (recovery.call,), _NO_KEYWORDS
    answer, error = yield from _call_inside(context, outer, waits, call, seconds)
    return recovery.on_lookup(answer if error is None else error, sent)


def _call_inside(
    context: list[Any],
    outer: list[Any] | None,
    waits: Waits,
    call: Invocation,
    seconds: float,
    inspect_result: Callable[[Any], Any] | None = None,
) -> Generator[Invocation, Outcome, Outcome]:
    """Call a function inside a context and look whether its result is a failure; return (result, failure)."""
    try:
        CONTEXT.set(context)
        result, failed = yield call if waits.limited is None else (waits.limited, (*call, seconds), _NO_KEYWORDS)
        if failed is None and inspect_result is not None and not is_plain(result):
            try:
                failed = inspect_result(result)
            except Exception as error:
                failed = error
        return result, failed
    finally:
        try:
            context.clear()
        finally:
            # A task may end it in another context than its own, which then stays. In a thread nothing is asked: an
            # interrupt would come after the question.
            if waits.limited is None or CONTEXT.get() is context:
                CONTEXT.set(outer)


def _discard(recovery: Recovery, waits: Waits) -> Generator[Invocation, Outcome, None]:
    """Close the last answer if the caller does not get it."""
    answer, close = recovery.take_discarded_answer(), recovery.plan.info.discard
    if answer is not None and close is not None:
        yield waits.discard, (close, answer), _NO_KEYWORDS


def _wait(function: Callable[..., Any], *args: Any) -> Generator[Invocation, Outcome, None]:
    """Call a function that waits; its error is raised."""
    _, error = yield function, args, _NO_KEYWORDS
    try:
        if error is not None:
            raise error
    finally:
        error = None
