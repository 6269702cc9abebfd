"""Tests of events and their listeners."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import pytest

from resilience._core.base.event import EVENTS, Event
from resilience._core.base.events import Events

LEVELS = {
    "debug": {
        "cache_hit", "call_rejected", "call_succeeded", "hedge_started", "quota_waited",
        "retries_exhausted",
    },
    "error": {
        "lookup_failed", "policy_rejected", "write_unknown",
    },
    "info": {
        "attempt_failed", "call_reconciled", "call_recovered", "circuit_half_opened",
        "fallback_used", "hold_ended", "policy_reloaded", "shared_back",
    },
}  # fmt: skip


def test_each_event_that_is_emitted_is_declared() -> None:
    """Otherwise it has no level, and each listener that reads that is dropped."""
    library = Path(__file__).parents[2] / "resilience"
    sources = [path.read_text("utf-8") for path in library.rglob("*.py")]
    emitted = {name for source in sources for name in re.findall(r'emit\(\s*"(\w+)"', source)}
    assert len(emitted) > 10
    assert emitted - set(EVENTS) == set()


@pytest.mark.parametrize("name", EVENTS)
def test_each_event_has_its_level(name: str) -> None:
    """A failed call is a warning, what needs a human an error; a rejection, one of thousands perhaps, is debug."""
    level = next((level for level, names in LEVELS.items() if name in names), "warning")
    assert Event(name=name).level == level


def test_a_long_hold_is_an_error() -> None:
    """A hold that is longer than `hold_max` names that setting; all others are warnings."""
    assert Event(name="hold_started", hold_max=900.0).level == "error"
    assert Event(name="hold_started").level == "warning"


def test_an_event_has_only_the_fields_that_are_set() -> None:
    """Fields that are None or empty are left out, and so is the name; zero and False stay."""
    assert Event(name="x", attempt=0, remedy="", shadow=False, wait_for=1.5, key=None).fields() == {
        "attempt": 0, "wait_for": 1.5, "shadow": False,
    }  # fmt: skip
    with pytest.raises(AttributeError):
        Event(name="x").name = "y"  # type: ignore[misc]


@pytest.mark.parametrize(("old", "new", "value"), [("took", "duration", 0.5), ("safety", "retry_safety", "read")])
def test_a_field_of_0_1_can_be_read(old: str, new: str, value: Any) -> None:
    """With a warning, which never drops the listener that reads it; it is no field."""
    event = Event(name="attempt_failed", **{new: value})
    with pytest.warns(DeprecationWarning, match=rf"^Event\.{old} is deprecated: use \.{new}$") as caught:
        assert getattr(event, old) == value
    assert [warning.filename for warning in caught] == [__file__]
    assert event.fields() == {new: value}
    seen: list[Any] = []
    events = Events(lambda event: seen.append(getattr(event, old)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        events.emit("attempt_failed", **{new: value})
        events.emit("attempt_failed")
    assert seen == [value, None]


def test_a_listener_gets_events_until_it_is_removed() -> None:
    """The other listeners still get events."""
    notices: list[str] = []
    events = Events(lambda event: notices.append("first"))
    leave = events.subscribe(lambda event: notices.append("second"))
    events.emit("x")
    leave()
    leave()
    events.emit("x")
    assert notices == ["first", "second", "first"]


async def _later(event: Event) -> None:
    """An async listener, which nothing would await."""


@pytest.mark.parametrize("wrong", [3, None, _later])
def test_an_object_that_is_no_listener_is_rejected(wrong: Any) -> None:
    """It is rejected when it subscribes, not when the first event is lost."""
    with pytest.raises(TypeError, match="a listener is a plain function of one event, not"):
        Events().subscribe(wrong)


def test_a_listener_that_raises_is_reported_once_and_dropped() -> None:
    """The other listeners still get the same event."""
    notices: list[Any] = []

    def broken(event: Event) -> None:
        raise RuntimeError("no")

    events = Events(broken, notices.append, on_dropped=lambda listener, error: notices.append((listener, type(error))))
    events.emit("x")
    events.emit("y")
    assert notices == [(broken, RuntimeError), Event(name="x"), Event(name="y")]


def test_a_failed_report_of_a_dropped_listener_raises_nothing() -> None:
    """The listener that failed may have been the log itself."""

    def broken(*_: Any) -> None:
        raise RuntimeError("no")

    for events in (Events(broken), Events(broken, on_dropped=broken)):
        events.emit("x")
        assert events.listeners == ()


def test_every_event_is_documented() -> None:
    """The reference lists every event with its level."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "events.md").read_text(encoding="utf-8")
    assert [name for name in EVENTS if f"| `{name}` | {Event(name=name).level} |" not in page] == []


