"""Makes each sending of a batch one attempt: its orders are on disk first, and only the exchange can refuse them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ..._core.call.operation_info import OperationInfo
from ..._pipeline.callables import is_async
from ...venues.batch_answers import count_items
from ...venues.confirmed_writes import codes_in
from ...venues.known_venue import Venue
from .batch_log import BATCH
from .requests_sent import set_attribute

__all__ = ["batch_attempt", "batch_info"]


def batch_attempt(attempt: Callable[..., Any], venue: Venue) -> Callable[..., Any]:
    """Return an attempt of a batch whose refusal without a word of the exchange's own proves nothing of its items."""
    if is_async(attempt):

        @functools.wraps(attempt)
        async def send_async(*args: Any, **kwargs: Any) -> Any:
            for record in _records():
                await record.row.aget_ready()
            try:
                with _noted_success():
                    return await attempt(*args, **kwargs)
            except Exception as error:
                _mark(error, venue)
                raise

        return send_async

    @functools.wraps(attempt)
    def send(*args: Any, **kwargs: Any) -> Any:
        for record in _records():
            record.row.get_ready()
        try:
            with _noted_success():
                return attempt(*args, **kwargs)
        except Exception as error:
            _mark(error, venue)
            raise

    return send


def _records() -> Sequence[Any]:
    log = BATCH.get()
    return () if log is None else log.records


@contextmanager
def _noted_success() -> Iterator[None]:
    """Record whether the attempt in this block returns: what a fallback returns after it says nothing of the orders."""
    log = BATCH.get()
    if log is not None:
        log.succeeded = False
    yield
    if log is not None:
        log.succeeded = True


def _mark(error: Exception, venue: Venue) -> None:
    log = BATCH.get()
    if log is None or not log.was_answered or log.write is None:
        return
    counted = count_items(venue, log.write, log.answer)
    # A bare 429, say, may follow acceptance, and so may the refusal of some: the whole batch would be sent again.
    if not codes_in(venue, log.answer) or counted not in (0, log.size):
        set_attribute(error, "resilience_executed", "maybe")


def batch_info(info: OperationInfo) -> OperationInfo:
    """Return what is known of a batch whose items are settled here: nothing of it stays in doubt as a whole."""
    return replace(info, settles_items=True)
