"""Looks a write in doubt up because a person asks for it, and settles it where the answer is proof.

Nothing is ever sent again. One that is settled leaves the list of writes in doubt, and its event is emitted.
"""

from __future__ import annotations

from .._core.call.late_lookup import LookupResult, WriteOutcome
from .._drivers.late_lookups import look_up_async, look_up_sync
from .callables import is_async
from .shared_state import SharedState

__all__ = ["look_up_write"]


def look_up_write(shared: SharedState, key: str, seconds: float) -> LookupResult:
    """Look up the write in doubt with this key; see `Policies.look_up`."""
    write = shared.unsettled.by_key.get(key)
    if write is None:
        raise LookupError("no write in doubt has this key: it is settled, or this process did not send it")
    if write.lookup is None:
        raise LookupError(f"it cannot be looked up: {write.no_lookup}")
    look_up = look_up_async if is_async(write.lookup.plan.reconcile) else look_up_sync
    result = look_up(write.lookup, seconds)
    if result.outcome is WriteOutcome.NOT_FOUND and shared.unsettled.is_shared(key):
        # Another process may have adopted it meanwhile, and be sending it again.
        return LookupResult(WriteOutcome.NOT_YET)
    if result.settles and shared.unsettled.by_key.get(key) is write:
        shared.unsettled.settle(key)
        write.lookup.plan.counts.add_reconciled("found" if result.outcome is WriteOutcome.FOUND else "not_found")
        shared.events.emit(
            "write_settled",
            policy=write.policy,
            operation=write.operation,
            key=key,
            by="hand",
            reason=result.outcome.value,
        )
    return result
