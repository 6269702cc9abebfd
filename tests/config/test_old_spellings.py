"""The settings' names of version 0.1 are read, and reported with the new spelling."""

from __future__ import annotations

import dataclasses
import inspect
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from resilience import Policies, Policy, PolicyError, configure
from resilience._core.policy.section import Section, hints
from resilience._core.policy.sections import BreakerSettings, FallbackSettings, ReconcileSettings, UnknownErrorSettings
from resilience.cli import main
from resilience.config.checks.lint import lint
from resilience.config.schema.policy_schema import policy_schema
from resilience.testing import fresh_policies

with_old_keys = pytest.mark.filterwarnings("ignore:.*is the old spelling of:DeprecationWarning")

PAIRS: tuple[tuple[dict[str, Any], dict[str, Any], str], ...] = (
    ({"reconcile": {"checks": 5}}, {"reconcile": {"early_checks": 5}}, "checks is the old spelling of early_checks"),
    (
        {"breaker": {"wait": False}},
        {"breaker": {"when_open": "reject"}},
        "wait: false is the old spelling of when_open: reject",
    ),
    (
        {"breaker": {"wait": True}},
        {"breaker": {"when_open": "wait_retries"}},
        "wait: true is the old spelling of when_open: wait_retries",
    ),
    (
        {"breaker": {"wait": "all"}},
        {"breaker": {"when_open": "wait"}},
        "wait: all is the old spelling of when_open: wait",
    ),
    (
        {"fallback": {"last_good": "30s"}},
        {"fallback": {"stale_for": "30s"}},
        "last_good is the old spelling of stale_for",
    ),
    (
        {"results": "classify"},
        {"classify_results": True},
        "results: classify is the old spelling of classify_results: true",
    ),
    (
        {"results": "ignore"},
        {"classify_results": False},
        "results: ignore is the old spelling of classify_results: false",
    ),
    (
        {"unknown": {"executed": "no"}},
        {"unknown_errors": {"executed": "no"}},
        "unknown is the old spelling of unknown_errors",
    ),
)
"""A policy's settings in the old and in the new spelling, and what a warning says."""


def key_of(settings: dict[str, Any]) -> str:
    """Return the path of the only setting."""
    (name, value), *_ = settings.items()
    return f"{name}.{next(iter(value))}" if name in ("reconcile", "breaker", "fallback") else name


each_pair = pytest.mark.parametrize(("old", "new", "message"), PAIRS, ids=[json.dumps(old) for old, _, _ in PAIRS])


def written(folder: Path, text: str) -> Path:
    """Return a policy file with this text."""
    path = folder / "bot.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def in_a_file(folder: Path, settings: dict[str, Any]) -> Path:
    """Return a policy file with one policy, in block style."""
    return written(folder, f"version: 1\npolicies:\n  p:\n    {json.dumps(settings)[1:-1]}\n")


@each_pair
def test_loading_a_file_with_an_old_key(tmp_path: Path, old: dict[str, Any], new: dict[str, Any], message: str) -> None:
    """It is read as the new key, with a warning that has the key's position and points at the caller."""
    path = in_a_file(tmp_path, old)
    (problem,) = lint(path)
    for load in (Policies.load, configure):
        with fresh_policies(), pytest.warns(DeprecationWarning, match="is the old spelling of") as caught:
            loaded = load(path).policy("p")
        where = f"{path}:4:{problem.column}: policies.p.{key_of(old)}"
        assert [str(warning.message) for warning in caught] == [f"{where}: {message}"]
        assert [warning.filename for warning in caught] == [__file__]
    assert loaded == Policies.load(in_a_file(tmp_path, new)).policy("p")


