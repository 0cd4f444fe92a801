"""The functions that Kubernetes adds to the language: for lists, addresses, URLs, quantities, versions, formats, rights.

`TABLE` declares them: name, parameter types, result type, implementation. A name that begins with `.` is that of a
method; its first parameter is what it is called on. Implementations get plain values; values of Kubernetes's own types
are messages with a `text` (see `messages`). They raise ValueError.
"""

from __future__ import annotations

import base64
import contextvars
import ipaddress
import json
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime
from itertools import pairwise
from typing import Any
from urllib.parse import unquote, urlsplit

from kube import patterns, quantity, validation
from kube.cel.messages import given, value

Q, URL, SEMVER, FORMAT, IP, CIDR = (
    "kubernetes.Quantity",
    "kubernetes.URL",
    "kubernetes.Semver",
    "kubernetes.NamedFormat",
    "net.IP",
    "net.CIDR",
)
AUTHORIZER, PATH, GROUP, RESOURCE, DECISION = (
    f"kubernetes.authorization.{name}"
    for name in ("Authorizer", "PathCheck", "GroupCheck", "ResourceCheck", "Decision")
)
ORDERED = (
    *("int", "uint", "double", "bool", "string", "bytes"),
    *("google.protobuf.Duration", "google.protobuf.Timestamp"),
)
OPTIONAL = "optional_type<"

Declaration = tuple[str, tuple[str, ...], str, Callable[..., Any]]
# Who answers `authorizer…check()`: a function of the question and the verb, while an expression runs.
authorize: contextvars.ContextVar[Callable[[dict[str, Any], str], dict[str, Any]]] = contextvars.ContextVar("authorize")


def _fits(parse: Callable[..., Any]) -> Callable[..., bool]:
    def fits(*given: Any) -> bool:
        try:
            parse(*given)
        except ValueError:
            return False
        return True

    return fits


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    found: list[str] = []
    for match in patterns.compiled(pattern).finditer(text):
        if len(found) == limit:
            break
        found.append(match[0])
    return found


def _find(text: str, pattern: str) -> str:
    match = patterns.compiled(pattern).search(text)
    return match[0] if match else ""


def _index(items: list[Any], wanted: Any) -> int:
    return next((i for i, item in enumerate(items) if _same(item, wanted)), -1)


def _last_index(items: list[Any], wanted: Any) -> int:
    found = _index(items[::-1], wanted)
    return found if found < 0 else len(items) - 1 - found


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _extreme(choose: Callable[..., Any]) -> Callable[[list[Any]], Any]:
    def of(items: list[Any]) -> Any:
        if not items:
            raise ValueError(f"{choose.__name__} called on empty list")
        return given(choose(items))

    return of


def _sum(items: list[Any]) -> Any:
    if not items:
        return 0
    total = items[0]
    for item in items[1:]:
        total += item
    if isinstance(total, int) and not -(2**63) <= total < 2**63:
        raise ValueError("integer overflow")
    return given(total)


def _lists() -> Iterator[Declaration]:
    for kind in ORDERED:
        of = f"list<{kind}>"
        yield (
            ".isSorted",
            (of,),
            "bool",
            lambda items: all(left <= right for left, right in pairwise(items)),
        )
        yield ".min", (of,), kind, _extreme(min)
        yield ".max", (of,), kind, _extreme(max)
    for kind in ("int", "uint", "double", "google.protobuf.Duration"):
        yield ".sum", (f"list<{kind}>",), kind, _sum
    yield ".indexOf", ("list<dyn>", "dyn"), "int", _index
    yield ".lastIndexOf", ("list<dyn>", "dyn"), "int", _last_index


def same_items(one: list[Any], other: list[Any]) -> bool:
    """Equality of lists of type set or map, whose order says nothing."""
    return len(one) == len(other) and all(any(_same(item, wanted) for item in one) for wanted in other)


def merged(one: list[Any], other: list[Any], keys: list[str]) -> list[Any]:
    """The sum of two lists of type set, or of type map by its keys: items of the second replace, or follow."""

    def key(item: Any) -> Any:
        return [item.get(name) for name in keys] if keys else item

    known = [key(item) for item in one]
    found = list(one)
    for item in other:
        at = _index(known, key(item))
        if at < 0:
            found.append(item)
            known.append(key(item))
        else:
            found[at] = item
    return [given(item) for item in found]


def _quantity(text: str) -> Any:
    return value(Q, str(quantity.parse(text).nano))


