"""Marks each change of policies, so that compiled calls notice it by one identity test."""

from __future__ import annotations

__all__ = ["EPOCH", "start_new_epoch"]


class _Epoch:
    """The time since the last change of policies. A function that is pickled with it finds that of the other process.

    Attributes:
        mark: one object, which every `configure` and every reload replaces.
    """

    __slots__ = ("mark",)

    def __init__(self) -> None:
        self.mark = object()

    def __reduce__(self) -> str:
        return "EPOCH"


EPOCH = _Epoch()


def start_new_epoch() -> None:
    """Make every compiled call look its policy up again at its next use."""
    EPOCH.mark = object()
