"""AdmissionReview: what a webhook is sent, and what it answers (`admission.k8s.io/v1`, or v1beta1 for old ones)."""

from __future__ import annotations

import base64
import binascii
import uuid
from dataclasses import dataclass, field

import orjson

from cluster.admission.plugin import CREATE, DELETE
from cluster.admission.policies.expressions import attributes, seen
from cluster.admission.request import Request
from kube.objects import Json
from kube.registry import Kind

GROUP = "admission.k8s.io"
VERSIONS = ("v1", "v1beta1")
OPTIONS = {CREATE: "CreateOptions", "UPDATE": "UpdateOptions", DELETE: "DeleteOptions"}


class Malformed(Exception):
    """The answer is no review; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`patch`: the operations of a JSON patch; `status`: why the write is not allowed."""

    allowed: bool
    patch: list[Json] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    status: Json = field(default_factory=dict)


def question(request: Request, kind: Kind, versions: list[str]) -> tuple[str, Json]:
    """(the uid, the review) to send to a webhook that understands `versions` and sees the object as `kind`."""
    uid, about = str(uuid.uuid4()), attributes(request, kind)
    if not request.subresource:
        del about["subResource"], about["requestSubResource"]
    obj = None if request.operation == DELETE else seen(request.obj, request.kind, kind)
    old = None if request.operation == CREATE or request.old is None else seen(request.old, request.kind, kind)
    asked = OPTIONS.get(request.operation)
    options = {"kind": asked, "apiVersion": "meta.k8s.io/v1"} if asked else None
    version = next((version for version in versions if version in VERSIONS), VERSIONS[0])
    return uid, {
        "kind": "AdmissionReview",
        "apiVersion": f"{GROUP}/{version}",
        "request": {"uid": uid, **about, "object": obj, "oldObject": old, "options": options},
    }


def answer(body: bytes, uid: str) -> Answer:
    """What a webhook answered to the question with this uid. Raises Malformed."""
    try:
        review = orjson.loads(body)
        response = review["response"]
        found = Answer(
            response["allowed"] is True,
            _patch(response),
            list(map(str, response.get("warnings") or ())),
            response.get("status") or {},
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise Malformed(f"the answer is no AdmissionReview with a response: {error!r}") from error
    if response.get("uid") != uid:
        raise Malformed(f'expected response.uid="{uid}", got "{response.get("uid")}"')
    return found


def _patch(response: Json) -> list[Json]:
    if not response.get("patch"):
        return []
    if response.get("patchType") != "JSONPatch":
        raise Malformed(f'response.patchType is "{response.get("patchType")}": only JSONPatch is known')
    try:
        operations = orjson.loads(base64.b64decode(response["patch"], validate=True))
    except (binascii.Error, orjson.JSONDecodeError) as error:
        raise Malformed(f"response.patch is no JSON patch in base64: {error}") from error
    if not isinstance(operations, list):
        raise Malformed("response.patch is no list of operations")
    return operations
