"""The JSON schema of policy files, made of the settings classes' own annotations.

What an annotation says serves the dataclass, the loader and this: a range or a word is said once. What
a schema cannot say (names that must exist, settings that contradict each other) is left to the loader.
"""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from ..._core.policy.codes import Category
from ..._core.policy.old_spellings import OldSpelling
from ..._core.policy.policy import OperationSettings, Policy
from ..._core.policy.section import Section, about, hints, section_name
from ..._core.policy.sections import NO_VALUE
from ..._core.policy.units import About, Spec
from ..codes.code_tables import shipped_names
from ..loading.section_nodes import in_files, is_function
from ..loading.yaml_reader import read_text
from .patterns import VARIABLE, pattern

__all__ = ["DRAFT", "as_text", "policy_schema"]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
"""The dialect of the schemas."""
Schema = dict[str, Any]
_VARIABLE: Schema = {"$ref": "#/$defs/variable"}
_OFF: Schema = {"enum": [None, "off"]}
_TEXT = ["string", "number", "boolean"]


def as_text(schema: Schema) -> str:
    """Return a schema as its file holds it."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def policy_schema() -> Schema:
    """Return the schema of a policy file."""
    made = _Schemas()
    made.section(Policy, skip=("name", "codes", "stages"))
    made.section(OperationSettings)
    made.defs["Policy"]["properties"] = _own_of_a_policy() | made.defs["Policy"]["properties"]
    policy = {"anyOf": [{"$ref": "#/$defs/Policy"}, {"type": "null"}]}
    return {
        "$schema": DRAFT,
        "title": "A policy file of resilience",
        "description": "How calls of each kind are made safe. It is layered over the built-in policies.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "version": {"const": 1, "default": 1, "description": "The version of the format.", "examples": [1]},
            "codes": _codes("Code registries for all policies of the file that list none themselves."),
            "policies": {
                "description": "Policies by name; a name of a built-in one replaces it.",
                "type": ["object", "null"],
                "additionalProperties": policy,
                "default": {},
                "examples": [{"read": {"extends": "default", "deadline": "20s"}}],
            },
            "operations": {
                "description": "Which policy each operation gets; the first glob that matches counts.",
                "type": ["array", "null"],
                "items": {"$ref": "#/$defs/Operation"},
                "default": [],
                "examples": [[{"match": "fetch_*", "policy": "read", "idempotent": True}]],
            },
        },
        "$defs": dict(sorted(made.defs.items())),
    }


def _codes(said: str) -> Schema:
    name = {"type": "string", "minLength": 1, "examples": sorted(shipped_names())}
    return {
        "description": f"{said} Asked in this order: names, or paths of tables beside the file.",
        "anyOf": [name, {"type": "array", "items": name}],
        "default": ["http"],
        "examples": [["bitget", "http"]],
    }


def _own_of_a_policy() -> Schema:
    """Return what a policy in a file says that the class takes in another way."""
    option = {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": {"type": "object"}}
    stage = {"anyOf": [{"type": _TEXT, "minLength": 1}, option]}
    stages = {"anyOf": [_OFF, stage, {"type": "array", "items": stage}]}
    told = {hint: about(hints(Policy)[hint], About) for hint in ("stages",)}
    return {
        "extends": {
            "description": "The policy whose settings are inherited; what stands here is laid over them.",
            "anyOf": [{"type": _TEXT, "minLength": 1}, _OFF],
            "default": None,
            "examples": ["default"],
        },
        "codes": _codes("The policy's own code registries."),
        "stages": {**stages, **_said(told["stages"]), "default": []},
    }


class _Schemas:
    """Collects the definitions of the sections that others refer to."""

    def __init__(self) -> None:
        self.defs: dict[str, Schema] = {"variable": {"type": "string", "pattern": VARIABLE}}

    def section(self, kind: type[Section], *, skip: tuple[str, ...] = ()) -> Schema:
        """Define a settings class, and return the reference to it."""
        if section_name(kind) not in self.defs:
            self.defs[section_name(kind)] = {}
            allowed = {name: hint for name, hint in hints(kind).items() if name not in skip and in_files(hint)}
            given = {one.name: one for one in fields(kind)}  # type: ignore[arg-type]  # every section is a dataclass
            former = {spelling.new: spelling for spelling in kind.OLD_SPELLINGS.values()}
            required = [name for name in allowed if _required(given[name])]
            self.defs[section_name(kind)] = {
                "description": (kind.__doc__ or "").split("\n")[0],
                "type": "object",
                "additionalProperties": False,
                "properties": {name: self._key(hint, given[name], former.get(name)) for name, hint in allowed.items()},
                **({"required": required} if required else {}),
            }
        return {"$ref": f"#/$defs/{section_name(kind)}"}

    def _key(self, hint: Any, field: Field[Any], former: OldSpelling | None) -> Schema:
        inner, optional = _unwrapped(hint)
        spec, said = about(inner, Spec), about(inner, About)
        made = {**self._value(inner, optional=optional), **_said(spec or said)}
        if former is not None:  # an editor marks the old key as unknown, and shows this beside the new one
            made["description"] += former.note()
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        if default is not MISSING and default is not NO_VALUE:
            made["default"] = _plain(default, spec)
        return made

    def _value(self, hint: Any, *, optional: bool = False) -> Schema:
        """Return what a value of this annotation may be; `optional` ones may be off."""
        spec = about(hint, Spec)
        if spec is not None:
            return _number(spec, optional=optional)
        made = self._shape(get_args(hint)[0] if get_origin(hint) is Annotated else hint)
        if not made:
            return made
        options = [*made.get("anyOf", [made]), *([_OFF] if optional else [])]
        if made.get("type") != _TEXT:
            options.append(_VARIABLE)
        return {"anyOf": options} if len(options) > 1 else made

    def _shape(self, hint: Any) -> Schema:
        options = get_args(hint)
        if hint is Any:
            return {}
        if get_origin(hint) is Literal:
            return {"enum": list(options)}
        if get_origin(hint) is tuple:
            return {"anyOf": [{"type": "array", "items": self._value(options[0])}, _OFF]}
        if get_origin(hint) is Mapping:
            return {"type": "object", "additionalProperties": self._value(options[1])}
        if hint is Category:
            return {"enum": [str(one) for one in Category]}
        if hint is bool:
            return {"type": "boolean"}
        if isinstance(hint, type) and issubclass(hint, Section):
            return self.section(hint)
        return {"type": _TEXT, "minLength": 1}


def _required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _unwrapped(hint: Any) -> tuple[Any, bool]:
    """Return what a file may say of a setting, and whether it may be off."""
    if get_origin(hint) not in (Union, types.UnionType):
        return hint, False
    inner = [one for one in get_args(hint) if one is not type(None) and not is_function(one)]
    return inner[0], type(None) in get_args(hint)


def _number(spec: Spec, *, optional: bool) -> Schema:
    kinds = ["integer" if spec.kind == "count" else "number", "string"]
    texts = [one for one in (pattern(spec), VARIABLE, "^off$" if optional else "") if one]
    return {
        "type": [*kinds, "null"] if optional else kinds,
        "exclusiveMinimum" if spec.above else "minimum": spec.low,
        "maximum": spec.high,
        "pattern": "|".join(texts),
        "patternErrorMessage": f"expected {spec.expected}: allowed is {spec.allowed()}",
    }


def _said(told: Spec | About | None) -> Schema:
    """Return the description, the unit and the example of a key."""
    if told is None:
        return {}
    example = read_text(told.example, "example")
    made: Schema = {"description": told.help, "examples": [None if example is None else example.plain]}
    if isinstance(told, Spec):
        made["description"] += f" Allowed: {told.allowed()}."
        if told.unit:
            made["unit"] = told.unit
    return made


def _plain(default: Any, spec: Spec | None) -> Any:
    """Return a default as a policy file writes it."""
    if isinstance(default, Section):
        usual = type(default)()
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