def _nano(given: Any) -> int:
    return int(given.text) if hasattr(given, "text") else int(given) * quantity.NANO


def _integer(given: Any) -> int:
    whole, rest = divmod(_nano(given), quantity.NANO)
    if rest or not -(2**63) <= whole < 2**63:
        raise ValueError("cannot convert value to integer")
    return whole


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


_QUANTITIES: tuple[Declaration, ...] = (
    ("quantity", ("string",), Q, _quantity),
    ("isQuantity", ("string",), "bool", _fits(quantity.parse)),
    ("sign", (Q,), "int", lambda q: _sign(_nano(q))),
    (".add", (Q, Q), Q, lambda q, other: value(Q, str(_nano(q) + _nano(other)))),
    (".add", (Q, "int"), Q, lambda q, other: value(Q, str(_nano(q) + _nano(other)))),
    (".sub", (Q, Q), Q, lambda q, other: value(Q, str(_nano(q) - _nano(other)))),
    (".sub", (Q, "int"), Q, lambda q, other: value(Q, str(_nano(q) - _nano(other)))),
    (".isLessThan", (Q, Q), "bool", lambda q, other: _nano(q) < _nano(other)),
    (".isGreaterThan", (Q, Q), "bool", lambda q, other: _nano(q) > _nano(other)),
    (".compareTo", (Q, Q), "int", lambda q, other: _sign(_nano(q) - _nano(other))),
    (".asApproximateFloat", (Q,), "double", lambda q: _nano(q) / quantity.NANO),
    (".asInteger", (Q,), "int", _integer),
    (".isInteger", (Q,), "bool", _fits(_integer)),
)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _address(text: str) -> Address:
    if "%" in text:
        raise ValueError(f"IP Address {text!r} with zone value is not allowed")
    found = ipaddress.ip_address(text)
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        raise ValueError(f"IPv4-mapped IPv6 address {text!r} is not allowed")
    return found


def _network(text: str) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface:
    address, slash, length = text.partition("/")
    if not slash or not re.fullmatch("0|[1-9][0-9]{0,2}", length):
        raise ValueError(f"network address parse error: {text!r}")
    _address(address)
    return ipaddress.ip_interface(text)


def _has(test: Callable[[Address], bool]) -> Callable[[Any], bool]:
    return lambda ip: test(ipaddress.ip_address(ip.text))


def _is_global(ip: Address) -> bool:
    broadcast = ip == ipaddress.IPv4Address("255.255.255.255")
    return not (ip.is_unspecified or ip.is_loopback or ip.is_multicast or ip.is_link_local or broadcast)


def _is_link_local_multicast(ip: Address) -> bool:
    if isinstance(ip, ipaddress.IPv4Address):
        return ip in ipaddress.IPv4Network("224.0.0.0/24")
    return ip.packed[0] == 0xFF and ip.packed[1] & 0x0F == 2


def _contains_ip(cidr: Any, ip: Any) -> bool:
    network = ipaddress.ip_interface(cidr.text).network
    return _address(ip if isinstance(ip, str) else ip.text) in network


def _contains_cidr(cidr: Any, other: Any) -> bool:
    outer = ipaddress.ip_interface(cidr.text).network
    inner = _network(other if isinstance(other, str) else other.text)
    return inner.version == outer.version and inner.network.prefixlen >= outer.prefixlen and inner.ip in outer


def _length(cidr: Any) -> int:
    return ipaddress.ip_interface(cidr.text).network.prefixlen


_ADDRESSES: tuple[Declaration, ...] = (
    ("ip", ("string",), IP, lambda text: value(IP, str(_address(text)))),
    ("isIP", ("string",), "bool", _fits(_address)),
    ("ip.isCanonical", ("string",), "bool", lambda text: str(_address(text)) == text),
    (".family", (IP,), "int", lambda ip: ipaddress.ip_address(ip.text).version),
    (".isUnspecified", (IP,), "bool", _has(lambda ip: ip.is_unspecified)),
    (".isLoopback", (IP,), "bool", _has(lambda ip: ip.is_loopback)),
    (".isLinkLocalMulticast", (IP,), "bool", _has(_is_link_local_multicast)),
    (".isLinkLocalUnicast", (IP,), "bool", _has(lambda ip: ip.is_link_local)),
    (".isGlobalUnicast", (IP,), "bool", _has(_is_global)),
    ("string", (IP,), "string", lambda ip: ip.text),
    ("cidr", ("string",), CIDR, lambda text: value(CIDR, str(_network(text)))),
    ("isCIDR", ("string",), "bool", _fits(_network)),
    (".containsIP", (CIDR, "string"), "bool", _contains_ip),
    (".containsIP", (CIDR, IP), "bool", _contains_ip),
    (".containsCIDR", (CIDR, "string"), "bool", _contains_cidr),
    (".containsCIDR", (CIDR, CIDR), "bool", _contains_cidr),
    (".ip", (CIDR,), IP, lambda cidr: value(IP, cidr.text.partition("/")[0])),
    (".masked", (CIDR,), CIDR, lambda cidr: value(CIDR, str(ipaddress.ip_interface(cidr.text).network))),
    (".prefixLength", (CIDR,), "int", _length),
    ("string", (CIDR,), "string", lambda cidr: cidr.text),
)


