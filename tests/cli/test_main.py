"""The command line's manners: exit codes, one clear line, no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from resilience.cli import COMMANDS, main
from resilience.errors import PolicyError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["cods"], "unknown command 'cods'; did you mean codes?"),
        (["frobnicate"], "unknown command 'frobnicate'; there are "),
        (["codes", "--bad"], "unrecognized arguments: --bad"),
        (["codes", "--category", "nice"], "invalid choice: 'nice'"),
        (["codes", "--registry", "nowhere"], "unknown registry 'nowhere'; there are bitget, "),
        (["codes", "--registry", "nowhere.yaml"], "nowhere.yaml"),
        (["explain"], "the following arguments are required"),
        (["explain", " "], "nothing to explain"),
        (["explain", "43012", "--policy", "nope"], "unknown policy 'nope'; there are "),
        (["explain", "43012", "--policies", "nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_wrong_use(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A user's mistake gives exit code 2 and one line on stderr."""
    assert main(words) == 2
    shown = capsys.readouterr()
    assert says in shown.err
    assert shown.err.count("\n") == 1
    assert shown.out == ""


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command there is nothing to do: help on stderr, exit code 2."""
    assert main([]) == 2
    assert all(name in capsys.readouterr().err for name in ["usage: resilience"])


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Help is not an error, and names what there is."""
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in COMMANDS)


def test_interrupt_and_our_errors(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C ends with 130; an error of ours is told without its secrets, with exit code 2."""

    def interrupted(_words: list[str]) -> int:
        raise KeyboardInterrupt

    def refused(_words: list[str]) -> int:
        raise PolicyError("bad url https://x/?signature=abcdef")

    monkeypatch.setattr("resilience.cli._run", interrupted)
    assert main([]) == 130
    monkeypatch.setattr("resilience.cli._run", refused)
    assert main([]) == 2
    assert capsys.readouterr().err == "resilience: bad url https://x/?signature=[redacted]\n"


def test_a_closed_pipe_is_no_traceback() -> None:
    """`resilience codes | head -1` ends quietly."""
    command = f"{sys.executable} -m resilience codes --json | head -1"
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[\n", "")


def test_odd_streams_are_no_traceback() -> None:
    """A closed stdout, an ASCII terminal, and input that is no text: all end in peace."""
    run = f"{sys.executable} -m resilience"
    for command in (
        f"{run} codes >&-",
        f"{run} demo --orders 2 2>&-",
        f"PYTHONIOENCODING=ascii {run} codes --registry http",
        f"printf '\\377\\376 43012' | PYTHONIOENCODING=utf-8 {run} explain -",
    ):
        done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), command


def test_only_the_command_asked_for_is_imported() -> None:
    """Help starts fast: no third party is imported for it."""
    code = (
        "import sys; from resilience.cli import main; main(['--help']);"
        "heavy = {'rich', 'yaml', 'pydantic', 'tenacity', 'requests', 'structlog', 'pybreaker'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
