"""Tests of the code's structure: packages, imports, module names, module docstrings and identifiers."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

import resilience

pytestmark = pytest.mark.slow  # what a checkout contains is read once, and costs what two hundred other tests cost

ROOT = Path(resilience.__file__).parent
MAX_TOP_LEVEL = 22
LAZY_IMPORTS: dict[str, str] = {
    "config/loading/builtin_policies.py": "YAML and pydantic are not imported where the compiled policies are there",
}
"""Files with a relative import inside a function, beside `cli` and `__init__` files, and why."""
PARALLEL_FOLDERS = {"integrations": "one folder per client, each with files of the same names"}
"""Packages whose folders may have files of the same names, and why."""
SAME_NAMES = {
    "answers": "the answers of Bitget as its client reads them, and as the sandbox makes them",
    "client": "the client of a stream, and a wrapped client of httpx",
    "clock": "the clock of our waits, and that of the sandbox's exchange",
    "codes": "rows of code tables: their types, their files and the command that prints them",
    "connection": "one WebSocket, on either side of the wire",
    "dialect": "what a stream's session asks of a venue, and Bitget's answers to it",
    "errors": "the errors of the library, and those of Bitget's client",
    "exchange": "a wrapped exchange of ccxt, and the exchange that the sandbox plays",
    "frames": "WebSocket frames of Bitget, on either side of the wire",
    "session": "a WebSocket's session, and a wrapped session of requests or aiohttp",
    "steps": "what a sans-IO part asks its driver to do: for calls, and for streams",
    "websocket": "Bitget's WebSocket clients, and the sandbox's server for them",
}
"""Modules of one name in several top-level packages, and what they have in common."""
VAGUE_WORDS = {"told", "heard", "door", "doubt", "goods", "streak", "looks"}
VAGUE_PAIRS = {"turned_away", "shut_out"}
DEPRECATED_NAMES = {"told_limits"}
"""Public names of version 0.1 that still work for one version."""
PARALLEL_CLASSES = {"BaseAdapter", "ClientAdapter", "TransportAdapter"}
"""Classes of which every client in `integrations` has one of its own, with the same part in it."""
MAX_BRANCHES, USUAL_BRANCHES = 20, 6
"""Branches of a function as radon counts them: at most, and for nine functions in ten."""
HOT_CLOSURES = {"_drivers/sync.py: call", "_drivers/async_.py: call"}
"""The two functions in which every call runs: a function call costs as much there as ten branches."""
FIRST_WORD = re.compile(r"[A-Z][a-z]*[a-rt-z]s,? (?!(?:of|that|as)\b)")
"""A verb in the third person: it ends with one "s". A plural noun would be followed by "of", "that" or "as"."""


def files() -> list[Path]:
    """Return every module of the library."""
    return sorted(ROOT.rglob("*.py"))


def name_of(path: Path) -> str:
    """Return the path of a module below the package, as messages show it."""
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    """Return the syntax tree of a module."""
    return ast.parse(path.read_text(encoding="utf-8"))


def test_the_top_level_is_small() -> None:
    """A reader can keep the list of packages and modules in mind."""
    entries = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert len(entries - {"__init__", "__main__"}) <= MAX_TOP_LEVEL


def test_no_circle_of_files() -> None:
    """Modules import each other in one direction only; imports for type checkers do not count."""
    grimp = pytest.importorskip("grimp", reason="needs the extra dev")
    graph = grimp.build_graph("resilience", exclude_type_checking_imports=True, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(reversed(error.args[1]))}")


def imports_inside_functions(path: Path) -> Iterator[int]:
    """Yield the lines of relative imports that run when a function is called."""
    for function in ast.walk(tree_of(path)):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            for node in ast.walk(function):
                of_ours = isinstance(node, ast.ImportFrom) and (
                    node.level > 0 or (node.module or "").partition(".")[0] == "resilience"
                )
                if of_ours or (
                    isinstance(node, ast.Import) and any(name.name.startswith("resilience") for name in node.names)
                ):
                    yield node.lineno


def test_no_import_of_ours_inside_a_function() -> None:
    """An import inside a function would hide a circle; commands and lazy `__init__` files have nothing to hide."""
    found = {
        name_of(path): lines
        for path in files()
        if path.name != "__init__.py" and not name_of(path).startswith("cli/")
        if (lines := sorted(set(imports_inside_functions(path))))
    }
    assert {name: lines for name, lines in found.items() if name not in LAZY_IMPORTS} == {}


def modules_by_name() -> dict[str, list[tuple[str, ...]]]:
    """Return the modules and packages of each name, without those that are named after their own folder."""
    modules = defaultdict(list)
    for path in files():
        parts = path.relative_to(ROOT).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if parts and parts[-1] != "__main__" and parts[-1] not in parts[:-1]:
            modules[parts[-1]].append(parts)
    return modules


def test_no_module_name_twice_in_a_package() -> None:
    """A module's name means one thing in its package; a folder's main module may have the folder's name."""
    twice = {}
    for name, modules in modules_by_name().items():
        packages = [parts[0] for parts in modules if parts[0] not in PARALLEL_FOLDERS]
        if len(set(packages)) < len(packages):
            twice[name] = modules
    assert twice == {}


