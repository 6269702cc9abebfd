"""Defines the write that is looked up, as it was sent, and fills its fields into the parameters of queries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from .known_venue import WriteSettings
from .order_sections import QuerySettings

__all__ = ["WriteRequest", "query_params"]

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_MARGIN = 60_000  # milliseconds before the first stamp from which orders are listed: clocks differ


class WriteRequest(NamedTuple):
    """A write as it was sent.

    Attributes:
        write: what the venue's data says of its endpoint.
        params: its parameters in the venue's own names.
        key: the client order id of the call; None where it has none.
        sent_at: the stamp of its first attempt, Unix seconds.
        extra: values for placeholders that are not among the parameters.
    """

    write: WriteSettings
    params: Mapping[str, Any]
    key: str | None
    sent_at: float | None = None
    extra: Mapping[str, Any] = {}

    @property
    def order_id(self) -> Any:
        """Return the venue's id of the order that the write changes, or None."""
        return self.params.get(self.write.id) if self.write.id else None

    @property
    def order_key(self) -> Any:
        """Return the client order id of the order that the write changes or makes, or None."""
        return self.params.get(self.write.key) if self.write.key else None


def query_params(query: QuerySettings, request: WriteRequest, id_name: str, value: Any) -> dict[str, Any]:
    """Return the parameters of a query for the order with this id; a placeholder without a value is left out.

    Args:
        query: the query.
        request: the write.
        id_name: the parameter of the id; empty for a query that lists orders.
        value: the id.
    """
    values = {**request.params, **request.extra}
    if request.sent_at is not None:
        values["since"] = int(request.sent_at * 1000) - _MARGIN
    filled = {name: _filled(text, values) for name, text in query.params.items()}
    asked = {name: text for name, text in filled.items() if text}
    return {**asked, id_name: value} if id_name else asked


def _filled(text: str, values: Mapping[str, Any]) -> str:
    return _PLACEHOLDER.sub(lambda match: str(values.get(match[1]) or ""), text)
