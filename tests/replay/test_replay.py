"""A log that was really written, through the same policies and through others."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from resilience import NOT_FOUND, Found, Policies, failure_of
from resilience.cli import main
from resilience.replay.log_reader import read_log
from resilience.telemetry.structlog import StructlogListener
from resilience.testing import FakeClock

BUSY = {"code": "429", "msg": "Too Many Requests", "requestTime": 1695808949356}
NEW = {"code": "98765432", "msg": "a code of tomorrow"}
GOOD = {"code": "00000"}


class RecordedBot:
    """A bot whose log is kept as structlog writes it."""

    def __init__(self, **policies: Any) -> None:
        self.clock = FakeClock()
        self.out = io.StringIO()
        logger = structlog.wrap_logger(
            structlog.PrintLogger(self.out),
            processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer()],
        )
        self.policies = Policies.from_mapping({"policies": policies}, clock=self.clock)
        self.policies.subscribe(StructlogListener(logger))

    def call(self, steps: Iterable[Any], policy: str = "bitget", took: float = 0.25, **options: Any) -> None:
        """Make a call whose attempts end so."""
        script = iter(steps)

        def send() -> Any:
            self.clock.advance(took)
            step = next(script)
            if isinstance(step, BaseException):
                raise step
            return step

        options.setdefault("operation", "place_order")
        try:
            self.policies.resilient(policy, **options)(send)()
        except Exception:
            pass
        self.clock.advance(1.0)

    def write(self, path: Path, *more: str) -> Path:
        """Write the log, and lines of others."""
        path.write_text("".join(f"{line}\n" for line in (*self.out.getvalue().splitlines(), *more)))
        return path


@pytest.fixture
def replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Replay the log of a bot under a policy file and return the JSON."""

    def run(bot: RecordedBot, policies: str, *words: str, code: int = 0) -> Any:
        (tmp_path / "new.yaml").write_text(policies)
        path = bot.write(tmp_path / "incident.jsonl")
        capsys.readouterr()  # the bot's own log lines
        assert main(["replay", str(path), "--policies", str(tmp_path / "new.yaml"), "--json", *words]) == code
        return json.loads(capsys.readouterr().out)

    return run


SAME = "version: 1\npolicies: {}\n"


def test_the_same_policies_differ_in_nothing(replayed: Callable[..., Any]) -> None:
    """Real code replays real lines: waits, holds, categories, outcomes and attempts are those of the log."""
    bot = RecordedBot()
    for _ in range(5):
        bot.call([BUSY, BUSY, GOOD])
    bot.call([BUSY] * 8)
    bot.call([NEW])
    bot.call([{"code": "43012", "msg": "poor"}])
    bot.call([ConnectionRefusedError(), TimeoutError(), 1], "default", idempotent=True, operation="fetch")
    bot.call([TimeoutError()], "default", operation="send")
    answer = replayed(bot, SAME)
    assert [one["different"] for one in answer["calls"]] == [[]] * 10
    assert answer["summary"]["outcomes"]["recorded"] == answer["summary"]["outcomes"]["replayed"]
    assert answer["summary"]["attempts"]["recorded"] == 15 + 8 + 1 + 1 + 3 + 1
    assert answer["cannot_tell"]


def test_fewer_attempts_and_other_waits(replayed: Callable[..., Any]) -> None:
    """A call that recovered at its third attempt fails when there are two."""
    bot = RecordedBot()
    bot.call([ConnectionRefusedError(), ConnectionRefusedError(), 1], "default")
    answer = replayed(bot, "policies: {default: {retry: {max_attempts: 2, backoff: {initial: 2s, jitter: none}}}}")
    (call,) = answer["calls"]
    assert set(call["different"]) == {"attempts", "outcome", "waited"}
    assert (call["recorded"]["attempts"], call["replayed"]["attempts"]) == (3, 2)
    assert (call["replayed"]["waited"], call["replayed"]["outcome"]) == (2.0, "failed")


def test_a_deadline_and_a_limit_cut(replayed: Callable[..., Any]) -> None:
    """An attempt that took longer than the changed limit is cut at it, and a write in doubt is not sent again."""
    bot = RecordedBot()
    bot.call([ConnectionRefusedError(), 1], "default", took=3.0)
    answer = replayed(bot, "policies: {default: {attempt_timeout: 1s}}")
    (call,) = answer["calls"]
    assert (call["replayed"]["attempts"], call["replayed"]["executed"]) == (1, "maybe")
    assert call["replayed"]["failures"][0]["code"] == "timeout"


def test_an_attempt_that_was_never_made_is_not_made_up(replayed: Callable[..., Any]) -> None:
    """The log cannot say how it would have ended, and the replay does not guess."""
    bot = RecordedBot()
    bot.call([TimeoutError()], "default", operation="send")
    rule = "operations: [{match: send, policy: default, idempotent: true}]"
    (call,) = replayed(bot, f"version: 1\n{rule}\n")["calls"]
    assert (call["replayed"]["attempts"], call["replayed"]["outcome"]) == (2, "not recorded")


