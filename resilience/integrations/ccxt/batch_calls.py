"""Sends batches of orders so that each item is executed exactly once and reported truly.

A batch is one request under its own policy. Each new order in it has a client order id of its own. Where the answer
leaves an item in doubt, or there is no answer, the items are settled one by one (`batch_settlement.py`). The caller
gets all orders in the order given, or an error whose `results` has each order, or the error in place of it.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from ..._core.base.context_variables import reset_variable
from ..._core.base.routine import Invocation, Routine
from ..._core.classify.attach import attached_failure
from ..._drivers.routine_runner import routine_function
from ..._pipeline.callables import is_async
from ..._pipeline.pipeline import Pipeline
from ...venues.batch_answers import ItemAnswer, count_items, read_items
from ...venues.known_venue import Venue
from .batch_log import BATCH, BatchLog
from .batch_report import keep_results, report_results
from .batch_settlement import ItemSettlement, SingleCall, open_record, settle_records
from .order_batches import Batch, BatchItem, KeyMaker, split_batch
from .requests_sent import set_attribute

__all__ = ["BatchCalls"]


class BatchCalls(NamedTuple):
    """What the batches of one method need.

    Attributes:
        operation: its name.
        venue: what is known of the exchange.
        engine: the exchange that sends.
        find_write: returns what is known of the endpoint of a request, or None.
        single: the call that sends one order.
        pipeline: the policy of the batch.
    """

    operation: str
    venue: Venue
    engine: Any
    find_write: Callable[[Any], Any]
    single: SingleCall
    pipeline: Pipeline

    def compile(self, compiled: Callable[..., Any], method: Callable[..., Any]) -> Callable[..., Any]:
        """Return the compiled method, with each item of its batches settled."""
        make = self.single.info.make_key or self.pipeline.shared.make_key
        cancels = [write.key for write in self.venue.writes if write.action == "cancel"]
        is_list = any(write.items == "." for write in self.venue.writes)
        keys = KeyMaker(self.venue.key.parameters, make, cancels[0] if cancels else "clientOrderId", is_list)
        shape = re.compile(self.venue.key.shape)

        def call(*args: Any, **kwargs: Any) -> Routine[Any]:
            batch = self._split(method, args, kwargs, keys, shape)
            if batch is None:
                return (yield Invocation(compiled, args, kwargs))
            return (yield from _BatchCall(self, batch).run(compiled))

        return routine_function(functools.wraps(method)(call), asynchronous=is_async(method))

    def _split(self, method: Any, args: Any, kwargs: Any, keys: KeyMaker, shape: re.Pattern[str]) -> Batch | None:
        try:
            batch = split_batch(method, args, kwargs, keys)
            for item in () if batch is None else batch.items:
                if item.key is not None and not shape.fullmatch(item.key):
                    raise ValueError(f"{self.venue.name} would reject {item.key!r}: expected {shape.pattern}")
        except ValueError as error:
            raise self.engine._resilience.errors.bad_request(f"{self.engine.id} {error}") from None
        return batch


class _BatchCall:
    """One call of a batch. Used by one thread or task."""

    def __init__(self, calls: BatchCalls, batch: Batch) -> None:
        self._calls = calls
        self._batch = batch
        clock, deadline = calls.pipeline.clock, calls.pipeline.policy.deadline
        self._now = clock.monotonic
        self._ends_at = None if deadline is None else clock.monotonic() + deadline
        self._records: list[Any] = []
        self._answers: list[ItemAnswer | None] = []

    def run(self, compiled: Callable[..., Any]) -> Routine[Any]:
        """Send the batch, and settle what its answer leaves open."""
        self._begin_records()
        items = self._batch.items
        log = BatchLog([item.key for item in items if item.key], self._records, self._calls.find_write, size=len(items))
        result, error = yield from self._send(compiled, log)
        self._answers = self._read(log)
        if error is None:
            error = self._find_gap(log)
            if error is None:
                return self._in_order(result, log)
        elif not self._is_open(log, error):
            settle_records(self._records, error)
            if log.write is None:
                self._note_unsettled(error, log)
            raise error
        results = yield from self._settle(log, error)
        if any(isinstance(one, Exception) for one in results):
            report_results(error, results, items, self._calls.operation)
            raise error
        return results

    def _send(self, compiled: Callable[..., Any], log: BatchLog) -> Routine[tuple[Any, Exception | None]]:
        """Send the batch under its policy; return what it returned, or the error that it ended with."""
        token = BATCH.set(log)
        try:
            return (yield Invocation(compiled, self._batch.args, self._batch.kwargs)), None
        except Exception as error:
            return None, error
        except BaseException as ended:
            settle_records(self._records, ended)
            raise
        finally:
            reset_variable(BATCH, token)

    def _begin_records(self) -> None:
        """Record each new order in the outbox, as the single order that it is."""
        try:
            for item in self._batch.items:
                record = self._calls.single.record(item)
                if record is not None:
                    self._records.append(record)
        except BaseException:
            for record in self._records:
                record.abandon()
            raise

    def _read(self, log: BatchLog) -> list[ItemAnswer | None]:
        items = self._batch.items
        if log.write is None or log.answer is None:
            return [None] * len(items)
        return read_items(self._calls.venue, log.write, log.answer, [item.ids for item in items])

    def _find_gap(self, log: BatchLog) -> Exception | None:
        """Return the error of a success that does not tell of every order what became of it, or None."""
        # Where a method sends its orders one by one, the last answer is not that of the batch.
        is_answer = log.succeeded and log.write is not None and not log.unsent
        if not is_answer or all(map(_is_accepted, self._answers)):
            return None
        engine = self._calls.engine
        error: Exception = engine._resilience.errors.unreadable(f"{engine.id} the answer does not show every order")
        return error

    def _is_open(self, log: BatchLog, error: Exception) -> bool:
        """Return whether the items have to be settled one by one, or the error is that of the whole batch."""
        failure = attached_failure(error)
        if failure is None or log.write is None or not log.stamps:
            return False
        return failure.executed != "no" or failure.proof == "likely" or self._speaks_of_items(log)

    def _note_unsettled(self, error: Exception, log: BatchLog) -> None:
        """Note the orders of a batch of which nothing is known, so that nobody settles them."""
        failure, pipeline, info = attached_failure(error), self._calls.pipeline, self._calls.single.info
        if failure is None or failure.executed != "maybe":
            return
        for key in log.keys:
            own = replace(failure, key=key)
            pipeline.shared.unsettled.add(
                pipeline.policy.name, self._calls.operation, own, pipeline.clock.time(), host=info.host,
                account=info.account,
            )  # fmt: skip

    def _speaks_of_items(self, log: BatchLog) -> bool:
        return log.write is not None and count_items(self._calls.venue, log.write, log.answer) > 0

    def _in_order(self, result: Any, log: BatchLog) -> Any:
        """Return the orders of a batch that succeeded in the order given: ccxt sorts them by time."""
        accepted = [None if answer is None else answer.row for answer in self._answers]
        if None in accepted or not isinstance(result, list):
            # What a fallback returned, say, says nothing of the orders.
            self._settle_named(result if log.succeeded else None)
            return result
        settle_records(self._records, None)
        # In the form of ccxt's own result, which knows more of some orders.
        own = {str(order.get("id")): order for order in result}
        orders = map(self._order, self._batch.items, accepted)
        return [own.get(str(order.get("id")), order) for order in orders]

    def _settle_named(self, result: Any) -> None:
        """Settle the records of the orders that a result names by their client order ids; the others stay open."""
        orders = [one for one in result if isinstance(one, Mapping)] if isinstance(result, list) else []
        named = {one.get("clientOrderId") for one in orders if one.get("id") and one.get("status") != "rejected"}
        keys = [item.key for item in self._batch.items if item.key]
        for key, record in zip(keys, self._records, strict=False):
            settle_records([record], None if key in named else LookupError("the answer to the order was not seen"))

    def _order(self, item: BatchItem, row: Any) -> Any:
        engine = self._calls.engine
        try:
            return engine.parse_order(row, engine.market(item.symbol) if item.symbol else None)
        except Exception:  # it was accepted, whether ccxt can read it or not
            return {"id": None, "clientOrderId": item.key, "symbol": item.symbol, "info": row}

    def _settle(self, log: BatchLog, error: Exception) -> Routine[list[Any]]:
        """Return the order of each item, or the error in place of it."""
        is_partial = self._speaks_of_items(log)
        settlement = ItemSettlement(self._calls.single, log, error, self._make_error, is_partial=is_partial)
        records = dict(zip(log.keys, self._records, strict=False))
        results: list[Any] = []
        try:
            for item, answer in zip(self._batch.items, self._answers, strict=True):
                record = open_record(records.pop(item.key or "", None))
                results.append((yield from self._settle_item(settlement, item, answer, record)))
        except BaseException as ended:
            settle_records(list(records.values()), ended)
            keep_results(ended, results)
            raise
        return results

    def _settle_item(
        self, settlement: ItemSettlement, item: BatchItem, answer: ItemAnswer | None, record: Any
    ) -> Routine[Any]:
        """Return the order of an item, or the error in place of it."""
        try:
            with record:
                if answer is not None and answer.row is not None:
                    return self._order(item, answer.row)
                return (yield from settlement.settle(item, answer, record, self._seconds_left))
        except Exception as ended:
            return ended

    def _seconds_left(self) -> float | None:
        return None if self._ends_at is None else self._ends_at - self._now()

    def _make_error(self, body: Any) -> Exception:
        """Return the error of an item that was refused, from the answer as it would be to this item alone."""
        engine = self._calls.engine
        error: Exception = engine._resilience.errors.partial(f"{engine.id} {json.dumps(body, default=str)}")
        set_attribute(error, "body", body)
        return error


def _is_accepted(answer: ItemAnswer | None) -> bool:
    return answer is not None and answer.row is not None
