"""Records what the attempts of a batch have sent: stamps, bounds, the keys that left, and the last answer to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

from ..._core.stages.fence import Fence
from ...venues.known_venue import WriteSettings
from .._key_on_wire import carries_key
from .requests_sent import SentRequest

__all__ = ["BATCH", "BatchLog"]


class BatchLog:
    """What the attempts of one batch have sent. Used by one thread or task.

    Attributes:
        keys: the client order ids of its new orders.
        size: how many orders it has.
        records: records of its orders in an outbox, which get each stamp before the request that carries it is sent.
        write: what is known of its endpoint; None until a request of it was signed.
        stamps: those of its requests, Unix seconds.
        fence: the bounds of the last one; None where nothing says them but the operation.
        unsent: the keys that the last finished request did not carry.
        was_answered: the last request had an answer, readable or not.
        answer: its body; None where there was none, or one that nobody can read.
        url: where it was sent.
        succeeded: the last attempt returned a result.
    """

    def __init__(
        self, keys: Sequence[str], records: Sequence[Any], find_write: Callable[[Any], Any], *, size: int
    ) -> None:
        """Begin without a request; `find_write` returns what is known of the endpoint of a request, or None."""
        self.keys = keys
        self.size = size
        self.records = records
        self._find_write = find_write
        self.write: WriteSettings | None = None
        self.stamps: list[float] = []
        self.fence: Fence | None = None
        self.unsent: set[str] = set()
        self.was_answered = False
        self.answer: Any = None
        self.url = ""
        self.succeeded = False

    def _concerns(self, request: SentRequest | None) -> bool:
        write = None if request is None else self._find_write(request)
        if write is not None:
            self.write = write
        return write is not None

    def add_stamp(self, request: SentRequest | None, stamp: float) -> None:
        """Record the stamp of a request that is about to be sent."""
        if self._concerns(request):
            for record in self.records:
                record.row.add_stamp(stamp)
            self.stamps.append(stamp)

    def add_request(self, request: SentRequest, wire: tuple[Any, ...], fence: Fence | None) -> None:
        """Record a finished request: its URL, headers and body, and its bounds."""
        if self._concerns(request):
            self.was_answered, self.answer = False, None
            self.fence, self.url = fence, str(wire[0]).partition("?")[0]
            self.unsent = {key for key in self.keys if not carries_key(key, *wire)}
            for key, record in zip(self.keys, self.records, strict=False):
                if key in self.unsent:
                    record.row.store_key_missing()
                if fence is not None:
                    record.row.store_window(fence.window)

    def add_answer(self, request: SentRequest, answer: Any) -> None:
        """Record the answer to a request: what ccxt has read, or the text of an answer that it has made an error of."""
        if not self._concerns(request):
            return
        self.was_answered = True
        if isinstance(answer, str):
            try:
                answer = json.loads(answer)
            except (ValueError, RecursionError):
                return
        self.answer = answer


BATCH: ContextVar[BatchLog | None] = ContextVar("resilience_ccxt_batch", default=None)
"""That of the batch under way here; a context variable, because concurrent threads and tasks share one engine."""
