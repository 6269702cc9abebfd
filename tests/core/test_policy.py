"""Tests of a policy's settings: defaults, ranges and contradictions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, FrozenInstanceError, fields
from typing import Any, get_args

import pytest

from resilience import Category, Policy, PolicyError
from resilience._core.policy import policy, policy_set, sections
from resilience._core.policy.policy_set import OperationSettings, PolicySet
from resilience._core.policy.section import Section, about, hints, section_name, unchecked
from resilience._core.policy.sections import NO_VALUE, AdmissionSettings, FallbackSettings, LaneSettings, QuotaSettings
from resilience._core.policy.units import Spec
from resilience._core.policy.validator import validator

SETTINGS = """
    Operation.match = ...
    Operation.policy = None
    Operation.idempotent = None
    Operation.key = None
    Operation.lane = None
    Policy.name = 'default'
    Policy.codes = ('http',)
    Policy.deadline = None: more than 0s, up to 1d
    Policy.attempt_timeout = None: more than 0s, up to 1d
    Policy.retry = None
    Policy.budget = None
    Policy.breaker = None
    Policy.quota = ()
    Policy.admission = None
    Policy.hold_max = 900.0: more than 0s, up to 30d
    Policy.reconcile = None
    Policy.hedge = None
    Policy.fallback = None
    Policy.cache = None
    Policy.stream = None
    Policy.stages = ()
    Policy.unknown_errors = ...
    Policy.pass_through = ()
    Policy.classify_results = True
    Policy.attempt_header = None
    Policy.follow_redirects = False
    Policy.isolated = None
    Admission.max_concurrent = 50: 1 to 1000000
    Admission.max_queue = 0: 0 to 1000000
    Admission.queue_timeout = 1.0: 0s to 1d
    Admission.lanes = ...
    Backoff.kind = 'exponential'
    Backoff.initial = 0.2: 0s to 1h
    Backoff.factor = 2.0: 1 to 100
    Backoff.max = 5.0: 0s to 1d
    Backoff.jitter = 'full'
    Breaker.failure_rate = 0.8: more than 0%, up to 100%
    Breaker.slow_rate = None: more than 0%, up to 100%
    Breaker.slow_after = None: 0s to 1d
    Breaker.window = 10.0: more than 0s, up to 1d, or 1 to 100000 calls
    Breaker.min_calls = 20: 1 to 1000000
    Breaker.consecutive = None: 1 to 1000000
    Breaker.open_for = 1.0: more than 0s, up to 1d
    Breaker.growth = 2.0: 1 to 100
    Breaker.open_max = 5.0: more than 0s, up to 1d
    Breaker.half_open = ...
    Breaker.when_open = 'reject'
    Breaker.mode = 'enforce'
    Breaker.key = None
    Budget.ratio = 0.2: 0% to 1000%
    Budget.floor = 1.0: 0/s to 1000000/s
    Cache.max_age = 1.0: more than 0s, up to 1h
    Cache.max_entries = 1000: 1 to 1000000
    Cache.operations = ()
    Fallback.on = ('retryable', 'rejected')
    Fallback.stale_for = None: more than 0s, up to 1d
    Fallback.call = None
    Fallback.value = NO_VALUE
    HalfOpen.permits = 1: 1 to 10000
    HalfOpen.successes = 1: 1 to 10000
    Hedge.delay = 0.2: more than 0s, up to 1h
    Hedge.percentile = None: more than 0%, up to 100%
    Hedge.max_hedges = 1: 1 to 10
    Hedge.threads = False
    Lane.reserve = 0: 0 to 1000000
    Lane.priority = 0: -1000 to 1000
    Quota.rate = 10.0: more than 0/s, up to 1000000/s
    Quota.burst = 1: 1 to 1000000
    Quota.key = None
    Quota.operations = ()
    Quota.weight = 1: 0 to 1000000
    Quota.reserve = 0.0: 0% to 90%
    Quota.name = None
    Reconcile.early_checks = 2: 1 to 1000
    Reconcile.wait = 0.5: more than 0s, up to 1h
    Reconcile.fence = None: 0s to 1d
    Reconcile.window = None: 0s to 1h
    Reconcile.stamp_window = None: 0s to 1h
    Reconcile.processing = None: 0s to 1h
    Reconcile.lag = None: 0s to 1h
    Reconcile.retention = None: more than 0s, up to 366d
    Retry.max_attempts = 3: 1 to 1000
    Retry.backoff = ...
    Retry.stop = None
    Retry.wait = None
    UnknownError.category = <Category.RETRYABLE: 'retryable'>
    UnknownError.executed = 'maybe'
    UnknownError.max_attempts = 2: 1 to 1000
