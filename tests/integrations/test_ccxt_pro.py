"""Orders over ccxt.pro's sockets are writes under the rule, and what waits for updates is only observed."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import ccxt
import ccxt.async_support
import ccxt.pro
import pytest

from resilience import NOT_FOUND, CircuitOpenError, Found, Policies, QuotaExceededError, current_call, failure_of, wrap
from resilience.integrations.ccxt.requests_sent import ATTEMPT
from resilience.integrations.ccxt.socket_clients import _throttle
from resilience.testing import recorded_events
from resilience.venues import venue_ids
from tests.integrations.socket_exchange import DIALECTS, SocketExchange

ORDER = ("BTC/USDT", "limit", "buy", 0.01, 100)
KEY = {"clientOrderId": "mine1"}
# With the lowest aiohttp a cancelled order over a socket hung: ccxt.pro is not promised there.
pytestmark = pytest.mark.newest_versions
every_exchange = pytest.mark.parametrize("name", DIALECTS)


def policies(**settings: Any) -> Policies:
    """Return policies with one that retries soon."""
    retry = {"max_attempts": 3, "backoff": {"initial": "10ms"}}
    return Policies.from_mapping({"policies": {"p": {"deadline": "5s", "retry": retry, **settings}}})


def run(name: str, story: Callable[[SocketExchange, Any, list[Any]], Any], **settings: Any) -> Any:
    """Run a story of an exchange, its wrapped client and the events."""

    async def main() -> Any:
        async with SocketExchange(name) as exchange:
            plain, mine = exchange.plain(), policies(**settings)
            try:
                with recorded_events(mine) as events:
                    return await story(exchange, wrap(plain, "p", policies=mine), events)
            finally:
                await plain.close()

    return asyncio.run(main())


async def outcome(call: Any) -> Any:
    """Return the error of a call, or its result."""
    try:
        return await call
    except (Exception, asyncio.CancelledError) as error:
        return error


async def until(condition: Callable[[], Any]) -> None:
    """Wait until something is the case."""
    while not condition():  # noqa: ASYNC110  # the server has no event for each of them
        await asyncio.sleep(0.001)


@every_exchange
def test_an_order(name: str) -> None:
    """It is sent once, with the caller's key, and returned in ccxt's shape."""

    async def story(exchange: SocketExchange, bot: Any, events: list[Any]) -> None:
        order = await bot.create_order_ws(*ORDER, KEY)
        assert (bool(order["id"]), order["clientOrderId"]) == (True, "mine1")
        assert len(exchange.orders) == 1
        assert not events

    run(name, story)


@every_exchange
def test_a_refused_order(name: str) -> None:
    """The exchange's own answer is classified: nothing was executed, and nothing is sent again.

    Where a class is all that says so, an exchange whose orders can be looked up is asked, and here it cannot be.
    """

    async def story(exchange: SocketExchange, bot: Any, events: list[Any]) -> None:
        exchange.on_order = "refuse"
        error = await outcome(bot.create_order_ws(*ORDER, KEY))
        failure = failure_of(error)
        assert isinstance(error, ccxt.InvalidOrder | ccxt.InsufficientFunds)
        assert failure.executed == "no" or (failure.executed == "maybe" and name in venue_ids())
        assert (failure.operation, len(exchange.orders)) == ("create_order_ws", 1)
        assert events[-1].name == "call_failed"

    run(name, story)


@every_exchange
@pytest.mark.parametrize("fate", ["close", "silent"])
def test_an_order_without_an_answer(name: str, fate: str) -> None:
    """It may have been executed, so it is not sent again, and the failure names its key."""

    async def story(exchange: SocketExchange, bot: Any, _events: list[Any]) -> None:
        exchange.on_order = fate
        error = await outcome(bot.create_order_ws(*ORDER, KEY))
        failure = failure_of(error)
        assert isinstance(error, ccxt.NetworkError)
        assert (failure.executed, failure.key, len(exchange.orders)) == ("maybe", "mine1", 1)

    run(name, story, attempt_timeout="2s" if fate == "silent" else "4s")


@every_exchange
def test_a_connection_that_is_refused(name: str) -> None:
    """Nothing has left, so it is tried again, and the last error says that nothing was executed."""

    async def story(exchange: SocketExchange, bot: Any, _events: list[Any]) -> None:
        await exchange.stop()
        failure = failure_of(await outcome(bot.create_order_ws(*ORDER, KEY)))
        assert (failure.executed, failure.attempts) == ("no", 3)

    run(name, story)


@every_exchange
def test_a_cancelled_order(name: str) -> None:
    """The cancellation says that the order may have been executed."""

    async def story(exchange: SocketExchange, bot: Any, events: list[Any]) -> None:
        exchange.on_order = "silent"
        call = asyncio.ensure_future(bot.create_order_ws(*ORDER, KEY))
        await until(lambda: exchange.orders)
        call.cancel()
        error = await outcome(call)
        assert isinstance(error, asyncio.CancelledError)
        assert failure_of(error).executed == "maybe"
        assert [event.name for event in events] == ["call_abandoned"]

    run(name, story)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["okx", "bybit"])
def test_a_login_without_an_answer(name: str) -> None:
    """No order has left; the login goes on for all that wait for it."""

    async def story(exchange: SocketExchange, bot: Any, _events: list[Any]) -> None:
        exchange.answers_login = False
        failure = failure_of(await outcome(bot.create_order_ws(*ORDER, KEY)))
        assert (failure.executed, exchange.orders) == ("no", [])
        assert len(exchange.messages) == 1

    run(name, story, attempt_timeout="2s")


@pytest.mark.slow
@every_exchange
def test_two_orders_on_a_connection_that_is_closed(name: str) -> None:
    """Each has an error of its own, with its own key: the one was refused before, the other is in doubt."""

    async def story(exchange: SocketExchange, bot: Any, _events: list[Any]) -> None:
        async def close_after_two(socket: Any, _message: Any) -> None:
            if len(exchange.orders) == 2:
                await socket.close()

        exchange.on_order = close_after_two
        calls = [bot.create_order_ws(*ORDER, {"clientOrderId": f"mine{number}"}) for number in (1, 2)]
        errors = await asyncio.gather(*map(outcome, calls))
        failures = [failure_of(error) for error in errors]
        assert errors[0] is not errors[1]
        assert [(failure.key, failure.executed) for failure in failures] == [("mine1", "maybe"), ("mine2", "maybe")]

    run(name, story)


def test_an_error_that_names_no_order() -> None:
    """Okx refuses something else on the same connection, and ccxt rejects everything: the order may be alive."""

    async def story(exchange: SocketExchange, bot: Any, _events: list[Any]) -> None:
        async def refuse_something(socket: Any, _message: Any) -> None:
            await socket.send_json({"event": "error", "code": "50011", "msg": "Rate limit reached"})

        exchange.on_order = refuse_something
        error = await outcome(bot.create_order_ws(*ORDER, KEY))
        assert isinstance(error, ccxt.RateLimitExceeded)
        assert (failure_of(error).executed, len(exchange.orders)) == ("maybe", 1)

    run("okx", story)


def test_an_order_and_a_stream_share_no_record() -> None:
    """A closed connection ends both by one error; each reads what concerns it."""

    async def story(exchange: SocketExchange, bot: Any, events: list[Any]) -> None:
        exchange.on_order = "silent"
        watching = asyncio.ensure_future(outcome(bot.watch_orders("BTC/USDT")))
        await until(lambda: len(exchange.messages) == 2)
        order = asyncio.ensure_future(outcome(bot.create_order_ws(*ORDER, KEY)))
        await until(lambda: exchange.orders)
        await exchange.connections[0].close()
        seen, error = failure_of(await watching), failure_of(await order)
        assert (seen.operation, seen.executed, seen.key) == ("watch_orders", "n_a", None)
        assert (error.operation, error.executed, error.key) == ("create_order_ws", "maybe", "mine1")
        assert [event.operation for event in events if event.name == "call_failed"].count("watch_orders") == 1

    run("okx", story)


def test_a_message_that_waits_is_dropped_when_its_attempt_ends() -> None:
    """Ccxt alone would send it later, although the call has ended as not executed."""

    async def story(exchange: SocketExchange, _bot: Any, _events: list[Any]) -> None:
        plain = exchange.plain()
        await wrap(plain, "p", policies=policies()).create_order_ws(*ORDER, KEY)
        bot = wrap(plain, "p", policies=policies(attempt_timeout="1s", deadline="1s", retry=None))
        client, gate = next(iter(bot.clients.values())), asyncio.Event()

        async def wait(_cost: float) -> None:
            await gate.wait()

        client.throttle, bot.enableRateLimit = wait, True
        failure = failure_of(await outcome(bot.create_order_ws(*ORDER, {"clientOrderId": "mine2"})))
        gate.set()
        await asyncio.sleep(0.05)
        assert (failure.executed, len(exchange.orders)) == ("no", 1)

        await bot.close()

    run("binance", story)


def test_ccxts_rate_limit_is_no_attempts_time() -> None:
    """A message that waited longer than an attempt may take is sent when its turn comes, and has the whole attempt."""

    async def story(exchange: SocketExchange, _bot: Any, _events: list[Any]) -> None:
        plain = exchange.plain()
        await wrap(plain, "p", policies=policies()).create_order_ws(*ORDER, KEY)
        mine = policies(attempt_timeout="1s")
        bot = wrap(plain, "p", policies=mine)
        client, gate = next(iter(bot.clients.values())), asyncio.Event()

        async def wait(_cost: float) -> None:
            await gate.wait()

        client.throttle, bot.enableRateLimit = functools.partial(_throttle, wait), True
        asyncio.get_running_loop().call_later(1.3, gate.set)
        with recorded_events(mine) as events:
            order = await bot.create_order_ws(*ORDER, {"clientOrderId": "mine2"})
        await bot.close()
        assert (order["clientOrderId"], len(exchange.orders), events) == ("mine2", 2, [])

    run("binance", story)


def test_a_message_that_waits_is_refused_when_the_policy_is_isolated() -> None:
    """The kill switch reaches an order in ccxt's own queue: it does not leave, and its connection lives on."""

    async def story(exchange: SocketExchange, _bot: Any, _events: list[Any]) -> None:
        plain = exchange.plain()
        await wrap(plain, "p", policies=policies()).create_order_ws(*ORDER, KEY)
        mine = policies(attempt_timeout="5s")
        bot = wrap(plain, "p", policies=mine)
        client, gate, waits = next(iter(bot.clients.values())), asyncio.Event(), asyncio.Event()

        async def wait(_cost: float) -> None:
            waits.set()
            await gate.wait()

        client.throttle, bot.enableRateLimit = functools.partial(_throttle, wait), True
        order = asyncio.create_task(outcome(bot.create_order_ws(*ORDER, {"clientOrderId": "mine2"})))
        await waits.wait()
        mine.isolate(reason="enough")
        gate.set()
        error = await order
        assert isinstance(error, CircuitOpenError)
        assert (failure_of(error).executed, len(exchange.orders)) == ("no", 1)
        mine.release()
        await bot.create_order_ws(*ORDER, {"clientOrderId": "mine3"})
        await bot.close()
        assert len(exchange.orders) == 2

    run("binance", story)


