"""Times that were read in the wrong zone or by the wrong clock, or cut short."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from resilience import CircuitOpenError, Pipeline, Policies, Policy, current_call, failure_of
from resilience.cli import main
from resilience.testing import FakeClock


@pytest.fixture
def new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run in a zone that is not GMT."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("new_york")
@pytest.mark.parametrize(
    "form", ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
)
def test_every_form_of_an_http_date_is_gmt(form: str) -> None:
    """The three forms of RFC 9110 name the same second, wherever the bot runs."""
    error: Any = ConnectionRefusedError()
    error.headers = {"Retry-After": form}
    assert failure_of(error).retry_at == 784111777.0


def test_an_inner_call_with_another_clock_keeps_the_deadline() -> None:
    """A call inside a call of another clock has the seconds that the outer deadline leaves."""
    mapping = {"policies": {"p": {"deadline": "50s"}}}
    real, fake = Policies.from_mapping(mapping), Policies.from_mapping(mapping, clock=FakeClock())

    def left() -> float | None:
        call = current_call()
        return None if call is None else call.deadline

    for outer, inner in ((real, fake), (fake, real)):
        seconds = outer.pipeline("p").call(lambda inner=inner: inner.pipeline("p").call(left))
        assert 40 < seconds <= 50


def test_an_open_time_never_shrinks() -> None:
    """`open_max` below `open_for` does not shorten the open time when a trial fails."""
    clock = FakeClock()
    pipeline = Pipeline(Policy(breaker={"consecutive": 1, "open_for": "30s", "open_max": "5s"}), clock=clock)  # type: ignore[arg-type]

    def down() -> None:
        raise ConnectionRefusedError

    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            pipeline.call(down)
        with pytest.raises(CircuitOpenError) as caught:
            pipeline.call(down)
        assert caught.value.retry_after == pytest.approx(30)
        clock.advance(30)


def test_check_warns_of_a_first_wait_that_is_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`check` warns if the first delay is longer than the maximum, so that it never applies."""
    path = tmp_path / "p.yaml"
    path.write_text("version: 1\npolicies: {a: {retry: {backoff: {initial: 10s}}}}\n")
    assert main(["check", str(path)]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith(": warning: retry.backoff.initial of 10s is above max: every wait is 5s")
