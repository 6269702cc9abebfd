"""Tests of the mark for code whose reads must reach the API."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from resilience._core.call.steps import FailedCall
from resilience._pipeline.fresh_reads import as_lookup, fresh_reads, needs_fresh_reads

CALL = FailedCall("op", (), {}, None)


def test_blocks_inside_each_other() -> None:
    """The mark ends with the outermost block, also when an error leaves it."""
    with suppress(KeyError), fresh_reads():
        with fresh_reads():
            assert needs_fresh_reads()
        assert needs_fresh_reads()
        raise KeyError
    assert not needs_fresh_reads()


def test_a_reconciler_has_fresh_reads() -> None:
    """A sync one, an async one, and a sync one of an async function; its name stays."""

    def look_up(_call: Any) -> bool:
        return needs_fresh_reads()

    async def look_up_async(_call: Any) -> bool:
        await asyncio.sleep(0)
        return needs_fresh_reads()

    assert as_lookup(look_up, asynchronous=False)(CALL) is True
    assert asyncio.run(as_lookup(look_up, asynchronous=True)(CALL)) is True
    assert asyncio.run(as_lookup(look_up_async, asynchronous=True)(CALL)) is True
    assert as_lookup(look_up_async, asynchronous=True).__name__ == "look_up_async"
    assert not needs_fresh_reads()


def test_threads_of_a_task_have_the_mark() -> None:
    """A sync client is called in a thread, which gets a copy of the task's context."""

    async def ask() -> bool:
        with fresh_reads():
            return await asyncio.to_thread(needs_fresh_reads)

    assert asyncio.run(ask()) is True


def test_threads_of_a_pool_have_the_mark() -> None:
    """They have contexts of their own, and an answer from before a write would say that it did not happen."""
    with ThreadPoolExecutor(1) as pool:
        with fresh_reads():
            assert pool.submit(needs_fresh_reads).result() is True
        assert pool.submit(needs_fresh_reads).result() is False
