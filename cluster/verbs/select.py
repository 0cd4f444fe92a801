"""Which objects a list, watch or deletecollection is about: label and field selectors."""

from __future__ import annotations

from collections.abc import Callable

from cluster.cache import Cache, Entry
from kube import selectors
from kube.errors import BadRequest
from kube.registry import Kind

Match = Callable[[Entry], bool]
META = ("metadata.name", "metadata.namespace")


def matcher(kind: Kind, labels: str = "", fields: str = "") -> Match | None:
    """A predicate for both selectors; None when everything matches. Raises BadRequest for what cannot be selected by."""
    tests: list[Match] = []
    if labels:
        selector = selectors.parse_labels(labels)
        tests.append(lambda entry: selector.matches(entry.labels))
    if fields:
        tests += [_field_test(kind, name, value, equal) for name, value, equal in selectors.parse_fields(fields)]
    if not tests:
        return None
    return tests[0] if len(tests) == 1 else lambda entry: all(test(entry) for test in tests)


def _field_test(kind: Kind, name: str, value: str, equal: bool) -> Match:
    if name == "metadata.name":
        return lambda entry: (entry.key.name == value) is equal
    if name == "metadata.namespace" and kind.namespaced:
        return lambda entry: (entry.key.namespace == value) is equal
    if name == "spec.nodeName" and kind.storage == "pods":
        return lambda entry: (entry.node == value) is equal
    read = kind.fields.get(name)
    if read is None:
        raise BadRequest(unknown_field(kind, name))
    return lambda entry: (read(entry.object()) == value) is equal


def unknown_field(kind: Kind, name: str) -> str:
    """What to say about a field that objects of this kind cannot be selected by."""
    if not kind.fields:
        return f'"{name}" is not a known field selector: only "metadata.name", "metadata.namespace"'
    if kind.group == "batch":
        return f'field label "{name}" not supported for {kind.kind}'
    if kind.group and kind.group != "events.k8s.io":
        return f"field label not supported for {kind.group}/{kind.version}, Kind={kind.kind}: {name}"
    return f"field label not supported: {name}"


def entries(kind: Kind, cache: Cache, namespace: str | None, labels: str = "", fields: str = "") -> list[Entry]:
    """The matching objects, in key order."""
    found = cache.list(kind.storage, namespace)
    matches = matcher(kind, labels, fields)
    return found if matches is None else [entry for entry in found if matches(entry)]
