"""The files that ConfigMaps, Secrets, downwardAPI and tokens become."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from kube.objects import Json
from kube.pods import podutil
from kubelet import fields
from kubelet.volumes.atomic import File, checked
from kubelet.volumes.base import Context, VolumeError

if TYPE_CHECKING:
    from kube.shapes import PodLike

DEFAULT_MODE = 0o644


def content(kind: str, obj: Json) -> dict[str, bytes]:
    """Keys and bytes of a ConfigMap or Secret."""
    if kind == "secrets":
        return {key: base64.b64decode(value) for key, value in (obj.get("data") or {}).items()}
    result = {key: value.encode() for key, value in (obj.get("data") or {}).items()}
    result.update({key: base64.b64decode(value) for key, value in (obj.get("binaryData") or {}).items()})
    return result


async def from_object(pod: PodLike, kind: str, source: Json, name: str, mode: int, context: Context) -> dict[str, File]:
    """The files of ConfigMap or Secret `name` as `source` (items, optional) selects them."""
    namespace = pod["metadata"]["namespace"]
    obj = await context.lookup.get(kind, namespace, name, podutil.uid(pod))
    if obj is None:
        if source.get("optional"):
            return {}
        raise VolumeError(f'{kind.removesuffix("s")} "{name}" not found')
    values = content(kind, obj)
    items = source.get("items")
    if not items:
        return {key: File(value, mode) for key, value in values.items()}
    result = {}
    for item in items:
        if item["key"] in values:
            result[checked(item["path"])] = File(values[item["key"]], item.get("mode", mode))
        elif not source.get("optional"):
            raise VolumeError(f"{kind.removesuffix('s')} references non-existent key: {item['key']}")
    return result


def from_downward(pod: PodLike, items: list[Json], mode: int, context: Context) -> dict[str, File]:
    result = {}
    facts = context.facts(pod)
    for item in items:
        if "fieldRef" in item:
            text = fields.field(pod, item["fieldRef"]["fieldPath"], facts)
        else:
            text = fields.resource(pod, item["resourceFieldRef"], {}, facts)
        result[checked(item["path"])] = File(text.encode(), item.get("mode", mode))
    return result


async def from_token(pod: PodLike, source: Json, mode: int, context: Context) -> dict[str, File]:
    token = await context.tokens.get(pod, source.get("audience") or "", source.get("expirationSeconds") or 3600)
    owner = user(pod)
    private = mode == DEFAULT_MODE and (owner is not None or group(pod) is not None)
    return {checked(source["path"]): File(token.encode(), 0o600 if private else mode, owner)}


def user(pod: PodLike) -> int | None:
    """The user of all the pod's containers, when they have the same and their specs say which."""
    common = (pod["spec"].get("securityContext") or {}).get("runAsUser")
    containers = podutil.all_containers(pod["spec"], ephemeral=False)
    users = {(container.get("securityContext") or {}).get("runAsUser", common) for container in containers}
    return users.pop() if len(users) == 1 else None


def group(pod: PodLike) -> int | None:
    found = (pod["spec"].get("securityContext") or {}).get("fsGroup")
    return int(found) if found is not None else None
