"""What `describe` says of policies and operations, in words, as a diagram and as data."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from resilience import Policies
from resilience.cli import main

FILE = """
version: 1
codes: [bitget, http]
policies:
  read:
    extends: default
    deadline: 20s
    attempt_timeout: 5s
    retry: {max_attempts: 8, backoff: {initial: 1s, factor: 2, max: 4s, jitter: none}}
    quota: [{rate: 10/s, burst: 10, key: account}]
    admission: {max_concurrent: 50, max_queue: 100}
    breaker: {key: host, consecutive: 5, slow_rate: 50%, slow_after: 2s}
    hedge: {delay: 300ms}
    fallback: {stale_for: 30s}
  trade: {extends: read, hedge: off, fallback: off, retry: {max_attempts: 2}, deadline: 90s}
operations:
  - {match: "fetch_*", policy: read, idempotent: true, lane: quick}
  - {match: create_order, policy: trade, key: clientOrderId}
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A policy file in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RESILIENCE_POLICIES", raising=False)
    path = tmp_path / "bot.yaml"
    path.write_text(FILE)
    return path


def describe_json(capsys: pytest.CaptureFixture[str], *words: object) -> list[dict[str, Any]]:
    """Run `describe --json` and return what it describes."""
    assert main(["describe", "--json", *map(str, words)]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["described"]
    return found


def test_everything_of_a_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its own policies first, then its operations; the built-in ones alone where there is no file."""
    names = [(one["policy"], one["operation"]) for one in describe_json(capsys, file)]
    assert names == [("read", None), ("trade", None), ("read", "fetch_*"), ("trade", "create_order")]
    assert {one["policy"] for one in describe_json(capsys)} >= {"default", "http", "bitget", "ccxt"}


def test_an_operation_gets_what_its_entry_says(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An operation has the policy, key, lane, idempotency, breaker key, quotas and fence of its entry."""
    (read,) = describe_json(capsys, file, "--operation", "fetch_ticker")
    assert (read["policy"], read["matched"], read["idempotent"], read["lane"]) == ("read", "fetch_*", True, "quick")
    assert read["breaker"]["keyed_by"] == "host"
    assert read["quota"][0]["burst"] == 10
    (write,) = describe_json(capsys, file, "--operation", "create_order")
    assert (write["policy"], write["key"], write["reconcile"]["fence"]) == ("trade", "clientOrderId", 65.0)
    (other,) = describe_json(capsys, file, "--operation", "nobody")
    assert (other["policy"], other["matched"]) == ("default", None)


def test_the_timeline_ends_at_the_deadline(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Attempts of 5 s and waits of 1, 2, 4 s in 20 s: three fit at their longest, more only where they were quick."""
    (read,) = describe_json(capsys, file, "--policy", "read", "--operation", "x")
    rows = [(one["begins"]["earliest"], one["begins"]["latest"], one["ends_by"]) for one in read["timeline"]]
    assert rows[:4] == [(0.0, 0.0, 5.0), (1.0, 6.0, 11.0), (3.0, 13.0, 18.0), (7.0, 20.0, 20.0)]
    assert [one["always_fits"] for one in read["timeline"][:4]] == [True, True, True, False]
    assert len(read["timeline"]) == 7  # the eighth would begin after 23 s even if all others failed at once


def test_words_for_people(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each section has its sentence, with units."""
    assert main(["describe", str(file), "--operation", "fetch_ticker"]) == 0
    shown = capsys.readouterr().out
    for words in (
        'Operation fetch_ticker: policy read, matched by "fetch_*"',
        "The whole call, waits included, may take 20s.",
        "It is idempotent: it may be sent twice.",
        "A circuit breaker per host opens when 5 attempts failed in a row or when 80% of at least 20",
        "longer than 2s",
        "At most 10 attempts are sent per 1s",
        "8 attempts in all",
        "the last good answer, if it is not older than 30s",
        "3 are made and the last one ends after 18s",
        "20s (only if earlier attempts were quick)",
    ):
        assert words in shown


_NODE = re.compile(r'(\w+)(?:\[".*"\]|\{".*"\}|\(\[".*"\]\))')
_EDGE = re.compile(r'(\w+) -->(?:\|"[^"|]*"\|)? (\w+)')


@pytest.mark.parametrize(
    "words", [["--operation", "fetch_x"], ["--operation", "create_order"], [], ["--policy", "trade"]]
)
def test_the_diagram_is_a_flowchart(words: list[str], file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every line is a node, an arrow between nodes that are there, or a part; no label breaks out of its quotes."""
    assert main(["describe", str(file), *words, "--format", "mermaid"]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == "flowchart TD"
    nodes, arrows, depth = set(), [], 0
    for line in map(str.strip, lines):
        if node := _NODE.fullmatch(line):
            assert line.count('"') == 2
            nodes.add(node[1])
        elif arrow := _EDGE.fullmatch(line):
            arrows.append((arrow[1], arrow[2]))
        else:
            assert re.fullmatch(r'subgraph \w+\["[^"]+"\]|end', line), line
            depth += 1 if line != "end" else -1
    assert depth == 0
    assert {name for arrow in arrows for name in arrow} == nodes
    assert not nodes & {"end", "call", "graph", "class", "style", "click", "subgraph"}


def test_hostile_names_stay_labels(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Quotes, brackets and control characters of an operation's name do not end a label; no secret is printed."""
    odd = 'x"]; click a "javascript:alert()"\n<b>&'
    assert main(["describe", str(file), "--operation", odd, "--format", "mermaid"]) == 0
    node = capsys.readouterr().out.splitlines()[1].strip()
    assert _NODE.fullmatch(node)
    assert node.count('"') == 2
    for style in ("text", "mermaid", "json"):
        main(["describe", str(file), "--operation", "get https://x/?signature=S3cr3tValue", "--format", style])
        assert "S3cr3tValue" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["bot.yaml", "--policy", "raed"], 2, "no policy 'raed'; did you mean read?"),
        (["none.yaml"], 2, "none.yaml: cannot be read"),
        (["bad.yaml"], 1, "bad.yaml:1:16: policies.p.dead: unknown key"),
        (["empty.yaml"], 1, "the file is empty"),
        (["bot.yaml", "--format", "svg"], 2, "invalid choice"),
        (["."], 2, "cannot be read"),
    ],
)
def test_wrong_input(file: Path, words: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line says what is wrong, with the right exit code."""
    Path("bad.yaml").write_text("policies: {p: {dead: 1}}")
    Path("empty.yaml").write_text("")
    assert main(["describe", *words]) == code
    assert message in capsys.readouterr().err


def test_the_method_has_the_same(file: Path) -> None:
    """`Pipeline.describe` returns the timeline too."""
    assert Policies.load(file).pipeline("read").describe()["timeline"][0]["ends_by"] == 5.0
