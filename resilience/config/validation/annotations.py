"""Reads the annotations of the settings classes. This is the only module that knows what an annotation may be.

What an annotation becomes is the builder's business: a validator of Python values, one of a file's nodes, a part of the
JSON schema, or a function that rewrites old keys.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, NamedTuple, Protocol, TypeVar, Union, get_args, get_origin

from ..._core.policy.codes import Category
from ..._core.policy.section import Section, about, hints
from ..._core.policy.units import About, Spec

__all__ = ["Builder", "Leaf", "Others", "in_files", "keys_of_files", "meaning_of", "schema_of"]

T = TypeVar("T")
_UNIONS = (Union, types.UnionType)


class Leaf(NamedTuple):
    """A setting that has no others in it.

    Attributes:
        kind: what it is. Functions come from Python only.
        spec: of a number: its unit and range.
        options: of a word: the words.
    """

    kind: Literal["number", "word", "category", "flag", "text", "anything", "function"]
    spec: Spec | None = None
    options: tuple[Any, ...] = ()


class Others(NamedTuple):
    """What a setting may be instead of its usual value.

    Attributes:
        off: None, which files also write as `off`.
        function: a function, in Python only.
        anything: another type, in Python only; a rule of the section checks it.
    """

    off: bool
    function: bool
    anything: bool


class Builder(Protocol[T]):
    """Turns annotations into something of type `T`."""

    def leaf(self, leaf: Leaf, /) -> T:
        """A setting that has no others in it."""

    def section(self, kind: type[Section], /) -> T:
        """The settings of a class."""

    def items(self, item: T, /) -> T:
        """A list."""

    def by_name(self, item: T, /) -> T:
        """A mapping from names."""

    def choice(self, usual: T, others: Others, /) -> T:
        """The usual value, or another one."""


def schema_of(hint: Any, builder: Builder[T]) -> T:
    """Return what the builder makes of an annotation."""
    spec = about(hint, Spec)
    if spec is not None:
        return builder.leaf(Leaf("number", spec))
    origin, options = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return schema_of(options[0], builder)
    if origin in _UNIONS:
        return _choice(options, builder)
    if origin is tuple:
        return builder.items(schema_of(options[0], builder))
    if origin is Mapping:
        return builder.by_name(schema_of(options[1], builder))
    if isinstance(hint, type) and issubclass(hint, Section):
        return builder.section(hint)
    return builder.leaf(_leaf(hint))


def _choice(options: tuple[Any, ...], builder: Builder[T]) -> T:
    # Values come first: a setting that takes only functions is a function.
    usual, *others = sorted((option for option in options if option is not type(None)), key=_is_function)
    has_function = any(map(_is_function, others))
    return builder.choice(
        schema_of(usual, builder),
        Others(type(None) in options, has_function, len(others) > has_function),
    )


def _leaf(hint: Any) -> Leaf:
    if get_origin(hint) is Literal:
        return Leaf("word", options=get_args(hint))
    if _is_function(hint):
        return Leaf("function")
    return _LEAVES.get(hint, Leaf("text"))


_LEAVES = {Any: Leaf("anything"), bool: Leaf("flag"), Category: Leaf("category")}


def _is_function(hint: Any) -> bool:
    return get_origin(hint) is Callable


def in_files(hint: Any) -> bool:
    """Return whether a file can have the setting; one that only takes a function is for Python."""
    options = get_args(hint)
    return get_origin(hint) not in _UNIONS or not all(one is type(None) or _is_function(one) for one in options)


def keys_of_files(kind: type[Section], skip: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the annotations of the settings that a file can have, by key."""
    return {name: hint for name, hint in hints(kind).items() if name not in skip and in_files(hint)}


def meaning_of(hint: Any) -> Spec | About | None:
    """Return what an annotation says to people about a setting: its range, or its meaning."""
    found = (about(part, Spec) or about(part, About) for part in (hint, *get_args(hint)))
    return next((meaning for meaning in found if meaning is not None), None)