def test_every_old_key_of_a_file_is_reported(tmp_path: Path) -> None:
    """One warning each, in the order of the file; the built-in policies cause none."""
    path = written(tmp_path, "policies:\n  a: {results: ignore, breaker: {wait: all}}\n  b: {reconcile: {checks: 1}}\n")
    with pytest.warns(DeprecationWarning, match="is the old spelling of") as caught:
        Policies.load(path)
    positions = [str(warning.message).removeprefix(str(path)).partition(": ")[0] for warning in caught]
    assert positions == [":2:7", ":2:34", ":3:19"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Policies.builtin()
        Policies.load(written(tmp_path, "policies: {mine: {extends: bitget}}"))


def test_a_file_with_very_many_old_keys_is_loaded(tmp_path: Path) -> None:
    """The number of warnings is bounded; a file is no worse for having more old keys."""
    path = written(tmp_path, "policies:\n" + "".join(f"  p{number}: {{results: ignore}}\n" for number in range(600)))
    with pytest.warns(DeprecationWarning, match="is the old spelling of") as caught:
        policies = Policies.load(path)
    assert len(caught) == 500
    assert policies.policy("p599").classify_results is False


def test_a_reload_warns_and_never_fails_by_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program's filter may turn warnings into errors: the new settings come into force all the same."""
    path = written(tmp_path, "policies: {p: {breaker: {when_open: wait}}}")
    policies = Policies.load(path)
    written(tmp_path, "policies: {p: {breaker: {wait: false}, results: ignore}}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(policies.reload()) == 2
    assert policies.policy("p").classify_results is False
    written(tmp_path, "policies: {p: {breaker: {wait: all}}}")
    with pytest.warns(DeprecationWarning, match=r"bot\.yaml:1:26: policies\.p\.breaker\.wait: wait: all is the old"):
        assert len(policies.reload()) == 2

    def broken(*_: object, **__: object) -> None:
        raise OSError("no stderr")

    monkeypatch.setattr(warnings, "warn", broken)
    written(tmp_path, "policies: {p: {breaker: {wait: true}}}")
    assert len(policies.reload()) == 1


def test_commands_leave_the_report_to_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`describe` and `simulate` read a file with old keys; warnings that are errors do not stop them."""
    path = written(tmp_path, "policies: {p: {breaker: {wait: all}}}")
    assert main(["describe", str(path), "--policy", "p", "--json"]) == 0
    (described,) = json.loads(capsys.readouterr().out)["described"]
    assert described["breaker"]["when_open"] == "wait"
    monkeypatch.setenv("RESILIENCE_POLICIES", str(path))
    assert main(["describe", "--policy", "p", "--json"]) == 0
    assert capsys.readouterr().err == ""


@each_pair
def test_check_names_the_new_spelling(
    tmp_path: Path, old: dict[str, Any], new: dict[str, Any], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One warning at the old key, with line and column."""
    path = in_a_file(tmp_path, old)
    line = path.read_text("utf-8").splitlines()[3]
    column = line.index('"', line.index("{")) + 1 if "{" in line and "unknown" not in line else 5
    (problem,) = lint(path)
    where = (problem.line, problem.column, problem.path)
    assert where == (4, column, f"policies.p.{key_of(old)}")
    assert problem.message == f"warning: {message}"
    assert problem.severity == "warning"
    assert main(["check", str(path)]) == 1
    assert capsys.readouterr().out == f"{path}:4:{column}: policies.p.{key_of(old)}: warning: {message}\n"
    assert lint(in_a_file(tmp_path, new)) == []


@each_pair
def test_a_mapping_with_an_old_key(old: dict[str, Any], new: dict[str, Any], message: str) -> None:
    """It is read, with a `DeprecationWarning` that points at the caller."""
    with pytest.warns(DeprecationWarning, match="is the old spelling of") as caught:
        policies = Policies.from_mapping({"policies": {"p": old}})
    assert [str(warning.message) for warning in caught] == [f"policies.p.{key_of(old)}: {message}"]
    assert [warning.filename for warning in caught] == [__file__]
    assert policies.policy("p") == Policies.from_mapping({"policies": {"p": new}}).policy("p")


@each_pair
def test_a_policy_in_python_with_an_old_name(old: dict[str, Any], new: dict[str, Any], message: str) -> None:
    """Keyword arguments of `Policy`, and mappings in it."""
    with pytest.warns(DeprecationWarning, match="is the old spelling of") as caught:
        policy = Policy(**old)
    section = type(policy).__name__ if "." not in key_of(old) else next(iter(old)).capitalize()
    assert [str(warning.message) for warning in caught] == [f"{section}: {message}"]
    assert [warning.filename for warning in caught] == [__file__]
    assert policy == Policy(**new)


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        (ReconcileSettings, {"checks": 5}, {"early_checks": 5}),
        (BreakerSettings, {"wait": "all", "key": "host"}, {"when_open": "wait", "key": "host"}),
        (FallbackSettings, {"last_good": 3}, {"stale_for": 3}),
        (Policy, {"unknown": UnknownErrorSettings(max_attempts=1)}, {"unknown_errors": {"max_attempts": 1}}),
    ],
)
def test_a_settings_class_with_an_old_name(kind: Any, old: dict[str, Any], new: dict[str, Any]) -> None:
    """Each is made as with the new name, and its signature shows new names only."""
    before = dict(old)
    with pytest.warns(DeprecationWarning, match=f"^{kind.__name__.removesuffix('Settings')}: "):
        assert kind(**old) == kind(**new)
    assert old == before
    assert old.keys() - {"key"} <= kind.OLD_SPELLINGS.keys()
    assert not kind.OLD_SPELLINGS.keys() & inspect.signature(kind).parameters.keys()


