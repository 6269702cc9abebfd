"""What a policy's breaker, quota, slots and fallback mean for the writes of an outbox and for its resumes."""

from __future__ import annotations

import asyncio
import time
from threading import Barrier
from typing import Any

import pytest
import trio

from resilience import NOT_FOUND, CircuitOpenError, Found, Policies, Policy, QuotaExceededError, Stage, wrap
from resilience.outbox import Outbox
from resilience.testing import FakeClock
from tests.conftest import Driver
from tests.outbox.bots import Bot, Killed, found_all, found_none

STRICT: dict[str, Any] = {
    "extends": "default",
    "deadline": "90s",
    "attempt_timeout": "5s",
    "breaker": {"consecutive": 2, "open_for": "1h", "open_max": "1h"},
    "quota": [{"rate": "1/h", "burst": 100}],
    "admission": {"max_concurrent": 1, "max_queue": 0},
}


def bot_of(
    raw: Any, outbox: Outbox, *, lookup: Any = found_all, clock: Any = None, **over: Any
) -> tuple[Any, Policies]:
    """Return a bot under the strict policy, and the policies; `over` replaces settings."""
    policies = Policies.from_mapping(
        {"version": 1, "policies": {"trade": {**STRICT, **over}}}, clock=clock or FakeClock()
    )
    rules: dict[str, Any] = {"place*": {"key": "client_id", "reconcile": lookup}}
    return wrap(raw, "trade", operations=rules, policies=policies, outbox=outbox), policies


def leave_open(outbox: Outbox, driver: Driver, count: int) -> None:
    """Leave writes open, as a killed bot does."""
    client, _ = bot_of(Bot(dies=True), outbox)
    for number in range(count):
        with pytest.raises(Killed):
            driver.call(method_of(client, driver), client_id=str(number))


def method_of(client: Any, driver: Driver) -> Any:
    """Return the bot's method that a driver calls."""
    return client.place if driver.kind == "sync" else client.place_async


def resume(outbox: Outbox, driver: Driver, client: Any, **options: Any) -> Any:
    """Resume the outbox by a driver."""
    return driver.call(outbox.resume if driver.kind == "sync" else outbox.aresume, client, **options)


class RealClock:
    """A clock of the program's own. Waits pass at once, and no time with them."""

    monotonic, time = staticmethod(time.monotonic), staticmethod(time.time)

    def sleep(self, seconds: float) -> None:
        """Wait for nothing."""

    async def asleep(self, seconds: float) -> None:
        """Wait for nothing."""


def test_several_writes_are_settled_at_once(outbox: Outbox, driver: Driver) -> None:
    """Three writes wait for each other, so that one after the other none would end; the order stays.

    In threads it is the waits for their lookups that pass together, in tasks the lookups too.
    """
    leave_open(outbox, driver, 3)
    clock, here = RealClock(), []
    if driver.kind == "sync":
        barrier = Barrier(3)
        clock.sleep = lambda _seconds: barrier.wait(30)  # type: ignore[method-assign,assignment,return-value]

    def look_up(_call: Any) -> Any:
        return Found("found")

    async def look_up_async(_call: Any) -> Any:
        here.append(1)
        while len(here) < 3:
            if driver.kind == "trio":
                await trio.lowlevel.checkpoint()
            else:
                await asyncio.sleep(0)
        return Found("found")

    lookup = look_up if driver.kind == "sync" else look_up_async
    client, _ = bot_of(Bot(), outbox, lookup=lookup, clock=clock)
    assert [(write.key, write.outcome) for write in resume(outbox, driver, client)] == [
        ("0", "done"), ("1", "done"), ("2", "done"),
    ]  # fmt: skip
    assert outbox.open == []


def test_many_interrupted_writes_open_no_breaker(outbox: Outbox, driver: Driver) -> None:
    """Their ends say nothing of the service: all are looked up, and the bot trades at once."""
    leave_open(outbox, driver, 12)
    client, policies = bot_of(Bot(), outbox)
    assert [write.outcome for write in resume(outbox, driver, client)] == ["done"] * 12
    breaker = policies.pipeline("trade").breaker
    assert breaker is not None
    assert breaker.state == "closed"
    assert driver.call(method_of(client, driver), client_id="new") == "new"


