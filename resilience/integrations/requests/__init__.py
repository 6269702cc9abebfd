"""Puts `requests` under a policy: a wrapped session, an adapter to mount, and single requests for our own clients."""

from .adapter import ResilientAdapter
from .attempt import REJECTION_TYPES, disable_retries
from .connections import guard_connections
from .session import wrap
from .single_request import new_session, send

__all__ = ["REJECTION_TYPES", "ResilientAdapter", "disable_retries", "guard_connections", "new_session", "send", "wrap"]
