"""`resilience simulate`: its output, its report, and its errors."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from resilience.cli import main
from resilience.simulate.parallel_runs import run_jobs

TINY = """\
title: Five seconds of failures
clients: 2
rate: 10/s
capacity: 40/s
incidents: [{start: 2s, end: 7s, kind: error, share: 50%}]
lasts: 15s
"""
POLICIES = """\
version: 1
policies:
  careful: {extends: default, attempt_timeout: 2s}
  eager: {deadline: 30s, retry: {max_attempts: 5}}
"""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a policy file and a small scenario, in which the command runs."""
    (tmp_path / "bot.yaml").write_text(POLICIES, encoding="utf-8")
    (tmp_path / "tiny.yaml").write_text(TINY, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_simulate(words: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> str:
    """Run the command and return what it printed, after a look at its exit code."""
    assert main(["simulate", *words]) == code
    return capsys.readouterr().out


@pytest.mark.usefixtures("files")
def test_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """All policies of the file and none at all, a line each; then a verdict for each policy."""
    lines = run_simulate(["bot.yaml", "--scenario", "tiny.yaml"], capsys).splitlines()
    assert lines[0] == "Five seconds of failures (seed 1)"
    assert [line.split("  ")[0] for line in lines[2:5]] == ["careful", "eager", "no policy"]
    assert [line.split(":")[0] for line in lines[6:]] == ["careful", "eager"]
    assert "% of the requests succeeded during the incident" in lines[6]


@pytest.mark.usefixtures("files")
def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    """The figures and what happened over time, for programs; the same seed gives the same."""
    words = ["bot.yaml", "--scenario", "tiny.yaml", "--policy", "eager", "--policy", "http", "--seed", "7", "--json"]
    result: dict[str, Any] = json.loads(run_simulate(words, capsys))
    assert [one["policy"] for one in result["policies"]] == ["eager", "http"]
    assert (result["seed"], result["scenario"]["clients"], result["baseline"]["policy"]) == (7, 2, "no policy")
    figures = result["policies"][0]
    assert figures["attempts_per_request"] > 1.2
    assert set(figures["incident"]) == {"offered", "attempts_per_request", "success", "good"}
    assert [incident["kind"] for incident in result["scenario"]["incidents"]] == ["error"]
    assert result["bare"] == result["baseline"]  # the name of 0.1
    assert {"trouble", "troubles", "attempts_a_request", "refused"}.isdisjoint([*result, *result["scenario"], *figures])
    assert json.loads(run_simulate(words, capsys)) == result


@pytest.mark.usefixtures("files")
def test_files_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    """Policies of several files get its name as a prefix; `--no-baseline` leaves out the run without a policy."""
    Path("other.yaml").write_text("policies: {careful: {extends: default}}\n", encoding="utf-8")
    words = ["bot.yaml", "other.yaml", "--policy", "careful", "--scenario", "tiny.yaml", "--no-baseline", "--json"]
    result = json.loads(run_simulate(words, capsys))
    assert [(one["policy"], one["file"]) for one in result["policies"]] == [
        ("bot: careful", "bot.yaml"),
        ("other: careful", "other.yaml"),
    ]
    assert result["baseline"] is None


@pytest.mark.usefixtures("files")
def test_the_old_name_of_no_baseline(capsys: pytest.CaptureFixture[str]) -> None:
    """`--no-bare` of version 0.1 does the same, is hidden from the help, and names the new option on standard error."""
    assert main(["simulate", "--scenario", "tiny.yaml", "--no-bare", "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["baseline"] is None
    assert shown.err == "resilience simulate: --no-bare is now called --no-baseline\n"
    assert main(["simulate", "--help"]) == 0
    assert "--no-bare" not in capsys.readouterr().out


@pytest.mark.usefixtures("files")
def test_the_old_key_of_incidents(capsys: pytest.CaptureFixture[str]) -> None:
    """A scenario file with `troubles` gives the same figures, and a warning with its position on standard error."""
    words = ["--scenario", "tiny.yaml", "--no-baseline", "--json"]
    assert main(["simulate", *words]) == 0
    new = capsys.readouterr()
    Path("tiny.yaml").write_text(TINY.replace("incidents", "troubles"), encoding="utf-8")
    assert main(["simulate", *words]) == 0
    old = capsys.readouterr()
    assert json.loads(old.out) == json.loads(new.out)
    assert new.err == ""
    assert old.err == "tiny.yaml:5:1: troubles: warning: troubles is the old spelling of incidents\n"


@pytest.mark.usefixtures("files")
def test_the_operation_chooses_the_policy(capsys: pytest.CaptureFixture[str]) -> None:
    """Where the scenario names its requests, the file's operations say which policy is theirs."""
    with Path("bot.yaml").open("a", encoding="utf-8") as file:
        file.write('operations: [{match: "fetch_*", policy: eager}]\n')
    with Path("tiny.yaml").open("a", encoding="utf-8") as file:
        file.write("operation: fetch_ticker\n")
    result = json.loads(run_simulate(["bot.yaml", "--scenario", "tiny.yaml", "--json"], capsys))
    assert [one["policy"] for one in result["policies"]] == ["eager"]


@pytest.mark.usefixtures("files")
def test_a_report(capsys: pytest.CaptureFixture[str]) -> None:
    """One file, which asks nothing of any other."""
    assert "report: out.html" in run_simulate(["--scenario", "tiny.yaml", "--report", "out.html"], capsys)
    page = Path("out.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "<title>Five seconds of failures – resilience simulate</title>" in page
    for outside in ("http://", "https://", "<script", "@import", "url("):
        assert outside not in page


@pytest.mark.usefixtures("files")
def test_a_title_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    """Text of the user is escaped in the page."""
    text = TINY.replace("Five seconds of failures", "\"<img src=x onerror=alert(1)> & 'co'\"")
    Path("tiny.yaml").write_text(text, encoding="utf-8")
    run_simulate(["--scenario", "tiny.yaml", "--report", "out.html"], capsys)
    page = Path("out.html").read_text(encoding="utf-8")
    assert "<img" not in page
    assert "&lt;img src=x" in page


@pytest.mark.usefixtures("files")
def test_scaled(capsys: pytest.CaptureFixture[str]) -> None:
    """A share of the clients meets the same share of the service."""
    words = ["--scenario", "brownout", "--scale", "5%", "--no-baseline", "--json"]
    result = json.loads(run_simulate(words, capsys))["scenario"]
    assert (result["clients"], result["capacity"]) == (2, 30.0)


@pytest.mark.parametrize(("share", "clients"), [("200%", 4), ("0.5", 1), ("1", 2), ("50%", 1)])
@pytest.mark.usefixtures("files")
def test_a_scale_that_can_be_read(share: str, clients: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A share in per cent may exceed 100 %; one without a sign is read if it can mean one thing only."""
    words = ["--scenario", "tiny.yaml", "--scale", share, "--no-baseline", "--json"]
    assert main(["simulate", *words]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["scenario"]["clients"] == clients
    assert shown.err == ""


@pytest.mark.usefixtures("files")
def test_a_scale_that_is_rounded(capsys: pytest.CaptureFixture[str]) -> None:
    """There is no third of a client: what is simulated instead is said on standard error."""
    assert main(["simulate", "--scenario", "tiny.yaml", "--scale", "33%", "--no-baseline", "--json"]) == 0
    expected = "resilience simulate: --scale: 33% of 2 clients is no whole number: 1 simulated\n"
    assert capsys.readouterr().err == expected


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    """The shipped scenarios, a line each."""
    lines = run_simulate(["--list"], capsys).splitlines()
    assert lines[0].split() == ["scenario", "what", "happens"]
    assert any(line.startswith("outage ") for line in lines)
    result = json.loads(run_simulate(["--list", "--json"], capsys))
    assert {"name": "outage", "title": "A minute of outage"} in result


@pytest.mark.usefixtures("files")
def test_mistakes_in_files(capsys: pytest.CaptureFixture[str]) -> None:
    """Mistakes of scenarios and policy files are reported with their place, and exit code 1."""
    Path("bad.yaml").write_text("clints: 3\nrate: x\n", encoding="utf-8")
    assert main(["simulate", "bot.yaml", "--scenario", "bad.yaml"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "bad.yaml:1:1: clints: unknown key; did you mean clients?",
        "bad.yaml:2:7: rate: expected a rate such as 10/s or 600/m, got 'x'",
    ]
    assert main(["simulate", "tiny.yaml", "--scenario", "tiny.yaml"]) == 1
    assert "tiny.yaml:1:1: title: unknown key" in capsys.readouterr().err
    Path("empty.yaml").write_text("", encoding="utf-8")
    assert main(["simulate", "empty.yaml"]) == 1


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("words", "result"),
    [
        (["--scenario", "outge"], "no scenario 'outge', and not the path of a YAML file; did you mean outage?"),
        (["--scenario", "there/is/none.yaml"], "cannot be read: No such file"),
        (["none.yaml"], "cannot be read: No such file"),
        (["bot.yaml", "--policy", "carefl"], "bot.yaml: no policy 'carefl'; did you mean careful?"),
        (["--seed", "x"], "invalid int value"),
        (["--scale", "0"], "expected a share"),
        (["--scale", "x"], "expected a share"),
        (["--scale", "5"], "expected 5% or 500%, got '5'"),
        (["--scale", "1.5"], "expected 1.5% or 150%"),
        (["--scale", "1001%"], "up to 1000%"),
        (["--scenario", "tiny.yaml", "--report", "no/such/place.html"], "no such folder: no/such"),
        (["--scenario", "tiny.yaml", "--report", "."], "is a folder"),
    ],
)
def test_wrong_use(words: list[str], result: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, and exit code 2, before anything is run."""
    assert main(["simulate", *words]) == 2
    error = capsys.readouterr().err
    assert result in error
    assert len(error.splitlines()) == 1


@pytest.mark.usefixtures("files")
def test_too_many(capsys: pytest.CaptureFixture[str]) -> None:
    """More policies than a page can hold are rejected before anything runs."""
    names = "\n".join(f"  p{number}: {{extends: default}}" for number in range(13))
    Path("many.yaml").write_text(f"policies:\n{names}\n", encoding="utf-8")
    assert main(["simulate", "many.yaml", "--scenario", "tiny.yaml"]) == 2
    assert "at most 12 can be compared" in capsys.readouterr().err


@pytest.mark.usefixtures("files")
def test_interrupted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C ends it without a word, and without an empty report."""

    def interrupted(jobs: Any, tick: Any) -> None:
        def press() -> None:
            signal.raise_signal(signal.SIGINT)

        run_jobs(jobs, press, processes=1)

    monkeypatch.setattr("resilience.simulate.parallel_runs.run_jobs", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    try:
        assert main(["simulate", "--scenario", "tiny.yaml", "--report", "out.html"]) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr() == ("", "")
    assert not Path("out.html").exists()
