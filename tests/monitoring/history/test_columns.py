"""Packed columns give back what went in, whatever it is; and are small for what is measured."""

from __future__ import annotations

import zlib
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.history import columns

NUMBERS = st.integers(-1, 2**60)


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=150))
def test_what_is_packed_comes_out_again(rows: list[tuple[int, int, int]]) -> None:
    times, first, second = (array("q", column) for column in zip(*rows, strict=True))
    assert columns.unpack(columns.pack(times, {0: first, 5: second})) == (times, {0: first, 5: second})


def test_half_an_hour_of_a_pod_takes_little() -> None:
    times = array("q", (1_795_000_000_000 + i * 15_000 + i * 7919 % 37 for i in range(120)))
    cpu = array("q", (5_000_000 + i * 45_000 + i * 104_729 % 9_000 for i in range(120)))
    memory = array("q", (50_000_000 + (i // 11) * 4096 for i in range(120)))
    still = array("q", [3] * 120)
    packed = columns.pack(times, {0: cpu, 1: memory, 4: still, 5: still})
    assert len(packed) < 4 * 120 * 1.5, len(packed)


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"nothing",
        zlib.compress(b"\x05"),
        zlib.compress(b"\x01\x00\x01\x00q"),
        columns.pack(array("q", [1, 2]), {})[:-3],
    ],
)
def test_what_is_no_piece_is_refused(broken: bytes) -> None:
    with pytest.raises(ValueError, match="not a piece of history"):
        columns.unpack(broken)
