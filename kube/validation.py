"""Formats of names and values shared by all kinds: DNS names, labels, ports, addresses, label selectors.

A checker takes a text and returns the list of what is wrong with it (empty: fine). `check` turns that into field
errors. Paths are plain texts such as `spec.ports[0].name`.
"""

from __future__ import annotations

import difflib
import itertools
import json
import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from kube.errors import FieldError, forbidden, invalid, not_supported, required, too_long

Checker = Callable[[str], list[str]]

_DIFFERENCE_LINES = 60
IMMUTABLE = "field is immutable"
CSI_DRIVER_LIMIT = 63
NOT_NEGATIVE = "must be greater than or equal to 0"
SELECTOR_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_SUBDOMAIN_UNDERSCORE = r"_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_NAME = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = f"({_NAME})?"
_KEY = "[-._a-zA-Z0-9]+"

_is_label = re.compile(_LABEL).fullmatch
_is_subdomain = re.compile(_SUBDOMAIN).fullmatch
_is_underscore_subdomain = re.compile(_SUBDOMAIN_UNDERSCORE).fullmatch
_is_label_1035 = re.compile(_LABEL_1035).fullmatch
_is_name = re.compile(_NAME).fullmatch
_is_value = re.compile(_VALUE).fullmatch
_is_key = re.compile(_KEY).fullmatch
_is_c_identifier = re.compile("[A-Za-z_][A-Za-z0-9_]*").fullmatch
_is_printable_env = re.compile("[ -<>-~]+").fullmatch
_is_port_charset = re.compile("[-a-z0-9]+").fullmatch
_is_host_port = re.compile(r"(\[[^\[\]]*\]|[^\[\]:]*):[^\[\]:]*").fullmatch
_has_letter = re.compile("[a-z]").search


def _rule(text: str, pattern: str, *examples: str) -> str:
    shown = ",  or ".join(f"'{e}'" for e in examples)
    return f"{text} (e.g. {shown}, regex used for validation is '{pattern}')"


_ENDS = "and must start and end with an alphanumeric character"
_LABEL_RULE = _rule(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', " + _ENDS,
    _LABEL,
    "my-name",
    "123-abc",
)
_SUBDOMAIN_RULE = _rule(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', " + _ENDS,
    _SUBDOMAIN,
    "example.com",
)
_UNDERSCORE_RULE = _rule(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', " + _ENDS,
    _SUBDOMAIN_UNDERSCORE,
    "example.com",
)
_LABEL_1035_RULE = _rule(
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character",
    _LABEL_1035,
    "my-name",
    "abc-123",
)
_NAME_TEXT = "must consist of alphanumeric characters, '-', '_' or '.', " + _ENDS
_NAME_RULE = _rule(_NAME_TEXT, _NAME, "MyName", "my.name", "123-abc")
_VALUE_RULE = _rule(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', " + _ENDS,
    _VALUE,
    "MyValue",
    "my_value",
    "12345",
)
_KEY_RULE = _rule(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    _KEY,
    "key.name",
    "KEY_NAME",
    "key-name",
)


def _longer(limit: int) -> str:
    return f"must be no more than {limit} characters"


def dns1123_label(value: str) -> list[str]:
    """A label as in a host name, up to 63 characters."""
    if len(value) <= 63 and _is_label(value):
        return []
    wrong = [_longer(63)] if len(value) > 63 else []
    if not _is_label(value):
        wrong.append("must not contain dots" if _is_subdomain(value) else _LABEL_RULE)
    return wrong


def dns1123_subdomain(value: str) -> list[str]:
    """Labels joined by dots, up to 253 characters: the name of most objects."""
    if len(value) <= 253 and _is_subdomain(value):
        return []
    wrong = [_longer(253)] if len(value) > 253 else []
    return wrong if _is_subdomain(value) else [*wrong, _SUBDOMAIN_RULE]


def dns_search_domain(value: str) -> list[str]:
    """A resolver's search domain: underscores and one trailing dot are allowed; `.` alone too."""
    value = value[:-1] if value.endswith(".") and len(value) > 1 else value
    if value == "." or (_is_underscore_subdomain(value) and len(value) <= 253):
        return []
    return [_longer(253)] if len(value) > 253 else [_UNDERSCORE_RULE]


