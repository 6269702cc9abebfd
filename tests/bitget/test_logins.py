"""Logins on the private socket: hiccups, refusals for good, and clocks that cannot be measured."""

from __future__ import annotations

import asyncio
import copy
import pickle
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from resilience import Policies, Policy, failure_of, wrap
from resilience.bitget import BitgetClient, WebsocketClientV2
from resilience.sandbox import Sandbox
from resilience.streams import ClosedClientError, GaveUpError
from tests.bitget.listening import ORDERS, ORDERS3, TICKER, EventLog, client_of, fast_policies, run

PRIVATE = "/v2/ws/private"
ONE_ATTEMPT = Policy(retry={"max_attempts": 1})  # how long the REST client tries is none of these tests' business
SOCKETS = {2: (ORDERS, PRIVATE), 3: (ORDERS3, "/v3/ws/private")}


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """A calm exchange."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.mark.parametrize("code", ["30005", "30011", "30012", "30015", "40009"])
@pytest.mark.parametrize("version", [2, 3])
def test_a_login_that_worked_before_is_tried_again(exchange: Sandbox, code: str, version: int) -> None:
    """A refusal or two after a reconnect are hiccups: the client backs off, says so, and is live again."""
    arg, path = SOCKETS[version]

    async def story() -> None:
        async with client_of(exchange, version) as client:
            log = EventLog(client)
            client.subscribe(arg)
            await client.ready()
            exchange.sockets.script(f"reject_login:{code}", f"reject_login:{code}:close", path=path)
            exchange.sockets.fault("drop", path=path)
            await log.wait_for("authenticated", 2)
            await client.ready()
            refused = [one for one in log.of("exception") if one.code == code]
        assert [one.action for one in refused] == ["reconnect_relogin_resubscribe"] * 2
        assert [one.wait_for is not None and one.phase == "login" for one in refused] == [True] * 2
        assert [one.action_text.partition("because")[2] for one in refused] == [
            f" this login was accepted before (refusal {number} of 5 in a row)" for number in (1, 2)
        ]

    run(story())
    assert exchange.sockets.violations == []


def test_several_refusals_in_a_row_end_the_stream(exchange: Sandbox) -> None:
    """After the fifth the client stops; once restarted, a login that is still refused ends it at once."""

    async def story() -> None:
        async with client_of(exchange) as client:
            log = EventLog(client)
            client.subscribe(ORDERS)
            await client.ready()
            exchange.sockets.script(*["reject_login:30011"] * 6, path=PRIVATE)
            exchange.sockets.fault("drop", path=PRIVATE)
            await log.wait_for("close")
            refused = [one for one in log.of("exception") if one.code == "30011"]
            assert [one.action for one in refused] == [*["reconnect_relogin_resubscribe"] * 4, "give_up"]
            client.restart()
            with pytest.raises(GaveUpError):
                await client.ready()
            client.restart()
            await client.ready()
            assert client.states == {"private": "live"}

    run(story())


def test_refusals_that_are_not_in_a_row_end_nothing(exchange: Sandbox) -> None:
    """An accepted login in between starts the count again."""

    async def story() -> None:
        async with client_of(exchange) as client:
            log = EventLog(client)
            client.subscribe(ORDERS)
            await client.ready()
            for number in range(3):
                exchange.sockets.script(*["reject_login:30015"] * 3, path=PRIVATE)
                exchange.sockets.fault("drop", path=PRIVATE)
                await log.wait_for("authenticated", number + 2)
            assert log.of("close") == []

    run(story())


@pytest.mark.parametrize("code", ["30014", "40008"])
def test_a_clock_that_nothing_can_measure(exchange: Sandbox, code: str) -> None:
    """Without `rest=` the client says that it cannot measure the clock, names `rest=`, backs off and says how long."""

    async def story() -> None:
        exchange.sockets.script(*[f"reject_login:{code}"] * 3)
        async with client_of(exchange) as client:
            log = EventLog(client)
            client.subscribe(ORDERS)
            await client.ready()
            failures = log.of("exception")
        assert [one.action for one in failures] == ["reconnect_relogin_resubscribe"] * 3
        for one in failures:
            assert one.wait_for is not None
            assert one.action_text.startswith(f"connects again in {one.wait_for:.3g} s")
            assert "rest=" in one.action_text
            assert "measures" not in one.action_text

    run(story())
    assert exchange.sockets.connects == 4


def test_a_stamp_of_the_wrong_form_ends_the_stream_without_a_clock(exchange: Sandbox) -> None:
    """A fatal code is tried once more after the backoff, and ends the stream then."""

    async def story() -> None:
        exchange.sockets.script(*["reject_login:30013"] * 2)
        async with client_of(exchange) as client:
            log = EventLog(client)
            client.subscribe(ORDERS)
            with pytest.raises(GaveUpError):
                await client.ready()
            failures = await log.wait_for("exception", 2)
            assert [one.action for one in failures] == ["reconnect_relogin_resubscribe", "give_up"]
            assert "rest=" in failures[0].action_text

    run(story())


def test_a_measurement_that_fails_is_reported(exchange: Sandbox) -> None:
    """The client said that it measures the clock; where that fails, an event says so, and with what it logs in."""

    async def story() -> None:
        exchange.sockets.script("reject_login:30014")
        async with client_of(exchange, rest=rest) as client:
            log = EventLog(client)
            client.subscribe(ORDERS)
            await client.ready()
            stamp, measured = log.of("exception")
            assert stamp.action_text == "measures the venue's clock and logs in once more"
            assert (measured.phase, measured.error.__class__.__name__) == ("login", measured.caused_by)
            assert measured.action_text == "logs in with the venue's time as it is known so far"

    with BitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url="http://127.0.0.1:9") as client:
        rest = wrap(client, ONE_ATTEMPT)
        run(story())


@pytest.mark.slow
def test_a_measurement_that_lasts_is_a_measurement_that_fails(exchange: Sandbox) -> None:
    """It may take half of the time in which the venue must answer the login; the venue is not blamed for it."""

    async def story() -> None:
        exchange.sockets.script("reject_login:30014")
        async with client_of(exchange, rest=rest, policies=policies) as client:
            log = EventLog(client)
            client.subscribe(ORDERS)
            await client.ready()
            _, measured = log.of("exception")
            assert measured.caused_by == "TimeoutError"
            assert measured.action_text == "logs in with the venue's time as it is known so far"

    stream = {"extends": "bitget-ws", "stream": {"answer_within": "4s"}}
    policies = Policies.from_mapping({"policies": {"bitget-ws": stream}})
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and answers nothing
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with BitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=url, timeout=3) as client:
            rest = wrap(client, ONE_ATTEMPT)
            run(story())
    assert exchange.sockets.connects == 1


def test_a_stamp_code_on_a_public_socket(exchange: Sandbox) -> None:
    """There is no login, so the client does not claim to measure a clock."""

    async def story() -> None:
        async with client_of(exchange) as client:
            log = EventLog(client)
            client.subscribe(TICKER)
            await client.ready()
            exchange.sockets.fault("error:30014")
            (failure,) = await log.wait_for("exception")
            assert (failure.action, failure.action_text) == ("none", "continues")

    run(story())
    assert exchange.sockets.connects == 1


@pytest.mark.parametrize("version", [2, 3])
def test_waiting_for_a_login_that_is_refused_for_good(exchange: Sandbox, version: int) -> None:
    """`ready` raises with the remedy, in a program without a loop too, and each time it is called."""
    with client_of(exchange, version, passphrase="wrong-phrase").blocking() as stream:
        stream.subscribe(SOCKETS[version][0])
        for _ in range(2):
            with pytest.raises(GaveUpError, match=r"the private socket has given up: .*Check the passphrase") as caught:
                stream.ready(timeout=60)
        error = caught.value
    assert (failure_of(error).code, failure_of(error).executed, failure_of(error).phase) == ("30012", "no", "login")
    for same in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (str(same), same.failure) == (str(error), error.failure)


def test_other_ends_are_raised_too(exchange: Sandbox) -> None:
    """A wrong address ends a socket like a wrong key; the error that the library raised is the cause."""

    async def story() -> None:
        async with WebsocketClientV2(base_url="http://127.0.0.1:9", policies=fast_policies()) as client:
            client.subscribe(TICKER)
            with pytest.raises(GaveUpError, match="public socket has given up") as caught:
                await client.ready()
            assert isinstance(caught.value.__cause__, Exception)
            assert caught.value.failure.error is caught.value.__cause__

    run(story())


def test_closing_while_somebody_waits(exchange: Sandbox) -> None:
    """`ready` does not return as if the subscriptions were live."""

    async def story() -> None:
        exchange.sockets.script(*["refuse"] * 500)
        client = client_of(exchange)
        client.subscribe(TICKER)
        waiting = asyncio.create_task(client.ready())
        await asyncio.sleep(0.05)
        await client.close()
        with pytest.raises(ClosedClientError, match="closed before it was live"):
            await waiting

    run(story())


def test_events_carry_what_was_raised(exchange: Sandbox) -> None:
    """A lost connection, and a frame that cannot be read, have their error; a refusal of the venue has none."""

    async def story() -> list[Any]:
        exchange.sockets.script("reject_login:30005")
        async with client_of(exchange) as client:
            log = EventLog(client)
            client.subscribe(ORDERS)
            await client.ready()
            exchange.sockets.fault("malformed")
            await log.wait_for("exception", 2)
            exchange.sockets.fault("drop")
            return await log.wait_for("exception", 3)

    refused, malformed, lost = run(story())
    assert refused.error is None
    assert isinstance(malformed.error, ValueError)
    assert isinstance(lost.error, ConnectionError)
    assert lost.error.__traceback__ is not None
