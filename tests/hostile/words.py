"""Odd values, and ways to bend good ones. All chance comes from the Random handed in: a seed gives a run again."""

from __future__ import annotations

import copy
from collections.abc import Callable
from random import Random
from typing import Any

NUMBERS: tuple[Any, ...] = (
    0, -1, 1, 65535, 65536, 2**31 - 1, 2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1,
    2**64 - 1,
    2**64, 10**30, 10**400, 0.5, -0.0, 1e-300, 1e300, 1.5e9, 100000.0,
)  # fmt: skip
TEXTS = (
    "", " ", "a", "A", "-", ".", "..", "../../etc/passwd", "/", "//", "a/b", "a/b/c", "x" * 63, "x" * 64, "x" * 254,
    "x" * 70000,
    "null", "true", "0", "-1", "1e3", "0x10", "1Gi", "1.5Gi", "9999999999999999999Ei", "1m", "1e400", "-5%", "50%",
    "200%", "NaN",
    "a=b", "a in (b,c)", "!a", "a==b,c!=d", "(", ")", ",", "=", "metadata.name=x", "\x00", "\u0000\u0001", "é", "日本",
    "💥" * 9,
    "\ud7ff\ue000", "\u202e\u2066", "a\nb", "a\r\nSet-Cookie: x=y", "<script>alert(1)</script>",
    "'; DROP TABLE x; --", "${HOME}", "$(x)",
    "%s%n%d", "{{7*7}}", "2026-11-30T00:00:00Z", "2026-02-30T25:61:61Z", "0000-00-00T00:00:00Z",
    "9999-12-31T23:59:59.999999999Z",
    "2026-11-30", "12:30:45", "*/5 * * * *", "@every 1h", "60 24 32 13 8", "TZ=Mars/Olympus * * * * *", "127.0.0.1",
    "::1", "256.1.1.1",
    "0.0.0.0/0", "fe80::1%lo", "http://[::1", "https://127.0.0.1:1/", "ftp://x", "Exists", "In", "NotIn", "Equal",
    "Always", "Never",
    "example.com/x", "kubernetes.io/x", "a.b/c.d/e", "self", "object.x", "has(self.x) && self.x > 0", "self.all(x, x",
    "[[[[", "^(a+)+$",
    "YWJj", "=", "====", "!!!", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
)  # fmt: skip
BARE = ("~", "!!binary x", "!!timestamp 2026-13-45", "2026-13-45", "2026-1-1", "1:60", "0o9", "0b2", ".inf", "-.nan",
"1_000", "&a [*a]",
        "*a", "<<: {a: 1}", "? [a]\n: b", "!!python/object:x {}", "|2\n  x", "%TAG ! x", "--- \n...\n---", "\t- x",
        "'", '"\\x"', "@", "`")  # fmt: skip


def text(rng: Random) -> str:
    return rng.choice(TEXTS) if rng.random() < 0.8 else noise(rng, rng.randrange(40)).decode("latin-1")


def noise(rng: Random, size: int) -> bytes:
    return rng.randbytes(size)


def scalar(rng: Random) -> Any:
    kind = rng.random()
    if kind < 0.5:
        return text(rng)
    if kind < 0.8:
        return rng.choice(NUMBERS)
    return rng.choice((None, True, False))


def deep(rng: Random) -> Any:
    """A value inside as many lists or objects as a parser may not like."""
    levels = rng.choice((5, 60, 120, 249, 250, 254, 255, 256, 400))
    value = scalar(rng)
    for _ in range(levels):
        value = [value] if rng.random() < 0.5 else {"a": value}
    return value


def anything(rng: Random, depth: int = 3) -> Any:
    kind = rng.random()
    if kind < 0.55 or not depth:
        return scalar(rng)
    if kind < 0.75:
        return [anything(rng, depth - 1) for _ in range(rng.randrange(4))]
    if kind < 0.98:
        return {text(rng)[:300]: anything(rng, depth - 1) for _ in range(rng.randrange(4))}
    return deep(rng)


def bent(rng: Random, value: Any, times: int) -> Any:
    """A copy with so many places of it changed."""
    value = copy.deepcopy(value)
    for _ in range(times):
        places = list(_places(value))
        if not places:
            return anything(rng)
        holder, key = rng.choice(places)
        rng.choice(_CHANGES)(rng, holder, key)
    return value


def _places(value: Any) -> Any:
    """Every (holder, key) in a value."""
    waiting = [value]
    while waiting:
        holder = waiting.pop()
        keys = holder if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        for key in list(keys):
            yield holder, key
            waiting.append(holder[key])


def _replace(rng: Random, holder: Any, key: Any) -> None:
    holder[key] = anything(rng, 2)


def _remove(rng: Random, holder: Any, key: Any) -> None:
    del holder[key]


def _wrap(rng: Random, holder: Any, key: Any) -> None:
    holder[key] = [holder[key]] if rng.random() < 0.5 else {text(rng)[:100]: holder[key]}


def _empty(rng: Random, holder: Any, key: Any) -> None:
    holder[key] = rng.choice(({}, [], "", None, 0, [None], [{}], {"": None}))


def _again(rng: Random, holder: Any, key: Any) -> None:
    if isinstance(holder, list):
        holder.insert(key, copy.deepcopy(holder[key]))
    else:
        holder[text(rng)[:300]] = copy.deepcopy(holder[key])


def _number(rng: Random, holder: Any, key: Any) -> None:
    holder[key] = rng.choice(NUMBERS)


def _word(rng: Random, holder: Any, key: Any) -> None:
    old = holder[key]
    holder[key] = old + text(rng) if isinstance(old, str) and rng.random() < 0.3 else text(rng)


_CHANGES: tuple[Callable[[Random, Any, Any], None], ...] = (
    _replace,
    _remove,
    _wrap,
    _empty,
    _again,
    _number,
    _word,
    _word,
)


def spoilt(rng: Random, data: bytes) -> bytes:
    """Bytes with some changed, lost or doubled."""
    data = data or b"x"
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(5)
        if kind == 0:
            data = data[:at]
        elif kind == 1:
            data = data[:at] + noise(rng, rng.randrange(1, 9)) + data[at:]
        elif kind == 2:
            data = data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
        elif kind == 3:
            data = data[:at] + data[at // 2 :]
        else:
            data = data[:at] + rng.choice(BARE).encode() + data[at + rng.randrange(4) :]
    return data[: 1 << 20]
