"""YAML from anybody: what Go's decoder makes of it, and bounds on depth, aliases and size."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube.yamltext import MAX_DEPTH, MAX_NODES, YamlError, parse, write

CASES: list[tuple[str, Any]] = [
    ("08", 8), ("010", 8), ("0o14", 12), ("0x1F", 31), ("0b11", 3), ("-0b11", -3), ("1_000", 1000), ("+1", 1),
    ("1e3", 1000), ("1.5", 1.5), (".5", 0.5), ("1.", 1), ("99999999999999999999", 1e20),
    ("18446744073709551615", 2**64 - 1), ("-9223372036854775808", -(2**63)), ("-9223372036854775809", -(2.0**63)),
    ("1:30", "1:30"), ("2020-01-01", "2020-01-01"), ("2020-13-45T99:00:00Z", "2020-13-45T99:00:00Z"), ("12e", "12e"),
    ("0x", "0x"), (".", "."), ("++1", "++1"), ("y", True), ("Off", False), ("~", None), ("", None), ("null", None),
    ("'1'", "1"), ('"y"', "y"), ("!!str 1", "1"), ("!!int 3", 3), ("!!binary aGk=", "hi"), ("!mine 3", "3"),
    ("<<", "<<"), ("a: <<", {"a": "<<"}), ("1: x", {"1": "x"}), ("y: x", {"true": "x"}), ("a: 1\n---\nb: 2", {"a": 1}),
    ("a: &x {b: 1}\nc: *x", {"a": {"b": 1}, "c": {"b": 1}}),
    ("a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}", {"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 3}}),
    ("d: {c: 3, <<: [{c: 1, e: 1}, {e: 2, f: 2}]}", {"d": {"c": 3, "e": 1, "f": 2}}),
    ('{"a": [1, "x", null, true]}', {"a": [1, "x", None, True]}), ("a: |\n  b\n  c\n", {"a": "b\nc\n"}),
]  # fmt: skip
WRONG = [
    ("a: [", "yaml: line 1: did not find expected node content"),
    ("a: *x", "yaml: line 1: unknown anchor 'x' referenced"),
    ("a: &x [*x]", "yaml: line 1: anchor 'x' value contains itself"),
    ("a: 1\n<<: 3", "yaml: line 2: map merge requires map or sequence of maps as the value"),
    ("{[a]: b}", "yaml: line 1: invalid map key: ['a']"),
    ("a: .inf", "yaml: line 1: json: unsupported value: +Inf"),
    ("a: 1e999", "yaml: line 1: json: unsupported value: +Inf"),
    ("!!binary a", "yaml: line 1: !!binary value contains invalid base64 data"),
]
LINES = "\n".join(f"k{i}: v" for i in range(2000))
BOMBS = {
    "sequences in sequences": "[" * 50_000,
    "mappings in mappings": "{a: " * 50_000,
    "blocks in blocks": "- " * 50_000,
    "keys of keys": "? " * 50_000,
    "a billion laughs": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "\n".join(f"{chr(n + 1)}: &{chr(n + 1)} [{','.join([f'*{chr(n)}'] * 9)}]" for n in range(97, 106)),
    "one long text, many times": f"a: &a {'x' * 20_000}\nb: [{'*a,' * 20_000}]",
    "many merges": f"base: &b {{{LINES.replace(chr(10), ', ')}}}\n"
    + "\n".join(f"x{i}: {{<<: *b}}" for i in range(1500)),
    "many values": "[" + "a," * MAX_NODES + "a]",
}


@pytest.mark.parametrize(("text", "wanted"), CASES)
def test_what_is_read(text: str, wanted: Any) -> None:
    found = parse(text.encode())
    assert found == wanted and type(found) is type(wanted)


@pytest.mark.parametrize(("text", "problem"), WRONG)
def test_what_is_refused(text: str, problem: str) -> None:
    with pytest.raises(YamlError) as error:
        parse(text.encode())
    assert str(error.value) == problem


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_what_would_take_the_process_is_refused(text: str) -> None:
    with pytest.raises(YamlError, match=r"max depth|excessive aliasing|send it as JSON"):
        parse(text.encode())


def test_bounds_are_where_they_are_said_to_be() -> None:
    found = parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    for _ in range(MAX_DEPTH - 1):
        [found] = found
    assert found == []
    assert len(parse(b"[" + b"a," * (MAX_NODES - 1) + b"]")) == MAX_NODES - 1


def test_an_alias_is_a_copy() -> None:
    found = parse(b"a: &x {b: [1]}\nc: *x")
    found["a"]["b"].append(2)
    assert found["c"] == {"b": [1]}


JSONLIKE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs"))),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcyn1 :-", min_size=1), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(JSONLIKE)
def test_what_was_written_is_read(value: Any) -> None:
    def same(found: Any, wanted: Any) -> bool:
        if isinstance(wanted, dict):
            return found.keys() == wanted.keys() and all(same(found[key], wanted[key]) for key in wanted)
        if isinstance(wanted, list):
            return len(found) == len(wanted) and all(map(same, found, wanted))
        return bool(found == wanted and isinstance(found, str) == isinstance(wanted, str))

    assert same(parse(write(value)), value)


@given(st.binary(max_size=200) | st.text("{}[]:,-?&*!|>'\"%@`#\n \tabx<~.0123456789", max_size=200).map(str.encode))
def test_no_garbage_does_more_than_be_refused(raw: bytes) -> None:
    try:
        parse(raw)
    except YamlError:
        return
