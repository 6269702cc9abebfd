"""Puts the key of a call into the parameters of its request, and refuses one by which its order would not be found."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...venues.known_venue import Venue, WriteSettings
from .batch_log import BATCH
from .venue_lookup import batch_items

__all__ = ["KeyParameters"]


class KeyParameters:
    """The parameters in which a venue's requests carry client order ids. Safe across threads and tasks."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._shape = re.compile(venue.key.shape)

    def with_key(self, write: WriteSettings, params: Any, key: str | None) -> Any:
        """Return the parameters with the key by its own name, where ccxt does not know it or passes another one on."""
        own = self._venue.key
        if key is None or write.items or not isinstance(params, Mapping) or params.get(write.key) is not None:
            return params
        if write.action == "replace":
            passed_on = [name for name in own.replacing if params.get(name) == key]
            rest = {name: value for name, value in params.items() if name not in passed_on}
            return {**rest, write.key: key} if passed_on else params
        return {**params, write.key: key} if write.action == "place" and write.key not in own.parameters else params

    def check(self, write: WriteSettings, params: Any, key: str | None) -> None:
        """Check the client order id of a new order, or those of a batch.

        Raises:
            ValueError: an id is not the call's key, or the venue would refuse it.
        """
        if write.action not in ("place", "replace"):
            return
        items, batch = batch_items(write, params), BATCH.get()
        if key is None and batch is not None and batch.keys:
            _check_keys_of_items([item.get(write.key) for item in items], batch.keys)
        if key is None:
            return
        sent = items[0].get(write.key) if len(items) == 1 else key
        # Under another id the lookup would not find the order, and it would be sent again.
        if sent != key:
            raise ValueError(f"{write.key}: {sent!r} would be sent, but the key of this call is {key!r}")
        if not self._shape.fullmatch(key):
            raise ValueError(f"{write.key}: {self._venue.name} would reject {key!r}: expected {self._venue.key.shape}")

    def without_stray_key(self, write: WriteSettings, params: Any, key: str | None) -> Any:
        """Return the parameters without a key that was made for a new order, where an order is changed in place."""
        if key is None or write.action != "amend" or not isinstance(params, Mapping):
            return params
        # The id of an order that is changed by it stays; one that was made for a new order names none that is there.
        names = {*self._venue.key.replacing, *((write.key,) if params.get(write.id) else ())}
        return {name: value for name, value in params.items() if name not in names or value != key}


def _check_keys_of_items(sent: list[Any], keys: Sequence[str]) -> None:
    """Check that each order of a batch carries its own client order id, which ccxt may take from elsewhere."""
    if not set(sent) <= set(keys) or len(set(sent)) < len(sent):
        raise ValueError(f"the client order ids {sent!r} would be sent, but those of this batch are {list(keys)!r}")
