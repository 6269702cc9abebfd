"""Tests of the assertions: they pass where they should, and their messages are readable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience import Policies, failure_of
from resilience._core.base.event import Event
from resilience.testing import (
    FakeClock,
    ScriptedTransport,
    assert_events,
    assert_no_secrets,
    assert_sent,
    fails_with,
    recorded_events,
)

FAILED = Event(name="attempt_failed", operation="buy", code="429", attempt=1)
RETRY = Event(name="quota_waited", operation="buy", wait_for=0.1 + 0.2, attempt=1)
OTHER = Event(name="call_failed", operation="sell", code="43012")
STORY = [FAILED, RETRY, OTHER]


def complaint(claim: Callable[[], Any]) -> list[str]:
    """Return the lines of an assertion's message."""
    with pytest.raises(AssertionError) as caught:
        claim()
    return str(caught.value).splitlines()


def test_events_that_are_as_expected() -> None:
    """Expected by name, by some fields, by nearly equal floats and by checks; of one operation; none at all."""
    assert_events(STORY, "attempt_failed", {"name": "quota_waited", "wait_for": 0.3}, {"code": "43012"})
    assert_events(STORY, "attempt_failed", {"wait_for": lambda seconds: seconds < 1}, operation="b*")
    assert_events(STORY, "quota_waited", among_others=True)
    assert_events(STORY, "call_failed", "attempt_failed", "quota_waited", in_any_order=True)
    assert_events(STORY, "call_failed", "attempt_failed", in_any_order=True, among_others=True)
    assert_events([])


def test_a_difference_is_read_at_a_glance() -> None:
    """Missing and unexpected events are aligned; of an event with other fields, only the expected fields are shown."""
    lines = complaint(lambda: assert_events(STORY, "attempt_failed", {"name": "quota_waited", "wait_for": 5.0}))
    assert lines == [
        "the events are not those expected (- missing, + not expected):",
        "    attempt_failed operation=buy attempt=1 code='429'",
        "  - quota_waited wait_for=5.0",
        "  + quota_waited wait_for=0.30000000000000004",
        "  + call_failed operation=sell code='43012'",
    ]


def test_one_missing_event_does_not_make_the_others_wrong() -> None:
    """The lists are aligned: later matches are no difference."""
    lines = complaint(lambda: assert_events(STORY, "attempt_failed", "budget_exhausted", "quota_waited", "call_failed"))
    assert [line[:20] for line in lines[1:]] == [
        "    attempt_failed o",
        "  - budget_exhausted",
        "    quota_waited ope",
        "    call_failed oper",
    ]


def test_order_counts_unless_it_is_ignored() -> None:
    """The same events in another order are a difference; one event matches one expectation."""
    assert complaint(lambda: assert_events(STORY, "call_failed", "attempt_failed", among_others=True))
    lines = complaint(lambda: assert_events(STORY, "call_failed", "call_failed", in_any_order=True, among_others=True))
    assert lines[1] == "  - call_failed"
    lines = complaint(lambda: assert_events(STORY, "call_failed", {"code": "429"}, in_any_order=True))
    assert lines[2].startswith("  + quota_waited")


def test_a_check_is_shown_by_its_name() -> None:
    """The message shows the name of a check, and all fields of what happened."""

    def short(seconds: float) -> bool:
        return seconds < 0.1

    lines = complaint(lambda: assert_events(STORY, {"name": "quota_waited", "wait_for": short}, operation="buy"))
    assert lines[1:] == [
        "  - quota_waited wait_for=<short>",
        "  + attempt_failed operation=buy attempt=1 code='429'",
        "  + quota_waited wait_for=0.30000000000000004",
    ]


def test_in_any_order_finds_a_pairing_if_there_is_one() -> None:
    """A broad expectation does not take the only event of a narrow one."""
    assert_events(STORY, {"operation": "buy"}, "attempt_failed", "call_failed", in_any_order=True)


def test_expectations_that_cannot_be_met() -> None:
    """A misspelled name and an event of 0.1 raise a ValueError with a hint."""
    with pytest.raises(ValueError, match="no event 'quota_wait'; did you mean 'quota_waited'"):
        assert_events(STORY, "quota_wait")
    for old, hint in (
        ("retry_scheduled", "is now part of 'attempt_failed', as its field 'wait_for'"),
        ("call_fell_back", "is now 'fallback_used'"),
        ("call_hedged", "is now 'hedge_started'"),
    ):
        with pytest.raises(ValueError, match=f"no event '{old}': the event of 0.1 {hint}"):
            assert_events(STORY, old)
    with pytest.raises(ValueError, match="no field 'waitfor'; did you mean 'wait_for'"):
        assert_events(STORY, {"name": "quota_waited", "waitfor": 1})
    for old, new in (("took", "duration"), ("safety", "retry_safety")):
        with pytest.raises(ValueError, match=f"^no field '{old}': the field of 0.1 is now '{new}'$"):
            assert_events(STORY, {"name": "quota_waited", old: 1})
    with pytest.raises(ValueError, match="no field 'catgory'; did you mean 'category'"), fails_with(catgory="fatal"):
        pass


