"""Says how an HTTP client makes one attempt of an operation, and judges the finished request and the answer.

Reads are left alone. A write follows no redirect unless the policy says so, its finished request must carry its key,
and an answer that proves nothing leaves it open.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from .._core.call.context import current_call
from ._http_messages import find_header, is_json, mark_open
from ._key_on_wire import carries_key
from ._seam_redirects import note_redirect
from ._write_answers import answer_defect

__all__ = ["AttemptOptions"]

NOT_FINAL = "no_final_answer"
"""The row of `http.yaml` for an answer that is not final: 1xx and 3xx."""
UNREADABLE = "decode_error"
"""The row of `http.yaml` for an answer that does not prove that a write succeeded."""


class AttemptOptions(NamedTuple):
    """How a client makes one attempt.

    Attributes:
        operation: the operation's name.
        reads_body: returns whether a JSON body is read within the attempt. Asked after each response.
        key_header: the name of the header that carries the key, or None.
        attempt_header: the name of the header that carries the number of the attempt, or None.
        is_write: whether it is no read.
        is_idempotent: whether sending it twice is harmless.
        can_look_up: whether a reconciler can settle it.
        follows_redirects: whether the client follows redirects of a write.
        warned: the operations of this client whose missing key was reported; shared by all of them.
    """

    operation: str
    reads_body: Callable[[], bool]
    key_header: str | None = None
    attempt_header: str | None = None
    is_write: bool = False
    is_idempotent: bool = False
    can_look_up: bool = False
    follows_redirects: bool = False
    warned: set[str] = set()  # noqa: RUF012  # never changed: `CompiledCalls` gives each client its own

    def headers(self, key: str | None) -> dict[str, str]:
        """Return the headers to add to an attempt: its key, and its number if the policy wants that."""
        headers = {} if self.key_header is None or key is None else {self.key_header: key}
        call = current_call()
        if self.attempt_header is not None and call is not None:
            headers[self.attempt_header] = str(call.attempt)
        return headers

    @property
    def stays_here(self) -> bool:
        """Return whether redirects must not be followed."""
        return self.is_write and not self.follows_redirects

    def passes_on(self, status: int, url: str, location: str | None) -> bool:
        """Return whether what sits inside a client leaves an answer to it: a redirect that the client follows."""
        passes_on = self.follows_redirects and 300 <= status < 400
        if passes_on and self.is_write:
            note_redirect(url, status, location)
        return passes_on

    def judges_body(self, status: int, key: str | None) -> bool:
        """Return whether the body of an answer with this status must be read and judged."""
        return self.is_write and key is not None and 200 <= status < 300

    def check_key(self, key: str | None, url: str, headers: Any, body: Any) -> None:
        """Report a finished request that does not carry its key; call it before the request leaves.

        Args:
            key: the key, or None.
            url: the URL with its query.
            headers: the headers, a mapping or pairs.
            body: the body as text or bytes; None where it cannot be read without consuming it.
        """
        call = current_call()
        if key is None or call is None or carries_key(key, url, headers, body):
            return
        call.report_key_missing()
        if self.operation in self.warned:
            return
        self.warned.add(self.operation)
        try:
            warnings.warn(
                f"{self.operation}: the request that leaves does not carry its key, so it cannot be looked up; the "
                f"header {self.key_header} would carry it, and something in the client has removed that",
                stacklevel=2,
            )
        except UserWarning:
            pass  # a filter turns warnings into errors: the request must not fail by it

    def mark_status(self, response: Any, status: int) -> bool:
        """Mark the answer to a write whose status is not final; return whether it is such an answer."""
        if not self.is_write or 200 <= status < 300 or status >= 400:
            return False
        mark_open(response, NOT_FINAL)
        return True

    def mark_answer(self, response: Any, status: int, headers: Any, body: bytes, key: str | None) -> bool:
        """Mark an answer that does not prove that this write succeeded; return whether it is such an answer.

        Args:
            response: what is marked.
            status: its status.
            headers: its headers.
            body: its decoded body.
            key: the key of the write.
        """
        if key is None or not self.judges_body(status, key):
            return False
        if self.is_idempotent and not (body.strip() and _announces_json(headers)):
            return False  # sent again it would be answered alike: a plain "ok" is an answer
        if status == 204 and not self.can_look_up:
            return False  # "no content" is an answer of its own, and nobody could ask for more
        needs_id = self.can_look_up and not self.is_idempotent
        defect = answer_defect(status, headers, body, key, self.key_header or "", needs_id=needs_id)
        if defect is not None:
            mark_open(response, UNREADABLE)
        return defect is not None


def _announces_json(headers: Any) -> bool:
    return is_json(find_header(headers, "Content-Type"))
