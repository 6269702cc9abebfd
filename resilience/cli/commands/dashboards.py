"""Writes a Grafana dashboard and alert rules for Prometheus into a folder.

The alert rules come with a file that `promtool test rules` runs. A file that differs from the shipped one is kept,
unless --force replaces it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ...config.loading.shipped_files import package_file
from ..terminal import show_json, show_line

__all__ = ["add_arguments", "run"]

_SHIPPED = "telemetry/dashboards"
_UNCHANGED, _DIFFERS = "unchanged", "different"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "folder", metavar="DIR", type=_folder, help="where to write them; it is made if it does not exist"
    )
    parser.add_argument("--force", action="store_true", help="replace files of the same names that differ")
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")


def run(args: argparse.Namespace) -> int:
    """Write the files, all or none."""
    shipped = {file.name: file.read_bytes() for file in package_file(_SHIPPED).iterdir() if file.is_file()}
    try:
        args.folder.mkdir(parents=True, exist_ok=True)
        states = {name: _state(args.folder / name, shipped[name]) for name in sorted(shipped)}
        if _DIFFERS in states.values() and not args.force:
            names = ", ".join(name for name, state in states.items() if state == _DIFFERS)
            return _refuse(f"{args.folder}: {names} would be replaced, but differs from what is shipped; see --force")
        for name, state in states.items():
            if state != _UNCHANGED:
                (args.folder / name).write_bytes(shipped[name])
    except FileExistsError:  # also a link that leads nowhere
        return _refuse(f"{args.folder}: not a folder")
    except OSError as error:
        return _refuse(f"{error.filename or args.folder}: {error.strerror or error}")
    except ValueError as error:  # such as a path with a null character
        return _refuse(f"{str(args.folder)!r}: {error}")
    _show(args, {name: "replaced" if state == _DIFFERS else state for name, state in states.items()})
    return 0


def _folder(text: str) -> Path:
    """Return a path. An empty one is a variable of a script that is not set, and not the folder where one is."""
    if not text.strip():
        raise argparse.ArgumentTypeError("expected a folder; `.` is the one where you are")
    return Path(text)


def _state(path: Path, content: bytes) -> str:
    """Return what writing a file with this content would do.

    Raises:
        OSError: it cannot be read, or is no file.
    """
    try:
        return _UNCHANGED if path.read_bytes() == content else _DIFFERS
    except FileNotFoundError:
        return "written"


def _refuse(message: str) -> int:
    show_line(f"resilience: {message}", out=sys.stderr)
    return 2


def _show(args: argparse.Namespace, states: dict[str, str]) -> None:
    if args.json:
        show_json({"folder": str(args.folder), "files": states})
        return
    for name, state in states.items():
        show_line(f"{args.folder / name}: {state}")
