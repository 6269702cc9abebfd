"""Generates the JSON schema of venues' files from the annotations of the classes that they are read into."""

from __future__ import annotations

from typing import Any

from ..config.schema.policy_schema import DRAFT
from ..config.schema.section_schema import Schema, SectionSchemas
from .known_venue import Venue

__all__ = ["venue_schema"]


def venue_schema() -> Schema:
    """Return the schema of a venue's file."""
    schemas = SectionSchemas()
    schemas.define(Venue)
    top: Schema = _without_variables(schemas.defs.pop("Venue"))
    version = {"const": 1, "default": 1, "description": "The version of the format.", "examples": [1]}
    del schemas.defs["variable"]
    return {
        "$schema": DRAFT,
        "title": "A venue of resilience",
        **top,
        "properties": {"version": version, **top["properties"]},
        "$defs": _without_variables(dict(sorted(schemas.defs.items()))),
    }


def _without_variables(schema: Any) -> Any:
    """Return a schema without the variables of the environment, which only policy files have."""
    if isinstance(schema, dict):
        return {name: _without_variables(value) for name, value in schema.items()}
    if isinstance(schema, list):
        return [_without_variables(one) for one in schema if one != {"$ref": "#/$defs/variable"}]
    return schema
