"""Looks a write in doubt up because a person asks for it, and settles it where the answer is proof.

Nothing is ever sent again. One that is settled leaves the list of writes in doubt, and its event is emitted.
"""

from __future__ import annotations

from .._core.call.late_lookup import LookupResult, WriteOutcome
from .._core.call.unsettled_writes import UnsettledWrite
from .._drivers.late_lookups import look_up_async, look_up_sync
from .callables import is_async
from .shared_state import SharedState

__all__ = ["look_up_write"]


def look_up_write(shared: SharedState, key: str, seconds: float) -> LookupResult:
    """Look up the write in doubt with this key; see `Policies.look_up`."""
    write = _find(shared, key)
    lookup = write.lookup
    assert lookup is not None, "else it is refused"
    result = (look_up_async if is_async(lookup.plan.reconcile) else look_up_sync)(lookup, seconds)
    is_in_doubt = any(one is write for one in shared.unsettled.with_key(key))
    if result.outcome is WriteOutcome.NOT_FOUND and not (is_in_doubt and _cannot_be_sent(shared, key)):
        return LookupResult(WriteOutcome.NOT_YET)
    if result.settles and is_in_doubt:
        shared.unsettled.settle(key, write.host, write.account)
        lookup.plan.counts.add_reconciled("found" if result.outcome is WriteOutcome.FOUND else "not_found")
        shared.events.emit(
            "write_settled",
            policy=write.policy,
            operation=write.operation,
            key=key,
            by="hand",
            reason=result.outcome.value,
        )
    return result


def _find(shared: SharedState, key: str) -> UnsettledWrite:
    """Return the write in doubt with this key.

    Raises:
        LookupError: there is none, or none that can be looked up now.
    """
    writes = shared.unsettled.with_key(key)
    if not writes:
        raise LookupError("no write in doubt has this key: it is settled, or this process did not send it")
    if len(writes) > 1:
        hosts = ", ".join(str(write.host) for write in writes)
        raise LookupError(f"{len(writes)} writes in doubt have this key ({hosts}): look at each venue yourself")
    if writes[0].lookup is None:
        raise LookupError(f"it cannot be looked up: {writes[0].no_lookup}")
    if shared.keys_in_use.has(key):
        raise LookupError("a call with this key is under way, which will settle it: ask again when it has ended")
    return writes[0]


def _cannot_be_sent(shared: SharedState, key: str) -> bool:
    """Return whether nobody may send a write that was not found, by whose key a call may have begun meanwhile."""
    # Another process may have adopted it meanwhile, and be sending it again; so may `Outbox.resume` of this one.
    unsettled = shared.unsettled
    return not unsettled.is_shared(key) and not shared.keys_in_use.has(key) and unsettled.fail_row(key)
