"""`resilience check` and `resilience schema` as people and programs use them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from resilience.cli import main

BAD = 'version: 1\npolicies:\n  read: {deadlin: 20s, "a\\nb:,%": 1}\n'
UNWISE = "version: 1\npolicies:\n  read: {extends: default, deadline: 10s}\n"


def write_policy(folder: Path, text: str, name: str = "bot.yaml") -> str:
    """Write a policy file and return its path."""
    path = folder / name
    path.write_text(text)
    return str(path)


def test_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Prints one line per problem, files in the order given, with exit code 1; without problems it says so, with 0."""
    bad, unwise = write_policy(tmp_path, BAD), write_policy(tmp_path, UNWISE, "unwise.yaml")
    assert main(["check", bad, unwise]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{bad}:3:10: policies.read.deadlin: unknown key; did you mean deadline?"
    assert lines[1].startswith(f"{bad}:3:24: policies.read.a\\nb:,%: unknown key; ")
    assert lines[2].startswith(f"{unwise}:3:38: policies.read.deadline: warning: ")
    assert len(lines) == 3
    assert main(["check", write_policy(tmp_path, "version: 1\n")]) == 0
    assert capsys.readouterr().out == "1 file checked, no problems found\n"


@pytest.mark.parametrize("words", [["--json"], ["--format", "json"]])
def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    """A list of objects that say where, what and how bad."""
    path = write_policy(tmp_path, UNWISE)
    assert main(["check", *words, path]) == 1
    (one,) = json.loads(capsys.readouterr().out)
    assert {**one, "message": ""} == {
        "file": path,
        "line": 3,
        "column": 38,
        "path": "policies.read.deadline",
        "message": "",
        "severity": "warning",
    }
    assert main(["check", *words, write_policy(tmp_path, "version: 1\n")]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_github(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Workflow commands, in which no name or message ends the command early."""
    bad, unwise = write_policy(tmp_path, BAD, "a,b:c%.yaml"), write_policy(tmp_path, UNWISE)
    assert main(["check", "--format", "github", bad, unwise, write_policy(tmp_path, "", "empty.yaml")]) == 1
    lines = capsys.readouterr().out.splitlines()
    place = f"file={tmp_path}/a%2Cb%3Ac%25.yaml,line=3,col=10"
    assert lines[0] == f"::error {place}::policies.read.deadlin: unknown key; did you mean deadline?"
    assert "::policies.read.a\\nb:,%25: unknown key; " in lines[1]
    assert lines[2].startswith(f"::warning file={unwise},line=3,col=38::policies.read.deadline: warning: ")
    assert (
        lines[3]
        == f"::error file={tmp_path}/empty.yaml,line=1,col=1::the file is empty; a policy file begins with version: 1"
    )
    assert len(lines) == 4


def test_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is not there, an unknown format and no file at all are wrong use; a folder is a finding."""
    assert main(["check", str(tmp_path / "none.yaml")]) == 2
    assert "no such file" in capsys.readouterr().err
    assert main(["check", "--format", "xml", "x.yaml"]) == 2
    assert main(["check"]) == 2
    capsys.readouterr()
    assert main(["check", str(tmp_path)]) == 1
    assert "cannot be read" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "title"), [([], "A policy file"), (["--json"], "A policy file"), (["--codes"], "A code")]
)
def test_schema(capsys: pytest.CaptureFixture[str], words: list[str], title: str) -> None:
    """Prints a schema that a program can read."""
    assert main(["schema", *words]) == 0
    assert json.loads(capsys.readouterr().out)["title"].startswith(title)


def test_schema_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """Prints the tables of the reference."""
    assert main(["schema", "--markdown"]) == 0
    assert (
        "| `max_attempts` | `3` | Attempts in total, the first included. Allowed: 1 to 1000. | `4` |"
        in capsys.readouterr().out
    )


def test_a_variable_that_nothing_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A misspelt variable is named; one that is read, by the library or by the file, is not."""
    path = write_policy(
        tmp_path, "version: 1\npolicies:\n  p: {extends: default, deadline: '${RESILIENCE_LIMIT:-40s}'}\n"
    )
    for name in ("RESILIENCE_POLICIES", "RESILIENCE_LIMIT", "RESILIENCE_POLICY"):
        monkeypatch.setenv(name, "30s")
    assert main(["check", path]) == 1
    out = capsys.readouterr().out
    assert "$RESILIENCE_POLICY: warning: nothing reads this variable; RESILIENCE_POLICIES names the policy file" in out
    assert "RESILIENCE_LIMIT" not in out
    assert out.count("nothing reads") == 1
