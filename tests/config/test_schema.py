"""The schema and the loader accept the same files, and the shipped schemas are up to date."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience import Policies, PolicyError
from resilience._core.policy.policy import Policy
from resilience._core.policy.policy_set import OperationSettings
from resilience._core.policy.section import Section, about, hints, section_name
from resilience._core.policy.units import Spec
from resilience.config.codes.code_tables import CodeRegistry
from resilience.config.loading.policy_file import from_mapping
from resilience.config.loading.yaml_reader import read_file
from resilience.config.schema.code_table_schema import code_schema
from resilience.config.schema.patterns import pattern
from resilience.config.schema.policy_schema import as_text, policy_schema
from resilience.config.schema.reference_tables import key_tables
from resilience.config.schema.snapshot_schema import snapshot_schema
from resilience.config.validation.annotations import in_files

ROOT = Path(__file__).parents[2]
SHIPPED, REFERENCE = ROOT / "policies", ROOT / "docs" / "reference"
POLICIES, TABLES = jsonschema.Draft202012Validator(policy_schema()), jsonschema.Draft202012Validator(code_schema())


def test_the_schema_files_are_up_to_date() -> None:
    """The files of the reference, which the wheel ships, are what `resilience schema` prints."""
    assert (REFERENCE / "policy.schema.json").read_text("utf-8") == as_text(policy_schema())
    assert (REFERENCE / "codes.schema.json").read_text("utf-8") == as_text(code_schema())
    assert (REFERENCE / "snapshot.schema.json").read_text("utf-8") == as_text(snapshot_schema())
    for validator in (POLICIES, TABLES):
        assert validator.schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        jsonschema.Draft202012Validator.check_schema(validator.schema)


def test_a_snapshot_conforms_to_its_schema() -> None:
    """What `snapshot()` returns is valid, with keys of later versions too; a wrong type is not."""
    validator = jsonschema.Draft202012Validator(snapshot_schema())
    validator.check_schema(validator.schema)
    snapshot = json.loads(json.dumps(Policies.builtin().snapshot()))
    validator.validate(snapshot)
    (policy, *_) = snapshot["policies"]
    validator.validate({**snapshot, "later": 1, "policies": [{**policy, "later": 1}]})
    assert not validator.is_valid({**snapshot, "policies": [{**policy, "healthy": "yes"}]})
    for key in snapshot:
        assert not validator.is_valid({name: value for name, value in snapshot.items() if name != key})
    for key in policy:
        assert not validator.is_valid({**snapshot, "policies": [{n: v for n, v in policy.items() if n != key}]})


@pytest.mark.parametrize("path", sorted(SHIPPED.rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_file_conforms_to_its_schema(path: Path) -> None:
    """The first line of a policy file or code table names its schema, and the file conforms to it."""
    named = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", path.read_text("utf-8").splitlines()[0])
    assert named is not None
    schema = json.loads((path.parent / named[1]).read_text("utf-8"))
    root = read_file(path)
    assert root is not None
    assert list(jsonschema.Draft202012Validator(schema).iter_errors(root.plain)) == []


def sections(kind: type[Section], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], type[Section]]]:
    """Yield every settings class below one, with the keys that lead to it."""
    yield path, kind
    for name, hint in hints(kind).items():
        for one in parts(hint):
            yield from sections(one, (*path, name))


def parts(hint: Any) -> Iterator[type[Section]]:
    """Yield the settings classes that an annotation names."""
    if isinstance(hint, type) and issubclass(hint, Section):
        yield hint
    for one in get_args(hint):
        yield from parts(one)


SECTIONS = dict(sections(Policy))
KEYS = [
    (path, name)
    for path, kind in SECTIONS.items()
    for name, hint in hints(kind).items()
    if in_files(hint) and not (kind is Policy and name in ("name", "codes", "stages"))
]


def test_every_key_is_described() -> None:
    """Each has a description, an example and a default, and a unit if it has one."""
    for name, part in POLICIES.schema["$defs"].items():
        for key, one in part.get("properties", {}).items():
            where = f"{name}.{key}"
            assert one["description"].endswith("."), where
            assert len(one["examples"]) == 1, where
            assert "default" in one or where in ("Operation.match", "Fallback.value", "Shared.url"), where
            if "minimum" in one or "exclusiveMinimum" in one:
                assert "unit" in one or "%" not in str(one["examples"]), where
                assert "Allowed: " in one["description"], where


@pytest.mark.parametrize(("path", "name"), KEYS, ids=lambda value: value if isinstance(value, str) else ".".join(value))
def test_every_example_and_default_is_accepted(path: tuple[str, ...], name: str) -> None:
    """Examples and defaults conform to the schema, and load if what they name exists."""
    one = POLICIES.schema["$defs"][section_name(SECTIONS[path])]["properties"][name]
    for value in (*one["examples"], *([one["default"]] if "default" in one else [])):
        given = document_of(path, name, value)
        assert list(POLICIES.iter_errors(given)) == []
        assert refusals(given) == []


def document_of(path: tuple[str, ...], name: str, value: Any) -> dict[str, Any]:
    """Return a policy file in which one key has one value."""
    inside: Any = {name: value}
    for key in reversed(path):
        inside = [inside] if key == "quota" else {"cancel": inside} if key == "lanes" else inside
        inside = {key: inside}
    return {"policies": {"p": inside}}


BETWEEN_KEYS = (
    "can never be sent", "needs slow_after", "slots are reserved", "expected stale_for", "longer than", "does not fit",
    "expected a string that says why",
)  # fmt: skip
"""Messages about settings that contradict each other, which a schema cannot express."""


def refusals(mapping: dict[str, Any]) -> list[str]:
    """Return the loader's mistakes, without those about settings that contradict each other."""
    try:
        from_mapping(mapping)
    except PolicyError as error:
        mistakes = [str(one) for one in error.problems]
        return [one for one in mistakes if not any(words in one for words in BETWEEN_KEYS)]
    return []


ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 0.5, 1.5, -0.5, 0.95, 1e-7, 1e6, 1e7, 1e300, 10**20, 90_000, "", "off",
    "null", "true", "5", "5s", " 5 s ", "0s", "0.0s", "000000086400s", "7d", "0.5d", "86400s", "86401s", "3600000ms",
    "3600001ms", "1h", "61m", "-5s", "1e3", "20%", "0%", "90%", "91%", "100%", "100.0%", "101%", "1000.5%",
    "10/s", "0/s", "600/m", "10/0s", "10/5s", "0/5s", "1000001/s", "60000000/m", "60000001/m", "100 calls",
    "1call", "0 calls", "100001 calls", "full", "all", "host", "shadow", "retryable", "maybe", "exponential",
    "ignore", [], ["retryable"], ["rejected", "x"], [None], [{}], [[]], {}, {"x": 1}, {"rate": "5/s"},
    {"cancel": {}},
)  # fmt: skip