def dns1035_label(value: str) -> list[str]:
    """A label that starts with a letter, up to 63 characters."""
    wrong = [_longer(63)] if len(value) > 63 else []
    return wrong if _is_label_1035(value) else [*wrong, _LABEL_1035_RULE]


@lru_cache(maxsize=4096)
def _qualified(value: str) -> tuple[str, ...]:
    prefix, slash, name = value.rpartition("/")
    wrong: list[str] = []
    if slash:
        if "/" in prefix:
            return (
                _rule(f"a qualified name {_NAME_TEXT}", _NAME, "MyName", "my.name", "123-abc")
                + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
            )
        faults = dns1123_subdomain(prefix) if prefix else ["must be non-empty"]
        wrong += [f"prefix part {fault}" for fault in faults]
    if not name:
        wrong.append("name part must be non-empty")
    elif len(name) > 63:
        wrong.append("name part must be no more than 63 bytes")
    if not _is_name(name):
        wrong.append("name part " + _NAME_RULE)
    return tuple(wrong)


def qualified_name(value: str) -> list[str]:
    """A label key, resource name, taint key: `name` or `dns.prefix/name`."""
    return list(_qualified(value))


def label_value(value: str) -> list[str]:
    """The value of a label, up to 63 characters; may be empty."""
    if len(value) <= 63 and _is_value(value):
        return []
    wrong = ["must be no more than 63 bytes"] if len(value) > 63 else []
    return wrong if _is_value(value) else [*wrong, _VALUE_RULE]


def config_key(value: str) -> list[str]:
    """A key of a ConfigMap or Secret, also a file name."""
    if len(value) > 253:
        return [_longer(253)]
    if not _is_key(value):
        return [_KEY_RULE]
    if value in (".", ".."):
        return [f"must not be '{value}'"]
    return ["must not start with '..'"] if value.startswith("..") else []


def env_var_name(value: str) -> list[str]:
    """The name of an environment variable: printable ASCII without `=`."""
    if _is_printable_env(value):
        return []
    return ["a valid environment variable name must consist only of printable ASCII characters other than '='"]


def c_identifier(value: str) -> list[str]:
    """A name as in C."""
    if _is_c_identifier(value):
        return []
    return [
        _rule(
            "a valid C identifier must start with alphabetic character or '_', followed by a string of "
            "alphanumeric characters or '_'",
            "[A-Za-z_][A-Za-z0-9_]*",
            "my_name",
            "MY_NAME",
            "MyName",
        )
    ]


def port_name(value: str) -> list[str]:
    """An IANA service name: the name of a container's port, up to 15 characters."""
    wrong = [_longer(15)] if len(value) > 15 else []
    if not _is_port_charset(value):
        wrong.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not _has_letter(value):
        wrong.append("must contain at least one letter (a-z)")
    if "--" in value:
        wrong.append("must not contain consecutive hyphens")
    if value[:1] == "-" or value[-1:] == "-":
        wrong.append("must not begin or end with a hyphen")
    return wrong


def port_number(value: int) -> list[str]:
    """A port of TCP, UDP or SCTP."""
    return [] if 1 <= value <= 65535 else ["must be between 1 and 65535, inclusive"]


def port_number_or_name(value: Any) -> list[str]:
    """A target port: a number, or the name of a container's port."""
    return port_name(value) if isinstance(value, str) else port_number(value)


def repeats(values: Sequence[Hashable]) -> list[int]:
    """The places of what stood there before, from the front."""
    first: dict[Hashable, int] = {}
    return [i for i, value in enumerate(values) if first.setdefault(value, i) != i]


def host_port(value: str) -> bool:
    """Whether a text is `host:port`; a host that holds colons stands in brackets. Either part may be empty."""
    return bool(_is_host_port(value))


def check(path: str, value: str, checker: Checker) -> list[FieldError]:
    """What `checker` finds wrong with `value`, as field errors at `path`."""
    return [invalid(path, value, message) for message in checker(value)]


