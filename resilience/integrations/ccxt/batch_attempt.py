"""Makes each sending of a batch one attempt: its orders are on disk first, and only the exchange can refuse them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ..._core.call.operation_info import OperationInfo
from ..._pipeline.callables import is_async
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
                await record.aget_ready()
            try:
                return await attempt(*args, **kwargs)
            except Exception as error:
                _mark(error, venue)
                raise

        return send_async

    @functools.wraps(attempt)
    def send(*args: Any, **kwargs: Any) -> Any:
        for record in _records():
            record.get_ready()
        try:
            return attempt(*args, **kwargs)
        except Exception as error:
            _mark(error, venue)
            raise

    return send


def _records() -> Sequence[Any]:
    log = BATCH.get()
    return () if log is None else log.records


def _mark(error: Exception, venue: Venue) -> None:
    log = BATCH.get()
    # A bare 429, say, may follow acceptance; the whole batch would be sent again.
    if log is not None and log.was_answered and not codes_in(venue, log.answer):
        set_attribute(error, "resilience_executed", "maybe")


def batch_info(info: OperationInfo) -> OperationInfo:
    """Return what is known of a batch whose items are settled here: nothing of it stays in doubt as a whole."""
    return replace(info, settles_items=True)
