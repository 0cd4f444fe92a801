"""Regular expressions as Go programs write them: RE2's syntax, matched in linear time whatever the text.

`google-re2` is loaded when the first expression is there.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

# What RE2 takes and Go does not: a single byte, and two groups of one name.
_TOKEN = re.compile(r"\\Q.*?(?:\\E|\Z)|\\(?P<escaped>.)|\(\?P?<(?P<name>\w+)>", re.DOTALL)


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> Any:
    """The expression, with `search` and `finditer` as in Python's `re`. Raises ValueError, in the words of Go."""
    import re2

    options = re2.Options()
    options.log_errors = False
    seen: set[str] = set()
    for token in _TOKEN.finditer(pattern):
        if token["escaped"] == "C":
            raise ValueError("error parsing regexp: invalid escape sequence: `\\C`")
        if token["name"] in seen:
            raise ValueError(f"error parsing regexp: duplicate capture group name: `{token['name']}`")
        seen |= {token["name"]} - {None}
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        what, _, part = text.partition(": ")
        raise ValueError(f"error parsing regexp: {what}: `{part}`") from None


def found(pattern: str, text: str) -> bool:
    """Whether an expression matches anywhere in a text. One that is none matches everything: it was never stored."""
    try:
        return compiled(pattern).search(text) is not None
    except ValueError:
        return True
