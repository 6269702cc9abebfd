"""A server chooses codes and messages. Nothing of them reaches a terminal as a control or direction character."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import structlog

from resilience import ApiError, Category, Policies
from resilience.bitget import BitgetApiError
from resilience.cli import main
from resilience.streams import StreamFailure
from resilience.telemetry import StructlogListener

HOSTILE = {
    "clears the screen": "\x1b[2J\x1b]0;owned\x07",
    "forges a second line": "1\nresilience: fatal 0 after 0 attempts, executed: no",
    "returns to the start of the line": "1\r0",
    "C1 introducer": "\x9b31m",
    "reverses digits": "40\u202e010",
    "isolates": "40\u2066010\u2069",
    "hides": "4\u200b0\u200d010",
    "ends a line in Unicode": "1\u2028resilience: fatal",
    "no stream can encode it": "40\ud800",
    "deletes": "401\x7f0",
}


class ForeignError(Exception):
    """An SDK's error, whose body the server wrote."""

    def __init__(self, code: str) -> None:
        super().__init__("refused")
        self.body = {"code": code, "msg": code}


def is_safe(text: str, *, lines: bool = False) -> bool:
    """Return whether a terminal shows each character of a text and obeys none."""
    return all(letter.isprintable() or (lines and letter == "\n") for letter in text)


def failed(code: str, *listeners: Any) -> ForeignError:
    """Return the error of a call that the API refused with this code."""
    policies = Policies.from_mapping({"policies": {"p": {"retry": {"max_attempts": 1}}}})
    for listener in listeners:
        policies.subscribe(listener)
    error = ForeignError(code)

    def refused() -> None:
        raise error

    with pytest.raises(ForeignError):
        policies.pipeline("p").call(refused)
    return error


@pytest.mark.parametrize("code", HOSTILE.values(), ids=HOSTILE)
def test_notes_of_errors_are_one_visible_line(code: str) -> None:
    """The note under a traceback shows what the server sent, escaped."""
    error = failed(code)
    assert len(error.__notes__) == 1
    assert is_safe(error.__notes__[0])
    assert error.body["code"] == code  # the caller's own error is unchanged


@pytest.mark.parametrize("code", HOSTILE.values(), ids=HOSTILE)
def test_log_lines_are_one_visible_line(code: str) -> None:
    """Structlog's console writes fields as they are, so they are escaped before."""
    out = io.StringIO()
    logger = structlog.wrap_logger(structlog.PrintLogger(out), processors=[structlog.dev.ConsoleRenderer(colors=False)])
    failed(code, StructlogListener(logger))
    assert out.getvalue()
    assert is_safe(out.getvalue(), lines=True)
    assert all("resilience." in line for line in out.getvalue().splitlines())


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_texts_of_our_errors_are_visible(text: str) -> None:
    """The last line of a traceback is the error's text; its attributes keep what was sent."""
    api = ApiError(text, text, {})
    bitget = BitgetApiError(400, text, {}, {}, {}, api_code=text, api_message=text)
    for error in (api, ApiError(text), bitget, BitgetApiError(400, text, {}, {}, {})):
        assert is_safe(str(error))
    assert (api.code, api.message) == (text, text)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_failures_of_streams_are_visible(text: str) -> None:
    """A program prints the failure of a stream as it is."""
    failure = StreamFailure(Category.FATAL, code=text, message=text, remedy=text, phase="login")
    assert is_safe(str(failure))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("form", ["{}", "ValueError: {}", "43012: {}"])
def test_explain_shows_visible_text(text: str, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`resilience explain` shows the text of an error that was pasted from a log."""
    main(["explain", form.format(text)])
    printed = capsys.readouterr()
    assert is_safe(printed.out + printed.err, lines=True)


def test_replay_shows_visible_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A log that somebody else has written may name policies and operations as it likes."""
    name = "\x1b[2Jtrade\u202e"
    fields = {"event": "resilience.attempt_failed", "policy": name, "operation": name, "call": "1", "attempt": 1}
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps({**fields, "category": "retryable", "code": name, "executed": "no"}) + "\n")
    main(["replay", str(log), "--all"])
    printed = capsys.readouterr()
    assert "trade" in printed.out
    assert is_safe(printed.out + printed.err, lines=True)


def test_mistakes_of_a_file_are_visible(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`resilience check` quotes the keys of a file that somebody else has written."""
    file = tmp_path / "policy.yaml"
    file.write_text('version: 1\npolicies:\n  "a\\e[2J\\u202E": {"b\\e[2J": 1}\n')
    assert main(["check", str(file)]) == 1
    printed = capsys.readouterr()
    assert is_safe(printed.out + printed.err, lines=True)


def test_other_languages_stay_readable() -> None:
    """Letters of any language, wide spaces and signs are no control characters."""
    text = "余额\u3000不足 · Недостаточно средств 100\u202f% ✓ 😀"
    assert str(ApiError("1", text)) == f"1: {text}"
