"""Runs one command and returns its exit code: 0 fine, 1 findings, 2 wrong use.

A user's mistake is one line on standard error, never a traceback.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Iterable, Sequence
from typing import NoReturn

from .._printable import printable
from ..errors import PolicyError, ResilienceError
from .command_list import command_names, load_command, purpose_of
from .terminal import hanging, show_line

__all__ = ["main", "parser_of"]

_OPTIONS = ("--help", "--version")
_INTERRUPTED, _PIPE_CLOSED = 130, 141  # as a shell reports a program that SIGINT or SIGPIPE ended


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line; argparse prints the whole usage first."""

    def error(self, message: str) -> NoReturn:
        line = f"{self.prog}: {printable(message)}{self._meant(message)} (see {self.prog} --help)"
        self.exit(2, f"{hanging(line, sys.stderr)}\n")

    def _meant(self, message: str) -> str:
        """Return the option that was most likely meant by the first one that the message calls unrecognized."""
        _, unrecognized, words = message.partition("unrecognized arguments: ")
        option = next((word.partition("=")[0] for word in words.split() if word.startswith("-")), "")
        if not unrecognized or not option:
            return ""
        from difflib import get_close_matches

        near = get_close_matches(option, [*self._option_string_actions], 1)
        return f"; did you mean {near[0]}?" if near else ""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        argv: the arguments after the program's name; None takes those of this process.
    """
    try:
        code = _run(sys.argv[1:] if argv is None else list(argv))
        # A closed pipe raises here; the flush of the ending interpreter would print a traceback.
        sys.stdout.flush()
    except SystemExit as end:  # argparse raises it after help and after an error
        return end.code if isinstance(end.code, int) else 0
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        return _pipe_closed()
    except PolicyError as error:
        return _report_policy_error(error)
    except OSError as error:
        return _report(f"resilience: {error.filename}: {error.strerror}" if error.filename else f"resilience: {error}")
    except ResilienceError as error:
        return _report(f"resilience: {error}")
    return code


def parser_of(name: str) -> argparse.ArgumentParser:
    """Return the parser of a command's arguments, those after its name."""
    command = load_command(name)
    parser = _Parser(prog=f"resilience {name}", description=command.__doc__)
    command.add_arguments(parser)
    return parser


def _parser_for_help(names: Iterable[str]) -> argparse.ArgumentParser:
    parser = _Parser(prog="resilience", description="Error handling around the API client you already have.")
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    subparsers = parser.add_subparsers(metavar="command")
    # These parsers have a name and a purpose only: enough for the help, and no command is imported.
    for command in names:
        subparsers.add_parser(command, help=purpose_of(command).replace("%", "%%"))
    return parser


def _run(arguments: list[str]) -> int:
    _tolerate_odd_streams()
    names = command_names()
    name = arguments[0] if arguments else ""
    # The fast path: one command is imported, and no parser is built for the others.
    if name in names:
        if any(_is_empty(word) for word in arguments):
            return _report(f"resilience {name}: an argument is empty; is a variable of the shell not set?")
        return int(load_command(name).run(parser_of(name).parse_args(arguments[1:])))
    if name and not name.startswith("-"):
        from difflib import get_close_matches

        near = get_close_matches(name, [*names, *_OPTIONS], 1)
        hint = f"did you mean {near[0]}?" if near else f"available: {', '.join(names)}"
        return _report(f"resilience: unknown command {name!r}; {hint}")
    parser = _parser_for_help(names)
    # Ends the program for --help, --version and unknown options; without arguments it returns.
    parser.parse_args(arguments)
    parser.print_help(sys.stderr)
    return 2


def _is_empty(word: str) -> bool:
    """Return whether a word of the command line says nothing, as `"$FILE"` or `--policies=$FILE` without the variable.

    The command would do something else than was meant: describe the built-in policies, for example.
    """
    option, separator, value = word.partition("=")
    return not word or (option.startswith("--") and bool(separator) and not value)


class _Version(argparse.Action):
    """Reads the version only when it is printed, because importlib.metadata is slow to import."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            number = version("resilience-middleware")
        except PackageNotFoundError:
            number = "unknown (not installed)"
        print(f"resilience {number}")
        parser.exit()


def _tolerate_odd_streams() -> None:
    """Replace characters that the terminal cannot show, and open closed streams on os.devnull."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the shell, as `>&-` does; this one stays open until the process ends
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace" if stream is sys.stdin else "backslashreplace")


def _report_policy_error(error: PolicyError) -> int:
    """Report mistakes in a file (`FILE:LINE:COL: …`, exit code 1), or a file or a name that does not exist (2)."""
    if not error.problems:
        return _report(f"resilience: {error}")
    has_mistakes = any(problem.line for problem in error.problems)  # a file that cannot be read has no line
    return _report(str(error), 1 if has_mistakes else 2)


def _report(message: str, code: int = 2) -> int:
    """Print a message on standard error, with secrets removed, and return the exit code."""
    try:
        show_line(message, out=sys.stderr)
    except BrokenPipeError:
        return _pipe_closed()
    return code


def _pipe_closed() -> int:
    """Return the exit code of a closed pipe. Standard output is redirected: the interpreter flushes it when it ends."""
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, sys.stdout.fileno())
    except (OSError, ValueError):
        pass  # a stdout without a file has nothing left to flush
    finally:
        os.close(null)
    return _PIPE_CLOSED