def test_the_number_of_sends() -> None:
    """A call beyond the script counts although its error was caught; arguments are shown without secrets."""
    send = ScriptedTransport(["ok"])
    send("BTCUSDT", api_key="abcdef")
    assert_sent(send, 1)
    with pytest.raises(AssertionError):
        send("BTCUSDT")
    lines = complaint(lambda: assert_sent(send, 1))
    assert lines == [
        "expected 1 send, got 2",
        "  1. ('BTCUSDT', api_key='[redacted]') key=None",
        "  2. ('BTCUSDT') key=None",
    ]
    assert complaint(lambda: assert_sent(send, 2, keys=1))[0] == "expected 1 key, got 0"


def test_an_order_is_not_sent_twice_on_a_timeout() -> None:
    """All assertions together: one send, an unknown outcome for the caller, and the events that say so."""
    policies = Policies.builtin(clock=FakeClock())
    send = ScriptedTransport([TimeoutError("no answer")])
    place = policies.resilient(operation="place_order")(send)
    with recorded_events(policies) as events, fails_with(category="retryable", executed="maybe") as failed:
        place()
    assert_sent(send, 1)
    unknown = {"name": "write_unknown", "executed": "maybe"}
    assert_events(events, "attempt_failed", unknown, "call_failed", operation="place_order")
    assert isinstance(failed.error, TimeoutError)
    assert failed.failure is failure_of(failed.error)


def test_another_failure_is_reported_field_by_field() -> None:
    """There are two messages: nothing was raised, or another failure was."""

    def nothing() -> None:
        with fails_with(category="fatal"):
            pass

    def otherwise() -> None:
        with fails_with(executed="no", category=lambda one: one == "fatal", attempts=1):
            raise TimeoutError("?signature=abcdef")

    assert complaint(nothing) == ["expected a failure with category='fatal', but nothing was raised"]
    assert complaint(otherwise) == [
        "another failure than expected: TimeoutError: ?signature=[redacted]",
        "  executed is 'maybe', expected 'no'",
        "  category is 'retryable', expected <<lambda>>",
    ]


def test_what_ends_a_program_is_not_caught() -> None:
    """KeyboardInterrupt passes through a `fails_with` block."""
    with pytest.raises(KeyboardInterrupt), fails_with():
        raise KeyboardInterrupt


NAMES = st.lists(st.sampled_from(["attempt_failed", "quota_waited", "call_failed"]), min_size=1, max_size=8)


@given(names=NAMES, data=st.data())
def test_events_match_themselves(names: list[str], data: st.DataObject) -> None:
    """Events match their own names in any order; with one name left out only `among_others` passes."""
    events = [Event(name=name) for name in names]
    assert_events(events, *names)
    assert_events(events, *data.draw(st.permutations(names)), in_any_order=True)
    gone = data.draw(st.integers(0, len(names) - 1))
    rest = names[:gone] + names[gone + 1 :]
    assert_events(events, *rest, among_others=True)
    differences = complaint(lambda: assert_events(events, *rest))[1:]
    assert [line[2] for line in differences].count("+") == 1
    assert not any(line.startswith("  -") for line in differences)


SECRET = "top/secret+value"


@pytest.mark.parametrize(
    ("written", "place"),
    [
        (f"key was {SECRET}", "text"),
        ("key was top%2Fsecret%2Bvalue", "text"),
        ([{"event": "x", "url": "https://h/?signature=ab12cd"}], "[0].url"),
        ([{"event": "x", "password": "letmein"}], "[0].password"),
        (Event(name="call_failed", remedy=f"give {SECRET}"), "remedy"),
        (b"Authorization: Bearer abcdef", "text"),
        (failure_of(TimeoutError(SECRET)), None),
    ],
)
def test_secrets_are_found_and_not_shown(written: Any, place: str | None) -> None:
    """Given secrets are found in any spelling, others by shape or name; the message never shows them."""
    if place is None:
        assert_no_secrets(written, SECRET)
        return
    lines = complaint(lambda: assert_no_secrets(written, SECRET))
    assert lines[0] == "a secret was written:"
    assert lines[1].startswith(f"  {place}: ")
    for secret in (SECRET, "top%2Fsecret", "ab12cd", "letmein", "abcdef"):
        assert secret not in "\n".join(lines)


def test_secrets_in_errors_their_notes_and_causes() -> None:
    """Notes and causes are searched, each error once."""
    cause = ValueError("plain")
    error = TimeoutError("plain")
    error.__cause__, cause.__context__ = cause, error
    assert_no_secrets(error, SECRET)
    cause.add_note(f"it was {SECRET}")
    assert complaint(lambda: assert_no_secrets(error, SECRET))[1:] == ["  text: ValueError: plain", "it was [redacted]"]


def test_what_is_no_secret() -> None:
    """Idempotency keys, numbers and absent values are no secrets; an empty secret is a mistake."""
    assert_no_secrets(
        [Event(name="call_failed", key="monday-1"), {"key": "monday-1", "token": None, "n": 1}, 2, None], SECRET
    )
    with pytest.raises(ValueError, match="an empty secret"):
        assert_no_secrets("", "")