@pytest.mark.parametrize(("path", "name"), KEYS, ids=lambda value: value if isinstance(value, str) else ".".join(value))
def test_schema_and_loader_refuse_the_same_values(path: tuple[str, ...], name: str) -> None:
    """For any value of a key, both accept it or both reject it."""
    for value in ODD:
        given = document_of(path, name, value)
        assert POLICIES.is_valid(given) == (refusals(given) == []), value


@pytest.mark.parametrize("name", [name for name in hints(OperationSettings) if name != "policy"])
def test_entries_of_operations_too(name: str) -> None:
    """The same holds for the entries of `operations`."""
    for value in ODD:
        given = {"operations": [{"match": "x", name: value}]}
        assert POLICIES.is_valid(given) == (refusals(given) == []), value


@pytest.mark.parametrize("key", ["version", "policies", "operations", "nonsense"])
def test_the_top_of_a_file_too(key: str) -> None:
    """The same holds for the top-level keys."""
    for value in (*ODD, [{}], [{"match": "x", "polcy": "y"}], {"p": None}, {"p": "off"}, {"p": {"retries": 3}}):
        given = {key: value}
        assert POLICIES.is_valid(given) == (refusals(given) == []), value


NUMBERS = st.one_of(
    st.integers(0, 10**13).map(str),
    st.integers(0, 200_000).map(str),
    st.tuples(st.integers(0, 100_000), st.integers(0, 999)).map(lambda pair: f"{pair[0]}.{pair[1]:03d}"),
    st.integers(0, 9999).map(lambda number: f"{number:07d}"),
)
TEXTS = st.one_of(
    st.builds(
        "{}{}{}".format,
        NUMBERS,
        st.sampled_from(["", " "]),
        st.sampled_from(
            ["ms", "s", "m", "h", "d", "%", "/s", "/ m", "/ms", "/h", "/d", " calls", "call", "/0s", "", "x"]
        ),
    ),
    st.text(max_size=8),
)
SPECS = sorted(
    {
        spec
        for kind in {*SECTIONS.values(), OperationSettings}
        for hint in hints(kind).values()
        for one in (hint, *getattr(hint, "__args__", ()))
        if (spec := about(one, Spec)) is not None and pattern(spec)
    },
    key=str,
)


