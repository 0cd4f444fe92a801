"""What a line says of itself: its level, and the fields of a JSON line."""

from __future__ import annotations

import re
from typing import Any

import orjson

MAX_JSON = 32 * 1024
MAX_FIELDS = 64
MAX_DEPTH = 4
MAX_VALUE = 1024

_NAMES = {
    "trace": "trace",
    "finest": "trace",
    "finer": "trace",
    "verbose": "trace",
    "debug": "debug",
    "fine": "debug",
    "dbg": "debug",
    "d": "debug",
    "info": "info",
    "information": "info",
    "informational": "info",
    "notice": "info",
    "inf": "info",
    "i": "info",
    "log": "info",
    "warn": "warn",
    "warning": "warn",
    "wrn": "warn",
    "w": "warn",
    "error": "error",
    "err": "error",
    "severe": "error",
    "e": "error",
    "fatal": "fatal",
    "critical": "fatal",
    "crit": "fatal",
    "panic": "fatal",
    "alert": "fatal",
    "emerg": "fatal",
    "emergency": "fatal",
    "f": "fatal",
    "ftl": "fatal",
    "dpanic": "fatal",
}
_KEYS = ("level", "severity", "lvl", "levelname", "log.level", "loglevel", "@l", "severity_text", "Level", "LEVEL")
_KLOG = {"I": "info", "W": "warn", "E": "error", "F": "fatal"}
_KLOG_LINE = re.compile(r"([IWEF])\d{4} \d\d:\d\d:\d\d")
_REDIS = re.compile(r"\d+:[MSCX] \d\d \w{3} \d{4} [\d:.]+ ([.\-*#])")
_REDIS_MARKS = {".": "debug", "-": "info", "*": "info", "#": "warn"}
_SYSLOG = re.compile(r"<(\d{1,3})>")
_SYSLOG_LEVELS = ("fatal", "fatal", "fatal", "error", "warn", "info", "info", "debug")

_WORD = "TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERR(?:OR)?|CRIT(?:ICAL)?|FATAL|SEVERE|ALERT|EMERG|PANIC"
# In this order: a key that says so (logfmt); a word in brackets, in any case (nginx, Apache); a word in capitals
# (Python, log4j, …); a word before a colon at the start (compilers, Go).
_KEYED = r"(?:\blevel|\blvl|\bseverity|\bloglevel)[=:]\s*\"?(?P<keyed>[A-Za-z]+)"
_BRACKETED = rf"\[(?:\w+:)?(?P<bracketed>(?i:{_WORD}))\]"
_CAPITALS = rf"(?<![\w.-])(?P<capitals>{_WORD})(?![\w.=-])"
_START = rf"^(?P<start>(?i:{_WORD})):"
_TEXT = re.compile("|".join((_KEYED, _BRACKETED, _START, _CAPITALS)))
LOOK = 200  # characters in which a level is looked for
# Most lines without a level have none of these: looking for them one by one is far cheaper than the expression.
_STEMS = (
    "INF",
    "WARN",
    "ERR",
    "DEBUG",
    "TRACE",
    "NOTICE",
    "CRIT",
    "FATAL",
    "LEVEL",
    "LVL",
    "SEVER",
    "ALERT",
    "EMERG",
    "PANIC",
)


def inspect(text: str) -> tuple[str, bytes]:
    """Level ("" when the line does not tell) and the line's fields as an encoded JSON object (b"" when it is no JSON)."""
    first = text[:1]
    if first == "{" and text[-1:] == "}" and len(text) <= MAX_JSON:
        try:
            fields = orjson.loads(text)
        except orjson.JSONDecodeError:
            return of_text(text), b""
        small = len(fields) <= MAX_FIELDS and all(
            len(value) <= MAX_VALUE if type(value) is str else not isinstance(value, dict | list)
            for value in fields.values()
        )
        return of_fields(fields), orjson.dumps(fields if small else _bounded(fields, MAX_DEPTH, [MAX_FIELDS]))
    return of_text(text), b""


def of_text(text: str) -> str:
    """The level of a line of text."""
    first = text[:1]
    if first in "IWEF" and (klog := _KLOG_LINE.match(text)):
        return _KLOG[klog[1]]
    if first == "<" and (syslog := _SYSLOG.match(text)):
        return _SYSLOG_LEVELS[int(syslog[1]) & 7]
    upper = text[:LOOK].upper()
    for stem in _STEMS:
        if stem in upper:
            found = _TEXT.search(text, 0, LOOK)
            if found is not None:
                return _NAMES.get(found[found.lastgroup or 0].lower(), "")
            break
    if first.isdigit() and (redis := _REDIS.match(text)):
        return _REDIS_MARKS[redis[1]]
    return ""


def of_fields(fields: dict[str, Any]) -> str:
    """The level that a JSON line names: a word, or the number of pino, bunyan (10 to 60) or syslog (0 to 7)."""
    for key in _KEYS:
        value = fields.get(key)
        if isinstance(value, str):
            return _NAMES.get(value.strip().lower(), "")
        if isinstance(value, int) and 0 <= value <= 7:
            return _SYSLOG_LEVELS[value]
        if isinstance(value, int):
            tens = ("trace", "debug", "info", "warn", "error", "fatal")
            return tens[min(value // 10, 6) - 1] if 10 <= value < 100 else ""
    nested = fields.get("log")
    return of_fields({"level": nested.get("level")}) if isinstance(nested, dict) else ""


def _bounded(value: Any, depth: int, budget: list[int]) -> Any:
    """The same with at most `budget` values, `depth` levels, and 1024 characters a value."""
    if isinstance(value, dict) and depth:
        result = {}
        for key, inner in value.items():
            if budget[0] <= 0:
                break
            result[key[:256]] = _bounded(inner, depth - 1, budget)
        return result
    if isinstance(value, list) and depth:
        return [_bounded(inner, depth - 1, budget) for inner in value[: max(budget[0], 0)]]
    budget[0] -= 1
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()[:MAX_VALUE]
    return value[:MAX_VALUE] if isinstance(value, str) else value
