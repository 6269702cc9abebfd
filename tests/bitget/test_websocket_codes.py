"""Every code of Bitget's sockets, sent by the sandbox: the action of its row is taken, and the error emitted once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from resilience import CodeRegistry, Rule, failure_of
from resilience.bitget import BitgetClient
from resilience.sandbox import Sandbox
from resilience.streams import GaveUpError
from resilience.streams.session.code_actions import ACTIONS
from tests.bitget.listening import ORDERS, ORDERS3, TICKER, TICKER3, EventLog, client_of, run

ROWS = [rule for rule in CodeRegistry.builtin("bitget-ws") if rule.category is not None]
PRIVATE = "/v2/ws/private"


@pytest.fixture(scope="module")
def exchange() -> Iterator[Sandbox]:
    """One exchange for all tests; each test has its own connections."""
    with Sandbox() as sandbox:
        yield sandbox


def rest_of(exchange: Sandbox) -> BitgetClient:
    """Return a REST client of the exchange."""
    return BitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest)


def logins(connection: Any) -> int:
    """Return the number of logins that a connection received."""
    return sum(json.loads(text)["op"] == "login" for text in connection.frames if text != "ping")


def test_every_action_of_the_table_is_known() -> None:
    """No row names an unknown action, which would do nothing."""
    assert {rule.action for name in ("bitget-ws", "streams") for rule in CodeRegistry.builtin(name)} <= set(ACTIONS)
    assert len(ROWS) >= 40  # the 39 of Bitget's tables, and 40099


@pytest.mark.parametrize("rule", ROWS, ids=lambda rule: f"{rule.code}-{rule.action}")
def test_the_action_on_a_live_stream(exchange: Sandbox, rule: Rule) -> None:
    """An error frame on a live private socket has the effect that its row names."""
    before = exchange.sockets.connects

    def mine() -> list[Any]:
        return exchange.sockets.connections[before:]

    async def story() -> None:
        async with client_of(exchange, rest=rest) as client:
            log = EventLog(client)
            client.subscribe(ORDERS)
            await client.ready()
            exchange.sockets.fault(f"error:{rule.code}", path=PRIVATE)
            (failure,) = await log.wait_for("exception")
            assert (failure.code, failure.category, failure.action) == (rule.code, rule.category, rule.action)
            assert failure.remedy == rule.remedy
            await settled(client, log)
        assert len(log.of("exception")) == 1

    async def settled(client: Any, log: EventLog) -> None:
        connection = mine()[0]
        if rule.action == "give_up":
            await log.wait_for("close")
            assert client.states == {"private": "given up"}
            await log.until(lambda: not connection.open)
        elif rule.action == "reconnect_relogin_resubscribe":
            await log.wait_for("reconnected")
            await client.ready()
            assert [one.open for one in mine()] == [False, True]
        elif rule.action == "preemptive_reconnect":
            await log.wait_for("reconnected")
            assert [one.open for one in mine()] == [True, True]
        elif "relogin" in rule.action:
            await log.wait_for("authenticated", 2)
            assert logins(connection) == 2
            await client.ready()
        else:
            assert exchange.sockets.push(ORDERS, [{"orderId": "1"}]) == 1
            await log.wait_for("update")
        kept = rule.action not in ("give_up", "reconnect_relogin_resubscribe", "preemptive_reconnect")
        assert len(mine()) == (1 if kept or rule.action == "give_up" else 2)
        if kept:
            assert connection.subscriptions == [ORDERS]

    with rest_of(exchange) as rest:
        run(story())
    assert exchange.sockets.violations == []


@pytest.mark.parametrize("code", ["30001", "30016"])
@pytest.mark.parametrize("bare", ["", ":bare"])
@pytest.mark.parametrize("version", [2, 3])
def test_a_rejected_subscription_is_removed(exchange: Sandbox, code: str, bare: str, version: int) -> None:
    """Named or not, the rejected subscription is removed for good, and the others are live."""
    good, bad = (ORDERS, {**ORDERS, "channel": "fill"}) if version == 2 else (ORDERS3, {**ORDERS3, "topic": "fill"})

    async def story() -> None:
        exchange.sockets.script(f"reject_subscribe:{code}{bare}")
        async with client_of(exchange, version) as client:
            log = EventLog(client)
            client.subscribe(bad, good)
            await client.ready()
            (failure,) = await log.wait_for("exception")
            assert (failure.code, failure.category.value, failure.phase) == (code, "user_fixable", "subscribe")
            assert dict(failure.arg)["topic" if version == 3 else "channel"] == "fill"
            assert failure.action_text == "drops this subscription"
            assert failure.remedy.startswith("Fix")
            exchange.sockets.fault("drop")
            await log.wait_for("authenticated", 2)
            await client.ready()
            assert exchange.sockets.connections[-1].subscriptions == [good]

    run(story())
    assert exchange.sockets.violations == []


@pytest.mark.parametrize(
    ("wrong", "code", "remedy"),
    [
        ({"key": "somebody-else"}, "30011", "Check the API key"),
        ({"passphrase": "wrong-phrase"}, "30012", "Check the passphrase"),
        ({"secret": "wrong-secret-0000000"}, "30015", "Check the API secret"),
        ({"demo": True}, "40099", "Use a demo key with demo=True"),
    ],
)
@pytest.mark.parametrize("version", [2, 3])
def test_wrong_credentials_end_the_stream_with_a_remedy(
    exchange: Sandbox, wrong: dict[str, Any], code: str, remedy: str, version: int
) -> None:
    """There is one login and one exception with a remedy, and the public socket stays live."""
    before = exchange.sockets.connects
    private, public = (ORDERS, TICKER) if version == 2 else (ORDERS3, TICKER3)

    async def story() -> None:
        async with client_of(exchange, version, **wrong) as client:
            log = EventLog(client)
            client.subscribe(private, public)
            with pytest.raises(GaveUpError, match=remedy) as caught:
                await client.ready()
            (failure,) = await log.wait_for("exception")
            assert caught.value.failure == failure_of(caught.value) == failure
            await log.until(lambda: client.states["public"] == "live")
            assert (failure.code, failure.category.value, failure.phase) == (code, "user_fixable", "login")
            assert failure.remedy.startswith(remedy)
            assert remedy in str(failure)
            assert failure.action_text == "stops and does not try again"
            assert client.states == {"private": "given up", "public": "live"}

    run(story())
    assert exchange.sockets.connects == before + 2


@pytest.mark.parametrize("code", ["30014", "40008"])
def test_a_wrong_clock_is_corrected_once(exchange: Sandbox, code: str) -> None:
    """The login is rejected, the exchange's time queried, and the second login accepted."""

    async def story() -> None:
        exchange.sockets.script(f"reject_login:{code}")
        async with client_of(exchange, rest=rest) as client:
            log = EventLog(client)
            client.subscribe(ORDERS)
            await client.ready()
            (failure,) = log.of("exception")
            assert (failure.code, failure.category.value) == (code, "retryable")
            assert failure.action_text == "measures the venue's clock and logs in once more"

    with rest_of(exchange) as rest:
        run(story())
        assert abs(rest.clock.offset) < 5


