"""Tests of the structlog listener: one line per event, at its level, without secrets."""

from __future__ import annotations

import logging

import pytest
import structlog

from resilience import Policies
from resilience._core.base.event import Event
from resilience.telemetry.structlog import StructlogListener
from resilience.testing import FakeClock


def captured(level: int = logging.DEBUG) -> tuple[StructlogListener, structlog.testing.LogCapture]:
    """Return a listener and the capture of its lines."""
    capture = structlog.testing.LogCapture()
    logger = structlog.wrap_logger(
        None, processors=[capture], wrapper_class=structlog.make_filtering_bound_logger(level)
    )
    return StructlogListener(logger), capture


def test_one_line_per_event() -> None:
    """A line has the event's name, its level and its set fields."""
    listener, capture = captured()
    listener(Event(name="attempt_failed", policy="trade", attempt=1, code="43012", executed="no"))
    listener(Event(name="call_failed", policy="trade"))
    fields = {"policy": "trade", "attempt": 1, "code": "43012", "executed": "no"}
    assert capture.entries == [
        {"event": "resilience.attempt_failed", "log_level": "info", **fields},
        {"event": "resilience.call_failed", "log_level": "warning", "policy": "trade"},
    ]


def test_strings_pass_the_redactor() -> None:
    """An operation's name that carries a URL loses its signature."""
    listener, capture = captured()
    listener(Event(name="call_recovered", operation="GET https://x/?sign=abc"))
    assert capture.entries[0]["operation"] == "GET https://x/?sign=[redacted]"


def test_a_filtered_level_writes_nothing() -> None:
    """Events below the logger's level are dropped."""
    listener, capture = captured(logging.ERROR)
    listener(Event(name="call_recovered"))
    listener(Event(name="write_unknown"))
    assert [entry["log_level"] for entry in capture.entries] == ["error"]


def test_the_default_logger_follows_a_later_configuration() -> None:
    """A program may configure structlog after the first event."""
    listener = StructlogListener()
    with structlog.testing.capture_logs() as first:
        listener(Event(name="circuit_opened", policy="read"))
    with structlog.testing.capture_logs() as second:
        listener(Event(name="circuit_closed", policy="read"))
    assert [line["event"] for line in (*first, *second)] == ["resilience.circuit_opened", "resilience.circuit_closed"]


def test_without_configuration_lines_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is written to stdout, and nothing below a warning."""
    StructlogListener()(Event(name="circuit_opened", policy="read"))
    StructlogListener()(Event(name="call_recovered", policy="read"))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "resilience.circuit_opened" in shown.err
    assert "call_recovered" not in shown.err


def test_a_slow_listener_is_named_once() -> None:
    """A listener runs in the call that emits the event; one that takes long is named in one line."""
    clock = FakeClock()
    policies = Policies.from_mapping({"policies": {"p": {"retry": {"max_attempts": 1}}}}, clock=clock)

    def sends_a_mail(_event: Event) -> None:
        clock.sleep(2.0)

    policies.subscribe(sends_a_mail)

    def fails() -> None:
        raise ConnectionError

    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            with pytest.raises(ConnectionError):
                policies.pipeline("p").call(fails)
    slow = [line for line in lines if line["event"] == "resilience.listener_slow"]
    assert len(slow) == 1
    assert slow[0]["listener"].endswith("sends_a_mail")
    assert slow[0]["duration"] == 2.0


def test_debug_lines_are_written_where_they_were_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """A program that has not configured structlog gets no line for each answer from memory."""
    StructlogListener()(Event(name="cache_hit", policy="read"))
    assert capsys.readouterr() == ("", "")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG))
    StructlogListener()(Event(name="cache_hit", policy="read"))
    assert "resilience.cache_hit" in capsys.readouterr().out
