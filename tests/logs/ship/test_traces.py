"""Lines that belong together."""

from __future__ import annotations

import pytest

from logs.ship import joining
from logs.ship.formats import Piece
from logs.ship.joining import Joiner, Place

JAVA = """ERROR request failed
java.lang.IllegalStateException: no
\tat com.example.Shop.buy(Shop.java:10)
\tat com.example.Main.main(Main.java:3)
Caused by: java.io.IOException: disk
\tat com.example.Disk.write(Disk.java:7)
\t... 2 more"""
PYTHON = """ERROR:root:it failed
Traceback (most recent call last):
  File "a.py", line 1, in f
    g()
ValueError: no

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "a.py", line 3, in f
KeyError: 'x'"""
GO = """panic: runtime error: index out of range [5] with length 3

goroutine 1 [running]:
main.f(...)
\t/src/main.go:8
main.main()
\t/src/main.go:12 +0x1d
exit status 2"""
NODE = """TypeError: Cannot read properties of undefined (reading 'x')
    at f (/src/a.js:1:15)
    at Object.<anonymous> (/src/a.js:5:1)"""


def joined(lines: list[str], seconds: float = 0.001) -> list[str]:
    joiner = Joiner()
    for number, line in enumerate(lines):
        at = int(number * seconds * 1e9)
        time = f"2026-11-21T06:{at // 60_000_000_000:02d}:{at // 1_000_000_000 % 60:02d}.{at % 1_000_000_000:09d}Z"
        joiner.feed(Piece(time, "stderr", False, line.encode()), Place(1, number), number + 1)
    joiner.expire(everything=True)
    return [record.text.decode() for record in joiner.out]


@pytest.mark.parametrize("trace", [JAVA, PYTHON, GO, NODE], ids=["java", "python", "go", "node"])
def test_a_trace_is_one_record(trace: str) -> None:
    lines = ["INFO before", *trace.split("\n"), "INFO after"]
    assert joined(lines) == ["INFO before", trace, "INFO after"]


def test_two_traces_are_two_records() -> None:
    assert joined([*NODE.split("\n"), *NODE.split("\n")]) == [NODE, NODE]


def test_lines_that_look_alike_stay_apart() -> None:
    lines = ["ERROR one", "ERROR two", "  indented by its program", "error: three", "INFO four"]
    assert joined(lines) == lines


def test_lines_far_apart_in_time_stay_apart() -> None:
    assert len(joined(NODE.split("\n"), seconds=2.0)) == 3


def test_a_record_is_bounded() -> None:
    found = joined(["Error: deep", *["    at f (a.js:1:1)"] * 2000])
    assert len(found) > 1 and max(len(record.split("\n")) for record in found) <= joining.MAX_LINES + 1


def test_a_long_line_is_bounded() -> None:
    joiner = Joiner()
    for number in range(200):
        joiner.feed(Piece("2026-11-21T06:19:10.000000000Z", "stdout", True, b"x" * 16384), Place(1, number), number + 1)
    assert joiner.out and max(len(record.text) for record in joiner.out) <= joining.MAX_RECORD
