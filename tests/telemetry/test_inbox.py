"""Stories of what needs a person: which entries a bot in trouble has, how they are grouped, and when they end."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from resilience import ApiError, Policies, PolicyError
from resilience.telemetry.inbox import Inbox
from resilience.testing import FakeClock


class Bot:
    """Policies with an inbox, and calls that fail as a test says."""

    def __init__(self, **policy: Any) -> None:
        self.clock = FakeClock(wall=1_700_000_000.0)
        settings = {"retry": "off", "codes": ["bitget"], **policy}
        self.policies = Policies.from_mapping({"policies": {"p": settings}}, clock=self.clock, log=False)
        self.inbox = Inbox(open_for=60, forget_after=3600)
        self.policies.subscribe(self.inbox)

    def fail(self, error: BaseException, operation: str = "place", **options: Any) -> None:
        """Make a call that fails."""

        def send(*, client_id: str = "") -> None:
            raise error

        with contextlib.suppress(Exception):
            self.policies.resilient("p", operation=operation, **options)(send)()

    def needs(self, *names: str) -> list[tuple[Any, ...]]:
        """Return these fields of each entry."""
        return [tuple(getattr(entry, name) for name in names) for entry in self.inbox.entries(self.policies.snapshot())]


def test_a_thousand_failures_with_one_remedy_are_one_entry() -> None:
    """They are counted, whatever the code and the operation; another remedy is another entry."""
    bot = Bot()
    for number in range(1000):
        bot.fail(ApiError("00172" if number % 2 else "00171"), operation="cancel" if number == 0 else "place")
        bot.clock.advance(1)
    bot.fail(ApiError("40014"))
    assert bot.needs("kind", "title", "remedy", "times") == [
        ("user_fixable", "cancel, place fail with 00172", "Correct the named request parameter", 1000),
        ("user_fixable", "place fails with 40014", "Grant the named permission to this API key", 1),
    ]


def test_a_failure_that_does_not_happen_again_is_forgotten() -> None:
    """After an hour it is no entry any more; a person who has seen it can dismiss it before; then it counts anew."""
    bot = Bot()
    bot.fail(ApiError("00171"))
    bot.fail(ApiError("40014"))
    assert bot.inbox.dismiss("user_fixable:Correct the named request parameter")
    assert not bot.inbox.dismiss("user_fixable:Correct the named request parameter")
    assert bot.needs("id") == [("user_fixable:Grant the named permission to this API key",)]
    bot.clock.advance(3601)
    assert bot.needs("id") == []
    bot.fail(ApiError("40014"))
    assert bot.needs("id", "times") == [("user_fixable:Grant the named permission to this API key", 1)]


def test_an_uncertain_write_is_an_entry_until_it_is_settled() -> None:
    """It has the key and what to look for, comes first, and is not counted among the failures of its remedy."""
    bot = Bot()
    bot.fail(ApiError("00171"))
    bot.clock.advance(5)
    key: dict[str, Any] = {"key": "client_id", "key_factory": lambda: "key-1"}
    bot.fail(TimeoutError(), **key)
    ((id_, kind, title, at, remedy), other) = bot.needs("id", "kind", "title", "since", "remedy")
    assert (id_, kind, title) == ("write_in_doubt:place:key-1", "write_in_doubt", "write in doubt: place key-1")
    assert (at, other[1]) == (1_700_000_005.0, "user_fixable")
    assert "key-1" in remedy
    bot.policies.resilient("p", operation="place", **key)(lambda *, client_id: "fine")()
    assert bot.needs("kind") == [("user_fixable",)]


def test_a_breaker_needs_a_person_once_it_has_been_open_for_a_while() -> None:
    """Trials that fail do not restart the time, and a breaker that closes is no entry."""
    bot = Bot(breaker={"consecutive": 1, "open_for": "10s", "open_max": "10s"})
    bot.fail(ConnectionRefusedError())
    for _ in range(3):
        assert bot.needs("kind") == []
        bot.clock.advance(20)
        bot.fail(ConnectionRefusedError())
    (entry,) = bot.needs("kind", "title", "since")
    assert entry == (
        "breaker_open", "the breaker of p does not close: a failed trial, at last ConnectionRefusedError",
        1_700_000_000.0,
    )  # fmt: skip
    bot.clock.advance(20)
    bot.policies.resilient("p", operation="place")(lambda: "fine")()
    assert bot.needs("kind") == []
    bot.fail(ConnectionRefusedError())
    assert bot.needs("kind") == []


def test_an_inbox_that_is_made_late_has_what_is_so_already() -> None:
    """A breaker that was open before counts from then on; an isolation is there at once."""
    bot = Bot(breaker={"consecutive": 1, "open_for": "500s", "open_max": "500s"})
    bot.fail(ConnectionRefusedError())
    bot.inbox = late = Inbox(open_for=60)
    bot.policies.subscribe(late)
    assert bot.needs("kind") == []
    bot.clock.advance(61)
    assert bot.needs("kind") == [("breaker_open",)]
    bot.policies.isolate(reason="the strategy is wrong")
    assert bot.needs("id", "title") == [
        ("isolated:", "everything is isolated (hand), nothing is sent: the strategy is wrong")
    ]
    bot.policies.release()
    bot.policies.breakers()[0].isolate()
    assert bot.needs("title") == [("the breaker of p is isolated, nothing is sent",)]


@pytest.mark.parametrize(("status", "wait", "expected"), [(418, 60, True), (429, 60, False), (429, 7200, True)])
def test_a_ban_and_a_wait_beyond_the_maximum_need_a_person(status: int, wait: int, expected: bool) -> None:
    """An ordinary wait that the API asks for does not."""

    class WaitError(Exception):
        status_code = status
        headers = {"Retry-After": str(wait)}  # noqa: RUF012

    bot = Bot(hold_max="10m")
    bot.fail(WaitError())
    assert bot.needs("kind") == [("hold",)] * expected
    bot.clock.advance(wait + 1)
    assert bot.needs("kind") == []


def test_a_rejected_policy_file_says_where_its_mistake_is(tmp_path: Path) -> None:
    """It is an entry until the file is read without a mistake."""
    file = tmp_path / "bot.yaml"
    file.write_text("policies: {p: {retry: off}}\n", encoding="utf-8")
    policies, inbox = Policies.load(file, log=False), Inbox()
    policies.subscribe(inbox)
    file.write_text("policies: {p: {retires: off}}\n", encoding="utf-8")
    with pytest.raises(PolicyError, match="retires"):
        policies.reload()
    (entry,) = inbox.entries(policies.snapshot())
    assert (entry.kind, entry.times) == ("policy_rejected", 1)
    assert entry.title.endswith("bot.yaml was rejected, the old settings stay in force")
    assert f"{file}:1:" in str(entry.remedy)
    file.write_text("policies: {p: {retry: {max_attempts: 2}}}\n", encoding="utf-8")
    policies.reload()
    assert inbox.entries(policies.snapshot()) == []


def test_a_broken_reconciler_is_named() -> None:
    """The write in doubt is an entry of its own."""

    def find_order(call: Any) -> Any:
        raise KeyError("orderId")

    bot = Bot(reconcile={"early_checks": 1})
    bot.fail(TimeoutError(), key="client_id", reconcile=find_order)
    assert [kind for (kind,) in bot.needs("kind")] == ["write_in_doubt", "lookup_failed"]
    assert bot.needs("title")[1] == ("lookups of place fail: find_order (KeyError)",)
