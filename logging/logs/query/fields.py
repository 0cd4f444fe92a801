"""The fields that one can ask for, and their short names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "keyword", "level", "time", "pair"]


@dataclass(frozen=True, slots=True)
class Field:
    """`path` as in a document; a pair is an entry `key` of the labels, annotations or JSON fields at `path`."""

    path: str
    kind: Kind = "keyword"
    key: str = ""


MESSAGE = Field("message", "text")
TIME = Field("@timestamp", "time")
LEVEL = Field("level", "level")
ID = Field("_id")
SOURCE = Field("source")
STREAM = Field("stream")
NAMESPACE = Field("kubernetes.namespace")
POD = Field("kubernetes.pod")
CONTAINER = Field("kubernetes.container")
NODE = Field("kubernetes.node")
UID = Field("kubernetes.pod_uid")
CONTAINER_ID = Field("kubernetes.container_id")
WORKLOAD = Field("kubernetes.workload.name")
WORKLOAD_KIND = Field("kubernetes.workload.kind")

KEYWORDS = (SOURCE, STREAM, LEVEL, NAMESPACE, POD, CONTAINER, NODE, UID, CONTAINER_ID, WORKLOAD, WORKLOAD_KIND)
PAIRS = {
    "labels": "kubernetes.labels",
    "label": "kubernetes.labels",
    "annotations": "kubernetes.annotations",
    "fields": "fields",
    "field": "fields",
}
_SHORT = {
    "message": MESSAGE,
    "msg": MESSAGE,
    "time": TIME,
    "level": LEVEL,
    "_id": ID,
    "id": ID,
    "source": SOURCE,
    "stream": STREAM,
    "namespace": NAMESPACE,
    "ns": NAMESPACE,
    "pod": POD,
    "container": CONTAINER,
    "node": NODE,
    "pod_uid": UID,
    "uid": UID,
    "container_id": CONTAINER_ID,
    "workload": WORKLOAD,
    "kind": WORKLOAD_KIND,
    "workload_kind": WORKLOAD_KIND,
}
NAMES = {**{field.path: field for field in (*KEYWORDS, MESSAGE, TIME)}, **_SHORT}


def find(name: str) -> Field | None:
    """The field of this name, None when there is none."""
    if name in NAMES:
        return NAMES[name]
    short = name.removeprefix("kubernetes.")
    group, dot, key = short.partition(".")
    return Field(PAIRS[group], "pair", key) if dot and key and group in PAIRS else None


def nearest(name: str) -> str:
    """A name that was probably meant."""
    import difflib

    close = difflib.get_close_matches(name.lower(), [*_SHORT, "labels", "fields"], 1, 0.6)
    return {"labels": "labels.…", "fields": "fields.…"}.get(close[0], close[0]) if close else f"fields.{name}"
