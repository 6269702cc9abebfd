"""`Policies.look_up` from another thread: the lookup is made where the client of the write can be used."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
import trio

from resilience import Found, Policies
from resilience.testing import FakeClock

RULES = {"deadline": "2s", "attempt_timeout": "1s", "retry": "off", "reconcile": {"early_checks": 1, "wait": "100ms"}}


class Bot:
    """Places one order whose answer is lost; the lookup fails during the call and answers later."""

    def __init__(self, *, async_lookup: bool = True) -> None:
        self.policies = Policies.from_mapping({"policies": {"p": RULES}}, clock=FakeClock(), log=False)
        self.looked_up_in: list[int] = []
        self.answers = False
        look_up = self.look_up_async if async_lookup else self.look_up
        self.place = self.policies.resilient("p", operation="place", key="client_id", reconcile=look_up)(self.send)

    async def send(self, *, client_id: str | None = None) -> None:
        raise TimeoutError("no answer")

    def look_up(self, _call: Any) -> Any:
        if not self.answers:
            raise ConnectionError("down")
        self.looked_up_in.append(threading.get_ident())
        return Found("the order")

    async def look_up_async(self, call: Any) -> Any:
        return self.look_up(call)

    async def lose_track(self) -> None:
        """Place the order."""
        with pytest.raises(TimeoutError):
            await self.place(client_id="k")
        self.answers = True


async def in_asyncio(function: Callable[[], Any]) -> Any:
    """Call a function in a thread."""
    return await asyncio.to_thread(function)


async def in_trio(function: Callable[[], Any]) -> Any:
    """Call a function in a thread."""
    return await trio.to_thread.run_sync(function)


@pytest.mark.parametrize("async_lookup", [True, False])
@pytest.mark.parametrize(("run", "in_thread"), [(asyncio.run, in_asyncio), (trio.run, in_trio)])
def test_an_async_client(run: Any, in_thread: Any, async_lookup: bool) -> None:
    """It is used in its own event loop, while the asking thread waits; that thread cannot be the loop's own."""
    bot = Bot(async_lookup=async_lookup)

    async def main() -> Any:
        await bot.lose_track()
        with pytest.raises(LookupError, match="ask from another thread"):
            bot.policies.look_up("k")
        return await in_thread(lambda: bot.policies.look_up("k"))

    result = run(main) if run is trio.run else run(main())
    assert (result.outcome, result.value, bot.looked_up_in) == ("found", "the order", [threading.get_ident()])
    assert bot.policies.snapshot()["writes_in_doubt"] == []


@pytest.mark.parametrize("run", [asyncio.run, trio.run])
def test_an_event_loop_that_has_ended(run: Any) -> None:
    """The client cannot be used any more, and the message says so."""
    bot = Bot()
    if run is trio.run:
        trio.run(bot.lose_track)
    else:
        asyncio.run(bot.lose_track())
    with pytest.raises(LookupError, match="does not run any more"):
        bot.policies.look_up("k")
    assert len(bot.policies.snapshot()["writes_in_doubt"]) == 1


def test_an_event_loop_that_is_blocked() -> None:
    """The asking thread does not wait for ever."""
    bot = Bot()

    async def main() -> None:
        await bot.lose_track()
        asked: list[Exception] = []
        done = threading.Event()

        def ask() -> None:
            try:
                bot.policies.look_up("k", timeout=-1.99)
            except LookupError as error:
                asked.append(error)
            done.set()

        threading.Thread(target=ask).start()
        done.wait(30)  # blocks the loop, as a bug of the bot would
        assert "something blocks it" in str(asked[0])

    asyncio.run(main())


def test_a_client_of_threads_inside_a_loop() -> None:
    """It is used in the asking thread, whatever loop ran around its call."""
    policies = Policies.from_mapping({"policies": {"p": RULES}}, clock=FakeClock(), log=False)
    answers: list[Any] = []

    def look_up(_call: Any) -> Any:
        if not answers:
            raise ConnectionError("down")
        return Found(answers[0])

    @policies.resilient("p", operation="place", key="client_id", reconcile=look_up)
    def place(*, client_id: str | None = None) -> None:
        raise TimeoutError("no answer")

    async def main() -> Any:
        with pytest.raises(TimeoutError):
            place(client_id="k")
        answers.append("the order")
        return policies.look_up("k")

    assert asyncio.run(main()).value == "the order"
