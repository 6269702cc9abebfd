"""Tests of entry points: what other packages offer is found, and each mistake names the package."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import pytest

from resilience._core.base.entry_points import describe_entry_point, installed, load_entry_point

GROUP = "resilience.of_this_test"


def test_what_is_installed_later_is_found(install: Any) -> None:
    """Entry points are read once for each search path, and nothing is imported to find them."""
    assert installed(GROUP) == {}
    install(GROUP, "broken", "a_module_that_is_not_there:thing")
    install(GROUP, "fine", "math:pi")
    assert sorted(installed(GROUP)) == ["broken", "fine"]
    assert round(load_entry_point(installed(GROUP)["fine"]), 2) == 3.14


def test_a_broken_one_names_its_package(install: Any) -> None:
    """Whatever a module raises while it is imported, the message says whose entry point it is."""
    install(GROUP, "bad", "module_that_raises:thing", module_that_raises="1 / 0")
    message = (
        "entry point 'bad' = 'module_that_raises:thing' in resilience.of_this_test of the package shop-plugins 1.2"
    )
    with pytest.raises(ImportError, match=f"{message} cannot be loaded: ZeroDivisionError: division by zero"):
        load_entry_point(installed(GROUP)["bad"])


def test_one_without_a_package() -> None:
    """An entry point that was made in Python has no package."""
    assert describe_entry_point(EntryPoint("pi", "math:pi", GROUP)) == f"the entry point 'pi' = 'math:pi' in {GROUP}"
