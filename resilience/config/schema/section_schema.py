"""Generates the JSON schema definitions of the settings classes from the annotations of their fields."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from ..._core.policy.codes import Category
from ..._core.policy.old_spellings import OldSpelling
from ..._core.policy.section import Section, about, hints, section_name
from ..._core.policy.sections import NO_VALUE
from ..._core.policy.units import About, Spec
from ..loading.yaml_reader import read_text
from ..validation.annotations import _is_function as is_function
from ..validation.annotations import in_files
from .patterns import VARIABLE, pattern

__all__ = ["OFF_SCHEMA", "TEXT_TYPES", "Schema", "SectionSchemas", "describe"]

Schema = dict[str, Any]
_VARIABLE: Schema = {"$ref": "#/$defs/variable"}
OFF_SCHEMA: Schema = {"enum": [None, "off"]}
"""The schema of a stage that is switched off."""
TEXT_TYPES = ["string", "number", "boolean"]
"""The JSON types that a string setting accepts: a YAML scalar without quotes may look like a number."""


class SectionSchemas:
    """Collects the definitions of the sections, to which other definitions refer."""

    def __init__(self) -> None:
        self.defs: dict[str, Schema] = {"variable": {"type": "string", "pattern": VARIABLE}}

    def section(self, kind: type[Section], *, skip: tuple[str, ...] = ()) -> Schema:
        """Define a settings class and return a reference to it."""
        if section_name(kind) not in self.defs:
            self.defs[section_name(kind)] = {}  # reserves the name, in case a section refers to itself
            allowed = {name: hint for name, hint in hints(kind).items() if name not in skip and in_files(hint)}
            by_name = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]  # sections are dataclasses
            former = {spelling.new: spelling for spelling in kind.OLD_SPELLINGS.values()}
            required = [name for name in allowed if _required(by_name[name])]
            self.defs[section_name(kind)] = {
                "description": (kind.__doc__ or "").split("\n")[0],
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    name: self._key(hint, by_name[name], former.get(name)) for name, hint in allowed.items()
                },
                **({"required": required} if required else {}),
            }
        return {"$ref": f"#/$defs/{section_name(kind)}"}

    def _key(self, hint: Any, field: Field[Any], former: OldSpelling | None) -> Schema:
        inner, optional = _unwrapped(hint)
        spec = about(inner, Spec)
        schema = {**self._value(inner, optional=optional), **describe(spec or about(inner, About))}
        # The old key is not in the schema: an editor marks it as unknown and shows this note with the new key.
        if former is not None:
            schema["description"] += former.note()
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        if default is not MISSING and default is not NO_VALUE:
            schema["default"] = _plain(default, spec)
        return schema

    def _value(self, hint: Any, *, optional: bool = False) -> Schema:
        """Return the schema of a value with this annotation; an `optional` one may be off."""
        spec = about(hint, Spec)
        if spec is not None:
            return _number(spec, optional=optional)
        schema = self._shape(get_args(hint)[0] if get_origin(hint) is Annotated else hint)
        if not schema:
            return schema
        options = [*schema.get("anyOf", [schema]), *([OFF_SCHEMA] if optional else [])]
        if schema.get("type") != TEXT_TYPES:
            options.append(_VARIABLE)  # also a value that is not a string may come from a variable
        return {"anyOf": options} if len(options) > 1 else schema

    def _shape(self, hint: Any) -> Schema:
        options = get_args(hint)
        if hint is Any:
            return {}
        if get_origin(hint) is Literal:
            return {"enum": list(options)}
        if get_origin(hint) is tuple:
            return {"anyOf": [{"type": "array", "items": self._value(options[0])}, OFF_SCHEMA]}
        if get_origin(hint) is Mapping:
            return {"type": "object", "additionalProperties": self._value(options[1])}
        if hint is Category:
            return {"enum": [str(category) for category in Category]}
        if hint is bool:
            return {"type": "boolean"}
        if isinstance(hint, type) and issubclass(hint, Section):
            return self.section(hint)
        return {"type": TEXT_TYPES, "minLength": 1}


def _required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _unwrapped(hint: Any) -> tuple[Any, bool]:
    """Return the annotation of a setting in files, and whether the setting may be off."""
    if get_origin(hint) not in (Union, types.UnionType):
        return hint, False
    inner = [option for option in get_args(hint) if option is not type(None) and not is_function(option)]
    return inner[0], type(None) in get_args(hint)


def _number(spec: Spec, *, optional: bool) -> Schema:
    kinds = ["integer" if spec.kind == "count" else "number", "string"]
    patterns = [text for text in (pattern(spec), VARIABLE, "^off$" if optional else "") if text]
    return {
        "type": [*kinds, "null"] if optional else kinds,
        "exclusiveMinimum" if spec.above else "minimum": spec.low,
        "maximum": spec.high,
        "pattern": "|".join(patterns),
        "patternErrorMessage": f"expected {spec.expected} ({spec.allowed()})",
    }


def describe(setting: Spec | About | None) -> Schema:
    """Return the description, the unit and the example of a key."""
    if setting is None:
        return {}
    example = read_text(setting.example, "example")
    schema: Schema = {"description": setting.help, "examples": [None if example is None else example.plain]}
    if isinstance(setting, Spec):
        schema["description"] += f" Allowed: {setting.allowed()}."
        if setting.unit:
            schema["unit"] = setting.unit
    return schema


def _plain(default: Any, spec: Spec | None) -> Any:
    """Return a default in the syntax of a policy file."""
    if isinstance(default, Section):
        usual = type(default)()  # a key is left out where it has the default of its own class
        own = {name: (hint, getattr(default, name)) for name, hint in hints(type(default)).items()}
        return {
            name: _plain(value, about(_unwrapped(hint)[0], Spec))
            for name, (hint, value) in own.items()
            if value != getattr(usual, name)
        }
    if isinstance(default, (tuple, dict)):
        return list(default) if isinstance(default, tuple) else default
    if default is None or isinstance(default, (bool, str)) or spec is None:
        return default if default is None or isinstance(default, bool) else str(default)
    if spec.kind in ("count", "factor"):
        return int(default) if default == int(default) else default
    return spec.write(default)
