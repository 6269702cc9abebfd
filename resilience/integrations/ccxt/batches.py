"""Finds what the batches of a wrapped exchange need: its venue, and the single call that each item stands for."""

from __future__ import annotations

from typing import Any

from ..._core.call.operation_info import OperationInfo
from ..._entry.operation_rules import OperationRules
from ...venues.shipped_venues import find_venue
from .batch_calls import BatchCalls
from .batch_settlement import SingleCall
from .endpoint_names import endpoint_name
from .order_batches import SINGLE_CALLS

__all__ = ["Batches"]


class Batches:
    """The batches of one wrapped exchange. Immutable, hence safe across threads and tasks."""

    __slots__ = ("_engine", "_operations", "_venue", "_wrapped")

    def __init__(self, operations: Any, engines: Any, wrapped: Any) -> None:
        """Refer to the exchange.

        Args:
            operations: its methods, each a single attempt.
            engines: its engines.
            wrapped: the exchange that the user has, through which orders are looked up.
        """
        self._operations = operations
        self._engine = engines.engine
        self._wrapped = wrapped
        venue = None if engines.support is None else find_venue(self._engine.id)
        has_batches = venue is not None and any(write.items for write in venue.writes)
        self._venue = venue if has_batches else None

    def of(self, rules: OperationRules, info: OperationInfo) -> BatchCalls | None:
        """Return what the batches of a method need; None if it sends none, or if its items cannot be looked up."""
        name = SINGLE_CALLS.get(info.operation)
        if name is None or self._venue is None:
            return None
        pipeline, batch = rules.resolve(info)
        single = self._operations.resilience_operation_info(name, self._wrapped)
        if single is None or _is_declared(batch, info):
            return None
        single_pipeline, single = rules.resolve(single)
        if single.reconcile is None or (name == "create_order" and not self._takes_key(single)):
            return None
        sends_one = SingleCall(getattr(self._operations, name), single_pipeline, single, rules.outbox)
        return BatchCalls(info.operation, self._venue, self._engine, self._find_write, sends_one, pipeline)

    def _takes_key(self, single: OperationInfo) -> bool:
        """Return whether a single order has its key where the orders of a batch have theirs, whatever a rule names."""
        names = (single.key or "").partition(".")[2].split("|")
        return self._venue is not None and self._venue.key.parameters[0] in names

    def _find_write(self, request: Any) -> Any:
        if self._venue is None or request.path is None:
            return None
        name = endpoint_name(type(self._engine), request.api, request.method, request.path)
        return None if name is None else self._venue.write(name)


def _is_declared(batch: OperationInfo, info: OperationInfo) -> bool:
    """Return whether the user has said what a batch is, or how it is looked up as a whole."""
    is_harmless = bool(batch.idempotent) and not info.idempotent
    return batch.read or is_harmless or batch.reconcile is not None