@pytest.mark.parametrize(
    ("settings", "old", "expected"),
    [
        (Policy(), {"results": "ignore"}, Policy(classify_results=False)),
        (Policy(), {"unknown": {"executed": "no"}}, Policy(unknown_errors={"executed": "no"})),
        (BreakerSettings(consecutive=3), {"wait": True}, BreakerSettings(consecutive=3, when_open="wait_retries")),
        (BreakerSettings(when_open="wait"), {"wait": "all"}, BreakerSettings(when_open="wait")),
        (FallbackSettings(stale_for="1m"), {"last_good": "60s"}, FallbackSettings(stale_for=60)),
        (ReconcileSettings(), {"checks": 5}, ReconcileSettings(early_checks=5)),
    ],
)
def test_replace_with_an_old_name(settings: Any, old: dict[str, Any], expected: Any) -> None:
    """`replace` passes every field: the old name wins over a default, and over the same value."""
    with pytest.warns(DeprecationWarning, match="is the old spelling of") as caught:
        assert dataclasses.replace(settings, **old) == expected
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize(
    ("settings", "old", "new"),
    [
        (Policy(classify_results=False), {"results": "classify"}, "classify_results"),
        (Policy(unknown_errors={"executed": "no"}), {"unknown": {"max_attempts": 1}}, "unknown_errors"),
        (BreakerSettings(when_open="wait"), {"wait": False}, "when_open"),
        (FallbackSettings(stale_for="1m"), {"last_good": "a while"}, "stale_for"),
    ],
)
def test_replace_of_another_value_needs_the_new_name(settings: Any, old: dict[str, Any], new: str) -> None:
    """Which of the two the caller wants is unknown."""
    (name,) = old
    with pytest.raises(PolicyError) as caught:
        dataclasses.replace(settings, **old)
    (problem,) = caught.value.problems
    assert problem.message == (
        f"{name} is the old spelling of {new}, which is set too: remove {name}; "
        f"dataclasses.replace needs the new name, {new}"
    )


def test_replace_with_a_value_that_is_wrong() -> None:
    """The mistake is that of the value."""
    with (
        pytest.raises(PolicyError, match="early_checks: 0 is out of range"),
        pytest.warns(DeprecationWarning, match="checks is the old spelling"),
    ):
        dataclasses.replace(ReconcileSettings(), checks=0)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("settings", "name", "new", "value"),
    [
        (Policy(), "results", "classify_results", "classify"),
        (Policy(classify_results=False), "results", "classify_results", "ignore"),
        (Policy(), "unknown", "unknown_errors", UnknownErrorSettings()),
        (BreakerSettings(), "wait", "when_open", False),
        (BreakerSettings(when_open="wait_retries"), "wait", "when_open", True),
        (BreakerSettings(when_open="wait"), "wait", "when_open", "all"),
        (ReconcileSettings(early_checks=5), "checks", "early_checks", 5),
        (FallbackSettings(stale_for="30s"), "last_good", "stale_for", 30.0),
    ],
)
def test_an_old_attribute(settings: Any, name: str, new: str, value: Any) -> None:
    """It is read-only, has the old value, and is no field."""
    section = type(settings).__name__.removesuffix("Settings")
    with pytest.warns(DeprecationWarning, match=rf"^{section}\.{name} is deprecated: use \.{new}$") as caught:
        read = getattr(settings, name)
    assert (read, type(read)) == (value, type(value))
    assert [warning.filename for warning in caught] == [__file__]
    with pytest.raises((AttributeError, TypeError)):
        setattr(settings, name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert getattr(settings, name) == value  # a listener that reads it goes on
        assert name not in dataclasses.asdict(settings)
        assert f" {name}=" not in f" {settings!r}".replace("(", " ")
        assert dataclasses.replace(settings) == settings
    assert not hasattr(settings, "__dict__")


def sections(kind: type[Section]) -> Iterator[type[Section]]:
    """Yield a settings class and those below it."""
    yield kind
    for hint in hints(kind).values():
        yield from below(hint)


def below(hint: Any) -> Iterator[type[Section]]:
    """Yield the settings classes that an annotation names."""
    if isinstance(hint, type) and issubclass(hint, Section):
        yield from sections(hint)
    for part in get_args(hint):
        yield from below(part)


def test_every_declared_rename_is_tested_here() -> None:
    """And leads to a setting that exists, from a name that does not."""
    declared = set()
    for kind in sections(Policy):
        for name, spelling in kind.OLD_SPELLINGS.items():
            assert (spelling.old, spelling.old in hints(kind), spelling.new in hints(kind)) == (name, False, True)
            declared |= {(name, old) for old, _ in spelling.values or [(None, None)]}
    tested = {(key_of(old).rpartition(".")[2], value_of(old)) for old, _, _ in PAIRS}
    assert {name for name, _ in declared} == {name for name, _ in tested}
    assert {one for one in declared if one[1] is not None} <= tested


def value_of(settings: dict[str, Any]) -> Any:
    """Return the value of the only setting, or None for a section."""
    value = next(iter(settings.values()))
    return next(iter(value.values())) if isinstance(value, dict) else value


@with_old_keys
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("reconcile: {checks: 5}", "reconcile: {early_checks: 5}"),
        ("breaker: {wait: false}", "breaker: {when_open: reject}"),
        ("breaker: {wait: all}", "breaker: {when_open: wait}"),
        ("results: ignore", "classify_results: false"),
    ],
)
def test_an_old_key_overrides_the_new_key_of_a_built_in_policy(tmp_path: Path, old: str, new: str) -> None:
    """`bitget` says `early_checks: 2` and `when_open: wait_retries`; a file over it wins, in either spelling."""
    mine = Policies.load(written(tmp_path, f"policies: {{mine: {{extends: bitget, {old}}}}}")).policy("mine")
    assert mine == Policies.load(written(tmp_path, f"policies: {{mine: {{extends: bitget, {new}}}}}")).policy("mine")
    assert mine != Policies.builtin().policy("bitget")
    replaced = Policies.load(written(tmp_path, f"policies: {{bitget: {{extends: bitget, {old}}}}}")).policy("bitget")
    assert replaced.breaker == mine.breaker
    assert replaced.reconcile == mine.reconcile


