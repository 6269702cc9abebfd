"""Tests of the log by the standard library's logging, and of the choice between it and structlog."""

from __future__ import annotations

import io
import json
import logging
import logging.config
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import structlog

from resilience import ApiError, Policies, configure
from resilience._core.base.event import EVENTS, Event
from resilience.cli import main
from resilience.telemetry import new_event_log, standard_logging
from resilience.telemetry.log_lines import line_of, read_line
from resilience.telemetry.repeats import Repeats
from resilience.testing import FakeClock, fresh_policies

LOG: Any = new_event_log("logging")


@pytest.fixture
def _own_configuration() -> Iterator[None]:
    """Restore the root logger and the configured policies."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    with fresh_policies():
        yield
    root.handlers[:] = before
    root.setLevel(level)


class JsonFormatter(logging.Formatter):
    """Writes each record as JSON with its extra fields, as python-json-logger does."""

    KNOWN = frozenset(vars(logging.makeLogRecord({})))

    def format(self, record: logging.LogRecord) -> str:
        """Return a line of JSON."""
        extra = {name: value for name, value in vars(record).items() if name not in self.KNOWN}
        return json.dumps({"level": record.levelname, "message": record.getMessage(), **self.placed(extra)})

    def placed(self, extra: dict[str, Any]) -> dict[str, Any]:
        """Return the extra fields where they belong."""
        return extra


class NestingFormatter(JsonFormatter):
    """Writes the extra fields below `extra`."""

    def placed(self, extra: dict[str, Any]) -> dict[str, Any]:
        """Return the extra fields below a name."""
        return {"extra": extra}


def fail(policies: Policies, error: Exception, *, operation: str = "price") -> None:
    """Make a call that fails."""

    def send() -> None:
        raise error

    with pytest.raises(type(error)):
        policies.resilient("p", operation=operation, idempotent=True)(send)()


def new_policies(log: Any = True) -> Policies:
    """Return policies with a policy `p` of two attempts."""
    return Policies.from_mapping({"policies": {"p": {"retry": {"max_attempts": 2}}}}, clock=FakeClock(), log=log)


@pytest.mark.usefixtures("_own_configuration")
@pytest.mark.parametrize("formatter", [JsonFormatter, NestingFormatter])
def test_a_json_formatter_gets_the_fields_and_replay_reads_them(
    formatter: type[logging.Formatter], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`dictConfig` decides where the lines go. A replay of them differs in nothing."""
    out = io.StringIO()
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"json": {"()": formatter}},
            "handlers": {"out": {"class": "logging.StreamHandler", "stream": out, "formatter": "json"}},
            "loggers": {"resilience": {"handlers": ["out"], "level": "INFO"}},
        }
    )
    fail(new_policies(), ConnectionRefusedError())
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    fields = [line.get("extra", line) for line in lines]
    assert [line["event"].removeprefix("resilience.") for line in fields] == ["attempt_failed"] * 2 + ["call_failed"]
    assert fields[-1]["attempts"] == 2
    log, changed = tmp_path / "log.jsonl", tmp_path / "new.yaml"
    log.write_text(out.getvalue())
    changed.write_text("policies: {p: {retry: {max_attempts: 2}}}")
    assert main(["replay", str(log), "--policies", str(changed), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    (call,) = answer["calls"]
    assert (call["recorded"]["outcome"], call["recorded"]["attempts"], call["different"]) == ("failed", 2, [])


def test_replay_says_where_a_log_has_no_attempts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A log of level warning has the ends of the calls alone."""
    log, changed = tmp_path / "log.jsonl", tmp_path / "new.yaml"
    log.write_text('{"event": "resilience.call_failed", "operation": "price", "call": "1", "policy": "default"}\n')
    changed.write_text("policies: {}")
    main(["replay", str(log), "--policies", str(changed)])
    assert "1 call without attempts: their lines are of level info" in capsys.readouterr().out


def test_lines_are_by_area(caplog: pytest.LogCaptureFixture) -> None:
    """A program can set a level for each."""
    caplog.set_level("DEBUG", logger="resilience")
    fields: dict[str, Any]
    for name, fields in (
        ("call_failed", {}), ("hold_started", {}), ("circuit_opened", {}), ("breaker_store_failed", {}),
        ("policy_reloaded", {}), ("attempt_failed", {"socket": "public"}),
    ):  # fmt: skip
        LOG(Event(name=name, **fields))
    LOG.dropped(print, ValueError())
    LOG.slow(print, 0.123456)
    LOG.raised("update", "bot.on_update", KeyError(), "Traceback:\n  line", 1)
    LOG.raised("update", "bot.on_update", KeyError(), times=10)
    areas = [(record.name.removeprefix("resilience."), record.levelname) for record in caplog.records]
    assert areas == [
        ("call", "WARNING"), ("call", "WARNING"), ("breaker", "WARNING"), ("breaker", "WARNING"), ("policy", "INFO"),
        ("stream", "INFO"), ("policy", "WARNING"), ("policy", "WARNING"), ("stream", "ERROR"), ("stream", "ERROR"),
    ]  # fmt: skip
    assert caplog.messages[-4:] == [
        "listener raised and was dropped: listener=print caused_by=ValueError",
        "listener is slow: duration=0.12 listener=print",
        "stream handler raised: handler=bot.on_update handler_of=update caused_by=KeyError\nTraceback:\n  line",
        "stream handler raised: times=10 handler=bot.on_update handler_of=update caused_by=KeyError",
    ]


def test_the_remedy_is_said_once_for_each_of_many_operations() -> None:
    """What repeats is remembered for more operations than a bot has."""
    repeats = Repeats()
    for round_ in range(2):
        for number in range(600):
            event = Event(name="call_failed", operation=f"op{number}", category="user_fixable", code="43012", at=1.0)
            assert repeats.times(event) == (1 if round_ == 0 else 0)


def test_a_filtered_event_is_not_wanted(caplog: pytest.LogCaptureFixture) -> None:
    """The level is asked before the event is made, which then costs next to nothing."""
    wanted = [LOG.wants_event(name, {}) for name in ("call_rejected", "attempt_failed", "call_failed", "write_unknown")]
    assert wanted == [False, False, True, True]
    assert not LOG.wants_event("code_unknown", {"call": "1"})
    assert not LOG.wants_event("call_failed", {"also": ("write_unknown",)})
    assert not LOG.wants_event("write_unknown", {"inner": True})
    caplog.set_level("CRITICAL", logger="resilience")
    assert not LOG.wants_event("write_unknown", {})


def test_the_first_line_is_not_reported_as_slow(caplog: pytest.LogCaptureFixture) -> None:
    """It may have loaded structlog. A later one was slow because of the program's own handler."""
    log: Any = new_event_log("logging")
    log(Event(name="call_failed"))
    assert log.slow(log, 0.5) is False
    log(Event(name="call_failed"))
    assert log.slow(log, 0.5) is True
    assert caplog.messages[-1] == "listener is slow: duration=0.5 listener=EventLog"


def test_numbers_are_rounded(caplog: pytest.LogCaptureFixture) -> None:
    """To what a person reads; instants to milliseconds."""
    LOG(Event(name="call_failed", duration=0.312345, wait_for=0.1, retry_after=0.012345, at=1.23456, waited_so_far=0.0))
    (record,) = caplog.records
    fields = [getattr(record, name) for name in ("duration", "wait_for", "retry_after", "at", "waited_so_far")]
    assert fields == [0.31, 0.1, 0.012, 1.235, 0.0]
    assert record.getMessage() == "call failed: wait_for=0.1 duration=0.31 retry_after=0.012"


@pytest.mark.parametrize("text", ["\x1b[2J", "\a", "\x9b31m", "a\u202eb", "1\n2", "1\r2", "\u2028"])
def test_nothing_that_a_server_chose_reaches_a_terminal(text: str, caplog: pytest.LogCaptureFixture) -> None:
    """Not in the message, and not in the fields."""
    LOG(Event(name="call_failed", code=text, remedy=f"see {text}", path=f"/{text}"))
    (record,) = caplog.records
    for shown in (record.getMessage(), record.code, record.remedy, record.path):  # type: ignore[attr-defined]
        assert shown.isprintable()


def test_no_secret_is_in_a_line(caplog: pytest.LogCaptureFixture) -> None:
    """The redactor has seen each text."""
    LOG(Event(name="call_failed", operation="GET https://x/?sign=abc", remedy="Bearer abcdef"))
    LOG(Event(name="policy_rejected", problems=({"message": "token=abcdef", "apiKey": "abcdef"},)))
    output = caplog.text + repr([vars(record) for record in caplog.records])
    assert "abc" not in output.replace("_abc", "")
    assert "[redacted]" in output


@pytest.mark.parametrize("name", EVENTS)
def test_each_event_has_words(name: str) -> None:
    """Its line begins with them, and `explain` knows the event by them."""
    line = line_of(name, {"operation": "place_order", "code": "43012", "remedy": 'it\'s "full": wait'})
    assert "_" not in line.partition(":")[0]
    read = read_line(f"2026-01-01 WARNING resilience.call: {line}")
    assert read is not None
    assert (read["event"], read["operation"], read["code"]) == (name, "place_order", "43012")


@pytest.mark.parametrize("text", ["", "call failed", "no line", "the call failed: x\ny"])
def test_other_text_is_no_line(text: str) -> None:
    """It has no words of ours with a colon, or is more than a line."""
    assert read_line(text) is None


def test_a_line_shows_lists_by_their_length() -> None:
    """What a reload changed, and why a file was rejected, is in the record."""
    assert line_of("policy_reloaded", {"source": "bot.yaml", "changes": [{"path": "p.retry"}, {"path": "q"}]}) == (
        "policy file reloaded: source=bot.yaml changes='2 (p.retry)'"
    )
    assert line_of("policy_rejected", {"problems": [{"message": "bad"}]}) == "policy file rejected: problems='1 (bad)'"
    assert line_of("policy_reloaded", {"changes": []}) == "policy file reloaded: "


def test_structlog_is_followed_where_it_is_configured(caplog: pytest.LogCaptureFixture) -> None:
    """From the next line on, whenever the program does it."""
    policies = new_policies()
    fail(policies, ConnectionRefusedError())
    with structlog.testing.capture_logs() as lines:
        fail(policies, ConnectionRefusedError())
    assert [record.event for record in caplog.records] == ["resilience.call_failed"]  # type: ignore[attr-defined]
    assert [line["event"] for line in lines][-1] == "resilience.call_failed"


def test_logging_alone(caplog: pytest.LogCaptureFixture) -> None:
    """A program that uses structlog for itself may have our lines in `logging`."""
    with structlog.testing.capture_logs() as lines:
        fail(new_policies("logging"), ConnectionRefusedError())
    assert (len(caplog.records), lines) == (1, [])


def test_structlog_alone(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a configuration of it, warnings and errors go to stderr, as before version 0.3."""
    fail(new_policies("structlog"), ConnectionRefusedError())
    assert caplog.records == []
    assert capsys.readouterr().err.count("resilience.call_failed") == 1


@pytest.mark.parametrize(
    ("make", "is_file"),
    [
        (Policies.builtin, None), (Policies.from_mapping, False), (Policies.load, True),
        (configure, False), (configure, True),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("_own_configuration")
def test_each_way_to_policies_takes_a_log(
    make: Callable[..., Policies], is_file: bool | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A wrong value is an error that says what is allowed."""
    file = tmp_path / "bot.yaml"
    file.write_text("policies: {}")
    source = () if is_file is None else (file,) if is_file else ({"policies": {}},)
    with pytest.raises(ValueError, match="log takes True, False, 'logging' or 'structlog', not 'loguru'"):
        make(*source, log="loguru")
    with pytest.raises(TypeError, match="log takes True, False, 'logging' or 'structlog', not a int"):
        make(*source, log=1)
    for log, count in ((False, 0), ("logging", 1)):
        caplog.clear()
        with pytest.raises(ApiError):
            make(*source, log=log).pipeline().call(lambda: (_ for _ in ()).throw(ApiError("1")))
        assert len(caplog.records) == count


@pytest.mark.usefixtures("_own_configuration")
def test_policies_have_their_log_already() -> None:
    """`configure` cannot give them another one."""
    policies = new_policies()
    assert configure(policies) is policies
    with pytest.raises(TypeError, match="these Policies have their log already"):
        configure(policies, log=False)


def test_the_last_resort_of_logging_shows_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A program that configures nothing sees warnings on stderr, one line each."""
    root = logging.getLogger()
    before, root.handlers[:] = list(root.handlers), []
    try:
        fail(new_policies(), ConnectionRefusedError())
    finally:
        root.handlers[:] = before
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("call failed: price code=connection_refused")
    assert shown.err.count("\n") == 1


def test_many_kinds_of_repetitions_are_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """What is counted is forgotten where there are too many kinds, and a quiet minute begins anew."""
    caplog.set_level("DEBUG", logger="resilience")
    log: Any = new_event_log("logging")
    for number in range(2000):
        log(Event(name="call_rejected", operation=str(number), at=1.0))
    assert len(log._repeats._kinds) <= 1_024
    caplog.clear()
    for at in (1.0, 2.0, 63.0, 64.0):
        log(Event(name="call_rejected", operation="poll", at=at))
    assert [record.at for record in caplog.records] == [1.0, 63.0]  # type: ignore[attr-defined]


def test_a_stream_that_keeps_failing_is_a_warning_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    """It has no last attempt that would end it. Frames that cannot be read are counted."""
    log: Any = new_event_log("logging")
    for attempt in range(1, 25):
        log(Event(name="attempt_failed", socket="public", attempt=attempt, wait_for=1.0))
    assert [(record.levelname, record.attempt) for record in caplog.records] == [("WARNING", 10)]  # type: ignore[attr-defined]
    caplog.clear()
    caplog.set_level("DEBUG", logger="resilience")
    for _ in range(500):
        log(Event(name="attempt_failed", socket="public", attempt=0, code="malformed_frame"))
        log(Event(name="budget_exhausted", socket="public", caused_by="OSError"))
    assert [(getattr(record, "times", 1), record.levelname) for record in caplog.records] == [
        (times, level) for times in (1, 10, 100) for level in ("INFO", "WARNING")
    ]


class NumberedLogger(logging.Logger):
    """Numbers its lines, as a class of a program may do."""

    lines = 0

    def _log(self, level: int, msg: object, *args: Any, **kwargs: Any) -> None:
        self.lines += 1
        super()._log(level, f"{self.lines}. {msg}", *args, **kwargs)


class TaggedLogger(logging.Logger):
    """Tags its lines in the method that a program calls."""

    def log(self, level: int, msg: object, *args: Any, **kwargs: Any) -> None:
        """Log a line with the tag."""
        super().log(level, f"bot-1 {msg}", *args, **kwargs)


def test_a_logger_class_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines pass through the methods of the program's own logger class; without one, a record has the same fields."""
    stream = io.StringIO()
    event = Event(name="call_failed", policy="p", operation="price", attempts=2)
    for kind in (NumberedLogger, TaggedLogger, logging.Logger):
        logger = kind("resilience.call")
        handler = logging.StreamHandler(stream)
        handler.setFormatter(logging.Formatter("%(name)s %(levelname)s %(event)s %(message)s"))
        logger.addHandler(handler)
        monkeypatch.setitem(standard_logging._LOGGERS, "call", logger)
        LOG(event)
    numbered, tagged, plain = stream.getvalue().splitlines()
    place = "resilience.call WARNING resilience.call_failed"
    assert numbered == f"{place} 1. call failed: price attempts=2 policy=p"
    assert tagged == f"{place} bot-1 call failed: price attempts=2 policy=p"
    assert plain == f"{place} call failed: price attempts=2 policy=p"


def test_no_field_has_the_name_of_an_attribute_of_a_record() -> None:
    """The fields of a line are attributes of its record beside those of `logging`, and hide none of them."""
    own = {*vars(logging.makeLogRecord({})), "message", "asctime"}
    ours = {field.name for field in fields(Event)} - {"name"}
    assert own.isdisjoint(ours | {"event", "handler", "handler_of", "listener", "exception", "times", "caused_by"})
