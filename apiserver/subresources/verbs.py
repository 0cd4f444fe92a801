"""What handlers of subresources share."""

from __future__ import annotations

from typing import Any

from apiserver.request import Request
from kube import schema
from kube.errors import BadRequest, MethodNotAllowed

_API = "io.k8s.api."
_DEFINITIONS = {
    "Binding": _API + "core.v1.Binding",
    "Eviction": _API + "policy.v1.Eviction",
    "TokenRequest": _API + "authentication.v1.TokenRequest",
    "TokenReview": _API + "authentication.v1.TokenReview",
    "SelfSubjectReview": _API + "authentication.v1.SelfSubjectReview",
    "SubjectAccessReview": _API + "authorization.v1.SubjectAccessReview",
    "LocalSubjectAccessReview": _API + "authorization.v1.LocalSubjectAccessReview",
    "SelfSubjectAccessReview": _API + "authorization.v1.SelfSubjectAccessReview",
    "SelfSubjectRulesReview": _API + "authorization.v1.SelfSubjectRulesReview",
}


def only(request: Request, *verbs: str) -> None:
    """Raises MethodNotAllowed for any other verb."""
    if request.info.verb not in verbs:
        raise MethodNotAllowed("the server does not allow this method on the requested resource", details={})


async def posted(request: Request, kind: str) -> dict[str, Any]:
    """The posted object, its fields of the right types. Raises BadRequest, also when it says to be of another kind."""
    only(request, "create")
    obj = await request.json()
    if obj.get("kind") and obj["kind"] != kind:
        raise BadRequest(f'no kind "{obj["kind"]}" is registered for this path: it takes {kind}')
    check_types(_DEFINITIONS[kind], kind, obj)
    obj["metadata"] = obj.get("metadata") or {}
    return obj


def check_types(definition: str, kind: str, obj: dict[str, Any]) -> None:
    """Decode in place. Raises BadRequest for a field of a wrong type."""
    errors, _ = schema.check(definition, obj)
    if errors:
        raise BadRequest(f"{kind} cannot be handled: {errors[0]}")
