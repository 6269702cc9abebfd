"""A child of a fork goes its own way: what other threads of its parent held does not stop it."""

from __future__ import annotations

import os
import signal
import threading
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from resilience import Policies, Policy
from resilience._pipeline.pipeline import Pipeline
from resilience._pipeline.shared_state import SharedState

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")


def in_a_child(work: Callable[[], Any]) -> str:
    """Return what `work` says in a forked child; empty for one that hangs."""
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that threads are running is what is tested
        child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(20)
        try:
            told = str(work())
        except BaseException as error:
            told = repr(error)
        os.write(write, told.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as said:
        told = said.read()
    os.waitpid(child, 0)
    return told


def test_slots_of_other_threads_are_free_in_a_child() -> None:
    """Two calls run in the parent when it forks: the child has both slots, and the parent none."""
    inside, end = threading.Semaphore(0), threading.Event()
    rules = {"codes": ["http"], "admission": {"max_concurrent": 2, "max_queue": 0}}
    policies = Policies.from_mapping({"policies": {"p": rules}})

    @policies.resilient("p")
    def slow() -> None:
        inside.release()
        end.wait()

    quick = policies.resilient("p")(lambda: "fine")
    threads = [threading.Thread(target=slow) for _ in range(2)]
    for one in threads:
        one.start()
        inside.acquire()
    assert in_a_child(quick) == "fine"
    assert policies.pipeline("p").describe()["admission"]["lanes"]["default"]["running"] == 2
    end.set()
    for one in threads:
        one.join()
    assert quick() == "fine"


def test_a_slot_that_is_held_over_a_fork_is_given_back_once() -> None:
    """The call that forks goes on in the child; its slot is not counted there, and giving it back makes no third."""
    policies = Policies.from_mapping({"policies": {"p": {"admission": {"max_concurrent": 2, "max_queue": 0}}}})
    fork = policies.resilient("p")(lambda: in_a_child(lambda: _counted(policies)))
    assert fork() == "0"
    assert _counted(policies) == 0


def _counted(policies: Policies) -> Any:
    admission = policies._shared.limits.admission(policies.policy("p"))
    assert admission is not None
    slot = admission.try_enter("")
    assert slot is not None
    admission.release(slot)
    return admission.counts()[""]["running"]


def test_locks_of_other_threads_are_free_in_a_child() -> None:
    """Another thread is inside of a breaker, a quota and a budget at that moment: the child calls all the same."""
    policy = Policy(  # type: ignore[call-arg]
        retry={"max_attempts": 2, "backoff": {"kind": "constant", "initial": 0}}, budget={"ratio": 1},
        breaker={"consecutive": 5}, quota=[{"rate": "100/s", "burst": 100, "weight": 2}],
    )  # fmt: skip
    script: list[Any] = [ConnectionRefusedError(), "fine"]

    def send() -> str:
        said = script.pop(0)
        if isinstance(said, Exception):
            raise said
        return str(said)

    pipeline = Pipeline(policy, idempotent=True)
    call, shared = pipeline.compile(send), pipeline.shared
    budget, breaker = shared.budget(policy), pipeline.breaker
    (quota,) = shared.limits._quotas.values()
    assert budget is not None
    assert breaker is not None
    with budget._lock, breaker._lock, quota.common._lock, shared._lock:
        assert in_a_child(call) == "fine"


def test_children_do_not_retry_in_step() -> None:
    """Two children of one parent draw other delays, and number their calls under other names."""
    shared = SharedState()
    told = [in_a_child(lambda: (shared.random(), shared.events.new_call_id())) for _ in range(2)]
    assert told[0] != told[1]
    assert shared.events.new_call_id()[:6] not in "".join(told)
