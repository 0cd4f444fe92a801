"""Which lines belong together: the stack traces of Java, Python, Go and Node."""

from __future__ import annotations

import re

# Only after such a line others may follow that belong to it; all other lines are sent without waiting for the next.
# Words one by one: nine searches of this kind take a tenth of one regular expression's time.
_WORDS = (
    b"rror",
    b"xception",
    b"ERROR",
    b"raceback",
    b"panic",
    b"goroutine ",
    b"hrowable",
    b"atal",
    b"FATAL",
    b"CRITICAL",
)
_KLOG = re.compile(rb"[EF]\d{4} ")

_FRAME = re.compile(rb"\s+at |\s*\.\.\. \d+ |Caused by: |\s*Suppressed: |\s+--- End of |\s+\[CIRCULAR")
# The name of what was thrown, on a line of its own after the program's message.
_THROWN = re.compile(rb"(?:[\w$]+\.)+[\w$]*(?:Exception|Error|Throwable)(?::|$)|[A-Z]\w*(?:Error|Exception): ")
_GO = re.compile(
    rb"$|\t|goroutine \d+ \[|created by |\[signal |exit status \d|\.\.\.additional|[\w./*()\-{}\[\]]+\(.*\)$"
)
_GO_BEGINS = re.compile(rb"panic: |fatal error: |goroutine \d+ \[|\s+panic: ")
_CHAIN = re.compile(rb"$|During handling of the above exception|The above exception was the direct cause")
_TRACEBACK = b"Traceback (most recent call last)"


def may_begin(line: bytes) -> bool:
    """Whether lines may follow that belong to this one."""
    for word in _WORDS:
        if word in line:
            return True
    return line[:1] in (b"E", b"F") and _KLOG.match(line) is not None


def none_begins(lines: bytes) -> bool:
    """Whether `may_begin` is false for each of these lines, for the price of one."""
    return not any(word in lines for word in _WORDS) and _KLOG.search(lines) is None


class Trace:
    """What is known of the lines that are joined so far: the first makes it, `takes` tells of each next one."""

    __slots__ = ("_state",)

    def __init__(self, first: bytes) -> None:
        self._state = "head"
        if _GO_BEGINS.match(first):
            self._state = "go"
        elif first.lstrip().startswith(_TRACEBACK):
            self._state = "python"

    def takes(self, line: bytes) -> bool:
        """Whether the line belongs to it too."""
        if line.lstrip().startswith(_TRACEBACK):
            return self._go_on("python", self._state in ("head", "python-end"))
        if self._state == "python":
            # Indented frames, and then the one line that names the exception.
            return self._go_on("python" if line[:1] in (b" ", b"\t", b"") else "python-end", True)
        if self._state == "python-end":
            return _CHAIN.match(line) is not None
        if self._state == "go":
            return _GO.match(line) is not None
        if _FRAME.match(line):
            return self._go_on("frames", True)
        return self._state == "head" and self._go_on("thrown", _THROWN.match(line) is not None)

    def _go_on(self, state: str, yes: bool) -> bool:
        if yes:
            self._state = state
        return yes
