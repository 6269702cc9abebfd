"""Finds the commands: every module of `cli/commands/` is one, and nothing else lists them.

A command's module has a docstring, `add_arguments(parser)` and `run(args)`, which returns the exit code. The
docstring is the command's help: the first line in the list of commands, all of it in `resilience COMMAND --help`.

Importing all commands would make `resilience --help` more than twice as slow. The list therefore reads the first line
of each source file, through the module's loader, so that it works from a zip file too. Only the command that runs is
imported.
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from . import commands

__all__ = ["command_names", "load_command", "purpose_of"]


def command_names() -> list[str]:
    """Return the names of all commands, sorted."""
    names = [name for folder in commands.__path__ for name in _modules_in(folder)]
    return sorted(name for name in names if not name.startswith("_"))


def _modules_in(folder: str) -> list[str]:
    # pkgutil.iter_modules imports inspect, which takes as long as the rest of `resilience --help`.
    if os.path.isdir(folder):  # a frozen program has it too: the hook for PyInstaller adds these sources
        return [file.removesuffix(".py") for file in os.listdir(folder) if file.endswith(".py")]
    from pkgutil import iter_modules

    return [module.name for module in iter_modules([folder])]  # inside a zip file


def purpose_of(name: str) -> str:
    """Return the first line of a command's docstring, without its full stop."""
    # find_spec imports the parent package only. `get_source` would import tokenize, which costs more than the file.
    spec: Any = find_spec(f"{commands.__name__}.{name}")
    source: str = spec.loader.get_data(spec.origin).decode("utf-8")
    _, docstring, _ = source.split('"""', 2)
    return docstring.partition("\n")[0].removesuffix(".")


def load_command(name: str) -> ModuleType:
    """Import a command's module."""
    return import_module(f"{commands.__name__}.{name}")
