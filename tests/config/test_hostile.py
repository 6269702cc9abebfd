"""Hostile files: each way to keep a loader busy forever is stopped by a limit, with a message.

Time is not measured here, since a slow machine is no mistake: what bounds it is counted.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resilience import PolicyError
from resilience.config.checks.lint import lint
from resilience.config.loading.mappings import as_node
from resilience.config.loading.mistakes import MAX_MISTAKES
from resilience.config.loading.nodes import MAX_DEPTH, MAX_LENGTH, MAX_NODES
from resilience.config.loading.policy_file import from_mapping, load


def joined(template: str, count: int, between: str = "") -> str:
    """Repeat a template with its number in it."""
    return between.join(template.format(n=number) for number in range(count))


_BOMB = "".join(f"{c}: &{c} [{','.join(['*' + p] * 9)}]\n" for p, c in zip("abcdef", "bcdefg", strict=True))
_CHAIN = "".join(f"  p{n}: {{extends: p{n + 1}}}\n" for n in range(900))
_RICH = joined("{{rate: 1/s, name: n{n}}}", 3000, ",")
_TWICE = "policies: {a: {deadline: &x 5s, attempt_timeout: &x 6s}, b: {deadline: *x, attempt_timeout: 7s}}"
_ENDLESS = "policies: {a: {deadline: .inf, attempt_timeout: 1e999, breaker: {failure_rate: .nan}}}"

FILES = {
    "ten megabytes": ("a: b\n" * 2_000_000, "larger than 1000000 bytes"),
    "values": ("a: [" + "x," * 40_000 + "]", f"more than {MAX_NODES} values"),
    "keys": (joined("k{n}: 1\n", 20_000), f"more than {MAX_NODES} values"),
    "an alias bomb": ("a: &a [x,x]\n" + _BOMB, "aliases expand"),
    "many aliases of one long value": (f"a: &a {'x' * 4000}\noperations: [" + "*a," * 40_000 + "]", "aliases expand"),
    "an alias of itself": ("a: &a [*a]", "no anchor &a before"),
    "lists in lists": ("[" * 500_000, "nest"),
    "mappings in mappings": ("{a: " * 100_000, f"nested more than {MAX_DEPTH} levels"),
    "blocks in blocks": ("\n".join(" " * depth + "a:" for depth in range(900)), f"nested more than {MAX_DEPTH} levels"),
    "keys of keys": ("? " * 400_000, f"nested more than {MAX_DEPTH} levels"),
    "a key that is a list": ("? [a]\n: b", "a key must be a string"),
    "a long number": ("version: " + "9" * 900_000, f"more than {MAX_LENGTH} characters"),
    "a long key": ("k" * 900_000 + ": 1", f"more than {MAX_LENGTH} characters"),
    "a number without end": ("policies: {a: {deadline: 1e9999, attempt_timeout: -1e9999}}", "expected a duration"),
    "infinity": (_ENDLESS, "got inf"),
    "a moment": ("policies: {a: {deadline: 2001-12-14t21:59:43.10-05:00}}", "expected a duration"),
    "a tag": ("a: !!python/object/apply:os.system [x]", "is not allowed; write plain values"),
    "a tag of numbers": ("policies: {a: {deadline: !!float 5}}", "is not allowed; write plain values"),
    "merge keys": ("policies: {a: {<<: {deadline: 5s}}}", "merge keys are not supported"),
    "one anchor twice": (_TWICE, "6s is longer than the deadline of 5s"),
    "policies": ("policies:\n" + joined("  p{n}: {{}}\n", 1_001), "the maximum per file is 1000"),
    "entries": ("operations:\n" + joined("  - {{match: a{n}}}\n", 1_001), "the maximum per file is 1000"),
    "a long chain": ("policies:\n" + _CHAIN, f"more than {MAX_DEPTH} policies"),
    "a rich parent": (
        "policies:\n  p: {quota: [" + _RICH + "]}\n" + joined("  q{n}: {{extends: p}}\n", 900),
        "the policies inherit more than",
    ),
    "many tables": ("codes: [" + joined("t{n}.yaml", 21, ",") + "]", "the maximum per file is 20"),
    "many mistakes": ("policies: {a: {" + joined("k{n}: 1", 5_000, ",") + "}}", f"more than {MAX_MISTAKES} mistakes"),
    "one mistake met without end": (
        "x: &b {deadline: soon}\npolicies:\n" + joined("  p{n}: *b\n", 900), "expected a duration"
    ),
    "names to compare": (
        "operations:\n" + joined("  - {{match: a{n}, policy: defalt{n}}}\n", 1_000),
        f"more than {MAX_MISTAKES} mistakes",
    ),
    "half of a pair": ("policies: {\"\\ud800\": {deadline: x}}", "not YAML"),
    "control characters": ("policies: {\"\\x1b[31m\\n\": {deadline: x}}", r"policies.\x1b[31m\n.deadline"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(FILES))
def test_a_hostile_file(name: str, tmp_path: Path) -> None:
    """It is rejected by a limit or an ordinary mistake that names the file; the number of problems is bounded."""
    text, message = FILES[name]
    for number in range(21):
        (tmp_path / f"t{number}.yaml").write_text('rules: [{code: "1"}]')
    path = tmp_path / "p.yaml"
    path.write_text(text)
    with pytest.raises(PolicyError) as caught:
        load(path)
    assert message in str(caught.value)
    assert len(caught.value.problems) <= MAX_MISTAKES + 1
    assert all(one.file.startswith(str(tmp_path)) for one in caught.value.problems)
    assert max(map(len, str(caught.value).splitlines())) < 3_000
    assert str(caught.value).replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"version: 1\npolicies: {a: \0}\n", "2:15: not YAML"),
        (b"\0" * 1000, "not YAML"),
        (b"version: 1\n\xff\n", "2:1: not UTF-8"),
        ("version: 1".encode("utf-16"), "not UTF-8"),
        ("version: 1".encode("utf-32"), "not"),
        (b"\x7fELF\x02\x01\x01", "not YAML"),
    ],
)
def test_invalid_bytes(raw: bytes, message: str, tmp_path: Path) -> None:
    """They are reported with line and column."""
    path = tmp_path / "p.yaml"
    path.write_bytes(raw)
    with pytest.raises(PolicyError, match=r"p\.yaml") as caught:
        load(path)
    assert message in str(caught.value)


@pytest.mark.slow
def test_hostile_mappings() -> None:
    """A mapping that contains itself, a huge one and an unprintable number are rejected."""
    twice: object = 1
    for _ in range(35):
        twice = {"a": twice, "b": twice}
    for value in (twice, {str(n): 1 for n in range(MAX_NODES)}, {"version": 10**6000}, {"version": "1" * 5000}):
        with pytest.raises(PolicyError):
            from_mapping(value)  # type: ignore[arg-type]
    assert as_node({"a": [1, None, "x"]}).plain == {"a": [1, None, "x"]}


@pytest.mark.slow
def test_hostile_globs(tmp_path: Path) -> None:
    """Hundreds of entries are compared soon, whatever their wildcards, and one that never applies is found."""
    path = tmp_path / "p.yaml"
    path.write_text("operations:\n" + joined("  - {{match: '*a?*a?*a?*{n}*', key: k{n}}}\n", 900))
    assert lint(path) == []
    path.write_text("operations:\n" + joined("  - {{match: a{n}, key: k{n}}}\n", 900) + "  - {match: a7, key: k}\n")
    (problem,) = lint(path)
    assert problem.path == "operations[900].match"
    path.write_text("operations:\n" + joined(f"  - {{{{match: '{'*a' * 200}*{{n}}', key: k{{n}}}}}}\n", 900))
    assert lint(path) == []


JUNK = st.lists(
    st.sampled_from(
        ["policies:", "operations:", "version: 1", "\n", "  ", "- ", "{", "}", "[", "]", ": ", ", ", "a", "&x ",
         "*x", "!!set ", "extends", "deadline", "5s", "off", "${A:-1}", "$$", "match", "*", "?", "[!a", "|", ">",
         "%YAML 1.2\n", "---\n", "'", '"', "\t", "# ", "<<", "1e9999", "quota", "lanes", "default", "bitget",
         "\u2028", "\ufeff", "\x85"]
    ),
    max_size=40,
).map("".join)  # fmt: skip


@given(JUNK | st.binary(max_size=100))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
def test_any_content(tmp_path: Path, text: str | bytes) -> None:
    """Checking any content returns problems that name the file, or none, and raises nothing."""
    path = tmp_path / "p.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert all(one.file == str(path) for one in lint(path))
