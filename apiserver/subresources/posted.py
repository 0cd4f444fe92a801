"""The object that a client posts to a subresource or for a review."""

from __future__ import annotations

from typing import Any

from apiserver import negotiation
from apiserver.request import Request, check_types, only
from kube.errors import BadRequest

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


async def posted(request: Request, kind: str) -> dict[str, Any]:
    """The posted object, its fields of the right types. Raises BadRequest, also when it says to be of another kind.

    NotAcceptable for who wants a Table of it alone: there is none.
    """
    only(request, "create")
    negotiation.view(request.header(b"accept"), transforms=False)
    obj = await request.json()
    if obj.get("kind") and obj["kind"] != kind:
        raise BadRequest(f'no kind "{obj["kind"]}" is registered for this path: it takes {kind}')
    check_types(_DEFINITIONS[kind], kind, obj)
    obj["metadata"] = obj.get("metadata") or {}
    return obj
