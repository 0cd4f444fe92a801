"""String formats that schemas of custom kinds may ask for. Unknown formats are not checked, as in Kubernetes."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from datetime import date, datetime
from urllib.parse import urlsplit

_UUID = re.compile(r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}")
_LABEL = r"[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?"
_SPAN = r"(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h|d|w)"
_PATTERNS = {
    "uuid": _UUID,
    "hostname": re.compile(rf"{_LABEL}(\.{_LABEL})*\.?"),
    "email": re.compile(r"[^@\s<>]+@[^@\s<>]+"),
    "mac": re.compile(r"([0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}"),
    "bsonobjectid": re.compile(r"[0-9a-fA-F]{24}"),
    "hexcolor": re.compile(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})"),
    "duration": re.compile(rf"[-+]?{_SPAN}(\s*{_SPAN})*|0"),
    "k8s-short-name": re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"),
    "k8s-long-name": re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"),
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


_CHECKS: dict[str, Callable[[str], object]] = {
    "date-time": _date_time,
    "datetime": _date_time,
    "date": _date,
    "uri": _uri,
    "byte": _base64,
    "ipv4": ipaddress.IPv4Address,
    "ipv6": ipaddress.IPv6Address,
    "cidr": lambda value: "/" in value and ipaddress.ip_network(value, strict=False),
}


def fits(value: str, name: str) -> bool:
    """Whether a string has a format."""
    if name in _PATTERNS:
        return _PATTERNS[name].fullmatch(value) is not None
    check = _CHECKS.get(name)
    try:
        return check is None or bool(check(value))
    except (ValueError, binascii.Error):
        return False
