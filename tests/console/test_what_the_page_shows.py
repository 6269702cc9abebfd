"""What the console makes of snapshots and events: what needs a person, the rows, the rates and the sentences."""

from __future__ import annotations

import json
from typing import Any

import pytest

from resilience import Policies
from resilience.console.call_rates import CallRates
from resilience.console.decision_feed import DecisionFeed
from resilience.console.decision_sentences import sentence_of
from resilience.console.inbox_cards import inbox_cards
from resilience.console.live_rows import LiveRow, live_rows
from resilience.console.live_view import LiveView
from resilience.console.row_history import POINTS, RowHistory
from resilience.telemetry.inbox import InboxEntry
from resilience.testing import FakeClock

EMPTY: dict[str, Any] = {
    name: []
    for name in (
        "isolated", "policies", "breakers", "quotas", "holds", "budgets", "admission", "writes_in_doubt", "counters",
        "streams",
    )
} | {"at": 1000.0, "healthy": True, "shared": None}  # fmt: skip
BREAKER = {
    "policy": "prices", "key": "api.example.com", "state": "closed", "counts": {"succeeded": 3, "failed": 1, "slow": 0},
    "consecutive_failures": 0, "open_until": None, "opened_by": None, "shadow": False,
}  # fmt: skip
HOLD = {
    "scope": "host", "host": "api.example.com", "account": "", "operation": "fetch", "reason": "ban", "until": 1300.0,
    "seconds_left": 300.0, "policies": ["trade"],
}  # fmt: skip
SHARED = {
    "store": "redis://store", "connected": True, "lost": None, "members": 2, "processes": 3, "member": "m-1",
    "round_trip": 0.0011, "quota": {"windows": [{"name": "orders", "limit": 10, "leased": 8, "in_hand": 3}]},
    "budget": [{"policy": "trade", "calls": 100, "retries": 5, "processes": 2}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("lists", "level", "state"),
    [
        ({"breakers": [BREAKER]}, "calm", "closed, 25 % of 4 attempts failed"),
        ({"breakers": [{**BREAKER, "counts": {"succeeded": 1, "failed": 3}}]}, "warn", "closed, 75 % of 4 attempts"),
        (
            {"breakers": [{**BREAKER, "state": "open", "open_until": 1004.0, "opened_by": "hand"}]},
            "bad",
            "open, next attempt in 4 s, opened by hand",
        ),
        ({"breakers": [{**BREAKER, "state": "open", "shadow": True}]}, "warn", "open (shadow)"),
        ({"breakers": [{**BREAKER, "state": "half-open"}]}, "warn", "half-open"),
        ({"breakers": [{**BREAKER, "state": "isolated"}]}, "bad", "isolated"),
        ({"holds": [HOLD]}, "bad", "banned, ends in 5 min"),
        ({"holds": [{**HOLD, "reason": "retry_after", "seconds_left": 9.5}]}, "warn", "the API asks to wait, ends in"),
        ({"shared": {**SHARED, "lost": "refused", "connected": False}}, "bad", "lost: refused"),
    ],
)
def test_the_first_row(lists: dict[str, Any], level: str, state: str) -> None:
    """What is worst comes first, with its state in words."""
    row = live_rows({**EMPTY, **lists})[0]
    assert (row.level, row.state[: len(state)]) == (level, state)
    assert row.value is None or 0 <= row.value <= 1


def test_all_other_rows() -> None:
    """Quotas, lanes, budgets and streams, and the whole fleet."""
    quota = {
        "policy": None,
        "name": "orders",
        "key": "a",
        "rate": "10 per 1s",
        "used": 10,
        "limit": 10,
        "ready_in": 0.5,
    }
    lists = {
        "quotas": [quota, {**quota, "name": None, "ready_in": None}, {**quota, "key": "b", "used": 2, "ready_in": 0.0}],
        "admission": [{"policy": "trade", "lane": "urgent", "running": 2, "waiting": 1, "limit": 4}],
        "budgets": [{"policy": "trade", "left": 0.5, "limit": 5.0}, {"policy": "quiet", "left": 0.0, "limit": 0.0}],
        "streams": [{"socket": "private", "state": "waiting", "reconnects": 2, "gaps": 1, "dropped": 7}],
        "shared": SHARED,
    }
    rows = {(row.kind, row.policy, row.name): (row.level, row.state) for row in live_rows({**EMPTY, **lists})}
    assert rows == {
        ("quota", "", "orders a"): ("warn", "10 of 10 used, 10 per 1s, next in 0.5 s"),
        ("quota", "", "a"): ("warn", "10 of 10 used, 10 per 1s, no attempt is allowed"),
        ("quota", "", "orders b"): ("calm", "2 of 10 used, 10 per 1s"),
        ("lane", "trade", "urgent"): ("warn", "2 of 4 running, 1 waiting"),
        ("budget", "trade", ""): ("warn", "0.5 of 5 retries left"),
        ("budget", "quiet", ""): ("calm", "0 of 0 retries left"),
        ("stream", "", "private"): ("warn", "waiting, 2 reconnects, 1 gap, 7 dropped"),
        ("fleet", "", "redis://store"): ("calm", "2 of 3 processes, round trip 1.1 ms, this one is m-1"),
        ("lease", "", "orders"): ("calm", "8 of 10 leased to members, this process holds 3"),
        ("fleet budget", "trade", ""): ("calm", "5 retries for 100 calls, all 2 processes together"),
    }


def entry(kind: str, title: str, **fields: Any) -> InboxEntry:
    """Return an entry of the inbox."""
    return InboxEntry(f"{kind}:{title}", kind, title, **{"remedy": None, "since": 5.0, "last": 9.0, **fields})


def test_cards_of_what_needs_a_person() -> None:
    """Writes in doubt first, at most fifty; a failure that a person can fix has its remedy as the title."""
    writes = [entry("write_in_doubt", f"w{number}", operation="create_order", key=f"k{number}") for number in range(60)]
    entries = [
        *writes,
        entry("isolated", "everything is isolated (hand), nothing is sent", remedy="Release it"),
        entry("breaker_open", "the breaker of prices does not close", policy="prices", key="api.example.com"),
        entry("user_fixable", "create_order fails with 43012", remedy="Deposit funds.", times=1000),
        entry("policy_rejected", "the policy file bot.yaml was rejected"),
    ]
    state = {"writes_in_doubt": [{"key": "k0", "no_lookup": "no"}], "breakers": [BREAKER]}
    cards = inbox_cards(entries, {**EMPTY, **state})
    assert len({card["id"] for card in cards}) == len(cards)
    assert [(card["key"], card["action"], card["no_lookup"]) for card in cards[:2]] == [
        ("k0", "look_up", "no"),
        ("k1", "look_up", "it is settled"),
    ]
    assert [(card["title"], card["detail"], card["action"], card["level"]) for card in cards[50:]] == [
        ("10 more writes are in doubt", "They are shown when those before them are settled", None, "bad"),
        ("Everything is isolated (hand), nothing is sent", "Release it", "release", "bad"),
        ("The breaker of prices does not close", "", "close", "bad"),
        ("Deposit funds", "create_order fails with 43012", None, "warn"),
        ("The policy file bot.yaml was rejected", "", None, "bad"),
    ]


@pytest.mark.parametrize(
    ("kind", "title", "level"),
    [
        ("breaker_open", "980 more breakers are open", "bad"),
        ("isolated", "980 more isolations", "bad"),
        ("hold", "980 more waits that the API asks for", "warn"),
        ("user_fixable", "980 more failures that a person can mend", "warn"),
        ("lookup_failed", "980 more entries of this kind", "bad"),
    ],
)
def test_a_thousand_entries_of_a_kind_are_few_cards(kind: str, title: str, level: str) -> None:
    """They do not hide what else needs a person, and the last of them says how many there are."""
    entries = [entry(kind, f"t{number}", policy="p", key=f"k{number}") for number in range(1000)]
    cards = inbox_cards([*entries, entry("policy_rejected", "the policy file bot.yaml was rejected")], EMPTY)
    assert (len(cards), cards[-1]["kind"]) == (22, "policy_rejected")
    assert [cards[-2][name] for name in ("title", "level", "action")] == [title, level, None]
    assert len({card["id"] for card in cards}) == len(cards)
    assert sum(card["stands_for"] for card in cards) == 1001


def snapshot_of(at: float, **counts: int) -> dict[str, Any]:
    """Return a snapshot with the counts of one operation."""
    row = {"policy": "p", "operation": "op", "ok": 0, "failed": 0, "rejected": 0, "unknown": 0, "cancelled": 0}
    return {**EMPTY, "at": at, "counters": [{**row, **counts}]}


def test_rates_are_those_of_the_last_ten_seconds() -> None:
    """Calls a second, success, attempts a call without what was refused; none at the start."""
    rates = CallRates()
    first = rates.sample(snapshot_of(0.0, ok=1000), 0.0)
    assert (first["rate"], first["success"], first["attempts"]) == (0.0, None, None)
    rates.failed_attempts = 30
    second = rates.sample(snapshot_of(10.0, ok=1080, failed=10, rejected=10), 10.0)
    assert (second["rate"], second["success"], second["rejected"]) == (10.0, 0.8, 10)
    assert second["attempts"] == pytest.approx((80 + 30) / 90)
    rates.sample(snapshot_of(15.0, ok=1080, failed=10, rejected=10), 15.0)
    third = rates.sample(snapshot_of(25.0, ok=1180, failed=10, rejected=10), 25.0)
    assert (third["seconds"], third["rate"], third["success"]) == (10.0, 10.0, 1.0)


def test_rates_do_not_follow_a_wall_clock_that_is_set() -> None:
    """An hour back or forth changes nothing."""
    rates = CallRates()
    for second in range(12):
        wall = 5_000.0 + second + (-3_600.0 if second >= 4 else 0.0) + (7_200.0 if second >= 8 else 0.0)
        shown = rates.sample(snapshot_of(wall, ok=100 * second), float(second))
    assert (shown["seconds"], shown["rate"], shown["success"]) == (10.0, 100.0, 1.0)


def test_a_secret_in_the_name_of_a_row_is_not_sent() -> None:
    """Neither in the rows nor in their history, whose names a program or an API has chosen."""
    policies = Policies.from_mapping({"policies": {"p": {"retry": "off"}}}, clock=FakeClock(), log=False)
    row = {"policy": "p", "key": "apiKey=ab12cd34ef56", "state": "open", "shadow": False, "open_until": None}
    breaker = {**row, "opened_by": None, "counts": {"succeeded": 0, "failed": 1}}
    before = policies.snapshot()
    policies.snapshot = lambda: {**before, "breakers": [breaker]}  # type: ignore[method-assign]
    view = LiveView(policies)
    assert "ab12cd34ef56" not in view.tick(0.0)
    assert "ab12cd34ef56" not in view.whole()
    assert json.loads(view.whole())["history"]["points"] == [["breaker p apiKey=[redacted]", [[100, 2]]]]


def test_the_rows_are_bounded() -> None:
    """Of a thousand breakers those in trouble are sent, and how many the others are."""
    policies = Policies.from_mapping({"policies": {"p": {"retry": "off"}}}, clock=FakeClock(), log=False)
    row = {"policy": "p", "shadow": False, "open_until": None, "opened_by": None}
    counts = {"succeeded": 0, "failed": 1}
    states = ["closed"] * 900 + ["open"] * 100
    breakers = [{**row, "key": f"{number}", "state": state, "counts": counts} for number, state in enumerate(states)]
    before = policies.snapshot()
    policies.snapshot = lambda: {**before, "breakers": breakers}  # type: ignore[method-assign]
    shown = json.loads(LiveView(policies).tick(0.0))
    assert (len(shown["rows"]), shown["rows_left"], shown["rejecting"]) == (300, 700, 100)
    assert [row["level"] for row in shown["rows"][:100]] == ["bad"] * 100


def test_the_history_is_bounded() -> None:
    """Ten minutes of each row; a row that is gone leaves gaps, and is forgotten when nothing is left of it."""
    history = RowHistory()
    row = LiveRow("a", "quota", "", "", "", 0.5, "warn")
    other = LiveRow("b", "quota", "", "", "", None, "calm")
    history.add([row])
    history.add([row, other])
    assert history.points() == {"a": [(50, 1), (50, 1)], "b": [None, (0, 0)]}
    for _ in range(POINTS - 1):
        history.add([row])
    assert history.points() == {"a": [(50, 1)] * POINTS, "b": [(0, 0)] + [None] * (POINTS - 1)}
    history.add([row])
    assert list(history.points()) == ["a"]
    history.add([LiveRow(f"row {number}", "quota", "", "", "", None, "calm") for number in range(1000)])
    assert len(history.points()) == 300


def test_the_feed_counts_what_it_repeats() -> None:
    """The same sentence within half a minute is counted; a hundred are kept."""
    feed = DecisionFeed()
    for at in (0.0, 10.0, 100.0):
        feed.add("It failed.", "info", at)
    assert [(entry["count"], entry["at"]) for entry in feed.take_changed()] == [(2, 10.0), (1, 100.0)]
    assert feed.take_changed() == []
    for number in range(150):
        feed.add(f"Sentence {number}", "info", 200.0)
    assert [entry["text"] for entry in feed.entries()][::99] == ["Sentence 50", "Sentence 149"]


@pytest.mark.parametrize(
    ("name", "fields", "sentence"),
    [
        ("attempt_failed", {"wait_for": 0.2, "http_status": 503}, "op failed with status 503 and tries again in 0.2 s"),
        ("attempt_failed", {"http_status": 503}, None),
        ("attempt_failed", {"wait_for": 0.0, "code": "7"}, "op failed with code 7 and tries again at once"),
        ("call_failed", {"attempts": 3, "caused_by": "X", "remedy": "Look."}, "op failed with X after 3 attempts"),
        (
            "call_failed",
            {"category": "user_fixable", "code": 7, "remedy": "Pay"},
            "op failed with code 7 after 1 attempt. Pay",
        ),
        ("call_failed", {"also": ("write_unknown",)}, None),
        ("write_unknown", {"key": "k"}, "Nobody knows whether op with key k took effect: an error"),
        ("write_settled", {"key": "k", "reason": "found"}, "op with key k was settled by hand: it took effect"),
        ("circuit_opened", {"shadow": True}, "The breaker of p opened: it is a shadow breaker and rejects nothing"),
        (
            "circuit_closed",
            {"breaker": "h", "refused": 2},
            "The breaker of p for h closed; 2 calls were rejected meanwhile",
        ),
        ("circuit_isolated", {"by": "fleet"}, "Policy p was isolated by a hand in another process: nothing is sent"),
        ("circuit_released", {"policy": None}, "All policies were released"),
        (
            "hold_started",
            {"until": 9.0, "at": 5.0, "reason": "ban"},
            "The API banned this client: nothing is sent for 4 s",
        ),
        ("hold_ended", {"host": "h", "reason": "released"}, "The wait that h asked for was released"),
        ("call_succeeded", {}, None),
    ],
)
def test_sentences(name: str, fields: dict[str, Any], sentence: str | None) -> None:
    """What happened, why, and what is done about it."""
    assert sentence_of(name, {"operation": "op", "policy": "p", **fields}) == (
        None if sentence is None else f"{sentence}."
    )


def test_every_event_has_a_sentence_or_none() -> None:
    """With no field but its name, too: an event of another version must not end the console."""
    from resilience._core.base.event import EVENTS

    for name in EVENTS:
        sentence = sentence_of(name, {})
        assert sentence is None or (sentence[0].isupper() or sentence.startswith("a call")), name
        assert sentence is None or sentence.endswith(".")


def test_a_storm_of_failures_is_bounded() -> None:
    """Of two thousand failed calls in a second a few hundred events are kept; the rest are counted."""
    policies = Policies.from_mapping(
        {"policies": {"p": {"retry": "off", "breaker": "off"}}}, clock=FakeClock(), log=False
    )
    view = LiveView(policies)
    view.start()

    @policies.resilient("p", operation="op", idempotent=True)
    def fail() -> None:
        raise ConnectionResetError

    for _ in range(2_000):
        with pytest.raises(ConnectionResetError):
            fail()
    view.tick(0.0)
    shown = json.loads(view.whole())
    counts = {entry["text"]: entry["count"] for entry in shown["feed"]}
    assert counts["op failed with code connection_reset after 1 attempt."] >= 100
    assert any("further decisions in one second" in text for text in counts)
    assert shown["lately"]["operations"][0]["total"] == 2_000
    view.stop()
    view.stop()
