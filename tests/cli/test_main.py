"""The program: exit codes, errors of one line, no traceback, and how commands are found."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from resilience.cli import commands, main
from resilience.cli.command_list import command_names, load_command, purpose_of
from resilience.errors import PolicyError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["cods"], "unknown command 'cods'; did you mean codes?"),
        (["frobnicate"], "unknown command 'frobnicate'; available: check, "),
        (["version"], "unknown command 'version'; did you mean --version?"),
        (["--verson"], "unrecognized arguments: --verson; did you mean --version?"),
        (["codes", "--qqq"], "unrecognized arguments: --qqq (see"),
        (["codes", "--registy=http"], "unrecognized arguments: --registy=http; did you mean --registry? (see"),
        (["explain", "43012", "--vneue", "okx"], "unrecognized arguments: --vneue okx; did you mean --venue? (see"),
        (["codes", "--category", "nice"], "invalid choice: 'nice'"),
        (["codes", "--registry", "nowhere"], "unknown registry 'nowhere'; available: binance, "),
        (["codes", "--registry", "nowhere.yaml"], "nowhere.yaml"),
        (["explain"], "the following arguments are required"),
        (["explain", " "], "nothing to explain"),
        (["explain", "43012", "--policy", "nope"], "no policy 'nope'; available: "),
        (["explain", "43012", "--policies", "nowhere.yaml"], "nowhere.yaml"),
        (
            ["describe", "bot.yaml", "more"],
            "resilience describe: unrecognized arguments: more (see resilience describe --help)",
        ),
        (["replay", "."], "resilience: .: Is a directory"),
    ],
)
def test_wrong_use(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A user's mistake gives exit code 2 and one line on stderr."""
    assert main(words) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.err.count("\n") == 1
    assert shown.out == ""


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command there is nothing to do: help on stderr, exit code 2."""
    assert main([]) == 2
    assert all(name in capsys.readouterr().err for name in ["usage: resilience"])


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Help is not an error, and names what there is."""
    assert main(["--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())  # argparse wraps a long purpose
    assert all(f" {name} {purpose_of(name)}" in shown for name in command_names())


@pytest.mark.parametrize("name", command_names())
def test_a_command_has_the_three_parts(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A docstring, whose first line is the purpose, arguments, and `run`; its help is the rest of the docstring."""
    command = load_command(name)
    assert command.__doc__ is not None
    assert command.__doc__.splitlines()[0] == f"{purpose_of(name)}."
    assert callable(command.run)
    assert main([name, "--help"]) == 0
    assert f"usage: resilience {name}" in capsys.readouterr().out


GREET = '''"""Greets 100% of its users.

Prints a greeting.
"""


def add_arguments(parser):
    parser.add_argument("name")


def run(args):
    from resilience.cli.terminal import show_json

    show_json({"hello": args.name})
    return 0
'''


def test_a_command_is_one_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A module in the folder of the commands is listed, has its help and runs; no other file names it."""
    (tmp_path / "greet.py").write_text(GREET)
    (tmp_path / "_private.py").write_text("raise AssertionError")
    monkeypatch.setattr(commands, "__path__", [*commands.__path__, str(tmp_path)])
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert re.search("^    greet +Greets 100% of its users$", shown, re.MULTILINE)
    assert "_private" not in shown
    assert main(["greet", "--help"]) == 0
    assert "Prints a greeting." in capsys.readouterr().out
    assert main(["greet", "you"]) == 0
    assert json.loads(capsys.readouterr().out) == {"hello": "you"}
    assert main(["gret"]) == 2
    assert "did you mean greet?" in capsys.readouterr().err


@pytest.mark.slow
def test_the_commands_are_found_in_a_zip_file(tmp_path: Path) -> None:
    """The list of commands does not need files on disk."""
    archive = shutil.make_archive(str(tmp_path / "library"), "zip", ROOT, "resilience")
    environment = {**os.environ, "PYTHONPATH": archive}
    command = [sys.executable, "-m", "resilience", "--help"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    shown = " ".join(done.stdout.split())
    assert all(f" {name} {purpose_of(name)}" in shown for name in command_names())


def test_interrupt_and_our_errors(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C gives exit code 130; our own errors are printed without secrets, with exit code 2."""

    def interrupted(_words: list[str]) -> int:
        raise KeyboardInterrupt

    def refused(_words: list[str]) -> int:
        raise PolicyError("bad url https://x/?signature=abcdef")

    monkeypatch.setattr("resilience.cli.program._run", interrupted)
    assert main([]) == 130
    monkeypatch.setattr("resilience.cli.program._run", refused)
    assert main([]) == 2
    assert capsys.readouterr().err == "resilience: bad url https://x/?signature=[redacted]\n"


def test_a_closed_pipe_is_no_traceback() -> None:
    """`resilience codes | head -1` ends quietly."""
    header = "code\tnames\tcategory\texecuted\thint\tremedy\n"
    for option, first in (("--json", "[\n"), ("", header)):
        command = f"{sys.executable} -m resilience codes {option} | head -1"
        done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.stdout, done.stderr) == (first, "")


@pytest.mark.slow
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
        "heavy = {'rich', 'yaml', 'pydantic', 'pydantic_core', 'tenacity', 'requests', 'structlog', 'pybreaker'};"
        "print(sorted(heavy & set(sys.modules)), [n for n in sys.modules if n.startswith('resilience.cli.commands.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[] []"


@pytest.mark.parametrize(
    "words",
    [
        ["describe", ""], ["simulate", "", "--scenario", "outage"], ["explain", "--policies", "", "43012"],
        ["explain", "--policies=", "43012"], ["codes", "--registry", ""], ["top", ""], ["explain", ""], ["check", ""],
    ],
)  # fmt: skip
def test_an_empty_argument_is_a_mistake(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A variable that is not set does not lead to what the command does without the argument."""
    assert main(words) == 2
    message = f"resilience {words[0]}: an argument is empty; is a variable of the shell not set?\n"
    assert capsys.readouterr() == ("", message)
