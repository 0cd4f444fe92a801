"""Quantities: exact parsing and the canonical form that Kubernetes writes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube.quantity import NANO, Quantity, canonical, milli, of_units, parse, share, units


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1000m", "1"),
        ("1.5Gi", "1536Mi"),
        ("0.5", "500m"),
        ("1e3", "1e3"),
        ("1024", "1024"),
        ("1000", "1k"),
        ("0.1Gi", "107374182400m"),
        ("1024Ki", "1Mi"),
        (".5", "500m"),
        ("5.", "5"),
        ("-1", "-1"),
        (2, "2"),
        (0.5, "500m"),
    ],
)
def test_canonical_form(text, expected):
    assert canonical(text) == expected


@pytest.mark.parametrize("bad", ["", "1.2.3", "1Kb", "abc", "1 Gi", True, None, []])
def test_what_is_no_quantity_is_refused_with_its_text(bad):
    with pytest.raises(ValueError, match="is not a quantity"):
        parse(bad)


def test_milli_and_units_round_up():
    assert (milli("0.5"), milli("1u"), units("1m"), units("1Ki")) == (500, 1, 1, 1024)


def test_a_sum_keeps_the_notation_of_its_parts():
    assert str(parse("0") + parse("512Mi") + parse("512Mi")) == "1Gi"
    assert str(of_units(3) - of_units(1)) == "2"


@given(st.integers(-(10**18), 10**18), st.sampled_from(["DecimalSI", "BinarySI", "DecimalExponent"]))
def test_what_is_written_reads_back_as_the_same_amount(nano, notation):
    assert parse(str(Quantity(nano, notation))).nano == nano


@given(st.integers(0, 10**9))
def test_whole_numbers_survive(number):
    assert units(str(number)) == number and parse(str(number)).nano == number * NANO


@pytest.mark.parametrize(
    ("value", "of", "up", "down"),
    [
        (3, 10, 3, 3),
        (0, 10, 0, 0),
        (None, 10, 0, 0),
        ("0%", 10, 0, 0),
        ("25%", 10, 3, 2),
        ("29%", 100, 29, 29),
        ("100%", 7, 7, 7),
        ("150%", 3, 5, 4),
    ],
)
def test_a_share_of_a_number(value: int | str | None, of: int, up: int, down: int) -> None:
    assert (share(value, of), share(value, of, up=False)) == (up, down)
