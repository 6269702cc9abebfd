"""Tracebacks of failed attempts form cycles that only the garbage collector frees."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

import tenacity

from resilience import Pipeline, Policy

# Without a log in these tests: pytest keeps every record.


def objects_kept_by(call: Callable[[], None]) -> int:
    """Return how many objects ten failing calls leave behind while the collector is off."""
    call()
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        for _ in range(10):
            call()
        return len(gc.get_objects()) - before
    finally:
        gc.enable()


def fails() -> None:
    """Every attempt fails."""
    raise ConnectionRefusedError


def test_naive() -> None:
    """Tenacity leaves objects behind with every failing call."""
    retried = tenacity.retry(stop=tenacity.stop_after_attempt(2), wait=tenacity.wait_none(), reraise=True)(fails)

    def call() -> None:
        try:
            retried()
        except ConnectionRefusedError:
            pass

    assert objects_kept_by(call) > 10


def test_ours() -> None:
    """A failing call leaves nothing."""
    policy = Policy(retry={"max_attempts": 2, "backoff": {"initial": 0}}, budget={}, breaker={"min_calls": 10_000})
    guarded = Pipeline(policy, log=False).compile(fails)

    def call() -> None:
        try:
            guarded()
        except ConnectionRefusedError:
            pass

    assert objects_kept_by(call) < 10  # one object a call would be ten; threads of other tests may make a few


def test_ours_async() -> None:
    """Nor does a failing async call."""

    async def afails() -> None:
        raise ConnectionRefusedError

    policy = Policy(retry={"max_attempts": 2, "backoff": {"initial": 0}}, budget={}, breaker={"min_calls": 10_000})
    guarded = Pipeline(policy, log=False).compile(afails)

    async def run() -> int:
        async def call() -> None:
            try:
                await guarded()
            except ConnectionRefusedError:
                pass

        await call()
        gc.collect()
        gc.disable()
        try:
            before = len(gc.get_objects())
            for _ in range(10):
                await call()
            return len(gc.get_objects()) - before
        finally:
            gc.enable()

    assert asyncio.run(run()) < 10  # one object a call would be ten; threads of other tests may make a few
