"""A write that a person was told of as "not found" is never sent afterwards: the person may have sent another one."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from resilience import NOT_FOUND, Policies, wrap
from resilience._core.call.open_writes import OPEN_WRITES
from resilience._core.call.operation_info import OperationInfo
from resilience._core.call.unsettled_writes import UnsettledWrites
from resilience._core.classify.failure import Failure
from resilience._core.policy.codes import Category
from resilience.outbox import Outbox
from resilience.testing import FakeClock

RULES = {
    "deadline": "9s", "attempt_timeout": "1s", "retry": {"max_attempts": 2}, "breaker": "off",
    "reconcile": {"window": "1s", "processing": "1s", "lag": "1s"},
}  # fmt: skip


class Venue:
    """Takes orders and says nothing; it has none of them when it is asked. While it is down, it cannot be asked."""

    def __init__(self, host: str | None = None) -> None:
        self.sent: list[str | None] = []
        self.host = host
        self.is_down = True
        self.meanwhile: Any = None

    def resilience_operation_info(self, operation: str, _client: Any) -> OperationInfo:
        """Describe `place`."""
        return OperationInfo(operation=operation, key="client_id", host=self.host, reconcile=self.look_up)

    def look_up(self, _call: Any) -> Any:
        """Find nothing."""
        if self.is_down:
            raise ConnectionError("down")
        if self.meanwhile is not None:
            self.meanwhile()
        return NOT_FOUND

    def place(self, *, client_id: str | None = None) -> str:
        """Take an order; its answer is lost while the venue is down."""
        self.sent.append(client_id)
        if self.is_down:
            raise TimeoutError("no answer")
        return "placed"


class Bot:
    """Has placed an order of which nothing is known; the venue can be asked by now."""

    def __init__(self, *venues: Venue, outbox: Outbox | None = None) -> None:
        self.clock = FakeClock()
        self.policies = Policies.from_mapping({"policies": {"p": RULES}}, clock=self.clock, log=False)
        self.venues = venues
        self.clients = [wrap(venue, "p", policies=self.policies, outbox=outbox) for venue in venues]
        for client, venue in zip(self.clients, venues, strict=True):
            with pytest.raises(TimeoutError):
                client.place(client_id="k")
            venue.is_down = False
        self.clock.advance(100)

    @property
    def in_doubt(self) -> int:
        """Return how many writes are in doubt."""
        return len(self.policies.snapshot()["writes_in_doubt"])


@pytest.fixture
def outbox(tmp_path: Path) -> Any:
    """Return an outbox in a file."""
    with Outbox(tmp_path / "bot.db") as outbox:
        yield outbox


def test_its_row_does_not_send_it_again(outbox: Outbox) -> None:
    """It is settled in the outbox too, else `resume(resend=True)` would place it beside the person's own order."""
    bot = Bot(Venue(), outbox=outbox)
    assert bot.policies.look_up("k").outcome == "not found"
    assert (outbox.resume(bot.clients[0], resend=True), bot.venues[0].sent, bot.in_doubt) == ([], ["k"], 0)


def test_a_resume_at_the_same_time(outbox: Outbox) -> None:
    """The lookup was answered before the order was sent again: it says nothing of that."""
    bot = Bot(Venue(), outbox=outbox)
    venue, (client,) = bot.venues[0], bot.clients

    def resume() -> None:
        venue.meanwhile = None
        assert [write.outcome for write in outbox.resume(client, resend=True)] == ["done"]

    venue.meanwhile = resume
    assert (bot.policies.look_up("k").outcome, venue.sent, outbox.open) == ("not yet", ["k", "k"], [])


def test_a_row_that_somebody_works_on(outbox: Outbox) -> None:
    """A resume that has it may be about to send it."""
    bot = Bot(Venue(), outbox=outbox)
    claim = outbox._recorder.claims.take("k", "place")
    assert claim is not None
    assert bot.policies.look_up("k").outcome == "not yet"
    outbox._recorder.claims.release(claim)
    assert bot.in_doubt == 1
    assert bot.policies.look_up("k").outcome == "not found"


