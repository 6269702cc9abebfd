"""Validates the settings classes: each value is read by its field's annotation when an object is created."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields
from functools import wraps
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_args, get_origin, get_type_hints

from ...errors import PolicyError, Problem
from ..base.deprecation import warn, warn_safely
from .codes import Category
from .old_spellings import OldSpelling
from .units import Spec
from .value_text import one_of

__all__ = ["Section", "about", "hints", "renamed", "section_name"]

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

    def __post_init__(self) -> None:
        problems = []
        for name, hint in hints(type(self)).items():
            try:
                # The classes are frozen, so assignment raises; dataclasses use the same call in __init__.
                object.__setattr__(self, name, _read(hint, getattr(self, name)))
            except PolicyError as error:
                problems += [p._replace(path=f"{name}.{p.path}" if p.path else name) for p in error.problems]
            except ValueError as error:
                problems.append(Problem(section_name(type(self)), 0, 0, name, str(error)))
        if problems:
            raise PolicyError.of(problems)


def renamed(*spellings: OldSpelling) -> Callable[[type[S]], type[S]]:
    """Let a settings class take old names as keyword arguments and attributes, each with a `DeprecationWarning`."""
    table = {spelling.old: spelling for spelling in spellings}

    def decorate(section: type[S]) -> type[S]:
        init = section.__init__

        @wraps(init)
        def read_old_names(self: Any, /, *args: Any, **settings: Any) -> None:
            init(self, *args, **(settings if table.keys().isdisjoint(settings) else _renewed(section, settings)))

        section.__init__ = read_old_names  # type: ignore[method-assign,assignment]
        section.OLD_SPELLINGS = table
        for spelling in spellings:
            # After `dataclass` has made the class: a property is no field, and needs no slot.
            setattr(section, spelling.old, _old_attribute(section, spelling))
        return section

    return decorate


def _old_attribute(section: type[Section], spelling: OldSpelling) -> property:
    message = f"{section_name(section)}.{spelling.old} is deprecated: use .{spelling.new}"

    def read_new_attribute(self: Section) -> Any:
        warn_safely(message)  # a listener or a stage may read it
        return spelling.old_value(getattr(self, spelling.new))

    return property(read_new_attribute, doc=f"The name that `{spelling.new}` had in 0.1. Deprecated.")


def _renewed(section: type[Section], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings under their new names."""
    table = section.OLD_SPELLINGS
    renewed = {name: value for name, value in settings.items() if name not in table}
    problems = []
    for name, value in settings.items():
        if name not in table:
            continue
        try:
            spelling = table[name]
            new_value = spelling.translate(value)
            if spelling.new in settings and _contradicts(section, spelling.new, settings[spelling.new], new_value):
                message = f"{spelling.conflict()}; dataclasses.replace needs the new name, {spelling.new}"
                raise ValueError(message)
            renewed[spelling.new] = new_value
            warn(f"{section_name(section)}: {spelling.deprecation(value)}")
        except ValueError as error:
            problems.append(Problem(section_name(section), 0, 0, name, str(error)))
    if problems:
        raise PolicyError.of(problems)
    return renewed


def _contradicts(section: type[Section], name: str, value: Any, translated: Any) -> bool:
    """Return whether a setting differs from its default and from the translated value of its old spelling.

    `dataclasses.replace` passes every field, so both spellings come together where the caller wrote the old one only.
    """
    field = next(field for field in fields(section) if field.name == name)  # type: ignore[arg-type]  # a dataclass
    default = field.default if field.default_factory is MISSING else field.default_factory()
    hint = hints(section)[name]
    try:
        value = _read(hint, value)
        return bool(value != default and value != _read(hint, translated))
    except ValueError:
        return True


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


def _read(hint: Any, value: Any) -> Any:
    """Read one value by its annotation; a mapping is read as a section.

    Raises:
        ValueError: the value is wrong; a section raises its own `PolicyError`.
    """
    if get_origin(hint) is Annotated:
        spec = about(hint, Spec)
        return spec.read(value) if spec is not None else _read(get_args(hint)[0], value)
    options = get_args(hint)
    if get_origin(hint) is Literal:
        return one_of(options, value)
    if get_origin(hint) is Callable:
        if not callable(value):
            raise ValueError(f"expected a function, got a {type(value).__name__}")
        return value
    if type(None) in options:
        inner = [option for option in options if option is not type(None)]
        # A second option is always a function type, such as the key of a breaker; it comes from Python only.
        by_function = len(inner) > 1 and callable(value)
        return value if value is None or by_function else _read(inner[0], value)
    if get_origin(hint) is Mapping:
        if not isinstance(value, Mapping):
            raise ValueError(f"expected a mapping, got a {type(value).__name__}")
        return {_read(options[0], name): _read(options[1], item) for name, item in value.items()}
    if get_origin(hint) is tuple:
        if isinstance(value, (str, Mapping)) or not isinstance(value, Iterable):
            raise ValueError(f"expected a list, got a {type(value).__name__}")
        return tuple(_read(options[0], item) for item in value)
    if isinstance(hint, type) and issubclass(hint, Section):
        return _read_section(hint, value)
    if hint is Category:
        return Category(value)
    if hint in (str, bool) and not isinstance(value, hint):
        raise ValueError(f"expected a {'string' if hint is str else 'bool'}, got a {type(value).__name__}")
    return value


def _read_section(kind: type[Section], value: Any) -> Section:
    if isinstance(value, kind):
        return value
    if not isinstance(value, Mapping):
        expected = f"a mapping with {', '.join(hints(kind))} (or {kind.__name__})"
        raise ValueError(f"expected {expected}, got {type(value).__name__}")
    unknown = [str(key) for key in value if key not in hints(kind) and key not in kind.OLD_SPELLINGS]
    if unknown:
        raise ValueError(f"unknown {', '.join(unknown)}; available: {', '.join(hints(kind))}")
    return kind(**value)
