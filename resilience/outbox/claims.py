"""Knows which writes a call, or a resume, of this process is working on, so that no other begins them meanwhile."""

from __future__ import annotations

from weakref import ref

from .._core.base.fork_safety import new_lock, register_for_fork

__all__ = ["Claim", "Claims"]


class Claim:
    """The right to work on one write. It ends with `Claims.release`, or when nothing refers to it any more."""

    __slots__ = ("__weakref__", "write")

    def __init__(self, write: tuple[str, str]) -> None:
        self.write = write


class Claims:
    """The claims on writes by (key, operation). Safe across threads and in signal handlers."""

    def __init__(self) -> None:
        # Weak references: where an interrupt ends a call between two lines, its claim ends with its last frame.
        self._claims: dict[tuple[str, str], ref[Claim]] = {}
        self._lock = new_lock()  # reentrant: a signal handler may place an order while its thread has the lock
        register_for_fork(self)

    def reset_after_fork(self) -> None:
        """Forget the claims: the calls that have them go on in the parent."""
        self._claims = {}

    def take(self, key: str, operation: str) -> Claim | None:
        """Return a claim on a write, or None if another has it."""
        claim = Claim((key, operation))
        with self._lock:
            held = self._claims.get(claim.write)
            if held is not None and held() is not None:
                return None
            self._claims[claim.write] = ref(claim)
        return claim

    def writes(self) -> list[tuple[str, str]]:
        """Return the (key, operation) of every write that is claimed."""
        with self._lock:
            return [write for write, held in self._claims.items() if held() is not None]

    def release(self, claim: Claim) -> None:
        """Give a claim back; does nothing where it was given back."""
        with self._lock:
            held = self._claims.get(claim.write)
            if held is not None and held() is claim:
                del self._claims[claim.write]