def test_a_queue_of_ccxt_that_is_longer_than_the_call() -> None:
    """The call ends as not executed, and not as a failure of the service: the breaker does not count it."""

    async def story(exchange: SocketExchange, _bot: Any, _events: list[Any]) -> None:
        plain = exchange.plain()
        await wrap(plain, "p", policies=policies()).create_order_ws(*ORDER, KEY)
        bot = wrap(plain, "p", policies=policies(attempt_timeout="500ms", deadline="1200ms"))
        client, gate = next(iter(bot.clients.values())), asyncio.Event()

        async def wait(_cost: float) -> None:
            await gate.wait()

        client.throttle, bot.enableRateLimit = functools.partial(_throttle, wait), True
        error = await outcome(bot.create_order_ws(*ORDER, {"clientOrderId": "mine2"}))
        gate.set()
        await asyncio.sleep(0.05)
        await bot.close()
        assert isinstance(error, QuotaExceededError)
        assert "left no time to send" in str(error)
        assert (failure_of(error).executed, failure_of(error).attempts, len(exchange.orders)) == ("no", 0, 1)

    run("binance", story)


def test_a_reconciler_settles_an_order() -> None:
    """With a reconciler it is settled like an order by HTTP, or sent again with the same key."""

    async def story(exchange: SocketExchange, _bot: Any, _events: list[Any]) -> None:
        answers = [NOT_FOUND, NOT_FOUND]

        async def find(_call: Any) -> Any:
            return answers.pop() if answers else Found({"id": "7"})

        rules = {"create_order_ws": {"key": "clientOrderId", "reconcile": find}}
        reconcile = {"wait": "1ms", "window": "1ms", "processing": "1ms", "lag": "1ms"}
        bot = wrap(exchange.plain(), "p", operations=rules, policies=policies(reconcile=reconcile))
        exchange.on_order = "close"
        order = await bot.create_order_ws(*ORDER)
        assert order == {"id": "7"}
        assert len({message["args"][0]["orderLinkId"] for message in exchange.orders}) == 1
        await bot.close()

    run("bybit", story)


