"""The examples in docstrings run: the reference shows them to readers."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

from tests.docs.page_program import ROOT, offline_world

WITH_EXAMPLES = [path for path in sorted(ROOT.glob("resilience/**/*.py")) if "    >>> " in path.read_text("utf-8")]


def module_name(path: Path) -> str:
    """Return the name by which a module is imported."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("name", [module_name(path) for path in WITH_EXAMPLES])
def test_the_examples_of_a_module_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each prints what it says, in an empty folder and without a network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RESILIENCE_POLICIES", raising=False)
    with offline_world():
        assert doctest.testmod(import_module(name)).failed == 0


def test_the_public_modules_have_examples() -> None:
    """The list is not empty for want of a pattern: the decorator and the sandbox are in it."""
    assert {"public_functions.py", "server.py"} <= {path.name for path in WITH_EXAMPLES}