def test_codes_newly_known(replayed: Callable[..., Any], tmp_path: Path) -> None:
    """A table of the changed policies explains a code that was unknown."""
    bot = RecordedBot()
    for _ in range(3):
        bot.call([NEW])
    row = 'rules: [{code: "98765432", category: user_fixable, executed: no}]\n'
    (tmp_path / "mine.yaml").write_text(f'envelope: {{code: code, success: ["00000"]}}\n{row}')
    answer = replayed(bot, "policies: {bitget: {extends: bitget, codes: [mine.yaml, bitget, http]}}")
    known = {"code": "98765432", "registry": "mine", "category": "user_fixable", "attempts": 3}
    assert answer["summary"]["newly_known"] == [known]
    assert answer["summary"]["categories"][0]["replayed"] == "user_fixable"
    assert answer["summary"]["different"] == 3


def test_rejections_are_judged_when_the_traffic_is_known(replayed: Callable[..., Any]) -> None:
    """A breaker depends on all calls: without a rate it is switched off; with one it opens, or does not.

    The log has one line for the four rejections: the first is written, and the next would be the tenth.
    """
    rules = {"breaker": {"failure_rate": "50%", "min_calls": 4, "open_for": "1m", "open_max": "1m"}, "retry": None}
    bot = RecordedBot(p=rules)
    for _ in range(8):
        bot.call([ConnectionRefusedError()], "p", idempotent=True)
    file = "policies: {p: {breaker: {failure_rate: 50%, min_calls: 4, open_for: 1m, open_max: 1m}}}"
    answer = replayed(bot, file)
    assert (answer["summary"]["calls"], answer["summary"]["judged"]) == (5, 4)
    storm = replayed(bot, file, "--successes", "0/s")
    assert storm["summary"]["outcomes"]["replayed"] == {"failed": 4, "refused": 1}
    assert storm["summary"]["different"] == 0
    calm = replayed(bot, file, "--successes", "50/s")
    assert calm["summary"]["outcomes"]["replayed"] == {"failed": 4, "not recorded": 1}


def test_a_write_that_was_looked_up(replayed: Callable[..., Any]) -> None:
    """A lookup that found the write in the log finds it in the replay."""
    bot = RecordedBot()
    answers = iter([NOT_FOUND, Found("order")])
    bot.call([TimeoutError()], "default", reconcile=lambda _call: next(answers))
    (call,) = replayed(bot, SAME)["calls"]
    assert (call["recorded"]["outcome"], call["replayed"]["outcome"]) == ("reconciled", "reconciled")


def test_calls_that_overlap_are_distinguished(replayed: Callable[..., Any]) -> None:
    """Interleaved lines of one operation are distinguished by the identifier of the call."""
    bot = RecordedBot()

    async def fail(_number: int) -> None:
        await asyncio.sleep(0)
        raise ConnectionRefusedError

    async def run() -> None:
        call = bot.policies.resilient("default", operation="fetch", idempotent=True)(fail)
        await asyncio.gather(*(call(number) for number in range(5)), return_exceptions=True)

    asyncio.run(run())
    answer = replayed(bot, SAME)
    assert answer["log"]["told_apart_by_operation"] == 0
    assert [one["recorded"]["attempts"] for one in answer["calls"]] == [3] * 5


def test_older_logs_without_call_names_and_times(replayed: Callable[..., Any]) -> None:
    """Calls are distinguished by policy, operation and key, and their number is reported."""
    bot = RecordedBot()
    bot.call([BUSY, GOOD])
    bot.call([ConnectionRefusedError()] * 3, "default", operation="fetch", idempotent=True)
    lines = [json.loads(line) for line in bot.out.getvalue().splitlines()]
    for line in lines:
        for name in ("call", "at", "duration", "registry", "retry_safety"):
            line.pop(name, None)
    bot.out = io.StringIO("".join(json.dumps(line) + "\n" for line in lines))
    answer = replayed(bot, SAME)
    assert answer["log"]["told_apart_by_operation"] == 2
    assert [one["recorded"]["attempts"] for one in answer["calls"]] == [2, 3]


LOGS = Path(__file__).parents[1] / "data" / "replay"
LOGGED_POLICIES = """
policies:
  steady:
    {extends: bitget, budget: off, breaker: off, retry: {max_attempts: %s, backoff: {initial: 500ms, jitter: none}}}
  with_fallback: {extends: steady}
  hedged: {extends: steady}
"""


