"""Families of metrics of one kind of object, declared beside the functions that make their samples."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from client import resource_path
from kube import clock, quantity
from kube.objects import Json
from monitoring.objects import selection
from monitoring.objects.selection import escape, labels

log = logging.getLogger(__name__)
Sample = tuple[str, float]  # labels beside those that name the object (see `labels`), value
Maker = Callable[[Json], Iterable[Sample]]

BYTES = ("memory", "storage", "ephemeral-storage")
NEVER = -62135596800


class Families:
    """The families of the objects at `path`; `own` maps the labels that name an object to fields of its metadata.

    `also(obj)` makes further labels of all samples. `note(obj)` makes what else is remembered of an object: small, and only
    of the few of which there is something to say.
    """

    def __init__(
        self,
        api_version: str,
        plural: str,
        *,
        note: Callable[[Json], Any] = lambda obj: None,
        also: Callable[[Json], str] = lambda obj: "",
        **own: str,
    ) -> None:
        self.group, self.plural = api_version.rpartition("/")[0], plural
        self.path = resource_path(api_version, plural)
        self.heads: list[bytes] = []
        self.failed = 0
        self.note, self._also = note, also
        self.selected = ""  # what the names of the families of labels and annotations begin with; empty: there are none
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

    def created(self, prefix: str) -> None:
        """When the object was made."""
        self.time(f"{prefix}_created", "Unix creation timestamp.", "metadata", "creationTimestamp")

    def lifetime(self, prefix: str) -> None:
        """When the object was made, and when its deletion began."""
        self.created(prefix)
        self.time(f"{prefix}_deletion_timestamp", "Unix deletion timestamp.", "metadata", "deletionTimestamp")

    def info(self, prefix: str) -> None:
        """That the object is there."""
        self.add(f"{prefix}_info", "Information about the object; the value is always 1.", lambda obj: (("", 1),))

    def version(self, prefix: str) -> None:
        """The resource version, where it is a number."""

        def make(obj: Json) -> Iterable[Sample]:
            found = obj["metadata"].get("resourceVersion") or ""
            return (("", int(found)),) if found.isdecimal() else ()

        self.add(f"{prefix}_metadata_resource_version", "Resource version of the object.", make)

    def selectable(self, prefix: str) -> None:
        """Labels and annotations of the object may be shown, where somebody asks for them."""
        self.selected = prefix

    def selecting(self, **patterns: Sequence[str]) -> Families:
        """These families, and those of the `labels` and `annotations` whose keys fit one of the patterns."""
        if not self.selected or not any(patterns.values()):
            return self
        more = copy.copy(self)
        more.heads, more._makers = list(self.heads), list(self._makers)
        for field, wanted in patterns.items():
            if wanted:
                text = f"Kubernetes {field} converted to Prometheus labels."
                more.add(f"{self.selected}_{field}", text, selection.maker(field, wanted))
        return more

    def owners(self, name: str) -> None:
        """Who owns the object; a sample with empty labels where nobody does."""
        self.add(name, "Information about the object's owner.", owner_samples)

    def render(self, obj: Json) -> tuple[bytes, ...]:
        """The object's samples, a piece for each family in the order of `heads`."""
        meta = obj["metadata"]
        own = ",".join([f'{label}="{escape(meta.get(key) or "")}"' for label, key in self._own]) + self._also(obj)
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


def find(obj: Mapping[str, Any], *path: str) -> Any:
    """What is at a path of keys, None where a part of it is missing."""
    found: Any = obj
    for key in path:
        found = found.get(key) if found else None
    return found


def flag(value: bool | None) -> str:
    """A boolean as a label; empty where there is none."""
    return "" if value is None else str(value).lower()


def seconds(time: str | None) -> int:
    """Seconds since the epoch of an RFC 3339 time; of none those of the year 1, as kube-state-metrics has it."""
    return int(clock.parse(time)) if time else NEVER


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


def amount(resource: str, value: Any, whole: bool = True) -> Sample | None:
    """A resource's quantity with its unit as labels; None for what has no unit that is known. `whole`: rounded up."""
    name = selection.sanitized(resource)
    if resource == "cpu":
        return f',resource="{name}",unit="core"', number(value)
    unit = _unit(resource)
    if unit is None:
        return None
    return f',resource="{name}",unit="{unit}"', quantity.units(value) if whole else number(value)


def _unit(resource: str) -> str | None:
    if resource in BYTES or resource.startswith(("hugepages-", "attachable-volumes-")):
        return "byte"
    extended = "/" in resource and "kubernetes.io/" not in resource and not resource.startswith("requests.")
    return "integer" if extended else None


def amounts(found: Json | None, more: str = "", whole: bool = True) -> Iterator[Sample]:
    """The quantities of a resource list."""
    for resource, value in (found or {}).items():
        made = amount(resource, value, whole)
        if made is not None:
            yield more + made[0], made[1]


def number(value: Any) -> float:
    """A quantity as a plain number, in its own unit, to the thousandth."""
    return _whole(quantity.milli(value) / 1000)


def _whole(value: float) -> float:
    return int(value) if value == int(value) else value


def owners(obj: Mapping[str, Any]) -> list[Json]:
    """Who owns the object; one that says nothing where nobody does."""
    return obj["metadata"].get("ownerReferences") or [{}]


def owner_samples(obj: Json) -> Iterator[Sample]:
    for owner in owners(obj):
        controls = ("true" if owner.get("controller") else "false") if owner else ""
        yield labels(owner_kind=owner.get("kind"), owner_name=owner.get("name"), owner_is_controller=controls), 1
