"""What `explain` makes of codes, bodies, texts and tracebacks."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest

from resilience import Category, Failure, Policy
from resilience.cli import main
from resilience.cli.error_input import parse_error_input
from resilience.cli.explanation import retry_waits


def explain_json(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    """Run `explain --json` and return what it printed."""
    assert main(["explain", "--json", *words]) == 0
    return json.loads(capsys.readouterr().out)


BODY = '{"code":"43012","msg":"Insufficient balance","requestTime":1695808949356,"data":null}'
TRACEBACK = f"""Traceback (most recent call last):
  File "bot.py", line 3, in <module>
    exchange.create_order(...)
ccxt.base.errors.InsufficientFunds: bitget {BODY}
"""


@pytest.mark.parametrize(
    "text",
    [
        "43012",
        "INSUFFICIENT_BALANCE",
        "43012: Insufficient balance",
        BODY,
        str(json.loads(BODY)),
        f"bitget {BODY}",
        TRACEBACK,
    ],
    ids=["code", "constant", "code and words", "json", "dict", "ccxt text", "traceback"],
)
def test_one_error_in_many_shapes(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every shape of the same error is explained alike."""
    answer = explain_json(capsys, text)
    assert (answer["code"], answer["category"], answer["executed"]) == ("43012", "user_fixable", "no")
    assert answer["registry"] == "bitget"
    assert answer["remedy"]
    assert answer["schedule"] == []