@pytest.mark.parametrize(("attempts", "different"), [(3, 1), (2, 4)])
def test_a_log_of_0_1_is_replayed_as_one_of_today(
    attempts: int, different: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same incident, logged by both versions. 0.1 wrote `took`, `safety`, `retry_scheduled` and old event names."""
    (tmp_path / "new.yaml").write_text(LOGGED_POLICIES % attempts)
    answers = []
    for name in ("log_of_0_1", "log_of_today"):
        assert main(["replay", str(LOGS / f"{name}.jsonl"), "--policies", str(tmp_path / "new.yaml"), "--json"]) == 0
        answers.append(json.loads(capsys.readouterr().out))
    old, new = answers
    assert (old["log"]["events"], new["log"]["events"]) == (33, 25)
    assert old["calls"] == new["calls"]
    assert old["summary"] == new["summary"]
    assert (len(old["calls"]), old["summary"]["different"]) == (8, different)
    assert {call["retry_safety"] for call in old["calls"]} == {"write", "idempotent", "reconciled"}


def test_the_table_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The output counts lines of other programs, and has the differences, the sums, and what a log cannot tell."""
    bot = RecordedBot()
    bot.call([ConnectionRefusedError(), 1], "default")
    path = bot.write(tmp_path / "log", "plain text", '{"event": "order placed"}', "[1]", "{" * 100_000)
    (tmp_path / "new.yaml").write_text("policies: {default: {retry: off}}")
    assert main(["replay", str(path), "--policies", str(tmp_path / "new.yaml")]) == 0
    shown = capsys.readouterr().out
    assert "6 lines, 2 of resilience (skipped: 2 of other programs, 2 not JSON); 1 call\n" in shown
    assert "2 → 1" in shown
    assert "recovered → failed" in shown
    assert "What a log cannot tell:" in shown


def test_a_policy_that_the_changed_file_has_not(replayed: Callable[..., Any]) -> None:
    """Its calls are not judged, and it is named."""
    bot = RecordedBot(mine={"retry": None})
    bot.call([ConnectionRefusedError()], "mine")
    answer = replayed(bot, SAME)
    assert answer["summary"]["no_such_policy"] == ["mine"]
    assert answer["calls"][0]["replayed"] is None


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["none.jsonl"], 2, "none.jsonl: no such file"),
        (["log", "--policies", "none.yaml"], 2, "none.yaml: cannot be read"),
        (["log", "--policies", "bad.yaml"], 1, "bad.yaml:1:16"),
        (["log", "--successes", "many"], 2, "expected a rate such as 50/s"),
        (["log"], 1, "nothing to replay"),
    ],
)
def test_wrong_input(
    words: list[str],
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One line says what is wrong, with the right exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RESILIENCE_POLICIES", raising=False)
    Path("log").write_bytes(b"\xff\xfe no log\n")
    Path("bad.yaml").write_text("policies: {p: {dead: 1}}")
    assert main(["replay", *words]) == code
    result = capsys.readouterr()
    assert message in result.out + result.err


def test_standard_input_and_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dash reads a pipe; a secret in a log is not printed."""
    line = {"event": "resilience.attempt_failed", "operation": "get https://x/?signature=S3cr3tValue", "attempt": 1}
    for words in (["--json"], ["--all"]):
        monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(line) + "\n"))
        assert main(["replay", "-", *words]) == 0
        shown = capsys.readouterr().out
        assert "S3cr3tValue" not in shown
        assert "https://x/" in shown


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_FIELDS = ("attempt", "call", "at", "timestamp", "took", "wait_for", "code", "http_status", "caused_by", "operation")
_FIELDS += (
    "policy",
    "registry",
    "safety",
    "retry_safety",
    "duration",
    "executed",
    "retry_after",
    "key",
    "category",
    "waited_so_far",
)
_EVENTS = st.sampled_from(["attempt_failed", "retry_scheduled", "call_failed", "call_recovered", "call_rejected", "x"])


@given(st.lists(st.tuples(_EVENTS, st.dictionaries(st.sampled_from(_FIELDS), _VALUES)), max_size=6), st.text())
def test_no_line_makes_it_fail(lines: list[tuple[str, dict[str, Any]]], odd: str) -> None:
    """Any value in any field, and any text: calls come out or nothing does."""
    from resilience.config.loading.builtin_policies import builtin
    from resilience.replay.comparison import compare_calls
    from resilience.replay.rerun import replay

    result = [json.dumps({**fields, "event": f"resilience.{name}"}) for name, fields in lines]
    log = read_log([*result, odd])
    answer = compare_calls(log, replay(log.calls, builtin()))
    json.dumps(answer)
    assert log.lines <= len(lines) + 1


@pytest.mark.parametrize(
    ("path", "executed"), [("/api/v3/order/cancelReplace", "maybe"), ("/fapi/v1/order", "no"), (None, "maybe")]
)
def test_a_code_means_what_it_means_where_the_request_went(path: str | None, executed: str) -> None:
    """Binance's -2021 is half a replacement on spot and a refused trigger on futures; else the careful one counts."""
    line = {
        "event": "resilience.attempt_failed",
        "call": "1",
        "attempt": 1,
        "policy": "p",
        "operation": "o",
        "code": "-2021",
    }
    line |= {"registry": "binance", "host": "api.binance.com", "path": path, "category": "user_fixable"}
    (call,) = read_log([json.dumps(line)]).calls
    (attempt,) = call.attempts
    assert failure_of(attempt.error()).executed == executed
