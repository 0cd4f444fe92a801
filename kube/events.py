"""Event objects ("what happened to this object"), and which of many happenings become one: client-go's correlator.

The same event again raises `count` of the object that is there; ten different messages of one reason about one object
within ten minutes become one "(combined from similar events)"; one object gets at most 25 events at once and one more
every five minutes. Pure: no clock but that of the happenings. Who writes them: `cluster.events`, `client.events`.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kube import clock
from kube.objects import Json
from kube.rates import Buckets

MEMORY = 4_096  # objects and messages remembered for correlation
BURST, REFILL_SECONDS = 25, 300.0
SIMILAR, SIMILAR_SECONDS = 10, 600.0
MESSAGE_LIMIT = 1024  # characters
COMBINED = "(combined from similar events): "
_serial = itertools.count(1)  # keeps names apart that are made within one tick of the clock


class Happening(NamedTuple):
    """One event as reported; `about` is an ObjectReference."""

    component: str
    about: Json
    type: str
    reason: str
    message: str
    at: float  # epoch seconds
    host: str = ""  # the node that the component runs on


@dataclass
class Series:
    """One Event object: the first time, the last time and how often."""

    name: str
    first: float
    last: float
    count: int = 0


@dataclass
class _Similar:
    messages: set[str] = field(default_factory=set)
    at: float = 0.0


class Correlator:
    """Decides what of many happenings is written."""

    def __init__(self) -> None:
        self._spam = Buckets(BURST, 1 / REFILL_SECONDS, MEMORY)
        self._similar: OrderedDict[tuple[str, ...], _Similar] = OrderedDict()
        self._series: OrderedDict[tuple[str, ...], Series] = OrderedDict()

    def correlate(self, happening: Happening) -> tuple[Happening, Series] | None:
        """The happening to write (its message maybe combined) and its series, counted up; None: dropped as spam."""
        identity = ("kind", "namespace", "name", "uid", "apiVersion", "fieldPath")
        source = (happening.component, *(happening.about.get(name, "") for name in identity))
        group = (*source, happening.type, happening.reason)
        message, key = self._aggregate(group, happening)
        if not self._spam.take(source, happening.at):
            return None
        series = _remember(self._series, key, lambda: Series(_name(happening), happening.at, happening.at))
        series.count, series.last = series.count + 1, happening.at
        return happening._replace(message=message), series

    def _aggregate(self, group: tuple[str, ...], happening: Happening) -> tuple[str, tuple[str, ...]]:
        similar = _remember(self._similar, group, _Similar)
        if happening.at - similar.at > SIMILAR_SECONDS:
            similar.messages = set()
        similar.at = happening.at
        if len(similar.messages) < SIMILAR:
            similar.messages.add(happening.message)
        if len(similar.messages) < SIMILAR:
            return happening.message, (*group, happening.message)
        return COMBINED + happening.message, group


def reference(obj: Mapping[str, Any], field_path: str = "") -> Json:
    """The ObjectReference of an object."""
    meta = obj["metadata"]
    about = {
        "kind": obj.get("kind"),
        "namespace": meta.get("namespace"),
        "name": meta["name"],
        "uid": meta.get("uid"),
        "apiVersion": obj.get("apiVersion"),
        "resourceVersion": meta.get("resourceVersion"),
        "fieldPath": field_path,
    }
    return {name: value for name, value in about.items() if value}


def event(happening: Happening, series: Series) -> Json:
    """The Event object of a happening, in the namespace of what it is about."""
    return {
        "kind": "Event",
        "apiVersion": "v1",
        "metadata": {"name": series.name, "namespace": happening.about.get("namespace", "default")},
        "involvedObject": happening.about,
        "reason": happening.reason,
        "message": happening.message,
        "source": {"component": happening.component, **({"host": happening.host} if happening.host else {})},
        "firstTimestamp": clock.stamp(series.first),
        "lastTimestamp": clock.stamp(series.last),
        "count": series.count,
        "type": happening.type,
        "eventTime": None,
        "reportingComponent": happening.component,
        "reportingInstance": happening.host,
    }


def _name(happening: Happening) -> str:
    return f"{happening.about['name'][:230]}.{int(happening.at * 1e9) + next(_serial) % 1000:016x}"


def _remember(memory: OrderedDict[tuple[str, ...], Any], key: tuple[str, ...], make: Any) -> Any:
    """Get or make an entry of a bounded memory that forgets what was not used longest."""
    found = memory.get(key)
    if found is None:
        found = memory[key] = make()
        if len(memory) > MEMORY:
            memory.popitem(last=False)
    memory.move_to_end(key)
    return found