@given(st.sampled_from(SPECS), TEXTS)
def test_patterns_accept_what_the_loader_accepts(spec: Spec, text: str) -> None:
    """The regular expression of a range accepts the same strings."""
    try:
        spec.read(text)
        taken = True
    except ValueError:
        taken = False
    assert (re.search(pattern(spec), text) is not None) == taken


def test_ends_of_every_range() -> None:
    """Both accept the largest value of each kind and unit, and both reject the next one."""
    for spec, (unit, size) in product(SPECS, {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}.items()):
        if spec.kind not in ("duration", "window") or spec.high / size != int(spec.high / size):
            continue
        most = int(spec.high / size)
        assert re.search(pattern(spec), f"{most}{unit}")
        assert re.search(pattern(spec), f"{most}.000{unit}")
        assert not re.search(pattern(spec), f"{most}.001{unit}")
        assert not re.search(pattern(spec), f"{most + 1}{unit}")


@pytest.mark.parametrize(
    "value",
    ["${DEADLINE}", "${DEADLINE:-5s}", "at most ${DEADLINE:-}"],
)
def test_variables_keep_the_schema(value: str) -> None:
    """A variable conforms to the schema of every key."""
    for path, name in KEYS:
        one = POLICIES.schema["$defs"][section_name(SECTIONS[path])]["properties"][name]
        if "examples" in one and not isinstance(one["examples"][0], (dict, list)):
            assert POLICIES.is_valid(document_of(path, name, value)), (path, name)


