"""A call after its first failure, sync and async: the drivers' slow half.

It does what a `Recovery` says until that returns or raises. A failed attempt is reported outside its
`except` block, so that attempts do not chain as contexts, and every frame lets go of the error it
handled, so that no cycle keeps a traceback alive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._core.call.context import CONTEXT
from .._core.call.context import leave as left
from .._core.call.plan import PLAIN, Plan
from .._core.call.recovery import Recovery
from .._core.call.steps import Action
from .waits import apassed, limited, passed

__all__ = ["arecover", "recover"]


def recover(recovery: Recovery, send: Callable[..., Any], failed: Any) -> Any:
    """Do what the recovery says until it returns or raises."""
    plan, call = recovery.plan, recovery.call
    value: Any = None
    answer: Any = None
    step: Any = None
    door: Any = None
    try:
        step = recovery.failed(failed)
        while True:
            action, value = step
            if action is Action.WAIT:
                plan.clock.sleep(value)
                step = recovery.waited()
            elif action is Action.SEND:
                door = recovery.door()
                if door is not None:
                    passed(door)
                place = recovery.begin(door)
                if place is None:
                    step = recovery.refused()
                    continue
                token = CONTEXT.set(place)
                try:
                    discard(plan, recovery.stale())
                    result = send(*call.args, **call.kwargs)
                    failed = None if result.__class__ in PLAIN else plan.inspect(result)
                except Exception as error:
                    failed = error
                finally:
                    left(token)
                    if door is not None:
                        door.leave()
                if failed is None:
                    recovery.recovered()
                    return result
                step = recovery.failed(failed)
            elif action is Action.LOOK:
                sent = recovery.now()
                token = CONTEXT.set(recovery.looking())
                try:
                    answer = plan.reconcile(call)
                except Exception as error:
                    answer = error
                finally:
                    left(token)
                step = recovery.looked(answer, sent)
            elif action is Action.RETURN:
                discard(plan, recovery.stale())
                return value
            else:
                raise value
    except BaseException:
        recovery.abandoned()
        discard(plan, recovery.stale())
        raise
    finally:
        recovery.close()
        failed = step = value = answer = door = None


def discard(plan: Plan, answer: Any) -> None:
    """Close an answer that is thrown away, if there is one; how that goes changes nothing."""
    if answer is not None and plan.binding.discard is not None:
        try:
            plan.binding.discard(answer)
        except Exception:
            pass


async def arecover(recovery: Recovery, send: Callable[..., Any], failed: Any) -> Any:
    """Do what the recovery says until it returns or raises."""
    plan, call = recovery.plan, recovery.call
    value: Any = None
    answer: Any = None
    step: Any = None
    door: Any = None
    try:
        step = recovery.failed(failed)
        while True:
            action, value = step
            if action is Action.WAIT:
                await plan.clock.asleep(value)
                step = recovery.waited()
            elif action is Action.SEND:
                door = recovery.door()
                if door is not None:
                    await apassed(door)
                place = recovery.begin(door)
                if place is None:
                    step = recovery.refused()
                    continue
                token = CONTEXT.set(place)
                try:
                    await adiscard(plan, recovery.stale())
                    result = await limited(send, call.args, call.kwargs, recovery.left())
                    failed = None if result.__class__ in PLAIN else plan.inspect(result)
                except Exception as error:
                    failed = error
                finally:
                    left(token)
                    if door is not None:
                        door.leave()
                if failed is None:
                    recovery.recovered()
                    return result
                step = recovery.failed(failed)
            elif action is Action.LOOK:
                sent = recovery.now()
                token = CONTEXT.set(place := recovery.looking())
                try:
                    answer = await limited(plan.reconcile, (call,), {}, place.until - sent)
                except Exception as error:
                    answer = error
                finally:
                    left(token)
                step = recovery.looked(answer, sent)
            elif action is Action.RETURN:
                await adiscard(plan, recovery.stale())
                return value
            else:
                raise value
    except BaseException:
        recovery.abandoned()
        await adiscard(plan, recovery.stale())
        raise
    finally:
        recovery.close()
        failed = step = value = answer = door = None


async def adiscard(plan: Plan, answer: Any) -> None:
    """Close an answer that is thrown away, if there is one; how that goes changes nothing."""
    if answer is not None and plan.binding.discard is not None:
        try:
            closing = plan.binding.discard(answer)
            if closing is not None:
                await closing
        except Exception:
            pass