def test_an_open_breaker_does_not_make_a_write_failed(outbox: Outbox, driver: Driver) -> None:
    """Nothing is sent by a lookup of the outbox itself, so that no breaker stands in its way."""
    leave_open(outbox, driver, 1)
    client, policies = bot_of(Bot(), outbox)
    breaker = policies.pipeline("trade").breaker
    assert breaker is not None
    breaker.isolate()
    assert [write.outcome for write in resume(outbox, driver, client)] == ["done"]


def test_what_is_isolated_is_looked_up_and_not_sent_again(outbox: Outbox, driver: Driver) -> None:
    """A restart after an incident finds out what was executed while nothing may be sent."""
    leave_open(outbox, driver, 1)
    raw = Bot()
    client, policies = bot_of(raw, outbox, lookup=found_none)
    policies.isolate("trade")
    (write,) = resume(outbox, driver, client, resend=True)
    assert (write.outcome, raw.sent, [row.key for row in outbox.rows("failed")]) == ("failed", [], ["0"])
    leave_open(outbox, driver, 1)
    client, policies = bot_of(raw, outbox)
    policies.isolate()
    assert [write.outcome for write in resume(outbox, driver, client)] == ["done"]


def test_an_exhausted_quota_does_not_make_a_write_failed(outbox: Outbox, driver: Driver) -> None:
    """The write was sent by an earlier process: a quota of this one is no proof that it was not."""
    leave_open(outbox, driver, 2)
    client, _ = bot_of(Bot(), outbox, quota=[{"rate": "1/h", "burst": 1}])
    assert driver.call(method_of(client, driver), client_id="pays all") == "pays all"
    assert [write.outcome for write in resume(outbox, driver, client)] == ["done", "done"]


def test_a_write_is_sent_again_within_breaker_and_quota(outbox: Outbox, driver: Driver) -> None:
    """It was not executed, and is not sent now: that is the truth, and nothing leaves past a switch or a limit."""
    leave_open(outbox, driver, 2)
    raw = Bot()
    client, policies = bot_of(raw, outbox, lookup=found_none, quota=[{"rate": "1/h", "burst": 1}])
    sent_again, limited = resume(outbox, driver, client, resend=True)
    assert (sent_again.outcome, limited.outcome) == ("done", "failed")
    assert isinstance(limited.error, QuotaExceededError)
    assert raw.sent == ["0"]
    assert [row.key for row in outbox.rows("failed")] == ["1"]
    breaker = policies.pipeline("trade").breaker
    assert breaker is not None
    breaker.isolate()
    with pytest.raises(CircuitOpenError):
        driver.call(method_of(client, driver), client_id="1")


def test_a_duplicate_id_after_a_resend_is_unknown(outbox: Outbox) -> None:
    """The order of the earlier process has arrived after all: it is not reported as failed."""
    leave_open(outbox, Driver("sync"), 1)
    duplicate = {"code": "40786", "msg": "Duplicate clientOid"}

    class Answering:
        def place(self, *, client_id: str) -> Any:
            return duplicate

    client, _ = bot_of(Answering(), outbox, lookup=found_none, codes=["bitget", "http"])
    (write,) = outbox.resume(client, resend=True)
    assert write.outcome == "unknown"
    assert [row.key for row in outbox.open] == ["0"]


def test_a_fallback_is_no_executed_write(outbox: Outbox, driver: Driver) -> None:
    """The caller gets the substitute, and the row stays open until a lookup has settled it."""

    class Refused(Bot):
        def place(self, *args: Any, client_id: str = "", **more: Any) -> str:
            raise ConnectionRefusedError

    client, _ = bot_of(
        Refused(), outbox, fallback={"value": "later", "on": ["retryable", "rejected"]}, lookup=found_none
    )
    assert driver.call(method_of(client, driver), client_id="a") == "later"
    assert [row.key for row in outbox.open] == ["a"]
    (write,) = resume(outbox, driver, client, resend=True)
    assert (write.outcome, write.value) == ("failed", None)


