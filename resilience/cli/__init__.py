"""The command line. Exit codes: 0 fine, 1 findings, 2 wrong use; a user's mistake never shows a traceback.

A command is a module of this room with `register(subparsers)`, which adds its parser, and
`run(args) -> int`. Only the module of the command that was asked for is imported.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from types import ModuleType
from typing import NoReturn

from ..errors import ResilienceError
from ..telemetry.redaction import redact

__all__ = ["COMMANDS", "main"]

COMMANDS = {
    "check": "look for mistakes in policy files",
    "codes": "list the codes of an API and what they mean",
    "demo": "place orders on a loopback exchange with and without this library",
    "describe": "say what a policy does, in words or as a diagram",
    "explain": "say what an error means and what the policy would do",
    "replay": "show what changed policies would have made of a recorded log",
    "sandbox": "run the loopback exchange",
    "schema": "print the JSON schema of policy files",
    "simulate": "try policies against a failing service, on virtual time",
}
"""Every command and what it is for."""

_INTERRUPTED, _PIPE_CLOSED = 130, 141


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        argv: the words after the program's name; None takes those of this process.
    """
    try:
        code = _run(sys.argv[1:] if argv is None else list(argv))
        sys.stdout.flush()
    except SystemExit as end:  # argparse ends so, after help and after an error
        return end.code if isinstance(end.code, int) else 0
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        return _pipe_closed()
    except (ResilienceError, OSError) as error:
        return _complain(str(error))
    return code


def _run(words: list[str]) -> int:
    _forgiving_streams()
    name = words[0] if words else ""
    if name in COMMANDS:
        return _command(name, words)
    if name and not name.startswith("-"):
        near = get_close_matches(name, COMMANDS, 1)
        advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(COMMANDS)}"
        return _complain(f"unknown command {name!r}; {advice}")
    parser, subparsers = _parser()
    for command, purpose in COMMANDS.items():
        subparsers.add_parser(command, help=purpose)
    parser.parse_args(words)
    parser.print_help(sys.stderr)
    return 2


def _forgiving_streams() -> None:
    """Let no letter fail for want of an encoding, and no print for want of a stream."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller, as `>&-` does; stays until the process ends
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace" if stream is sys.stdin else "backslashreplace")


def _command(name: str, words: list[str]) -> int:
    module: ModuleType = import_module(f".commands.{name}", __name__)
    parser, subparsers = _parser()
    module.register(subparsers)
    return int(module.run(parser.parse_args(words)))


def _parser() -> tuple[argparse.ArgumentParser, argparse._SubParsersAction[argparse.ArgumentParser]]:
    parser = _Parser(prog="resilience", description="Error handling around the API client you already have.")
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and end")
    return parser, parser.add_subparsers(dest="command", metavar="command", parser_class=_Parser)


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            found = version("resilience-middleware")
        except PackageNotFoundError:
            found = "unknown (not installed)"
        print(f"resilience {found}")
        parser.exit()


def _complain(text: str) -> int:
    """Say what is wrong, secrets taken out, and return the exit code of wrong use."""
    try:
        print(redact(f"resilience: {text}"), file=sys.stderr)
    except BrokenPipeError:
        return _pipe_closed()
    return 2


def _pipe_closed() -> int:
    """Leave quietly when the reader went away; nothing may be written when the interpreter ends."""
    quiet = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(quiet, sys.stdout.fileno())
    except (OSError, ValueError):
        pass  # a stdout without a file behind it has nothing left to flush
    finally:
        os.close(quiet)
    return _PIPE_CLOSED
