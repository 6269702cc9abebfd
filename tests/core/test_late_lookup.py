"""A write in doubt is looked up after its call has ended: what settles it, and what proves nothing."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import NOT_FOUND, Found, Policies
from resilience._core.call.late_lookup import WriteOutcome
from resilience._core.call.lookup_answer import NotFound
from resilience._core.call.unsettled_writes import WriteOwner
from resilience.testing import FakeClock, recorded_events

RULES = {"deadline": "2s", "attempt_timeout": "1s", "retry": "off", "reconcile": {"early_checks": 1, "wait": "100ms"}}
FENCE = {"window": "10s", "processing": "1s", "lag": "1s"}


class Bot:
    """Places orders whose answers are lost; the lookups answer what the test says."""

    def __init__(self, *, idempotent: bool | None = None, reconciles: bool = True) -> None:
        self.clock = FakeClock(start=1000.0)
        rules = {**RULES, "reconcile": {**RULES["reconcile"], **FENCE}}  # type: ignore[dict-item]
        self.policies = Policies.from_mapping({"policies": {"p": rules}}, clock=self.clock, log=False)
        self.answer: Any = ConnectionError("the lookup is down")
        self.error: BaseException = TimeoutError("no answer")
        options: dict[str, Any] = {"reconcile": self.look_up} if reconciles else {}
        decorate = self.policies.resilient("p", operation="place", key="client_id", idempotent=idempotent, **options)
        self.place = decorate(self.send)

    def send(self, *, client_id: str | None = None) -> None:
        raise self.error

    def look_up(self, _call: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def lose_track(self, key: str = "k", error: BaseException | None = None) -> Bot:
        """Place an order that ends in doubt."""
        self.error = error or self.error
        with pytest.raises(type(self.error)):
            self.place(client_id=key)
        return self

    def ask(self, answer: Any, key: str = "k") -> Any:
        """Look the write up while the API answers this."""
        self.answer = answer
        return self.policies.look_up(key)

    @property
    def open(self) -> list[Any]:
        """Return the writes in doubt."""
        return self.policies.snapshot()["writes_in_doubt"]


def test_an_order_that_is_found() -> None:
    """It is settled, and its event says so."""
    bot = Bot().lose_track()
    assert [(row["key"], row["no_lookup"]) for row in bot.open] == [("k", None)]
    with recorded_events(bot.policies) as events:
        result = bot.ask(Found({"id": 1}))
    assert (result.outcome, result.value, result.settles) == ("found", {"id": 1}, True)
    assert [(event.name, event.key, event.by, event.reason) for event in events] == [
        ("write_settled", "k", "hand", "found")
    ]
    assert bot.open == []


def test_not_found_is_proof_after_the_fence_only() -> None:
    """Before it the write stays in doubt, and the result says how long that lasts."""
    bot = Bot().lose_track()
    early = bot.ask(NOT_FOUND)
    assert (early.outcome, early.settles, len(bot.open)) == (WriteOutcome.NOT_YET, False, 1)
    assert 0 < early.wait < 22
    bot.clock.advance(early.wait + 0.01)
    assert bot.ask(NOT_FOUND).outcome == "not found"
    assert bot.open == []


@pytest.mark.parametrize(
    ("answer", "outcome", "error"),
    [
        (Found({"id": 1}, matches=False), "foreign", None),
        (Found({"clientOid": "another-order-0"}), "failed", "OtherOrderError"),
        (ConnectionError("down"), "failed", "ConnectionError"),
        (None, "failed", "TypeError"),
    ],
)
def test_what_proves_nothing(answer: Any, outcome: str, error: str | None) -> None:
    """A foreign order, another order, a failed and a broken lookup leave the write in doubt."""
    bot = Bot().lose_track()
    result = bot.ask(answer)
    assert (result.outcome, len(bot.open)) == (outcome, 1)
    assert (None if result.error is None else type(result.error).__name__) == error


def test_an_order_that_the_api_has_forgotten() -> None:
    """Beyond the retention "not found" says nothing."""
    bot = Bot().lose_track()
    bot.clock.advance(100)
    assert bot.ask(NotFound(retention=50)).outcome == "forgotten"
    assert len(bot.open) == 1


@pytest.mark.parametrize(("reconciles", "key"), [(False, "k"), (True, "other")])
def test_what_cannot_be_looked_up(reconciles: bool, key: str) -> None:
    """An operation without a lookup, and a key that is in doubt nowhere."""
    bot = Bot(reconciles=reconciles).lose_track()
    with pytest.raises(LookupError, match="no lookup" if not reconciles else "no write in doubt"):
        bot.ask(Found(1), key)


def test_a_cancelled_write() -> None:
    """It may have left until it was cancelled: "not found" is proof a whole fence later."""
    bot = Bot().lose_track(error=KeyboardInterrupt())
    early = bot.ask(NOT_FOUND)
    assert early.outcome == "not yet"
    assert early.wait == pytest.approx(22)
    assert bot.ask(Found(1)).outcome == "found"


def test_a_harmless_write() -> None:
    """Nothing is known of its attempts: only an order that is found settles it."""
    bot = Bot(idempotent=True).lose_track()
    result = bot.ask(NOT_FOUND)
    assert (result.outcome, result.wait) == ("not yet", None)
    assert bot.ask(Found(1, matches=False)).outcome == "foreign"
    assert bot.ask(Found(1)).outcome == "found"


def test_two_calls_with_one_key() -> None:
    """The open attempts of both have to be past; a call of which nothing is known makes "not found" worthless."""
    bot = Bot().lose_track()
    bot.clock.advance(5)
    bot.answer = ConnectionError()
    bot.lose_track()
    bot.clock.advance(18)
    assert bot.ask(NOT_FOUND).outcome == "not yet"
    bot.clock.advance(10)
    assert bot.ask(NOT_FOUND).outcome == "not found"
    unknown = bot.policies.resilient("p", operation="place", key="client_id")(bot.send)
    with pytest.raises(TimeoutError):
        unknown(client_id="k")
    bot.answer = ConnectionError()
    bot.lose_track()
    bot.clock.advance(100)
    result = bot.ask(NOT_FOUND)
    assert (result.outcome, result.wait) == ("not yet", None)
    bot = Bot().lose_track()
    harmless = bot.policies.resilient("p", operation="place", key="client_id", idempotent=True, reconcile=bot.look_up)
    with pytest.raises(TimeoutError):
        harmless(bot.send)(client_id="k")
    bot.clock.advance(100)
    assert bot.ask(NOT_FOUND).outcome == "not yet"


def test_an_outbox_that_several_processes_share() -> None:
    """Another process may be sending the write again: only an order that is found settles it here."""
    bot = Bot().lose_track()
    bot.policies.pipeline("p").shared.unsettled.set_owner("k", WriteOwner("host:1"))
    bot.clock.advance(100)
    result = bot.ask(NOT_FOUND)
    assert (result.outcome, result.wait, [row["owner"] for row in bot.open]) == ("not yet", None, ["host:1"])
    assert bot.ask(Found(1)).outcome == "found"


def test_a_call_around_the_write() -> None:
    """The outer call adds nothing: the write is looked up by the call that sent it."""
    bot = Bot()
    outer = bot.policies.resilient("p", operation="outer")(lambda: bot.place(client_id="k"))
    with pytest.raises(TimeoutError):
        outer()
    assert [(row["operation"], row["key"]) for row in bot.open] == [("outer", "k")]
    assert bot.ask(Found("order")).outcome == "found"
    bare = bot.policies.resilient("p", operation="outer")(bot.send)
    with pytest.raises(TimeoutError):
        bare()
    assert [row["no_lookup"] for row in bot.open] == ["it was sent without a key"]
