"""SubjectAccessReview and its family: may somebody do something; and the rules one has."""

from __future__ import annotations

from apiserver import response
from apiserver.request import Request
from apiserver.response import Answer
from apiserver.subresources.posted import posted
from cluster.rbac import Attributes
from kube.errors import BadRequest, FieldError, Invalid, invalid
from kube.objects import Json
from kube.users import User

GROUP = "authorization.k8s.io"
_EITHER = "exactly one of nonResourceAttributes or resourceAttributes must be specified"


async def subject(request: Request) -> Answer:
    """Whether the user of the review may."""
    review = await posted(request, "SubjectAccessReview")
    spec = review.get("spec") or {}
    errors = _errors(spec) + _subject_errors(spec)
    return await _review(request, "SubjectAccessReview", review, errors, _user_of(spec))


async def local(request: Request) -> Answer:
    """The same within one namespace."""
    review = await posted(request, "LocalSubjectAccessReview")
    spec = review.get("spec") or {}
    errors = _errors(spec) + _subject_errors(spec)
    namespace = (spec.get("resourceAttributes") or {}).get("namespace", "")
    if spec.get("nonResourceAttributes") is not None:
        shown = {
            "Path": spec["nonResourceAttributes"].get("path", ""),
            "Verb": spec["nonResourceAttributes"].get("verb", ""),
        }
        errors = [invalid("spec.nonResourceAttributes", shown, "disallowed on this kind of request")]
    elif namespace != request.info.namespace:
        errors.append(invalid("spec.resourceAttributes.namespace", namespace, "must match metadata.namespace"))
    review["metadata"]["namespace"] = request.info.namespace
    return await _review(request, "LocalSubjectAccessReview", review, errors, _user_of(spec))


async def self_access(request: Request) -> Answer:
    """Whether the sender may."""
    review = await posted(request, "SelfSubjectAccessReview")
    return await _review(request, "SelfSubjectAccessReview", review, _errors(review.get("spec") or {}), request.user)


def _errors(spec: Json) -> list[FieldError]:
    if (spec.get("resourceAttributes") is None) == (spec.get("nonResourceAttributes") is None):
        return [invalid("spec.resourceAttributes", spec.get("resourceAttributes"), _EITHER)]
    return []


def _subject_errors(spec: Json) -> list[FieldError]:
    if spec.get("user") or spec.get("groups"):
        return []
    return [invalid("spec.user", spec.get("user", ""), "at least one of user or group must be specified")]


def _user_of(spec: Json) -> User:
    return User(spec.get("user", ""), spec.get("uid", ""), spec.get("groups") or (), spec.get("extra"))


async def _review(request: Request, kind: str, review: Json, errors: list[FieldError], user: User) -> Answer:
    if errors:
        raise Invalid("", "", errors, GROUP)
    spec = review["spec"]
    decision = await request.state.authorizers.decide(user, attributes_of(spec), version_of(spec))
    status: Json = {"allowed": decision.allowed}
    if decision.denied:
        status["denied"] = True
    if decision.reason:
        status["reason"] = decision.reason
    return response.json_response(
        {"kind": kind, "apiVersion": f"{GROUP}/v1", "metadata": review["metadata"], "spec": spec, "status": status}, 201
    )


def version_of(spec: Json) -> str:
    """The version of the API that a review asks about."""
    return str((spec.get("resourceAttributes") or {}).get("version") or "")


def _incomplete(request: Request) -> Json:
    if request.state.authorizers.complete:
        return {"incomplete": False}
    return {"incomplete": True, "evaluationError": "webhook authorizer does not support user rule resolution"}


def attributes_of(spec: Json) -> Attributes:
    """What a review asks about."""
    if spec.get("nonResourceAttributes") is not None:
        asked = spec["nonResourceAttributes"]
        return Attributes(asked.get("verb", ""), path=asked.get("path", ""))
    asked = spec["resourceAttributes"]
    return Attributes(
        asked.get("verb", ""),
        asked.get("group", ""),
        asked.get("resource", ""),
        asked.get("subresource", ""),
        asked.get("namespace", ""),
        asked.get("name", ""),
    )


async def self_rules(request: Request) -> Answer:
    """All rules that the sender has in a namespace."""
    review = await posted(request, "SelfSubjectRulesReview")
    namespace = (review.get("spec") or {}).get("namespace")
    if not namespace:
        raise BadRequest("no namespace on request")
    rules = request.state.authorizer.rules(request.user, namespace)
    return response.json_response(
        {
            "kind": "SelfSubjectRulesReview",
            "apiVersion": f"{GROUP}/v1",
            "metadata": {},
            "spec": {},
            "status": {
                "resourceRules": [r for r in rules if r.get("resources")],
                "nonResourceRules": [
                    {"verbs": r["verbs"], "nonResourceURLs": r["nonResourceURLs"]}
                    for r in rules
                    if r.get("nonResourceURLs")
                ],
                **_incomplete(request),
            },
        },
        201,
    )
