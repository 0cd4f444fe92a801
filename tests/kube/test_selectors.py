"""Label and field selectors."""

from __future__ import annotations

import pytest

from kube import selectors
from kube.errors import BadRequest

LABELS = {"app": "web", "tier": "front", "n": "50"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("app=web", True),
        ("app==web,tier!=back", True),
        ("app=other", False),
        ("app in (web, x)", True),
        ("app notin (web)", False),
        ("missing notin (a)", True),
        ("app", True),
        ("!app", False),
        ("!missing", True),
        ("n>9", True),
        ("n<9", False),
        ("app>9", False),
        ("missing=", False),
        ("app in (a,),tier", False),
    ],
)
def test_label_selectors(text: str, matches: bool) -> None:
    assert selectors.parse_labels(text).matches(LABELS) is matches


@pytest.mark.parametrize(
    "text", ["app in", "app in x", "=x", "a b", "app in (x", "app>x", "-a=b", "a,,b", "!", "a=b c", "a=" + "x" * 64]
)
def test_bad_label_selectors(text: str) -> None:
    with pytest.raises(BadRequest):
        selectors.parse_labels(text)


def test_selectors_of_objects() -> None:
    selector = {"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "old", "operator": "DoesNotExist"}]}
    assert selectors.from_object(selector).matches(LABELS)
    assert str(selectors.from_object(selector)) == "app=web,!old"
    assert not selectors.from_object(None).matches(LABELS) and selectors.from_object({}).matches(LABELS)
    assert not selectors.from_map({}).matches(LABELS) and selectors.from_map({"app": "web"}).matches(LABELS)


def test_field_selectors() -> None:
    assert selectors.parse_fields("metadata.name=a,status.phase!=Running") == [
        ("metadata.name", "a", True),
        ("status.phase", "Running", False),
    ]
    assert selectors.parse_fields("a=b\\,c") == [("a", "b,c", True)]
    with pytest.raises(BadRequest, match="can't understand"):
        selectors.parse_fields("metadata.name")


@pytest.mark.parametrize("operator", ["Gt", "Lt", "in", ""])
def test_label_selectors_compare_no_numbers(operator: str) -> None:
    with pytest.raises(ValueError, match="not a valid label selector operator"):
        selectors.from_object({"matchExpressions": [{"key": "a", "operator": operator, "values": ["1"]}]})
