"""What must not leave the server: values of Secrets, and whatever else looks like a credential.

`redact` works on a decoded copy, in place. A masked value keeps its size, so that one sees that it is there and that
it changed length: `•••••• (24 bytes)`. References to secrets (`secretName`, `secretKeyRef`) are not credentials.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from kube.objectmeta import LAST_APPLIED
from kube.objects import Json

_CREDENTIAL_NAME = re.compile(
    r"(?i)(^|[-_.]|[a-z])(pass(word|wd|phrase)?|pwd|secret|token|api[-_]?key|access[-_]?key|secret[-_]?key|private[-_]?key"
    r"|credentials?|auth[-_]?key|signing[-_]?key|encryption[-_]?key)([-_.]?(base64|b64|value))?$"
)
_CREDENTIAL_VALUE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\bgh[pousr]_\w{30,}|\bglpat-[\w-]{20,}|\bxox[abprs]-[\w-]{10,}"
)
_URL_PASSWORD = re.compile(r"(\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@]{0,256}:)([^\s/@]{1,512})(@)", re.IGNORECASE)
_FLAG = re.compile(r"^(--?[\w.-]+)=(.+)$", re.DOTALL)


def mask(size: int) -> str:
    return f"•••••• ({size} bytes)"


def redact(storage: str, obj: Json) -> Json:
    """Mask credentials of one decoded object of a kind in place; returns the same object."""
    if storage == "secrets":
        data = obj.get("data")
        if isinstance(data, dict):
            obj["data"] = {key: mask(_decoded_size(value)) for key, value in data.items()}
        text = obj.pop("stringData", None)
        if isinstance(text, dict):
            obj.setdefault("data", {}).update({key: mask(len(str(value).encode())) for key, value in text.items()})
    annotations = obj.get("metadata", {}).get("annotations")
    if isinstance(annotations, dict) and LAST_APPLIED in annotations:
        annotations[LAST_APPLIED] = mask(len(str(annotations[LAST_APPLIED])))
    _walk(obj, 0)
    return obj


def _decoded_size(value: Any) -> int:
    try:
        return len(base64.b64decode(value, validate=True))
    except (binascii.Error, TypeError, ValueError):
        return len(str(value))


def _walk(value: Any, depth: int) -> None:
    if depth > 40:
        return
    if isinstance(value, list):
        _walk_list(value, depth)
    elif isinstance(value, dict):
        name = value.get("name")
        if isinstance(name, str) and isinstance(value.get("value"), str) and is_credential_name(name):
            value["value"] = mask(len(value["value"].encode()))
        for key, item in value.items():
            if not isinstance(item, str):
                _walk(item, depth + 1)
            elif item and not item.startswith("••••••"):
                value[key] = mask(len(item.encode())) if is_credential_name(key) else clean_text(item)


def _walk_list(value: list[Any], depth: int) -> None:
    masks_next = False
    for i, item in enumerate(value):
        if isinstance(item, str):
            flag = _FLAG.match(item)
            if masks_next:
                value[i] = mask(len(item.encode()))
            elif flag and is_credential_name(flag[1].lstrip("-")):
                value[i] = clean_text(f"{flag[1]}={mask(len(flag[2].encode()))}")
            else:
                value[i] = clean_text(item)
            masks_next = item.startswith("-") and "=" not in item and is_credential_name(item.lstrip("-"))
        else:
            masks_next = False
            _walk(item, depth + 1)


def is_credential_name(name: str) -> bool:
    """Whether a field, key or variable of this name usually holds a credential (`DB_PASSWORD`, `clientSecret`)."""
    return len(name) < 254 and _CREDENTIAL_NAME.search(name) is not None


def clean_text(text: str) -> str:
    """Mask what is a credential by its own form: private keys, JWTs, cloud keys, the password inside a URL."""
    if "://" in text:
        text = _URL_PASSWORD.sub(lambda m: m[1] + "••••••" + m[3], text)
    return _CREDENTIAL_VALUE.sub(lambda m: mask(len(m[0])), text) if len(text) >= 16 else text