def test_what_outlives_a_call_belongs_to_no_call() -> None:
    """The loop that receives was started by an order: messages that come during it are not part of its attempt."""

    async def story(exchange: SocketExchange, bot: Any, _events: list[Any]) -> None:
        exchange.on_order = "silent"
        order = asyncio.ensure_future(outcome(bot.create_order_ws(*ORDER, KEY)))
        await until(lambda: exchange.orders)
        seen: list[Any] = []
        client = next(iter(bot.clients.values()))
        client.on_message_callback = lambda *_: seen.append((ATTEMPT.get(), current_call()))
        await exchange.connections[0].send_json({"event": "notice"})
        await until(lambda: seen)
        order.cancel()
        await order
        assert seen == [(None, None)]

    run("okx", story)


def test_a_request_id_that_is_in_use() -> None:
    """Ccxt would hand out the other request's answer, and send nothing: it says so, and nothing was executed."""

    async def story(exchange: SocketExchange, bot: Any, _events: list[Any]) -> None:
        bot.request_id = lambda *_: 7
        first = await bot.create_order_ws(*ORDER, KEY)
        error = await outcome(bot.create_order_ws(*ORDER, {"clientOrderId": "mine2"}))
        assert (first["clientOrderId"], failure_of(error).executed) == ("mine1", "no")
        assert len(exchange.orders) == 1

    run("bybit", story)


