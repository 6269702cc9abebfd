"""What a person can read of running policies: breakers whatever their key, counts of calls, open writes, a snapshot."""

from __future__ import annotations

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
import trio

from resilience import CircuitOpenError, Found, Pipeline, Policies, Policy, wrap
from resilience._core.call.open_writes import OPEN_WRITES
from resilience.testing import FakeClock
from tests.conftest import Driver
from tests.integrations.server import Server, answer

RULES = {
    "retry": {"max_attempts": 2, "backoff": {"kind": "constant", "initial": "0s", "jitter": "none"}},
    "breaker": "off",
    "budget": "off",
}
SCRIPT = ("ok",) * 5 + ("again",) * 3 + ("fail",) * 2 + ("unknown",) * 2
EACH = {"ok": 8, "failed": 2, "rejected": 0, "unknown": 2, "cancelled": 0}
ROUNDS = 50


class ServiceDownError(Exception):
    """A failure that may be sent again."""

    status_code = 429


def policies(**policy: Any) -> Policies:
    """Return policies with one named `p`."""
    return Policies.from_mapping({"policies": {"p": {**RULES, **policy}}}, clock=FakeClock())


def play(what: str, seen: list[str]) -> str:
    """Do what a script says, once."""
    seen.append(what)
    if what == "fail" or (what == "again" and len(seen) == 1):
        raise ServiceDownError
    if what == "unknown":
        raise TimeoutError("no answer")
    return what


def counters(rules: Policies, operation: str = "op") -> dict[str, int]:
    """Return the counts of an operation."""
    (row,) = [row for row in rules.snapshot()["counters"] if row["operation"] == operation]
    return {name: count for name, count in row.items() if name not in ("policy", "operation")}


def times(number: int) -> dict[str, int]:
    """Return the counts after so many scripts."""
    return {name: count * number for name, count in EACH.items()}


def test_threads_are_counted_exactly() -> None:
    """Eight threads share one function."""
    rules = policies()
    call = rules.resilient("p", operation="op")(play)

    def one_script(_: int) -> None:
        for what in SCRIPT:
            try:
                call(what, [])
            except (ServiceDownError, TimeoutError):
                pass

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one_script, range(ROUNDS)))
    assert counters(rules) == times(ROUNDS)
    assert len(rules.snapshot()["writes_in_doubt"]) == 2 * ROUNDS


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_tasks_are_counted_exactly(loop: str) -> None:
    """Many tasks share one function."""
    rules = policies()

    @rules.resilient("p", operation="op")
    async def call(what: str, seen: list[str]) -> str:
        return play(what, seen)

    async def one_script() -> None:
        for what in SCRIPT:
            try:
                await call(what, [])
            except (ServiceDownError, TimeoutError):
                pass

    async def with_trio() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(ROUNDS):
                nursery.start_soon(one_script)

    async def with_asyncio() -> None:
        await asyncio.gather(*(one_script() for _ in range(ROUNDS)))

    asyncio.run(with_asyncio()) if loop == "asyncio" else trio.run(with_trio)
    assert counters(rules) == times(ROUNDS)


def test_with_a_quota_and_slots_too(driver: Driver) -> None:
    """A call that has to pass a gate is counted once."""
    rules = policies(admission={"max_concurrent": 3}, quota=[{"rate": "1000/s", "burst": 1000}])
    call = rules.resilient("p", operation="op")(driver.function(play))
    for what in SCRIPT:
        try:
            driver.call(call, what, [])
        except (ServiceDownError, TimeoutError):
            pass
    assert counters(rules) == EACH


def test_what_was_never_sent_is_rejected(driver: Driver) -> None:
    """By an open breaker, and by the switch."""
    rules = policies(breaker={"consecutive": 1, "open_for": "60s"}, retry="off")
    call = rules.resilient("p", operation="op")(driver.function(play))
    for expected in (ServiceDownError, CircuitOpenError):
        with pytest.raises(expected):
            driver.call(call, "fail", [])
    rules.isolate()
    with pytest.raises(CircuitOpenError):
        driver.call(call, "ok", [])
    assert counters(rules) == {"ok": 0, "failed": 1, "rejected": 2, "unknown": 0, "cancelled": 0}


