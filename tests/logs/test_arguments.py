"""Sizes are read as the addon's options write them."""

from __future__ import annotations

import argparse

import pytest

from logs.arguments import positive, size


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("512Mi", 512 << 20),
        ("1.5Gi", 3 << 29),
        ("20G", 20 * 10**9),
        ("100k", 100_000),
        ("2e9", 2 * 10**9),
        ("3Ti", 3 << 40),
    ],
)
def test_sizes(text: str, count: int) -> None:
    assert size(text) == count


@pytest.mark.parametrize("text", ["", "Gi", "-1Gi", "1 Gi", "12kb", "1e", "ten"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no size"):
        size(text)


def test_positive_numbers() -> None:
    assert positive("14") == 14
    for text in ("0", "-3", "1.5", "²", ""):
        with pytest.raises(argparse.ArgumentTypeError):
            positive(text)