def test_a_cancel_is_repeated_and_a_cancel_of_all_is_not() -> None:
    """The one changes nothing more when it is sent twice; the other would cancel what was placed in between."""

    async def story(exchange: SocketExchange, bot: Any, _events: list[Any]) -> None:
        exchange.on_order = "close"
        one = failure_of(await outcome(bot.cancel_order_ws("1", "BTC/USDT")))
        assert (one.attempts, len(exchange.orders)) == (3, 3)
        every = failure_of(await outcome(bot.cancel_all_orders_ws("BTC/USDT")))
        assert (every.attempts, every.executed) == (1, "maybe")

    run("binance", story)


def test_a_read_over_a_socket_is_retried() -> None:
    """A second message is sent when the connection was closed, and its failure is no doubt."""

    async def story(exchange: SocketExchange, bot: Any, _events: list[Any]) -> None:
        exchange.on_order = "close"
        failure = failure_of(await outcome(bot.fetch_order_ws("1", "BTC/USDT")))
        assert (failure.attempts, failure.executed, len(exchange.orders)) == (3, "n_a", 3)

    run("binance", story)


def test_an_exchange_that_is_closed_while_an_order_waits() -> None:
    """Ccxt cancels what waits; the order may have been executed."""

    async def story(exchange: SocketExchange, bot: Any, _events: list[Any]) -> None:
        exchange.on_order = "silent"
        order = asyncio.ensure_future(outcome(bot.create_order_ws(*ORDER, KEY)))
        await until(lambda: exchange.orders)
        await bot.close()
        assert failure_of(await order).executed == "maybe"

    run("okx", story)


