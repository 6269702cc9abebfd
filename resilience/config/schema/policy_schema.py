"""Generates the JSON schema of policy files from the annotations of the settings classes.

The settings classes, the loader and this module read the same annotations, so a range is written once. The loader
also checks what a schema cannot express: names that must exist, and settings that contradict each other.
"""

from __future__ import annotations

import json

from ..._core.policy.policy import Policy
from ..._core.policy.policy_set import OperationSettings
from ..._core.policy.section import hints
from ..._core.policy.shared_settings import SharedSettings
from ..codes.code_tables import shipped_names
from ..validation.annotations import meaning_of
from .section_schema import OFF_SCHEMA, TEXT_TYPES, Schema, SectionSchemas, describe

__all__ = ["DRAFT", "as_text", "policy_schema"]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
"""The JSON schema draft."""


def as_text(schema: Schema) -> str:
    """Return a schema as JSON text."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def policy_schema() -> Schema:
    """Return the schema of a policy file."""
    schemas = SectionSchemas()
    schemas.define(Policy, skip=("name", "codes", "stages"))
    schemas.define(OperationSettings)
    schemas.define(SharedSettings)
    schemas.defs["Policy"]["properties"] = _keys_of_files() | schemas.defs["Policy"]["properties"]
    policy = {"anyOf": [{"$ref": "#/$defs/Policy"}, {"type": "null"}]}
    return {
        "$schema": DRAFT,
        "title": "A policy file of resilience",
        "description": "How calls of each kind are protected. The file is layered over the built-in policies.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "version": {"const": 1, "default": 1, "description": "The version of the format.", "examples": [1]},
            "codes": _codes("Code registries of all policies in the file that list none."),
            "policies": {
                "description": "Policies by name; one with the name of a built-in policy replaces it.",
                "type": ["object", "null"],
                "additionalProperties": policy,
                "default": {},
                "examples": [{"read": {"extends": "default", "deadline": "20s"}}],
            },
            "operations": {
                "description": "The policy of each operation; the first glob that matches applies.",
                "type": ["array", "null"],
                "items": {"$ref": "#/$defs/Operation"},
                "default": [],
                "examples": [[{"match": "fetch_*", "policy": "read", "idempotent": True}]],
            },
            "isolated": {
                "description": "Why nothing is sent under any policy until it is released.",
                "type": ["string", "null"],
                "default": None,
                "examples": ["maintenance"],
            },
            "shared": {
                "description": "What several processes of one account share; off, each is on its own.",
                "anyOf": [{"$ref": "#/$defs/Shared"}, OFF_SCHEMA],
                "default": None,
                "examples": [{"url": "${RESILIENCE_SHARED_URL}", "processes": 8}],
            },
        },
        "$defs": dict(sorted(schemas.defs.items())),
    }


def _codes(description: str) -> Schema:
    name = {"type": "string", "minLength": 1, "examples": sorted(shipped_names())}
    return {
        "description": f"{description} Tried in this order: names, or paths relative to the file.",
        "anyOf": [name, {"type": "array", "items": name}],
        "default": ["http"],
        "examples": [["bitget", "http"]],
    }


def _keys_of_files() -> Schema:
    """Return the keys of a policy that have another form in a file than in the class."""
    option = {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": {"type": "object"}}
    stage = {"anyOf": [{"type": TEXT_TYPES, "minLength": 1}, option]}
    stages = {"anyOf": [OFF_SCHEMA, stage, {"type": "array", "items": stage}]}
    return {
        "extends": {
            "description": "The policy whose settings are inherited; the settings here are merged over them.",
            "anyOf": [{"type": TEXT_TYPES, "minLength": 1}, OFF_SCHEMA],
            "default": None,
            "examples": ["default"],
        },
        "codes": _codes("The policy's own code registries."),
        "stages": {**stages, **describe(meaning_of(hints(Policy)["stages"])), "default": []},
    }
