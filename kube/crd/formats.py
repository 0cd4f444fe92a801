"""String formats that schemas of custom kinds may ask for. Unknown formats are not checked, as in Kubernetes."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from datetime import date, datetime
from urllib.parse import urlsplit

_HEX = "[0-9a-fA-F]"


def _uuid(third: str, fourth: str) -> re.Pattern[str]:
    return re.compile(rf"{_HEX}{{8}}-?{_HEX}{{4}}-?{third}-?{fourth}-?{_HEX}{{12}}")


_FOUR = f"{_HEX}{{4}}"
_LABEL = r"[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?"
_GO_SPAN = r"(\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)"
_WORDS = (
    "ns|nano|nanosecond|nanoseconds|us|µs|micro|microsecond|microseconds|ms|milli|millisecond|milliseconds|s|sec|second|"
    "seconds|m|min|minute|minutes|h|hr|hour|hours|d|day|days|w|wk|week|weeks"
)
_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_CARD = re.compile(
    "4[0-9]{12}([0-9]{3})?|5[1-5][0-9]{14}|6(011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|3(0[0-5]|[68][0-9])[0-9]{11}"
    r"|(2131|1800|35\d{3})\d{11}"
)
_PATTERNS = {
    "uuid": _uuid(_FOUR, _FOUR),
    "uuid3": _uuid(f"3{_HEX}{{3}}", _FOUR),
    "uuid4": _uuid(f"4{_HEX}{{3}}", f"[89abAB]{_HEX}{{3}}"),
    "uuid5": _uuid(f"5{_HEX}{{3}}", f"[89abAB]{_HEX}{{3}}"),
    "hostname": re.compile(rf"(?=.{{1,255}}\Z){_LABEL}(\.{_LABEL})*\.?"),
    "email": re.compile(r"([^<>]*<)?[^@\s<>]+@[^@\s<>]+>?"),
    "mac": re.compile(rf"{_HEX}{{2}}([:-]{_HEX}{{2}}){{5}}(([:-]{_HEX}{{2}}){{2}})?|{_FOUR}\.{_FOUR}\.{_FOUR}"),
    "bsonobjectid": re.compile(f"{_HEX}{{24}}"),
    "hexcolor": re.compile(f"#?({_HEX}{{3}}|{_HEX}{{6}})"),
    "rgbcolor": re.compile(rf"rgb\(\s*{_OCTET}\s*,\s*{_OCTET}\s*,\s*{_OCTET}\s*\)"),
    "ssn": re.compile(r"\d{3}[- ]?\d{2}[- ]?\d{4}"),
    "duration": re.compile(rf"[-+]?({_GO_SPAN})+|[-+]?0|\d+\s*({_WORDS})"),
    "k8sshortname": re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"),
    "k8slongname": re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"),
}
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:?\d\d)")


def _date_time(value: str) -> bool:
    datetime.fromisoformat(value.upper())
    return bool(_TIME.fullmatch(value))


def _date(value: str) -> bool:
    date.fromisoformat(value)
    return len(value) == 10


def _uri(value: str) -> bool:
    parts = urlsplit(value)
    return bool(parts.scheme or value.startswith("/"))


def _base64(value: str) -> bool:
    base64.b64decode(value, validate=True)
    return True


def _credit_card(value: str) -> bool:
    return _CARD.fullmatch(re.sub(r"\D+", "", value)) is not None


def _isbn10(value: str) -> bool:
    digits = re.sub(r"[\s-]", "", value)
    if not re.fullmatch(r"\d{9}[\dX]", digits):
        return False
    return sum((i + 1) * (10 if d == "X" else int(d)) for i, d in enumerate(digits)) % 11 == 0


def _isbn13(value: str) -> bool:
    digits = re.sub(r"[\s-]", "", value)
    return bool(re.fullmatch(r"\d{13}", digits)) and sum(int(d) * (1, 3)[i % 2] for i, d in enumerate(digits)) % 10 == 0


_CHECKS: dict[str, Callable[[str], object]] = {
    "datetime": _date_time,
    "date": _date,
    "uri": _uri,
    "byte": _base64,
    "ipv4": ipaddress.IPv4Address,
    "ipv6": ipaddress.IPv6Address,
    "cidr": lambda value: "/" in value and ipaddress.ip_network(value, strict=False),
    "creditcard": _credit_card,
    "isbn10": _isbn10,
    "isbn13": _isbn13,
    "isbn": lambda value: _isbn10(value) or _isbn13(value),
    "password": lambda value: True,
}


def is_known(name: str) -> bool:
    """Whether strings are checked for a format; dashes in its name do not count."""
    plain = name.replace("-", "")
    return plain in _PATTERNS or plain in _CHECKS


def fits(value: str, name: str) -> bool:
    """Whether a string has a format."""
    name = name.replace("-", "")
    if name in _PATTERNS:
        return _PATTERNS[name].fullmatch(value) is not None
    check = _CHECKS.get(name)
    try:
        return check is None or bool(check(value))
    except (ValueError, binascii.Error):
        return False