def test_what_was_interrupted_is_cancelled(driver: Driver) -> None:
    """A write that was under way is in doubt; a read is not."""
    rules = policies()

    def interrupted() -> None:
        raise KeyboardInterrupt

    for name, idempotent in (("write", None), ("read", True)):
        call = rules.resilient("p", operation=name, idempotent=idempotent)(driver.function(interrupted))
        with pytest.raises(KeyboardInterrupt):
            driver.call(call)
        assert counters(rules, name)["cancelled"] == 1
    assert [write["operation"] for write in rules.snapshot()["writes_in_doubt"]] == ["write"]


def test_a_call_that_waits_for_its_turn_is_cancelled() -> None:
    """Nothing was sent, so nothing is in doubt."""
    rules = policies(quota=[{"rate": "1/h", "burst": 1}], deadline="2h")
    rules = Policies.from_mapping(
        {"policies": {"p": {**RULES, "quota": [{"rate": "1/h", "burst": 1}], "deadline": "2h"}}}
    )

    @rules.resilient("p", operation="op")
    async def call() -> None:
        pass

    async def story() -> None:
        await call()
        waiting = asyncio.ensure_future(call())
        await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(story())
    assert counters(rules) == {"ok": 1, "failed": 0, "rejected": 0, "unknown": 0, "cancelled": 1}
    assert rules.snapshot()["writes_in_doubt"] == []


def test_names_beyond_a_number_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """What callers name is without number, the counts are not."""
    monkeypatch.setattr("resilience._pipeline.call_counts.MAX_OPERATIONS", 2)
    rules = policies()
    for name in ("a", "b", "c", "d"):
        rules.resilient("p", operation=name)(len)("")
    assert [(row["operation"], row["ok"]) for row in rules.snapshot()["counters"]] == [("a", 1), ("b", 1), ("other", 2)]


@pytest.mark.parametrize("settled", ["by a call", "by a lookup", "by a stream"])
def test_an_open_write_is_listed_until_it_is_settled(driver: Driver, settled: str) -> None:
    """It has key and remedy; a later call with its key, its lookup, or a stream that reports it settles it."""
    rules = policies(reconcile={"early_checks": 1, "fence": "1s"}, deadline="2s", attempt_timeout="1s")
    broken = [True]

    def send(client_id: str = "") -> str:
        if broken[0]:
            raise TimeoutError("no answer")
        return client_id

    def look_up(_call: Any) -> Any:
        if broken[0]:
            raise TimeoutError("no answer")
        return Found("there")

    place = rules.resilient("p", operation="create_order", key="client_id", reconcile=driver.function(look_up))(
        driver.function(send)
    )
    with pytest.raises(TimeoutError):
        driver.call(place, client_id="k1")
    (write,) = rules.snapshot()["writes_in_doubt"]
    assert (write["policy"], write["operation"], write["key"], write["attempts"]) == ("p", "create_order", "k1", 1)
    assert write["remedy"]
    broken[0] = settled == "by a lookup"
    if settled == "by a stream":
        OPEN_WRITES.report("k1", {"clientOid": "k1"})
    elif settled == "by a call":
        assert driver.call(place, client_id="k1") == "k1"
    else:
        broken[0] = False
        sent = rules.resilient(
            "p", operation="create_order", key="client_id", reconcile=driver.function(lambda _call: Found("there"))
        )(driver.function(_without_answer))
        assert driver.call(sent, client_id="k1") == "there"
    assert rules.snapshot()["writes_in_doubt"] == []


def _without_answer(client_id: str = "") -> str:
    raise TimeoutError(client_id)


def test_breakers_of_every_key_are_listed() -> None:
    """One for each host of a wrapped client, with its state, its counts and what opened it; each can be switched."""
    rules = Policies.from_mapping(
        {"policies": {"p": {"breaker": {"consecutive": 1, "open_for": "60s"}, "retry": "off"}}}, clock=FakeClock()
    )
    with Server(answer(503)) as bad, Server(answer()) as good:
        session = wrap(requests.Session(), "p", policies=rules)
        for server in (bad, good):
            session.get(server.url)
        by_key = {breaker.key: breaker for breaker in rules.breakers("p")}
        assert set(by_key) == {server.url.removeprefix("http://") for server in (bad, good)}
        broken = by_key[bad.url.removeprefix("http://")]
        assert (broken.policy, broken.state, broken.opened_by) == ("p", "open", "failures")
        assert broken.open_until == rules.clock.time() + 60
        fine = by_key[good.url.removeprefix("http://")]
        assert (fine.state, fine.counts, fine.open_until, fine.opened_by) == (
            "closed",
            {"succeeded": 1, "failed": 0, "slow": 0},
            None,
            None,
        )
        fine.isolate()
        assert (fine.state, fine.open_until) == ("isolated", None)
        with pytest.raises(CircuitOpenError):
            session.get(good.url)
        fine.close()
        broken.close()
        assert [breaker.state for breaker in rules.breakers()] == ["closed", "closed"]
        assert session.get(good.url).status_code == 200
        with pytest.raises(LookupError, match=r"the breakers of policy 'p' have keys: Policies.breakers\('p'\)"):
            rules.pipeline("p").breaker  # noqa: B018