@pytest.mark.parametrize(("settled", "outcome"), [("done", "not yet"), ("failed", "not found"), (None, "not yet")])
def test_a_row_that_was_settled_meanwhile(outbox: Outbox, settled: Any, outcome: str) -> None:
    """What the outbox knows outranks it; one that was closed tells nothing, and the next process may resume it."""
    bot = Bot(Venue(), outbox=outbox)
    if settled is None:
        outbox.close()
    else:
        outbox.settle("k", settled)
    assert bot.policies.look_up("k").outcome == outcome


def test_a_call_with_its_key_that_is_under_way() -> None:
    """The earlier call's order does not exist; the new one's may in a moment."""
    bot = Bot(Venue())
    venue = bot.venues[0]
    sending, go_on = threading.Event(), threading.Event()
    send = venue.place

    def place(*, client_id: str | None = None) -> str:
        sending.set()
        assert go_on.wait(60)
        return send(client_id=client_id)

    venue.place = place  # type: ignore[method-assign]
    slow = wrap(venue, "p", policies=bot.policies)
    thread = threading.Thread(target=slow.place, kwargs={"client_id": "k"})

    def begin() -> None:
        thread.start()
        assert sending.wait(60)

    venue.meanwhile = begin
    assert bot.policies.look_up("k").outcome == "not yet"
    venue.meanwhile = None
    with pytest.raises(LookupError, match="a call with this key is under way"):
        bot.policies.look_up("k")
    go_on.set()
    thread.join(60)
    assert (venue.sent, bot.in_doubt) == (["k", "k"], 0)


def test_a_call_with_its_key_that_has_ended_meanwhile() -> None:
    """The write in doubt is another one by then."""
    bot = Bot(Venue())
    venue, (client,) = bot.venues[0], bot.clients
    venue.meanwhile = lambda: client.place(client_id="k")
    assert (bot.policies.look_up("k").outcome, bot.in_doubt) == ("not yet", 0)


def test_one_key_at_two_venues() -> None:
    """A bot that trades at both may use one key for both orders: what settles one says nothing of the other."""
    bot = Bot(Venue("a.example"), Venue("b.example"))
    assert bot.in_doubt == 2
    with pytest.raises(LookupError, match=r"2 writes in doubt have this key \(a.example, b.example\)"):
        bot.policies.look_up("k")
    assert (bot.clients[1].place(client_id="k"), bot.in_doubt) == ("placed", 1)
    assert bot.policies.look_up("k").outcome == "not found"
    assert (bot.in_doubt, bot.venues[0].sent, bot.venues[1].sent) == (0, ["k"], ["k", "k"])


def test_one_key_for_two_accounts() -> None:
    """A stream reports the orders of its account alone."""
    writes = UnsettledWrites()
    OPEN_WRITES.settle_in(writes)
    for account in ("one", "two"):
        writes.add("p", "place", FAILURE, 0.0, host="a.example", account=account)
    OPEN_WRITES.report("k", {}, "two")
    assert [write.account for write in writes.with_key("k")] == ["one"]
    OPEN_WRITES.report("k", {})
    assert writes.with_key("k") == []


def test_a_function_around_the_call() -> None:
    """What does not know its host is the call inside it, in either order; the entry says where it was sent."""
    writes = UnsettledWrites()
    writes.add("p", "place", FAILURE, 0.0)
    writes.add("p", "post", FAILURE, 0.0, host="a.example", account="one")
    writes.add("p", "place", FAILURE, 0.0)
    (write,) = writes.with_key("k")
    assert (write.operation, write.host, write.account) == ("place", "a.example", "one")
    writes.settle("k")
    assert writes.describe() == []


FAILURE = Failure(Category.RETRYABLE, executed="maybe", key="k")
