"""Defines the error that ends a request to the server: a status, a sentence, and headers."""

from __future__ import annotations

__all__ = ["RequestRefusedError"]


class RequestRefusedError(Exception):
    """The request is answered with an error.

    Attributes:
        status: the HTTP status.
        headers: further headers of the answer.
    """

    def __init__(self, status: int, message: str, **headers: str) -> None:
        """Keep the answer; an underscore in the name of a header stands for a hyphen."""
        super().__init__(message)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
