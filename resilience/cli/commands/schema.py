"""`resilience schema`: what a policy file may hold, for editors, other programs and the reference."""

from __future__ import annotations

import argparse
from typing import Any

__all__ = ["register", "run"]


def register(subparsers: Any) -> None:
    """Add the command's parser."""
    parser = subparsers.add_parser(
        "schema",
        help="print the JSON schema of policy files",
        description=(
            "Prints the JSON schema (draft 2020-12) of policy files. Kept beside a policy file as policy.schema.json, "
            "it helps an editor that reads the line '# yaml-language-server: $schema=policy.schema.json'."
        ),
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--codes", action="store_true", help="print the schema of code tables instead")
    what.add_argument("--markdown", action="store_true", help="print the keys of policy files as tables for people")
    what.add_argument("--json", action="store_true", help="print JSON, as it does anyway")


def run(args: argparse.Namespace) -> int:
    """Print the schema."""
    from ...config.schema.policy_schema import as_text, policy_schema

    if args.markdown:
        from ...config.schema.reference_tables import key_tables

        print(key_tables(policy_schema()), end="")
    elif args.codes:
        from ...config.schema.code_table_schema import code_schema

        print(as_text(code_schema()), end="")
    else:
        print(as_text(policy_schema()), end="")
    return 0
