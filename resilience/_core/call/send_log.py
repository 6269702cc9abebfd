"""Holds what the attempts of one call have reported of what they sent: the stamps they signed, and a missing key."""

from __future__ import annotations

from typing import Any

from ..stages.fence import Fence

__all__ = ["SendLog"]


class SendLog(list[float]):
    """The stamps of one call's attempts, in Unix seconds, in the order of the attempts.

    A list, because its length and its order are all that most readers need.

    Attributes:
        key_missing: the finished request of an attempt did not carry the key.
        key_unused: the request of an attempt changes something that is there already, and takes no key: it is looked up
            without one.
        fence: the API's bounds for the last request that was sent; None where nothing says them but the operation.
    """

    __slots__ = ("fence", "key_missing", "key_unused")

    def __init__(self) -> None:
        super().__init__()
        self.key_missing = self.key_unused = False
        self.fence: Fence | None = None

    def record_stamp(self, stamp: float) -> Any:
        """Append a stamp; return what an async caller awaits before the attempt that carries it is sent, or None."""
        self.append(stamp)

    def record_not_executed(self, *, duplicate: bool) -> bool:  # noqa: ARG002 - for those who override it
        """Record that the call ends without effect; return False if it may not report that.

        A log that other processes share returns False where one of them may still send the write.

        Args:
            duplicate: the API has refused the last attempt because it knows the key already.
        """
        return True
