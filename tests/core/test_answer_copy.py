"""Tests of the copies of answers: plain data is copied in full, everything else not at all."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience._core.stages.answer_copy import NotPlainError, copy_of

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def changeable(value: Any) -> set[int]:
    """Return the identities of all lists and mappings in a value."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    inner = {number for item in items for number in changeable(item)}
    return inner | ({id(value)} if isinstance(value, (list, dict)) else set())


@given(PLAIN)
def test_a_copy_is_equal_and_shares_nothing(value: Any) -> None:
    """Types, content and order are the same; no list and no mapping is."""
    copied = copy_of(value)
    assert (copied, repr(copied), type(copied)) == (value, repr(value), type(value))
    assert not changeable(copied) & changeable(value)


class Side(Enum):
    """A member of a program's own."""

    BUY = "buy"


class Level(NamedTuple):
    """A named tuple."""

    price: float
    orders: list[int]


class Row(NamedTuple):
    """A named tuple of one item."""

    cells: list[Any]


@dataclass
class Book:
    """A dataclass."""

    bids: list[Level]
    side: Side = Side.BUY
    tags: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Trade:
    """A frozen dataclass with slots."""

    data: dict[str, Any]


@pytest.mark.parametrize(
    "value",
    [
        Book([Level(1.0, [1])], tags={"a"}), Trade({"a": [1]}), Row([1]), bytearray(b"x"), OrderedDict(b=1, a=[2]),
        {"a": frozenset({1})}, [datetime(2026, 1, 1, tzinfo=UTC), Decimal("1.0")], Side.BUY,
    ],
)  # fmt: skip
def test_named_tuples_and_dataclasses(value: Any) -> None:
    """They keep their class."""
    copied = copy_of(value)
    assert (type(copied), copied) == (type(value), value)


def test_a_copy_of_an_object_shares_no_list() -> None:
    """Whoever changes the copy changes nothing else."""
    book = Book([Level(1.0, [1])])
    copied = copy_of(book)
    copied.bids[0].orders.append(2)
    copied.tags.add("x")
    assert book == Book([Level(1.0, [1])])


@dataclass
class WithCache:
    """A dataclass whose objects may have more than its fields."""

    a: int = 1


class Odd(Level):
    """A named tuple with attributes."""


@dataclass
class Special(Exception):
    """A dataclass that is more than its fields."""

    a: int = 1


def with_more() -> WithCache:
    """Return an object with an attribute that is no field."""
    value = WithCache()
    value.more = []  # type: ignore[attr-defined]
    return value


def endless() -> list[Any]:
    """Return a list that contains itself."""
    value: list[Any] = []
    value.append(value)
    return value


class Envelope:
    """Has a slot that is no field of the dataclasses derived from it."""

    __slots__ = ("meta",)


@dataclass(slots=True)
class Enveloped(Envelope):
    """Has a slot of its own and one of its base class."""

    price: float


class Words(str):
    """A text that may have attributes."""

    __slots__ = ()


@pytest.mark.parametrize(
    "value",
    [object(), iter([1]), [object()], {"a": len}, (value for value in ()), with_more(), Odd(1.0, []), Special(),
     endless(), Words("x"), Enveloped(1.0), Trade({"a": object()})],
)  # fmt: skip
def test_what_is_not_copied(value: Any) -> None:
    """An object that may be more than it shows is not taken for plain data."""
    with pytest.raises(NotPlainError):
        copy_of(value)
