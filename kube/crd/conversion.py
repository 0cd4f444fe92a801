"""Objects of a CRD from one version to another by a webhook: the question, its answer, and what was answered before.

The webhook decides about labels, annotations and everything outside of the metadata; the rest of the metadata stays.
"""

from __future__ import annotations

import hashlib
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable

import orjson

from kube.errors import ApiError
from kube.objectmeta import check_annotations
from kube.objects import Json
from kube.validation import check_labels

GROUP = "apiextensions.k8s.io"
VERSIONS = ("v1", "v1beta1")
KEPT = 32 * 1024 * 1024  # bytes of converted objects that are remembered, for each CRD
FRESH = 60.0  # seconds for which an answer holds: a webhook may be replaced by a newer one
TOGETHER = 500  # objects in one question
Ask = Callable[[list[Json], str], list[Json]]


def failed(obj: Json, why: str) -> ApiError:
    """The error of a conversion of `obj`, as Kubernetes tells it."""
    group, _, version = obj["apiVersion"].rpartition("/")
    text = f"conversion webhook for {group}/{version}, Kind={obj['kind']} {why}"
    return ApiError(text, code=500, reason="")


def question(objects: list[Json], api_version: str, versions: list[str]) -> tuple[str, Json]:
    """(the uid, the review) that asks a webhook which knows `versions` of reviews for the objects in another version."""
    uid, version = str(uuid.uuid4()), next((version for version in versions if version in VERSIONS), VERSIONS[0])
    request = {"uid": uid, "desiredAPIVersion": api_version, "objects": objects}
    return uid, {"kind": "ConversionReview", "apiVersion": f"{GROUP}/{version}", "request": request}


def answer(text: bytes, uid: str, objects: list[Json], api_version: str) -> list[Json]:
    """The objects in the version asked for. Raises ApiError where the answer is none."""
    try:
        review = orjson.loads(text)
        named, response = f"{review.get('apiVersion')}, Kind={review.get('kind')}", review["response"]
        result, converted = response.get("result") or {}, response.get("convertedObjects") or []
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise failed(objects[0], f"failed: no response provided: {error!r}") from error
    if review.get("kind") != "ConversionReview":
        raise failed(objects[0], f"failed: expected webhook response of {GROUP}/v1, Kind=ConversionReview, got {named}")
    if response.get("uid") != uid:
        raise failed(objects[0], f'failed: expected response.uid="{uid}", got "{response.get("uid")}"')
    if result.get("status") != "Success":
        why = result.get("message") or f"response.result.status was '{result.get('status', '')}', not 'Success'"
        raise failed(objects[0], f"failed: {why}")
    if len(converted) != len(objects):
        raise failed(objects[0], f"returned {len(converted)} objects, expected {len(objects)}")
    return [_checked(old, new, api_version) for old, new in zip(objects, converted, strict=True)]


def _checked(old: Json, new: Json, api_version: str) -> Json:
    """A converted object with the metadata that it must keep. Raises ApiError for one that is another object."""
    if not isinstance(new, dict) or not isinstance(new.get("metadata"), dict):
        raise failed(old, "returned invalid metadata: missing metadata in converted object")
    for field, wanted in (("apiVersion", api_version), ("kind", old["kind"])):
        if new.get(field) != wanted:
            got = new.get(field, "")
            raise failed(old, f"returned invalid converted object: invalid {field} (expected {wanted}, received {got})")
    meta = old.get("metadata") or {}
    for field in ("name", "namespace", "uid"):
        if (new["metadata"].get(field) or "") != (meta.get(field) or ""):
            text = f"must have the same {field}: {meta.get(field, '')} != {new['metadata'].get(field, '')}"
            raise failed(old, f"returned invalid converted object: {text}")
    kept = {key: value for key, value in meta.items() if key not in ("labels", "annotations")}
    for field, check in (("labels", check_labels), ("annotations", check_annotations)):
        found = new["metadata"].get(field)
        if found is None:
            continue
        if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
            raise failed(old, f"returned invalid metadata: metadata.{field} must be a map of strings")
        if found != meta.get(field) and (errors := check(f"metadata.{field}", found)):
            raise failed(old, f"returned invalid metadata: {errors[0]}")
        kept[field] = found
    return {**new, "metadata": kept}


class Converter:
    """Converts objects, and remembers for a while what it converted: reads of the same object ask once. `ask` blocks."""

    def __init__(self, ask: Ask, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask, self._clock = ask, clock
        self._known: OrderedDict[tuple[str, bytes], tuple[bytes, float]] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def convert(self, obj: Json, api_version: str) -> Json:
        """The object in another version. Raises ApiError."""
        return self.together([obj], api_version)[0]

    def together(self, objects: Iterable[Json], api_version: str) -> list[Json]:
        """The objects in another version, with as few questions as there can be. Raises ApiError."""
        objects = list(objects)
        keys = [(api_version, _digest(obj)) for obj in objects]
        found = [
            obj if obj["apiVersion"] == api_version else self._get(key) for obj, key in zip(objects, keys, strict=True)
        ]
        missing = [i for i, obj in enumerate(found) if obj is None]
        for start in range(0, len(missing), TOGETHER):
            part = missing[start : start + TOGETHER]
            for i, new in zip(part, self._ask([objects[i] for i in part], api_version), strict=True):
                self._put(keys[i], new)
                found[i] = new
        return [obj for obj in found if obj is not None]

    def _get(self, key: tuple[str, bytes]) -> Json | None:
        with self._lock:
            body, since = self._known.get(key, (b"", 0.0))
            if not body or self._clock() - since > FRESH:
                return None
            self._known.move_to_end(key)
        obj: Json = orjson.loads(body)
        return obj

    def _put(self, key: tuple[str, bytes], obj: Json) -> None:
        body = orjson.dumps(obj)
        with self._lock:
            self._size += len(body) - len(self._known.pop(key, (b"", 0.0))[0])
            self._known[key] = body, self._clock()
            while self._size > KEPT:
                self._size -= len(self._known.popitem(last=False)[1][0])


def _digest(obj: Json) -> bytes:
    return hashlib.blake2b(orjson.dumps(obj, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()
