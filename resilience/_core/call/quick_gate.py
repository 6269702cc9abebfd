"""Takes at once what a first attempt needs beyond a closed breaker: sends of several windows, and a slot.

Where nothing makes the attempt wait, it needs no `AttemptGate`. What is returned here is all or nothing, and takes no
lock. `None` in place of a permit means that the attempt has to pass its gate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..stages.lanes import Slot
from ..stages.quota import pay_at_once
from ..stages.rate_window import RateWindow
from .gate_plan import GatePlan, PermitOrGeneration

__all__ = ["NewSlot", "TakeAtOnce", "new_slot_of", "take_at_once_of"]

NewSlot = Callable[[tuple[Any, ...], Mapping[str, Any], Callable[[], bool] | None], Slot]
"""Makes the slot of a call with these arguments; the last one says whether its event loop has ended."""
TakeAtOnce = Callable[[PermitOrGeneration | None, float, float, Slot | None], PermitOrGeneration | None]
"""Takes (permit, now, deadline, slot) and returns the permit where the attempt may be sent at once, else None."""


def new_slot_of(gate: GatePlan) -> NewSlot | None:
    """Return what makes the slot of a call; None where the policy has no admission."""
    if gate.admission is None:
        return None
    new_slot, lane, fixed = gate.admission.new_slot, gate.lane, gate.fixed_lane

    def make(args: tuple[Any, ...], kwargs: Mapping[str, Any], is_over: Callable[[], bool] | None) -> Slot:
        return new_slot(lane(args, kwargs) if fixed is None else fixed, is_over)

    return make


def take_at_once_of(gate: GatePlan) -> TakeAtOnce:
    """Return what takes a slot and pays the quotas of one operation."""
    windows: tuple[RateWindow, ...] | None = () if gate.quotas is None else gate.quotas.unit_windows
    if windows is None or gate.rate_window is not None:  # the driver has tried the only window by itself
        return _never
    pay = _pay_all(windows)
    if gate.admission is None:
        return pay
    enter, now_again = gate.admission.enter_at_once, None if gate.fixed_lane is not None else gate.clock.monotonic

    def take(
        permit: PermitOrGeneration | None, now: float, deadline: float, slot: Slot | None
    ) -> PermitOrGeneration | None:
        if now_again is not None:
            now = now_again()  # a user's function that finds lanes may be slow; the send counts from now on
        if permit and slot is not None and now < deadline and enter(slot):
            return pay(permit, now, deadline, None) if windows else permit
        return None

    return take


def _never(_permit: object, _now: float, _deadline: float, _slot: object) -> None:
    """Send everything through the gate."""


def _pay_all(windows: tuple[RateWindow, ...]) -> TakeAtOnce:
    def pay(
        permit: PermitOrGeneration | None, now: float, _deadline: float, _slot: Slot | None
    ) -> PermitOrGeneration | None:
        return permit if permit and pay_at_once(windows, now) else None

    return pay
