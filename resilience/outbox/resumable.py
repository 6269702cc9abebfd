"""Decides whether a row can be resumed or adopted with a client, and compiles the call that settles it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import wraps
from threading import RLock
from typing import Any

from .._core.call.operation_info import OperationInfo
from .._core.call.stage import has_around
from .._core.policy.section import changed
from .._pipeline.callables import is_async
from .._pipeline.pipeline import Pipeline
from .claims import Claim
from .outbox_store import TakenWrite
from .recorded_call import guard_attempts
from .resume import ResumedWrite, run_inside, simulate_first_attempt
from .row import Row
from .row_match import UnresumableError, check_machine, expires, resolve_row
from .write_recorder import WriteRecorder

__all__ = ["Turn", "begin_resume", "check_wrapped", "turn_of"]

Turn = AbstractContextManager[Any] | None
"""Held by the thread that uses the client; None where several may at once."""


def check_wrapped(client: Any) -> None:
    """Raise an `AttributeError` if a client is not a wrapped one."""
    if "_resilience_rules" not in getattr(client, "__dict__", ()):
        raise AttributeError(f"an outbox resumes writes with the wrapped client, and a {type(client).__name__} is none")


def turn_of(client: Any) -> Turn:
    """Return a lock for the requests of a client that nobody knows: its answers could be swapped between two threads.

    Most of the time of a resume goes by with waiting, which no lock is held for.
    """
    # The clients that describe their operations are those of an integration, which threads may share.
    return None if hasattr(vars(client)["_resilience_client"], "resilience_operation_info") else RLock()


def begin_resume(
    recorder: WriteRecorder, client: Any, listed: Row, *, resend: bool, adopt: bool = False, turn: Turn = None
) -> ResumedWrite | Callable[[], Any] | None:
    """Claim and take an open write and return what settles it.

    Args:
        recorder: the recorder of the outbox.
        client: the wrapped client.
        listed: the row as it was listed.
        resend: whether to send it again if it provably was not executed.
        adopt: it is another owner's, whose lease has ended.
        turn: held for each lookup and each attempt.

    Returns:
        A function that settles it, async where the client is; its outcome if it cannot be resumed, so that one bad
        row keeps no other from being resumed; None if a call has it, or has settled it meanwhile.

    Raises:
        OSError: the store cannot be read or written.
    """
    if listed.problem:
        return _refuse(listed, UnresumableError("unreadable", f"the row cannot be read: {listed.problem}"))
    claim = recorder.claims.take(listed.key, listed.operation)
    if claim is None:
        return None
    run = None
    try:
        begun = _take(recorder, client, listed, adopt=adopt)
        if isinstance(begun, ResumedWrite) or begun is None:
            return begun
        # Who has a file has its writes; those of a shared store may still be in the hands of an owner that was stopped.
        former_owner = listed.owner if adopt and recorder.store.is_shared else None
        if former_owner is not None:
            recorder.adopted.add(claim.write)
        run = _compile(recorder, claim, client, begun, resend=resend, former_owner=former_owner, turn=turn)
        return run
    finally:
        if run is None:
            recorder.claims.release(claim)


def _take(recorder: WriteRecorder, client: Any, listed: Row, *, adopt: bool) -> TakenWrite | ResumedWrite | None:
    """Take a row that this client can resume, as it is stored now; return the reason if it cannot.

    It is checked first: a client of another account must not keep the row from those that can settle it.
    """
    try:
        if adopt and not recorder.store.is_shared:
            check_machine(listed)
        resolve_row(client, listed)
    except Exception as error:
        return _refuse(listed, error)
    return recorder.store.take(listed)


def _compile(
    recorder: WriteRecorder, claim: Claim, client: Any, taken: TakenWrite, *, resend: bool, former_owner: str | None,
    turn: Turn,
) -> Callable[[], Any]:  # fmt: skip
    """Compile the call that settles a row: a lookup, and with `resend` a call of its own if nothing was executed."""
    row = taken.row
    method, pipeline, info = resolve_row(client, row)
    if turn is not None and info.reconcile is not None:
        info = replace(info, reconcile=_in_turn(info.reconcile, turn))
    # An owner that was only stopped may go on. What it has signed expires; what bears no stamp it may send at any time,
    # also after this process has looked it up in vain and resumes it as its own.
    is_provable = (row.key, row.operation) not in recorder.adopted or expires(info)
    write = recorder.open(
        claim, info, pipeline.clock, held=taken.held,
        asynchronous=is_async(method), stamps=row.stamps, resumed=True, is_provable=is_provable,
        unsettled=pipeline.shared.unsettled,
    )  # fmt: skip
    if former_owner is not None:
        _emit_adopted(pipeline, info, row, former_owner)
    # The attempt of the earlier process is over. No breaker, quota or slot of this one may refuse it, which would look
    # like a write that was never sent; and its end says nothing of the service now, so that it counts nowhere.
    looking_up = Pipeline(changed(pipeline.policy, **_OFF), shared=pipeline.shared)
    # A client that signs stores a stamp before it sends: without one, nothing was sent.
    fence = None if row.window is None else info.fence
    attempt = simulate_first_attempt(method, row, never_sent=info.signs and not row.stamps, fence=fence)
    look_up = looking_up.compile(attempt, replace(info, resumed=True, send_once=True))
    send = _compile_send(pipeline, _in_turn(guard_attempts(method), turn), info) if resend and is_provable else None
    return run_inside(write, look_up, send, row, asynchronous=is_async(method))


def _in_turn(function: Callable[..., Any], turn: Turn) -> Callable[..., Any]:
    """Return the function, which waits for its turn."""
    if turn is None:
        return function

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with turn:
            return function(*args, **kwargs)

    return call


def _compile_send(pipeline: Pipeline, attempt: Callable[..., Any], info: OperationInfo) -> Callable[..., Any]:
    """Compile the call that sends a write again by this function."""
    watching = tuple(stage for stage in pipeline.stages if not has_around(stage))
    # The answer of a fallback, or of a stage in place of the API, would look like an executed write.
    if pipeline.policy.fallback is not None or len(watching) < len(pipeline.stages):
        policy = changed(pipeline.policy, fallback=None, stages=watching)
        pipeline = Pipeline(policy, shared=pipeline.shared, keep_state=True)
    return pipeline.compile(attempt, info)


def _emit_adopted(pipeline: Pipeline, info: OperationInfo, row: Row, former_owner: str) -> None:
    events = pipeline.shared.events
    if events.listeners:
        events.emit(
            "write_adopted", policy=pipeline.policy.name, operation=info.operation, host=info.host,
            key=row.key, owner=former_owner,
        )  # fmt: skip


_OFF: dict[str, Any] = {
    "breaker": None, "quota": (), "admission": None, "budget": None, "hedge": None, "fallback": None, "stages": (),
}  # fmt: skip


def _refuse(row: Row, error: Exception) -> ResumedWrite:
    """Return the outcome of a row that cannot be resumed. It stays in the outbox."""
    if isinstance(error, UnresumableError):
        outcome = error.outcome
    else:  # a TypeError is that of a method whose parameters have changed, so that it takes the key no more
        outcome = "unknown_operation" if isinstance(error, (TypeError, AttributeError)) else "unknown"
    return ResumedWrite(row.key, row.operation, outcome, value=str(error), error=error)
