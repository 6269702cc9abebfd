"""A time of hundreds of digits ended `resilience replay` with a traceback; an `executed` of NaN broke its JSON."""

import json
from pathlib import Path

import pytest

from resilience.cli import main


@pytest.mark.parametrize("time", [10**400, -(10**400)], ids=["ahead", "back"])
def test_a_time_out_of_range_is_ignored(tmp_path: Path, time: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A line with an impossible time is replayed right after the line before it."""
    line = {"event": "resilience.call_failed", "policy": "default", "operation": "get_x", "attempt": 1, "at": time}
    log = tmp_path / "incident.jsonl"
    log.write_text(
        "".join(
            json.dumps({**line, "event": f"resilience.{name}"}) + "\n" for name in ("attempt_failed", "call_failed")
        )
    )
    assert main(["replay", str(log), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["calls"][0]["at"] == 0.0


def test_a_value_of_a_wrong_type_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The output is valid JSON, whatever the log contains."""
    log = tmp_path / "incident.jsonl"
    log.write_text('{"event": "resilience.attempt_failed", "operation": "get_x", "executed": NaN}\n')
    assert main(["replay", str(log), "--json"]) == 0
    report = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert report["calls"][0]["recorded"]["executed"] is None
