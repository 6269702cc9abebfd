"""Makes rejecting a call cheap while the breaker is open: the first error is built, later ones are copied from it.

The first of a kind is constructed, with the client's own error base where there is one. Every later one is a copy of it
with its own times. Each caller gets an object of its own, because a traceback is written into it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import inf
from typing import Any

from ...errors import RejectedError
from ..base.clock import Clock

__all__ = ["RejectionFactory", "Template"]

Template = tuple[Callable[[], RejectedError], dict[str, Any]]
"""What makes a copy: a function that makes one without attributes, and its attributes."""


class RejectionFactory:
    """Makes the rejections of one operation. Safe across threads: two first ones are equal."""

    __slots__ = ("_kinds", "_monotonic", "_operation", "_policy", "_templates", "_time")

    def __init__(self, kinds: Mapping[type, type], policy: str, operation: str, clock: Clock) -> None:
        """Create the factory of one operation; `kinds` maps our rejection classes to the client's subclasses."""
        self._kinds = kinds
        self._policy = policy
        self._operation = operation
        self._monotonic, self._time = clock.monotonic, clock.time
        self._templates: dict[str, Template] = {}

    def make(
        self,
        kind: type,
        message: str,
        retry_at: float = inf,
        now: float | None = None,
        *,
        reason: str | None = None,
    ) -> RejectedError:
        """Return a rejection.

        Args:
            kind: one of our errors.
            message: why, in words; each message belongs to one kind and reason alone.
            retry_at: monotonic instant from which another call makes sense; inf when nobody knows.
            now: the present instant, where it was read already.
            reason: the word for `RejectedError.reason`; None where it is that of the kind.
        """
        new, fields = self.template(kind, message, reason)
        rejection = new()
        fields = fields.copy()  # each caller's own times, and notes that it may add
        if retry_at != inf:
            wait = retry_at - (self._monotonic() if now is None else now)
            fields["retry_after"] = wait = wait if wait > 0 else 0.0
            fields["retry_at"] = self._time() + wait
        rejection.__dict__ = fields
        return rejection

    def template(self, kind: type, message: str, reason: str | None = None) -> Template:
        """Return what makes the rejections of a kind; see `make` for its arguments."""
        return self._templates.get(message) or self._new_template(kind, message, reason)

    def _new_template(self, kind: type, message: str, reason: str | None) -> Template:
        rejected = self._kinds.get(kind, kind)
        text = f"{self._operation}: {message}"
        first = rejected(text, policy=self._policy, operation=self._operation, reason=reason)
        # `__new__` and a copied `__dict__` skip every `__init__` of the class and of the client's base. A `partial`
        # takes half the time of a call with `*args`.
        new = rejected.__new__ if not issubclass(rejected, OSError) else _new_os_error
        template: Template = partial(new, rejected, *first.args), first.__dict__
        if reason != "isolated":  # whose texts are people's own, and without number
            self._templates[message] = template
        return template


def _new_os_error(kind: type[RejectedError], *args: Any) -> RejectedError:
    """Make an `OSError` (requests' base), whose `__new__` leaves `args` to `__init__` where a class overrides it."""
    rejection = kind.__new__(kind, *args)
    rejection.args = args
    return rejection
