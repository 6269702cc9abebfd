"""Locks and slots that other threads of the parent held at a fork do not block the child."""

from __future__ import annotations

import os
import signal
import threading
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from resilience import Pipeline, Policies, Policy
from resilience._pipeline.shared_state import SharedState

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")


def run_in_child(work: Callable[[], Any]) -> str:
    """Return the text of what `work` returns in a forked child; empty if the child hangs."""
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # forking beside running threads is the subject of these tests
        child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(20)
        try:
            result = str(work())
        except BaseException as error:
            result = repr(error)
        os.write(write, result.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        result = pipe.read()
    os.waitpid(child, 0)
    return result


def test_slots_of_other_threads_are_free_in_a_child() -> None:
    """Two calls run in the parent when it forks: both slots are free in the child and taken in the parent."""
    inside, end = threading.Semaphore(0), threading.Event()
    rules = {"codes": ["http"], "admission": {"max_concurrent": 2, "max_queue": 0}}
    policies = Policies.from_mapping({"policies": {"p": rules}})

    @policies.resilient("p")
    def slow() -> None:
        inside.release()
        end.wait()

    quick = policies.resilient("p")(lambda: "fine")
    threads = [threading.Thread(target=slow) for _ in range(2)]
    for thread in threads:
        thread.start()
        inside.acquire()
    assert run_in_child(quick) == "fine"
    assert policies.pipeline("p").describe()["admission"]["lanes"]["default"]["running"] == 2
    end.set()
    for thread in threads:
        thread.join()
    assert quick() == "fine"


def test_a_slot_held_across_a_fork_is_released_once() -> None:
    """The forking call goes on in the child: its slot is not counted there, and its release adds no third slot."""
    policies = Policies.from_mapping({"policies": {"p": {"admission": {"max_concurrent": 2, "max_queue": 0}}}})
    fork = policies.resilient("p")(lambda: run_in_child(lambda: running_calls(policies)))
    assert fork() == "0"
    assert running_calls(policies) == 0


def running_calls(policies: Policies) -> Any:
    """Return the calls that hold a slot, counted after a slot was taken and released."""
    admission = policies.pipeline("p").shared.limits.admission(policies.policy("p"))
    assert admission is not None
    slot = admission.new_slot("")
    assert admission.try_enter(slot)
    admission.release(slot)
    return admission.counts()[""]["running"]


def test_locks_of_other_threads_are_free_in_a_child() -> None:
    """Another thread holds the locks of breaker, quota and budget at the fork; a call in the child succeeds."""
    policy = Policy(  # type: ignore[call-arg]
        retry={"max_attempts": 2, "backoff": {"kind": "constant", "initial": 0}}, budget={"ratio": 1},
        breaker={"consecutive": 5}, quota=[{"rate": "100/s", "burst": 100, "weight": 2}],
    )  # fmt: skip
    script: list[Any] = [ConnectionRefusedError(), "fine"]

    def send() -> str:
        answer = script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    pipeline = Pipeline(policy, idempotent=True)
    call, shared = pipeline.compile(send), pipeline.shared
    budget, breaker = shared.budget(policy), pipeline.breaker
    (quota,) = shared.limits._quotas.values()
    assert budget is not None
    assert breaker is not None
    with budget._lock, breaker._lock, quota.common._lock, shared._lock:
        assert run_in_child(call) == "fine"


def test_children_do_not_retry_in_step() -> None:
    """Two children of one parent draw different delays and different call ids."""
    shared = SharedState()
    draws = [run_in_child(lambda: (shared.random(), shared.events.new_call_id())) for _ in range(2)]
    assert draws[0] != draws[1]
    assert shared.events.new_call_id()[:6] not in "".join(draws)
