"""ConfigMap and Secret: maps of data, which may be frozen."""

from __future__ import annotations

import base64
import json
from typing import Any

from kube import columns as c
from kube import selectors
from kube.errors import FieldError, forbidden, invalid, required, too_long
from kube.kinds.core.base import CoreStrategy
from kube.objects import Json
from kube.registry import Context, Kind
from kube.validation import check, check_unchanged, config_key

LIMIT = 1024 * 1024
_SERVICE_ACCOUNT = "kubernetes.io/service-account.name"
_FROZEN = "field is immutable when `immutable` is set"


def check_frozen(obj: Json, old: Json, fields: tuple[str, ...]) -> list[FieldError]:
    """What `immutable: true` forbids: other data, and thawing."""
    if not old.get("immutable"):
        return []
    errors = [] if obj.get("immutable") else [forbidden("immutable", _FROZEN)]
    return errors + [forbidden(name, _FROZEN) for name in fields if (obj.get(name) or {}) != (old.get(name) or {})]


def _decoded_size(text: str) -> int:
    return len(text) * 3 // 4 - text.count("=", -2)


class ConfigMapStrategy(CoreStrategy):
    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
        errors: list[FieldError] = []
        for key in data:
            errors += check(f"data[{key}]", key, config_key)
            if key in binary:
                errors.append(invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
        for key in binary:
            errors += check(f"binaryData[{key}]", key, config_key)
        size = sum(map(len, data.values())) + sum(map(_decoded_size, binary.values()))
        if size > LIMIT // 4 and size + sum(len(v.encode()) - len(v) for v in data.values()) > LIMIT:
            errors.append(too_long("[]", "", LIMIT))
        return errors

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return check_frozen(obj, old, ("data", "binaryData"))


class SecretStrategy(CoreStrategy):
    def default(self, obj: Json) -> None:
        """Type Opaque; `stringData` moves into `data`: it is write-only."""
        obj["type"] = obj.get("type") or "Opaque"
        texts = obj.pop("stringData", None)
        if texts:
            data = obj["data"] = obj.get("data") or {}
            for key, value in texts.items():
                data[key] = base64.b64encode(value.encode()).decode()

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        data = obj.get("data") or {}
        errors: list[FieldError] = []
        for key in data:
            errors += check(f"data[{key}]", key, config_key)
        if sum(map(_decoded_size, data.values())) > LIMIT:
            errors.append(too_long("data", "", LIMIT))
        return errors + _check_type(obj, data)

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return check_unchanged("type", obj.get("type"), old.get("type")) + check_frozen(obj, old, ("data",))


def _check_type(obj: Json, data: dict[str, str]) -> list[FieldError]:
    """What each well-known type of Secret must hold."""
    kind = obj["type"]
    if kind == "kubernetes.io/service-account-token":
        named = (obj["metadata"].get("annotations") or {}).get(_SERVICE_ACCOUNT)
        return [] if named else [required(f"metadata.annotations[{_SERVICE_ACCOUNT}]")]
    if kind == "kubernetes.io/basic-auth":
        if "username" in data or "password" in data:
            return []
        return [required("data[username]"), required("data[password]")]
    errors = [required(f"data[{key}]") for key in _KEYS.get(kind, ()) if key not in data]
    if not errors and kind in _JSON_TYPES:
        (key,) = _KEYS[kind]
        try:
            json.loads(base64.b64decode(data[key]))
        except ValueError:
            errors.append(invalid(f"data[{key}]", "<secret contents redacted>", "must be valid JSON"))
    return errors


_JSON_TYPES = ("kubernetes.io/dockercfg", "kubernetes.io/dockerconfigjson")
_KEYS = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}


def _config_map_cells(obj: Json, now: float) -> list[Any]:
    return [obj["metadata"]["name"], len(obj.get("data") or ()) + len(obj.get("binaryData") or ()), c.age(obj, now)]


def _secret_cells(obj: Json, now: float) -> list[Any]:
    return [obj["metadata"]["name"], obj.get("type", ""), len(obj.get("data") or ()), c.age(obj, now)]


KINDS = (
    Kind(
        "",
        "v1",
        "ConfigMap",
        "configmaps",
        short_names=("cm",),
        definition="io.k8s.api.core.v1.ConfigMap",
        strategy=ConfigMapStrategy(),
        cells=_config_map_cells,
        columns=(c.NAME, c.column("Data", description="Number of entries, binary ones included."), c.AGE),
    ),
    Kind(
        "",
        "v1",
        "Secret",
        "secrets",
        definition="io.k8s.api.core.v1.Secret",
        strategy=SecretStrategy(),
        cells=_secret_cells,
        fields={"type": selectors.field("type")},
        columns=(
            c.NAME,
            c.column("Type", description="What the data is meant for."),
            c.column("Data", description="Number of entries."),
            c.AGE,
        ),
    ),
)
