"""The settings of an addon: their types, and what is said about an invalid value.

    options:
      ttl:
        default: "5"
        help: Seconds that clients may keep an answer.
        type: integer              # string when nothing is said
        min: 0
        max: 3600

| type | a value | more keys |
| --- | --- | --- |
| string | one line of text | `pattern`: a regular expression for the whole value, `pattern_help`: the same in words |
| integer, number | `5`, `0.25` | `min`, `max` |
| boolean | `true` or `false` | |
| choice | one of `choices`, a list or an object of value: meaning | `choices` |
| duration | `30s`, `5m`, `12h`, `30d` | `min`, `max`, in seconds |
| size | a quantity of bytes: `512Mi`, `10Gi` | `min`, `max`, in bytes |
| url | `http://…` or `https://…` | |
| json | any JSON | |
| addresses | a JSON list of servers, `["10.0.0.2", "10.0.0.3:5353"]` | |
| domains | a JSON object of a domain: a list of servers | |

`required_when: {option: value}` asks for a value that is not empty when other options have these values. A value may be
empty where the default is. The form of the admin page and the addon manager both check with `Option.check`.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

LONGEST = 16_384  # characters of a value
SHOWN = 80  # characters of a value that a message repeats
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DOMAIN = re.compile(r"(?=.{1,253}\.?$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.?)+", re.I)


class OptionError(ValueError):
    """An invalid value, or an invalid description of an option; the message names the option and the fix."""


class _Wrong(Exception):
    """(what is wrong with the value, what it should be); `Option.check` makes a sentence of it."""


@dataclass(frozen=True, slots=True)
class Option:
    """One setting of an addon; see the module's table. Values are text, as in the data of a ConfigMap."""

    name: str
    default: str
    help: str
    type: str = "string"
    choices: Mapping[str, str] = field(default_factory=dict)
    min: float | None = None
    max: float | None = None
    pattern: str = ""
    pattern_help: str = ""
    required_when: Mapping[str, str] = field(default_factory=dict)

    def check(self, text: str) -> str:
        """The value in its normal form. Raises OptionError."""
        try:
            if len(text) > LONGEST:
                raise _Wrong(f"has {len(text)} characters", f"at most {LONGEST}")
            if not text.strip() and not self.default:
                return ""
            return TYPES[self.type](self, text.strip())
        except _Wrong as wrong:
            what, fix = wrong.args
            raise OptionError(
                f"{self.name}: {shown(text)} {what}; it has to be {fix}. Without the key it is {shown(self.default)}."
            ) from None

    def range(self, unit: str = "") -> str:
        """The bounds in words: " from 0 to 3600", or nothing."""
        low, high = (None if bound is None else f"{_amount(bound)}{unit}" for bound in (self.min, self.max))
        if low and high:
            return f" from {low} to {high}"
        return f" of at least {low}" if low else f" of at most {high}" if high else ""


def _amount(bound: float) -> str:
    """A bound in words: whole numbers without an exponent, round binary ones as 16Mi."""
    for unit, size in (("Gi", 1 << 30), ("Mi", 1 << 20)):
        if bound >= size and bound % size == 0:
            return f"{bound / size:g}{unit}"
    return str(int(bound)) if bound == int(bound) else f"{bound:g}"


def shown(text: str) -> str:
    """A value for a message: quoted, on one line, cut."""
    return json.dumps(text if len(text) <= SHOWN else text[:SHOWN] + "…", ensure_ascii=False)


def bounded(option: Option, value: float, fix: str) -> None:
    if (option.min is not None and value < option.min) or (option.max is not None and value > option.max):
        raise _Wrong("is out of range", fix)


def _string(option: Option, text: str) -> str:
    if not text.isprintable():
        raise _Wrong("has a line break or another control character", "one line of text")
    if option.pattern and not re.fullmatch(option.pattern, text):
        raise _Wrong("does not fit", option.pattern_help or f"as the pattern {option.pattern} says")
    return text


def _integer(option: Option, text: str) -> str:
    fix = f"a whole number{option.range()}"
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        raise _Wrong("is not a whole number", fix)
    bounded(option, int(text), fix)
    return str(int(text))


def _number(option: Option, text: str) -> str:
    fix = f"a number{option.range()}"
    try:
        value = float(text)
    except ValueError:
        raise _Wrong("is not a number", fix) from None
    if not math.isfinite(value):
        raise _Wrong("is not a number", fix)
    bounded(option, value, fix)
    return text


def _boolean(option: Option, text: str) -> str:
    if text.lower() not in ("true", "false"):
        raise _Wrong("is neither true nor false", "true or false")
    return text.lower()


def _choice(option: Option, text: str) -> str:
    if text not in option.choices:
        raise _Wrong("is not among the choices", f"one of {', '.join(option.choices)}")
    return text


def _duration(option: Option, text: str) -> str:
    fix = f"a number of seconds, minutes, hours or days, such as 30s, 5m, 12h or 30d{option.range(' s')}"
    if not re.fullmatch(r"[0-9]{1,9}[smhd]", text):
        raise _Wrong("is not a duration", fix)
    bounded(option, int(text[:-1]) * _UNITS[text[-1]], fix)
    return text