def _url(text: str) -> Any:
    """As Go reads the URL of a request: absolute, or a path."""
    parts = urlsplit(text)
    sound = (parts.scheme and (parts.netloc or parts.path.startswith("/") or ":" in text)) or text.startswith("/")
    if not sound or re.search(r"[\x00-\x20\x7f]", text) or re.search(r"%(?![0-9a-fA-F]{2})", text):
        raise ValueError(f"URL parse error during conversion from string: {text!r}")
    _ = parts.port
    return value(URL, text)


def _query(url: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for part in urlsplit(url.text).query.split("&"):
        if part:
            key, _, item = part.replace("+", " ").partition("=")
            found.setdefault(unquote(key), []).append(unquote(item))
    return found


def _host(url: Any) -> str:
    return str(urlsplit(url.text).netloc).rpartition("@")[2]


def _hostname(url: Any) -> str:
    return re.sub(r":\d*$", "", _host(url)).strip("[]")


_URLS: tuple[Declaration, ...] = (
    ("url", ("string",), URL, _url),
    ("isURL", ("string",), "bool", _fits(_url)),
    (".getScheme", (URL,), "string", lambda url: urlsplit(url.text).scheme),
    (".getHost", (URL,), "string", _host),
    (".getHostname", (URL,), "string", _hostname),
    (".getPort", (URL,), "string", lambda url: str(urlsplit(url.text).port or "")),
    (".getEscapedPath", (URL,), "string", lambda url: urlsplit(url.text).path),
    (".getQuery", (URL,), "map<string, list<string>>", _query),
)

_SEMVER = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?"
    r"(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?",
    re.ASCII,
)


def _semver(text: str, normalize: bool = False) -> Any:
    if normalize:
        # `v1.2` is 1.2.0, and `01.2.3` 1.2.3.
        core, mark, rest = re.fullmatch(r"v?([^-+]*)([-+]?)(.*)", text.strip(), re.DOTALL).groups()  # type: ignore[union-attr]
        numbers = [re.sub(r"^0+(?=\d)", "", part) for part in core.split(".")]
        text = ".".join([*numbers, *["0"] * (3 - len(numbers))]) + mark + rest
    if not _SEMVER.fullmatch(text):
        raise ValueError(f"No Major.Minor.Patch elements found: {text!r}")
    return value(SEMVER, text.partition("+")[0])  # what built it says nothing of its order


def _version(semver: Any) -> tuple[Any, ...]:
    major, minor, patch, before, _ = _SEMVER.fullmatch(semver.text).groups()  # type: ignore[union-attr]
    parts = [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in (before or "").split(".") if part]
    return int(major), int(minor), int(patch), not parts, parts


def _compare(one: Any, other: Any) -> int:
    left, right = _version(one), _version(other)
    return (left > right) - (left < right)


_VERSIONS: tuple[Declaration, ...] = (
    ("semver", ("string",), SEMVER, _semver),
    ("semver", ("string", "bool"), SEMVER, _semver),
    ("isSemver", ("string",), "bool", _fits(_semver)),
    ("isSemver", ("string", "bool"), "bool", _fits(_semver)),
    (".major", (SEMVER,), "int", lambda semver: _version(semver)[0]),
    (".minor", (SEMVER,), "int", lambda semver: _version(semver)[1]),
    (".patch", (SEMVER,), "int", lambda semver: _version(semver)[2]),
    (".isGreaterThan", (SEMVER, SEMVER), "bool", lambda one, other: _compare(one, other) > 0),
    (".isLessThan", (SEMVER, SEMVER), "bool", lambda one, other: _compare(one, other) < 0),
    (".compareTo", (SEMVER, SEMVER), "int", _compare),
)


