"""Provides `ResilientAdapter`, which is mounted on a `requests.Session` and puts its requests under a policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from ..._core.policy.policy import Policy
from ..._entry.configured import policies_getter
from ..._entry.operation_rules import OperationRules
from ..._entry.policies import Policies
from .._http_calls import AttemptOptions, CompiledCalls
from .._http_messages import is_json
from .._rate_limit_headers import report_rate_limits, wait_is_in_body
from .attempt import BaseAdapter, add_headers, disable_retries, limit_timeout, must_send_once

__all__ = ["ResilientAdapter"]


class ResilientAdapter(HTTPAdapter):
    """An adapter that puts every request under a policy. Safe across threads, as the `HTTPAdapter` is.

    A retry sends a request with the signature that it has: wrap the client of a signed API instead. An attempt
    ends at the headers, or after a JSON body if the policy's code tables have an envelope and the caller does
    not stream.

    Example:
        >>> session = requests.Session()
        >>> session.mount("https://api.example.com/", ResilientAdapter("http"))
    """

    def __init__(
        self,
        policy: str | Policy = "http",
        *,
        operations: Mapping[str, Any] | None = None,
        policies: Policies | None = None,
        **adapter_options: Any,
    ) -> None:
        """Make an adapter; `policy`, `operations` and `policies` as for `wrap`, the rest as for `HTTPAdapter`.

        Raises:
            TypeError: `operations` has an unknown option.
        """
        super().__init__(**adapter_options)
        disable_retries(self)
        # The method of the base class, since `self.send` is the one under the policy.
        self._calls = CompiledCalls(
            TransportAdapter(super().send), OperationRules(policy, operations, policies_getter(policies))
        )

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a prepared request under the policy; arguments as for `HTTPAdapter.send`.

        Raises:
            requests.RequestException: the request failed, or it was rejected (then it is a `RejectedError` too).
        """
        kwargs |= zip(("stream", "timeout", "verify", "cert", "proxies"), args, strict=False)
        call = self._calls.for_request(str(request.method), str(request.url), send_once=must_send_once(request))
        response: requests.Response = call(request, **kwargs)
        return response


class TransportAdapter(BaseAdapter):
    """Adapts the `send` of `HTTPAdapter`: each attempt sends the prepared request as it is."""

    def __init__(self, send: Callable[..., requests.Response]) -> None:
        self._send = send

    def compile_attempt(self, options: AttemptOptions) -> Callable[..., Any]:
        """Return the function that makes one attempt."""
        plain_send = self._send

        def send(request: requests.PreparedRequest, *, idempotency_key: str | None = None, **kwargs: Any) -> Any:
            kwargs["timeout"] = limit_timeout(kwargs.get("timeout"))
            response = report_rate_limits(plain_send(add_headers(request, options, idempotency_key), **kwargs))
            # An envelope is in the body. A body that the caller streams may never end, so it is not read.
            reads_body = options.reads_body() or wait_is_in_body(response.status_code, response.headers)
            if not kwargs.get("stream") and is_json(response.headers.get("content-type")) and reads_body:
                _ = response.content
            return response

        return send
