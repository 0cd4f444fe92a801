"""Families of metrics of one kind of object, declared beside the functions that make their samples."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from client import resource_path
from kube import clock, quantity
from kube.objects import Json

log = logging.getLogger(__name__)
Sample = tuple[str, float]  # labels beside those that name the object (see `labels`), value
Maker = Callable[[Json], Iterable[Sample]]

_SPECIAL = re.compile(r'[\\"\n]')
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_NOT_IN_LABELS = re.compile(r"[^a-zA-Z0-9_]")
BYTES = ("memory", "storage", "ephemeral-storage")


class Families:
    """The families of the objects at `path`; `own` maps the labels that name an object to fields of its metadata.

    `note(obj)` makes what else is remembered of an object: small, and only of the few of which there is something to say.
    """

    def __init__(
        self, api_version: str, plural: str, *, note: Callable[[Json], Any] = lambda obj: None, **own: str
    ) -> None:
        self.group, self.plural = api_version.rpartition("/")[0], plural
        self.path = resource_path(api_version, plural)
        self.heads: list[bytes] = []
        self.failed = 0
        self.note = note
        self._own = tuple(own.items())
        self._makers: list[tuple[str, Maker]] = []

    def add(self, name: str, text: str, make: Maker, kind: str = "gauge") -> None:
        """Declare a family; `kind`: gauge or counter."""
        self.heads.append(f"# HELP {name} {text}\n# TYPE {name} {kind}\n".encode())
        self._makers.append((name, make))

    def gauge(self, name: str, text: str) -> Callable[[Maker], Maker]:
        """Declares the decorated function's family."""

        def declare(make: Maker) -> Maker:
            self.add(name, text, make)
            return make

        return declare

    def field(self, name: str, text: str, *path: str, missing: float | None = None) -> None:
        """A gauge of one number or boolean in the object. Without it the value is `missing`, or there is no sample."""

        def make(obj: Json) -> Iterable[Sample]:
            value = find(obj, *path)
            value = missing if value is None else value
            return () if value is None else (("", value),)

        self.add(name, text, make)

    def time(self, name: str, text: str, *path: str) -> None:
        """A gauge of a time in the object, in seconds since the epoch; no sample where there is none."""

        def make(obj: Json) -> Iterable[Sample]:
            value = find(obj, *path)
            return (("", seconds(value)),) if value else ()

        self.add(name, text, make)

    def lifetime(self, prefix: str) -> None:
        """When the object was made, and when its deletion began."""
        self.time(f"{prefix}_created", "Unix creation timestamp.", "metadata", "creationTimestamp")
        self.time(f"{prefix}_deletion_timestamp", "Unix deletion timestamp.", "metadata", "deletionTimestamp")

    def owners(self, name: str) -> None:
        """Who owns the object; a sample with empty labels where nobody does."""
        self.add(name, "Information about the object's owner.", owner_samples)

    def render(self, obj: Json) -> tuple[bytes, ...]:
        """The object's samples, a piece for each family in the order of `heads`."""
        meta = obj["metadata"]
        own = ",".join([f'{label}="{escape(meta.get(key) or "")}"' for label, key in self._own])
        pieces = []
        for name, make in self._makers:
            try:
                piece = "".join([f"{name}{{{own}{more}}} {+value}\n" for more, value in make(obj)]).encode()
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                # One odd object, of a newer server perhaps, must not take the others' samples away.
                if not self.failed:
                    log.warning("%s: no sample of %s: %r", name, meta.get("name"), error)
                self.failed += 1
                piece = b""
            pieces.append(piece)
        return tuple(pieces)


# -- parts of samples ---------------------------------------------------------------------------------------------------


def escape(value: str) -> str:
    return value.translate(_ESCAPES) if _SPECIAL.search(value) else value


def labels(**pairs: str | None) -> str:
    """Labels behind those that name the object: `,reason="Error"`."""
    return "".join([f',{name}="{escape(value or "")}"' for name, value in pairs.items()])


def find(obj: Mapping[str, Any], *path: str) -> Any:
    """What is at a path of keys, None where a part of it is missing."""
    found: Any = obj
    for key in path:
        found = found.get(key) if found else None
    return found


def seconds(time: str) -> int:
    """Seconds since the epoch of an RFC 3339 time."""
    return int(clock.parse(time))


def one_of(label: str, value: str | None, known: Iterable[str]) -> Iterator[Sample]:
    """A sample for each known value, 1 for the one that holds."""
    return ((f',{label}="{each}"', each == value) for each in known)


def truth(status: str, label: str = "status", more: str = "") -> Iterator[Sample]:
    """Three samples for the status of a condition."""
    return ((f'{more},{label}="{each.lower()}"', each == status) for each in ("True", "False", "Unknown"))


def conditions(obj: Mapping[str, Any], *more: str) -> Iterator[Sample]:
    """Three samples for each condition; `more`: further fields of it as labels."""
    for condition in find(obj, "status", "conditions") or ():
        extra = "".join([f',{key}="{escape(condition.get(key) or "")}"' for key in more])
        yield from truth(condition["status"], more=f'{extra},condition="{escape(condition["type"])}"')


def amount(resource: str, value: Any) -> Sample | None:
    """A resource's quantity with its unit as labels; None for what has no unit that is known."""
    name = _NOT_IN_LABELS.sub("_", resource)
    if resource == "cpu":
        return f',resource="{name}",unit="core"', _whole(quantity.milli(value) / 1000)
    if resource in BYTES or resource.startswith(("hugepages-", "attachable-volumes-")):
        return f',resource="{name}",unit="byte"', quantity.units(value)
    if resource == "pods" or ("/" in resource and "kubernetes.io/" not in resource):
        return f',resource="{name}",unit="integer"', quantity.units(value)
    return None


def amounts(found: Json | None, more: str = "") -> Iterator[Sample]:
    """The quantities of a resource list."""
    for resource, value in (found or {}).items():
        made = amount(resource, value)
        if made is not None:
            yield more + made[0], made[1]


def number(value: Any) -> float:
    """A quantity as a plain number, in its own unit."""
    return _whole(quantity.parse(value).nano / quantity.NANO)


def _whole(value: float) -> float:
    return int(value) if value == int(value) else value


def owner_samples(obj: Json) -> Iterator[Sample]:
    owners = obj["metadata"].get("ownerReferences")
    if not owners:
        yield ',owner_kind="",owner_name="",owner_is_controller=""', 1
        return
    for owner in owners:
        controls = "true" if owner.get("controller") else "false"
        yield labels(owner_kind=owner["kind"], owner_name=owner["name"], owner_is_controller=controls), 1
