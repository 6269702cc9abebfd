"""Describes the envelope of an API's answers: where code, message, time and the failed items of a batch are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..base.abstract_classes import is_mapping
from .body_paths import Steps, holds, steps_of, values_at

__all__ = ["WHOLE_BODY", "Envelope", "ItemList"]

WHOLE_BODY = ""
"""The key under which the items are of an answer that is a list and no mapping."""


@dataclass(frozen=True, slots=True)
class ItemList:
    """The list of failed items in a successful answer to a batch, and the keys of an item.

    Attributes:
        at: the keys that lead to the list.
        code: the key of an item's code.
        message: the key of an item's message.
        key: the key of an item's idempotency key.
        mixed: the list has successful items too; an item failed when its code is not a success.
        ok: the key of an item's flag; true says that the item succeeded, false that it failed, whatever its code.
    """

    at: tuple[str, ...]
    code: str
    message: str = ""
    key: str = ""
    mixed: bool = False
    ok: str = ""

    @property
    def has_texts(self) -> bool:
        """Whether the message of an item is its code: a longer text than any code has is there too."""
        return self.code == self.message


@dataclass(frozen=True, slots=True)
class Envelope:
    """The places of an API's answer: its code, message, server time (Unix milliseconds) and failed items.

    A place is a key or a dotted path (`error.code`). A path that meets a list goes into each item.

    Attributes:
        code: the path of the code.
        message: the path of the message; empty if the API sends none.
        success: the codes that mean success; `W*` means every code that begins with W.
        time: the path of the server's time.
        failures: the lists of failed items in a successful answer.
        always: paths of the fields that every answer of this API has beside code and message. A body without them
            was not written by the API.
        other_codes: further paths of the code, tried in this order after `code`.
        other_messages: further paths of the message.
        general: codes that only say that something failed. Another code of the same answer says what.
        ok: the key of a flag; true says that the request succeeded, false that it failed, whatever else is there.
        code_steps: the paths of the code, each split into its keys.
        is_flat: there is one path of the code, and it is a key of the body itself; no flag decides.
        list_keys: the keys of the codes of items, where the body itself is the list.
        success_beginnings: how the codes begin of which a beginning means success.
    """

    code: str
    message: str = ""
    success: frozenset[str] = frozenset()
    time: str = ""
    failures: tuple[ItemList, ...] = ()
    always: tuple[str, ...] = ()
    other_codes: tuple[str, ...] = ()
    other_messages: tuple[str, ...] = ()
    general: frozenset[str] = frozenset()
    ok: str = ""
    # Split once: a successful call reads its code by these.
    code_steps: tuple[Steps, ...] = field(init=False, repr=False, compare=False)
    is_flat: bool = field(init=False, repr=False, compare=False)
    success_beginnings: tuple[str, ...] = field(init=False, repr=False, compare=False)
    list_keys: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "code_steps", tuple(map(steps_of, self.code_paths)))
        object.__setattr__(self, "is_flat", self.code_steps == ((self.code,),) and not self.ok)
        beginnings = tuple(sorted(code[:-1] for code in self.success if len(code) > 1 and code.endswith("*")))
        object.__setattr__(self, "success_beginnings", beginnings)
        object.__setattr__(self, "list_keys", tuple(one.code for one in self.failures if one.at == (WHOLE_BODY,)))

    @property
    def code_paths(self) -> tuple[str, ...]:
        """The paths of the code, in the order in which they are tried."""
        return (self.code, *self.other_codes)

    @property
    def message_paths(self) -> tuple[str, ...]:
        """The paths of the message, in the order in which they are tried."""
        return (self.message, *self.other_messages) if self.message else ()

    def is_success(self, code: str) -> bool:
        """Return whether a code means success."""
        return code in self.success or (bool(self.success_beginnings) and code.startswith(self.success_beginnings))

    def says_little(self, code: str) -> bool:
        """Return whether another code of the same answer says more: this one means success, or is a general one."""
        return code in self.general or self.is_success(code)

    def texts_in(self, body: Mapping[Any, Any]) -> list[str]:
        """Return the messages in a body, in the order of their paths."""
        values = [value for path in self.message_paths for value in values_at(body, steps_of(path))]
        return [value for value in values if isinstance(value, str) and value]

    def time_in(self, body: Mapping[Any, Any]) -> object:
        """Return the server's time in a body as it is there; None where it is absent."""
        return next(iter(values_at(body, steps_of(self.time))), None) if self.time else None

    def body_with(self, code: str, message: str = "") -> dict[str, Any]:
        """Return a body with this code, with everything that `is_complete` asks for."""
        body: dict[str, Any] = {}
        places = [*((path, None) for path in self.always), (self.message, message), (self.code, code)]
        for path, value in places:
            if path:
                _put(body, steps_of(path), value)
        return body

    def is_complete(self, body: Mapping[Any, Any]) -> bool:
        """Return whether a body has all that every answer of this API has, so that no other server wrote it.

        Each of these is there: a place of the code, one of the message where the envelope names any, and every field
        of `always`.
        """
        try:
            return (
                any(_holds_code(body, steps) for steps in self.code_steps)
                and (not self.message or any(holds(body, steps_of(path)) for path in self.message_paths))
                and all(holds(body, steps_of(path)) for path in self.always)
            )
        except Exception:  # a mapping of somebody else's class may raise
            return False


def _put(body: dict[str, Any], steps: Steps, value: Any) -> None:
    """Set the value at a path, and make the mappings that lead to it; a mapping that is there already stays."""
    *above, last = steps
    for step in above:
        below = body.get(step)
        body[step] = body = below if isinstance(below, dict) else {}
    if not isinstance(body.get(last), dict):
        body[last] = value


def _holds_code(body: Mapping[Any, Any], steps: Steps) -> bool:
    if holds(body, steps):
        return True
    # `{"error": []}` and `{"error": ["E1"]}` have the place of `error.code`; `{"error": {"text": ""}}` does not.
    above = steps[:-1]
    return bool(above) and holds(body, above) and not any(is_mapping(one) for one in values_at(body, above))
