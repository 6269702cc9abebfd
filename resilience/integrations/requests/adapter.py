"""Provides `ResilientAdapter`, which is mounted on a `requests.Session` and puts its requests under a policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from ..._core.policy.policy import Policy
from ..._entry.configured import new_rules
from ..._entry.policies import Policies
from .._attempt_options import AttemptOptions
from .._http_calls import CompiledCalls
from .._http_messages import REDIRECT_HEADER, mark_not_sent
from .._rate_limit_headers import report_rate_limits
from .attempt import (
    BaseAdapter,
    add_headers,
    as_timeout,
    check_key,
    disable_retries,
    judge_answer,
    limit_timeout,
    must_send_once,
)
from .connections import guard_connections
from .sent_bytes import recording_sent_bytes

__all__ = ["ResilientAdapter"]


class ResilientAdapter(HTTPAdapter):
    """An adapter that puts every request under a policy. Safe across threads, as the `HTTPAdapter` is.

    A retry sends the same signature again, so wrap the client instead if the API signs requests. An attempt ends
    after the body, or at the headers if the caller streams.

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
        """Make an adapter.

        Args:
            policy: a policy's name, or a `Policy`, for requests that no glob matches.
            operations: for each glob of requests, such as `post /v1/orders/*`, options as `wrap` takes them.
            policies: the policies to use instead of the configured ones.
            adapter_options: the options of `HTTPAdapter`, such as `pool_maxsize`.

        Raises:
            TypeError: `operations` has an unknown option.
        """
        super().__init__(**adapter_options)
        disable_retries(self)
        guard_connections(self)
        # The method of the base class, since `self.send` is the one under the policy.
        self._calls = CompiledCalls(TransportAdapter(super().send), new_rules(policy, operations, policies))

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a prepared request under the policy; arguments as for `HTTPAdapter.send`.

        Raises:
            requests.RequestException: the request failed, or it was rejected (then it is a `RejectedError` too).
        """
        kwargs |= zip(("stream", "timeout", "verify", "cert", "proxies"), args, strict=False)
        call = self._calls.for_request(str(request.method), str(request.url), send_once=must_send_once(request))
        response: requests.Response = call(request, **kwargs)
        return response


def hide_redirect(response: requests.Response) -> None:
    """Rename the header by which the session would follow a redirect of a write: an adapter cannot forbid it."""
    location = response.headers.get("location") if 300 <= response.status_code < 400 else None
    if location is not None:
        del response.headers["location"]
        response.headers[REDIRECT_HEADER] = location


class TransportAdapter(BaseAdapter):
    """Adapts the `send` of `HTTPAdapter`: each attempt sends the prepared request as it is."""

    def __init__(self, send: Callable[..., requests.Response]) -> None:
        self._send = send

    def compile_attempt(self, options: AttemptOptions) -> Callable[..., Any]:
        """Return the function that makes one attempt."""
        plain_send = self._send

        def send(request: requests.PreparedRequest, *, idempotency_key: str | None = None, **kwargs: Any) -> Any:
            kwargs["timeout"] = limit_timeout(kwargs.get("timeout"))
            request = add_headers(request, options, idempotency_key)
            check_key(request, options, idempotency_key)
            with recording_sent_bytes() as sent:
                try:
                    response = report_rate_limits(plain_send(request, **kwargs))
                except Exception as error:
                    if sent.proves_nothing_left:
                        mark_not_sent(error)
                    raise
                try:
                    if not options.passes_on(response.status_code, str(request.url), response.headers.get("location")):
                        judge_answer(response, options, idempotency_key, sent)
                    # A body that the caller streams may never end, so it is not read. All others requests would read
                    # next, and nothing would bound the time that takes.
                    if not kwargs.get("stream"):
                        _ = response.content
                except Exception as error:
                    raise as_timeout(error, sent)  # noqa: B904  # the error itself, or one with its own cause
            if options.stays_here:
                hide_redirect(response)
            return response

        return send
