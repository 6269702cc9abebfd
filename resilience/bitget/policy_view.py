"""Describes the operations of a Bitget client to a policy."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from .._core.call.operation_info import OperationInfo
from .._core.stages.fence import Fence
from ..integrations._order_lanes import lane_of
from ..integrations._path_templates import path_template
from .lookups import listed_for
from .operation_methods import OperationMethods
from .operations import BY_PATH, OPERATIONS, TIME, Operation
from .signing import Signer

__all__ = ["PolicyView"]

_STAMP_WINDOW = 30.0  # seconds for which Bitget accepts the stamp of a request without a window of its own


class PolicyView(OperationMethods):
    """A client as a policy sees it: which calls read, which write, and how an uncertain write is looked up.

    Attributes:
        base_url: URL of the API.
        receive_window: seconds for which the exchange may accept a spot order.
    """

    base_url: str
    receive_window: float
    _signer: Signer
    _rejection_types: Mapping[type, type] = {}

    @abstractmethod
    def _reconciler(self, wrapped: Any, operation: Operation) -> Callable[[Any], Any]:
        """Return the function that looks up an uncertain write, through the wrapped client."""

    def resilience_operation_name(self, method: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        """Return the name of an operation; that of a generic call contains its path."""
        if method not in ("get", "post"):
            return method
        path = args[0] if args else kwargs.get("path", "")
        return f"{method} {str(path).partition('?')[0]}"

    def resilience_operation_info(self, name: str, wrapped: Any) -> OperationInfo | None:
        """Describe an operation to a policy: whether it reads, which parameter is its key, how it is looked up.

        Args:
            name: the operation's name.
            wrapped: the wrapped client, through which lookups are sent.

        Returns:
            the description, or None if the method is not an operation.
        """
        verb, _, path = name.partition(" ")
        known = BY_PATH.get((verb.upper(), path)) if path else OPERATIONS.get(name)
        if known is None:
            # An endpoint that we have no row for: a GET reads, and a POST is a write that cannot be looked up.
            return self._operation_info(name, path, read=verb == "get") if path else None
        # In a generic call the key is inside the mapping `params`, in a named one it is a keyword.
        key = f"params.{known.key}" if known.key and path else known.key
        reconcile = None if known.write is None else self._reconciler(wrapped, known)
        window = self.receive_window if known.sends_window else _STAMP_WINDOW
        return self._operation_info(
            name,
            known.path,
            read=known.method == "GET",
            always_sent=known.path == TIME,
            idempotent=known.idempotent or None,
            key=key,
            reconcile=reconcile,
            fence=Fence(window=window, retention=listed_for()),
            sends_window=known.sends_window,
        )

    def _operation_info(self, name: str, path: str, **fields: Any) -> OperationInfo:
        return OperationInfo(
            operation=name,
            path=path_template(path),
            registry="bitget",
            host=urlsplit(self.base_url).netloc,
            account=self._signer.account,
            lane=None if fields.get("read") else lane_of(name),
            rejection_types=self._rejection_types,
            classify_results=False,  # the client raises Bitget's errors itself
            can_resync_clock=True,
            signs=True,
            **fields,
        )