@pytest.mark.parametrize("text", ["00000", "SUCCESS", '{"code": "00000", "msg": "success", "data": {}}'])
def test_success_is_no_error(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A success has no category and nothing is done."""
    answer = explain_json(capsys, text)
    assert (answer["category"], answer["schedule"]) == (None, [])


def test_an_uncertain_write(capsys: pytest.CaptureFixture[str]) -> None:
    """40725 may have executed: the waits are listed, and a write is looked up before it is sent again."""
    answer = explain_json(capsys, "40725")
    assert (answer["category"], answer["executed"], answer["policy"]) == ("retryable", "maybe", "bitget")
    assert "looked up before it is sent again" in answer["action"]
    assert [one["attempt"] for one in answer["schedule"]] == list(range(2, len(answer["schedule"]) + 2))
    assert answer["schedule"]


def test_a_transport_error_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    """The last line of a traceback is enough; the package need not be there."""
    answer = explain_json(
        capsys, "requests.exceptions.ReadTimeout: HTTPSConnectionPool(host='api.bitget.com', port=443)"
    )
    assert (answer["category"], answer["executed"]) == ("retryable", "maybe")


def test_a_bug_is_fatal(capsys: pytest.CaptureFixture[str]) -> None:
    """Bare Python errors are never retried."""
    assert explain_json(capsys, "TypeError: unsupported operand")["category"] == "fatal"


def test_an_unknown_code_is_capped(capsys: pytest.CaptureFixture[str]) -> None:
    """A code of no table is unknown, and at most one retry follows."""
    answer = explain_json(capsys, "99887766", "--policy", "bitget")
    assert answer["known"] is False
    assert len(answer["schedule"]) <= 1


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A dash reads a pipe."""
    monkeypatch.setattr("sys.stdin", io.StringIO(TRACEBACK))
    assert explain_json(capsys, "-")["code"] == "43012"


def test_nothing_secret_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """The input may hold secrets; the output does not."""
    text = "requests.exceptions.ConnectionError: GET https://x/?signature=S3cr3tValue ACCESS-KEY: S3cr3tValue"
    for words in (["explain", text], ["explain", text, "--json"]):
        assert main(words) == 0
        assert "S3cr3tValue" not in capsys.readouterr().out


def test_table_form(capsys: pytest.CaptureFixture[str]) -> None:
    """The table has the facts and the waits."""
    assert main(["explain", "429"]) == 0
    shown = capsys.readouterr().out
    assert "retryable" in shown
    assert "waits at least" in shown


@pytest.mark.parametrize(
    "text", ["{", "{" * 100_000, '{"a": ' * 5000, "[1]", "null", "\x00", "}{", '{"code": {"a": 1}}']
)
def test_odd_input_is_explained_too(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is pasted, an answer comes and no traceback."""
    assert explain_json(capsys, text)["category"] in {"retryable", "fatal", "user_fixable", None}


def test_rebuilt_errors() -> None:
    """Builtins are themselves; other classes keep module and name; odd builtins do not fail."""
    assert type(parse_error_input("TimeoutError: slow").outcome) is TimeoutError
    rebuilt = type(parse_error_input("ccxt.base.errors.RequestTimeout: x").outcome)
    assert (rebuilt.__module__, rebuilt.__name__) == ("ccxt.base.errors", "RequestTimeout")
    assert type(parse_error_input("UnicodeDecodeError: x").outcome).__name__ == "UnicodeDecodeError"


def failure(**known: Any) -> Failure:
    """Make a retryable failure."""
    return Failure(category=Category.RETRYABLE, **known)


def test_schedule() -> None:
    """Waits grow by the policy; jitter makes a range; retry_after is a floor; the deadline ends it."""
    policy = Policy(
        deadline="3s", retry={"max_attempts": 9, "backoff": {"initial": "1s", "jitter": "none", "max": "9s"}}
    )
    assert retry_waits(policy, failure()) == [{"attempt": 2, "at_least": 1.0, "at_most": 1.0}]
    assert retry_waits(policy, failure(retry_after=4.0)) == []
    full = Policy(retry={"max_attempts": 3})
    assert retry_waits(full, failure()) == [
        {"attempt": 2, "at_least": 0.0, "at_most": 0.2},
        {"attempt": 3, "at_least": 0.0, "at_most": 0.4},
    ]
    assert len(retry_waits(Policy(retry={"max_attempts": 9}), failure(known=False, guessed=True))) == 1
    assert len(retry_waits(Policy(retry={"max_attempts": 9}), failure(known=False))) == 8  # explained otherwise
    assert retry_waits(Policy(), failure()) == []
    assert retry_waits(full, Failure(category=Category.FATAL)) == []


GROUP = """  + Exception Group Traceback (most recent call last):
  |   File "bot.py", line 9, in <module>
  | ExceptionGroup: many (1 sub-exception)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "bot.py", line 7, in order
    | ccxt.base.errors.InsufficientFunds: bitget {"code":"43012",
"msg":"Insufficient balance"}
    | resilience: user_fixable 43012 after 1 attempt, executed: no
    +------------------------------------
"""
CHAINED = """Traceback (most recent call last):
  File "bot.py", line 3, in <module>
KeyError: 'price'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "bot.py", line 5, in <module>
ccxt.base.errors.InsufficientFunds: bitget {"code": "43012", "msg": "Insufficient
balance"}
resilience: user_fixable 43012 after 1 attempt, executed: no
Something Else
"""
LOGGED = json.dumps({"event": "order failed", "level": "error", "exception": TRACEBACK})
OURS = json.dumps(
    {
        "event": "resilience.attempt_failed",
        "policy": "bitget",
        "operation": "place_order",
        "code": "43012",
        "registry": "bitget",
        "caused_by": "ccxt.InsufficientFunds",
    }
)
CONSOLE = (
    "2026-11-25 19:45:06 [\x1b[33mwarning\x1b[0m] resilience.attempt_failed attempt=1 caused_by=resilience.ApiError "
    "code=43012 policy=bitget registry=bitget remedy='Top up; \"then\" try again'"
)


@pytest.mark.parametrize(
    "text", [GROUP, CHAINED, LOGGED, OURS, CONSOLE], ids=["group", "chained", "logged", "our line", "console line"]
)
def test_tracebacks_and_log_lines(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The last error of a traceback counts, notes and drawings left out; a line is read as JSON or from the console."""
    answer = explain_json(capsys, text)
    assert (answer["code"], answer["category"], answer["registry"]) == ("43012", "user_fixable", "bitget")


def test_a_line_names_its_policy(capsys: pytest.CaptureFixture[str]) -> None:
    """The policy that the line names decides, if it exists."""
    line = {"event": "resilience.call_failed", "code": "429", "http_status": 429, "registry": "http", "policy": "http"}
    assert explain_json(capsys, json.dumps(line))["policy"] == "http"
    assert explain_json(capsys, json.dumps({**line, "policy": "nobody's"}))["policy"] == "http"
    assert explain_json(capsys, json.dumps({**line, "policy": "nobody's"}), "--policy", "bitget")["policy"] == "bitget"


@pytest.mark.parametrize(
    "text",
    [
        '{"event": "resilience.policy_reloaded", "changes": []}',
        '{"event": "resilience.attempt_failed", "code": 7, "http_status": "x", "caused_by": ["a"], "category": true}',
        "resilience.attempt_failed code=",
        "Traceback (most recent call last):",
        "Traceback (most recent call last):\n\n\n",
    ],
)
def test_odd_lines_and_tracebacks(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Odd input is explained as an unknown error."""
    assert explain_json(capsys, text)["category"] in ("retryable", "fatal")


@pytest.mark.parametrize(
    ("text", "again", "what"),
    [
        ("43012", "Not as it is: nothing was executed", "Deposit or transfer funds"),
        ("40725", "A read, yes. A write only after a lookup", "query by clientOid"),
        ("429", "Yes, after a wait: nothing was executed.", "Slow down"),
        ("404", "No: nothing was executed", "Check the path"),
        ("TypeError: x", "No: the same request would fail again, and this one may have", "see the traceback"),
        ("00000", "No: it succeeded.", "Nothing."),
    ],
)
def test_the_first_lines_are_answers(text: str, again: str, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It begins with what somebody with an error asks: may I send it again, and what do I do?"""
    assert main(["explain", text]) == 0
    first, second, third, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith("may I send it again? ")
    assert again in first
    assert second.startswith("what do I do? ")
    assert what in second
    assert third == ""
    answer = explain_json(capsys, text)
    assert list(answer)[:2] == ["send_again", "what_to_do"]
    assert f"may I send it again? {answer['send_again']}" == first


REMEDY = "It may have happened: look for key k1 since 2026-11-30T17:36:28Z before sending it again"
FACTS = "code=read_timeout category=retryable executed=maybe key=k1 caused_by=ccxt.RequestTimeout registry=http"


@pytest.mark.parametrize(
    ("text", "again", "what", "outcome"),
    [
        (
            f"ERROR write unknown, it may have been executed: buy h {FACTS} remedy='{REMEDY}'",
            "No, not before a lookup", "says when, and how to ask", "unknown",
        ),
        (
            f"resilience: retryable read_timeout after 1 attempt, executed: maybe, key k1; {REMEDY}",
            "No, not before a lookup", "look for key k1", "unknown",
        ),
        (f"attempt failed: buy h {FACTS}", "No: the call was still under way", "Wait for the call's last", "under way"),
        (f"settled by a lookup: buy h {FACTS}", "No: the call succeeded", "Nothing.", "succeeded"),
        ("attempt failed: buy h code=43012 executed=no registry=bitget", "Not as it is", "Deposit", None),
    ],
)  # fmt: skip
def test_a_line_about_a_write_says_how_it_ended(
    text: str, again: str, what: str, outcome: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line or a note knows more than its code: that it was a write, and whether its call has ended."""
    answer = explain_json(capsys, text)
    assert answer["send_again"].startswith(again)
    assert what in answer["what_to_do"]
    assert (answer["outcome"], answer["known"]) == (outcome, True)
    assert (answer["schedule"] == []) is (outcome != "under way")


@pytest.mark.parametrize(
    ("words", "first"),
    [
        (["99887766"], "No table knows '99887766'."),
        (["insuficient_balance"], "No table knows 'insuficient_balance'. Did you mean INSUFFICIENT_BALANCE?"),
        (["99887766", "--registry", "okx"], "The table okx does not know '99887766'."),
        (["some words"], "No table knows this error."),
    ],
)
def test_what_no_table_knows(words: list[str], first: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It is said first that no table knows the error, with the constant that was meant; then come the answers."""
    assert main(["explain", *words]) == 0
    said, again, what, *_ = capsys.readouterr().out.splitlines()
    assert said == first
    assert again.startswith("may I send it again? A read, yes. A write only after a lookup")
    assert what.endswith("When you know what it means, add a row for it to a table of `codes`.")


@pytest.mark.parametrize(
    ("text", "color"), [("429", 32), ("40725", 33), ("43012", 31), ("404", 31), ("00000", 32)], ids=str
)
def test_the_answer_has_a_color(text: str, color: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Green may be sent again, yellow only after a lookup, red not; with NO_COLOR the words alone say it."""
    shown = {}
    for no_color in ("", "1"):
        out = io.StringIO()
        out.isatty = lambda: True  # type: ignore[method-assign]
        monkeypatch.setenv("NO_COLOR", no_color)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr("sys.stdout", out)
        assert main(["explain", text]) == 0
        shown[no_color] = out.getvalue()
    assert shown[""].startswith(f"\x1b[{color}mmay I send it again? ")
    assert "\x1b" not in shown["1"]
    assert re.sub(r"\x1b\[[0-9;]*m", "", shown[""]) == shown["1"]