@with_old_keys
@pytest.mark.parametrize(
    ("parent", "child"),
    [("wait: all", "when_open: reject"), ("when_open: wait", "wait: false"), ("wait: all", "wait: false")],
)
def test_a_child_overrides_its_parent_in_either_spelling(tmp_path: Path, parent: str, child: str) -> None:
    """Parent and child may be written at different times."""
    text = f"policies:\n  a: {{breaker: {{{parent}}}}}\n  b: {{extends: a, breaker: {{{child}}}}}\n"
    breaker = Policies.load(written(tmp_path, text)).policy("b").breaker
    assert breaker is not None
    assert breaker.when_open == "reject"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            "breaker: {when_open: wait, wait: all}",
            "4:32: policies.p.breaker.wait: wait is the old spelling of when_open, which is set too: remove wait",
        ),
        (
            "reconcile: {checks: 1, early_checks: 1}",
            (
                "4:17: policies.p.reconcile.checks: "
                "checks is the old spelling of early_checks, which is set too: remove checks"
            ),
        ),
        (
            "{unknown: {executed: no}, unknown_errors: {executed: no}}",
            (
                "4:6: policies.p.unknown: "
                "unknown is the old spelling of unknown_errors, which is set too: remove unknown"
            ),
        ),
        (
            "breaker: {wait: maybe}",
            (
                "4:21: policies.p.breaker.wait: 'maybe' is not one of false, true, all; "
                "the setting is now when_open: reject, wait_retries, wait"
            ),
        ),
        (
            "breaker: {wait: 'true'}",
            (
                "4:21: policies.p.breaker.wait: 'true' is not one of false, true, all; "
                "the setting is now when_open: reject, wait_retries, wait"
            ),
        ),
        (
            "breaker: {wait: [all]}",
            (
                "4:21: policies.p.breaker.wait: a list is not one of false, true, all; "
                "the setting is now when_open: reject, wait_retries, wait"
            ),
        ),
        ("reconcile: {checks: 0}", "4:25: policies.p.reconcile.early_checks: 0 is out of range"),
    ],
)
def test_mistakes_with_line_and_column(tmp_path: Path, settings: str, expected: str) -> None:
    """Both spellings together, a value that the old key never took, and one that the new key does not take."""
    path = written(tmp_path, f"version: 1\npolicies:\n  p:\n    {settings}\n")
    (problem,) = lint(path)
    assert str(problem).startswith(f"{path}:{expected}")
    with pytest.raises(PolicyError) as caught:
        Policies.load(path)
    assert list(caught.value.problems) == [problem]


