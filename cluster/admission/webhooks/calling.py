"""The way to a webhook: HTTPS to its URL, or to the cluster IP of its service. Blocking; runs in a thread of its own."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

import orjson

from cluster.cache import Entry
from kube.objects import Json
from web import blocking

Find = Callable[[str, str, str], Entry | None]
"""The object of a storage with a name in a namespace."""
MAX_ANSWER = 3 * 1024 * 1024  # bytes, as for what clients send


class Unreachable(Exception):
    """There was no answer to use; the text says why."""

    def __init__(self, why: str) -> None:
        super().__init__(f"failed to call webhook: {why}")
        self.why = why


class Place(NamedTuple):
    """Where to connect, the name that the certificate must have, and what to ask for."""

    address: str
    port: int
    name: str
    path: str


def place(config: Json, find: Find) -> Place:
    """Where the webhook of a `clientConfig` is. Raises Unreachable when its service is not there."""
    service = config.get("service")
    if service is None:
        parts = urlsplit(config["url"])
        return Place(parts.hostname or "", parts.port or 443, parts.hostname or "", parts.path or "/")
    name, namespace = service["name"], service["namespace"]
    entry = find("services", name, namespace)
    if entry is None:
        raise Unreachable(f'service "{name}" not found')
    spec = entry.object()["spec"]
    address = spec.get("externalName") if spec.get("type") == "ExternalName" else spec.get("clusterIP")
    if address in (None, "", "None"):
        raise Unreachable(f'service "{name}" has no cluster IP')
    return Place(address, service.get("port", 443), f"{name}.{namespace}.svc", service.get("path") or "/")


def post(where: Place, bundle: str, body: Json, seconds: float) -> bytes:
    """The body of the answer to a review. `bundle`: the authority's PEM text in base64, "" for those of the machine.

    Raises Unreachable.
    """
    path = f"{where.path}?timeout={seconds:.0f}s"
    url = f"https://{where.name}:{where.port}{path}"
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "User-Agent": "kube-apiserver-admission",
    }
    try:
        answer = blocking.request(
            url,
            "POST",
            orjson.dumps(body),
            headers,
            tls=_context(bundle),
            connect=(where.address, where.port),
            timeout=seconds,
            limit=MAX_ANSWER,
        )
    except (OSError, ValueError) as error:
        raise Unreachable(f'Post "{url}": {error or "timed out"}') from error
    if answer.status != 200:
        words = answer.body[:200].decode(errors="replace")
        raise Unreachable(f'Post "{url}": the answer is {answer.status}: {words}')
    return answer.body


@lru_cache(maxsize=64)
def _context(bundle: str) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=base64.b64decode(bundle).decode() if bundle else None)