def test_a_result_under_a_fallback_is_an_executed_write(outbox: Outbox, driver: Driver) -> None:
    """An answer of the API, and an order that a lookup has found."""
    fallback = {"value": "later", "on": ["retryable"]}
    client, _ = bot_of(Bot(), outbox, fallback=fallback)
    assert driver.call(method_of(client, driver), client_id="a") == "a"

    class Uncertain(Bot):
        def place(self, *args: Any, client_id: str = "", **more: Any) -> str:
            raise ConnectionResetError

    async def found_async(_call: Any) -> Found:
        return Found("async")

    lookups = [found_all] if driver.kind == "sync" else [found_all, found_async, lambda call: found_async(call)]  # noqa: PLW0108
    for number, lookup in enumerate(lookups):
        client, _ = bot_of(Uncertain(), outbox, fallback=fallback, lookup=lookup)
        assert driver.call(method_of(client, driver), client_id=str(number)) in ("found", "async")
    assert outbox.open == []
    assert len(outbox.rows("done")) == 1 + len(lookups)


def test_nothing_is_found_too_early(outbox: Outbox, driver: Driver) -> None:
    """A "not found" before the fence proves nothing: with a short deadline the write stays open."""
    leave_open(outbox, driver, 1)
    client, _ = bot_of(Bot(), outbox, lookup=lambda _call: NOT_FOUND, deadline="20s")
    assert [write.outcome for write in resume(outbox, driver, client, resend=True)] == ["unknown"]
    assert len(outbox.open) == 1


def test_a_key_that_is_passed_by_another_name_now(outbox: Outbox, driver: Driver) -> None:
    """By a new key nothing would be found, and the order sent twice: the row is reported and stays open."""
    leave_open(outbox, driver, 1)
    asked: list[Any] = []
    raw = Bot()
    policies = Policies.from_mapping({"version": 1, "policies": {"trade": STRICT}}, clock=FakeClock())
    rules: dict[str, Any] = {"place*": {"key": "order_id", "reconcile": lambda call: asked.append(call) or NOT_FOUND}}
    client = wrap(raw, "trade", operations=rules, policies=policies, outbox=outbox)
    (write,) = resume(outbox, driver, client, resend=True)
    assert (write.outcome, asked, raw.sent) == ("unknown_operation", [], [])
    assert "takes its key as order_id now, and there the row has none" in write.value
    assert [row.key for row in outbox.open] == ["0"]


def answering(driver: Driver, answers: list[Any]) -> Stage:
    """Return a stage that answers from this list in place of the API, and sends where it is empty."""

    class Sync(Stage):
        def around(self, call: Any, send: Any) -> Any:
            return answers.pop() if answers else send()

    class Async(Stage):
        async def around(self, call: Any, send: Any) -> Any:
            return answers.pop() if answers else await send()

    return Sync() if driver.kind == "sync" else Async()


def staged_bot(outbox: Outbox, driver: Driver, answers: list[Any]) -> Any:
    """Return a bot with such a stage, of whose writes a lookup finds none."""
    stages = (answering(driver, answers),)
    policy = Policy(name="trade", deadline="90s", attempt_timeout="5s", stages=stages)  # type: ignore[arg-type]
    rules: dict[str, Any] = {"place*": {"key": "client_id", "reconcile": found_none}}
    policies = Policies.builtin(clock=FakeClock())
    return wrap(Bot(), policy, operations=rules, policies=policies, outbox=outbox)


def test_an_answer_of_a_stage_does_not_settle_a_write(outbox: Outbox, driver: Driver) -> None:
    """It is not the API's: the write stays open until a lookup has settled it. A write that was sent is done."""
    answers: list[Any] = ["made up"]
    client = staged_bot(outbox, driver, answers)
    assert driver.call(method_of(client, driver), client_id="a") == "made up"
    assert [write.key for write in outbox.open] == ["a"]
    assert driver.call(method_of(client, driver), client_id="b") == "b"
    assert [write.key for write in outbox.open] == ["a"]


def test_a_resume_is_not_answered_by_a_stage(outbox: Outbox, driver: Driver) -> None:
    """A write that is sent again is sent: the answer of a stage would look like an executed write."""
    leave_open(outbox, driver, 1)
    answers: list[Any] = ["made up"]
    client = staged_bot(outbox, driver, answers)
    (resumed,) = resume(outbox, driver, client, resend=True)
    assert (resumed.outcome, resumed.value, answers) == ("done", "0", ["made up"])
