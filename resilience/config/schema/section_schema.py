"""Generates the JSON schema definitions of the settings classes from the annotations of their fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, NamedTuple

from ..._core.policy.codes import Category
from ..._core.policy.old_spellings import OldSpelling
from ..._core.policy.section import Section, hints, section_name
from ..._core.policy.sections import NO_VALUE
from ..._core.policy.units import About, Spec
from ..loading.yaml_reader import read_text
from ..validation.annotations import Leaf, Others, keys_of_files, meaning_of, schema_of
from .patterns import VARIABLE, pattern

__all__ = ["OFF_SCHEMA", "TEXT_TYPES", "Schema", "SectionSchemas", "describe"]

Schema = dict[str, Any]
_VARIABLE: Schema = {"$ref": "#/$defs/variable"}
OFF_SCHEMA: Schema = {"enum": [None, "off"]}
"""The schema of a stage that is switched off."""
TEXT_TYPES = ["string", "number", "boolean"]
"""The JSON types that a string setting accepts: a YAML scalar without quotes may look like a number."""


class _Shape(NamedTuple):
    """What a file may give for a setting.

    Attributes:
        options: the schemas of which one must fit; empty if anything does.
        spec: the range of a number, which is a schema of its own.
        off: whether the setting may be off.
        variable: whether a variable of the environment is an option of its own; a string may contain one anyway.
    """

    options: tuple[Schema, ...] = ()
    spec: Spec | None = None
    off: bool = False
    variable: bool = True

    def schema(self) -> Schema:
        if self.spec is not None:
            return _number(self.spec, optional=self.off)
        options = [*self.options, *([OFF_SCHEMA] if self.off else []), *([_VARIABLE] if self.variable else [])]
        return {"anyOf": options} if len(options) > 1 else next(iter(options), {})


_LEAVES = {
    "category": _Shape(({"enum": [str(category) for category in Category]},)),
    "flag": _Shape(({"type": "boolean"},)),
    "text": _Shape(({"type": TEXT_TYPES, "minLength": 1},), variable=False),
    "anything": _Shape(variable=False),
}


class SectionSchemas:
    """Collects the definitions of the sections, to which other definitions refer. Builds the shape of each setting."""

    def __init__(self) -> None:
        self.defs: dict[str, Schema] = {"variable": {"type": "string", "pattern": VARIABLE}}

    def define(self, kind: type[Section], *, skip: tuple[str, ...] = ()) -> Schema:
        """Define a settings class and return a reference to it."""
        name = section_name(kind)
        if name not in self.defs:
            self.defs[name] = {}  # reserves the name, in case a section refers to itself
            self.defs[name] = self._definition(kind, keys_of_files(kind, skip))
        return {"$ref": f"#/$defs/{name}"}

    def leaf(self, leaf: Leaf) -> _Shape:
        """Return the shape of a setting that has no others in it."""
        if leaf.kind == "word":
            return _Shape(({"enum": list(leaf.options)},))
        return _Shape(spec=leaf.spec) if leaf.kind == "number" else _LEAVES[leaf.kind]

    def section(self, kind: type[Section]) -> _Shape:
        """Return the shape of a section."""
        return _Shape((self.define(kind),))

    def items(self, item: _Shape) -> _Shape:
        """Return the shape of a list."""
        return _Shape(({"type": "array", "items": item.schema()},), off=True)

    def by_name(self, item: _Shape) -> _Shape:
        """Return the shape of a mapping from names."""
        return _Shape(({"type": "object", "additionalProperties": item.schema()},))

    def choice(self, usual: _Shape, others: Others) -> _Shape:
        """Return the shape of a setting that may be off."""
        return usual._replace(off=others.off)

    def _definition(self, kind: type[Section], keys: Mapping[str, Any]) -> Schema:
        by_name = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]  # sections are dataclasses
        former = {spelling.new: spelling for spelling in kind.OLD_SPELLINGS.values()}
        required = [name for name in keys if _default(by_name[name]) is MISSING]
        return {
            "description": (kind.__doc__ or "").split("\n")[0],
            "type": "object",
            "additionalProperties": False,
            "properties": {name: self._key(hint, by_name[name], former.get(name)) for name, hint in keys.items()},
            **({"required": required} if required else {}),
        }

    def _key(self, hint: Any, field: Field[Any], former: OldSpelling | None) -> Schema:
        meaning, default = meaning_of(hint), _default(field)
        schema = {**schema_of(hint, self).schema(), **describe(meaning)}
        # The old key is not in the schema: an editor marks it as unknown and shows this note with the new key.
        if former is not None:
            schema["description"] += former.note()
        if default is not MISSING and default is not NO_VALUE:
            schema["default"] = _plain(default, meaning)
        return schema


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


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


def _plain_section(section: Section) -> Schema:
    """Return the keys of a section that differ from the defaults of its class."""
    usual = type(section)()
    own = {name: (hint, getattr(section, name)) for name, hint in hints(type(section)).items()}
    return {
        name: _plain(value, meaning_of(hint)) for name, (hint, value) in own.items() if value != getattr(usual, name)
    }


def _plain(default: Any, meaning: Spec | About | None) -> Any:
    """Return a default in the syntax of a policy file."""
    if isinstance(default, Section):
        return _plain_section(default)
    if isinstance(default, tuple):
        return list(default)
    if isinstance(default, (dict, bool, type(None))):
        return default
    return _plain_number(default, meaning) if isinstance(meaning, Spec) else str(default)


def _plain_number(default: Any, spec: Spec) -> Any:
    if spec.kind in ("count", "factor"):
        return int(default) if default == int(default) else default
    return spec.write(default)