def test_a_slow_listener_is_reported_once() -> None:
    """The first slow event names the listener and its time; later ones and quick listeners are not reported."""
    seconds, reports = [0.0], list[tuple[Any, float]]()

    def slow(_event: Event) -> None:
        seconds[0] += 0.25

    def quick(_event: Event) -> None:
        seconds[0] += 0.01

    def on_slow(listener: Any, took: float) -> None:
        reports.append((listener, took))
        raise RuntimeError("the log fails too")

    events = Events(quick, slow, on_slow=on_slow, monotonic=lambda: seconds[0])
    events.emit("call_failed")
    events.emit("call_failed")
    assert [(listener, round(took, 6)) for listener, took in reports] == [(slow, 0.25)]
    unsubscribe = events.subscribe(quick)
    unsubscribe()
    assert events.listeners == (slow,)
    declined: list[float] = []

    def decline(_listener: Any, took: float) -> bool:
        declined.append(took)
        return False

    again = Events(slow, on_slow=decline, monotonic=lambda: seconds[0])
    again.emit("call_failed")
    again.emit("call_failed")
    assert len(declined) == 2
    unmeasured = Events(slow, monotonic=lambda: seconds[0])
    unmeasured.emit("call_failed")
    assert unmeasured.listeners == (slow,)


def test_the_level_of_a_line_goes_by_its_fields_too() -> None:
    """An inner call has reported it; the line has news; a stream has failed ten times in a row."""
    assert Event(name="write_unknown", inner=True).level == "debug"
    assert Event(name="call_recovered", also=("retries_exhausted",)).level == "info"
    assert Event(name="call_recovered", also=("code_unknown",)).level == "warning"
    assert Event(name="write_unknown", also=("code_unknown",)).level == "error"
    levels = [
        Event(name="attempt_failed", socket="public", attempt=attempt).level for attempt in (0, 1, 9, 10, 11, 100)
    ]
    assert levels == ["info", "info", "info", "warning", "info", "warning"]
    assert Event(name="attempt_failed", attempt=10).level == "info"
    lookups = [Event(name="call_failed", lookup=True, category=one).level for one in ("fatal", "user_fixable")]
    assert lookups == ["info", "warning"]


def test_an_event_that_nobody_wants_is_not_made() -> None:
    """A listener may say which events it wants; one that cannot say it gets the event, and is dropped if it raises."""

    class Choosy:
        def __init__(self) -> None:
            self.seen: list[str] = []

        def wants_event(self, name: str, fields: Any) -> bool:
            if name == "broken":
                raise RuntimeError
            return bool(fields.get("code") == "1")

        def __call__(self, event: Event) -> None:
            self.seen.append(event.name)

    choosy, made = Choosy(), []
    events = Events(choosy, now=lambda: made.append(None) or 0.0)  # type: ignore[func-returns-value]
    events.emit("x", code="1")
    events.emit("y", code="2")
    events.emit("broken")
    assert (choosy.seen, len(made)) == (["x", "broken"], 2)
    assert (events.wants("x", {"code": "1"}), events.wants("x", {}), Events().wants("x", {})) == (True, False, False)


def test_an_event_that_is_made_at_once_is_the_same() -> None:
    """Its fields, its defaults, and its refusal of a name that no event has."""
    made = Event.of({"name": "call_failed", "code": "1", "remedy": ""})
    assert made == Event(name="call_failed", code="1", remedy="")
    assert (made.fields(), made.level, made.attempts) == ({"code": "1"}, "warning", None)
    with pytest.raises(TypeError, match="no field colour"):
        Event.of({"name": "call_failed", "colour": "red"})