def _size(option: Option, text: str) -> str:
    from kube import quantity

    fix = f"an amount of bytes such as 512Mi or 10Gi{option.range()}"
    try:
        value = quantity.parse(text).nano / 1e9
    except ValueError:
        raise _Wrong("is not an amount", fix) from None
    bounded(option, value, fix)
    return text


def _url(option: Option, text: str) -> str:
    try:
        parts = urlsplit(_string(option, text))
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0 and " " not in text
    except ValueError:
        good = False
    if not good:
        raise _Wrong("is not an address of the web", "such as http://prometheus.example:9090")
    return text


def _decoded(text: str, fix: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _Wrong(f"is not JSON ({error})", fix) from None


def _addresses(option: Option, text: str) -> str:
    fix = 'a JSON list of servers such as ["10.0.0.2", "10.0.0.3:5353"]'
    return json.dumps(_servers(_decoded(text, fix), fix))


def _servers(found: Any, fix: str) -> list[str]:
    if not isinstance(found, list):
        raise _Wrong("is not a list", fix)
    for one in found:
        if not isinstance(one, str) or not _is_server(one):
            raise _Wrong(f"has {shown(json.dumps(one))} in it, which is no address of a server", fix)
    return found


def _is_server(text: str) -> bool:
    """An IP address, with a port or without: `10.0.0.2`, `10.0.0.2:53`, `2001:db8::1`, `[2001:db8::1]:53`."""
    if match := re.fullmatch(r"\[(.+)\](?::([0-9]{1,5}))?|([^:]+):([0-9]{1,5})", text):
        host, port = match[1] or match[3], match[2] or match[4] or "53"
    else:
        host, port = text, "53"
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return 0 < int(port) < 65_536


def _domains(option: Option, text: str) -> str:
    fix = 'a JSON object of domains and their servers such as {"corp.example": ["10.1.0.2"]}'
    found = _decoded(text, fix)
    if not isinstance(found, dict):
        raise _Wrong("is not an object", fix)
    for name, servers in found.items():
        if not _DOMAIN.fullmatch(name):
            raise _Wrong(f"has {shown(name)} in it, which is no domain", fix)
        _servers(servers, fix)
    return json.dumps(found)


TYPES: dict[str, Callable[[Option, str], str]] = {
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "choice": _choice,
    "duration": _duration,
    "size": _size,
    "url": _url,
    "json": lambda _, text: json.dumps(_decoded(text, "JSON"), ensure_ascii=False),
    "addresses": _addresses,
    "domains": _domains,
}


def check(options: Sequence[Option], data: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """(value of each option, what is wrong by key). A key that is absent, or wrong, has its default among the values."""
    known = {option.name: option for option in options}
    problems = {}
    for name in data:
        if name not in known:
            close = difflib.get_close_matches(name, list(known), 1)
            hint = f"did you mean {close[0]}?" if close else f"the options are {', '.join(known)}."
            problems[name] = f"{name[:SHOWN]}: there is no such option; {hint} Remove the key."
    values = {}
    for option in options:
        try:
            values[option.name] = option.check(data[option.name]) if option.name in data else option.default
        except OptionError as error:
            values[option.name], problems[option.name] = option.default, str(error)
    for option in options:
        asked = option.required_when
        if asked and not values[option.name] and all(values.get(name) == value for name, value in asked.items()):
            because = " and ".join(f"{name} is {value}" for name, value in asked.items())
            problems.setdefault(
                option.name,
                f"{option.name}: is empty, but {because}; set {option.name}, or change {' or '.join(asked)}.",
            )
    return values, problems


def read(name: str, entry: Any) -> Option:
    """The option that an addon.yaml describes. Raises OptionError."""
    if not isinstance(entry, dict) or "default" not in entry or not entry.get("help"):
        raise OptionError(f"{name}: needs default and help")
    more = {key: entry[key] for key in ("min", "max", "pattern", "pattern_help", "required_when") if key in entry}
    if more.get("required_when"):
        more["required_when"] = {other: text_of(value) for other, value in more["required_when"].items()}
    choices = entry.get("choices") or {}
    if not isinstance(choices, dict):
        choices = dict.fromkeys(choices, "")
    kind = entry.get("type") or ("choice" if choices else "string")
    if kind not in TYPES:
        raise OptionError(f"{name}: type is {kind!r}; it may be one of {', '.join(TYPES)}")
    found = Option(
        name,
        text_of(entry["default"]),
        str(entry["help"]).strip(),
        str(kind),
        {text_of(value): str(label) for value, label in choices.items()},
        **more,
    )
    unknown = set(entry) - {"default", "help", "type", "choices", *more}
    if unknown:
        raise OptionError(f"{name}: there is no key {sorted(unknown)[0]!r} in the description of an option")
    found.check(found.default)
    return found


def text_of(value: Any) -> str:
    """A value of YAML as the text it has in a ConfigMap: true, not True."""
    if isinstance(value, str):
        return value
    return json.dumps(value)
