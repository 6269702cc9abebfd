"""Reports what the outbox could not do, without ever replacing a call's result or error."""

from __future__ import annotations

import logging
import warnings

from .._printable import printable

__all__ = ["warn_or_log"]


def warn_or_log(message: str, category: type[Warning] = RuntimeWarning) -> None:
    """Emit a warning; log the message where the program has made warnings errors."""
    message = printable(message)  # a row of the file may say anything
    try:
        warnings.warn(message, category, stacklevel=5)
    except Exception:
        logging.getLogger("resilience.outbox").error("%s", message)