def _prefix(checker: validation.Checker) -> validation.Checker:
    """The rule for what a name may begin with: it may end in a dash."""
    return lambda text: checker(text[:-1] + "a" if text.endswith("-") else text)


def _raises(check: Callable[[str], Any], what: str) -> validation.Checker:
    fits = _fits(check)
    return lambda text: [] if fits(text) else [f"invalid {what}"]


def _uuid(text: str) -> None:
    if not re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text):
        raise ValueError(text)


def _datetime(text: str) -> None:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", text):
        raise ValueError(text)
    datetime.fromisoformat(text.upper())


def _date(text: str) -> None:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        raise ValueError(text)
    date.fromisoformat(text)


FORMATS: dict[str, validation.Checker] = {
    "dns1123Label": validation.dns1123_label,
    "dns1123Subdomain": validation.dns1123_subdomain,
    "dns1035Label": validation.dns1035_label,
    "qualifiedName": validation.qualified_name,
    "dns1123LabelPrefix": _prefix(validation.dns1123_label),
    "dns1123SubdomainPrefix": _prefix(validation.dns1123_subdomain),
    "dns1035LabelPrefix": _prefix(validation.dns1035_label),
    "labelValue": validation.label_value,
    "uri": _raises(_url, "URI"),
    "uuid": _raises(_uuid, "UUID"),
    "byte": _raises(lambda text: base64.b64decode(text, validate=True), "base64"),
    "date": _raises(_date, "date"),
    "datetime": _raises(_datetime, "datetime"),
}


def _named(name: str) -> Callable[[], Any]:
    return lambda: value(FORMAT, name)


# What is optional is a list with one item or none: the value of `list[?0]` is the optional one.
def _complaints(format: Any, text: str) -> list[list[str]]:
    found = FORMATS[format.text](text)
    return [found] if found else []


_FORMATS: tuple[Declaration, ...] = (
    *((f"format.{name}", (), FORMAT, _named(name)) for name in FORMATS),
    (
        "format.named",
        ("string",),
        f"{OPTIONAL}{FORMAT}>",
        lambda name: [value(FORMAT, name)] if name in FORMATS else [],
    ),
    (".validate", (FORMAT, "string"), f"{OPTIONAL}list<string>>", _complaints),
)


def _with(kind: str, field: str) -> Callable[[Any, str], Any]:
    return lambda question, given: value(kind, json.dumps({**json.loads(question.text), field: given}))


def _account(question: Any, namespace: str, name: str) -> Any:
    return value(AUTHORIZER, json.dumps({**json.loads(question.text), "serviceAccount": [namespace, name]}))


def _ask(question: Any, verb: str) -> Any:
    return value(DECISION, json.dumps(authorize.get()(json.loads(question.text), verb)))


def _answer(field: str, default: Any) -> Callable[[Any], Any]:
    return lambda decision: json.loads(decision.text).get(field, default)


_RIGHTS: tuple[Declaration, ...] = (
    (".path", (AUTHORIZER, "string"), PATH, _with(PATH, "path")),
    (".group", (AUTHORIZER, "string"), GROUP, _with(GROUP, "group")),
    (".serviceAccount", (AUTHORIZER, "string", "string"), AUTHORIZER, _account),
    (".resource", (GROUP, "string"), RESOURCE, _with(RESOURCE, "resource")),
    *(
        (f".{field}", (RESOURCE, "string"), RESOURCE, _with(RESOURCE, field))
        for field in ("subresource", "namespace", "name", "fieldSelector", "labelSelector")
    ),
    (".check", (PATH, "string"), DECISION, _ask),
    (".check", (RESOURCE, "string"), DECISION, _ask),
    (".allowed", (DECISION,), "bool", _answer("allowed", False)),
    (".reason", (DECISION,), "string", _answer("reason", "")),
    (".errored", (DECISION,), "bool", _answer("errored", False)),
    (".error", (DECISION,), "string", _answer("error", "")),
)
_TEXTS: tuple[Declaration, ...] = (
    (".find", ("string", "string"), "string", _find),
    (".findAll", ("string", "string"), "list<string>", _find_all),
    (".findAll", ("string", "string", "int"), "list<string>", _find_all),
    ("jsonpatch.escapeKey", ("string",), "string", lambda key: key.replace("~", "~0").replace("/", "~1")),
)
TABLE: tuple[Declaration, ...] = (
    *_lists(),
    *_TEXTS,
    *_QUANTITIES,
    *_ADDRESSES,
    *_URLS,
    *_VERSIONS,
    *_FORMATS,
    *_RIGHTS,
)
