"""Names of version 0.1: importable and readable for one version, with a warning that gives the new name."""

from __future__ import annotations

import importlib

import pytest

from resilience import Category, streams
from resilience.streams import StreamFailure


@pytest.mark.parametrize(
    ("old", "new"),
    [("Limits", "StreamSettings"), ("Pace", "MessageRate"), ("Kind", "MessageKind"), ("Venue", "StreamVenue")],
)
def test_a_renamed_class(old: str, new: str) -> None:
    """The old name is the same class, and is not in the list of exported names."""
    module = importlib.import_module("resilience.streams")
    with pytest.warns(DeprecationWarning, match=rf"resilience\.streams\.{old} is deprecated: use {new}") as caught:
        found = getattr(module, old)
    assert found is getattr(module, new)
    assert caught[0].filename == __file__
    assert old not in streams.__all__


def test_an_unknown_name() -> None:
    """A name that never existed is an AttributeError."""
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = streams.Nothing


def test_renamed_attributes_of_a_failure() -> None:
    """`during` and `doing` are read as `phase` and `action_text`; `action` is the name in the code table as before."""
    failure = StreamFailure(Category.FATAL, phase="login", action="give_up", action_text="stops and does not try again")
    with pytest.warns(DeprecationWarning, match=r"StreamFailure\.during is deprecated: use \.phase") as caught:
        assert failure.during == "login"
    assert caught[0].filename == __file__
    with pytest.warns(DeprecationWarning, match=r"StreamFailure\.doing is deprecated: use \.action_text"):
        assert failure.doing == "stops and does not try again"
    assert failure.action == "give_up"