def test_a_switched_off_policy_shows_in_its_breakers() -> None:
    """Their own state comes back with the release."""
    rules = Policies.builtin()
    pipeline = rules.pipeline("default")
    assert pipeline.breaker is not None
    rules.isolate("default")
    assert [breaker.state for breaker in rules.breakers("default")] == [pipeline.breaker.state] == ["isolated"]
    assert [row["state"] for row in rules.snapshot()["breakers"]] == ["isolated"]
    rules.release()
    assert pipeline.breaker.state == "closed"


@pytest.mark.parametrize(
    ("settings", "text"),
    [({"key": "operation"}, "have keys"), ({"key": "host"}, "have keys"), ({"key": lambda *_: "x"}, "have keys")],
    ids=["operation", "host", "function"],
)
def test_no_single_breaker_stands_for_many(settings: Any, text: str) -> None:
    """The documented switch of one breaker must not be one that no call uses."""
    with pytest.raises(LookupError, match=text):
        Pipeline(Policy(name="p", breaker=settings)).breaker  # noqa: B018


def test_the_snapshot_is_plain_data_with_fixed_keys(driver: Driver) -> None:
    """JSON takes it; every key is there whatever the policies have."""
    rules = policies(
        quota=[{"rate": "10/s", "burst": 10}, {"name": "shared", "rate": "5/s", "burst": 5}],
        admission={"max_concurrent": 3},
        budget={"ratio": "20%", "floor": "1/s"},
        breaker={"consecutive": 1},
    )
    driver.call(rules.resilient("p", operation="op")(driver.function(play)), "ok", [])
    snapshot = json.loads(json.dumps(rules.snapshot()))
    assert list(snapshot) == [
        "at", "healthy", "isolated", "policies", "breakers", "quotas", "holds", "budgets", "admission",
        "writes_in_doubt", "counters", "streams", "shared",
    ]  # fmt: skip
    assert (snapshot["healthy"], snapshot["shared"]) == (True, None)
    assert [(row["policy"], row["name"], row["rate"], row["used"]) for row in snapshot["quotas"]] == [
        ("p", None, "10 per 1s", 1),
        (None, "shared", "5 per 1s", 1),
    ]
    assert snapshot["budgets"] == [{"policy": "p", "left": 10.0, "limit": 10.0}]
    assert [(row["lane"], row["limit"]) for row in snapshot["admission"]] == [("cancel", 3), ("default", 3)]


def test_it_is_healthy_while_nothing_is_open_or_isolated() -> None:
    """Half-open is not healthy yet, and a breaker that only measures does not count."""
    rules = Policies.from_mapping(
        {"policies": {"p": {"breaker": {"consecutive": 1}}, "q": {"breaker": {"consecutive": 1, "mode": "shadow"}}}}
    )
    pipelines = [rules.pipeline(name) for name in ("p", "q")]
    for pipeline in pipelines:
        assert pipeline.breaker is not None
        pipeline.breaker.open()
    snapshot = rules.snapshot()
    assert (snapshot["healthy"], [row["name"] for row in snapshot["policies"] if not row["healthy"]]) == (False, ["p"])
    pipelines[0].breaker.close()  # type: ignore[union-attr]
    assert rules.snapshot()["healthy"]
    rules.isolate("bitget")
    assert not rules.snapshot()["healthy"]


