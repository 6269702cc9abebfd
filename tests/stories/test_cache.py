"""Tests of the stage cache: answers of reads that are kept for a short time, through every driver."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from dataclasses import dataclass
from typing import Any

import pytest
import trio

from resilience import NOT_FOUND, Found, Pipeline, Policies, Policy, wrap
from resilience.testing import FakeClock, recorded_events

READS = {"max_age": "2s", "operations": ["*"]}

FILE = {"policies": {"p": {"cache": READS}}, "operations": [{"match": "*", "idempotent": True}]}


def new_pipeline(clock: FakeClock | None = None, *, idempotent: bool | None = True, **settings: Any) -> Pipeline:
    """Return a pipeline whose operations are reads."""
    policy = Policy(**{"cache": READS, **settings})
    return Pipeline(policy, operation="read", idempotent=idempotent, clock=clock or FakeClock())


def test_an_answer_is_kept_until_it_is_too_old(driver: Any) -> None:
    """Within two seconds the API is asked once; then it is asked again."""
    clock = FakeClock()
    send = driver.transport(["first", "second"])
    call = new_pipeline(clock).compile(send)
    assert [driver.call(call, "BTC"), driver.call(call, "BTC")] == ["first", "first"]
    clock.advance(2)
    assert driver.call(call, "BTC") == "second"


def test_an_answer_is_as_old_as_its_request(driver: Any) -> None:
    """An answer that took longer than it may be kept is never given to another call."""
    clock = FakeClock()

    def slow() -> float:
        clock.advance(3)
        return clock.monotonic()

    call = new_pipeline(clock).compile(driver.function(slow))
    assert driver.call(call) != driver.call(call)


def test_other_arguments_have_other_answers(driver: Any) -> None:
    """Values that are equal to Python but differ for an API are different arguments."""
    call = new_pipeline().compile(driver.function(repr))
    values: list[Any] = [1, True, 1.0, "1", b"1", [1], (1,), {"a": 1}, {"a": True}, None, 0.0, -0.0]
    assert [driver.call(call, value) for value in values * 2] == [repr(value) for value in values * 2]


def test_the_same_arguments_in_another_form(driver: Any) -> None:
    """Positions, keywords, their order and defaults make no difference, nor does the order of a mapping."""
    asked: list[Any] = []

    def read(a: Any, b: Any = 2, **more: Any) -> int:
        asked.append((a, b, more))
        return len(asked)

    call = new_pipeline().compile(driver.function(read))
    forms: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((1, 2), {}), ((1,), {"b": 2}), ((), {"b": 2, "a": 1}), ((1,), {}),
    ]  # fmt: skip
    if driver.kind == "sync":  # the other drivers hide the function's signature behind `*args`
        assert {driver.call(call, *args, **kwargs) for args, kwargs in forms} == {1}
    assert driver.call(call, 1, params={"x": 1, "y": [2]}) == driver.call(call, 1, params={"y": [2], "x": 1})


def test_nobody_shares_an_answer(driver: Any) -> None:
    """Whoever changes an answer, or an argument after the call, changes no other call's."""
    call = new_pipeline().compile(driver.function(lambda params: {"bids": [[1, 2]], "of": params["symbol"]}))
    params = {"symbol": "BTC"}
    first = driver.call(call, params)
    first["bids"].clear()
    params["symbol"] = "ETH"
    second = driver.call(call, {"symbol": "BTC"})
    assert second == {"bids": [[1, 2]], "of": "BTC"}
    second["bids"].append("mine")
    assert driver.call(call, {"symbol": "BTC"}) == {"bids": [[1, 2]], "of": "BTC"}
    assert driver.call(call, params)["of"] == "ETH"


def test_errors_are_not_kept(driver: Any) -> None:
    """Neither an exception nor an error body is, also where the policy lets error bodies through."""
    send = driver.transport([KeyError("x"), "good"])
    call = new_pipeline().compile(send)
    with pytest.raises(KeyError):
        driver.call(call)
    assert [driver.call(call), driver.call(call)] == ["good", "good"]
    bodies = [{"code": "50001", "msg": "no"}, {"code": "00000", "data": 1}]
    lenient = new_pipeline(codes=("bitget",), classify_results=False).compile(driver.transport(bodies))
    assert [driver.call(lenient)["code"] for _ in range(3)] == ["50001", "00000", "00000"]


@pytest.mark.parametrize(("idempotent", "operations"), [(None, ["*"]), (False, ["*"]), (True, []), (True, ["fetch_*"])])
def test_what_is_not_known_to_read_is_sent(driver: Any, idempotent: bool | None, operations: list[str]) -> None:
    """A write is always sent; so is an idempotent operation that the policy does not call a read."""
    pipeline = new_pipeline(idempotent=idempotent, cache={"max_age": 2, "operations": operations})
    call = pipeline.compile(driver.transport([1, 2]))
    assert [driver.call(call), driver.call(call)] == [1, 2]