def test_an_old_key_twice_is_a_duplicate(tmp_path: Path) -> None:
    """As any key is."""
    path = written(tmp_path, "policies: {p: {breaker: {wait: all, wait: true}}}")
    assert {(problem.line, problem.path) for problem in lint(path)} == {(1, "policies.p.breaker.wait")}


@pytest.mark.parametrize(
    ("settings", "path", "expected"),
    [
        ({"breaker": {"wait": True, "when_open": "wait"}}, "breaker.wait", "wait is the old spelling of when_open"),
        ({"results": "classify", "classify_results": False}, "results", "results is the old spelling of"),
        ({"results": "classify", "classify_results": 7}, "results", "results is the old spelling of"),
        ({"breaker": {"wait": "yes"}}, "breaker.wait", "'yes' is not one of false, true, all; the setting is now"),
        (
            {"results": 1},
            "results",
            "1 is not one of classify, ignore; the setting is now classify_results: true, false",
        ),
    ],
)
def test_mistakes_in_python(settings: dict[str, Any], path: str, expected: str) -> None:
    """A `PolicyError` that names the path, from `Policy` and from a mapping."""
    with pytest.raises(PolicyError) as caught:
        Policy(**settings)
    (problem,) = caught.value.problems
    assert (problem.path, problem.message[: len(expected)]) == (path, expected)
    if "classify_results" not in settings and settings != {"results": 1}:
        with pytest.raises(PolicyError, match=path.replace(".", r"\.")):
            Policies.from_mapping({"policies": {"p": settings}})


@with_old_keys
def test_an_anchor_that_two_sections_share(tmp_path: Path) -> None:
    """`wait` is an old key of the breaker and a key of `reconcile`: an alias is rewritten in the first only."""
    text = "policies:\n  a: {reconcile: &x {wait: 1s}}\n  b: {reconcile: *x, breaker: {open_for: 1s}}\n"
    policies = Policies.load(written(tmp_path, text))
    for name in "ab":
        reconcile = policies.policy(name).reconcile
        assert reconcile is not None
        assert reconcile.wait == 1.0
    text = "policies:\n  a: {breaker: &x {wait: true}}\n  b: {breaker: *x}\n"
    policies = Policies.load(written(tmp_path, text))
    assert policies.policy("a").breaker == policies.policy("b").breaker
    assert [(problem.line, problem.column) for problem in lint(tmp_path / "bot.yaml")] == [(2, 20)]


@with_old_keys
def test_a_value_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is translated after the variable is filled in; no message shows what a variable holds."""
    path = written(tmp_path, 'policies: {p: {breaker: {wait: "${WAIT:-all}"}}}')
    breaker = Policies.load(path).policy("p").breaker
    assert breaker is not None
    assert breaker.when_open == "wait"
    monkeypatch.setenv("WAIT", "unheard-of")
    (problem,) = lint(path)
    assert problem.message.startswith("the value of ${WAIT:-all} is not one of false, true, all")


@with_old_keys
def test_a_reload_that_only_renames_keys_changes_nothing(tmp_path: Path) -> None:
    """The same settings; with another value, the change has the new name."""
    path = written(tmp_path, "policies: {p: {breaker: {wait: all}}}")
    policies = Policies.load(path)
    written(tmp_path, "policies: {p: {breaker: {when_open: wait}}}")
    assert policies.reload() == ()
    written(tmp_path, "policies: {p: {breaker: {wait: false}}}")
    assert [str(change) for change in policies.reload()] == ["p.breaker.when_open: wait → reject"]


def test_what_is_described_has_the_new_names() -> None:
    """Old names are gone from `describe()`."""
    described = Policies.builtin().pipeline("bitget").describe()
    assert described["reconcile"]["early_checks"] == 2
    assert described["breaker"]["when_open"] == "wait_retries"
    assert described["classify_results"] is True
    assert described["unknown_errors"]["max_attempts"] == 2
    assert not {"unknown", "results"} & set(described)
    assert "wait" not in described["breaker"]
    assert "checks" not in described["reconcile"]


def test_the_schema_has_new_keys_only() -> None:
    """An editor marks an old key as unknown; the description of the new key names the old one."""
    parts = policy_schema()["$defs"]
    for part, old, new in (
        ("Breaker", "wait", "when_open"),
        ("Reconcile", "checks", "early_checks"),
        ("Fallback", "last_good", "stale_for"),
        ("Policy", "results", "classify_results"),
        ("Policy", "unknown", "unknown_errors"),
    ):
        properties = parts[part]["properties"]
        assert old not in properties
        assert f" Called {old} in version 0.1" in properties[new]["description"]
    assert "all is wait" in parts["Breaker"]["properties"]["when_open"]["description"]
