"""Lets settings classes take the names of version 0.1 as keyword arguments and attributes, with a warning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from functools import wraps
from typing import Any, TypeVar

from ...errors import PolicyError, Problem
from ..base.deprecation import warn, warn_safely
from .old_spellings import OldSpelling
from .section import Section, section_name
from .validator import validator

__all__ = ["renamed", "renewed"]

S = TypeVar("S", bound=Section)


def renamed(*spellings: OldSpelling) -> Callable[[type[S]], type[S]]:
    """Let a settings class take old names as keyword arguments and attributes, each with a `DeprecationWarning`."""
    table = {spelling.old: spelling for spelling in spellings}

    def decorate(section: type[S]) -> type[S]:
        init = section.__init__

        @wraps(init)
        def read_old_names(self: Any, /, *args: Any, **settings: Any) -> None:
            init(self, *args, **renewed(section, settings))

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


def renewed(
    section: type[Section], settings: Mapping[str, Any], report: Callable[[str], None] = warn
) -> Mapping[str, Any]:
    """Return the settings under their new names; `report` gets a warning for each old one.

    Raises:
        PolicyError: an old name has a value that it does not take, or contradicts the new one.
    """
    table = section.OLD_SPELLINGS
    if table.keys().isdisjoint(settings):
        return settings
    new_settings = {name: value for name, value in settings.items() if name not in table}
    problems = []
    for name in [name for name in settings if name in table]:
        value, spelling = settings[name], table[name]
        try:
            new_value = spelling.translate(value)
            if spelling.new in settings and _contradicts(section, spelling.new, settings[spelling.new], new_value):
                message = f"{spelling.conflict()}; dataclasses.replace needs the new name, {spelling.new}"
                raise ValueError(message)
            new_settings[spelling.new] = new_value
            report(f"{section_name(section)}: {spelling.deprecation(value)}")
        except ValueError as error:
            problems.append(Problem(section_name(section), 0, 0, name, str(error)))
    if problems:
        raise PolicyError.of(problems)
    return new_settings


def _contradicts(section: type[Section], name: str, value: Any, translated: Any) -> bool:
    """Return whether a setting differs from its default and from the translated value of its old spelling.

    `dataclasses.replace` passes every field, so both spellings come together where the caller wrote the old one only.
    """
    field = next(field for field in fields(section) if field.name == name)  # type: ignore[arg-type]  # a dataclass
    default = field.default if field.default_factory is MISSING else field.default_factory()
    read = validator().read_values
    (value, mistakes), (translated, others) = (
        (values[name], found) for values, found in (read(section, {name: one}) for one in (value, translated))
    )
    return bool(mistakes or (value != default and (others or value != translated)))
