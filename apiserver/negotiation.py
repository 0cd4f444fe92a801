"""Content negotiation: which representation a client accepts, and what it sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from kube import yamltext
from kube.errors import ApiError, BadRequest, NotAcceptable, UnsupportedMediaType

JSON, YAML, PROTOBUF = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"
ACCEPTED = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
LARGE = 16_384  # bytes of YAML: some ten milliseconds
_TURN = asyncio.Semaphore(1)
Parsed = TypeVar("Parsed")
_TRANSFORMS = {"Table", "PartialObjectMetadata", "PartialObjectMetadataList"}


class View(NamedTuple):
    """How to answer: `transform` is "", Table or PartialObjectMetadata, of meta.k8s.io in `version`."""

    media_type: str = JSON
    transform: str = ""
    version: str = ""

    @property
    def yaml(self) -> bool:
        return self.media_type == YAML


@lru_cache(maxsize=512)
def view(accept: str, transforms: bool = True) -> View:
    """The first acceptable representation. Raises NotAcceptable. `transforms`: whether Table and the like are offered."""
    refused = False
    for clause in (accept or JSON).split(","):
        media_type, parameters = _clause(clause)
        kind = _serves(media_type)
        if kind is None:
            continue
        wanted = parameters.get("as", "")
        if not wanted:
            return View(kind)
        if (
            transforms
            and wanted in _TRANSFORMS
            and parameters.get("g") == "meta.k8s.io"
            and (parameters.get("v") in ("v1", "v1beta1"))
        ):
            return View(kind, wanted.removesuffix("List"), parameters["v"])
        refused = True
    if only_protobuf(accept):
        return View()  # `apiserver.protobuf` encodes it
    if refused:
        error: ApiError = NotAcceptable(f"only the following media types are accepted: {ACCEPTED}")
        raise error
    raise NotAcceptable(f"406: Not Acceptable\n\nAvailable representations: {ACCEPTED}")


@lru_cache(maxsize=512)
def only_protobuf(accept: str) -> bool:
    """Whether a client takes protobuf and no other form. What it wants transformed (`as=`) has no such form."""
    clauses = [_clause(clause) for clause in accept.split(",")] if PROTOBUF in accept else []
    return any(kind == PROTOBUF and not parameters.get("as") for kind, parameters in clauses) and not any(
        _serves(kind) for kind, _ in clauses
    )


def _clause(text: str) -> tuple[str, dict[str, str]]:
    media_type, *rest = (part.strip() for part in text.split(";"))
    return media_type.lower(), dict(part.split("=", 1) for part in rest if "=" in part)


def _serves(media_type: str) -> str | None:
    if media_type in (JSON, "*/*", "application/*", ""):
        return JSON
    return YAML if media_type == YAML else None


def discovery_version(accept: str) -> str:
    """The version of aggregated discovery that a client accepts, "" for the older form."""
    for clause in accept.split(","):
        media_type, parameters = _clause(clause)
        if _serves(media_type) == JSON:
            wants = parameters.get("as") == "APIGroupDiscoveryList" and parameters.get("g") == "apidiscovery.k8s.io"
            if wants and parameters.get("v") == "v2":
                return "v2"
            if not parameters.get("as"):
                return ""
    return ""


async def apart(parse: Callable[[], Parsed], body: bytes, content_type: str) -> Parsed:
    """What `parse` makes of a body, in a thread where that may take long: YAML of some size, one at a time.

    Large JSON takes a hundredth of the time, and is what kubectl and the client libraries send.
    """
    if len(body) < LARGE or "yaml" not in content_type or body[:1] == b"{":
        return parse()
    async with _TURN:
        return await asyncio.to_thread(parse)


def media_type(header: str) -> str:
    """The media type of a Content-Type header, without parameters."""
    return header.partition(";")[0].strip().lower()


def decode(content_type: str, body: bytes) -> Any:
    """The body as JSON. Raises UnsupportedMediaType, BadRequest."""
    kind = media_type(content_type)
    if kind in ("", JSON):
        return from_json(body)
    if kind == YAML:
        return from_yaml(body)
    if kind == PROTOBUF:
        return from_protobuf(body)
    raise UnsupportedMediaType(
        "the body of the request was in an unknown format - accepted media types include: " + ACCEPTED
    )


def from_json(body: bytes) -> Any:
    import orjson

    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the body of the request is not valid JSON: {error}") from error


def from_protobuf(body: bytes) -> Any:
    from kube import protobuf  # only in processes that are sent such bodies

    return protobuf.decode(body)


def from_yaml(body: bytes, repeated: list[str] | None = None) -> Any:
    """`repeated` collects keys that come twice."""
    try:
        return yamltext.parse(body, repeated)
    except yamltext.YamlError as error:
        raise BadRequest(f"the body of the request is not valid YAML: {error}") from error
