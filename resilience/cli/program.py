"""Runs one command and returns its exit code: 0 fine, 1 findings, 2 wrong use.

A user's mistake is one line on standard error, never a traceback.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import NoReturn

from ..errors import ResilienceError
from ..telemetry.redaction import redact
from .command_list import command_names, load_command, purpose_of

__all__ = ["main", "parser_of"]

_INTERRUPTED, _PIPE_CLOSED = 130, 141  # as a shell reports a program that SIGINT or SIGPIPE ended


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line; argparse prints the whole usage first."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        argv: the arguments after the program's name; None takes those of this process.
    """
    try:
        code = _run(sys.argv[1:] if argv is None else list(argv))
        sys.stdout.flush()
    except SystemExit as end:  # argparse raises it after help and after an error
        return end.code if isinstance(end.code, int) else 0
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        return _pipe_closed()
    except (ResilienceError, OSError) as error:
        return _wrong_use(str(error))
    return code


def parser_of(name: str) -> argparse.ArgumentParser:
    """Return the parser of the program with this command alone; it accepts `name` and the command's arguments."""
    parser, subparsers = _program_parser()
    command = load_command(name)
    _, _, description = (command.__doc__ or "").partition("\n")  # without docstrings under `python -OO`
    command.add_arguments(subparsers.add_parser(name, description=description.strip() or None))
    return parser


def _run(arguments: list[str]) -> int:
    _tolerate_odd_streams()
    names = command_names()
    name = arguments[0] if arguments else ""
    if name in names:
        args = parser_of(name).parse_args(arguments)
        return int(load_command(name).run(args))
    if name and not name.startswith("-"):
        near = get_close_matches(name, names, 1)
        hint = f"did you mean {near[0]}?" if near else f"available: {', '.join(names)}"
        return _wrong_use(f"unknown command {name!r}; {hint}")
    parser, subparsers = _program_parser()
    for command in names:
        subparsers.add_parser(command, help=purpose_of(command).replace("%", "%%"))
    parser.parse_args(arguments)
    parser.print_help(sys.stderr)
    return 2


def _program_parser() -> tuple[argparse.ArgumentParser, argparse._SubParsersAction[argparse.ArgumentParser]]:
    parser = _Parser(prog="resilience", description="Error handling around the API client you already have.")
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    return parser, parser.add_subparsers(dest="command", metavar="command", parser_class=_Parser)


class _Version(argparse.Action):
    """Reads the version only when it is asked for, because importlib.metadata is slow to import."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            number = version("resilience-middleware")
        except PackageNotFoundError:
            number = "unknown (not installed)"
        print(f"resilience {number}")
        parser.exit()


def _tolerate_odd_streams() -> None:
    """Let no character fail for its encoding, and no print for a closed stream."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the shell, as `>&-` does; this one stays open until the process ends
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace" if stream is sys.stdin else "backslashreplace")


def _wrong_use(message: str) -> int:
    """Print what is wrong, with secrets removed, and return the exit code of wrong use."""
    try:
        print(redact(f"resilience: {message}"), file=sys.stderr)
    except BrokenPipeError:
        return _pipe_closed()
    return 2


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
