"""A time of hundreds of digits ended `resilience replay` with a traceback; an `executed` of NaN broke its JSON."""

import json
from pathlib import Path

import pytest

from resilience.cli import main


@pytest.mark.parametrize("time", [10**400, -(10**400)], ids=["ahead", "back"])
def test_such_a_time_tells_nothing(tmp_path: Path, time: int, capsys: pytest.CaptureFixture[str]) -> None:
    """The line comes right after the one before it, as any whose time is nonsense."""
    line = {"event": "resilience.call_failed", "policy": "default", "operation": "get_x", "attempt": 1, "at": time}
    log = tmp_path / "incident.jsonl"
    log.write_text(
        "".join(
            json.dumps({**line, "event": f"resilience.{name}"}) + "\n" for name in ("attempt_failed", "call_failed")
        )
    )
    assert main(["replay", str(log), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["calls"][0]["at"] == 0.0


def test_what_is_no_word_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON that any parser reads comes out, whatever stands in a log."""
    log = tmp_path / "incident.jsonl"
    log.write_text('{"event": "resilience.attempt_failed", "operation": "get_x", "executed": NaN}\n')
    assert main(["replay", str(log), "--json"]) == 0
    told = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert told["calls"][0]["recorded"]["executed"] is None
