"""Loads the code tables that a command is given, and turns their rows into plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .._core.policy.codes import CodeTable, Rule

__all__ = ["find_rows", "in_scope", "load_registry", "plain_rule"]


def load_registry(name: str) -> CodeTable:
    """Return a built-in registry, the one in a `.yaml` file, or what ccxt knows of an exchange that has no other.

    Raises:
        PolicyError: there is no such registry, or the file has mistakes.
    """
    from ..config.codes.code_tables import CodeRegistry, builtin_names, is_known
    from ..errors import PolicyError

    if is_known(name):
        return CodeRegistry.builtin(name)
    if name.endswith((".yaml", ".yml")):
        return CodeRegistry.load(name)
    table = _table_of_ccxt(name)
    if table is not None:
        return table
    available = ", ".join(sorted(builtin_names()))
    raise PolicyError(f"unknown registry {name!r}; available: {available}, or the path of a .yaml file")


def _table_of_ccxt(name: str) -> CodeTable | None:
    try:
        # Imported here because ccxt takes a second, and need not be installed.
        from ..integrations.ccxt.exchange_codes import exchange_codes
    except ImportError:
        return None
    return exchange_codes(name)


def in_scope(table: CodeTable, scope: str | None) -> CodeTable:
    """Return the table with the rows of one part of the API, and those of all parts; the table itself without a scope.

    Raises:
        PolicyError: no row has this scope.
    """
    from .._core.policy.codes import CodeTable
    from ..errors import PolicyError

    if scope is None:
        return table
    scopes = sorted({name for rule in table for name in rule.scopes})
    if scope not in scopes:
        available = f"available: {', '.join(scopes)}" if scopes else "its rows have no scopes"
        raise PolicyError(f"no row of {table.name} has the scope {scope!r}; {available}")
    rules = [table.rule(code, scope=scope) for code in dict.fromkeys(rule.code for rule in table)]
    own = [rule for rule in rules if rule is not None and {scope, "all"} & set(rule.scopes or ("all",))]
    return CodeTable(table.name, own, envelope=table.envelope, sources=table.sources, references=table.references)


def find_rows(rules: list[Rule], search: str) -> list[Rule]:
    """Return the rows that a search finds: by the beginning of a number, else by a part of any of their texts."""
    wanted = search.lower()
    if wanted.lstrip("-+").isdecimal():
        return [rule for rule in rules if rule.code.startswith(search)]
    return [rule for rule in rules if any(wanted in text.lower() for text in _texts_of(rule))]


def _texts_of(rule: Rule) -> tuple[str, ...]:
    category = str(rule.category or "success")
    return rule.code, *rule.names, rule.remedy, rule.hint, category, category.replace("_", "-"), *rule.scopes


def plain_rule(rule: Rule, table: CodeTable | None = None) -> dict[str, Any]:
    """Return a rule as the JSON of `codes` has it; of a table with sources also its scope and where it comes from."""
    row: dict[str, Any] = {
        "code": rule.code,
        "names": list(rule.names),
        "category": rule.category and str(rule.category),
        "executed": rule.executed,
        "hint": rule.hint,
        "remedy": rule.remedy,
    }
    if table is not None and table.references:
        row |= {
            "scope": "+".join(rule.scopes) or "all",
            "match": rule.match,
            "source": [table.references.get(name, name) for name in rule.source],
        }
    return row
