"""A policy's window applies to requests that carry it; it does not shorten the fence of other requests."""

from __future__ import annotations

import pytest

from resilience import Policies
from resilience._core.call.operation_info import fence_of, fence_of_request
from resilience._core.policy.sections import ReconcileSettings
from resilience._core.stages.fence import Fence
from resilience.bitget import BitgetClient


def window_of(name: str, **rules: str) -> float:
    """Return the window in the fence of an operation of the Bitget client under a policy with these rules."""
    mapping = {"version": 1, "policies": {"bitget": {"extends": "bitget", "reconcile": rules}}}
    client = BitgetClient("key-123", "secret-123", "pass-123")
    info = client.resilience_operation_info(name, client)
    settings = Policies.from_mapping(mapping).policy("bitget").reconcile
    assert info is not None
    assert settings is not None
    return fence_of(settings, info).window


@pytest.mark.parametrize("name", ["mix_place_order", "mix_modify_order", "spot_replace_order"])
def test_a_signed_stamp_is_accepted_for_as_long_as_the_api_says(name: str) -> None:
    """These requests carry no window: a signature is valid for 30 s unless `stamp_window` is set."""
    assert window_of(name, window="5s") == 30.0
    assert window_of(name, stamp_window="1s") == 1.0


def test_the_fence_of_a_request_that_carries_its_window() -> None:
    """A spot order is sent with the policy's window, and its fence uses it."""
    assert window_of("spot_place_order", window="5s") == 5.0


def test_the_window_in_a_finished_request() -> None:
    """It counts whatever the policy says, unless the exchange is a stand-in; P and L are those of the policy."""
    reported = Fence(5.0, 10.0, 5.0)
    assert fence_of_request(ReconcileSettings(window=2.0), reported) == reported
    assert fence_of_request(ReconcileSettings(stamp_window=1.0, lag=7.0), reported) == Fence(1.0, 10.0, 7.0)
    assert fence_of_request(ReconcileSettings(stamp_window=30.0, processing=1.0), reported) == Fence(5.0, 1.0, 5.0)
