"""Defines the base of the settings classes: an object validates its values when it is created.

The annotation of a field says what its values may be. The validator reads the annotations (`config/validation/`);
it is not loaded for settings that have their defaults, which a test has read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields
from typing import Annotated, Any, ClassVar, TypeVar, get_origin, get_type_hints

from ...errors import PolicyError, Problem
from .contradictions import Contradiction, Rule, own_contradictions
from .old_spellings import OldSpelling
from .validator import validator

__all__ = ["Section", "about", "changed", "contradictions", "hints", "section_name", "unchecked"]

A = TypeVar("A")
S = TypeVar("S", bound="Section")


class Section:
    """Base of the settings classes. Values are read by the annotations of their fields.

    Raises:
        PolicyError: values are wrong; it lists every mistake with its path and the allowed range.
    """

    __slots__ = ()
    OLD_SPELLINGS: ClassVar[Mapping[str, OldSpelling]] = {}
    """The renamed settings by their old names; set by `renamed`."""
    RULES: ClassVar[tuple[Rule, ...]] = ()
    """Find contradictions between settings of the section, or of the sections in it."""

    def __post_init__(self) -> None:
        problems: list[Problem] = []
        own = fields(self)  # type: ignore[arg-type]  # a dataclass
        values = {field.name: getattr(self, field.name) for field in own}
        if not all(_is_default(field, values[field.name]) for field in own):
            values, mistakes = validator().read_values(type(self), values)
            problems += [Problem(section_name(type(self)), 0, 0, *mistake) for mistake in mistakes]
            for name, value in values.items():
                # The classes are frozen, so assignment raises; dataclasses use the same call in __init__.
                object.__setattr__(self, name, value)
        problems += [Problem(self._label(), 0, 0, path, message) for path, message, _ in contradictions(self)]
        if problems:
            raise PolicyError.of(problems)

    def _label(self) -> str:
        """Return what a contradiction is said to be in."""
        return section_name(type(self))


def _is_default(field: Field[Any], value: Any) -> bool:
    default = field.default if field.default_factory is MISSING else field.default_factory()
    # The types too, since 1 is equal to True.
    return type(value) is type(default) and bool(value == default)


def contradictions(settings: Section) -> list[Contradiction]:
    """Return the contradictions in a section and in the sections in it, with their paths from here."""
    found: list[Contradiction] = []
    for field in fields(settings):  # type: ignore[arg-type]  # a dataclass
        for path, part in _parts(field.name, getattr(settings, field.name)):
            found += [
                Contradiction(f"{path}.{below}".rstrip("."), message, f"{path}.{other}" if other else "")
                for below, message, other in contradictions(part)
            ]
    return [*found, *own_contradictions(settings.RULES, settings)]


def _parts(name: str, value: Any) -> Iterator[tuple[str, Section]]:
    """Yield the sections in a setting, with their paths."""
    if isinstance(value, Section):
        yield name, value
    elif isinstance(value, tuple):
        yield from ((f"{name}[{index}]", item) for index, item in enumerate(value) if isinstance(item, Section))
    elif isinstance(value, Mapping):
        yield from ((f"{name}.{key}", item) for key, item in value.items() if isinstance(item, Section))


def unchecked(kind: type[S], values: Mapping[str, Any]) -> S:
    """Make settings of values that have been read already, or that need no check; the others have their defaults."""
    settings, own = object.__new__(kind), fields(kind)  # type: ignore[arg-type]  # a dataclass
    if not values.keys() <= {field.name for field in own}:
        raise TypeError(f"{kind.__name__} has not all of the settings {', '.join(values)}")
    for field in own:
        if field.name in values:
            value = values[field.name]
        else:
            value = field.default if field.default_factory is MISSING else field.default_factory()
        object.__setattr__(settings, field.name, value)
    return settings


def changed(settings: S, **values: Any) -> S:
    """Return a copy with some values changed that need no check, so that no validator is loaded for them."""
    own = {field.name: getattr(settings, field.name) for field in fields(settings)}  # type: ignore[arg-type]
    return unchecked(type(settings), own | values)


def section_name(section: type) -> str:
    """Return the name of a settings class as messages and the JSON schema show it: `BreakerSettings` is `Breaker`."""
    return section.__name__.removesuffix("Settings")


def hints(section: type) -> dict[str, Any]:
    """Return the annotations of a settings class by field; resolved once per class."""
    by_name = _HINTS.get(section)
    if by_name is None:
        resolved = get_type_hints(section, include_extras=True)
        by_name = _HINTS[section] = {field.name: resolved[field.name] for field in fields(section)}
    return by_name


_HINTS: dict[type, dict[str, Any]] = {}


def about(hint: Any, kind: type[A]) -> A | None:
    """Return the object of this kind in an annotation's metadata, such as its `Spec`, or None."""
    metadata = hint.__metadata__ if get_origin(hint) is Annotated else ()
    return next((item for item in metadata if isinstance(item, kind)), None)