def check_kept(
    path: str, values: Sequence[str], before: Sequence[str], checker: Checker, first: int = 0
) -> list[FieldError]:
    """What `checker` finds wrong with the values of a list, from the `first` on, that were not there before."""
    known = set(before)
    return [
        invalid(f"{path}[{i}]", value, message)
        for i, value in enumerate(values)
        if i >= first and value not in known
        for message in checker(value)
    ]


def check_domain_path(path: str, value: str) -> list[FieldError]:
    """A path that a domain begins, such as `example.com/name`."""
    domain, slash, rest = value.partition("/")
    if not slash or not rest:
        return [invalid(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')]
    return check(path, domain, dns1123_subdomain)


def check_csi_driver(path: str, name: str) -> list[FieldError]:
    """The name of a CSI driver: a subdomain of 63 characters at most, in any case."""
    if not name:
        return [required(path)]
    errors = [too_long(path, name, CSI_DRIVER_LIMIT)] if len(name) > CSI_DRIVER_LIMIT else []
    return errors + [invalid(path, name, message) for message in dns1123_subdomain(name.lower())]


def check_range(path: str, value: Any, low: int, high: int) -> list[FieldError]:
    """An error if the number is not between the two, both included."""
    return [] if low <= value <= high else [invalid(path, value, f"must be between {low} and {high}, inclusive")]


def check_required(path: str, value: str | None, checker: Checker, missing: str = "") -> list[FieldError]:
    """What `checker` finds wrong with a text that has to be there; `missing` says more of one that is not."""
    return check(path, value, checker) if value else [required(path, missing)]


def check_not_negative(path: str, value: Any) -> list[FieldError]:
    """An error if the number is below zero; None passes."""
    return [invalid(path, value, NOT_NEGATIVE)] if value is not None and value < 0 else []


def check_counts(holder: Mapping[str, Any], path: str, names: Iterable[str]) -> list[FieldError]:
    """Errors for those of the named fields below `path` that are negative."""
    return [error for name in names for error in check_not_negative(f"{path}.{name}", holder.get(name))]


def check_choice(path: str, value: Any, choices: Iterable[str]) -> list[FieldError]:
    """An error if the value is none of the choices."""
    return [] if value in choices else [not_supported(path, value, choices)]


def check_unchanged(path: str, new: Any, old: Any) -> list[FieldError]:
    """An error if an immutable field changed."""
    return [] if new == old else [invalid(path, new, IMMUTABLE)]


def check_labels(path: str, labels: Mapping[str, str] | None) -> list[FieldError]:
    """A map of labels: keys are qualified names, values label values."""
    errors: list[FieldError] = []
    for key, value in (labels or {}).items():
        if wrong := _qualified(key):
            errors += [invalid(path, key, m.replace("a qualified name", "a valid label key")) for m in wrong]
        if len(value) > 63 or not _is_value(value):
            errors += check(path, value, label_value)
    return errors


def check_label_selector(path: str, selector: Mapping[str, Any] | None) -> list[FieldError]:
    """A `metav1.LabelSelector` (matchLabels, matchExpressions)."""
    if not selector:
        return []
    errors = check_labels(f"{path}.matchLabels", selector.get("matchLabels"))
    for i, requirement in enumerate(selector.get("matchExpressions") or ()):
        place = f"{path}.matchExpressions[{i}]"
        operator, values = requirement.get("operator", ""), requirement.get("values") or []
        if operator in ("In", "NotIn"):
            if not values:
                errors.append(required(f"{place}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                errors.append(
                    forbidden(f"{place}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
                )
        else:
            errors.append(invalid(f"{place}.operator", operator, "not a valid selector operator"))
        errors += check(f"{place}.key", requirement.get("key", ""), qualified_name)
        for j, value in enumerate(values):
            errors += check(f"{place}.values[{j}]", value, label_value)
    return errors


def difference(new: Any, old: Any) -> str:
    """The lines in which two JSON values differ, for people: appended to the message of an immutable field."""
    before, after = (json.dumps(value, indent=1, sort_keys=True).splitlines() for value in (old, new))
    lines = itertools.islice(difflib.unified_diff(before, after, lineterm=""), 2, _DIFFERENCE_LINES)
    return "\n" + "\n".join(lines) + "\n"