def test_exchanges_without_sockets() -> None:
    """Their methods of that name only say that they are not supported, as without this library."""

    async def story() -> None:
        events_of = policies()
        with recorded_events(events_of) as events:
            for kind in (ccxt.async_support.okx, ccxt.pro.bitget):
                plain = kind()
                with pytest.raises(ccxt.NotSupported):
                    await wrap(plain, "p", policies=events_of).create_order_ws(*ORDER)
                await plain.close()
            with pytest.raises(ccxt.NotSupported):
                wrap(ccxt.okx(), "p", policies=events_of).create_order_ws(*ORDER)
        assert not events

    asyncio.run(story())


def test_a_quiet_stream_is_left_alone() -> None:
    """No limit, gate or retry of the policy applies to it, whatever matches it; a cancellation is no failure."""

    async def story(exchange: SocketExchange, bot: Any, events: list[Any]) -> None:
        watching = asyncio.ensure_future(bot.watch_ticker("BTC/USDT"))
        await until(lambda: exchange.messages)
        await asyncio.sleep(0.1)
        assert not watching.done()
        watching.cancel()
        assert isinstance(await outcome(watching), asyncio.CancelledError)
        assert not events

    limits = {"attempt_timeout": "10ms", "deadline": "20ms", "quota": [{"rate": "1/h"}], "breaker": {}}
    run("okx", story, **limits, admission={"max_concurrent": 1}, cache={"max_age": "1h"})


def test_updates_and_a_reload_while_watching(tmp_path: Any) -> None:
    """Updates come through before and after a reload, and a later error is reported under the new policy file."""
    file = tmp_path / "p.yaml"
    file.write_text("policies: {p: {deadline: 1s}}")

    async def story(exchange: SocketExchange, _bot: Any, _events: list[Any]) -> None:
        mine = Policies.load(file)
        bot = wrap(exchange.plain(), "p", policies=mine)
        row = {"instId": "BTCUSDT", "last": "5", "ts": "1"}
        update = {"arg": {"channel": "tickers", "instId": "BTCUSDT"}, "data": [row]}
        for settings in ("{deadline: 2s}", "{deadline: 2s, quota: [{rate: 1/h}]}"):
            watching = asyncio.ensure_future(bot.watch_ticker("BTC/USDT"))
            await until(lambda: exchange.messages)
            file.write_text(f"policies: {{p: {settings}}}")
            mine.reload()
            await exchange.connections[-1].send_json(update)
            assert (await watching)["last"] == 5
        await bot.close()

    run("okx", story)


def test_a_failing_stream_is_reported_once() -> None:
    """The error is ccxt's own; the event and the failure say what it means."""

    async def story(exchange: SocketExchange, bot: Any, events: list[Any]) -> None:
        await exchange.stop()
        error = await outcome(bot.watch_ticker("BTC/USDT"))
        assert type(error) is ccxt.NetworkError
        assert failure_of(error).operation == "watch_ticker"
        failed = [event for event in events if event.name == "call_failed"]
        assert [(event.operation, str(event.category)) for event in failed] == [("watch_ticker", "retryable")]
        assert failed[0].remedy

    run("okx", story)


@every_exchange
def test_what_a_stream_cannot_have(name: str) -> None:
    """A key on a stream is a mistake."""

    async def story(exchange: SocketExchange, _bot: Any, _events: list[Any]) -> None:
        with pytest.raises(TypeError, match="waits for updates"):
            wrap(exchange.plain(), "p", operations={"watch_ticker": {"key": "id"}}, policies=policies())

    run(name, story)