@pytest.mark.parametrize(
    ("table", "fine"),
    [
        ({"rules": [{"code": "1"}]}, True),
        ({"rules": [{"code": 1, "category": None}]}, True),
        ({"rules": {"1": {"category": "fatal"}, "2": None}}, False),
        ({"rules": {"1": {"category": "fatal"}, "2": {}}}, True),
        ({"rules": [{"category": "fatal"}]}, False),
        ({"rules": [{"code": "1", "category": "retriable"}]}, False),
        ({"rules": [{"code": "1", "executed": "perhaps"}]}, False),
        ({"rules": [{"code": "1", "names": "A"}]}, False),
        ({"rules": [{"code": "1", "names": ["A", "B"]}]}, True),
        ({"rules": [{"code": "1", "legacy": "yes"}]}, False),
        ({"rules": [{"code": "1", "duplicate": True}]}, True),
        ({"rules": [{"code": "1", "nme": "A"}]}, False),
        ({"rules": ["1"]}, False),
        ({"rules": None, "sources": None, "texts": None}, True),
        ({"rules": [{"code": "1"}], "texts": [["x", "1"]]}, True),
        ({"rules": [{"code": "1"}], "texts": [["x"]]}, False),
        ({"envelope": {"code": "code", "success": ["0"]}}, True),
        ({"envelope": {"code": "code", "success": []}}, False),
        ({"envelope": {"code": "code", "success": [""]}}, False),
        ({"envelope": {"code": "code", "success": ["x" * 101]}}, False),
        ({"envelope": {"code": "error.code", "message": ["error.message", "msg"], "always": ["id"]}}, True),
        ({"envelope": {"code": ["data.sCode", "code"], "message": "msg"}}, True),
        ({"envelope": {"code": ["data.sCode", "code"], "always": ["code"]}}, True),
        ({"envelope": {"code": []}}, False),
        ({"envelope": {"code": ""}}, False),
        ({"envelope": {"code": "error..code"}}, False),
        ({"envelope": {"code": ".code"}}, False),
        ({"envelope": {"code": "code."}}, False),
        ({"envelope": {"code": "$.error.code"}}, False),
        ({"envelope": {"code": "data[0].code"}}, False),
        ({"envelope": {"code": "error . code"}}, False),
        ({"envelope": {"code": "error code"}}, True),
        ({"envelope": {"code": "code", "message": ""}}, True),
        ({"envelope": {"code": "code", "always": "id"}}, False),
        ({"envelope": {"code": "code", "always": ["$.id"]}}, False),
        ({"envelope": {"code": "code", "always": None}}, True),
        ({"rules": [{"code": "x" * 101}]}, False),
        ({"envelope": {"message": "msg"}}, False),
        ({"envelope": {"code": "c", "failures": {"at": "data", "code": "c"}}}, True),
        ({"envelope": {"code": "c", "failures": {"at": "data"}}}, False),
        ({"envelope": {"code": "c", "failures": [{"at": "data", "code": "c", "mixed": True}]}}, True),
        ({"envelope": {"code": "c", "failures": [{"at": "data", "code": "c", "mixed": "so"}]}}, False),
        ({"envelope": {"code": "c", "failures": [{"at": "data"}]}}, False),
        ({"envelope": {"code": "c", "failures": [{"at": "data..list", "code": "c"}]}}, False),
        ({"envelope": {"code": "c", "failures": [{"at": "data", "code": "error.code"}]}}, False),
        ({"envelope": {"code": "c", "failures": [{"at": "data", "code": ""}]}}, False),
        ({"envelope": {"code": "c", "failures": [{"at": ".", "code": "c", "ok": "done"}]}}, True),
        ({"envelope": {"code": "c", "general": ["1"], "ok": "success"}}, True),
        ({"envelope": {"code": "c", "general": []}}, False),
        ({"envelope": {"code": "c", "ok": "a.b"}}, False),
        ({"rules": [{"code": "1", "scope": "spot+margin"}], "scopes": {"/api/": "spot"}}, True),
        ({"rules": [{"code": "1", "scope": "spot+"}]}, False),
        ({"rules": [{"code": "1", "scope": ""}]}, False),
        ({"rules": [{"code": "1", "scope": ["spot"]}]}, False),
        ({"rules": [{"code": "no funds", "match": "part"}]}, True),
        ({"rules": [{"code": "x" * 101, "match": "exact"}]}, True),
        ({"rules": [{"code": "x" * 201, "match": "exact"}]}, False),
        ({"rules": [{"code": "no funds", "match": "whole"}]}, False),
        ({"rules": [{"code": "1", "source": "a"}], "references": {"a": "the docs"}}, True),
        ({"references": {"a": ""}}, False),
        ({"references": ["a"]}, False),
        ({"references": None, "scopes": None}, True),
        ({"codes": []}, False),
    ],
)
def test_code_tables(table: dict[str, Any], fine: bool) -> None:
    """The schema of code tables and their loader agree."""
    try:
        CodeRegistry.from_mapping("t", table)
        loads = True
    except PolicyError:
        loads = False
    assert (TABLES.is_valid(table), loads) == (fine, fine)


def test_the_reference_holds_the_tables_of_the_schema() -> None:
    """The reference page has the tables that `resilience schema --markdown` prints."""
    page = (REFERENCE / "policy-file.md").read_text("utf-8")
    assert key_tables(policy_schema()) in page
