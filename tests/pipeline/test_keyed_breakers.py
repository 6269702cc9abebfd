"""Tests of calls whose breaker has a function of their arguments as its key: one compiled call, a breaker per key."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest

from resilience import CircuitOpenError, Pipeline, Policies, Policy
from resilience._core.call.operation_info import OperationInfo
from resilience._core.policy.policy_set import PolicySet
from resilience._core.stages.breaker import Breaker
from resilience._pipeline import call_assembly
from resilience._pipeline.breaker_pool import MAX_BREAKERS
from resilience.testing import FakeClock

KEYS = 20_000
KINDS = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])


def keyed(name: str = "p", key: Callable[..., Any] = lambda symbol, *_args, **_kwargs: symbol, **rules: Any) -> Policy:
    """Return a policy whose breakers have the call's symbol as their key."""
    settings: Any = {"consecutive": 1, "open_for": "5s", "key": key, **rules.pop("breaker", {})}
    return Policy(name=name, breaker=settings, **rules)


def price(symbol: str) -> str:
    """Fail for the symbol that is down."""
    if symbol == "down":
        raise ConnectionRefusedError
    return symbol


def compiled(
    pipeline: Pipeline, answer: Callable[..., str] = price, info: OperationInfo | None = None, *, asynchronous: bool
) -> Callable[..., str]:
    """Return a sync function that calls `answer` under a pipeline, in an event loop where that is wanted."""
    if not asynchronous:
        return pipeline.compile(answer, info)

    async def answer_async(*args: Any) -> str:
        return answer(*args)

    call = pipeline.compile(answer_async, info)
    return lambda *args: asyncio.run(call(*args))


def breaker_of(pipeline: Pipeline, key: str) -> Breaker:
    """Return the one breaker of a key."""
    (found,) = [breaker for breaker in pipeline.shared.breakers.all() if breaker.key == key]
    return found