def test_module_names_that_several_packages_use() -> None:
    """Two packages use one name for what belongs together only; a command is named after the package that it starts."""
    shared = set()
    for name, modules in modules_by_name().items():
        packages = {parts[0] for parts in modules if parts[:2] != ("cli", "commands")}
        if len(packages) > 1:
            shared.add(name)
    assert shared - SAME_NAMES.keys() == set()


def test_every_module_says_what_it_does() -> None:
    """The docstring begins with a verb in the third person ("Reads ..."), and its first line ends with a full stop."""
    first_lines = {name_of(path): (ast.get_docstring(tree_of(path)) or "").partition("\n")[0] for path in files()}
    assert {name: line for name, line in first_lines.items() if not line.endswith(".")} == {}
    assert {name: line for name, line in first_lines.items() if not FIRST_WORD.match(line)} == {}


@pytest.mark.parametrize("line", ["Looks up a write.", "Loads, checks and watches files.", "Warns about settings."])
def test_a_first_line_with_a_verb(line: str) -> None:
    """The rule accepts verbs."""
    assert FIRST_WORD.match(line)


@pytest.mark.parametrize(
    "line", ["Routes of orders.", "Policies as data.", "The process.", "An adapter.", "Process it."]
)
def test_a_first_line_without_a_verb(line: str) -> None:
    """The rule rejects nouns and articles."""
    assert not FIRST_WORD.match(line)


def test_no_class_name_twice() -> None:
    """A class's name means one thing in the whole library."""
    places = defaultdict(set)
    for path in files():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ClassDef) and node.name not in PARALLEL_CLASSES:
                places[node.name].add(name_of(path))
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


def identifiers(path: Path) -> Iterator[str]:
    """Yield every name that a module defines or uses."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, (ast.arg, ast.keyword)):
            yield node.arg or ""
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name


def test_names_say_what_they_name() -> None:
    """No identifier has one of the words that named things vaguely."""
    vague = defaultdict(set)
    for path in files():
        for name in set(identifiers(path)) - DEPRECATED_NAMES:
            words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
            is_vague = VAGUE_WORDS & set(words.split("_")) or any(pair in words for pair in VAGUE_PAIRS)
            if is_vague and name not in DEPRECATED_NAMES:
                vague[name_of(path)].add(name)
    assert dict(vague) == {}


def functions_in(block: Any) -> Iterator[Any]:
    """Yield a function and those inside it, or the methods of a class and those inside them."""
    if hasattr(block, "is_method"):
        yield block
    for inner in (*getattr(block, "methods", ()), *getattr(block, "closures", ())):
        yield from functions_in(inner)


@cache
def branches() -> list[tuple[int, str]]:
    """Return the number of branches and the name of each function."""
    radon = pytest.importorskip("radon.complexity", reason="needs the extra dev")
    return sorted(
        (function.complexity, f"{name_of(path)}: {function.name}")
        for path in files()
        for block in radon.cc_visit(path.read_text(encoding="utf-8"))
        if hasattr(block, "methods") or not block.is_method  # methods come with their class too
        for function in functions_in(block)
    )


def test_no_function_has_too_many_branches() -> None:
    """A function with more branches than this does several things; a table or a second function says them apart."""
    assert {name for number, name in branches() if number > MAX_BRANCHES} == HOT_CLOSURES


def test_most_functions_have_few_branches() -> None:
    """Nine functions in ten are understood at a glance."""
    numbers = [number for number, _ in branches()]
    assert numbers[int(len(numbers) * 0.9)] <= USUAL_BRANCHES