"""
"""Each setting with its default and its range. A change here changes what users' policy files mean."""


def kinds() -> list[type[Section]]:
    """Return every section of a policy."""
    public = [getattr(home, name) for home in (policy_set, policy, sections) for name in home.__all__]
    return [kind for kind in public if isinstance(kind, type) and issubclass(kind, Section)]


def spec(hint: Any) -> Spec | None:
    """Return the range in an annotation."""
    public = about(hint, Spec)
    return public or next((inner for arg in get_args(hint) if (inner := spec(arg)) is not None), None)


def in_words(section: type[Section]) -> Iterator[str]:
    """Yield a line for each setting of a section."""
    given = {field.name: field.default for field in fields(section)}  # type: ignore[arg-type]
    for name, hint in hints(section).items():
        default = "..." if given[name] is MISSING else repr(given[name])
        allowed = spec(hint)
        yield f"{section_name(section)}.{name} = {default}" + (f": {allowed.allowed()}" if allowed else "")


def test_every_setting_has_its_default_and_its_range() -> None:
    """Defaults and ranges are those of the table."""
    assert [line for section in kinds() for line in in_words(section)] == [
        line.strip() for line in SETTINGS.strip().splitlines()
    ]


@pytest.mark.parametrize("section", kinds(), ids=lambda kind: kind.__name__)
def test_settings_are_frozen_and_keyword_only(section: type[Section]) -> None:
    """A policy is shared by threads and by policies that extend it."""
    given = (
        {"match": "*"}
        if section.__name__ == "OperationSettings"
        else {"value": 1}
        if section is FallbackSettings
        else {}
    )
    settings = section(**given)
    name = fields(section)[0].name  # type: ignore[arg-type]
    with pytest.raises(FrozenInstanceError):
        setattr(settings, name, None)
    assert settings == section(**given)
    with pytest.raises(TypeError, match="positional argument"):
        section(*[None])


def test_a_set_of_policies_is_frozen() -> None:
    """A reload makes a new set."""
    policy_set = PolicySet({})
    assert (policy_set.operations, policy_set.source, policy_set.tables, policy_set.codes) == ((), "built-in", {}, ())
    with pytest.raises(FrozenInstanceError):
        policy_set.source = "other"  # type: ignore[misc]
    assert policy_set == PolicySet({})


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"deadline": "5s", "attempt_timeout": "6s"}, "attempt_timeout: 6s is longer than the deadline of 5s"),
        (
            {"deadline": "1s", "retry": {"backoff": {"initial": 1}}},
            "retry.backoff.initial: a first wait of 1s does not fit",
        ),
        ({"breaker": {"slow_rate": 0.5}}, "breaker.slow_rate: needs slow_after"),
    ],
)
def test_settings_that_contradict_each_other_are_mistakes(given: dict[str, Any], path: str) -> None:
    """The mistake has the policy's name and the path."""
    with pytest.raises(PolicyError) as caught:
        Policy(name="p", **given)
    (problem,) = caught.value.problems
    assert f"{problem.path}: {problem.message}".startswith(path)
    assert (problem.file, problem.line, problem.column) == ("p", 0, 0)


@pytest.mark.parametrize(
    "given",
    [
        {"deadline": "5s", "attempt_timeout": "5s"},
        {"attempt_timeout": "6s"},
        {"deadline": "1s", "retry": {"max_attempts": 1, "backoff": {"initial": 1}}},
        {"deadline": "1.1s", "retry": {"max_attempts": 2, "backoff": {"initial": 1}}},
        {"deadline": "1s", "retry": {"wait": len, "backoff": {"initial": 1}}},
        {"retry": {"backoff": {"initial": 3600}}},
        {"breaker": {"slow_rate": 0.5, "slow_after": "1s"}},
        {"breaker": {}},
    ],
)
def test_settings_that_fit_are_no_mistake(given: dict[str, Any]) -> None:
    """Values at the boundary are accepted."""
    Policy(**given)


