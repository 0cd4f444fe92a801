"""The environment of a container."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from kube.objects import Json
from kubelet import fields
from kubelet.expand import expand
from kubelet.fields import PodFacts
from kubelet.runtimes.base import ConfigError

if TYPE_CHECKING:
    from kube.shapes import ContainerLike, PodLike

_NAME = re.compile(r"[^=\0]+")


class Lookup(Protocol):
    """Finds ConfigMaps and Secrets."""

    async def get(self, kind: str, namespace: str, name: str, pod_uid: str) -> Json | None:
        """`kind` is configmaps or secrets; None when there is none of this name."""


def texts(kind: str, obj: Json) -> dict[str, str]:
    """Keys and values as text, of a ConfigMap or a Secret."""
    if kind == "secrets":
        data = obj.get("data") or {}
        return {key: base64.b64decode(value).decode("utf-8", "replace") for key, value in data.items()}
    return dict(obj.get("data") or {})


class Environment:
    """Builds one container's variables: services, then envFrom, then env, each seeing those before it."""

    def __init__(self, pod: PodLike, container: ContainerLike, lookup: Lookup, facts: PodFacts) -> None:
        self._pod, self._container, self._lookup, self._facts = pod, container, lookup, facts
        self._namespace: str = pod["metadata"]["namespace"]

    async def build(self, services: Mapping[str, str]) -> dict[str, str]:
        """Raises ConfigError in the words of the kubelet when a reference that must exist does not."""
        result = dict(services)
        for source in self._container.get("envFrom") or ():
            kind, reference = _reference(source, "configMapRef", "secretRef")
            obj = await self._get(kind, reference)
            if obj is not None:
                named = {(source.get("prefix") or "") + key: value for key, value in texts(kind, obj).items()}
                result.update({name: value for name, value in named.items() if _NAME.fullmatch(name)})
        own: dict[str, str] = {}
        for entry in self._container.get("env") or ():
            value = await self._value(entry, {**result, **own})
            if value is not None:
                own[entry["name"]] = value
        return {**result, **own}

    async def _get(self, kind: str, reference: Json) -> Json | None:
        obj = await self._lookup.get(kind, self._namespace, reference["name"], self._pod["metadata"]["uid"])
        if obj is None and not reference.get("optional"):
            raise ConfigError(f'{kind.removesuffix("s")} "{reference["name"]}" not found')
        return obj

    async def _value(self, entry: Json, known: Mapping[str, str]) -> str | None:
        source = entry.get("valueFrom")
        if not source:
            return expand(entry.get("value") or "", known)
        if "fieldRef" in source:
            return fields.field(self._pod, source["fieldRef"]["fieldPath"], self._facts)
        if "resourceFieldRef" in source:
            return fields.resource(self._pod, source["resourceFieldRef"], self._container, self._facts)
        kind, reference = _reference(source, "configMapKeyRef", "secretKeyRef")
        obj = await self._get(kind, reference)
        values = texts(kind, obj) if obj is not None else {}
        if reference["key"] in values:
            return values[reference["key"]]
        if reference.get("optional"):
            return None
        what = "ConfigMap" if kind == "configmaps" else "Secret"
        raise ConfigError(f"couldn't find key {reference['key']} in {what} {self._namespace}/{reference['name']}")


def _reference(source: Json, config_map: str, secret: str) -> tuple[str, Json]:
    if config_map in source:
        return "configmaps", source[config_map]
    if secret in source:
        return "secrets", source[secret]
    raise ConfigError(f"an env source has to be one of {config_map} and {secret}")
