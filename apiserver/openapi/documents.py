"""The documents themselves, joined from the published definitions and the paths of the kinds."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable

import orjson

from apiserver.openapi import paths
from apiserver.remotes import Remote
from kube import crd
from kube.registry import Kind
from kube.schema import condense, definitions

Builder = Callable[[], bytes]

INFO = {"title": "Kubernetes", "version": "v1.36.3"}
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
COMMON = tuple(_META + name for name in ("APIResourceList", "DeleteOptions", "Patch", "Status", "WatchEvent"))
_REFERENCE = re.compile(rb'"#/components/schemas/([^"]+)"')
_FORMAT = "4"


def by_path(kinds: Iterable[Kind]) -> dict[str, list[Kind]]:
    """The kinds of each group and version, by its path: `api/v1`, `apis/apps/v1`."""
    found: dict[str, list[Kind]] = {}
    for kind in kinds:
        path = f"apis/{kind.group}/{kind.version}" if kind.group else f"api/{kind.version}"
        found.setdefault(path, []).append(kind)
    return dict(sorted(found.items()))


def fingerprint(kinds: Iterable[Kind], remotes: Iterable[Remote] = ()) -> str:
    """Changes whenever a document of these kinds, with those of other servers, would."""
    digest = hashlib.blake2b(f"{_FORMAT} {condense.fingerprint()}".encode(), digest_size=16)
    for kind in kinds:
        facts = (
            kind.api_version,
            kind.kind,
            kind.plural,
            kind.namespaced,
            kind.verbs,
            kind.subresources,
            kind.definition,
            crd.published_mark(kind.definition),
        )
        digest.update(repr(facts).encode())
    for remote in remotes:
        digest.update(f"{remote.group}/{remote.version}".encode())
        digest.update(hashlib.blake2b(remote.known.v2, digest_size=16).digest())
    return digest.hexdigest().upper()


def version_3(kinds: list[Kind]) -> bytes:
    """The v3 document of one group and version."""
    served = paths.of_kinds(kinds, paths.V3)
    schemas = _schemas(kinds, orjson.dumps(served))
    head = orjson.dumps({"openapi": "3.0.0", "info": {**INFO, "title": "Kubernetes"}, "paths": served})
    return head[:-1] + b',"components":{"schemas":' + schemas + b',"securitySchemes":' + _SECURITY + b"}}"


def version_2(kinds: list[Kind]) -> bytes:
    """The v2 document of all kinds."""
    served = paths.of_kinds(kinds, paths.V2)
    text = _schemas(kinds, orjson.dumps(served), every=True)
    text = re.sub(rb'"allOf":\[(\{"\$ref":"[^"]+")\}\]', lambda match: match[1][1:], text)
    text = text.replace(b'"#/components/schemas/', b'"#/definitions/')
    text = text.replace(b'"oneOf":[{"type":"integer"},{"type":"string"}]', b'"type":"string"')
    text = text.replace(b'"oneOf":[{"type":"string"},{"type":"number"}]', b'"type":"string"')
    head = orjson.dumps(
        {
            "swagger": "2.0",
            "info": INFO,
            "paths": served,
            "parameters": {},
            "securityDefinitions": orjson.loads(_SECURITY),
            "security": [{"BearerToken": []}],
        }
    )
    return head[:-1] + b',"definitions":' + text + b"}"


_SECURITY = orjson.dumps(
    {
        "BearerToken": {
            "description": "Bearer Token authentication",
            "in": "header",
            "name": "authorization",
            "type": "apiKey",
        }
    }
)


def _schemas(kinds: list[Kind], served: bytes, every: bool = False) -> bytes:
    """The JSON object of all schemas that the kinds and their paths refer to (`every`: all there are)."""
    source = definitions.published()
    custom: dict[str, bytes] = {}
    for kind in kinds:
        custom.update({name: orjson.dumps(schema) for name, schema in crd.published(kind, v2=every).items()})
    found: dict[str, bytes] = {}
    wanted = set(source.names()) if every else set(COMMON)
    wanted |= set(custom) | set(_references(served)) | {kind.definition for kind in kinds if kind.definition in source}
    while wanted:
        new = sorted(name for name in wanted if name in custom or name in source)
        texts = [custom[name] if name in custom else source.read(name)[0] for name in new]
        found.update(zip(new, texts, strict=True))
        wanted = {name for text in texts for name in _references(text)} - found.keys()
    return b"{" + b",".join(orjson.dumps(name) + b":" + found[name] for name in sorted(found)) + b"}"


def _references(text: bytes) -> Iterable[str]:
    return {match.decode() for match in _REFERENCE.findall(text)} | {
        match.decode() for match in re.findall(rb'"#/definitions/([^"]+)"', text)
    }
