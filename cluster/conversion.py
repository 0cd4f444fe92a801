"""The conversion webhook of a CRD, asked over HTTPS. Blocking: never in an event loop."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from cluster.admission.webhooks import metrics
from cluster.store import Key
from kube.crd import conversion
from kube.objects import Json

if TYPE_CHECKING:
    from cluster.cache import Cache, Entry

SECONDS = 30.0


def converter(crd: Json, cache: Cache) -> conversion.Converter | None:
    """What converts the objects of a CRD; None where their versions differ by name only."""
    config = crd["spec"].get("conversion") or {}
    if config.get("strategy") != "Webhook":
        return None
    return conversion.Converter(partial(_ask, config["webhook"], cache))


def _ask(webhook: Json, cache: Cache, objects: list[Json], api_version: str) -> list[Json]:
    from cluster.admission.webhooks import calling  # most clusters have no webhooks, and TLS takes memory

    def find(storage: str, name: str, namespace: str) -> Entry | None:
        return cache.get(Key(storage, namespace, name))

    client = webhook["clientConfig"]
    started, result = time.perf_counter(), ("failure", "webhook_call_failure")
    uid, body = conversion.question(objects, api_version, webhook["conversionReviewVersions"])
    try:
        text = calling.post(calling.place(client, find), client.get("caBundle") or "", body, SECONDS)
        result = ("failure", "webhook_malformed_response_failure")
        converted = conversion.answer(text, uid, objects, api_version)
        result = ("success", "")
    except calling.Unreachable as error:
        raise conversion.failed(objects[0], f"failed: {error.why}") from error
    finally:
        metrics.CONVERSIONS.observe(time.perf_counter() - started, *result)
    return converted
