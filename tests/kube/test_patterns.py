"""Regular expressions in the syntax of Go."""

from __future__ import annotations

import pytest

from kube import patterns


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        (r"^(?i)(abort|warn)?$", "WARN", "x"),
        (r"\d+", "1", "\u0663"),
        (r"^\pL+\z", "é", "1"),
        (r"\Qa.b\E", "a.b", "axb"),
        (r"^[[:alpha:]]+$", "abc", "1"),
        (r"^(?<n>a)$", "a", "b"),
        (r"^\s$", " ", "\u00a0"),
        (r"^([a-z0-9]+-?)+$", "a" * 40, "a" * 40 + "_"),
    ],
)
def test_they_match_as_in_go(pattern: str, matching: str, other: str) -> None:
    assert patterns.found(pattern, matching) and not patterns.found(pattern, other)


@pytest.mark.parametrize(
    "pattern",
    [
        *(r"(?=a)a", r"(?<!a)b", r"(a)\1", r"a\Z", "a{2,1}", "a{1001}", "a**", "(?>a)", "[z-a]", "\\", r"\u0041"),
        *(r"\C", "(?P<n>a)(?P<n>b)", "(?#c)a", "("),
    ],
)
def test_what_go_does_not_take(pattern: str) -> None:
    with pytest.raises(ValueError, match="error parsing regexp: "):
        patterns.compiled(pattern)