def test_an_operation_with_a_key_is_a_write(driver: Any) -> None:
    """Its answer is not kept, even if it is idempotent and the policy calls it a read."""
    policy, sent = Policy(cache=READS), []  # type: ignore[arg-type]

    def place(key: str | None = None) -> int:
        sent.append(key)
        return len(sent)

    call = Pipeline(policy, idempotent=True, key="key", clock=FakeClock()).compile(place)
    assert [call(key="k"), call(key="k")] == [1, 2]


def test_what_is_no_plain_data_is_not_kept(driver: Any) -> None:
    """An object, an iterator or a response could not be handed out twice."""

    class Response:
        pass

    answers = [Response(), iter([1]), {"body": Response()}]
    for answer in answers:
        call = new_pipeline().compile(driver.transport([answer, "other"]))
        assert driver.call(call) is answer
        assert driver.call(call) == "other"


def test_arguments_that_are_no_plain_data(driver: Any) -> None:
    """Nothing is kept for them: the object may mean something else at the next call."""

    class Request:
        symbol = "BTC"

    request, call = Request(), new_pipeline().compile(driver.function(lambda request: request.symbol))
    assert driver.call(call, request) == "BTC"
    request.symbol = "ETH"
    assert driver.call(call, request) == "ETH"


@dataclass(frozen=True)
class Client:
    """A client that is equal to every other one."""

    name: str = "client"
    account = "nobody"

    def balance(self, coin: str = "BTC") -> str:
        """Return the account's balance."""
        return f"{coin} of {self.account}"

    def order(self, coin: str = "BTC") -> str:
        """Return another thing for the same arguments."""
        return f"order in {coin} of {self.account}"


def new_client(account: str) -> Client:
    """Return a client of this account."""
    client = Client()
    vars(client)["account"] = account
    return client


def test_clients_share_nothing() -> None:
    """Two clients that are equal have answers of their own; so have the methods of one client."""
    policies = Policies.from_mapping(
        {"policies": {"p": {"cache": READS}}, "operations": [{"match": "*", "idempotent": True}]}
    )
    alice, bob = new_client("alice"), new_client("bob")
    assert alice == bob
    for _ in range(2):
        assert wrap(alice, "p", policies=policies).balance() == "BTC of alice"
        assert wrap(bob, "p", policies=policies).balance() == "BTC of bob"
    pipeline = new_pipeline()
    for _ in range(2):
        assert [pipeline.call(one.balance) for one in (alice, bob)] == ["BTC of alice", "BTC of bob"]
        assert [pipeline.call(one.order) for one in (alice, bob)] == ["order in BTC of alice", "order in BTC of bob"]
        assert [pipeline.call(Client.balance, one) for one in (alice, bob)] == ["BTC of alice", "BTC of bob"]
        assert pipeline.call(Client.order, alice) == "order in BTC of alice"


def test_a_client_that_is_wrapped_twice() -> None:
    """Each wrapped client keeps what it has asked for."""
    policies = Policies.from_mapping(FILE)
    client = new_client("alice")
    first, second = (wrap(client, "p", policies=policies) for _ in range(2))
    assert [first.balance(), second.balance()] == ["BTC of alice"] * 2
    vars(client)["account"] = "changed"
    assert [first.balance(), second.balance()] == ["BTC of alice"] * 2


def test_a_method_that_was_decorated_in_its_class() -> None:
    """Its client is the first argument: each instance has its own answers."""
    policies = Policies.from_mapping({"policies": {"p": {"cache": READS}}})

    class Bot:
        def __init__(self, name: str) -> None:
            self.name = name
            self.asked = 0

        @policies.resilient("p", idempotent=True)
        def ticker(self, symbol: str) -> str:
            self.asked += 1
            return f"{self.name} {symbol}"

    a, b = Bot("a"), Bot("b")
    assert [a.ticker("X"), b.ticker("X"), a.ticker(symbol="X")] == ["a X", "b X", "a X"]
    assert (a.asked, b.asked) == (1, 1)
    alive = weakref.ref(a)
    del a
    gc.collect()
    assert alive() is None


def test_answers_end_with_their_client() -> None:
    """A pipeline that has called a client does not keep it alive, and a later client never gets its answers."""
    pipeline = new_pipeline()
    for number in range(3):
        client = new_client(str(number))
        assert pipeline.call(client.balance) == f"BTC of {number}"
        alive = weakref.ref(client)
        del client
        gc.collect()
        assert alive() is None


def test_the_oldest_answer_goes_first() -> None:
    """Beyond `max_entries` the answer that was stored first is dropped."""
    asked: list[int] = []

    def read(number: int) -> int:
        asked.append(number)
        return number

    call = new_pipeline(cache={**READS, "max_entries": 2}).compile(read)
    for number in (1, 2, 3, 2, 3, 1):
        call(number)
    assert asked == [1, 2, 3, 1]