def test_successes_are_events_for_those_who_ask(driver: Driver) -> None:
    """With duration and attempts, recovered and looked up ones too; a failing answer is none; others get none."""
    rules = policies(reconcile={"early_checks": 1, "wait": "1s", "fence": "1s"}, deadline="60s")
    call = rules.resilient("p", operation="op", idempotent=True)(driver.function(play))
    driver.call(call, "ok", [])
    plain: list[Any] = []
    events: list[Any] = []
    rules.subscribe(plain.append)
    unsubscribe = rules.subscribe(events.append, successes=True)
    driver.call(call, "ok", [])
    driver.call(call, "again", [])
    with pytest.raises(ServiceDownError):
        driver.call(call, "fail", [])
    place = rules.resilient(
        "p", operation="place", key="client_id", reconcile=driver.function(lambda _call: Found("there"))
    )(driver.function(_without_answer))
    assert driver.call(place) == "there"
    succeeded = [event for event in events if event.name == "call_succeeded"]
    assert [(event.operation, event.attempts, event.level) for event in succeeded] == [
        ("op", 1, "debug"),
        ("op", 2, "debug"),
        ("place", 1, "debug"),
    ]
    assert all(event.duration is not None and event.duration >= 0 for event in succeeded)
    assert "call_succeeded" not in {event.name for event in plain}
    assert {event.name for event in plain} == {event.name for event in events} - {"call_succeeded"}
    unsubscribe()
    driver.call(call, "ok", [])
    assert len([event for event in events if event.name == "call_succeeded"]) == 3


def test_a_call_inside_a_call_reports_its_own_attempts(driver: Driver) -> None:
    """The retries of one are not those of the other."""
    rules = policies()
    events: list[Any] = []
    rules.subscribe(events.append, successes=True)
    inner = rules.resilient("p", operation="inner", idempotent=True)(driver.function(play))
    seen: list[str] = []
    if driver.kind == "sync":
        outer: Any = rules.resilient("p", operation="outer", idempotent=True)(lambda: inner("again", seen))
    else:

        async def both() -> Any:
            return await inner("again", seen)

        outer = rules.resilient("p", operation="outer", idempotent=True)(both)
    driver.call(outer)
    succeeded = [(event.operation, event.attempts) for event in events if event.name == "call_succeeded"]
    assert succeeded == [("inner", 2), ("outer", 1)]


@pytest.mark.parametrize("driver", ["asyncio", "trio", "sync"], indirect=True)
def test_a_hedged_call_is_one_call(driver: Driver) -> None:
    """However many attempts it has started, and whatever became of those that have lost."""
    hedge = {"delay": "1ms", "threads": True}
    rules = Policies.from_mapping({"policies": {"p": {**RULES, "hedge": hedge, "retry": "off"}}})
    events: list[Any] = []
    rules.subscribe(events.append, successes=True)
    begun = [0]

    def wait_for_a_second() -> float:
        begun[0] += 1
        first = begun[0] == 1
        return 1.0 if first else 0.0

    if driver.kind == "sync":

        def read() -> str:
            time.sleep(wait_for_a_second())
            return "done"
    else:

        async def read() -> str:  # type: ignore[misc]
            seconds = wait_for_a_second()
            if driver.kind == "trio":
                await trio.sleep(seconds)
            else:
                await asyncio.sleep(seconds)
            return "done"

    call = rules.resilient("p", operation="op", idempotent=True)(read)
    assert driver.call(call) == "done"
    assert counters(rules) == {"ok": 1, "failed": 0, "rejected": 0, "unknown": 0, "cancelled": 0}
    assert [event.attempts for event in events if event.name == "call_succeeded"] == [2]
    rules.isolate()
    with pytest.raises(CircuitOpenError):
        driver.call(call)
    assert counters(rules)["rejected"] == 1
    rules.release()
    failing = rules.resilient("p", operation="down", idempotent=True)(driver.function(_down))
    with pytest.raises(ServiceDownError):
        driver.call(failing)
    assert counters(rules, "down")["failed"] == 1


def _down() -> None:
    raise ServiceDownError


def test_a_listener_of_pybreakers_kind_gets_no_events() -> None:
    """It has a method for successes of its own."""
    import pybreaker

    with pytest.raises(TypeError, match="has a method `success` instead"):
        Policies.builtin().subscribe(pybreaker.CircuitBreakerListener(), successes=True)


def test_the_reason_of_a_release() -> None:
    """It is in the events of what is released; without one they have the words of whoever isolated it."""
    running = policies()
    said: list[Any] = []
    running.subscribe(lambda event: said.append((event.name, event.reason)))
    for words in ("mended", ""):
        running.isolate("p", reason="wrong")
        running.release("p", reason=words)
    assert [reason for name, reason in said if name == "circuit_released"] == ["mended", "wrong"]
    with pytest.raises(TypeError, match="reason: expected a string, got int"):
        running.release(reason=7)  # type: ignore[arg-type]
