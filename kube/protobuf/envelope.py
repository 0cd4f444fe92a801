"""The envelope of a body: the magic number, the kind, and the object's message."""

from __future__ import annotations

from kube.errors import BadRequest, UnsupportedMediaType
from kube.objects import Json
from kube.protobuf import layout
from kube.protobuf.reading import reader
from kube.protobuf.wire import Malformed
from kube.protobuf.writing import writer

MAGIC = b"k8s\x00"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
# Kinds of every group: they are sent under the version of the object they are about.
_COMMON = {"DeleteOptions", "Status", "WatchEvent", "APIGroup", "APIGroupList", "APIResourceList", "APIVersions"}
_PACKAGES = {
    "": "io.k8s.api.core",
    "rbac.authorization.k8s.io": "io.k8s.api.rbac",
    "flowcontrol.apiserver.k8s.io": "io.k8s.api.flowcontrol",
    "apiextensions.k8s.io": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions",
    "apiregistration.k8s.io": "io.k8s.kube-aggregator.pkg.apis.apiregistration",
}


def definition(api_version: str, kind: str) -> str:
    """The OpenAPI definition of a kind, "" where it has no protobuf form (custom kinds have none)."""
    if kind in _COMMON:
        return _META + kind
    group, _, version = api_version.rpartition("/")
    short = group.removesuffix(".k8s.io")
    package = _PACKAGES.get(group) or ("" if "." in short else f"io.k8s.api.{short}")
    name = f"{package}.{version}.{kind}"
    return name if layout.knows(name) else ""


def knows(api_version: str, kind: str) -> bool:
    """Whether objects of a kind can be written as protobuf."""
    return bool(definition(api_version, kind))


def decode(body: bytes) -> Json:
    """The object in a body. Raises BadRequest, UnsupportedMediaType for kinds without a protobuf form."""
    if not body.startswith(MAGIC):
        raise BadRequest(
            "the body of the request is not in the protobuf form of Kubernetes: it must begin with the "
            f"bytes {MAGIC.hex(' ')}, and begins with {body[:4].hex(' ') or 'nothing'}"
        )
    try:
        envelope = reader("Unknown")(body, len(MAGIC), len(body), 0)
        meta, raw = envelope.get("typeMeta", {}), envelope.get("raw", b"")
        api_version, kind = meta.get("apiVersion", ""), meta.get("kind", "")
        if not api_version or not kind:
            raise Malformed("its envelope names no apiVersion and kind")
        name = definition(api_version, kind)
        if not name:
            raise UnsupportedMediaType(
                f"{kind} of {api_version} has no protobuf form - accepted media types include: "
                "application/json, application/yaml"
            )
        return {"kind": kind, "apiVersion": api_version, **reader(name)(raw, 0, len(raw), 0)}
    except (Malformed, ValueError, IndexError, OverflowError, RecursionError) as error:
        detail = "unexpected end" if isinstance(error, IndexError) else str(error)
        raise BadRequest(f"the protobuf body of the request cannot be decoded: {detail}") from error


def encode(obj: Json) -> bytes:
    """The body of an object that has `apiVersion` and `kind`. Raises KeyError where `knows` is false."""
    name = definition(obj.get("apiVersion", ""), obj.get("kind", ""))
    if not name:
        raise KeyError(f"{obj.get('kind')} of {obj.get('apiVersion')} has no protobuf form")
    meta = {key: obj[key] for key in ("apiVersion", "kind")}
    return MAGIC + writer("Unknown")(
        {"typeMeta": meta, "raw": writer(name)(obj), "contentEncoding": "", "contentType": ""}
    )


def watch_event(kind: str, obj: Json) -> bytes:
    """A WatchEvent, bare as it stands in a stream, around an object in its envelope. Raises KeyError as `encode`."""
    return writer("WatchEvent")({"type": kind, "object": {"raw": encode(obj)}})