@pytest.mark.parametrize("reserved", [1, 2])
def test_reserved_slots_leave_some_for_the_others(reserved: int) -> None:
    """At least one slot must not be reserved."""
    lanes = {"a": LaneSettings(reserve=1), "b": LaneSettings(reserve=reserved - 1)}
    if reserved == 1:
        assert AdmissionSettings(max_concurrent=2, lanes=lanes).lanes == lanes
        return
    with pytest.raises(PolicyError) as caught:
        AdmissionSettings(max_concurrent=2, lanes=lanes)
    assert [tuple(problem) for problem in caught.value.problems] == [
        ("Admission", 0, 0, "lanes", "2 slots are reserved, but max_concurrent is 2: at least one must be left")
    ]


def test_a_weight_beyond_the_burst_is_a_mistake() -> None:
    """The attempt could never be sent; a function's weights are checked later."""
    assert QuotaSettings(burst=3, weight=3).weight == 3
    assert callable(QuotaSettings(weight=len).weight)
    with pytest.raises(PolicyError) as caught:
        QuotaSettings(burst=2, weight=3)
    assert [tuple(problem) for problem in caught.value.problems] == [
        ("Quota", 0, 0, "weight", "3 can never be sent (0 to the burst of 2)")
    ]


def test_a_fallback_needs_a_substitute() -> None:
    """Any one of the three is enough; None is a value."""
    for given in ({"stale_for": 1}, {"call": len}, {"value": None}):
        FallbackSettings(**given)
    with pytest.raises(PolicyError) as caught:
        FallbackSettings()
    assert [tuple(problem) for problem in caught.value.problems] == [
        ("Fallback", 0, 0, "", "expected stale_for, call or value")
    ]
    assert repr(NO_VALUE) == "NO_VALUE"


def test_the_defaults_of_a_policy() -> None:
    """Every section is off, and an unknown error is retried at most once."""
    policy = Policy()
    assert (policy.retry, policy.breaker, policy.unknown_errors.category) == (None, None, Category.RETRYABLE)


@pytest.mark.parametrize("section", kinds(), ids=lambda kind: kind.__name__)
def test_every_default_is_a_value_that_its_setting_takes(section: type[Section]) -> None:
    """Settings with their defaults are not validated when they are made."""
    given = {"match": "*"} if section.__name__ == "OperationSettings" else {}
    defaults = unchecked(section, given)
    values = {field.name: getattr(defaults, field.name) for field in fields(section)}  # type: ignore[arg-type]
    assert validator().read_values(section, values) == (values, [])


@pytest.mark.parametrize(
    ("one", "found"),
    [(7, "7"), (int, "int"), (KeyboardInterrupt, "KeyboardInterrupt"), ("a b", "'a b'"), ("a..b", "'a..b'")],
)
def test_what_passes_through_is_an_exception(one: Any, found: str) -> None:
    """A control-flow exception is a class, or a path that may be that of one."""
    assert Policy(pass_through=(ValueError, "my_bot.flow.Stop")).pass_through == (ValueError, "my_bot.flow.Stop")
    with pytest.raises(PolicyError, match="such as my_bot") as caught:
        Policy(pass_through=(one,))
    assert caught.value.problems[0].message.endswith(f"got {found}")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (OperationSettings(match="post /orders"), "write"),
        (OperationSettings(match="create_order", idempotent=True), "read"),
        (OperationSettings(match="fetch_x", idempotent=False), "write"),
        (OperationSettings(match="x", key="id"), "write"),
        (OperationSettings(match="GET"), "read"),
        (OperationSettings(match="*"), ""),
        (OperationSettings(match="posture"), ""),
    ],
)
def test_what_an_entry_is_surely_for(entry: OperationSettings, expected: str) -> None:
    """What an entry says counts before its name."""
    assert (entry.is_write, entry.is_read) == (expected == "write", expected == "read")
