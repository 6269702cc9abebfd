"""Prints the JSON schema of policy files, code tables, venues or snapshots.

The schema is of draft 2020-12. Saved beside a policy file as policy.schema.json, it gives completion and checks in an
editor that reads the line '# yaml-language-server: $schema=policy.schema.json'.
"""

from __future__ import annotations

import argparse

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    content = parser.add_mutually_exclusive_group()
    content.add_argument("--codes", action="store_true", help="print the schema of code tables instead")
    content.add_argument("--snapshot", action="store_true", help="print the schema of snapshots instead")
    content.add_argument("--venues", action="store_true", help="print the schema of venues' files instead")
    content.add_argument("--markdown", action="store_true", help="print the keys of policy files as Markdown tables")
    content.add_argument("--json", action="store_true", help="print JSON, which is the default")


def run(args: argparse.Namespace) -> int:
    """Print the schema."""
    from ...config.schema.policy_schema import as_text, policy_schema

    if args.markdown:
        from ...config.schema.reference_tables import key_tables

        print(key_tables(policy_schema()), end="")
    elif args.codes:
        from ...config.schema.code_table_schema import code_schema

        print(as_text(code_schema()), end="")
    elif args.snapshot:
        from ...config.schema.snapshot_schema import snapshot_schema

        print(as_text(snapshot_schema()), end="")
    elif args.venues:
        from ...venues.venue_schema import venue_schema

        print(as_text(venue_schema()), end="")
    else:
        print(as_text(policy_schema()), end="")
    return 0