@KINDS
def test_very_many_keys_are_one_compiled_call(asynchronous: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of breakers that are kept is bounded, an open one is among them, and nothing is compiled for a key."""
    drivers: list[Any] = []
    for name in ("compile_sync", "compile_async"):
        make = getattr(call_assembly, name)
        monkeypatch.setattr(call_assembly, name, lambda *args, _make=make: drivers.append(1) or _make(*args))
    pipeline = Pipeline(keyed(), operation="price", clock=FakeClock(), log=False)

    async def price_async(symbol: str) -> str:
        return price(symbol)

    call = pipeline.compile(price)
    call_async = pipeline.compile(price_async)

    async def run(symbol: str) -> str:
        return await call_async(symbol) if asynchronous else call(symbol)

    async def run_all() -> None:
        with pytest.raises(ConnectionRefusedError):
            await run("down")
        for number in range(KEYS):
            assert await run(f"key-{number}") == f"key-{number}"
        with pytest.raises(CircuitOpenError):
            await run("down")

    asyncio.run(run_all())
    assert len(drivers) == 2
    assert len(pipeline.shared.breakers.all()) <= MAX_BREAKERS + MAX_BREAKERS // 8 + 1
    assert breaker_of(pipeline, "down").state == "open"
    assert pipeline.shared.counts.of("p", "price").totals()["ok"] == KEYS


def test_a_key_that_is_used_again_and_again_is_not_forgotten() -> None:
    """However many other keys come in between, what its breaker has counted stays."""
    pipeline = Pipeline(keyed(breaker={"consecutive": 3}), clock=FakeClock(), log=False)
    failing: Any = pipeline.compile(lambda symbol: price("down" if symbol == "busy" else symbol))
    for number in range(2 * 600):
        if number % 600 == 0:
            with pytest.raises(ConnectionRefusedError):
                failing("busy")
        for _ in range(2):  # the second call has it remembered by the compiled call
            failing(f"key-{number}")
    assert breaker_of(pipeline, "busy").consecutive_failures == 2


def test_threads_that_meet_a_new_key_at_the_same_moment_share_its_breaker() -> None:
    """There is one breaker for each key, and it has counted every call."""
    threads, rounds = 4, 150
    barrier = threading.Barrier(threads)

    def key_of(symbol: str) -> str:
        barrier.wait()
        return symbol

    pipeline = Pipeline(keyed(key=key_of, breaker={"consecutive": None, "window": "1h"}), log=False)
    call = pipeline.compile(price)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        workers = [
            threading.Thread(target=lambda: [call(f"key-{number}") for number in range(rounds)]) for _ in range(threads)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    finally:
        sys.setswitchinterval(before)
    counted = {breaker.key: breaker.counts["succeeded"] for breaker in pipeline.shared.breakers.all()}
    assert counted == {f"key-{number}": threads for number in range(rounds)}


@KINDS
def test_a_reload_in_the_middle_keeps_the_breakers(asynchronous: bool) -> None:
    """Counts and open breakers stay, and every breaker has the new settings: also that of the call under way."""
    clock, sets = FakeClock(), [PolicySet({"p": keyed(breaker={"open_for": open_for})}) for open_for in ("5s", "9s")]
    policies = Policies(sets[0], clock=clock, load=lambda: sets[1], log=False)
    pipeline = policies.pipeline("p")
    call = compiled(pipeline, asynchronous=asynchronous)
    with pytest.raises(ConnectionRefusedError):
        call("down")

    def reload(symbol: str) -> str:
        policies.reload()
        return price("down" if symbol == "later" else symbol)

    with pytest.raises(ConnectionRefusedError):
        compiled(pipeline, reload, asynchronous=asynchronous)("later")
    assert {each.key: (each.state, each.settings.open_for) for each in policies.breakers("p")} == {
        "down": ("open", 9.0),
        "later": ("open", 9.0),
    }
    for symbol in ("down", "later"):
        with pytest.raises(CircuitOpenError):
            call(symbol)
    assert call("new") == "new"
    assert breaker_of(pipeline, "new").settings.open_for == 9.0


def test_a_call_compiled_before_a_reload_does_not_bring_old_settings_back() -> None:
    """A call that began under the old file may meet a new key, and known ones, after the reload."""
    old, new = (PolicySet({"p": keyed(breaker={"open_for": open_for})}) for open_for in ("5s", "9s"))
    policies = Policies(old, clock=FakeClock(), load=lambda: new, log=False)
    before = policies.current_pipeline("p", None).compile(price)
    assert before("known") == "known"
    policies.reload()
    assert (before("known"), before("new")) == ("known", "new")
    assert {each.settings.open_for for each in policies.breakers("p")} == {9.0}


@KINDS
def test_a_trial_closes_the_breaker_of_its_key(asynchronous: bool) -> None:
    """Events name the key; the breakers of other keys have none."""
    clock = FakeClock()
    events: list[tuple[str, str | None]] = []
    pipeline = Pipeline(
        keyed(), clock=clock, log=False, listeners=[lambda event: events.append((event.name, event.breaker))]
    )
    up: list[bool] = []

    def answer(symbol: str) -> str:
        return price(symbol if up else "down")

    call = compiled(pipeline, answer, asynchronous=asynchronous)
    with pytest.raises(ConnectionRefusedError):
        call("a")
    clock.advance(5.0)
    up.append(True)
    assert (call("a"), call("b")) == ("a", "b")
    states = ["circuit_opened", "circuit_half_opened", "circuit_closed"]
    assert [event for event in events if event[0] in states] == [(name, "a") for name in states]


def test_a_key_function_gets_the_arguments_that_the_caller_gave() -> None:
    """Not the idempotency key; and a call that is made while one begins has its own breaker."""
    pipeline = Pipeline(keyed(key=lambda symbol: symbol), clock=FakeClock(), log=False)
    look = pipeline.compile(price)
    sent: list[tuple[str, str | None]] = []

    def new_key() -> str:
        look("other")
        return f"key-{len(sent)}"

    def order(symbol: str, client_id: str | None = None) -> str:
        sent.append((symbol, client_id))
        return price(symbol)

    place: Any = pipeline.compile(order, OperationInfo(operation="order", key="client_id", make_key=new_key))
    assert place("up") == "up"
    with pytest.raises(ConnectionRefusedError):
        place("down")
    with pytest.raises(CircuitOpenError):
        place("down")
    assert sent == [("up", "key-0"), ("down", "key-1")]
    assert {each.key: each.state for each in pipeline.shared.breakers.all()} == {
        "up": "closed",
        "down": "open",
        "other": "closed",
    }


@KINDS
def test_a_success_is_reported_with_the_attempts_of_its_call(asynchronous: bool) -> None:
    """Also where the call has failed before it: its breaker has a plan of its own."""
    reported: list[int] = []
    policies = Policies(PolicySet({}), clock=FakeClock(), log=False)
    policies.subscribe(lambda event: reported.append(event.attempts) if event.attempts else None, successes=True)
    policy = keyed(retry={"max_attempts": 2, "backoff": {"initial": 0}}, breaker={"consecutive": 9})
    pipeline = policies.pipeline(policy)
    answers: list[str] = ["down", "up", "up"]

    def answer(_symbol: str) -> str:
        return price(answers.pop(0))

    call = compiled(pipeline, answer, OperationInfo(operation="answer", read=True), asynchronous=asynchronous)
    reported.clear()
    for _ in range(2):
        assert call("a") == "up"
    assert reported[-2:] == [2, 1]


def test_stages_keep_their_answers_apart_for_each_key() -> None:
    """Where a policy has a fallback, the last good answer of one key is none of another's."""
    account: ContextVar[str] = ContextVar("account", default="a")
    policy = keyed(key=account.get, breaker={"consecutive": 9}, fallback={"on": ["retryable"], "stale_for": "1h"})
    is_down: list[bool] = []

    def balance() -> str:
        return price("down" if is_down else account.get())

    call = Pipeline(policy, clock=FakeClock(), log=False).compile(balance)
    assert call() == "a"
    is_down.append(True)
    assert call() == "a"
    account.set("b")
    with pytest.raises(ConnectionRefusedError):
        call()


def test_two_policies_of_one_name_have_their_own_breakers() -> None:
    """An open one stays open although the other policy has used the same key meanwhile."""
    policies = Policies(PolicySet({}), clock=FakeClock(), log=False)
    first, second = (
        policies.pipeline(keyed(breaker={"open_for": open_for})).compile(price) for open_for in ("5s", "9s")
    )
    for call in (first, second):
        with pytest.raises(ConnectionRefusedError):
            call("down")
    for call in (first, second, first, second):
        with pytest.raises(CircuitOpenError):
            call("down")
    assert {(each.state, each.settings.open_for) for each in policies.breakers()} == {("open", 5.0), ("open", 9.0)}