def test_a_hit_emits_an_event_and_uses_nothing(driver: Any) -> None:
    """`cache_hit` is emitted; an open breaker, the quota and custom stages are not asked."""
    policies = Policies.from_mapping({"policies": {"p": {"cache": READS, "breaker": {}, "quota": [{"rate": "1/h"}]}}})
    call = policies.resilient("p", operation="op", idempotent=True)(driver.transport(["one"]))
    with recorded_events(policies) as events:
        assert driver.call(call) == "one"
        for breaker in [policies.pipeline("p").breaker]:
            assert breaker is not None
            breaker.isolate()
        assert driver.call(call) == "one"
    (event,) = [event for event in events if event.name == "cache_hit"]
    assert (event.policy, event.operation, event.level) == ("p", "op", "debug")


def test_a_substitute_of_the_fallback_is_not_kept(driver: Any) -> None:
    """The cache is inside the fallback: the API is asked again at once."""
    call = new_pipeline(fallback={"value": "old"}).compile(driver.transport([TimeoutError(), "new", "newer"]))
    assert [driver.call(call), driver.call(call), driver.call(call)] == ["old", "new", "new"]


def test_a_lookup_of_a_write_asks_the_api(driver: Any) -> None:
    """An answer from before the write would say "no such order", and the write would be sent twice."""
    orders: list[str] = []
    clock = FakeClock()
    find = new_pipeline(clock, cache={**READS, "max_age": "1h"}).compile(driver.function(lambda key: list(orders)))

    def place(key: str | None = None) -> None:
        orders.append(str(key))
        raise TimeoutError

    def found(answer: list[str]) -> Any:
        return Found(answer) if answer else NOT_FOUND

    async def look_up_async(call: Any) -> Any:
        return found(await nested(call.key))

    def look_up(call: Any) -> Any:
        return found(nested(call.key))

    nested = Pipeline(Policy(), idempotent=True, clock=clock).compile(find)  # a call inside the call of the lookup
    assert driver.call(find, "k") == []
    write = Pipeline(
        Policy(deadline="90s", retry={"max_attempts": 3}),
        key="key",
        reconcile=look_up if driver.kind == "sync" else look_up_async,
        clock=clock,
    )
    assert driver.call(write.compile(driver.function(place)), key="k") == ["k"]
    assert orders == ["k"]


def test_a_reload_keeps_answers_and_applies_the_new_age(tmp_path: Any) -> None:
    """Answers that are young enough by the new rule are still given out; where the cache is off, none is."""
    file, clock, asked = tmp_path / "p.yaml", FakeClock(), []

    def write(cache: str) -> None:
        file.write_text(f"policies: {{p: {{cache: {cache}}}}}")

    def read() -> int:
        asked.append(clock.monotonic())
        return len(asked)

    write("{max_age: 10s, operations: ['*']}")
    policies = Policies.load(file, clock=clock)
    call = policies.resilient("p", operation="op", idempotent=True)(read)
    assert [call(), call()] == [1, 1]
    clock.advance(3)
    write("{max_age: 5s, operations: ['*']}")
    policies.reload()
    assert call() == 1
    write("{max_age: 2s, operations: ['*']}")
    policies.reload()
    assert call() == 2
    write("off")
    policies.reload()
    assert call() == 3


def test_threads_share_one_cache() -> None:
    """Threads that call at the same time get whole answers; calls that miss together may all be sent."""
    call = new_pipeline(cache={**READS, "max_entries": 5}).compile(lambda number: [number] * 3)
    wrong: list[Any] = []

    def run() -> None:
        for number in range(400):
            answer = call(number % 9)
            if answer != [number % 9] * 3:
                wrong.append(answer)
            answer.clear()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_loop_of_hits_lets_other_tasks_run(backend: str) -> None:
    """Every answer from memory is a point at which other tasks run and a cancellation arrives."""

    async def read() -> int:
        return 1

    call, log = new_pipeline().compile(read), []

    async def ask() -> None:
        for _ in range(3):
            await call()
            log.append("answer")

    async def other() -> None:
        for _ in range(3):
            log.append("other")
            await (asyncio if backend == "asyncio" else trio).sleep(0)

    async def in_asyncio() -> None:
        await asyncio.gather(ask(), other())

    async def in_trio() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            nursery.start_soon(other)

    asyncio.run(in_asyncio()) if backend == "asyncio" else trio.run(in_trio)
    assert sorted(log) == ["answer"] * 3 + ["other"] * 3
    assert log != sorted(log)
    assert log != sorted(log, reverse=True)


def test_an_http_response_is_not_kept() -> None:
    """It has a connection and a body that is read once: every request of a session is sent."""
    requests = pytest.importorskip("requests")
    sent: list[str] = []

    class Adapter(requests.adapters.BaseAdapter):
        def send(self, request: Any, **_: Any) -> Any:
            sent.append(request.url)
            response = requests.Response()
            response.status_code, response._content, response.request, response.url = 200, b"{}", request, request.url
            return response

        def close(self) -> None:
            pass

    session = requests.Session()
    session.mount("https://", Adapter())
    policies = Policies.from_mapping({"policies": {"p": {"extends": "http", "cache": READS}}})
    wrapped = wrap(session, "p", policies=policies)
    with pytest.warns(UserWarning, match="policy 'p': the cache keeps no HTTP responses"):
        assert [wrapped.get("https://api.test/x").json() for _ in range(2)] == [{}, {}]
    assert len(sent) == 2