def test_a_clock_that_is_minutes_off_is_measured() -> None:
    """With a clock that is minutes off, the stamp expires, and the exchange's time makes the next login succeed."""

    async def story(exchange: Sandbox) -> None:
        exchange.clock_offset = 300.0
        with rest_of(exchange) as rest:
            async with client_of(exchange, rest=rest) as client:
                log = EventLog(client)
                client.subscribe(ORDERS)
                await client.ready()
                assert [one.code for one in log.of("exception")] == ["30014"]

    with Sandbox() as exchange:
        run(story(exchange))


@pytest.mark.parametrize("end", ["", ":close"])
def test_a_login_that_failed_once_is_retried(exchange: Sandbox, end: str) -> None:
    """30005 may be transient: one more login is tried, on the next connection if the exchange closes this one."""

    async def story() -> None:
        exchange.sockets.script(f"reject_login:30005{end}")
        async with client_of(exchange) as client:
            log = EventLog(client)
            client.subscribe(ORDERS)
            await client.ready()
            assert [one.code for one in log.of("exception")] == ["30005"]
            exchange.sockets.script("reject_login:30005")
            exchange.sockets.fault("drop", path=PRIVATE)
            await log.wait_for("authenticated", 2)
            await client.ready()
            assert [one.code for one in log.of("exception")] == ["30005", "connection_closed", "30005"]

    run(story())


def test_a_login_that_fails_twice_ends_the_stream(exchange: Sandbox) -> None:
    """After 30005 twice in a row the stream gives up."""

    async def story() -> None:
        exchange.sockets.script("reject_login:30005+reject_login:30005")
        async with client_of(exchange) as client:
            log = EventLog(client)
            client.subscribe(ORDERS)
            await log.wait_for("close")
            assert [one.action_text for one in log.of("exception")] == [
                "logs in once more",
                "stops and does not try again",
            ]
            assert client.states == {"private": "given up"}

    run(story())


@pytest.mark.parametrize(
    ("code", "kept"), [("30007", False), ("429", True), ("25000", False), ("99999", False)]
)  # "kept": the same connection logs in again
def test_a_transient_login_error_does_not_end_the_stream(exchange: Sandbox, code: str, kept: bool) -> None:
    """Retryable and unknown rejections are retried until the login is accepted."""

    async def story() -> None:
        refused = [f"reject_login:{code}"] * 2
        exchange.sockets.script(*(["+".join(refused)] if kept else refused))
        async with client_of(exchange) as client:
            log = EventLog(client)
            client.subscribe(ORDERS)
            await client.ready()
            failures = log.of("exception")
            assert [one.code for one in failures] == [code] * 2
            assert {one.phase for one in failures} == {"login"}
            assert exchange.sockets.push(ORDERS, [{"orderId": "1"}]) == 1

    run(story())


def test_a_stream_that_gave_up_can_be_restarted(exchange: Sandbox) -> None:
    """Subscribing raises with the reason; after the key is fixed `restart` restores everything."""

    async def story() -> None:
        exchange.sockets.script("reject_login:30012")
        async with client_of(exchange) as client:
            log = EventLog(client)
            client.subscribe(ORDERS)
            await log.wait_for("close")
            with pytest.raises(RuntimeError, match=r"the private socket has given up: fix .* then call `restart`"):
                client.subscribe({**ORDERS, "channel": "fill"})
            client.restart()
            await client.ready()
            assert client.states == {"private": "live"}
            assert exchange.sockets.connections[-1].subscriptions == [ORDERS]
        with pytest.raises(RuntimeError, match="the client is closed: make a new one"):
            client.subscribe(TICKER)

    run(story())
