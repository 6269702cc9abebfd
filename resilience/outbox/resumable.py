"""Decides whether a row can be resumed with a client, and compiles the call that settles it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

from .._core.call.idempotency_key import KeySlot
from .._core.call.operation_info import OperationInfo
from .._core.call.stage import has_around
from .._core.policy.section import changed
from .._pipeline.callables import is_async
from .._pipeline.pipeline import Pipeline
from ..errors import RejectedError
from .claims import Claim
from .open_write import new_stamps
from .recorded_call import guard_attempts
from .resume import ResumedWrite, run_inside, simulate_first_attempt
from .row import Row
from .write_recorder import WriteRecorder

__all__ = ["begin_resume", "check_wrapped", "digest_of"]


class UnresumableError(Exception):
    """A row that cannot be resumed with this client; `outcome` is that of `ResumedWrite`."""

    def __init__(self, outcome: Any, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome


def check_wrapped(client: Any) -> None:
    """Raise an `AttributeError` if a client is not a wrapped one."""
    if "_resilience_rules" not in getattr(client, "__dict__", ()):
        raise AttributeError(f"an outbox resumes writes with the wrapped client, and a {type(client).__name__} is none")


def begin_resume(
    recorder: WriteRecorder, client: Any, listed: Row, *, resend: bool
) -> ResumedWrite | Callable[[], Any] | None:
    """Claim an open write and return what settles it.

    Returns:
        A function that settles it, async where the client is; its outcome if it cannot be resumed, so that one bad
        row keeps no other from being resumed; None if a call has it, or has settled it meanwhile.

    Raises:
        OSError: the file cannot be read.
    """
    if listed.problem:
        return _refuse(listed, UnresumableError("unreadable", f"the row cannot be read: {listed.problem}"))
    claim = recorder.claims.take(listed.key, listed.operation)
    if claim is None:
        return None
    run = None
    try:
        # Read again once it is claimed: a call that had it claimed may have settled it meanwhile.
        row = recorder.table.find(listed.key, listed.operation)
        if row is None or row.state != "open":
            return None
        try:
            run = _compile(recorder, claim, client, row, resend=resend)
        except Exception as error:
            return _refuse(row, error)
        return run
    finally:
        if run is None:
            recorder.claims.release(claim)


def _compile(recorder: WriteRecorder, claim: Claim, client: Any, row: Row, *, resend: bool) -> Callable[[], Any]:
    """Compile the call that settles a row: a lookup, and with `resend` a call of its own if nothing was executed."""
    method, info = _find_method(client, row)
    pipeline, info = vars(client)["_resilience_rules"].resolve(info)
    _check_key(method, info, row)
    info, asynchronous = replace(info, new_stamps=new_stamps), is_async(method)
    write = recorder.open(
        claim, info.rejection_types.get(RejectedError, RejectedError), pipeline.clock,
        asynchronous=asynchronous, stamps=row.stamps, resumed=True,
    )  # fmt: skip
    # The attempt of the earlier process is over. No breaker, quota or slot of this one may refuse it, which would look
    # like a write that was never sent; and its end says nothing of the service now, so that it counts nowhere.
    looking_up = Pipeline(changed(pipeline.policy, **_OFF), shared=pipeline.shared)
    # A client that signs stores a stamp before it sends: without one, nothing was sent.
    attempt = simulate_first_attempt(method, row, never_sent=info.signs and not row.stamps)
    look_up = looking_up.compile(attempt, replace(info, resumed=True, send_once=True))
    send = None
    if resend:
        watching = tuple(stage for stage in pipeline.stages if not has_around(stage))
        # The answer of a fallback, or of a stage in place of the API, would look like an executed write.
        if pipeline.policy.fallback is not None or len(watching) < len(pipeline.stages):
            policy = changed(pipeline.policy, fallback=None, stages=watching)
            pipeline = Pipeline(policy, shared=pipeline.shared, keep_state=True)
        send = pipeline.compile(guard_attempts(method), info)
    return run_inside(write, look_up, send, row, asynchronous=asynchronous)


_OFF: dict[str, Any] = {
    "breaker": None, "quota": (), "admission": None, "budget": None, "hedge": None, "fallback": None, "stages": (),
}  # fmt: skip


def _check_account(row: Row, info: OperationInfo) -> None:
    """Refuse a row that a client of another account or host made."""
    for what, stored, present in (("account", row.account, digest_of(info.account)), ("host", row.host, info.host)):
        if stored is not None and stored != present:
            reason = f"the write was made with the {what} {stored}, and this client has {present or 'none'}"
            raise UnresumableError("other_account", reason)


def _find_method(client: Any, row: Row) -> tuple[Callable[..., Any], OperationInfo]:
    """Return the client's method that a row was made with, and what the client says of it.

    Raises:
        UnresumableError: there is none, the client has another account, or the write cannot be looked up.
    """
    raw = vars(client)["_resilience_client"]
    method = _attribute(raw, row.operation.partition(" ")[0])  # "post /api/…" is made by `post`
    describe = getattr(raw, "resilience_operation_info", None)
    info = OperationInfo(operation=row.operation) if describe is None else describe(row.operation, client)
    if not callable(method) or info is None:
        raise UnresumableError("unknown_operation", f"{type(raw).__name__} has no operation {row.operation}")
    _check_account(row, info)
    if row.key_missing:
        raise UnresumableError("unknown", "the request did not carry the key, so the write cannot be looked up by it")
    return method, info


def _check_key(method: Callable[..., Any], info: OperationInfo, row: Row) -> None:
    """Refuse a row whose key is not where its operation takes it now: it would be looked up by a new key, in vain.

    Raises:
        TypeError: the method has no parameter for the key.
        UnresumableError: the arguments of the row have another key in its place, or none.
    """
    key = None if info.key is None else KeySlot(info.key, method, None).fill(row.args, row.kwargs)[0]
    if key != row.key:
        reason = f"{row.operation} takes its key as {info.key} now, and there the row has {key or 'none'}"
        raise UnresumableError("unknown_operation", reason)


def _attribute(client: Any, path: str) -> Any:
    """Return what stands under a path such as `orders.create`, or None."""
    for name in path.split("."):
        client = getattr(client, name, None)
    return client


def _refuse(row: Row, error: Exception) -> ResumedWrite:
    """Return the outcome of a row that cannot be resumed. It stays in the outbox."""
    if isinstance(error, UnresumableError):
        outcome = error.outcome
    else:  # a TypeError is that of a method whose parameters have changed, so that it takes the key no more
        outcome = "unknown_operation" if isinstance(error, (TypeError, AttributeError)) else "unknown"
    return ResumedWrite(row.key, row.operation, outcome, value=str(error), error=error)


def digest_of(account: str | None) -> str | None:
    """Return a digest of an account's name, which tells accounts apart and gives none away."""
    return None if account is None else sha256(account.encode()).hexdigest()[:12]
